"""What every solution says, whichever solver made it: a value, an interval around the optimum, whether it is done."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from moverank._support.wording import all_or_not


class Solved:
    """One solution: `gap` and `status`, from its `lower`, `upper` and `converged`."""

    #: What a solver that reached its end says; the exact one says more than that it stopped moving.
    _reached: ClassVar[str] = "converged"

    lower: float
    upper: float
    converged: bool

    @property
    def gap(self) -> float:
        """``upper - lower``: the width of the interval that holds the exact optimum."""
        return max(0.0, self.upper - self.lower)

    @property
    def status(self) -> str:
        """Either "optimal" (of an exact solver) or "converged"; or "not converged"."""
        return self._reached if self.converged else "not converged"


class SolvedBatch:
    """Solutions of many problems: `gap` and the length, from arrays `values`, `lower`, `upper` and `converged`."""

    _noun: ClassVar[str] = "problems"

    values: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    converged: NDArray[np.bool_]

    @property
    def gap(self) -> NDArray[np.float64]:
        """``upper - lower``: the width of each interval, shape (N,)."""
        with np.errstate(invalid="ignore"):  # both ends are infinite where no plan exists
            widths: NDArray[np.float64] = np.where(self.upper == self.lower, 0.0, self.upper - self.lower)
        return np.maximum(0.0, widths)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        name = type(self).__name__
        if len(self) == 0:
            return f"{name}(0 {self._noun})"
        return (
            f"{name}({len(self)} {self._noun}, values {self.values.min():.6g} to {self.values.max():.6g}, "
            f"gap at most {self.gap.max():.1e}, {all_or_not('converged', self.converged)})"
        )
