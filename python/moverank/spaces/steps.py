"""Steps from the vectors of an encoder to the space in which texts are compared.

A recipe says what to learn (`AllButTheTop()`), a step is what was learnt (a shift and a matrix). Vectors go through the
steps of a space one after the other; weights are multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import positive_number, whole_number
from moverank.spaces.statistics import Moments, Statistics
from moverank.spaces.weights import TokenWeights

Vectors = NDArray[np.float32]
Weights = NDArray[np.float64]
Sample = list[tuple[list[str], Vectors]]


class Step(Protocol):
    """Something that is done to the tokens of a text."""

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """New vectors, shape (n, d'), and weights, or None where the measure is to decide."""
        ...


class Recipe(Protocol):
    """A step that is still to be learnt."""

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> Step:
        """Learn it.

        Parameters
        ----------
        statistics : Statistics
            Counts of the corpus.
        moments : Moments
            Of the vectors as the steps before leave them.
        sample : list of (tokens, vectors)
            Texts as the steps before leave them.
        """
        ...


# ---- what was learnt -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Affine:
    """(x − shift) matrix; `name` says where it comes from."""

    shift: NDArray[np.float64]
    matrix: NDArray[np.float64]
    name: str

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """Map the vectors."""
        if vectors.shape[1] != len(self.shift):
            raise ValueError(f"space: was fitted to vectors of dimension {len(self.shift)}, got {vectors.shape[1]}")
        return ((vectors - self.shift) @ self.matrix).astype(np.float32), weights

    def __repr__(self) -> str:
        return f"Affine({self.name}, {self.matrix.shape[0]} to {self.matrix.shape[1]})"


@dataclass(frozen=True)
class UnitNorm:
    """x / |x|. Zero vectors stay zero. Nothing has to be learnt."""

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """Scale the vectors."""
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32), weights

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> UnitNorm:
        """Nothing to learn."""
        return self


@dataclass(frozen=True, eq=False)
class ScaledBy:
    """w_t x: what weighting by norm then takes for the token's mass, and what means are weighted by."""

    weights: TokenWeights

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """Scale the vectors."""
        return (vectors * self.weights.of(tokens)[:, None]).astype(np.float32), weights


@dataclass(frozen=True, eq=False)
class WeighedBy:
    """Mass w_t, or |x| w_t if `by_norm`, in place of what the measure would give; times what steps before gave."""

    weights: TokenWeights | None
    by_norm: bool

    def __repr__(self) -> str:
        by = [*([] if self.weights is None else [repr(self.weights)]), *(["norm"] if self.by_norm else [])]
        return f"WeighedBy({', '.join(by)})"

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """Multiply the weights."""
        own = np.ones(len(vectors)) if self.weights is None else self.weights.of(tokens)
        if self.by_norm:
            own = own * np.linalg.norm(vectors.astype(np.float64), axis=1)
        return vectors, own if weights is None else own * weights


# ---- what is to be learnt --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Centring:
    """Take the mean of all token vectors off each."""

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> Affine:
        """Take the mean."""
        return Affine(moments.mean, np.eye(len(moments.mean)), "centring")


@dataclass(frozen=True)
class AllButTheTop:
    """Centre, and remove the directions of largest variance, which all words share.

    Parameters
    ----------
    directions : int, optional
        How many; a hundredth of the dimension by default, at least one.

    References
    ----------
    .. [1] Mu, Viswanath, "All-but-the-Top: Simple and Effective Postprocessing for Word Representations", ICLR 2018.
    """

    directions: int | None = None

    def __post_init__(self) -> None:
        if self.directions is not None:
            whole_number(self.directions, "directions", least=1)

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> Affine:
        """Find the directions."""
        dim = len(moments.mean)
        count = max(dim // 100, 1) if self.directions is None else min(self.directions, dim - 1)
        top = _principal(moments.covariance)[1][:, :count]
        return Affine(moments.mean, np.eye(dim) - top @ top.T, f"all but the top {count}")


@dataclass(frozen=True)
class Whitening:
    """Centre, and scale all directions to unit variance; or the first ones only, as dimensions of the new space.

    Parameters
    ----------
    dim : int, optional
        Dimensions that are left; all by default.
    floor : float, default 1e-4
        Variances below this share of the largest count as this: directions without variance are noise.

    References
    ----------
    .. [1] Su, Cao, Liu, Ou, "Whitening Sentence Representations for Better Semantics and Faster Retrieval", 2021.
    """

    dim: int | None = None
    floor: float = 1e-4

    def __post_init__(self) -> None:
        if self.dim is not None:
            whole_number(self.dim, "dim", least=1)
        positive_number(self.floor, "floor")

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> Affine:
        """Find axes and variances."""
        variances, axes = _principal(moments.covariance)
        kept = len(variances) if self.dim is None else min(self.dim, len(variances))
        scale = 1.0 / np.sqrt(np.maximum(variances, self.floor * variances[0]))
        return Affine(moments.mean, (axes * scale)[:, :kept], f"whitening to {kept}")


@dataclass(frozen=True)
class ConceptorNegation:
    """Damp each principal direction by how much of all it explains: 1 / (1 + α² σ²), a soft all-but-the-top.

    Parameters
    ----------
    aperture : float, default 2.0
        α; larger damps more. Variances are in units of their mean.

    References
    ----------
    .. [1] Liu, Ungar, Sedoc, "Unsupervised Post-processing of Word Vectors via Conceptor Negation", AAAI 2019.
    """

    aperture: float = 2.0

    def __post_init__(self) -> None:
        positive_number(self.aperture, "aperture")

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> Affine:
        """Find the directions."""
        variances, axes = _principal(moments.second)
        damped = 1.0 / (1.0 + self.aperture**2 * variances / variances.mean())
        return Affine(np.zeros(len(variances)), (axes * damped) @ axes.T, f"conceptor negation, α = {self.aperture:g}")


@dataclass(frozen=True)
class RemoveCommon:
    """Remove the first directions of sums of texts' vectors, which all texts share.

    Parameters
    ----------
    directions : int, default 1
        How many.

    References
    ----------
    .. [1] Arora, Liang, Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017.
    """

    directions: int = 1

    def __post_init__(self) -> None:
        whole_number(self.directions, "directions", least=1)

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> Affine:
        """Find the directions in the sample."""
        sums = np.array([vectors.mean(axis=0) for _, vectors in sample])
        dim = sums.shape[1]
        common = _principal(Moments.of(sums).second)[1][:, : min(self.directions, dim - 1)]
        return Affine(np.zeros(dim), np.eye(dim) - common @ common.T, f"{common.shape[1]} common removed")


@dataclass(frozen=True, eq=False)
class Scaling:
    """Scale vectors by token weights: "idf", "sif", or some of your own."""

    weights: str | TokenWeights = "sif"

    def __post_init__(self) -> None:
        _require_weights(self.weights)

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> ScaledBy:
        """Count tokens."""
        return ScaledBy(_fitted(self.weights, statistics))


@dataclass(frozen=True, eq=False)
class Weighing:
    """Give tokens their mass: by token weights ("idf", "sif", or your own), by norm, or by both.

    Parameters
    ----------
    weights : str or TokenWeights, optional
        By what a token is.
    by_norm : bool, default False
        By the norm of its vector, as it is at this step.
    """

    weights: str | TokenWeights | None = "idf"
    by_norm: bool = False

    def __post_init__(self) -> None:
        if self.weights is not None:
            _require_weights(self.weights)

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> WeighedBy:
        """Count tokens."""
        return WeighedBy(None if self.weights is None else _fitted(self.weights, statistics), self.by_norm)


def _require_weights(weights: object) -> None:
    if not isinstance(weights, TokenWeights) and weights not in ("idf", "sif"):
        raise ValueError(f"weights must be 'idf', 'sif' or TokenWeights, got {weights!r}")


def _fitted(weights: str | TokenWeights, statistics: Statistics) -> TokenWeights:
    if isinstance(weights, TokenWeights):
        return weights
    return TokenWeights.idf(statistics) if weights == "idf" else TokenWeights.sif(statistics)


def _principal(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues, falling and not negative, and eigenvectors as columns."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]
