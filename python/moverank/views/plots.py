"""Alignments as pictures for papers and slides, by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moverank._optional import optional
from moverank._validate import whole_number
from moverank.views.colours import BETWEEN, FAR, NEAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from moverank.alignment import Alignment


#: Of a letter, on average, in the size of labels.
_INCHES = 0.09


def heatmap(alignment: Alignment, max_tokens: int, ax: Axes | None) -> Axes:
    """Draw the plan as squares: area is mass, colour is cost."""
    columns, left_out = _columns(alignment, max_tokens)
    plan, cost = alignment.plan[:, columns], alignment.cost[:, columns]
    n, m = plan.shape
    columns_named = [_safe(alignment.target_names[j]) for j in columns]
    rows_named = [_safe(name) for name in alignment.source_names]
    ax = _axes(
        ax, (1.9 + _INCHES * _longest(rows_named) + 0.34 * m, 1.1 + _INCHES * _longest(columns_named) + 0.34 * n)
    )
    sources, targets = np.nonzero(plan > 0)
    side = np.sqrt(plan[sources, targets] / plan.max())
    patches = optional("matplotlib.patches", "plot")
    squares = [
        patches.Rectangle((j - s / 2, i - s / 2), s, s)
        for i, j, s in zip(sources, targets, 0.92 * np.maximum(side, 0.12), strict=True)
    ]
    painted = optional("matplotlib.collections", "plot").PatchCollection(squares, cmap=_map(), linewidth=0)
    painted.set_array(cost[sources, targets])
    ax.add_collection(painted)
    ax.set(xlim=(-0.6, m - 0.4), ylim=(n - 0.4, -0.6), aspect="equal")
    ax.set_xticks(range(m), columns_named, rotation=90)
    ax.set_yticks(range(n), rows_named)
    ax.set_xticks(np.arange(m + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#e4e6e9", linewidth=0.6)
    ax.tick_params(which="both", length=0)
    ax.set_axisbelow(True)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = ax.figure.colorbar(painted, ax=ax, fraction=0.03, pad=0.02, aspect=18)
    bar.outline.set_visible(False)
    bar.set_label("cost")
    ax.set_title(_title(alignment, left_out), loc="left", fontsize="medium")
    ax.set_xlabel("document")
    ax.set_ylabel("query")
    return ax


def flow(alignment: Alignment, max_tokens: int, ax: Axes | None) -> Axes:
    """Draw bands from query tokens on the left to document tokens on the right."""
    columns, left_out = _columns(alignment, max_tokens)
    names = [alignment.target_names[j] for j in columns]
    plan = alignment.plan[:, columns]
    cost = alignment.cost[:, columns].astype(np.float64)
    if left_out:
        others = np.setdiff1d(np.arange(alignment.plan.shape[1]), columns)
        rest = alignment.plan[:, others]
        spent = (rest * alignment.cost[:, others]).sum(axis=1, keepdims=True)
        mass = rest.sum(axis=1, keepdims=True)
        plan = np.hstack([plan, mass])
        cost = np.hstack([cost, np.divide(spent, mass, out=np.zeros_like(spent), where=mass > 0)])
        names.append(f"{left_out} others")
    n, m = plan.shape
    ax = _axes(ax, (7.0, 0.6 + 0.27 * max(n, m)))
    left, right = _stacked(plan.sum(axis=1)), _stacked(plan.sum(axis=0))
    colours = _map()
    shown = cost[plan > 0]
    low, high = float(shown.min()), float(shown.max())
    path, patches = optional("matplotlib.path", "plot").Path, optional("matplotlib.patches", "plot")
    start, end = left[:, 0].copy(), right[:, 0].copy()
    scale = (left[:, 1] - left[:, 0]).sum()
    for i in range(n):
        for j in np.flatnonzero(plan[i]):
            width = plan[i, j] / plan.sum() * scale
            tone = colours((cost[i, j] - low) / (high - low) if high > low else 0.0)
            ax.add_patch(
                patches.PathPatch(_band(path, start[i], end[j], width), facecolor=tone, alpha=0.62, linewidth=0)
            )
            start[i] += width
            end[j] += width
    for edges, x, labels, side in ((left, 0.0, alignment.source_names, "right"), (right, 1.0, names, "left")):
        for (low_edge, high_edge), label in zip(edges, labels, strict=True):
            height = high_edge - low_edge
            ax.add_patch(patches.Rectangle((x - 0.006, low_edge), 0.012, height, color="#1f2328", linewidth=0))
            ax.text(
                x + (-0.02 if side == "right" else 0.02), (low_edge + high_edge) / 2, _safe(label), ha=side, va="center"
            )
    ax.set(xlim=(-0.35, 1.35), ylim=(1.02, -0.02))
    ax.axis("off")
    scalar = optional("matplotlib.cm", "plot").ScalarMappable(
        optional("matplotlib.colors", "plot").Normalize(low, high), colours
    )
    bar = ax.figure.colorbar(scalar, ax=ax, fraction=0.025, pad=0.01, aspect=18)
    bar.outline.set_visible(False)
    bar.set_label("cost")
    ax.set_title(_title(alignment, 0), loc="left", fontsize="medium")
    return ax


def _columns(alignment: Alignment, max_tokens: int) -> tuple[NDArray[np.int64], int]:
    """Document tokens that take mass, the most of it first to stay, in their order; and how many are left out."""
    whole_number(max_tokens, "max_tokens", least=1)
    taken = alignment.plan.sum(axis=0)
    used = np.flatnonzero(taken > 0)
    kept = used[np.argsort(-taken[used], kind="stable")[:max_tokens]]
    return np.sort(kept), len(used) - len(kept)


def _stacked(mass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower and upper edge of each token on a side of height 1, with gaps between them; shape (n, 2)."""
    gap = 0.35 / max(len(mass), 8)
    room = 1.0 - gap * (max(len(mass), 8) - 1)
    heights = mass / mass.sum() * room
    spread = (1.0 - room - gap * (len(mass) - 1)) / 2
    ends = np.cumsum(heights + gap) - gap + spread
    return np.stack([ends - heights, ends], axis=1)


def _band(path: Any, start: float, end: float, width: float) -> Any:
    x = (0.006, 0.5, 0.5, 0.994)
    upper = [(x[0], start), (x[1], start), (x[2], end), (x[3], end)]
    lower = [(x[3], end + width), (x[2], end + width), (x[1], start + width), (x[0], start + width)]
    codes = [path.MOVETO, *[path.CURVE4] * 3, path.LINETO, *[path.CURVE4] * 3]
    return path([*upper, *lower], codes)


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    # A figure of its own, not pyplot's: nothing is kept open, and no display is asked for.
    figure = optional("matplotlib.figure", "plot").Figure(figsize=size, layout="constrained")
    optional("matplotlib.backends.backend_agg", "plot").FigureCanvasAgg(figure)
    made: Axes = figure.add_subplot()
    return made


def _map() -> Any:
    tones = [tuple(part / 255 for part in colour) for colour in (NEAR, BETWEEN, FAR)]
    return optional("matplotlib.colors", "plot").LinearSegmentedColormap.from_list("moverank", tones)


def _title(alignment: Alignment, left_out: int) -> str:
    more = f", {left_out} document tokens not shown" if left_out else ""
    return f"distance {alignment.value:.4f}{more}"


def _longest(names: list[str]) -> int:
    return max(len(name) for name in names)


def _safe(name: str) -> str:
    """Token as matplotlib shows it: a dollar sign would begin a formula."""
    return name.replace("$", r"\$")
