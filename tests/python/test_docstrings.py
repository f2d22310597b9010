"""Every example in the documentation runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import moverank

MODULES = [m.name for m in pkgutil.walk_packages(moverank.__path__, "moverank.") if not m.name.endswith("__main__")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    if name == "moverank.torch":
        pytest.importorskip("torch", reason="torch is not installed: pip install moverank[torch]")
    assert doctest.testmod(importlib.import_module(name)).failed == 0
