"""Systems of late interaction behind the same calls, each run by an interpreter that has it (bench_late_interaction).

    PYTHON bench/python/late_interaction.py STEP SYSTEM FOLDER THREADS    # FOLDER has docs.npy, offsets.npy, …

Steps, each of which writes a JSON file into FOLDER:

    build    the system's index, and what it takes
    sweep    the ids that every setting finds, one query at a time, and roughly the milliseconds
    measure  ids and milliseconds of the settings in chosen-SYSTEM.json, one query at a time and all in one call

Imports nothing but numpy and the system.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

K = 10
Vectors = NDArray[np.float32]
Search = Callable[[list[Vectors]], list[Iterable[int]]]

#: Rounds of all queries for a median, and seconds after which no more than the least are begun.
LEAST, MOST, SECONDS = 2, 5, 0.5


class System(Protocol):
    """One system, with its index in a folder."""

    #: What a search can be told, cheapest first.
    settings: list[dict[str, Any]]

    def build(self, folder: Path, flat: Vectors, offsets: NDArray[np.int64], threads: int) -> None:
        """Write an index of documents."""

    def open(self, folder: Path, threads: int) -> None:
        """Read it."""

    def search(self, setting: dict[str, Any]) -> Search:
        """How positions of the nearest documents are found, for any number of queries in one call."""

    def size(self, folder: Path) -> int:
        """Bytes that searches read."""


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
        index, count = self._index.with_prefilter(options), setting["candidates"]

        def found(queries: list[Vectors]) -> list[Iterable[int]]:
            if len(queries) == 1:
                return [index.search(queries[0], K, candidates=count).ids]
            return [hits.ids for hits in index.search_batch(queries, K, candidates=count)]

        return found

    def size(self, folder: Path) -> int:
        return size_of(folder)


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
        return lambda queries: [searcher.search(query, K)[0] for query in queries]

    def size(self, folder: Path) -> int:
        return size_of(folder)

    def _index(self, folder: Path, **options: Any) -> Any:
        from pylate.indexes import PLAID

        return PLAID(str(folder), "plaid", use_fast=False, nbits=4, **options)


class _FastPlaid:
    """fast-plaid."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        # First what it does when it is told nothing: 8 cells per token, 4096 documents.
        self.settings = [{}, *product(n_ivf_probe=(1, 2, 4, 8, 16), n_full_scores=(32, 64, 128, 256, 512))]

    def build(self, folder: Path, flat: Vectors, offsets: NDArray[np.int64], threads: int) -> None:
        self.open(folder, threads)
        self._index.create(_tensors(flat, offsets), nbits=self._bits)

    def open(self, folder: Path, threads: int) -> None:
        from fast_plaid.search import FastPlaid as Index

        self._threads = threads
        self._index = Index(str(folder), device="cpu")

    def search(self, setting: dict[str, Any]) -> Search:
        import torch

        def found(queries: list[Vectors]) -> list[Iterable[int]]:
            tokens = [torch.from_numpy(query) for query in queries]
            jobs = min(self._threads, len(queries))
            return _ids(self._index.search(tokens, top_k=K, show_progress=False, n_processes=jobs, **setting))

        return found

    def size(self, folder: Path) -> int:
        # Up to 1000 documents it also keeps the vectors as given, for an index that grows.
        return size_of(folder) - sum(path.stat().st_size for path in folder.glob("embeddings.npy"))


class _XtrWarp:
    """xtr-warp-rs."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        # First the numbers that it chooses by itself. With more probes it has to consider more centroids, too.
        few = product(nprobe=(2, 4, 8, 16), centroid_score_threshold=(0.0, 0.5), t_prime=(None, 20_000))
        many = product(
            nprobe=(32, 64, 128, 256, 512),
            centroid_score_threshold=(0.0, 0.5),
            t_prime=(None, 10_000, 20_000, 50_000, 100_000),
        )
        self.settings = [{}, *few, *({**setting, "bound": 8 * setting["nprobe"]} for setting in many)]

    def build(self, folder: Path, flat: Vectors, offsets: NDArray[np.int64], threads: int) -> None:
        from xtr_warp import XTRWarp

        # By its own number of tokens it asks torch for quantiles of more numbers than torch takes, 2 ** 24.
        sample = {"codec_sample_max_tokens": 2**24 // flat.shape[1]}
        documents = _tensors(flat, offsets)
        XTRWarp(str(folder)).create(documents, device="cpu", nbits=self._bits, show_progress=False, **sample)

    def open(self, folder: Path, threads: int) -> None:
        from xtr_warp import XTRWarp

        self._threads = threads
        self._index = XTRWarp(str(folder)).load("cpu")

    def search(self, setting: dict[str, Any]) -> Search:
        import torch

        def found(queries: list[Vectors]) -> list[Iterable[int]]:
            tokens = [torch.from_numpy(query) for query in queries]
            return _ids(self._index.search(tokens, K, num_threads=self._threads, show_progress=False, **setting))

        return found

    def size(self, folder: Path) -> int:
        # The folder also keeps the parts from which the index was put together, as many bytes again.
        return int(self._index.estimate_index_memory()["total"])


#: Systems by the package that has them.
PACKAGES: dict[str, dict[str, Callable[[], System]]] = {
    "moverank": {f"moverank-{dtype}": partial(_Moverank, dtype) for dtype in ("float16", "int8", "int4", "int2")},
    "pylate": {"pylate": _PyLate},
    "fast-plaid": {f"fast-plaid-{bits}": partial(_FastPlaid, bits) for bits in (2, 4, 8)},
    "xtr-warp-rs": {f"xtr-warp-rs-{bits}": partial(_XtrWarp, bits) for bits in (2, 4)},
}

#: The package of each system.
SYSTEMS = {name: package for package, own in PACKAGES.items() for name in own}


def _ids(hits: list[list[tuple[int, float]]]) -> list[Iterable[int]]:
    return [[d for d, _ in own] for own in hits]


def _tensors(flat: Vectors, offsets: NDArray[np.int64]) -> list[Any]:
    import torch

    return list(torch.split(torch.from_numpy(flat), np.diff(offsets).tolist()))


def size_of(folder: Path) -> int:
    """Bytes of the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def one_by_one(search: Search, queries: list[Vectors], least: int, most: int) -> dict[str, Any]:
    """Ids found, and the median milliseconds of each query over some rounds."""
    search(queries[:1])
    rounds: list[list[float]] = []
    ids: list[Iterable[int]] = []
    began = time.perf_counter()
    while len(rounds) < least or (len(rounds) < most and time.perf_counter() - began < SECONDS):
        ids, milliseconds = [], []
        for query in queries:
            started = time.perf_counter()
            ids += search([query])
            milliseconds.append(1e3 * (time.perf_counter() - started))
        rounds.append(milliseconds)
    return {"ids": whole(ids), "milliseconds": float(np.mean(np.median(rounds, axis=0)))}


def in_one_call(search: Search, queries: list[Vectors]) -> dict[str, Any]:
    """Ids found, and milliseconds per query by the median of some calls."""
    ids = search(queries)
    calls: list[float] = []
    began = time.perf_counter()
    while len(calls) < LEAST or (len(calls) < MOST and time.perf_counter() - began < SECONDS):
        started = time.perf_counter()
        ids = search(queries)
        calls.append(1e3 * (time.perf_counter() - started))
    return {"ids": whole(ids), "milliseconds": float(np.median(calls)) / len(queries)}


def whole(ids: list[Iterable[int]]) -> list[list[int]]:
    """Ids as JSON can have them."""
    return [[int(d) for d in own] for own in ids]


def build(system: System, index: Path, folder: Path, threads: int) -> dict[str, float]:
    """Seconds of a build, also those of all cores together, and bytes per token."""
    flat, offsets = np.load(folder / "docs.npy"), np.load(folder / "offsets.npy")
    index.mkdir()
    started, used = time.perf_counter(), time.process_time()
    system.build(index, flat, offsets, threads)
    seconds, used = time.perf_counter() - started, time.process_time() - used
    system.open(index, threads)
    size = system.size(index) / len(flat)
    return {"seconds": seconds, "processor_seconds": used, "threads": threads, "bytes_per_token": size}


def main(step: str, name: str, folder: Path, threads: int) -> None:
    # The system's own threads follow the environment, which whoever starts this sets; torch has a number of its own.
    package = SYSTEMS[name]
    if package != "moverank":
        importlib.import_module("torch").set_num_threads(threads)
    system = PACKAGES[package][name]()
    index = folder / f"index-{name}"
    if step == "build":
        (folder / f"built-{name}.json").write_text(json.dumps(build(system, index, folder, threads)))
        return
    system.open(index, threads)
    queries = np.split(np.load(folder / "queries.npy"), np.load(folder / "query_offsets.npy")[1:-1])
    if step == "sweep":
        swept = [{"setting": s, **one_by_one(system.search(s), queries, 1, 1)} for s in system.settings]
        (folder / f"swept-{name}.json").write_text(json.dumps(swept))
        return
    packages = ("moverank",) if package == "moverank" else (package, "torch")
    found: dict[str, Any] = {"versions": {own: version(own) for own in packages}, "one by one": [], "in one call": []}
    for setting in json.loads((folder / f"chosen-{name}.json").read_text()):
        search = system.search(setting)
        found["one by one"].append({"setting": setting, **one_by_one(search, queries, LEAST, MOST)})
        if threads > 1:
            found["in one call"].append({"setting": setting, **in_one_call(search, queries)})
    (folder / f"measured-{name}-{threads}.json").write_text(json.dumps(found))


def version(package: str) -> str | None:
    """The version of a package that is installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None


if __name__ == "__main__":
    # Some systems print as they go.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
