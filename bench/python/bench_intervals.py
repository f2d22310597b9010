"""How close the proved interval of an entropic solve comes to the exact value, against epsilon and iterations.

    bench/one-core bench/python/bench_intervals.py        # about a minute

Problems of 32 by 32 tokens, cosine costs, mass by norm; epsilon in units of the median cost. "lower" and "upper" are
mean distances of the interval's ends from the exact value, in per cent of it; "value" is by how much the entropic value
exceeds it. Times are microseconds per problem with the interval, beside those of an exact solve.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import moverank as mr
from harness import environment, number, record, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource, word_rotator_problem

EPSILONS = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005]
ITERATIONS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 10_000]
PROBLEMS = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    args = parser.parse_args()
    print(environment(), end="\n\n")
    tokens = TokenSource(dim=300, seed=args.size)
    problems = [word_rotator_problem(*(tokens.sequence(args.size) for _ in range(2))) for _ in range(PROBLEMS)]
    costs, a, b = (np.stack(arrays) for arrays in zip(*problems, strict=True))
    costs = costs.astype(np.float32)
    exact = mr.transport_batch(costs, a, b).values

    def solve(epsilon: float, iterations: int) -> mr.SinkhornBatch:
        return mr.transport_batch(costs, a, b, epsilon=mr.Sinkhorn(epsilon, max_iterations=iterations), num_threads=1)

    figures: dict[str, dict[str, float]] = {}
    for epsilon in EPSILONS:
        for iterations in ITERATIONS:
            found = solve(epsilon, iterations)
            figures[f"{epsilon:g} {iterations}"] = {
                "lower": 100 * float(np.mean((exact - found.lower) / exact)),
                "upper": 100 * float(np.mean((found.upper - exact) / exact)),
                "value": 100 * float(np.mean((found.values - exact) / exact)),
                "iterations": float(np.mean(found.iterations)),
                "converged": 100 * float(np.mean(found.converged)),
            }
    cases = {f"{epsilon:g}": lambda epsilon=epsilon: solve(epsilon, ITERATIONS[-1]) for epsilon in EPSILONS}
    cases["exact"] = lambda: mr.transport_batch(costs, a, b, num_threads=1)
    times = medians(interleaved(cases, rounds=args.rounds), per=PROBLEMS)
    rows = []
    for epsilon in EPSILONS:
        f = figures[f"{epsilon:g} {ITERATIONS[-1]}"]
        f["microseconds"] = times[f"{epsilon:g}"]
        rows.append(
            [f"{epsilon:g}", number(f["iterations"]), f"−{f['lower']:.2f}", f"+{f['upper']:.2f}", f"+{f['value']:.1f}",
             number(f["microseconds"])]
        )  # fmt: skip
    rows.append(["exact", "–", "0", "0", "0", number(times["exact"])])
    print(table(["epsilon", "iterations", "lower, %", "upper, %", "value, %", "µs"], rows))
    record(args.json, environment(), figures)


if __name__ == "__main__":
    main()
