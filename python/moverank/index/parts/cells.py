"""Documents by the cells of their tokens: bags over a codebook, and for each cell the documents with a token in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.errors import IndexFormatError
from moverank.index.parts.arrays import mismatch_is_damage
from moverank.index.parts.codebook import Codebook
from moverank.measures.measure import Measure


@dataclass(frozen=True, eq=False)
class DocumentCells:
    """The cells of consecutive documents, which may be of several parts.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n + 1,)
        Document s has the entries ``offsets[s]`` to ``offsets[s + 1]`` of `cells` and `mass`.
    cells : ndarray of uint32, shape (E,)
        The different cells of each document, rising.
    mass : ndarray of float32, shape (E,)
        The mass of a document's tokens in each; 1 per document.
    list_offsets : ndarray of int64, shape (K + 1,)
        Cell c has the entries ``list_offsets[c]`` to ``list_offsets[c + 1]`` of `documents`.
    documents : ndarray of uint32, shape (E,)
        Numbers of documents, from 0, rising within each cell.
    """

    offsets: NDArray[np.int64]
    cells: NDArray[np.uint32]
    mass: NDArray[np.float32]
    list_offsets: NDArray[np.int64]
    documents: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def listed(
        cls, offsets: NDArray[np.int64], cells: NDArray[np.uint32], mass: NDArray[np.float32], n_cells: int
    ) -> DocumentCells:
        """Make the lists by cell of entries by document."""
        owners = np.repeat(np.arange(len(offsets) - 1, dtype=np.uint32), np.diff(offsets))
        list_offsets = np.zeros(n_cells + 1, dtype=np.int64)
        np.cumsum(np.bincount(cells, minlength=n_cells), out=list_offsets[1:])
        # Of numbers of 16 bits this takes a fifth of the time.
        return cls(offsets, cells, mass, list_offsets, owners[np.argsort(cells.astype(np.uint16), kind="stable")])

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays, by name."""
        return {name: getattr(self, name) for name in DTYPES}

    def bags(self, measure: Measure, dim: int) -> _core.PreparedBags:
        """The documents as bags over centroids that stand elsewhere; ValueError if arrays do not match each other."""
        n_cells = len(self.list_offsets) - 1
        none = np.empty((0, dim), dtype=np.float32)
        return _core.PreparedBags.from_arrays(
            none, self.cells, self.offsets, self.mass, np.ones(len(self)), n_cells, measure._spec
        )


#: Arrays of `DocumentCells`, with their types in files.
DTYPES = {"offsets": "<i8", "cells": "<u4", "mass": "<f4", "list_offsets": "<i8", "documents": "<u4"}


def require_cells(n_cells: int, shapes: Mapping[str, tuple[str, tuple[int, ...]]]) -> int:
    """Check that arrays with these dtypes and shapes can be `DocumentCells`, and return the number of documents.

    Raises
    ------
    IndexFormatError
        If an array is missing or unknown, or has a wrong dtype or shape; the message names it.
    """
    if set(shapes) != set(DTYPES):
        raise IndexFormatError(f"arrays of cells are {sorted(shapes)}, expected {sorted(DTYPES)}")
    entries = shapes["cells"][1]
    for name, wanted in DTYPES.items():
        dtype, shape = shapes[name]
        expected = {"offsets": shape, "list_offsets": (n_cells + 1,)}.get(name, entries)
        if dtype != wanted or shape != expected or len(shape) != 1 or not shape[0]:
            raise IndexFormatError(
                f"array {name!r} of cells: dtype {dtype} and shape {list(shape)} do not match the others"
            )
    return shapes["offsets"][1][0] - 1


def verify_cells(own: DocumentCells) -> None:
    """Check all numbers; IndexFormatError if they are not the cells of documents, or lists and documents differ."""
    n_cells = len(own.list_offsets) - 1
    bounds = own.offsets
    if bounds[0] != 0 or bounds[-1] != len(own.cells) or (bounds[1:] <= bounds[:-1]).any():
        raise IndexFormatError("array 'offsets' of cells: does not split the others into runs, one per document")
    starts = np.zeros(len(own.cells), dtype=bool)
    starts[bounds[:-1]] = True
    if own.cells.max() >= n_cells or not ((own.cells[1:] > own.cells[:-1]) | starts[1:]).all():
        raise IndexFormatError("array 'cells': does not rise in every document, or exceeds the number of cells")
    total = np.add.reduceat(own.mass.astype(np.float64), bounds[:-1])
    if not ((own.mass >= 0).all() and (np.abs(total - 1.0) < 1e-5).all()):
        raise IndexFormatError("array 'mass' of cells: does not sum to 1 in every document")
    expected = DocumentCells.listed(bounds, own.cells, own.mass, n_cells)
    for name in ("list_offsets", "documents"):
        if not np.array_equal(getattr(own, name), getattr(expected, name)):
            raise IndexFormatError(f"array {name!r} of cells: does not list the documents of every cell")


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of all documents of an index, over one codebook.

    Attributes
    ----------
    codebook : Codebook
        Centroids of the cells.
    groups : tuple of DocumentCells
        The cells of all documents, in order.
    covered : int
        How many documents there were when the first groups were made at once. The parts of these are not merged with
        later ones, so that groups remain valid.
    """

    codebook: Codebook
    groups: tuple[DocumentCells, ...]
    covered: int

    def __len__(self) -> int:
        return sum(map(len, self.groups))

    def stage(self, measure: Measure) -> _core.TokenStage:
        """The documents as the core finds them: bags over the centroids, and lists by cell.

        IndexFormatError if the arrays do not match each other.
        """
        # The masses of tokens are those of the index's measure already.
        given = measure.replace(weighting="given")
        dim = self.codebook.centroids.shape[1]
        no_documents = (np.zeros(len(self.codebook) + 1, dtype=np.int64), np.empty(0, dtype=np.uint32))
        lists = [no_documents, *((group.list_offsets, group.documents) for group in self.groups)]
        with mismatch_is_damage():
            bags = [self.codebook.words(given), *(group.bags(given, dim) for group in self.groups)]
            return _core.TokenStage(_core.BagCorpus(bags), lists, [0, *map(len, self.groups)])

    def first_groups(self, n_documents: int) -> Sequence[DocumentCells]:
        """Groups of the first documents; these must be whole groups."""
        ends = np.cumsum([len(group) for group in self.groups])
        return self.groups[: int(np.searchsorted(ends, n_documents, side="right"))]
