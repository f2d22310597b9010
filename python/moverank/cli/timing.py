"""Fair timing on a noisy machine: cases take turns within each round, and medians over rounds are reported."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable


def interleaved(
    cases: dict[str, Callable[[], object]], *, rounds: int = 7, seconds: float = 20.0
) -> dict[str, list[float]]:
    """Seconds that each case took in each round.

    All cases are run once untimed; then they take turns, so that whatever slows the machine for a while slows all of
    them. Stops early once `seconds` have passed and three rounds are complete.
    """
    for run in cases.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in cases}
    started = time.perf_counter()
    for done in range(rounds):
        if done >= 3 and time.perf_counter() - started > seconds:
            break
        for name, run in cases.items():
            gc.collect()
            gc.disable()
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
            gc.enable()
    return times


def medians(times: dict[str, list[float]], per: int) -> dict[str, float]:
    """Median microseconds per item, of `per` items a run."""
    return {name: 1e6 * statistics.median(runs) / per for name, runs in times.items()}
