"""The codebook of an index: centroids of its tokens, by which every token is known by the number of its cell.

A cell is the set of tokens that are nearer to its centroid than to all others. The first stage over tokens looks at
the cells near a query token instead of at all documents. Centroids are found and assigned in two levels: coarse
cells first, and within each its own centroids. So a token is compared with about 3√K centroids instead of K.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.storage import Stored
from moverank._support.threads import count_of, each, openmp_threads
from moverank.errors import IndexFormatError
from moverank.index.parts.setup import MOST_CELLS
from moverank.measures.measure import Measure

#: Up to this many centroids are found and assigned in one level.
ONE_LEVEL = 1 << 10

#: Tokens per centroid in the sample for training; fewer make centroids that follow the sample, not the collection.
SAMPLE_PER_CELL = 40

#: Iterations of k-means, per level. Ten instead take twice the time and bring centroids 1 % nearer.
ITERATIONS = 6

#: Tokens of which the residual of a codebook is the mean.
RESIDUAL_SAMPLE = 1 << 14

#: Arrays of a codebook, with their types in files.
DTYPES = {"centroids": "<f4", "coarse": "<f4", "firsts": "<i8"}


#: Maximum number of cells by default: each costs every query the distance of all its tokens to one centroid. Of a
#: million documents as many found the true top 10 in half the time that 65 536 took.
MOST_BY_DEFAULT = 1 << 14


def cells_for(n_tokens: int) -> int:
    """The number of cells for a collection: 16 times the root of its number of tokens, rounded to a power of two."""
    if n_tokens == 0:
        return 1
    wanted = 1 << round(np.log2(16 * np.sqrt(n_tokens)))
    # Fewer than four tokens per cell would say little about their neighbours.
    most = 1 << max(int(np.log2(max(n_tokens // 4, 1))), 0)
    return int(min(wanted, most, MOST_BY_DEFAULT))


@dataclass(frozen=True, eq=False)
class Codebook:
    """Centroids in coarse cells.

    Attributes
    ----------
    centroids : ndarray of float32, shape (K, d)
        Grouped by coarse cell.
    coarse : ndarray of float32, shape (C, d)
        Centroids of the coarse cells; one for a codebook of one level.
    firsts : ndarray of int64, shape (C + 1,)
        The centroids of coarse cell c are ``centroids[firsts[c]:firsts[c + 1]]``.
    residual : float
        Mean squared distance of the tokens of the sample to their centroids. A larger one of tokens that were added
        later tells that centroids do not fit them.
    """

    centroids: NDArray[np.float32]
    coarse: NDArray[np.float32]
    firsts: NDArray[np.int64]
    residual: float

    def __len__(self) -> int:
        return len(self.centroids)

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the core's object, which cannot be pickled and is made again when it is needed.
        return Codebook, (self.centroids, self.coarse, self.firsts, self.residual)

    @cached_property
    def _compared(self) -> _core.Codebook:
        _require_runs(self)
        return _core.Codebook(self.centroids, self.coarse, self.firsts)

    def assign(
        self, tokens: Stored, num_threads: int, factors: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """The cell of each token, and its squared distance to the centroid.

        Parameters
        ----------
        tokens : Stored
            T tokens of dimension d, of any type.
        num_threads : int
            0 means all cores.
        factors : ndarray of float32, shape (T,), optional
            By which tokens are multiplied first; inverse norms for the cells of directions.

        Returns
        -------
        cells : ndarray of uint16, shape (T,)
        distances : ndarray of float32, shape (T,)
            Not finite for a token that is not.
        """
        return self._compared.assign(tokens.in_core(), factors, num_threads)

    def residual_of(self, sample: NDArray[np.float32], num_threads: int) -> float:
        """Mean squared distance of tokens to their centroids, of some thousand of them."""
        few = np.ascontiguousarray(sample[:: -(-len(sample) // RESIDUAL_SAMPLE)])
        _, distances = self.assign(Stored.floats(few), num_threads)
        return float(distances.mean(dtype=np.float64))

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays, by name."""
        return {name: getattr(self, name) for name in DTYPES}

    def words(self, measure: Measure) -> _core.PreparedBags:
        """The centroids as a table of words, without bags."""
        none = np.empty(0, dtype=np.uint32)
        one = np.zeros(1, dtype=np.int64)
        return _core.PreparedBags.from_arrays(
            self.centroids, none, one, none.astype(np.float32), np.empty(0), 0, measure._spec
        )


def trained_codebook(sample: NDArray[np.float32], n_cells: int, num_threads: int, seed: int = 0) -> Codebook:
    """Find centroids of a sample of tokens by k-means.

    Parameters
    ----------
    sample : ndarray of float32, shape (S, d)
        Tokens, or their directions where costs depend on these alone.
    n_cells : int
        Number of centroids, from 1 to 65 536; fewer are found where the sample has fewer different tokens.
    num_threads : int
        0 means all cores.
    seed : int
        The same seed and sample give the same centroids, whatever the number of threads.
    """
    if n_cells <= ONE_LEVEL:
        return _with_residual(_one_level(_means(sample, n_cells, seed)), sample, num_threads)
    coarse = _means(sample, round(np.sqrt(n_cells)), seed)
    nearest, _ = _one_level(coarse).assign(Stored.floats(sample), num_threads)
    order = np.argsort(nearest, kind="stable")
    ends = np.searchsorted(nearest[order], np.arange(len(coarse) + 1))
    # Cells for each coarse cell by its share of the sample, at least one each.
    shares = _shares(np.diff(ends), n_cells)

    def means_within(c: int) -> NDArray[np.float32]:
        return _means(sample[order[ends[c] : ends[c + 1]]], int(shares[c]), seed + c)

    fine = each(means_within, len(coarse), count_of(num_threads))
    firsts = np.zeros(len(fine) + 1, dtype=np.int64)
    np.cumsum([len(own) for own in fine], out=firsts[1:])
    return _with_residual(Codebook(np.concatenate(fine), coarse, firsts, 0.0), sample, num_threads)


def _one_level(centroids: NDArray[np.float32]) -> Codebook:
    one = np.zeros((1, centroids.shape[1]), dtype=np.float32)
    return Codebook(centroids, one, np.array([0, len(centroids)]), 0.0)


def _with_residual(codebook: Codebook, sample: NDArray[np.float32], num_threads: int) -> Codebook:
    return replace(codebook, residual=codebook.residual_of(sample, num_threads))


def require_codebook(dim: int, shapes: Mapping[str, tuple[str, tuple[int, ...]]]) -> int:
    """Check that arrays with these dtypes and shapes can be a `Codebook`, and return its number of cells.

    Raises
    ------
    IndexFormatError
        If an array is missing or unknown, or has a wrong dtype or shape; the message names it.
    """
    if set(shapes) != set(DTYPES):
        raise IndexFormatError(f"arrays of the codebook are {sorted(shapes)}, expected {sorted(DTYPES)}")
    n_cells, n_coarse = shapes["centroids"][1][0], shapes["coarse"][1][0]
    expected = {"centroids": (n_cells, dim), "coarse": (n_coarse, dim), "firsts": (n_coarse + 1,)}
    for name, wanted in DTYPES.items():
        dtype, shape = shapes[name]
        if dtype != wanted or shape != expected[name] or not 0 < shape[0] <= MOST_CELLS + 1:
            raise IndexFormatError(f"array {name!r} of the codebook: dtype {dtype} and shape {list(shape)}")
    if n_cells > MOST_CELLS:
        raise IndexFormatError(f"the codebook has {n_cells} cells, more than {MOST_CELLS}")
    return n_cells


def verify_codebook(own: Codebook) -> None:
    """Check all numbers; IndexFormatError if they cannot be a codebook's."""
    if not (np.isfinite(own.centroids).all() and np.isfinite(own.coarse).all()):
        raise IndexFormatError("the codebook has a number that is not finite")
    _require_runs(own)


def _require_runs(own: Codebook) -> None:
    firsts = own.firsts
    if firsts[0] != 0 or firsts[-1] != len(own) or (firsts[1:] <= firsts[:-1]).any():
        raise IndexFormatError("array 'firsts' of the codebook: does not split the centroids into runs")


def _shares(counts: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Divide a total in proportion to counts; none below 1, and none above its count unless that is 0."""
    wanted = np.maximum(np.floor(counts * (total / max(int(counts.sum()), 1))), 1).astype(np.int64)
    shares: NDArray[np.int64] = np.minimum(wanted, np.maximum(counts, 1))
    return shares


def _means(points: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Centroids of points by k-means: as many as wanted, or fewer if there are fewer points."""
    if len(points) <= count:
        return points if len(points) else np.zeros((1, points.shape[1]), dtype=np.float32)
    faiss: Any = import_module("faiss")
    with openmp_threads(faiss, 1):
        kmeans = faiss.Kmeans(
            points.shape[1],
            count,
            niter=ITERATIONS,
            seed=seed,
            min_points_per_centroid=1,
            max_points_per_centroid=SAMPLE_PER_CELL,
        )
        kmeans.train(points)
    found: NDArray[np.float32] = kmeans.centroids
    return found
