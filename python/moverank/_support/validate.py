"""Conversion and checks of arguments: once, here, with errors that name the argument."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.arrays import ENCODE_FIRST, is_tensor, is_text, plain_array

F = TypeVar("F")


def real_array(value: Any, name: str, *, ndim: int, dtype: type[np.generic]) -> NDArray[Any]:
    """Convert to a C-contiguous real array of `dtype` and `ndim` dimensions, without a copy where none is needed."""
    array = plain_array(value, name)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if array.ndim != ndim:
        shape = {1: "(n,)", 2: "(n, d)", 3: "(N, n, m)"}[ndim]
        raise ValueError(f"{name}: expected an array of shape {shape}, got shape {array.shape}")
    if array.dtype == dtype and array.flags.c_contiguous:
        return array
    # What float32 cannot hold becomes infinite and is reported as such; NumPy's casts warn about only some NaN.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(array, dtype=dtype)


def tokens_array(value: Any, name: str) -> NDArray[np.float32]:
    """Check one sequence's tokens: (n, d), n and d at least 1, finite."""
    return tokens_and_source(value, name)[0]


def tokens_and_source(value: Any, name: str) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """The same, together with the array as it was given, in its own dtype."""
    if is_text(value):
        raise TypeError(f"{name}: expected real numbers, got text; {ENCODE_FIRST}")
    source = plain_array(value, name)
    tokens: NDArray[np.float32] = real_array(source, name, ndim=2, dtype=np.float32)
    if tokens.shape[0] == 0:
        raise ValueError(f"{name}: has no tokens; an empty sequence has no mass to move")
    if tokens.shape[1] == 0:
        raise ValueError(f"{name}: tokens have no dimensions (shape {tokens.shape})")
    bad = _core.first_non_finite_row(tokens)
    if bad >= 0:
        raise ValueError(f"{name}: token {bad} is not finite in float32")
    return tokens, source


def mass_array(value: Any, name: str, *, ndim: int) -> NDArray[np.float64]:
    """Convert to float64; a masked weight becomes zero, as NumPy leaves it out of sums."""
    if isinstance(value, np.ma.MaskedArray):
        value = value.filled(0)
    mass: NDArray[np.float64] = real_array(value, name, ndim=ndim, dtype=np.float64)
    return mass


def weights_array(value: Any, name: str, n: int) -> NDArray[np.float64]:
    """Check one sequence's weights: (n,), finite, non-negative, not all zero."""
    weights = mass_array(value, name, ndim=1)
    if weights.shape[0] != n:
        raise ValueError(f"{name}: expected {n} weights, one per token, got {weights.shape[0]}")
    fault = _core.weights_fault(weights)
    if fault:
        raise ValueError(f"{name}: {fault}")
    return weights


def offsets_array(value: Any, n_items: int, owner: str, items: str) -> NDArray[np.int64]:
    """Check offsets that divide `n_items` items (tokens) among owners (sequences), at least one item each."""
    cuts = plain_array(value, "offsets")
    if cuts.dtype.kind not in "iu":
        raise TypeError(f"offsets: expected integers, got dtype {cuts.dtype}")
    if cuts.ndim != 1 or cuts.size < 2:
        raise ValueError(f"offsets: expected shape (N + 1,) with N at least 1, got shape {cuts.shape}")
    # Always a copy: the core relies on them, so the caller must not be able to change them.
    cuts = np.array(cuts, dtype=np.int64, order="C")
    if cuts[0] != 0 or cuts[-1] != n_items:
        raise ValueError(
            f"offsets: must start at 0 and end at {n_items}, the number of {items}, got {cuts[0]} and {cuts[-1]}"
        )
    lengths = np.diff(cuts)
    if (lengths < 0).any():
        raise ValueError(f"offsets: decrease after entry {int(np.argmax(lengths < 0))}")
    if (lengths == 0).any():
        empty = int(np.argmax(lengths == 0))
        raise ValueError(f"{owner} {empty}: has no {items}; an empty {owner} has no mass to move")
    return cuts


def as_list(value: Any, name: str, items: str) -> list[Any]:
    """A collection as a list, by position, whatever its labels.

    Series and indexes of pandas, arrays, tensors of one dimension, Arrow arrays, tuples and generators are accepted; a
    text, a mapping, a set, a table or a single thing in place of a list is a TypeError, masked entries a ValueError.
    """
    _require_order(value, f"{name}: expected a list of {items}")
    if hasattr(value, "to_pylist"):  # Arrow: its scalars do not compare equal to strings or numbers
        return list(value.to_pylist())
    if is_tensor(value) and value.ndim == 1:  # elements would be tensors, which hash by identity
        return list(plain_array(value, name))
    listed = list(value)
    if any(item is np.ma.masked for item in listed):
        raise ValueError(f"{name}: has masked entries; leave them out, as in x[~mask]")
    return listed


def _require_order(value: Any, expected: str) -> None:
    """Refuse what has no items or no order of them, and mappings and tables, which iterate over names."""
    found = type(value).__name__
    single = not isinstance(value, Iterable) or getattr(value, "shape", None) == ()
    # The keys of a dict are a Set, too, and have an order.
    if single or isinstance(value, (str, bytes, Mapping, set, frozenset)):
        raise TypeError(f"{expected}, got {found}")
    if hasattr(value, "columns"):
        raise TypeError(f"{expected}, got {found}; give one of its columns")


def text_list(value: Any, name: str, one: str, items: str) -> list[str]:
    """A collection of texts as a list, by position; messages call each of them `one`.

    The TypeError says what was given in place of the collection, or of a text: pandas has NaN for a missing one.
    """
    if isinstance(value, str):
        raise TypeError(f"{name}: expected a list of {items}, got one string")
    texts = as_list(value, name, items)
    for t, text in enumerate(texts):
        if type(text) is not str:
            texts[t] = _plain_text(text, name, one, t)
    return texts


def text_stream(value: Any, name: str, one: str) -> Iterator[str]:
    """Texts one by one, checked as by `text_list`: from a collection, by position, or from a generator."""
    if isinstance(value, str):
        raise TypeError(f"{name}: expected many texts, got one string")
    _require_order(value, f"{name}: expected many texts")
    value = value.to_pylist() if hasattr(value, "to_pylist") else value
    return (text if type(text) is str else _plain_text(text, name, one, t) for t, text in enumerate(value))


def _plain_text(value: Any, name: str, one: str, place: int) -> str:
    """One of several texts, as a plain string: NumPy has a string type of its own."""
    if isinstance(value, str):
        return str.__str__(value)
    if is_missing(value):
        raise TypeError(f"{name}: {one} {place} is missing ({value}); leave it out or give an empty string")
    raise TypeError(f"{name}: {one} {place} is not a string but {type(value).__name__}")


def is_missing(value: Any) -> bool:
    """Whether this is a missing value: None, NaN, NaT, pandas' NA, NumPy's masked."""
    if value is None or type(value).__name__ in {"NAType", "NaTType", "MaskedConstant"}:
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only view."""
    view = array.view()
    view.flags.writeable = False
    return view


def whole_number(value: Any, name: str, *, least: int, most: int = (1 << 63) - 1) -> int:
    """Check an integer argument, which the core takes in 64 bits; bools and floats are not integers."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    number = int(value)
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    if number > most:
        raise ValueError(f"{name} must be at most {most}, got {number}")
    return number


def thread_count(num_threads: int | None) -> int:
    """Number of threads for the core; 0 stands for all cores."""
    return 0 if num_threads is None else whole_number(num_threads, "num_threads", least=1, most=(1 << 31) - 1)


def real_number(value: Any, name: str) -> float:
    """Check the type of a number; the caller checks its range, NaN included."""
    if type(value) is float:
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {value!r:.80}")
    try:
        return float(value)
    except OverflowError:  # of an integer or a fraction
        raise ValueError(f"{name} must be a number that float64 can hold, got a larger one") from None


def positive_number(value: Any, name: str, *, infinite: bool = False) -> float:
    """Check a real number above 0, and finite unless `infinite`."""
    number = real_number(value, name)
    if not number > 0 or (math.isinf(number) and not infinite):
        raise ValueError(f"{name} must be above 0{'' if infinite else ' and finite'}, got {number}")
    return number


def fraction_number(value: Any, name: str = "fraction") -> float:
    """Check a fraction: above 0, at most 1."""
    fraction = real_number(value, name)
    if not 0 < fraction <= 1:
        raise ValueError(f"{name} must be above 0 and at most 1, got {fraction}")
    return fraction


def require_callable(value: F, name: str) -> F:
    """Refuse an object that cannot be called, before it is needed."""
    if not callable(value):
        raise TypeError(f"{name}: expected something to call, got {type(value).__name__}")
    return value


def one_of(value: object, name: str, known: Collection[str], other: str | None = None) -> str:
    """Check a string that has to be one of several; `other` names what else the caller accepts.

    Returns it as a plain string: NumPy and enumerations have string types of their own.
    """
    if isinstance(value, str) and value in known:
        return str.__str__(value)
    listed = ", ".join(map(repr, known)) + ("" if other is None else f", or {other}")
    fault = ValueError if isinstance(value, str) else TypeError
    raise fault(f"{name} must be one of {listed}, got {value!r:.80}")


def pool_factor(value: Any, name: str) -> float:
    """Check by how much the tokens of documents are to be fewer: a finite real number of at least 1."""
    factor = real_number(value, name)
    if not 1 <= factor < math.inf:
        raise ValueError(f"{name} must be a finite number of at least 1, got {factor}")
    return factor


def capacity_number(value: Any) -> float:
    """Check a capacity: a real number of at least 1, infinity included."""
    capacity = real_number(value, "capacity")
    if not capacity >= 1:
        raise ValueError(f"capacity must be at least 1, got {capacity}")
    return capacity
