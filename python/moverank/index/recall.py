"""How much of the true answer searches with a budget of candidates find: measured against exact search."""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.plain import plain_id
from moverank._support.threads import count_of
from moverank._support.validate import as_list, whole_number
from moverank.errors import DuplicateIdError
from moverank.index.answer import Request
from moverank.index.parts.filters import Condition
from moverank.index.parts.ids import Ids, is_id, listed_ids
from moverank.index.search.query import Query, query_batch
from moverank.index.snapshot import Snapshot
from moverank.measures.measure import Measure
from moverank.vectors.histograms import Histograms
from moverank.vectors.sequences import Batch

#: Numbers of candidates that are tried by default, as multiples of k.
MULTIPLES = (3, 10, 30, 100)

#: Characters of the columns of the table, after the first.
WIDTHS = (6, 14, 7, 9, 9)

#: Quantile of the normal distribution for intervals of 95 %.
QUANTILE = 1.959963984540054


@dataclass(frozen=True)
class RecallAt:
    """What searches with one number of candidates found of the true answers.

    Attributes
    ----------
    candidates : int
        The number of candidates.
    recall : float
        Mean of `shares`.
    low, high : float
        Interval of 95 % for the mean over all queries like these (Wilson's interval [1]_). Each query counts as one
        observation, however large k is, because the hits of one query are found or missed together.
    shares : tuple of float
        For each query, the share of the true top k that was found.
    certain : float
        Mean share of the true top k that certificates prove to be among the hits; at most `recall`.
    median_seconds, p95_seconds : float
        Median and 95th percentile of the wall-clock time per query.

    References
    ----------
    .. [1] Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
       Statistical Association 22, 1927. For a mean of shares its variance is an upper bound.
    """

    candidates: int
    recall: float
    low: float
    high: float
    shares: tuple[float, ...]
    certain: float
    median_seconds: float
    p95_seconds: float

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values, with a key for each attribute.

        Parameters
        ----------
        contents : bool, default True
            Include "shares", which has a number per query.
        """
        found = {
            "candidates": self.candidates,
            "recall": self.recall,
            "low": self.low,
            "high": self.high,
            "certain": self.certain,
            "median_seconds": self.median_seconds,
            "p95_seconds": self.p95_seconds,
        }
        return {**found, "shares": list(self.shares)} if contents else found


@dataclass(frozen=True, repr=False)
class Recall:
    """How much of the true answer searches with a budget of candidates find, and how long they take.

    This is a measurement, not a proof: it says how the index does on queries like these.

    Attributes
    ----------
    measure : Measure
        The measure of the index.
    k : int
        Number of nearest documents that make the true answer of a query; all documents if there are fewer.
    documents : int
        Number of documents searched.
    query_ids : tuple of int or of str
        Ids of the queries, in the order of `RecallAt.shares`.
    at : tuple of RecallAt
        For each number of candidates, in increasing order, what was found.
    reduced : tuple of int
        Requested numbers of candidates that exceed the number of documents: each was reduced to it.
    num_threads : int
        Largest number of threads per search; queries were searched one after the other.
    exact_median_seconds, exact_p95_seconds : float
        Median and 95th percentile of the wall-clock time per query of the exact search.

    Examples
    --------
    >>> import numpy as np
    >>> from moverank import Index
    >>> rng = np.random.default_rng(0)
    >>> index = Index.build([rng.normal(size=(6, 8)) for _ in range(500)], "maxsim")
    >>> found = index.recall([rng.normal(size=(3, 8)) for _ in range(20)], candidates=[10, 100, 500])
    >>> [(level.candidates, round(level.recall, 2)) for level in found.at]
    [(10, 0.23), (100, 0.68), (500, 1.0)]
    """

    measure: Measure
    k: int
    documents: int
    query_ids: tuple[Any, ...]
    at: tuple[RecallAt, ...]
    reduced: tuple[int, ...]
    num_threads: int
    exact_median_seconds: float
    exact_p95_seconds: float

    @property
    def queries(self) -> int:
        """Number of queries."""
        return len(self.query_ids)

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values, with a key for each attribute.

        Parameters
        ----------
        contents : bool, default True
            Include what there is per query: "query_ids", which are strings, and the "shares" of each number of
            candidates.

        Returns
        -------
        dict
            "measure" is its name, "queries" the number of queries.
        """
        found: dict[str, Any] = {
            "measure": self.measure.name,
            "k": self.k,
            "documents": self.documents,
            "queries": self.queries,
            "at": [level.to_dict(contents=contents) for level in self.at],
            "reduced": list(self.reduced),
            "num_threads": self.num_threads,
            "exact_median_seconds": self.exact_median_seconds,
            "exact_p95_seconds": self.exact_p95_seconds,
        }
        return {**found, "query_ids": [plain_id(name) for name in self.query_ids]} if contents else found

    def __repr__(self) -> str:
        shown = ", ".join(f"{level.recall:.3f} at {level.candidates}" for level in self.at)
        return f"Recall({shown}; {self._searched})"

    @property
    def _searched(self) -> str:
        return f"{_counted(self.queries, 'query', 'queries')}, {_counted(self.documents, 'document', 'documents')}"

    def __str__(self) -> str:
        lines = [
            f"recall of the true top {self.k} by {self.measure.name}: {self._searched}",
            _row("candidates", "recall", "95 % interval", "certain", "median ms", "p95 ms"),
        ]
        for level in self.at:
            shares = f"{level.recall:.3f}", f"{level.low:.3f} to {level.high:.3f}", f"{level.certain:.3f}"
            lines.append(_row(str(level.candidates), *shares, *_times(level.median_seconds, level.p95_seconds)))
        lines.append(_row("exact search", "", "", "", *_times(self.exact_median_seconds, self.exact_p95_seconds)))
        threads = _counted(self.num_threads, "thread", "threads")
        lines.append(f"at most {threads} per query; measured on these queries, not proved")
        if self.reduced:
            lines.append(f"reduced to the number of documents: {', '.join(map(str, self.reduced))} candidates")
        return "\n".join(lines)


def _row(first: str, *others: str) -> str:
    return "  ".join([f"{first:<12}", *(f"{text:>{width}}" for text, width in zip(others, WIDTHS, strict=True))])


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _times(median: float, p95: float) -> tuple[str, str]:
    return f"{1000 * median:.2f}", f"{1000 * p95:.2f}"


@dataclass(frozen=True)
class _Answer:
    """What a measurement keeps of one search."""

    distances: NDArray[np.float64]
    certain: int
    seconds: float


def recall_of(
    snapshot: Snapshot,
    queries: Batch | Histograms | ArrayLike,
    k: int,
    *,
    candidates: Sequence[int] | int | None,
    query_ids: Ids | None,
    subset: Ids | None,
    where: Condition | None,
    num_threads: int,
    progress: Callable[[int, int], object] | None,
) -> Recall:
    """Measure the recall of one state of an index, as `Index.recall` does; errors name the argument."""
    count = whole_number(k, "k", least=1)
    wanted = _candidates(candidates, count)
    exact = Request.nearest(snapshot, count, slack=0.0, candidates=None, timeout=None, subset=subset, where=where)
    documents = len(snapshot) if exact.positions is None else len(exact.positions)
    if not documents:
        raise ValueError(f"there is nothing to find, and so no recall: there are no {exact.name} to search")
    batch = query_batch(queries, snapshot.setup)
    asked = [Query.of(batch[q : q + 1], None, snapshot.setup, f"queries: sequence {q}") for q in range(len(batch))]
    names = tuple(range(len(asked))) if query_ids is None else _names(query_ids, len(asked))
    limits = sorted({min(number, documents) for number in wanted})
    # A search takes no fewer candidates than k, even if there are fewer documents.
    requests = [*(replace(exact, candidates=max(limit, count)) for limit in limits), exact]
    threads = count_of(num_threads)
    *answers, truth = _answers(requests, asked, threads, progress)
    median, p95 = _quantiles(truth)
    return Recall(
        measure=snapshot.setup.measure,
        k=min(count, documents),
        documents=documents,
        query_ids=names,
        at=tuple(_compared(limit, found, truth) for limit, found in zip(limits, answers, strict=True)),
        reduced=tuple(sorted({number for number in wanted if number > documents})),
        num_threads=threads,
        exact_median_seconds=median,
        exact_p95_seconds=p95,
    )


def _candidates(given: Sequence[int] | int | None, k: int) -> list[int]:
    """Check the numbers of candidates; each must be at least k, as for a search."""
    if given is None:
        return [multiple * k for multiple in MULTIPLES]
    single = isinstance(given, numbers.Integral) and not isinstance(given, bool)
    listed = [given] if single else as_list(given, "candidates", "numbers")
    if not listed:
        raise ValueError("candidates: expected at least one number, got none")
    counts = [whole_number(number, "candidates", least=1) for number in listed]
    if min(counts) < k:
        raise ValueError(f"candidates must be at least k = {k}, got {min(counts)}")
    return counts


def _names(query_ids: Ids, count: int) -> tuple[Any, ...]:
    listed = listed_ids(query_ids, "query_ids")
    if len(listed) != count:
        raise ValueError(f"query_ids: expected {count}, one per query, got {len(listed)}")
    seen: set[Any] = set()
    for name in listed:
        if not is_id(name, "int") and not is_id(name, "str"):
            raise TypeError(f"query_ids: expected integers of 64 bits or strings, got {name!r:.80}")
        if name in seen:
            raise DuplicateIdError(f"query_ids: {name!r:.80} is given more than once")
        seen.add(name)
    return tuple(listed)


def _answers(
    requests: list[Request], asked: list[Query], num_threads: int, progress: Callable[[int, int], object] | None
) -> list[list[_Answer]]:
    """Search for every query by every request, on the calling thread, which Ctrl-C reaches.

    Requests take turns, so that whatever slows the machine for a while slows all of them. They are at different queries
    then: a search does not find the documents of its query in the cache because the search before it has read them.
    """

    def one(request: Request, query: Query) -> _Answer:
        began = time.perf_counter()
        hits = request.answer_checked(query, num_threads)
        return _Answer(hits.distances, hits.certificate.certain, time.perf_counter() - began)

    for request in requests:  # the first search of a kind may have to load what later ones use
        one(request, asked[0])
    found: list[dict[int, _Answer]] = [{} for _ in requests]
    for turn in range(len(asked)):
        for place, request in enumerate(requests):
            q = (turn + place * len(asked) // len(requests)) % len(asked)
            found[place][q] = one(request, asked[q])
        if progress is not None:
            progress(turn + 1, len(asked))
    return [[answers[q] for q in range(len(asked))] for answers in found]


def _compared(candidates: int, found: list[_Answer], truth: list[_Answer]) -> RecallAt:
    shares = tuple(share_found(one.distances, true.distances) for one, true in zip(found, truth, strict=True))
    recall = math.fsum(shares) / len(shares)
    low, high = wilson(recall, len(shares))
    certain = math.fsum(one.certain / len(true.distances) for one, true in zip(found, truth, strict=True)) / len(found)
    median, p95 = _quantiles(found)
    return RecallAt(candidates, recall, low, high, shares, certain, median, p95)


def share_found(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Share of the true top k among the hits.

    Which of several documents at the k-th distance belong to the top k is decided by ids, so any of them count, up to
    as many as belong. They do not stand in for a nearer document that was missed.
    """
    last = true[-1]
    nearer = int((found < last).sum())
    ties = int((found == last).sum())
    return (nearer + min(ties, int((true == last).sum()))) / len(true)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's interval of 95 % for the mean of numbers from 0 to 1, of which `count` have the mean `share`.

    It is made for numbers that are 0 or 1, which vary most of all that have the same mean.
    """
    square = QUANTILE**2 / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


def _quantiles(answers: list[_Answer]) -> tuple[float, float]:
    median, p95 = np.quantile([one.seconds for one in answers], [0.5, 0.95]).tolist()
    return median, p95
