"""Alignments under noise: many perturbed copies of one problem, solved in one call, and what their plans share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import real_number, whole_number
from moverank.alignment.alignment import Alignment
from moverank.alignment.uncertainty import OCCURS, Uncertainty
from moverank.measures.measure import Measure
from moverank.solvers.sinkhorn import Sinkhorn
from moverank.solvers.transport import transport, transport_batch

#: Where no temperature is given: a move is in doubt if another costs less than some tenths of the median cost more.
TEMPERATURE = 0.1
#: Costs that are held at a time, with as many plans; one call solves all samples of texts of usual lengths.
ENTRIES = 1 << 20
#: Noise is cut at this many times its scale, which no sample will ever reach.
FARTHEST = 100.0

Numbers = NDArray[np.float64]


class Noise:
    """How many samples, at what temperature, from which seed; None for all of them if there are no samples."""

    def __init__(self, samples: Any, temperature: Any, seed: Any) -> None:
        self.samples = whole_number(samples, "samples", least=1)
        self.temperature = TEMPERATURE if temperature is None else real_number(temperature, "temperature")
        if not 0 <= self.temperature < np.inf:
            raise ValueError(f"temperature must be at least 0 and finite, got {self.temperature}")
        self.seed = 0 if seed is None else whole_number(seed, "seed", least=0)

    @classmethod
    def of(cls, samples: Any, temperature: Any, seed: Any) -> Noise | None:
        """Check the arguments of `align`: without samples, the others would have no effect."""
        if samples is not None:
            return cls(samples, temperature, seed)
        for name, value in (("temperature", temperature), ("seed", seed)):
            if value is not None:
                raise ValueError(f"{name} applies only to samples=, which is not given, got {value!r}")
        return None

    def scale(self, cost: NDArray[Any]) -> float:
        """Scale of the noise in units of the cost."""
        sizes = np.abs(cost[np.isfinite(cost)].astype(np.float64))
        unit = float(np.median(sizes)) or float(sizes.max()) or 1.0
        # Python's floats do not warn where they overflow.
        if float(sizes.max()) + FARTHEST * self.temperature * unit > float(np.finfo(cost.dtype).max) / 4:
            raise ValueError(
                f"temperature: noise of {self.temperature:g} times the median cost, {unit:.3g}, exceeds {cost.dtype}"
            )
        return self.temperature * unit

    def perturbed(self, cost: NDArray[Any], scale: float) -> Iterator[NDArray[Any]]:
        """Costs less noise, shape (k, n, m): as many samples at a time as fit, which does not change the noise."""
        random = np.random.default_rng(self.seed)
        at_a_time = max(1, ENTRIES // cost.size)
        for first in range(0, self.samples, at_a_time):
            count = min(at_a_time, self.samples - first)
            # -log of an exponential is Gumbel: NumPy draws the former in a third of the time. Of mean 0, as unbalanced
            # problems pay for a shift of all costs.
            noise = random.standard_exponential((count, *cost.shape))
            np.maximum(noise, np.exp(-FARTHEST), out=noise)
            np.log(noise, out=noise)
            noise += np.euler_gamma
            noise *= scale
            noise += cost
            # Solved in the type in which the costs were solved without noise.
            yield noise.astype(cost.dtype, copy=False)


def sampled(alignment: Alignment, measure: Measure, noise: Noise | None) -> Alignment:
    """The alignment with its uncertainty; as it is without noise."""
    if noise is None:
        return alignment
    scale = noise.scale(alignment.cost)
    tally = _Tally(alignment)
    solver = _Solver(alignment, measure)
    not_converged = 0
    for costs in noise.perturbed(alignment.cost, scale):
        plans, converged = solver.plans(costs)
        not_converged += int((~converged).sum())
        tally.add(plans)
    found = Uncertainty(
        noise.samples,
        noise.temperature,
        scale,
        noise.seed,
        **tally.result(),
        not_converged=not_converged,
    )
    return replace(alignment, uncertainty=found)


class _Solver:
    """Plans of a measure for other costs between the same tokens."""

    def __init__(self, alignment: Alignment, measure: Measure) -> None:
        self._masses = alignment.a, alignment.b
        self._limits: dict[str, Any] = {"capacity": measure.capacity, "fraction": measure.fraction}
        self._relaxed = measure.problem == "relaxed"
        self._sinkhorn: Sinkhorn | None = None
        if isinstance(measure.problem, Sinkhorn):
            # Self-costs of a debiased problem do not change its plan. The entropy has one weight in all samples, that
            # of the problem without noise: a relative one would grow with the noise.
            plain = measure.problem.replace(debiased=False)
            started = transport(alignment.cost, *self._masses, **self._limits, epsilon=plain.replace(max_iterations=0))
            self._sinkhorn = plain.replace(epsilon=started.epsilon, relative=False)

    def plans(self, costs: NDArray[Any]) -> tuple[Numbers, NDArray[np.bool_]]:
        """Plans, shape (k, n, m), and whether each is converged."""
        if self._sinkhorn is not None:
            scaled = transport_batch(costs, *self._masses, **self._limits, epsilon=self._sinkhorn, plans=True)
            return _required(scaled.plans), scaled.converged
        if not self._relaxed:
            solved = transport_batch(costs, *self._masses, **self._limits, plans=True)
            return _required(solved.plans), solved.converged
        # As without noise: of capacity 1 the better side, whose tokens each go to their nearest.
        free = {**self._limits, "capacity": np.inf}
        solved = transport_batch(costs, *self._masses, **free, plans=True)
        plans = _required(solved.plans)
        if self._limits["capacity"] == 1.0:
            turned = np.ascontiguousarray(costs.transpose(0, 2, 1))
            other = transport_batch(turned, *self._masses[::-1], **free, plans=True)
            better = other.values > solved.values
            plans[better] = _required(other.plans)[better].transpose(0, 2, 1)
        return plans, solved.converged


def _required(plans: Numbers | None) -> Numbers:
    assert plans is not None  # as it was requested
    return plans


class _Tally:
    """Means and squares over sampled plans, by the update of Chan, Golub and LeVeque, which loses no digits."""

    def __init__(self, alignment: Alignment) -> None:
        shape = alignment.plan.shape
        # Forbidden pairs move nothing, so their cost does not count.
        self._cost = np.where(np.isfinite(alignment.cost), alignment.cost, 0.0).astype(np.float64)
        self._least = np.where(alignment.a > 0, OCCURS * alignment.a, np.inf)[:, None]
        self._count = 0
        self._mean, self._squares, self._occurred = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._split = np.zeros(shape[0])
        self._values: list[Numbers] = []

    def add(self, plans: Numbers) -> None:
        """Count these plans in; they are used up."""
        # By einsum, not a product of matrices, whose last digits depend on how many samples are at hand.
        self._values.append(np.einsum("kij,ij->k", plans, self._cost))
        self._occurred += (plans >= self._least).sum(axis=0)
        # Entropy of each row of each plan, times the mass of that row.
        self._split += (_xlogx(plans.sum(axis=2)) - _xlogx(plans).sum(axis=2)).sum(axis=0)
        before, count = self._count, len(plans)
        self._count += count
        mean = plans.sum(axis=0) / count
        plans -= mean
        plans *= plans
        change = mean - self._mean
        self._mean += change * (count / self._count)
        self._squares += plans.sum(axis=0) + change * change * (before * count / self._count)

    def result(self) -> dict[str, Any]:
        """What `Uncertainty` says of plans."""
        mean = self._mean
        moved = mean.sum(axis=1)
        per_mass = np.divide(1.0 / np.log(2.0), moved, out=np.zeros_like(moved), where=moved > 0)
        entropy = np.maximum((_xlogx(moved) - _xlogx(mean).sum(axis=1)) * per_mass, 0.0)
        return {
            "mean": mean,
            "deviation": np.sqrt(self._squares / self._count),
            "frequency": self._occurred / self._count,
            "entropy": entropy,
            "disagreement": np.clip(entropy - self._split / self._count * per_mass, 0.0, entropy),
            "values": np.concatenate(self._values),
        }


def _xlogx(values: Numbers) -> Numbers:
    """``x log x``, 0 at 0."""
    logs = np.log(values, out=np.zeros_like(values), where=values > 0)
    logs *= values
    return logs
