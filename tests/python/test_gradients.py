"""Derivatives against finite differences, of every ground cost, weighting and problem."""

import math
import re

import numpy as np
import pytest

import moverank as mr

SMOOTH = mr.Sinkhorn(0.3, relative=False, tolerance=1e-13, max_iterations=100_000)
MEASURES = [
    mr.wrd,
    mr.wmd,
    mr.Measure("sqeuclidean", "norm", 3.0),
    mr.maxsim,
    mr.wmd.replace(fraction=0.47),
    mr.wrd.replace(problem=SMOOTH),
    mr.wmd.replace(problem=SMOOTH, capacity=2.0, fraction=0.7),
    mr.wmd.replace(problem=SMOOTH.replace(marginal_penalty=0.5)),
    mr.wrd.replace(problem=SMOOTH.replace(debiased=True)),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: repr(m)[8:90])
def test_derivatives_are_limits_of_differences(measure, weighted):
    rng = np.random.default_rng(1)
    arguments = {"x": rng.normal(size=(4, 3)), "y": rng.normal(size=(6, 3))}
    if weighted:
        arguments |= {"a": rng.random(4) + 0.2, "b": rng.random(6) + 0.2}

    def value(changed):
        return mr.gradients(measure=measure, **changed).value

    found = mr.gradients(measure=measure, **arguments)
    for name, array in arguments.items():
        for place in np.ndindex(array.shape):
            step = np.zeros_like(array)
            step[place] = 1e-6
            up, down = (value(arguments | {name: array + sign * step}) for sign in (1, -1))
            assert getattr(found, name)[place] == pytest.approx((up - down) / 2e-6, abs=1e-5)
    if not weighted:
        assert found.a is None
        assert found.b is None


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: repr(m)[8:90])
def test_the_value_is_the_distance(measure):
    rng = np.random.default_rng(2)
    for _ in range(5):
        x = rng.normal(size=(5, 8)).astype(np.float32)
        y = rng.normal(size=(9, 8)).astype(np.float32)
        assert mr.gradients(x, y, measure).value == pytest.approx(measure(x, y), abs=2e-5)


def test_equal_tokens_under_euclidean_cost_have_a_finite_derivative():
    x = np.ones((2, 3))
    found = mr.gradients(x, x, "wmd")
    np.testing.assert_array_equal(found.x, np.zeros((2, 3)))
    assert repr(found) == "Gradients(value=0, x=2x3, y=2x3)"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mr.gradients([[1.0]], [[1.0, 2.0]]), "x has dimension 1 and y has dimension 2"),
        (lambda: mr.gradients([[math.nan]], [[1.0]]), "x: token 0 is not finite"),
        (lambda: mr.gradients([[1.0]], [[0.0]]), "y: total mass is zero"),
        (lambda: mr.gradients([[1.0]], [[1.0], [0.0]], b=[1, 1]), "y: token 1 is a zero vector"),
        (lambda: mr.gradients(np.zeros((0, 2)), [[1.0, 1.0]]), "x: expected at least one token"),
        (lambda: mr.gradients([[1.0]], [[1.0]], "rwmd"), "the relaxed problem has no derivatives"),
        (
            lambda: mr.gradients([[1.0]], [[1.0]], mr.wmd.replace(problem="sinkhorn")),
            "derivatives need an epsilon in units of the cost: relative=False",
        ),
        (lambda: mr.gradients([[1.0]], [[1.0]], "wmd", a=[-1.0]), "a: weight 0 is negative"),
        (lambda: mr.gradients([[1.0]], [[1.0]], mr.wmd.replace(weighting="given")), "a: weighting 'given' needs"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call()
