"""Optimisers are the user's choice: the example runs them, and AdaX does what its paper says."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install moverank[torch]")
pytest.importorskip("moverank.learning")

EXAMPLES = Path(__file__).parents[2] / "examples" / "learning"


def example(name):
    if not (EXAMPLES / f"{name}.py").exists():
        pytest.skip("examples are in the repository only")
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("betas", [(0.9, 1e-4), (0.5, 0.3), (0.0, 1e-9)])
def test_adax_is_its_equations(decay, betas):
    """A transcription of the paper's algorithm in float64, number by number."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=5), rng.normal(size=(30, 5)) * rng.random((30, 1)) * 10
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = example("adax").AdaX([parameter], lr=0.1, betas=betas, eps=1e-12, weight_decay=decay)
    theta, m, v = start.copy(), np.zeros(5), np.zeros(5)
    for t, g in enumerate(gradients, start=1):
        parameter.grad = torch.from_numpy(g.copy())
        optimizer.step()
        m = betas[0] * m + (1 - betas[0]) * g
        v = (1 + betas[1]) * v + betas[1] * g**2
        corrected = v / ((1 + betas[1]) ** t - 1)
        theta = theta - 0.1 * decay * theta - 0.1 * m / (np.sqrt(corrected) + 1e-12)
        np.testing.assert_allclose(parameter.detach().numpy(), theta, rtol=1e-5, atol=1e-7)


def test_adax_resumes_from_its_state_and_refuses_what_it_cannot_do():
    adax = example("adax").AdaX
    first, second = (torch.nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2))
    whole = adax([first], lr=0.1)
    for _ in range(6):
        first.grad = 2 * first.detach()
        whole.step()
    cut = adax([second], lr=0.1)
    for step in range(6):
        if step == 3:
            state = cut.state_dict()
            cut = adax([second], lr=0.1)
            cut.load_state_dict(state)
        second.grad = 2 * second.detach()
        cut.step()
    np.testing.assert_array_equal(first.detach(), second.detach())
    assert whole.step(lambda: first.square().sum()).item() == pytest.approx(first.square().sum().item(), rel=0.5)
    with pytest.raises(ValueError, match="out of range: lr=-1"):
        adax([first], lr=-1)
    table = torch.nn.Embedding(3, 1, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="AdaX needs dense gradients"):
        adax(table.parameters()).step()


@pytest.mark.parametrize("name", ["Adam", "AdaFactor", "Lookahead of Adam", "AdaX"])
def test_each_optimiser_of_the_example_learns(name):
    if name == "Lookahead of Adam":
        pytest.importorskip("pytorch_optimizer", reason="pytorch-optimizer is not installed")
    module = example("optimizers")
    module.OPTIMIZERS = {name: module.OPTIMIZERS[name]}
    for before, after in module.main(epochs=3).values():
        assert after > before + 0.05
