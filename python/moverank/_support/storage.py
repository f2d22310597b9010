"""How tokens are stored: float32, or one of three compact types that the kernels read as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core

#: The types by name, with the NumPy dtype that holds them; NumPy has no bfloat16, so its bits are kept.
STORED_AS: dict[str, type[np.generic]] = {
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": np.uint16,
    "int8": np.int8,
}

#: Tokens that `convert` holds as float32 at a time.
ROWS_AT_ONCE = 65_536


def token_dtype(name: object) -> str:
    """Check the name of a token type."""
    if isinstance(name, str) and name in STORED_AS:
        return name
    for known in ("float32", "float16", "int8"):
        if name is STORED_AS[known] or name == np.dtype(known):
            return known
    raise ValueError(f"dtype must be one of {', '.join(map(repr, STORED_AS))}, got {name!r}")


def dtype_of(tokens: NDArray[Any]) -> str:
    """Name of the type in which an array holds tokens."""
    return next(name for name, stored in STORED_AS.items() if tokens.dtype == stored)


def encode(tokens: NDArray[np.float32], dtype: str) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Round tokens to the nearest that a type can hold. Numbers out of its range become infinite."""
    if dtype == "int8":
        largest = np.abs(tokens).max(axis=1)
        scales = (largest / np.float32(127)).astype(np.float32)
        # Where the scale is 0, every component rounds to 0.
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(scales[:, None] > 0, tokens / scales[:, None], np.float32(0))
        return np.clip(np.rint(steps), -127, 127).astype(np.int8), scales
    if dtype == "bfloat16":
        bits = tokens.view(np.uint32)
        return ((bits + (0x7FFF + ((bits >> np.uint32(16)) & 1))) >> np.uint32(16)).astype(np.uint16), None
    with np.errstate(over="ignore"):
        return tokens.astype(STORED_AS[dtype]), None


def decode(tokens: NDArray[Any], scales: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Stored tokens as float32, exactly; float32 itself is not copied. Damaged scales may make it infinite, or NaN."""
    if scales is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: NDArray[np.float32] = tokens.astype(np.float32) * scales[:, None]
        return scaled
    if tokens.dtype == np.uint16:
        return (tokens.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return tokens.astype(np.float32, copy=False)


def first_non_finite(tokens: NDArray[Any], scales: NDArray[np.float32] | None) -> int:
    """Index of the first token with a number that is not finite, or -1."""
    if tokens.dtype == np.float32:
        return _core.first_non_finite_row(tokens)
    if scales is not None:
        # Components are at most 127 steps: the product must stay finite.
        with np.errstate(over="ignore"):
            good = np.isfinite(scales * np.float32(128)) & (scales >= 0)
    elif tokens.dtype == np.uint16:
        good = ((tokens & 0x7F80) != 0x7F80).all(axis=1)
    else:
        good = np.isfinite(tokens).all(axis=1)
    return -1 if good.all() else int(np.argmin(good))


def convert(
    tokens: NDArray[Any], scales: NDArray[np.float32] | None, dtype: str
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Stored tokens in another type, converted in chunks, so that not all of them exist as float32 at once."""
    converted = np.empty(tokens.shape, dtype=STORED_AS[dtype])
    steps = np.empty(len(tokens), dtype=np.float32) if dtype == "int8" else None
    for start in range(0, len(tokens), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        converted[rows], chunk_steps = encode(decode(tokens[rows], None if scales is None else scales[rows]), dtype)
        if steps is not None and chunk_steps is not None:
            steps[rows] = chunk_steps
    return converted, steps
