"""What is trained: token weights and a projection, both of which start as the recipe unless they cut it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moverank.learning.batches import Indices, Ragged, rows_of
from moverank.learning.projection import ProjectionModel
from moverank.learning.sides import Side, Vocabulary
from moverank.learning.token_weights import WeightModel
from moverank.spaces.steps import Step, WeighedBy
from moverank.vectors.bags import Bags
from moverank.vectors.sequences import Sequences

#: Tokens that are moved at a time where no derivatives are needed.
CHUNK = 1 << 16


class Model(nn.Module):
    """Texts of a side in, words with mass out."""

    def __init__(self, weights: WeightModel | None, projection: ProjectionModel | None) -> None:
        super().__init__()
        self.weights = weights
        self.projection = projection

    @property
    def starts_as_recipe(self) -> bool:
        """Whether texts are compared untrained as without the model: if no token and no dimension is left out."""
        keeps_tokens = self.weights is None or self.weights.options.keep >= 1.0
        return keeps_tokens and (self.projection is None or self.projection.keeps_dimensions)

    def forward(self, side: Side, texts: Indices, rng: np.random.Generator | None = None) -> Ragged:
        """Move some texts, in which each word then stands once; `rng` draws the noise of training."""
        rows, offsets = rows_of(side.words.offsets, texts)
        own = rows_of(side.offsets, texts)[0]
        # Where the word of each token stands: words follow each other text by text, as tokens do.
        shift = np.repeat(offsets[:-1] - side.words.offsets[texts], side.offsets[texts + 1] - side.offsets[texts])
        place = torch.from_numpy(side.words.place[own] + shift)
        mass = self._mass(side, texts, rng)
        of_words = torch.zeros(len(rows), dtype=mass.dtype).index_add(0, place, mass)
        return Ragged(self._moved(side.words.table[side.words.rows[rows]]), of_words, offsets)

    def _mass(self, side: Side, texts: Indices, rng: np.random.Generator | None = None) -> Tensor:
        """Mass of the tokens of some texts."""
        rows, offsets = rows_of(side.offsets, texts)
        mass = torch.from_numpy(side.base[rows])
        if self.weights is None:
            return mass
        of_table, features = torch.from_numpy(side.rows[rows]), torch.from_numpy(side.features[rows])
        return self.weights(mass, of_table, features, offsets, rng)

    def _moved(self, vectors: NDArray[np.float32]) -> Tensor:
        """Vectors after the projection."""
        tokens = torch.from_numpy(vectors)
        return tokens if self.projection is None else self.projection(tokens)

    def penalty(self, sides: list[tuple[Side, Indices]]) -> Tensor:
        """How far the parameters that a batch uses are from their start."""
        total = torch.zeros((), dtype=torch.float32)
        if self.weights is not None:
            rows = np.unique(np.concatenate([side.rows[rows_of(side.offsets, texts)[0]] for side, texts in sides]))
            total = total + self.weights.penalty(torch.from_numpy(rows))
        if self.projection is not None:
            total = total + self.projection.penalty()
        return total

    @torch.no_grad()
    def sequences(self, side: Side, texts: Indices | None = None) -> Sequences:
        """Texts as they are compared after training, token by token, some thousands of tokens at a time."""
        chosen = np.arange(len(side)) if texts is None else texts
        offsets = rows_of(side.offsets, chosen)[1]
        mass = np.empty(offsets[-1], dtype=np.float64)
        dim = side.vectors.shape[1] if self.projection is None else self.projection.dim
        tokens = np.empty((offsets[-1], dim), dtype=np.float32)
        groups = offsets[1:] // CHUNK
        for group in np.unique(groups):
            own = np.flatnonzero(groups == group)
            here = slice(offsets[own[0]], offsets[own[-1] + 1])
            tokens[here] = self._moved(side.vectors[rows_of(side.offsets, chosen[own])[0]]).numpy()
            mass[here] = self._mass(side, chosen[own]).numpy()
        return Sequences.from_flat(tokens, offsets, mass)

    @torch.no_grad()
    def bags(self, side: Side) -> Bags:
        """All texts over a table of moved words; a word's count is its share of the mass, in float32.

        A measure compares them as it does `sequences` if it weighs words uniformly.
        """
        words = side.words
        every = np.arange(len(side))
        mass = self._mass(side, every).to(torch.float64).numpy()
        of_words = np.bincount(words.place, mass, minlength=len(words.rows))
        totals = np.add.reduceat(of_words, words.offsets[:-1])
        shares = of_words / np.repeat(totals, np.diff(words.offsets))
        # A share that float32 cannot hold with all its digits moves no distance by as much as rounding does.
        shares[shares < np.finfo(np.float32).tiny] = 0.0
        vectors = self._moved(words.table).numpy()
        return Bags.from_flat(vectors, words.rows, words.offsets, shares.astype(np.float32))

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
