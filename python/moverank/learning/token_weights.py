"""Weights of tokens as a small function of identity, norm, rarity and position, to be trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moverank._support.validate import as_list, fraction_number, one_of, positive_number, real_number, whole_number
from moverank.learning.simplex import SIMPLEX, through
from moverank.spaces.learnt import FEATURES, LearntWeights
from moverank.spaces.simplex import largest
from moverank.spaces.weights import TokenWeights

#: The largest number of a token, in size: a space keeps exp of it.
LARGEST = 700.0

#: Below this temperature, and above this learning rate, scores could leave the numbers that there are.
LEAST_TEMPERATURE, LARGEST_RATE = 1e-6, 1e6


@dataclass(frozen=True)
class TokenWeighting:
    """How token weights are learnt: the mass of token t of n is b_t · n · σ(s / τ)_t.

    b_t is what the token weighs untrained. Scores s_t add up a number per token, coefficients times features, and start
    at 0, where mass is as untrained.

    Parameters
    ----------
    simplex : {"softmax", "gumbel", "sparsemax"}, default "softmax"
        The function σ. "gumbel" is softmax with noise while it trains, so that `keep` tries other tokens; sparsemax
        takes all mass from tokens of low score.
    temperature : float, default 1.0
        τ, at least 1e-6.
    keep : float, default 1.0
        Share of the tokens of each text that keep their mass, those with most of it; the others are left out of encoded
        texts and so of an index. Derivatives pass straight through the selection.
    identity : bool, default True
        Learn a number per token, from -700 to 700.
    features : sequence of {"norm", "rarity", "position"}
        What else scores depend on: ln of the norm, of the inverse document frequency, of 1 + the place in the text.
    least_texts : int, default 3
        Only tokens in this many texts have a number of their own.
    learning_rate : float, default 0.02
        For the optimiser, at most 1e6.
    strength : float, default 0.001
        How strongly scores are pulled to 0, where they start.
    """

    simplex: str = "softmax"
    temperature: float = 1.0
    keep: float = 1.0
    identity: bool = True
    features: tuple[str, ...] = field(default=FEATURES)
    least_texts: int = 3
    learning_rate: float = 0.02
    strength: float = 1e-3

    def __post_init__(self) -> None:
        one_of(self.simplex, "simplex", SIMPLEX)
        if positive_number(self.temperature, "temperature") < LEAST_TEMPERATURE:
            raise ValueError(f"temperature must be at least {LEAST_TEMPERATURE:g}, got {self.temperature!r}")
        fraction_number(self.keep, "keep")
        if isinstance(self.features, str):
            raise TypeError(f"features: expected names, got one string, {self.features!r}")
        listed = as_list(self.features, "features", "names")
        object.__setattr__(self, "features", tuple(one_of(name, "features", FEATURES) for name in listed))
        if not isinstance(self.identity, bool):
            raise TypeError(f"identity must be True or False, got {self.identity!r}")
        whole_number(self.least_texts, "least_texts", least=1)
        if positive_number(self.learning_rate, "learning_rate") > LARGEST_RATE:
            raise ValueError(f"learning_rate must be at most {LARGEST_RATE:g}, got {self.learning_rate!r}")
        if not 0.0 <= real_number(self.strength, "strength") < math.inf:
            raise ValueError(f"strength must be finite and at least 0, got {self.strength!r}")


class WeightModel(nn.Module):
    """Scores of tokens. Row 0 of the table is of all tokens without a number of their own, and stays 0."""

    def __init__(self, options: TokenWeighting, n_tokens: int, *, sparse: bool) -> None:
        super().__init__()
        self.options = options
        self.table = nn.Embedding(n_tokens + 1, 1, padding_idx=0, sparse=sparse, dtype=torch.float32)
        nn.init.zeros_(self.table.weight)
        self.coefficients = nn.Parameter(torch.zeros(len(FEATURES), dtype=torch.float32))
        used = torch.tensor([float(name in options.features) for name in FEATURES], dtype=torch.float32)
        self.register_buffer("used", used, persistent=False)

    def forward(
        self,
        base: Tensor,
        rows: Tensor,
        features: Tensor,
        offsets: NDArray[np.int64],
        rng: np.random.Generator | None,
    ) -> Tensor:
        """Mass of tokens, shape (T,); `rng` draws noise if the simplex has any."""
        # In float64, so that scores of 0 leave mass as it was to the last digits.
        scores = (features @ (self.coefficients * self.used)).to(torch.float64)
        if self.options.identity:
            scores = scores + self.table(rows)[:, 0].to(torch.float64).clamp(-LARGEST, LARGEST)
        noise = {"rng": rng} if self.options.simplex == "gumbel" else {}
        shares = SIMPLEX[self.options.simplex](scores, offsets, temperature=self.options.temperature, **noise)
        lengths = torch.from_numpy(np.repeat(np.diff(offsets), np.diff(offsets))).to(shares)
        mass = base * shares * lengths
        values = mass.detach().to(torch.float64).numpy()
        lost = np.add.reduceat(values, offsets[:-1]) <= 0.0
        if lost.any():  # a text cannot lose all of its mass: it keeps what it had
            mass = torch.where(torch.from_numpy(np.repeat(lost, np.diff(offsets))), base, mass)
        if self.options.keep >= 1.0:
            return mass
        kept = torch.from_numpy(largest(mass.detach().to(torch.float64).numpy(), offsets, self.options.keep))
        return through(mass, torch.where(kept, mass, torch.zeros_like(mass)))

    def penalty(self, rows: Tensor) -> Tensor:
        """Squares of the scores' parameters: of the rows that a batch uses, so that others need no update."""
        total = (self.coefficients * self.used).square().sum()
        if self.options.identity:
            total = total + self.table(rows).square().sum()
        return self.options.strength * total

    def step(self, names: list[str], rarity: TokenWeights, *, by_norm: bool) -> LearntWeights:
        """What was learnt, as a step of a space; `names` are the tokens of the table from row 1 on."""
        options = self.options
        numbers: list[float] = self.table.weight.detach().to(torch.float64)[1:, 0].tolist()
        if not options.identity:
            numbers = []
        table = {
            name: math.exp(min(max(own, -LARGEST), LARGEST))
            for name, own in zip(names, numbers, strict=False)
            if own != 0.0
        }
        coefficients: Any = (self.coefficients * self.used).detach().to(torch.float64).numpy().copy()
        return LearntWeights(
            TokenWeights(table, name="learnt"),
            rarity,
            coefficients,
            "sparsemax" if options.simplex == "sparsemax" else "softmax",
            float(options.temperature),
            float(options.keep),
            by_norm,
        )
