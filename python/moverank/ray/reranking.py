"""Candidates of a first stage, reranked for each query of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moverank._support.optional import optional
from moverank._support.validate import whole_number
from moverank.measures.measure import Measure
from moverank.ranking.fusion import Fusing
from moverank.ranking.passages import Passages
from moverank.ranking.reranker import Reranker
from moverank.ray.columns import lists, texts, with_columns
from moverank.ray.workers import Concurrency, EncoderOrFactory, made, mapped, sent

if TYPE_CHECKING:
    from ray.data import Dataset


def rerank(
    dataset: Dataset,
    *,
    encoder: EncoderOrFactory | None = None,
    measure: str | Measure | None = None,
    query: str = "query",
    candidates: str = "candidates",
    ids: str | None = None,
    scores: str | None = None,
    ranking: str = "ranking",
    top_k: int | None = None,
    passages: Passages | None = None,
    fusion: Fusing | float | None = None,
    batch_size: int = 32,
    num_cpus: float = 1,
    concurrency: Concurrency | None = None,
    ray_remote_args: Mapping[str, Any] | None = None,
) -> Dataset:
    """Rerank the candidates of each query, as `Reranker` does.

    Parameters
    ----------
    dataset : ray.data.Dataset
        Queries with their candidates.
    encoder : Encoder or callable, optional
        Turns texts into vectors, or makes what does, once per actor; by default the English word vectors of the
        package.
    measure, passages, fusion
        As in `Reranker`.
    query : str, default "query"
        Column of queries.
    candidates : str, default "candidates"
        Column with a list of texts per query.
    ids : str, optional
        Column with a list of ids per query, one per candidate; by default their places, 0, 1, …
    scores : str, optional
        Column with the first stage's scores per query, one per candidate; needed with `fusion`.
    ranking : str, default "ranking"
        Column to make: per query a list of objects with "id", "score" and "distance", the best first.
    top_k : int, optional
        How many to keep; all by default.
    batch_size : int, default 32
        Queries per call; each is ranked by itself.
    num_cpus, concurrency, ray_remote_args
        As in `encode`.

    Returns
    -------
    ray.data.Dataset
        The dataset with the new column. A query without a token leaves its candidates as they are, at score −∞. Nothing
        is computed before it is used.

    Raises
    ------
    RuntimeError
        If Ray has not been started.
    TypeError, ValueError
        If an argument is malformed. When the dataset is used: if a column is missing or has a wrong type, a text is
        missing, or a row does not have one id or score per candidate; the message names the column and the row.
    """
    if top_k is not None:
        whole_number(top_k, "top_k", least=1)
    if (fusion is None) != (scores is None):
        raise ValueError("scores: expected the name of a column with fusion, and None without")
    options = {"measure": measure, "passages": passages, "fusion": fusion}
    Reranker(None, **options)  # type: ignore[arg-type]  # refuses malformed options before an actor starts
    names = {"query": query, "candidates": candidates, "ids": ids, "scores": scores, "ranking": ranking}
    arguments = {"encoder": sent(encoder, num_cpus), "names": names, "top_k": top_k, "options": options}
    return mapped(
        dataset, Rerank, arguments, batch_size=batch_size, num_cpus=num_cpus, concurrency=concurrency,
        ray_remote_args=ray_remote_args,
    )  # fmt: skip


class Rerank:
    """Reranks batches of queries in an actor; see `rerank`."""

    def __init__(
        self,
        encoder: EncoderOrFactory | None,
        names: Mapping[str, Any],
        top_k: int | None,
        options: Mapping[str, Any],
        num_threads: int,
    ) -> None:
        self._ranker = Reranker(made(encoder), **options, num_threads=num_threads)
        self._names = names
        self._top_k = top_k

    def __call__(self, table: Any) -> Any:
        """Add the column of rankings."""
        if not table.num_rows:
            return table
        queries = texts(table, self._names["query"])
        given = lists(table, self._names["candidates"], of_texts=True)
        beside = {name: self._beside(table, name, given) for name in ("ids", "scores")}
        found = [self._ranked(row, queries[row], given[row], beside) for row in range(len(queries))]
        pa = optional("pyarrow", "ray")
        kind = pa.int64() if self._names["ids"] is None else table.schema.field(self._names["ids"]).type.value_type
        fields = pa.struct([("id", kind), ("score", pa.float64()), ("distance", pa.float64())])
        return with_columns(table, {self._names["ranking"]: pa.array(found, pa.list_(fields))})

    def _beside(self, table: Any, name: str, given: list[list[str]]) -> list[list[Any]] | None:
        """Ids or scores of the candidates, one each."""
        column = self._names[name]
        if column is None:
            return None
        found = lists(table, column)
        for row, (own, candidates) in enumerate(zip(found, given, strict=True)):
            if len(own) != len(candidates):
                raise ValueError(
                    f"column {column!r}: row {row} of the batch has {len(own)} values for {len(candidates)} candidates"
                )
        return found

    def _ranked(
        self, row: int, query: str, given: list[str], beside: Mapping[str, list[list[Any]] | None]
    ) -> list[dict[str, Any]]:
        if not given:
            return []
        own = {name: None if values is None else values[row] for name, values in beside.items()}
        try:
            ranking = self._ranker.rank(
                query, given, top_k=self._top_k, doc_ids=own["ids"], scores=own["scores"], unknown="keep"
            )
        except (TypeError, ValueError) as error:
            raise type(error)(f"row {row} of the batch, query {query!r:.60}: {error}") from None
        return [{"id": one.doc_id, "score": one.score, "distance": one.distance} for one in ranking]
