"""Libraries that only some users need."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def optional(module: str, extra: str, instead: str = "") -> Any:
    """Import a library that is needed only here; the ImportError names the extra, and what to do `instead`."""
    try:
        return import_module(module)
    except ImportError as error:
        missing = error.name or module
        advice = f"pip install 'moverank[{extra}]'" + (f", or {instead}" if instead else "")
        raise ImportError(f"{missing} is not installed: {advice}", name=missing) from None
