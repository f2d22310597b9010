"""Entropic problems, and their solutions by Sinkhorn's scaling."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.validate import positive_number, whole_number
from moverank.solvers.interval import Solved, SolvedBatch


@dataclass(frozen=True)
class Sinkhorn:
    """An entropic transport problem, and when to stop solving it.

    With cost matrix C, marginals a and b, and ``KL(P | Q) = sum P log(P / Q) - P + Q``::

        min <C, P> + ε KL(P | a b^T)   subject to the constraints of the exact problem

    It is a measure's `problem`, or the `epsilon` of `transport`. A larger ε converges faster, to a smoother plan; at
    ε = 0.05 times the median cost the value is some 10 to 20 % above the exact one on text, with proved bounds within a
    few per cent of the exact one.

    Parameters
    ----------
    epsilon : float, default 0.05
        Weight of the entropy.
    relative : bool, default True
        Whether `epsilon` is in units of the median size of each problem's costs; otherwise it is in units of the cost.
        (Where that median is 0, their largest size is used; where that is 0 as well, 1.) Documents are comparable only
        at the same ε in units of the cost: for ranking, give an absolute one.
    tolerance : float, default 1e-4
        Stop once the L1 error of the marginals is no larger. Below 2e-6 everything is computed in float64.
    max_iterations : int, default 1000
        Most sweeps over both sides. 0 evaluates the starting point.
    marginal_penalty : float, default inf
        ρ: instead of meeting the marginals, pay ``ρ KL(P 1 | a) + ρ KL(P^T 1 | b)`` (unbalanced transport), in units of
        the cost.
    debiased : bool, default False
        Subtract half of each side's cost against itself: the Sinkhorn divergence, 0 between equal sequences.

    Raises
    ------
    TypeError, ValueError
        If a field has the wrong type or is out of range.

    References
    ----------
    .. [1] Cuturi, "Sinkhorn Distances", NIPS 2013.
    .. [2] Chizat, Peyré, Schmitzer, Vialard, "Scaling Algorithms for Unbalanced Optimal Transport Problems", 2018.
    .. [3] Feydy, Séjourné, Vialard, Amari, Trouvé, Peyré, "Interpolating between Optimal Transport and MMD using
       Sinkhorn Divergences", AISTATS 2019.

    Examples
    --------
    >>> from moverank import wmd
    >>> smooth = wmd.replace(problem=Sinkhorn(epsilon=0.1, relative=False))
    >>> round(smooth([[0.0], [1.0]], [[0.0], [1.0]]), 4)
    0.0693
    """

    epsilon: float = 0.05
    relative: bool = True
    tolerance: float = 1e-4
    max_iterations: int = 1000
    marginal_penalty: float = math.inf
    debiased: bool = False

    def __post_init__(self) -> None:
        for name in ("relative", "debiased"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
            object.__setattr__(self, name, bool(getattr(self, name)))
        object.__setattr__(self, "epsilon", positive_number(self.epsilon, "epsilon"))
        object.__setattr__(self, "tolerance", positive_number(self.tolerance, "tolerance"))
        object.__setattr__(self, "max_iterations", whole_number(self.max_iterations, "max_iterations", least=0))
        penalty = positive_number(self.marginal_penalty, "marginal_penalty", infinite=True)
        object.__setattr__(self, "marginal_penalty", penalty)
        # Made here, so that whatever the core refuses is refused now.
        self._spec  # noqa: B018

    def replace(self, **changes: Any) -> Sinkhorn:
        """Copy with some fields changed."""
        return dataclass_replace(self, **changes)

    @cached_property
    def _spec(self) -> _core.Sinkhorn:
        """The same problem as the core knows it."""
        return _core.Sinkhorn(
            self.epsilon,
            self.relative,
            self.tolerance,
            self.max_iterations,
            self.marginal_penalty,
            self.debiased,
        )

    def __getstate__(self) -> dict[str, Any]:
        # Without the core's object, which cannot be pickled and is made again at the first access.
        return {name: value for name, value in vars(self).items() if name != "_spec"}


def require_compatible(sinkhorn: Sinkhorn, capacity: float, fraction: float) -> None:
    """Refuse combinations that are not defined: limits on one side with prices or self-costs on both."""
    if capacity == 1 and fraction == 1:
        return
    for name, is_set in (
        ("marginal_penalty", math.isfinite(sinkhorn.marginal_penalty)),
        ("debiased", sinkhorn.debiased),
    ):
        if is_set:
            raise ValueError(
                f"{name} needs capacity 1 and fraction 1, got capacity {capacity:g}, fraction {fraction:g}"
            )


def as_sinkhorn(epsilon: Any) -> Sinkhorn:
    """Take an `epsilon` argument, a number in units of the cost or the whole problem."""
    if isinstance(epsilon, Sinkhorn):
        if epsilon.debiased:
            raise ValueError("epsilon: debiased needs the costs of each side against itself; use a measure")
        return epsilon
    if isinstance(epsilon, (bool, np.bool_)) or not isinstance(epsilon, numbers.Real):
        raise TypeError(f"epsilon must be a number or a Sinkhorn, got {epsilon!r}")
    return Sinkhorn(epsilon=float(epsilon), relative=False)


@dataclass(frozen=True, repr=False, eq=False)
class SinkhornResult(Solved):
    """Solution of an entropic transport problem, with an interval around the exact value.

    Attributes
    ----------
    value : float
        ``<cost, plan> + epsilon KL(plan | a b^T)`` at convergence (with the prices of the marginals, if they have
        any): the value of the dual at `potentials`, in units of the cost.
    plan : ndarray of float64, shape (n, m)
        The entropic plan; its marginals are off by `marginal_error`.
    potentials : tuple of ndarray of float64, shapes (n,) and (m,)
        Dual variables f and g of the entropic problem: ``plan = a b^T exp((f + g - cost) / epsilon)``.
    lower, upper : float
        ``lower <= exact value <= upper``, proved, at every ε and after any number of iterations: the value of a
        feasible solution of the dual made from `potentials`, and the cost of a feasible plan made from `plan`. "Exact"
        is the same problem at ε = 0.
    plan_cost : float
        ``<cost, plan>``.
    epsilon : float
        The weight of the entropy in units of the cost.
    marginal_error : float
        L1 distance between the plan's marginals and what they should be.
    iterations : int
        Sweeps over both sides.
    converged : bool
        Whether `marginal_error` came under the tolerance; the interval holds in any case.
    multiplier : float
        With a fraction below 1, the price of the last unit of mass; f does not exceed it. Else 0.
    """

    value: float
    plan: NDArray[np.float64]
    potentials: tuple[NDArray[np.float64], NDArray[np.float64]]
    lower: float
    upper: float
    plan_cost: float
    epsilon: float
    marginal_error: float
    iterations: int
    converged: bool
    multiplier: float

    def __repr__(self) -> str:
        n, m = self.plan.shape
        return (
            f"SinkhornResult(value={self.value:.6g}, exact in [{self.lower:.6g}, {self.upper:.6g}], plan={n}x{m}, "
            f"epsilon={self.epsilon:.3g}, {self.status} in {self.iterations} iterations, "
            f"marginal_error={self.marginal_error:.1e})"
        )


@dataclass(frozen=True, repr=False, eq=False)
class SinkhornBatch(SolvedBatch):
    """Values of many entropic problems, each with an interval around the exact value.

    Attributes
    ----------
    values, lower, upper, plan_cost, epsilon, marginal_error : ndarray of float64, shape (N,)
        As in `SinkhornResult`, one per problem.
    iterations : ndarray of int64, shape (N,)
        Sweeps over both sides.
    converged : ndarray of bool, shape (N,)
        Whether each reached the tolerance.
    plans : ndarray of float64, shape (N, n, m), or None
        The entropic plans, if requested.
    """

    values: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    plan_cost: NDArray[np.float64]
    epsilon: NDArray[np.float64]
    iterations: NDArray[np.int64]
    marginal_error: NDArray[np.float64]
    converged: NDArray[np.bool_]
    plans: NDArray[np.float64] | None = None
