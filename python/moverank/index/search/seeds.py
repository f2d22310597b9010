"""The first part of a search that is split over several indexes."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank.index.search.hits import Hits


class Continuation(Protocol):
    """A search that has solved its seeds."""

    def finish(self, cutoff: float | None, potentials: ArrayLike | None) -> Hits:
        """Search the documents that are left; once."""
        ...


@dataclass(frozen=True, repr=False, eq=False)
class Seeds:
    """The documents that a search solved first, and what they show about all others. Made by `Index.seed`.

    Attributes
    ----------
    ids : ndarray, shape (s,)
        Ids of those that may belong to the answer: int64, or objects of type str.
    distances : ndarray of float64, shape (s,)
        Their distances, increasing.
    potentials : ndarray of float64, shape (n,)
        Mean price of each token of the query in the solutions of the seeds. Any prices give lower bounds on the
        distances of documents; the mean over all indexes that are searched together gives good ones. Empty if bounds
        under the measure cannot use prices.
    count : int
        Number of documents that `potentials` are the mean of.

    Examples
    --------
    >>> import numpy as np
    >>> from moverank import Index
    >>> rng = np.random.default_rng(0)
    >>> docs = [rng.normal(size=(4, 8)) for _ in range(200)]
    >>> halves = [Index.build(docs[:100], "wrd"), Index.build(docs[100:], "wrd", ids=range(100, 200))]
    >>> seeds = [half.seed(docs[7], 5) for half in halves]
    >>> cutoff = np.sort(np.concatenate([own.distances for own in seeds]))[4]
    >>> found = [own.search(cutoff=cutoff) for own in seeds]
    >>> [hits.certificate.exact for hits in found], found[0].ids[0]
    ([True, True], np.int64(7))
    """

    ids: NDArray[Any]
    distances: NDArray[np.float64]
    potentials: NDArray[np.float64]
    count: int
    #: The search that continues; given at construction, and no field, as it cannot be pickled.
    _search: InitVar[Continuation | None] = None

    def __post_init__(self, _search: Continuation | None) -> None:
        object.__setattr__(self, "_search", _search)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_search": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def search(self, *, cutoff: float | None = None, potentials: ArrayLike | None = None) -> Hits:
        """Search the documents that are left. This can be done once, and not with a copy that was pickled.

        Parameters
        ----------
        cutoff : float, optional
            Look only for documents at most this far away, as `k` such documents are known elsewhere.
        potentials : array_like, shape (n,), optional
            Prices to use instead of these: the mean over all indexes that are searched together.

        Returns
        -------
        Hits
            The k nearest documents of the index, or those within the cutoff if they are fewer. The certificate is exact
            if no document within the cutoff can be missing.

        Raises
        ------
        ValueError
            If the search was continued before, or an argument is malformed.
        """
        search: Continuation | None = vars(self)["_search"]
        if search is None:
            raise ValueError("seeds: their search was continued already, or they are a copy; search the index instead")
        object.__setattr__(self, "_search", None)
        return search.finish(cutoff, potentials)

    def __repr__(self) -> str:
        best = f", best {self.ids[:1].tolist()[0]!r:.80} at {self.distances[0]:.6g}" if len(self.ids) else ""
        return f"Seeds({len(self.ids)} of {self.count} solved{best})"
