"""Transport problems with the cost matrix given, solved exactly or with entropy, with what proves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._validate import capacity_number, fraction_number, mass_array, real_array, thread_count
from moverank._wording import all_or_not
from moverank.sinkhorn import Sinkhorn, SinkhornBatch, SinkhornResult, as_sinkhorn, require_compatible


@dataclass(frozen=True, repr=False, eq=False)
class TransportResult:
    """Solution of a transport problem together with its certificate.

    Attributes
    ----------
    value : float
        ``<cost, plan>``, in units of the cost.
    plan : ndarray of float64, shape (n, m)
        Mass moved from each source to each target.
    potentials : tuple of ndarray of float64, shapes (n,) and (m,)
        Dual variables f and g: ``f[i] + g[j] <= cost[i, j]`` to rounding, and ``g <= 0`` when capacity > 1.
        ``a @ f + capacity * b @ g - (1 - fraction) * multiplier`` equals the value.
    lower : float
        Value of a feasible dual solution: ``lower <= optimum <= value`` is proved.
    pivots : int
        Simplex pivots; 0 where a closed form applied or the first plan was optimal.
    status : str
        ``"optimal"``, or ``"pivot_limit"`` if the solver gave up; the interval holds in both cases.
    multiplier : float
        With a fraction below 1, the price of the last unit of mass; f does not exceed it. Else 0.
    """

    value: float
    plan: NDArray[np.float64]
    potentials: tuple[NDArray[np.float64], NDArray[np.float64]]
    lower: float
    pivots: int
    status: str
    multiplier: float

    @property
    def gap(self) -> float:
        """``value - lower``: how far the value can be from the optimum; rounding error for a solved problem."""
        return max(0.0, self.value - self.lower)

    def __repr__(self) -> str:
        n, m = self.plan.shape
        return (
            f"TransportResult(value={self.value:.6g}, gap={self.gap:.1e}, plan={n}x{m}, "
            f"pivots={self.pivots}, status={self.status!r})"
        )


@overload
def transport(
    cost: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    epsilon: None = None,
) -> TransportResult: ...
@overload
def transport(
    cost: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    epsilon: float | Sinkhorn,
) -> SinkhornResult: ...
def transport(
    cost: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    epsilon: float | Sinkhorn | None = None,
) -> TransportResult | SinkhornResult:
    """Solve the optimal transport problem, exactly or with an entropy term.

    ``min <cost, P>`` subject to ``P 1 = a``, ``P^T 1 <= capacity * b``, ``P >= 0``; with capacity 1 the columns meet
    `b` with equality. Where only a fraction has to move, ``P 1 <= a``, ``P^T 1 <= capacity * b`` and the total is
    `fraction`.

    Parameters
    ----------
    cost : array_like, shape (n, m)
        Price of moving one unit of mass from source i to target j. float32 and float64 are solved as they are; other
        real dtypes are converted to float64. Any sign, but finite, and of a size up to 1.2e38 (float32) or 9.7e288.
    a, b : array_like, shape (n,) and (m,), optional
        Non-negative mass of sources and targets; uniform if omitted. Each is normalised to total 1 in float64: totals
        need not agree, and no rounding of the input is ever an error.
    capacity : float, default 1.0
        κ ≥ 1: target j takes at most κ b_j; ``inf`` lets it take any amount.
    fraction : float, default 1.0
        How much of the sources' mass has to move, in (0, 1]: partial transport. The value is the cost of what moves.
    epsilon : float or Sinkhorn, optional
        Add this times the entropy of the plan, in units of the cost. A `Sinkhorn` says more: relative to the median
        cost, tolerance, limit on iterations, a price in place of marginals.

    Returns
    -------
    TransportResult or SinkhornResult
        Value, plan, potentials and what certifies them; the latter with `epsilon`.

    Raises
    ------
    TypeError
        If an argument is not made of real numbers.
    ValueError
        If shapes disagree, an entry is not finite, a weight is negative, or all weights are zero.

    References
    ----------
    .. [1] Ahuja, Magnanti, Orlin, "Network Flows", 1993, chapter 11.
    .. [2] Orden, "The Transhipment Problem", Management Science 2(3), 1956.
    .. [3] Cuturi, "Sinkhorn Distances", NIPS 2013.

    Examples
    --------
    >>> result = transport([[0.0, 2.0], [1.0, 1.0]], [3, 1], [2, 2])
    >>> result.value
    0.75
    >>> result.plan
    array([[0.5 , 0.25],
           [0.  , 0.25]])
    >>> result.gap < 1e-12
    True
    >>> smooth = transport([[0.0, 2.0], [1.0, 1.0]], [3, 1], [2, 2], epsilon=0.1)
    >>> smooth.lower <= result.value <= smooth.upper
    True
    """
    matrix = _cost_array(cost, "cost", ndim=2)
    n, m = matrix.shape
    limits = capacity_number(capacity), fraction_number(fraction)
    masses = _mass_array(a, "a", (n,)), _mass_array(b, "b", (m,))
    if epsilon is not None:
        sinkhorn = as_sinkhorn(epsilon)
        require_compatible(sinkhorn, *limits)
        scaled = _core.sinkhorn(matrix, *masses, *limits, sinkhorn._spec)
        return SinkhornResult(
            value=scaled.value,
            plan=scaled.plan,
            potentials=(scaled.f, scaled.g),
            lower=scaled.lower,
            upper=scaled.upper,
            plan_cost=scaled.plan_cost,
            epsilon=scaled.epsilon,
            marginal_error=scaled.marginal_error,
            iterations=scaled.iterations,
            converged=scaled.converged,
            multiplier=scaled.multiplier,
        )
    solution = _core.transport(matrix, *masses, *limits)
    return TransportResult(
        value=solution.value,
        plan=solution.plan,
        potentials=(solution.f, solution.g),
        lower=solution.lower,
        pivots=solution.pivots,
        status=solution.status,
        multiplier=solution.multiplier,
    )


@dataclass(frozen=True, repr=False, eq=False)
class TransportBatch:
    """Values of many transport problems, each with the interval that proves it.

    Attributes
    ----------
    values : ndarray of float64, shape (N,)
        ``<cost, plan>`` of each problem, in units of the cost.
    lower : ndarray of float64, shape (N,)
        Values of feasible dual solutions: ``lower <= optimum <= values`` is proved.
    pivots : ndarray of int64, shape (N,)
        Simplex pivots of each.
    optimal : ndarray of bool, shape (N,)
        False where the solver gave up; the interval holds all the same.
    """

    values: NDArray[np.float64]
    lower: NDArray[np.float64]
    pivots: NDArray[np.int64]
    optimal: NDArray[np.bool_]

    @property
    def gap(self) -> NDArray[np.float64]:
        """``values - lower``: how far each value can be from the optimum."""
        return np.maximum(0.0, self.values - self.lower)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        if len(self) == 0:
            return "TransportBatch(0 problems)"
        return (
            f"TransportBatch({len(self)} problems, values {self.values.min():.6g} to {self.values.max():.6g}, "
            f"gap at most {self.gap.max():.1e}, {all_or_not('optimal', self.optimal)})"
        )


@overload
def transport_batch(
    costs: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    epsilon: None = None,
    num_threads: int | None = None,
) -> TransportBatch: ...
@overload
def transport_batch(
    costs: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    epsilon: float | Sinkhorn,
    num_threads: int | None = None,
) -> SinkhornBatch: ...
def transport_batch(
    costs: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    epsilon: float | Sinkhorn | None = None,
    num_threads: int | None = None,
) -> TransportBatch | SinkhornBatch:
    """Solve many transport problems of one shape, exactly or with an entropy term, in one call.

    Values and certificates only: where plans are wanted, call `transport`. For distances between sequences of any
    lengths, `distances` and `pairwise` compute the costs as well.

    Parameters
    ----------
    costs : array_like, shape (N, n, m)
        One cost matrix a problem. float32 and float64 are solved as they are; other real dtypes are converted to
        float64. Any sign, but finite, and of a size up to 1.2e38 (float32) or 9.7e288.
    a, b : array_like, shape (n,) or (N, n), and (m,) or (N, m), optional
        Non-negative mass of sources and targets, the same for all problems or a row for each; uniform if omitted.
        Each is normalised to total 1 in float64.
    capacity : float, default 1.0
        κ ≥ 1: target j takes at most κ b_j; ``inf`` lets it take any amount.
    fraction : float, default 1.0
        How much of the sources' mass has to move, in (0, 1].
    epsilon : float or Sinkhorn, optional
        Add this times the entropy of the plan, in units of the cost; a `Sinkhorn` says more.
    num_threads : int, optional
        Threads to use; all cores by default. The result does not depend on it.

    Returns
    -------
    TransportBatch or SinkhornBatch
        Value, interval and effort of each problem; the latter with `epsilon`.

    Raises
    ------
    TypeError
        If an argument is not made of real numbers.
    ValueError
        If shapes disagree, an entry is not finite, a weight is negative, or all weights of a row are zero; the message
        names the problem.

    References
    ----------
    .. [1] Ahuja, Magnanti, Orlin, "Network Flows", 1993, chapter 11.

    Examples
    --------
    >>> import numpy as np
    >>> costs = np.stack([np.eye(2), 1 - np.eye(2), np.ones((2, 2))])
    >>> transport_batch(costs, a=[3, 1]).values
    array([0.25, 0.25, 1.  ])
    """
    stack = _cost_array(costs, "costs", ndim=3)
    n_problems, n, m = stack.shape
    limits = capacity_number(capacity), fraction_number(fraction)
    masses = _mass_array(a, "a", (n,), (n_problems, n)), _mass_array(b, "b", (m,), (n_problems, m))
    threads = thread_count(num_threads)
    if epsilon is not None:
        sinkhorn = as_sinkhorn(epsilon)
        require_compatible(sinkhorn, *limits)
        return SinkhornBatch(*_core.sinkhorn_batch(stack, *masses, *limits, sinkhorn._spec, threads))
    return TransportBatch(*_core.transport_batch(stack, *masses, *limits, threads))


def _cost_array(value: ArrayLike, name: str, *, ndim: int) -> NDArray[Any]:
    """Convert costs to float32 if that is what they are, else to float64. The core checks that they are finite."""
    parts = value if isinstance(value, (list, tuple)) and len(value) > 0 else [value]
    is_single = all(getattr(part, "dtype", None) == np.float32 for part in parts)
    cost = real_array(value, name, ndim=ndim, dtype=np.float32 if is_single else np.float64)
    if 0 in cost.shape[-2:]:
        raise ValueError(f"{name}: expected at least one row and one column, got shape {cost.shape}")
    return cost


def _mass_array(value: ArrayLike | None, name: str, *shapes: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Convert weights and check their shape. The core checks their values."""
    if value is None:
        return None
    ndim = min(len(shapes), max(1, np.ndim(value)))
    weights = mass_array(value, name, ndim=ndim)
    if weights.shape != shapes[ndim - 1]:
        if ndim == 1:
            raise ValueError(f"{name}: expected {shapes[0][0]} weights, one a token, got {len(weights)}")
        raise ValueError(f"{name}: expected shape {shapes[0]} or {shapes[1]}, got {weights.shape}")
    return weights
