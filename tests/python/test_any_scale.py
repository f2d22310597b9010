"""Exact transport with costs and masses of very different sizes side by side, and with forbidden entries."""

import contextlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import moverank as mr
from exact_flow import exact_optimum

inf = np.inf


def check(cost, a, b):
    """Against fractions: value, interval, status and the sums of the plan, to rounding."""
    expected = exact_optimum(cost, a, b)
    if expected is None:
        # Unless rounding alone keeps its masses from balancing: then there is a plan with these masses.
        with contextlib.suppress(mr.InfeasibleError):
            check_plan(mr.transport(cost, a, b).plan, cost, a, b)
        return
    optimum, paid, worth = expected
    result = mr.transport(cost, a, b)
    # What it is worth that each mass is a float64, once divided by its total: where that decides which plan is optimal,
    # the potentials of both plans count.
    worth += sum(
        Fraction(float(np.abs(np.asarray(mass) / np.sum(mass) * potential).sum()))
        for mass, potential in zip((a, b), result.potentials, strict=True)
    )
    of_masses = Fraction(2.0**-50) * worth
    # `rounding_share` in C++, 2**-36, with some room, as that is a share of what the plan that was found pays.
    rounding = Fraction(1.5e-11) * paid + of_masses + Fraction(3e-308)
    assert result.status == "optimal"
    assert abs(Fraction(result.value) - optimum) <= rounding
    assert Fraction(result.lower) - Fraction(1e-14) * paid - of_masses <= optimum
    assert result.gap <= rounding
    check_plan(result.plan, cost, a, b)


def check_plan(plan, cost, a, b):
    """Its sums are the masses that were given, each to rounding, and nothing moves where that is forbidden."""
    np.testing.assert_allclose(plan.sum(1), np.divide(a, np.sum(a)), rtol=1e-12, atol=0)
    np.testing.assert_allclose(plan.sum(0), np.divide(b, np.sum(b)), rtol=1e-12, atol=0)
    assert not plan[np.isinf(cost)].any()


sizes = st.integers(-300, 300).map(lambda e: 10.0**e)
costs = st.one_of(
    st.floats(0, 1),
    st.sampled_from([0.0, 1.0, 2.0, inf, 1e9, 1e10, 1e12, 1e13, 1e16, 1e300, 5e-324]),
    st.tuples(st.floats(1, 10), sizes).map(math.prod),
    st.tuples(st.floats(-10, -1), sizes).map(math.prod),
)
masses = st.one_of(
    st.integers(1, 4).map(float),
    st.floats(0.125, 1),
    st.sampled_from([1e-9, 1e-12, 1e-15, 1e-18, 1e-30, 1e15, 2.0**53 + 2]),
)


@settings(max_examples=3 * settings.default.max_examples)
@given(st.data())
def test_every_problem_is_solved_as_fractions_solve_it(data):
    n, m = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    cost = np.array(data.draw(st.lists(st.lists(costs, min_size=m, max_size=m), min_size=n, max_size=n)))
    a = data.draw(st.lists(masses, min_size=n, max_size=n))
    b = data.draw(st.one_of(st.just(a[::-1]), st.lists(masses, min_size=m, max_size=m)).filter(lambda x: len(x) == m))
    check(cost, a, b)


@pytest.mark.parametrize("big", [1e9, 1e11, 1e13, 1e30, 1e300, inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [8, 40])
def test_large_costs_that_no_optimum_pays_take_no_digits(big, dtype, n):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        cost = rng.random((n, n)).astype(dtype)
        forbidden = rng.random((n, n)) < 0.5
        np.fill_diagonal(forbidden, False)
        moderate = mr.transport(np.where(forbidden, dtype(50), cost))
        assert moderate.plan[forbidden].sum() == 0
        with np.errstate(over="ignore"):
            result = mr.transport(np.where(forbidden, dtype(big), cost))
        assert result.value == pytest.approx(moderate.value, rel=1e-12)
        assert result.lower == pytest.approx(moderate.value, rel=1e-10)


@pytest.mark.parametrize("big", [1e12, inf])
@pytest.mark.parametrize("options", [{"capacity": 1.5}, {"fraction": 0.7}, {"fraction": 0.7, "capacity": 2.0}])
def test_limits_and_parts_beside_forbidden_entries(big, options):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        cost = rng.random((6, 7))
        forbidden = rng.random((6, 7)) < 0.4
        a, b = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(7))
        moderate = mr.transport(np.where(forbidden, 1e4, cost), a, b, **options)
        if moderate.plan[forbidden].sum() > 0:
            if big == inf:
                with pytest.raises(mr.InfeasibleError):
                    mr.transport(np.where(forbidden, big, cost), a, b, **options)
            continue
        result = mr.transport(np.where(forbidden, big, cost), a, b, **options)
        assert result.value == pytest.approx(moderate.value, rel=1e-11)
        assert result.gap <= 1e-10 * result.value


def test_masses_that_balance_but_for_rounding_need_no_forbidden_entry():
    """0.1 + 0.2 is not 0.3 in float64."""
    cost = [[1, inf], [2, inf], [inf, 3]]
    result = mr.transport(cost, [0.1, 0.2, 0.7], [0.3, 0.7])
    assert result.value == pytest.approx(0.1 + 0.4 + 2.1)
    dear = mr.transport(np.where(np.isinf(cost), 1e15, cost), [0.1, 0.2, 0.7], [0.3, 0.7])
    assert dear.value == pytest.approx(result.value)


@pytest.mark.parametrize("k", [1e-9, 1e-12, 1e-14, 1e-15, 1e-18, 1e-300])
def test_small_masses_pay_large_costs(k):
    result = mr.transport([[0, 0], [1 / k, 1 / k]], [1, k], [1, 1])
    assert result.value == pytest.approx(1 / (1 + k), rel=1e-14)
    assert result.lower == pytest.approx(1 / (1 + k), rel=1e-11)
    assert result.plan.sum(1)[1] == pytest.approx(k / (1 + k), rel=1e-14)


def test_an_infeasible_problem_says_what_is_stuck():
    cost = [[0, inf, inf], [1, inf, inf], [2, 3, 4]]
    with pytest.raises(mr.InfeasibleError, match=r"0\.333333 of the mass.*sources \[0, 1\].*only reach targets \[0\]"):
        mr.transport(cost)
    with pytest.raises(ValueError, match=r"costs\[1\].*sources \[1\].*may reach no target"):
        mr.transport_batch([np.eye(2), [[0, 0], [inf, inf]]])
    with pytest.raises(mr.InfeasibleError, match=r"costs\[1\]"):
        mr.transport_batch([np.eye(2), [[0, 0], [inf, inf]]], epsilon=0.1)
    with pytest.raises(mr.InfeasibleError, match=r"0\.166667 of the mass"):
        mr.transport(cost, capacity=1.5)


def test_rows_without_mass_may_be_forbidden():
    result = mr.transport([[inf, inf], [1, 2]], [0, 1], [1, 1])
    assert result.value == 1.5
    f, g = result.potentials
    assert np.isfinite(f).all()
    assert np.isfinite(g).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_entropic_plans_leave_forbidden_entries_empty(dtype):
    rng = np.random.default_rng(0)
    cost = rng.random((8, 8)).astype(dtype)
    forbidden = rng.random((8, 8)) < 0.5
    np.fill_diagonal(forbidden, False)
    cost[forbidden] = inf
    exact = mr.transport(cost).value
    for epsilon in (
        0.2,
        0.02,
        mr.Sinkhorn(0.05),
        mr.Sinkhorn(0.02, relative=False, tolerance=1e-6),
    ):
        result = mr.transport(cost, epsilon=epsilon)
        assert result.marginal_error < 1e-3
        assert not result.plan[forbidden].any()
        assert result.lower <= exact + 1e-12
        assert exact - 1e-12 <= result.upper < exact + 0.2


def test_a_price_of_marginals_makes_every_forbidden_problem_feasible():
    priced = mr.Sinkhorn(0.05, relative=False, marginal_penalty=1.0, tolerance=1e-9, max_iterations=9999)
    result = mr.transport([[inf, inf], [0.0, 1.0]], epsilon=priced)
    assert not result.plan[0].any()
    assert result.converged
    assert result.lower <= result.upper < inf


@pytest.mark.parametrize("fraction", [0.3, 1e-3, 1e-9, 1e-12, 1e-16, 1e-30])
@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("capacity", [1.0, 2.0])
def test_a_small_part_moves_to_its_last_digits(fraction, spread, capacity):
    """The oracle counts in units of the part, so that nothing in it is small."""
    rng = np.random.default_rng(7)
    n, m = 6, 5
    cost = rng.random((n, m))
    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    if spread:  # over many entries, whose masses are smaller than the part
        a[:5] *= fraction / 4
        b[:4] *= fraction / 4
        a[5], b[4] = 1 - a[:5].sum(), 1 - b[:4].sum()
        cost[5], cost[:, 4] = 10, 10
        cost[5, 4] = 20
    rows, columns = np.repeat(np.eye(n), m, axis=1), np.tile(np.eye(m), n)
    found = mr.transport(cost, a, b, fraction=fraction, capacity=capacity)
    limits = np.concatenate([a / fraction, capacity * b / fraction])
    expected = linprog(cost.ravel(), np.vstack([rows, columns]), limits, np.ones((1, n * m)), [1.0], method="highs")
    assert found.status == "optimal"
    assert found.value / fraction == pytest.approx(expected.fun, rel=1e-9)
    assert found.lower / fraction == pytest.approx(expected.fun, rel=1e-9)
    assert found.plan.sum() == pytest.approx(fraction, rel=1e-12)
    assert (found.plan.sum(1) <= a * (1 + 1e-12)).all()
    assert (found.plan.sum(0) <= capacity * b * (1 + 1e-12)).all()
    batch = mr.transport_batch(cost[None], a, b, fraction=fraction, capacity=capacity)
    assert batch.values[0] == found.value
