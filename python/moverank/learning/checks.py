"""What `fit` refuses before it trains, so that hours of training are not lost to an argument."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moverank._support.validate import real_number
from moverank.learning.batches import Indices, Ragged, pair_distances
from moverank.learning.examples import Given
from moverank.learning.options import Training
from moverank.learning.token_weights import TokenWeighting
from moverank.measures.measure import Measure

#: Capacities that held-out examples choose from, beside the measure's own.
CAPACITIES = (1.0, 2.0, 4.0, 8.0, math.inf)

#: Options of `Training` that some kinds of examples have no use for.
UNUSED = {
    "judgements": ("neighbours",),
    "triples": ("neighbours", "depth", "candidates"),
    "labels": ("loss", "margin", "candidates"),
    "pairs": ("loss", "margin", "temperature", "negatives", "depth", "candidates", "neighbours"),
}


def require_derivatives(measure: Measure) -> None:
    """Refuse a measure that cannot be trained through; the core knows, and is asked with one token."""
    one = Ragged(torch.ones(1, 1, dtype=torch.float32), torch.ones(1, dtype=torch.float64), np.array([0, 1]))
    place = np.array([0])
    try:
        pair_distances(one, one, place, place, measure, num_threads=1)
    except ValueError as error:
        raise ValueError(f"measure: {error}") from None


def require_capacities(measure: Measure) -> None:
    """Refuse to choose the capacity of a measure that does not take all that there is to choose from."""
    for capacity in CAPACITIES:
        try:
            measure.replace(capacity=capacity)
        except ValueError as error:
            listed = ", ".join(f"{own:g}" for own in CAPACITIES)
            raise ValueError(f"learn: 'capacity' chooses from {listed}, and this measure cannot: {error}") from None


def require_used(training: Training, kind: str, weights: TokenWeighting | None) -> None:
    """Refuse options that these examples have no use for, and a lazy optimiser that nothing is left to."""
    defaults = {own.name: own.default for own in fields(Training)}
    for name in UNUSED[kind]:
        if getattr(training, name) != defaults[name]:
            raise ValueError(f"training: {name} is given, but {kind} do not use it")
    if training.lazy_optimizer is not None and (weights is None or not weights.identity):
        raise ValueError("training: lazy_optimizer is given, but no numbers of tokens are learnt")


def require_folder(path: str | os.PathLike[str] | None) -> None:
    """Refuse a checkpoint that cannot be written."""
    if path is None:
        return
    if Path(path).is_dir():
        raise IsADirectoryError(errno.EISDIR, "checkpoint: is a folder", os.fspath(path))
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "checkpoint: its folder does not exist", os.fspath(path))


def first_stage_scores(
    first_stage: Mapping[Any, Any], queries: Given, documents: Given, held: Indices
) -> dict[int, tuple[Indices, list[float]]]:
    """Per held-out query, the documents that a first stage found, and its scores of them."""
    found: dict[int, tuple[Indices, list[float]]] = {}
    for name, scores in first_stage.items():
        query = queries.place(name, "first_stage")
        if not isinstance(scores, Mapping):
            raise TypeError(f"first_stage: expected a mapping of document ids to scores for {name!r:.80}")
        there: dict[int, float] = {}
        for document, score in scores.items():
            number = real_number(score, f"first_stage: the score of {document!r:.80} for {name!r:.80}")
            if not math.isfinite(number):
                raise ValueError(f"first_stage: the score of {document!r:.80} for {name!r:.80} is not finite")
            place = documents.place(document, "first_stage")
            if place is not None:
                there[place] = number
        if there and query is not None and query in held:
            found[query] = np.array(list(there), dtype=np.int64), list(there.values())
    if not found:
        raise ValueError("first_stage: has scores for none of the held-out queries")
    return found
