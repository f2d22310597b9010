"""How a search by the first stage over tokens grows with the collection: time by stage, memory, bytes, build.

    python bench/python/bench_growth.py --folder DIR [--sizes 10000 100000 1000000] [--measure "WRD, capacity 4"]

Documents of 30 tokens of 128 dimensions, and queries of 10 (as in bench_store.py, whose files are used if they are in
DIR), stored as float16. For each size: documents per second of the build on disk, bytes per token, milliseconds until
an index is open, milliseconds of a search with 100 candidates (median, 95th percentile), what each stage takes of it
(medians, summed over threads), and the memory of the process beyond mapped files. Searches run in a process of their
own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import moverank as mr
from bench_first_stage import MEASURES, build
from bench_store import generate_if_fewer, size_of
from harness import environment, number, table

CANDIDATES = 100

#: Rounds of all queries; the first only brings what they read into memory.
ROUNDS = 3


def searched(folder: Path, threads: int) -> dict[str, object]:
    """Milliseconds of opening and of searches, by stage, and megabytes of memory of this process's own."""
    queries = np.load(folder / "queries.npy").astype(np.float32)
    started = time.perf_counter()
    index = mr.Index.open(folder / "index")
    opened = 1e3 * (time.perf_counter() - started)
    milliseconds, stages = [], {}
    for turn in range(ROUNDS):
        for query in queries:
            started = time.perf_counter()
            hits = index.search(query, 10, candidates=CANDIDATES, num_threads=threads)
            if turn:
                milliseconds.append(1e3 * (time.perf_counter() - started))
                for rung in hits.stats.rungs:
                    stages.setdefault(rung.name.split(",")[0], []).append(1e3 * rung.seconds)
    status = Path("/proc/self/status").read_text()
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))
    return {
        "opened": opened,
        "median": float(np.median(milliseconds)),
        "p95": float(np.percentile(milliseconds, 95)),
        "stages": {name: float(np.median(own)) for name, own in stages.items()},
        "megabytes": kilobytes / 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--measure", choices=list(MEASURES), default="WRD, capacity 4")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(searched(args.folder, args.threads)))
        return
    print(environment("faiss-cpu"), end="\n\n")
    generate_if_fewer(args.folder, max(args.sizes))
    rows, stages = [], []
    for size in args.sizes:
        index, seconds = build(args.folder, size, MEASURES[args.measure], "tokens")
        index.close()
        bytes_per_token = size_of(args.folder / "index") / (30 * size)
        command = [sys.executable, __file__, "--folder", args.folder, "--threads", str(args.threads), "--child"]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        stages = list(found["stages"])
        rows.append(
            [
                f"{size} documents",
                number(size / seconds),
                number(bytes_per_token),
                number(found["opened"]),
                f"{number(found['median'])}, {number(found['p95'])}",
                *map(number, found["stages"].values()),
                number(found["megabytes"]),
            ]
        )
    header = ["", "documents/s", "bytes/token", "open, ms", "search, ms", *stages, "own memory, MB"]
    print(table([args.measure, *header[1:]], rows))


if __name__ == "__main__":
    main()
