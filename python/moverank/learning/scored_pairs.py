"""Training for agreement with scores of pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moverank.learning import losses
from moverank.learning.batches import Indices, two_sided
from moverank.learning.model import Model
from moverank.learning.options import Training
from moverank.learning.sides import Side
from moverank.measures.distances import paired_distances
from moverank.measures.measure import Measure

#: Pairs per step, in units of `Training.batch`: a correlation of few pairs says little.
PAIRS = 8


@dataclass(eq=False)
class ScoredPairs:
    """Pair p is text ``left_places[p]`` of the left and ``right_places[p]`` of the right; larger scores: more alike."""

    left: Side
    right: Side
    left_places: Indices
    right_places: Indices
    scores: NDArray[np.float64]
    trained: Indices
    held: Indices
    measure: Measure
    training: Training
    num_threads: int | None

    @property
    def figure(self) -> str:
        """What is measured on held-out examples."""
        return "correlation"

    def content(self) -> list[bytes]:
        """What tells these examples from others."""
        return [self.left_places.tobytes(), self.right_places.tobytes(), self.scores.tobytes()]

    def prepare(self, model: Model) -> None:
        """Nothing is mined, and a correlation has no scale."""

    def recipe(self) -> float:
        """The figure of the recipe, without a model."""
        return self.held_out(Model(None, None))

    def batches(self, rng: np.random.Generator) -> list[Indices]:
        """Pairs in random order; the last ones join the batch before if they are few."""
        order, size = rng.permutation(self.trained), PAIRS * self.training.batch
        count = max(len(order) // size, 1)
        return list(np.array_split(order, count))

    def loss(self, model: Model, batch: Indices, rng: np.random.Generator) -> Tensor:
        """1 + correlation of distances with scores."""
        own = np.arange(len(batch))
        found = two_sided(
            model(self.left, self.left_places[batch], rng),
            model(self.right, self.right_places[batch], rng),
            own,
            own,
            self.measure,
            num_threads=self.num_threads,
        )
        value = losses.correlation(found, torch.from_numpy(self.scores[batch]).to(found))
        return value + model.penalty([(self.left, self.left_places[batch]), (self.right, self.right_places[batch])])

    def held_out(self, model: Model, measure: Measure | None = None) -> float:
        """Pearson's correlation of similarities with scores."""
        chosen = self.measure if measure is None else measure
        x = model.sequences(self.left, self.left_places[self.held])
        y = model.sequences(self.right, self.right_places[self.held])
        found = paired_distances(x, y, chosen, num_threads=self.num_threads)
        if not chosen.is_symmetric:
            found = (found + paired_distances(y, x, chosen, num_threads=self.num_threads)) / 2.0
        return _correlation(-found, self.scores[self.held])


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if x.std() == 0.0 or y.std() == 0.0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])
