"""Alignments in a browser or a notebook: one piece of HTML that loads nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moverank.alignment.colours import of_costs
from moverank.alignment.folding import Folds
from moverank.alignment.moves import named_moves, sampled_moves, told_apart_by_place
from moverank.alignment.uncertainty import Uncertainty

if TYPE_CHECKING:
    from moverank.alignment.alignment import Alignment

#: Lines of the table above the tokens; a document may have thousands of moves.
ROWS = 8
#: Lines between tokens; entropic plans have one between any two.
MOVES = 4000
#: Bits of disagreement about a query token from which on a page marks it.
UNSURE = 0.1
#: A flow below this share of the mass is a rounding error.
LEAST = 1e-9

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body>
{body}
</body>
</html>
"""
_MEANS = (
    "; tokens and lines show the mean of the samples: a broken line is a move that the plan without noise does not "
    "make, a broken frame a query token about which samples disagree"
)
_HINT = "Point at a token, or step through them with the Tab key, to see where its mass goes."


def to_html(alignment: Alignment, title: str | None, *, page: bool, max_tokens: int | None) -> str:
    """Draw an alignment: of several samples, their mean."""
    unsure = alignment.uncertainty
    plan = alignment.plan if unsure is None else unsure.mean
    taken = plan.sum(axis=0)
    sides = Folds.of(alignment.a, max_tokens), Folds.of(taken, max_tokens)
    cost = alignment.cost[_drawn(alignment)].astype(np.float64)
    low, high = float(cost.min()), float(cost.max())
    moves, left_out = _moves(alignment, sides, low, high)
    # Forbidden pairs move nothing, so their cost does not count.
    spent = sides[1].total((plan * np.where(plan > 0, alignment.cost, 0.0)).sum(axis=0))
    query = _tokens("query", alignment.source_names, sides[0], alignment.a, plan.sum(axis=1), unsure=unsure)
    body = "\n".join(
        [
            '<div class="moverank">',
            f"<style>{_file('alignment.css')}</style>",
            "" if title is None else f"<h1>{escape(title)}</h1>",
            f"<p>{_summary(alignment)}</p>",
            "<h2>What makes the distance</h2>",
            _table(alignment, low, high),
            "" if unsure is None else _disagreements(alignment, unsure),
            "<h2>Query</h2>",
            query,
            "<h2>Document</h2>",
            _tokens("document", alignment.target_names, sides[1], taken, taken, (spent, low, high)),
            f'<p class="said" aria-live="polite">{_HINT}</p>',
            f'<p>cost: {_number(low)} <span class="scale"></span> {_number(high)} '
            "&nbsp; the stronger a token's colour, the more mass it sends or takes"
            f"{_folded(sides)}{left_out}{'' if unsure is None else _MEANS}</p>",
            '<svg class="links" aria-hidden="true"></svg>',
            f'<script type="application/json">{json.dumps(moves, separators=(",", ":"))}</script>',
            f"<script>(() => {{ {_file('alignment.js')} }})();</script>",
            "</div>",
        ]
    )
    if not page:
        return body
    name = "alignment" if title is None else title
    return _PAGE.format(title=escape(name), body=body)


def _drawn(alignment: Alignment) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of tokens between which mass moves, in the plan or in samples."""
    moves = alignment.plan > LEAST
    if alignment.uncertainty is not None:
        moves |= alignment.uncertainty.mean > LEAST
    sources, targets = np.nonzero(moves)
    return sources, targets


def _moves(alignment: Alignment, sides: tuple[Folds, Folds], low: float, high: float) -> tuple[list[list[Any]], str]:
    """Moves between runs, and a note about moves that are too many to draw.

    A move is the two runs, mass, cost and colour; the mass is the mean of samples, if there are any, and the plan's
    comes last.
    """
    sources, targets = _drawn(alignment)
    mass = (alignment.plan if alignment.uncertainty is None else alignment.uncertainty.mean)[sources, targets]
    cost = alignment.cost[sources, targets].astype(np.float64)
    width = len(sides[1].starts)
    pairs, place = np.unique(sides[0].run_of[sources] * width + sides[1].run_of[targets], return_inverse=True)
    total = np.bincount(place, mass)
    # A move of the plan may have no mass in any sample.
    mean = np.bincount(place, mass * cost) / np.where(total > 0, total, 1.0)
    # For a pair of single tokens the cost is that of its move; division could change the last digit.
    single = np.bincount(place) == 1
    mean[place[single[place]]] = cost[single[place]]
    drawn = np.sort(np.argsort(-total, kind="stable")[:MOVES])
    colours = of_costs(mean[drawn], low, high).tolist()
    found = [
        [pair // width, pair % width, round(m, 9), round(c, 6), f"rgb({r},{g},{b})"]
        for pair, m, c, (r, g, b) in zip(
            pairs[drawn].tolist(), total[drawn].tolist(), mean[drawn].tolist(), colours, strict=True
        )
    ]
    if alignment.uncertainty is not None:
        own = np.bincount(place, alignment.plan[sources, targets])
        found = [[*move, round(m, 9)] for move, m in zip(found, own[drawn].tolist(), strict=True)]
    less = len(total) - len(drawn)
    share = 100 * max(float(total.sum() - total[drawn].sum()), 0.0)
    return found, f"; {less} moves of {share:.1f} % of the mass are too small to be drawn" if less else ""


def _folded(sides: tuple[Folds, Folds]) -> str:
    """A note about tokens that are not shown one by one."""
    hidden = [int(side.lengths[side.lengths > 1].sum()) for side in sides]
    if not any(hidden):
        return ""
    told = [f"{count} tokens of the {name}" for count, name in zip(hidden, ("query", "document"), strict=True) if count]
    return f"; {' and '.join(told)} are folded where little of it goes: ⋯ stands for so many"


def _summary(alignment: Alignment) -> str:
    unmatched = float(alignment.unmatched.sum())
    said = f"distance <b>{_number(alignment.value)}</b>"
    told = [] if alignment.uncertainty is None else alignment.uncertainty.lines()
    if unmatched > LEAST:
        said += f" &middot; {100 * unmatched:.0f} % of the document's mass is not needed"
    return "<br>".join([said, *told, *alignment.lost.lines(documents="the document")])


def _tokens(
    side: str,
    names: Sequence[str],
    folds: Folds,
    mass: NDArray[np.float64],
    moved: NDArray[np.float64],
    costs: tuple[NDArray[np.float64], float, float] | None = None,
    unsure: Uncertainty | None = None,
) -> str:
    """Tokens of a side, with the mass that moves; those of the document coloured by the mean cost of that mass.

    Of `unsure`, tokens of the query about which samples disagree are marked.
    """
    own, moving = folds.total(mass), folds.total(moved).tolist()
    colours: list[list[int]] | None = None
    if costs is not None:
        spent, low, high = costs
        used = own > LEAST
        found = np.zeros((len(own), 3), dtype=np.int64)
        found[used] = of_costs(spent[used] / own[used], low, high)
        colours = found.tolist()
    lengths, starts = folds.lengths.tolist(), folds.starts.tolist()
    # A run is as strong as its mean token: many weak ones are not a strong one.
    strengths = own / folds.lengths
    most = max(float(strengths.max()), LEAST)
    chips = []
    for r, (share, strength) in enumerate(zip(own.tolist(), (strengths / most).tolist(), strict=True)):
        back = "var(--near)" if colours is None else "{}, {}, {}".format(*colours[r])
        look = f' style="background: rgba({back}, {0.12 + 0.5 * strength:.2f})"' if share > LEAST else ""
        kind = "token" if share > LEAST else "token idle"
        text, shown = escape(names[starts[r]]), escape(names[starts[r]])
        if lengths[r] > 1:
            kind, text, shown = f"{kind} fold", f"{lengths[r]} tokens", f"⋯{lengths[r]}"
        elif unsure is not None and unsure.disagreement[starts[r]] >= UNSURE:
            kind += " unsure"
        about = f'data-token="{text}" data-mass="{moving[r]:.9f}" aria-label="{text}, {100 * share:.1f} % of the mass"'
        chips.append(f'<span class="{kind}" tabindex="0" {about}{look}>{shown}</span>')
    return f'<div class="tokens {side}">{" ".join(chips)}</div>'


def _table(alignment: Alignment, low: float, high: float) -> str:
    moves = sorted(named_moves(alignment), key=lambda move: -abs(move.contribution))
    shown, rest = moves[:ROWS], moves[ROWS:]
    most = max([abs(move.contribution) for move in shown] + [LEAST])
    colours = of_costs(np.array([move.contribution / move.mass for move in shown]), low, high).tolist()
    lines = [
        '<table><tr><th>query token</th><th>document token</th><th class="number">mass</th>'
        '<th class="number">cost</th><th class="number">contribution</th><th></th></tr>'
    ]
    for move, (r, g, b) in zip(shown, colours, strict=True):
        width = 9 * abs(move.contribution) / most
        lines.append(
            f"<tr><td>{escape(move.source)}</td><td>{escape(move.target)}</td>"
            f'<td class="number">{100 * move.mass:.1f} %</td>'
            f'<td class="number">{_number(move.contribution / move.mass)}</td>'
            f'<td class="number">{_number(move.contribution)}</td>'
            f'<td><span class="bar" style="width: {width:.2f}rem; background: rgb({r}, {g}, {b})"></span></td></tr>'
        )
    if rest:
        mass, contribution = sum(m.mass for m in rest), sum(m.contribution for m in rest)
        lines.append(
            f'<tr><td colspan="2">{len(rest)} other moves</td><td class="number">{100 * mass:.1f} %</td><td></td>'
            f'<td class="number">{_number(contribution)}</td><td></td></tr>'
        )
    return "\n".join([*lines, "</table>"])


def _disagreements(alignment: Alignment, unsure: Uncertainty) -> str:
    """The moves that differ most from sample to sample."""
    sources, targets = told_apart_by_place(alignment.source_names), told_apart_by_place(alignment.target_names)
    moves = [move for move in sampled_moves(alignment, unsure) if move.deviation > LEAST]
    if not moves:
        return "<h2>Where samples disagree</h2>\n<p>nowhere</p>"
    moves.sort(key=lambda move: -move.deviation)
    lines = [
        "<h2>Where samples disagree</h2>",
        '<table><tr><th>query token</th><th class="number">bits</th><th>document token</th><th class="number">plan</th>'
        '<th class="number">mean</th><th class="number">±</th><th class="number">seen</th><th></th></tr>',
    ]
    for move in moves[:ROWS]:
        width = 9 * move.frequency
        lines.append(
            f"<tr><td>{escape(sources[move.source])}</td>"
            f'<td class="number">{unsure.disagreement[move.source]:.2f}</td>'
            f"<td>{escape(targets[move.target])}</td>"
            f'<td class="number">{100 * move.mass:.1f} %</td><td class="number">{100 * move.mean:.1f} %</td>'
            f'<td class="number">{100 * move.deviation:.1f} %</td><td class="number">{100 * move.frequency:.0f} %</td>'
            f'<td><span class="bar seen" style="width: {width:.2f}rem"></span></td></tr>'
        )
    if len(moves) > ROWS:
        lines.append(f'<tr><td colspan="8">{len(moves) - ROWS} other moves differ less</td></tr>')
    return "\n".join([*lines, "</table>"])


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")


@cache
def _file(name: str) -> str:
    return files("moverank.alignment").joinpath(name).read_text(encoding="utf-8").strip()
