"""What an index is made to be: what its builder says, checked, and what all its parts have in common."""

from __future__ import annotations

from dataclasses import dataclass

from moverank._support.storage import token_dtype
from moverank._support.validate import whole_number
from moverank.errors import DimensionError
from moverank.index.parts.attached_space import AttachedSpace
from moverank.measures.given import Costs
from moverank.measures.measure import Measure, require_vectors
from moverank.measures.origin import INVARIANT
from moverank.vectors.bags import Bags
from moverank.vectors.encoder_identity import EncoderIdentity
from moverank.vectors.histograms import Histograms
from moverank.vectors.rounding import Extent
from moverank.vectors.sequences import Sequences

#: More clusters of a document have no use: they are to be far fewer than its tokens.
MOST_CLUSTERS = 1024


@dataclass(frozen=True)
class Clusters:
    """Prefilter by several pooled vectors per document: its tokens' clusters, compared by the measure itself.

    Brings better candidates than one pooled vector does, for some hundred nanoseconds a document. Distances to clusters
    bound nothing, so a budgeted search that uses them is certain of none of its hits.

    Parameters
    ----------
    per_document : int, default 4
        Clusters of a document; memory is that many float32 vectors.

    Raises
    ------
    TypeError, ValueError
        If the number is not an integer, below 1 or above 1024.

    Examples
    --------
    >>> import numpy as np
    >>> from moverank import Index
    >>> docs = [np.eye(8)[k:] for k in range(8)]
    >>> index = Index.build(docs, "wrd", prefilter=Clusters(2))
    >>> index.search(np.eye(8)[7:], k=1, candidates=3).ids
    array([7])
    """

    per_document: int = 4

    def __post_init__(self) -> None:
        whole_number(self.per_document, "per_document", least=1, most=MOST_CLUSTERS)


@dataclass(frozen=True)
class Setup:
    """What all parts of an index have in common.

    Attributes
    ----------
    measure : Measure
        What searches compute.
    kind : {"sequences", "bags"}
        What documents are.
    dim : int
        Dimension of the tokens; under given costs, bins of queries.
    dtype : str
        How tokens are stored, of which distances are computed; under given costs, how these are.
    codes : str or None
        Type in which they are kept once more, for bounds.
    prefilter : str, Clusters or None
        How budgeted searches find candidates.
    ids : {"int", "str"}
        What documents are called by.
    origin : tuple of float or None
        What was subtracted from all tokens, in float64, before they were rounded: queries are to be told of it.
    sources, targets : tuple of str, optional
        What bins of queries and of documents are called, where costs are given and a DataFrame said so.
    """

    measure: Measure
    kind: str
    dim: int
    dtype: str
    codes: str | None
    prefilter: str | Clusters | None
    ids: str
    origin: tuple[float, ...] | None = None
    sources: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None


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
    extent = docs._extent()
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
        raise ValueError("encoder: the index moves queries into its space itself; give the encoder without a space")
