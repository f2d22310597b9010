"""What a search returns: the hits, what was proved about them, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from moverank._wording import ordinal, told_apart
from moverank.alignment import Alignment
from moverank.measures import Measure


@dataclass(frozen=True)
class Certificate:
    """What a search proved about its answer.

    Attributes
    ----------
    exact : bool
        The hits are the true top k: no document outside them is nearer, and ties are in order of id.
    bound : float
        No unexamined document is nearer than this; infinite when there is none. In units of the distance.
    unexamined : int
        Documents that the search never came to, as it ended before their turn in the order of lower bounds.
    statement : str
        The same as a sentence; also what ``str`` gives.
    """

    exact: bool
    bound: float
    unexamined: int
    statement: str

    @classmethod
    def of_exact_search(
        cls, documents: int, unexamined: int, bound: float, n_hits: int, last_distance: float, *, given: bool = False
    ) -> Certificate:
        """Certificate of a search that ended because the next lower bound exceeds the last hit's distance."""
        what = "given candidates" if given else "documents"
        if unexamined:
            start, last = told_apart(bound, last_distance)
            statement = (
                f"exact: {unexamined} of {documents} {what} were never examined; their lower bounds start at "
                f"{start}, above the {ordinal(n_hits)} distance {last}"
            )
        else:
            statement = f"exact: all {documents} {what} were examined"
        return cls(exact=True, bound=bound, unexamined=unexamined, statement=statement)

    def __str__(self) -> str:
        return self.statement


@dataclass(frozen=True)
class SearchStats:
    """Work of one search, by the stage that settled each document.

    Attributes
    ----------
    documents : int
        Documents in the index: ``pruned_by_order + examined``.
    pruned_by_order : int
        Never examined: candidates came in rising order of a lower bound, and the search had ended before them.
    examined : int
        Candidates that were evaluated: ``pruned_by_bound + pruned_by_solver + exact_solves``. How many depends on the
        number of threads by a few, as threads look ahead; the hits do not.
    pruned_by_bound : int
        Examined, and dropped by a bound from the cost matrix: the relaxed problem, or the seeds' potentials.
    pruned_by_solver : int
        Examined, and dropped by a dual value inside the exact solver, before the optimum.
    exact_solves : int
        Evaluated to the end.
    seeds : int
        Of these, solved before anything was bounded.
    order : str
        The bound that ordered the candidates: ``"dual"``, from the seeds' potentials and the relaxed problem, or
        ``"relaxed"`` alone.
    seconds : float
        Wall time of the search.
    """

    documents: int
    pruned_by_order: int
    examined: int
    pruned_by_bound: int
    pruned_by_solver: int
    exact_solves: int
    seeds: int
    order: str
    seconds: float

    def __str__(self) -> str:
        rows = [
            ("documents", self.documents),
            (f"never examined ({self.order} bound)", self.pruned_by_order),
            ("examined", self.examined),
            ("  dropped by a bound", self.pruned_by_bound),
            ("  dropped inside the solver", self.pruned_by_solver),
            ("  solved exactly", self.exact_solves),
            ("    of these, as seeds", self.seeds),
        ]
        lines = [f"{name:<34} {count:>9} {100 * count / self.documents:>6.1f} %" for name, count in rows]
        lines.append(f"{'time':<34} {1000 * self.seconds:>9.2f} ms")
        return "\n".join(lines)


@dataclass(frozen=True, repr=False)
class Hit:
    """One document of the answer.

    Attributes
    ----------
    id : int or str
        The document's id.
    rank : int
        Place in the answer, from 0.
    distance : float
        The measure's value; smaller is nearer.
    similarity : float
        The same as a similarity, see `Measure.similarity`.
    """

    id: Any
    rank: int
    distance: float
    similarity: float
    _align: Callable[[], Alignment] = field(compare=False)

    @cached_property
    def alignment(self) -> Alignment:
        """Which query token moved to which token of the document; solved when first asked for."""
        return self._align()

    def __repr__(self) -> str:
        return f"Hit(id={self.id!r}, rank={self.rank}, distance={self.distance:.6g})"


@dataclass(frozen=True, repr=False, eq=False)
class Hits:
    """The answer to a search, nearest first.

    Attributes
    ----------
    ids : ndarray, shape (k,)
        Ids of the documents: int64, or strings.
    distances : ndarray of float64, shape (k,)
        Their distances, rising; equal ones in order of id.
    measure : Measure
        What was computed.
    certificate : Certificate
        What is proved about the answer.
    stats : SearchStats
        What it cost.

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
    exact: all 3 documents were examined
    >>> round(sum(move.contribution for move in hits[1].alignment.pairs), 4)
    0.7071
    """

    ids: NDArray[Any]
    distances: NDArray[np.float64]
    measure: Measure
    certificate: Certificate
    stats: SearchStats
    _align: Callable[[int], Alignment] = field(compare=False)

    @property
    def similarities(self) -> NDArray[np.float64]:
        """Similarities of the hits, falling; see `Measure.similarity`."""
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

    def _hit(self, rank: int) -> Hit:
        distance = float(self.distances[rank])
        return Hit(
            id=self.ids[rank].item(),
            rank=rank,
            distance=distance,
            similarity=self.measure.similarity(distance),
            _align=lambda: self._align(rank),
        )

    def __iter__(self) -> Iterator[Hit]:
        return (self._hit(rank) for rank in range(len(self)))

    def __repr__(self) -> str:
        best = f", best {self.ids[0].item()!r} at {self.distances[0]:.6g}" if len(self) else ""
        return f"Hits({len(self)} by {self.measure.name}{best})"

    def __str__(self) -> str:
        width = max([len(str(hit.id)) for hit in self] + [len("id")])
        lines = [f"{'rank':>4}  {'id':<{width}}  {'distance':>12}  {'similarity':>12}"]
        lines += [
            f"{hit.rank + 1:>4}  {hit.id!s:<{width}}  {hit.distance:>12.6g}  {hit.similarity:>12.6g}" for hit in self
        ]
        lines.append(str(self.certificate))
        return "\n".join(lines)
