"""How sure each move of an alignment is: what becomes of it under small random changes of the costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.plain import finite

#: A move occurs in a sample if it carries at least this share of its query token's mass.
OCCURS = 0.01


@dataclass(frozen=True)
class UncertainMove:
    """Mass that moves from one query token to one document token in some of the samples.

    Attributes
    ----------
    source, target : int
        Positions of the tokens in the query and in the document.
    mean : float
        Share of the query's mass that makes this move, on average over the samples.
    deviation : float
        Standard deviation of that share over the samples.
    frequency : float
        Share of the samples in which the move carries at least a hundredth of its query token's mass.
    """

    source: int
    target: int
    mean: float
    deviation: float
    frequency: float

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values, with a key for each attribute."""
        return {name: getattr(self, name) for name in ("source", "target", "mean", "deviation", "frequency")}


@dataclass(frozen=True, repr=False, eq=False)
class Uncertainty:
    """Plans of one problem under random changes of its costs, summed up.

    Each sample is the plan that the measure gives once noise is subtracted from every cost: independent Gumbel noise of
    mean 0 and scale `noise`. A vertex plan per sample is perturb-and-MAP [1]_; under an entropic measure each sample is
    a Gumbel-Sinkhorn plan [2]_. Where query tokens choose without regard to each other (capacity ``inf``), a token
    moves to j with a probability proportional to ``exp(-cost / noise)``, exactly; otherwise the samples only resemble
    such a distribution over plans. Equal tokens get noise of their own, which says at random which of them goes where.

    Attributes
    ----------
    samples : int
        How many plans were sampled.
    temperature : float
        Scale of the noise in units of the cost scale: the median size of the finite costs (where that is 0 their
        largest size, and where that is 0 as well 1).
    noise : float
        Scale of the noise in units of the cost. Its standard deviation is 1.28 times as much.
    seed : int
        What the noise was drawn from.
    mean, deviation : ndarray of float64, shape (n, m)
        Mean of the plans and standard deviation, per pair of tokens.
    frequency : ndarray of float64, shape (n, m)
        Share of the samples in which the pair carries at least a hundredth of the query token's mass.
    entropy : ndarray of float64, shape (n,)
        Entropy in bits of where the mass of each query token goes under `mean`: 0 if it always goes to one token, 1 if
        half of it goes to either of two. Of a token that moves nothing it is 0.
    disagreement : ndarray of float64, shape (n,)
        The part of `entropy` that comes from differences between samples; the rest is mass that each sample splits. 0
        where all samples agree.
    values : ndarray of float64, shape (samples,)
        What each sampled plan costs without the noise.
    not_converged : int
        Samples whose solver stopped at its limit of iterations.

    References
    ----------
    .. [1] Papandreou, Yuille, "Perturb-and-MAP Random Fields", ICCV 2011.
    .. [2] Mena, Belanger, Linderman, Snoek, "Learning Latent Permutations with Gumbel-Sinkhorn Networks", ICLR 2018.

    Examples
    --------
    >>> from moverank import align
    >>> x, y = [[0.0, 1.0], [1.0, 0.0]], [[0.1, 1.0], [0.0, 1.0], [1.0, 0.0]]
    >>> sure = align(x, y, "wmd", samples=100, temperature=0.01).uncertainty
    >>> sure
    Uncertainty(100 samples at temperature 0.01, 4 moves, disagreement at most 0 bits, 2x3)
    """

    samples: int
    temperature: float
    noise: float
    seed: int
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    frequency: NDArray[np.float64]
    entropy: NDArray[np.float64]
    disagreement: NDArray[np.float64]
    values: NDArray[np.float64]
    not_converged: int = 0

    @property
    def moves(self) -> list[UncertainMove]:
        """All moves of any sample, the largest mean first."""
        sources, targets = np.nonzero(self.mean)
        mean = self.mean[sources, targets]
        order = np.lexsort((targets, sources, -mean))
        columns = (
            sources[order].tolist(),
            targets[order].tolist(),
            mean[order].tolist(),
            self.deviation[sources, targets][order].tolist(),
            self.frequency[sources, targets][order].tolist(),
        )
        return [UncertainMove(*row) for row in zip(*columns, strict=True)]

    def lines(self) -> list[str]:
        """Describe the samples, as below a table of their moves."""
        cost, spread = float(self.values.mean()), float(self.values.std())
        said = [
            f"{self.samples} samples at temperature {self.temperature:g} "
            f"(Gumbel noise of scale {self.noise:.4g} on each cost, seed {self.seed}); "
            f"their plans cost {cost:.5f} ± {spread:.5f}"
        ]
        if self.not_converged:
            said.append(f"{self.not_converged} samples are not converged")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values: finite numbers, nothing of NumPy.

        Returns
        -------
        dict
            "samples", "temperature", "noise", "seed", "not_converged"; "entropy" and "disagreement", a number for each
            query token; "values", a number for each sample; "moves", `UncertainMove.to_dict`, the largest mean first.
        """
        return {
            **{name: getattr(self, name) for name in ("samples", "temperature", "noise", "seed", "not_converged")},
            "entropy": self.entropy.tolist(),
            "disagreement": self.disagreement.tolist(),
            "values": [finite(value) for value in self.values.tolist()],
            "moves": [move.to_dict() for move in self.moves],
        }

    def __repr__(self) -> str:
        n, m = self.mean.shape
        told = f", {self.not_converged} not converged" if self.not_converged else ""
        return (
            f"Uncertainty({self.samples} samples at temperature {self.temperature:g}, {np.count_nonzero(self.mean)} "
            f"moves, disagreement at most {self.disagreement.max():.3g} bits, {n}x{m}{told})"
        )

    def __str__(self) -> str:
        return "\n".join([repr(self), *self.lines()])
