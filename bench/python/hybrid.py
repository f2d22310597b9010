"""Candidates by transport and by BM25 for the queries of judged collections, with both scores of each.

Needs what `judged.py` needs, and tantivy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ir_measures
import numpy as np
from numpy.typing import NDArray

import moverank as mr
from judged import NDCG, Collection, Texts, inner, judged_queries

try:
    import tantivy
except ImportError as error:
    raise SystemExit("pip install tantivy") from error

Scores = NDArray[np.float64]

#: The measure.
CAPACITY = mr.wrd.replace(capacity=4)

#: Candidates of each list.
DEPTH = 100

#: Filters of each analyser, after words are cut at everything but letters and digits, and made lower case.
ANALYSERS = {"words": [], "stems": ["stem"], "stems, no stop words": ["stop", "stem"]}


@dataclass
class Query:
    """A query's candidates."""

    id: str
    docs: NDArray[np.int64]
    transport: Scores
    lexical: Scores
    pooled: Scores
    relevant: NDArray[np.bool_]

    def without(self, left_out: NDArray[np.bool_]) -> Query:
        """The same with fewer candidates."""
        columns = ("docs", "transport", "lexical", "pooled", "relevant")
        return replace(self, **{name: getattr(self, name)[~left_out] for name in columns})


def lexical_scores(collection: Texts, filters: list[str]) -> Scores:
    """BM25 of every query and document; 0 where no term is shared."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.remove_long(40))
    builder = builder.filter(tantivy.Filter.lowercase())
    made = {"stop": tantivy.Filter.stopword, "stem": tantivy.Filter.stemmer}
    for name in filters:
        builder = builder.filter(made[name]("english"))
    analyser = builder.build()
    fields = tantivy.SchemaBuilder().add_integer_field("place", fast=True)
    schema = fields.add_text_field("text", tokenizer_name="own", index_option="freq").build()
    index = tantivy.Index(schema)
    index.register_tokenizer("own", analyser)
    writer = index.writer(num_threads=1)
    for place, text in enumerate(collection.texts):
        writer.add_document(tantivy.Document(place=place, text=text))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()
    scores = np.zeros((len(collection.query_ids), len(collection.ids)))
    for row, text in zip(scores, collection.query_texts, strict=True):
        terms = [tantivy.Query.term_query(schema, "text", term, "freq") for term in analyser.analyze(text)]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
        hits = searcher.search(query, len(row), count=False).hits
        row[searcher.fast_field_values("place", [address for _, address in hits])] = [score for score, _ in hits]
    return scores


def first(scores: Scores, depth: int = DEPTH) -> NDArray[np.int64]:
    """Places of the best, those with equal scores by their order."""
    return np.argsort(-scores, kind="stable")[:depth]


def transport_scores(collection: Collection, lexical: Scores, cache: Path) -> Scores:
    """Similarities of the first by transport and of the first by BM25, NaN elsewhere; kept in the folder."""
    stored = cache / f"recipe-{collection.name}.npy"
    if not stored.exists():
        queries = inner(collection.queries).sequences
        index = mr.Index.build(inner(collection.docs).sequences, CAPACITY, prefilter=None)
        scores = np.full(lexical.shape, np.nan, dtype=np.float32)
        for k, row in enumerate(scores):
            hits = index.search(queries[k : k + 1], DEPTH)
            row[np.asarray(hits.ids)] = hits.similarities
            others = [place for place in first(lexical[k]).tolist() if np.isnan(row[place])]
            if others:
                hits = index.rerank(queries[k : k + 1], others, len(others))
                row[np.asarray(hits.ids)] = hits.similarities
            if k % 100 == 0:
                print(f"{collection.name}, of {len(scores)}: {k}", file=sys.stderr)
        np.save(stored, scores)
    return np.load(stored).astype(np.float64)


def candidates(collection: Texts, split: str, transport: Scores, lexical: Scores, dense: Scores) -> list[Query]:
    """Candidates of every query of a split."""
    place = {name: d for d, name in enumerate(collection.ids)}
    relevant: dict[str, set[int]] = {}
    for qrel in collection.qrels[split]:
        if qrel.relevance > 0 and qrel.doc_id in place:
            relevant.setdefault(qrel.query_id, set()).add(place[qrel.doc_id])
    found = []
    for k in judged_queries(collection, split):
        name = collection.query_ids[k]
        near = first(np.nan_to_num(transport[k], nan=-np.inf))
        shared = first(lexical[k])
        docs = np.union1d(near, shared[lexical[k, shared] > 0])
        judged = np.isin(docs, list(relevant.get(name, ())))
        found.append(Query(name, docs, transport[k, docs], lexical[k, docs], dense[k, docs], judged))
    return found


def ndcg(collection: Texts, split: str, queries: Sequence[Query], ranks: Callable[[Query], Scores]) -> Scores:
    """nDCG@10 × 100 of each query."""
    run = []
    for query in queries:
        scores = ranks(query)
        best = first(scores, 10)
        # By places, so that equal scores keep their order.
        run += [ir_measures.ScoredDoc(query.id, collection.ids[query.docs[b]], -r) for r, b in enumerate(best)]
    value = {found.query_id: found.value for found in ir_measures.iter_calc([NDCG], collection.qrels[split], run)}
    return 100 * np.array([value[query.id] for query in queries])


def recall(collection: Texts, split: str, queries: Sequence[Query]) -> float:
    """Mean share × 100 of the relevant documents that are candidates."""
    names = [qrel.query_id for qrel in collection.qrels[split] if qrel.relevance > 0]
    return 100 * float(np.mean([query.relevant.sum() / names.count(query.id) for query in queries]))


def whole(collection: Texts, split: str, scores: Scores) -> list[str]:
    """Recall and nDCG@10 of the first of all documents."""
    found = candidates(collection, split, scores, np.zeros_like(scores), scores)
    values = ndcg(collection, split, found, lambda query: query.transport)
    return [f"{recall(collection, split, found):.1f}", f"{values.mean():.1f}"]


def p_value(x: Scores, y: Scores) -> float:
    """How often random signs give a mean difference as large."""
    difference = (x - y)[x != y]
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(10000, len(difference)))
    as_large = np.abs(signs @ difference) >= abs(difference.sum()) - 1e-9
    return float((as_large.sum() + 1) / (len(signs) + 1))
