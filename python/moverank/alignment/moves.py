"""Moves between names: tokens with the same name are one. Those of samples stay apart: deviations do not add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from moverank.alignment.uncertainty import Uncertainty

if TYPE_CHECKING:
    from moverank.alignment.alignment import Alignment


class NamedMove(NamedTuple):
    """Mass that moves from one name to another, and what it adds to the distance."""

    source: str
    target: str
    mass: float
    contribution: float


def named_moves(alignment: Alignment) -> list[NamedMove]:
    """Moves of an alignment, added up where both names repeat; the largest mass first."""
    sources, targets = alignment.source_names, alignment.target_names
    totals: dict[tuple[str, str], tuple[float, float]] = {}
    for move in alignment.pairs:
        key = (sources[move.source], targets[move.target])
        mass, contribution = totals.get(key, (0.0, 0.0))
        totals[key] = (mass + move.mass, contribution + move.contribution)
    return sorted((NamedMove(*key, *total) for key, total in totals.items()), key=lambda move: -move.mass)


class Rest(NamedTuple):
    """Moves that are summed in one line of a table."""

    moves: int
    mass: float
    contribution: float


def folded_moves(alignment: Alignment, max_rows: int | None) -> tuple[list[NamedMove], Rest | None]:
    """The largest moves, which get lines of their own, grouped by query token; and the sum of the others."""
    moves = named_moves(alignment)
    shown = moves if max_rows is None else moves[:max_rows]
    rest = moves[len(shown) :]
    source_mass: dict[str, float] = {}
    for name, mass in zip(alignment.source_names, alignment.a.tolist(), strict=True):
        source_mass[name] = source_mass.get(name, 0.0) + mass
    shown = sorted(shown, key=lambda move: (-source_mass[move.source], move.source, -move.mass))
    if not rest:
        return shown, None
    return shown, Rest(len(rest), sum(move.mass for move in rest), sum(move.contribution for move in rest))


class SampledMove(NamedTuple):
    """A move of the plan, of samples, or of both."""

    source: int
    target: int
    mass: float
    mean: float
    deviation: float
    frequency: float
    cost: float

    @property
    def contribution(self) -> float:
        """What the move adds to the distance."""
        return self.mass * self.cost if self.mass else 0.0


def sampled_moves(alignment: Alignment, uncertainty: Uncertainty) -> list[SampledMove]:
    """Moves of the plan and of samples; the largest mass first, then the largest mean."""
    plan, mean = alignment.plan, uncertainty.mean
    sources, targets = np.nonzero((plan > 0) | (mean > 0))
    order = np.lexsort((targets, sources, -mean[sources, targets], -plan[sources, targets]))
    sources, targets = sources[order], targets[order]
    arrays = plan, mean, uncertainty.deviation, uncertainty.frequency, alignment.cost.astype(np.float64)
    columns = (array[sources, targets].tolist() for array in arrays)
    return [SampledMove(*row) for row in zip(sources.tolist(), targets.tolist(), *columns, strict=True)]


def folded_samples(
    alignment: Alignment, uncertainty: Uncertainty, max_rows: int | None
) -> tuple[list[SampledMove], list[SampledMove]]:
    """The moves of the largest mass or mean, grouped by query token; and the others."""
    moves = sorted(sampled_moves(alignment, uncertainty), key=lambda move: -max(move.mass, move.mean))
    shown = moves if max_rows is None else moves[:max_rows]
    rest = moves[len(shown) :]
    own = alignment.a.tolist()
    return sorted(shown, key=lambda move: (-own[move.source], move.source, -move.mean, -move.mass)), rest


def told_apart_by_place(names: Sequence[str]) -> list[str]:
    """Names, those that repeat with their places."""
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name} [{place}]" for place, name in enumerate(names)]
