"""MaxSim against other systems of late interaction: queries per second at equal recall.

    MOVERANK_DATA=../shared/data python bench/python/bench_late_interaction.py --folder DIR [--cache FOLDER]
        [--sets generated-10000 generated-100000 scifact] [--threads 1 2] [--systems moverank-int8 pylate …]
        [--python pylate=VENV/bin/python …] [--json bench/results/late_interaction.json]

Recall@10 is the share of the ten documents of largest MaxSim, by matrix products in float32, that a system returns.
Each system searches one query at a time with each of its settings (late_interaction.py); of those that nothing else
beats in both recall and speed, queries per second at a recall between two are interpolated. Documents are unit vectors:
generated as in bench_store.py (30 tokens of 128 dimensions, 40 queries of 10), or SciFact's abstracts by MiniLM (384
dimensions, 40 claims as queries). An index is built once, by the run with the most threads; DIR keeps it.

Systems run in processes of their own, each by the interpreter that `--python` names, since their requirements exclude
each other. Those that do not run are left out, and the reason is told. What they take:

    pylate         pip install pylate; of its two PLAIDs Stanford's, whose C++ is compiled at first use; it runs without
                   the fast-plaid that it asks for
    fast-plaid     pip install fast-plaid; has wheels for torch 2.7 to 2.11, and crashes with 2.13
    xtr-warp-rs    pip install xtr-warp-rs; the same, and on Linux it loads only where torch was built for CUDA

The last two have been tried with torch 2.13 alone, where they fail, so how they are called here follows their
packages and has not been seen to work. `tachiom` has no wheel for Linux, and its source needs packages from outside
of registries.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_store import generate
from harness import environment, number, record, table
from late_interaction import SYSTEMS, K

SETS = ("generated-10000", "generated-100000", "scifact")
RECALLS = (0.9, 0.95, 0.99)

#: Queries of SciFact, and tokens that are compared at a time.
N_CLAIMS, TOKENS_AT_ONCE = 40, 1 << 18


def made(name: str, folder: Path, cache: Path | None) -> Path:
    """The folder of a set: unit vectors of documents and queries, and the true top 10 of each query."""
    own = folder / name
    if (own / "truth.npy").exists():
        return own
    own.mkdir(parents=True, exist_ok=True)
    if name == "scifact":
        docs, offsets, queries = scifact(cache)
    else:
        docs, offsets, queries = generated(folder, int(name.removeprefix("generated-")))
    np.save(own / "docs.npy", docs)
    np.save(own / "offsets.npy", offsets)
    np.save(own / "queries.npy", np.concatenate(queries))
    np.save(own / "query_offsets.npy", np.cumsum([0, *map(len, queries)]))
    np.save(own / "truth.npy", [nearest(docs, offsets, query) for query in queries])
    return own


def generated(folder: Path, size: int) -> tuple[NDArray[np.float32], NDArray[np.int64], list[NDArray[np.float32]]]:
    """The first documents of bench_store.py, and its queries."""
    shards = sorted(folder.glob("tokens-*.npy"))
    if sum(len(np.load(path, mmap_mode="r")) for path in shards) < size:
        generate(folder, size)
        shards = sorted(folder.glob("tokens-*.npy"))
    tokens = np.concatenate([np.load(path) for path in shards])[:size].astype(np.float32)
    queries = np.load(folder / "queries.npy").astype(np.float32)
    return unit(tokens.reshape(-1, tokens.shape[2])), np.arange(size + 1) * tokens.shape[1], list(unit(queries))


def scifact(cache: Path | None) -> tuple[NDArray[np.float32], NDArray[np.int64], list[NDArray[np.float32]]]:
    """Abstracts and claims, encoded by MiniLM."""
    from judged import inner, judged_queries, read  # needs more than the other sets

    if cache is None:
        raise SystemExit("scifact: --cache has to name a folder for encoded texts")
    collection = read("scifact", cache)
    docs, claims = inner(collection.docs).sequences, inner(collection.queries).sequences
    places = judged_queries(collection, "test")[:N_CLAIMS]
    return unit(docs.tokens), docs.offsets, [unit(np.asarray(claims[place])) for place in places]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Directions."""
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def nearest(docs: NDArray[np.float32], offsets: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.int64]:
    """Documents of the largest sums of the best inner product per query token."""
    products = np.concatenate([docs[t : t + TOKENS_AT_ONCE] @ query.T for t in range(0, len(docs), TOKENS_AT_ONCE)])
    scores = np.maximum.reduceat(products, offsets[:-1]).sum(axis=1)
    return np.argsort(-scores, kind="stable")[:K]


def run(system: str, python: str, folder: Path, threads: int) -> str | None:
    """Build and search in a process of its own. Returns why that failed, if it did."""
    numbers = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    count = str(threads)
    done = subprocess.run(
        [python, str(Path(__file__).with_name("late_interaction.py")), system, str(folder), count],
        env={**os.environ, **dict.fromkeys(numbers, count)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"its process was ended by signal {-done.returncode}"
    return (done.stderr.strip().splitlines() or ["no message"])[-1]


def curve(folder: Path, system: str, threads: int) -> list[dict[str, Any]]:
    """Recall and queries per second by setting, without settings that another beats in both; slowest last."""
    truth = np.load(folder / "truth.npy")
    points = []
    for own in json.loads((folder / f"searched-{system}-{threads}.json").read_text()):
        shares = [len(np.intersect1d(ids, true)) / K for ids, true in zip(own["ids"], truth, strict=True)]
        speed = 1e3 / float(np.mean(own["milliseconds"]))
        points.append({"recall": float(np.mean(shares)), "per_second": speed, "setting": own["setting"]})
    points.sort(key=lambda point: (-point["per_second"], -point["recall"]))
    best: list[dict[str, Any]] = []
    for point in points:
        if not best or point["recall"] > best[-1]["recall"]:
            best.append(point)
    return best


def at(points: list[dict[str, Any]], recall: float) -> str:
    """Queries per second at a recall, those of the fastest setting if its recall is higher; or the highest recall."""
    if points[-1]["recall"] < recall - 1e-9:  # a mean of tenths is not exact
        return f"at most {100 * points[-1]['recall']:.1f} %"
    recalls = [point["recall"] for point in points]
    speeds = np.log([point["per_second"] for point in points])
    return number(float(np.exp(np.interp(recall, recalls, speeds))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder for encoded texts")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS[:2]))
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--python", nargs="+", default=[], metavar="SYSTEM=PATH", help="interpreters of systems")
    parser.add_argument("--json", type=Path, help="add the figures to this file, for plot.py")
    args = parser.parse_args()
    pythons = dict(own.split("=", 1) for own in args.python)
    about = environment("faiss-cpu")
    print(about, end="\n\n")
    args.folder.mkdir(exist_ok=True)
    for name in args.sets:
        folder = made(name, args.folder, args.cache)
        rows = []
        for system in args.systems:
            # With the most threads first, since that run builds the index.
            for threads in sorted(args.threads, reverse=True):
                reason = run(system, pythons.get(system, sys.executable), folder, threads)
                if reason is not None:
                    print(f"{name}: {system} is left out: {reason}", flush=True)
                    break
                points = curve(folder, system, threads)
                built = json.loads((folder / f"built-{system}.json").read_text())
                record(args.json, about, {f"{name}, {system}, {threads}": {"built": built, "curve": points}}, keep=True)
                speeds = [at(points, recall) for recall in RECALLS]
                what = f"{system}, {threads} thread{'s' * (threads > 1)}"
                rows.append([what, number(built["seconds"]), number(built["bytes_per_token"]), *speeds])
                print(rows[-1], flush=True)
        header = ["queries per second by recall@10", "build, s", "bytes/token", *(f"{100 * r:.0f} %" for r in RECALLS)]
        print(f"\n{name}\n\n{table(header, rows)}\n", flush=True)


if __name__ == "__main__":
    main()
