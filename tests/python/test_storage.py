"""Compact tokens: rounded to the nearest, read exactly, refused where they cannot hold what they are given."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import moverank as mr

COMPACT = ["float16", "bfloat16", "int8", "int4", "int2"]
#: By how much distances may change, at most.
CHANGE = {"int4": 0.1, "int2": 0.5}
MEASURES = ["wrd", "wmd", "maxsim", "rwmd", mr.wrd.replace(capacity=4), mr.Measure("sqeuclidean", "norm")]


@pytest.fixture
def docs():
    rng = np.random.default_rng(0)
    return mr.Sequences([rng.normal(size=(n, 37)) for n in (3, 1, 40, 17, 8)], None)


def plain(batch):
    """The same numbers in float32."""
    return mr.Sequences(
        list(batch), None if batch.weights is None else [batch.weights_of(s) for s in range(len(batch))]
    )


@pytest.mark.parametrize("dtype", COMPACT)
@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_distances_are_exact_for_what_is_stored(docs, dtype, measure):
    query = np.random.default_rng(1).normal(size=(6, 37))
    compact = docs.astype(dtype)
    assert compact.dtype == dtype
    np.testing.assert_array_equal(mr.distances(query, compact, measure), mr.distances(query, plain(compact), measure))
    np.testing.assert_array_equal(mr.pairwise(compact, measure=measure), mr.pairwise(plain(compact), measure=measure))
    change = CHANGE.get(dtype, 0.02)
    changed = mr.distances(query, compact, measure)
    assert np.allclose(changed, mr.distances(query, docs, measure), rtol=change, atol=change)


@pytest.mark.parametrize("dtype", COMPACT)
def test_an_index_over_compact_tokens_answers_as_brute_force_does(docs, dtype):
    rng = np.random.default_rng(2)
    many = mr.Sequences([rng.normal(size=(rng.integers(1, 12), 9)) for _ in range(120)]).astype(dtype)
    query = rng.normal(size=(5, 9))
    for measure in ("wrd", "wmd", "maxsim"):
        hits = mr.Index.build(many, measure).search(query, k=7)
        every = mr.distances(query, many, measure)
        assert hits.ids.tolist() == np.argsort(every, kind="stable")[:7].tolist()
        assert hits[0].alignment.value == pytest.approx(hits.distances[0], abs=1e-6)


floats = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 20)), elements=st.floats(-6e4, 6e4, width=32))


@given(floats)
def test_numbers_become_the_nearest_that_the_type_holds(tokens):
    batch = mr.Sequences([tokens])
    np.testing.assert_array_equal(batch.astype("float16")[0], tokens.astype(np.float16))
    rounded = batch.astype("bfloat16")[0]
    assert (rounded.view(np.uint32) % 65536 == 0).all()
    step = 2.0 ** (np.frexp(tokens)[1] - 8.0)
    assert (np.abs(rounded.astype(np.float64) - tokens) <= np.maximum(step / 2, 2.0**-134)).all()
    int8 = batch.astype("int8")
    half_step = int8.scales.astype(np.float64)[:, None] / 2
    assert (np.abs(int8[0].astype(np.float64) - tokens) <= half_step * (1 + 1e-5) + 1e-44).all()


def test_zero_vectors_stay_zero():
    batch = mr.Sequences([[[0.0, 0.0], [1.0, -1.0]]])
    for dtype in COMPACT:
        zeros, ones = batch.astype(dtype)[0].tokens
        assert zeros.tolist() == [0, 0]
        assert not np.signbit(zeros).any()
        np.testing.assert_allclose(ones, [1, -1], rtol=1e-6)


@pytest.mark.parametrize("dtype", COMPACT)
def test_batches_behave_alike_in_every_type(docs, dtype):
    weighted = mr.Sequences(list(docs), [np.arange(1, len(x) + 1) for x in docs]).astype(dtype)
    assert weighted.astype(dtype) is weighted
    assert f"dim=37, {dtype}, weighted" in repr(weighted)
    again = pickle.loads(pickle.dumps(weighted))
    joined = weighted[:2] + weighted[[4, 2]]
    for copy, places in ((again, range(5)), (joined, [0, 1, 4, 2]), (weighted[1:4], [1, 2, 3])):
        assert copy.dtype == dtype
        for s, place in enumerate(places):
            np.testing.assert_array_equal(copy[s], weighted[place])
            np.testing.assert_array_equal(copy.weights_of(s), weighted.weights_of(place))
    assert mr.wrd(weighted[2:3], weighted[2:3]) == pytest.approx(0, abs=1e-6)
    row = {"float16": 74, "bfloat16": 74, "int8": 37, "int4": 19, "int2": 10}[dtype]
    assert weighted.tokens.nbytes == row * len(weighted.tokens)
    assert docs.astype(dtype).nbytes < docs.nbytes


def test_stored_arrays_are_used_in_place(docs):
    for dtype in COMPACT:
        stored = docs.astype(dtype)
        dim = 37 if dtype in ("int4", "int2") else None
        batch = mr.Sequences.from_flat(stored.tokens, stored.offsets, dtype=dtype, scales=stored.scales, dim=dim)
        assert np.shares_memory(batch.tokens, stored.tokens)
        np.testing.assert_array_equal(batch[2], stored[2])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda x: x.astype("float8"),
            ValueError,
            "dtype must be one of 'float32', 'float16', 'bfloat16', 'int8', 'int4', 'int2', got",
        ),
        (
            lambda x: mr.Sequences([[[1.0]], [[1e5]]]).astype("float16"),
            ValueError,
            "sequence 1: token 0 is not finite in",
        ),
        (lambda x: mr.Sequences([[[3.4e38]]]).astype("bfloat16"), ValueError, "sequence 0: token 0 is not finite in"),
        (lambda x: x + x.astype("int8"), ValueError, "cannot join float32 and int8 tokens; convert one with astype"),
        (lambda x: flat([[1, 2]], "int8"), ValueError, "scales: required with int8, int4 and int2 tokens"),
        (
            lambda x: flat([[1, 2]], "float16", [1.0]),
            ValueError,
            "scales: required with int8, int4 and int2 tokens, and not allowed with other types",
        ),
        (lambda x: flat([[1, 2]], "int8", [1.0]), TypeError, "tokens: expected int8 as int8, got dtype int64"),
        (
            lambda x: flat(np.ones((1, 2)), "bfloat16"),
            TypeError,
            "tokens: expected bfloat16 as uint16, got dtype float64",
        ),
        (lambda x: flat(np.int8([[1, 2]]), "int8", [1.0, 1.0]), ValueError, "scales: expected 1, one per token, got 2"),
        (lambda x: flat(np.int8([[1, 2]]), "int8", [-1.0]), ValueError, "sequence 0: token 0 is not finite in int8"),
        (lambda x: flat(np.int8([[1, 2]]), "int8", [np.nan]), ValueError, "sequence 0: token 0 is not finite in int8"),
        (lambda x: flat(np.int8([[1, 2]]), "int8", [3e38]), ValueError, "sequence 0: token 0 is not finite in int8"),
        (lambda x: flat(np.uint16([[0x7F80]]), "bfloat16"), ValueError, "token 0 is not finite in bfloat16"),
        (lambda x: flat(np.float16([[np.inf]]), "float16"), ValueError, "token 0 is not finite in float16"),
    ],
)
def test_what_cannot_be_stored_is_refused(docs, call, kind, message):
    with pytest.raises(kind, match=message):
        call(docs)


def flat(tokens, dtype, scales=None):
    return mr.Sequences.from_flat(tokens, [0, 1], dtype=dtype, scales=scales)


def test_types_go_by_what_numpy_calls_them_too():
    docs = mr.Sequences([np.eye(3)])
    for dtype, name in ((np.float16, "float16"), (np.dtype("int8"), "int8"), ("<f4", "float32")):
        assert docs.astype(dtype).dtype == name
    with pytest.raises(ValueError, match=r"dtype must be one of 'float32', .*, got <class 'float'>"):
        docs.astype(float)
