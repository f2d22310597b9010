"""Measures as JSON values, for files."""

from __future__ import annotations

import math
from typing import Any

from moverank._support.fields import Fields
from moverank.measures.measure import Measure
from moverank.solvers.sinkhorn import Sinkhorn


def measure_to_json(measure: Measure) -> dict[str, Any]:
    """Convert a measure to JSON values; infinity becomes "inf", as JSON does not have it."""
    problem: Any = measure.problem
    if isinstance(problem, Sinkhorn):
        problem = {
            "epsilon": problem.epsilon,
            "relative": bool(problem.relative),
            "tolerance": problem.tolerance,
            "max_iterations": problem.max_iterations,
            "marginal_penalty": _finite_or_inf(problem.marginal_penalty),
            "debiased": bool(problem.debiased),
        }
    return {
        "ground": measure.ground,
        "weighting": measure.weighting,
        "capacity": _finite_or_inf(measure.capacity),
        "fraction": measure.fraction,
        "problem": problem,
    }


def _finite_or_inf(number: float) -> float | str:
    return "inf" if math.isinf(number) else number


def measure_from_json(fields: Fields) -> Measure:
    """Make a measure from the JSON values of `measure_to_json`."""
    return Measure(
        ground=fields.take("ground", str),
        weighting=fields.take("weighting", str),
        capacity=fields.extent("capacity"),
        fraction=fields.take("fraction", float),
        problem=fields.text_or("problem", _sinkhorn_of),
    )


def _sinkhorn_of(fields: Fields) -> Sinkhorn:
    return Sinkhorn(
        epsilon=fields.take("epsilon", float),
        relative=fields.take("relative", bool),
        tolerance=fields.take("tolerance", float),
        max_iterations=fields.count("max_iterations"),
        marginal_penalty=fields.extent("marginal_penalty"),
        debiased=fields.take("debiased", bool),
    )
