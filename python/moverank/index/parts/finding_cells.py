"""Finding the cells of documents: a codebook is trained on a sample of their tokens, and gives each token its cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from moverank._support.storage import Stored
from moverank._support.threads import count_of, each
from moverank.errors import IndexFormatError
from moverank.index.parts.arrays import tokens_in
from moverank.index.parts.cells import Cells, DocumentCells
from moverank.index.parts.codebook import SAMPLE_PER_CELL, Codebook, cells_for, trained_codebook
from moverank.index.parts.part import Part
from moverank.index.parts.setup import TokenCells

#: Tokens of a run of documents, whose cells one thread finds.
TOKENS_AT_ONCE = 1 << 16

#: Runs per thread whose cells are found before they are taken into a group.
RUNS_PER_THREAD = 8

#: Tokens of a group of documents whose cells are in memory at once, while they are found. Each takes some 30 bytes.
TOKENS_PER_GROUP = 1 << 24

#: Maximum bytes of the sample that centroids are trained on.
SAMPLE_BYTES = 1 << 29

#: Centroids are kept while the mean squared distance of tokens to them is at most this multiple of what it was.
DRIFT = 1.1

#: What keeps the cells of a group of documents, in memory or in a file.
Keep = Callable[[DocumentCells], DocumentCells]


def in_memory(cells: DocumentCells) -> DocumentCells:
    """Keep cells as they are."""
    return cells


def found_cells(parts: Sequence[Part], keep: Keep, num_threads: int, known: Codebook | None = None) -> Cells | None:
    """Find the cells of all documents; None if there are none, or the prefilter is another.

    Parameters
    ----------
    parts : sequence of Part
        All documents.
    keep : callable
        Keeps the cells of each group of documents as soon as they are found.
    num_threads : int
        0 means all cores.
    known : Codebook, optional
        Centroids that are used if they still fit the tokens; otherwise they are trained anew.
    """
    setup = parts[0].setup if parts else None
    if setup is None or not isinstance(setup.prefilter, TokenCells) or not sum(map(len, parts)):
        return None
    n_tokens = sum(len(part.arrays["tokens"]) for part in parts)
    n_cells = _wanted(setup.prefilter, n_tokens)
    most = max(SAMPLE_BYTES // (4 * setup.dim), 1)
    sample = _sample(parts, min(n_tokens, SAMPLE_PER_CELL * n_cells, most))
    if known is None or not fits(known, sample, n_cells, num_threads):
        known = trained_codebook(sample, n_cells, num_threads)
    del sample
    groups = tuple(map(keep, _groups(parts, known, num_threads)))
    return Cells(known, groups, sum(map(len, groups)))


def fits(codebook: Codebook, sample: NDArray[np.float32], n_cells: int, num_threads: int) -> bool:
    """Whether a codebook is as good for a sample as for what it was trained on, and about as large as it should be."""
    if not n_cells <= 2 * len(codebook) <= 4 * n_cells:
        return False
    return codebook.residual_of(sample, num_threads) <= DRIFT * codebook.residual


def has_outgrown(cells: Cells, parts: Sequence[Part]) -> bool:
    """Whether documents have so many more tokens than when centroids were trained that there should be more of them.

    An index that begins with few documents and grows by additions is trained anew whenever it has four times as many
    tokens, which costs each of them a third of a training more.
    """
    prefilter = parts[0].setup.prefilter
    assert isinstance(prefilter, TokenCells)
    if sum(map(len, parts)) < 2 * cells.covered:
        return False  # few different tokens may have given fewer centroids than wanted, then as now
    return _wanted(prefilter, sum(len(part.arrays["tokens"]) for part in parts)) >= 2 * len(cells.codebook)


def _wanted(prefilter: TokenCells, n_tokens: int) -> int:
    """Number of cells for so many tokens."""
    return min(prefilter.cells or cells_for(n_tokens), n_tokens)


def with_parts(cells: Cells, parts: Sequence[Part], kept: int, keep: Keep, num_threads: int) -> Cells:
    """The same codebook for other parts, the first `kept` of which are unchanged."""
    first = sum(len(part) for part in parts[:kept])
    new = map(keep, _groups(parts[kept:], cells.codebook, num_threads))
    return replace(cells, groups=(*cells.first_groups(first), *new))


@dataclass(frozen=True)
class _Entries:
    """Cells of consecutive documents with some tokens: how many each has, which, and their masses."""

    n_tokens: int
    counts: NDArray[np.int64]
    cells: NDArray[np.uint32]
    mass: NDArray[np.float32]


def _groups(parts: Sequence[Part], codebook: Codebook, num_threads: int) -> Iterator[DocumentCells]:
    """Cells of all documents of some parts, in groups of `TOKENS_PER_GROUP` tokens or fewer, or of one document."""
    found: list[_Entries] = []
    n_tokens = 0
    for entries in _all_entries(parts, codebook, count_of(num_threads)):
        if found and n_tokens + entries.n_tokens > TOKENS_PER_GROUP:
            yield _group(found, len(codebook))
            found, n_tokens = [], 0
        found.append(entries)
        n_tokens += entries.n_tokens
    if found:
        yield _group(found, len(codebook))


def _all_entries(parts: Sequence[Part], codebook: Codebook, num_threads: int) -> Iterator[_Entries]:
    """Entries of all documents, in runs; each thread finds those of another run, or all share one if there are few."""
    for part in parts:
        runs = list(_runs(part))
        shared = num_threads if len(runs) < num_threads else 1
        for start in range(0, len(runs), RUNS_PER_THREAD * num_threads):
            some = runs[start : start + RUNS_PER_THREAD * num_threads]
            yield from each(partial(_entries, part, codebook, shared, some), len(some), num_threads // shared)


def _runs(part: Part) -> Iterator[tuple[int, int]]:
    """Split documents into runs of at most `TOKENS_AT_ONCE` tokens, unless one document has more."""
    offsets = part.arrays["offsets"]
    first = 0
    while first < len(part):
        last = int(np.searchsorted(offsets, offsets[first] + TOKENS_AT_ONCE, side="right")) - 1
        last = min(max(last, first + 1), len(part))
        yield first, last
        first = last


def _entries(part: Part, codebook: Codebook, num_threads: int, runs: Sequence[tuple[int, int]], run: int) -> _Entries:
    """The different cells of the tokens of one run of documents, and the masses of the tokens in each."""
    first, last = runs[run]
    offsets = part.arrays["offsets"]
    start, end = int(offsets[first]), int(offsets[last])
    tokens, factors = _compared(part, slice(start, end))
    cells, distances = codebook.assign(tokens, num_threads, factors)
    _require_finite(distances)
    lengths = np.diff(offsets[first : last + 1])
    key = np.repeat(np.arange(last - first, dtype=np.int64), lengths) * len(codebook) + cells
    order = np.argsort(key, kind="stable")
    rising = key[order]
    starts = np.flatnonzero(np.r_[True, rising[1:] != rising[:-1]])
    mass = np.add.reduceat(part.arrays["mass"][start:end][order], starts)
    owner, cells = np.divmod(rising[starts], len(codebook))
    counts = np.bincount(owner, minlength=last - first)
    return _Entries(end - start, counts, cells.astype(np.uint32), mass.astype(np.float32))


def _group(found: Sequence[_Entries], n_cells: int) -> DocumentCells:
    counts = np.concatenate([own.counts for own in found])
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    cells = np.concatenate([own.cells for own in found])
    return DocumentCells.listed(offsets, cells, np.concatenate([own.mass for own in found]), n_cells)


def _compared(part: Part, rows: slice | NDArray[np.int64]) -> tuple[Stored, NDArray[np.float32] | None]:
    """Some tokens of a part, and what they are multiplied by before they are compared with centroids.

    Centroids are those of directions, where costs depend on these alone: then factors are inverse norms.
    """
    factors = part.arrays["inverse_norms"][rows] if part.setup.measure._cost.needs_directions else None
    return tokens_in(part.arrays, part.setup)[rows], factors


def _require_finite(numbers: NDArray[np.float32]) -> None:
    if not np.isfinite(numbers).all():
        raise IndexFormatError("array 'tokens': has a token that is not finite; the index's files are damaged")


def _sample(parts: Sequence[Part], count: int) -> NDArray[np.float32]:
    """Tokens at even distances over all parts."""
    ends = np.cumsum([len(part.arrays["tokens"]) for part in parts])
    rows = np.linspace(0, ends[-1] - 1, count).astype(np.int64)
    found = []
    for part, end in zip(parts, ends, strict=True):
        first = end - len(part.arrays["tokens"])
        tokens, factors = _compared(part, rows[(rows >= first) & (rows < end)] - first)
        decoded = tokens.decoded()
        found.append(decoded if factors is None else decoded * factors[:, None])
        _require_finite(found[-1])
    return np.concatenate(found)
