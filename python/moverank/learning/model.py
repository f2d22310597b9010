"""What is trained: token weights and a projection, both of which start as the untrained recipe."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from moverank.learning.batches import Indices, Ragged, rows_of
from moverank.learning.projection import ProjectionModel
from moverank.learning.sides import Side, Vocabulary
from moverank.learning.token_weights import WeightModel
from moverank.spaces.steps import Step, WeighedBy
from moverank.vectors.sequences import Sequences

#: Tokens that are moved at a time where no derivatives are needed.
CHUNK = 1 << 16


class Model(nn.Module):
    """Texts of a side in, tokens with mass out."""

    def __init__(self, weights: WeightModel | None, projection: ProjectionModel | None) -> None:
        super().__init__()
        self.weights = weights
        self.projection = projection

    def forward(self, side: Side, texts: Indices, rng: np.random.Generator | None = None) -> Ragged:
        """Move some texts; `rng` draws the noise of training."""
        rows, offsets = rows_of(side.offsets, texts)
        tokens, mass = torch.from_numpy(side.vectors[rows]), torch.from_numpy(side.base[rows])
        if self.weights is not None:
            of_table, features = torch.from_numpy(side.rows[rows]), torch.from_numpy(side.features[rows])
            mass = self.weights(mass, of_table, features, offsets, rng)
        if self.projection is not None:
            tokens = self.projection(tokens)
        return Ragged(tokens, mass, offsets)

    def penalty(self, sides: list[tuple[Side, Indices]]) -> Tensor:
        """How far the parameters that a batch uses are from their start."""
        total = torch.zeros(())
        if self.weights is not None:
            rows = np.unique(np.concatenate([side.rows[rows_of(side.offsets, texts)[0]] for side, texts in sides]))
            total = total + self.weights.penalty(torch.from_numpy(rows))
        if self.projection is not None:
            total = total + self.projection.penalty()
        return total

    @torch.no_grad()
    def sequences(self, side: Side, texts: Indices | None = None) -> Sequences:
        """Texts as they are compared after training, some thousands of tokens at a time."""
        chosen = np.arange(len(side)) if texts is None else texts
        offsets = rows_of(side.offsets, chosen)[1]
        mass = np.empty(offsets[-1], dtype=np.float64)
        dim = side.vectors.shape[1] if self.projection is None else self.projection.dim
        tokens = np.empty((offsets[-1], dim), dtype=np.float32)
        groups = offsets[1:] // CHUNK
        for group in np.unique(groups):
            own = np.flatnonzero(groups == group)
            moved = self(side, chosen[own])
            here = slice(offsets[own[0]], offsets[own[-1] + 1])
            tokens[here], mass[here] = moved.tokens.numpy(), moved.mass.numpy()
        return Sequences.from_flat(tokens, offsets, mass)

    def steps(self, vocabulary: Vocabulary, *, by_norm: bool, has_weights: bool) -> tuple[Step, ...]:
        """What was learnt, as steps of a space."""
        steps: list[Step] = []
        if self.weights is not None:
            steps.append(self.weights.step(vocabulary.names, vocabulary.rarity, by_norm=by_norm))
        elif self.projection is not None and by_norm and not has_weights:
            # A projection changes norms: mass stays that of the vectors before it.
            steps.append(WeighedBy(None, by_norm=True))
        if self.projection is not None:
            steps.append(self.projection.step())
        return tuple(steps)
