"""Work of many documents on a Ray cluster of 1, 2 or 4 nodes on this machine, against one process with two threads.

    python bench/python/bench_ray.py [--nodes 1 2] [--only build rerank]

Nodes have one CPU each. Throughput is that of a warm cluster, less the time that an empty job of as many actors takes,
which is shown beside it. So it says what a long job gets; a short one pays the start of its actors first.
Jobs compute the same in both columns, which is checked. To add a job, add a function to JOBS.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.data
from ray.cluster_utils import Cluster

import moverank as mr
import moverank.ray as mrr
from harness import environment, number, table

NODE = {"num_cpus": 1, "object_store_memory": 512 << 20}
THREADS = 2


@dataclass(frozen=True)
class Job:
    """One kind of work: how much there is, what one process does, and what a cluster does; both return a checksum."""

    unit: str
    count: int
    alone: Callable[[], float]
    on_cluster: Callable[[int], float]


def texts(count: int, length: int, seed: int) -> list[str]:
    """Texts of words of the package's vectors, frequent ones more often."""
    rng = np.random.default_rng(seed)
    words = np.array(mr.encoders.WordVectors.default()._words)
    places = np.minimum(rng.zipf(1.3, size=(count, length)) - 1, len(words) - 1)
    return [" ".join(row) for row in words[(places * 7919) % len(words)]]


def build(folder: Path, scale: float) -> Job:
    """Token vectors in float16; what the driver does at the end is part of it."""
    given = texts(int(40_000 * scale), 120, 1)
    rows = [{"id": f"d{n}", "text": text} for n, text in enumerate(given)]
    options: dict[str, Any] = {"dtype": "float16", "prefilter": "Flat", "lexical": None}

    def alone() -> float:
        with mr.TextIndex.create(folder / "alone", **options, num_threads=THREADS, overwrite=True) as index:
            index.add(given, [row["id"] for row in rows])
            return float(len(index))

    def on_cluster(nodes: int) -> float:
        shutil.rmtree(folder / "cluster", ignore_errors=True)
        dataset = ray.data.from_items(rows, override_num_blocks=4 * nodes)
        return float(len(mrr.build(dataset, folder / "cluster", concurrency=nodes, **options).ids))

    return Job("texts/s", len(given), alone, on_cluster)


def rerank(folder: Path, scale: float) -> Job:
    """100 candidates of 60 words for each query."""
    queries, pool = texts(int(5000 * scale), 8, 2), texts(3000, 60, 3)
    rng = np.random.default_rng(4)
    given = [[pool[p] for p in rng.choice(len(pool), 100, replace=False)] for _ in queries]
    rows = [{"query": query, "candidates": own} for query, own in zip(queries, given, strict=True)]

    def alone() -> float:
        ranker = mr.Reranker(num_threads=THREADS)
        return sum(ranker.rank(row["query"], row["candidates"], top_k=10).scores[0] for row in rows)

    def on_cluster(nodes: int) -> float:
        found = mrr.rerank(ray.data.from_items(rows, override_num_blocks=4 * nodes), top_k=10, concurrency=nodes)
        return sum(row["ranking"][0]["score"] for row in found.iter_rows())

    return Job("queries/s", len(queries), alone, on_cluster)


def pairwise(folder: Path, scale: float) -> Job:
    """The ten nearest of 4000 documents of 40 tokens for each of some, exactly."""
    rng = np.random.default_rng(5)
    docs = mr.Sequences([rng.normal(size=(40, 64)).astype(np.float32) for _ in range(4000)])
    queries = docs[: int(1000 * scale)]
    mr.Index.build(docs, "wrd").save(folder / "docs", overwrite=True)
    mr.Index.build(queries, "wrd").save(folder / "queries", overwrite=True)
    index = mr.Index.open(folder / "docs")

    def alone() -> float:
        return sum(float(hits.distances.sum()) for hits in index.search_batch(queries, 10, num_threads=THREADS))

    def on_cluster(nodes: int) -> float:
        found = mrr.pairwise(folder / "queries", folder / "docs", k=10, concurrency=nodes, batch_size=50)
        return sum(float(batch["distance"].sum()) for batch in found.iter_batches())

    return Job("queries/s", len(queries), alone, on_cluster)


def score(folder: Path, scale: float) -> Job:
    """10⁶ pairs of 12 words, none twice."""
    count = int(1_000_000 * scale)
    left, right = texts(count, 12, 6), texts(count, 12, 7)
    rows = [{"candidate": a, "reference": b} for a, b in zip(left, right, strict=True)]
    at_once = 1024

    def alone() -> float:
        runs = (slice(first, first + at_once) for first in range(0, count, at_once))
        return float(sum(mr.score(left[run], right[run], num_threads=THREADS).f1.sum() for run in runs))

    def on_cluster(nodes: int) -> float:
        found = mrr.score(ray.data.from_items(rows, override_num_blocks=16 * nodes), concurrency=nodes)
        return sum(float(batch["f1"].sum()) for batch in found.iter_batches())

    return Job("pairs/s", count, alone, on_cluster)


JOBS: dict[str, Callable[[Path, float], Job]] = {"build": build, "rerank": rerank, "pairwise": pairwise, "score": score}


@contextmanager
def cluster(nodes: int) -> Iterator[None]:
    """A cluster on this machine."""
    made = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    for _ in range(nodes - 1):
        made.add_node(**NODE)
    ray.init(address=made.address, logging_level="ERROR", log_to_driver=False)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()
        made.shutdown()


def seconds(work: Callable[[], float]) -> tuple[float, float]:
    """Time of some work, and what it returns."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def start_of(nodes: int) -> float:
    """Seconds of a job with nothing to do."""
    one = ray.data.from_items([{"candidate": "music", "reference": "music"}] * nodes, override_num_blocks=nodes)
    # Not `count`: its tasks would wait for a CPU, all of which the actors have.
    return seconds(lambda: float(len(mrr.score(one, concurrency=nodes).take_all())))[0]


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--nodes", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS))
    arguments.add_argument("--scale", type=float, default=1.0, help="of all numbers of documents")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        jobs = {own: JOBS[own](Path(name), given.scale) for own in given.only}
        alone = {own: seconds(job.alone) for own, job in jobs.items()}
        found: dict[str, dict[int, float]] = {own: {} for own in jobs}
        starts = {}
        for nodes in given.nodes:
            with cluster(nodes):
                start_of(nodes)
                starts[nodes] = statistics.median(start_of(nodes) for _ in range(3))
                for own, job in jobs.items():
                    print(f"{own} on {nodes} node(s)", file=sys.stderr)
                    spent, result = seconds(lambda job=job, nodes=nodes: job.on_cluster(nodes))
                    if not np.isclose(result, alone[own][1], rtol=1e-6):
                        raise SystemExit(f"{own}: a cluster finds {result}, one process {alone[own][1]}")
                    found[own][nodes] = spent - starts[nodes]
        rows = [
            [
                f"{own}, {job.unit}",
                number(job.count / alone[own][0]),
                *(f"{number(job.count / found[own][n])} ({alone[own][0] / found[own][n]:.0%})" for n in given.nodes),
            ]
            for own, job in jobs.items()
        ]
        rows.append(["start of an empty job, s", "", *(number(starts[n]) for n in given.nodes)])
        print(environment("ray", "pyarrow"), end="\n\n")
        print(table(["job", f"one process, {THREADS} threads", *(f"{n} node(s)" for n in given.nodes)], rows))


if __name__ == "__main__":
    main()
