"""Indexes in several processes: forked after use, or started anew with an index that they open or are sent."""

import multiprocessing
import subprocess
import sys

import numpy as np
import pytest

import moverank as mr

DOCS = mr.Sequences([np.random.default_rng(n).normal(size=(1 + n % 7, 6)) for n in range(300)])


# ---- fork ------------------------------------------------------------------------------------------------------------

#: A process that has used all there is on several threads, and what a child of it does, unless it hangs.
FORKED = """
import os, signal, sys, threading
import numpy as np
import moverank as mr
rng = np.random.default_rng(0)
docs = mr.Sequences([rng.normal(size=(6, 8)) for _ in range(2000)])
index = mr.Index.build(docs, "wrd", prefilter="IVF8,Flat;nprobe=8", num_threads=4)
costs = rng.random((40, 12, 12))

def everything():
    again = mr.Index.build(docs, "wrd", prefilter="IVF8,Flat;nprobe=8", num_threads=4)
    graph = mr.Index.build(docs, "wrd", prefilter="HNSW8", num_threads=4)
    searches = [
        *index.search_batch(docs[:9], 3, num_threads=4),
        *(one.search(docs[3], 5, num_threads=4) for one in (index, again, graph)),
        index.search(docs[3], 5, candidates=2000),
    ]
    return [
        *(hits.distances.tolist() for hits in searches),
        mr.distances(docs[3], docs, "wmd", num_threads=4).tolist(),
        mr.transport_batch(costs, num_threads=4).values.tolist(),
        searches[-1][0].alignment.plan.tolist(),
        (np.ones((300, 300)) @ np.ones((300, 300)))[0, 0],
    ]

expected = everything()

def in_child(call):
    child = os.fork()
    if child == 0:
        signal.alarm(180)
        os._exit(7 if call() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def run(script, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", FORKED + script, *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow(reason="starts processes")
def test_a_child_forked_after_use_answers_as_its_parent():
    run("""
assert in_child(lambda: everything() == expected) == 7
assert in_child(lambda: in_child(lambda: everything() == expected) == 7) == 7
assert everything() == expected
""")


@pytest.mark.slow(reason="starts processes")
def test_a_child_forked_while_threads_search_answers_as_its_parent():
    run("""
over = threading.Event()
def search():
    while not over.is_set():
        index.search(docs[5], 5, num_threads=3)
        mr.transport(costs[0])
threads = [threading.Thread(target=search) for _ in range(3)]
for thread in threads:
    thread.start()
statuses = [in_child(lambda: everything() == expected) for _ in range(5)]
over.set()
assert statuses == [7] * 5
""")


@pytest.mark.slow(reason="starts processes")
def test_a_child_forked_amid_a_change_may_change_what_is_its_own():
    """The thread that held the index is not there to let it go."""
    run("""
begun, goes_on = threading.Event(), threading.Event()
class Slow:
    def __array__(self, dtype=None, copy=None):
        begun.set()
        goes_on.wait()
        return np.eye(8)
writer = threading.Thread(target=lambda: index.add([Slow()]))
writer.start()
begun.wait()
def change():
    index.add(docs[:2])
    index.remove([0])
    return len(index) == 2001 and index.search(docs[3], 1).ids.tolist() == [3]
status = in_child(change)
goes_on.set()
writer.join()
assert status == 7
assert len(index) == 2001 and 0 in index
""")


@pytest.mark.slow(reason="starts processes")
def test_a_forked_child_opens_what_its_parent_has_open_for_writing(tmp_path):
    run(
        """
index.save(sys.argv[1])
writer = mr.Index.open(sys.argv[1], writable=True)
reader = mr.Index.open(sys.argv[1])
def child():
    for call in (lambda: writer.add(docs[:1]), writer.compact, lambda: mr.Index.open(sys.argv[1], writable=True)):
        try:
            call()
        except mr.IndexLockedError:
            continue
        return False
    return all(one.search(docs[3], 1).ids[0] == 3 for one in (writer, reader, mr.Index.open(sys.argv[1])))
assert in_child(child) == 7
writer.add(docs[:1])
assert reader.refresh()
assert in_child(lambda: len(reader) == 2001 and not reader.refresh()) == 7
""",
        tmp_path / "index",
    )


# ---- processes that are started anew ---------------------------------------------------------------------------------

WORKER = """
import multiprocessing, sys
import numpy as np
import moverank as mr

own = None

def begin(folder):
    global own
    own = mr.Index.open(folder, num_threads=1)

def by_own(query):
    return own.search(query, 4)

def by_sent(index, query):
    return index.search(query, 4)

if __name__ == "__main__":
    docs = mr.Sequences([np.random.default_rng(n).normal(size=(1 + n % 7, 6)) for n in range(300)])
    payloads = [{"n": n} for n in range(300)]
    index = mr.Index.build(docs, "wrd", payloads=payloads)
    index.save(sys.argv[2])
    opened = mr.Index.open(sys.argv[2])
    queries = list(docs[:12])
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(2, begin, (sys.argv[2],)) as pool:
        answers = [
            pool.map(by_own, queries),
            pool.starmap(by_sent, [(index, query) for query in queries]),
            pool.starmap(by_sent, [(opened, query) for query in queries]),
            pool.starmap(mr.Index.search, [(opened, mr.Sequences([query]), 4) for query in queries]),
        ]
        distances = pool.starmap(mr.distances, [(query, docs, mr.wmd) for query in queries])
    for q, query in enumerate(queries):
        expected = index.search(query, 4)
        for found in answers:
            assert found[q].ids.tolist() == expected.ids.tolist()
            assert found[q].distances.tolist() == expected.distances.tolist()
            assert found[q][1].payload == expected[1].payload
            assert found[q][1].alignment.plan.tolist() == expected[1].alignment.plan.tolist()
        assert (distances[q] == mr.distances(query, docs, "wmd")).all()
    print("the same")
"""


@pytest.mark.slow(reason="starts processes")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_answers_as_one_process(method, tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    command = [sys.executable, "-W", "ignore", str(tmp_path / "worker.py"), method, str(tmp_path / "index")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.stdout == "the same\n", found.stderr


def test_processes_that_open_an_index_share_its_memory(tmp_path):
    """Mapped pages are the system's: a process has them as shared, not as its own."""
    if sys.platform != "linux":
        pytest.skip("memory is told apart by Linux's means")
    tokens = np.random.default_rng(0).normal(size=(400_000, 16)).astype(np.float32)
    docs = mr.Sequences.from_flat(tokens, np.arange(0, len(tokens) + 1, 8))
    mr.Index.build(docs, "wmd", prefilter=None).save(tmp_path / "index")
    script = """
import os, sys
import numpy as np
import moverank as mr
index = mr.Index.open(sys.argv[1], num_threads=1)
own = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("RssAnon")).split()[1])
before = own()
index.range_search(np.ones((2, 16)), 0.1)  # reads all tokens
print(own() - before)
"""
    found = subprocess.run([sys.executable, "-c", script, tmp_path / "index"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) < tokens.nbytes / 1024 / 2


def test_a_copy_sent_to_a_child_does_not_follow_the_original():
    index = mr.Index.build(DOCS, "wrd")
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.apply(mr.Index.add, (index, DOCS[:12])).tolist() == list(range(300, 312))
    assert len(index) == 300
