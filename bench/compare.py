"""Compare two runs of the C++ microbenchmarks, written with --benchmark_out=FILE (--benchmark_out_format=json).

    python bench/compare.py BEFORE.json AFTER.json [--threshold 5]

A table of times and their ratio; changes beyond the threshold, in percent, are marked. With --benchmark_repetitions,
medians are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

UNITS = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}


def microseconds(path: Path) -> dict[str, float]:
    """Median time of each benchmark of a run."""
    runs: dict[str, list[float]] = {}
    for entry in json.loads(path.read_text())["benchmarks"]:
        if entry.get("run_type") != "aggregate":
            runs.setdefault(entry["name"], []).append(entry["real_time"] * UNITS[entry["time_unit"]])
    return {name: statistics.median(times) for name, times in runs.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--threshold", type=float, default=5.0)
    args = parser.parse_args()
    before, after = microseconds(args.before), microseconds(args.after)
    width = max(map(len, before | after), default=0)
    print(f"{'':{width}}  {'before µs':>11}  {'after µs':>11}  change")
    for name in before | after:
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            print(f"{name:{width}}  {'only ' + ('after' if old is None else 'before'):>24}")
            continue
        change = 100 * (new / old - 1)
        mark = "" if abs(change) < args.threshold else "  slower" if change > 0 else "  faster"
        print(f"{name:{width}}  {old:11.3f}  {new:11.3f}  {change:+5.1f} %{mark}")


if __name__ == "__main__":
    main()
