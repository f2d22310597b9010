"""Entropic, unbalanced and partial transport against POT, the interval against exact values, and the whole API."""

import copy
import math
import pickle
import re

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moverank as mr
import reference
from real_data import cranfield
from strategies import transport_problems

TIGHT = mr.Sinkhorn(epsilon=0.05, relative=False, tolerance=1e-11, max_iterations=100_000)


def problem(seed, n=12, m=20):
    rng = np.random.default_rng(seed)
    cost = np.linalg.norm(rng.normal(size=(n, 1, 2)) - rng.normal(size=(1, m, 2)), axis=2)
    return cost, rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))


def objective(plan, cost, a, b, epsilon):
    """``<C, P> + ε KL(P | a b^T)`` from the definition."""
    outer = np.outer(a, b)
    log = np.log(plan / outer, out=np.zeros_like(plan), where=plan > 0)
    return (cost * plan).sum() + epsilon * ((plan * log) - plan + outer).sum()


@pytest.mark.parametrize("epsilon", [0.02, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("seed", range(3))
def test_plans_and_values_are_those_of_pot(seed, epsilon):
    cost, a, b = problem(seed)
    result = mr.transport(cost, a, b, epsilon=TIGHT.replace(epsilon=epsilon))
    plan = ot.bregman.sinkhorn_log(a, b, cost, epsilon, stopThr=1e-13, numItermax=100_000)
    assert result.converged
    assert result.epsilon == epsilon
    np.testing.assert_allclose(result.plan, plan, atol=1e-9)
    assert result.plan_cost == pytest.approx((plan * cost).sum(), abs=1e-9)
    assert result.value == pytest.approx(objective(plan, cost, a, b, epsilon), abs=1e-9)
    f, g = result.potentials
    np.testing.assert_allclose(result.plan, np.outer(a, b) * np.exp((f[:, None] + g - cost) / epsilon), rtol=1e-9)


@pytest.mark.parametrize("tolerance", [1e-11, 1e-5])
def test_what_converged_has_the_marginals_that_it_should(tolerance):
    for seed in range(40):
        cost, a, b = problem(seed)
        for epsilon in (1e-30, 1e-4, 0.02, 0.1, 1.0):
            how = TIGHT.replace(epsilon=epsilon, tolerance=tolerance, max_iterations=1000)
            result = mr.transport(cost, a, b, epsilon=how)
            error = np.abs(result.plan.sum(axis=1) - a).sum() + np.abs(result.plan.sum(axis=0) - b).sum()
            assert error <= 1.01 * result.marginal_error + 1e-15
            assert not result.converged or error <= 2 * tolerance


@pytest.mark.parametrize("penalty", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("shape", [(12, 20), (20, 5), (1, 6), (6, 1)])
def test_unbalanced_plans_are_those_of_pot(shape, penalty):
    cost, a, b = problem(7, *shape)
    result = mr.transport(cost, a, b, epsilon=TIGHT.replace(marginal_penalty=penalty))
    plan = ot.unbalanced.sinkhorn_unbalanced(
        a, b, cost, 0.05, penalty, method="sinkhorn", stopThr=1e-13, numItermax=200_000
    )
    np.testing.assert_allclose(result.plan, plan, atol=1e-7)

    def divergence(p, q):
        return (p * np.log(p / q) - p + q).sum()

    price = penalty * (divergence(plan.sum(1), a) + divergence(plan.sum(0), b))
    assert result.value == pytest.approx(objective(plan, cost, a, b, 0.05) + price, abs=1e-7)
    assert result.lower <= (plan * cost).sum() + price


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_partial_transport_is_that_of_pot(seed, fraction):
    cost, a, b = problem(seed)
    exact = mr.transport(cost, a, b, fraction=fraction)
    assert exact.value == pytest.approx(ot.partial.partial_wasserstein2(a, b, cost, m=fraction), abs=1e-9)
    f, g = exact.potentials
    assert a @ f + b @ g - (1 - fraction) * exact.multiplier == pytest.approx(exact.value, abs=1e-12)
    assert exact.plan.sum() == pytest.approx(fraction)
    # With uniform mass POT's reference measure is ours.
    a, b = np.full(len(a), 1 / len(a)), np.full(len(b), 1 / len(b))
    result = mr.transport(cost, a, b, fraction=fraction, epsilon=TIGHT)
    plan = ot.partial.entropic_partial_wasserstein(a, b, cost, 0.05, m=fraction, stopThr=1e-12, numItermax=100_000)
    np.testing.assert_allclose(result.plan, plan, atol=1e-7)
    assert result.value == pytest.approx(objective(result.plan, cost, a, b, 0.05), abs=1e-8)


def test_a_fraction_of_one_and_a_high_price_are_balanced():
    cost, a, b = problem(1)
    balanced = mr.transport(cost, a, b, epsilon=TIGHT)
    assert mr.transport(cost, a, b, fraction=1 - 1e-9, epsilon=TIGHT).value == pytest.approx(balanced.value, abs=1e-6)
    assert mr.transport(cost, a, b, fraction=1 - 1e-12).value == pytest.approx(mr.transport(cost, a, b).value, abs=1e-9)
    dear = TIGHT.replace(marginal_penalty=1e6)
    assert mr.transport(cost, a, b, epsilon=dear).value == pytest.approx(balanced.value, abs=1e-5)


def test_capacity_falls_from_balanced_to_free():
    cost, a, b = problem(2)
    values = [
        mr.transport(cost, a, b, capacity=capacity, epsilon=TIGHT).value for capacity in (1, 1.5, 3, 10, 1e6, math.inf)
    ]
    assert values == sorted(values, reverse=True)
    # Free columns leave a soft minimum for each row.
    soft = -0.05 * np.log(np.exp(-cost / 0.05) @ b)
    assert values[-1] == pytest.approx(a @ soft, abs=1e-9)
    limited = mr.transport(cost, a, b, capacity=1.5, epsilon=TIGHT)
    assert (limited.plan.sum(0) <= 1.5 * b + 1e-9).all()
    np.testing.assert_allclose(limited.plan.sum(1), a, atol=1e-9)


@settings(max_examples=3 * settings.default.max_examples)
@given(
    transport_problems(),
    st.sampled_from([1e-30, 1e-3, 0.05, 1.0, 1e6]),
    st.integers(0, 40),
    st.sampled_from([1.0, 2.5, math.inf]),
    st.sampled_from([1.0, 0.3]),
    st.booleans(),
)
def test_the_interval_always_holds_the_exact_value(p, epsilon, iterations, capacity, fraction, relative):
    exact = mr.transport(p.cost, p.a, p.b, capacity=capacity, fraction=fraction).value
    sinkhorn = mr.Sinkhorn(epsilon=epsilon, relative=relative, max_iterations=iterations)
    result = mr.transport(p.cost, p.a, p.b, capacity=capacity, fraction=fraction, epsilon=sinkhorn)
    slack = 1e-10 * max(float(np.abs(p.cost).max()), 1e-30)
    assert result.lower - slack <= exact <= result.upper + slack
    assert np.isfinite(result.plan).all()
    assert math.isfinite(result.value)
    assert result.iterations <= iterations


@pytest.mark.slow(reason="a real collection")
@pytest.mark.parametrize("iterations", [0, 3, 1000])
@pytest.mark.parametrize("epsilon", [0.005, 0.05, 0.5])
def test_the_interval_holds_the_exact_value_on_real_tokens(epsilon, iterations):
    data = cranfield()
    docs = mr.Sequences.from_flat(data["doc_tokens"].astype(np.float32), data["doc_off"])
    query = data["query_tokens"][: data["query_off"][1]].astype(np.float32)
    problem = mr.Sinkhorn(epsilon, max_iterations=iterations)
    for measure in (mr.wrd, mr.wmd, mr.wrd.replace(capacity=4), mr.wmd.replace(fraction=0.5)):
        exact = mr.distances(query, docs, measure)
        found = mr.certified_distances(query, docs, measure.replace(problem=problem))
        assert (found.lower <= exact + 1e-9).all()
        assert (exact <= found.upper + 1e-9).all()
        assert (found.values >= mr.distances(query, docs, measure.replace(problem="relaxed")) - 1e-12).all()


def test_epsilon_is_relative_to_the_median_size_of_the_costs():
    cost, a, b = problem(3, 5, 5)
    median = np.median(cost)
    assert mr.transport(cost, a, b, epsilon=mr.Sinkhorn(0.1)).epsilon == pytest.approx(0.1 * median)
    assert mr.transport(-cost, a, b, epsilon=mr.Sinkhorn(0.1)).epsilon == pytest.approx(0.1 * median)
    sparse = np.zeros((3, 3))
    sparse[0, 0] = 2.0
    assert mr.transport(sparse, epsilon=mr.Sinkhorn(0.1)).epsilon == pytest.approx(0.2)
    assert mr.transport(np.zeros((3, 3)), epsilon=mr.Sinkhorn(0.1)).epsilon == pytest.approx(0.1)


def test_unconverged_says_so_and_is_never_silent():
    cost, a, b = problem(4)
    result = mr.transport(cost, a, b, epsilon=mr.Sinkhorn(0.001, max_iterations=3))
    assert not result.converged
    assert result.marginal_error > 1e-4
    assert "not converged in 3 iterations" in repr(result)
    error = np.abs(result.plan.sum(1) - a).sum() + np.abs(result.plan.sum(0) - b).sum()
    assert result.marginal_error == pytest.approx(error, rel=1e-3)


def test_zero_mass_changes_nothing():
    cost, a, b = problem(5)
    wider = np.insert(np.insert(cost, 3, 0.1, axis=0), 7, 0.2, axis=1)
    with_zeros = mr.transport(wider, np.insert(a, 3, 0), np.insert(b, 7, 0), epsilon=TIGHT)
    without = mr.transport(cost, a, b, epsilon=TIGHT)
    assert with_zeros.value == pytest.approx(without.value, abs=1e-12)
    np.testing.assert_allclose(np.delete(np.delete(with_zeros.plan, 3, 0), 7, 1), without.plan, atol=1e-12)
    assert with_zeros.plan[3].sum() == 0
    # The potential of a token without mass is that of one with hardly any.
    grain = mr.transport(wider, np.insert(a, 3, 1e-9), np.insert(b, 7, 0), epsilon=TIGHT)
    (f, _), (grain_f, _) = with_zeros.potentials, grain.potentials
    assert f[3] - f[0] == pytest.approx(grain_f[3] - grain_f[0], abs=1e-5)


def test_batches_are_single_solves():
    stack = [problem(seed) for seed in range(9)]
    costs, a, b = (np.stack(x) for x in zip(*stack, strict=True))
    for dtype in (np.float32, np.float64):
        for options in ({}, {"capacity": 2.0}, {"fraction": 0.5}):
            batch = mr.transport_batch(costs.astype(dtype), a, b, epsilon=0.1, num_threads=2, **options)
            for k in range(len(batch)):
                single = mr.transport(costs[k].astype(dtype), a[k], b[k], epsilon=0.1, **options)
                assert batch.values[k] == single.value
                assert (batch.lower[k], batch.upper[k]) == (single.lower, single.upper)
                assert batch.iterations[k] == single.iterations
    assert "9 problems" in repr(batch)
    assert "0 problems" in repr(mr.transport_batch(costs[:0], epsilon=0.1))
    assert mr.transport_batch(costs, a, b, fraction=0.5).values[2] == mr.transport(*stack[2], fraction=0.5).value


MEASURES = [
    mr.wrd.replace(problem=mr.Sinkhorn(0.1)),
    mr.wmd.replace(problem=mr.Sinkhorn(0.2, relative=False), capacity=3),
    mr.wmd.replace(problem="sinkhorn", fraction=0.5),
    mr.wmd.replace(problem=mr.Sinkhorn(0.2, relative=False, marginal_penalty=1.0)),
    mr.wmd.replace(problem=mr.Sinkhorn(0.2, relative=False, debiased=True)),
    mr.wrd.replace(problem=mr.Sinkhorn(0.2, debiased=True)),
    mr.wmd.replace(fraction=0.4),
    mr.wrd.replace(fraction=0.4, problem="relaxed"),
    mr.maxsim.replace(fraction=0.5),
]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: f"{m.ground}-{m.capacity}-{m.fraction}-{m.problem}"[:60])
def test_every_way_to_ask_gives_the_same_distance(measure):
    rng = np.random.default_rng(6)
    docs = [rng.normal(size=(rng.integers(1, 12), 6)).astype(np.float32) for _ in range(40)]
    query = docs[0]
    values = mr.distances(query, docs, measure, num_threads=2)
    np.testing.assert_array_equal(values, [measure(query, doc) for doc in docs])
    np.testing.assert_array_equal(values, mr.pairwise([query], docs, measure)[0])
    hits = mr.Index.build(docs, measure).search(query, 7)
    order = np.lexsort((np.arange(len(docs)), values))[:7]
    np.testing.assert_array_equal(hits.ids, order)
    np.testing.assert_array_equal(hits.distances, values[order])
    certified = mr.certified_distances(query, docs, measure)
    np.testing.assert_array_equal(certified.values, values)
    assert repr(certified).startswith(f"CertifiedDistances({len(certified)} documents, values {values.min():.6g} to ")
    if not (isinstance(measure.problem, mr.Sinkhorn) and math.isfinite(measure.problem.marginal_penalty)):
        exact = mr.distances(query, docs, measure.replace(problem="exact"))
        assert (certified.lower <= exact + 1e-9).all()
        assert (exact <= certified.upper + 1e-9).all()
    alignment = hits[2].alignment
    assert sum(move.contribution for move in alignment.pairs) == pytest.approx(alignment.value, abs=1e-6)


def test_the_divergence_is_zero_between_equals_and_positive_between_others():
    rng = np.random.default_rng(7)
    measure = mr.wmd.replace(problem=mr.Sinkhorn(0.5, relative=False, tolerance=1e-9, debiased=True))
    plain = measure.replace(problem=measure.problem.replace(debiased=False))
    for _ in range(10):
        x, y = rng.normal(size=(5, 3)), rng.normal(size=(8, 3))
        assert measure(x, x) == pytest.approx(0, abs=1e-8)
        assert measure(x, y) > 0
        assert measure(x, y) == pytest.approx(plain(x, y) - plain(x, x) / 2 - plain(y, y) / 2, abs=1e-8)
        assert measure(x, y) == pytest.approx(measure(y, x), abs=1e-8)


def test_partial_relaxation_is_below_the_partial_value():
    rng = np.random.default_rng(8)
    for _ in range(20):
        x, y = rng.normal(size=(7, 4)), rng.normal(size=(9, 4))
        for fraction in (0.2, 0.7):
            exact = mr.wmd.replace(fraction=fraction)
            assert exact.replace(problem="relaxed")(x, y) <= exact(x, y) + 1e-12
            cost = reference.ground_cost("euclidean", x.astype(np.float32), y.astype(np.float32))
            a, b = np.full(7, 1 / 7), np.full(9, 1 / 9)
            assert exact(x, y) == pytest.approx(ot.partial.partial_wasserstein2(a, b, cost, m=fraction), abs=1e-6)


def test_sinkhorn_is_a_value():
    sinkhorn = mr.Sinkhorn(0.1, tolerance=1e-6)
    assert sinkhorn == mr.Sinkhorn(0.1, tolerance=1e-6)
    assert hash(sinkhorn) == hash(mr.Sinkhorn(0.1, tolerance=1e-6))
    assert pickle.loads(pickle.dumps(sinkhorn)) == sinkhorn
    assert copy.deepcopy(sinkhorn) == sinkhorn
    measure = mr.wrd.replace(problem=sinkhorn, fraction=0.5)
    assert pickle.loads(pickle.dumps(measure)) == measure
    assert mr.wrd.replace(problem="sinkhorn").problem == mr.Sinkhorn()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: mr.Sinkhorn(0.0), ValueError, "epsilon must be above 0 and finite, got 0.0"),
        (lambda: mr.Sinkhorn(math.inf), ValueError, "epsilon must be above 0 and finite"),
        (lambda: mr.Sinkhorn("small"), TypeError, "epsilon must be a real number, got 'small'"),
        (lambda: mr.Sinkhorn(tolerance=math.nan), ValueError, "tolerance must be above 0"),
        (lambda: mr.Sinkhorn(max_iterations=-1), ValueError, "max_iterations must be at least 0, got -1"),
        (lambda: mr.Sinkhorn(max_iterations=1.5), TypeError, "max_iterations must be an integer"),
        (lambda: mr.Sinkhorn(marginal_penalty=0), ValueError, "marginal_penalty must be above 0, got 0.0"),
        (lambda: mr.Sinkhorn(relative="yes"), TypeError, "relative must be True or False, got 'yes'"),
        (lambda: mr.transport([[1.0]], epsilon="a"), TypeError, "epsilon must be a number or a Sinkhorn, got 'a'"),
        (lambda: mr.transport([[1.0]], epsilon=-1), ValueError, "epsilon must be above 0"),
        (lambda: mr.transport([[1.0]], epsilon=mr.Sinkhorn(debiased=True)), ValueError, "use a measure"),
        (lambda: mr.transport([[1.0]], fraction=0), ValueError, "fraction must be above 0"),
        (lambda: mr.transport([[1.0]], fraction=1.5), ValueError, "fraction must be above 0 and at most 1, got 1.5"),
        (lambda: mr.transport([[np.nan]], epsilon=0.1), ValueError, "cost: entry (0, 0) is NaN"),
        (lambda: mr.transport([[1.0, -1e300]], epsilon=0.1), ValueError, "cost: entry (0, 1) is too large (-1e+300); "),
        (
            lambda: mr.transport([[1.0]], capacity=2, epsilon=mr.Sinkhorn(marginal_penalty=1)),
            ValueError,
            "marginal_penalty needs capacity 1 and fraction 1, got capacity 2, fraction 1",
        ),
        (
            lambda: mr.wrd.replace(fraction=0.5, problem=mr.Sinkhorn(debiased=True)),
            ValueError,
            "debiased needs capacity 1 and fraction 1, got capacity 1, fraction 0.5",
        ),
        (lambda: mr.Measure(problem="entropic"), ValueError, "problem must be one of 'exact', 'relaxed', 'sinkhorn'"),
        (lambda: mr.Measure(problem=3), TypeError, "'relaxed', 'sinkhorn', or a Sinkhorn, got 3"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call()
