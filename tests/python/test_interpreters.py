"""One interpreter of a process, and its lock: the core refuses others in words, and claims no more than is tested."""

import subprocess
import sys
import sysconfig
from types import SimpleNamespace

import pytest

from moverank._support.interpreter import require_main

SUBINTERPRETER = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
first = {first!r}
exec(first)
code = '''
try:
    import moverank
except ImportError as error:
    print(error)
'''
interpreters.run_string(interpreters.create(), code)
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="subinterpreters are CPython's")
@pytest.mark.parametrize("first", ["", "import moverank"])
def test_a_subinterpreter_is_told_no_and_does_not_hang(first):
    script = SUBINTERPRETER.format(first=first)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert found.stdout.startswith("moverank works only in the main interpreter of a process"), found.stderr


@pytest.mark.parametrize("name", ["_interpreters", "_xxsubinterpreters"])
def test_either_name_that_python_has_for_itself_is_asked(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "_interpreters", None)
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(get_current=lambda: 1, get_main=lambda: 0))
    with pytest.raises(ImportError, match=r"works only in the main interpreter of a process.*WSGIApplicationGroup"):
        require_main()
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(get_current=lambda: 0, get_main=lambda: 0))
    require_main()


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has its lock")
def test_without_a_proof_the_lock_is_taken_back():
    script = "import moverank, sys; print(sys._is_gil_enabled())"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert found.stdout == "True\n", found.stderr
