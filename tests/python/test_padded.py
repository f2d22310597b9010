"""Padded batches: what is real of them, and the zeros of those that nobody cut."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.encoders import CallableEncoder

rng = np.random.default_rng(4)
QUERY = rng.normal(size=(4, 6))
DOCS = [rng.normal(size=(n, 6)) for n in (5, 2, 1, 4)]
DOCS[1] = -np.abs(QUERY[:2])
LENGTHS = [len(doc) for doc in DOCS]
MASK = np.arange(5) < np.array(LENGTHS)[:, None]


def padded(filling=0.0):
    batch = np.full((4, 5, 6), filling)
    for row, doc in zip(batch, DOCS, strict=True):
        row[: len(doc)] = doc
    return batch


@pytest.mark.parametrize("filling", [0.0, 9.0, np.nan])
@pytest.mark.parametrize(
    "options",
    [
        {"mask": MASK},
        {"mask": MASK.tolist()},
        {"mask": MASK.astype(np.int64)},
        {"mask": MASK.astype(np.float32)},
        {"lengths": LENGTHS},
        {"lengths": np.array(LENGTHS, np.uint8)},
    ],
    ids=str,
)
def test_only_real_tokens_are_kept(filling, options):
    batch = mr.Sequences.from_padded(padded(filling), **options)
    assert batch.lengths.tolist() == LENGTHS
    for measure in (mr.wmd, mr.wrd, mr.maxsim):
        np.testing.assert_array_equal(mr.distances(QUERY, batch, measure), mr.distances(QUERY, DOCS, measure))


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4).filter(any), min_size=1, max_size=5), st.booleans())
def test_tokens_and_weights_keep_their_places(mask, weighted):
    tokens = np.arange(1.0, len(mask) * 8 + 1).reshape(len(mask), 4, 2)
    weights = np.arange(1.0, len(mask) * 4 + 1).reshape(len(mask), 4) if weighted else None
    batch = mr.Sequences.from_padded(tokens, mask, weights=weights)
    for s, real in enumerate(mask):
        assert batch[s].tokens.tolist() == tokens[s][real].tolist()
        assert batch[s].weights is None or batch[s].weights.tolist() == weights[s][real].tolist()
    assert (batch.weights is None) != weighted


def test_masked_arrays_hide_what_they_mask():
    hidden = np.ma.masked_array(padded(7.0), mask=np.repeat(~MASK[:, :, None], 6, axis=2))
    assert mr.Sequences.from_padded(hidden).lengths.tolist() == LENGTHS
    assert mr.Sequences.from_padded(hidden, MASK).lengths.tolist() == LENGTHS
    with pytest.raises(ValueError, match="tokens: token 2 of sequence 1 is said to be real, but is masked"):
        mr.Sequences.from_padded(hidden, np.ones_like(MASK))
    hidden[3, 1, 2] = np.ma.masked
    with pytest.raises(ValueError, match="tokens: token 1 of sequence 3 is masked in part"):
        mr.Sequences.from_padded(hidden)


def test_float64_keeps_its_digits():
    far = padded() + 1e9
    near = mr.Sequences.from_padded(far, MASK)
    np.testing.assert_allclose(mr.distances(QUERY + 1e9, near, "wmd"), mr.distances(QUERY, DOCS, "wmd"), rtol=1e-5)


def test_tensors_are_taken():
    torch = pytest.importorskip("torch")
    mask = torch.from_numpy(MASK)
    for tokens in (torch.from_numpy(padded()), torch.from_numpy(padded()).bfloat16().requires_grad_()):
        for real in (mask, mask.long()):
            assert mr.Sequences.from_padded(tokens, real).lengths.tolist() == LENGTHS


@pytest.mark.parametrize(
    ("tokens", "options", "error", "message"),
    [
        (padded(), {}, ValueError, r"mask: required, of shape \(4, 5\)"),
        (padded(), {"mask": MASK, "lengths": LENGTHS}, ValueError, "mask, lengths: expected one of them, got both"),
        (padded()[0], {"mask": MASK}, ValueError, r"tokens: expected a padded batch of shape \(n, L, d\).*\(5, 6\)"),
        (padded().astype(complex), {"mask": MASK}, TypeError, "tokens: expected real numbers, got dtype complex128"),
        (padded(), {"mask": MASK.T}, ValueError, r"mask: expected shape \(4, 5\), one per token, got \(5, 4\)"),
        (padded(), {"mask": MASK * 2}, ValueError, "mask: expected true or 1 .*got 2 at sequence 0, token 0"),
        (padded(), {"mask": (MASK - 1.0) * 1e4}, ValueError, "mask: expected .*got -10000.0 at sequence 1, token 2"),
        (padded(), {"mask": MASK.astype(str)}, TypeError, "mask: expected booleans, or 0 and 1, got dtype <U5"),
        (padded(), {"mask": np.ma.masked_array(MASK, MASK)}, TypeError, "mask: expected a plain array.*masked array"),
        (padded(), {"mask": MASK * [[1], [1], [0], [1]]}, ValueError, "(mask|lengths): sequence 2 has no token"),
        (padded()[1:2], {"mask": ~MASK[1:2]}, ValueError, "mask: is true only for zero vectors"),
        (padded(), {"lengths": [5, 2, 1]}, ValueError, r"lengths: expected shape \(4,\), one per sequence, got \(3,\)"),
        (padded(), {"lengths": [5, 2, 1, 6]}, ValueError, "lengths: sequence 3 is said to have 6 tokens, of 5 with"),
        (padded(), {"lengths": [5.0, 2, 1, 4]}, TypeError, "lengths: expected integers, got dtype float64"),
        (padded(), {"lengths": [5, 2, 0, 4]}, ValueError, "(mask|lengths): sequence 2 has no token"),
        (padded(), {"mask": MASK, "weights": np.ones(5)}, ValueError, "weights: expected"),
        (padded(), {"mask": MASK, "weights": np.ones((4, 6))}, ValueError, r"weights: expected shape \(4, 5\)"),
        (padded(), {"mask": MASK, "weights": -np.ones((4, 5))}, ValueError, "sequence 0"),
        (padded(np.inf), {"lengths": [5, 2, 2, 4]}, ValueError, "sequence 2: token 1 is not finite"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tokens, options, error, message):
    with pytest.raises(error, match=message):
        mr.Sequences.from_padded(tokens, **options)


def doors(batch):
    yield lambda: mr.Sequences(batch)
    yield lambda: mr.distances(QUERY, batch, "maxsim")
    yield lambda: mr.certified_distances(QUERY, batch, "wmd")
    yield lambda: mr.pairwise(batch, measure="wmd")
    yield lambda: mr.paired_distances(batch, DOCS, "wmd")
    yield lambda: mr.Index.build(batch, "maxsim")
    yield lambda: mr.Index.build(DOCS, "maxsim").add(batch)
    yield lambda: mr.Index.build(DOCS, "maxsim").search_batch(batch, 1)
    yield lambda: mr.rerank(QUERY, batch, measure="maxsim")
    yield lambda: mr.Reranker(CallableEncoder(lambda texts: batch[: len(texts)]), "maxsim").rank("a", ["b", "c", "d"])


@pytest.mark.parametrize("turned", [False, True], ids=["at the end", "at the beginning"])
@pytest.mark.parametrize("listed", [False, True], ids=["array", "list"])
def test_zeros_at_the_ends_are_told_at_every_door(turned, listed):
    batch = padded()[:, ::-1] if turned else padded()
    for door in doors(list(batch) if listed else batch):
        with pytest.warns(mr.PaddingWarning, match=r"zero vectors.*Sequences.from_padded\(tokens, mask\)"):
            door()


def test_zeros_of_tensors_are_told():
    torch = pytest.importorskip("torch")
    import moverank.torch as differentiable

    batch = torch.from_numpy(padded())
    for given_as in (batch, list(batch)):
        with pytest.warns(mr.PaddingWarning, match="zero vectors"):
            differentiable.wmd(torch.from_numpy(QUERY), given_as)
    with pytest.warns(mr.PaddingWarning, match="zero vectors"):
        mr.distances(QUERY, batch, "maxsim")


def test_zeros_that_do_no_harm_or_are_meant_are_not_told():
    alone = rng.normal(size=(3, 4, 6))
    alone[1, 2] = alone[0, 0] = 0.0
    ragged = [np.vstack([DOCS[0], np.zeros((1, 6))]), DOCS[1]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mr.distances(QUERY, alone, "maxsim")  # one in the middle, and one where paths start
        mr.distances(QUERY, ragged, "maxsim")  # not of one length
        mr.distances(QUERY, padded(), "wrd")  # of no mass
        mr.Sequences(padded(), weights=MASK.astype(float))
        mr.pairwise(np.array([[[1.0], [0.0]], [[2.0], [3.0]]]), measure="wmd")  # 0 is a number
        meant = mr.Sequences.from_padded(padded(), np.ones_like(MASK))
        mr.distances(QUERY, meant, "maxsim")
        mr.distances(QUERY, list(meant), "maxsim")


def test_an_encoder_may_return_sequences_with_their_weights():
    weights = rng.random((4, 5))
    made = mr.Sequences.from_padded(padded(), MASK, weights=weights)
    encoder = CallableEncoder(lambda texts: made[: len(texts)])
    encoded = encoder.encode(["a", "b", "c", "d"])
    np.testing.assert_array_equal(encoded.sequences.weights, weights[MASK])
    np.testing.assert_array_equal(encoded.sequences.offsets, made.offsets)
