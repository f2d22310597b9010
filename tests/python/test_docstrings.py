"""Every example in the documentation runs and prints what it says."""

import doctest
import importlib
import pkgutil
import warnings

import pytest

import moverank

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # frameworks warn of their own old ways; a package of an adapter imports its own
    MODULES = [m.name for m in pkgutil.walk_packages(moverank.__path__, "moverank.") if not m.name.endswith("__main__")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    try:
        with warnings.catch_warnings():
            if name.startswith("moverank.integrations."):
                warnings.simplefilter("ignore")  # frameworks warn of their own old ways
            module = importlib.import_module(name)
    except ImportError as error:
        if "moverank[" not in str(error):
            raise
        pytest.skip(str(error))
    assert doctest.testmod(module).failed == 0
