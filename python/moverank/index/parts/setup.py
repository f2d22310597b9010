"""Options of an index: those chosen when it is built, and the setup that all its parts share."""

from __future__ import annotations

from dataclasses import dataclass

from moverank._support.validate import whole_number
from moverank.measures.measure import Measure

#: Maximum number of clusters per document; they are useful only if they are far fewer than its tokens.
MOST_CLUSTERS = 1024


@dataclass(frozen=True)
class Clusters:
    """Prefilter with several pooled vectors per document: the centroids of clusters of its tokens.

    A prefilter is a coarse search that proposes candidates. This one compares centroids by the measure itself, which
    finds better candidates than one pooled vector, at some hundred nanoseconds per document. Distances between
    centroids are not bounds on distances, so a search limited to these candidates cannot certify its hits.

    Parameters
    ----------
    per_document : int, default 4
        Number of clusters per document; each takes the memory of one float32 vector.

    Raises
    ------
    TypeError, ValueError
        If the number is not an integer between 1 and 1024.

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
    """Options shared by all parts of an index.

    Attributes
    ----------
    measure : Measure
        The distance that searches compute.
    kind : {"tokens", "words", "bins"}
        Kind of documents, see `kinds`.
    dim : int
        Dimension of the tokens; for given costs, the number of bins of queries.
    dtype : str
        Type of the stored tokens, from which distances are computed; for given costs, the type of the costs.
    codes : str or None
        Type of the compact copies of tokens that give bounds; None if there are none.
    prefilter : str, Clusters or None
        The coarse search that proposes candidates.
    ids : {"int", "str"}
        Type of the documents' ids.
    origin : tuple of float or None
        Vector subtracted from all tokens in float64 before they were rounded. It must be subtracted from queries too.
    sources, targets : tuple of str, optional
        Names of the bins of queries and of documents, if costs were given as a DataFrame.
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
    """Arguments of `Index.build` about the storage of documents: `prefilter`, `dtype` and `rescore`."""

    prefilter: str | Clusters | None = "Flat"
    dtype: str | None = None
    rescore: bool = False

    def __post_init__(self) -> None:
        if not (self.prefilter is None or isinstance(self.prefilter, (str, Clusters))):
            raise TypeError(f"prefilter must be a faiss factory string, Clusters or None, got {self.prefilter!r}")


def require_plain_table(options: Options) -> None:
    """Refuse options about tokens for documents that share one table."""
    if options.prefilter not in ("Flat", None):
        raise ValueError(
            f"prefilter: expected none for bags, as every search bounds every document, got {options.prefilter!r}"
        )
    if options.rescore:
        raise ValueError("rescore: expected False for bags, whose vectors are shared")
    if options.dtype is not None:
        raise ValueError(f"dtype: expected none for bags, whose table of vectors is float32, got {options.dtype!r}")
