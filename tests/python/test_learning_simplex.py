"""Shares on a simplex: what they are, their derivatives, their limits; skipped where torch is not installed."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from moverank.spaces import simplex as arrays

torch = pytest.importorskip("torch", reason="torch is not installed: pip install moverank[torch]")
learning = pytest.importorskip("moverank.learning")

FUNCTIONS = [learning.softmax, learning.gumbel_softmax, learning.sparsemax]


@st.composite
def ragged(draw):
    """Scores of some texts, and their offsets."""
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=5))
    numbers = st.floats(-6, 6, allow_subnormal=False)
    scores = draw(st.lists(numbers, min_size=sum(lengths), max_size=sum(lengths)))
    return np.array(scores), np.concatenate([[0], np.cumsum(lengths)])


def each(offsets):
    return [slice(*ends) for ends in pairwise(offsets)]


@given(ragged(), st.sampled_from(FUNCTIONS), st.sampled_from([0.3, 1.0, 5.0]), st.sampled_from([None, 0.0, 0.5, 1.0]))
def test_shares_sum_to_one_and_keep_the_order(problem, function, temperature, keep):
    scores, offsets = problem
    scores = np.round(scores, 6)  # of scores that are nearly equal, shares are equal, and either may be selected
    hard = {} if keep is None else {"straight_through": True, "keep": keep}
    found = function(torch.from_numpy(scores), offsets, temperature=temperature, **hard).numpy()
    assert (found >= 0).all()
    for text in each(offsets):
        assert found[text].sum() == pytest.approx(1.0, abs=1e-12)
        order = np.argsort(-scores[text], kind="stable")
        assert (np.diff(found[text][order]) <= 1e-12).all()
        if keep is not None:
            assert (found[text] > 0).sum() <= max(np.ceil(keep * len(order)), 1)


@given(ragged(), st.sampled_from(FUNCTIONS))
def test_a_low_temperature_leaves_the_largest_and_a_high_one_makes_all_equal(problem, function):
    scores, offsets = problem
    distinct = np.round(scores) + np.arange(len(scores)) / 100  # no two within a hundredth
    cold = function(torch.from_numpy(distinct), offsets, temperature=1e-4).numpy()
    hot = function(torch.from_numpy(distinct), offsets, temperature=1e9).numpy()
    one = function(torch.from_numpy(distinct), offsets, straight_through=True).numpy()
    for text in each(offsets):
        n = len(distinct[text])
        np.testing.assert_allclose(cold[text], np.arange(n) == distinct[text].argmax(), atol=1e-12)
        np.testing.assert_array_equal(one[text], np.arange(n) == distinct[text].argmax())
        np.testing.assert_allclose(hot[text], np.full(n, 1 / n), atol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_derivatives_are_those_of_finite_differences(function, temperature):
    rng = np.random.default_rng(3)
    offsets = np.array([0, 1, 5, 12])
    scores = torch.from_numpy(rng.normal(size=12)).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: function(s, offsets, temperature=temperature), scores, eps=1e-7)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_derivatives_pass_straight_through_the_selection(function):
    offsets, direction = np.array([0, 4, 6]), torch.tensor([1.0, -2.0, 0.5, 3.0, 1.0, 4.0])
    found = []
    for straight_through in (False, True):
        scores = torch.tensor([0.1, 0.9, 0.3, 0.2, 1.0, 0.4], requires_grad=True)
        shares = function(scores, offsets, straight_through=straight_through)
        (shares * direction).sum().backward()
        found.append(scores.grad.numpy())
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0]).max() > 0.1


@given(ragged())
def test_sparsemax_is_the_nearest_point_of_the_simplex(problem):
    scores, offsets = problem
    found = arrays.sparsemax(scores, offsets)
    for text in each(offsets):
        own, near = scores[text], found[text]
        # Optimal if and only if s - p is constant where p > 0 and not larger elsewhere.
        slack = own - near
        assert slack[near > 0].max() - slack[near > 0].min() <= 1e-9
        assert (slack[near == 0] <= slack[near > 0].min() + 1e-9).all()


def test_sparsemax_against_a_general_solver():
    own = np.array([0.3, 1.1, -0.4, 0.9])
    solved = minimize(
        lambda p: ((p - own) ** 2).sum(),
        np.full(4, 0.25),
        bounds=[(0, None)] * 4,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
    )
    np.testing.assert_allclose(arrays.sparsemax(own, np.array([0, 4])), solved.x, atol=1e-6)


def test_the_largest_under_noise_is_drawn_in_proportion():
    rng = np.random.default_rng(0)
    scores, offsets = torch.log(torch.tensor([0.6, 0.3, 0.1])), np.array([0, 3])
    drawn = [
        learning.gumbel_softmax(scores, offsets, straight_through=True, rng=rng).numpy().argmax() for _ in range(4000)
    ]
    np.testing.assert_allclose(np.bincount(drawn) / 4000, [0.6, 0.3, 0.1], atol=0.03)


def test_large_scores_do_not_overflow():
    scores = np.array([1e300, 0.0, -1e300, 5.0])
    for kind in arrays.KINDS:
        np.testing.assert_array_equal(arrays.shares(kind, scores, np.array([0, 3, 4])), [1, 0, 0, 1])


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ({"scores": torch.ones(2, 2)}, TypeError, r"scores: expected a tensor .* of shape \(T,\), got shape \(2, 2\)"),
        ({"scores": [1.0]}, TypeError, "scores: expected a tensor .*, got list"),
        ({"offsets": [0, 2]}, ValueError, "offsets: must start at 0 and end at 3"),
        ({"offsets": [0, 0, 3]}, ValueError, "text 0: has no tokens"),
        ({"temperature": 0}, ValueError, "temperature must be above 0"),
        ({"keep": 1.5}, ValueError, "keep must be from 0 to 1, got 1.5"),
    ],
)
def test_bad_arguments_are_refused(how, kind, message):
    with pytest.raises(kind, match=message):
        learning.softmax(**{"scores": torch.ones(3), "offsets": [0, 3], **how})
