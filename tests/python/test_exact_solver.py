"""The exact solver against its own certificate and against independent oracles."""

import re
import signal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linear_sum_assignment

import moverank as mr
from reference import linear_program, pot_exact
from strategies import transport_problems

CAPACITIES = [1.0, 1.0 + 1e-6, 1.5, 4.0, 1000.0, np.inf]


def tolerance(value, cost):
    return 1e-6 * max(abs(value), 1e-3 * float(np.abs(cost).max()))


def assert_certified(result, cost, a, b, capacity=1.0):
    """Optimality from plan and potentials alone."""
    cost = np.asarray(cost, dtype=np.float64)
    scale = max(float(np.abs(cost).max()), 1e-300)
    f, g = result.potentials
    assert result.status == "optimal"
    assert (result.plan >= 0).all()
    np.testing.assert_allclose(result.plan.sum(axis=1), a, atol=1e-12)
    if capacity == 1:
        np.testing.assert_allclose(result.plan.sum(axis=0), b, atol=1e-12)
    else:
        limit = np.where(b > 0, np.inf, 0) if np.isinf(capacity) else capacity * b
        assert (result.plan.sum(axis=0) <= limit + 1e-12).all()
        assert (g <= 1e-12 * scale).all()
    assert result.value == pytest.approx((result.plan * cost).sum(), abs=1e-9 * max(abs(result.value), 1e-3 * scale))
    assert (cost - f[:, None] - g[None, :] >= -1e-9 * scale).all()
    dual = a @ f + sum(capacity * b[j] * g[j] for j in range(len(b)) if g[j] != 0 and b[j] > 0)
    assert dual == pytest.approx(result.value, abs=1e-9 * scale)
    assert result.lower <= result.value
    assert result.gap <= 1e-9 * scale


@given(transport_problems(), st.sampled_from(CAPACITIES))
def test_every_solve_certifies_itself(problem, capacity):
    result = mr.transport(problem.cost, problem.a, problem.b, capacity=capacity)
    assert_certified(result, problem.cost, problem.a, problem.b, capacity)


@given(transport_problems(largest=12))
def test_value_equals_pot(problem):
    if np.abs(problem.cost).max() > 1e6:
        return  # POT's own tolerance is absolute
    value = mr.transport(problem.cost, problem.a, problem.b).value
    expected = pot_exact(problem.cost, problem.a, problem.b)
    assert value == pytest.approx(expected, abs=tolerance(value, problem.cost))


@given(transport_problems(largest=10), st.sampled_from([1.0, 1.3, 3.0]))
def test_value_equals_a_linear_program(problem, capacity):
    scale = float(np.abs(problem.cost).max()) or 1.0
    cost = problem.cost.astype(np.float64) / scale  # HiGHS has absolute tolerances too
    value = mr.transport(cost, problem.a, problem.b, capacity=capacity).value
    assert value == pytest.approx(linear_program(cost, problem.a, problem.b, capacity), abs=3e-7)


def test_capacity_equals_pots_partial_transport():
    """Moving all of a into at most kappa b is partial transport of mass 1 between a and kappa b."""
    import ot

    rng = np.random.default_rng(0)
    for _ in range(20):
        n, m = rng.integers(2, 12, 2)
        cost, a, b = rng.random((n, m)), rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
        for capacity in (1.5, 3.0):
            expected = ot.partial.partial_wasserstein2(a, capacity * b, cost, m=min(1.0, a.sum()))
            assert mr.transport(cost, a, b, capacity=capacity).value == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 256), (31, 257), (100, 400), (255, 256), (7, 2045)])
def test_many_columns_are_as_good_as_many_rows(shape, dtype):
    import ot

    rng = np.random.default_rng(sum(shape))
    n, m = shape
    cost, a, b = rng.random(shape).astype(dtype), rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    a[0] = b[m // 2] = 0.0  # may be left out
    for masses in ((a, b), (a * 3e-7, b)):
        found = mr.transport(cost, *masses)
        assert found.value == pytest.approx(ot.emd2(a / a.sum(), b / b.sum(), cost.astype(float)), abs=1e-9)
        assert_certified(found, cost, a / a.sum(), b / b.sum())
        turned = mr.transport(np.ascontiguousarray(cost.T), *masses[::-1])
        assert found.value == pytest.approx(turned.value, rel=1e-12)
    # Costs of very different sizes are solved anew from the basis.
    far = cost * 10.0 ** rng.integers(-12, 12, shape)
    found, turned = mr.transport(far, a, b), mr.transport(far.T, b, a)
    assert found.value == pytest.approx(turned.value, rel=1e-11)
    np.testing.assert_allclose(found.plan.sum(1), a / a.sum(), rtol=1e-11)
    np.testing.assert_allclose(found.plan.sum(0), b / b.sum(), rtol=1e-11)


@pytest.mark.parametrize("shape", [(1, 300), (2, 60), (5, 130), (16, 300), (60, 2), (30, 30)])
@pytest.mark.parametrize(("capacity", "fraction"), [(1, 0.5), (1, 0.9), (1.5, 1), (3, 0.7)])
def test_potentials_prove_the_value_of_degenerate_problems_as_well(shape, capacity, fraction):
    """Uniform masses of sizes that have divisors in common: many bases are optimal, whole numbers settle which is."""
    for dtype in (np.float32, np.float64):
        cost = np.random.default_rng(shape[0]).random(shape).astype(dtype)
        for source in (cost, sparse.csr_array(cost)):
            found = mr.transport(source, capacity=capacity, fraction=fraction)
            f, g = found.potentials
            worth = f.mean() + capacity * g.mean() - (1 - fraction) * found.multiplier
            assert worth == pytest.approx(found.value, abs=1e-12)
            assert (f[:, None] + g <= cost + 1e-12).all()
            assert (g <= 0).all()
            if fraction < 1:
                assert (f <= found.multiplier + 1e-12).all()


@pytest.mark.parametrize("n", [2, 8, 33, 128])
def test_uniform_square_problems_are_assignments(n):
    rng = np.random.default_rng(n)
    for cost in (rng.random((n, n)), rng.integers(0, 4, (n, n)).astype(float)):
        rows, columns = linear_sum_assignment(cost)
        assert mr.transport(cost).value == pytest.approx(cost[rows, columns].mean(), abs=1e-12)


def points(rng, n, dim, shift=0.0):
    x, y = rng.random((n, 1, dim)), rng.random((1, n, dim)) + shift
    return ((x - y) ** 2).sum(axis=-1)


ASSIGNMENTS = {
    "random": lambda rng, n: rng.random((n, n)) - 0.5,
    "few values": lambda rng, n: rng.integers(0, 3, (n, n)).astype(float),
    "constant": lambda rng, n: np.full((n, n), 7.0),
    # Each row wants what all others want: paths grow long, and the simplex takes over.
    "product": lambda rng, n: np.outer(np.sort(rng.random(n)), np.sort(rng.random(n))),
    "far clouds": lambda rng, n: points(rng, n, 2, 10.0),
    "mixed clouds": lambda rng, n: points(rng, n, 3),
    "line": lambda rng, n: np.sqrt(points(rng, n, 1)),
    "small": lambda rng, n: 1e-30 * rng.random((n, n)),
    "large": lambda rng, n: 1e30 * rng.normal(size=(n, n)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 3, 8, 9, 15, 16, 17, 31, 64, 65, 130])
@pytest.mark.parametrize("family", ASSIGNMENTS)
def test_assignments_equal_scipys(family, n, dtype):
    rng = np.random.default_rng(n)
    for _ in range(3):
        cost = ASSIGNMENTS[family](rng, n).astype(dtype)
        rows, columns = linear_sum_assignment(cost.astype(float))
        size = float(np.abs(cost).max())
        result = mr.transport(cost)
        assert abs(result.value - cost[rows, columns].astype(float).mean()) <= 1e-12 * size
        assert result.gap <= 1e-12 * size
        assert_certified(result, cost, np.full(n, 1 / n), np.full(n, 1 / n))
        # Rows and columns without mass, and masses that are equal though they are no uniform ones, change nothing.
        wider = np.full((n + 1, n + 2), -size, dtype)
        wider[1:, 2:] = cost
        mass = np.full(n, 0.3)
        padded = mr.transport(wider, np.r_[0, mass], np.r_[0, 0, mass])
        assert abs(padded.value - result.value) <= 1e-12 * size


@pytest.mark.parametrize("n", [1024, 1025])
def test_large_assignments(n):
    cost = np.random.default_rng(0).random((n, n), dtype=np.float32)
    rows, columns = linear_sum_assignment(cost)
    assert mr.transport(cost).value == pytest.approx(cost[rows, columns].astype(float).mean(), abs=1e-12)


@pytest.mark.parametrize("shape", [(1, 512), (512, 1), (2, 512), (512, 2), (300, 300), (64, 65), (129, 63)])
def test_extreme_shapes(shape):
    rng = np.random.default_rng(1)
    cost, a, b = rng.random(shape), rng.dirichlet(np.ones(shape[0])), rng.dirichlet(np.ones(shape[1]))
    for capacity in (1.0, 2.0):
        assert_certified(mr.transport(cost, a, b, capacity=capacity), cost, a, b, capacity)
    assert mr.transport(cost, a, b).value == pytest.approx(pot_exact(cost, a, b), abs=1e-9)


@pytest.mark.parametrize("capacity", [1.0, 1.5, 3.0, np.inf])
@pytest.mark.parametrize("shape", [(1, 50_000), (50_000, 1)])
def test_one_row_or_column_is_a_closed_form(shape, capacity):
    rng = np.random.default_rng(5)
    cost, a, b = rng.normal(size=shape), rng.dirichlet(np.ones(shape[0])), rng.dirichlet(np.ones(shape[1]))
    result = mr.transport(cost, a, b, capacity=capacity)
    assert result.iterations == 0
    assert_certified(result, cost, a, b, capacity)


@pytest.mark.parametrize("n", [3, 32, 100])
@pytest.mark.parametrize("family", ["constant", "checkerboard", "line", "chain"])
def test_degenerate_families_terminate(n, family):
    i, j = np.arange(n)[:, None], np.arange(n)[None, :]
    cost = {
        "constant": np.ones((n, n)),
        "checkerboard": ((i + j) % 2).astype(float),
        "line": np.abs(i - j).astype(float),
        "chain": np.where(np.abs(i - j) <= 1, (j - i + 1).astype(float), 10.0),
    }[family]
    uniform = np.full(n, 1 / n)
    assert_certified(mr.transport(cost), cost, uniform, uniform)


def test_one_dimensional_convex_costs_are_solved_by_sorting():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=50), rng.normal(size=50)
    expected = np.abs(np.sort(x) - np.sort(y)).mean()
    assert mr.transport(np.abs(x[:, None] - y[None, :])).value == pytest.approx(expected, abs=1e-12)


def test_float64_costs_are_solved_in_float64():
    cost = np.array([[1.0, 1.0 + 2e-9], [1.0 + 1e-9, 1.0]])
    assert mr.transport(cost).value == 1.0


@given(transport_problems(largest=10))
def test_adding_to_a_row_shifts_the_value_by_its_mass(problem):
    shift = np.linspace(-1, 1, len(problem.a))
    cost = problem.cost.astype(np.float64)
    cost /= max(np.abs(cost).max(), 1e-300)
    value = mr.transport(cost, problem.a, problem.b).value
    shifted = mr.transport(cost + shift[:, None], problem.a, problem.b).value
    assert shifted == pytest.approx(value + problem.a @ shift, abs=1e-10)


@given(transport_problems(largest=10))
def test_balanced_problems_may_be_transposed(problem):
    value = mr.transport(problem.cost, problem.a, problem.b).value
    turned = mr.transport(problem.cost.T, problem.b, problem.a).value
    assert turned == pytest.approx(value, abs=1e-10 * float(np.abs(problem.cost).max()))


@given(transport_problems(largest=12))
def test_values_fall_with_capacity_down_to_the_row_minima(problem):
    scale = float(np.abs(problem.cost).max()) or 1.0
    values = [mr.transport(problem.cost, problem.a, problem.b, capacity=c).value for c in CAPACITIES]
    assert all(later <= earlier + 1e-10 * scale for earlier, later in pairwise(values))
    minima = problem.cost[:, problem.b > 0].min(axis=1).astype(np.float64)
    assert values[-1] == pytest.approx(problem.a @ minima, abs=1e-10 * scale)


def test_totals_need_not_agree():
    cost = np.random.default_rng(3).random((3, 4))
    ours = mr.transport(cost, [3, 3, 3], np.array([7, 7, 7, 7], dtype=np.float32))
    assert ours.value == pytest.approx(mr.transport(cost).value, abs=1e-12)


def test_results_print_well():
    text = repr(mr.transport(np.eye(2)))
    assert re.fullmatch(r"TransportResult\(value=0, gap=\S+, plan=2x2, iterations=0, status='optimal'\)", text)


@pytest.mark.parametrize(
    ("kwargs", "kind", "message"),
    [
        ({"cost": [[1.0, np.nan]]}, ValueError, r"cost: entry \(0, 1\) is NaN; expected a number"),
        ({"cost": np.float32([[1], [-np.inf]])}, ValueError, r"cost: entry \(1, 0\) is -inf; expected a number"),
        ({"cost": [1.0, 2.0]}, ValueError, r"cost: expected an array of shape \(n, d\)"),
        ({"cost": np.zeros((0, 3))}, ValueError, "cost: expected at least one row"),
        ({"cost": [["a"]]}, TypeError, "cost: expected real numbers"),
        ({"cost": [[1j]]}, TypeError, "cost: expected real numbers"),
        ({"cost": np.eye(2), "a": [1, 2, 3]}, ValueError, "a: expected 2 weights"),
        ({"cost": np.eye(2), "b": [1, -2]}, ValueError, "b: weight 1 is negative"),
        ({"cost": np.eye(2), "b": [0, 0]}, ValueError, "b: total mass is zero"),
        ({"cost": np.eye(2), "a": [1, np.inf]}, ValueError, "a: weight 1 is not finite"),
        ({"cost": np.eye(2), "capacity": 0.5}, ValueError, "capacity must be at least 1"),
        ({"cost": np.eye(2), "capacity": np.nan}, ValueError, "capacity must be at least 1"),
        ({"cost": np.eye(2), "capacity": "2"}, TypeError, "capacity must be a real number"),
    ],
)
def test_bad_problems_are_refused(kwargs, kind, message):
    with pytest.raises(kind, match=message):
        mr.transport(**kwargs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("capacity", [1.0, 2.5, np.inf])
def test_a_batch_is_its_problems_one_by_one(dtype, capacity):
    rng = np.random.default_rng(5)
    costs = rng.random((40, 7, 11)).astype(dtype)
    a, b = rng.random((40, 7)), rng.random((40, 11))
    b[3, 4:] = 0
    for threads in (1, 2):
        batch = mr.transport_batch(costs, a, b, capacity=capacity, num_threads=threads)
        assert len(batch) == 40
        assert batch.converged.all()
        for p in range(40):
            one = mr.transport(costs[p], a[p], b[p], capacity=capacity)
            assert (batch.values[p], batch.lower[p], batch.iterations[p]) == (one.value, one.lower, one.iterations)
    shared = mr.transport_batch(costs, a[0], capacity=capacity)
    assert shared.values[7] == mr.transport(costs[7], a[0], capacity=capacity).value


def test_a_list_of_float32_matrices_is_solved_as_it_is():
    costs = np.random.default_rng(3).random((5, 6, 7), dtype=np.float32)
    values = mr.transport_batch(costs, epsilon=0.05).values
    assert np.array_equal(mr.transport_batch(list(costs), epsilon=0.05).values, values)
    mixed = mr.transport_batch([costs[0], *costs[1:].astype(np.float64)], epsilon=0.05).values
    assert (mixed != values).all()  # in float64, all of them


def test_batches_print_well():
    batch = mr.transport_batch([[[1.0]], [[2.5]], [[0.5]]])
    expected = r"TransportBatch\(3 problems, values 0.5 to 2.5, gap at most \d.\de-1\d, all converged\)"
    assert re.fullmatch(expected, repr(batch))
    assert repr(mr.transport_batch(np.ones((0, 2, 2)))) == "TransportBatch(0 problems)"


@pytest.mark.parametrize(
    ("kwargs", "kind", "message"),
    [
        ({"costs": np.eye(2)}, ValueError, r"costs: expected an array of shape \(N, n, m\)"),
        ({"costs": np.ones((3, 0, 2))}, ValueError, "costs: expected at least one row"),
        ({"costs": [[["x"]]]}, TypeError, "costs: expected real numbers"),
        (
            {"costs": np.where(np.arange(12).reshape(3, 2, 2) == 7, np.nan, 1)},
            ValueError,
            r"costs\[1\]: entry \(1, 1\) is NaN",
        ),
        ({"a": np.ones((2, 2))}, ValueError, r"a: expected shape \(2,\) or \(3, 2\), got \(2, 2\)"),
        ({"a": np.ones(3)}, ValueError, "a: expected 2 weights, one per token, got 3"),
        ({"b": [[1, 1], [1, 1], [1, -1]]}, ValueError, r"b\[2\]: weight 1 is negative"),
        ({"b": [0, 0]}, ValueError, "b: total mass is zero"),
        ({"capacity": 0.5}, ValueError, "capacity must be at least 1"),
        ({"num_threads": 0}, ValueError, "num_threads must be at least 1"),
    ],
)
def test_bad_batches_are_refused(kwargs, kind, message):
    with pytest.raises(kind, match=message):
        mr.transport_batch(**{"costs": np.ones((3, 2, 2)), **kwargs})


@pytest.mark.parametrize(
    ("epsilon", "rounds"), [(None, 40), (mr.Sinkhorn(1e-3, tolerance=1e-15, max_iterations=4000), 2)]
)
def test_a_signal_handler_may_solve_while_a_solve_waits(epsilon, rounds):
    """The kept workspace is not used twice at a time; the entropic solves are long enough to look for signals."""
    rng = np.random.default_rng(0)
    cost = rng.random((250, 250))
    quick = epsilon and epsilon.replace(max_iterations=10)
    expected = mr.transport(cost, epsilon=epsilon).value
    inner = []

    def solve(*_):
        inner.append(mr.transport(cost[:200, :200], epsilon=quick).value)
        signal.setitimer(signal.ITIMER_REAL, 1e-3)  # again only now: a slow machine would never get out

    previous = signal.signal(signal.SIGALRM, solve)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-3)
        values = {mr.transport(cost, epsilon=epsilon).value for _ in range(rounds)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert values == {expected}
    assert set(inner) == {mr.transport(cost[:200, :200], epsilon=quick).value}
