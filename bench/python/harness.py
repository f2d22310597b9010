"""What benchmarks print. How they time is in moverank.cli.timing, which `moverank bench` shares."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def record(
    path: Path | None, environment: str, results: Mapping[str, Mapping[str, object]], *, keep: bool = False
) -> None:
    """Write microseconds by row and case, for plot.py, if a path is given.

    Rows that the file has and `results` lack are kept on request, for benchmarks that are run in parts.
    """
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = json.loads(path.read_text())["microseconds"] if keep and path.exists() else {}
        found = {"environment": environment, "microseconds": {**kept, **results}}
        path.write_text(json.dumps(found, indent=2) + "\n")


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
