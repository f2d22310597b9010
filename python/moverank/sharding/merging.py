"""Answers of several indexes as one answer, with one certificate that claims nothing for those that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.errors import ShardMismatchError
from moverank.index.search.hits import Certificate, Rung, SearchStats
from moverank.sharding.shard import ShardAnswer


@dataclass(frozen=True)
class Failure:
    """A shard that did not answer.

    Attributes
    ----------
    shard : str
        Its name.
    reason : str
        Why.
    n_documents : int
        How many documents it had when it was last heard of; of a subset or of given candidates, how many are lost with
        it.
    is_late : bool
        Whether it may still be at work: nothing failed, but time was over.
    """

    shard: str
    reason: str
    n_documents: int = 0
    is_late: bool = False

    def __str__(self) -> str:
        return f"{self.shard}: {self.reason}"


@dataclass(frozen=True)
class ShardReport:
    """Which shards an answer is from.

    Attributes
    ----------
    total, answered : int
        Number of shards, and of those that answered.
    failed : tuple of Failure
        The others.
    coverage : float
        Share of all documents that are in shards that answered, from 0 to 1, whether they satisfy a condition or not;
        with a subset or given candidates, the share of these.
    retried : int
        Calls that were sent to another replica, as one failed or was slow.
    seconds : tuple of float
        Time of the first wave, in which seeds are solved, and of the second.
    """

    total: int
    answered: int
    failed: tuple[Failure, ...]
    coverage: float
    retried: int = 0
    seconds: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Convert to JSON values."""
        return {
            "total": self.total,
            "answered": self.answered,
            "failed": [{"shard": one.shard, "reason": one.reason} for one in self.failed],
            "coverage": self.coverage,
            "retried": self.retried,
            "seconds": list(self.seconds),
        }

    def __str__(self) -> str:
        lines = [f"{self.answered} of {self.total} shards answered, with {100 * self.coverage:.4g} % of the documents"]
        return "\n".join([*lines, *(f"  {one}" for one in self.failed)])


@dataclass(frozen=True, eq=False)
class Merged:
    """The nearest documents of all answers.

    Attributes
    ----------
    ids, distances : ndarray, shape (k,)
        As in `Hits`.
    shards : ndarray of int64, shape (k,)
        The place of the answer that each is from.
    certificate : Certificate
        What is proved about them.
    stats : SearchStats
        The work of all shards.
    """

    ids: NDArray[np.generic]
    distances: NDArray[np.float64]
    shards: NDArray[np.int64]
    certificate: Certificate
    stats: SearchStats


def merge(
    answers: Sequence[ShardAnswer | Failure],
    k: int | None,
    *,
    radius: float | None = None,
    may_be_negative: bool = False,
    what: str = "documents",
    whole: int | None = None,
    seconds: float = 0.0,
) -> Merged:
    """Merge the answers of all shards, of which those that failed are among them.

    The k nearest of all documents are among the k nearest of each shard. The least bound of all shards is a bound for
    all documents that were not solved; for a shard that did not answer it is the least that a distance can be.

    Parameters
    ----------
    answers : sequence of ShardAnswer or Failure
        One per shard.
    k : int or None
        Number of documents that were wanted; None with a radius.
    radius : float, optional
        Largest distance of the documents that were wanted.
    may_be_negative : bool, default False
        Whether distances can be below 0.
    what : str, default "documents"
        Name of the documents in the certificate.
    whole : int, optional
        How many of these there are, whether they satisfy a condition or not, each counted once; by default, as many as
        were searched or lost.
    seconds : float
        Time of the whole search.
    """
    found = [(place, one) for place, one in enumerate(answers) if isinstance(one, ShardAnswer)]
    failed = [one for one in answers if isinstance(one, Failure)]
    ids = np.concatenate([one.ids for _, one in found]) if found else np.empty(0, dtype=np.int64)
    distances = np.concatenate([one.distances for _, one in found]) if found else np.empty(0)
    shards = np.repeat([place for place, _ in found], [len(one.ids) for _, one in found]).astype(np.int64)
    order = np.lexsort((ids, distances))
    # A document that is being moved is in two shards for a moment, with the same distance in both.
    first = np.sort(np.unique(ids[order], return_index=True)[1])
    _require_the_same(ids[order], distances[order], first)
    order = order[first][:k]
    ids, distances, shards = ids[order], distances[order], shards[order]
    lost = sum(one.n_documents for one in failed)
    searched = sum(one.stats.documents for _, one in found) + lost
    total = searched if whole is None else whole
    # Fewer if there is a condition; more if documents are in two shards.
    n_documents = min(searched, total)
    unsolved = sum(one.unsolved for _, one in found) + lost
    bound = min((one.bound for _, one in found), default=np.inf)
    # A shard that did not answer may have got documents since it was last heard of.
    if failed:
        bound = min(bound, -np.inf if may_be_negative else 0.0)
    limit = np.inf if radius is None else radius
    wanted = len(ids) if k is None else min(k, n_documents)
    proved = _core.certify(distances, bound=bound, unsolved=max(unsolved, len(failed)), k=wanted, radius=limit)
    certificate = Certificate.of(proved, distances, total, what, radius=radius)
    if failed:
        statement = (
            f"not exact: {len(failed)} of {len(answers)} shards did not answer, which had {lost} of {total} {what}: "
            "nothing is known of these"
        )
        certificate = Certificate(False, bound, unsolved, 0, np.inf, statement)
    return Merged(ids, distances, shards, certificate, _summed([one.stats for _, one in found], n_documents, seconds))


def _require_the_same(ids: NDArray[np.generic], distances: NDArray[np.float64], first: NDArray[np.int64]) -> None:
    """Refuse shards that have different documents of the same id; `first` are the places where each id is first."""
    if len(first) == len(ids):
        return
    others = np.setdiff1d(np.arange(len(ids)), first)
    at = dict(zip(ids[first].tolist(), distances[first].tolist(), strict=True))
    for id, distance in zip(ids[others].tolist(), distances[others].tolist(), strict=True):
        if distance != at[id]:
            raise ShardMismatchError(
                f"two shards have different documents of the id {id!r:.80}: each document needs an id of its own, and "
                "to be in one shard"
            )


def _summed(stats: Sequence[SearchStats], n_documents: int, seconds: float) -> SearchStats:
    """Work of all shards: rungs of the same name together, in the order in which they first occur."""
    rungs: dict[str, Rung] = {}
    for one in stats:
        for rung in one.rungs:
            known = rungs.get(rung.name, Rung(rung.name, 0, 0, 0.0))
            rungs[rung.name] = Rung(
                rung.name, known.seen + rung.seen, known.dropped + rung.dropped, known.seconds + rung.seconds
            )
    return SearchStats(
        documents=n_documents,
        rungs=tuple(rungs.values()),
        exact_solves=sum(one.exact_solves for one in stats),
        seconds=seconds,
        timed_out=any(one.timed_out for one in stats),
    )
