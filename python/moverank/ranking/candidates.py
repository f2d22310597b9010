"""Texts to be ranked: cut into passages, encoded, and prepared for any number of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from moverank._support.validate import as_list, is_missing
from moverank.encoders.encoded import EncodedText, require_texts
from moverank.errors import DuplicateIdError
from moverank.index.search.hits import Hit
from moverank.measures.measure import Measure
from moverank.ranking.cache import CachedEncoder
from moverank.ranking.documents import Documents, encoded_documents
from moverank.ranking.passages import Passages
from moverank.ranking.results import ComparedText, Found, RankedDocument


class Candidates:
    """Documents, and their passages as an index."""

    def __init__(
        self,
        encoder: CachedEncoder,
        texts: Sequence[str],
        doc_ids: Sequence[Any] | None,
        measure: Measure,
        passages: Passages | None,
        deadline: float | None = None,
    ) -> None:
        self.texts = require_texts(texts, "document", "texts or an Index")
        self.doc_ids = _require_ids(doc_ids, len(self.texts))
        self._measure = measure
        self._passages = passages
        self._spans = [
            (d, span)
            for d, text in enumerate(self.texts)
            for span in ([(0, len(text))] if passages is None else passages.spans(text))
        ]
        pieces = [self.texts[d][start:end] for d, (start, end) in self._spans]
        self._compared, self._late = encoded_documents(encoder, pieces, measure, self._name_of, deadline)

    def ranked(self, query: EncodedText, k: int | None, num_threads: int | None, timeout: float | None = None) -> Found:
        """Find the k nearest documents, or all; similarities are their scores.

        Those without a token, and those that were not reached in time, come last.
        """
        wanted = len(self.texts) if k is None else min(k, len(self.texts))
        if self._compared is None:
            found = replace(Found.uncompared([], len(self.texts)), skipped=len(self.texts) - self._unreached(()))
        else:
            found = self._nearest(self._compared, query, wanted, num_threads, timeout)
            own = self._compared
            found = replace(found, dropped=own.dropped, cut=own.cut, tokens=own.tokens)
        if self._late:
            found = found.late(len(self._late), len(self._spans))
        nearer = {document.doc_id for document in found.documents}
        empty = (d for d in range(len(self.texts)) if self.doc_ids[d] not in nearer)
        while len(found.documents) < wanted:
            found.documents.append(self._without_token(next(empty)))
        return found

    def as_given(self, k: int | None) -> Found:
        """The first k documents, or all, for a query without a token."""
        return Found.for_no_query([self._without_token(d) for d in range(len(self.texts))][:k], len(self.texts))

    def _nearest(
        self, compared: Documents, query: EncodedText, k: int, num_threads: int | None, timeout: float | None
    ) -> Found:
        # The k nearest documents are those of the nearest passages, so enough passages are needed.
        asked = k
        skipped = len(self.texts) - len({self._spans[piece][0] for piece in compared.kept})
        skipped -= self._unreached(compared.kept)
        while True:
            hits = compared.index.search(
                query.vectors, asked, weights=query.weights, timeout=timeout, num_threads=num_threads
            )
            owners = [self._spans[passage][0] for passage in hits.ids.tolist()]
            nearest = {d: place for place, d in reversed(list(enumerate(owners)))}
            if len(nearest) >= k or len(hits) == len(compared.index) or hits.stats.timed_out:
                documents = [self._document(compared, query, hits[place]) for place in sorted(nearest.values())[:k]]
                return Found(documents, hits.certificate, hits.stats, skipped)
            asked *= 2

    def _document(self, compared: Documents, query: EncodedText, hit: Hit) -> RankedDocument:
        d, span = self._spans[hit.id]
        passage = None if self._passages is None else span
        reasons = ComparedText(query, compared.text, hit.id, self._measure)
        return RankedDocument(
            hit.rank, self.doc_ids[d], hit.similarity, hit.distance, self.texts[d], passage, _reasons=reasons
        )

    def _name_of(self, piece: int) -> str:
        """Name of a passage in errors."""
        return f"document {self.doc_ids[self._spans[piece][0]]!r}"

    def _unreached(self, encoded: Iterable[int]) -> int:
        """Number of documents with passages that were not reached in time, and none among those encoded."""
        return len({self._spans[piece][0] for piece in self._late} - {self._spans[piece][0] for piece in encoded})

    def _without_token(self, d: int) -> RankedDocument:
        return RankedDocument(len(self.texts), self.doc_ids[d], -np.inf, np.inf, self.texts[d])


def _require_ids(doc_ids: Sequence[Any] | None, count: int) -> Sequence[Any]:
    if doc_ids is None:
        return range(count)
    listed = as_list(doc_ids, "doc_ids", "ids")
    if len(listed) != count:
        raise ValueError(f"doc_ids: expected {count}, one per document, got {len(listed)}")
    for place, name in enumerate(listed):
        if is_missing(name):
            raise TypeError(f"doc_ids: id {place} is missing ({name})")
    try:
        counts = Counter(listed)
    except TypeError as error:
        raise TypeError(f"doc_ids: {error}") from None
    if len(counts) < count:
        twice = next(name for name, count in counts.items() if count > 1)
        raise DuplicateIdError(f"doc_ids: {twice!r} is given more than once")
    return listed
