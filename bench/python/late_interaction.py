"""Systems of late interaction behind the same calls, each run by an interpreter that has it (bench_late_interaction).

    PYTHON bench/python/late_interaction.py SYSTEM FOLDER THREADS    # FOLDER has docs.npy, offsets.npy, queries.npy, …

Builds the system's index in FOLDER, unless it is there; then searches one query at a time with every setting, and
writes the ids found and the milliseconds into FOLDER. Imports nothing but numpy and the system.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

K = 10
Vectors = NDArray[np.float32]
Search = Callable[[Vectors], Iterable[int]]

#: Seconds after which queries are not repeated for a better median.
SECONDS = 0.5


class System(Protocol):
    """One system, with its index in a folder."""

    #: What a search can be told, cheapest first.
    settings: list[dict[str, Any]]

    def build(self, folder: Path, flat: Vectors, offsets: NDArray[np.int64], threads: int) -> None:
        """Write an index of documents."""

    def open(self, folder: Path, threads: int) -> None:
        """Read it."""

    def search(self, setting: dict[str, Any]) -> Search:
        """How positions of the nearest documents are found."""


def product(**knobs: Iterable[Any]) -> list[dict[str, Any]]:
    """All combinations."""
    return [dict(zip(knobs, values, strict=True)) for values in itertools.product(*knobs.values())]


class _Moverank:
    """Prefilter "tokens"."""

    settings = product(probes=(8, 16, 32), ranked=(64, 128, 256, 512, 1024), candidates=(10, 20, 40, 100))

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype

    def build(self, folder: Path, flat: Vectors, offsets: NDArray[np.int64], threads: int) -> None:
        import moverank as mr

        docs = mr.Sequences.from_flat(flat, offsets)
        index = mr.Index.build(docs, mr.maxsim, dtype=self._dtype, prefilter="tokens", num_threads=threads)
        index.save(folder)

    def open(self, folder: Path, threads: int) -> None:
        import moverank as mr

        self._index = mr.Index.open(folder, num_threads=threads)

    def search(self, setting: dict[str, Any]) -> Search:
        import moverank as mr

        # The options of a search do not change what is built, so one index serves all of them.
        options = mr.TokenCells(probes=setting["probes"], ranked=setting["ranked"])
        self._index._snapshot.prefilter._options = options
        return lambda query: self._index.search(query, K, candidates=setting["candidates"]).ids


class _PyLate:
    """PyLate's PLAID, Stanford's implementation."""

    settings = product(ncells=(1, 2, 4, 8, 16), ndocs=(64, 256, 1024, 4096), centroid_score_threshold=(0.35,))

    def build(self, folder: Path, flat: Vectors, offsets: NDArray[np.int64], threads: int) -> None:
        docs = np.split(flat, offsets[1:-1])
        index = self._index(folder, override=True, embedding_size=flat.shape[1])
        index.add_documents([str(d) for d in range(len(docs))], docs)

    def open(self, folder: Path, threads: int) -> None:
        self._folder = folder

    def search(self, setting: dict[str, Any]) -> Search:
        index = self._index(self._folder, override=False, **setting)
        # A call of `index` reads a file of all ids first; that is not what is to be measured.
        searcher = index._index.searcher
        return lambda query: searcher.search(query, K)[0]

    def _index(self, folder: Path, **options: Any) -> Any:
        from pylate.indexes import PLAID

        return PLAID(str(folder), "plaid", use_fast=False, nbits=4, **options)


class _FastPlaid:
    """fast-plaid."""

    settings = product(n_ivf_probe=(1, 2, 4, 8, 16, 32), n_full_scores=(64, 256, 1024, 4096))

    def build(self, folder: Path, flat: Vectors, offsets: NDArray[np.int64], threads: int) -> None:
        self.open(folder, threads)
        self._index.create(_tensors(flat, offsets))

    def open(self, folder: Path, threads: int) -> None:
        from fast_plaid.search import FastPlaid as Index

        self._index = Index(str(folder), device="cpu")

    def search(self, setting: dict[str, Any]) -> Search:
        import torch

        def found(query: Vectors) -> list[int]:
            hits = self._index.search(torch.from_numpy(query)[None], top_k=K, show_progress=False, **setting)
            return [d for d, _ in hits[0]]

        return found


class _XtrWarp:
    """xtr-warp-rs."""

    settings = product(nprobe=(1, 2, 4, 8, 16, 32, 64), centroid_score_threshold=(0.0, 0.5))

    def build(self, folder: Path, flat: Vectors, offsets: NDArray[np.int64], threads: int) -> None:
        from xtr_warp import XTRWarp

        XTRWarp(str(folder)).create(_tensors(flat, offsets), device="cpu", show_progress=False)

    def open(self, folder: Path, threads: int) -> None:
        from xtr_warp import XTRWarp

        self._threads = threads
        self._index = XTRWarp(str(folder)).load("cpu")

    def search(self, setting: dict[str, Any]) -> Search:
        import torch

        def found(query: Vectors) -> list[int]:
            tokens = torch.from_numpy(query)[None]
            hits = self._index.search(tokens, K, num_threads=self._threads, show_progress=False, **setting)
            return [d for d, _ in hits[0]]

        return found


SYSTEMS: dict[str, Callable[[], System]] = {
    "moverank-float16": lambda: _Moverank("float16"),
    "moverank-int8": lambda: _Moverank("int8"),
    "pylate": _PyLate,
    "fast-plaid": _FastPlaid,
    "xtr-warp-rs": _XtrWarp,
}


def _tensors(flat: Vectors, offsets: NDArray[np.int64]) -> list[Any]:
    import torch

    return list(torch.split(torch.from_numpy(flat), np.diff(offsets).tolist()))


def size_of(folder: Path) -> int:
    """Bytes of the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def timed(search: Search, queries: list[Vectors]) -> dict[str, Any]:
    """Ids found, and the median milliseconds of each query over some rounds."""
    for query in queries[:3]:
        search(query)
    rounds: list[list[float]] = []
    ids: list[list[int]] = []
    began = time.perf_counter()
    while not rounds or (len(rounds) < 5 and time.perf_counter() - began < SECONDS):
        ids, milliseconds = [], []
        for query in queries:
            started = time.perf_counter()
            found = search(query)
            milliseconds.append(1e3 * (time.perf_counter() - started))
            ids.append([int(d) for d in found])
        rounds.append(milliseconds)
    return {"ids": ids, "milliseconds": np.median(rounds, axis=0).tolist()}


def main(name: str, folder: Path, threads: int) -> None:
    # The system's own threads follow the environment, which whoever starts this sets; torch has a number of its own.
    if name in ("pylate", "fast-plaid", "xtr-warp-rs"):
        importlib.import_module("torch").set_num_threads(threads)
    system = SYSTEMS[name]()
    index = folder / f"index-{name}"
    about = folder / f"built-{name}.json"
    if not about.exists():
        flat, offsets = np.load(folder / "docs.npy"), np.load(folder / "offsets.npy")
        index.mkdir(exist_ok=True)
        started = time.perf_counter()
        system.build(index, flat, offsets, threads)
        seconds = time.perf_counter() - started
        built = {"seconds": seconds, "threads": threads, "bytes_per_token": size_of(index) / len(flat)}
        about.write_text(json.dumps(built))
    system.open(index, threads)
    queries = np.split(np.load(folder / "queries.npy"), np.load(folder / "query_offsets.npy")[1:-1])
    curve = [{"setting": setting, **timed(system.search(setting), queries)} for setting in system.settings]
    (folder / f"searched-{name}-{threads}.json").write_text(json.dumps(curve))


if __name__ == "__main__":
    # Some systems print as they go.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
