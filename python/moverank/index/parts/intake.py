"""Documents and their ids on the way into an index: checked, and turned into what it keeps."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.ids import Ids, IntNames, StrNames, make_names
from moverank.index.parts.setup import Setup
from moverank.measures.measure import Measure, require_same_dim
from moverank.measures.origin import INVARIANT, about
from moverank.measures.precision import tell_if_far
from moverank.vectors.bags import Bags
from moverank.vectors.histograms import Histograms, as_histograms
from moverank.vectors.sequences import Batch, Sequences, as_sequences

Documents = Bags | Batch | Histograms | ArrayLike


def as_documents(docs: Documents, measure: Measure | None = None) -> Sequences | Bags | Histograms:
    """Check documents; under a measure of given costs, or if they are none else, they are histograms."""
    if isinstance(docs, Histograms) or (measure is not None and measure.ground == "given"):
        return as_histograms(docs, "docs")
    weighting = None if measure is None else measure.weighting
    return docs if isinstance(docs, Bags) else as_sequences(cast("Sequences", docs), "docs", weighting)


def stored_as(
    docs: Sequences | Bags | Histograms, setup: Setup, space: AttachedSpace | None
) -> Sequences | Bags | Histograms:
    """Documents as an index keeps them, whose space is `space`.

    Raises
    ------
    TypeError
        If it keeps bags and these are sequences, or the other way round.
    DimensionError
        If their tokens are of another dimension.
    ValueError
        If these are bags that count words alone, and the space weighs them.

    Warns
    -----
    PrecisionWarning
        If they came in float64 and lie so far from the index's origin that float32 drops what tells them apart.
    """
    kept = "Histograms" if setup.measure.ground == "given" else setup.kind.capitalize()
    if type(docs).__name__ != kept:
        raise TypeError(f"docs: expected {kept}, as the index was built of them, got {type(docs).__name__}")
    if isinstance(docs, Histograms):
        return docs  # that they have the bins of the costs is found where these are at hand
    require_same_dim(docs.dim, setup.dim, "docs", "the index")
    if isinstance(docs, Bags):
        if space is not None:
            _require_weights_of(space, docs)
        return docs
    origin = np.zeros(setup.dim) if setup.origin is None else np.array(setup.origin)
    if docs._rounded and setup.measure.ground in INVARIANT:
        tell_if_far(docs, origin)
    if setup.origin is not None:
        docs = about(origin, docs, setup.measure)
    return docs.astype(setup.dtype)


def _require_weights_of(space: AttachedSpace, docs: Bags) -> None:
    """Refuse bags that count words alone where a space weighs them: queries would be weighed and documents not."""
    from moverank.spaces.steps import WeighedBy  # loaded, as there is a space

    counts_alone = docs.counts is None or not (docs.counts % 1).any()
    if len(docs) and counts_alone and any(isinstance(step, WeighedBy) for step in space.space.steps):
        raise ValueError(
            "docs: bags have counts, but not the weights that the space gives to tokens; build of sequences, "
            "space(encoder.encode(texts)).sequences, or multiply the weights into counts of Bags.from_flat"
        )


def names_for(setup: Setup, ids: Ids | None, count: int, next_id: int) -> IntNames | StrNames:
    """Names of documents that are added to an index, of the kind that it has."""
    if ids is None and setup.ids == "str":
        raise ValueError("ids: needed, as the documents of this index have strings for names")
    names = make_names(ids, count, first=next_id)
    if names.kind != setup.ids:
        raise TypeError(f"ids: the documents of this index are named by {setup.ids}, these by {names.kind}")
    return names


def next_id_behind(before: int, names: IntNames | StrNames) -> int:
    """The id behind the largest that was ever given."""
    if names.kind == "str":
        return before
    return max(before, int(names.take(np.arange(len(names))).max()) + 1)
