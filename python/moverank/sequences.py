"""Ragged batches of vector sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._validate import real_array, tokens_array, weights_array


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


class Sequences:
    """A batch of sequences of vectors, stored flat: documents, or queries.

    Sequence `s` owns the rows ``offsets[s]:offsets[s + 1]`` of `tokens`. The batch is immutable and every sequence in
    it has been checked: at least one token, finite numbers, weights that are non-negative and not all zero.

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

    __slots__ = ("_offsets", "_tokens", "_weights")

    def __init__(self, sequences: Sequence[ArrayLike], weights: Sequence[ArrayLike] | None = None) -> None:
        if isinstance(sequences, (str, bytes)) or not hasattr(sequences, "__iter__"):
            what = "text" if isinstance(sequences, (str, bytes)) else type(sequences).__name__
            raise TypeError(f"expected a list of (n, d) arrays, got {what}")
        arrays = [tokens_array(x, f"sequence {s}") for s, x in enumerate(sequences)]
        if not arrays:
            raise ValueError("expected at least one sequence, got none")
        dim = arrays[0].shape[1]
        for s, array in enumerate(arrays):
            if array.shape[1] != dim:
                raise ValueError(f"sequence {s}: has dimension {array.shape[1]}, sequence 0 has {dim}")
        flat_weights = None
        if weights is not None:
            if len(weights) != len(arrays):
                raise ValueError(f"weights: expected {len(arrays)} arrays, one a sequence, got {len(weights)}")
            flat_weights = np.concatenate(
                [
                    weights_array(w, f"sequence {s}", len(x))
                    for s, (w, x) in enumerate(zip(weights, arrays, strict=True))
                ]
            )
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(x) for x in arrays], out=offsets[1:])
        self._tokens = _read_only(np.concatenate(arrays))
        self._offsets = _read_only(offsets)
        self._weights = None if flat_weights is None else _read_only(flat_weights)

    @classmethod
    def from_flat(cls, tokens: ArrayLike, offsets: ArrayLike, weights: ArrayLike | None = None) -> Sequences:
        """Make a batch over flat arrays, without copying those that have the right dtype and order.

        Parameters
        ----------
        tokens : array_like, shape (T, d)
            All tokens, sequence after sequence; float32 in C order is used in place.
        offsets : array_like of int, shape (N + 1,)
            Where each sequence begins; the last entry is T.
        weights : array_like, shape (T,), optional
            The mass of each token; float64 is used in place.

        Returns
        -------
        Sequences
            A view of the arrays. Who changes them afterwards changes the batch.

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
        flat: NDArray[np.float32] = real_array(tokens, "tokens", ndim=2, dtype=np.float32)
        cuts = np.asarray(offsets)
        if cuts.dtype.kind not in "iu":
            raise TypeError(f"offsets: expected integers, got dtype {cuts.dtype}")
        if cuts.ndim != 1 or cuts.size < 2:
            raise ValueError(f"offsets: expected shape (N + 1,) with N at least 1, got shape {cuts.shape}")
        cuts = np.ascontiguousarray(cuts, dtype=np.int64)
        if cuts[0] != 0 or cuts[-1] != len(flat):
            raise ValueError(
                f"offsets: must start at 0 and end at {len(flat)}, the number of tokens, got {cuts[0]} and {cuts[-1]}"
            )
        lengths = np.diff(cuts)
        if (lengths < 0).any():
            raise ValueError(f"offsets: decrease after entry {int(np.argmax(lengths < 0))}")
        if (lengths == 0).any():
            empty = int(np.argmax(lengths == 0))
            raise ValueError(f"sequence {empty}: has no tokens; an empty sequence has no mass to move")
        if flat.shape[1] == 0:
            raise ValueError(f"tokens: have no dimensions (shape {flat.shape})")
        bad = _core.first_non_finite_row(flat)
        if bad >= 0:
            s = int(np.searchsorted(cuts, bad, side="right")) - 1
            raise ValueError(f"sequence {s}: token {bad - cuts[s]} is not finite in float32")
        mass: NDArray[np.float64] | None = None
        if weights is not None:
            mass = real_array(weights, "weights", ndim=1, dtype=np.float64)
            if len(mass) != len(flat):
                raise ValueError(f"weights: expected {len(flat)} weights, one a token, got {len(mass)}")
            # All at once first: a batch may hold millions of sequences. The loop below only finds whom to name.
            sound = np.isfinite(mass).all() and (mass >= 0).all() and (np.maximum.reduceat(mass, cuts[:-1]) > 0).all()
            for s in range(0 if sound else len(lengths)):
                weights_array(mass[cuts[s] : cuts[s + 1]], f"sequence {s}", int(lengths[s]))
        return cls._of(flat, cuts, mass)

    @classmethod
    def _of(
        cls,
        tokens: NDArray[np.float32],
        offsets: NDArray[np.int64],
        weights: NDArray[np.float64] | None,
    ) -> Sequences:
        """Wrap arrays that are known to be good."""
        batch = cls.__new__(cls)
        batch._tokens = _read_only(tokens)
        batch._offsets = _read_only(offsets)
        batch._weights = None if weights is None else _read_only(weights)
        return batch

    @property
    def tokens(self) -> NDArray[np.float32]:
        """All tokens, shape (T, d), read-only."""
        return self._tokens

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
        if self._weights is None:
            return None
        return self._weights[self._offsets[s] : self._offsets[s + 1]]

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, key: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, key: slice | NDArray[Any] | list[int]) -> Sequences: ...
    def __getitem__(self, key: int | slice | NDArray[Any] | list[int]) -> NDArray[np.float32] | Sequences:
        if isinstance(key, (int, np.integer)):
            s = int(key) + len(self) if key < 0 else int(key)
            if not 0 <= s < len(self):
                raise IndexError(f"sequence {key} of {len(self)}")
            return self._tokens[self._offsets[s] : self._offsets[s + 1]]
        if isinstance(key, slice) and key.step in (None, 1):
            start, stop, _ = key.indices(len(self))
            if stop <= start:
                raise ValueError("a batch of sequences cannot be empty")
            begin, end = self._offsets[start], self._offsets[stop]
            return self._of(
                self._tokens[begin:end],
                self._offsets[start : stop + 1] - begin,
                None if self._weights is None else self._weights[begin:end],
            )
        chosen = np.arange(len(self))[key]
        if chosen.ndim != 1 or chosen.size == 0:
            raise ValueError("expected a non-empty one-dimensional selection of sequences")
        rows = np.concatenate([np.arange(self._offsets[s], self._offsets[s + 1]) for s in chosen])
        offsets = np.zeros(len(chosen) + 1, dtype=np.int64)
        np.cumsum(self.lengths[chosen], out=offsets[1:])
        return self._of(self._tokens[rows], offsets, None if self._weights is None else self._weights[rows])

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[s] for s in range(len(self)))

    def __add__(self, other: Sequences) -> Sequences:
        if not isinstance(other, Sequences):
            return NotImplemented
        if self.dim != other.dim:
            raise ValueError(f"cannot join sequences of dimension {self.dim} and {other.dim}")
        if (self._weights is None) != (other._weights is None):
            raise ValueError("cannot join sequences with weights and sequences without")
        weights = None
        if self._weights is not None and other._weights is not None:
            weights = np.concatenate([self._weights, other._weights])
        return self._of(
            np.concatenate([self._tokens, other._tokens]),
            np.concatenate([self._offsets, other._offsets[1:] + self._offsets[-1]]),
            weights,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Sequences.from_flat, (self._tokens, self._offsets, self._weights)

    def __repr__(self) -> str:
        plural = "" if len(self) == 1 else "s"
        weighted = "" if self._weights is None else ", weighted"
        return f"Sequences({len(self)} sequence{plural}, {len(self._tokens)} tokens, dim={self.dim}{weighted})"


def as_sequences(value: Sequences | Sequence[ArrayLike], name: str) -> Sequences:
    """Take a batch as it is, or make one; errors name the argument."""
    if isinstance(value, Sequences):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 2:
        raise ValueError(f"{name}: expected a batch, got one array of shape {value.shape}; put it into a list")
    try:
        return Sequences(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def as_query(
    value: Sequences | ArrayLike, weights: ArrayLike | None, name: str, weights_name: str
) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """Tokens and weights of one sequence, from an (n, d) array or a batch of one."""
    if isinstance(value, Sequences):
        if len(value) != 1:
            raise ValueError(f"{name}: expected one sequence, got a batch of {len(value)}")
        tokens = value.tokens
        own_weights = value.weights
    else:
        tokens = tokens_array(value, name)
        own_weights = None
    if weights is None:
        return tokens, own_weights
    return tokens, weights_array(weights, weights_name, len(tokens))
