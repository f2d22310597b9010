"""Which token moved where, and at what cost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from moverank._support.plain import finite
from moverank._support.validate import as_list, one_of, whole_number
from moverank.alignment.lost import Lost
from moverank.alignment.pooled import pooled_names, pooled_positions
from moverank.alignment.uncertainty import Uncertainty

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


#: Moves that are printed one by one; a long document has thousands, of which most are small.
ROWS = 32


@dataclass(frozen=True)
class TokenMove:
    """Mass that moves from one query token to one document token.

    Attributes
    ----------
    source, target : int
        Positions of the tokens in the query and in the document.
    mass : float
        Share of the query's mass, of 1 in total.
    cost : float
        Ground cost between the two tokens.
    contribution : float
        ``mass * cost``: what this move adds to the distance.
    """

    source: int
    target: int
    mass: float
    cost: float
    contribution: float

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values, with a key for each attribute."""
        return {
            "source": self.source,
            "target": self.target,
            "mass": self.mass,
            "cost": finite(self.cost),
            "contribution": finite(self.contribution),
        }


@dataclass(frozen=True, repr=False, eq=False)
class Alignment:
    """The plan that gives one distance.

    Attributes
    ----------
    value : float
        Sum of the contributions of all moves: the distance; for an entropic measure the cost of its plan, to which the
        distance adds the entropy.
    plan : ndarray of float64, shape (n, m)
        Mass moved from each query token to each document token.
    cost : ndarray of float32, shape (n, m)
        Ground costs; float64 if they were given so.
    a, b : ndarray of float64, shapes (n,) and (m,)
        Normalised mass of query and document.
    source_tokens, target_tokens : tuple of str, optional
        Names of the tokens, if given; see `named`.
    pooled_into : ndarray of int32, shape (G,), optional
        For each token of the document as it was given, the token of the plan that it was pooled into, if an index with
        pooled tokens found the document; −1 for tokens without mass, which were left out.
    lost : Lost
        What encoding left out of the two texts, if texts were compared: words without a vector, tokens beyond a limit.
    uncertainty : Uncertainty, optional
        How sure the moves are, if `moverank.align` took samples. Tables, pages and pictures then show it.

    Examples
    --------
    >>> from moverank import align
    >>> alignment = align([[1.0, 0.0], [0.0, 2.0]], [[0.0, 1.0]], "wrd")
    >>> [(move.source, move.target, round(move.contribution, 6)) for move in alignment.pairs]
    [(1, 0, 0.0), (0, 0, 0.333333)]
    """

    value: float
    plan: NDArray[np.float64]
    cost: NDArray[np.float32] | NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    source_tokens: tuple[str, ...] | None = None
    target_tokens: tuple[str, ...] | None = None
    pooled_into: NDArray[np.int32] | None = None
    lost: Lost = field(default_factory=Lost)
    uncertainty: Uncertainty | None = None

    @property
    def pairs(self) -> list[TokenMove]:
        """All moves, the largest mass first."""
        sources, targets = np.nonzero(self.plan)
        mass = self.plan[sources, targets]
        cost = self.cost[sources, targets].astype(np.float64)
        order = np.lexsort((targets, sources, -mass))
        return [
            TokenMove(
                int(sources[p]),
                int(targets[p]),
                float(mass[p]),
                float(cost[p]),
                float(mass[p] * cost[p]),
            )
            for p in order
        ]

    @property
    def unmatched(self) -> NDArray[np.float64]:
        """Share of the document's mass, per token, to which no query mass moved, shape (m,).

        Zero in balanced transport, which uses all of the document's mass.
        """
        left: NDArray[np.float64] = np.maximum(self.b - self.plan.sum(axis=0), 0.0)
        return left

    @property
    def source_names(self) -> Sequence[str]:
        """Tokens of the query; their positions where no tokens were given."""
        return _positions(self.plan.shape[0]) if self.source_tokens is None else self.source_tokens

    @property
    def target_names(self) -> Sequence[str]:
        """Tokens of the document; their positions where no tokens were given.

        Of a pooled token these are the positions, in the document as given, of the tokens that it stands for: "[0+3]".
        """
        if self.target_tokens is not None:
            return self.target_tokens
        if self.pooled_into is None:
            return _positions(self.plan.shape[1])
        return pooled_positions(self.pooled_into, self.plan.shape[1])

    def named(self, source_tokens: Sequence[str], target_tokens: Sequence[str]) -> Alignment:
        """Name the tokens.

        Parameters
        ----------
        source_tokens, target_tokens : sequence of str, lengths n and m
            Tokens of the query and of the document. If tokens of the document were pooled, those of the document as it
            was given are accepted too: a pooled token is then named by those that it stands for, as in "cat + dog".

        Returns
        -------
        Alignment
            The same plan, with names.

        Raises
        ------
        TypeError, ValueError
            If there is not exactly one name per token, or a name is not a string.
        """
        sources = _checked(source_tokens, self.plan.shape[0], "source_tokens")
        listed, count = as_list(target_tokens, "target_tokens", "names"), self.plan.shape[1]
        if self.pooled_into is not None and len(listed) == len(self.pooled_into) != count:
            names = _checked(listed, len(listed), "target_tokens")
            targets = pooled_names(names, self.pooled_into, count)
        else:
            targets = _checked(listed, count, "target_tokens")
        return replace(self, source_tokens=sources, target_tokens=targets)

    def table(self, *, max_rows: int | None = None) -> str:
        """Lay the moves out as a text table, grouped by query token; moves between the same two names are one line.

        With `uncertainty`, moves that only samples make have lines, too; tokens with one name are told apart by their
        positions; and "bits" is the disagreement of the samples about a query token.

        Parameters
        ----------
        max_rows : int, optional
            Show at most this many lines, those of the largest mass; the rest is summed in one line.

        Returns
        -------
        str
        """
        from moverank.alignment.table import table, uncertain_table

        if max_rows is not None:
            whole_number(max_rows, "max_rows", least=0)
        return table(self, max_rows) if self.uncertainty is None else uncertain_table(self, self.uncertainty, max_rows)

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values: finite numbers or None, nothing of NumPy.

        Returns
        -------
        dict
            "value"; "source_tokens" and "target_tokens", lists of names (positions in brackets, where none were
            given); "a" and "b", the mass of each token; "pooled_into", a list or None; "moves", the largest mass first,
            each `TokenMove.to_dict` with "source_token" and "target_token"; "lost", `Lost.to_dict`; and, if
            there were samples, "uncertainty", `Uncertainty.to_dict`.
        """
        sources, targets = list(self.source_names), list(self.target_names)
        return {
            "value": finite(self.value),
            "source_tokens": sources,
            "target_tokens": targets,
            "a": self.a.tolist(),
            "b": self.b.tolist(),
            "pooled_into": None if self.pooled_into is None else self.pooled_into.tolist(),
            "moves": [
                {**move.to_dict(), "source_token": sources[move.source], "target_token": targets[move.target]}
                for move in self.pairs
            ],
            "lost": self.lost.to_dict(),
            **({} if self.uncertainty is None else {"uncertainty": self.uncertainty.to_dict()}),
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Make a pandas DataFrame of all moves; needs ``pip install 'moverank[pandas]'``.

        Returns
        -------
        pandas.DataFrame
            One row per move, the largest mass first: `source` and `target` are positions, `source_token` and
            `target_token` names, `contribution` is ``mass * cost``. With `uncertainty`, also `mean`, `deviation` and
            `frequency`, and rows for moves that only samples make, whose mass is 0.
        """
        from moverank.alignment.exports import to_dataframe

        return to_dataframe(self)

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str | None:
        """Write all moves as comma-separated values, in UTF-8, with the columns of `to_dataframe` and all digits.

        Parameters
        ----------
        path : path, optional
            The file, which is replaced; by default the text is returned.

        Returns
        -------
        str or None
            The text, if no path is given.
        """
        from moverank.alignment.exports import to_csv

        return to_csv(self, path)

    def to_latex(self, *, max_rows: int | None = ROWS) -> str:
        """Make a LaTeX tabular of the moves, as `table` lays them out; it needs no package.

        Parameters
        ----------
        max_rows : int or None, default 32
            Show at most this many moves, those of the largest mass; the others are summed in one line. None shows all.

        Returns
        -------
        str
            LaTeX source; special characters in names are escaped. Non-Latin letters need an engine that supports them.
        """
        from moverank.alignment.exports import to_latex

        if max_rows is not None:
            whole_number(max_rows, "max_rows", least=0)
        return to_latex(self, max_rows)

    def save(
        self, path: str | os.PathLike[str], *, kind: Literal["flow", "heatmap"] = "flow", max_tokens: int = 32
    ) -> None:
        """Draw into a file; needs ``pip install 'moverank[plot]'``.

        Parameters
        ----------
        path : path
            The file, which is replaced; its name ends in .pdf, .svg or .png.
        kind : {"flow", "heatmap"}, default "flow"
            Which picture.
        max_tokens : int, default 32
            Tokens of each side to show, as in `flow` and `heatmap`.

        Raises
        ------
        ValueError
            If the name has another ending, or an argument is malformed.
        """
        from moverank.alignment.exports import save

        one_of(kind, "kind", ("flow", "heatmap"))
        save(self, path, kind, max_tokens)

    def heatmap(self, *, max_tokens: int = 32, ax: Axes | None = None) -> Axes:
        """Draw where the mass of each query token goes; needs ``pip install 'moverank[plot]'``.

        With `uncertainty`, squares show the mean over the samples, and outlines the plan.

        Parameters
        ----------
        max_tokens : int, default 32
            Tokens of each side to show, those with most mass; the others are counted in the title.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib Axes
            With `figure` to save it.
        """
        from moverank.alignment.plots import heatmap

        return heatmap(self, max_tokens, ax)

    def flow(self, *, max_tokens: int = 32, ax: Axes | None = None) -> Axes:
        """Draw mass that flows from query tokens to document tokens; needs ``pip install 'moverank[plot]'``.

        With `uncertainty`, bands show the mean over the samples, the paler the fewer samples make the move.

        Parameters
        ----------
        max_tokens : int, default 32
            Tokens of each side to show, those with most mass; the others are summed in one band.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib Axes
            With `figure` to save it.
        """
        from moverank.alignment.plots import flow

        return flow(self, max_tokens, ax)

    def to_html(self, *, title: str | None = None, page: bool = True, max_tokens: int | None = 400) -> str:
        """Make a picture for the browser: point at a token to see where its mass goes.

        Parameters
        ----------
        title : str, optional
            Heading above the picture.
        page : bool, default True
            A complete page, to be saved; otherwise a fragment, as shown in notebooks.
        max_tokens : int or None, default 400
            Tokens of each side to show one by one, those with most mass; neighbours among the others are folded into
            one. None shows all.

        Returns
        -------
        str
            HTML that loads nothing from elsewhere.
        """
        from moverank.alignment.html import to_html

        if title is not None and not isinstance(title, str):
            raise TypeError(f"title must be a string, got {title!r}")
        if max_tokens is not None:
            whole_number(max_tokens, "max_tokens", least=1)
        return to_html(self, title, page=page, max_tokens=max_tokens)

    def _repr_html_(self) -> str:
        return self.to_html(page=False)

    def __repr__(self) -> str:
        n, m = self.plan.shape
        told = "" if self.uncertainty is None else f", {self.uncertainty.samples} samples"
        return f"Alignment(value={self.value:.6g}, {np.count_nonzero(self.plan)} moves, {n}x{m}{told})"

    def __str__(self) -> str:
        return self.table(max_rows=ROWS)


def _positions(count: int) -> Sequence[str]:
    return [f"[{t}]" for t in range(count)]


def _checked(names: Sequence[str], count: int, argument: str) -> tuple[str, ...]:
    listed = as_list(names, argument, "names")
    if len(listed) != count:
        raise ValueError(f"{argument}: expected {count} names, one per token, got {len(listed)}")
    for t, name in enumerate(listed):
        if not isinstance(name, str):
            raise TypeError(f"{argument}: name {t} is not a string but {type(name).__name__}")
    return tuple(listed)
