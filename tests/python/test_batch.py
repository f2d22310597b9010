"""Batched distances: equal to one by one, whatever the threads; errors that name the document."""

import os
import subprocess
import sys
import threading

import cancellation
import numpy as np
import pytest

import moverank as mr


@pytest.fixture(scope="module")
def docs():
    rng = np.random.default_rng(0)
    return mr.Sequences([rng.normal(size=(rng.integers(1, 15), 6)) for _ in range(60)])


@pytest.fixture(scope="module")
def query():
    return np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)


@pytest.mark.parametrize("measure", [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4), mr.maxsim, mr.rwmd], ids=str)
def test_batches_equal_single_calls_for_any_number_of_threads(query, docs, measure):
    single = [measure(query, doc) for doc in docs]
    for num_threads in (1, 2, 5, None):
        np.testing.assert_array_equal(mr.distances(query, docs, measure, num_threads=num_threads), single)
    np.testing.assert_array_equal(mr.pairwise([query], docs, measure)[0], single)


def test_pairwise_of_one_batch_with_itself_is_symmetric_for_balanced_measures(docs):
    table = mr.pairwise(docs[:12], measure="wmd")
    np.testing.assert_allclose(table, table.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(table), 0, atol=1e-6)


def test_weights_of_query_and_documents_are_used(query, docs):
    weighted = mr.Sequences(list(docs), weights=[np.arange(1.0, len(x) + 1) for x in docs])
    a = np.arange(1.0, 6.0)
    expected = [mr.wmd(query, x, a, np.arange(1.0, len(x) + 1)) for x in docs]
    np.testing.assert_array_equal(mr.distances(query, weighted, "wmd", weights=a), expected)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs processor affinity")
def test_all_cores_are_those_that_the_process_may_run_on():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import moverank as mr; "
    code += "print(mr.build_info()['threads'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "1\n"


def test_calls_from_several_python_threads_agree(query, docs):
    expected = mr.distances(query, docs)
    results = []
    threads = [threading.Thread(target=lambda: results.append(mr.distances(query, docs))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all((r == expected).all() for r in results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_can_compute(query, docs):
    expected = mr.distances(query, docs, num_threads=2)
    child = os.fork()
    if child == 0:
        os._exit(0 if (mr.distances(query, docs, num_threads=2) == expected).all() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_ctrl_c_stops_a_long_call_at_once():
    rng = np.random.default_rng(2)
    docs = mr.Sequences([rng.normal(size=(400, 8)) for _ in range(400)])
    query = rng.normal(size=(400, 8))
    with cancellation.Interrupter() as interrupter:
        overrun = interrupter.overrun(lambda: mr.distances(query, docs, "wmd"), 0.3)
    assert overrun is not None
    assert overrun < 5  # the whole call would take a minute


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda q, d: mr.distances(q[:, :3], d), ValueError, "query has dimension 3 and docs has dimension 6"),
        (lambda q, d: mr.distances(q, [q, 0 * q[:1]]), ValueError, "docs: sequence 1: token 0 is a zero vector"),
        (lambda q, d: mr.distances(0 * q, d), ValueError, "query: token 0 is a zero vector"),
        (lambda q, d: mr.distances(0 * q, d, mr.Measure("dot", "norm")), ValueError, "query: total mass is zero"),
        (lambda q, d: mr.distances(q, [q, q[:0]]), ValueError, "docs: sequence 1: has no tokens"),
        (lambda q, d: mr.distances(q[:0], d), ValueError, "query: has no tokens"),
        (lambda q, d: mr.distances(q, q), ValueError, "docs: expected a batch"),
        (lambda q, d: mr.distances(d, d), ValueError, "query: expected one sequence, got a batch of 60"),
        (lambda q, d: mr.distances(q, d, "nope"), ValueError, "unknown measure"),
        (lambda q, d: mr.distances(q, d, num_threads=0), ValueError, "num_threads must be at least 1, got 0"),
        (lambda q, d: mr.distances(q, d, num_threads=1.5), TypeError, "num_threads must be an integer"),
        (lambda q, d: mr.distances(q, d, weights=[1]), ValueError, "weights: expected 5 weights"),
        (lambda q, d: mr.distances(q, d, mr.wmd.replace(weighting="given")), ValueError, "query: has no weights"),
        (lambda q, d: mr.distances(q, [q, 1e25 * q], "wmd"), ValueError, "docs: sequence 1: token 0 is too long"),
        (lambda q, d: mr.pairwise(d, [0 * q]), ValueError, "B: sequence 0: token 0 is a zero vector"),
        (lambda q, d: mr.pairwise([q, 0 * q], d), ValueError, "A: sequence 1: token 0 is a zero vector"),
        (lambda q, d: mr.wrd(q, 0 * q), ValueError, "^y: token 0 is a zero vector"),
        (lambda q, d: mr.wrd(q, q[:, :2]), ValueError, "x has dimension 6 and y has dimension 2"),
        (lambda q, d: mr.wrd(q, [["a"]]), TypeError, "y: expected real numbers"),
        (lambda q, d: mr.wmd(q, q, [1, 1, 1, 1, -1]), ValueError, "a: weight 4 is negative"),
    ],
)
def test_bad_input_is_refused_by_name(query, docs, call, kind, message):
    with pytest.raises(kind, match=message):
        call(query, docs)
