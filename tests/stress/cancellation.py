"""Interrupt long calls at many points of their time, and measure for how long each goes on.

    python tests/stress/cancellation.py [--points 20] [--threads 1] [NAME ...]

The signal comes when this process has computed for some time, and what is measured is processor time, too: on a busy
machine the figures stay what they are. The promise is 100 ms, for what our own code does; faiss trains and
adds in steps of its own. Ends with 1 if a call took longer, or if what it left behind is not as it was.
"""

import argparse
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

import moverank as mr

LIMIT = 0.1

#: Processor seconds in which a signal hardly finds its way.
SHORT = 0.03

#: Ctrl-C, and the alarm that repeats it where it would be lost.
SIGNALS = (signal.SIGINT, signal.SIGALRM)

#: Ctrl-C comes from outside, so this runs in a process of its own: it waits until another one has computed for so long,
#: or has told that it is done, sends the signal, and answers with the time that it was by then.
WATCHER = """
import os, select, signal, sys, time
watched = int(sys.argv[1])
clock = (~watched << 3) | 2  # the processor time of a process
stdin = open(0, "rb", buffering=0)  # what has been sent must not hide in a buffer
while line := stdin.readline():
    until = float(line)
    while time.clock_gettime(clock) < until and not select.select([stdin], [], [], 0.0005)[0]:
        pass
    if time.clock_gettime(clock) >= until:
        now = time.clock_gettime(clock)
        os.kill(watched, signal.SIGINT)
        print(now, flush=True)
    else:
        print("nan", flush=True)
    stdin.readline()
"""


@dataclass
class Operation:
    """A call that takes a while, and what must hold after it was cut short."""

    name: str
    call: Callable[[], object]
    intact: Callable[[], bool] = lambda: True
    #: What another library does in one piece.
    foreign: bool = False


class Interrupter:
    """Sends Ctrl-C to this process when it has computed for some time."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", WATCHER, str(os.getpid())]
        self._watcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __enter__(self) -> "Interrupter":
        # What is raised in a callback of the collector is lost, and a Ctrl-C may fall there; hypothesis has one.
        self._callbacks = gc.callbacks[:]
        gc.callbacks.clear()
        self._previous = [signal.signal(number, self._on_signal) for number in SIGNALS]
        return self

    def __exit__(self, *_) -> None:
        self._watcher.stdin.close()
        self._watcher.wait()
        self._watcher.stdout.close()
        for number, handler in zip(SIGNALS, self._previous, strict=True):
            signal.signal(number, handler)
        gc.callbacks.extend(self._callbacks)

    def overrun(self, call, after: float) -> float | None:
        """Processor seconds between the signal and the end of a call; None if that was done before."""
        self._armed = True
        stopped = False
        self._watcher.stdin.write(f"{time.process_time() + after}\n")
        try:
            call()
            self._armed = False
        except KeyboardInterrupt:
            self._armed = False
            stopped = True
        ended = time.process_time()
        self._watcher.stdin.write("done\n")
        sent = float(self._watcher.stdout.readline())
        return ended - sent if stopped else None

    def _on_signal(self, _, frame) -> None:
        if not self._armed:
            return
        while frame is not None:
            # What is raised by a weak reference's callback or a destructor is lost: once more, behind it.
            code = frame.f_code
            if code.co_name == "__del__" or code.co_filename.endswith(("weakref.py", "_weakrefset.py")):
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                return
            frame = frame.f_back
        raise KeyboardInterrupt


def processor_seconds(call) -> float:
    """What a call costs."""
    started = time.process_time()
    call()
    return time.process_time() - started


def operations(folder: Path, scale: float = 1.0, threads: int = 1) -> list[Operation]:
    """Every kind of long call; `scale` is about how long they take, 1 for half a second to some seconds."""
    rng = np.random.default_rng(0)

    def times(n: int) -> int:
        return max(int(n * scale), 4)

    lengths = rng.integers(20, 80, size=times(20_000))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = rng.standard_normal((offsets[-1], 64), dtype=np.float32)
    docs = mr.Sequences.from_flat(tokens, offsets)
    few = docs[: times(6_000)]
    query = rng.standard_normal((40, 64), dtype=np.float32)
    table = rng.standard_normal((20_000, 64), dtype=np.float32)
    n_bags = times(400_000)
    bags = mr.Bags.from_flat(table, rng.integers(20_000, size=n_bags * 26), np.arange(0, n_bags * 26 + 1, 26))
    side = max(int(1500 * scale**0.5), 60)
    long, other = (rng.standard_normal((side, 64), dtype=np.float32) for _ in range(2))
    cost = rng.random((side, side), dtype=np.float32)
    costs = rng.random((times(50_000), 8, 12), dtype=np.float32)
    n = times(12_000)
    scattered = sparse.random_array((n, n), density=20 / n, rng=rng) + 2 * sparse.eye_array(n)
    more = {"num_threads": threads}

    words = mr.encoders.WordVectors.default()
    texts = ["a dog sleeps on the sofa", "shares fell on tuesday", "the band gave a concert"] * times(2_000)

    index = mr.Index.build(docs, "wrd", **more)
    capacious = mr.Index.build(docs, mr.wrd.replace(capacity=4), prefilter="HNSW16", **more)
    bag_index = mr.Index.build(bags, "wmd", **more)
    stored_path = folder / "stored"
    mr.Index.build(few, "wrd", **more).save(stored_path)
    answers = {id(i): i.search(query, 5).ids.tolist() for i in (index, capacious)}
    bag_answer = bag_index.search(query, 5).ids.tolist()
    fresh = iter(range(10**9))

    def same(searched) -> Callable[[], bool]:
        return lambda: searched.search(query, 5).ids.tolist() == answers[id(searched)]

    def save() -> None:
        index.save(folder / f"saved-{next(fresh)}")

    def whole_or_absent() -> bool:
        """What `save` was stopped in is not an index, or a whole one."""
        sound = all(mr.Index.open(path).verify().documents == len(docs) for path in folder.glob("saved-*"))
        for path in folder.glob("saved-*"):
            shutil.rmtree(path)
        return sound

    def batches():
        for start in range(0, len(few), 200):
            yield mr.readers.Batch(few[start : start + 200])

    def build_on_disk() -> None:
        mr.Index.build_on_disk(folder / f"built-{next(fresh)}", batches(), "wrd", dtype="int8")

    def resumes() -> bool:
        """A build that was stopped goes on."""
        done = True
        for path in folder.glob("built-*"):
            mr.Index.build_on_disk(path, batches(), "wrd", dtype="int8", resume=True)
            done = done and len(mr.Index.open(path)) == len(few)
            shutil.rmtree(path)
        return done

    @contextmanager
    def stored():
        """The index in the folder without what was added; opened anew, as a change may have been cut off."""
        with mr.Index.open(stored_path, writable=True, **more) as index:
            if len(index) > len(few):
                index.remove(index.ids[len(few) :].tolist())
            yield index

    def change() -> None:
        with stored() as index:
            index.add(few)

    def compact() -> None:
        with stored() as index:
            index.add(few[:10])
            index.compact()

    def stored_is_sound() -> bool:
        found = mr.Index.open(stored_path)
        found.verify()
        return found.ids[: len(few)].tolist() == list(range(len(few)))

    return [
        Operation("sequences from a list", lambda: mr.Sequences([docs[s] for s in range(len(docs))])),
        Operation("tokens as int8", lambda: docs.astype("int8")),
        Operation("build", lambda: mr.Index.build(docs, "wrd", **more)),
        Operation("build, int8", lambda: mr.Index.build(docs, "wrd", dtype="int8", **more)),
        Operation("build, int8 to rescore", lambda: mr.Index.build(docs, "wrd", dtype="int8", rescore=True, **more)),
        Operation("build, clusters", lambda: mr.Index.build(few, "wrd", prefilter=mr.Clusters(4), **more)),
        Operation("build, pooled", lambda: mr.Index.build(few, "wrd", pool=2, **more)),
        Operation("pool long documents", lambda: mr.pool_tokens([long, other] * 2, 2, **more)),
        Operation("build, cells", lambda: mr.Index.build(docs, "wrd", prefilter="tokens", **more), foreign=True),
        Operation("build, HNSW", lambda: mr.Index.build(docs, "wrd", prefilter="HNSW16", **more), foreign=True),
        Operation("build, IVF", lambda: mr.Index.build(docs, "wrd", prefilter="IVF64,Flat", **more), foreign=True),
        Operation("build, bags", lambda: mr.Index.build(bags, "wmd", **more)),
        Operation("build on disk", build_on_disk, resumes),
        Operation("save", save, whole_or_absent),
        Operation("open and read", lambda: mr.Index.open(stored_path, mmap=False)),
        Operation("verify", lambda: mr.Index.open(stored_path).verify()),
        Operation("add and remove", change, stored_is_sound),
        Operation("compact", compact, stored_is_sound),
        Operation("search", lambda: index.search(query, 10), same(index)),
        Operation("search, capacity 4", lambda: capacious.search(query, 10), same(capacious)),
        Operation(
            "search, bags",
            lambda: bag_index.search(query, 10),
            lambda: bag_index.search(query, 5).ids.tolist() == bag_answer,
        ),
        Operation("search batch", lambda: index.search_batch([docs[s] for s in range(8)], 10, **more), same(index)),
        Operation("recall", lambda: index.recall([docs[s] for s in range(4)], 10, candidates=50), same(index)),
        Operation("range search", lambda: index.range_search(query, 0.9), same(index)),
        Operation("rerank", lambda: index.rerank(query, np.arange(len(few)), 10), same(index)),
        Operation("distances", lambda: mr.distances(query, docs, "wrd", **more)),
        Operation("distances, maxsim", lambda: [mr.distances(query, docs, "maxsim", **more) for _ in range(3)]),
        Operation("distance of long sequences", lambda: mr.wmd(long, other)),
        Operation("pairwise", lambda: mr.pairwise(docs[:150], measure="wrd", **more)),
        Operation("align", lambda: mr.align(long, other, "wmd")),
        Operation("gradients", lambda: mr.gradients(long, other, "wmd")),
        Operation("transport", lambda: mr.transport(cost)),
        Operation("transport, sparse", lambda: mr.transport(scattered)),
        Operation("transport, entropic", lambda: mr.transport(cost, epsilon=1e-3)),
        Operation("transport batch", lambda: mr.transport_batch(costs, **more)),
        Operation("entropic batch", lambda: mr.transport_batch(costs, epsilon=0.05, **more)),
        Operation("fit", lambda: mr.fit(words, texts, ["idf", "all-but-the-top"])),
    ]


@dataclass
class Finding:
    """What interrupting one operation at several points came to."""

    takes: float
    late: list[float]
    sound: bool

    @property
    def stopped(self) -> bool:
        """Whether it was ever stopped; what is over in no time need not be."""
        return bool(self.late) or self.takes < SHORT


def interrupt(operation: Operation, interrupter: Interrupter, points: int) -> Finding:
    """Stop an operation at points spread over its time."""
    operation.call()  # what is allocated once is allocated now
    takes = processor_seconds(operation.call)
    overruns = [interrupter.overrun(operation.call, takes * (point + 0.5) / points) for point in range(points)]
    return Finding(takes, [max(seconds, 0.0) for seconds in overruns if seconds is not None], operation.intact())


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="operations whose names contain one of these; all by default")
    parser.add_argument("--points", type=int, default=20, help="signals an operation")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as folder, Interrupter() as interrupter:
        print(f"{'':<28}{'takes':>9}{'median':>9}{'most':>9}   processor ms")
        for operation in operations(Path(folder), options.scale, options.threads):
            if options.names and not any(name in operation.name for name in options.names):
                continue
            found = interrupt(operation, interrupter, options.points)
            most = max(found.late, default=0.0)
            slow = most > LIMIT and not operation.foreign
            verdict = ["not intact"] * (not found.sound) + ["too slow"] * slow + ["not stopped"] * (not found.stopped)
            figures = [1000 * found.takes, 1000 * np.median(found.late or [0.0]), 1000 * most]
            print(f"{operation.name:<28}{figures[0]:>9.0f}{figures[1]:>9.1f}{figures[2]:>9.1f}  {', '.join(verdict)}")
            sys.stdout.flush()
            failed += verdict
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
