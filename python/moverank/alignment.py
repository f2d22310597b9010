"""Which token moved where, and at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank.measures import Measure, measure, naming, require_same_dim
from moverank.sequences import Sequences, as_query

_by_name = measure


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


@dataclass(frozen=True, repr=False, eq=False)
class Alignment:
    """The plan behind one distance.

    Attributes
    ----------
    value : float
        The contributions of all moves: the distance, or, of an entropic measure, the cost of its plan, to which the
        distance adds the entropy.
    plan : ndarray of float64, shape (n, m)
        Mass moved from each query token to each document token.
    cost : ndarray of float32, shape (n, m)
        Ground costs.
    a, b : ndarray of float64, shapes (n,) and (m,)
        Normalised mass of query and document.

    Examples
    --------
    >>> alignment = align([[1.0, 0.0], [0.0, 2.0]], [[0.0, 1.0]], "wrd")
    >>> [(move.source, move.target, round(move.contribution, 6)) for move in alignment.pairs]
    [(1, 0, 0.0), (0, 0, 0.333333)]
    """

    value: float
    plan: NDArray[np.float64]
    cost: NDArray[np.float32]
    a: NDArray[np.float64]
    b: NDArray[np.float64]

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

    def table(
        self,
        source_tokens: Sequence[str] | None = None,
        target_tokens: Sequence[str] | None = None,
        *,
        max_rows: int | None = None,
    ) -> str:
        """Lay the moves out as a text table, grouped by query token; moves between the same two names are one line.

        Parameters
        ----------
        source_tokens, target_tokens : sequence of str, optional
            What to call the tokens; their positions if omitted.
        max_rows : int, optional
            Show this many lines at most, those of the largest mass; the rest is summed in one line.

        Returns
        -------
        str
        """
        sources = _names(source_tokens, self.plan.shape[0], "source_tokens")
        targets = _names(target_tokens, self.plan.shape[1], "target_tokens")
        moves = _merged(self.pairs, sources, targets)
        shown = moves if max_rows is None else moves[:max_rows]
        rest = moves[len(shown) :]

        source_mass: dict[str, float] = {}
        for name, mass in zip(sources, self.a, strict=True):
            source_mass[name] = source_mass.get(name, 0.0) + float(mass)
        shown = sorted(shown, key=lambda move: (-source_mass[move[0]], move[0], -move[2]))
        left = max([len(move[0]) for move in shown] + [len("query token")])
        right = max([len(move[1]) for move in shown] + [len("document token")])
        lines = [
            f"{'query token':<{left}}     {'document token':<{right}} {'mass %':>7} {'cost':>8} {'contribution':>13}"
        ]
        previous = None
        for source, target, mass, contribution in shown:
            name = source if source != previous else ""
            previous = source
            cost = contribution / mass
            lines.append(f"{name:<{left}}  -> {target:<{right}} {100 * mass:>7.2f} {cost:>8.4f} {contribution:>13.5f}")
        if rest:
            mass = sum(move[2] for move in rest)
            contribution = sum(move[3] for move in rest)
            count = f"{len(rest)} smaller moves"
            lines.append(f"{'':<{left}}     {count:<{right}} {100 * mass:>7.2f} {'':>8} {contribution:>13.5f}")
        total = 100 * float(self.plan.sum())
        lines.append(f"{'distance':<{left}}     {'':<{right}} {total:>7.2f} {'':>8} {self.value:>13.5f}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        n, m = self.plan.shape
        return f"Alignment(value={self.value:.6g}, {np.count_nonzero(self.plan)} moves, {n}x{m})"

    def __str__(self) -> str:
        return self.table()


def _merged(
    moves: list[TokenMove], sources: Sequence[str], targets: Sequence[str]
) -> list[tuple[str, str, float, float]]:
    """Source name, target name, mass and contribution of the moves, added up where names repeat; largest mass first."""
    totals: dict[tuple[str, str], tuple[float, float]] = {}
    for move in moves:
        key = (sources[move.source], targets[move.target])
        mass, contribution = totals.get(key, (0.0, 0.0))
        totals[key] = (mass + move.mass, contribution + move.contribution)
    merged = [(*key, *total) for key, total in totals.items()]
    return sorted(merged, key=lambda move: -move[2])


def _names(names: Sequence[str] | None, count: int, argument: str) -> Sequence[str]:
    if names is None:
        return [f"[{t}]" for t in range(count)]
    if len(names) != count:
        raise ValueError(f"{argument}: expected {count} names, one a token, got {len(names)}")
    return names


def align(
    x: Sequences | ArrayLike,
    y: Sequences | ArrayLike,
    measure: str | Measure = "wrd",
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
) -> Alignment:
    """Compute the distance of two sequences together with the plan behind it.

    Parameters
    ----------
    x, y : array_like, shape (n, d) and (m, d), or Sequences of length 1
        Tokens of the query and of the document.
    measure : str or Measure, default "wrd"
        What to compute. Under a relaxed problem the plan sends each token of the side that gives the bound whole to
        its nearest token on the other.
    a, b : array_like, shape (n,) and (m,), optional
        Mass of the tokens.

    Returns
    -------
    Alignment
        The contributions of its moves add up to the distance.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> print(align(x, x[::-1], "wmd").table(["moon", "sun"], ["sun", "moon"]))
    query token     document token  mass %     cost  contribution
    moon         -> moon             50.00   0.0000       0.00000
    sun          -> sun              50.00   0.0000       0.00000
    distance                        100.00                0.00000
    """
    chosen = _by_name(measure)
    query, query_weights = as_query(x, a, "x", "a")
    document, document_weights = as_query(y, b, "y", "b")
    require_same_dim(query.shape[1], document.shape[1], "x", "y")
    with naming("x", "y", batch=False):
        solution = _core.align(query, query_weights, document, document_weights, chosen._spec)
    cost = solution.cost.astype(np.float32, copy=False)
    return Alignment(solution.value, solution.plan, cost, solution.a, solution.b)
