"""One element of a batch: what it is, and that its weights reach every function that takes a sequence."""

import copy
import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.encoders import EncodedTexts, WordVectors
from moverank.ranking import Reranker

MEASURES = [
    mr.wmd,
    mr.wrd,
    mr.maxsim,
    mr.rwmd,
    mr.wrd.replace(capacity=2.5),
    mr.wmd.replace(fraction=0.6),
    mr.Measure("sqeuclidean", "given"),
    mr.wmd.replace(problem=mr.Sinkhorn(0.2)),
    mr.wmd.replace(problem=mr.Sinkhorn(0.3, relative=False, debiased=True)),
]


@st.composite
def weighted_batches(draw, least=2):
    """Tokens and weights of some sequences, weights of zero among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = draw(st.lists(st.integers(1, 5), min_size=least, max_size=5))
    tokens = [rng.normal(size=(n, 3)).astype(np.float32) for n in lengths]
    weights = [rng.integers(0, 3, n) + np.eye(n)[0] for n in lengths]
    return tokens, weights


def by_explicit_weights(tokens, weights, measure):
    """All distances of the first to the others, weights said apart from tokens."""
    return np.array([measure(tokens[0], y, weights[0], b) for y, b in zip(tokens[1:], weights[1:], strict=True)])


def encoded(batch):
    return EncodedTexts(batch, [["a"] * n for n in batch.lengths], list(range(len(batch))), [0] * len(batch))


#: Ways from a batch to its first sequence and to the others, as somebody might write them.
SPLITS = {
    "elements": lambda batch: (batch[0], [batch[s] for s in range(1, len(batch))]),
    "iterated": lambda batch: (next(iter(batch)), list(batch)[1:]),
    "unpacked": lambda batch: (lambda first, *others: (first, others))(*batch),
    "slices": lambda batch: (batch[:1], batch[1:]),
    "chosen": lambda batch: (batch[[0]], batch[np.arange(1, len(batch))]),
    "rebuilt": lambda batch: (mr.Sequences([batch[0]]), mr.Sequences(list(batch)[1:])),
    "joined": lambda batch: (batch[0], mr.Sequences([batch[1]]) + batch[2:] if len(batch) > 2 else batch[1:]),
    "copied": lambda batch: (copy.deepcopy(batch[0]), pickle.loads(pickle.dumps(list(batch)[1:]))),
    "tokens of an element": lambda batch: (batch[0][:], [y[np.arange(len(y))] for y in batch[1:]]),
    "generator": lambda batch: (batch[0], (y for y in batch[1:])),
    "tuple": lambda batch: (batch[0], tuple(batch[1:])),
    "objects": lambda batch: (batch[0], _objects(list(batch[1:]))),
    "encoded": lambda batch: (encoded(batch)[0], list(encoded(batch))[1:]),
    "encoded batches": lambda batch: (encoded(batch[:1]), encoded(batch[1:])),
    "scaled": lambda batch: (batch[0] * 1, [y + 0 for y in batch[1:]]),
}


def _objects(listed):
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


@pytest.mark.parametrize("split", SPLITS)
@given(made=weighted_batches(), measure=st.sampled_from(MEASURES))
def test_weights_are_lost_on_no_way(split, measure, made):
    tokens, weights = made
    expected = by_explicit_weights(tokens, weights, measure)
    first, others = SPLITS[split](mr.Sequences(tokens, weights))
    np.testing.assert_array_equal(mr.distances(first, others, measure), expected)


def doors(query, docs, measure):
    """The distances of a query to documents, by every function that takes both."""
    listed = list(docs)
    index = mr.Index.build(docs, measure)
    n = len(listed)
    everything = {
        "call": [measure(query, y) for y in listed],
        "distances": mr.distances(query, listed, measure),
        "certified_distances": mr.certified_distances(query, docs, measure).values,
        "pairwise": mr.pairwise([query], listed, measure)[0],
        "align": [mr.align(query, y, measure).value for y in listed],
        "search": _by_position(index.search(query, k=n)),
        "search of list": _by_position(mr.Index.build(listed, measure).search(query, k=n)),
        "search_batch": _by_position(index.search_batch([query], k=n)[0]),
        "range_search": _by_position(index.range_search(query, np.inf)),
        "Index.rerank": _by_position(index.rerank(query, range(n), k=n)),
        "rerank": _by_position(mr.rerank(query, listed, n, measure)),
        "alignment of a hit": [hit.alignment.value for hit in sorted(index.search(query, k=n), key=lambda hit: hit.id)],
    }
    added = mr.Index.build(listed[:1], measure)
    added.add(listed)
    everything["add"] = _by_position(added.search(query, k=n + 1))[1:]
    if measure.problem != "relaxed":
        everything["gradients"] = [mr.gradients(query, y, measure).value for y in listed]
    return everything


def _by_position(hits):
    return hits.distances[np.argsort(hits.ids)]


@pytest.mark.parametrize("measure", [mr.wmd, mr.wrd, mr.maxsim, mr.wrd.replace(capacity=4)], ids=lambda m: m.name)
@given(made=weighted_batches(least=3))
def test_weights_reach_every_function(measure, made):
    tokens, weights = made
    batch = mr.Sequences(tokens, weights)
    expected = by_explicit_weights(tokens, weights, measure)
    for name, found in doors(batch[0], batch[1:], measure).items():
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("measure", [mr.wmd, mr.wrd], ids=lambda m: m.name)
@given(counts=st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=7), min_size=2, max_size=5))
def test_counts_of_bags_reach_every_function(measure, counts):
    vectors = np.random.default_rng(1).normal(size=(5, 3))
    bags = mr.Bags(vectors, counts)
    repeated = [vectors[words] for words in counts]
    expected = mr.distances(repeated[0], repeated[1:], measure)
    for docs in (bags[1:], list(bags)[1:], [bags[s] for s in range(1, len(bags))]):
        for query in (bags[0], bags[:1], pickle.loads(pickle.dumps(bags[0]))):
            np.testing.assert_allclose(mr.distances(query, docs, measure), expected, atol=1e-6)
    for name, found in doors(bags[0], list(bags[1:]), measure).items():
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)


def test_weights_reach_torch():
    torch = pytest.importorskip("torch")
    mrt = pytest.importorskip("moverank.torch")
    rng = np.random.default_rng(2)
    batch = mr.Sequences([rng.normal(size=(4, 3)), rng.normal(size=(5, 3))], [[1, 2, 0, 1], [1, 0, 0, 3, 2]])
    expected = mr.wmd(batch[0], batch[1])
    x = torch.tensor(batch[0].tokens, requires_grad=True)
    for query, a in ((batch[0], None), (x, torch.tensor(batch[0].weights))):
        for document in (batch[1], mr.Bags(batch[1].tokens, [[0, 3, 3, 3, 4, 4]])[0]):
            assert mrt.wmd(query, document, a).item() == pytest.approx(expected, abs=1e-6)
    assert mrt.wmd(x, batch, torch.tensor(batch[0].weights))[1].item() == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match=r"y\[0\]: has no weights and others have some"):
        mrt.wmd(x, [x, batch[0]])


def test_weights_of_an_encoder_reach_every_function():
    space = mr.fit(WordVectors.default(), ["a cat sat", "the dog ran", "the cat ran off"], ["centring", "idf"])
    encoder = space.over(WordVectors.default())
    both = encoder.encode(["the cat sat", "the dog ran off"])
    x, y = both
    a, b = both.sequences.weights[:3], both.sequences.weights[3:]
    expected = mr.wrd(x.vectors, y.vectors, a, b)
    assert expected != pytest.approx(mr.wrd(x.vectors, y.vectors), abs=1e-3)
    assert mr.wrd(*both) == mr.wrd(*both.sequences) == expected
    assert mr.align(*both).value == pytest.approx(expected, abs=1e-6)
    assert mr.Index.build(both).search(encoder.encode(["the cat sat"]), k=2).distances[1] == pytest.approx(expected)
    ranked = Reranker(encoder, "wrd").rank("the cat sat", ["the dog ran off"])
    assert ranked[0].distance == pytest.approx(expected)


# ---- what cannot be meant --------------------------------------------------------------------------------------------


@pytest.fixture
def batch():
    return mr.Sequences([np.eye(3), np.ones((2, 3))], weights=[[1, 2, 3], [4, 5]])


def test_weights_that_are_given_take_the_place_of_those_of_a_sequence(batch):
    plain = mr.wmd(batch[0].tokens, batch[1].tokens, [3, 1, 1], [1, 2])
    assert mr.wmd(*batch, [3, 1, 1], [1, 2]) == plain
    assert mr.align(*batch, "wmd", [3, 1, 1], [1, 2]).value == pytest.approx(plain, abs=1e-6)
    assert mr.gradients(*batch, "wmd", [3, 1, 1], [1, 2]).value == pytest.approx(plain, abs=1e-6)
    assert mr.distances(batch[0], mr.Sequences(batch[1:], [[1, 2]]), "wmd", weights=[3, 1, 1])[0] == plain
    assert mr.Sequence(batch[0], [3, 1, 1]).weights.tolist() == [3, 1, 1]


@pytest.mark.parametrize(
    "with_plain", [lambda x: [x, np.eye(3)], lambda x: [np.eye(3), x], lambda x: [x, x[:1].tokens]]
)
def test_a_list_with_and_without_weights_is_refused(batch, with_plain):
    message = r"sequence \d has no weights and sequence \d has some"
    for call in (
        mr.Sequences,
        lambda docs: mr.distances(np.eye(3), docs),
        lambda docs: mr.pairwise(docs, measure="wmd"),
        lambda docs: mr.Index.build(docs),
        lambda docs: mr.rerank(np.eye(3), docs),
    ):
        with pytest.raises(ValueError, match=message):
            call(with_plain(batch[0]))


def test_one_sequence_is_no_batch_and_a_batch_is_no_sequence(batch):
    with pytest.raises(ValueError, match="docs: expected a batch, got one Sequence; put it into a list"):
        mr.distances(np.eye(3), batch[0])
    with pytest.raises(ValueError, match="query: expected one sequence, got a batch of 2"):
        mr.distances(batch, batch)
    with pytest.raises(TypeError, match=r"docs: sequence 1: expected an \(n, d\) array or a Sequence, got Sequences"):
        mr.distances(np.eye(3), [batch[0], batch[1:]])
    with pytest.raises(ValueError, match="x: expected an array of shape"):
        mr.wmd([batch[0], batch[0]], np.eye(3))
    with pytest.raises(TypeError, match="counted bag depend on the measure"):
        mr.Sequences([mr.Bags(np.eye(3), [[0, 0, 1]])[0]])
    with pytest.raises(TypeError, match="Sequences are not an array"):
        np.asarray(batch)


@pytest.mark.parametrize("texts", ["a text", ["a text", "another"], np.array(["a text"])])
def test_texts_are_to_be_encoded_first(texts):
    message = "texts are not vectors: encode them first"
    for call in (
        lambda: mr.wrd(texts, np.eye(3)),
        lambda: mr.distances(np.eye(3), texts),
        lambda: mr.Index.build(texts),
        lambda: mr.Index.build([np.eye(3)]).search(texts),
        lambda: mr.align(np.eye(3), texts),
        lambda: mr.Sequences(texts),
    ):
        with pytest.raises(TypeError, match=message):
            call()


# ---- as an array -----------------------------------------------------------------------------------------------------


def test_an_element_acts_as_the_array_of_its_tokens(batch):
    x = batch[1]
    assert (x.shape, x.ndim, x.size, x.dtype, len(x), x.dim) == ((2, 3), 2, 6, np.float32, 2, 3)
    assert repr(x) == "Sequence(2 tokens, dim=3, weighted)"
    assert repr(mr.Sequence([[1.0, 2.0]])) == "Sequence(1 token, dim=2)"
    np.testing.assert_array_equal(x, np.ones((2, 3)))
    assert np.asarray(x) is x.tokens
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.array(x).flags.writeable
    assert not x.tokens.flags.writeable
    assert not x.weights.flags.writeable
    assert np.mean(x) == np.max(x) == 1
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), [3**0.5] * 2)
    np.testing.assert_array_equal(np.stack([x.tokens, np.zeros((2, 3))]).shape, (2, 2, 3))
    assert (x == np.ones((2, 3))).all()
    assert [token.tolist() for token in x] == [[1, 1, 1]] * 2
    assert x[1].tolist() == [1, 1, 1]
    assert x[1, 2] == 1
    assert x[:, 0].tolist() == [1, 1]
    assert np.array(list(batch[:1])).shape == (1, 3, 3)


def test_parts_of_an_element_keep_their_weights(batch):
    x = batch[0]
    assert x[1:].weights.tolist() == [2, 3]
    assert x[::-1].weights.tolist() == [3, 2, 1]
    assert x[[2, 0]].weights.tolist() == [3, 1]
    assert x[x.tokens[:, 1] == 0].weights.tolist() == [1, 3]
    assert x[:, :2].weights.tolist() == x[...].weights.tolist() == x[()].weights.tolist() == [1, 2, 3]
    assert x[1:, :2].shape == (2, 2)
    assert x[np.ix_([0, 2], [0, 1])].weights.tolist() == [1, 3]
    with pytest.raises(ValueError, match="has no tokens"):
        x[:0]


def test_arithmetic_by_element_keeps_weights(batch):
    x = batch[0]
    for moved in (x / 2, 2 * x, x - x.tokens.mean(axis=0), x + x, np.abs(x), x / np.linalg.norm(x, axis=1)[:, None]):
        assert isinstance(moved, mr.Sequence)
        assert moved.weights.tolist() == [1, 2, 3]
    np.testing.assert_array_equal((x / 2).tokens, np.eye(3, dtype=np.float32) / 2)
    assert (mr.Sequence(np.eye(3)) * 2).dtype == np.float32


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x @ np.eye(3),
        lambda x: np.stack([x, x]),
        lambda x: np.concatenate([np.eye(3), x]),
        lambda x: np.vstack((x, x)),
        lambda x: x + mr.Sequence(np.eye(3), [1, 1, 1]),
        np.copy,
        np.nan_to_num,
        np.flip,
        np.transpose,
        np.zeros_like,
        lambda x: np.delete(x, 0, axis=0),
        lambda x: np.take(x, [0, 1], axis=0),
        lambda x: np.insert(x, 0, 0, axis=0),
        lambda x: np.sort(x, axis=0),
        lambda x: np.round(x, 1),
        lambda x: np.clip(x, 0, 1),
        lambda x: np.split(x, 3),
        lambda x: np.where(np.asarray(x) > 0, x, 0.5),
        lambda x: np.einsum("nd,dk->nk", x, np.eye(3)),
        lambda x: np.dot(x, np.eye(3)),
        lambda x: np.block([[x], [x]]),
        lambda x: np.pad(x, 1),
        lambda x: np.repeat(x, 2, axis=0),
        lambda x: np.tile(x, 2),
        lambda x: np.unique(x, axis=0),
        lambda x: np.expand_dims(x, 0),
        lambda x: np.broadcast_to(x, (2, 3, 3)),
        lambda x: np.save(io.BytesIO(), x),
        lambda x: np.savez(io.BytesIO(), x=x),
    ],
)
def test_what_would_lose_weights_is_refused(batch, call):
    bag = mr.Bags(np.eye(3), [[0, 1, 2, 2]])[0]
    for heavy in (batch[0], bag):
        with pytest.raises(TypeError, match=r"weights|counts"):
            call(heavy)
    light = mr.Sequence(np.eye(3))
    call(light)
    call(batch[0].tokens)


def test_what_is_computed_about_tokens_needs_no_weights(batch):
    x, tokens = batch[0], batch[0].tokens
    for function in (
        lambda a: np.mean(a, axis=0),
        lambda a: np.sum(a, axis=1, keepdims=True),
        lambda a: np.mean(a, axis=0, keepdims=True),
        lambda a: np.linalg.norm(a, axis=1),
        lambda a: np.linalg.norm(a, axis=1, keepdims=True),
        lambda a: np.quantile(a, [0.25, 0.75], axis=0),
        lambda a: np.cov(a, rowvar=False),
        lambda a: np.linalg.svd(a)[1],
        lambda a: np.argsort(a, axis=1),
        lambda a: np.isclose(a, 0),
        lambda a: np.ravel(a),
        lambda a: np.take(a, 0, axis=0),
        np.shape,
        np.std,
        np.isfinite,
    ):
        np.testing.assert_array_equal(function(x), function(tokens))
    assert np.allclose(x, tokens)
    assert np.array_equal(x, tokens)
    np.testing.assert_array_equal(np.asarray(x), tokens)


def test_an_element_is_not_written_to(batch):
    with pytest.raises(TypeError, match="a Sequence cannot be written to"):
        np.multiply(2, 2, out=batch[0])


def test_methods_of_arrays_are_named_where_they_are(batch):
    with pytest.raises(AttributeError, match=r"has no attribute 'round'; use \.tokens\.round"):
        batch[0].round(2)
    assert mr.Sequence(np.eye(3)).mean(axis=0).tolist() == pytest.approx([1 / 3] * 3)


def test_an_element_does_not_change_with_what_it_was_made_of():
    tokens, weights = np.eye(2, dtype=np.float32), np.ones(2)
    x = mr.Sequence(tokens, weights)
    tokens[0, 0], weights[0] = 9, 9
    assert x.tokens[0, 0] == x.weights[0] == 1
    with pytest.raises(TypeError):
        x[0] = 3


def test_bags_are_taken_apart_with_their_counts():
    bags = mr.Bags(np.eye(3), [[0, 1], [2, 2, 0], [1]])
    assert [repr(bag) for bag in bags][1] == repr(bags[-2]) == "Bag(2 words, dim=3, counted)"
    assert bags[1].counts.tolist() == [1, 2]
    assert bags[1].words.tolist() == [0, 2]
    assert bags[1:].counts.tolist() == [1, 2, 1]
    assert bags[[2, 1]].words.tolist() == [1, 0, 2]
    np.testing.assert_array_equal(np.asarray(bags[1]), np.eye(3)[[0, 2]])
    for losing in (lambda: bags[1] * 2, lambda: bags[1][:1], lambda: np.stack([bags[1]]), lambda: bags[1] @ np.eye(3)):
        with pytest.raises(TypeError, match=r"counts|weights"):
            losing()
    with pytest.raises(TypeError, match="Bags are not an array"):
        np.asarray(bags)
    with pytest.raises(IndexError, match="document 3 of 3"):
        bags[3]
