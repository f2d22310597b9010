"""Problems whose totals matter, in the form that the core solves: both totals 1, limits on the columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.validate import positive_number
from moverank.solvers.sinkhorn import Sinkhorn

#: What `totals` may be.
TOTALS = ("normalised", "given")

#: Totals of a balanced problem may differ by this share, as sums of computed masses do.
_SAME_TOTAL = 1e-6

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Totals:
    """N problems with totals as given, and how to read their normalised forms.

    Where the targets have less room than the sources have mass, and only a part moves, the two sides change places:
    the core limits columns to no less than all mass of the rows.

    Attributes
    ----------
    sources, targets : ndarray, shape (N,)
        Totals of `a` and `b`.
    rows : ndarray, shape (N,)
        Mass that 1 stands for in the normalised problem: of the side that plays the rows.
    capacity, fraction : ndarray, shape (N,)
        Of the normalised problems.
    swapped : ndarray of bool, shape (N,)
        Where targets play the rows.
    """

    sources: Numbers
    targets: Numbers
    rows: Numbers
    capacity: Numbers
    fraction: Numbers
    swapped: NDArray[np.bool_]

    @staticmethod
    def normalised(n_problems: int, capacity: float, fraction: float) -> Totals:
        """Totals that do not matter."""
        one = np.ones(n_problems)
        limits = np.full(n_problems, capacity), np.full(n_problems, fraction)
        return Totals(one, one, one, *limits, np.zeros(n_problems, dtype=bool))

    @staticmethod
    @lru_cache
    def one_normalised(capacity: float, fraction: float) -> Totals:
        """The same of one problem, as numbers; made once, as making them takes longer than a small problem."""
        return Totals.normalised(1, capacity, fraction)[0]

    @staticmethod
    def given(
        masses: tuple[Numbers | None, Numbers | None],
        n_problems: int,
        *,
        capacity: float,
        fraction: float,
        amount: float | None,
        penalised: bool,
    ) -> Totals:
        """Totals as given: an error where the mass has no room, or where both should be equal and are not."""
        sources, targets = (_sums(mass, name, n_problems) for mass, name in zip(masses, "ab", strict=True))
        one = np.ones(n_problems)
        nowhere = np.zeros(n_problems, dtype=bool)
        if penalised:
            return Totals(sources, targets, one, one, one, nowhere)
        room = capacity * targets
        if amount is None and fraction == 1:
            if capacity == 1:
                _refuse(
                    np.abs(sources - targets) > _SAME_TOTAL * np.maximum(sources, targets),
                    sources,
                    targets,
                    "a and b must have the same total",
                    "amount= says how much has to move, totals='normalised' divides both by theirs",
                )
                return Totals(sources, targets, sources, one, one, nowhere)
            _refuse(room < sources * (1 - 1e-12), sources, targets, f"b has no room for a at capacity {capacity:g}", "")
            return Totals(sources, targets, sources, np.maximum(room / sources, 1.0), one, nowhere)
        moved = fraction * sources if amount is None else one * amount
        least = np.minimum(sources, room)
        what = "fraction of a's total" if amount is None else f"amount {amount:g}"
        _refuse(moved > least * (1 + 1e-12), sources, targets, f"{what} is more than can move", "")
        swapped = room < sources
        rows = np.where(swapped, room, sources)
        # The larger side over the smaller: infinite at an infinite capacity.
        others = np.where(swapped, sources, room)
        return Totals(sources, targets, rows, np.maximum(others / rows, 1.0), np.minimum(moved / rows, 1.0), swapped)

    def __getitem__(self, which: Any) -> Totals:
        fields = (self.sources, self.targets, self.rows, self.capacity, self.fraction, self.swapped)
        return Totals(*(field[which] for field in fields))

    def entropy_shift(self, sinkhorn: Sinkhorn, epsilon: Numbers) -> EntropyShift:
        """How an entropic problem and its normalised form differ, at these ε in units of the cost.

        With P = t P' and prices ρ, the terms of ``log(P / (a b))`` that are constant on all of P' cancel for t =
        (A B)^((ε + ρ) / (ε + 2 ρ)), A and B being the totals. Without prices t is the rows' total, and what is left is
        a constant, as the mass of P is one.
        """
        product = self.sources * self.targets
        if not np.isfinite(sinkhorn.marginal_penalty):
            log_scale = np.log(self.rows / product)
            constant = epsilon * (product - self.rows + self.rows * self.fraction * log_scale)
            shift = epsilon * log_scale
            zero = np.zeros_like(shift)
            return EntropyShift(self.rows, constant, self.rows, zero, shift, zero)
        price = sinkhorn.marginal_penalty
        # Not **, which for one number is computed by another routine than for an array of them.
        scale = np.power(product, (epsilon + price) / (epsilon + 2 * price))
        exact_scale = np.sqrt(product)
        both = self.sources + self.targets
        return EntropyShift(
            scale,
            epsilon * (product - scale) + price * (both - 2 * scale),
            exact_scale,
            price * (both - 2 * exact_scale),
            -price * np.log(scale / self.sources),
            -price * np.log(scale / self.targets),
        )


@dataclass(frozen=True)
class EntropyShift:
    """Value = scale × normalised value + constant; bounds on the exact value likewise; what potentials grow by."""

    scale: Numbers
    constant: Numbers
    exact_scale: Numbers
    exact_constant: Numbers
    of_rows: Numbers
    of_columns: Numbers


def amount_number(amount: Any) -> float | None:
    """Check an absolute amount of mass."""
    return None if amount is None else positive_number(amount, "amount")


def require_one_measure_of_part(totals: str, fraction: float, amount: float | None) -> None:
    """Refuse an amount where totals do not matter, or together with a fraction."""
    if amount is None:
        return
    if totals != "given":
        raise ValueError("amount needs totals='given'; where totals are normalised, fraction says how much moves")
    if fraction != 1:
        raise ValueError(f"give amount or fraction, not both (got {amount:g} and {fraction:g})")


def _sums(mass: Numbers | None, name: str, n_problems: int) -> Numbers:
    if mass is None:
        return np.ones(n_problems)
    rows = np.atleast_2d(mass)
    for place, row in enumerate(rows):
        fault = _core.weights_fault(np.ascontiguousarray(row))
        if fault:
            raise ValueError(f"{name}{f'[{place}]' if mass.ndim == 2 else ''}: {fault}")
    return np.broadcast_to(rows.sum(axis=1), (n_problems,)).astype(np.float64)


def _refuse(where: NDArray[np.bool_], sources: Numbers, targets: Numbers, fault: str, advice: str) -> None:
    if not where.any():
        return
    place = int(np.argmax(where))
    of = f"problem {place}: " if len(where) > 1 else ""
    raise ValueError(
        f"{of}{fault}: a has {sources[place]:.6g}, b has {targets[place]:.6g}" + (f"; {advice}" if advice else "")
    )
