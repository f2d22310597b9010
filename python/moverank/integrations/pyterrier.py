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
        What ranks; one with the bundled word vectors by default. One with fusion uses the scores that come in.
    text_field : str, default "text"
        Column that holds the documents' texts.
    """

    def __init__(self, reranker: Reranker | None = None, *, text_field: str = "text") -> None:
        self._reranker = Reranker() if reranker is None else reranker
        self._text_field = text_field

    def transform(self, inp: Any) -> Any:
        """Score and rank a frame with the columns qid, query, docno and the text's; ranks begin with 0."""
        missing = [name for name in ("qid", "query", "docno", self._text_field) if name not in inp.columns]
        if missing:
            raise ValueError(f"inp: the columns {', '.join(missing)} are missing; there are {', '.join(inp.columns)}")
        parts = [self._ranked(own) for _, own in inp.groupby("qid", sort=False)]
        if not parts:
            return inp.assign(score=pd.Series(dtype="float64"), rank=pd.Series(dtype="int64"))
        return pd.concat(parts, ignore_index=True)

    def _ranked(self, own: Any) -> Any:
        first = own["score"].to_numpy() if self._reranker.fuses else None
        ranking = scored(self._reranker, own["query"].iloc[0], own[self._text_field].tolist(), scores=first)
        found = own.iloc[[place for place, _ in ranking]].copy()
        found["score"] = [score for _, score in ranking]
        found["rank"] = range(len(ranking))
        return found
