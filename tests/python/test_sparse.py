"""Transport over sparse costs: what is not stored is forbidden, and no dense matrix is made."""

import contextlib
import dataclasses
import pickle
import re
import subprocess
import sys
import tracemalloc
from fractions import Fraction

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

import moverank as mr
from exact_flow import exact_optimum
from test_any_scale import costs as costs_of_any_size
from test_any_scale import masses as masses_of_any_size

inf = np.inf


def stored(matrix):
    """The finite entries of a dense matrix, zeros among them."""
    rows, columns = np.nonzero(~np.isinf(matrix))
    return sparse.coo_array((matrix[rows, columns], (rows, columns)), shape=matrix.shape).tocsr()


def dense(matrix):
    """The other way round."""
    found = matrix.tocoo()
    full = np.full(matrix.shape, inf)
    full[found.row, found.col] = found.data
    return full


def by_linear_program(cost, a, b, capacity=1.0, fraction=1.0):
    """HiGHS over the permitted entries. None: no plan."""
    entries = cost.tocoo()
    kept = np.isfinite(entries.data)
    rows, columns, prices = entries.row[kept], entries.col[kept], entries.data[kept]
    if len(prices) == 0:
        return None
    every = np.arange(len(prices))
    of_rows = sparse.coo_array((np.ones(len(prices)), (rows, every)), shape=(cost.shape[0], len(prices))).tocsr()
    of_columns = sparse.coo_array((np.ones(len(prices)), (columns, every)), shape=(cost.shape[1], len(prices))).tocsr()
    a, b = a / a.sum(), b / b.sum()
    if fraction < 1:
        limits = {"A_ub": sparse.vstack([of_rows, of_columns]), "b_ub": np.r_[a, capacity * b]}
        limits |= {"A_eq": np.ones((1, len(prices))), "b_eq": [fraction]}
    elif capacity > 1:
        limits = {"A_ub": of_columns, "b_ub": capacity * b, "A_eq": of_rows, "b_eq": a}
    else:
        limits = {"A_eq": sparse.vstack([of_rows, of_columns]), "b_eq": np.r_[a, b]}
    found = linprog(prices, **limits, method="highs")
    return float(found.fun) if found.status == 0 else None


def check_proof(result, cost, a, b, capacity=1.0, fraction=1.0):
    """Plan, potentials and interval, from the stored entries alone."""
    a, b = np.asarray(a) / np.sum(a), np.asarray(b) / np.sum(b)
    matrix, plan = dense(cost), result.plan.toarray()
    f, g = result.potentials
    assert result.status == "optimal"
    assert result.plan.shape == cost.shape
    assert result.plan.nnz <= sum(cost.shape)
    assert (result.plan.data > 0).all()
    assert not plan[np.isinf(matrix)].any()
    assert result.value == pytest.approx((plan[plan > 0] * matrix[plan > 0]).sum(), rel=1e-12, abs=1e-13)
    assert result.lower <= result.value == result.upper
    size = (plan[plan > 0] * np.abs(matrix[plan > 0])).sum()
    assert result.gap <= 2e-11 * size + 1e-300
    assert np.isfinite(f).all()
    assert np.isfinite(g).all()
    scale = max(1.0, np.abs(matrix[np.isfinite(matrix)]).max(initial=0))
    assert (f[:, None] + g <= matrix + 1e-11 * scale).all()
    room = np.zeros_like(b)
    np.multiply(capacity, b, where=b > 0, out=room)  # capacity may be infinite, and is nothing where there is no mass
    worth = a @ f + (room[g != 0] * g[g != 0]).sum() - (1 - fraction) * result.multiplier
    assert worth == pytest.approx(result.value, abs=1e-11 * scale)
    if fraction == 1:
        np.testing.assert_allclose(plan.sum(1), a, rtol=1e-11, atol=0)
    else:
        assert plan.sum() == pytest.approx(fraction, rel=1e-11)
        assert (plan.sum(1) <= a * (1 + 1e-11)).all()
        assert (f <= result.multiplier + 1e-11 * scale).all()
    if fraction == 1 and capacity == 1:
        np.testing.assert_allclose(plan.sum(0), b, rtol=1e-11, atol=0)
    else:
        assert (g <= 0).all()
        assert (plan.sum(0) <= room * (1 + 1e-11)).all()


@st.composite
def problems(draw, largest=12):
    """Gaps, stored zeros and stored inf, ties, negative costs; degenerate masses, some of them zero."""
    n, m = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["real", "ties", "negative", "inf", "constant"]))
    values = {
        "real": lambda: rng.random((n, m)),
        "ties": lambda: rng.integers(0, 3, (n, m)).astype(float),
        "negative": lambda: rng.normal(size=(n, m)),
        "inf": lambda: np.where(rng.random((n, m)) < 0.2, inf, rng.random((n, m))),
        "constant": lambda: np.full((n, m), 2.5),
    }[kind]()
    rows, columns = np.nonzero(rng.random((n, m)) < draw(st.sampled_from([0.15, 0.4, 0.8, 1.0])))
    cost = sparse.coo_array((values[rows, columns], (rows, columns)), shape=(n, m)).tocsr()
    masses = draw(st.sampled_from(["random", "uniform", "whole", "plan"]))
    if masses == "plan" and cost.nnz:  # there is one, unless inf forbids it
        moved = cost.copy()
        moved.data = rng.integers(1, 4, cost.nnz).astype(float)
        return cost, moved.sum(1), moved.sum(0)
    if masses == "whole":
        a, b = rng.integers(0, 3, n).astype(float), rng.integers(0, 3, m).astype(float)
        a[rng.integers(n)] = b[rng.integers(m)] = 1
        return cost, a, b
    if masses == "uniform":
        return cost, np.ones(n), np.ones(m)
    return cost, rng.random(n) + 1e-3, rng.random(m) + 1e-3


@settings(max_examples=3 * settings.default.max_examples)
@given(problems(), st.sampled_from([1.0, 1.0, 1.5, inf]), st.sampled_from([1.0, 1.0, 0.5, 0.98]))
def test_sparse_costs_are_dense_ones_with_inf_in_the_gaps(problem, capacity, fraction):
    cost, a, b = problem
    limits = {"capacity": capacity, "fraction": fraction}
    try:
        expected = mr.transport(dense(cost), a, b, **limits)
    except mr.InfeasibleError as error:
        # What is said of the mass is the same; which sources are named need not be, as several sets may be stuck.
        with pytest.raises(mr.InfeasibleError, match=re.escape(str(error).split(";")[0])):
            mr.transport(cost, a, b, **limits)
        return
    result = mr.transport(cost, a, b, **limits)
    assert result.value == pytest.approx(expected.value, rel=1e-11, abs=1e-13)
    check_proof(result, cost, a, b, **limits)


@given(problems(), st.sampled_from([1.0, 1.5]), st.sampled_from([1.0, 0.7]))
def test_values_are_those_of_a_linear_program(problem, capacity, fraction):
    cost, a, b = problem
    expected = by_linear_program(cost, a, b, capacity, fraction)
    if expected is None:
        with pytest.raises(mr.InfeasibleError):
            mr.transport(cost, a, b, capacity=capacity, fraction=fraction)
    else:
        result = mr.transport(cost, a, b, capacity=capacity, fraction=fraction)
        assert result.value == pytest.approx(expected, abs=1e-7)


@settings(max_examples=2 * settings.default.max_examples)
@given(st.data())
def test_costs_and_masses_of_any_sizes_are_solved_as_fractions_solve_them(data):
    n, m = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    row = st.lists(costs_of_any_size, min_size=m, max_size=m)
    cost = np.array(data.draw(st.lists(row, min_size=n, max_size=n)))
    a = data.draw(st.lists(masses_of_any_size, min_size=n, max_size=n))
    b = data.draw(st.lists(masses_of_any_size, min_size=m, max_size=m)) if n != m else a[::-1]
    expected = exact_optimum(cost, a, b)
    if expected is None:
        with contextlib.suppress(mr.InfeasibleError):  # rounding alone may keep masses from balancing
            mr.transport(stored(cost), a, b)
        return
    optimum, paid, worth = expected
    result = mr.transport(stored(cost), a, b)
    plan = result.plan.toarray()
    worth += sum(
        Fraction(float(np.abs(np.asarray(mass) / np.sum(mass) * potential).sum()))
        for mass, potential in zip((a, b), result.potentials, strict=True)
    )
    rounding = Fraction(1.5e-11) * paid + Fraction(2.0**-50) * worth + Fraction(3e-308)
    assert result.status == "optimal"
    assert abs(Fraction(result.value) - optimum) <= rounding
    assert Fraction(result.lower) - rounding <= optimum
    assert result.gap <= rounding
    np.testing.assert_allclose(plan.sum(1), np.divide(a, np.sum(a)), rtol=1e-12, atol=0)
    np.testing.assert_allclose(plan.sum(0), np.divide(b, np.sum(b)), rtol=1e-12, atol=0)
    assert not plan[np.isinf(cost)].any()


def with_plan(n, m, per_row, seed, spread=3.0):
    """Random entries, and masses that a plan over all of them meets."""
    rng = np.random.default_rng(seed)
    places = np.unique(np.repeat(np.arange(n), per_row) * m + rng.integers(0, m, n * per_row))
    cost = sparse.coo_array((rng.random(len(places)), (places // m, places % m)), shape=(n, m)).tocsr()
    moved = cost.copy()
    moved.data = rng.random(cost.nnz) ** spread
    return cost, moved.sum(1), moved.sum(0)


@pytest.mark.parametrize("shape", [(300, 300), (700, 120), (90, 800)])
def test_pot_finds_the_same_with_large_costs_in_the_gaps(shape):
    cost, a, b = with_plan(*shape, 6, seed=sum(shape))
    result = mr.transport(cost, a, b)
    matrix = dense(cost)
    expected = ot.emd2(a / a.sum(), b / b.sum(), np.where(np.isinf(matrix), 1e3, matrix), numItermax=10_000_000)
    assert result.value == pytest.approx(expected, rel=1e-9)
    check_proof(result, cost, a, b)


def test_five_thousand_sources_and_targets_with_twenty_entries_each():
    cost, a, b = with_plan(5000, 5000, 20, seed=1)
    result = mr.transport(cost, a, b)
    plan = result.plan
    assert result.status == "optimal"
    assert result.gap <= 2e-11 * result.value
    assert result.value == pytest.approx(plan.multiply(cost).sum(), rel=1e-12)
    np.testing.assert_allclose(plan.sum(1), np.where(a > 0, a / a.sum(), 0), rtol=1e-9)
    np.testing.assert_allclose(plan.sum(0), np.where(b > 0, b / b.sum(), 0), rtol=1e-9)
    f, g = result.potentials
    entries = cost.tocoo()
    assert (f[entries.row] + g[entries.col] <= entries.data + 1e-12).all()
    assert a @ f / a.sum() + b @ g / b.sum() == pytest.approx(result.value, rel=1e-11)


@pytest.mark.parametrize("whole", [False, True])
def test_uniform_masses_are_assignments(whole):
    rng = np.random.default_rng(3)
    n, per_row = 800, 8
    places = np.unique(np.r_[rng.integers(0, n * n, n * per_row), np.arange(n) * n + rng.permutation(n)])
    prices = rng.integers(1, 5, len(places)).astype(float) if whole else rng.random(len(places))
    cost = sparse.coo_array((prices, (places // n, places % n)), shape=(n, n)).tocsr()
    rows, columns = min_weight_full_bipartite_matching(cost)
    result = mr.transport(cost)
    assert result.value == pytest.approx(cost[rows, columns].sum() / n, rel=1e-12)
    assert result.gap <= 1e-11
    assert result.plan.nnz == n  # a vertex of the assignments' polytope
    np.testing.assert_allclose(result.plan.data, 1 / n, rtol=1e-12)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.bool_])
def test_formats_and_dtypes(kind, dtype):
    prices = np.array([[0, 2, 0], [1, 1, 0], [1, 0, 1]]).astype(dtype)
    rows, columns = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 0, 2])
    array = sparse.coo_array((prices[rows, columns], (rows, columns)), shape=(3, 3)).asformat(kind)
    result = mr.transport(array, [1, 1, 2], [2, 1, 1])
    assert array.nnz == 6  # as it was
    assert result.value == mr.transport(dense(array), [1, 1, 2], [2, 1, 1]).value
    assert isinstance(result.plan, sparse.csr_array)
    assert result.plan.dtype == np.float64
    matrix = getattr(sparse, f"{kind}_matrix")(array)
    assert isinstance(mr.transport(matrix, [1, 1, 2], [2, 1, 1]).plan, sparse.csr_matrix)


def test_wide_indices_and_unsorted_rows():
    cost = sparse.csr_array(([3.0, 1.0, 2.0], [1, 0, 1], [0, 2, 3]), shape=(2, 2))
    assert mr.transport(cost).value == 1.5
    cost.indices, cost.indptr = cost.indices.astype(np.int64), cost.indptr.astype(np.int64)
    assert mr.transport(cost).value == 1.5


def test_a_stored_zero_is_a_cost_and_stored_inf_forbids():
    cost = sparse.csr_array(([0.0, 5.0, 7.0], ([0, 0, 1], [0, 1, 1])), shape=(2, 2))
    assert mr.transport(cost).value == 3.5
    cost.eliminate_zeros()
    with pytest.raises(mr.InfeasibleError):
        mr.transport(cost)
    forbidden = sparse.csr_array(([inf, 5.0, 7.0], ([0, 0, 1], [0, 1, 1])), shape=(2, 2))
    with pytest.raises(mr.InfeasibleError, match="target"):
        mr.transport(forbidden)


def test_totals_as_given_and_amounts():
    cost, a, b = with_plan(30, 20, 5, seed=2)
    full = dense(cost)
    for options in (
        {"a": a, "b": b, "totals": "given"},
        {"a": a, "b": b, "totals": "given", "amount": 0.3 * a.sum()},
        {"a": a, "b": 0.4 * b, "totals": "given", "amount": 0.2 * a.sum()},  # sides change places
        {"a": a, "b": 0.7 * b, "totals": "given", "capacity": 2.0},
    ):
        result, expected = mr.transport(cost, **options), mr.transport(full, **options)
        assert result.value == pytest.approx(expected.value, rel=1e-12)
        assert result.plan.shape == full.shape
        assert result.plan.sum() == pytest.approx(expected.plan.sum(), rel=1e-12)
        assert result.multiplier == pytest.approx(expected.multiplier, rel=1e-9, abs=1e-12)
        assert [len(side) for side in result.potentials] == [30, 20]


def test_nodes_without_mass_or_entries():
    cost = sparse.csr_array(([1.0, 2.0], ([1, 1], [0, 2])), shape=(3, 4))
    result = mr.transport(cost, [0, 1, 0], [1, 0, 1, 0])
    assert result.value == 1.5
    f, g = result.potentials
    assert (f[0], f[2], g[1], g[3]) == (0, 0, 0, 0)  # nothing limits these
    with pytest.raises(mr.InfeasibleError, match=r"0\.5 of the mass.*sources \[2\] have.*may reach no target"):
        mr.transport(cost, [0, 1, 1], [1, 0, 1, 0])


def test_an_infeasible_problem_says_what_is_stuck():
    cost = stored(np.array([[0, inf, inf], [1, inf, inf], [2, 3, 4]]))
    with pytest.raises(mr.InfeasibleError, match=r"0\.333333 of the mass.*sources \[0, 1\].*only reach targets \[0\]"):
        mr.transport(cost)
    with pytest.raises(mr.InfeasibleError, match=r"0\.166667 of the mass cannot move where cost is finite$"):
        mr.transport(cost, capacity=1.5)


@pytest.mark.parametrize(
    ("cost", "options", "error", "message"),
    [
        (sparse.csr_array([[np.nan, 1]]), {}, ValueError, r"cost: entry \(0, 0\) is NaN"),
        (sparse.csr_array([[1, -inf]]), {}, ValueError, r"cost: entry \(0, 1\) is -inf"),
        (sparse.csr_array([[1j, 1]]), {}, TypeError, "cost: expected real numbers, got dtype complex128"),
        (sparse.csr_array((0, 3)), {}, ValueError, r"cost: expected at least one row .* got shape \(0, 3\)"),
        (sparse.dia_array(np.eye(2)), {}, TypeError, "cost: expected .* CSR, CSC or COO format, got DIA"),
        (sparse.bsr_array(np.eye(2)), {}, TypeError, "got BSR"),
        (sparse.lil_array(np.eye(2)), {}, TypeError, "got LIL"),
        (
            sparse.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2)),
            {},
            ValueError,
            r"cost: stores 1 entries twice; .*cost\.sum_duplicates\(\)",
        ),
        (
            sparse.csr_array(([1.0, 2.0, 3.0], [1, 1, 0], [0, 2, 3]), shape=(2, 2)),
            {},
            ValueError,
            r"cost: entry \(0, 1\) is stored twice",
        ),
        (sparse.eye_array(2).tocsr(), {"a": [1, 2, 3]}, ValueError, "a: expected 2 weights"),
        (sparse.eye_array(2).tocsr(), {"b": [1, -2]}, ValueError, "b: "),
        (sparse.eye_array(2).tocsr(), {"b": [0, 0]}, ValueError, "b: "),
        (sparse.eye_array(2).tocsr(), {"capacity": 0.5}, ValueError, "capacity"),
        (sparse.eye_array(2).tocsr(), {"fraction": 0}, ValueError, "fraction"),
        (sparse.eye_array(2).tocsr(), {"epsilon": 0.1}, ValueError, "epsilon: a sparse cost is solved without entropy"),
        (sparse.eye_array(2).tocsr(), {"totals": "any"}, ValueError, "totals"),
    ],
)
def test_what_cannot_be_solved_is_said(cost, options, error, message):
    with pytest.raises(error, match=message):
        mr.transport(cost, **options)


def test_a_batch_takes_dense_costs_only():
    cost = sparse.eye_array(3).tocsr()
    for costs in (cost, [cost, cost]):
        with pytest.raises(TypeError, match="costs: sparse csr_array is not accepted; transport solves"):
            mr.transport_batch(costs)


def test_results_print_and_pickle():
    cost, a, b = with_plan(12, 9, 4, seed=5)
    result = mr.transport(cost, a, b)
    assert f"plan=12x9 with {result.plan.nnz} flows" in repr(result)
    again = pickle.loads(pickle.dumps(result))
    assert again.value == result.value
    assert (again.plan != result.plan).nnz == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.value = 1.0


def test_the_same_call_gives_the_same_bits():
    cost, a, b = with_plan(400, 400, 5, seed=6)
    first, second = (mr.transport(cost, a, b) for _ in range(2))
    assert first.value == second.value
    assert first.plan.data.tobytes() == second.plan.data.tobytes()
    assert first.potentials[0].tobytes() == second.potentials[0].tobytes()


def test_no_dense_matrix_is_made():
    n = 40_000  # dense, 12.8 GB of float64
    cost = sparse.diags_array([2.0, 1.0, 2.0], offsets=(-1, 0, 1), shape=(n, n)).tocsr()
    tracemalloc.start()
    result = mr.transport(cost)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.value == pytest.approx(1.0)
    assert result.plan.nnz == n
    assert largest < 100e6


def test_scipy_is_not_imported():
    code = "import sys, moverank; moverank.transport([[0.0]]); assert not any('scipy' in name for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


DAMAGE = {
    "a row beyond the matrix": ("csc_array", lambda x: x.indices.__setitem__(2, 2**28)),
    "a row below 0": ("csc_matrix", lambda x: x.indices.__setitem__(2, -1)),
    "pointers that decrease": ("csc_array", lambda x: x.indptr.__setitem__(1, -100_000_000)),
    "a last pointer beyond the entries": ("csc_array", lambda x: x.indptr.__setitem__(-1, 2**28)),
    "too few entries": ("csc_array", lambda x: setattr(x, "data", x.data[:2])),
    "too few indices": ("csc_array", lambda x: setattr(x, "indices", x.indices[:2])),
    "too few pointers": ("csc_array", lambda x: setattr(x, "indptr", x.indptr[:2])),
    "a coordinate beyond the matrix": ("coo_array", lambda x: x.coords[0].__setitem__(2, 2**28)),
    "a coordinate below 0": ("coo_matrix", lambda x: x.coords[1].__setitem__(2, -1)),
    "fewer entries than coordinates": ("coo_array", lambda x: setattr(x, "data", x.data[:3])),
}


@pytest.mark.parametrize(("kind", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_indices_are_refused_before_they_are_read(kind, damage):
    cost = getattr(sparse, kind)(np.arange(1.0, 7).reshape(2, 3))
    damage(cost)
    with pytest.raises(ValueError, match="cost: its indices do not fit its shape and its entries: "):
        mr.transport(cost)


@pytest.mark.parametrize("kind", ["csr_array", "csc_array"])
def test_indices_of_any_whole_numbers_are_read(kind):
    cost = getattr(sparse, kind)(np.arange(1.0, 7).reshape(2, 3))
    expected = mr.transport(cost).value
    for indices in (np.int64, np.uint16):
        cost.indices = cost.indices.astype(indices)
        assert mr.transport(cost).value == expected
    cost.indices = cost.indices.astype(np.float64)
    with pytest.raises(TypeError, match="cost: expected indices that are integers, got dtype float64"):
        mr.transport(cost)
