"""Where there is no memory, there is a MemoryError, and everything is as it was: short forms of tests/stress."""

import subprocess
import sys
from pathlib import Path

import pytest

STRESS = Path(__file__).resolve().parents[1] / "stress"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by Linux's means")


def run(script, *arguments):
    """Last line of what a command prints; it must end well."""
    command = [sys.executable, str(STRESS / script), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if "needs a C++ compiler" in found.stderr:
        pytest.skip("there is no C++ compiler")
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout.splitlines()[-1]


def test_each_allocation_of_the_extension_may_fail():
    assert run("failing_new.py").endswith("MemoryErrors, nothing else")


def test_whatever_the_limit_on_the_address_space_calls_answer_or_raise_memory_error():
    calls = ("search on 200 threads", "search_batch", "pairwise", "transport", "build of codes")
    changes = ("build_on_disk", "open", "add", "compact")
    last = run("address_space.py", "--points", "4", "--documents", "1000", *calls, *changes)
    assert last.endswith("MemoryErrors, nothing else")
    assert " 0 MemoryErrors" not in last
