"""What it costs to know how sure the moves of an alignment are.

    bench/one-core bench/python/bench_uncertainty.py        # about a minute

Pairs of texts' sizes, cosine costs, mass by norm. "align" is the plan alone, "with samples" the plan with the samples,
"one by one" the same samples solved by a call of `transport` each, of which only plans are kept. Milliseconds.
"""

from __future__ import annotations

import argparse

import numpy as np

import moverank as mr
from harness import environment, number, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource

SIZES = [(8, 8), (20, 20), (20, 200), (64, 64), (200, 200)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(environment(), end="\n\n")
    entropic = mr.wrd.replace(problem=mr.Sinkhorn(0.05))
    rows = []
    for n, m in SIZES:
        tokens = TokenSource(dim=128, seed=n + m)
        x, y = tokens.sequence(n), tokens.sequence(m)
        alone = mr.align(x, y)
        # Of mean 0 and of the documented scale, so that both solve the same problems.
        scale = 0.1 * float(np.median(np.abs(alone.cost)))

        def one_by_one(alone: mr.Alignment = alone, scale: float = scale) -> np.ndarray:
            drawn = np.random.default_rng(0).standard_exponential((args.samples, *alone.cost.shape))
            costs = (alone.cost + scale * (np.log(drawn) + np.euler_gamma)).astype(np.float32)
            return np.mean([mr.transport(cost, alone.a, alone.b).plan for cost in costs], axis=0)

        sampled = mr.align(x, y, samples=args.samples).uncertainty
        np.testing.assert_allclose(one_by_one(), sampled.mean, atol=1e-6)
        cases = {
            "align": lambda x=x, y=y: mr.align(x, y),
            "samples": lambda x=x, y=y: mr.align(x, y, samples=args.samples),
            "one by one": one_by_one,
            "entropic": lambda x=x, y=y: mr.align(x, y, entropic, samples=args.samples),
        }
        times = medians(interleaved(cases, rounds=args.rounds), per=1)
        milliseconds = [times[name] / 1e3 for name in cases]
        rows.append([f"{n} × {m}", *(number(t) for t in milliseconds)])
    header = ["tokens", "align", f"with {args.samples} samples", "one by one", "with samples, entropic"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
