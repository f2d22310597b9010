"""Equal sizes and uniform weights: transport is then linear assignment, for which there are solvers of its own.

    bench/one-core bench/python/bench_assignment.py

Random sequences as in bench_exact.py, 1024 different problems a size, in batches where the peer has a call for them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

import moverank as mr
from harness import environment, number, record, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource, word_rotator_problem

SIZES = [8, 16, 32, 64, 128, 256]
PROBLEMS = 1024
CASES = {
    "scipy": "scipy",
    "lapjvr": "lapx `lapjvr_batch`",
    "lapjvh": "lapx `lapjvh_batch`",
    "batch": "`transport_batch`",
}


def lapx_cases(costs: np.ndarray) -> dict[str, Callable[[], object]]:
    """The peer's two fastest, where it is installed."""
    try:
        import lap
    except ImportError:
        return {}
    return {
        "lapjvr": lambda: lap.lapjvr_batch(costs, n_threads=1),
        "lapjvh": lambda: lap.lapjvh_batch(costs, n_threads=1),
    }


def run(n: int, rounds: int) -> tuple[dict[str, float], float]:
    """Microseconds per problem by case, and the largest difference from scipy."""
    tokens = TokenSource(dim=300, seed=n)
    costs = np.stack([word_rotator_problem(tokens.sequence(n), tokens.sequence(n))[0] for _ in range(PROBLEMS)])
    single = costs.astype(np.float32)
    expected = [cost[linear_sum_assignment(cost)].mean() for cost in costs]
    error = float(np.abs(mr.transport_batch(single).values - expected).max())
    if error > 1e-6:
        raise SystemExit(f"n={n}: values differ from scipy's by {error:.1e}")
    cases = {
        "scipy": lambda: [linear_sum_assignment(cost) for cost in costs],
        **lapx_cases(costs),
        "batch": lambda: mr.transport_batch(single, num_threads=1),
    }
    return medians(interleaved(cases, rounds=rounds), per=PROBLEMS), error


def row(n: int, t: dict[str, float], error: float) -> list[object]:
    """One line of the table."""
    best = min(time for name, time in t.items() if name != "batch")
    return [n, *(number(t[name]) if name in t else "–" for name in CASES), f"{best / t['batch']:.1f}×", f"{error:.0e}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the times to this file as well")
    args = parser.parse_args()
    print(environment("scipy", "lapx"), end="\n\n")
    header = ["n", *CASES.values(), "to best", "error"]
    results = {n: run(n, args.rounds) for n in args.sizes}
    print(table(header, [row(n, *result) for n, result in results.items()]))
    record(args.json, environment("scipy", "lapx"), {str(n): times for n, (times, _) in results.items()})


if __name__ == "__main__":
    main()
