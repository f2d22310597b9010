"""Libraries that only some users need."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def optional(module: str, extra: str) -> Any:
    """Import a library that is needed only here; the ImportError names the extra that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        missing = error.name or module
        raise ImportError(f"{missing} is not installed: pip install 'moverank[{extra}]'", name=missing) from None
