"""Options of an index: those chosen when it is built, and the setup that all its parts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moverank._support.validate import pool_factor, whole_number
from moverank.measures.measure import Measure

if TYPE_CHECKING:
    from moverank.index.parts.anchors import Anchors

#: Maximum number of cells: the number of a cell is to fit two bytes.
MOST_CELLS = 1 << 16

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
class TokenCells:
    """Prefilter by the tokens themselves, each replaced by the nearest of some thousand centroids.

    A cell is the set of tokens that are nearest to one centroid. A search looks up the cells near each token of the
    query, takes the documents that have tokens there, and orders them by bounds on the distance between the query and
    the documents' centroids, with the masses of the tokens. This finds what the measure itself finds far better than
    vectors of whole documents do, in time that hardly grows with the collection. It proves nothing: a search limited to
    these candidates cannot certify its hits.

    Parameters
    ----------
    cells : int, optional
        Number of centroids, at most 65 536; by default 16 times the root of the number of tokens,
        at most 16 384.
    probes : int, default 32
        Cells looked up per token of the query. More find documents whose tokens are farther from the query's. If these
        have fewer than `ranked` documents, more are looked up.
    ranked : int, default 1024
        Documents that are ordered by bounds, those with the nearest cells first. Most of the time goes there.

    Raises
    ------
    TypeError, ValueError
        If a number is not an integer within its range.
    """

    cells: int | None = None
    probes: int = 32
    ranked: int = 1024

    def __post_init__(self) -> None:
        if self.cells is not None:
            whole_number(self.cells, "cells", least=1, most=MOST_CELLS)
        whole_number(self.probes, "probes", least=1)
        whole_number(self.ranked, "ranked", least=1)


#: From this number of documents on, an index has `TokenCells` by default. One pooled vector per document is faster with
#: fewer, as all are compared; with more, the true neighbours are ever less often among its first candidates.
MANY_DOCUMENTS = 1 << 12

#: Kinds of prefilters: a description for faiss, or one of these classes.
Chosen = str | Clusters | TokenCells


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
    prefilter : str, Clusters, TokenCells or None
        The coarse search that proposes candidates.
    ids : {"int", "str"}
        Type of the documents' ids.
    origin : tuple of float or None
        Vector subtracted from all tokens in float64 before they were rounded. It must be subtracted from queries too.
    sources, targets : tuple of str, optional
        Names of the bins of queries and of documents, if costs were given as a DataFrame.
    pool : float
        By how much the tokens of documents are fewer than those given, see `pool_tokens`; 1 for all tokens.
    anchors : Anchors or None
        Vectors near which tokens lie, if what is stored is how tokens differ from them.
    """

    measure: Measure
    kind: str
    dim: int
    dtype: str
    codes: str | None
    prefilter: Chosen | None
    ids: str
    origin: tuple[float, ...] | None = None
    sources: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    pool: float = 1.0
    anchors: Anchors | None = None


@dataclass(frozen=True)
class Options:
    """Arguments of `Index.build` about the storage of documents: `prefilter`, `dtype`, `rescore` and `pool`.

    `streams` is whether documents come in batches, so that their number is not known when the first are prepared.
    """

    prefilter: Chosen | None = "auto"
    dtype: str | None = None
    rescore: bool = False
    streams: bool = False
    pool: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool", pool_factor(self.pool, "pool"))
        if self.prefilter == "tokens":
            object.__setattr__(self, "prefilter", TokenCells())
        if not (self.prefilter is None or isinstance(self.prefilter, Chosen)):
            raise TypeError(
                'prefilter must be "auto", "tokens", a faiss factory string, Clusters, TokenCells or None, '
                f"got {self.prefilter!r}"
            )

    def prefilter_for(self, n_documents: int) -> Chosen | None:
        """The prefilter of sequences of tokens of which an index begins with this many."""
        if self.prefilter != "auto":
            return self.prefilter
        return TokenCells() if self.streams or n_documents >= MANY_DOCUMENTS else "Flat"


def require_plain_table(options: Options) -> None:
    """Refuse options about tokens for documents that share one table."""
    if options.prefilter not in ("auto", "Flat", None):
        raise ValueError(
            f"prefilter: expected none for bags, as every search bounds every document, got {options.prefilter!r}"
        )
    if options.rescore:
        raise ValueError("rescore: expected False for bags, whose vectors are shared")
    if options.dtype is not None:
        raise ValueError(f"dtype: expected none for bags, whose table of vectors is float32, got {options.dtype!r}")
    if options.pool != 1:
        raise ValueError(f"pool: expected 1 for documents that share one table, got {options.pool:g}")
