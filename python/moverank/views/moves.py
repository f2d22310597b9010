"""Moves between names: tokens that look the same are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from moverank.alignment import Alignment


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
