"""MaxSim against other systems of late interaction: queries per second at equal recall.

    MOVERANK_DATA=../shared/data python bench/python/bench_late_interaction.py --folder DIR [--cache FOLDER]
        [--sets generated-10000 scifact-1000 …] [--threads 1 2] [--systems moverank-int8 fast-plaid-4 …]
        [--python fast-plaid=VENV/bin/python …] [--steps prepare measure] [--json bench/results/late_interaction.json]

Recall@10 is the share of the ten documents of largest MaxSim, by matrix products in float32, that a system returns. The
table has the queries per second of the fastest setting that reaches a recall, or the best recall where none does.
Documents are unit vectors: generated as in bench_store.py (30 tokens of 128 dimensions, 40 queries of 10), or SciFact's
abstracts, or the first 1000 of them, by MiniLM (384 dimensions, 40 claims as queries).

`prepare` builds what DIR does not have, on the most threads, and tries every setting of a system (late_interaction.py)
once, on one thread. `measure` times those that no other setting beat in both recall and speed: one query at a time, and
on two threads or more also all queries in one call. It needs an idle machine, `prepare` does not. Processes are bound
to as many cores as they have threads.

Systems run in processes of their own, each by the interpreter that `--python` names for its package, since their
requirements exclude each other. Those that do not run are left out, and the reason is told. What they take:

    pylate                     pip install pylate; of its two PLAIDs Stanford's, whose C++ is compiled at first use; it
                               runs without the fast-plaid that it asks for
    fast-plaid, xtr-warp-rs    pip install fast-plaid xtr-warp-rs; wheels are for one version of torch each, 2.11 at the
                               newest, and on Linux need the torch that was built for CUDA: 5 GB in all. They crash or
                               do not load beside torch 2.13.

Numbers behind the names of systems are bits per component; fast-plaid's and xtr-warp-rs's default is 4. xtr-warp-rs
builds with 8, but cannot search that. `tachiom` has no wheel for Linux, and its source needs packages from outside of
registries.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_store import generate_if_fewer
from harness import environment, number, record, table
from late_interaction import PACKAGES, SYSTEMS, K

SETS = ("generated-10000", "generated-100000", "scifact-1000", "scifact")
RECALLS = (0.9, 0.95, 0.99)

#: Settings that find less than this are not measured.
LEAST_RECALL = 0.8

#: Queries of SciFact, and tokens that are compared at a time.
N_CLAIMS, TOKENS_AT_ONCE = 40, 1 << 18


def made(name: str, folder: Path, cache: Path | None) -> Path:
    """The folder of a set: unit vectors of documents and queries, and the true top 10 of each query."""
    own = folder / name
    if (own / "truth.npy").exists():
        return own
    own.mkdir(parents=True, exist_ok=True)
    if name.startswith("scifact"):
        docs, offsets, queries = scifact(cache)
        if name != "scifact":
            offsets = offsets[: int(name.removeprefix("scifact-")) + 1]
            docs = docs[: offsets[-1]]
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
    generate_if_fewer(folder, size)
    tokens = np.concatenate([np.load(path) for path in sorted(folder.glob("tokens-*.npy"))])[:size].astype(np.float32)
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


def run(step: str, system: str, python: str, folder: Path, threads: int) -> None:
    """Take a step in a process of its own, on as many cores as threads."""
    numbers = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    count = str(threads)
    script = str(Path(__file__).with_name("late_interaction.py"))
    done = subprocess.run(
        [python, script, step, system, str(folder), count],
        env={**os.environ, **dict.fromkeys(numbers, count)},
        preexec_fn=partial(bind, threads),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode < 0:
        raise LeftOutError(f"its process was ended by signal {-done.returncode}")
    if done.returncode:
        raise LeftOutError((done.stderr.strip().splitlines() or ["no message"])[-1])


class LeftOutError(Exception):
    """Why a system does not run."""


def bind(threads: int) -> None:
    """Let this process have no more cores than threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def prepare(system: str, python: str, folder: Path, threads: int) -> None:
    """Build and sweep, unless that has been done."""
    if not (folder / f"built-{system}.json").exists():
        shutil.rmtree(folder / f"index-{system}", ignore_errors=True)
        run("build", system, python, folder, threads)
    if not (folder / f"swept-{system}.json").exists():
        run("sweep", system, python, folder, 1)


def choose(folder: Path, system: str) -> None:
    """Write the settings that are worth to be measured."""
    points = curve(folder, json.loads((folder / f"swept-{system}.json").read_text()))
    enough = min(LEAST_RECALL, points[-1]["recall"])
    chosen = [point["setting"] for point in points if point["recall"] >= enough]
    (folder / f"chosen-{system}.json").write_text(json.dumps(chosen))


def rate(folder: Path, found: list[list[int]]) -> float:
    """Mean recall over queries."""
    truth = np.load(folder / "truth.npy")
    return float(np.mean([len(np.intersect1d(ids, true)) / K for ids, true in zip(found, truth, strict=True)]))


def curve(folder: Path, measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Recall and queries per second by setting, without settings that another beats in both; slowest last."""
    points = [
        {"recall": rate(folder, own["ids"]), "per_second": 1e3 / own["milliseconds"], "setting": own["setting"]}
        for own in measured
    ]
    points.sort(key=lambda point: (-point["per_second"], -point["recall"]))
    best: list[dict[str, Any]] = []
    for point in points:
        if not best or point["recall"] > best[-1]["recall"]:
            best.append(point)
    return best


def at(points: list[dict[str, Any]], recall: float) -> str:
    """Queries per second of the fastest setting that reaches a recall, or the highest recall."""
    for point in points:
        if point["recall"] > recall - 1e-9:  # a mean of tenths is not exact
            return number(point["per_second"])
    return f"at most {100 * points[-1]['recall']:.1f} %"


def measure(system: str, python: str, folder: Path, threads: int) -> dict[str, dict[str, Any]]:
    """Figures by how queries are given."""
    choose(folder, system)
    run("measure", system, python, folder, threads)
    found = json.loads((folder / f"measured-{system}-{threads}.json").read_text())
    built = json.loads((folder / f"built-{system}.json").read_text())
    figures = {}
    for label, what in (("", "one by one"), (", in one call", "in one call")):
        if found[what]:
            points = curve(folder, found[what])
            figures[f"{system}, {threads}{label}"] = {"built": built, "versions": found["versions"], "curve": points}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder for encoded texts")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS[:2]))
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--python", nargs="+", default=[], metavar="PACKAGE=PATH", help="interpreters of packages")
    parser.add_argument("--steps", nargs="+", choices=("prepare", "measure"), default=["prepare", "measure"])
    parser.add_argument("--json", type=Path, help="add the figures to this file, for plot.py")
    args = parser.parse_args()
    pythons = dict.fromkeys(PACKAGES, sys.executable) | dict(own.split("=", 1) for own in args.python)
    if not pythons.keys() <= PACKAGES.keys():
        parser.error(f"--python: expected names of {', '.join(PACKAGES)}, got {', '.join(pythons.keys() - PACKAGES)}")
    about = environment("faiss-cpu")
    print(about, end="\n\n")
    args.folder.mkdir(exist_ok=True)
    for name in args.sets:
        folder = made(name, args.folder, args.cache)
        rows = []
        for system in args.systems:
            python = pythons[SYSTEMS[system]]
            try:
                if "prepare" in args.steps:
                    prepare(system, python, folder, max(args.threads))
                for threads in args.threads if "measure" in args.steps else ():
                    found = measure(system, python, folder, threads)
                    record(args.json, about, {f"{name}, {what}": own for what, own in found.items()}, keep=True)
                    rows += [row(what, own) for what, own in found.items()]
                    print(*rows[-len(found) :], sep="\n", flush=True)
            except LeftOutError as reason:
                print(f"{name}: {system} is left out: {reason}", flush=True)
        header = ["queries per second by recall@10", "build, s", "bytes/token", *(f"{100 * r:.0f} %" for r in RECALLS)]
        print(f"\n{name}\n\n{table(header, rows)}\n", flush=True)


def row(what: str, own: dict[str, Any]) -> list[str]:
    """A row of the table."""
    speeds = [at(own["curve"], recall) for recall in RECALLS]
    return [what, number(own["built"]["seconds"]), number(own["built"]["bytes_per_token"]), *speeds]


if __name__ == "__main__":
    main()
