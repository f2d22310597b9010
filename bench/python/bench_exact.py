"""Microseconds per exact solve with the cost matrix given, against POT: its `emd2`, and the C++ entry below it.

    bench/one-core bench/python/bench_exact.py            # all sizes, about four minutes
    bench/one-core bench/python/bench_exact.py --sizes 8 16x64

Each size cycles through 1024 different problems: fewer, and the branch predictor learns them. All values are checked
against POT's before anything is timed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import ot
from ot.lp.emd_wrap import emd_c

import moverank as mr
from harness import environment, number, record, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource, word_rotator_problem

SIZES = ["8", "16", "32", "64", "128", "256", "16x64", "32x256"]
PROBLEMS = 1024


def run(size: str, rounds: int) -> tuple[dict[str, float], float]:
    """Microseconds per problem by case, and the largest difference from POT."""
    n, _, m = size.partition("x")
    shape = int(n), int(m or n)
    tokens = TokenSource(dim=300, seed=shape[0])
    problems = [word_rotator_problem(tokens.sequence(shape[0]), tokens.sequence(shape[1])) for _ in range(PROBLEMS)]
    single = [(cost.astype(np.float32), a, b) for cost, a, b in problems]
    stacked = tuple(np.stack(arrays) for arrays in zip(*single, strict=True))
    error = max(
        abs(mr.transport(*ours).value - ot.emd2(a, b, cost))
        for ours, (cost, a, b) in zip(single, problems, strict=True)
    )
    if error > 1e-6:
        raise SystemExit(f"{size}: values differ from POT's by {error:.1e}")

    cases = {
        "emd2": lambda: [ot.emd2(a, b, cost) for cost, a, b in problems],
        "emd_c": lambda: [emd_c(a, b, cost, 1_000_000, 1)[1] for cost, a, b in problems],
        "transport": lambda: [mr.transport(cost, a, b).value for cost, a, b in single],
        "batch": lambda: mr.transport_batch(*stacked, num_threads=1),
    }
    return medians(interleaved(cases, rounds=rounds), per=len(problems)), error


def row(size: str, t: dict[str, float], error: float) -> list[object]:
    """One line of the table."""
    return [
        size,
        *map(number, t.values()),
        f"{t['emd2'] / t['transport']:.1f}×",
        f"{t['emd2'] / t['batch']:.1f}×",
        f"{t['emd_c'] / t['batch']:.1f}×",
        f"{error:.0e}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the times to this file as well")
    args = parser.parse_args()
    print(environment("POT"), end="\n\n")
    peers = ["POT `emd2`", "POT `emd_c`"]
    ours = ["`transport`", "`transport_batch`", "transport to `emd2`", "batch to `emd2`", "batch to `emd_c`"]
    header = ["size", *peers, *ours, "error"]
    results = {size: run(size, args.rounds) for size in args.sizes}
    print(table(header, [row(size, *result) for size, result in results.items()]))
    record(args.json, environment("POT"), {size: times for size, (times, _) in results.items()})


if __name__ == "__main__":
    main()
