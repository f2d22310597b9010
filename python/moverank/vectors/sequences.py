"""Ragged batches of vector sequences."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from typing import Any, Protocol, TypeAlias, overload, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.arrays import ENCODE_FIRST, is_tensor, plain_array
from moverank._support.storage import TYPES, Stored, token_dtype
from moverank._support.validate import (
    as_list,
    mass_array,
    offsets_array,
    read_only,
    tokens_and_source,
    weights_array,
)
from moverank._support.warn import warn
from moverank.errors import PrecisionWarning
from moverank.vectors.digests import Came, Digests, digests_of
from moverank.vectors.flat import (
    joined,
    joined_digests,
    joined_weights,
    left_over,
    lost_of,
    require_finite,
    selected,
    stored,
)
from moverank.vectors.padded import cut, warn_if_padded
from moverank.vectors.rounding import Extent, longest, may_lose
from moverank.vectors.token_array import TokenArray, plain, rows_of
from moverank.vectors.weighting import WEIGHTINGS, mass_of, require_weighting


@runtime_checkable
class OneSource(Protocol):
    """An object that can give one sequence: a `Bag`, an encoded text."""

    def to_sequence(self, weighting: str = ...) -> Sequence:
        """Return its tokens and weights, as a measure with this weighting needs them."""
        ...


@runtime_checkable
class BatchSource(Protocol):
    """An object that can give a batch: `Bags`, encoded texts."""

    def to_sequences(self, weighting: str = ...) -> Sequences:
        """Return tokens and weights, as a measure with this weighting needs them."""
        ...


class Sequences:
    """A batch of sequences of vectors, stored flat: documents, or queries.

    Sequence `s` owns the rows ``offsets[s]:offsets[s + 1]`` of `tokens`. The batch is immutable and every sequence in
    it has been checked: at least one token, finite numbers, weights that are non-negative and not all zero. Tokens are
    float32, or stored more compactly (`astype`); distances are exact for what is stored.

    If tokens come in float64 (or as large integers) and lie far from the origin and near to each other, such as
    timestamps or projected coordinates, the digits beyond float32 are kept: Euclidean and squared Euclidean costs are
    then computed about an origin amid the tokens. Cosines and inner products depend on the origin, so each component
    counts as float32 holds it, to 24 bits.

    Parameters
    ----------
    sequences : sequence of array_like or Sequence, each of shape (n_s, d)
        The token vectors of each sequence. Real numbers of any dtype are converted to float32, once. A `Sequence`, or
        an encoded text, carries its weights; then all of the others must have weights, too.
    weights : sequence of array_like, each of shape (n_s,), optional
        The mass of each token, in any unit: it is normalised to total 1 for each sequence when used. Given weights
        replace those that sequences carry, and the weighting that a measure would apply.

    Raises
    ------
    TypeError
        If something is not made of real numbers.
    ValueError
        If a sequence is empty, is not finite, or differs in dimension from the first; the message names it.

    Warns
    -----
    PaddingWarning
        If all have the same length and no weights, and one ends in zero vectors: `from_padded` cuts padding off.

    Examples
    --------
    >>> import numpy as np
    >>> docs = Sequences([np.eye(3), np.ones((2, 3))])
    >>> docs
    Sequences(2 sequences, 5 tokens, dim=3)
    >>> docs[1]
    Sequence(2 tokens, dim=3)
    >>> len(docs + docs[:1])
    3
    """

    __slots__ = ("_digests", "_offsets", "_rest", "_stored", "_weights")
    #: Otherwise NumPy would treat a batch as an array, and + would add numbers instead of joining batches.
    __array_ufunc__ = None

    def __init__(self, sequences: Batch, weights: Iterable[ArrayLike] | None = None) -> None:
        self._make(sequences, weights, counts_zeros=True)

    def _make(self, sequences: Batch, weights: Iterable[ArrayLike] | None, *, counts_zeros: bool) -> None:
        """Make it; `counts_zeros` says whether zero vectors without weights matter to the caller."""
        arrays: list[NDArray[np.float32]] = []
        sources: list[NDArray[Any] | None] = []
        own_weights: list[NDArray[np.float64] | None] = []
        own_digests: list[Digests | None] = []
        made: list[bool] = []
        for s, x in enumerate(_listed(sequences)):
            one = _one(x, f"sequence {s}")
            own_weights.append(None if one is None else one.weights)
            made.append(one is not None)
            tokens, source = tokens_and_source(x if one is None else one.tokens, f"sequence {s}")
            arrays.append(tokens)
            sources.append(source if may_lose(source) else None)
            own_digests.append(None if one is None else one._batch._digests_of_these)
        if not arrays:
            raise ValueError("expected at least one sequence, got none")
        if counts_zeros and weights is None and all(brought is None for brought in own_weights):
            warn_if_padded([array for array, one in zip(arrays, made, strict=True) if not one])
        dim = arrays[0].shape[1]
        for s, array in enumerate(arrays):
            if array.shape[1] != dim:
                raise ValueError(f"sequence {s}: has dimension {array.shape[1]}, sequence 0 has {dim}")
        flat_weights = joined_weights(own_weights) if weights is None else None
        if weights is not None:
            given = as_list(weights, "weights", "arrays")
            if len(given) != len(arrays):
                raise ValueError(f"weights: expected {len(arrays)} arrays, one per sequence, got {len(given)}")
            flat_weights = np.concatenate(
                [weights_array(w, f"sequence {s}", len(x)) for s, (w, x) in enumerate(zip(given, arrays, strict=True))]
            )
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(x) for x in arrays], out=offsets[1:])
        flat = joined(arrays, offsets)
        rounded, rest = left_over(sources, flat, offsets)
        rounded |= any(own is not None for own in own_digests)
        digests = read_only(joined_digests(sources, own_digests, flat, offsets)) if rounded else None
        self._digests: Digests | None = digests
        self._rest: NDArray[np.float64] | None = rest
        self._stored: Stored = Stored.floats(read_only(flat))
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
        dim: int | None = None,
    ) -> Sequences:
        """Make a batch over flat arrays, without copying those that have the right dtype and order.

        Parameters
        ----------
        tokens : array_like, shape (T, d)
            All tokens, sequence after sequence; an array that has the dtype already, in C order, is used in place.
        offsets : array_like of int, shape (N + 1,)
            Where each sequence begins; the last entry is T.
        weights : array_like, shape (T,), optional
            The mass of each token; float64 is used in place.
        dtype : {"float32", "float16", "bfloat16", "int8", "int4", "int2"}, default "float32"
            How tokens are stored. Any dtype is converted to float32 or float16; the others have to come as they are
            stored (`astype` converts): bfloat16 as the upper halves of float32 in uint16; int4 and int2 as rows of
            uint8, two or four codes per byte, the first in the lowest bits, which stand for code − 7.5 or code − 1.5.
        scales : array_like, shape (T,), optional
            With int8, int4 and int2 only: the factor of each token's numbers, in float32.
        dim : int, optional
            With int4 and int2 only: the dimension d; by default as many components as the bytes of a row hold.

        Returns
        -------
        Sequences
            A view of the arrays, except the offsets. Changing them afterwards changes the batch; an index that was
            built from it then has undefined answers, or refuses.

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
        flat = stored(source, token_dtype(dtype), scales, dim)
        cuts = offsets_array(offsets, len(flat), "sequence", "tokens")
        if flat.dim == 0:
            raise ValueError(f"tokens: have no dimensions (shape {flat.components.shape})")
        require_finite(flat, cuts)
        mass: NDArray[np.float64] | None = None
        if weights is not None:
            mass = mass_array(weights, "weights", ndim=1)
            if len(mass) != len(flat):
                raise ValueError(f"weights: expected {len(flat)} weights, one per token, got {len(mass)}")
            # All at once first: a batch may hold millions of sequences. The loop below only finds the one to name.
            sound = np.isfinite(mass).all() and (mass >= 0).all() and (np.maximum.reduceat(mass, cuts[:-1]) > 0).all()
            for s in range(0 if sound else len(cuts) - 1):
                weights_array(mass[cuts[s] : cuts[s + 1]], f"sequence {s}", int(cuts[s + 1] - cuts[s]))
        digests, rest = lost_of(source, flat.components) if flat.dtype == "float32" else (None, None)
        return cls._of(flat, cuts, mass, rest, digests)

    @classmethod
    def from_padded(
        cls,
        tokens: ArrayLike,
        mask: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
        weights: ArrayLike | None = None,
    ) -> Sequences:
        """Make a batch of sequences that are padded to one length, as models return them, without the padding.

        Parameters
        ----------
        tokens : array_like, shape (n, L, d)
            An array, a tensor, or a masked array of NumPy, whose fully masked tokens are left out. What
            padding holds does not matter; it need not be finite.
        mask : array_like of bool or of 0 and 1, shape (n, L), optional
            True or 1 for real tokens: an ``attention_mask``. (Masks of NumPy's masked arrays and ``key_padding_mask``
            of torch are true for the others: give ``~mask``.)
        lengths : array_like of int, shape (n,), optional
            Instead of a mask, the number of real tokens of each sequence, which come first.
        weights : array_like, shape (n, L), optional
            The mass of each token; that of padding is ignored.

        Returns
        -------
        Sequences
            Copies of the real tokens: n sequences, each with its own length.

        Raises
        ------
        TypeError
            If something is not made of real numbers, or a mask is itself a masked array.
        ValueError
            If shapes do not fit, a mask has other values, or a sequence has no token; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> tokens = np.zeros((2, 3, 4))
        >>> tokens[0], tokens[1, :2] = 1.0, 2.0
        >>> Sequences.from_padded(tokens, [[1, 1, 1], [1, 1, 0]]).lengths.tolist()
        [3, 2]
        """
        return cls.from_flat(*cut(tokens, mask, lengths, weights))

    @classmethod
    def _of(
        cls,
        tokens: Stored,
        offsets: NDArray[np.int64],
        weights: NDArray[np.float64] | None,
        rest: NDArray[np.float64] | None,
        digests: Digests | None,
    ) -> Sequences:
        """Wrap arrays that are known to be good."""
        batch = cls.__new__(cls)
        #: Each component less its float32 value, kept where tokens lie far from the origin.
        batch._rest = None if rest is None else read_only(rest)
        #: Digests of the tokens as given, if some component had more digits than float32 holds.
        batch._digests = None if digests is None else read_only(digests)
        scales = None if tokens.scales is None else read_only(tokens.scales)
        batch._stored = replace(tokens, components=read_only(tokens.components), scales=scales)
        batch._offsets = read_only(offsets)
        batch._weights = None if weights is None else read_only(weights)
        return batch

    def astype(self, dtype: str) -> Sequences:
        """Store the tokens in another type; each number becomes the nearest that the type can hold.

        Parameters
        ----------
        dtype : {"float32", "float16", "bfloat16", "int8", "int4", "int2"}
            4, 2, 2, 1, 1/2 and 1/4 byte per component. float16 keeps 11 bits of numbers up to 65504, bfloat16 8 bits of
            any size. The others keep multiples of a step that each token has for itself (4 more bytes per token): up to
            127 of int8; -7.5, -6.5, …, 7.5 of int4; -1.5, -0.5, 0.5, 1.5 of int2. The step of the latter two is chosen
            for a small squared error, so the largest components may become smaller. None of their multiples is 0:
            vectors that are mostly 0 lose much, but a vector of zeros stays one.

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
        >>> docs[0].tokens.round(4)
        array([[1.    , 0.1024]], dtype=float32)
        """
        name = token_dtype(dtype)
        if name == self.dtype:
            return self
        tokens = self._stored.astype(name)
        require_finite(tokens, self._offsets)
        if self._rest is not None:
            warn(
                f"tokens lie far from the origin and near to each other; {name} keeps little of what tells them apart: "
                "subtract their mean first",
                PrecisionWarning,
            )
        return self._restored(tokens)

    def _restored(self, tokens: Stored) -> Sequences:
        """The same sequences, stored in another way."""
        return self._of(tokens, self._offsets, self._weights, None, self._digests_of_these)

    def _moved(self, tokens: NDArray[np.float32], weights: NDArray[np.float64] | None) -> Sequences:
        """The same sequences about another origin."""
        return self._of(Stored.floats(tokens), self._offsets, weights, None, self._digests)

    @property
    def dtype(self) -> str:
        """How tokens are stored: "float32", "float16", "bfloat16", "int8", "int4" or "int2"."""
        return self._stored.dtype

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        arrays = (self._stored, self._rest, self._digests, self._offsets, self._weights)
        return sum(array.nbytes for array in arrays if array is not None)

    @property
    def tokens(self) -> NDArray[Any]:
        """All tokens as they are stored, shape (T, d), read-only; bfloat16 as uint16.

        int4 and int2 are packed codes in uint8, see `from_flat`: shape (T, ⌈d/2⌉) and (T, ⌈d/4⌉).
        """
        return self._stored.components

    @property
    def scales(self) -> NDArray[np.float32] | None:
        """Factors of int8, int4 and int2 tokens, shape (T,), read-only; None with other types."""
        return self._stored.scales

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each sequence begins, and T, shape (N + 1,), read-only."""
        return self._offsets

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """The mass of each token as given, shape (T,), read-only; None if the measure computes it."""
        return self._weights

    @property
    def dim(self) -> int:
        """Dimension of the tokens."""
        return self._stored.dim

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each sequence, shape (N,)."""
        return np.diff(self._offsets)

    def weights_of(self, s: int) -> NDArray[np.float64] | None:
        """Weights of sequence `s`, shape (n_s,), or None if the batch has none."""
        rows = self._rows(s)
        return None if self._weights is None else self._weights[rows]

    @property
    def _rounded(self) -> bool:
        """Whether some component was given with more digits than float32 holds."""
        return self._digests is not None

    @property
    def _digests_of_these(self) -> Digests | None:
        """Digests of the tokens as given, unless a compact type has changed them since."""
        return self._digests if self.dtype == "float32" else None

    @property
    def _longest(self) -> float:
        """Largest norm of a token."""
        return longest(self._stored.decoded())

    def _extent(self) -> Extent:
        """Least and largest components of the tokens as given."""
        return Extent.of(self._stored, self._rest)

    def _came_of(self, s: int, weighting: str) -> Came:
        """One sequence as given."""
        one = self[s]
        mass = one.mass(weighting)
        heavy = mass > 0
        return Came(self._came(self._rows(s))[heavy], mass[heavy], one._batch._longest)

    def _came(self, rows: slice) -> Digests:
        """Digests of some tokens as given."""
        if self._digests_of_these is not None:
            return self._digests_of_these[rows]
        return digests_of(self._stored[rows].decoded())

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
    def __getitem__(self, key: int) -> Sequence: ...
    @overload
    def __getitem__(self, key: slice | NDArray[Any] | list[int]) -> Sequences: ...
    def __getitem__(self, key: int | slice | NDArray[Any] | list[int]) -> Sequence | Sequences:
        """One sequence, with its weights, or a batch of several."""
        if isinstance(key, (int, np.integer)):
            self._rows(int(key))
            place = int(key) % len(self)
            return Sequence._of(self[place : place + 1])
        places, offsets = selected(self._offsets, key, "sequences")
        return self._of(
            self._stored[places],
            offsets,
            None if self._weights is None else self._weights[places],
            None if self._rest is None else self._rest[places],
            None if self._digests is None else self._digests[places],
        )

    def __iter__(self) -> Iterator[Sequence]:
        return (self[s] for s in range(len(self)))

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        raise TypeError(
            "Sequences are not an array: they differ in length and may have weights; .tokens has all tokens"
        )

    def __add__(self, other: Sequences) -> Sequences:
        if not isinstance(other, Sequences):
            return NotImplemented
        if self.dim != other.dim:
            raise ValueError(f"cannot join sequences of dimension {self.dim} and {other.dim}")
        if (self._weights is None) != (other._weights is None):
            raise ValueError("cannot join sequences with weights and sequences without")
        if self.dtype != other.dtype:
            raise ValueError(f"cannot join {self.dtype} and {other.dtype} tokens; convert one with astype")
        weights = rest = digests = None
        if self._rounded or other._rounded:
            digests = np.concatenate([self._came(slice(None)), other._came(slice(None))])
        if self._rest is not None or other._rest is not None:
            rest = np.concatenate([np.zeros(b._stored.shape) if b._rest is None else b._rest for b in (self, other)])
        if self._weights is not None and other._weights is not None:
            weights = np.concatenate([self._weights, other._weights])
        return self._of(
            self._stored + other._stored,
            np.concatenate([self._offsets, other._offsets[1:] + self._offsets[-1]]),
            weights,
            rest,
            digests,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        stored = self.dtype, self.dim, self._stored.components, self._stored.scales
        arrays = self._offsets, self._weights, self._rest, self._digests
        return _unpickle, (type(self), *stored, *arrays), getattr(self, "__dict__", None)

    def __repr__(self) -> str:
        plural = "" if len(self) == 1 else "s"
        dtype = "" if self.dtype == "float32" else f", {self.dtype}"
        weighted = "" if self._weights is None else ", weighted"
        return f"Sequences({len(self)} sequence{plural}, {len(self._stored)} tokens, dim={self.dim}{dtype}{weighted})"


class Sequence(TokenArray):
    """One sequence of vectors: a query or a document, with its weights if it has any.

    The elements of a `Sequences`. Wherever a sequence is accepted its weights are used, unless weights are given
    as well, which replace them. A list of them is a batch, like a list of arrays; either all have weights or
    none.

    Where an array is expected it acts as the (n, d) array of its tokens: ``np.asarray(x)`` is that array, read-only and
    **without weights**, as is what NumPy's functions compute of it. One index gives a token as an array; slices, masks
    and lists of indices give the `Sequence` of those tokens with their weights, also of a part of their components, as
    in ``x[:, :64]``. Elementwise arithmetic, such as ``x / 2``, keeps weights; what would lose them, such as a product
    with a matrix or `np.concatenate`, is a TypeError if there are weights. ``==`` compares by element, as for arrays.

    Parameters
    ----------
    tokens : array_like, shape (n, d)
        The token vectors, converted to float32; float64 far from the origin keeps its other digits, as in `Sequences`.
        A `Sequence`, a `Bag` or an encoded text keeps its weights.
    weights : array_like, shape (n,), optional
        The mass of each token, in any unit; tokens of weight 0 stay, without effect.

    Raises
    ------
    TypeError
        If something is not made of real numbers.
    ValueError
        If there is no token, a number is not finite, or a weight negative or all of them zero.

    Examples
    --------
    >>> import numpy as np
    >>> from moverank import Sequences
    >>> batch = Sequences([np.eye(3), np.ones((2, 3))], weights=[[1, 2, 3], [1, 1]])
    >>> batch[0]
    Sequence(3 tokens, dim=3, weighted)
    >>> batch[0][1:].weights
    array([2., 3.])
    >>> np.asarray(batch[1]).sum()
    np.float32(6.0)
    """

    __slots__ = ("_batch", "_tokens")

    def __init__(self, tokens: One, weights: ArrayLike | None = None) -> None:
        batch = as_query(tokens, weights, "tokens", "weights")
        # Copies: changing the caller's arrays does not change this.
        rest, mass = batch._rest, batch._weights
        own = Sequences._of(
            Stored.floats(batch.tokens.copy()),
            batch._offsets,
            None if mass is None else mass.copy(),
            None if rest is None else rest.copy(),
            batch._digests,
        )
        self._batch: Sequences = own
        self._tokens: NDArray[np.floating] = _as_floats(own)

    @classmethod
    def _of(cls, batch: Sequences) -> Sequence:
        """Wrap a batch of one."""
        one = cls.__new__(cls)
        one._batch = batch
        one._tokens = _as_floats(batch)
        return one

    @classmethod
    def _made(
        cls, tokens: NDArray[np.float32], weights: NDArray[np.float64] | None, digests: Digests | None
    ) -> Sequence:
        """Wrap arrays that are known to be good."""
        return cls._of(Sequences._of(Stored.floats(tokens), np.array([0, len(tokens)]), weights, None, digests))

    @property
    def tokens(self) -> NDArray[np.floating]:
        """The token vectors, shape (n, d), read-only: float32, or float64 where the batch keeps more digits."""
        return self._tokens

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """The mass of each token as given, shape (n,), read-only; None if the measure computes it."""
        return self._batch.weights

    @property
    def _mass(self) -> NDArray[Any] | None:
        return self._batch.weights

    def mass(self, weighting: str) -> NDArray[np.float64]:
        """Mass of each token, shape (n,), before it is normalised: its weights, or what a weighting gives."""
        require_weighting(weighting, has_weights=self.weights is not None)
        return mass_of(self._tokens, weighting) if self.weights is None else self.weights

    def _as_sequence(self, mass: NDArray[np.float64] | None) -> Sequence:
        return self if mass is None else Sequence._of(as_query(self, mass, "tokens", "weights"))

    def _with(self, tokens: NDArray[Any]) -> Sequence:
        return Sequence(tokens, self.weights)

    def __getitem__(self, key: Any) -> Any:
        found = self._tokens[plain(key)]
        weights = None if self.weights is None else np.ravel(self.weights[plain(rows_of(key))])
        if found.ndim != 2 or (weights is not None and len(weights) != len(found)):
            return found
        return Sequence(found, weights)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._of, (self._batch,), getattr(self, "__dict__", None)

    def __repr__(self) -> str:
        plural = "" if len(self) == 1 else "s"
        weighted = "" if self.weights is None else ", weighted"
        return f"Sequence({len(self)} token{plural}, dim={self.dim}{weighted})"


#: What is accepted for one sequence, and for a batch of them.
One: TypeAlias = Sequences | Sequence | OneSource | BatchSource | ArrayLike
Batch: TypeAlias = Sequences | BatchSource | Iterable[Sequence | OneSource | ArrayLike]


def _as_floats(batch: Sequences) -> NDArray[np.floating]:
    """Tokens of a batch, with what float32 left of them where that is kept."""
    tokens = batch._stored.decoded()
    return read_only(tokens if batch._rest is None else tokens + batch._rest)


def _unpickle(
    kind: type[Sequences],
    dtype: str,
    dim: int,
    tokens: NDArray[Any],
    scales: NDArray[np.float32] | None,
    offsets: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
    rest: NDArray[np.float64] | None,
    digests: Digests | None,
) -> Sequences:
    packed = dim if TYPES[dtype].is_packed else None
    batch = Sequences.from_flat(tokens, offsets, weights, dtype=dtype, scales=scales, dim=packed)
    return kind._of(batch._stored, batch._offsets, batch._weights, rest, digests)


def _listed(sequences: Any) -> Iterable[Any]:
    """The elements of a batch, which must be neither a text nor a table."""
    if isinstance(sequences, (str, bytes)):
        raise TypeError(f"expected a list of (n, d) arrays, got text; {ENCODE_FIRST}")
    if isinstance(sequences, (Mapping, Set)) or hasattr(sequences, "columns") or not hasattr(sequences, "__iter__"):
        raise TypeError(f"expected a list of (n, d) arrays, got {type(sequences).__name__}")
    return plain_array(sequences, "sequences") if is_tensor(sequences) else sequences


def _one(value: Any, name: str) -> Sequence | None:
    """An element of a batch that may have weights; None for an array."""
    if isinstance(value, Sequence):
        return value
    if isinstance(value, np.ndarray):
        return None  # most elements; asking for methods takes longer than the rest
    if isinstance(value, TokenArray) and value._mass is not None:
        raise TypeError(f"{name}: the weights of a counted bag depend on the measure; say bag.to_sequence(weighting)")
    if isinstance(value, OneSource):
        return value.to_sequence()
    if isinstance(value, (Sequences, BatchSource)):
        raise TypeError(f"{name}: expected an (n, d) array or a Sequence, got {type(value).__name__}; + joins batches")
    return None


def _weighed(sequences: Any, weighting: str) -> Iterable[Any]:
    """Elements of a batch with sequences in place of bags: all of them weighted, if any bag has counts."""
    if isinstance(sequences, np.ndarray) and sequences.dtype != object:
        return sequences
    elements = list(_listed(sequences))
    bags = [isinstance(x, TokenArray) and not isinstance(x, Sequence) for x in elements]
    counted = any(is_bag and x._mass is not None for x, is_bag in zip(elements, bags, strict=True))
    return [
        x._as_sequence(x.mass(weighting) if counted else None) if is_bag else x
        for x, is_bag in zip(elements, bags, strict=True)
    ]


def as_sequences(value: Batch, name: str, weighting: str | None = None) -> Sequences:
    """Take a batch as it is, or make one; errors name the argument. `weighting` is that of the measure, for counts."""
    if isinstance(value, Sequences):
        return value
    if isinstance(value, BatchSource):
        return value.to_sequences() if weighting is None else value.to_sequences(weighting)
    if isinstance(value, (Sequence, OneSource)):
        raise ValueError(f"{name}: expected a batch, got one {type(value).__name__}; put it into a list")
    if is_tensor(value):
        value = plain_array(value, name)
    if isinstance(value, np.ndarray) and value.ndim == 2:
        raise ValueError(
            f"{name}: expected a batch, got one array of shape {value.shape}; put it in a list (histograms need costs=)"
        )
    try:
        batch = Sequences.__new__(Sequences)
        # By norm a zero vector gets no mass.
        counts_zeros = weighting is None or not WEIGHTINGS[weighting].needs_vectors
        batch._make(value if weighting is None else _weighed(value, weighting), None, counts_zeros=counts_zeros)
        return batch
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def as_query(
    value: One, weights: ArrayLike | None, name: str, weights_name: str, weighting: str | None = None
) -> Sequences:
    """One sequence in float32 as a batch: of an (n, d) array, a `Sequence` or what stands for one, or a batch of one.

    Weights that are given take the place of those that it has. `weighting` is that of the measure, for counts.
    """
    if weighting is None and isinstance(value, TokenArray) and value._mass is not None and weights is None:
        value = _one(value, name)  # type: ignore[assignment]  # refuses counts, whose meaning depends on the measure
    options = () if weighting is None else (weighting,)
    if not isinstance(value, np.ndarray):  # of which asking for methods takes longer than the rest
        if isinstance(value, BatchSource):
            value = value.to_sequences(*options)
        if isinstance(value, OneSource):
            value = value.to_sequence(*options)
    if isinstance(value, Sequence):
        value = value._batch
    if isinstance(value, Sequences):
        if len(value) != 1:
            raise ValueError(f"{name}: expected one sequence, got a batch of {len(value)}")
        batch = value if value.dtype == "float32" else value.astype("float32")
        own = batch._weights
    else:
        tokens, source = tokens_and_source(value, name)
        offsets = np.array([0, len(tokens)], dtype=np.int64)
        digests, rest = lost_of(source, tokens)
        batch = Sequences._of(Stored.floats(tokens), offsets, None, rest, digests)
        own = None
    mass = own if weights is None else weights_array(weights, weights_name, len(batch._stored))
    if mass is own:
        return batch
    return Sequences._of(batch._stored, batch._offsets, mass, batch._rest, batch._digests)
