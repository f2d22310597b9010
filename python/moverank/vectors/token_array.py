"""An object that acts as an array of tokens, without losing weights unnoticed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike, NDArray

#: Functions whose results are tables of numbers about tokens, not tokens.
_SUMMARISING: frozenset[Any] = frozenset(
    (np.quantile, np.nanquantile, np.percentile, np.nanpercentile, np.cov, np.corrcoef, np.linalg.svd)
)

#: Functions that write tokens to where weights cannot be stored.
_SAVING: frozenset[Any] = frozenset((np.save, np.savez, np.savez_compressed, np.savetxt))


class TokenArray(NDArrayOperatorsMixin):
    """Acts as the (n, d) array of its tokens where an array is expected; `tokens` is that array.

    NumPy's functions see only the tokens. If there are weights, functions whose result could pass for a sequence
    without them, a float array of two or more dimensions, raise a TypeError; reductions and tables about tokens do
    not. `numpy.asarray` gives the tokens, and so do functions built on it, such as `numpy.r_`.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # compared by element, like arrays

    @property
    @abstractmethod
    def tokens(self) -> NDArray[np.floating]:
        """The vectors, shape (n, d), read-only."""

    @property
    @abstractmethod
    def _mass(self) -> NDArray[Any] | None:
        """What would be lost: weights or counts."""

    @abstractmethod
    def mass(self, weighting: str) -> NDArray[np.float64]:
        """Mass of each token under a weighting, shape (n,), before normalisation."""

    @abstractmethod
    def _as_sequence(self, mass: NDArray[np.float64] | None) -> Any:
        """The same tokens as a `Sequence` with this mass."""

    @abstractmethod
    def _with(self, tokens: NDArray[Any]) -> Any:
        """Other vectors with the same mass."""

    @property
    def dim(self) -> int:
        """Dimension of the tokens."""
        return int(self.tokens.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of tokens and their dimension."""
        n, dim = self.tokens.shape
        return n, dim

    @property
    def ndim(self) -> int:
        """2, as of an array."""
        return 2

    @property
    def size(self) -> int:
        """Number of components."""
        return int(self.tokens.size)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """That of `tokens`."""
        return self.tokens.dtype

    def __len__(self) -> int:
        return len(self.tokens)

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        return iter(self.tokens)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        tokens = self.tokens
        if dtype is None or np.dtype(dtype) == tokens.dtype:
            return tokens.copy() if copy else tokens
        if copy is False:
            raise ValueError(f"tokens are {tokens.dtype}: as {np.dtype(dtype)} they must be copied")
        return tokens.astype(dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(out, TokenArray) for out in options.get("out", ())):
            raise TypeError(f"a {type(self).__name__} cannot be written to")
        result = getattr(ufunc, method)(*map(plain, inputs), **options)
        heavy = [x for x in inputs if isinstance(x, TokenArray) and x._mass is not None]
        makes_tokens = (
            isinstance(result, np.ndarray)
            and result.ndim == 2
            and result.dtype.kind == "f"
            and method == "__call__"
            and np.isfinite(result).all()
        )
        if not heavy or not makes_tokens or len(result) != len(heavy[0]):
            return result
        if ufunc.signature is not None:  # a matrix product, whose result may be anything
            raise TypeError(_losing(ufunc.__name__))
        if any(not np.array_equal(x._mass, heavy[0]._mass) for x in heavy[1:]):  # type: ignore[arg-type]
            raise TypeError(f"{ufunc.__name__}: sequences have different weights; use .tokens to ignore them")
        return heavy[0]._with(result)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
        is_heavy = _any_heavy([args, options])
        if is_heavy and function in _SAVING:
            raise TypeError(_losing(function.__name__))
        result = function(*plain(args), **plain(options))
        is_summary = function in _SUMMARISING or bool(options.get("keepdims"))
        if is_heavy and not is_summary and _could_be_tokens(result):
            raise TypeError(_losing(function.__name__))
        return result

    def __getattr__(self, name: str) -> Any:
        """Methods of arrays, such as ``mean``, if there are no weights that the results would lose."""
        hint = ""
        if name[:1] != "_" and hasattr(np.ndarray, name):
            if self._mass is None:
                return getattr(self.tokens, name)
            hint = f"; use .tokens.{name} for that of the array without weights"
        kind = type(self).__name__
        raise AttributeError(f"{kind!r} object has no attribute {name!r}{hint}", name=name, obj=self)


def plain(value: Any) -> Any:
    """Arguments of NumPy with arrays in place of sequences."""
    if isinstance(value, TokenArray):
        return value.tokens
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value


def _could_be_tokens(result: Any) -> bool:
    if isinstance(result, (list, tuple)):
        return any(map(_could_be_tokens, result))
    return isinstance(result, np.ndarray) and result.ndim >= 2 and result.dtype.kind == "f"


def _any_heavy(value: Any) -> bool:
    if isinstance(value, TokenArray):
        return value._mass is not None
    if isinstance(value, dict):
        return any(map(_any_heavy, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_any_heavy, value))


def _losing(function: str) -> str:
    return (
        f"{function}: would lose the weights of a sequence; use .tokens for an array without, moverank.Sequences for a "
        "batch, or moverank.Sequence(tokens, weights) to keep them"
    )


def rows_of(key: Any) -> Any:
    """The part of an index that selects tokens."""
    rows = key[:1] if isinstance(key, tuple) else (key,)
    return slice(None) if not rows or rows[0] is Ellipsis else rows[0]
