"""Scores of generated texts: one per pair, with means, a table and reasons."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moverank._support.optional import optional
from moverank._support.plain import finite
from moverank._support.validate import one_of, whole_number
from moverank._support.wording import on_one_line
from moverank.alignment.alignment import ROWS, Alignment
from moverank.alignment.lost import Lost
from moverank.alignment.sampling import Noise, sampled
from moverank.measures.measure import Measure
from moverank.scoring.baseline import ScoreBaseline
from moverank.scoring.setup import Reasons
from moverank.spaces.weights import TokenWeights

if TYPE_CHECKING:
    import pandas as pd


class MeanScore(NamedTuple):
    """Means over all pairs, those that could not be compared included."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, repr=False, eq=False)
class Scores:
    """Scores of candidates against their references, one per pair. Made by `score`.

    Attributes
    ----------
    precision, recall, f1 : ndarray of float64, shape (n,)
        Larger is better; rescaled if there is a baseline.
    best : ndarray of int64, shape (n,)
        Which of a candidate's references the scores are of: the one of highest f1, from 0.
    scored : ndarray of bool, shape (n,)
        Whether the pair could be compared. If not, one side has no token that the encoder knows, and the scores are 0
        before rescaling.
    candidates : tuple of str
        The texts that were scored.
    references : tuple of tuples of str
        All references of each.
    measure : Measure
        What compared them.
    idf : TokenWeights or None
        Weights of tokens.
    baseline : ScoreBaseline or None
        What scores were rescaled by.
    lost : Lost
        What encoding left out of the candidates ("query") and of the best references ("documents").
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    best: NDArray[np.int64]
    scored: NDArray[np.bool_]
    candidates: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    measure: Measure
    idf: TokenWeights | None = None
    baseline: ScoreBaseline | None = None
    lost: Lost = field(default_factory=Lost)
    #: Given at construction, and no field: it is not part of the value, but `dataclasses.replace` passes it on.
    _reasons: InitVar[Reasons | None] = None

    def __post_init__(self, _reasons: Reasons | None) -> None:
        object.__setattr__(self, "_reasons", _reasons)

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def mean(self) -> MeanScore:
        """Mean precision, recall and f1 over all pairs."""
        return MeanScore(float(self.precision.mean()), float(self.recall.mean()), float(self.f1.mean()))

    @property
    def unscored(self) -> list[int]:
        """Pairs that could not be compared."""
        return np.flatnonzero(~self.scored).tolist()

    @property
    def best_references(self) -> tuple[str, ...]:
        """The reference of each pair that the scores are of."""
        return tuple(own[k] for own, k in zip(self.references, self.best.tolist(), strict=True))

    def explain(
        self,
        pair: int,
        of: Literal["precision", "recall"] = "precision",
        *,
        samples: int | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> Alignment:
        """Which token moved where, and at what cost.

        The alignment's value is the distance before rescaling: under cosine costs, precision or recall is 1 minus it.
        The two texts are encoded once more.

        Parameters
        ----------
        pair : int
            Position of the candidate; negative ones count from the end.
        of : {"precision", "recall"}, default "precision"
            Precision moves the candidate ("query") into the reference ("document"), recall the reverse. Under capacity
            1 both are the same.
        samples, temperature, seed : optional
            With `samples`, also say how sure each move is, in `Alignment.uncertainty`; see `align`.

        Returns
        -------
        Alignment
            With named tokens, to print, draw, or show as HTML.

        Raises
        ------
        IndexError
            If there is no such pair.
        TypeError, ValueError
            If an argument is malformed, or the pair could not be compared.
        """
        one_of(of, "of", ("precision", "recall"))
        noise = Noise.of(samples, temperature, seed)
        position = whole_number(pair, "pair", least=-(1 << 63))
        if not -len(self) <= position < len(self):
            raise IndexError(f"pair: {position} of {len(self)}")
        reasons: Reasons | None = vars(self)["_reasons"]
        if reasons is None or not self.scored[position]:
            raise ValueError(f"pair: {position} was not compared, as one side has no token; nothing moved")
        texts = self.candidates[position], self.references[position][int(self.best[position])]
        return sampled(reasons.alignment(*texts, of_recall=of == "recall"), reasons.measure, noise)

    def table(self, *, max_rows: int | None = None) -> str:
        """Lay the scores out as a text table, one line per pair, and a line of means.

        Parameters
        ----------
        max_rows : int, optional
            Show at most this many pairs, the first ones; the means are of all.

        Returns
        -------
        str
        """
        shown = len(self) if max_rows is None else min(whole_number(max_rows, "max_rows", least=0), len(self))
        width = max(4, len(str(len(self))))
        several = any(len(own) > 1 for own in self.references)
        best = f"  {'best':>4}" if several else ""
        lines = [f"{'pair':>{width}}  {'precision':>9}  {'recall':>9}  {'f1':>9}{best}  candidate"]
        for k in range(shown):
            chosen = f"  {int(self.best[k]):>4}" if several else ""
            note = "" if self.scored[k] else "(not compared) "
            lines.append(
                f"{k:>{width}}  {self.precision[k]:>9.5f}  {self.recall[k]:>9.5f}  {self.f1[k]:>9.5f}{chosen}  "
                f"{note}{on_one_line(self.candidates[k], 60)}"
            )
        if shown < len(self):
            lines.append(f"{len(self) - shown} other pairs")
        mean, gap = self.mean, "      " if several else ""
        lines.append(
            f"{'mean':>{width}}  {mean.precision:>9.5f}  {mean.recall:>9.5f}  {mean.f1:>9.5f}{gap}  of {len(self)}"
        )
        if self.unscored:
            lines.append(f"{len(self.unscored)} without a token on one side, not compared")
        return "\n".join([*lines, *self.lost.lines("candidates", "references")])

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values: finite numbers or None, nothing of NumPy.

        Parameters
        ----------
        contents : bool, default True
            Include the texts.

        Returns
        -------
        dict
            "measure" (its name), "idf" (the name of the weights, or None), "baseline" (`ScoreBaseline.to_dict`, or
            None), "mean", "pairs" (of each "precision", "recall", "f1", "best", "scored", and with contents "candidate"
            and "references"), "unscored" (their number) and "lost".
        """
        numbers = zip(
            self.precision.tolist(), self.recall.tolist(), self.f1.tolist(), self.best.tolist(), self.scored.tolist(),
            strict=True,
        )  # fmt: skip
        pairs: list[dict[str, Any]] = [
            {"precision": finite(p), "recall": finite(r), "f1": finite(f), "best": best, "scored": scored}
            for p, r, f, best, scored in numbers
        ]
        if contents:
            for pair, candidate, references in zip(pairs, self.candidates, self.references, strict=True):
                pair |= {"candidate": candidate, "references": list(references)}
        return {
            "measure": self.measure.name,
            "idf": None if self.idf is None else self.idf.name,
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
            "mean": {name: finite(value) for name, value in self.mean._asdict().items()},
            "pairs": pairs,
            "unscored": len(self.unscored),
            "lost": self.lost.to_dict(),
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Make a pandas DataFrame, one row per pair; needs ``pip install 'moverank[pandas]'``.

        Returns
        -------
        pandas.DataFrame
            Columns `candidate`, `reference` (the best one), `precision`, `recall`, `f1`, `best` and `scored`.
        """
        pandas = optional("pandas", "pandas")
        columns = {"candidate": self.candidates, "reference": self.best_references}
        numbers = {name: getattr(self, name) for name in ("precision", "recall", "f1", "best", "scored")}
        made: pd.DataFrame = pandas.DataFrame(columns | numbers)
        return made

    def __repr__(self) -> str:
        said = [f"{len(self)} pairs by {self.measure.name}", f"mean f1 {self.mean.f1:.4f}"]
        said += [] if self.idf is None else ["IDF" if self.idf.name.startswith("idf") else f"weights {self.idf.name}"]
        said += [] if self.baseline is None else ["rescaled"]
        said += [f"{len(self.unscored)} not compared"] if self.unscored else []
        return f"Scores({', '.join(said)})"

    def __str__(self) -> str:
        return self.table(max_rows=ROWS)
