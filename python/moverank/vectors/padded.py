"""Batches in which all sequences are padded to one length: cutting the padding off, and detecting it by its zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.arrays import plain_array
from moverank._support.validate import mass_array
from moverank._support.warn import warn
from moverank.errors import PaddingWarning

#: Advice about a padded batch.
CUT_IT = "Sequences.from_padded(tokens, mask) cuts it off"
KEEP_IT = "from_padded with a mask of ones takes them without this warning"


def cut(
    tokens: Any, mask: Any, lengths: Any, weights: Any
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.float64] | None]:
    """Real tokens of a padded batch as one flat array, in their own dtype, with offsets and weights."""
    hidden = _hidden(tokens)
    array = plain_array(tokens.data if isinstance(tokens, np.ma.MaskedArray) else tokens, "tokens")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"tokens: expected real numbers, got dtype {array.dtype}")
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(
            f"tokens: expected a padded batch of shape (n, L, d), all of them at least 1, got {array.shape}"
        )
    shape = array.shape[:2]
    if mask is None and lengths is None and hidden is None:
        raise ValueError(
            f"mask: required, of shape {shape}: true for real tokens, false for padding; or lengths of shape "
            f"({shape[0]},)"
        )
    if mask is not None and lengths is not None:
        raise ValueError("mask, lengths: expected one of them, got both")
    if mask is not None:
        real = _real(mask, shape)
    elif lengths is not None:
        real = np.arange(shape[1]) < _counts(lengths, shape)[:, None]
    else:
        real = np.ones(shape, dtype=bool)
    if hidden is not None:
        real = _without_hidden(real, hidden, given=mask is not None or lengths is not None)
    counts = real.sum(axis=1)
    if (counts == 0).any():
        name = "mask" if mask is not None else "tokens" if lengths is None else "lengths"
        raise ValueError(f"{name}: sequence {int(np.argmin(counts))} has no token; it would have no mass to move")
    _require_not_turned(array, real)
    mass = None
    if weights is not None:
        mass = mass_array(weights, "weights", ndim=2)
        if mass.shape != shape:
            raise ValueError(f"weights: expected shape {shape}, one per token with padding, got {mass.shape}")
        mass = mass[real]
    offsets = np.zeros(shape[0] + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return array[real], offsets, mass


def _hidden(tokens: Any) -> NDArray[np.bool_] | None:
    """Which components a masked array of NumPy hides (there, true means left out)."""
    return np.ma.getmaskarray(tokens) if isinstance(tokens, np.ma.MaskedArray) and np.ma.is_masked(tokens) else None


def _real(mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if isinstance(mask, np.ma.MaskedArray):
        raise TypeError("mask: expected a plain array, true for real tokens, got a masked array; give its data")
    array = plain_array(mask, "mask")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"mask: expected booleans, or 0 and 1, got dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"mask: expected shape {shape}, one per token, got {array.shape}")
    odd = np.logical_and(array != 0, array != 1)
    if odd.any():
        s, t = (int(place) for place in np.argwhere(odd)[0])
        raise ValueError(
            f"mask: expected true or 1 for real tokens and false or 0 for padding, got {array[s, t]} at sequence {s}, "
            f"token {t}"
        )
    return array.astype(bool)


def _counts(lengths: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    array = plain_array(lengths, "lengths")
    if array.dtype.kind not in "iu":
        raise TypeError(f"lengths: expected integers, got dtype {array.dtype}")
    if array.shape != shape[:1]:
        raise ValueError(f"lengths: expected shape ({shape[0]},), one per sequence, got {array.shape}")
    bad = np.logical_or(array < 0, array > shape[1])
    if bad.any():
        s = int(bad.argmax())
        raise ValueError(f"lengths: sequence {s} is said to have {array[s]} tokens, of {shape[1]} with padding")
    return array


def _without_hidden(real: NDArray[np.bool_], hidden: NDArray[np.bool_], *, given: bool) -> NDArray[np.bool_]:
    """Drop tokens that a masked array hides; a token must be hidden entirely, and must not be marked as real."""
    whole = np.asarray(hidden.all(axis=2))
    wrong = (hidden.any(axis=2) & ~whole & real) | (whole & real if given else False)
    if wrong.any():
        s, t = (int(place) for place in np.argwhere(wrong)[0])
        fault = "is said to be real, but is masked" if whole[s, t] else "is masked in part"
        raise ValueError(f"tokens: token {t} of sequence {s} {fault}")
    return real & ~whole


def _require_not_turned(tokens: NDArray[Any], real: NDArray[np.bool_]) -> None:
    """Refuse a mask with true for padding, as some libraries use, where padding with zeros shows that."""
    nonzero = np.asarray(tokens.any(axis=2))
    if not real.all() and not nonzero[real].any() and nonzero[~real].any():
        raise ValueError("mask: is true only for zero vectors and false for all others; expected true for real tokens")


def warn_if_padded(arrays: Sequence[NDArray[Any]]) -> None:
    """Warn if sequences of equal length end, or begin, in zeros, which count as tokens.

    One zero at the beginning may be a starting point. In one dimension 0 is a number like any other.
    """
    if not arrays:
        return
    n, dim = arrays[0].shape
    if n < 2 or dim < 2 or any(array.shape != (n, dim) for array in arrays):
        return
    for s, array in enumerate(arrays):
        if array[-1].any() and (array[0].any() or array[1].any()):
            continue
        places = np.flatnonzero(array.any(axis=1))
        if not places.size:
            continue
        before, behind = int(places[0]), n - 1 - int(places[-1])
        if behind or before > 1:
            where, count = ("ends", behind) if behind else ("begins", before)
            zeros = "a zero vector" if count == 1 else f"{count} zero vectors"
            warn(
                f"sequence {s} {where} in {zeros}, of a batch of one length: these count as tokens. If they are "
                f"padding, {CUT_IT}; if not, {KEEP_IT}",
                PaddingWarning,
            )
            return
