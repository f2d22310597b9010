"""The torch functions by torch's own gradcheck, ragged batches, dtypes; skipped where torch is not installed."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest

import moverank as mr

torch = pytest.importorskip("torch", reason="torch is not installed: pip install moverank[torch]")
mrt = pytest.importorskip("moverank.torch")

SMOOTH = mr.Sinkhorn(0.3, relative=False, tolerance=1e-13, max_iterations=100_000)


def tensor(rng, *shape, positive=False):
    values = rng.random(shape) + 0.2 if positive else rng.normal(size=shape)
    return torch.tensor(values, requires_grad=True)


@pytest.mark.slow(reason="finite differences of every entry")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "function",
    [
        mrt.wmd,
        mrt.wrd,
        lambda *args: mrt.wrd(*args, capacity=2.5),
        lambda *args: mrt.sinkhorn(*args, epsilon=0.3, tolerance=1e-13),
        lambda *args: mrt.sinkhorn(*args, epsilon=0.3, tolerance=1e-13, debiased=True, ground="cosine"),
        lambda *args: mrt.sinkhorn(*args, epsilon=0.3, tolerance=1e-13, marginal_penalty=1.0, weighting="norm"),
    ],
    ids=["wmd", "wrd", "wrd-capacity", "sinkhorn", "divergence", "unbalanced"],
)
def test_gradcheck_of_pairs_and_ragged_batches(function, weighted):
    rng = np.random.default_rng(3)
    lengths = [(3, 5), (4, 2), (1, 6)]
    queries = [tensor(rng, n, 3) for n, _ in lengths]
    documents = [tensor(rng, m, 3) for _, m in lengths]
    a = [tensor(rng, n, positive=True) for n, _ in lengths] if weighted else None
    b = [tensor(rng, m, positive=True) for _, m in lengths] if weighted else None
    pair = (queries[0], documents[0]) + ((a[0], b[0]) if weighted else ())
    assert torch.autograd.gradcheck(function, pair, atol=1e-5)

    def batched(*flat):
        parts = [list(flat[k : k + 3]) for k in range(0, len(flat), 3)]
        return function(*parts)

    flat = (*queries, *documents) + ((*a, *b) if weighted else ())
    assert torch.autograd.gradcheck(batched, flat, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"capacity": 2.0}, {"fraction": 0.6}, {"epsilon": SMOOTH},
                                     {"epsilon": SMOOTH, "capacity": 1.5}, {"epsilon": SMOOTH, "fraction": 0.6},
                                     {"epsilon": SMOOTH.replace(marginal_penalty=0.5)}])  # fmt: skip
def test_gradcheck_of_transport(options):
    rng = np.random.default_rng(4)
    cost, a, b = tensor(rng, 4, 6), tensor(rng, 4, positive=True), tensor(rng, 6, positive=True)
    assert torch.autograd.gradcheck(lambda *args: mrt.transport(*args, **options), (cost, a, b), atol=1e-5)


def test_one_query_against_many_is_the_batch():
    rng = np.random.default_rng(5)
    query = tensor(rng, 4, 3)
    documents = [tensor(rng, m, 3) for m in (2, 5, 7)]
    values = mrt.wrd(query, documents)
    assert values.shape == (3,)
    torch.testing.assert_close(values, torch.stack([mrt.wrd(query, d) for d in documents]))
    upstream = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    values.backward(upstream)
    expected = sum(
        float(w) * mr.gradients(query.detach(), d.detach(), "wrd").x for w, d in zip(upstream, documents, strict=True)
    )
    np.testing.assert_allclose(query.grad.numpy(), expected, atol=1e-12)
    torch.testing.assert_close(mrt.wrd(documents, query).shape, values.shape)
    assert mrt.wmd([], []).shape == (0,)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes_come_back(dtype):
    rng = np.random.default_rng(6)
    x = torch.tensor(rng.normal(size=(4, 3)), dtype=dtype, requires_grad=True)
    value = mrt.wmd(x, torch.tensor(rng.normal(size=(5, 3)), dtype=dtype))
    value.backward()
    assert value.dtype == x.grad.dtype == dtype


def test_learning_moves_a_cloud_onto_another():
    rng = np.random.default_rng(7)
    target = torch.tensor(rng.normal(size=(6, 2)))
    cloud = torch.tensor(rng.normal(size=(6, 2)) + 3, requires_grad=True)
    optimizer = torch.optim.Adam([cloud], lr=0.2)
    first = None
    for _ in range(150):
        optimizer.zero_grad()
        loss = mrt.sinkhorn(cloud, target, epsilon=0.05, ground="sqeuclidean", debiased=True)
        first = float(loss.detach()) if first is None else first
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.02 * first


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: mrt.wmd(np.ones((2, 2)), torch.ones(2, 2)), TypeError, "x: expected tensors, got ndarray"),
        (lambda: mrt.wmd([np.ones((2, 2))], [torch.ones(2, 2)]), TypeError, "x[0]: expected tensors, got ndarray"),
        (lambda: mrt.wmd(torch.ones(2), torch.ones(2, 2)), ValueError, "x: expected a tensor of shape (n, d)"),
        (lambda: mrt.wmd(torch.ones(2, 2), [torch.ones(2, 2), torch.ones(2)]), ValueError, "y[1]: expected a tensor"),
        (lambda: mrt.wmd([torch.ones(2, 2)] * 2, [torch.ones(2, 2)] * 3), ValueError, "as many queries as documents"),
        (lambda: mrt.wrd(torch.ones(2, 2), torch.zeros(2, 2)), ValueError, "y[0]: total mass is zero"),
        (lambda: mrt.wmd(torch.ones(2, 2).int(), torch.ones(2, 2).int()), TypeError, "x: expected a tensor of real"),
        (lambda: mrt.wmd(torch.ones(2, 2), torch.ones(2, 2), torch.ones(3)), ValueError, "a[0]: expected shape (2,)"),
        (
            lambda: mrt.wmd(torch.ones(2, 2), torch.ones(2, 2), [torch.ones(2)] * 2),
            ValueError,
            "a: expected weights for 1 sequences, got 2",
        ),
        (
            lambda: mrt.distance(torch.ones(2, 2), torch.ones(2, 2), mr.Measure("cosine", "given")),
            ValueError,
            "a: weighting 'given' needs weights",
        ),
        (lambda: mrt.sinkhorn(torch.ones(1, 1), torch.ones(1, 1), epsilon=0.0), ValueError, "epsilon must be above 0"),
        (
            lambda: mrt.transport(torch.ones(2, 2), epsilon=mr.Sinkhorn()),
            ValueError,
            "derivatives need an epsilon in units of the cost",
        ),
        (lambda: mrt.transport(np.ones((2, 2))), TypeError, "cost: expected a tensor, got ndarray"),
        (lambda: mrt.transport([[1.0]]), TypeError, "cost: expected a tensor, got list"),
        (lambda: mrt.transport(mr.Sequence(np.eye(2))), TypeError, "cost: expected a tensor, got Sequence"),
        (lambda: mrt.transport(torch.ones(2, 2), np.ones(2)), TypeError, "a: expected a tensor, got ndarray"),
        (lambda: mrt.transport(torch.ones(2, 2), None, [1.0, 1.0]), TypeError, "b: expected a tensor, got list"),
        (
            lambda: mrt.wmd(torch.ones(2, 2), torch.ones(2, 2), np.ones(2)),
            TypeError,
            "a: expected tensors, got ndarray",
        ),
        (lambda: mrt.wmd(torch.ones(2, 2), torch.ones(2, 2), b=1.0), TypeError, "b: expected tensors, got float"),
        (lambda: mrt.transport(torch.full((1, 1), math.nan)), ValueError, "cost: entry (0, 0) is NaN"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call()


def test_the_package_itself_never_loads_torch():
    code = "import sys, moverank; moverank.wrd([[1.0]], [[2.0]]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_constants_that_lost_their_digits_are_told():
    tokens = [1e6 + np.random.default_rng(seed).random((3, 2)) for seed in (0, 1)]
    x, y = map(torch.from_numpy, tokens)
    assert mrt.wmd(x, mr.Sequences(tokens)[1]).item() == mrt.wmd(x, y).item()
    with pytest.warns(mr.PrecisionWarning, match="vectors: lie near"):
        bags = mr.Bags(np.concatenate(tokens), [[0, 1, 2], [3, 4, 5]])
    for constants in (bags, bags[1]):
        with pytest.warns(mr.PrecisionWarning, match="a distance of .* may be off by"):
            mrt.wmd(x, constants)
