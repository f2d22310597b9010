"""Several indexes searched as one: what the two waves cost, and what it saves that they share a cutoff and prices.

    MOVERANK_DATA=../shared/data python bench/python/bench_sharding.py          # two minutes
    MOVERANK_DATA=../shared/data python bench/python/bench_sharding.py --ray --shards 1 2 4 --only sentences
    MOVERANK_DATA=../shared/data python bench/python/bench_sharding.py --texts  # SciFact's abstracts, terms and tokens

Each shard has one thread; one index has two, which is what the machine has. "Apart" are the same shards, each asked by
itself for its k nearest. For each: documents that were solved to the end per query, documents of which more than the
first bound was computed, and milliseconds per query, median. k = 10. Answers are compared. Solves do not depend on the
machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import moverank as mr
from corpora import collections
from harness import environment, number, table
from judged import read_texts
from moverank.index.search.hits import Hits, SearchStats
from moverank.sharding import ShardedIndex, ShardedTextIndex, split

SHARDS = (1, 2, 4, 8)
K, ROUNDS = 10, 5
MEASURE = mr.wrd.replace(capacity=4)


def looked_at(stats: SearchStats) -> int:
    """Documents that the first bound did not drop, and those that were solved first."""
    rungs = [rung for rung in stats.rungs if rung.name != "exact solver"]
    return rungs[0].seen + sum(rung.seen - rung.dropped for rung in rungs[1:2])


def measured(
    search: Callable[[Any], list[Hits]], queries: list[Any], expected: list[list[int]]
) -> tuple[float, float, float]:
    """Solves and documents looked at per query, and its milliseconds."""
    solves, looks, seconds = [], [], []
    for turn in range(ROUNDS):
        for query, ids in zip(queries, expected, strict=True):
            began = time.perf_counter()
            found = search(query)
            seconds.append(time.perf_counter() - began)
            if turn == 0:
                solves.append(sum(hits.stats.exact_solves for hits in found))
                looks.append(sum(looked_at(hits.stats) for hits in found))
                pairs = sorted(pair for hits in found for pair in zip(hits.distances, hits.ids, strict=True))[:K]
                if [id for _, id in pairs] != ids:
                    raise SystemExit("answers differ")
    return float(np.mean(solves)), float(np.mean(looks)), 1e3 * statistics.median(seconds)


@contextmanager
def on_ray(folders: list[Path]) -> Iterator[ShardedIndex]:
    """Shards as actors, each with one CPU of a cluster that claims to have enough."""
    import moverank.ray as mrr

    with mrr.sharded_index(folders) as sharded:
        yield sharded


def rows_of(name: str, docs: Any, queries: list[Any], shards: list[int], with_ray: bool) -> list[list[str]]:
    """One collection: one index, and shards of it."""
    index = mr.Index.build(docs, MEASURE, num_threads=2)
    expected = [index.search(query, K).ids.tolist() for query in queries]
    found = [
        [
            f"{name}, {len(index)}",
            "one index",
            *map(number, measured(lambda q: [index.search(q, K)], queries, expected)),
        ]
    ]
    for count in shards:
        with tempfile.TemporaryDirectory() as folder:
            folders = [Path(folder) / f"{s}" for s in range(count)]
            split(index, folders)
            parts = [mr.Index.open(own, num_threads=1) for own in folders]
            apart = measured(lambda q, own=parts: [part.search(q, K) for part in own], queries, expected)
            found.append(["", f"{count} apart, one after the other", *map(number, apart)])
            with ShardedIndex.open(folders, num_threads=count) as sharded:
                together = measured(lambda q, own=sharded: [own.search(q, K)], queries, expected)
            found.append(["", f"{count} as one", *map(number, together)])
            if with_ray:
                with on_ray(folders) as sharded:
                    remote = measured(lambda q, own=sharded: [own.search(q, K)], queries, expected)
                found.append(["", f"{count} as one, by Ray", *map(number, remote)])
    return found


def text_rows(shards: list[int]) -> list[list[str]]:
    """Abstracts of SciFact by word vectors and terms: one index of texts, and shards of it."""
    collection = read_texts("scifact")
    index = mr.TextIndex.create(num_threads=2)
    index.add(collection.texts, collection.ids)
    queries = collection.query_texts[:100]

    def timed(search: Callable[[str], Any]) -> tuple[float, list[Any]]:
        seconds, found = [], []
        for turn in range(2):
            for query in queries:
                began = time.perf_counter()
                hits = search(query)
                if turn:  # the first one encodes queries
                    seconds.append(time.perf_counter() - began)
                    found.append(hits)
        return 1e3 * statistics.median(seconds), found

    alone, expected = timed(lambda query: index.search(query, K))
    rows = [["one index", number(alone), "", ""]]
    for count in shards:
        with tempfile.TemporaryDirectory() as folder:
            folders = [Path(folder) / f"{s}" for s in range(count)]
            split(index, folders)
            with ShardedTextIndex.open(folders, num_threads=max(count, 2)) as sharded:
                taken, found = timed(lambda query, own=sharded: own.search(query, K))
            same = np.mean([one.ids[:1] == other.ids[:1] for one, other in zip(found, expected, strict=True)])
            common = np.mean([len({*one.ids} & {*other.ids}) / K for one, other in zip(found, expected, strict=True)])
            rows.append([f"{count} shards", number(taken), f"{same:.0%}", f"{common:.1%}"])
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ray", action="store_true", help="shards as actors of a Ray cluster too")
    parser.add_argument("--texts", action="store_true", help="indexes of texts instead")
    parser.add_argument("--shards", type=int, nargs="+", default=SHARDS, help="numbers of shards")
    parser.add_argument("--only", default="", help="collections whose names begin with this")
    options = parser.parse_args()
    if options.ray:
        import ray

        ray.init(num_cpus=max(options.shards), include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    print(environment(*(["ray"] if options.ray else [])), end="\n\n")
    if options.texts:
        print(table(["SciFact, 100 candidates", "ms", "same best", "same of ten"], text_rows(options.shards)))
        return
    rows = []
    for name, sequences, bags, queries in collections():
        if "GloVe" not in name and name.startswith(options.only):
            rows += rows_of(name, sequences, queries, options.shards, options.ray)
            if bags is not None:
                rows += rows_of(f"{name}, bags", bags, queries, options.shards, options.ray)
    print(table(["collection", "searched", "solved", "looked at", "ms"], rows))


if __name__ == "__main__":
    main()
