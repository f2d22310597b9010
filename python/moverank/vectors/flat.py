"""The flat arrays of a batch: sequences joined into one, tokens in a stored type, digits beyond float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.storage import TYPES, Stored
from moverank._support.validate import real_array, whole_number
from moverank.vectors.digests import Digests, digests_of
from moverank.vectors.rounding import Extent, is_rounded, may_lose, rest_of


def joined(arrays: list[NDArray[np.float32]], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    """All tokens as one array, copied a thousand sequences at a time, so that Ctrl-C is noticed in between."""
    flat = np.empty((int(offsets[-1]), arrays[0].shape[1]), dtype=np.float32)
    for first in range(0, len(arrays), 1000):
        last = min(first + 1000, len(arrays))
        np.concatenate(arrays[first:last], out=flat[offsets[first] : offsets[last]])
    return flat


def joined_weights(weights: list[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    """The weights that sequences carry, if any."""
    having = [own for own in weights if own is not None]
    if having and len(having) < len(weights):
        weighted = [own is not None for own in weights]
        raise ValueError(
            f"sequence {weighted.index(False)} has no weights and sequence {weighted.index(True)} has some; give "
            "weights to all of them or to none"
        )
    return np.concatenate(having) if having else None


def left_over(
    sources: list[NDArray[Any] | None], tokens: NDArray[np.float32], offsets: NDArray[np.int64]
) -> tuple[bool, NDArray[np.float64] | None]:
    """Whether tokens were rounded, and by how much each, where they lie far from the origin.

    `sources` are the sequences as given, or None where float32 holds all digits.
    """
    cuts = offsets.tolist()
    given = [(source, slice(cuts[s], cuts[s + 1])) for s, source in enumerate(sources) if source is not None]
    if not any(is_rounded(source, tokens[rows]) for source, rows in given):
        return False, None
    if not Extent.of(Stored.floats(tokens)).far().any():
        return True, None
    rest = np.zeros(tokens.shape)
    for source, rows in given:
        rest[rows] = rest_of(source, tokens[rows])
    return True, rest


def joined_digests(
    sources: list[NDArray[Any] | None],
    own: list[Digests | None],
    tokens: NDArray[np.float32],
    offsets: NDArray[np.int64],
) -> Digests:
    """Digests of all tokens as given: those that elements carry, otherwise those of each array."""
    cuts = offsets.tolist()
    given = [tokens[cuts[s] : cuts[s + 1]] if source is None else source for s, source in enumerate(sources)]
    found = np.empty(len(tokens), dtype=np.uint64)
    for first in range(0, len(given), 1000):
        last = min(first + 1000, len(given))
        some = given[first:last]
        # Joined where one NumPy array holds all digits, so that it is hashed in one go.
        plain = all(array.dtype in (np.float32, np.float64) for array in some)
        parts = [np.concatenate(some)] if plain else some
        found[cuts[first] : cuts[last]] = np.concatenate([digests_of(part) for part in parts])
    for s, brought in enumerate(own):
        if brought is not None:
            found[cuts[s] : cuts[s + 1]] = brought
    return found


def lost_of(source: NDArray[Any], tokens: NDArray[np.float32]) -> tuple[Digests | None, NDArray[np.float64] | None]:
    """The same two for tokens given as one array, in any dtype."""
    rounded, rest = left_over([source], tokens, np.array([0, len(tokens)])) if may_lose(source) else (False, None)
    return digests_of(source) if rounded else None, rest


def stored(tokens: NDArray[Any], dtype: str, scales: ArrayLike | None, dim: int | None) -> Stored:
    """Flat tokens in the type to be stored, with their scales."""
    kind = TYPES[dtype]
    if (scales is None) == kind.has_scales:
        raise ValueError("scales: required with int8, int4 and int2 tokens, and not allowed with other types")
    count = None if dim is None else whole_number(dim, "dim", least=1)
    if count is not None and not kind.is_packed:
        raise ValueError(f"dim: only for int4 and int2, whose rows may have unused bits, got {dim!r} with {dtype}")
    if dtype not in ("float32", "float16") and tokens.dtype != kind.held_as:
        expected = np.dtype(kind.held_as).name
        raise TypeError(f"tokens: expected {dtype} as {expected}, got dtype {tokens.dtype}; astype converts a batch")
    components: NDArray[Any] = real_array(tokens, "tokens", ndim=2, dtype=kind.held_as)
    width = components.shape[1]
    if kind.is_packed:
        most = width * 8 // kind.bits
        count = most if count is None else count
        if kind.width(count) != width:
            raise ValueError(f"dim: {count} components of {dtype} take rows of {kind.width(count)} bytes, got {width}")
    if scales is None:
        return Stored(dtype, width, components)
    steps: NDArray[np.float32] = real_array(scales, "scales", ndim=1, dtype=np.float32)
    if len(steps) != len(components):
        raise ValueError(f"scales: expected {len(components)}, one per token, got {len(steps)}")
    return Stored(dtype, width if count is None else count, components, steps)


def require_finite(tokens: Stored, offsets: NDArray[np.int64]) -> None:
    """Refuse tokens with a component that is not finite in the stored type, naming the sequence."""
    bad = tokens.first_non_finite()
    if bad >= 0:
        s = int(np.searchsorted(offsets, bad, side="right")) - 1
        raise ValueError(f"sequence {s}: token {bad - offsets[s]} is not finite in {tokens.dtype}")


def selected(
    offsets: NDArray[np.int64], key: slice | NDArray[Any] | list[int], items: str
) -> tuple[slice | NDArray[np.int64], NDArray[np.int64]]:
    """Where the items of some owners lie (a slice if they are contiguous), and offsets for these owners alone."""
    count = len(offsets) - 1
    if isinstance(key, slice) and key.step in (None, 1):
        start, stop, _ = key.indices(count)
        if stop <= start:
            raise ValueError(f"a batch of {items} cannot be empty")
        return slice(int(offsets[start]), int(offsets[stop])), offsets[start : stop + 1] - offsets[start]
    chosen = np.arange(count)[key]
    if chosen.ndim != 1 or chosen.size == 0:
        raise ValueError(f"expected a non-empty one-dimensional selection of {items}")
    cuts = np.zeros(len(chosen) + 1, dtype=np.int64)
    np.cumsum(np.diff(offsets)[chosen], out=cuts[1:])
    return np.concatenate([np.arange(offsets[s], offsets[s + 1]) for s in chosen]), cuts
