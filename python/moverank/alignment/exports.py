"""Alignments for other programs: tables of moves, and files of pictures."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moverank._support.optional import optional
from moverank._support.wording import printable
from moverank.alignment.moves import folded_moves, folded_samples, sampled_moves, told_apart_by_place
from moverank.alignment.uncertainty import Uncertainty

if TYPE_CHECKING:
    import pandas as pd

    from moverank.alignment.alignment import Alignment

#: The columns written for each move.
COLUMNS = ("source", "source_token", "target", "target_token", "mass", "cost", "contribution")
#: Those that samples add.
SAMPLED = ("mean", "deviation", "frequency")
#: Kinds of pictures, by file name suffix.
SUFFIXES = (".pdf", ".svg", ".png")

_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    **{char: f"\\{char}" for char in "{}$&#_%"},
}  # fmt: skip


def to_dataframe(alignment: Alignment) -> pd.DataFrame:
    """One row per move."""
    pandas = optional("pandas", "pandas")
    names, columns = _names(alignment), list(zip(*_rows(alignment), strict=True))
    made: pd.DataFrame = pandas.DataFrame(dict(zip(names, columns, strict=True)) if columns else {}, columns=names)
    return made


def to_csv(alignment: Alignment, path: str | os.PathLike[str] | None) -> str | None:
    """One line per move below a line of names, in the dialect of RFC 4180."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_names(alignment))
    writer.writerows(_rows(alignment))
    if path is None:
        return text.getvalue()
    Path(path).write_text(text.getvalue(), encoding="utf-8", newline="")
    return None


def to_latex(alignment: Alignment, max_rows: int | None) -> str:
    """A tabular of the moves between names."""
    if alignment.uncertainty is not None:
        return _uncertain_latex(alignment, alignment.uncertainty, max_rows)
    shown, rest = folded_moves(alignment, max_rows)
    lines = [
        r"\begin{tabular}{llrrr}",
        r"\hline",
        r"query token & document token & mass (\%) & cost & contribution \\",
        r"\hline",
    ]
    lines += [
        f"{_escaped(move.source)} & {_escaped(move.target)} & {100 * move.mass:.2f} & "
        f"{_number(move.contribution / move.mass, 4)} & {_number(move.contribution, 5)} \\\\"
        for move in shown
    ]
    if rest is not None:
        lines.append(
            f"\\multicolumn{{2}}{{l}}{{{rest.moves} other moves}} & {100 * rest.mass:.2f} & & "
            f"{_number(rest.contribution, 5)} \\\\"
        )
    total = 100 * float(alignment.plan.sum())
    lines += [r"\hline", f"distance & & {total:.2f} & & {_number(alignment.value, 5)} \\\\", r"\hline"]
    return "\n".join([*lines, r"\end{tabular}", ""])


def save(alignment: Alignment, path: str | os.PathLike[str], kind: str, max_tokens: int) -> None:
    """Draw a picture into a file."""
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"path: expected a name that ends in {', '.join(SUFFIXES)}, got {target.name!r}")
    axes = (alignment.flow if kind == "flow" else alignment.heatmap)(max_tokens=max_tokens)
    figure: Any = axes.figure
    # Without a time stamp, the same alignment gives the same file.
    metadata = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {}}[suffix]
    figure.savefig(target, format=suffix[1:], dpi=200, metadata=metadata)


def _names(alignment: Alignment) -> tuple[str, ...]:
    return COLUMNS if alignment.uncertainty is None else (*COLUMNS, *SAMPLED)


def _rows(alignment: Alignment) -> list[tuple[int | str | float, ...]]:
    sources, targets = alignment.source_names, alignment.target_names
    if alignment.uncertainty is None:
        return [
            (m.source, sources[m.source], m.target, targets[m.target], m.mass, m.cost, m.contribution)
            for m in alignment.pairs
        ]
    return [
        (
            *(m.source, sources[m.source], m.target, targets[m.target], m.mass, m.cost, m.contribution),
            *(m.mean, m.deviation, m.frequency),
        )
        for m in sampled_moves(alignment, alignment.uncertainty)
    ]


def _uncertain_latex(alignment: Alignment, uncertainty: Uncertainty, max_rows: int | None) -> str:
    shown, rest = folded_samples(alignment, uncertainty, max_rows)
    sources = [_escaped(name) for name in told_apart_by_place(alignment.source_names)]
    targets = [_escaped(name) for name in told_apart_by_place(alignment.target_names)]
    lines = [
        r"\begin{tabular}{llrrrrr}",
        r"\hline",
        r"query token & document token & mass (\%) & mean (\%) & seen (\%) & cost & contribution \\",
        r"\hline",
    ]
    lines += [
        f"{sources[move.source]} & {targets[move.target]} & {100 * move.mass:.2f} & "
        f"${100 * move.mean:.2f} \\pm {100 * move.deviation:.2f}$ & {100 * move.frequency:.1f} & "
        f"{_number(move.cost, 4)} & {_number(move.contribution, 5)} \\\\"
        for move in shown
    ]
    if rest:
        mass, mean = sum(move.mass for move in rest), sum(move.mean for move in rest)
        lines.append(
            f"\\multicolumn{{2}}{{l}}{{{len(rest)} other moves}} & {100 * mass:.2f} & {100 * mean:.2f} & & & "
            f"{_number(sum(move.contribution for move in rest), 5)} \\\\"
        )
    totals = f"{100 * float(alignment.plan.sum()):.2f} & {100 * float(uncertainty.mean.sum()):.2f}"
    lines += [r"\hline", f"distance & & {totals} & & & {_number(alignment.value, 5)} \\\\", r"\hline"]
    return "\n".join([*lines, r"\end{tabular}", ""])


def _escaped(name: str) -> str:
    return "".join(_LATEX.get(char, char) for char in printable(name))


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return f"${text}$" if value < 0 else text
