"""Alignments in a browser or a notebook: one piece of HTML that needs nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moverank.views.colours import of_costs
from moverank.views.moves import named_moves

if TYPE_CHECKING:
    from moverank.alignment import Alignment

#: Lines of the table above the tokens, of which a document may have thousands.
ROWS = 8
#: Flow that adds up to less than this share is rounding.
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
_HINT = "Point at a token, or step through them with the Tab key, to see where its mass goes."


def to_html(alignment: Alignment, title: str | None, *, page: bool) -> str:
    """Draw an alignment."""
    sources, targets = np.nonzero(alignment.plan > LEAST)
    mass = alignment.plan[sources, targets]
    cost = alignment.cost[sources, targets].astype(np.float64)
    low, high = float(cost.min()), float(cost.max())
    colours = of_costs(cost, low, high)
    moves = [
        [int(i), int(j), round(float(m), 9), round(float(c), 6), f"rgb({r}, {g}, {b})"]
        for i, j, m, c, (r, g, b) in zip(sources, targets, mass, cost, colours.tolist(), strict=True)
    ]
    taken = alignment.plan.sum(axis=0)
    body = "\n".join(
        [
            '<div class="moverank">',
            f"<style>{_file('alignment.css')}</style>",
            "" if title is None else f"<h1>{escape(title)}</h1>",
            f"<p>{_summary(alignment)}</p>",
            "<h2>What makes the distance</h2>",
            _table(alignment, low, high),
            "<h2>Query</h2>",
            _tokens("query", alignment.source_names, alignment.a, np.full((len(alignment.a), 3), -1)),
            "<h2>Document</h2>",
            _tokens("document", alignment.target_names, taken, _mean_colours(alignment, low, high)),
            f'<p class="said" aria-live="polite">{_HINT}</p>',
            f'<p>cost: {_number(low)} <span class="scale"></span> {_number(high)} '
            "&nbsp; the stronger a token's colour, the more mass it sends or takes</p>",
            '<svg class="links" aria-hidden="true"></svg>',
            f'<script type="application/json">{json.dumps(moves)}</script>',
            f"<script>(() => {{ {_file('alignment.js')} }})();</script>",
            "</div>",
        ]
    )
    if not page:
        return body
    name = "alignment" if title is None else title
    return _PAGE.format(title=escape(name), body=body)


def _summary(alignment: Alignment) -> str:
    unmatched = float(alignment.unmatched.sum())
    said = f"distance <b>{_number(alignment.value)}</b>"
    if unmatched > LEAST:
        said += f" &middot; {100 * unmatched:.0f} % of the document's mass is not needed"
    return "<br>".join([said, *alignment.lost.lines(documents="the document")])


def _tokens(side: str, names: Sequence[str], mass: NDArray[np.float64], colours: NDArray[np.int64]) -> str:
    most = max(float(mass.max()), LEAST)
    chips = []
    for name, own, colour in zip(names, mass.tolist(), colours.tolist(), strict=True):
        strength = 0.12 + 0.5 * own / most
        back = "var(--near)" if colour[0] < 0 else "{}, {}, {}".format(*colour)
        look = f' style="background: rgba({back}, {strength:.2f})"' if own > LEAST else ""
        idle = "" if own > LEAST else " idle"
        told = f"{100 * own:.1f} % of the mass"
        text = escape(name)
        about = f'data-token="{text}" aria-label="{text}, {told}"'
        chips.append(f'<span class="token{idle}" tabindex="0" {about}{look}>{text}</span>')
    return f'<div class="tokens {side}">{" ".join(chips)}</div>'


def _mean_colours(alignment: Alignment, low: float, high: float) -> NDArray[np.int64]:
    """Colour of each document token by what it costs on average to come to it."""
    taken = alignment.plan.sum(axis=0)
    spent = (alignment.plan * alignment.cost).sum(axis=0)
    used = taken > LEAST
    colours = np.zeros((len(taken), 3), dtype=np.int64)
    colours[used] = of_costs(spent[used] / taken[used], low, high)
    return colours


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


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")


@cache
def _file(name: str) -> str:
    return files("moverank.views").joinpath(name).read_text(encoding="utf-8").strip()
