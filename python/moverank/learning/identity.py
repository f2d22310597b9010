"""What tells the optimisers of one training from those of another: a checkpoint is of one of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from moverank.learning.options import Training

#: Values whose text says all about them.
PLAIN = (bool, int, float, complex, str, bytes, type(None))


def told_of(optimizers: list[Any], training: Training) -> str:
    """Text that differs where optimisers, or their settings before the first step, do."""
    makers = [_maker(own) for own in (training.optimizer, training.lazy_optimizer)]
    return repr([*makers, *(_optimizer(own) for own in optimizers)])


def _optimizer(optimizer: Any) -> Any:
    groups = [
        {name: value for name, value in group.items() if name != "params"}
        for group in getattr(optimizer, "param_groups", [])
    ]
    return _name(type(optimizer)), _value(getattr(optimizer, "defaults", None)), _value(groups)


def _maker(made_by: Any) -> Any:
    """A function or class by its name, a partial one with its arguments."""
    if isinstance(made_by, partial):
        return _maker(made_by.func), _value(made_by.args), _value(made_by.keywords)
    return None if made_by is None else _name(made_by)


def _name(named: Any) -> str:
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', type(named).__qualname__)}"


def _value(value: Any) -> Any:
    """A value without what changes from one process to the next, such as the address of an object."""
    if isinstance(value, dict):
        return sorted((str(name), repr(_value(own))) for name, own in value.items())
    if isinstance(value, (list, tuple)):
        return [_value(own) for own in value]
    if isinstance(value, PLAIN):
        return value
    return repr(value.tolist()) if hasattr(value, "tolist") else _name(value)
