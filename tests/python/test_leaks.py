"""Memory stays flat over calls of every kind; ten thousand of each are for `tests/stress/leaks.py` by itself."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

LEAKS = Path(__file__).parents[1] / "stress" / "leaks.py"

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="bytes can be counted with glibc 2.33 or later only"
)


@pytest.mark.slow(reason="thousands of calls of every kind")
@pytest.mark.parametrize("arguments", [["--planted", "--calls", "100"], ["--calls", "20"]], ids=["planted", "public"])
def test_what_leaks_is_found_and_no_public_call_does(arguments):
    found = subprocess.run([sys.executable, LEAKS, *arguments], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow(reason="everything public once, under a profile")
def test_every_public_call_is_among_those_whose_memory_is_counted(tmp_path):
    # In a process of its own, where nothing that is computed once has been computed.
    code = "import sys, pathlib, public_calls as p; print(*p.kinds_and_missing(pathlib.Path(sys.argv[1]))[1])"
    folders = [LEAKS.parent, Path(__file__).parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    path = os.pathsep.join(map(str, folders))
    environment = os.environ | {"PYTHONPATH": path}
    missing = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment, check=True, capture_output=True)
    assert missing.stdout.split() == []
