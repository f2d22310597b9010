"""PyTerrier: a transformer that reranks. ``pip install 'moverank[pyterrier]'``."""

from __future__ import annotations

from typing import Any

from moverank._support.optional import optional
from moverank.integrations._scores import scored
from moverank.ranking import Reranker

pt = optional("pyterrier", "pyterrier")
pd = optional("pandas", "pyterrier")


class MoverankTransformer(pt.Transformer):  # type: ignore[name-defined]
    """Rerank the results of a pipeline: ``bm25 % 100 >> pt.text.get_text(index) >> MoverankTransformer()``.

    Parameters
    ----------
    reranker : Reranker, optional
        The reranker to use; one with the bundled word vectors by default. A reranker with fusion uses the scores of the
        previous stage.
    text_field : str, default "text"
        Column with the texts of the documents.
    """

    def __init__(self, reranker: Reranker | None = None, *, text_field: str = "text") -> None:
        self._reranker = Reranker() if reranker is None else reranker
        self._text_field = text_field

    def transform(self, inp: Any) -> Any:
        """Score and rank a frame with the columns qid, query, docno and that of the texts; ranks begin with 0."""
        missing = [name for name in ("qid", "query", "docno", self._text_field) if name not in inp.columns]
        if missing:
            raise ValueError(
                f"inp: the columns {', '.join(missing)} are missing; its columns are {', '.join(inp.columns)}"
            )
        parts = [self._ranked(group) for _, group in inp.groupby("qid", sort=False)]
        if not parts:
            return inp.assign(score=pd.Series(dtype="float64"), rank=pd.Series(dtype="int64"))
        return pd.concat(parts, ignore_index=True)

    def _ranked(self, group: Any) -> Any:
        """Rank the rows of one query."""
        first_stage = group["score"].to_numpy() if self._reranker.fuses else None
        ranking = scored(self._reranker, group["query"].iloc[0], group[self._text_field].tolist(), scores=first_stage)
        reranked = group.iloc[[place for place, _ in ranking]].copy()
        reranked["score"] = [score for _, score in ranking]
        reranked["rank"] = range(len(ranking))
        return reranked
