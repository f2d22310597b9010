"""What an index is made to be, from what its builder says, and documents turned into what it keeps."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from moverank._origin import INVARIANT, Extent, about
from moverank._precision import tell_if_far
from moverank._storage import token_dtype
from moverank.attached_space import AttachedSpace
from moverank.bags import Bags
from moverank.encoder_identity import EncoderIdentity
from moverank.errors import DimensionError
from moverank.given import Costs
from moverank.histograms import Histograms, as_histograms
from moverank.layout import Setup
from moverank.measures import Measure, require_same_dim, require_vectors
from moverank.names import Ids, IntNames, StrNames, make_names
from moverank.prefilters import Clusters
from moverank.sequences import Batch, Sequences, as_sequences

Documents = Bags | Batch | Histograms | ArrayLike


def as_documents(docs: Documents, measure: Measure | None = None) -> Sequences | Bags | Histograms:
    """Check documents; under a measure of given costs, or if they are none else, they are histograms."""
    if isinstance(docs, Histograms) or (measure is not None and measure.ground == "given"):
        return as_histograms(docs, "docs")
    weighting = None if measure is None else measure.weighting
    return docs if isinstance(docs, Bags) else as_sequences(cast("Sequences", docs), "docs", weighting)


def setup_for(
    docs: Sequences | Bags | Histograms,
    measure: Measure,
    prefilter: str | Clusters | None,
    dtype: str | None,
    rescore: bool,
    ids: str,
    costs: Costs | None = None,
) -> Setup:
    """Check what an index of such documents is to be.

    Raises
    ------
    TypeError, ValueError
        If choices do not go together, or with the documents; the message names the argument.
    """
    if not (prefilter is None or isinstance(prefilter, (str, Clusters))):
        raise TypeError(f"prefilter must be a faiss factory string, Clusters or None, got {prefilter!r}")
    if costs is None:
        require_vectors(measure)
    if isinstance(docs, Histograms) and costs is None:
        raise ValueError("docs: histograms are compared by costs between their bins; pass costs=")
    if not isinstance(docs, Sequences):
        if prefilter not in ("Flat", None):
            raise ValueError(f"prefilter: bags need none, as any search bounds every document; got {prefilter!r}")
        if rescore:
            raise ValueError("rescore: bags have nothing to rescore, as their vectors are shared")
        if dtype is not None:
            raise ValueError("dtype: bags have one table of float32 vectors; only sequences are stored in other types")
    if costs is not None:
        assert isinstance(docs, Histograms), "documents under given costs are histograms"
        costs.require_targets(docs, "docs")
        stored = costs.by_target.dtype.name
        targets = costs.targets or docs.labels
        return Setup(measure, "bags", costs.n_sources, stored, None, None, ids, None, costs.sources, targets)
    assert not isinstance(docs, Histograms), "histograms come with costs"
    if isinstance(docs, Bags):
        return Setup(measure, "bags", docs.dim, "float32", None, None, ids)
    codes = _checked_codes(dtype, docs, measure) if rescore else None
    stored = docs.dtype if dtype is None or rescore else token_dtype(dtype)
    origin = _origin_for(docs) if measure.ground in INVARIANT else None
    return Setup(measure, "sequences", docs.dim, stored, codes, prefilter, ids, origin)


def _origin_for(docs: Sequences) -> tuple[float, ...] | None:
    """Where an index puts the origin.

    Also amid documents that float32 holds, as queries may have more digits. Differences to the origin are exact then,
    but for codes with a scale, which would be rounded once more.
    """
    if docs.scales is not None or (docs._rest is None and not Extent.of(docs.tokens[:1024]).may_be_distant):
        return None
    extent = Extent.of_batch(docs)
    middle = extent.origin() if docs._rest is not None or extent.is_distant else None
    return None if middle is None else tuple(middle.tolist())


def _checked_codes(dtype: str | None, docs: Sequences, measure: Measure) -> str:
    """Refuse to rescore what would bound nothing or save nothing."""
    if dtype is None or token_dtype(dtype) in ("float32", docs.dtype):
        raise ValueError(f"rescore: expected a dtype more compact than the documents' {docs.dtype}, got {dtype!r}")
    if measure.ground == "sqeuclidean":
        raise ValueError("rescore: compact tokens give no bound under ground 'sqeuclidean'")
    return token_dtype(dtype)


def require_encoder_fits(encoder: EncoderIdentity | None, space: AttachedSpace | None, dim: int) -> None:
    """Refuse an encoder that cannot have made the documents; a space may change their dimension."""
    if encoder is None:
        return
    if space is None and encoder.dim not in (None, dim):
        raise DimensionError(f"encoder: makes vectors of dimension {encoder.dim}, the documents have {dim}")
    if space is not None and "space" in encoder.options:
        raise ValueError("encoder: the index moves queries into its space itself; give the encoder without one")


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
