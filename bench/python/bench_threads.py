"""How one call scales with threads: a query against 1000 documents of 8 to 64 tokens, again and again.

    python bench/python/bench_threads.py

Each case runs twenty calls in a row before it is the other's turn: a server under load, whose cores are awake. The
first call after a pause may take longer, as the system has to wake a core for the second thread.
"""

from __future__ import annotations

import numpy as np

import moverank as mr
from harness import environment, number, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource

DOCUMENTS = 1000
CALLS = 20


def repeated(query: np.ndarray, docs: mr.Sequences, measure: str, threads: int) -> None:
    for _ in range(CALLS):
        mr.distances(query, docs, measure, num_threads=threads)


def main() -> None:
    """Print the table."""
    cores = mr.build_info()["threads"]
    counts = sorted({1, 2, cores})
    rows = []
    for n, dim in ((16, 128), (32, 128), (16, 384), (32, 384)):
        source = TokenSource(dim, seed=n + dim)
        lengths = np.random.default_rng(dim).integers(8, 65, size=DOCUMENTS)
        query, docs = source.sequence(n), mr.Sequences([source.sequence(int(length)) for length in lengths])
        for measure in ("wrd", "maxsim"):
            cases = {
                str(threads): lambda measure=measure, threads=threads, query=query, docs=docs: repeated(
                    query, docs, measure, threads
                )
                for threads in counts
            }
            t = medians(interleaved(cases, rounds=11), per=DOCUMENTS * CALLS)
            speedups = [f"{t['1'] / t[str(threads)]:.2f}×" for threads in counts[1:]]
            rows.append([f"{measure}, n={n}, d={dim}", *map(number, t.values()), *speedups])
    print(environment(), end="\n\n")
    header = ["µs per document", *(f"{c} thread{'s' * (c > 1)}" for c in counts), *(f"{c} to 1" for c in counts[1:])]
    print(table(header, rows))


if __name__ == "__main__":
    main()
