"""What a user waits for before the first answer: import time, the demo from a cold start, the size of the wheel.

python bench/python/bench_footprint.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import environment, table

ROOT = Path(__file__).resolve().parents[2]
RUNS = 9


def wall_seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def in_turns(*commands: tuple[str, ...]) -> list[float]:
    """Median wall time of each command, all run once per round."""
    rounds = [[wall_seconds(*command) for command in commands] for _ in range(RUNS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def wheel_megabytes() -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, str(ROOT)]
        subprocess.run(command, check=True)
        return next(Path(folder).glob("*.whl")).stat().st_size / 1e6


def main() -> None:
    peers, package, demo = in_turns(
        ("-c", "import numpy, faiss"),
        ("-c", "import numpy, faiss, moverank"),
        ("-m", "moverank", "demo"),
    )
    print(environment("faiss-cpu"), end="\n\n")
    rows = [
        ("`import numpy, faiss`, whole process", f"{1000 * peers:.0f} ms"),
        ("`import moverank`, beyond that", f"{1000 * (package - peers):.0f} ms"),
        ("`moverank demo`, whole process", f"{demo:.2f} s"),
        ("wheel", f"{wheel_megabytes():.2f} MB"),
    ]
    print(table(["", f"median of {RUNS}"], rows))


if __name__ == "__main__":
    main()
