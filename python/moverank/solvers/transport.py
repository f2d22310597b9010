"""Transport problems with a given cost matrix, solved exactly or with entropy, and with proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._support.validate import capacity_number, fraction_number, mass_array, one_of, real_array, thread_count
from moverank.errors import InfeasibleError
from moverank.solvers.infeasible import refuse_infeasible, why_infeasible
from moverank.solvers.interval import Solved, SolvedBatch
from moverank.solvers.sinkhorn import Sinkhorn, SinkhornBatch, SinkhornResult, as_sinkhorn, require_compatible
from moverank.solvers.sparse import SparseCost, is_scipy_sparse
from moverank.solvers.totals import TOTALS, Totals, amount_number, require_one_measure_of_part
from moverank.vectors.histograms import labels_of, require_one_order


@dataclass(frozen=True, repr=False, eq=False)
class TransportResult(Solved):
    """Solution of a transport problem together with its certificate.

    Attributes
    ----------
    value : float
        ``<cost, plan>``, in units of the cost (times those of the mass, with ``totals="given"``).
    plan : ndarray of float64, shape (n, m), or scipy.sparse.csr_array
        Mass moved from each source to each target. Its sums are the given masses, to rounding of each. Of a sparse cost
        it is sparse, with the entries that carry mass; a ``csr_matrix`` if the cost was a matrix and not an array.
    potentials : tuple of ndarray of float64, shapes (n,) and (m,)
        Dual variables f and g: ``f[i] + g[j] <= cost[i, j]`` to rounding, and ``g <= 0`` when capacity > 1. Of a sparse
        cost that holds for the stored entries.
        ``a @ f + capacity * b @ g - (1 - fraction) * multiplier`` equals the value.
    lower, upper : float
        ``lower <= optimum <= upper`` is proved, to rounding of the value: the value of a feasible dual solution, and
        that of the plan, which is `value`.
    iterations : int
        Simplex pivots; 0 where a closed form applied or the first plan was optimal.
    converged : bool
        Whether the plan is optimal: `gap` is at most 2e-11 of ``<abs(cost), plan>``, whatever other costs the matrix
        holds. `status` is then "optimal".
    multiplier : float
        With a fraction below 1, the price of the last unit of mass; f does not exceed it. Else 0.
    """

    _reached = "optimal"

    value: float
    plan: NDArray[np.float64] | Any
    potentials: tuple[NDArray[np.float64], NDArray[np.float64]]
    lower: float
    upper: float
    iterations: int
    converged: bool
    multiplier: float

    def __repr__(self) -> str:
        n, m = self.plan.shape
        flows = f" with {self.plan.nnz} flows" if hasattr(self.plan, "nnz") else ""
        return (
            f"TransportResult(value={self.value:.6g}, gap={self.gap:.1e}, plan={n}x{m}{flows}, "
            f"iterations={self.iterations}, status={self.status!r})"
        )


@overload
def transport(
    cost: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    totals: str = "normalised",
    amount: float | None = None,
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
    totals: str = "normalised",
    amount: float | None = None,
    epsilon: float | Sinkhorn,
) -> SinkhornResult: ...
def transport(
    cost: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    totals: str = "normalised",
    amount: float | None = None,
    epsilon: float | Sinkhorn | None = None,
) -> TransportResult | SinkhornResult:
    """Solve the optimal transport problem, exactly or with an entropy term.

    ``min <cost, P>`` subject to ``P 1 = a``, ``P^T 1 <= capacity * b``, ``P >= 0``; with capacity 1 the columns meet
    `b` with equality. Where only a fraction has to move, ``P 1 <= a``, ``P^T 1 <= capacity * b`` and the total is
    `fraction`.

    Parameters
    ----------
    cost : array_like, shape (n, m), or sparse matrix of SciPy
        Price of moving one unit of mass from source i to target j. float32 and float64 are solved as they are; other
        real dtypes are converted to float64. Any sign and size; ``inf`` where nothing may move. Very large costs do not
        take digits from others. In a sparse matrix or array (CSR, CSC, COO) nothing may move where no entry is stored,
        and a stored 0 is a cost of 0; time and memory grow with the stored entries, and no dense matrix is made.
    a, b : array_like, shape (n,) and (m,), optional
        Non-negative mass of sources and targets; uniform if omitted. Each is normalised to total 1 in float64: totals
        need not agree, and no rounding of the input is ever an error. See `totals`.
    capacity : float, default 1.0
        κ ≥ 1: target j takes at most κ b_j; ``inf`` lets it take any amount.
    fraction : float, default 1.0
        Share of the sources' mass that has to move, in (0, 1]: partial transport. The value is the cost of that part.
    totals : {"normalised", "given"}, default "normalised"
        With ``"given"``, masses are not normalised, and value and plan are in their units: both totals must agree to
        1e-6 (at capacity κ, b must have room for a), or an `amount` says how much moves; with prices in place of
        marginals (`Sinkhorn.marginal_penalty`) they may be any.
    amount : float, optional
        How much mass has to move, with ``totals="given"``: no more than `a` has and `b` takes. A target takes at most
        κ b_j, a source sends at most a_i.
    epsilon : float or Sinkhorn, optional
        Add this times the entropy of the plan, in units of the cost. A `Sinkhorn` says more: relative to the median
        cost, tolerance, limit on iterations, a price in place of marginals. Not with a sparse cost.

    Returns
    -------
    TransportResult or SinkhornResult
        Value, plan, potentials and the interval that certifies them; a `SinkhornResult` if `epsilon` is given.

    Raises
    ------
    TypeError
        If an argument is not made of real numbers, or a sparse cost has another format than CSR, CSC or COO.
    InfeasibleError
        If `cost` forbids so much that no plan has the marginals: a `ValueError` that says which sources are stuck.
    ValueError
        If shapes disagree, an entry is NaN or -inf or stored twice, a weight is negative or not finite, all weights are
        zero, or totals that count do not fit.

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
    if is_scipy_sparse(cost):
        return _sparse_transport(cost, a, b, capacity, fraction, totals, amount, epsilon)
    matrix = _cost_array(cost, "cost", ndim=2)
    require_one_order(labels_of(a, "index"), labels_of(cost, "index"), "a", "the rows of cost")
    require_one_order(labels_of(b, "index"), labels_of(cost, "columns"), "b", "the columns of cost")
    n, m = matrix.shape
    masses = _mass_array(a, "a", (n,)), _mass_array(b, "b", (m,))
    sinkhorn = None if epsilon is None else as_sinkhorn(epsilon)
    given = _totals(masses, None, capacity, fraction, totals, amount, sinkhorn)
    swapped = bool(given.swapped)
    if swapped:
        matrix, masses = np.ascontiguousarray(matrix.T), masses[::-1]
    limits = float(given.capacity), float(given.fraction)
    if sinkhorn is not None:
        scaled = _core.sinkhorn(matrix, *masses, *limits, sinkhorn._spec)
        if not scaled.feasible:
            refuse_infeasible(matrix, masses, limits, swapped, "cost")
        shift = given.entropy_shift(sinkhorn, np.asarray(scaled.epsilon))
        potentials = scaled.f + shift.of_rows, scaled.g + shift.of_columns
        return SinkhornResult(
            value=float(shift.scale * scaled.value + shift.constant),
            plan=_times(_unswapped(scaled.plan, swapped), shift.scale),
            potentials=potentials[::-1] if swapped else potentials,
            lower=float(shift.exact_scale * scaled.lower + shift.exact_constant),
            upper=float(shift.exact_scale * scaled.upper + shift.exact_constant),
            plan_cost=float(shift.scale * scaled.plan_cost),
            epsilon=scaled.epsilon,
            marginal_error=float(shift.scale * scaled.marginal_error),
            iterations=scaled.iterations,
            converged=scaled.converged,
            multiplier=float(scaled.multiplier + shift.of_rows) if given.fraction < 1 else 0.0,
        )
    solution = _core.transport(matrix, *masses, *limits)
    return _result(solution, lambda: _times(_unswapped(solution.plan, swapped), given.rows), float(given.rows), swapped)


def _sparse_transport(
    cost: Any,
    a: ArrayLike | None,
    b: ArrayLike | None,
    capacity: float,
    fraction: float,
    totals: str,
    amount: float | None,
    epsilon: float | Sinkhorn | None,
) -> TransportResult:
    """Solve over the stored entries of a matrix of SciPy."""
    if epsilon is not None:
        raise ValueError(
            "epsilon: a sparse cost is solved without entropy; give a dense cost, inf where nothing may move"
        )
    stored = SparseCost.of(cost, "cost")
    n, m = stored.shape
    masses = _mass_array(a, "a", (n,)), _mass_array(b, "b", (m,))
    given = _totals(masses, None, capacity, fraction, totals, amount, None)
    swapped = bool(given.swapped)
    sparse = SparseCost.of(cost.T, "cost") if swapped else stored
    solution = sparse.solve(masses[::-1] if swapped else masses, (float(given.capacity), float(given.fraction)))
    unit = float(given.rows)
    return _result(solution, lambda: sparse.plan(solution, unit, swapped), unit, swapped)


def _result(
    solution: _core.TransportSolution | _core.SparseSolution, plan: Callable[[], Any], unit: float, swapped: bool
) -> TransportResult:
    """What was solved, in units of the masses, sides as they were given; `plan` is asked only if there is one."""
    if solution.status == "infeasible":
        raise InfeasibleError(why_infeasible(solution, swapped, "cost"))
    potentials = solution.f, solution.g
    value = solution.value * unit
    return TransportResult(
        value=value,
        plan=plan(),
        potentials=potentials[::-1] if swapped else potentials,
        lower=solution.lower * unit,
        upper=value,
        iterations=solution.pivots,
        converged=solution.status == "optimal",
        multiplier=solution.multiplier,
    )


@dataclass(frozen=True, repr=False, eq=False)
class TransportBatch(SolvedBatch):
    """Values of many transport problems, each with the interval that proves it.

    Attributes
    ----------
    values : ndarray of float64, shape (N,)
        ``<cost, plan>`` of each problem, in units of the cost.
    lower, upper : ndarray of float64, shape (N,)
        ``lower <= optimum <= upper`` is proved, as in `TransportResult`; `upper` is `values`.
    iterations : ndarray of int64, shape (N,)
        Simplex pivots of each.
    converged : ndarray of bool, shape (N,)
        Whether each plan is optimal.
    plans : ndarray of float64, shape (N, n, m), or None
        Mass moved from each source to each target, if requested.
    """

    values: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    iterations: NDArray[np.int64]
    converged: NDArray[np.bool_]
    plans: NDArray[np.float64] | None = None


@overload
def transport_batch(
    costs: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    totals: str = "normalised",
    amount: float | None = None,
    epsilon: None = None,
    plans: bool = False,
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
    totals: str = "normalised",
    amount: float | None = None,
    epsilon: float | Sinkhorn,
    plans: bool = False,
    num_threads: int | None = None,
) -> SinkhornBatch: ...
def transport_batch(
    costs: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    totals: str = "normalised",
    amount: float | None = None,
    epsilon: float | Sinkhorn | None = None,
    plans: bool = False,
    num_threads: int | None = None,
) -> TransportBatch | SinkhornBatch:
    """Solve many transport problems of one shape, exactly or with an entropy term, in one call.

    For distances between sequences of any lengths, `distances` and `pairwise` compute the costs as well.

    Parameters
    ----------
    costs : array_like, shape (N, n, m)
        One cost matrix per problem. float32 and float64 are solved as they are; other real dtypes are converted to
        float64. Any sign and size; ``inf`` where nothing may move.
    a, b : array_like, shape (n,) or (N, n), and (m,) or (N, m), optional
        Non-negative mass of sources and targets, the same for all problems or a row for each; uniform if omitted.
        Each is normalised to total 1 in float64.
    capacity : float, default 1.0
        κ ≥ 1: target j takes at most κ b_j; ``inf`` lets it take any amount.
    fraction : float, default 1.0
        How much of the sources' mass has to move, in (0, 1].
    totals, amount
        As in `transport`; one amount for all problems.
    epsilon : float or Sinkhorn, optional
        Add this times the entropy of the plan, in units of the cost; a `Sinkhorn` says more.
    plans : bool, default False
        Return the plans as well: 8 N n m bytes, as much as float64 costs take.
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
    InfeasibleError
        If the costs of a problem forbid so much that no plan has the marginals; the message names the problem.
    ValueError
        If shapes disagree, an entry is NaN or -inf, a weight is negative or not finite, all weights of a row are zero,
        or totals that count do not fit; the message names the problem.

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
    for part in costs if isinstance(costs, (list, tuple)) else [costs]:
        if is_scipy_sparse(part):
            raise TypeError(
                f"costs: sparse {type(part).__name__} is not accepted; transport solves one problem with sparse costs"
            )
    stack = _cost_array(costs, "costs", ndim=3)
    n_problems, n, m = stack.shape
    masses = _mass_array(a, "a", (n,), (n_problems, n)), _mass_array(b, "b", (m,), (n_problems, m))
    threads = thread_count(num_threads)
    if not isinstance(plans, (bool, np.bool_)):
        raise TypeError(f"plans must be True or False, got {plans!r}")
    sinkhorn = None if epsilon is None else as_sinkhorn(epsilon)
    given = _totals(masses, n_problems, capacity, fraction, totals, amount, sinkhorn)
    return _solve_stack(stack, masses, given, sinkhorn, bool(plans), threads)


def _totals(
    masses: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None],
    n_problems: int | None,
    capacity: float,
    fraction: float,
    totals: str,
    amount: float | None,
    sinkhorn: Sinkhorn | None,
) -> Totals:
    """Check limits and totals of n_problems problems, or of one by itself."""
    limits = capacity_number(capacity), fraction_number(fraction)
    one_of(totals, "totals", TOTALS)
    part = amount_number(amount)
    require_one_measure_of_part(totals, limits[1], part)
    if sinkhorn is not None:
        require_compatible(sinkhorn, *limits)
    penalised = sinkhorn is not None and bool(np.isfinite(sinkhorn.marginal_penalty))
    if penalised and part is not None:
        raise ValueError("amount: marginals with prices (marginal_penalty) leave how much moves to the optimum")
    if totals == "normalised":
        return Totals.one_normalised(*limits) if n_problems is None else Totals.normalised(n_problems, *limits)
    given = Totals.given(
        masses, n_problems or 1, capacity=limits[0], fraction=limits[1], amount=part, penalised=penalised
    )
    return given[0] if n_problems is None else given


def _solve_stack(
    stack: NDArray[Any],
    masses: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None],
    given: Totals,
    sinkhorn: Sinkhorn | None,
    plans: bool,
    threads: int,
) -> TransportBatch | SinkhornBatch:
    """Solve all problems, those with swapped sides among them."""
    if given.swapped.any() and not given.swapped.all():
        parts = [np.flatnonzero(given.swapped == swapped) for swapped in (False, True)]
        found = [
            _solve_stack(
                stack[part],
                (_rows_of(masses[0], part), _rows_of(masses[1], part)),
                given[part],
                sinkhorn,
                plans,
                threads,
            )
            for part in parts
        ]
        return _in_order(found[0], found[1], np.argsort(np.concatenate(parts), kind="stable"))
    swapped = bool(given.swapped.any())
    if swapped:
        stack, masses = np.ascontiguousarray(stack.transpose(0, 2, 1)), masses[::-1]
    a, b = masses
    if sinkhorn is None:
        solved = _core.transport_batch(stack, a, b, given.capacity, given.fraction, plans, threads)
        _require_feasible(solved.feasible, stack, masses, given, swapped)
        upper = solved.value * given.rows
        return TransportBatch(
            upper,
            solved.lower * given.rows,
            upper,
            solved.pivots,
            solved.optimal,
            _plans(solved.plans, given.rows, swapped),
        )
    scaled = _core.sinkhorn_batch(stack, a, b, given.capacity, given.fraction, sinkhorn._spec, plans, threads)
    _require_feasible(scaled.feasible, stack, masses, given, swapped)
    shift = given.entropy_shift(sinkhorn, scaled.epsilon)
    return SinkhornBatch(
        scaled.value * shift.scale + shift.constant,
        scaled.lower * shift.exact_scale + shift.exact_constant,
        scaled.upper * shift.exact_scale + shift.exact_constant,
        scaled.plan_cost * shift.scale,
        scaled.epsilon,
        scaled.iterations,
        scaled.marginal_error * shift.scale,
        scaled.converged,
        _plans(scaled.plans, shift.scale, swapped),
    )


def _require_feasible(
    feasible: NDArray[np.bool_],
    stack: NDArray[Any],
    masses: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None],
    given: Totals,
    swapped: bool,
) -> None:
    """Refuse a problem without a plan, by its place."""
    if feasible.all():
        return
    place = int(np.argmin(feasible))
    limits = float(given.capacity[place]), float(given.fraction[place])
    own = [mass if mass is None or mass.ndim == 1 else mass[place] for mass in masses]
    refuse_infeasible(stack[place], (own[0], own[1]), limits, swapped, f"costs[{place}]")


def _plans(plans: NDArray[np.float64] | None, scale: NDArray[np.float64], swapped: bool) -> NDArray[np.float64] | None:
    """Plans in units of the masses, sides as they were given."""
    return None if plans is None else _times(_unswapped(plans, swapped), scale[:, None, None])


def _in_order(
    first: TransportBatch | SinkhornBatch, second: TransportBatch | SinkhornBatch, order: NDArray[np.int64]
) -> TransportBatch | SinkhornBatch:
    """Results of two batches as those of one, whose problems stand in this order among both."""

    def joined(name: str) -> Any:
        column = getattr(first, name)
        return None if column is None else np.concatenate([column, getattr(second, name)])[order]

    return type(first)(**{column.name: joined(column.name) for column in fields(first)})


def _rows_of(mass: NDArray[np.float64] | None, part: NDArray[np.int64]) -> NDArray[np.float64] | None:
    return mass if mass is None or mass.ndim == 1 else mass[part]


def _unswapped(plan: NDArray[np.float64], swapped: bool) -> NDArray[np.float64]:
    return np.ascontiguousarray(plan.swapaxes(-1, -2)) if swapped else plan


def _times(plans: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale plans in place, so that they are held once."""
    changes = bool(scale != 1) if scale.ndim == 0 else bool((scale != 1).any())
    if changes:
        plans *= scale
    return plans


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
            raise ValueError(f"{name}: expected {shapes[0][0]} weights, one per token, got {len(weights)}")
        raise ValueError(f"{name}: expected shape {shapes[0]} or {shapes[1]}, got {weights.shape}")
    return weights
