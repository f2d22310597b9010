"""Where there is no memory, there is a MemoryError, and everything is as it was: mostly short forms of tests/stress."""

import re
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


@pytest.mark.slow(reason="a process per call, each allocation once")
def test_each_allocation_of_the_extension_may_fail():
    assert run("failing_new.py").endswith("MemoryErrors, nothing else")


@pytest.mark.slow(reason="a process per call and limit")
def test_whatever_the_limit_on_the_address_space_calls_answer_or_raise_memory_error():
    calls = ("search on 200 threads", "search_batch", "pairwise", "transport", "build of codes")
    changes = ("build_on_disk", "open", "add", "compact")
    last = run("address_space.py", "--points", "4", "--documents", "1000", *calls, *changes)
    assert last.endswith("MemoryErrors, nothing else")
    assert " 0 MemoryErrors" not in last


NO_ADDRESSES = """
import resource, sys
from pathlib import Path
import numpy as np, moverank as mr
folder, rng = sys.argv[1], np.random.default_rng(0)
mr.Index.build([rng.normal(size=(4000, 256)) for _ in range(10)], "wmd").save(folder)
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
usual = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**24, usual[1]))
try:
    mr.Index.open(folder)
except MemoryError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, usual)
assert len(mr.Index.open(folder)) == 10
"""


@pytest.mark.slow(reason="writes large files")
def test_a_file_that_does_not_fit_the_address_space_is_named(tmp_path):
    command = [sys.executable, "-c", NO_ADDRESSES, str(tmp_path / "index")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert re.fullmatch(r".*/index/\S+: its 4\d{7} bytes cannot be mapped\n", found.stdout), found.stderr
