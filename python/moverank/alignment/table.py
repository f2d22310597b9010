"""Alignments as text tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moverank._support.wording import printable
from moverank.alignment.moves import NamedMove, folded_moves

if TYPE_CHECKING:
    from moverank.alignment.alignment import Alignment


def table(alignment: Alignment, max_rows: int | None) -> str:
    """Lay the moves out, grouped by query token."""
    found, rest = folded_moves(alignment, max_rows)
    shown = [_printable(move) for move in found]
    count = "" if rest is None else f"{rest.moves} other moves"
    left = max([len(move.source) for move in shown] + [len("query token")])
    right = max([len(move.target) for move in shown] + [len("document token"), len(count)])
    lines = [f"{'query token':<{left}}     {'document token':<{right}} {'mass %':>7} {'cost':>8} {'contribution':>13}"]
    previous = None
    for source, target, mass, contribution in shown:
        name = source if source != previous else ""
        previous = source
        lines.append(
            f"{name:<{left}}  -> {target:<{right}} {100 * mass:>7.2f} {contribution / mass:>8.4f} {contribution:>13.5f}"
        )
    if rest is not None:
        lines.append(f"{'':<{left}}     {count:<{right}} {100 * rest.mass:>7.2f} {'':>8} {rest.contribution:>13.5f}")
    total = 100 * float(alignment.plan.sum())
    lines.append(f"{'distance':<{left}}     {'':<{right}} {total:>7.2f} {'':>8} {alignment.value:>13.5f}")
    return "\n".join([*lines, *alignment.lost.lines(documents="the document")])


def _printable(move: NamedMove) -> NamedMove:
    return move._replace(source=printable(move.source), target=printable(move.target))
