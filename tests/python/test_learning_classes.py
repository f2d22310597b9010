"""Classes are learnt from as if every pair were computed: words are merged, and neighbours are searched for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.encoders import EncodedTexts, WordVectors

torch = pytest.importorskip("torch", reason="torch is not installed: pip install moverank[torch]")
learning = pytest.importorskip("moverank.learning")

from moverank.learning.batches import Ragged, pair_distances, rows_of  # noqa: E402
from moverank.learning.classes import Classes  # noqa: E402
from moverank.learning.model import Model  # noqa: E402
from moverank.learning.projection import ProjectionModel, principal_axes  # noqa: E402
from moverank.learning.sides import Vocabulary  # noqa: E402
from moverank.learning.token_weights import WeightModel  # noqa: E402
from moverank.vectors.words import Words  # noqa: E402

MEASURES = [
    mr.wrd,
    mr.wmd,
    mr.wrd.replace(fraction=0.6),
    mr.wrd.replace(ground="dot"),
    mr.wmd.replace(ground="sqeuclidean"),
    mr.wrd.replace(problem=mr.Sinkhorn(0.1, relative=False)),
    mr.wrd.replace(problem=mr.Sinkhorn(0.1, relative=False, debiased=True)),
    mr.wrd.replace(capacity=2),
    mr.maxsim,
]


def encoded_texts(shared, seed=0):
    """Texts of few words, or, unless `shared`, of tokens that are all different. Every third text is the one before."""
    rng = np.random.default_rng(seed)
    names = [f"w{n}" for n in range(12)]
    texts = [" ".join(rng.choice(names, size=rng.integers(1, 9))) for _ in range(60)]
    texts[2::3] = texts[1::3]
    encoded = WordVectors(names, rng.normal(size=(12, 6))).encode(texts)
    if shared:
        return encoded
    own = encoded.sequences
    moved = own.tokens + 0.3 * rng.normal(size=own.tokens.shape).astype(np.float32)
    for t in range(2, 60, 3):
        moved[own.offsets[t] : own.offsets[t + 1]] = moved[own.offsets[t - 1] : own.offsets[t]]
    return EncodedTexts(mr.Sequences.from_flat(moved, own.offsets), encoded.tokens, encoded.kept, encoded.dropped)


def moved_model(vocabulary, side, measure, **weighting):
    """A model that is far from its start."""
    weights = WeightModel(learning.TokenWeighting(**weighting), len(vocabulary.names), sparse=False)
    projection = ProjectionModel(learning.Projection(dim=5), principal_axes(side.vectors, 5, measure))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in (weights.table.weight, projection.matrix):
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
        weights.table.weight[0] = 0
    return Model(weights, projection)


def classes(shared, measure, neighbours, **weighting):
    """Examples, of whose 60 texts a third is held out, and a model."""
    encoded = encoded_texts(shared)
    vocabulary = Vocabulary.of([encoded], 1)
    side = vocabulary.side(encoded, by_norm=measure.weighting == "norm")
    held = np.sort(np.random.default_rng(1).permutation(60)[:20])
    trained = np.setdiff1d(np.arange(60), held)
    labels = np.random.default_rng(2).integers(3, size=60)
    training = learning.Training(neighbours=neighbours, batch=8, negatives=3, depth=12)
    return Classes(side, labels, trained, held, measure, training, 1), moved_model(
        vocabulary, side, measure, **weighting
    )


def all_distances(examples, model, measure):
    """Of held-out to trained texts, token by token, one pair after the other."""
    own = model.sequences(examples.texts)
    return np.array([
        [(measure(own[h], own[t]) + measure(own[t], own[h])) / 2 for t in examples.trained] for h in examples.held
    ])  # fmt: skip


@pytest.mark.parametrize("measure", MEASURES, ids=str)
@pytest.mark.parametrize("shared", [True, False], ids=["words", "tokens"])
@pytest.mark.parametrize("neighbours", [4, 100])
def test_the_nearest_texts_and_their_votes_are_those_of_all_distances(shared, measure, neighbours):
    examples, model = classes(shared, measure, neighbours)
    assert examples.texts.words.are_shared == shared
    near = examples._neighbours(model, measure)
    one_by_one = all_distances(examples, model, measure)
    assert near.shape == (20, min(neighbours, 40))
    np.testing.assert_allclose(
        np.take_along_axis(one_by_one, near, axis=1), np.sort(one_by_one, axis=1)[:, :neighbours], atol=1e-5
    )
    # By all distances of the same batch, to the last bit: equal ones are ordered by place.
    moved, own = examples._moved(model, measure)
    x, y = moved[examples.held], moved[examples.trained]
    order = np.argsort((mr.pairwise(x, y, own) + mr.pairwise(y, x, own).T) / 2, axis=1, kind="stable")[:, :neighbours]
    np.testing.assert_array_equal(near, order)
    right = 0
    for h, row in zip(examples.held, order, strict=True):
        votes = np.bincount(examples.labels[examples.trained[row]], minlength=3)
        right += votes.argmax() == examples.labels[h]
    assert examples.held_out(model) == right / 20


@pytest.mark.parametrize("measure", [mr.wrd, mr.maxsim], ids=str)
@pytest.mark.parametrize("shared", [True, False], ids=["words", "tokens"])
def test_of_equal_texts_the_first_is_nearer(shared, measure):
    examples, model = classes(shared, measure, 100)
    near = examples._neighbours(model, measure)
    twins = [(t - 1, t) for t in range(2, 60, 3) if {t - 1, t} <= set(examples.trained.tolist())]
    assert len(twins) > 5
    for first, second in twins:
        places = [np.argmax(examples.trained[near] == t, axis=1) for t in (first, second)]
        np.testing.assert_array_equal(places[1], places[0] + 1)


def test_a_measure_that_is_given_replaces_the_own_one():
    examples, model = classes(True, mr.wrd, 4)
    found = np.take_along_axis(
        all_distances(examples, model, mr.maxsim), examples._neighbours(model, mr.maxsim), axis=1
    )
    np.testing.assert_allclose(found, np.sort(all_distances(examples, model, mr.maxsim), axis=1)[:, :4], atol=1e-5)


@pytest.mark.parametrize("measure", MEASURES, ids=str)
@pytest.mark.parametrize("weighting", [{}, {"simplex": "sparsemax"}, {"keep": 0.6}], ids=str)
def test_merged_words_have_the_distances_and_derivatives_of_their_tokens(measure, weighting):
    examples, model = classes(True, measure, 4, **weighting)
    texts = np.array([3, 40, 7, 8, 21])
    left, right = np.array([0, 1, 2, 4, 3]), np.array([1, 2, 3, 0, 0])
    merged = model(examples.texts, texts)
    rows, offsets = rows_of(examples.texts.offsets, texts)
    assert len(merged.tokens) < len(rows)
    plain = Ragged(model._moved(examples.texts.vectors[rows]), model._mass(examples.texts, texts), offsets)
    found = []
    for own in (merged, plain):
        values = pair_distances(own, own, left, right, measure, num_threads=1)
        model.zero_grad()
        (values * torch.arange(1.0, 6.0)).sum().backward()
        found.append((values.detach().numpy(), *(p.grad.numpy().copy() for p in model.parameters() if p.requires_grad)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert np.abs(found[0][1]).max() > 1e-3


def test_candidates_have_the_distances_of_their_texts():
    examples, model = classes(True, mr.wrd, 4)
    examples.prepare(model)
    batch = examples.batches(np.random.default_rng(0))[0]
    _, found, same, valid = examples._distances(model, batch, np.random.default_rng(5))
    own = model.sequences(examples.texts)
    rng = np.random.default_rng(5)
    for row, t in enumerate(batch.tolist()):
        drawn = [rng.choice(near, min(3, len(near)), replace=False) for near in examples.near[t]]
        candidates = np.unique(np.concatenate([*drawn, batch[batch != t]])).astype(int)
        np.testing.assert_array_equal(valid[row], np.arange(valid.shape[1]) < len(candidates))
        expected = [mr.wrd(own[t], own[c]) for c in candidates]
        np.testing.assert_allclose(found[row][valid[row]].detach().numpy(), expected, atol=1e-5)
        np.testing.assert_array_equal(same[row][valid[row]], examples.labels[candidates] == examples.labels[t])


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=5))
def test_words_are_the_different_tokens_of_each_text(texts):
    vectors = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 2.0], [2.0, 2.0]], dtype=np.float32)
    tokens = vectors[np.concatenate(texts)]
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in texts])])
    words = Words.of(tokens, offsets)
    np.testing.assert_array_equal(words.table[words.rows[words.place]], tokens)
    assert len(words.offsets) == len(offsets)
    different = len({int(word) for own in texts for word in own})
    merged = 2 * different <= len(tokens)
    for t, own in enumerate(texts):
        place = words.place[offsets[t] : offsets[t + 1]]
        assert place.min() == words.offsets[t]
        assert place.max() == words.offsets[t + 1] - 1
        assert len(np.unique(place)) == len(set(own) if merged else own)
    assert len(words.table) == (different if merged else len(tokens))


def test_a_share_of_mass_that_float32_cannot_hold_is_left_out():
    encoded = WordVectors(["a", "b"], np.eye(2)).encode(["a b", "b", "a b a"])
    vocabulary = Vocabulary.of([encoded], 1)
    side = vocabulary.side(encoded, by_norm=True)
    model = Model(WeightModel(learning.TokenWeighting(), 2, sparse=False), None)
    with torch.no_grad():
        model.weights.table.weight[1] = -200.0
    bags = model.bags(side)
    assert bags.lengths.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(bags.counts, [1.0, 1.0, 1.0])
