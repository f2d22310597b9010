"""Token weights and transformed vector spaces: both improve the distances between texts.

Read `statistics` first: what one pass over a corpus collects. Then read `steps`: the transformations that are learnt
from these statistics. A `Space` is a sequence of steps.
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
