"""Derivatives of distances with respect to tokens and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._support.arrays import plain_array
from moverank._support.validate import real_array, thread_count, weights_array
from moverank._support.warn import warn
from moverank.errors import PrecisionWarning
from moverank.measures.measure import Measure, require_same_dim
from moverank.measures.origin import has_lost
from moverank.measures.precision import tell_if_below
from moverank.vectors.rounding import longest, widened
from moverank.vectors.sequences import BatchSource, One, OneSource, Sequence, Sequences, as_query


@dataclass(frozen=True, repr=False, eq=False)
class Gradients:
    """A distance and its derivatives.

    Attributes
    ----------
    value : float
        The distance, in float64 throughout.
    x, y : ndarray of float64, shapes (n, d) and (m, d)
        Derivatives with respect to the tokens.
    a, b : ndarray of float64, shapes (n,) and (m,), or None
        Derivatives with respect to the weights, where `x` and `y` have any.
    """

    value: float
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    a: NDArray[np.float64] | None
    b: NDArray[np.float64] | None

    def __repr__(self) -> str:
        weights = "".join(f", {name}" for name in "ab" if getattr(self, name) is not None)
        return f"Gradients(value={self.value:.6g}, x={_shape(self.x)}, y={_shape(self.y)}{weights})"


def gradients(
    x: One,
    y: One,
    measure: str | Measure = "wrd",
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
) -> Gradients:
    """Distance of two sequences with its derivatives.

    By the envelope theorem these are the plan, carried through the ground cost, and the potentials, carried through the
    normalisation of mass. An exact distance's derivatives jump where its plan does; there one of its subgradients is
    returned. An entropic one's are smooth, and as accurate as its tolerance makes the plan. For training there is
    `moverank.torch`.

    Parameters
    ----------
    x, y : array_like, shape (n, d) and (m, d), or Sequence
        Tokens of the query and of the document; arrays are used in float64.
    measure : str or Measure, default "wrd"
        What to differentiate.
    a, b : array_like, shape (n,) and (m,), optional
        Their mass, in any unit, replacing weights that `x` and `y` carry.

    Returns
    -------
    Gradients

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed, or the measure has no derivatives: a `Sinkhorn` with a relative epsilon, or a
        relaxed problem other than that of capacity inf.

    Warns
    -----
    PrecisionWarning
        If a `Sequence` was made from float64 and the distance is not much larger than the digits that float32 lost, or
        tokens are integers that float64 rounds and the mass of tokens depends on the origin.

    References
    ----------
    .. [1] Feydy et al., "Interpolating between Optimal Transport and MMD using Sinkhorn Divergences", AISTATS 2019.

    Examples
    --------
    >>> gradients([[0.0], [3.0]], [[1.0], [5.0]], "wmd").x
    array([[-0.5],
           [-0.5]])
    """
    chosen = Measure.of(measure)
    wide_query, mass, is_rounded = _given(x, a, "x", "a", chosen)
    wide_document, other_mass, other_is_rounded = _given(y, b, "y", "b", chosen)
    require_same_dim(wide_query.shape[1], wide_document.shape[1], "x", "y")
    query, document = _in_float64(wide_query, wide_document, chosen, mass is None or other_mass is None)
    found = ragged_gradients([query], mass, [document], other_mass, chosen, num_threads=1)
    if chosen._cost.translation_invariant and (is_rounded or other_is_rounded):
        tell_if_below(found.value, chosen, longest(query) + longest(document))
    return Gradients(
        float(found.value[0]), found.by_query, found.by_document, found.by_query_weights, found.by_document_weights
    )


def ragged_gradients(
    queries: list[NDArray[np.float64]],
    query_weights: NDArray[np.float64] | None,
    documents: list[NDArray[np.float64]],
    document_weights: NDArray[np.float64] | None,
    measure: Measure,
    *,
    num_threads: int | None,
) -> _core.GradientColumns:
    """Distances of pairs of checked sequences, and derivatives by each side, pair after pair."""
    return _core.gradients(
        np.concatenate(queries),
        _offsets(queries),
        query_weights,
        np.concatenate(documents),
        _offsets(documents),
        document_weights,
        measure._spec,
        thread_count(num_threads),
    )


def _in_float64(
    x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]], measure: Measure, has_own_mass: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both sides in float64; integers beyond its digits about an origin amid them, if the measure allows that."""
    if np.longdouble not in (x.dtype, y.dtype):
        return x, y  # type: ignore[return-value]
    if measure._cost.translation_invariant and not (has_own_mass and measure._mass.needs_vectors):
        x, y = x - x[:1], y - x[:1]
    elif measure._cost.translation_invariant:
        warn(
            "tokens have integers beyond 2**53, which float64 rounds; mass by norm depends on the "
            "origin, so nothing is subtracted: subtract what they have in common, or give weights",
            PrecisionWarning,
        )
    return x.astype(np.float64), y.astype(np.float64)


def _given(
    value: One, weights: ArrayLike | None, name: str, weights_name: str, measure: Measure
) -> tuple[NDArray[np.floating[Any]], NDArray[np.float64] | None, bool]:
    """Tokens with all digits given, weights, and whether a batch lost digits when it was made."""
    given: Any = value
    is_rounded = False
    if isinstance(value, (Sequence, Sequences, OneSource, BatchSource)):
        one, is_rounded = one_sequence(value, weights, name, weights_name, measure)
        given, mass = _tokens_of(one), one.weights
    else:
        mass = None
    tokens = double_array(given, name)
    if weights is not None:
        mass = weights_array(weights, weights_name, len(tokens))
    require_measurable(tokens, mass, name, weights_name, measure)
    return _wider(plain_array(given, name), tokens), mass, is_rounded


def one_sequence(
    value: One, weights: ArrayLike | None, name: str, weights_name: str, measure: Measure
) -> tuple[Sequence, bool]:
    """An object that may carry weights, as one sequence; and whether it lost digits when it was made."""
    one = Sequence._of(as_query(value, weights, name, weights_name, measure.weighting))
    return one, has_lost(one._batch)


def _tokens_of(one: Sequence) -> NDArray[np.floating[Any]]:
    """Tokens with all digits that were kept."""
    batch = one._batch
    if batch._rest is None or np.abs(batch.tokens).max() <= 2.0**53:
        return one.tokens
    return batch.tokens.astype(np.longdouble) + batch._rest


def _wider(source: NDArray[Any], tokens: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
    """Tokens in a type with more digits where float64 rounded them, if there is one."""
    if source.dtype.kind == "f" and source.dtype.itemsize <= tokens.dtype.itemsize:
        return tokens
    wide: NDArray[np.floating[Any]] = widened(source)
    return wide if (wide != tokens).any() else tokens


def double_array(value: ArrayLike, name: str) -> NDArray[np.float64]:
    """Check one sequence's tokens in float64: (n, d), n and d at least 1, finite."""
    tokens: NDArray[np.float64] = real_array(value, name, ndim=2, dtype=np.float64)
    if 0 in tokens.shape:
        raise ValueError(f"{name}: expected at least one token and one dimension, got shape {tokens.shape}")
    bad = ~np.isfinite(tokens).all(axis=1)
    if bad.any():
        raise ValueError(f"{name}: token {int(bad.argmax())} is not finite")
    return tokens


def require_measurable(
    tokens: NDArray[np.float64], mass: NDArray[np.float64] | None, name: str, weights_name: str, measure: Measure
) -> None:
    """Refuse a sequence without mass, and a token with mass but no direction where the measure needs one."""
    if mass is None and measure._mass.needs_weights:
        raise ValueError(f"{weights_name}: weighting 'given' needs weights")
    by_norm = mass is None and measure._mass.needs_vectors
    zero = ~tokens.any(axis=1)
    if by_norm and zero.all():
        raise ValueError(f"{name}: total mass is zero, as all tokens are zero vectors")
    heavy = ~zero if by_norm else (mass > 0 if mass is not None else np.ones(len(tokens), dtype=bool))
    if measure._cost.needs_directions and (zero & heavy).any():
        t = int((zero & heavy).argmax())
        raise ValueError(f"{name}: token {t} is a zero vector, which has no direction under cosine cost")


def _offsets(sequences: list[NDArray[np.float64]]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, sequences)], dtype=np.int64)


def _shape(array: NDArray[np.float64]) -> str:
    return "x".join(map(str, array.shape))
