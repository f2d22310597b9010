"""Given costs with forbidden entries, as large numbers and as infinity, beside ordinary ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import moverank as mr

MEASURES = [mr.emd, mr.emd.replace(capacity=2), mr.emd.replace(fraction=0.5), mr.emd.replace(problem="relaxed")]


def by_highs(cost, a, b, capacity=1.0, fraction=1.0):
    """The optimum over permitted entries, or inf."""
    n, m = cost.shape
    permitted = np.isfinite(cost).ravel()
    rows, columns = np.kron(np.eye(n), np.ones(m))[:, permitted], np.kron(np.ones(n), np.eye(m))[:, permitted]
    limits = {"A_eq": np.vstack([rows, columns]), "b_eq": np.concatenate([a, b])}
    if capacity > 1:
        limits = {"A_eq": rows, "b_eq": a, "A_ub": columns, "b_ub": capacity * b}
    if fraction < 1:
        limits = {"A_eq": np.ones((1, permitted.sum())), "b_eq": [fraction]}
        limits |= {"A_ub": np.vstack([rows, columns]), "b_ub": np.concatenate([a, capacity * b])}
    solved = linprog(cost.ravel()[permitted], **limits)
    return solved.fun if solved.status == 0 else np.inf


def by_hand(cost, a, b):
    """The relaxed problem: each bin goes whole to the nearest on the other side."""
    return max(a @ cost.min(axis=1), b @ cost.min(axis=0))


def problem(rng, dtype, forbidden, n=7, m=9, share=0.5):
    costs = rng.random((n, m)).astype(dtype)
    where = rng.random((n, m)) < share
    query, docs = rng.random(n), rng.random((12, m)) * (rng.random((12, m)) < 0.8)
    docs[docs.sum(axis=1) == 0, 0] = 1.0
    return np.where(where, np.asarray(forbidden, dtype), costs), query / query.sum(), docs


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@given(seed=st.integers(0, 10**6), dtype=st.sampled_from([np.float32, np.float64]))
def test_infinite_costs_forbid_and_a_distance_without_a_plan_is_infinite(measure, seed, dtype):
    costs, query, docs = problem(np.random.default_rng(seed), dtype, np.inf)
    found = mr.distances(query, docs, measure, costs=costs)
    for doc, distance in zip(docs, found, strict=True):
        used = doc > 0
        sides = costs[:, used].astype(float), query, doc[used] / doc.sum()
        relaxed = measure.problem == "relaxed"
        expected = by_hand(*sides) if relaxed else by_highs(*sides, measure.capacity, measure.fraction)
        np.testing.assert_allclose(distance, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(mr.pairwise([query], docs, measure, costs=costs)[0], found)
    np.testing.assert_array_equal(mr.paired_distances([query] * 12, docs, measure, costs=costs, num_threads=2), found)
    certified = mr.certified_distances(query, docs, measure, costs=costs)
    np.testing.assert_array_equal(certified.values, found)
    assert np.all(certified.lower <= certified.values)


@pytest.mark.parametrize("measure", MEASURES[:3], ids=lambda m: m.name)
@given(
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([np.float32, np.float64]),
    forbidden=st.sampled_from([1e9, 1e10, 1e12, 1e16, 1e30]),
)
def test_dear_costs_take_no_digits_from_others(measure, seed, dtype, forbidden):
    rng = np.random.default_rng(seed)
    costs, query, docs = problem(rng, dtype, forbidden, share=0.4)
    infinite = np.where(costs >= 1e9, np.asarray(np.inf, dtype), costs)
    permitted = mr.distances(query, docs, measure, costs=infinite)
    found = mr.certified_distances(query, docs, measure, costs=costs)
    without = np.isfinite(permitted)
    np.testing.assert_allclose(found.values[without], permitted[without], rtol=1e-9)
    assert np.all(found.values[~without] > 1e-9 * forbidden)
    assert np.all(found.upper - found.lower <= 2e-11 * np.abs(found.values) + 1e-300)


@given(
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([np.float32, np.float64]),
    forbidden=st.sampled_from([1e9, 1e13, 1e30, np.inf]),
    measure=st.sampled_from(MEASURES),
)
def test_searches_rank_what_cannot_be_reached_last(seed, dtype, forbidden, measure):
    costs, query, docs = problem(np.random.default_rng(seed), dtype, forbidden, share=0.6)
    index = mr.Index.build(docs, measure, costs=costs)
    expected = mr.distances(query, docs, measure, costs=costs)
    for k in (3, 12):
        hits = index.search(query, k)
        np.testing.assert_array_equal(hits.ids, np.argsort(expected, kind="stable")[:k])
        np.testing.assert_array_equal(hits.distances, np.sort(expected)[:k])
        assert hits.certificate.exact
    assert np.isfinite(index.range_search(query, 1e300).distances).all()


def test_bounds_drop_documents_beside_forbidden_entries():
    rng = np.random.default_rng(0)
    places = rng.random((40, 2))
    costs = np.linalg.norm(places[:, None] - places, axis=-1)
    costs[np.triu_indices(40, 38)] = np.inf
    docs = rng.dirichlet(np.full(40, 0.05), size=3000)
    hits = mr.Index.build(docs, costs=costs).search(docs[7], 5)
    assert hits.stats.exact_solves < len(docs) / 3


def test_entropic_distances_keep_off_forbidden_entries():
    measure = mr.emd.replace(problem=mr.Sinkhorn(epsilon=0.05))
    costs = np.array([[0.0, np.inf], [1.0, 0.5]])
    found = mr.certified_distances([0.5, 0.5], [[0.6, 0.4], [0.2, 0.8]], measure, costs=costs)
    assert found.lower[0] <= 0.1 + 0.4 * 0.5 <= found.upper[0]
    assert np.isinf([found.values[1], found.lower[1], found.upper[1]]).all()


def test_indexes_with_forbidden_entries_are_stored_and_verified(tmp_path):
    costs = np.array([[0.0, np.inf, 1.0], [np.inf, 0.0, 1e12], [1.0, 2.0, 0.0]])
    docs = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    mr.Index.build(docs, costs=costs).save(tmp_path / "index")
    index = mr.Index.open(tmp_path / "index")
    index.verify()
    hits = index.search([1.0, 0, 0], 3)
    assert hits.distances.tolist() == [0.0, 1.0, np.inf]
    assert hits.ids.tolist() == [0, 2, 1]
    with pytest.raises(mr.InfeasibleError, match="costs: forbids every plan"):
        _ = hits[2].alignment
