"""One transport problem, solved exactly, with everything that proves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._validate import capacity_number, normalised, real_array, weights_array


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
        ``a @ f + capacity * b @ g`` equals the value.
    lower : float
        Value of a feasible dual solution: ``lower <= optimum <= value`` is proved.
    pivots : int
        Simplex pivots; 0 where a closed form applied or the first plan was optimal.
    status : str
        ``"optimal"``, or ``"pivot_limit"`` if the solver gave up; the interval holds in both cases.
    """

    value: float
    plan: NDArray[np.float64]
    potentials: tuple[NDArray[np.float64], NDArray[np.float64]]
    lower: float
    pivots: int
    status: str

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


def transport(
    cost: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
) -> TransportResult:
    """Solve the optimal transport problem exactly.

    ``min <cost, P>`` subject to ``P 1 = a``, ``P^T 1 <= capacity * b``, ``P >= 0``; with capacity 1 the columns meet
    `b` with equality.

    Parameters
    ----------
    cost : array_like, shape (n, m)
        Price of moving one unit of mass from source i to target j. float32 and float64 are solved as they are; other
        real dtypes are converted to float64. Any sign, but finite.
    a, b : array_like, shape (n,) and (m,), optional
        Non-negative mass of sources and targets; uniform if omitted. Each is normalised to total 1 in float64: totals
        need not agree, and no rounding of the input is ever an error.
    capacity : float, default 1.0
        κ ≥ 1: target j takes at most κ b_j; ``inf`` lets it take any amount.

    Returns
    -------
    TransportResult
        Value, plan, potentials and the gap that certifies them.

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
    """
    dtype = np.float32 if getattr(cost, "dtype", None) == np.float32 else np.float64
    matrix = real_array(cost, "cost", ndim=2, dtype=dtype)
    n, m = matrix.shape
    if n == 0 or m == 0:
        raise ValueError(f"cost: expected at least one row and one column, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        i, j = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(f"cost: entry ({i}, {j}) is not finite ({matrix[i, j]})")
    mass_a = np.full(n, 1.0 / n) if a is None else normalised(weights_array(a, "a", n))
    mass_b = np.full(m, 1.0 / m) if b is None else normalised(weights_array(b, "b", m))
    solution = _core.transport(matrix, mass_a, mass_b, capacity_number(capacity))
    return TransportResult(
        value=solution.value,
        plan=solution.plan,
        potentials=(solution.f, solution.g),
        lower=solution.lower,
        pivots=solution.pivots,
        status=solution.status,
    )
