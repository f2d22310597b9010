"""Moves between names: tokens with the same name are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
