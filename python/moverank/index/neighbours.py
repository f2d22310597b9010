"""The nearest neighbours of every sequence of a batch, without the matrix of all distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import index
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.optional import optional
from moverank._support.threads import count_of
from moverank._support.validate import require_callable, thread_count
from moverank.index.index import Index
from moverank.index.tiles import Tile, radius_of
from moverank.measures.distances import corpus_of, pairwise
from moverank.measures.measure import Measure, naming, prepare, require_same_dim, require_vectors
from moverank.measures.origin import about_one_origin
from moverank.measures.precision import tell_if_below
from moverank.vectors.bags import Bags
from moverank.vectors.sequences import Batch, Sequences, as_sequences
from moverank.vectors.words import Words

#: With at most so many pairs, all distances are computed where the core finds no neighbours itself.
FEW_PAIRS = 1 << 20

#: Distances that are held at a time then.
PAIRS_AT_ONCE = 1 << 22

#: Rows that are searched between two reports of progress, where each is a search of its own.
ROWS = 256


@dataclass(frozen=True, repr=False, eq=False)
class Neighbours:
    """For each row the columns that are nearest to it: nearest first, equal distances in the order of the columns.

    ``found[r]`` is a pair of arrays: positions, and distances. `len` is the number of rows.

    Attributes
    ----------
    offsets : ndarray of int64, shape (N + 1,)
        Row r has the entries from ``offsets[r]`` to ``offsets[r + 1]`` of the next two.
    positions : ndarray of int64, shape (M,)
        Places of the columns.
    distances : ndarray of float64, shape (M,)
        Their distances, as `pairwise` gives them, to rounding.
    n_columns : int
        Number of columns.
    """

    offsets: NDArray[np.int64]
    positions: NDArray[np.int64]
    distances: NDArray[np.float64]
    n_columns: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        place = range(len(self))[index(row)]
        own = slice(self.offsets[place], self.offsets[place + 1])
        return self.positions[own], self.distances[own]

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        return (self[row] for row in range(len(self)))

    def to_csr(self) -> Any:
        """Make a sparse matrix of SciPy, shape (N, `n_columns`), with the distances as entries, zeros included.

        Estimators of scikit-learn take it with ``metric="precomputed"``.
        """
        sparse = optional("scipy.sparse", "sklearn")
        shape = len(self), self.n_columns
        return sparse.csr_array((self.distances.copy(), self.positions.copy(), self.offsets.copy()), shape=shape)

    def __repr__(self) -> str:
        counts = np.diff(self.offsets)
        each = "none" if not len(counts) else f"{counts.min()}" if counts.min() == counts.max() else (
            f"{counts.min()} to {counts.max()}"
        )  # fmt: skip
        return f"Neighbours({len(self)} rows, {each} each of {self.n_columns})"


def neighbours(
    A: Batch,
    B: Batch | None = None,
    measure: str | Measure = "wrd",
    *,
    k: int | None = None,
    radius: float | None = None,
    progress: Callable[[int, int], object] | None = None,
    num_threads: int | None = None,
) -> Neighbours:
    """Find the nearest sequences of one batch for each of another exactly, as for clustering or to find duplicates.

    The answer is that of `pairwise` and a sort, but most pairs are ruled out by bounds and never solved, and the matrix
    is never made. Bags, and sequences that repeat tokens, as those of word vectors do, gain most: the costs between
    words are computed once, and a pair that is ruled out costs some 20 ns.

    Parameters
    ----------
    A : Sequences, Bags, encoded texts, or sequence of array_like, each of shape (n_r, d)
        The rows. They play the query: all of their mass moves.
    B : the same, each of shape (m_s, d), optional
        The columns. By default `A` itself; then no row is a neighbour of itself, though equal ones are.
    measure : str or Measure, default "wrd"
        The distance.
    k : int, optional
        How many neighbours of each row; all columns if there are fewer.
    radius : float, optional
        Largest distance, in units of the ground cost, itself included. Cosine costs of equal vectors are 0 to rounding
        only: to find duplicates by them, allow 1e-5. At least one of `k` and `radius` is required;
        with both, the k nearest within the radius.
    progress : callable, optional
        Called from time to time, and at the end, with the number of finished rows and of all rows.
    num_threads : int, optional
        Threads to use; all cores by default. The result does not depend on it.

    Returns
    -------
    Neighbours

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it, and the sequence.

    References
    ----------
    .. [1] Atasu et al., "Linear-complexity relaxed word mover's distance with GPU acceleration", IEEE Big Data 2017.

    Examples
    --------
    >>> import numpy as np
    >>> axes = np.eye(4)
    >>> found = neighbours([axes[:2], axes[1:3], axes[2:], axes[:1]], k=1)
    >>> found.positions.tolist(), found.distances.round(2).tolist()
    ([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5])
    >>> found[3]
    (array([0]), array([0.5]))
    """
    chosen = Measure.of(measure)
    require_vectors(chosen)
    limit = radius_of(k, radius)
    if progress is not None:
        require_callable(progress, "progress")
    threads = count_of(thread_count(num_threads))
    within = B is None or B is A
    rows = _batch(A, "A", chosen)
    columns = rows if within else _batch(B, "B", chosen)
    require_same_dim(rows.dim, columns.dim, "A", "B")
    if not within and isinstance(rows, Bags) is not isinstance(columns, Bags):
        # One kind for both.
        rows, columns = (_as_sequences(own, chosen) for own in (rows, columns))
    if isinstance(rows, Sequences) and isinstance(columns, Sequences):
        rows, columns = about_one_origin(chosen, rows, columns)
    corpora = _corpora(rows, columns, chosen)
    wanted = len(columns) if k is None else k
    if corpora is None and _is_quicker_by_matrix(rows, columns, chosen, wanted, limit):
        return _by_matrix(rows, columns, chosen, wanted, limit, progress, threads)
    if corpora is None:
        found = _by_searches(rows, columns, chosen, k, limit, progress, threads)
    else:
        found = Neighbours(*_core.neighbours(*corpora, wanted, limit, within, progress, threads)[:3], len(columns))
    if chosen._cost.translation_invariant and (rows._rounded or columns._rounded):
        tell_if_below(found.distances, chosen, rows._longest + columns._longest)
    return found


def _batch(given: Any, name: str, measure: Measure) -> Sequences | Bags:
    return given if isinstance(given, Bags) else as_sequences(given, name, measure.weighting)


def _as_sequences(batch: Sequences | Bags, measure: Measure) -> Sequences:
    return batch.to_sequences(measure.weighting) if isinstance(batch, Bags) else batch


def _corpora(
    rows: Sequences | Bags, columns: Sequences | Bags, measure: Measure
) -> tuple[_core.BagCorpus, _core.BagCorpus] | None:
    """Both sides as bags of words in the core; None if nothing is gained, or the problem is not an exact one."""
    sides = [rows] if columns is rows else [rows, columns]
    made: list[_core.BagCorpus]
    # These also find faults, which a search would tell without the name of the argument.
    if isinstance(rows, Bags):
        made = [corpus_of(cast("Bags", own), measure, name) for own, name in zip(sides, "AB", strict=False)]
    else:
        prepared = []
        for own, name in zip(cast("list[Sequences]", sides), "AB", strict=False):
            with naming(name, name):
                prepared.append(prepare(own, measure))
        found = _of_words(cast("list[Sequences]", sides), prepared, measure) if measure.problem == "exact" else None
        if found is None:
            return None
        made = found
    return (made[0], made[-1]) if measure.problem == "exact" else None


def _of_words(
    sides: list[Sequences], prepared: list[_core.PreparedSequences], measure: Measure
) -> list[_core.BagCorpus] | None:
    """Sequences as bags of their different tokens; None if few tokens are equal."""
    tokens = np.concatenate([own.tokens for own in sides])
    lengths = np.concatenate([np.diff(own.offsets) for own in sides])
    words = Words.of(tokens, np.concatenate([[0], np.cumsum(lengths)]))
    if len(words.table) == len(tokens):
        return None
    # The masses that the measure gives, so that the bags' own weighting has nothing to add.
    uniform = measure.replace(weighting="uniform")
    # Each word once per bag: a solve of long sequences takes many times as long if tokens repeat.
    of_tokens = np.concatenate([ready.arrays["mass"] for ready in prepared])
    mass = np.bincount(words.place, of_tokens).astype(np.float64, copy=False)
    kept = np.concatenate([[0], np.cumsum(mass > 0)])
    none_known = np.empty(0, dtype=np.uint32)
    made = []
    begin = 0
    for own in sides:
        cuts = words.offsets[begin : begin + len(own) + 1]
        begin += len(own)
        here = np.arange(cuts[0], cuts[-1])[mass[cuts[0] : cuts[-1]] > 0]
        part = _core.PreparedBags(
            words.table, words.rows[here].astype(np.uint32), kept[cuts] - kept[cuts[0]], mass[here], uniform._spec,
            none_known,
        )  # fmt: skip
        made.append(_core.BagCorpus([part]))
    return made


def _is_quicker_by_matrix(
    rows: Sequences | Bags, columns: Sequences | Bags, measure: Measure, k: int, radius: float
) -> bool:
    """Whether all distances take less time than a search per row: there are few, most are wanted, or each is quick."""
    wants_most = radius == math.inf and 4 * k >= len(columns)
    return wants_most or measure.problem == "relaxed" or len(rows) * len(columns) <= FEW_PAIRS


def _by_matrix(
    rows: Sequences | Bags,
    columns: Sequences | Bags,
    measure: Measure,
    k: int,
    radius: float,
    progress: Callable[[int, int], object] | None,
    num_threads: int,
) -> Neighbours:
    """Compute all distances, those of some rows at a time, and sort them."""
    within = columns is rows
    step = max(PAIRS_AT_ONCE // len(columns), 1)
    positions, distances = [], []
    for begin in range(0, len(rows), step):
        if within and step >= len(rows):
            found = pairwise(rows, None, measure, num_threads=num_threads)
        else:
            found = pairwise(rows[begin : begin + step], columns, measure, num_threads=num_threads)
        for row, own in enumerate(found, start=begin):
            order = np.argsort(own, kind="stable")
            if within:
                order = order[order != row]
            order = order[own[order] <= radius][:k]
            positions.append(order.astype(np.int64, copy=False))
            distances.append(own[order])
        if progress is not None:
            progress(min(begin + step, len(rows)), len(rows))
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in positions])])
    return Neighbours(offsets, np.concatenate(positions), np.concatenate(distances), len(columns))


def _by_searches(
    rows: Sequences | Bags,
    columns: Sequences | Bags,
    measure: Measure,
    k: int | None,
    radius: float,
    progress: Callable[[int, int], object] | None,
    num_threads: int,
) -> Neighbours:
    """Search for each row by itself."""
    indexes = [
        Index.build(own, measure, prefilter=None, num_threads=num_threads)._snapshot
        for own in ([rows] if columns is rows else [rows, columns])
    ]
    # Whoever called this warns once about all distances.
    tile = Tile(indexes[0], indexes[-1], k, radius, num_threads, tells_lost=False)
    queries: list[int] = []
    positions: list[int] = []
    distances = []
    for begin in range(0, len(rows), ROWS):
        places = np.arange(begin, min(begin + ROWS, len(rows)))
        own, found, own_distances = tile.pairs(places)
        queries += cast("list[int]", own)
        positions += cast("list[int]", found)
        distances.append(own_distances)
        if progress is not None:
            progress(int(places[-1]) + 1, len(rows))
    counts = np.bincount(np.array(queries, dtype=np.int64), minlength=len(rows))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Neighbours(offsets, np.array(positions, dtype=np.int64), np.concatenate(distances), len(columns))
