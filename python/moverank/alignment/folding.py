"""Long sequences on a page: runs of tokens with little mass are folded, so that the page stays readable and small."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Folds:
    """Tokens of one side as a page shows them: run r, of one token or more, begins at token `starts[r]`."""

    starts: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, mass: NDArray[np.float64], most: int | None) -> Folds:
        """Keep at most this many tokens, those of the largest mass; the others between two of them become one run."""
        count = len(mass)
        own = np.ones(count, dtype=bool)
        if most is not None and count > most:
            own[np.argsort(-mass, kind="stable")[most:]] = False
        begins = own | np.roll(own, 1)
        begins[0] = True
        return cls(np.flatnonzero(begins), count)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each run."""
        found: NDArray[np.int64] = np.diff(np.append(self.starts, self.count))
        return found

    @property
    def run_of(self) -> NDArray[np.int64]:
        """Run of each token."""
        return np.repeat(np.arange(len(self.starts)), self.lengths)

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over the tokens of each run."""
        found: NDArray[np.float64] = np.add.reduceat(values, self.starts)
        return found
