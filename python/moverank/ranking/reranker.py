"""Text in, ranking out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from moverank._support.validate import as_list, one_of, real_array, thread_count, whole_number
from moverank.encoders.encoded import EncodedText, Encoder, encode_queries, gathered, require_texts, shorten
from moverank.errors import DuplicateIdError, MeasureMismatchError, NoTokensError
from moverank.index.index import Index
from moverank.index.parts.filters import Condition
from moverank.index.parts.ids import listed_ids
from moverank.index.search.hits import Hit
from moverank.measures.measure import Measure
from moverank.presets import RETRIEVAL_BY_TOKENS
from moverank.ranking.cache import CachedEncoder
from moverank.ranking.candidates import Candidates
from moverank.ranking.deadline import Deadline
from moverank.ranking.fusion import Fusing, fusion_of
from moverank.ranking.passages import Passages
from moverank.ranking.prepared_text import with_mass
from moverank.ranking.results import ComparedHit, Found, RankedDocument, Ranking, in_order
from moverank.spaces.space import Space, SpaceEncoder

#: Ranks documents for one query, whose first-stage scores may be given.
_RankOne = Callable[[EncodedText, "ArrayLike | None"], Found]

#: For a short query against longer documents: all of the query moves, to any part of a document.
DEFAULT_MEASURE = RETRIEVAL_BY_TOKENS.measure


class Reranker:
    """Rank texts for a query by optimal transport between their tokens.

    Parameters
    ----------
    encoder : Encoder, optional
        Turns texts into vectors; by default the English word vectors included in the package, which need nothing
        else installed. A transformer (`OnnxEncoder`, `SentenceTransformerEncoder`) ranks better.
    measure : str or Measure, optional
        What to rank by; by default the measure of the index, if one is ranked, else WRD with capacity 4: all of the
        query has to be found in the document, but not the reverse. For sentence pairs use capacity 1.
    passages : Passages, optional
        Cut documents into passages, and rank by the nearest one; by default documents are compared whole.
    fusion : Fusion, ReciprocalRanks or float, optional
        Add the first stage's scores: the weight of the similarity, from 0 to 1; `Fusion.fit` finds it.
    cache_bytes : int, default 256 MiB
        Size of the cache of document vectors; 0 for none. A `CachedEncoder` has its own, which others may share.
    check_encoder : bool, default True
        Refuse an index that was built with another encoder; False accepts any vectors of the same dimension.
    num_threads : int, optional
        Threads of the transport; all cores by default.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.

    Examples
    --------
    >>> ranker = Reranker()
    >>> ranking = ranker.rank("who painted it?", ["Stocks fell.", "A portrait by an unknown artist."], top_k=1)
    >>> ranking[0].text
    'A portrait by an unknown artist.'
    >>> ranking[0].explain().pairs[0].contribution > 0
    True
    """

    def __init__(
        self,
        encoder: Encoder | None = None,
        measure: str | Measure | None = None,
        *,
        passages: Passages | None = None,
        fusion: Fusing | float | None = None,
        cache_bytes: int = 1 << 28,
        check_encoder: bool = True,
        num_threads: int | None = None,
    ) -> None:
        if encoder is None:
            from moverank.encoders.word_vectors import WordVectors

            encoder = WordVectors.default()
        bytes_at_most = whole_number(cache_bytes, "cache_bytes", least=0)
        # One that caches already may be shared by several rerankers.
        self._encoder: CachedEncoder
        if isinstance(encoder, CachedEncoder):
            self._encoder = encoder
        else:
            self._encoder = CachedEncoder(encoder, max_bytes=bytes_at_most)
        self._measure = None if measure is None else Measure.of(measure)
        if passages is not None and not isinstance(passages, Passages):
            raise TypeError(f"passages: expected Passages, got {passages!r}")
        self._passages = passages
        self._fusion = None if fusion is None else fusion_of(fusion)
        self._check_encoder = check_encoder
        thread_count(num_threads)
        self._num_threads = num_threads

    def __repr__(self) -> str:
        options = [] if self._passages is None else [repr(self._passages)]
        options += [] if self._fusion is None else [repr(self._fusion)]
        name = "the index's measure" if self._measure is None else self._measure.name
        return f"Reranker({', '.join([repr(self._encoder), name, *options])})"

    @property
    def fuses(self) -> bool:
        """Whether it needs the first stage's scores."""
        return self._fusion is not None

    def rank(
        self,
        query: str,
        documents: Sequence[str] | Index,
        *,
        top_k: int | None = None,
        doc_ids: Sequence[Any] | None = None,
        scores: ArrayLike | None = None,
        where: Condition | None = None,
        candidates: int | None = None,
        unknown: Literal["raise", "keep"] = "raise",
        absent: Literal["raise", "keep"] = "raise",
        timeout: float | None = None,
    ) -> Ranking:
        """Rank documents for a query.

        Parameters
        ----------
        query : str
            The query.
        documents : sequence of str, or Index
            The candidates' texts; or an index of their vectors by the same encoder, with the texts that it keeps: as a
            `TextIndex` does, or as payloads (a string, or an object with a "text"). If the index has a space, queries
            are moved into it.
        top_k : int, optional
            How many to return; by default all texts, or ten documents of an index. Fewer are faster.
        doc_ids : sequence, optional
            Ids of the texts, by default 0, 1, …; for an index, the ids of the candidates, by default all
            documents.
        scores : array_like, shape (n,), optional
            The first stage's scores of the candidates, larger is better; needed with `fusion`.
        where : str, tuple of str and a sequence, or callable, optional
            For an index: rank only documents whose payload satisfies this condition, as in `Index.search`.
        candidates : int, optional
            For an index: maximum number of documents to examine, at least `top_k`, as in `Index.search`. By default the
            answer is exact.
        unknown : {"raise", "keep"}, default "raise"
            A query without a token is an error; or ("keep") its documents keep the order in which they were given, at
            score −∞ and distance ∞ (with `fusion`, they are ranked by the first stage's scores), and the ranking says
            so: `Ranking.comparable` is False. For an index without `doc_ids`, there are no documents then.
        absent : {"raise", "keep"}, default "raise"
            `doc_ids` that an index does not have are an error; or ("keep") they come last, at score −∞ and distance ∞,
            like texts without a token, and `Ranking.skipped` counts them.
        timeout : float, optional
            Seconds for encoding and comparing, a fifth of which are kept for comparing. Documents that were not
            reached in time come last, at score −∞; the certificate counts them, and `stats.timed_out` is True.

        Returns
        -------
        Ranking
            The best first; ties in the order in which texts were given, or in the order of an index's ids. Texts
            without a token come last.

        Raises
        ------
        NoTokensError
            If the query has no token, unless `unknown` is "keep".
        TypeError, ValueError
            If an argument is malformed; the message names it, and the document.
        UnknownIdError
            If one of `doc_ids` is not in the index, unless `absent` is "keep".
        MeasureMismatchError
            If the index was built for a measure other than the reranker's.
        EncoderMismatchError
            If it was built with another encoder, unless `check_encoder` is False.
        """
        if not isinstance(query, str):
            raise TypeError(f"query: expected a string, got {type(query).__name__}")
        one = None if scores is None else [scores]
        options: dict[str, Any] = {"top_k": top_k, "doc_ids": doc_ids, "where": where, "candidates": candidates}
        options |= {"unknown": unknown, "absent": absent, "timeout": timeout}
        return self.rank_batch([query], documents, scores=one, **options)[0]

    def rank_batch(
        self,
        queries: Sequence[str],
        documents: Sequence[str] | Index,
        *,
        top_k: int | None = None,
        doc_ids: Sequence[Any] | None = None,
        scores: Sequence[ArrayLike] | None = None,
        where: Condition | None = None,
        candidates: int | None = None,
        unknown: Literal["raise", "keep"] = "keep",
        absent: Literal["raise", "keep"] = "raise",
        timeout: float | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[Ranking]:
        """Rank the same documents for several queries; they are encoded and prepared once.

        Parameters
        ----------
        queries : sequence of str
            The queries.
        documents, top_k, doc_ids, where, candidates
            As in `rank`.
        scores : sequence of array_like, one per query, each of shape (n,), optional
            The first stage's scores; needed with `fusion`.
        unknown : {"raise", "keep"}, default "keep"
            As in `rank`; by default a query without a token does not affect the others.
        absent : {"raise", "keep"}, default "raise"
            As in `rank`.
        timeout : float, optional
            Seconds for all queries together, as in `rank`.
        progress : callable, optional
            Called with the number of queries ranked so far.

        Returns
        -------
        list of Ranking
            One per query.
        """
        if top_k is not None:
            whole_number(top_k, "top_k", least=1)
        if candidates is not None:
            whole_number(candidates, "candidates", least=1)
        deadline = Deadline(timeout)
        queries = require_texts(queries, "query")
        if isinstance(documents, Index):
            self._require_encoder_of(documents)
        one_of(unknown, "unknown", ("raise", "keep"))
        one_of(absent, "absent", ("raise", "keep"))
        if absent == "keep" and (doc_ids is None or not isinstance(documents, Index)):
            raise ValueError("absent: applies only to doc_ids of an index, and none were given")
        asked = self._queries(queries, skip_empty=unknown == "keep")
        given = self._scores(scores, len(asked))
        if isinstance(documents, Index):
            chosen = self._measure_of(documents)
            rank_one = self._over_index(documents, doc_ids, top_k, where, candidates, absent, deadline)
            asked = _with_mass(self._moved(asked, documents), chosen, queries, unknown)
        else:
            if where is not None:
                raise ValueError("where: applies to payloads of an index, but these documents are texts")
            if candidates is not None:
                raise ValueError("candidates: applies to an index, but these documents are texts")
            chosen = DEFAULT_MEASURE if self._measure is None else self._measure
            asked = _with_mass(asked, chosen, queries, unknown)
            given_texts = Candidates(self._encoder, documents, doc_ids, chosen, self._passages, deadline.of_encoding)
            rank_one = self._over_texts(given_texts, top_k, deadline)
        rankings = []
        for q, (query, first) in enumerate(zip(asked, given, strict=True)):
            found = rank_one(query, first)
            best = in_order(found.documents, top_k)
            told = (found.certificate, found.stats, found.skipped)
            lost = (found.dropped, query.dropped, found.cut, query.cut)
            rankings.append(Ranking(queries[q], best, chosen, *told, bool(query.tokens), *lost, found.tokens))
            if progress is not None:
                progress(q + 1)
        return rankings

    def _queries(self, queries: list[str], *, skip_empty: bool) -> list[EncodedText]:
        if not queries:
            raise ValueError("queries: expected at least one, got none")
        asked = [EncodedText.empty() for _ in queries]
        try:
            encoded = encode_queries(self._encoder, queries, skip_empty=skip_empty)
        except NoTokensError as error:
            if skip_empty:
                return asked
            raise NoTokensError(f"queries, as {error}") from None
        for place, q in enumerate(encoded.kept):
            asked[q] = encoded.text(place)
        return asked

    def _scores(self, scores: Sequence[ArrayLike] | None, count: int) -> Sequence[ArrayLike | None]:
        if scores is None:
            if self._fusion is not None:
                raise ValueError("scores: required, as fusion needs the first stage's scores")
            return [None] * count
        if self._fusion is None:
            raise ValueError("scores: given, but the reranker has no fusion")
        listed = as_list(scores, "scores", "arrays, one per query")
        if len(listed) != count:
            raise ValueError(f"scores: expected {count}, one array per query, got {len(listed)}")
        return listed

    def _fused(
        self, found: list[RankedDocument], first: ArrayLike | None, doc_ids: Iterable[Any]
    ) -> list[RankedDocument]:
        """Documents in the order given, with fused scores; unchanged if there is no fusion."""
        if self._fusion is None or first is None:
            return found
        of = {document.doc_id: document for document in found}
        documents = [of[name] for name in doc_ids]
        one = real_array(first, "scores", ndim=1, dtype=np.float64)
        if len(one) != len(documents):
            raise ValueError(f"scores: expected {len(documents)}, one per document, got {len(one)}")
        try:
            fused = self._fusion(one, [document.score for document in documents])
        except ValueError as error:
            raise ValueError(f"scores, as {error}") from None
        return [replace(document, score=score) for document, score in zip(documents, fused.tolist(), strict=True)]

    def _over_texts(self, candidates: Candidates, top_k: int | None, deadline: Deadline) -> _RankOne:
        def rank_one(query: EncodedText, first: ArrayLike | None) -> Found:
            k = None if self._fusion is not None else top_k
            known = bool(query.tokens)
            found = candidates.ranked(query, k, self._num_threads, deadline.left()) if known else candidates.as_given(k)
            return replace(found, documents=self._fused(found.documents, first, candidates.doc_ids))

        return rank_one

    def _over_index(
        self,
        index: Index,
        doc_ids: Sequence[Any] | None,
        top_k: int | None,
        where: Condition | None,
        candidates: int | None,
        absent: str,
        deadline: Deadline,
    ) -> _RankOne:
        if self._passages is not None:
            raise ValueError(
                "passages: cannot be used with an index, which holds documents as they were cut when it was built"
            )
        if self._fusion is not None and doc_ids is None:
            raise ValueError("doc_ids: required, as fusion needs to know which documents the scores belong to")
        chosen = None if doc_ids is None else listed_ids(doc_ids, "doc_ids")
        if chosen is not None and not chosen:
            raise ValueError("doc_ids: expected at least one, got none")
        if chosen is not None and where is not None:
            raise ValueError("where: cannot be combined with doc_ids; where chooses among all documents of an index")
        if chosen is not None and candidates is not None:
            raise ValueError("candidates: cannot be combined with doc_ids, which are the candidates")

        missing = _missing(index, chosen or []) if absent == "keep" else {}
        there = [name for name in chosen or [] if name not in missing] if missing else chosen
        last = [RankedDocument(0, name, -np.inf, np.inf, None) for name in missing]
        known = index.is_of_bags, index.measure, index.space

        def rank_one(query: EncodedText, first: ArrayLike | None) -> Found:
            if not query.tokens:
                kept = [RankedDocument(0, name, -np.inf, np.inf, None) for name in chosen or []]
                return Found.for_no_query(self._fused(kept, first, chosen or []), len(kept))
            options: dict[str, Any] = {
                "weights": query.weights, "num_threads": self._num_threads, "timeout": deadline.left(),
            }  # fmt: skip
            if there is None:
                k = 10 if top_k is None else top_k
                hits = index.search(query.vectors, k, where=where, candidates=candidates, **options)
            elif not there:
                return replace(Found.uncompared(self._fused(last, first, missing), len(last)), skipped=len(last))
            else:
                k = len(there) if top_k is None or self._fusion is not None else top_k
                hits = index.rerank(query.vectors, there, k, **options)
            found = [self._of_hit(query, hit, *known) for hit in hits] + last
            fused = self._fused(found, first, [] if chosen is None else chosen)
            return Found(fused, hits.certificate, hits.stats, len(last))

        return rank_one

    def _of_hit(
        self, query: EncodedText, hit: Hit, of_bags: bool, measure: Measure, space: Space | None
    ) -> RankedDocument:
        text = _text_of(hit)
        reasons = ComparedHit(query, hit, text, self._encoder, of_bags, measure, space)
        return RankedDocument(
            hit.rank, hit.id, hit.similarity, hit.distance, text, payload=hit.payload, _reasons=reasons
        )

    def _require_encoder_of(self, index: Index) -> None:
        if index.space is not None and isinstance(self._encoder.encoder, SpaceEncoder):
            raise ValueError("encoder: the index moves queries into its space itself; give the encoder without a space")
        if self._check_encoder:
            index.require_encoder(self._encoder)

    def _moved(self, queries: list[EncodedText], index: Index) -> list[EncodedText]:
        """Queries in the space of the index's documents."""
        space = index.space
        if space is None:
            return queries
        known = [q for q, query in enumerate(queries) if query.tokens]
        if known:
            moved = space(gathered([""] * len(queries), queries, skip_empty=True))
            queries = list(queries)
            for place, q in enumerate(known):
                queries[q] = moved.text(place)
        return queries

    def _measure_of(self, index: Index) -> Measure:
        if self._measure is not None and self._measure != index.measure:
            raise MeasureMismatchError(
                f"the index was built for {index.measure.name}, but the reranker ranks by {self._measure.name}"
            )
        return index.measure


def _with_mass(asked: list[EncodedText], measure: Measure, queries: list[str], unknown: str) -> list[EncodedText]:
    """Queries without tokens that have no mass; NoTokensError if none is left, unless such queries are kept."""
    found = [with_mass(one, measure, f"queries: query {q}") for q, one in enumerate(asked)]
    for q, one in enumerate(found):
        if unknown == "raise" and not one.tokens:
            raise NoTokensError(f"queries: query {q} has no token with mass under the measure: {shorten(queries[q])!r}")
    return found


def _missing(index: Index, ids: list[Any]) -> dict[Any, None]:
    """Ids that are not in an index, in their order; those of the wrong type are not among them, and refused later."""
    lacking = [name for name in ids if name not in index]
    if not lacking:
        return {}
    kind = int if len(index) and index.ids.dtype.kind == "i" else str
    missing: dict[Any, None] = {}
    for name in lacking:
        if name in missing:
            raise DuplicateIdError(f"doc_ids: {name!r} is given more than once")
        if isinstance(name, kind):
            missing[name] = None
    return missing


def _text_of(hit: Hit) -> str | None:
    """Text that the index keeps, by itself or in the payload."""
    if hit.text is not None:
        return hit.text
    text = hit.payload.get("text") if isinstance(hit.payload, dict) else hit.payload
    return text if isinstance(text, str) else None
