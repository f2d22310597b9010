"""What an index is made to be: what its builder says, checked, and what all its parts have in common."""

from __future__ import annotations

from dataclasses import dataclass

from moverank._support.validate import whole_number
from moverank.measures.measure import Measure

#: More clusters of a document have no use: they are to be far fewer than its tokens.
MOST_CLUSTERS = 1024


@dataclass(frozen=True)
class Clusters:
    """Prefilter by several pooled vectors per document: its tokens' clusters, compared by the measure itself.

    Brings better candidates than one pooled vector does, for some hundred nanoseconds a document. Distances to clusters
    bound nothing, so a budgeted search that uses them is not certain of any hit.

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
    kind : {"tokens", "words", "bins"}
        What documents are made of, see `kinds`.
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


@dataclass(frozen=True)
class Options:
    """What whoever builds an index may choose about how documents are kept: `prefilter`, `dtype` and `rescore`."""

    prefilter: str | Clusters | None = "Flat"
    dtype: str | None = None
    rescore: bool = False

    def __post_init__(self) -> None:
        if not (self.prefilter is None or isinstance(self.prefilter, (str, Clusters))):
            raise TypeError(f"prefilter must be a faiss factory string, Clusters or None, got {self.prefilter!r}")


def require_plain_table(options: Options) -> None:
    """Refuse choices about tokens where documents have none of their own, but share one table."""
    if options.prefilter not in ("Flat", None):
        raise ValueError(f"prefilter: bags need none, as any search bounds every document; got {options.prefilter!r}")
    if options.rescore:
        raise ValueError("rescore: bags have nothing to rescore, as their vectors are shared")
    if options.dtype is not None:
        raise ValueError("dtype: bags have one table of float32 vectors; only sequences are stored in other types")
