"""An index in a folder: building it, opening it, searching it cold and warm, and changing it.

    MOVERANK_DATA=../shared/data python bench/python/bench_store.py --folder DIR [--documents 1000000]    # half an hour

Documents of 30 tokens of 128 dimensions (corpora.contextual_documents), written as float16 into .npy files first, which
is not measured; built from these as int8 by `Index.build_on_disk`, in a process of its own whose peak memory is told.
Every search is one query on two threads. "Cold" is after the folder's pages were dropped from memory, a new process for
each query; "warm" are the queries that follow. Pages that two readers share are what the system counts as shared.
DIR needs 15 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import moverank as mr
from corpora import WordTable, contextual_documents, contextualised
from harness import environment, number, table

LENGTH, SHARD = 30, 50_000
N_QUERIES, N_COLD = 40, 8
MEASURE = mr.wrd.replace(capacity=4)
WAYS: dict[str, dict[str, object]] = {
    "100 candidates": {"candidates": 100},
    "1000 candidates": {"candidates": 1000},
    "1000 candidates of a tenth": {"candidates": 1000, "where": ("lot = ?", [3])},
    "exact": {},
}


def generate(folder: Path, documents: int) -> None:
    """Write tokens and queries, unless they are there."""
    words = WordTable("minilmstatic-128d-en")
    rng = np.random.default_rng(7)
    source = contextual_documents(words, documents, LENGTH)
    for shard in range(-(-documents // SHARD)):
        size = min(SHARD, documents - shard * SHARD)
        tokens = np.empty((size, LENGTH, 128), dtype=np.float16)
        for s in range(size):
            tokens[s] = next(source)
        np.save(folder / f"tokens-{shard:03}.npy", tokens)
    # Queries are parts of documents, a third of their words replaced, in another context.
    queries = []
    for tokens in contextual_documents(words, N_QUERIES + 3000, LENGTH, seed=1):
        queries.append(contextualised(tokens[:10], rng))
    np.save(folder / "queries.npy", np.array(queries[-N_QUERIES:]))


def batches(folder: Path):
    """What is built: documents, and a payload for each."""
    first = 0
    for path in sorted(folder.glob("tokens-*.npy")):
        for batch in mr.readers.read(path):
            ids = range(first, first + len(batch))
            yield mr.readers.Batch(
                batch.docs, list(ids), [{"lot": n % 10, "url": f"https://example.org/{n}"} for n in ids]
            )
            first += len(batch)


def build(folder: Path) -> dict[str, float]:
    """Seconds and peak memory of a build, in this process."""
    started = time.perf_counter()
    index = mr.Index.build_on_disk(folder / "index", batches(folder), MEASURE, dtype="int8")
    seconds = time.perf_counter() - started
    return {
        "documents": len(index),
        "seconds": seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "read_megabytes": sum(path.stat().st_size for path in folder.glob("tokens-*.npy")) / 1e6,
        "written_megabytes": size_of(folder / "index") / 1e6,
    }


def size_of(folder: Path) -> int:
    """Bytes of the files of a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def drop_pages(folder: Path) -> None:
    """Take the files out of the system's memory."""
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def generate_if_fewer(folder: Path, documents: int) -> None:
    """Write them anew, unless the files that are there have at least as many documents."""
    folder.mkdir(exist_ok=True)
    if sum(len(np.load(path, mmap_mode="r")) for path in folder.glob("tokens-*.npy")) < documents:
        generate(folder, documents)


def memory() -> dict[str, float]:
    """Megabytes of this process: resident, its share where pages are shared, those shared, and those of its own."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return {name: kilobytes[name] / 1024 for name in ("Rss", "Pss", "Shared_Clean", "Private_Dirty")}


def search_cold(folder: Path, way: str, query: int) -> dict[str, float]:
    """One search of a process that has just opened the index."""
    tokens = np.load(folder / "queries.npy")[query]
    found: dict[str, float] = {}
    before = memory()["Rss"]
    found["open"] = timed(lambda: mr.Index.open(folder / "index"))
    found["open_megabytes"] = memory()["Rss"] - before
    found["open_again"] = timed(lambda: mr.Index.open(folder / "index"))
    index = mr.Index.open(folder / "index")
    found["search"] = timed(lambda: index.search(tokens, 10, **WAYS[way]))
    return found


def search_warm(folder: Path, way: str) -> list[float]:
    """All queries, after an exact one, which reads every token, and some more that are not counted."""
    queries = np.load(folder / "queries.npy")
    index = mr.Index.open(folder / "index")
    index.search(queries[0], 10)
    for query in queries[:3]:
        index.search(query, 10, **WAYS[way])
    few = queries if way != "exact" else queries[:20]
    return [timed(lambda query=query: index.search(query, 10, **WAYS[way])) for query in few]


def read_twice(folder: Path) -> dict[str, float]:
    """Memory of this reader after it has searched, while another one has done the same."""
    index = mr.Index.open(folder / "index")
    index.search(np.load(folder / "queries.npy")[0], 10)
    print("ready", flush=True)
    sys.stdin.readline()
    found = memory()
    print("measured", flush=True)
    sys.stdin.readline()
    return found


def change(folder: Path) -> dict[str, float]:
    """Milliseconds of durable changes: the disk's fsync is most of them."""
    queries = np.load(folder / "queries.npy")
    with mr.Index.open(folder / "index", writable=True) as index:
        added = [timed(lambda q=q: index.add([queries[q]], [10_000_000 + q])) for q in range(30)]
        removed = [timed(lambda q=q: index.remove([10_000_000 + q])) for q in range(30)]
        many = timed(lambda: index.add([queries[q % N_QUERIES] for q in range(1000)], range(20_000_000, 20_001_000)))
        index.remove(range(20_000_000, 20_001_000))
    return {"add one": float(np.median(added)), "remove one": float(np.median(removed)), "add 1000": many}


STEPS = {"build": build, "cold": search_cold, "warm": search_warm, "twice": read_twice, "change": change}


def in_process(*arguments: object) -> object:
    """Result of a step in a process of its own."""
    command = [sys.executable, __file__, "--step", *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def shared_by_two(folder: Path) -> list[dict[str, float]]:
    """Memory of two readers that are open at the same time."""
    command = [sys.executable, __file__, "--step", "twice", str(folder)]
    readers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for word in ("ready", "measured"):
        for reader in readers:
            assert reader.stdin is not None
            assert reader.stdout is not None
            assert reader.stdout.readline() == word + "\n"
        for reader in readers if word == "ready" else []:
            print(file=reader.stdin, flush=True)
    return [json.loads(reader.communicate("\n")[0]) for reader in readers]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--step", nargs="+")
    options = parser.parse_args()
    if options.step:
        name, folder, *others = options.step
        print(json.dumps(STEPS[name](Path(folder), *(int(o) if o.isdigit() else o for o in others))))
        return
    folder = options.folder
    if not (folder / "queries.npy").exists():
        generate(folder, options.documents)
    print(environment("faiss-cpu"), end="\n\n")
    if not (folder / "index").exists():
        b = in_process("build", folder)
        print(
            f"{b['documents']} documents built in {b['seconds']:.0f} s: "
            f"{b['documents'] / b['seconds']:.0f} documents/s, "
            f"{b['read_megabytes'] / b['seconds']:.0f} MB/s read, {b['written_megabytes'] / b['seconds']:.0f} MB/s "
            f"written; {b['written_megabytes']:.0f} MB on disk, peak memory {b['megabytes']:.0f} MB\n",
            flush=True,
        )
    rows = []
    for way in WAYS:
        cold = []
        for query in range(N_COLD if way != "exact" else 3):
            drop_pages(folder / "index")
            cold.append(in_process("cold", folder, way, query))
        warm = in_process("warm", folder, way)
        opened, again, searched = ([c[name] for c in cold] for name in ("open", "open_again", "search"))
        rows.append(
            [
                way,
                *(
                    number(value)
                    for value in (np.median(opened), np.median(again), np.median(searched), np.max(searched))
                ),
                *(number(value) for value in np.percentile(warm, [50, 95])),
            ]
        )
    print(table(["ms", "open cold", "open warm", "cold p50", "cold worst", "warm p50", "warm p95"], rows), flush=True)
    print(f"\nresident memory grows by {cold[0]['open_megabytes']:.1f} MB when the index is opened\n")
    readers = shared_by_two(folder)
    print(
        table(
            ["MB", *readers[0]], [[f"reader {r}", *(f"{v:.0f}" for v in own.values())] for r, own in enumerate(readers)]
        )
    )
    changes = in_process("change", folder)
    print("\n" + table(["", "ms"], [[name, number(value)] for name, value in changes.items()]))


if __name__ == "__main__":
    main()
