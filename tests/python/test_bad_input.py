"""Bad input to any function is an error of the right type that names the argument."""

import subprocess
import sys

import numpy as np
import pytest

import moverank as mr

GOOD = np.eye(3)
DOCS = [np.eye(3), np.ones((2, 3))]

# Each takes one sequence of tokens; the name is what its errors call it.
TAKE_TOKENS = {
    "x": lambda value: mr.wmd(value, GOOD),
    "y": lambda value: mr.wrd(GOOD, value, capacity=4),
    "x ": lambda value: mr.align(value, GOOD),
    "y ": lambda value: mr.align(GOOD, value, "maxsim"),
    "query": lambda value: mr.distances(value, DOCS),
    "query ": lambda value: mr.Index.build(DOCS).search(value),
    "docs: sequence 1": lambda value: mr.distances(GOOD, [GOOD, value]),
    "docs: sequence 2": lambda value: mr.Index.build([*DOCS, value]),
    "A: sequence 0": lambda value: mr.pairwise([value]),
    "B: sequence 1": lambda value: mr.pairwise(DOCS, [GOOD, value]),
}


@pytest.mark.parametrize("name", TAKE_TOKENS)
@pytest.mark.parametrize(
    ("value", "kind", "fault"),
    [
        ([[1.0, 2.0, np.nan]], ValueError, "token 0 is not finite"),
        ([[1.0, 2.0, 3.0], [1.0, -np.inf, 0.0]], ValueError, "token 1 is not finite"),
        ([[1e39, 0.0, 0.0]], ValueError, "token 0 is not finite in float32"),
        # A NaN that signals: casts of it warn.
        (np.full((1, 3), 0x7FF0000000000001).view(np.float64), ValueError, "token 0 is not finite"),
        (np.zeros((0, 3)), ValueError, "has no tokens"),
        (np.zeros((3, 0)), ValueError, "tokens have no dimensions"),
        (np.ones(3), ValueError, r"expected an array of shape \(n, d\), got shape \(3,\)"),
        (np.ones((1, 2, 3)), ValueError, r"got shape \(1, 2, 3\)"),
        ([[1.0, 2.0, 3.0], [1.0]], ValueError, "not a rectangular array"),
        (np.ones((2, 3), dtype=complex), TypeError, "expected real numbers, got dtype complex128"),
        ([["a", "b", "c"]], TypeError, "expected real numbers"),
        ([[None, 1.0, 2.0]], TypeError, "expected real numbers, got dtype object"),
        (np.zeros((2, 3), dtype="datetime64[s]"), TypeError, "expected real numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_malformed_tokens(name, value, kind, fault):
    with pytest.raises(kind, match=f"^{name.strip()}: .*{fault}"):
        TAKE_TOKENS[name](value)


@pytest.mark.parametrize("name", ["x", "y", "query", "query ", "docs: sequence 1", "A: sequence 0", "B: sequence 1"])
def test_zero_vectors_alone_have_no_mass_by_norm(name):
    functions = {**TAKE_TOKENS, "x": lambda value: mr.wrd(value, GOOD)}
    with pytest.raises(ValueError, match=f"^{name.strip()}: total mass is zero"):
        functions[name](np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (lambda: mr.wmd(GOOD, np.eye(2)), "x has dimension 3 and y has dimension 2"),
        (lambda: mr.align(GOOD, np.eye(2)), "x has dimension 3 and y has dimension 2"),
        (lambda: mr.distances(np.eye(2), DOCS), "query has dimension 2 and docs has dimension 3"),
        (lambda: mr.pairwise(DOCS, [np.eye(2)]), "A has dimension 3 and B has dimension 2"),
        (lambda: mr.distances(GOOD, GOOD), r"docs: expected a batch, got one array of shape \(3, 3\)"),
        (lambda: mr.distances(GOOD, []), "docs: expected at least one sequence, got none"),
        (lambda: mr.wmd(mr.Sequences(DOCS), GOOD), "x: expected one sequence, got a batch of 2"),
        (lambda: mr.Measure("cosine", "given")(GOOD, GOOD, np.ones(3)), "y: has no weights"),
        (lambda: mr.Measure("norm"), "ground must be one of"),
        (lambda: mr.wrd(GOOD, GOOD, capacity=0.5), "capacity must be at least 1, got 0.5"),
        (lambda: mr.wrd(GOOD, GOOD, capacity=np.nan), "capacity must be at least 1, got nan"),
        (lambda: mr.distances(GOOD, DOCS, "wmdd"), "unknown measure 'wmdd'; known are 'wmd', 'wrd'"),
        (lambda: mr.Index.build(DOCS, "emmd"), "unknown measure 'emmd'"),
        (lambda: mr.Index.build(DOCS, "emd"), "emd moves mass between bins whose costs are given; pass costs="),
    ],
)
def test_arguments_that_do_not_fit(call, fault):
    with pytest.raises(ValueError, match=fault):
        call()


@pytest.mark.parametrize(
    ("weights", "kind", "fault"),
    [
        ([1, 2], ValueError, "expected 3 weights, one per token, got 2"),
        ([1, 2, -1e-300], ValueError, "weight 2 is negative"),
        ([1, np.nan, 1], ValueError, "weight 1 is not finite"),
        ([1, np.inf, 1], ValueError, "weight 1 is not finite"),
        ([0, 0, 0], ValueError, "total mass is zero"),
        ([[1, 1, 1]], ValueError, r"expected an array of shape \(n,\), got shape \(1, 3\)"),
        (["1", "1", "1"], TypeError, "expected real numbers"),
        ([1j, 1, 1], TypeError, "expected real numbers"),
    ],
)
def test_malformed_weights(weights, kind, fault):
    calls = {
        "a": lambda: mr.wmd(GOOD, GOOD, weights),
        "b": lambda: mr.align(GOOD, GOOD, b=weights),
        "a ": lambda: mr.transport(np.eye(3), weights),
        "weights": lambda: mr.Index.build(DOCS).search(GOOD, weights=weights),
        "sequence 1": lambda: mr.Sequences([GOOD, GOOD], [np.ones(3), weights]),
    }
    for name, call in calls.items():
        with pytest.raises(kind, match=f"^{name.strip()}: {fault}"):
            call()


@pytest.mark.parametrize(
    ("cost", "kind", "fault"),
    [
        ([[1.0, np.nan]], ValueError, r"cost: entry \(0, 1\) is NaN"),
        (np.zeros((0, 2)), ValueError, "cost: expected at least one row"),
        ([1.0, 2.0], ValueError, "cost: expected an array of shape"),
        ([["a"]], TypeError, "cost: expected real numbers"),
    ],
)
def test_malformed_costs(cost, kind, fault):
    with pytest.raises(kind, match=fault):
        mr.transport(cost)


def test_importing_the_package_brings_numpy_and_no_other_third_party():
    program = (
        "import sys, numpy; before = set(sys.modules); import moverank; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # Python has a private name for its subinterpreters.
    assert set(done.stdout.split()) <= {"moverank", "numpy", "_xxsubinterpreters"}


def test_a_name_that_the_package_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sinkhorm'"):
        mr.sinkhorm  # noqa: B018
