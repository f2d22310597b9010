"""Spaces learnt from examples: training starts as the untrained recipe, finds what was planted, and can be repeated."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import WordVectors
from moverank.spaces import Space
from moverank.spaces.learnt import LearntWeights
from moverank.spaces.weights import TokenWeights

torch = pytest.importorskip("torch", reason="torch is not installed: pip install moverank[torch]")
learning = pytest.importorskip("moverank.learning")

from moverank.learning import losses  # noqa: E402
from moverank.learning.batches import Ragged, pair_distances, two_sided  # noqa: E402
from moverank.learning.model import Model  # noqa: E402
from moverank.learning.projection import ProjectionModel, mapped, principal_axes  # noqa: E402
from moverank.learning.rankings import ndcg  # noqa: E402
from moverank.learning.sides import Vocabulary  # noqa: E402
from moverank.learning.token_weights import WeightModel  # noqa: E402

TOPICS, NOISE = 6, 12
WRD = mr.wrd.replace(capacity=4)
QUICK = learning.Training(epochs=6, batch=8, negatives=4, patience=6)


def planted(seed=0):
    """Words of topics, and words of much norm that say nothing."""
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(TOPICS, 8))
    words = [f"t{t}w{n}" for t in range(TOPICS) for n in range(3)] + [f"noise{n}" for n in range(NOISE)]
    vectors = np.concatenate([np.repeat(topics, 3, axis=0) + 0.3 * rng.normal(size=(3 * TOPICS, 8)),
                              3 * rng.normal(size=(NOISE, 8))])  # fmt: skip
    return WordVectors(words, vectors)


def texts(count, seed):
    """Texts of one topic each, mixed with noise, and their topics."""
    rng = np.random.default_rng(seed)
    of = rng.integers(TOPICS, size=count)
    made = []
    for topic in of:
        own = [f"t{topic}w{n}" for n in rng.integers(3, size=2)] + [f"noise{n}" for n in rng.integers(NOISE, size=4)]
        made.append(" ".join(rng.permutation(own)))
    return made, of


@pytest.fixture(scope="module")
def encoder():
    return planted()


@pytest.fixture(scope="module")
def examples():
    queries, of_queries = texts(60, 1)
    documents, of_documents = texts(90, 2)
    judgements = {q: [d for d in range(90) if of_documents[d] == of_queries[q]] for q in range(60)}
    return queries, documents, judgements, of_documents


def fitted(encoder, examples, **how):
    queries, documents, judgements, _ = examples
    given = {"encoder": encoder, "measure": WRD, "training": QUICK, "num_threads": 1, **how}
    return learning.fit(queries, documents, judgements, **given)


# ---- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [WRD, mr.wmd, mr.maxsim, mr.wrd.replace(problem=mr.Sinkhorn(0.1, relative=False))])
def test_distances_of_pairs_and_their_derivatives_are_those_of_each_pair(measure):
    rng = np.random.default_rng(0)
    lengths = [2, 4, 3], [5, 1]
    sides = []
    for own in lengths:
        tokens = torch.from_numpy(rng.normal(size=(sum(own), 3)).astype(np.float32)).requires_grad_()
        mass = torch.from_numpy(rng.random(sum(own)) + 0.1).requires_grad_()
        sides.append(Ragged(tokens, mass, np.concatenate([[0], np.cumsum(own)])))
    left, right, factors = np.array([0, 2, 2, 1, 0]), np.array([1, 0, 1, 1, 1]), torch.arange(1.0, 6.0)
    values = pair_distances(*sides, left, right, measure, num_threads=2)
    (values * factors).sum().backward()
    wanted = [[np.zeros(side.tokens.shape), np.zeros(side.mass.shape)] for side in sides]
    for p, chosen in enumerate(zip(left, right, strict=True)):
        cuts = [slice(*side.offsets[t : t + 2]) for side, t in zip(sides, chosen, strict=True)]
        (x, a), (y, b) = [tuple(of.detach().numpy()[c] for of in (s.tokens, s.mass))
                          for s, c in zip(sides, cuts, strict=True)]  # fmt: skip
        one = mr.gradients(x, y, measure, a, b)
        assert values[p].item() == pytest.approx(one.value, abs=2e-6)
        for place, (by_token, by_mass) in enumerate([(one.x, one.a), (one.y, one.b)]):
            wanted[place][0][cuts[place]] += float(factors[p]) * by_token
            wanted[place][1][cuts[place]] += float(factors[p]) * by_mass
    for side, (by_token, by_mass) in zip(sides, wanted, strict=True):
        np.testing.assert_allclose(side.tokens.grad.numpy(), by_token, atol=2e-5)
        np.testing.assert_allclose(side.mass.grad.numpy(), by_mass, atol=2e-5)
    both = two_sided(*sides, left, right, measure, num_threads=1)
    there = [measure(*(s.tokens.detach().numpy()[slice(*s.offsets[t : t + 2])] for s, t in zip(way, c, strict=True)),
                     *(s.mass.detach().numpy()[slice(*s.offsets[t : t + 2])] for s, t in zip(way, c, strict=True)))
             for way, c in ((sides, (0, 1)), (sides[::-1], (1, 0)))]  # fmt: skip
    assert both[0].item() == pytest.approx(np.mean(there), abs=1e-6)


def test_a_vector_that_training_made_zero_is_told_in_words():
    sides = [Ragged(torch.zeros(2, 3), torch.ones(2, dtype=torch.float64), np.array([0, 2]))] * 2
    one = np.array([0])
    with pytest.raises(ValueError, match=r"^a batch: sequence 0: token 0 is a zero vector, which has no direction"):
        pair_distances(*sides, one, one, mr.wmd.replace(ground="cosine"), num_threads=1)


def test_tokens_that_move_nothing_add_nothing_to_the_derivative_of_a_projection():
    rng = np.random.default_rng(0)
    tokens, upstream = (torch.from_numpy(rng.normal(size=(7, d)).astype(np.float32)) for d in (4, 3))
    upstream[[1, 4]] = 0
    matrices = [torch.ones(4, 3, requires_grad=True) for _ in range(2)]
    mapped(tokens, matrices[0]).backward(upstream)
    (tokens @ matrices[1]).backward(upstream)
    torch.testing.assert_close(matrices[0].grad, matrices[1].grad)


def test_losses_are_their_formulas():
    rng = np.random.default_rng(1)
    found = rng.random((3, 4))
    positive = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=bool)
    valid = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]], dtype=bool)
    given = [torch.from_numpy(array) for array in (found, positive, valid)]
    rows = []
    for d, p, v in zip(found, positive, valid, strict=True):
        near = np.exp(-d / 0.3)
        rows.append(-np.log(near[p & v].sum() / near[v].sum()))
    assert losses.contrastive(*given, temperature=0.3).item() == pytest.approx(np.mean(rows))
    assert losses.neighbourhood(*given, temperature=0.3).item() == pytest.approx(np.mean(rows))
    pairs = [max(0, 0.2 + found[r, i] - found[r, j]) for r in range(3) for i in range(4) for j in range(4)
             if positive[r, i] and valid[r, j] and not positive[r, j]]  # fmt: skip
    assert losses.margin(*given, margin=0.2).item() == pytest.approx(np.mean(pairs))
    human = rng.random(7)
    own = rng.random(7)
    agreed = losses.correlation(torch.from_numpy(own), torch.from_numpy(human)).item()
    assert agreed == pytest.approx(1 + np.corrcoef(own, human)[0, 1])


def test_losses_without_anything_to_compare_are_zero():
    distances = torch.ones(2, 2, requires_grad=True)
    nothing, all_there = torch.zeros(2, 2, dtype=torch.bool), torch.ones(2, 2, dtype=torch.bool)
    for loss in (
        losses.neighbourhood(distances, nothing, all_there, temperature=1.0),
        losses.margin(distances, nothing, all_there, margin=1.0),
    ):
        loss.backward()
        assert loss.item() == 0
    assert losses.correlation(torch.ones(3), torch.arange(3.0)).item() == 1


def test_ndcg_is_that_of_trec():
    ir_measures = pytest.importorskip("ir_measures")
    rng = np.random.default_rng(0)
    for _ in range(20):
        ranked = rng.permutation(30)
        relevant = {int(d): float(rng.integers(1, 4)) for d in rng.choice(30, 12, replace=False)}
        qrels = [ir_measures.Qrel("q", str(d), int(grade)) for d, grade in relevant.items()]
        run = [ir_measures.ScoredDoc("q", str(d), -float(place)) for place, d in enumerate(ranked)]
        metric = ir_measures.parse_measure("nDCG@10")
        expected = ir_measures.calc_aggregate([metric], qrels, run)[metric]
        assert ndcg(ranked, relevant) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("measure", [mr.wrd, mr.wmd])
def test_a_projection_starts_at_the_principal_axes(measure):
    rng = np.random.default_rng(0)
    tokens = (rng.normal(size=(500, 6)) * [5, 4, 1, 0.5, 0.2, 0.1] + [1, 0, 0, 0, 0, 3]).astype(np.float32)
    axes = principal_axes(tokens, 3, measure)
    about = tokens - tokens.mean(axis=0) if measure is mr.wmd else tokens
    expected = np.linalg.svd(about.astype(np.float64), full_matrices=False)[2][:3].T
    np.testing.assert_allclose(np.abs(axes.T @ expected), np.eye(3), atol=1e-4)
    np.testing.assert_array_equal(principal_axes(tokens, None, measure), np.eye(6))
    with pytest.raises(ValueError, match="dim: vectors have 6 dimensions, which cannot be projected to 7"):
        principal_axes(tokens, 7, measure)


@pytest.mark.parametrize("simplex", ["softmax", "gumbel", "sparsemax"])
@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_training_and_the_fitted_space_agree_on_every_token(encoder, examples, simplex, keep):
    """Also far from the start, and with the rounding of float32 between them."""
    encoded = encoder.encode(examples[1])
    vocabulary = Vocabulary.of([encoded], 1)
    side = vocabulary.side(encoded, by_norm=True)
    weights = WeightModel(learning.TokenWeighting(simplex=simplex, keep=keep), len(vocabulary.names), sparse=False)
    projection = ProjectionModel(learning.Projection(dim=5, diagonal=True), principal_axes(side.vectors, 5, mr.wrd))
    with torch.no_grad():
        for parameter in (weights.table.weight, weights.coefficients, projection.matrix, projection.scale):
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
        weights.table.weight[0] = 0
    model = Model(weights, projection)
    space = Space(model.steps(vocabulary, by_norm=True, has_weights=False))
    trained, applied = model.sequences(side), space(encoded).sequences
    heavy = trained.weights > 0
    assert heavy.all() == (keep == 1.0 and simplex != "sparsemax")
    np.testing.assert_allclose(trained.tokens[heavy], applied.tokens, atol=1e-5)
    np.testing.assert_allclose(trained.weights[heavy], applied.weights, rtol=1e-5)
    names = space(encoded).tokens
    assert [len(own) for own in names] == applied.lengths.tolist()


# ---- the start -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", ["wmd", WRD, mr.maxsim], ids=str)
@pytest.mark.parametrize("learn", [{"weights"}, {"projection"}, {"weights", "projection"}])
def test_the_start_is_the_untrained_recipe(encoder, examples, measure, learn):
    start = fitted(encoder, examples, measure=measure, learn=learn, training=learning.Training(epochs=0))
    assert len(start.history) == 1
    assert start.before == start.after
    queries, documents = encoder.encode(examples[0]), encoder.encode(examples[1])
    found = mr.pairwise(start.space(queries).sequences, start.space(documents).sequences, measure)
    np.testing.assert_allclose(found, mr.pairwise(queries.sequences, documents.sequences, measure), atol=2e-6)


def test_a_space_to_start_from_comes_first(encoder, examples):
    before = mr.fit(encoder, examples[1], ["whitening", "norm-idf"])
    start = fitted(encoder, examples, start=before, training=learning.Training(epochs=0))
    assert [*map(repr, start.space.steps[:2])] == [*map(repr, before.steps)]
    queries, documents = (before(encoder.encode(own)).sequences for own in examples[:2])
    moved = [start.space(encoder.encode(own)).sequences for own in examples[:2]]
    np.testing.assert_allclose(mr.pairwise(*moved, WRD), mr.pairwise(queries, documents, WRD), atol=2e-6)


# ---- what it finds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        {"learn": {"weights"}},
        {"learn": {"projection"}, "projection": learning.Projection(learning_rate=0.02, strength=0)},
        {"learn": {"projection"}, "projection": learning.Projection(linear=False, diagonal=True, learning_rate=0.1)},
        {"learn": {"weights"}, "weights": learning.TokenWeighting(simplex="sparsemax")},
        {"learn": {"weights"}, "weights": learning.TokenWeighting(simplex="gumbel", keep=0.5, learning_rate=0.1)},
        {"learn": {"weights"}, "training": learning.Training(epochs=6, batch=8, loss="margin")},
    ],
    ids=["weights", "projection", "diagonal", "sparsemax", "gumbel", "margin"],
)
def test_what_was_planted_is_found(encoder, examples, how):
    learned = fitted(encoder, examples, **how)
    assert learned.after > learned.before + 0.02
    # Other texts of the same kind, in other words of noise, ranked by an index.
    queries, of_queries = texts(40, 7)
    documents, of_documents = texts(200, 8)
    right = []
    for space in (None, learned.space):
        moved = [encoder.encode(own) if space is None else space(encoder.encode(own)) for own in (queries, documents)]
        index = mr.Index.build(moved[1].sequences, learned.measure, space=space)
        found = [index.search(query, 5).ids for query in moved[0].sequences]
        right.append(np.mean([of_documents[ids] == of_queries[q] for q, ids in enumerate(found)]))
    assert right[1] > right[0] + 0.02


def test_triples_labels_and_pairs_are_learnt_from(encoder, examples):
    queries, documents, judgements, topics = examples
    rng = np.random.default_rng(0)
    triples = [(q, int(rng.choice(own)), int(rng.choice(np.setdiff1d(np.arange(90), own))))
               for q, own in judgements.items() for _ in range(6)]  # fmt: skip
    how = {"encoder": encoder, "num_threads": 1, "training": QUICK, "learn": {"weights"}}
    found = learning.fit(queries, documents, triples=triples, **how)
    assert found.figure == "share in order"
    assert found.after > found.before
    found = learning.fit(documents=documents, labels=[f"topic {t}" for t in topics], **how)
    assert found.figure == "accuracy"
    assert found.after > found.before
    left, of_left = texts(150, 3)
    right, of_right = texts(150, 4)
    scores = (of_left == of_right) + 0.1 * rng.random(150)
    found = learning.fit(left, right, pairs=scores, **how | {"training": learning.Training(epochs=6, batch=8)})
    assert found.figure == "correlation"
    assert found.after > found.before


def test_the_state_that_is_best_on_held_out_examples_is_returned(encoder, examples):
    """A learning rate that destroys what there is: the start is better."""
    broken = learning.TokenWeighting(learning_rate=1000.0)
    training = learning.Training(epochs=5, patience=2, batch=8)
    seen = []
    found = fitted(encoder, examples, learn={"weights"}, weights=broken, training=training, progress=seen.append)
    assert seen == list(found.history)
    best = max(found.history, key=lambda epoch: epoch.held_out)
    assert found.after == best.held_out
    assert len(found.history) - 1 - best.number <= 2
    untrained = fitted(encoder, examples, learn={"weights"}, training=learning.Training(epochs=0))
    if best.number == 0:
        encoded = encoder.encode(examples[1])
        np.testing.assert_array_equal(
            found.space(encoded).sequences.weights, untrained.space(encoded).sequences.weights
        )


def test_a_share_of_the_way_is_an_average_of_parameters(encoder, examples):
    """After one epoch, whose steps do not depend on it: so half of the way is half of what is learnt from zeros."""
    found = {}
    for share in (1.0, 0.5):
        training = learning.Training(epochs=1, batch=8, negatives=4, share=share)
        found[share] = fitted(encoder, examples, training=training, learn={"weights"})
        assert found[share].best.number == 1, "or there is nothing to see"
    whole, half = (found[share].space.steps[-1] for share in (1.0, 0.5))
    np.testing.assert_allclose(half.coefficients, whole.coefficients / 2.0, atol=1e-6)
    for token in ("t0w0", "noise3"):
        assert half.identity.table[token] == pytest.approx(whole.identity.table[token] ** 0.5, abs=1e-5)
    # The figure is that of what is returned.
    again = fitted(encoder, examples, training=learning.Training(epochs=0), learn={"projection"},
                   start=found[0.5].space, held_out=found[0.5].held_out)  # fmt: skip
    assert again.before == pytest.approx(found[0.5].after, abs=1e-6)


def test_training_goes_on_from_where_it_arrived_not_from_the_average(encoder, examples, tmp_path):
    of = {}
    for epochs in (2, 3):
        training = learning.Training(epochs=epochs, patience=9, batch=8, share=0.25, checkpoint=tmp_path / "state")
        of[epochs] = fitted(encoder, examples, training=training)
    alone = fitted(encoder, examples, training=learning.Training(epochs=3, patience=9, batch=8, share=0.25))
    whole = fitted(encoder, examples, training=learning.Training(epochs=3, patience=9, batch=8))
    assert [epoch.loss for epoch in of[3].history[1:]] == [epoch.loss for epoch in alone.history[1:]]
    assert [epoch.loss for epoch in of[3].history[1:]] == [epoch.loss for epoch in whole.history[1:]]
    assert of[3].history[:3] == of[2].history


def test_capacity_and_fusion_are_chosen_on_held_out_queries(encoder, examples):
    judgements = examples[2]
    rng = np.random.default_rng(0)
    scores = {q: {d: float(d in own) + rng.random() for d in range(90)} for q, own in judgements.items()}
    found = fitted(
        encoder,
        examples,
        learn=["capacity", "fusion"],
        measure="wrd",
        first_stage=scores,
        training=learning.Training(epochs=0),
    )
    assert found.space.steps == ()
    assert found.capacity in (1, 2, 4, 8, math.inf)
    assert found.fusion.weight < 1  # a first stage that knows the truth is not left out


def test_a_capacity_is_kept_unless_another_one_is_better(encoder):
    documents = ["t0w0", "t1w0", "t2w0", "t3w0"]
    found = learning.fit(documents, documents, {q: [q] for q in range(4)}, encoder=encoder, learn={"capacity"},
                         measure=mr.wrd.replace(capacity=3), training=learning.Training(epochs=0))  # fmt: skip
    assert found.capacity == 3


# ---- again -----------------------------------------------------------------------------------------------------------


def parameters(learned):
    return learned.space.to_bytes()


@pytest.mark.parametrize("threads", [1, 2])
def test_equal_seeds_give_equal_spaces(encoder, examples, threads):
    projection = learning.Projection(dim=6)
    how = {"projection": projection, "num_threads": threads, "weights": learning.TokenWeighting("gumbel", keep=0.7)}
    first, second = fitted(encoder, examples, **how), fitted(encoder, examples, **how)
    assert parameters(first) == parameters(second)
    assert [epoch.loss for epoch in first.history[1:]] == [epoch.loss for epoch in second.history[1:]]
    other = fitted(encoder, examples, **how | {"training": learning.Training(epochs=6, batch=8, negatives=4, seed=1)})
    assert parameters(first) != parameters(other)
    assert torch.get_num_threads() >= 1


@pytest.mark.parametrize("optimizer", [None, torch.optim.Adafactor, torch.optim.AdamW], ids=str)
def test_training_that_was_interrupted_resumes(encoder, examples, tmp_path, optimizer):
    def training(name):
        return learning.Training(epochs=4, patience=9, batch=8, optimizer=optimizer, checkpoint=tmp_path / name)

    whole = fitted(encoder, examples, training=training("whole"))

    def interrupt(epoch):
        if epoch.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(encoder, examples, training=training("cut"), progress=interrupt)
    seen = []
    again = fitted(encoder, examples, training=training("cut"), progress=seen.append)
    assert [epoch.number for epoch in seen] == [3, 4]
    assert parameters(again) == parameters(whole)
    assert [epoch.held_out for epoch in again.history] == [epoch.held_out for epoch in whole.history]


def test_checkpoints_of_others_are_refused(encoder, examples, tmp_path):
    path = tmp_path / "state"
    training = learning.Training(epochs=1, batch=8, checkpoint=path)
    fitted(encoder, examples, training=training)
    with pytest.raises(ValueError, match=r"checkpoint: .*state is of other examples, options or optimisers"):
        fitted(encoder, examples, training=training, measure="wmd")
    with pytest.raises(ValueError, match=r"checkpoint: .*state is of other examples, options or optimisers"):
        fitted(encoder, (examples[0], examples[1][::-1], *examples[2:]), training=training)
    for octets in (b"", b"something else", path.read_bytes()[:300]):
        path.write_bytes(octets)
        with pytest.raises(ValueError, match=r"checkpoint: .*state is not a checkpoint of moverank"):
            fitted(encoder, examples, training=training)


def test_lazy_updates_touch_only_tokens_of_the_batch(encoder, examples):
    gradients = []

    class Watched(torch.optim.SparseAdam):
        def step(self, closure=None):
            gradients.append(self.param_groups[0]["params"][0].grad)
            return super().step(closure)

    weights = learning.TokenWeighting(learning_rate=0.05)
    training = learning.Training(epochs=4, batch=4, lazy_optimizer=Watched)
    found = fitted(encoder, examples, learn={"weights"}, weights=weights, training=training)
    assert all(gradient.is_sparse for gradient in gradients)
    assert min(gradient.coalesce().values().shape[0] for gradient in gradients) < 30  # of 31 rows
    assert found.after > found.before


# ---- files -----------------------------------------------------------------------------------------------------------


def test_what_was_learnt_comes_back_from_a_file(encoder, examples, tmp_path):
    learned = fitted(encoder, examples, projection=learning.Projection(dim=4), measure=WRD.replace(capacity=math.inf))
    learned.save(tmp_path / "learned.npz")
    again = learning.Learned.load(tmp_path / "learned.npz")
    assert repr(again) == repr(learned)
    assert again.measure == learned.measure
    assert str(again.history) == str(learned.history)
    assert again.held_out == learned.held_out
    assert len(again.held_out) == 12
    documents = encoder.encode(examples[1])
    for space in (again.space, Space.load(tmp_path / "learned.npz")):
        found, expected = space(documents).sequences, learned.space(documents).sequences
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_array_equal(found.weights, expected.weights)
    smooth = learning.fit(["t0w0", "t1w0"], ["t0w1", "t1w1"], {0: [0], 1: [1]}, encoder=encoder, learn={"weights"},
                          measure=mr.wrd.replace(problem=mr.Sinkhorn(0.1, relative=False)),
                          training=learning.Training(epochs=1))  # fmt: skip
    smooth.save(tmp_path / "smooth.npz")
    assert learning.Learned.load(tmp_path / "smooth.npz").measure == smooth.measure


def test_files_of_others_are_refused(encoder, examples, tmp_path):
    space = mr.fit(encoder, examples[1], ["idf"])
    space.save(tmp_path / "space.npz")
    with pytest.raises(ValueError, match=r"space\.npz: is not what moverank\.learning saves"):
        learning.Learned.load(tmp_path / "space.npz")
    (tmp_path / "other").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"other: is not what moverank\.learning saves"):
        learning.Learned.load(tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefficients": np.ones(2)}, "coefficients of learnt weights are not three finite numbers"),
        ({"coefficients": np.array([1.0, np.nan, 0.0])}, "coefficients of learnt weights"),
        ({"shares": "hardmax"}, "shares must be one of 'softmax', 'sparsemax', got 'hardmax'"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"keep": 0.0}, "keep must be above 0 and at most 1, got 0"),
    ],
)
def test_damaged_weights_are_refused(tmp_path, change, message):
    weights = TokenWeights({"a": 2.0})
    Space([LearntWeights(weights, weights, np.ones(3), "softmax", 1.0, 1.0, True)]).save(tmp_path / "space.npz")
    with np.load(tmp_path / "space.npz") as found:
        arrays = dict(found)
    text = json.loads(arrays["space"].tobytes())
    text["steps"][0] |= {name: value for name, value in change.items() if name != "coefficients"}
    arrays |= {"space": np.frombuffer(json.dumps(text).encode(), np.uint8)}
    arrays |= {f"0.{name}": value for name, value in change.items() if name == "coefficients"}
    np.savez(tmp_path / "space.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        Space.load(tmp_path / "space.npz")


def test_an_index_is_built_in_the_space_and_keeps_only_tokens_with_mass(encoder, examples, tmp_path):
    weights = learning.TokenWeighting(keep=0.5)
    learned = fitted(encoder, examples, learn={"weights"}, weights=weights, training=learning.Training(epochs=1))
    index = mr.TextIndex.create(tmp_path / "index", encoder=encoder, measure=learned.measure, space=learned.space)
    index.add(examples[1])
    hits = index.search(examples[1][3], 1)
    assert hits[0].id == 3
    moved = learned.space(encoder.encode(examples[1]))
    assert moved.sequences.lengths.sum() == sum(-(-len(text.split()) // 2) for text in examples[1])
    assert hits[0].distance == pytest.approx(0, abs=1e-6)
    explained = hits[0].explain()
    assert [*explained.source_names] == [*explained.target_names] == moved.tokens[3]


def test_a_text_of_tokens_without_mass_keeps_what_it_had():
    """Sparsemax gives all to a token of norm 0."""
    favoured = TokenWeights({"zero": 50.0})
    step = LearntWeights(favoured, TokenWeights({}), np.zeros(3), "sparsemax", 1.0, 1.0, True)
    vectors = np.array([[0.0, 0.0], [3.0, 4.0]], dtype=np.float32)
    _, mass = step.apply(["zero", "other"], vectors, None)
    np.testing.assert_array_equal(mass, [0, 5])


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ({"judgements": None}, ValueError, "expected one of judgements, triples, labels, pairs, got none"),
        ({"labels": [1]}, ValueError, "got judgements and labels"),
        ({"documents": None}, ValueError, "documents: expected texts, got None"),
        ({"queries": None}, ValueError, "queries: are needed with judgements"),
        ({"queries": "cat"}, TypeError, "queries: expected a list of texts, got one string"),
        ({"queries": []}, ValueError, "queries: expected at least one text"),
        ({"documents": {0.5: "t0w0"}}, TypeError, "documents: expected ids that are strings or integers, got 0.5"),
        ({"judgements": {9: [0]}}, ValueError, "judgements: 9 is not among queries"),
        ({"judgements": {0: [9]}}, ValueError, "judgements: 9 is not among documents"),
        ({"judgements": {0: {0: "x"}}}, TypeError, "judgements: a grade must be a real number"),
        ({"judgements": {0: {0: math.nan}}}, ValueError, "the grade of 0 for 0 is not finite"),
        ({"judgements": [(0, 0)]}, ValueError, "judgements: expected rows of 3"),
        ({"judgements": {0: [0]}}, ValueError, "judgements: expected examples of at least two"),
        ({"judgements": [([], 0, 1)]}, ValueError, r"judgements: \[\] is not among queries"),
        ({"encoder": "model"}, TypeError, "encoder: expected an object with a method encode"),
        ({"measure": "emd"}, ValueError, "measure: emd moves mass between bins"),
        ({"learn": "weights"}, TypeError, "learn: expected a list of names, got str"),
        ({"learn": []}, ValueError, "learn: expected at least one of"),
        ({"learn": ["weight"]}, ValueError, "learn must be one of 'weights', .*, got 'weight'"),
        ({"learn": ["fusion"]}, ValueError, "first_stage: goes with 'fusion'"),
        ({"first_stage": {}}, ValueError, "first_stage: goes with 'fusion'"),
        ({"learn": ["fusion"], "first_stage": [1]}, TypeError, "first_stage: expected a mapping"),
        ({"learn": ["fusion"], "first_stage": {}}, ValueError, "first_stage: has scores for none of the held-out"),
        ({"weights": "softmax"}, TypeError, "weights: expected TokenWeighting, got str"),
        ({"weights": learning.TokenWeighting(), "learn": ["capacity"]}, ValueError, "weights: is given, but 'weights'"),
        ({"projection": 128}, TypeError, "projection: expected Projection, got int"),
        ({"projection": learning.Projection(dim=99)}, ValueError, "dim: vectors have 8 dimensions"),
        ({"held_out": [7]}, ValueError, "held_out: 7 is not among queries"),
        ({"held_out": []}, ValueError, "held_out: expected some of the 2 with examples, got 0"),
        ({"held_out": "0"}, TypeError, "held_out: expected a list of ids, got str"),
        ({"training": 3}, TypeError, "training: expected Training, got int"),
        ({"training": learning.Training(optimizer=list)}, TypeError, "optimizer: expected an optimiser of torch"),
        ({"start": "whitening"}, TypeError, "start: expected a Space, got str"),
        ({"progress": 3}, TypeError, "progress: expected something to call"),
        ({"num_threads": 0}, ValueError, "num_threads must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(encoder, how, kind, message):
    sound = {"queries": ["t0w0", "t1w0"], "documents": ["t0w1", "t1w1"], "judgements": {0: [0], 1: [1]}}
    with pytest.raises(kind, match=message):
        learning.fit(**{**sound, "encoder": encoder, "training": learning.Training(epochs=1), **how})


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ({"triples": [(0, 0, 0)]}, ValueError, "triples: a document is positive and negative for one query"),
        ({"triples": [(0, 0)]}, ValueError, "triples: expected rows of 3"),
        ({"labels": [0], "queries": None}, ValueError, "labels: expected 2, one per document, got 1"),
        ({"labels": [0, 0], "queries": None}, ValueError, "labels: expected at least two classes"),
        ({"labels": [0.5, 1], "queries": None}, TypeError, "labels: expected strings, or integers"),
        ({"labels": [0, 1]}, ValueError, "queries: go not with labels"),
        ({"pairs": [1]}, ValueError, "pairs: expected 2 scores"),
        ({"pairs": [1, math.inf]}, ValueError, "pairs: score 1 is not finite"),
        ({"pairs": [1, "2"]}, TypeError, "pairs: a score must be a real number"),
        ({"pairs": [1], "queries": ["t0w0"]}, ValueError, "pairs: expected as many queries as documents, got 1 and 2"),
    ],
)
def test_bad_examples_of_other_kinds_are_refused(encoder, how, kind, message):
    sound = {"queries": ["t0w0", "t1w0"], "documents": ["t0w1", "t1w1"]}
    with pytest.raises(kind, match=message):
        learning.fit(**{**sound, "encoder": encoder, **how})


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: learning.TokenWeighting(simplex="hard"), ValueError, "simplex must be one of 'softmax', 'gumbel'"),
        (lambda: learning.TokenWeighting(temperature=0), ValueError, "temperature must be above 0"),
        (lambda: learning.TokenWeighting(keep=0), ValueError, "keep must be above 0 and at most 1, got 0"),
        (lambda: learning.TokenWeighting(features="norm"), TypeError, "features: expected names, got one string"),
        (lambda: learning.TokenWeighting(features=("size",)), ValueError, "features must be one of 'norm'"),
        (lambda: learning.TokenWeighting(strength=-1), ValueError, "strength must be finite and at least 0"),
        (lambda: learning.Projection(dim=0), ValueError, "dim must be at least 1"),
        (lambda: learning.Projection(linear=1), TypeError, "linear must be True or False, got 1"),
        (lambda: learning.Projection(strength=math.inf), ValueError, "strength must be finite and at least 0"),
        (lambda: learning.Training(batch=0), ValueError, "batch must be at least 1"),
        (lambda: learning.Training(epochs=-1), ValueError, "epochs must be at least 0"),
        (lambda: learning.Training(held_out=1), ValueError, "held_out must be above 0 and below 1"),
        (lambda: learning.Training(loss="hinge"), ValueError, "loss must be one of 'contrastive', 'margin'"),
        (lambda: learning.Training(margin=0), ValueError, "margin must be above 0"),
        (lambda: learning.Training(optimizer="adam"), TypeError, "optimizer: expected something to call"),
        (lambda: learning.Training(share=0.0), ValueError, "share must be above 0 and at most 1, got 0.0"),
        (lambda: learning.Training(share=1.5), ValueError, "share must be above 0 and at most 1, got 1.5"),
        (lambda: learning.Training(checkpoint=3), TypeError, "checkpoint: expected a path, got int"),
    ],
)
def test_bad_options_are_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_examples_that_are_to_be_held_out_are(encoder, examples):
    found = fitted(encoder, examples, held_out={3, 5, 8}, training=learning.Training(epochs=0))
    assert found.held_out == (3, 5, 8)
    how = {"encoder": encoder, "training": learning.Training(epochs=0)}
    found = learning.fit(documents=examples[1], labels=examples[3].tolist(), held_out=range(20), **how)
    assert found.held_out == tuple(range(20))
    found = learning.fit(["unknown", *examples[0][:9]], ["t0w0"] * 10, pairs=range(10), held_out=[0, 4, 6], **how)
    assert found.held_out == (4, 6)


def test_texts_without_tokens_are_left_out(encoder):
    queries = {"a": "t0w0", "b": "unknown", "c": "t1w0 noise1", "d": "t2w2"}
    documents = {"x": "nothing known", "y": "t0w1", "z": "t1w1", "w": "t2w0"}
    rows = [("a", "y", 1), ("a", "x", 1), ("b", "y", 1), ("c", "z", 2), ("d", "w", 1)]
    found = learning.fit(queries, documents, rows, encoder=encoder, training=learning.Training(epochs=1))
    assert len(found.history) == 2


def test_the_package_does_not_import_torch():
    code = (
        "import sys, moverank, moverank.spaces, moverank.cli; assert 'torch' not in sys.modules; "
        "import moverank.learning; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_torch_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("moverank.learning")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"torch is not installed: pip install 'moverank\[torch\]'"):
        import moverank.learning  # noqa: F401
