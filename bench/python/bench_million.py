"""Exact top 10 under WMD and WRD over collections of up to a million bags of words.

    MOVERANK_DATA=../shared/data python bench/python/bench_million.py        # about ten minutes

Passages of some 30 distinct words, real ones as far as they go, then made of these (corpora.passage_collection); GloVe
vectors of 100 dimensions. Milliseconds per query, median and 95th percentile, of 60 claims of SciFact (9 words or so)
and of 40 passages taken out of the collection; on one thread and on two; peak memory of a process that loads the
arrays, builds the index and searches. Answers are compared with brute force at 10 000 documents. gensim's
WmdSimilarity is measured there, on two queries, and extrapolated: its time is proportional to the number of documents.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import moverank as mr
from corpora import WordTable, as_bags, passage_collection, texts
from harness import environment, number, table

MEASURES = {"WMD": mr.wmd, "WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4)}
SIZES = (1000, 10_000, 100_000, 1_000_000)
N_CLAIMS, N_PASSAGES = 60, 40


def search_all(folder: Path, measure: mr.Measure, threads: int) -> dict[str, object]:
    """Milliseconds and exact solves of every query, and peak memory. Runs in a process of its own."""
    arrays = {name: np.load(folder / f"{name}.npy") for name in ("vectors", "words", "offsets", "queries", "cuts")}
    started = time.perf_counter()
    index = mr.Index.build(mr.Bags.from_flat(arrays["vectors"], arrays["words"], arrays["offsets"]), measure)
    build_seconds = time.perf_counter() - started
    queries = [arrays["vectors"][rows] for rows in np.split(arrays["queries"], arrays["cuts"])]
    index.search(queries[0], 10, num_threads=threads)
    seconds, solves, bounded = [], [], []
    for query in queries:
        started = time.perf_counter()
        hits = index.search(query, 10, num_threads=threads)
        seconds.append(time.perf_counter() - started)
        assert hits.certificate.exact
        solves.append(hits.stats.exact_solves)
        bounded.append(hits.stats.rungs[-1].seen)
    return {
        "seconds": seconds,
        "solves": solves,
        "solver_called": bounded,
        "build_seconds": build_seconds,
        "megabytes": peak_megabytes(),
    }


def peak_megabytes() -> float:
    """Of this process; getrusage would count what its parent held when it began."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) / 1024


def in_a_process(folder: Path, measure_name: str, threads: int) -> dict[str, list[float]]:
    """Run `search_all` apart, so that its memory is its own."""
    command = [sys.executable, __file__, "--folder", str(folder), "--measure", measure_name, "--threads", str(threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare_with_brute_force(words: WordTable, documents: list[np.ndarray], queries: list[np.ndarray]) -> float:
    """Raise if answers differ; seconds that computing all distances takes, on all cores."""
    bags = as_bags(words, documents)
    docs = bags.to_sequences()
    seconds = []
    for measure in MEASURES.values():
        index = mr.Index.build(bags, measure)
        for rows in queries[::10]:
            started = time.perf_counter()
            values = mr.distances(words.vectors[rows], docs, measure)
            if measure is mr.wmd:
                seconds.append(time.perf_counter() - started)
            hits = index.search(words.vectors[rows], 10)
            if not np.array_equal(np.sort(values)[:10], hits.distances):
                raise SystemExit("the search and brute force differ")
    return float(np.median(seconds))


def gensim_seconds(words: WordTable, documents: list[np.ndarray], queries: list[np.ndarray]) -> float | None:
    """Seconds per query of gensim's WmdSimilarity, if it is installed."""
    try:
        from gensim.models import KeyedVectors
        from gensim.similarities import WmdSimilarity
    except ImportError:
        return None
    names = list(words.row_of)
    vectors = KeyedVectors(words.vectors.shape[1], count=len(names))
    vectors.add_vectors(names, words.vectors)
    index = WmdSimilarity([[names[r] for r in rows] for rows in documents], vectors, num_best=10)
    seconds = []
    for rows in queries[:2]:
        started = time.perf_counter()
        index[[names[r] for r in rows]]
        seconds.append(time.perf_counter() - started)
    return float(np.mean(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.folder:
        print(json.dumps(search_all(args.folder, MEASURES[args.measure], args.threads)))
        return
    words = WordTable("glove6b-100d-en")
    documents = passage_collection(words, SIZES[-1] + N_PASSAGES)
    queries = [*words.bags(texts("scifact/queries.jsonl"))[:N_CLAIMS], *documents[-N_PASSAGES:]]
    print(environment("gensim"), end="\n\n")
    brute = compare_with_brute_force(words, documents[:10_000], queries)
    peer = gensim_seconds(words, documents[:10_000], queries)
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            bags = as_bags(words, documents[:size])
            for name, array in (
                ("vectors", bags.vectors), ("words", bags.words), ("offsets", bags.offsets),
                ("queries", np.concatenate(queries)), ("cuts", np.cumsum([len(rows) for rows in queries])[:-1]),
            ):  # fmt: skip
                np.save(Path(folder) / f"{name}.npy", array)
            del bags
            for name in MEASURES:
                for threads in (1, 2):
                    found = in_a_process(Path(folder), name, threads)
                    rows.append(row(name, size, threads, found))
                    print(rows[-1], flush=True)
    header = ["", "documents", "threads", "claims p50, ms", "p95", "passages p50, ms", "p95", "solved", "solver called",
              "MB"]  # fmt: skip
    print(table(header, rows), end="\n\n")
    print(f"All WMD distances of 10 000 documents, all cores: {1e3 * brute:.0f} ms a query.")
    if peer is not None:
        million = next(float(r[3]) for r in rows if r[:3] == ["WMD", SIZES[-1], 2])
        print(
            f"gensim WmdSimilarity: {peer:.2f} s a query over 10 000 documents, so {100 * peer:.0f} s over a million "
            f"(extrapolated): {1e5 * peer / million:.0f} times the median of the claims on two threads."
        )


def row(name: str, size: int, threads: int, found: dict[str, list[float]]) -> list[object]:
    """One line of the table."""
    parts = np.split(1e3 * np.array(found["seconds"]), [N_CLAIMS])
    times = [number(float(np.percentile(part, q))) for part in parts for q in (50, 95)]
    work = [f"{np.mean(found[what]):.0f}" for what in ("solves", "solver_called", "megabytes")]
    return [name, size, threads, *times, *work]


if __name__ == "__main__":
    main()
