"""Alignments as pictures for papers and slides, by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.optional import optional
from moverank._support.validate import whole_number
from moverank._support.wording import on_one_line
from moverank.alignment.colours import BETWEEN, FAR, NEAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from moverank.alignment.alignment import Alignment


#: Width of a letter, on average, relative to the size of labels.
_INCHES = 0.09
#: Of a label: a token may be a whole line.
_LETTERS = 40
_INK = "#1f2328"
#: Opacity of bands; of one that occurs in no sample, relative to that of one that occurs in all.
_SURE, _PALEST = 0.62, 0.25


def heatmap(alignment: Alignment, max_tokens: int, ax: Axes | None) -> Axes:
    """Draw the plan as squares: area is mass, colour is cost; of samples the mean, with the plan as outlines."""
    moved = _moved(alignment)
    rows, columns, left_out = _shown(moved, max_tokens)
    plan, cost = moved[np.ix_(rows, columns)], alignment.cost[np.ix_(rows, columns)]
    n, m = plan.shape
    columns_named = [_safe(alignment.target_names[j]) for j in columns]
    rows_named = [_safe(alignment.source_names[i]) for i in rows]
    width, height = 1.9 + _INCHES * _longest(rows_named) + 0.34 * m, 1.1 + _INCHES * _longest(columns_named) + 0.34 * n
    ax = _axes(ax, (max(width, 4.0), max(height, 2.6)))
    sources, targets = np.nonzero(plan > 0)
    side = np.sqrt(plan[sources, targets] / plan.max())
    least = 0.12 if alignment.uncertainty is None else 0.06  # what few samples do should not catch the eye
    patches = optional("matplotlib.patches", "plot")
    squares = [
        patches.Rectangle((j - s / 2, i - s / 2), s, s)
        for i, j, s in zip(sources, targets, 0.92 * np.maximum(side, least), strict=True)
    ]
    painted = optional("matplotlib.collections", "plot").PatchCollection(squares, cmap=_map(), linewidth=0)
    painted.set_array(cost[sources, targets])
    ax.add_collection(painted)
    if alignment.uncertainty is not None:
        planned = alignment.plan[np.ix_(rows, columns)]
        for i, j in np.argwhere(planned > 0).tolist():
            s = 0.92 * max(float(np.sqrt(planned[i, j] / plan.max())), 0.12)
            ax.add_patch(patches.Rectangle((j - s / 2, i - s / 2), s, s, fill=False, color=_INK, linewidth=1.1))
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
    """Draw bands from query tokens on the left to document tokens on the right; of samples the mean."""
    moved = _moved(alignment)
    rows, columns, (rows_left_out, columns_left_out) = _shown(moved, max_tokens)
    sources = [alignment.source_names[i] for i in rows]
    names = [alignment.target_names[j] for j in columns]
    plan = _with_others(moved, rows, columns)
    # Forbidden pairs move nothing, so their cost does not count.
    spent = _with_others(moved * np.where(moved > 0, alignment.cost, 0.0).astype(np.float64), rows, columns)
    strength = np.full(plan.shape, _SURE)
    if alignment.uncertainty is not None:
        strength[: len(rows), : len(columns)] *= (
            _PALEST + (1 - _PALEST) * alignment.uncertainty.frequency[np.ix_(rows, columns)]
        )
    if rows_left_out:
        sources.append(f"{rows_left_out} others")
    if columns_left_out:
        names.append(f"{columns_left_out} others")
    plan, spent = plan[: len(sources), : len(names)], spent[: len(sources), : len(names)]
    cost = np.divide(spent, plan, out=np.zeros_like(spent), where=plan > 0)
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
                patches.PathPatch(
                    _band(path, start[i], end[j], width), facecolor=tone, alpha=float(strength[i, j]), linewidth=0
                )
            )
            start[i] += width
            end[j] += width
    for edges, x, labels, side in ((left, 0.0, sources, "right"), (right, 1.0, names, "left")):
        for (low_edge, high_edge), label in zip(edges, labels, strict=True):
            height = high_edge - low_edge
            ax.add_patch(patches.Rectangle((x - 0.006, low_edge), 0.012, height, color=_INK, linewidth=0))
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
    ax.set_title(_title(alignment, (0, 0)), loc="left", fontsize="medium")
    return ax


def _moved(alignment: Alignment) -> NDArray[np.float64]:
    """What a picture shows: the plan, or the mean of samples."""
    return alignment.plan if alignment.uncertainty is None else alignment.uncertainty.mean


def _shown(plan: NDArray[np.float64], max_tokens: int) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[int, int]]:
    """Tokens of both sides to show, in their order; and how many others of each side send or take mass.

    Those of the query that send most, and those of the document that take most of that, so that something
    moves between them.
    """
    whole_number(max_tokens, "max_tokens", least=1)
    rows = _heaviest(plan.sum(axis=1), max_tokens)
    columns = _heaviest(plan[rows].sum(axis=0), max_tokens)
    left_out = (plan.any(axis=1).sum() - len(rows), plan.any(axis=0).sum() - len(columns))
    return rows, columns, (int(left_out[0]), int(left_out[1]))


def _heaviest(mass: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    used = np.flatnonzero(mass > 0)
    return np.sort(used[np.argsort(-mass[used], kind="stable")[:count]])


def _with_others(
    values: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Some rows and columns, and one more row and column with the sums of the others."""
    tall = np.vstack([values[rows], np.delete(values, rows, axis=0).sum(axis=0, keepdims=True)])
    return np.hstack([tall[:, columns], np.delete(tall, columns, axis=1).sum(axis=1, keepdims=True)])


def _stacked(mass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower and upper edge of each token on a side of height 1, with gaps between them; shape (n, 2)."""
    # Gaps take half of the side, so that labels of many small tokens next to a large one have room.
    gap = 0.55 / max(len(mass), 8)
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
    # A separate figure, not pyplot's: nothing stays open, and no display is needed.
    figure = optional("matplotlib.figure", "plot").Figure(figsize=size, layout="constrained")
    optional("matplotlib.backends.backend_agg", "plot").FigureCanvasAgg(figure)
    made: Axes = figure.add_subplot()
    return made


def _map() -> Any:
    tones = [tuple(part / 255 for part in colour) for colour in (NEAR, BETWEEN, FAR)]
    return optional("matplotlib.colors", "plot").LinearSegmentedColormap.from_list("moverank", tones)


def _title(alignment: Alignment, left_out: tuple[int, int]) -> str:
    sides = zip(left_out, ("query", "document"), strict=True)
    more = [f"{count} {side} tokens not shown" for count, side in sides if count]
    if (unsure := alignment.uncertainty) is not None:
        more.append(f"mean of {unsure.samples} samples at temperature {unsure.temperature:g}")
    return "\n".join([f"distance {alignment.value:.4f}", *more])


def _longest(names: list[str]) -> int:
    return max(len(name) for name in names)


def _safe(name: str) -> str:
    """A token for matplotlib, shortened to fit: an unescaped dollar sign would begin a formula."""
    return on_one_line(name, _LETTERS).replace("$", r"\$")
