"""Training for classification: the nearest texts should be of a text's own class."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moverank.index.neighbours import neighbours
from moverank.learning import losses
from moverank.learning.batches import Indices, two_sided
from moverank.learning.mining import near_index, nearest
from moverank.learning.model import Model
from moverank.learning.options import Training
from moverank.learning.rankings import padded
from moverank.learning.sides import Side
from moverank.measures.distances import pairwise
from moverank.measures.measure import Measure
from moverank.vectors.bags import Bags
from moverank.vectors.sequences import Sequences


@dataclass(eq=False)
class Classes:
    """Texts with classes 0, 1, …; `trained` are those to train on, `held` those to choose by."""

    texts: Side
    labels: NDArray[np.int64]
    trained: Indices
    held: Indices
    measure: Measure
    training: Training
    num_threads: int | None
    near: dict[int, tuple[Indices, Indices]] = field(default_factory=dict)
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def figure(self) -> str:
        """What is measured on held-out examples."""
        return "accuracy"

    def content(self) -> list[bytes]:
        """What tells these examples from others."""
        return [self.labels.tobytes()]

    def prepare(self, model: Model) -> None:
        """Find near texts of the same class and of others with the untrained model."""
        moved, measure = self._moved(model, self.measure)
        own = moved[self.trained]
        for t, places in zip(self.trained.tolist(), self._near(own, measure), strict=True):
            others = self.trained[places]
            others = others[others != t]
            is_same = self.labels[others] == self.labels[t]
            self.near[t] = others[is_same], others[~is_same]
        first = self.batches(np.random.default_rng([self.training.seed, 0]))[0]
        with torch.no_grad():
            _, values, _, valid = self._distances(model, first, np.random.default_rng(self.training.seed))
        self.scale = self.training.scale(values[valid])

    def recipe(self) -> float:
        """The figure of the recipe, without a model."""
        return self.held_out(Model(None, None))

    def batches(self, rng: np.random.Generator) -> list[Indices]:
        """Texts in random order, some at a time."""
        order = rng.permutation(self.trained)
        return np.split(order, np.arange(self.training.batch, len(order), self.training.batch))

    def loss(self, model: Model, batch: Indices, rng: np.random.Generator) -> Tensor:
        """Each text has near texts of both kinds, and the others of the batch."""
        used, found, same, valid = self._distances(model, batch, rng)
        value = losses.neighbourhood(found, same, valid, temperature=self.scale[0])
        return value + model.penalty([(self.texts, used)])

    def _distances(
        self, model: Model, batch: Indices, rng: np.random.Generator
    ) -> tuple[Indices, Tensor, Tensor, Tensor]:
        rows = []
        for t in batch.tolist():
            drawn = [rng.choice(near, min(self.training.negatives, len(near)), replace=False) for near in self.near[t]]
            rows.append(np.unique(np.concatenate([*drawn, batch[batch != t]])).astype(np.int64))
        used = np.unique(np.concatenate([*rows, batch]))
        places, valid = padded([np.searchsorted(used, row) for row in rows])
        left, right = np.repeat(np.searchsorted(used, batch), valid.sum(axis=1)), places[valid]
        # Of two texts that are each other's candidates, one distance serves both.
        ordered = np.minimum(left, right) * len(used) + np.maximum(left, right)
        pairs, of_pair = np.unique(ordered, return_inverse=True)
        moved = model(self.texts, used, rng)
        first, second = np.divmod(pairs, len(used))
        values = two_sided(moved, moved, first, second, self.measure, num_threads=self.num_threads)[of_pair]
        is_there = torch.from_numpy(valid)
        found = torch.zeros(valid.shape, dtype=values.dtype).masked_scatter(is_there, values)
        same = torch.from_numpy(self.labels[used[places]] == self.labels[batch][:, None])
        return used, found, same & is_there, is_there

    def held_out(self, model: Model, measure: Measure | None = None) -> float:
        """Share of the held-out texts whose nearest trained texts vote for the right class."""
        nearest_trained = self._neighbours(model, self.measure if measure is None else measure)
        votes = self.labels[self.trained][nearest_trained]
        counts = (votes[:, :, None] == np.arange(int(self.labels.max()) + 1)).sum(axis=1)
        return float((counts.argmax(axis=1) == self.labels[self.held]).mean())

    def _neighbours(self, model: Model, measure: Measure) -> Indices:
        """Places among the trained texts of the nearest to each held-out text, in order; equal distances by place."""
        moved, measure = self._moved(model, measure)
        x, y = moved[self.held], moved[self.trained]
        depth = self.training.neighbours
        if measure.is_symmetric:
            found = neighbours(x, y, measure, k=depth, num_threads=self.num_threads)
            return found.positions.reshape(len(x), -1)
        # The nearest are found by one direction. By the mean of both they may be anywhere, as one direction says
        # of the other only that it is not negative.
        there = pairwise(x, y, measure, num_threads=self.num_threads)
        both = (there + pairwise(y, x, measure, num_threads=self.num_threads).T) / 2.0
        return np.argsort(both, axis=1, kind="stable")[:, :depth]

    def _near(self, texts: Sequences | Bags, measure: Measure) -> list[Indices]:
        """Places of texts near to each; of tokens, whose exact neighbours take long, some are missed."""
        if isinstance(texts, Bags):
            return [
                near
                for near, _ in neighbours(texts, None, measure, k=self.training.depth, num_threads=self.num_threads)
            ]
        index = near_index(texts, measure, num_threads=self.num_threads)
        return nearest(texts, index, self.training.depth + 1, num_threads=self.num_threads)

    def _moved(self, model: Model, measure: Measure) -> tuple[Sequences | Bags, Measure]:
        """All texts as they are compared fastest, and the measure that then compares them."""
        if self.texts.words.are_shared:
            return model.bags(self.texts), measure.replace(weighting="uniform")
        return model.sequences(self.texts), measure
