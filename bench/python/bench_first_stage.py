"""The first stage: what share of the true top 10 it brings, in what time, as collections grow.

    MOVERANK_DATA=../shared/data python bench/python/bench_first_stage.py --folder DIR [--sizes 10000 100000]
        [--threads 1 2] [--json bench/results/first_stage.json]

Documents of 30 tokens of 128 dimensions, and queries of 10 (as in bench_store.py, whose files are used if they are in
DIR), stored as float16. For each measure and prefilter: documents per second of the build, bytes per token beyond those
of the first prefilter; and, by number of candidates, the share of the true top 10 (by exact search) among the hits, and
the median and 95th percentile of the milliseconds of a search, exact solves of the candidates included. An exact search
of all queries comes first, so files are in memory.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import moverank as mr
from bench_store import generate_if_fewer, size_of
from harness import environment, number, record, table

MEASURES = {"WRD, capacity 4": mr.wrd.replace(capacity=4), "MaxSim": mr.maxsim, "WRD": mr.wrd, "WMD": mr.wmd}
PREFILTERS = {"pooled": "Flat", "4 clusters": mr.Clusters(4), "tokens": "tokens"}
CANDIDATES = (30, 100, 300, 1000)


def batches(folder: Path, documents: int):
    """The first documents of the files."""
    left = documents
    for path in sorted(folder.glob("tokens-*.npy")):
        for batch in mr.readers.read(path):
            if left <= 0:
                return
            docs = batch.docs if len(batch) <= left else batch.docs[:left]
            yield mr.readers.Batch(docs)
            left -= len(batch)


def build(folder: Path, documents: int, measure: mr.Measure, prefilter: object) -> tuple[mr.Index, float]:
    """An index in a folder, and the seconds of its build."""
    shutil.rmtree(folder / "index", ignore_errors=True)
    started = time.perf_counter()
    mr.Index.build_on_disk(folder / "index", batches(folder, documents), measure, prefilter=prefilter).close()
    seconds = time.perf_counter() - started
    return mr.Index.open(folder / "index"), seconds


def budgets(
    index: mr.Index,
    queries: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    threads: int,
    counts: Sequence[int] = CANDIDATES,
) -> dict[str, dict[str, float]]:
    """Share found and milliseconds, by number of candidates."""
    found = {}
    for count in counts:
        hits, milliseconds = [], []
        for query in queries:
            started = time.perf_counter()
            hits.append(index.search(query, 10, candidates=count, num_threads=threads))
            milliseconds.append(1e3 * (time.perf_counter() - started))
        shares = [len(np.intersect1d(own.ids, ids)) / len(ids) for own, ids in zip(hits, truth, strict=True)]
        found[str(count)] = {
            "share": float(np.mean(shares)),
            "median": float(np.median(milliseconds)),
            "p95": float(np.percentile(milliseconds, 95)),
        }
    return found


def cells(found: dict[str, dict[str, float]]) -> list[str]:
    """Cells of a table: share, median and 95th percentile, by number of candidates."""
    return [f"{100 * own['share']:.1f} %, {number(own['median'])}, {number(own['p95'])}" for own in found.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--measures", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--prefilters", nargs="+", choices=list(PREFILTERS), default=list(PREFILTERS))
    parser.add_argument("--json", type=Path, help="write the figures here, for plot.py")
    args = parser.parse_args()
    print(environment("faiss-cpu"), end="\n\n")
    generate_if_fewer(args.folder, max(args.sizes))
    queries = np.load(args.folder / "queries.npy").astype(np.float32)
    results: dict[str, object] = {}
    for size in args.sizes:
        rows = []
        for label in args.measures:
            truth, plain = None, 0
            for name in args.prefilters:
                index, seconds = build(args.folder, size, MEASURES[label], PREFILTERS[name])
                if truth is None:
                    plain = size_of(args.folder / "index")
                    started = time.perf_counter()
                    truth = [index.search(query, 10).ids for query in queries]
                    exact = 1e3 * (time.perf_counter() - started) / len(queries)
                    rows.append([f"{label}: exact search", "", "", number(exact)])
                extra = (size_of(args.folder / "index") - plain) / (30 * size)
                index.search(queries[0], 10, candidates=100)
                for threads in args.threads:
                    found = budgets(index, queries, truth, threads)
                    results[f"{size}, {label}, {name}, {threads}"] = found
                    what = f"{label}: {name}, {threads} thread{'s' * (threads > 1)}"
                    rows.append([what, number(size / seconds), f"{extra:+.1f}", *cells(found)])
                    print(rows[-1], flush=True)
        header = [
            "share of top 10, median and p95 ms, by candidates",
            "documents/s",
            "bytes/token",
            *map(str, CANDIDATES),
        ]
        print(f"{size} documents\n\n{table(header, rows)}\n", flush=True)
    record(args.json, environment("faiss-cpu"), results)


if __name__ == "__main__":
    main()
