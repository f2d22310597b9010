"""Fuzz by coverage, with atheris: a target's modules are traced, and inputs that reach something new are kept.

    python -m fuzz.corpus unpack documents kept                              from tests/python
    python -m fuzz.guided documents -max_total_time=60 [new] kept

The first argument names a module of this folder, the others are libFuzzer's. Inputs of all folders are tried, and new
ones kept in the first; given files instead, these are run and nothing else. Where a target knows its format it changes
every other input by itself: octets changed at random are seldom JSON.
"""

import importlib
import sys

import atheris
import numpy as np


def trace(module, *, comparisons):
    """Trace the functions and methods of a module that is loaded: an editable install has an importer of its own."""
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, type):
            for method in list(vars(value).values()):
                _trace(method, comparisons)
        else:
            _trace(value, comparisons)


def _trace(value, comparisons):
    # In place: whoever imported it by name has it, too. Properties, class methods and caches wrap what is meant.
    for wrapper in ("fget", "__func__", "__wrapped__"):
        value = getattr(value, wrapper, value)
    if hasattr(value, "__code__"):
        value.__code__ = atheris.patch_code(value.__code__, trace_dataflow=comparisons)


def main():
    """Fuzz until told to stop, or to the first find."""
    target = importlib.import_module(f"fuzz.{sys.argv[1]}")
    for module in target.TRACED:
        trace(module, comparisons=getattr(target, "TRACES_COMPARISONS", True))

    def run(octets):
        target.check(octets)

    def mutate(octets, max_size, seed):
        rng = np.random.default_rng(seed)
        if rng.random() < 0.5:
            return atheris.Mutate(octets, max_size)
        return target.mutate(octets, rng)[:max_size]

    own = {"custom_mutator": mutate} if hasattr(target, "mutate") else {}
    # With -merge=1 libFuzzer starts itself again, by a shell, as what it is told to be.
    itself = f"{sys.executable} -m fuzz.guided {sys.argv[1]}"
    atheris.Setup([itself, *sys.argv[2:]], run, **own)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
