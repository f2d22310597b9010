"""Alignments as text tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moverank._support.wording import printable
from moverank.alignment.moves import NamedMove, folded_moves, folded_samples, told_apart_by_place
from moverank.alignment.uncertainty import Uncertainty

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


def uncertain_table(alignment: Alignment, uncertainty: Uncertainty, max_rows: int | None) -> str:
    """The same with what samples say of each move, and of each query token the bits about which they disagree."""
    shown, rest = folded_samples(alignment, uncertainty, max_rows)
    sources = [printable(name) for name in told_apart_by_place(alignment.source_names)]
    targets = [printable(name) for name in told_apart_by_place(alignment.target_names)]
    count = f"{len(rest)} other moves" if rest else ""
    left = max([len(sources[move.source]) for move in shown] + [len("query token")])
    right = max([len(targets[move.target]) for move in shown] + [len("document token"), len(count)])

    def line(left_side: str, right_side: str, numbers: str) -> str:
        return f"{left_side} {right_side:<{right}} {numbers}"

    heads = f"{'mass %':>7} {'mean %':>7} {'± %':>6} {'seen %':>7} {'cost':>8} {'contribution':>13}"
    lines = [line(f"{'query token':<{left}}  bits    ", "document token", heads)]
    previous = None
    for move in shown:
        begins = f"{'':<{left + 6}}"
        if move.source != previous:
            begins = f"{sources[move.source]:<{left}}  {uncertainty.disagreement[move.source]:>4.2f}"
        previous = move.source
        lines.append(
            line(
                f"{begins}  ->",
                targets[move.target],
                f"{100 * move.mass:>7.2f} {100 * move.mean:>7.2f} {100 * move.deviation:>6.2f} "
                f"{100 * move.frequency:>7.1f} {move.cost:>8.4f} {move.contribution:>13.5f}",
            )
        )
    blank = f"{'':<{left + 10}}"
    if rest:
        mass, mean = sum(move.mass for move in rest), sum(move.mean for move in rest)
        spent = sum(move.contribution for move in rest)
        lines.append(
            line(blank, count, f"{100 * mass:>7.2f} {100 * mean:>7.2f} {'':>6} {'':>7} {'':>8} {spent:>13.5f}")
        )
    totals = f"{100 * float(alignment.plan.sum()):>7.2f} {100 * float(uncertainty.mean.sum()):>7.2f}"
    lines.append(line(f"{'distance':<{left + 10}}", "", f"{totals} {'':>6} {'':>7} {'':>8} {alignment.value:>13.5f}"))
    return "\n".join([*lines, *uncertainty.lines(), *alignment.lost.lines(documents="the document")])


def _printable(move: NamedMove) -> NamedMove:
    return move._replace(source=printable(move.source), target=printable(move.target))
