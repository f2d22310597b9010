"""Steps of training per second: ragged batches on the core against the same model in plain torch, padded.

    pip install -e '.[torch]'
    python bench/python/bench_learning.py --threads 2     # two minutes

A step: 16 queries (8 to 40 tokens) against 16 relevant and 96 other documents (40 to 256 tokens), 22 candidates per
query; a projection of 384 to 128 dimensions and token weights, contrastive loss, Adam. Transport in torch is Sinkhorn
in logarithms on padded costs, 50 iterations at ε = 0.05, differentiated through all of them, or, a fairer rival, by
the envelope theorem as here. MaxSim is a maximum of inner products in both. Vectors are drawn around 300 centres.
Medians.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

import moverank as mr
from harness import environment, table
from moverank.learning.batches import Ragged, pair_distances
from moverank.learning.losses import contrastive
from moverank.learning.projection import mapped

QUERIES, OTHERS, DIM, KEPT = 16, 6, 384, 128
EPSILON, ITERATIONS, TEMPERATURE = 0.05, 50, 0.02


class Data:
    """Tokens of one batch, flat, and which pairs are compared."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(300, DIM))
        self.lengths = [rng.integers(8, 41, QUERIES), rng.integers(40, 257, QUERIES * (1 + OTHERS))]
        self.tokens = [
            torch.from_numpy(centres[rng.integers(300, size=n.sum())] + 0.5 * rng.normal(size=(n.sum(), DIM))).float()
            for n in self.lengths
        ]
        rows = [
            [q, *range(QUERIES + q * OTHERS, QUERIES + (q + 1) * OTHERS), *(d for d in range(QUERIES) if d != q)]
            for q in range(QUERIES)
        ]
        self.right = np.array(rows).ravel()
        self.left = np.repeat(np.arange(QUERIES), len(rows[0]))
        self.width = len(rows[0])

    def parameters(self) -> list[Tensor]:
        """A projection, and the influence of the norm on weights."""
        torch.manual_seed(0)
        return [torch.nn.Parameter(torch.randn(DIM, KEPT) / DIM**0.5), torch.nn.Parameter(torch.zeros(()))]

    def loss(self, distances: Tensor) -> Tensor:
        """Contrast of the first candidate of each query with the others."""
        found = distances.reshape(QUERIES, self.width)
        positive = torch.zeros_like(found, dtype=torch.bool)
        positive[:, 0] = True
        return contrastive(found, positive, torch.ones_like(positive), temperature=TEMPERATURE)


def ragged(data: Data, parameters: list[Tensor], measure: mr.Measure, threads: int) -> Tensor:
    """Distances by the core."""
    sides = []
    for tokens, lengths in zip(data.tokens, data.lengths, strict=True):
        mass = torch.linalg.vector_norm(tokens, dim=1) ** (1 + parameters[1])
        sides.append(Ragged(mapped(tokens, parameters[0]), mass, np.concatenate([[0], np.cumsum(lengths)])))
    return pair_distances(*sides, data.left, data.right, measure, num_threads=threads)


def padded(data: Data, parameters: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Tokens and shares of both sides, with zeros where texts are shorter."""
    tokens, shares = [], []
    for own, lengths in zip(data.tokens, data.lengths, strict=True):
        parts = torch.split(own, lengths.tolist())
        filled = torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)
        norms = torch.linalg.vector_norm(filled, dim=2)
        mass = torch.where(norms > 0, norms.clamp_min(1e-30) ** (1 + parameters[1]), 0.0)
        tokens.append(filled @ parameters[0])
        shares.append(mass / mass.sum(dim=1, keepdim=True))
    return tokens, shares


def products(data: Data, tokens: list[Tensor]) -> Tensor:
    """Inner products of all pairs, padded."""
    return torch.bmm(tokens[0][data.left], tokens[1][data.right].transpose(1, 2))


def by_sinkhorn(data: Data, parameters: list[Tensor], *, unrolled: bool) -> Tensor:
    """Entropic transport in plain torch."""
    tokens, shares = padded(data, parameters)
    unit = [torch.nn.functional.normalize(own, dim=2, eps=1e-12) for own in tokens]
    cost = 1.0 - products(data, unit)
    log_a, log_b = (
        torch.log(own.clamp_min(1e-30))[of] for own, of in zip(shares, (data.left, data.right), strict=True)
    )
    with torch.set_grad_enabled(unrolled):
        scaled = -(cost if unrolled else cost.detach()) / EPSILON
        f, g = torch.zeros_like(log_a), torch.zeros_like(log_b)
        for _ in range(ITERATIONS):
            f = -torch.logsumexp(scaled + (g + log_b)[:, None, :], dim=2)
            g = -torch.logsumexp(scaled + (f + log_a)[:, :, None], dim=1)
        plan = torch.exp(scaled + (f + log_a)[:, :, None] + (g + log_b)[:, None, :])
    if unrolled:
        return (plan * cost).sum(dim=(1, 2))
    by_mass = EPSILON * ((log_a.exp() * f.detach()).sum(dim=1) + (log_b.exp() * g.detach()).sum(dim=1))
    return (plan * cost).sum(dim=(1, 2)) + by_mass - by_mass.detach()


def by_maxsim(data: Data, parameters: list[Tensor]) -> Tensor:
    """MaxSim in plain torch."""
    tokens, shares = padded(data, parameters)
    found = products(data, tokens).masked_fill((shares[1][data.right] == 0)[:, None, :], -torch.inf)
    return -(shares[0][data.left] * found.amax(dim=2)).sum(dim=1)


def seconds(data: Data, distances: Callable[[list[Tensor]], Tensor], repeats: int) -> float:
    """Median time of a step: distances, loss, derivatives, update."""
    parameters = data.parameters()
    optimizer = torch.optim.Adam(parameters, lr=1e-4)
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        optimizer.zero_grad()
        data.loss(distances(parameters)).backward()
        optimizer.step()
        times.append(time.perf_counter() - began)
    return float(np.median(times[1:]))


def check(data: Data) -> None:
    """Both sides compute the same: MaxSim, and plans of entropy, which cost little more than the best."""
    with torch.no_grad():
        parameters = data.parameters()
        ours, theirs = ragged(data, parameters, mr.maxsim, 1), by_maxsim(data, parameters)
        assert torch.allclose(ours, theirs, rtol=1e-4), (ours - theirs).abs().max()
        best = ragged(data, parameters, mr.wrd, 1)
        found = by_sinkhorn(data, parameters, unrolled=False)
        assert bool((found > best - 1e-3).all()), (found - best).min()
        assert bool((found < best + 0.2).all()), (found - best).max()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(environment("torch"), f"{args.threads} thread(s)", sep=", ", end="\n\n")
    data, wrd = Data(), mr.wrd
    check(data)
    entropic = wrd.replace(problem=mr.Sinkhorn(EPSILON, relative=False, max_iterations=ITERATIONS))
    ours: dict[str, mr.Measure] = {"exact WRD": wrd, "WRD, capacity 4": wrd.replace(capacity=4)}
    ours |= {"entropic WRD": entropic, "MaxSim": mr.maxsim}
    times = {f"{name}: ours": seconds(data, lambda p, m=m: ragged(data, p, m, args.threads), args.repeats)
             for name, m in ours.items()}  # fmt: skip
    times["Sinkhorn in torch, unrolled"] = seconds(data, lambda p: by_sinkhorn(data, p, unrolled=True), 2)
    times["Sinkhorn in torch, envelope"] = seconds(data, lambda p: by_sinkhorn(data, p, unrolled=False), 2)
    times["MaxSim in torch"] = seconds(data, lambda p: by_maxsim(data, p), args.repeats)
    lines = [[name, f"{own:.3f}", f"{1 / own:.2f}"] for name, own in times.items()]
    print(table([f"{len(data.left)} pairs per step", "seconds", "steps per second"], lines))


if __name__ == "__main__":
    main()
