"""How tokens are stored: as float32, or in one of the compact types that the kernels read as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core


@dataclass(frozen=True)
class TokenType:
    """How one type holds tokens.

    Attributes
    ----------
    held_as : type
        NumPy's dtype of the array.
    bits : int
        Bits per component. A row takes whole elements of the array; what is left of the last one is unused.
    reach : float
        Largest component in units of the token's scale; 0 if tokens of the type have no scale.
    """

    held_as: type[np.generic]
    bits: int
    reach: float = 0.0

    @property
    def has_scales(self) -> bool:
        """Whether each token has a scale."""
        return self.reach > 0.0

    @property
    def is_packed(self) -> bool:
        """Whether an element of the array holds several components."""
        return self.bits < 8

    def width(self, dim: int) -> int:
        """Elements of a row of `dim` components."""
        return -(-dim * self.bits // (8 * np.dtype(self.held_as).itemsize))


#: The types by name. NumPy has no bfloat16, so its bits are kept.
TYPES: dict[str, TokenType] = {
    "float32": TokenType(np.float32, 32),
    "float16": TokenType(np.float16, 16),
    "bfloat16": TokenType(np.uint16, 16),
    "int8": TokenType(np.int8, 8, 128.0),
    "int4": TokenType(np.uint8, 4, 7.5),
    "int2": TokenType(np.uint8, 2, 1.5),
}

#: Tokens that `Stored.astype` holds as float32 at a time.
ROWS_AT_ONCE = 65_536


def token_dtype(name: object) -> str:
    """Check the name of a token type."""
    if isinstance(name, str) and name in TYPES:
        return name
    for known in ("float32", "float16", "int8"):
        if name is TYPES[known].held_as or name == np.dtype(known):
            return known
    raise ValueError(f"dtype must be one of {', '.join(map(repr, TYPES))}, got {name!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Tokens as they are stored: what `Sequences` and parts of an index consist of.

    Attributes
    ----------
    dtype : str
        Name of the type.
    dim : int
        Components per token, d.
    components : ndarray, shape (T, `TokenType.width` of d)
        The components: float32, float16, the bits of bfloat16, int8, or packed codes.
    scales : ndarray of float32, shape (T,), or None
        The scale of each token, for types that have scales.
    anchors : ndarray of float32, shape (K, d), or None
        Vectors near which tokens lie, if components are how tokens differ from them; only with scales.
    nearest : ndarray of uint16, shape (T,), or None
        With anchors, the number of each token's; a token whose number is K or more has none.
    """

    dtype: str
    dim: int
    components: NDArray[Any]
    scales: NDArray[np.float32] | None = None
    anchors: NDArray[np.float32] | None = None
    nearest: NDArray[np.uint16] | None = None

    @classmethod
    def floats(cls, tokens: NDArray[np.float32]) -> Stored:
        """Tokens that are stored as float32."""
        return cls("float32", tokens.shape[1], tokens)

    @classmethod
    def empty(cls, dtype: str, count: int, dim: int) -> Stored:
        """Room for tokens."""
        kind = TYPES[dtype]
        components = np.empty((count, kind.width(dim)), dtype=kind.held_as)
        return cls(dtype, dim, components, np.empty(count, dtype=np.float32) if kind.has_scales else None)

    def __len__(self) -> int:
        return len(self.components)

    def __getitem__(self, rows: slice | NDArray[Any]) -> Stored:
        scales = None if self.scales is None else self.scales[rows]
        nearest = None if self.nearest is None else self.nearest[rows]
        return Stored(self.dtype, self.dim, self.components[rows], scales, self.anchors, nearest)

    def __add__(self, other: Stored) -> Stored:
        """Both in a row; they must have the same type and dimension, and no anchors."""
        assert self.anchors is other.anchors is None
        scales = None
        if self.scales is not None and other.scales is not None:
            scales = np.concatenate([self.scales, other.scales])
        return Stored(self.dtype, self.dim, np.concatenate([self.components, other.components]), scales)

    @property
    def shape(self) -> tuple[int, int]:
        """Tokens and components per token."""
        return len(self.components), self.dim

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(own.nbytes for own in (self.components, self.scales, self.nearest) if own is not None)

    def in_core(self) -> _core.StoredTokens:
        """The same for the core; ValueError if the arrays are not tokens of this type and dimension."""
        return _core.StoredTokens(self.dtype, self.dim, self.components, self.scales, self.anchors, self.nearest)

    def decoded(self) -> NDArray[np.float32]:
        """As float32, exactly; float32 itself is not copied. Damaged scales may make it infinite, or NaN."""
        return self.components if self.dtype == "float32" else self.in_core().decoded()

    def first_non_finite(self) -> int:
        """Index of the first token with a number that is not finite, or -1."""
        if self.dtype == "float32" or self.anchors is not None:
            return _core.first_non_finite_row(self.decoded())
        if self.scales is not None:
            with np.errstate(over="ignore"):
                good = np.isfinite(self.scales * np.float32(TYPES[self.dtype].reach)) & (self.scales >= 0)
        else:
            # The largest of the bits, once with and once without a sign, is that of a positive and of a negative
            # number: NumPy finds it ten times as fast as it tells whether numbers of 16 bits are finite.
            infinity = 0x7F80 if self.dtype == "bfloat16" else 0x7C00
            bits = self.components.view(np.uint16)
            if bits.view(np.int16).max(initial=0) < infinity and bits.max(initial=0) < 0x8000 + infinity:
                return -1
            good = ((bits & infinity) != infinity).all(axis=1)
        return -1 if good.all() else int(np.argmin(good))

    def astype(self, dtype: str) -> Stored:
        """In another type, converted in chunks, so that not all tokens exist as float32 at once."""
        made = Stored.empty(dtype, len(self), self.dim)
        for start in range(0, len(self), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            encoded = encode(self[rows].decoded(), dtype)
            made.components[rows] = encoded.components
            if made.scales is not None:
                made.scales[rows] = encoded.scales
        return made


def encode(tokens: NDArray[np.float32], dtype: str) -> Stored:
    """Round tokens to the nearest that a type can hold. Numbers out of its range become infinite."""
    dim = tokens.shape[1]
    if TYPES[dtype].is_packed:
        return Stored(dtype, dim, *_core.packed(np.ascontiguousarray(tokens), dtype))
    if dtype == "int8":
        largest = np.abs(tokens).max(axis=1)
        scales = (largest / np.float32(127)).astype(np.float32)
        # Where the scale is 0, every component rounds to 0.
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(scales[:, None] > 0, tokens / scales[:, None], np.float32(0))
        return Stored(dtype, dim, np.clip(np.rint(steps), -127, 127).astype(np.int8), scales)
    if dtype == "bfloat16":
        bits = tokens.view(np.uint32)
        rounded = (bits + (0x7FFF + ((bits >> np.uint32(16)) & 1))) >> np.uint32(16)
        return Stored(dtype, dim, rounded.astype(np.uint16))
    with np.errstate(over="ignore"):
        return Stored(dtype, dim, tokens.astype(TYPES[dtype].held_as))
