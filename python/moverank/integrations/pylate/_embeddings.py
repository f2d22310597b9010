"""Embeddings in the shapes that PyLate's encoders return, as sequences, and distances as PyLate's scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.arrays import is_tensor, plain_array
from moverank._support.validate import as_list
from moverank.index.parts.ids import listed_ids
from moverank.measures.measure import Measure
from moverank.vectors.sequences import Sequences, as_sequences


def batch_of(embeddings: Any, name: str) -> Sequences | None:
    """One sequence per text; None if there is no text. An array of shape (n, d) is one text."""
    if isinstance(embeddings, np.ndarray) or is_tensor(embeddings):
        array = plain_array(embeddings, name)
        listed = list(array[None] if array.ndim == 2 else array)
    else:
        listed = as_list(embeddings, name, "arrays of shape (n, d), one per text")
    return as_sequences(listed, name) if listed else None


def ids_of(ids: Any, name: str) -> list[Any]:
    """Ids as a list; a string is one id."""
    return [ids] if isinstance(ids, str) else listed_ids(ids, name)


def scores_of(measure: Measure, distances: NDArray[np.float64], query_tokens: int) -> list[float]:
    """Scores for distances from a query with this number of tokens."""
    # MaxSim as a distance is a mean over the query's tokens; PyLate's score is the sum.
    is_sum = measure.weighting == "uniform" and measure.ground in ("dot", "cosine")
    scores = measure.similarity(distances) * (query_tokens if is_sum else 1)
    listed: list[float] = (scores + 0.0).tolist()  # 0 for −0, which is the similarity for a distance of 0
    return listed
