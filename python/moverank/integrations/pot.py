"""The exact solvers of POT (Python Optimal Transport) under its names, without importing POT.

Use ``from moverank.integrations.pot import emd, emd2``. Arguments and results are the same, but faster. Potentials (the
dual prices that prove a value optimal) are not unique: they prove the same value, but may differ from POT's. Costs are
arrays, or sparse matrices of SciPy, where nothing moves that is not stored; POT's other backends and warm starts are
not supported. Where costs forbid every plan, POT returns 0 with a warning; here that is an `InfeasibleError`.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank.solvers.sparse import is_scipy_sparse
from moverank.solvers.transport import TransportResult, transport

#: The result code of POT's `emd` for an optimal solution.
_OPTIMAL = 1


def emd(
    a: ArrayLike,
    b: ArrayLike,
    M: ArrayLike,
    numItermax: int = 100000,
    log: bool = False,
    center_dual: bool = True,
    numThreads: int | str = 1,
    check_marginals: bool = True,
    potentials_init: None = None,
) -> Any:
    """Return the optimal plan, as ``ot.emd`` does.

    Parameters
    ----------
    a, b : array_like, shape (n,) and (m,)
        Masses of both sides (the amounts to be moved); uniform if empty. `b` is scaled to the total of `a`.
    M : array_like or sparse matrix of SciPy, shape (n, m)
        Cost matrix.
    numItermax, numThreads : int
        Ignored: the solver always ends, and uses one thread per problem.
    log : bool, default False
        Also return a dict with the value and the potentials.
    center_dual : bool, default True
        Shift the potentials so that both have the same mean over the points with mass.
    check_marginals : bool, default True
        Refuse totals that differ.
    potentials_init : None
        Not supported.

    Returns
    -------
    ndarray of float64 or scipy.sparse.coo_array, shape (n, m)
        The plan, sparse if costs are; with `log`, also a dict with "cost", "u", "v", "warning" and "result_code".

    Raises
    ------
    ValueError
        If an argument is malformed, the totals differ, or costs forbid every plan (`InfeasibleError`).
    NotImplementedError
        If potentials are given.
    """
    solved = _solved(a, b, M, check_marginals, potentials_init)
    return (solved.plan, solved.log(center_dual)) if log else solved.plan


def emd2(
    a: ArrayLike,
    b: ArrayLike,
    M: ArrayLike,
    processes: int = 1,
    numItermax: int = 100000,
    log: bool = False,
    return_matrix: bool = False,
    center_dual: bool = True,
    numThreads: int | str = 1,
    check_marginals: bool = True,
    potentials_init: None = None,
) -> Any:
    """Return the optimal value, as ``ot.emd2`` does.

    Parameters
    ----------
    a, M, numItermax, log, center_dual, numThreads, check_marginals, potentials_init
        As in `emd`.
    b : array_like, shape (m,) or (m, k)
        Masses of the other side; k columns are k problems.
    processes : int
        Ignored, as in POT.
    return_matrix : bool, default False
        Also return a dict with the plan.

    Returns
    -------
    float
        The value; with `log` or `return_matrix`, ``[value, dict]`` instead. For k columns, a list of k of these.

    Raises
    ------
    ValueError, NotImplementedError
        As in `emd`.
    """
    columns = np.asarray(b)
    if columns.ndim == 2:
        options: dict[str, Any] = {"log": log, "return_matrix": return_matrix, "center_dual": center_dual}
        options |= {"check_marginals": check_marginals, "potentials_init": potentials_init}
        return [emd2(a, column, M, **options) for column in columns.T]
    solved = _solved(a, b, M, check_marginals, potentials_init)
    if not (log or return_matrix):
        return solved.value
    details = solved.log(center_dual)
    if return_matrix:
        details["G"] = solved.plan
    return [solved.value, details]


def partial_wasserstein(
    a: ArrayLike, b: ArrayLike, M: ArrayLike, m: float | None = None, nb_dummies: int = 1, log: bool = False
) -> Any:
    """Return the optimal partial plan, as ``ot.partial.partial_wasserstein`` does.

    Parameters
    ----------
    a, b : array_like, shape (n,) and (m,)
        Masses of both sides, of any totals; uniform with total 1 if empty.
    M : array_like or sparse matrix of SciPy, shape (n, m)
        Cost matrix.
    m : float, optional
        Mass to move; by default the smaller of the two totals.
    nb_dummies : int
        Ignored: the solver needs no dummy points.
    log : bool, default False
        Also return a dict with "cost" and "partial_w_dist".

    Returns
    -------
    ndarray of float64 or scipy.sparse.coo_array, shape (n, m)
        The plan, sparse if costs are; with `log`, the plan and the dict.

    Raises
    ------
    ValueError
        If an argument is malformed, or `m` is more than the smaller total.
    """
    solved = _partial(a, b, M, m)
    plan = _of_pot(solved.plan)
    return (plan, {"cost": solved.value, "partial_w_dist": solved.value}) if log else plan


def partial_wasserstein2(
    a: ArrayLike, b: ArrayLike, M: ArrayLike, m: float | None = None, nb_dummies: int = 1, log: bool = False
) -> Any:
    """Return the optimal partial value, as ``ot.partial.partial_wasserstein2`` does.

    Parameters
    ----------
    a, b, M, m, nb_dummies
        As in `partial_wasserstein`.
    log : bool, default False
        Also return a dict with the plan, "T".

    Returns
    -------
    float
        The value; with `log`, the value and the dict.

    Raises
    ------
    ValueError
        As in `partial_wasserstein`.
    """
    solved = _partial(a, b, M, m)
    return (solved.value, {"T": _of_pot(solved.plan), "partial_w_dist": solved.value}) if log else solved.value


def _partial(a: ArrayLike, b: ArrayLike, M: ArrayLike, m: float | None) -> TransportResult:
    x, y = (_mass(side) for side in (a, b))
    amount = min(1.0 if side is None else float(side.sum()) for side in (x, y)) if m is None else m
    return transport(_costs(M), x, y, totals="given", amount=amount)


class _Solved(NamedTuple):
    """Masses, and the solution for masses of total 1, to be multiplied by `total`."""

    a: NDArray[np.float64] | None
    b: NDArray[np.float64] | None
    total: float
    unit_solution: TransportResult

    @property
    def value(self) -> float:
        return self.unit_solution.value * self.total

    @property
    def plan(self) -> Any:
        return _of_pot(self.unit_solution.plan * self.total)

    def log(self, center_dual: bool) -> dict[str, Any]:
        """The dict that POT returns with `log`."""
        u, v = (potentials.copy() for potentials in self.unit_solution.potentials)
        if center_dual:
            u_with_mass, v_with_mass = (p if m is None else p[m > 0] for p, m in ((u, self.a), (v, self.b)))
            shift = (u_with_mass.mean() - v_with_mass.mean()) / 2
            u, v = u - shift, v + shift
        return {"cost": self.value, "u": u, "v": v, "warning": None, "result_code": _OPTIMAL}


def _solved(a: ArrayLike, b: ArrayLike, M: ArrayLike, check_marginals: bool, potentials_init: object) -> _Solved:
    if potentials_init is not None:
        raise NotImplementedError("potentials_init: the solver has no warm start")
    x, y = (_mass(side) for side in (a, b))
    total = 1.0 if x is None else float(x.sum())
    other = 1.0 if y is None else float(y.sum())
    if check_marginals and abs(total - other) > 1e-6 * max(abs(total), abs(other)):
        raise ValueError(f"a and b must have the same total, got {total} and {other}")
    return _Solved(x, y, total, transport(_costs(M), x, y))


def _costs(M: Any) -> Any:
    return M.astype(np.float64) if is_scipy_sparse(M) else np.asarray(M, dtype=np.float64)


def _of_pot(plan: Any) -> Any:
    """The plan in the format in which POT returns it."""
    return sys.modules["scipy.sparse"].coo_array(plan) if is_scipy_sparse(plan) else plan


def _mass(side: ArrayLike) -> NDArray[np.float64] | None:
    array = np.asarray(side, dtype=np.float64)
    return array if array.size else None
