"""Ragged batches of vector sequences."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._arrays import plain_array
from moverank._origin import Extent, is_rounded, may_lose, rest_of
from moverank._storage import STORED_AS, convert, decode, dtype_of, first_non_finite, token_dtype
from moverank._validate import (
    as_list,
    mass_array,
    offsets_array,
    read_only,
    real_array,
    tokens_and_source,
    weights_array,
)
from moverank.errors import PrecisionWarning


class Sequences:
    """A batch of sequences of vectors, stored flat: documents, or queries.

    Sequence `s` owns the rows ``offsets[s]:offsets[s + 1]`` of `tokens`. The batch is immutable and every sequence in
    it has been checked: at least one token, finite numbers, weights that are non-negative and not all zero. Tokens are
    float32, or stored more compactly (`astype`); distances are exact for what is stored.

    Of tokens that come in float64 (or as large integers) and lie far from the origin and near to each other, such as
    timestamps or projected coordinates, what float32 leaves is kept too: Euclidean and squared Euclidean costs are then
    computed about an origin amid the tokens. Cosines and inner products depend on the origin, so there each component
    counts as float32 holds it, to 24 bits.

    Parameters
    ----------
    sequences : sequence of array_like, each of shape (n_s, d)
        The token vectors of each sequence. Real numbers of any dtype are converted to float32, once.
    weights : sequence of array_like, each of shape (n_s,), optional
        The mass of each token, in any unit: it is normalised to total 1 for each sequence when used. Given weights
        take the place of the weighting that a measure would apply.

    Raises
    ------
    TypeError
        If something is not made of real numbers.
    ValueError
        If a sequence is empty, is not finite, or has a dimension of its own; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> docs = Sequences([np.eye(3), np.ones((2, 3))])
    >>> docs
    Sequences(2 sequences, 5 tokens, dim=3)
    >>> docs[1].shape
    (2, 3)
    >>> len(docs + docs[:1])
    3
    """

    __slots__ = ("_offsets", "_rest", "_rounded", "_scales", "_tokens", "_weights")
    #: Or else NumPy would take a batch for an array, and add numbers where + is to join.
    __array_ufunc__ = None

    def __init__(self, sequences: Sequence[ArrayLike], weights: Sequence[ArrayLike] | None = None) -> None:
        if isinstance(sequences, (str, bytes)) or not hasattr(sequences, "__iter__"):
            what = "text" if isinstance(sequences, (str, bytes)) else type(sequences).__name__
            raise TypeError(f"expected a list of (n, d) arrays, got {what}")
        arrays: list[NDArray[np.float32]] = []
        sources: list[NDArray[Any] | None] = []
        for s, x in enumerate(sequences):
            tokens, source = tokens_and_source(x, f"sequence {s}")
            arrays.append(tokens)
            sources.append(source if may_lose(source) else None)
        if not arrays:
            raise ValueError("expected at least one sequence, got none")
        dim = arrays[0].shape[1]
        for s, array in enumerate(arrays):
            if array.shape[1] != dim:
                raise ValueError(f"sequence {s}: has dimension {array.shape[1]}, sequence 0 has {dim}")
        flat_weights = None
        if weights is not None:
            given = as_list(weights, "weights", "arrays")
            if len(given) != len(arrays):
                raise ValueError(f"weights: expected {len(arrays)} arrays, one a sequence, got {len(given)}")
            flat_weights = np.concatenate(
                [weights_array(w, f"sequence {s}", len(x)) for s, (w, x) in enumerate(zip(given, arrays, strict=True))]
            )
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(x) for x in arrays], out=offsets[1:])
        flat = _joined(arrays, offsets)
        self._rounded, self._rest = _left_over(sources, flat, offsets)
        self._tokens: NDArray[Any] = read_only(flat)
        self._scales: NDArray[np.float32] | None = None
        self._offsets = read_only(offsets)
        self._weights = None if flat_weights is None else read_only(flat_weights)

    @classmethod
    def from_flat(
        cls,
        tokens: ArrayLike,
        offsets: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        dtype: str = "float32",
        scales: ArrayLike | None = None,
    ) -> Sequences:
        """Make a batch over flat arrays, without copying those that have the right dtype and order.

        Parameters
        ----------
        tokens : array_like, shape (T, d)
            All tokens, sequence after sequence; what has the dtype already, in C order, is used in place.
        offsets : array_like of int, shape (N + 1,)
            Where each sequence begins; the last entry is T.
        weights : array_like, shape (T,), optional
            The mass of each token; float64 is used in place.
        dtype : {"float32", "float16", "bfloat16", "int8"}, default "float32"
            How tokens are stored. Anything is converted to float32 and float16; bfloat16 and int8 have to come as they
            are stored, the former as the upper halves of float32 in uint16 (`astype` converts).
        scales : array_like, shape (T,), optional
            With int8 and only there: what each token's integers are multiplied with, in float32.

        Returns
        -------
        Sequences
            A view of the arrays, but for the offsets. Who changes them afterwards changes the batch; an index that was
            built of it then answers for neither, or refuses.

        Raises
        ------
        TypeError
            If a dtype cannot be converted.
        ValueError
            If the offsets do not cut the tokens into non-empty sequences, or a number is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> Sequences.from_flat(np.eye(5, dtype=np.float32), [0, 2, 5]).lengths.tolist()
        [2, 3]
        """
        source = plain_array(tokens, "tokens")
        flat, steps = _stored(source, token_dtype(dtype), scales)
        cuts = offsets_array(offsets, len(flat), "sequence", "tokens")
        if flat.shape[1] == 0:
            raise ValueError(f"tokens: have no dimensions (shape {flat.shape})")
        _require_finite(flat, steps, cuts)
        mass: NDArray[np.float64] | None = None
        if weights is not None:
            mass = mass_array(weights, "weights", ndim=1)
            if len(mass) != len(flat):
                raise ValueError(f"weights: expected {len(flat)} weights, one a token, got {len(mass)}")
            # All at once first: a batch may hold millions of sequences. The loop below only finds whom to name.
            sound = np.isfinite(mass).all() and (mass >= 0).all() and (np.maximum.reduceat(mass, cuts[:-1]) > 0).all()
            for s in range(0 if sound else len(cuts) - 1):
                weights_array(mass[cuts[s] : cuts[s + 1]], f"sequence {s}", int(cuts[s + 1] - cuts[s]))
        rounded, rest = False, None
        if flat.dtype == np.float32 and may_lose(source):
            rounded, rest = _left_over([source], flat, np.array([0, len(flat)]))
        return cls._of(flat, cuts, mass, steps, rest, rounded)

    @classmethod
    def _of(
        cls,
        tokens: NDArray[Any],
        offsets: NDArray[np.int64],
        weights: NDArray[np.float64] | None,
        scales: NDArray[np.float32] | None,
        rest: NDArray[np.float64] | None,
        rounded: bool,
    ) -> Sequences:
        """Wrap arrays that are known to be good."""
        batch = cls.__new__(cls)
        #: What float32 left of each component, kept where tokens lie far from the origin.
        batch._rest = None if rest is None else read_only(rest)
        #: Whether some component was given with more digits than float32 holds.
        batch._rounded = rounded
        batch._tokens = read_only(tokens)
        batch._scales = None if scales is None else read_only(scales)
        batch._offsets = read_only(offsets)
        batch._weights = None if weights is None else read_only(weights)
        return batch

    def astype(self, dtype: str) -> Sequences:
        """Store the tokens in another type; each number becomes the nearest that the type can hold.

        Parameters
        ----------
        dtype : {"float32", "float16", "bfloat16", "int8"}
            4, 2, 2 and 1 byte a component. float16 keeps 11 bits of numbers up to 65504, bfloat16 8 bits of any size;
            int8 keeps the multiples, up to 127, of a step that each token has for itself (4 more bytes a token).

        Returns
        -------
        Sequences
            A batch with the same offsets and weights; this one if it has the type already.

        Raises
        ------
        ValueError
            If the type is unknown, or a number too large for it; the message names the sequence.

        Warns
        -----
        PrecisionWarning
            If tokens lie far from the origin and near to each other: what tells them apart may be lost. An `Index` of
            another `dtype` first moves the origin amid them.

        Examples
        --------
        >>> import numpy as np
        >>> docs = Sequences([[[1.0, 0.1]], [[0.5, 0.25]]]).astype("int8")
        >>> docs
        Sequences(2 sequences, 2 tokens, dim=2, int8)
        >>> docs[0].round(4)
        array([[1.    , 0.1024]], dtype=float32)
        """
        name = token_dtype(dtype)
        if name == self.dtype:
            return self
        if self._rest is not None:
            warnings.warn(
                f"tokens lie far from the origin and near to each other; {name} keeps little of what tells them apart: "
                "subtract their mean before",
                PrecisionWarning,
                stacklevel=2,
            )
        tokens, scales = convert(self._tokens, self._scales, name)
        _require_finite(tokens, scales, self._offsets)
        return self._of(tokens, self._offsets, self._weights, scales, None, self._rounded)

    def _with_tokens(self, tokens: NDArray[np.float32], weights: NDArray[np.float64] | None) -> Sequences:
        """The same sequences with other tokens, that are known to be good."""
        return self._of(tokens, self._offsets, weights, None, None, self._rounded)

    @property
    def dtype(self) -> str:
        """How tokens are stored: "float32", "float16", "bfloat16" or "int8"."""
        return dtype_of(self._tokens)

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        arrays = (self._tokens, self._rest, self._scales, self._offsets, self._weights)
        return sum(array.nbytes for array in arrays if array is not None)

    @property
    def tokens(self) -> NDArray[Any]:
        """All tokens as they are stored, shape (T, d), read-only; bfloat16 as uint16."""
        return self._tokens

    @property
    def scales(self) -> NDArray[np.float32] | None:
        """What the integers of int8 tokens are multiplied with, shape (T,), read-only; None with other types."""
        return self._scales

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each sequence begins, and T, shape (N + 1,), read-only."""
        return self._offsets

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """The mass of each token as given, shape (T,), read-only; None if the measure is to make it."""
        return self._weights

    @property
    def dim(self) -> int:
        """Dimension of the tokens."""
        return int(self._tokens.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each sequence, shape (N,)."""
        return np.diff(self._offsets)

    def weights_of(self, s: int) -> NDArray[np.float64] | None:
        """Weights of sequence `s`, shape (n_s,), or None if the batch has none."""
        rows = self._rows(s)
        return None if self._weights is None else self._weights[rows]

    def _rows(self, s: int) -> slice:
        place = operator.index(s)
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(f"sequence {s} of {len(self)}")
        return slice(self._offsets[place], self._offsets[place + 1])

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, key: int) -> NDArray[np.floating]: ...
    @overload
    def __getitem__(self, key: slice | NDArray[Any] | list[int]) -> Sequences: ...
    def __getitem__(self, key: int | slice | NDArray[Any] | list[int]) -> NDArray[np.floating] | Sequences:
        if isinstance(key, (int, np.integer)):
            rows = self._rows(int(key))
            tokens = decode(self._tokens[rows], None if self._scales is None else self._scales[rows])
            return tokens if self._rest is None else tokens + self._rest[rows]
        if isinstance(key, slice) and key.step in (None, 1):
            start, stop, _ = key.indices(len(self))
            if stop <= start:
                raise ValueError("a batch of sequences cannot be empty")
            begin, end = self._offsets[start], self._offsets[stop]
            return self._of(
                self._tokens[begin:end],
                self._offsets[start : stop + 1] - begin,
                None if self._weights is None else self._weights[begin:end],
                None if self._scales is None else self._scales[begin:end],
                None if self._rest is None else self._rest[begin:end],
                self._rounded,
            )
        chosen = np.arange(len(self))[key]
        if chosen.ndim != 1 or chosen.size == 0:
            raise ValueError("expected a non-empty one-dimensional selection of sequences")
        places = np.concatenate([np.arange(self._offsets[s], self._offsets[s + 1]) for s in chosen])
        offsets = np.zeros(len(chosen) + 1, dtype=np.int64)
        np.cumsum(self.lengths[chosen], out=offsets[1:])
        return self._of(
            self._tokens[places],
            offsets,
            None if self._weights is None else self._weights[places],
            None if self._scales is None else self._scales[places],
            None if self._rest is None else self._rest[places],
            self._rounded,
        )

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        return (self[s] for s in range(len(self)))

    def __add__(self, other: Sequences) -> Sequences:
        if not isinstance(other, Sequences):
            return NotImplemented
        if self.dim != other.dim:
            raise ValueError(f"cannot join sequences of dimension {self.dim} and {other.dim}")
        if (self._weights is None) != (other._weights is None):
            raise ValueError("cannot join sequences with weights and sequences without")
        if self.dtype != other.dtype:
            raise ValueError(f"cannot join {self.dtype} and {other.dtype} tokens; convert one with astype")
        weights = scales = rest = None
        if self._rest is not None or other._rest is not None:
            rest = np.concatenate([np.zeros(b._tokens.shape) if b._rest is None else b._rest for b in (self, other)])
        if self._weights is not None and other._weights is not None:
            weights = np.concatenate([self._weights, other._weights])
        if self._scales is not None and other._scales is not None:
            scales = np.concatenate([self._scales, other._scales])
        return self._of(
            np.concatenate([self._tokens, other._tokens]),
            np.concatenate([self._offsets, other._offsets[1:] + self._offsets[-1]]),
            weights,
            scales,
            rest,
            self._rounded or other._rounded,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = self._tokens, self._offsets, self._weights, self.dtype, self._scales
        return _unpickle, (*arrays, self._rest, self._rounded)

    def __repr__(self) -> str:
        plural = "" if len(self) == 1 else "s"
        dtype = "" if self.dtype == "float32" else f", {self.dtype}"
        weighted = "" if self._weights is None else ", weighted"
        return f"Sequences({len(self)} sequence{plural}, {len(self._tokens)} tokens, dim={self.dim}{dtype}{weighted})"


def _joined(arrays: list[NDArray[np.float32]], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    """All tokens as one array, copied a thousand sequences at a time, between which Ctrl-C is heard."""
    flat = np.empty((int(offsets[-1]), arrays[0].shape[1]), dtype=np.float32)
    for first in range(0, len(arrays), 1000):
        last = min(first + 1000, len(arrays))
        np.concatenate(arrays[first:last], out=flat[offsets[first] : offsets[last]])
    return flat


def _left_over(
    sources: list[NDArray[Any] | None], tokens: NDArray[np.float32], offsets: NDArray[np.int64]
) -> tuple[bool, NDArray[np.float64] | None]:
    """Whether tokens were rounded, and what that took from each where they lie far from the origin.

    `sources` are what each sequence was given as, or None where float32 holds it.
    """
    cuts = offsets.tolist()
    given = [(source, slice(cuts[s], cuts[s + 1])) for s, source in enumerate(sources) if source is not None]
    if not any(is_rounded(source, tokens[rows]) for source, rows in given):
        return False, None
    if not Extent.of(tokens).far().any():
        return True, None
    rest = np.zeros(tokens.shape)
    for source, rows in given:
        rest[rows] = rest_of(source, tokens[rows])
    return True, rest


def _stored(tokens: ArrayLike, dtype: str, scales: ArrayLike | None) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Flat tokens in the type that they are to be stored in, and their scales."""
    if (scales is None) == (dtype == "int8"):
        raise ValueError("scales: int8 tokens need them, other types have none")
    if dtype in ("float32", "float16"):
        flat: NDArray[Any] = real_array(tokens, "tokens", ndim=2, dtype=STORED_AS[dtype])
        return flat, None
    flat = plain_array(tokens, "tokens")
    if flat.dtype != STORED_AS[dtype]:
        expected = np.dtype(STORED_AS[dtype]).name
        raise TypeError(f"tokens: expected {dtype} as {expected}, got dtype {flat.dtype}; astype converts a batch")
    flat = real_array(flat, "tokens", ndim=2, dtype=STORED_AS[dtype])
    if scales is None:
        return flat, None
    steps: NDArray[np.float32] = real_array(scales, "scales", ndim=1, dtype=np.float32)
    if len(steps) != len(flat):
        raise ValueError(f"scales: expected {len(flat)}, one a token, got {len(steps)}")
    return flat, steps


def _require_finite(tokens: NDArray[Any], scales: NDArray[np.float32] | None, offsets: NDArray[np.int64]) -> None:
    bad = first_non_finite(tokens, scales)
    if bad >= 0:
        s = int(np.searchsorted(offsets, bad, side="right")) - 1
        raise ValueError(f"sequence {s}: token {bad - offsets[s]} is not finite in {dtype_of(tokens)}")


def _unpickle(
    tokens: NDArray[Any],
    offsets: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
    dtype: str,
    scales: NDArray[np.float32] | None,
    rest: NDArray[np.float64] | None,
    rounded: bool,
) -> Sequences:
    batch = Sequences.from_flat(tokens, offsets, weights, dtype=dtype, scales=scales)
    return Sequences._of(batch._tokens, batch._offsets, batch._weights, batch._scales, rest, rounded)


def as_sequences(value: Sequences | Sequence[ArrayLike], name: str) -> Sequences:
    """Take a batch as it is, or make one; errors name the argument."""
    if isinstance(value, Sequences):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 2:
        raise ValueError(
            f"{name}: expected a batch, got one array of shape {value.shape}; put it in a list (histograms need costs=)"
        )
    try:
        return Sequences(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def as_query(value: Sequences | ArrayLike, weights: ArrayLike | None, name: str, weights_name: str) -> Sequences:
    """One sequence in float32 as a batch, from an (n, d) array or a batch of one; errors name the argument."""
    if isinstance(value, Sequences):
        if len(value) != 1:
            raise ValueError(f"{name}: expected one sequence, got a batch of {len(value)}")
        batch = value if value.dtype == "float32" else value.astype("float32")
        own = batch._weights
    else:
        tokens, source = tokens_and_source(value, name)
        offsets = np.array([0, len(tokens)], dtype=np.int64)
        rounded, rest = _left_over([source], tokens, offsets) if may_lose(source) else (False, None)
        batch = Sequences._of(tokens, offsets, None, None, rest, rounded)
        own = None
    mass = own if weights is None else weights_array(weights, weights_name, len(batch._tokens))
    if mass is own:
        return batch
    return Sequences._of(batch._tokens, batch._offsets, mass, None, batch._rest, batch._rounded)
