"""Steps that transform the vectors of an encoder into the space in which texts are compared.

A recipe, such as `AllButTheTop()`, says what to learn; a step, such as a shift and a matrix, is the result of learning.
The steps of a space are applied to vectors in order; the weights that they give are multiplied.
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
    """A transformation of the vectors and weights of tokens."""

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """Return new vectors, shape (n, d'), and weights; weights are None if the measure determines them."""
        ...


class Recipe(Protocol):
    """A step before it is learnt."""

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> Step:
        """Learn the step.

        Parameters
        ----------
        statistics : Statistics
            Counts of the corpus.
        moments : Moments
            Mean and covariance of the vectors after the previous steps.
        sample : list of (tokens, vectors)
            Texts after the previous steps.
        """
        ...


# ---- steps -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Affine:
    """(x − shift) matrix; `name` is the recipe that it was learnt by."""

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
    """x / |x|; zero vectors stay zero. The step learns nothing, so it is its own recipe."""

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """Scale the vectors."""
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32), weights

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> UnitNorm:
        """Return the step itself."""
        return self


@dataclass(frozen=True, eq=False)
class ScaledBy:
    """w_t x: scale the vector of each token t by its weight.

    The weight then also scales the token's mass if the measure weights by norm, and its share in means of vectors.
    """

    weights: TokenWeights

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """Scale the vectors."""
        return (vectors * self.weights.of(tokens)[:, None]).astype(np.float32), weights


@dataclass(frozen=True, eq=False)
class WeighedBy:
    """Mass w_t, or |x| w_t if `by_norm`, in place of the measure's weighting; multiplied with weights already present.

    Mass is the amount that is moved out of or into a token.
    """

    weights: TokenWeights | None
    by_norm: bool

    def __repr__(self) -> str:
        by = [*([] if self.weights is None else [repr(self.weights)]), *(["norm"] if self.by_norm else [])]
        return f"WeighedBy({', '.join(by)})"

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """Multiply the weights."""
        mass = np.ones(len(vectors)) if self.weights is None else self.weights.of(tokens)
        if self.by_norm:
            mass = mass * np.linalg.norm(vectors.astype(np.float64), axis=1)
        return vectors, mass if weights is None else mass * weights


# ---- recipes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Centring:
    """Subtract the mean of all token vectors from each."""

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> Affine:
        """Use the mean of the corpus."""
        return Affine(moments.mean, np.eye(len(moments.mean)), "centring")


@dataclass(frozen=True)
class AllButTheTop:
    """Centre, then remove the directions of largest variance, which are common to all words.

    Parameters
    ----------
    directions : int, optional
        Number of directions to remove; by default a hundredth of the dimension, at least one.

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
    """Centre, then scale the principal directions to unit variance; optionally keep only the first ones.

    Parameters
    ----------
    dim : int, optional
        Number of dimensions to keep; all by default.
    floor : float, default 1e-4
        Smallest variance, as a share of the largest one; smaller variances are replaced by it, so that noise in
        directions of almost no variance is not amplified.

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
    """Damp each principal direction of variance σ² by 1 / (1 + α² σ²), a soft version of all-but-the-top.

    Parameters
    ----------
    aperture : float, default 2.0
        α: a larger aperture damps more. Variances σ² are in units of their mean.

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
    """Remove the first principal directions of the mean vectors of texts, which are common to all texts.

    Parameters
    ----------
    directions : int, default 1
        Number of directions to remove.

    References
    ----------
    .. [1] Arora, Liang, Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017.
    """

    directions: int = 1

    def __post_init__(self) -> None:
        whole_number(self.directions, "directions", least=1)

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> Affine:
        """Find the directions in the sample."""
        means = np.array([vectors.mean(axis=0) for _, vectors in sample])
        dim = means.shape[1]
        common = _principal(Moments.of(means).second)[1][:, : min(self.directions, dim - 1)]
        return Affine(np.zeros(dim), np.eye(dim) - common @ common.T, f"{common.shape[1]} common removed")


@dataclass(frozen=True, eq=False)
class Scaling:
    """Scale vectors by token weights: "idf", "sif", or your own."""

    weights: str | TokenWeights = "sif"

    def __post_init__(self) -> None:
        _require_weights(self.weights)

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> ScaledBy:
        """Compute the token weights from the counts."""
        return ScaledBy(_fitted(self.weights, statistics))


@dataclass(frozen=True, eq=False)
class Weighing:
    """Set the mass of tokens: by token weights ("idf", "sif", or your own), by norm, or by both.

    Mass is the amount that is moved out of or into a token.

    Parameters
    ----------
    weights : str or TokenWeights, optional
        Weight of each token, the same wherever it occurs.
    by_norm : bool, default False
        Multiply by the norm of the token's vector at this step.
    """

    weights: str | TokenWeights | None = "idf"
    by_norm: bool = False

    def __post_init__(self) -> None:
        if self.weights is not None:
            _require_weights(self.weights)

    def fit(self, statistics: Statistics, moments: Moments, sample: Sample) -> WeighedBy:
        """Compute the token weights from the counts."""
        return WeighedBy(None if self.weights is None else _fitted(self.weights, statistics), self.by_norm)


def _require_weights(weights: object) -> None:
    if not isinstance(weights, TokenWeights) and weights not in ("idf", "sif"):
        raise ValueError(f"weights must be 'idf', 'sif' or TokenWeights, got {weights!r}")


def _fitted(weights: str | TokenWeights, statistics: Statistics) -> TokenWeights:
    if isinstance(weights, TokenWeights):
        return weights
    return TokenWeights.idf(statistics) if weights == "idf" else TokenWeights.sif(statistics)


def _principal(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues in decreasing order, clipped at 0, and eigenvectors as columns."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]
