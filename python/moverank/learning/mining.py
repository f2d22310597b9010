"""Near documents for each query, by the untrained distance: found by an index of our own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from moverank.index.index import Index
from moverank.measures.measure import Measure
from moverank.vectors.sequences import Sequences

#: Documents that are compared per document that is kept; what is missed is no loss among negatives.
BUDGET = 2


def near_index(documents: Sequences, measure: Measure, *, num_threads: int | None) -> Index:
    """The index that is mined: its first stage is quick, and good enough for negatives."""
    return Index.build(documents, measure, prefilter="Flat", num_threads=num_threads)


def nearest(queries: Sequences, index: Index, depth: int, *, num_threads: int | None) -> list[NDArray[np.int64]]:
    """Places of the nearest documents of each query, in order: all of them, or `depth`, of which some are missed."""
    count = min(depth, len(index))
    budget = None if len(index) <= BUDGET * count else BUDGET * count
    found = index.search_batch(queries, count, candidates=budget, num_threads=num_threads)
    return [np.asarray(hits.ids, dtype=np.int64) for hits in found]
