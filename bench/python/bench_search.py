"""What a search has to solve, and how long it takes, on real collections: ours against solving every document.

    MOVERANK_DATA=../shared/data bench/one-core bench/python/bench_search.py        # about two minutes

For each set: documents, the share of them that was solved to the end, the share for which the solver was called;
milliseconds per query, median and 95th percentile, of a search, and medians over the same documents as bags of words,
of computing all distances, and of POT's documented loop (300 documents of two queries, extrapolated; capacity 1 only).
Answers are compared. k = 10. Sets: MiniLM token vectors of Cranfield documents; sentences and SciFact abstracts as
static word vectors, stop words left out of the abstracts.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import ot

import moverank as mr
from corpora import collections
from harness import environment, number, table
from problems import unit_and_mass

MEASURES = {"WMD": mr.wmd, "WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4)}


def pot_ms(docs: mr.Sequences, queries: list[np.ndarray], measure: mr.Measure) -> float | None:
    """Milliseconds per query of `emd2` in a loop over all documents, from a sample of them."""
    if measure.capacity != 1.0:
        return None
    sample = range(0, len(docs), max(len(docs) // 300, 1))
    metric = "cosine" if measure.ground == "cosine" else "euclidean"
    seconds = []
    for query in queries[:2]:
        a = mass_of(query, measure)
        for s in sample:
            document = np.asarray(docs[s])
            b = mass_of(document, measure)
            started = time.perf_counter()
            ot.emd2(a, b, ot.dist(query, document, metric=metric))
            seconds.append(time.perf_counter() - started)
    return 1e3 * len(docs) * float(np.mean(seconds))


def mass_of(tokens: np.ndarray, measure: mr.Measure) -> np.ndarray:
    """Mass as the measure makes it."""
    if measure.weighting == "norm":
        return unit_and_mass(tokens)[1]
    return np.full(len(tokens), 1.0 / len(tokens))


def measure_search(
    docs: mr.Sequences, bags: mr.Bags | None, queries: list[np.ndarray], measure: mr.Measure
) -> list[str]:
    """One row: shares, and milliseconds."""
    index = mr.Index.build(docs, measure)
    over_bags = None if bags is None else mr.Index.build(bags, measure)
    solved, touched, searching, computing, looking_up = [], [], [], [], []
    for query in queries:
        started = time.perf_counter()
        hits = index.search(query, 10)
        searching.append(time.perf_counter() - started)
        started = time.perf_counter()
        values = mr.distances(query, docs, measure)
        computing.append(time.perf_counter() - started)
        if not np.array_equal(np.sort(values)[:10], hits.distances):
            raise SystemExit("the search and brute force differ")
        if over_bags is not None:
            started = time.perf_counter()
            same = over_bags.search(query, 10)
            looking_up.append(time.perf_counter() - started)
            if not np.array_equal(same.distances, hits.distances):
                raise SystemExit("bags and sequences differ")
        solved.append(hits.stats.exact_solves / len(docs))
        touched.append((hits.stats.rungs[0].seen + hits.stats.rungs[-1].seen) / len(docs))
    pot = pot_ms(docs, queries, measure)
    return [
        f"{100 * np.mean(solved):.2f}",
        f"{100 * np.mean(touched):.2f}",
        number(1e3 * np.median(searching)),
        number(1e3 * np.percentile(searching, 95)),
        number(1e3 * np.median(looking_up)) if looking_up else "–",
        number(1e3 * np.median(computing)),
        "–" if pot is None else number(pot),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    print(environment("POT"), end="\n\n")
    rows = [
        [f"{name}, {label}", len(docs), *measure_search(docs, bags, queries, measure)]
        for name, docs, bags, queries in collections()
        for label, measure in MEASURES.items()
    ]
    header = [
        "set",
        "documents",
        "solved, %",
        "solver called, %",
        "search p50, ms",
        "p95",
        "bags, ms",
        "all distances, ms",
        "POT loop, ms",
    ]
    print(table(header, rows))


if __name__ == "__main__":
    main()
