"""Spaces that are learnt from examples: token weights, a projection, capacity and fusion; needs ``moverank[torch]``.

Read `fit` first, then `model` (what is trained), `rankings` (for what) and `training` (the loop). A fitted space needs
no torch.
"""

from __future__ import annotations

import moverank.learning._needs_torch  # noqa: F401  before anything that imports it

# isort: split
from moverank.learning.fit import fit
from moverank.learning.learned import Learned
from moverank.learning.options import Training
from moverank.learning.projection import Projection
from moverank.learning.simplex import gumbel_softmax, softmax, sparsemax
from moverank.learning.token_weights import TokenWeighting
from moverank.learning.training import Epoch

__all__ = [
    "Epoch",
    "Learned",
    "Projection",
    "TokenWeighting",
    "Training",
    "fit",
    "gumbel_softmax",
    "softmax",
    "sparsemax",
]
