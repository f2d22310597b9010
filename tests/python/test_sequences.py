"""Ragged batches: construction, selection, and what they refuse."""

import copy
import pickle

import numpy as np
import pytest

import moverank as mr


@pytest.fixture
def batch():
    return mr.Sequences([np.eye(3), np.ones((1, 3)), 2 * np.eye(3)[:2]], weights=[[1, 2, 3], [4], [5, 6]])


def test_a_batch_is_flat_and_ragged(batch):
    assert len(batch) == 3
    assert batch.offsets.tolist() == [0, 3, 4, 6]
    assert batch.lengths.tolist() == [3, 1, 2]
    assert batch.tokens.dtype == np.float32
    assert batch.weights.tolist() == [1, 2, 3, 4, 5, 6]
    assert repr(batch) == "Sequences(3 sequences, 6 tokens, dim=3, weighted)"
    assert [x.shape for x in batch] == [(3, 3), (1, 3), (2, 3)]


def test_selections_keep_tokens_and_weights(batch):
    np.testing.assert_array_equal(batch[-1], 2 * np.eye(3)[:2])
    assert batch[1:].lengths.tolist() == [1, 2]
    assert batch[1:].weights.tolist() == [4, 5, 6]
    assert batch[np.array([2, 0])].weights.tolist() == [5, 6, 1, 2, 3]
    assert batch[::-1].lengths.tolist() == [2, 1, 3]
    assert batch[[True, False, True]].lengths.tolist() == [3, 2]
    assert batch.weights_of(2).tolist() == [5, 6]
    with pytest.raises(IndexError, match="sequence 3 of 3"):
        batch[3]
    with pytest.raises(ValueError, match="cannot be empty"):
        batch[2:2]


def test_batches_join(batch):
    joined = batch + batch[:1]
    assert joined.lengths.tolist() == [3, 1, 2, 3]
    assert joined.weights[-3:].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="dimension 3 and 2"):
        batch + mr.Sequences([np.eye(2)], weights=[[1, 1]])
    with pytest.raises(ValueError, match="with weights and sequences without"):
        batch + mr.Sequences([np.eye(3)])


def test_flat_arrays_are_not_copied_and_views_are_read_only():
    tokens, offsets, weights = np.ones((5, 2), np.float32), np.array([0, 2, 5]), np.ones(5)
    batch = mr.Sequences.from_flat(tokens, offsets, weights)
    assert np.shares_memory(batch.tokens, tokens)
    assert np.shares_memory(batch.weights, weights)
    with pytest.raises(ValueError, match="read-only"):
        batch.tokens[0, 0] = 3


def test_a_list_of_arrays_is_copied_even_if_it_is_one_array():
    given = np.ones((2, 2), np.float32)
    batch = mr.Sequences([given])
    given[0, 0] = 99
    assert batch[0][0, 0] == 1


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_a_copy_equals_the_original_and_is_read_only_too(duplicate, batch):
    again = duplicate(batch)
    for name in ("tokens", "offsets", "weights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(batch, name))
        assert not getattr(again, name).flags.writeable


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, np.uint8, bool])
def test_real_dtypes_convert(dtype):
    x = np.eye(3).astype(dtype)
    assert mr.wmd(x, x) == 0
    assert mr.Sequences([x]).tokens.dtype == np.float32


def test_views_of_any_layout_are_handled():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 8)), rng.normal(size=(5, 8))
    wide = np.asfortranarray(np.repeat(x, 2, axis=1))[:, ::2]
    assert not wide.flags.c_contiguous
    assert mr.wrd(wide, y[::-1]) == pytest.approx(mr.wrd(x, y), abs=1e-6)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: mr.Sequences([]), ValueError, "at least one sequence"),
        (lambda: mr.Sequences("text"), TypeError, "got text"),
        (lambda: mr.Sequences([np.eye(2), np.zeros((0, 2))]), ValueError, "sequence 1: has no tokens"),
        (lambda: mr.Sequences([np.eye(2), np.eye(3)]), ValueError, "sequence 1: has dimension 3, sequence 0 has 2"),
        (lambda: mr.Sequences([np.eye(2), [[1, np.nan]]]), ValueError, "sequence 1: token 0 is not finite"),
        (lambda: mr.Sequences([[[1e60]]]), ValueError, "sequence 0: token 0 is not finite in float32"),
        (lambda: mr.Sequences([np.ones(3)]), ValueError, r"sequence 0: expected an array of shape \(n, d\)"),
        (lambda: mr.Sequences([np.zeros((3, 0))]), ValueError, "sequence 0: tokens have no dimensions"),
        (lambda: mr.Sequences([[[1, 2], [3]]]), ValueError, "sequence 0: not a rectangular array"),
        (lambda: mr.Sequences([[["a"]]]), TypeError, "sequence 0: expected real numbers"),
        (lambda: mr.Sequences([np.eye(2)], weights=[[1]]), ValueError, "sequence 0: expected 2 weights"),
        (lambda: mr.Sequences([np.eye(2)], weights=[]), ValueError, "weights: expected 1 arrays"),
        (lambda: mr.Sequences([np.eye(2)], weights=[[1, -1]]), ValueError, "sequence 0: weight 1 is negative"),
        (lambda: mr.Sequences([np.eye(2)], weights=[[0, 0]]), ValueError, "sequence 0: total mass is zero"),
        (lambda: mr.Sequences.from_flat(np.eye(2), [0, 1]), ValueError, "offsets: must start at 0 and end at 2"),
        (lambda: mr.Sequences.from_flat(np.eye(2), [0, 2, 1, 2]), ValueError, "offsets: decrease after entry 1"),
        (lambda: mr.Sequences.from_flat(np.eye(2), [0, 2, 2]), ValueError, "sequence 1: has no tokens"),
        (lambda: mr.Sequences.from_flat(np.eye(2), [0.0, 2.0]), TypeError, "offsets: expected integers"),
        (lambda: mr.Sequences.from_flat(np.eye(2), 2), ValueError, r"offsets: expected shape \(N \+ 1,\)"),
        (lambda: mr.Sequences.from_flat([[1], [np.inf]], [0, 1, 2]), ValueError, "sequence 1: token 0 is not finite"),
        (lambda: mr.Sequences(3), TypeError, "got int"),
        (lambda: mr.Sequences.from_flat(np.eye(2), [0, 1, 2], [1, 0]), ValueError, "sequence 1: total mass is zero"),
        (lambda: mr.Sequences.from_flat(np.eye(2), [0, 1, 2], [1, -1]), ValueError, "sequence 1: weight 0 is neg"),
        (lambda: mr.Sequences.from_flat(np.eye(2), [0, 1, 2], [np.nan, 1]), ValueError, "sequence 0: weight 0 is not"),
        (lambda: mr.Sequences.from_flat(np.eye(2), [0, 2], [1]), ValueError, "weights: expected 2 weights"),
        (lambda: mr.Sequences.from_flat(np.zeros((2, 0)), [0, 2]), ValueError, r"have no dimensions \(shape \(2, 0\)"),
        (
            lambda: mr.Sequences.from_flat(np.eye(2), [0, 2], dtype="int8", scales=[1, 1]),
            TypeError,
            "tokens: expected int8 as int8, got dtype float64; astype converts a batch",
        ),
        (
            lambda: mr.Sequences.from_flat(np.eye(2), [0, 2], dtype="bfloat16"),
            TypeError,
            "tokens: expected bfloat16 as uint16, got dtype float64; astype converts a batch",
        ),
    ],
)
def test_bad_batches_are_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
