"""POT's exact solvers under its names: ``from moverank.integrations.pot import emd, emd2``. POT is not imported.

The same arguments and the same answers, faster. Potentials are not unique: ours prove the same value, and need not be
the same numbers. Costs are dense arrays; POT's other backends, sparse costs and warm starts are not supported.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank.solvers.transport import TransportResult, transport

#: What POT's `emd` says of a solution that is optimal.
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
    """Optimal plan, as ``ot.emd`` gives it.

    Parameters
    ----------
    a, b : array_like, shape (n,) and (m,)
        Mass of both sides; uniform if empty. `b` is scaled to the total of `a`.
    M : array_like, shape (n, m)
        Cost matrix.
    numItermax, numThreads : int
        Without effect: the solver ends by itself, and one problem is one thread's.
    log : bool, default False
        Return a dict with value and potentials, too.
    center_dual : bool, default True
        Shift potentials so that both have the same mean over what has mass.
    check_marginals : bool, default True
        Refuse totals that differ.
    potentials_init : None
        Not supported.

    Returns
    -------
    ndarray of float64, shape (n, m)
        The plan; and, with `log`, a dict with "cost", "u", "v", "warning" and "result_code".

    Raises
    ------
    ValueError
        If an argument is malformed, or the totals differ.
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
    """Optimal value, as ``ot.emd2`` gives it.

    Parameters
    ----------
    a, M, numItermax, log, center_dual, numThreads, check_marginals, potentials_init
        As in `emd`.
    b : array_like, shape (m,) or (m, k)
        Mass of the other side; k of them for as many values.
    processes : int
        Without effect, as in POT.
    return_matrix : bool, default False
        Return a dict with the plan, too.

    Returns
    -------
    float
        The value, or a list of k; and, with `log` or `return_matrix`, ``[value, dict]`` in place of it.

    Raises
    ------
    ValueError, NotImplementedError
        As in `emd`.
    """
    several = np.asarray(b)
    if several.ndim == 2:
        options: dict[str, Any] = {"log": log, "return_matrix": return_matrix, "center_dual": center_dual}
        options |= {"check_marginals": check_marginals, "potentials_init": potentials_init}
        return [emd2(a, column, M, **options) for column in several.T]
    solved = _solved(a, b, M, check_marginals, potentials_init)
    if not (log or return_matrix):
        return solved.value
    said = solved.log(center_dual)
    if return_matrix:
        said["G"] = solved.plan
    return [solved.value, said]


def partial_wasserstein(
    a: ArrayLike, b: ArrayLike, M: ArrayLike, m: float | None = None, nb_dummies: int = 1, log: bool = False
) -> Any:
    """Optimal partial plan, as ``ot.partial.partial_wasserstein`` gives it.

    Parameters
    ----------
    a, b : array_like, shape (n,) and (m,)
        Mass of both sides, of any totals; uniform of total 1 if empty.
    M : array_like, shape (n, m)
        Cost matrix.
    m : float, optional
        Mass to move; by default as much as the lesser total.
    nb_dummies : int
        Without effect: no dummy points are needed.
    log : bool, default False
        Return a dict with "cost" and "partial_w_dist", too.

    Returns
    -------
    ndarray of float64, shape (n, m)
        The plan; and, with `log`, the dict.

    Raises
    ------
    ValueError
        If an argument is malformed, or `m` is more than can move.
    """
    solved = _partial(a, b, M, m)
    return (solved.plan, {"cost": solved.value, "partial_w_dist": solved.value}) if log else solved.plan


def partial_wasserstein2(
    a: ArrayLike, b: ArrayLike, M: ArrayLike, m: float | None = None, nb_dummies: int = 1, log: bool = False
) -> Any:
    """Optimal partial value, as ``ot.partial.partial_wasserstein2`` gives it.

    Parameters
    ----------
    a, b, M, m, nb_dummies
        As in `partial_wasserstein`.
    log : bool, default False
        Return a dict with the plan, "T", too.

    Returns
    -------
    float
        The value; and, with `log`, the dict.

    Raises
    ------
    ValueError
        As in `partial_wasserstein`.
    """
    solved = _partial(a, b, M, m)
    return (solved.value, {"T": solved.plan, "partial_w_dist": solved.value}) if log else solved.value


def _partial(a: ArrayLike, b: ArrayLike, M: ArrayLike, m: float | None) -> TransportResult:
    x, y = (_mass(side) for side in (a, b))
    amount = min(1.0 if side is None else float(side.sum()) for side in (x, y)) if m is None else m
    return transport(np.asarray(M, dtype=np.float64), x, y, totals="given", amount=amount)


class _Solved(NamedTuple):
    """A solution, of masses whose total was divided out."""

    a: NDArray[np.float64] | None
    b: NDArray[np.float64] | None
    total: float
    of_one: TransportResult

    @property
    def value(self) -> float:
        return self.of_one.value * self.total

    @property
    def plan(self) -> NDArray[np.float64]:
        return self.of_one.plan * self.total

    def log(self, center_dual: bool) -> dict[str, Any]:
        """What POT tells besides."""
        u, v = (potentials.copy() for potentials in self.of_one.potentials)
        if center_dual:
            of_u, of_v = (p if m is None else p[m > 0] for p, m in ((u, self.a), (v, self.b)))
            shift = (of_u.mean() - of_v.mean()) / 2
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
    return _Solved(x, y, total, transport(np.asarray(M, dtype=np.float64), x, y))


def _mass(side: ArrayLike) -> NDArray[np.float64] | None:
    array = np.asarray(side, dtype=np.float64)
    return array if array.size else None
