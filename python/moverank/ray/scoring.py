"""Generated texts of a dataset against references."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moverank._support.optional import optional
from moverank.errors import UnscoredWarning
from moverank.measures.measure import Measure
from moverank.ray.columns import column, is_text, lists, texts, with_columns
from moverank.ray.workers import Concurrency, EncoderOrFactory, made, mapped, sent
from moverank.scoring.baseline import ScoreBaseline
from moverank.scoring.pairs import score as score_texts
from moverank.scoring.setup import DEFAULT_MEASURE
from moverank.spaces.space import Space
from moverank.spaces.weights import TokenWeights

if TYPE_CHECKING:
    from ray.data import Dataset


def score(
    dataset: Dataset,
    *,
    encoder: EncoderOrFactory | None = None,
    measure: str | Measure = DEFAULT_MEASURE,
    candidate: str = "candidate",
    reference: str = "reference",
    idf: TokenWeights | None = None,
    baseline: ScoreBaseline | None = None,
    space: Space | None = None,
    batch_size: int = 1024,
    num_cpus: float = 1,
    concurrency: Concurrency | None = None,
    ray_remote_args: Mapping[str, Any] | None = None,
) -> Dataset:
    """Score pairs of texts, as `moverank.scoring.score` does.

    Parameters
    ----------
    dataset : ray.data.Dataset
        The pairs.
    encoder : Encoder or callable, optional
        Turns texts into vectors, or makes what does, once per actor; by default the English word vectors of the
        package.
    measure : str or Measure
        What compares; by default `moverank.scoring.DEFAULT_MEASURE`.
    candidate : str, default "candidate"
        Column of generated texts.
    reference : str, default "reference"
        Column of what each should say: a text, or a list of texts, of which the one of highest f1 counts.
    idf : TokenWeights, optional
        Weights of tokens. No batch has all references, so fit them first: `moverank.scoring.score_idf`.
    baseline, space
        As in `moverank.scoring.score`.
    batch_size : int, default 1024
        Pairs scored at a time; a text that occurs several times in them is encoded once.
    num_cpus, concurrency, ray_remote_args
        As in `encode`.

    Returns
    -------
    ray.data.Dataset
        The dataset with the columns "precision", "recall", "f1" and "scored"; the last is false for pairs of which one
        side has no token, whose scores are 0. Nothing is computed before it is used.

    Raises
    ------
    RuntimeError
        If Ray has not been started.
    TypeError, ValueError
        If an argument is malformed. When the dataset is used: if a column is missing or has a wrong type, or a text is
        missing; the message names the column and the row.
    """
    if idf is not None and not isinstance(idf, TokenWeights):
        raise TypeError(
            f"idf: expected TokenWeights, as score_idf fits them to all references, or None; got {idf!r:.40}"
        )
    options = {"measure": Measure.of(measure), "idf": idf or False, "baseline": baseline, "space": space}
    arguments = {
        "encoder": sent(encoder, num_cpus), "candidate": candidate, "reference": reference, "options": options,
    }  # fmt: skip
    return mapped(
        dataset, Score, arguments, batch_size=batch_size, num_cpus=num_cpus, concurrency=concurrency,
        ray_remote_args=ray_remote_args,
    )  # fmt: skip


class Score:
    """Scores batches of pairs in an actor; see `score`."""

    def __init__(
        self,
        encoder: EncoderOrFactory | None,
        candidate: str,
        reference: str,
        options: Mapping[str, Any],
        num_threads: int,
    ) -> None:
        self._names = candidate, reference
        self._options = {**options, "encoder": made(encoder), "num_threads": num_threads}

    def __call__(self, table: Any) -> Any:
        """Add the columns of scores."""
        if not table.num_rows:
            return table
        candidates, name = texts(table, self._names[0]), self._names[1]
        references: list[Any]
        references = texts(table, name) if is_text(column(table, name).type) else lists(table, name, of_texts=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnscoredWarning)  # the column "scored" says it
            found = score_texts(candidates, references, **self._options)
        pa = optional("pyarrow", "ray")
        return with_columns(
            table, {name: pa.array(getattr(found, name)) for name in ("precision", "recall", "f1", "scored")}
        )
