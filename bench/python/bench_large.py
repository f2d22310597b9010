"""Seconds per exact solve of large problems with the cost matrix given, against POT's `emd2` as it comes.

    bench/one-core bench/python/bench_large.py                            # all sizes, some ten minutes
    bench/one-core bench/python/bench_large.py --sizes 1000x1000 --rounds 5
    bench/one-core bench/python/bench_large.py --sizes 5000x5000 --iterations 100000000    # POT to its end, too

One problem a size, cases in turn, medians of processor time: most of a solve is waiting for memory, and other work on
the machine makes it wait longer. "memory" is what our first solve needs at its peak beyond the matrix that it is given,
in MB: the largest resident set during it less that before it, as Linux counts. Where POT stops at its limit of 100 000
iterations, its value is not the optimum: "above" is how far it lies over ours, whose certificate ("gap") is in the last
column.
"""

from __future__ import annotations

import argparse
import ctypes
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import ot

import moverank as mr
from harness import environment, number, record, table
from problems import TokenSource, word_rotator_problem

SIZES = ["1000x1000", "5000x5000", "100x20000", "20x100000"]


def resident(key: str) -> int:
    """Bytes of this process that are in memory: VmRSS now, VmHWM at most."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in status if line.startswith(key + ":"))


def peak(solve: Callable[[], object]) -> float:
    """MB that a call needs at its peak."""
    ctypes.CDLL(None).malloc_trim(0)  # what is free already is not to be used again
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what there is now
    before = resident("VmRSS")
    solve()
    return (resident("VmHWM") - before) / 1e6


def run(size: str, rounds: int, iterations: int) -> tuple[dict[str, float], float, float, float]:
    """Seconds by case, MB of memory, how far POT's value is above ours, and the gap of ours."""
    n, m = map(int, size.split("x"))
    tokens = TokenSource(dim=300, seed=n)
    cost, a, b = word_rotator_problem(tokens.sequence(n), tokens.sequence(m))
    single = cost.astype(np.float32)
    seconds: dict[str, list[float]] = {"emd2": [], "transport": []}
    memory = peak(lambda: mr.transport(single, a, b))
    for _ in range(rounds):
        start = time.process_time()
        theirs = ot.emd2(a, b, cost, numItermax=iterations)
        middle = time.process_time()
        ours = mr.transport(single, a, b)
        seconds["emd2"].append(middle - start)
        seconds["transport"].append(time.process_time() - middle)
    if ours.status != "optimal" or ours.gap > 1e-9:
        raise SystemExit(f"{size}: not solved to the end: {ours}")
    return {case: median(times) for case, times in seconds.items()}, memory, theirs - ours.value, ours.gap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=100_000, help="POT's limit; its default unless given")
    parser.add_argument("--json", type=Path, help="write the times to this file as well")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "numItermax reached", UserWarning)
    print(environment("POT"), end="\n\n")
    results = {size: run(size, args.rounds, args.iterations) for size in args.sizes}
    rows = [
        [
            size,
            *map(number, times.values()),
            f"{times['emd2'] / times['transport']:.1f}×",
            number(memory),
            f"{above:.0e}",
            f"{gap:.0e}",
        ]
        for size, (times, memory, above, gap) in results.items()
    ]
    print(table(["size", "POT `emd2`", "`transport`", "ratio", "memory", "above", "gap"], rows))
    record(args.json, environment("POT"), {size: times for size, (times, _, _, _) in results.items()})


if __name__ == "__main__":
    main()
