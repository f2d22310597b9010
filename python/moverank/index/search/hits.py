"""The result of a search: the hits, a certificate of what is proved about them, and the work that was done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import InitVar, dataclass
from functools import cached_property
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.plain import finite, plain_id
from moverank._support.wording import on_one_line, ordinal, printable, told_apart
from moverank.alignment.alignment import Alignment
from moverank.alignment.sampling import Noise, sampled
from moverank.measures.measure import Measure

#: Maximum number of characters of an id in a table.
SHOWN = 60


@dataclass(frozen=True)
class Certificate:
    """What a search has proved about its answer.

    Attributes
    ----------
    exact : bool
        Whether the hits are the true answer: no other document is nearer, and equal distances are ordered by id.
    bound : float
        Lower bound on the distances of all unsolved documents, in units of the distance; infinite if there are none. If
        nothing is known it is 0, or minus infinity where costs may be negative.
    unsolved : int
        Number of documents whose exact distance was not computed.
    certain : int
        Number of hits, from the first on, that are certainly in the true answer: those nearer than `bound`.
    error : float
        Upper bound on the relative error of the last hit's distance, compared with the true k-th distance: 0 if exact,
        infinite if `bound` is not above 0, or for a search by radius.
    statement : str
        The certificate as a sentence, which ``str`` returns too.
    """

    exact: bool
    bound: float
    unsolved: int
    certain: int
    error: float
    statement: str

    @classmethod
    def of(
        cls,
        proved: _core.Certificate,
        distances: NDArray[np.float64],
        n_documents: int,
        what: str,
        *,
        radius: float | None = None,
    ) -> Certificate:
        """Make a certificate of what the core has proved; `what` names the documents in the statement."""
        exact, bound, unsolved = proved.exact, proved.bound, proved.unsolved
        certain, error = proved.certain, proved.error
        place = f"the {ordinal(len(distances))} distance"
        if n_documents == 0:
            statement = f"exact: there are no {what}"
        elif unsolved == 0:
            statement = f"exact: all {n_documents} {what} were solved"
        elif exact:
            limit = radius if radius is not None else float(distances[-1]) if len(distances) else -np.inf
            start, end = told_apart(bound, limit)
            above = f"{place} {end}" if radius is None else f"the radius {end}"
            statement = (
                f"exact: {unsolved} of {n_documents} {what} were not solved; none is nearer than {start}, above {above}"
            )
        else:
            known = "nothing is known of them" if bound in (0.0, -np.inf) else f"none is nearer than {bound:.4g}"
            statement = (
                f"not exact: {unsolved} of {n_documents} {what} were not solved, and {known}; "
                f"{certain} of {len(distances)} hits are certain"
            )
            if np.isfinite(error) and len(distances):
                statement += f"; {place} is at most {100 * error:.2g} % above the true one"
        return cls(exact, bound, unsolved, certain, error, statement)

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values, with a key for each attribute.

        Returns
        -------
        dict
            `bound` and `error` are None where they are infinite.
        """
        return {
            "exact": self.exact,
            "bound": finite(self.bound),
            "unsolved": self.unsolved,
            "certain": self.certain,
            "error": finite(self.error),
            "statement": self.statement,
        }

    def __str__(self) -> str:
        return self.statement


@dataclass(frozen=True)
class Rung:
    """One stage of a search, a rung of its ladder of bounds: the documents it examined, and those it excluded.

    Attributes
    ----------
    name : str
        What the stage computes.
    seen : int
        Number of documents that it examined.
    dropped : int
        Number of documents that it proved not to be in the answer; with a budget, those that it left out.
    seconds : float
        Time summed over all threads; the time of a prefilter is counted as one thread's.
    """

    name: str
    seen: int
    dropped: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values, with a key for each attribute."""
        return {"name": self.name, "seen": self.seen, "dropped": self.dropped, "seconds": self.seconds}


@dataclass(frozen=True)
class SearchStats:
    """Work of one search, by stage. Counts may vary slightly with the number of threads, which work ahead; hits do not.

    Attributes
    ----------
    documents : int
        Number of documents in the search.
    rungs : tuple of Rung
        Stages from the cheapest bound to the exact solver; each examines the documents that the previous ones left. The
        first stage solves seeds, whose potentials (prices per token) give bounds on all other documents.
    exact_solves : int
        Number of documents solved exactly, seeds included.
    seconds : float
        Wall-clock time of the search.
    timed_out : bool
        Whether the search was ended by `timeout`.
    """

    documents: int
    rungs: tuple[Rung, ...]
    exact_solves: int
    seconds: float
    timed_out: bool

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values, with a key for each attribute."""
        return {
            "documents": self.documents,
            "rungs": [rung.to_dict() for rung in self.rungs],
            "exact_solves": self.exact_solves,
            "seconds": self.seconds,
            "timed_out": self.timed_out,
        }

    def __str__(self) -> str:
        lines = [f"{'':<24} {'seen':>9} {'dropped':>9} {'of all':>8} {'thread ms':>10}"]
        lines += [
            f"{rung.name:<24} {rung.seen:>9} {rung.dropped:>9} {100 * rung.dropped / self.documents:>6.2f} % "
            f"{1000 * rung.seconds:>10.2f}"
            for rung in self.rungs
        ]
        lines.append(
            f"solved {self.exact_solves} of {self.documents} documents "
            f"({100 * self.exact_solves / max(self.documents, 1):.2f} %) in {1000 * self.seconds:.2f} ms"
            f"{', when time was over' if self.timed_out else ''}"
        )
        return "\n".join(lines)


class Documents(Protocol):
    """The documents of hits, by rank. They are pickled with the hits."""

    @property
    def measure(self) -> Measure:
        """What the search compared by."""
        ...

    def alignment(self, rank: int) -> Alignment:
        """Optimal alignment of the query's tokens with those of the document."""
        ...

    def payload(self, rank: int) -> Any:
        """Payload of the document."""
        ...

    def text(self, rank: int) -> str | None:
        """Text of the document; None if the index keeps no texts."""
        ...

    def only(self, rank: int) -> Documents:
        """One of the documents alone, with rank 0."""
        ...


def hit_dict(
    rank: int,
    id: Any,
    score: float,
    distance: float,
    passage: tuple[int, int] | None = None,
    document: tuple[str | None, Any] | None = None,
) -> dict[str, Any]:
    """JSON values of one document in an answer, of vectors or of texts; `document` is its text and its payload."""
    found: dict[str, Any] = {
        "rank": int(rank),
        "id": plain_id(id),
        "score": finite(score),
        "distance": finite(distance),
        "passage": None if passage is None else [int(place) for place in passage],
    }
    return found if document is None else {**found, "text": document[0], "payload": document[1]}


@dataclass(frozen=True, repr=False)
class Hit:
    """One document of the answer.

    Attributes
    ----------
    id : int or str
        The document's id.
    rank : int
        Position in the answer, from 0.
    distance : float
        Value of the measure; smaller is nearer.
    similarity : float
        The distance converted to a similarity, see `Measure.similarity`.
    """

    id: Any
    rank: int
    distance: float
    similarity: float
    #: Given at construction, and no field: it is not part of the value, but `dataclasses.replace` passes it on.
    _document: InitVar[Documents | None] = None

    def __post_init__(self, _document: Documents | None) -> None:
        object.__setattr__(self, "_document", _document)

    @property
    def _own(self) -> Documents:
        """The document; type checkers do not take what is given at construction for an attribute."""
        own: Documents = vars(self)["_document"]
        return own

    @cached_property
    def payload(self) -> Any:
        """Payload of the document, a JSON value; None if it has none. Read at the first access."""
        return self._own.payload(0)

    @cached_property
    def text(self) -> str | None:
        """Text of the document, or of the passage; None unless it is an index of a `TextIndex`, which keeps texts."""
        return self._own.text(0)

    @cached_property
    def alignment(self) -> Alignment:
        """Optimal alignment of the query's tokens with those of the document. Computed at the first access."""
        return self._own.alignment(0)

    def explain(
        self, *, samples: int | None = None, temperature: float | None = None, seed: int | None = None
    ) -> Alignment:
        """Which token of the query moved where, and at what cost; on request also how sure its moves are.

        Parameters
        ----------
        samples : int, optional
            Also solve this many copies of the problem with random noise on the costs, and sum their plans up in
            `Alignment.uncertainty`, as `align` does.
        temperature : float, default 0.1
            Scale of the noise of the samples in units of the median cost.
        seed : int, default 0
            What the noise is drawn from: equal seeds give equal samples.

        Returns
        -------
        Alignment
            `alignment`; with samples, the same plan with its uncertainty, which is computed at each call.

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        noise = Noise.of(samples, temperature, seed)
        return self.alignment if noise is None else sampled(self.alignment, self._own.measure, noise)

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values, in the same shape as `RankedDocument.to_dict`.

        Parameters
        ----------
        contents : bool, default True
            Include "text" and "payload".

        Returns
        -------
        dict
            "rank" (from 0), "id" (a string), "score" (the similarity), "distance", "passage" (None), "text" (None
            unless the index keeps texts), "payload". Infinite numbers are None.
        """
        document = (self.text, self.payload) if contents else None
        return hit_dict(self.rank, self.id, self.similarity, self.distance, document=document)

    def __repr__(self) -> str:
        return f"Hit(id={self.id!r}, rank={self.rank}, distance={self.distance:.6g})"


@dataclass(frozen=True, repr=False, eq=False)
class Hits:
    """The answer to a search, nearest first.

    Attributes
    ----------
    ids : ndarray, shape (k,)
        Ids of the documents: int64, or objects of type str.
    distances : ndarray of float64, shape (k,)
        Distances of the documents, increasing; equal distances are ordered by id.
    measure : Measure
        The measure of the distances.
    certificate : Certificate
        What is proved about the answer.
    stats : SearchStats
        The work of the search.

    Examples
    --------
    >>> import numpy as np
    >>> from moverank import Index
    >>> index = Index.build([np.eye(3)[:2], np.eye(3)[1:], np.eye(3)[2:]], "wmd", ids=["a", "b", "c"])
    >>> hits = index.search(np.eye(3)[:2], k=2)
    >>> print(hits)
    rank  id      distance    similarity
       1  a              0             1
       2  b       0.707107      0.585786
    exact: all 3 documents were solved
    >>> round(sum(move.contribution for move in hits[1].alignment.pairs), 4)
    0.7071
    """

    ids: NDArray[Any]
    distances: NDArray[np.float64]
    measure: Measure
    certificate: Certificate
    stats: SearchStats
    #: As in `Hit`.
    _documents: InitVar[Documents | None] = None

    def __post_init__(self, _documents: Documents | None) -> None:
        object.__setattr__(self, "_documents", _documents)
        self.ids.flags.writeable = self.distances.flags.writeable = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.ids.flags.writeable = self.distances.flags.writeable = False  # pickles do not keep it

    @property
    def similarities(self) -> NDArray[np.float64]:
        """Similarities of the hits, decreasing; see `Measure.similarity`."""
        return self.measure.similarity(self.distances)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, key: int) -> Hit: ...
    @overload
    def __getitem__(self, key: slice) -> list[Hit]: ...
    def __getitem__(self, key: int | slice) -> Hit | list[Hit]:
        if isinstance(key, slice):
            return [self._hit(rank) for rank in range(*key.indices(len(self)))]
        rank = range(len(self))[key]
        return self._hit(rank)

    def _id(self, rank: int) -> int | str:
        """Id of a hit as a plain value."""
        name: int | str = self.ids[rank : rank + 1].tolist()[0]
        return name

    def _hit(self, rank: int) -> Hit:
        distance = float(self.distances[rank])
        documents: Documents = vars(self)["_documents"]
        return Hit(
            id=self._id(rank),
            rank=rank,
            distance=distance,
            similarity=self.measure.similarity(distance),
            _document=documents.only(rank),
        )

    def __iter__(self) -> Iterator[Hit]:
        return (self._hit(rank) for rank in range(len(self)))

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values: finite numbers or None, ids as strings, no NumPy types.

        Parameters
        ----------
        contents : bool, default True
            Include the payload of each hit, which is read from the index.

        Returns
        -------
        dict
            "measure" (its name), "hits" (the result of `Hit.to_dict` for each), "certificate" and "stats".

        Examples
        --------
        >>> import numpy as np
        >>> from moverank import Index
        >>> index = Index.build([np.eye(2)[:1], np.eye(2)[1:]], "wrd", payloads=[{"year": 2024}, None])
        >>> hits = index.search(np.eye(2)[:1], k=1)
        >>> answer = hits.to_dict()
        >>> hits.to_dict(contents=False)["hits"]
        [{'rank': 0, 'id': '0', 'score': 1.0, 'distance': 0.0, 'passage': None}]
        >>> answer["hits"][0]["payload"], answer["certificate"]["exact"]
        ({'year': 2024}, True)
        """
        return {
            "measure": self.measure.name,
            "hits": [hit.to_dict(contents=contents) for hit in self],
            "certificate": self.certificate.to_dict(),
            "stats": self.stats.to_dict(),
        }

    def __repr__(self) -> str:
        best = f", best {self._id(0)!r:.80} at {self.distances[0]:.6g}" if len(self) else ""
        return f"Hits({len(self)} by {self.measure.name}{best})"

    def __str__(self) -> str:
        names = [on_one_line(printable(str(hit.id)), SHOWN) for hit in self]
        width = max([*map(len, names), len("id")])
        lines = [f"{'rank':>4}  {'id':<{width}}  {'distance':>12}  {'similarity':>12}"]
        lines += [
            f"{hit.rank + 1:>4}  {name:<{width}}  {hit.distance:>12.6g}  {hit.similarity:>12.6g}"
            for name, hit in zip(names, self, strict=True)
        ]
        lines.append(str(self.certificate))
        return "\n".join(lines)
