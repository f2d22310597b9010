"""What each bound leaves undecided: the share of documents whose bound is at most the true 10th distance.

    MOVERANK_DATA=../shared/data bench/one-core bench/python/bench_survivors.py        # about a minute

The least that any exact search must solve if it knows only that bound; in brackets the mean ratio of bound to distance.
8000 sentences (20 others as queries) and 2500 SciFact abstracts without stop words (10 claims as queries) as static
word vectors, 300 Cranfield documents as MiniLM token vectors (15 queries). Seeds: the 20 nearest by pooled vectors;
under capacity 4 the 20 of lowest relaxed bound. The two-sided bound is the larger of that and the relaxed one, as
searches take it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import moverank as mr
from corpora import WordTable, as_bags, contextual, sentences, texts
from harness import environment, table
from moverank import _core
from moverank.measures.measure import prepare

MEASURES = {"WMD": mr.wmd, "WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4)}
BOUNDS = ("pooled", "relaxed", "one-sided", "two-sided", "two-sided, 64 spread seeds")


def sets() -> Iterator[tuple[str, mr.Sequences, mr.Bags | None, list[np.ndarray]]]:
    """Name, documents, the same as bags, queries."""
    for name, label in (("glove6b-100d-en", "GloVe"), ("minilmstatic-128d-en", "static MiniLM")):
        words = WordTable(name)
        train = sentences("stsb-en-train.tsv", "sick-train.tsv")
        for what, documents, queries in (
            ("sentences", words.bags(train)[:8000], words.sequences(sentences("stsb-en-dev.tsv")[:200:10])),
            (
                "SciFact",
                words.bags(texts("scifact/corpus.jsonl"))[:2500],
                words.sequences(texts("scifact/queries.jsonl")[:10]),
            ),
        ):
            bags = as_bags(words, documents)
            yield f"{what}, {label}", bags.to_sequences(), bags, queries
    documents, queries = contextual()
    yield "Cranfield, MiniLM tokens", mr.Sequences(documents), None, queries


def bounds_of(
    query: NDArray[np.float32],
    part: _core.PreparedSequences,
    bag_corpus: _core.BagCorpus | None,
    measure: mr.Measure,
) -> dict[str, NDArray[np.float64]]:
    """Every bound of every document."""
    n = len(part)
    corpus = _core.Corpus([part])
    everything = np.arange(n, dtype=np.int64)
    prepared = _core.Query(query, None, measure._spec)
    found = {"relaxed": _core.QueryBounds(corpus, prepared, 1).lower_bounds(everything, 1)}
    near = np.argsort(found["relaxed"], kind="stable")[:20]
    if measure._spec.has_pooled_bound:
        pooled, asked = part.pooled(), prepared.pooled(corpus)
        largest = float(np.linalg.norm(np.vstack([pooled, asked]), axis=1).max())
        squared = ((pooled - asked) ** 2).sum(axis=1)
        found["pooled"] = prepared.pooled_bounds(corpus, squared, largest)
        near = np.argsort(squared, kind="stable")[:20]
    for name, seeds in (
        ("two-sided", near),
        ("two-sided, 64 spread seeds", np.linspace(0, n - 1, 64).astype(np.int64)),
    ):
        by_seeds = _core.QueryBounds(corpus, prepared, 1)
        by_seeds.seed(seeds, 1)
        found[name] = by_seeds.lower_bounds(everything, 1)
    if bag_corpus is not None:
        over_bags = _core.QueryBounds(bag_corpus, prepared, 1)
        over_bags.seed(near, 1)
        found["one-sided"] = over_bags.by_name("one-sided bound", everything, 1)
    return found


def _prepare_bags(bags: mr.Bags, measure: mr.Measure) -> _core.BagCorpus:
    none_known = np.empty(0, dtype=np.uint32)
    return _core.BagCorpus(
        [_core.PreparedBags(bags.vectors, bags.words, bags.offsets, bags.counts, measure._spec, none_known)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    print(environment(), end="\n\n")
    rows = []
    for name, docs, bags, queries in sets():
        for label, measure in MEASURES.items():
            part = prepare(docs, measure)
            bag_corpus = None if bags is None else _prepare_bags(bags, measure)
            left: dict[str, list[float]] = {bound: [] for bound in BOUNDS}
            ratio: dict[str, list[float]] = {bound: [] for bound in BOUNDS}
            for query in queries:
                values = mr.distances(query, docs, measure)
                tenth = np.sort(values)[9]
                for bound, found in bounds_of(query, part, bag_corpus, measure).items():
                    if (found > values).any():
                        raise SystemExit(f"the {bound} bound exceeds a distance")
                    left[bound].append(100 * float((found <= tenth).mean()))
                    ratio[bound].append(float(np.mean(found[values > 0] / values[values > 0])))
            cells = [f"{np.mean(left[b]):.2f} ({np.mean(ratio[b]):.2f})" if left[b] else "–" for b in BOUNDS]
            rows.append([f"{name}, {label}", len(docs), *cells])
    print(table(["% of documents left (bound / distance)", "documents", *BOUNDS], rows))


if __name__ == "__main__":
    main()
