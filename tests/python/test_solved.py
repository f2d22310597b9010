"""Code that reads an interval does not care which solver made it: one vocabulary for all of them."""

import numpy as np
import pytest

import moverank as mr

rng = np.random.default_rng(7)
COSTS, A, B = rng.random((5, 4, 6)), rng.random((5, 4)), rng.random((5, 6))
QUERY, DOCS = rng.normal(size=(3, 4)), [rng.normal(size=(n, 4)) for n in (1, 4, 2)]
SMOOTH = mr.wmd.replace(problem=mr.Sinkhorn(epsilon=0.05))
STOPPED = mr.Sinkhorn(epsilon=1e-4, max_iterations=1)

SINGLE = {
    "exact": lambda: mr.transport(COSTS[0], A[0], B[0]),
    "given totals": lambda: mr.transport(COSTS[0], A[0], B[0], totals="given", amount=0.5),
    "entropic": lambda: mr.transport(COSTS[0], A[0], B[0], epsilon=0.05),
    "stopped": lambda: mr.transport(COSTS[0], A[0], B[0], epsilon=STOPPED),
}
BATCHES = {
    "exact": lambda: mr.transport_batch(COSTS, A, B),
    "entropic": lambda: mr.transport_batch(COSTS, A, B, epsilon=0.05),
    "stopped": lambda: mr.transport_batch(COSTS, A, B, epsilon=STOPPED),
    "distances": lambda: mr.certified_distances(QUERY, DOCS, "wmd"),
    "smooth distances": lambda: mr.certified_distances(QUERY, DOCS, SMOOTH),
}


@pytest.mark.parametrize("name", SINGLE)
def test_one_solution(name):
    found = SINGLE[name]()
    limits = {"totals": "given", "amount": 0.5} if name == "given totals" else {}
    exact = mr.transport(COSTS[0], A[0], B[0], **limits).value
    assert found.lower - 1e-12 <= exact <= found.upper + 1e-12
    assert found.gap == max(0.0, found.upper - found.lower)
    assert found.plan.shape == (4, 6)
    assert [len(one) for one in found.potentials] == [4, 6]
    assert found.converged == (name != "stopped")
    expected = {"entropic": "converged", "stopped": "not converged"}
    assert found.status == expected.get(name, "optimal")
    assert found.status in repr(found)
    assert type(found.iterations) is int


@pytest.mark.parametrize("name", BATCHES)
def test_many_solutions(name):
    found = BATCHES[name]()
    if isinstance(found, mr.CertifiedDistances):
        exact = mr.distances(QUERY, DOCS, "wmd")
    else:
        exact = mr.transport_batch(COSTS, A, B).values
    assert np.all((found.lower - 1e-6 <= exact) & (exact <= found.upper + 1e-6))
    np.testing.assert_array_equal(found.gap, np.maximum(0.0, found.upper - found.lower))
    for array in (found.values, found.lower, found.upper, found.gap, found.iterations, found.converged):
        assert array.shape == (len(found),)
    assert found.converged.all() == (name != "stopped")
    state = "5 not converged" if name == "stopped" else "all converged"
    assert repr(found).endswith(f"gap at most {found.gap.max():.1e}, {state})")


def test_an_exact_value_is_its_own_upper_bound():
    one, many = SINGLE["exact"](), BATCHES["exact"]()
    assert one.upper == one.value
    np.testing.assert_array_equal(many.upper, many.values)


def test_no_plan_is_an_interval_without_width():
    found = mr.certified_distances([1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]], costs=[[0.0, np.inf], [np.inf, 0.0]])
    assert found.values.tolist() == [np.inf, 0.0]
    assert found.gap[0] == 0.0
    assert found.gap[1] < 1e-300
    assert "nan" not in repr(found)


def test_nothing_prints_as_nothing():
    assert repr(mr.transport_batch(np.zeros((0, 2, 2)))) == "TransportBatch(0 problems)"
    assert repr(mr.transport_batch(np.zeros((0, 2, 2)), epsilon=1.0)) == "SinkhornBatch(0 problems)"
