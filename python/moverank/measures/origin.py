"""Costs that depend only on differences, computed about an origin amid the tokens.

The origin is subtracted in float64 before anything is rounded, so that tokens far from 0 and near to each
other keep the digits in which they differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import read_only
from moverank.vectors.bags import Bags
from moverank.vectors.rounding import runs
from moverank.vectors.sequences import Sequences

if TYPE_CHECKING:
    from moverank.measures.measure import Measure


def origin_of(*sides: Sequences) -> NDArray[np.float64] | None:
    """Where to put the origin for costs between these; None if moving it would gain nothing."""
    if all(side._rest is None for side in sides):
        return None
    extent = sides[0]._extent()
    for side in sides[1:]:
        extent = extent | side._extent()
    return extent.origin()


def about(origin: NDArray[np.float64], sequences: Sequences, measure: Measure) -> Sequences:
    """Sequences with their origin moved, and with explicit weights if these would change otherwise."""
    tokens, rest, weights = sequences._stored, sequences._rest, sequences.weights
    moved = np.empty(tokens.shape, dtype=np.float32)
    by_norm = measure._mass.needs_vectors and weights is None
    norms = np.empty(len(tokens)) if by_norm else None
    for rows in runs(tokens):
        own = tokens[rows].decoded().astype(np.float64)
        left = 0.0 if rest is None else rest[rows]
        moved[rows] = (own - origin) + left
        if norms is not None:
            norms[rows] = np.linalg.norm(own + left, axis=1)
    return sequences._moved(moved, weights if norms is None else measure._mass.mass(norms))


def about_one_origin(measure: Measure, query: Sequences, docs: Sequences) -> tuple[Sequences, Sequences]:
    """Two batches for the core: both about one origin, where that helps."""
    if not measure._cost.translation_invariant or has_lost(query) or has_lost(docs):
        return query, docs
    origin = origin_of(query, docs)
    if origin is None:
        return query, docs
    moved = _moved(origin, query, measure)
    return moved, moved if docs is query else _moved(origin, docs, measure)


def about_one_origin_of_bags(measure: Measure, query: Sequences, docs: Bags) -> tuple[Measure, Sequences, Bags]:
    """The same for a query and bags, whose table moves, and the measure to compute then."""
    if not measure._cost.translation_invariant or has_lost(query) or has_lost(docs._table):
        return measure, query, docs
    origin = origin_of(query, docs._table)
    if origin is None:
        return measure, query, docs
    table = _moved(origin, docs._table, measure)
    moved = docs._moved(table.tokens, table._came(slice(None)), table.weights)
    return measure.replace(weighting="uniform"), _moved(origin, query, measure), moved


def has_lost(side: Sequences) -> bool:
    """Whether digits are lost for good, so that a new origin would separate tokens that were equal before rounding."""
    return side._rounded and side._rest is None


def _moved(origin: NDArray[np.float64], sequences: Sequences, measure: Measure) -> Sequences:
    """Sequences about an origin that may round them, even float32 ones; they keep digests of the tokens as given."""
    moved = about(origin, sequences, measure)
    if moved._digests is None:
        moved._digests = read_only(sequences._came(slice(None)))
    return moved
