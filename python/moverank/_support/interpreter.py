"""Which of a process's interpreters this is."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def require_main() -> None:
    """Refuse subinterpreters: loading the compiled core in one would block forever.

    Raises
    ------
    ImportError
        If this is one.
    """
    # The module that knows the current interpreter has another name before Python 3.13.
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            interpreters: Any = import_module(name)
        except ImportError:
            continue
        if interpreters.get_current() != interpreters.get_main():
            raise ImportError(
                "moverank works only in the main interpreter of a process, and this is a subinterpreter: "
                "use threads, or processes (under mod_wsgi, WSGIApplicationGroup %{GLOBAL})"
            )
        return


require_main()
