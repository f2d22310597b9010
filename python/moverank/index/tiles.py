"""Nearest documents of one index for each document of another, some at a time: never the matrix of all distances."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.threads import each
from moverank._support.validate import real_number, whole_number
from moverank.errors import MeasureMismatchError
from moverank.index.answer import EVERYTHING, Request
from moverank.index.parts.ids import Positions
from moverank.index.search.query import Goal
from moverank.index.snapshot import Snapshot
from moverank.vectors.encoder_identity import checked

#: Bytes of the documents that are compared with all of a tile before the next are read.
TILE_BYTES = 1 << 30


def radius_of(k: Any, radius: Any) -> float:
    """Check how many nearest are wanted, and within what distance, which is returned: at least one of both is given."""
    if k is None and radius is None:
        raise ValueError("expected k, radius, or both, got neither")
    if k is not None:
        whole_number(k, "k", least=1)
    limit = np.inf if radius is None else real_number(radius, "radius")
    if np.isnan(limit):
        raise ValueError("radius must be a number, got nan")
    return limit


def require_comparable(rows: Snapshot, columns: Snapshot) -> None:
    """Refuse two indexes whose documents cannot be compared.

    Raises
    ------
    MeasureMismatchError, EncoderMismatchError
        If their measures or encoders differ.
    ValueError
        If their spaces or dimensions differ, or their costs are given.
    """
    if rows.setup.measure != columns.setup.measure:
        names = rows.setup.measure.name, columns.setup.measure.name
        raise MeasureMismatchError("expected two indexes of one measure, got {} and {}".format(*names))
    if rows.setup.kind == "bins" or columns.setup.kind == "bins":
        raise ValueError("expected indexes of vectors, as with given costs documents are not queries")
    if rows.setup.dim != columns.setup.dim:
        raise ValueError(f"expected two indexes of one dimension, got {rows.setup.dim} and {columns.setup.dim}")
    if rows.encoder is not None and columns.encoder is not None:
        checked(rows.encoder, columns.encoder)
    spaces = [None if own.space is None else own.space.octets for own in (rows, columns)]
    if spaces[0] != spaces[1]:
        raise ValueError("expected two indexes of one space")


class Tile:
    """The nearest documents of an index for some documents of another.

    Parameters
    ----------
    rows, columns : Snapshot
        The documents that are queries, and those that are found; the same object for pairs within one index, where
        no document is paired with itself.
    k : int or None
        Number of documents per query; None for all within the radius.
    radius : float
        Largest distance.
    num_threads : int
        Queries that are answered at the same time.
    tells_lost : bool
        Whether each query warns about digits that distances lost, those to itself included.
    """

    def __init__(
        self,
        rows: Snapshot,
        columns: Snapshot,
        k: int | None,
        radius: float,
        num_threads: int,
        *,
        tells_lost: bool = True,
    ) -> None:
        self._rows = rows
        self._within = rows is columns
        # One more where a document may find itself.
        self._k = None if k is None else k + self._within
        self._radius = radius
        self._threads = num_threads
        self._tells_lost = tells_lost
        self._blocks = _blocks(columns)

    def pairs(self, places: NDArray[np.int64]) -> tuple[list[object], list[object], NDArray[np.float64]]:
        """Ids of queries, which are given by their places, ids found, and distances; the nearest first per query."""
        positions = self._rows.positions[places]
        names = self._rows.ids_at(positions).tolist()
        found: list[tuple[list[object], NDArray[np.float64]]] = [([], np.empty(0)) for _ in names]
        for block in self._blocks:
            found = each(partial(self._nearest, block, positions, found), len(names), self._threads)
        if self._within:
            found = [self._without(own, *one) for own, one in zip(names, found, strict=True)]
        queries = [name for name, (ids, _) in zip(names, found, strict=True) for _ in ids]
        distances = np.concatenate([np.empty(0), *(distances for _, distances in found)])
        return queries, [id for ids, _ in found for id in ids], distances

    def _nearest(
        self, block: Snapshot, positions: Positions, before: list[tuple[list[object], NDArray[np.float64]]], place: int
    ) -> tuple[list[object], NDArray[np.float64]]:
        """Nearest documents of one query in a block and those before it; what these found bounds the search."""
        ids, distances = before[place]
        is_full = self._k is not None and len(ids) >= self._k
        goal = Goal(len(block) if self._k is None else self._k, distances[-1] if is_full else self._radius)
        request = Request(block, goal, None, None, None, EVERYTHING, 0.0, self._tells_lost)
        tokens, mass = self._rows.document(int(positions[place]))
        origin = self._rows.setup.origin
        given = tokens if origin is None else tokens.astype(np.float64) + np.array(origin)
        hits = request.answer(given, mass, 1)
        names = np.array([*ids, *hits.ids.tolist()], dtype=object)
        every = np.concatenate([distances, hits.distances])
        order = np.lexsort((names, every))[: self._k]
        return names[order].tolist(), every[order]

    def _without(
        self, own: object, ids: list[object], distances: NDArray[np.float64]
    ) -> tuple[list[object], NDArray[np.float64]]:
        """Without the query itself; it may be behind as many equal ones, and then the last of them goes."""
        if own in ids:
            place = ids.index(own)
            return ids[:place] + ids[place + 1 :], np.delete(distances, place)
        return (ids, distances) if self._k is None or len(ids) < self._k else (ids[:-1], distances[:-1])


def _blocks(columns: Snapshot) -> list[Snapshot]:
    """An index as several, each of as many parts as memory may hold at once; one if parts share a vocabulary."""
    if columns.kind.table is not None or len(columns.parts) < 2:
        return [columns]
    cuts = [0]
    nbytes = 0
    for number, part in enumerate(columns.parts):
        if nbytes and nbytes + part.nbytes > TILE_BYTES:
            cuts.append(number)
            nbytes = 0
        nbytes += part.nbytes
    if len(cuts) == 1:
        return [columns]
    # Without a prefilter, which is trained on all documents, and which an exact search needs for seeds alone.
    setup = replace(columns.setup, prefilter=None)
    return [
        replace(columns, setup=setup, parts=columns.parts[first:last], removed=columns.removed[first:last],
                trained=None, cells=None)
        for first, last in pairwise([*cuts, len(columns.parts)])
    ]  # fmt: skip
