"""What makes transport between texts work: weights of tokens, and spaces in which directions mean something.

Read `statistics` first, what is learnt from a corpus in one pass; then `steps`, what is made of it; a `Space` is steps
one after the other.
"""

from __future__ import annotations

from moverank.spaces.space import Space, fit
from moverank.spaces.statistics import Statistics
from moverank.spaces.steps import (
    AllButTheTop,
    Centring,
    ConceptorNegation,
    Recipe,
    RemoveCommon,
    Scaling,
    Step,
    UnitNorm,
    Weighing,
    Whitening,
)
from moverank.spaces.weights import TokenWeights

__all__ = [
    "AllButTheTop",
    "Centring",
    "ConceptorNegation",
    "Recipe",
    "RemoveCommon",
    "Scaling",
    "Space",
    "Statistics",
    "Step",
    "TokenWeights",
    "UnitNorm",
    "Weighing",
    "Whitening",
    "fit",
]
