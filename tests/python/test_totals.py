"""Problems whose totals count, against POT."""

import numpy as np
import pytest

import moverank as mr

ot = pytest.importorskip("ot")

PRICED = mr.Sinkhorn(0.05, relative=False, tolerance=1e-13, max_iterations=100_000, marginal_penalty=1.0)


def problem(seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(0.5, 4) * rng.dirichlet(np.ones(size)) for size in (6, 7))
    return rng.random((6, 7)), a, b


def divergence(p, q):
    return float((p * np.log(np.where(p > 0, p, 1) / q) - p + q).sum())


@pytest.mark.parametrize("seed", range(6))
def test_unbalanced_plans_are_those_of_pot(seed):
    cost, a, b = problem(seed)
    theirs = ot.unbalanced.sinkhorn_unbalanced(a, b, cost, 0.05, 1.0, reg_type="kl", stopThr=1e-15, numItermax=200_000)
    ours = mr.transport(cost, a, b, epsilon=PRICED, totals="given")
    np.testing.assert_allclose(ours.plan, theirs, atol=1e-7)
    assert ours.plan.sum() == pytest.approx(theirs.sum(), abs=1e-7)
    value = (cost * theirs).sum() + 0.05 * divergence(theirs, np.outer(a, b))
    value += divergence(theirs.sum(1), a) + divergence(theirs.sum(0), b)
    assert ours.value == pytest.approx(value, abs=1e-7)
    f, g = ours.potentials
    np.testing.assert_allclose(np.outer(a, b) * np.exp((f[:, None] + g - cost) / 0.05), ours.plan, atol=1e-9)
    without_entropy = value - 0.05 * divergence(theirs, np.outer(a, b))
    assert ours.lower <= min(ours.upper, without_entropy)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.2, 0.9, 1.0])
def test_an_amount_moves_as_in_pot(seed, share):
    cost, a, b = problem(seed)
    amount = share * min(a.sum(), b.sum())
    theirs = ot.partial.partial_wasserstein2(a, b, cost, m=amount * (1 - 1e-15))
    ours = mr.transport(cost, a, b, totals="given", amount=amount)
    assert ours.value == pytest.approx(theirs, abs=1e-8)
    assert ours.gap < 1e-10
    assert ours.plan.sum() == pytest.approx(amount, rel=1e-12)
    assert (ours.plan.sum(1) <= a * (1 + 1e-12)).all()
    assert (ours.plan.sum(0) <= b * (1 + 1e-12)).all()
    smooth = mr.transport(cost, a, b, totals="given", amount=amount, epsilon=0.05)
    assert smooth.lower - 1e-9 <= ours.value <= smooth.upper + 1e-9
    value = (smooth.plan * cost).sum() + 0.05 * divergence(smooth.plan, np.outer(a, b))
    assert smooth.value == pytest.approx(value, abs=1e-3)


def test_equal_totals_scale_value_and_plan():
    cost, a, b = problem(0)
    a, b = 3 * a / a.sum(), 3 * b / b.sum()
    ours = mr.transport(cost, a, b, totals="given")
    assert ours.value == pytest.approx(ot.emd2(a, b, cost))
    np.testing.assert_allclose(ours.plan.sum(1), a)
    limited = mr.transport(cost, a, 2 * b, totals="given", capacity=1.5)
    assert limited.value == pytest.approx(3 * mr.transport(cost, a, b, capacity=3.0).value)
    assert mr.transport(cost, a, b, totals="given", capacity=np.inf).value == pytest.approx((cost.min(1) * a).sum())


@pytest.mark.parametrize("epsilon", [None, mr.Sinkhorn(0.1, relative=False, tolerance=1e-9), PRICED])
def test_a_batch_is_its_problems_whichever_side_is_larger(epsilon):
    rng = np.random.default_rng(4)
    costs, a, b = rng.random((7, 4, 5)), rng.random((7, 4)), rng.random((7, 5))
    options = {"totals": "given", "epsilon": epsilon}
    if epsilon is not PRICED:
        options["amount"] = 0.8 * min(a.sum(1).min(), b.sum(1).min())
    assert len(set(a.sum(1) < b.sum(1))) == 2
    batch = mr.transport_batch(costs, a, b, plans=True, **options)
    for p in range(7):
        one = mr.transport(costs[p], a[p], b[p], **options)
        assert batch.values[p] == one.value
        np.testing.assert_array_equal(batch.plans[p], one.plan)


@pytest.mark.parametrize("epsilon", [None, 0.1])
@pytest.mark.parametrize("options", [{}, {"capacity": 2.0}, {"fraction": 0.6}])
def test_plans_of_a_batch(epsilon, options):
    costs = np.random.default_rng(0).random((9, 4, 6))
    batch = mr.transport_batch(costs, plans=True, epsilon=epsilon, num_threads=2, **options)
    assert batch.plans.shape == costs.shape
    for p in range(9):
        np.testing.assert_array_equal(batch.plans[p], mr.transport(costs[p], epsilon=epsilon, **options).plan)
    assert mr.transport_batch(costs, epsilon=epsilon, **options).plans is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"totals": "given"}, "must have the same total: a has 3, b has 2; amount= says"),
        ({"totals": "given", "amount": 2.5}, "amount 2.5 is more than can move: a has 3, b has 2"),
        ({"totals": "given", "capacity": 1.25}, "b has no room for a at capacity 1.25"),
        ({"totals": "given", "amount": 1, "fraction": 0.5}, "give amount or fraction, not both"),
        ({"totals": "given", "amount": 1, "epsilon": PRICED}, "amount: marginals with prices"),
        ({"totals": "given", "amount": 0}, "amount must be"),
        ({"amount": 1}, "amount needs totals='given'"),
        ({"totals": "kept"}, "totals must be one of 'normalised', 'given'"),
    ],
)
def test_totals_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mr.transport(np.eye(2), [1, 2], [1, 1], **options)


def test_a_batch_names_the_problem_whose_totals_differ():
    with pytest.raises(ValueError, match="problem 1: a and b must have the same total: a has 2, b has 3"):
        mr.transport_batch(np.ones((2, 2, 2)), [1, 1], [[1, 1], [1, 2]], totals="given")
    with pytest.raises(ValueError, match=r"b\[1\]: weight 0 is negative"):
        mr.transport_batch(np.ones((2, 2, 2)), [1, 1], [[1, 1], [-1, 2]], totals="given")
