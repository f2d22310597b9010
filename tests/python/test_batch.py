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


SMOOTH = mr.Sinkhorn(0.1, relative=False, tolerance=1e-9, max_iterations=10_000)

SYMMETRIC = [
    mr.wmd,
    mr.wrd,
    mr.rwmd,
    mr.wmd.replace(fraction=0.5),
    mr.rwmd.replace(fraction=0.5),
    mr.Measure("dot", "uniform"),
    mr.Measure("sqeuclidean", "uniform"),
    mr.wmd.replace(problem=SMOOTH),
    mr.wmd.replace(problem=SMOOTH, fraction=0.5),
    mr.wrd.replace(problem=mr.Sinkhorn(0.1, tolerance=1e-9, max_iterations=10_000)),
    mr.wmd.replace(problem=mr.Sinkhorn(0.1, relative=False, marginal_penalty=1.0, tolerance=1e-9)),
    *(mr.Measure(ground, problem=mr.Sinkhorn(0.1, debiased=True)) for ground in ("cosine", "euclidean", "dot")),
]


@pytest.mark.parametrize("measure", SYMMETRIC, ids=str)
def test_pairwise_of_one_batch_is_symmetric_to_the_last_bit(docs, measure):
    batch = docs[:9]
    assert measure.is_symmetric
    table = mr.pairwise(batch, measure=measure)
    np.testing.assert_array_equal(table, table.T)
    np.testing.assert_array_equal(table, mr.pairwise(batch, batch, measure, num_threads=1))
    both_ways = mr.pairwise(batch, batch[:], measure)
    np.testing.assert_allclose(both_ways, both_ways.T, atol=1e-5)
    np.testing.assert_allclose(table, both_ways, atol=1e-5)
    upper = np.triu_indices(len(batch), k=0 if not measure.is_zero_between_equals else 1)
    np.testing.assert_array_equal(table[upper], both_ways[upper])
    if measure.is_zero_between_equals:
        assert not np.diag(table).any()


@pytest.mark.parametrize("measure", [mr.maxsim, mr.wmd.replace(capacity=2), mr.rwmd.replace(capacity=3)], ids=str)
def test_measures_with_a_capacity_are_solved_both_ways(docs, measure):
    assert not measure.is_symmetric
    batch = docs[:9]
    table = mr.pairwise(batch, measure=measure)
    off_diagonal = ~np.eye(9, dtype=bool)
    np.testing.assert_array_equal(table[off_diagonal], mr.pairwise(batch, batch[:], measure)[off_diagonal])
    assert not np.array_equal(table, table.T)
    assert np.diag(table).any() == (not measure.is_zero_between_equals)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-9])
@pytest.mark.parametrize("ground", ["euclidean", "sqeuclidean", "cosine", "dot"])
def test_divergences_are_never_negative(docs, ground, tolerance):
    problem = mr.Sinkhorn(0.1, relative=False, debiased=True, tolerance=tolerance, max_iterations=30)
    measure = mr.Measure(ground, "uniform", problem=problem)
    near = [doc + 1e-5 for doc in docs[:8]]
    for found in (
        mr.pairwise(near, docs[:8], measure),
        mr.distances(docs[0], near, measure),
        mr.paired_distances(docs[:8], near, measure),
        mr.certified_distances(docs[0], near, measure).values,
        [mr.gradients(x, y, measure).value for x, y in zip(docs[:8], near, strict=True)],
    ):
        assert np.min(found) >= 0


def test_tables_go_where_tables_of_distances_go(docs):
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    divergence = mr.wmd.replace(problem=mr.Sinkhorn(0.1, relative=False, debiased=True))
    for measure in (mr.wmd, mr.wrd, divergence):
        table = mr.pairwise(docs[:12], measure=measure)
        assert linkage(squareform(table)).shape == (11, 4)


@pytest.mark.parametrize("measure", [mr.wmd, mr.wrd.replace(capacity=4), mr.maxsim], ids=str)
def test_paired_distances_are_those_of_the_pairs(docs, measure):
    left, right = docs[:20], docs[20:40]
    expected = [measure(x, y) for x, y in zip(left, right, strict=True)]
    for num_threads in (1, 3, None):
        np.testing.assert_array_equal(mr.paired_distances(left, right, measure, num_threads=num_threads), expected)


def test_progress_rises_to_the_number_of_pairs(docs):
    for call, total in (
        (lambda **more: mr.pairwise(docs, measure="wmd", **more), 60 * 61 // 2),
        (lambda **more: mr.pairwise(docs, measure="maxsim", **more), 60 * 60),
        (lambda **more: mr.pairwise(docs[:7], docs, **more), 7 * 60),
        (lambda **more: mr.paired_distances(docs, docs[::-1], **more), 60),
    ):
        for num_threads in (1, 2):
            seen = []
            with_progress = call(progress=lambda *numbers: seen.append(numbers), num_threads=num_threads)  # noqa: B023
            np.testing.assert_array_equal(with_progress, call())
            assert seen[-1] == (total, total)
            assert seen == sorted(set(seen))


def test_what_progress_raises_ends_the_call(docs):
    def refuse(done, total):
        raise LookupError(f"{done} of {total}")

    with pytest.raises(LookupError, match="of 1830"):
        mr.pairwise(docs, measure="wmd", progress=refuse)
    with pytest.raises(TypeError, match="progress: expected something to call"):
        mr.paired_distances(docs, docs, progress=3)


def test_pairs_that_are_none_are_named(docs):
    with pytest.raises(ValueError, match="as many sequences in A as in B, got 3 and 2"):
        mr.paired_distances(docs[:3], docs[:2])
    with pytest.raises(ValueError, match="B: sequence 1: total mass is zero"):
        mr.paired_distances(docs[:2], [np.ones((1, 6)), np.zeros((1, 6))])


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
        (lambda q, d: mr.distances(q, [q, 0 * q[:1]]), ValueError, "docs: sequence 1: total mass is zero"),
        (lambda q, d: mr.distances(0 * q, d), ValueError, "query: total mass is zero"),
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
        (lambda q, d: mr.pairwise(d, [0 * q]), ValueError, "B: sequence 0: total mass is zero"),
        (lambda q, d: mr.pairwise([q, 0 * q], d), ValueError, "A: sequence 1: total mass is zero"),
        (lambda q, d: mr.wrd(q, 0 * q), ValueError, "^y: total mass is zero"),
        (lambda q, d: mr.wrd(q, q[:, :2]), ValueError, "x has dimension 6 and y has dimension 2"),
        (lambda q, d: mr.wrd(q, [["a"]]), TypeError, "y: expected real numbers"),
        (lambda q, d: mr.wmd(q, q, [1, 1, 1, 1, -1]), ValueError, "a: weight 4 is negative"),
    ],
)
def test_bad_input_is_refused_by_name(query, docs, call, kind, message):
    with pytest.raises(kind, match=message):
        call(query, docs)


@pytest.mark.parametrize("measure", [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4), mr.maxsim, *SYMMETRIC[-1:]], ids=str)
@pytest.mark.parametrize("counted", [False, True])
def test_bags_are_taken_wherever_sequences_are(measure, counted):
    rng = np.random.default_rng(5)
    table, other_table = rng.normal(size=(2, 40, 6)).astype(np.float32)
    words = [rng.choice(40, size=n, replace=False) for n in (3, 9, 1, 6, 12)]
    offsets = np.cumsum([0, *map(len, words)])
    counts = rng.integers(1, 5, size=offsets[-1]) if counted else None
    bags = mr.Bags.from_flat(table, np.concatenate(words), offsets, counts)
    others = mr.Bags.from_flat(other_table, np.concatenate(words), offsets, counts)
    plain, plain_others = bags.to_sequences(measure.weighting), others.to_sequences(measure.weighting)
    for A, B, left, right in (
        (bags, None, plain, None),
        (bags, others, plain, plain_others),
        (bags, plain_others, plain, plain_others),
        (plain, others, plain, plain_others),
    ):
        np.testing.assert_allclose(mr.pairwise(A, B, measure), mr.pairwise(left, right, measure), atol=1e-12)
        if B is not None:
            expected = mr.paired_distances(left, right, measure)
            np.testing.assert_allclose(mr.paired_distances(A, B, measure), expected, atol=1e-12)
    for query, docs in ((plain[1:2], others), (bags[1], others), (bags[1], plain_others)):
        expected = mr.distances(plain[1:2], plain_others, measure)
        np.testing.assert_allclose(mr.distances(query, docs, measure), expected, atol=1e-12)
        np.testing.assert_allclose(mr.certified_distances(query, docs, measure).values, expected, atol=1e-12)
    seen = []
    mr.pairwise(bags, measure=measure, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == ((15, 15) if measure.is_symmetric else (25, 25))
