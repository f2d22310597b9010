"""Let memory run out at many points of all that the package does, by limits on the address space.

    python tests/stress/address_space.py [--points 60] [--documents 5000] [NAME ...]

For each call it looks for the room that the call needs beyond what the process has, and makes it again with so many
smaller rooms. Every try has to end with the right answer or with MemoryError, and to leave indexes as they were. A call
that takes three minutes is taken for one that hangs. Linux with glibc, whose allocator is told to give back what is
free, so that a limit is felt where memory is asked for.
"""

import argparse
import ctypes
import faulthandler
import gc
import itertools
import os
import resource
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import faiss  # noqa: F401  loaded now, as a library that cannot be loaded is another subject
import numpy as np

import moverank as mr

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_ARENA_MAX": "1"}

#: Room for the first try; twice as much for each that follows, until the call succeeds.
LEAST_ROOM = 1 << 18


def address_space():
    """Bytes that the process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def limit(nbytes):
    resource.setrlimit(resource.RLIMIT_AS, (nbytes, resource.RLIM_INFINITY))


def lift():
    limit(resource.RLIM_INFINITY)


class Scenarios:
    """Calls by name, over a few indexes; each returns what can be compared."""

    def __init__(self, folder, n_documents):
        rng = np.random.default_rng(0)
        tokens = rng.normal(size=(8 * n_documents, 32)).astype(np.float32)
        self.docs = mr.Sequences.from_flat(tokens, np.arange(0, len(tokens) + 1, 8))
        self.bags = mr.Bags(rng.normal(size=(2000, 32)), [rng.integers(2000, size=8) for _ in range(n_documents)])
        self.query = rng.normal(size=(12, 32)).astype(np.float32)
        self.cost = rng.random((1200, 1200)).astype(np.float32)
        self.costs = rng.random((200, 20, 20))
        self.folder, self._saved = folder, 0
        self.more = self.docs[: n_documents // 4]
        payloads = [{"n": n} for n in range(n_documents)]
        self.index = mr.Index.build(self.docs, "wrd", payloads=payloads)
        self.index.save(folder / "index")
        mr.Index.build(self.docs, "wrd", prefilter="HNSW8").save(folder / "graph")
        self.writer = mr.Index.open(folder / "index", writable=True)
        self.over_bags = mr.Index.build(self.bags, "wmd")
        self.coded = mr.Index.build(self.docs, "wmd", dtype="int8", rescore=True)
        self.clustered = mr.Index.build(self.docs, "wrd", prefilter=mr.Clusters(2))

    def calls(self):
        """What is tried, by name."""
        docs, query, index = self.docs, self.query, self.index
        every = range(0, len(docs), len(docs) // 20)
        conditions = (f"n < 600 AND n >= 0 AND {number} > 0" for number in itertools.count(1))  # answers are kept
        return {
            "search": lambda: index.search(query, 5).distances,
            "search on 200 threads": lambda: index.search(query, 5, num_threads=200).distances,
            "search by candidates": lambda: index.search(query, 5, candidates=99).distances,
            "search where": lambda: index.search(query, 5, where=next(conditions)).distances,
            "search bags": lambda: self.over_bags.search(query, 5).distances,
            "search codes": lambda: self.coded.search(query, 5).distances,
            "search clusters": lambda: self.clustered.search(query, 5, candidates=99).distances,
            "search_batch": lambda: [h.distances.tolist() for h in index.search_batch(docs[:20], 5, num_threads=8)],
            "range_search": lambda: len(index.range_search(query, 0.99)),
            "alignment": lambda: index.search(query, 5)[0].alignment.plan,
            "distances": lambda: mr.distances(query, docs, "wmd"),
            "pairwise": lambda: mr.pairwise(docs[:700], measure="rwmd"),
            "gradients": lambda: mr.gradients(np.tile(query, (20, 1)), np.tile(docs[0], (40, 1)), "wmd").x,
            "transport": lambda: mr.transport(self.cost[:300, :300]).plan,
            "transport of a large matrix": lambda: mr.transport(self.cost, capacity=np.inf).value,
            "sinkhorn": lambda: mr.transport(self.cost, epsilon=1.0).value,
            "transport_batch": lambda: mr.transport_batch(self.costs).values,
            "sequences": lambda: mr.Sequences(list(docs)).astype("int8").tokens,
            "build": lambda: mr.Index.build(docs, "wrd").search(query, 5).distances,
            "build of codes": lambda: mr.Index.build(docs, "wmd", dtype="int8", rescore=True).ids[-1:],
            "build of clusters": lambda: mr.Index.build(docs, "wrd", prefilter=mr.Clusters(2)).ids[-1:],
            "build of bags": lambda: mr.Index.build(self.bags, "wmd").search(query, 5).distances,
            "build of a graph": lambda: mr.Index.build(docs, "wrd", prefilter="HNSW8").search(query, 5).distances,
            "build of lists": lambda: mr.Index.build(docs, "wrd", prefilter="IVF8,Flat").search(query, 5).distances,
            "build_on_disk": self.build_on_disk,
            "open": lambda: mr.Index.open(self.folder / "index").search(query, 5).distances,
            "open a graph": lambda: mr.Index.open(self.folder / "graph").search(query, 5, candidates=9).distances,
            "open and read": lambda: mr.Index.open(self.folder / "index", mmap=False).search(query, 5).distances,
            "verify": lambda: mr.Index.open(self.folder / "index").verify().documents,
            "rerank": lambda: index.rerank(query, list(every), 5).distances,
            "save": self.save,
            "add": lambda: self.change(lambda writer: writer.add(self.more)),
            "add in memory": self.add_in_memory,
            "upsert": lambda: self.change(lambda writer: writer.upsert(self.more, range(len(self.more)))),
            "remove": lambda: self.change(lambda writer: writer.remove(list(every))),
            "compact": lambda: self.change(lambda writer: writer.compact()),
        }

    def new_folder(self):
        self._saved += 1
        return self.folder / str(self._saved)

    def build_on_disk(self):
        batch = mr.readers.Batch(self.more)
        return mr.Index.build_on_disk(self.new_folder(), [batch] * 3, "wrd").search(self.query, 5).distances

    def save(self):
        path = self.new_folder()
        try:
            self.index.save(path)
        except MemoryError:
            lift()
            assert not path.exists()
            raise
        return len(mr.Index.open(path))

    def change(self, change):
        """Make a change, or see that there was none; then the index is made what it was."""
        before = self.content(self.writer)
        try:
            change(self.writer)
        except MemoryError:
            lift()
            assert self.content(self.writer) == before
            assert self.content(mr.Index.open(self.folder / "index")) == before
            self.writer.verify()
            self.writer.remove(self.writer.add(self.more[:1]))
            self.writer.compact()
            raise
        lift()
        self.writer.verify()
        self.writer.close()
        self.index.save(self.folder / "index", overwrite=True)
        self.writer = mr.Index.open(self.folder / "index", writable=True)
        return len(self.writer)

    def add_in_memory(self):
        index = mr.Index.build(self.docs, "wrd", prefilter=None)
        before = self.content(index)
        try:
            index.add(self.more)
        except MemoryError:
            lift()
            assert self.content(index) == before
            index.add(self.more)
            assert len(index) == len(self.docs) + len(self.more)
            raise
        return len(index)

    def content(self, index):
        hits = index.search(self.query, 20)
        return len(index), hits.ids.tolist(), hits.distances.tolist()


def attempt(call, room):
    """What a call returns with so much room, or the error that it raises."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    faulthandler.dump_traceback_later(180, exit=True)
    limit(address_space() + room)
    try:
        return call()
    except MemoryError as error:
        return error
    finally:
        lift()
        faulthandler.cancel_dump_traceback_later()


def sweep(call, n_points):
    """Outcomes of a call by their names, and the room that it needs."""
    expected = call()
    outcomes = Counter()

    def succeeds(room):
        found = attempt(call, room)
        failed = isinstance(found, MemoryError)
        assert failed or np.array_equal(found, expected), f"another answer with room for {room} bytes"
        outcomes["MemoryError" if failed else "answer"] += 1
        return not failed

    enough = LEAST_ROOM
    while not succeeds(enough):
        enough *= 2
    for point in range(n_points):
        succeeds(enough * point // n_points)
    assert np.array_equal(call(), expected), "another answer behind all this"
    return outcomes, enough


def main():
    """Print what became of each call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--documents", type=int, default=5000)
    options = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ALLOCATOR)
    folder = Path(tempfile.mkdtemp())
    total = Counter()
    try:
        calls = Scenarios(folder, options.documents).calls()
        for name in options.names or calls:
            outcomes, enough = sweep(calls[name], options.points)
            total += outcomes
            print(f"{name:<28} needs {enough >> 10:>6} KiB  {dict(outcomes)}", flush=True)
    finally:
        shutil.rmtree(folder)
    print(f"{total.total()} calls: {total['answer']} answers, {total['MemoryError']} MemoryErrors, nothing else")


if __name__ == "__main__":
    main()
