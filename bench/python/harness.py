"""Fair timing on a noisy machine: cases take turns within each round, and medians over rounds are reported."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


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
    """Median microseconds an item, of `per` items a run."""
    return {name: 1e6 * statistics.median(runs) / per for name, runs in times.items()}


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def number(x: float) -> str:
    """Three significant digits, without exponents."""
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def environment(*packages: str) -> str:
    """One line that says on what a result was measured."""
    found = []
    for package in ("moverank", "numpy", *packages):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} absent")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} core(s) usable, Python {platform.python_version()}, {', '.join(found)}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
