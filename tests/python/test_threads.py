"""Answers do not depend on threads: on how many there are, whether they can be had at all, or what else runs."""

import _thread
import gc
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import pytest

import moverank as mr
from moverank._support.threads import Beside, each


@pytest.fixture(scope="module")
def docs():
    rng = np.random.default_rng(0)
    return mr.Sequences([rng.normal(size=(rng.integers(1, 9), 6)) for _ in range(400)])


# ---- calls on several threads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_threads", [1, 2, 7, 500])
def test_results_come_in_order_whoever_made_them(num_threads):
    reports = []
    slow = [0.002 * (n % 3) for n in range(30)]

    def call(number):
        time.sleep(slow[number])
        return number, threading.get_ident()

    found = each(call, 30, num_threads, lambda done, total: reports.append((done, total, threading.get_ident())))
    assert [number for number, _ in found] == list(range(30))
    assert reports == [(done, 30, threading.get_ident()) for done in range(1, 31)]
    assert len({thread for _, thread in found}) <= num_threads
    assert each(call, 0, num_threads) == []


def test_calls_run_at_the_same_time():
    gate = threading.Barrier(3)
    assert each(lambda n: gate.wait(timeout=60) >= 0, 3, 3) == [True] * 3


def test_the_first_failure_in_order_is_raised_and_no_call_begins_after_it():
    gate = threading.Barrier(2)
    begun = []

    def call(number):
        begun.append(number)
        if number < 2:
            gate.wait(timeout=60)  # both fail, in any order
        raise ValueError(f"call {number}")

    with pytest.raises(ValueError, match="call 0"):
        each(call, 1000, 2)
    assert len(begun) == 2


def test_no_call_is_missed_wherever_threads_are_switched():
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(500):
            reports = []
            assert each(lambda n: n, 200, 4, lambda done, _, reports=reports: reports.append(done)) == list(range(200))
            assert reports == list(range(1, 201))
    finally:
        sys.setswitchinterval(usual)


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_threads_that_cannot_be_had_are_done_without(error, monkeypatch):
    def refuse(function, arguments):
        raise error

    monkeypatch.setattr("moverank._support.threads._thread.start_new_thread", refuse)
    assert each(lambda n: n, 20, 8) == list(range(20))


def test_threads_that_never_run_are_not_waited_for(monkeypatch):
    monkeypatch.setattr("moverank._support.threads._thread.start_new_thread", lambda function, arguments: 0)
    assert each(lambda n: n, 20, 8) == list(range(20))


def test_a_thread_that_runs_out_of_memory_ends_the_call(monkeypatch):
    """It has taken a number by then, and no other thread makes that call."""

    class Full(list):
        def __setitem__(self, place, value):
            raise MemoryError

    def run(function, arguments):
        calls = function.__self__
        with monkeypatch.context() as patched:
            patched.setattr(calls, "_begun", Full(calls._begun))
            function(*arguments)

    monkeypatch.setattr("moverank._support.threads._thread.start_new_thread", run)
    with pytest.raises(MemoryError, match="a thread ran out of memory"):
        each(lambda n: n, 20, 2)


def test_whatever_ends_a_thread_reaches_the_caller():
    caller = threading.get_ident()
    begun = threading.Event()

    def call(number):
        if threading.get_ident() == caller:
            begun.wait(timeout=60)
            return number
        begun.set()
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        each(call, 20, 2)


def test_what_failed_is_let_go_with_its_error():
    class Query:
        pass

    gone = []

    def call(number):
        query = Query()
        gone.append(weakref.ref(query))
        raise ValueError(f"call {number}")

    gc.disable()
    try:
        with pytest.raises(ValueError, match="call 0"):
            each(call, 3, 1)
        assert gone[0]() is None
    finally:
        gc.enable()


# ---- more threads than cores, and fewer than asked for ---------------------------------------------------------------


@pytest.mark.parametrize("num_threads", [7, 500, 10**9])
def test_threads_far_over_the_cores_give_the_same_answers(docs, num_threads):
    query, many = docs[3], {"num_threads": num_threads}
    index = mr.Index.build(docs, "wrd")
    one, other = index.search(query, 9, num_threads=1), index.search(query, 9, **many)
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.distances, other.distances)
    np.testing.assert_array_equal(mr.distances(query, docs), mr.distances(query, docs, **many))
    np.testing.assert_array_equal(mr.pairwise(docs[:30], docs), mr.pairwise(docs[:30], docs, **many))
    for alone, together in zip(index.search_batch(docs[:20], 3), index.search_batch(docs[:20], 3, **many), strict=True):
        np.testing.assert_array_equal(alone.ids, together.ids)
        np.testing.assert_array_equal(alone.distances, together.distances)


NO_THREADS = """
import os, resource
import numpy as np, moverank as mr, faiss
rng = np.random.default_rng(0)
docs = mr.Sequences([rng.normal(size=(6, 16)) for _ in range(2000)])
def answers():
    index = mr.Index.build(docs, "wrd", num_threads=8)
    graph = mr.Index.build(docs, "wrd", prefilter="HNSW8", num_threads=8)
    lists = mr.Index.build(docs, "wrd", prefilter="IVF8,Flat;nprobe=8", num_threads=8)
    return [
        *(one.search(docs[3], 5, num_threads=8).distances.tolist() for one in (index, graph, lists)),
        *(hits.distances.tolist() for hits in index.search_batch(docs[:9], 5, num_threads=8)),
        mr.distances(docs[3], docs, "wmd", num_threads=8).tolist(),
        mr.transport_batch(np.arange(300.0).reshape(3, 10, 10) % 7, num_threads=3).values.tolist(),
    ]
expected = answers()
if os.geteuid() == 0:
    os.setuid(65534)  # root may have as many threads as it likes
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    import _thread
    _thread.start_new_thread(print, ())
except RuntimeError:
    assert answers() == expected
    print("the same")
else:
    print("no limit")
"""


@pytest.mark.slow(reason="starts processes")
@pytest.mark.skipif(sys.platform != "linux", reason="threads are limited by Linux's means")
def test_a_process_that_may_have_no_more_threads_gets_the_same_answers():
    found = subprocess.run([sys.executable, "-c", NO_THREADS], capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    if "no limit" in found.stdout:
        pytest.skip("threads are not limited here")
    assert found.stdout == "the same\n"


def test_faiss_learns_on_the_threads_that_it_may_use(docs, monkeypatch):
    asked = []
    set_threads = faiss.omp_set_num_threads
    before = faiss.omp_get_max_threads()
    monkeypatch.setattr(faiss, "omp_set_num_threads", lambda count: (asked.append(count), set_threads(count)))
    usable = mr.build_info()["threads"]
    for num_threads, expected in ((1, 1), (None, usable), (10**9, usable)):
        asked.clear()
        mr.Index.build(docs, prefilter="HNSW8", num_threads=num_threads)
        assert asked == [expected, before]
    assert faiss.omp_get_max_threads() == before


# ---- one index, many threads -----------------------------------------------------------------------------------------


def test_one_index_serves_many_threads(docs):
    index = mr.Index.build(docs, "wrd", payloads=[{"n": n} for n in range(len(docs))], prefilter="HNSW8")
    calls = [
        lambda q: index.search(docs[q], 5).ids.tolist(),
        lambda q: index.search(docs[q], 5, candidates=40).distances[:1].tolist(),
        lambda q: index.search(docs[q], 5, where=f"n < {100 + q}").ids.tolist(),
        lambda q: [move.mass for move in index.search(docs[q], 1)[0].alignment.pairs],
        lambda q: round(mr.transport(np.arange(100.0).reshape(10, 10) % (3 + q)).value, 9),
    ]
    expected = [[call(q) for q in range(20)] for call in calls]
    with ThreadPoolExecutor(8) as pool:
        for call, answers in zip(calls * 3, expected * 3, strict=True):
            assert list(pool.map(call, range(20))) == answers


@pytest.mark.slow(reason="searches beside many changes")
@pytest.mark.parametrize("stored", [False, True])
def test_a_search_beside_changes_answers_for_one_of_the_states(docs, tmp_path, stored):
    """A writer adds and takes away documents nearer than all; each answer has all of a state or nothing of it."""
    index = mr.Index.build(docs, "wmd", num_threads=1)
    if stored:
        index.save(tmp_path / "index")
        index = mr.Index.open(tmp_path / "index", writable=True, num_threads=1)
    query = np.full((3, 6), 50.0)
    states = {tuple(index.search(query, 4).ids.tolist())}
    for count in (1, 2, 3):
        states.add((*range(1000, 1000 + count), *index.search(query, 4 - count).ids.tolist()))
    over = threading.Event()
    seen = []

    def search():
        while not over.is_set():
            seen.append(tuple(index.search(query, 4).ids.tolist()))

    def wait_for_searches():
        enough = len(seen) + 3 * len(readers)
        while len(seen) < enough and all(reader.is_alive() for reader in readers):
            time.sleep(0.001)

    readers = [threading.Thread(target=search) for _ in range(3)]
    for reader in readers:
        reader.start()
    for round in range(15):
        count = 1 + round % 3
        near = [query + 0.1 * n for n in range(count)]
        index.add(near, range(1000, 1000 + count))
        wait_for_searches()
        if round % 5 == 0:
            index.compact()
        index.remove(range(1000, 1000 + count))
        wait_for_searches()
    over.set()
    for reader in readers:
        reader.join()
    assert set(seen) == states
    assert len(index) == len(docs)


def test_a_call_beside_is_made_once_and_its_error_is_raised_by_whoever_waits():
    for fails in (False, True):
        made, go_on = [], threading.Event()

        def call(made=made, go_on=go_on, fails=fails):
            go_on.wait(10)
            made.append(threading.current_thread())
            if fails:
                raise ValueError("told later")

        beside = Beside(call)
        go_on.set()
        if fails:
            with pytest.raises(ValueError, match="told later"):
                beside.finish()
        else:
            beside.finish()
        assert len(made) == 1


def test_a_call_beside_needs_no_thread_of_its_own(monkeypatch):
    def none_left(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", none_left)
    made = []
    beside = Beside(lambda: made.append(threading.current_thread()))
    assert not made
    beside.finish()
    assert made == [threading.current_thread()]
