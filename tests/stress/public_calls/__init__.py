"""Every kind of public call, on small input; each leaves behind what it found."""

import inspect
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import moverank as mr
from moverank import encoders, ranking, readers, scoring, spaces
from public_calls import core, failures, indexes, texts
from public_calls.inputs import Call


def kinds(folder: Path) -> dict[str, Call]:
    """All kinds of calls by name; files of theirs go into `folder`."""
    made: dict[str, Call] = {}
    for kinds_of in (*core.KINDS, *indexes.KINDS, *failures.KINDS, *texts.KINDS):
        own = folder / kinds_of.__name__
        own.mkdir()
        made |= kinds_of(own)
    return made


def kinds_and_missing(folder: Path) -> tuple[dict[str, Call], list[str]]:
    """Make all kinds, and each call once; also names of public functions, methods and properties that none came by."""
    seen: set[Any] = set()

    def note(frame: Any, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    sys.setprofile(note)
    try:
        calls = kinds(folder)
        for call in calls.values():
            # Anew for each call: an interrupt that falls into `note` itself ends the profile.
            sys.setprofile(note)
            call()
    finally:
        sys.setprofile(None)
    return calls, sorted(name for name, function in _public().items() if function.__code__ not in seen)


def _public() -> dict[str, FunctionType]:
    found: dict[str, FunctionType] = {}
    modules = [mr, encoders, ranking, readers, scoring, spaces]
    with suppress(ImportError):  # without torch
        modules.append(import_module("moverank.learning"))
    for module in modules:
        for name in module.__all__:
            value = getattr(module, name)
            # Models of their own, and protocols, are not ours to run.
            if name in ("SentenceTransformerEncoder", "Encoder", "QueryEncoder", "DocumentEncoder", "Step", "Recipe"):
                continue
            if isinstance(value, FunctionType):
                found[f"{module.__name__}.{name}"] = value
            elif inspect.isclass(value) and not issubclass(value, Exception):
                for member, defined in vars(value).items():
                    function = _function_of(defined)
                    if function is not None and (not member.startswith("_") or member in ("__init__", "__call__")):
                        found[f"{module.__name__}.{name}.{member}"] = function
    return {name: function for name, function in found.items() if "moverank" in function.__code__.co_filename}


def _function_of(defined: Any) -> FunctionType | None:
    for attribute in ("fget", "func", "__func__"):
        defined = getattr(defined, attribute, defined)
    return defined if isinstance(defined, FunctionType) else None
