"""Fewer tokens per document: groups of near tokens, each replaced by one token with the mass of all of them."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import pool_factor, read_only, thread_count
from moverank.measures.measure import Measure, naming, prepare, require_vectors
from moverank.measures.origin import about, origin_of
from moverank.vectors.bags import Bags
from moverank.vectors.histograms import Histograms
from moverank.vectors.sequences import Batch, Sequences, as_sequences


@dataclass(frozen=True, eq=False)
class PooledTokens:
    """Documents with fewer tokens, made by `pool_tokens`.

    Attributes
    ----------
    documents : Sequences
        The documents, with a token for each group of tokens, in the order of the groups' first tokens. Their weights
        are the masses of the groups, of total 1 in each document.
    pooled_into : ndarray of int32, shape (T,)
        For each token as given, the number of the token of its document that it was pooled into; −1 for tokens without
        mass, which are left out.
    offsets : ndarray of int64, shape (N + 1,)
        Where each document begins in `pooled_into`, and T.
    """

    documents: Sequences
    pooled_into: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def members(self, s: int) -> tuple[NDArray[np.int64], ...]:
        """Positions of the tokens of document `s`, as given, that each of its pooled tokens stands for.

        Returns
        -------
        tuple of ndarray of int64
            One rising array per token of ``documents[s]``.
        """
        kept = self.documents._rows(s)  # refuses what is not a document
        place = operator.index(s) % len(self.documents)
        own = self.pooled_into[self.offsets[place] : self.offsets[place + 1]]
        return members_of(own, int(kept.stop - kept.start))


def pool_tokens(
    docs: Batch | Bags | Histograms,
    factor: float = 2,
    measure: str | Measure | None = None,
    *,
    num_threads: int | None = None,
) -> PooledTokens:
    """Replace groups of near tokens of each document by one token each, which has the mass of all of them.

    A document of n tokens keeps n / `factor` of them, rounded up, so that it takes less memory and is compared faster.
    Groups are the clusters of Ward's method within a document, weighted by mass: clusters are merged as long as there
    are too many, each time the two that add least to the sum of mass times squared distance to the cluster's mean. For
    a squared Euclidean cost, moving a document onto its pooled form costs at most that sum.

    A group is the mass-weighted mean of its members. Under the cosine cost, which depends on directions alone, tokens
    are clustered by their directions, and a group has the direction of the mean of these: what it costs to move all
    members to one place depends on that mean alone. (Under "wrd", where mass is length, it is the direction of the
    members' sum.) Under "cosine" and "dot" a group has the mean length of its members, because the mean of vectors that
    differ is shorter than these, which would make inner products too small. If members cancel there, the heaviest
    represents them. A token that is alone keeps its vector. Under unlimited capacity, as in "maxsim", masses of
    documents do not matter, and all tokens that have some count the same.

    Distances to pooled documents are not those to the documents as they were, nor bounds on these. How much they change
    on real collections is in the documentation, under "Benchmarks". Queries have few tokens and are best left as they
    are.

    Parameters
    ----------
    docs : Sequences, or sequence of array_like, each of shape (n_s, d)
        The documents. Weights that they have are their masses.
    factor : float, default 2
        By how much tokens are to be fewer, at least 1. With 1, all tokens that have mass stay.
    measure : str or Measure, optional
        The measure that will compare them, "wrd" by default: its ground cost says what is near, its weighting what mass
        a token has without weights.
    num_threads : int, optional
        Threads to use; all cores by default. The result does not depend on it.

    Returns
    -------
    PooledTokens
        The documents, in the type of `docs`, and which tokens became which. Weights are stored, because a mass by norm
        cannot be computed from the mean of several tokens.

    Raises
    ------
    TypeError
        If documents are bags, whose words have their vectors in common, or histograms, or are not made of real numbers.
    ValueError
        If a document cannot be measured, or the factor is below 1; the message says which.

    Notes
    -----
    Clustering takes time in proportion to the square of a document's tokens. Up to 4096 tokens with mass it takes at
    most 64 MiB per thread; longer documents are clustered in memory proportional to their tokens, and more slowly.

    References
    ----------
    .. [1] Clavié, Chaffin, Adams, "Reducing the Footprint of Multi-Vector Retrieval with Minimal Performance Impact via
       Token Pooling", 2024, arXiv:2409.14683: for MaxSim, factor 2 costs hardly any quality.
    .. [2] Ward, "Hierarchical grouping to optimize an objective function", JASA 58, 1963.

    Examples
    --------
    >>> import numpy as np
    >>> docs = [np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [3.0, 0.0]])]
    >>> pooled = pool_tokens(docs, 2, "wrd")
    >>> pooled.documents[0].tokens.round(3), pooled.documents.weights.round(3)
    (array([[2.5  , 0.   ],
           [0.   , 1.667]], dtype=float32), array([0.571, 0.429]))
    >>> pooled.pooled_into
    array([0, 1, 1, 0], dtype=int32)
    """
    chosen = Measure.of("wrd" if measure is None else measure)
    require_vectors(chosen)
    by = pool_factor(factor, "factor")
    threads = thread_count(num_threads)
    if isinstance(docs, (Bags, Histograms)):
        advice = "; docs.to_sequences(weighting) gives them vectors of their own" if isinstance(docs, Bags) else ""
        raise TypeError(f"docs: expected sequences of vectors, got {type(docs).__name__}{advice}")
    batch = as_sequences(docs, "docs", chosen.weighting)
    origin = origin_of(batch) if chosen._cost.translation_invariant else None
    moved = batch if origin is None else about(origin, batch, chosen)
    with naming("docs", "docs"):
        found, pooled_into = pooled_documents(moved, by, chosen, threads)
    if origin is not None:
        moved_back = found.tokens.astype(np.float64) + origin
        found = Sequences.from_flat(moved_back, found.offsets, found.weights)
    return PooledTokens(found.astype(batch.dtype), read_only(pooled_into), batch.offsets)


def pooled_documents(
    docs: Sequences, factor: float, measure: Measure, num_threads: int
) -> tuple[Sequences, NDArray[np.int32]]:
    """Pool documents that the core can take as they are: in float32, and the group of each token in its document."""
    prepared = prepare(docs, measure)
    groups = prepared.groups(factor, num_threads)
    tokens = prepared.group_means(groups.offsets, groups.pooled_into, num_threads)
    kept = groups.pooled_into >= 0
    group = np.repeat(groups.offsets[:-1], docs.lengths) + groups.pooled_into
    mass = np.bincount(group[kept], prepared.arrays["mass"][kept], minlength=len(tokens))
    return Sequences.from_flat(tokens, groups.offsets, mass), groups.pooled_into


def pooled_again(
    tokens: NDArray[np.float64], mass: NDArray[np.float64], pooled_into: NDArray[np.int32], count: int, measure: Measure
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tokens and masses of one document, pooled as another one was; ValueError if it has no mass in one of the groups.

    Clustered anew, tokens with other last digits could be grouped in another way.
    """
    kept = pooled_into >= 0
    of_groups = np.bincount(pooled_into[kept], mass[kept], minlength=count).astype(np.float64)
    document = Sequences.from_flat(tokens, [0, len(tokens)], mass)
    means = prepare(document, measure).group_means(np.array([0, count]), pooled_into, 1)
    return means.astype(np.float64), of_groups


def members_of(pooled_into: NDArray[np.int32], count: int) -> tuple[NDArray[np.int64], ...]:
    """Positions of the tokens in each of `count` groups; ValueError for a number that is not of a group."""
    if ((pooled_into < -1) | (pooled_into >= count)).any():
        raise ValueError(f"pooled tokens are numbered from 0 to {count - 1}, found another number")
    order = np.argsort(pooled_into, kind="stable")
    ends = np.cumsum(np.bincount(pooled_into + 1, minlength=count + 1))
    return tuple(order[start:end] for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))
