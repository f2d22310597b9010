"""Retrieval by static word vectors, chosen on training queries: measure, space, weight beside BM25.

    pip install -e '.[eval]' tantivy scikit-learn
    MOVERANK_DATA=../shared/data python bench/quality/recipe_words.py           # ten minutes
    MOVERANK_DATA=../shared/data python bench/quality/recipe_words.py --frozen  # only what was chosen, two minutes

Candidates: the union of the first 100 by transport (exact search of all documents) and the first 100 by BM25 of
tantivy. Everything is chosen on the training queries of SciFact; what is frozen there,
`moverank.presets.RETRIEVAL_BY_WORDS`, is then measured on its test queries and on Cranfield. Spaces are fitted to the
documents. p is of a randomisation test over queries, two-sided.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import moverank as mr
from moverank.encoders import WordVectors
from moverank.presets import RETRIEVAL_BY_TOKENS, RETRIEVAL_BY_WORDS
from moverank.spaces import Space

sys.path.append(str(Path(__file__).parents[1] / "python"))
from recipe import ANALYSER, Lines, by_z, cross_validated

from corpora import root
from harness import environment, table
from hybrid import ANALYSERS, DEPTH, Query, Scores, candidates, first, lexical_scores, ndcg, p_value
from judged import Texts, judged_queries, read_texts

#: The vectors of the package, and those of the data folder.
VECTORS = ("bundled", "glove6b-100d-en", "minilmstatic-128d-en")

#: What is tried with the vectors of the package. Steps that set mass replace the measure's weighting.
MEASURES = {
    "uniform mass, κ = 4": mr.Measure("cosine", "uniform", 4.0),
    "WRD, κ = 2": mr.wrd.replace(capacity=2),
    "WRD, κ = 4": mr.wrd.replace(capacity=4),
    "WRD, κ = ∞": mr.wrd.replace(capacity=np.inf),
}
SPACES = [["idf"], ["norm-idf"], ["whitening"]]

WEIGHTS = np.linspace(0, 1, 21)


@dataclass
class Bagged:
    """Documents and queries of a collection as words of one table."""

    encoder: WordVectors
    names: list[str]
    vectors: NDArray[np.float32]
    docs: list[NDArray[np.int64]]
    queries: list[NDArray[np.int64]]

    @classmethod
    def of(cls, collection: Texts, encoder: WordVectors) -> Bagged:
        """Encode a collection."""
        docs, queries = encoder.encode(collection.texts), encoder.encode(collection.query_texts)
        column: dict[str, int] = {}
        vectors: list[NDArray[np.float32]] = []
        rows: list[list[NDArray[np.int64]]] = []
        for side in (docs, queries):
            rows.append([])
            for t, own in enumerate(side.tokens):
                for token, vector in zip(own, side.sequences[t], strict=True):
                    if column.setdefault(token, len(column)) == len(vectors):
                        vectors.append(vector)
                rows[-1].append(np.array([column[token] for token in own]))
        return cls(encoder, list(column), np.array(vectors), *rows)

    def moved(self, steps: list[str], texts: list[str]) -> tuple[NDArray[np.float32], Scores | None]:
        """Vectors of all words in a space, and the mass that it gives them."""
        space = mr.fit(self.encoder, texts, steps, sample=2000) if steps else Space(())
        vectors, weights = self.vectors, None
        for step in space.steps:
            vectors, weights = step.apply(self.names, vectors, weights)
        return np.ascontiguousarray(vectors), weights


def transport_scores(
    bagged: Bagged, measure: mr.Measure, steps: list[str], collection: Texts, asked: Sequence[int], lexical: Scores
) -> Scores:
    """Similarities of the first by transport and of the first by BM25, NaN elsewhere, for some queries."""
    vectors, weights = bagged.moved(steps, collection.texts)
    if weights is not None:
        measure = measure.replace(weighting="uniform")
    offsets, words, counts = [0], [], []
    for rows in bagged.docs:
        own, times = np.unique(rows, return_counts=True)
        words.append(own)
        counts.append(times if weights is None else times * weights[own])
        offsets.append(offsets[-1] + len(own))
    docs = mr.Bags.from_flat(vectors, np.concatenate(words), offsets, np.concatenate(counts))
    index = mr.Index.build(docs, measure, prefilter=None)
    scores = np.full(lexical.shape, np.nan)
    for k in asked:
        rows = bagged.queries[k]
        mass = None if weights is None else weights[rows]
        hits = index.search(vectors[rows], DEPTH, weights=mass)
        scores[k, np.asarray(hits.ids)] = hits.similarities
        others = [place for place in first(lexical[k]).tolist() if np.isnan(scores[k, place])]
        if others:
            hits = index.rerank(vectors[rows], others, len(others), weights=mass)
            scores[k, np.asarray(hits.ids)] = hits.similarities
    return scores


def mean_scores(bagged: Bagged) -> Scores:
    """Cosine of mean vectors, of every query and document."""

    def means(texts: list[NDArray[np.int64]]) -> Scores:
        found = np.array([bagged.vectors[rows].mean(axis=0, dtype=np.float64) for rows in texts])
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    return means(bagged.queries) @ means(bagged.docs).T


def word_vectors(name: str) -> WordVectors:
    """Vectors of the package or of the data folder."""
    return WordVectors.default() if name == "bundled" else WordVectors.load(root() / f"wordvec/{name}.npz")


def tried(vectors: str) -> list[tuple[str, mr.Measure, list[str]]]:
    """Names, measures and steps: all with the vectors of the package, two of them with others."""
    chosen = RETRIEVAL_BY_WORDS.measure
    plain = [(name, measure, []) for name, measure in MEASURES.items() if vectors == "bundled" or measure == chosen]
    spaces = [steps for steps in SPACES if vectors == "bundled" or steps == ["norm-idf"]]
    return [*plain, *((f"WRD, κ = 4, {', '.join(steps)}", chosen, steps) for steps in spaces)]


def training_lines(vectors: str, collection: Texts, bagged: Bagged, lexical: Scores, folds: NDArray[np.int64]) -> Lines:
    """Every way at every weight; p compares cross-validated weights with BM25 alone."""
    asked = judged_queries(collection, "train")

    def line(name: str, scores: Scores) -> list[str]:
        queries = candidates(collection, "train", scores, lexical, np.zeros_like(lexical))
        grid = np.array([ndcg(collection, "train", queries, partial(by_z, w=w)) for w in WEIGHTS.tolist()])
        means, validated = grid.mean(axis=1), cross_validated(grid, folds)
        shown = [f"{means[k]:.1f}" for k in (0, 1, 2, 3, 4, 6, 8, 10, 13, 20)]
        best = f"{WEIGHTS[np.argmax(means)]:.2f}"
        return [f"{vectors}: {name}", *shown, best, f"{validated.mean():.2f}", f"{p_value(validated, grid[0]):.2f}"]

    lines = [line("mean vectors", only(mean_scores(bagged), lexical))]
    for name, measure, steps in tried(vectors):
        lines.append(line(name, transport_scores(bagged, measure, steps, collection, asked, lexical)))
        print(*lines[-1], file=sys.stderr)
    return lines


def only(scores: Scores, lexical: Scores) -> Scores:
    """Scores of the first and of the first by BM25, NaN elsewhere."""
    kept = np.full(scores.shape, np.nan)
    for k, row in enumerate(scores):
        places = np.union1d(first(row), first(lexical[k]))
        kept[k, places] = row[places]
    return kept


def frozen_lines(name: str, split: str, vectors: str, collection: Texts, bagged: Bagged, lexical: Scores) -> Lines:
    """What was chosen, against BM25, transport and mean vectors alone, and against the weight for token vectors."""
    chosen = RETRIEVAL_BY_WORDS
    asked = judged_queries(collection, split)
    scores = transport_scores(bagged, chosen.measure, list(chosen.steps), collection, asked, lexical)
    queries = candidates(collection, split, scores, lexical, np.nan_to_num(only(mean_scores(bagged), lexical)))
    means = candidates(collection, split, only(mean_scores(bagged), lexical), lexical, np.zeros_like(lexical))

    def values(ranks: object, of: list[Query] = queries) -> Scores:
        return ndcg(collection, split, of, ranks)  # type: ignore[arg-type]

    fused = values(partial(by_z, w=chosen.fusion))
    rivals = [
        values(lambda q: q.lexical),
        values(lambda q: q.transport),
        values(lambda q: q.transport, means),
        values(partial(by_z, w=RETRIEVAL_BY_TOKENS.fusion)),
    ]
    cells = [f"{fused.mean():.1f}"]
    for rival in rivals:
        won, lost = int((fused > rival).sum()), int((fused < rival).sum())
        cells += [f"{rival.mean():.1f}", f"{won} / {lost}", f"{p_value(fused, rival):.4f}"]
    return [[f"{name} {split}, {vectors}", *cells]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frozen", action="store_true", help="only what was chosen, on all sets")
    args = parser.parse_args()
    print(environment("tantivy", "ir-measures"), end="\n\n")
    training: Lines = []
    frozen: Lines = []
    for name in ("scifact", "cranfield"):
        collection = read_texts(name)
        lexical = lexical_scores(collection, ANALYSERS[ANALYSER])
        folds = np.random.default_rng(0).integers(0, 5, len(judged_queries(collection, "test")))
        for vectors in VECTORS:
            bagged = Bagged.of(collection, word_vectors(vectors))
            if name == "scifact" and not args.frozen:
                folds = np.random.default_rng(0).integers(0, 5, len(judged_queries(collection, "train")))
                training += training_lines(vectors, collection, bagged, lexical, folds)
            for split in sorted(collection.qrels, reverse=True):
                frozen += frozen_lines(name, split, vectors, collection, bagged, lexical)
                print(*frozen[-1], file=sys.stderr)
    weights = [f"{WEIGHTS[k]:.2f}" for k in (0, 1, 2, 3, 4, 6, 8, 10, 13, 20)]
    if training:
        print(table(["SciFact train, weight of transport", *weights, "best", "5 folds", "p"], training), end="\n\n")
    against = ["BM25", "transport", "mean vectors", f"weight {RETRIEVAL_BY_TOKENS.fusion}"]
    header = [cell for rival in against for cell in (rival, "wins / losses", "p")]
    print(table(["nDCG@10 × 100", f"weight {RETRIEVAL_BY_WORDS.fusion}", *header], frozen))


if __name__ == "__main__":
    main()
