"""How all shards are asked: in two waves for the nearest, in one for those within a radius and for given ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.errors import UnknownFieldError
from moverank.index.answer import CHOSEN, EVERYTHING, GIVEN, SUBSET
from moverank.index.parts.filters import Condition, filter_of
from moverank.index.snapshot import unknown_field
from moverank.sharding.calls import Calls, Course
from moverank.sharding.hits import Fetch, RemoteDocuments, ShardedHits
from moverank.sharding.merging import Failure, ShardReport, merge
from moverank.sharding.shard import ShardQuery, ShardSeeds
from moverank.sharding.shards import Shards

#: Seeds of all shards together, if an answer needs no more: as many as one index solves.
SEEDS = 20

#: Share of the time that the first wave may take. A shard that takes longer is asked in the second wave all the same.
FOR_SEEDS = 0.5


def seeds_each(shards: Shards, k: int) -> int:
    """Seeds of each shard: together as many as one index solves, and enough for an answer."""
    return max(math.ceil(max(SEEDS, k) / len(shards)), min(k, 4))


def nearest(
    shards: Shards, asked: ShardQuery, parts: list[Any], course: Course, *, count: int | None = None
) -> ShardedHits:
    """The k nearest documents of all shards.

    Parameters
    ----------
    shards : Shards
        The shards.
    asked : ShardQuery
        The search.
    parts : list of Failure, list, or None
        For each shard, which of its documents to search, None for all; or why it is not asked.
    course : Course
        When it has to end.
    count : int, optional
        Number of documents to search, if these are not all.
    """
    first = with_fields(
        shards,
        "seed",
        lambda strict: [
            _with(part, own, part, course.left)
            for part, own in zip(parts, _in_states(shards, asked, strict), strict=True)
        ],
        asked.where,
        course.part(FOR_SEEDS),
    )[1]
    for s, seeds in enumerate(first.answers):
        if isinstance(seeds, ShardSeeds):
            # The second wave may go to another replica, in another state, which lacks the documents of the cutoff.
            shards.require_state(s, seeds.state)
    potentials = _mean_potentials(first.answers)
    # A shard knows the fields of the condition, or there would be an error; one that was late may not.
    lenient = _in_states(shards, asked, False)
    # One that was slow may be in time for the second wave.
    lost = [own if isinstance(own, Failure) and not own.is_late else None for own in first.answers]

    def second_wave(only: Sequence[Failure | None], cutoff: float | None) -> Calls:
        args = [
            part if isinstance(part, Failure) else failure or (own, part, course.left, cutoff, potentials)
            for part, failure, own in zip(parts, only, lenient, strict=True)
        ]
        return shards.caller.ask("search", args, course, prefer=first.replicas)

    cutoff = _kth(first.answers, asked.k)
    second = second_wave(lost, cutoff)
    retried = first.retried + second.retried
    seconds: tuple[float, ...] = (first.seconds, second.seconds)
    while True:
        failed = [own if isinstance(own, Failure) else None for own in second.answers]
        left = [own for own, failure in zip(first.answers, failed, strict=True) if failure is None]
        if not any(failed) or course.is_over or _kth(left, asked.k) == cutoff:
            return _merged(shards, asked, second.answers, asked.k, seconds, retried, course, parts=parts, count=count)
        # The cutoff was that of documents which have been lost since; without them, it is farther away.
        cutoff = _kth(left, asked.k)
        second = second_wave(failed, cutoff)
        retried, seconds = retried + second.retried, (*seconds, second.seconds)


def within(
    shards: Shards, asked: ShardQuery, radius: float, parts: list[Any], course: Course, *, count: int | None = None
) -> ShardedHits:
    """All documents of all shards within a radius; arguments as in `nearest`."""
    calls = with_fields(
        shards,
        "range_search",
        lambda strict: [
            _with(part, own, part, course.left, radius)
            for part, own in zip(parts, _in_states(shards, asked, strict), strict=True)
        ],
        asked.where,
        course,
    )[1]
    told = ((calls.seconds,), calls.retried, course)
    return _merged(shards, asked, calls.answers, None, *told, parts=parts, count=count, radius=radius)


def among(
    shards: Shards, asked: ShardQuery, count: int, parts: list[Any], course: Course, *, or_none: bool = False
) -> ShardedHits:
    """The nearest of given documents, `count` in all, of which `parts` says which each shard has.

    That no shard answers is an error even if answers in part are wanted, unless `or_none`.
    """
    places = [s for s, part in enumerate(parts) if isinstance(part, Failure) or part]
    each = _in_states(shards, asked, asked.strict)
    args = [_with(part, own, part, course.left) for part, own in zip(parts, each, strict=True)]
    calls = shards.caller.ask("rerank", [own if s in places else None for s, own in enumerate(args)], course)
    told = ((calls.seconds,), calls.retried, course)
    return _merged(
        shards, asked, [calls.answers[s] for s in places], asked.k, *told, parts=parts, count=count, what=GIVEN,
        places=places, or_none=or_none,
    )  # fmt: skip


def _merged(
    shards: Shards,
    asked: ShardQuery,
    answers: list[Any],
    k: int | None,
    seconds: tuple[float, ...],
    retried: int,
    course: Course,
    *,
    parts: list[Any],
    count: int | None,
    radius: float | None = None,
    what: str | None = None,
    places: list[int] | None = None,
    or_none: bool = False,
) -> ShardedHits:
    """Merge what shards answered, or raise if some did not.

    `parts` are the documents that each had to search, `count` in all, or None if these are all; `places` are the shards
    asked, by default all.
    """
    own = list(range(len(answers))) if places is None else places
    for s, one in zip(own, answers, strict=True):
        if not isinstance(one, Failure):
            shards.require_state(s, one.state)
    if count is None:
        answers = [
            replace(one, n_documents=shards.sizes[s]) if isinstance(one, Failure) else one
            for s, one in zip(own, answers, strict=True)
        ]
    else:
        answers = _counted(answers, [parts[s] for s in own], count)
    failed = shards.require_answers(answers, or_none=or_none)
    if what is None:
        # How many documents of a shard that did not answer satisfy a condition is not known.
        chosen = CHOSEN if asked.where is not None and not failed else ""
        what = (EVERYTHING if count is None else SUBSET) + chosen
    whole = sum(shards.sizes) if count is None else count
    merged = merge(
        answers,
        k,
        radius=radius,
        may_be_negative=shards.infos[0].has_negative_costs,
        what=what,
        whole=None if asked.where is not None and not failed else whole,
        seconds=course.seconds,
    )
    lost = sum(one.n_documents for one in failed)
    coverage = 1.0 - lost / whole if whole else float(not failed)
    owners = [own[place] for place in merged.shards.tolist()]
    states = [info.state for info in shards.infos]
    documents = Fetch(shards.caller, asked.query, owners, merged.ids.tolist(), states)
    return ShardedHits(
        ids=merged.ids,
        distances=merged.distances,
        measure=shards.infos[0].measure,
        certificate=merged.certificate,
        stats=merged.stats,
        shards=ShardReport(len(answers), len(answers) - len(failed), failed, coverage, retried, seconds),
        _documents=RemoteDocuments(documents, list(range(len(owners)))),
    )


def with_fields(
    shards: Shards,
    method: str,
    args: Callable[[bool], list[Any]],
    where: Condition | None,
    course: Course,
    *,
    strict: bool = True,
) -> tuple[bool, Calls]:
    """Ask all shards. Each field of a condition may be unknown to some of them, but not to all.

    `args` are the arguments for each shard, if such a field is an error, or if it is not. Returns whether it was one.
    """
    calls = shards.caller.ask(method, args(strict), course, kept=(UnknownFieldError,))
    unknown = [s for s, own in enumerate(calls.answers) if isinstance(own, UnknownFieldError)]
    if not unknown:
        return strict, calls
    assert where is not None, "fields are those of a condition"
    _require_fields(shards, where, course)
    again = args(False)
    more = shards.caller.ask(method, [own if s in unknown else None for s, own in enumerate(again)], course)
    for s in unknown:
        calls.answers[s], calls.replicas[s] = more.answers[s], more.replicas[s]
    return False, replace(calls, retried=calls.retried + more.retried, seconds=calls.seconds + more.seconds)


def _require_fields(shards: Shards, where: Condition, course: Course) -> None:
    """Refuse a condition on a field that no shard knows; one that does not answer may know it."""
    names = sorted(filter_of(where).fields)
    told = shards.caller.ask("known_fields", [(names,)] * len(shards), course).answers
    if any(isinstance(own, Failure) for own in told):
        return
    missing = set(names) - set().union(*(own[0] for own in told))
    if missing:
        raise unknown_field(min(missing), set().union(*(own[1] for own in told)))


def _kth(seeds: Sequence[Any], k: int) -> float | None:
    """The k-th least distance of all seeds; None if there are fewer. A document that is in two shards counts once."""
    known = [own for own in seeds if isinstance(own, ShardSeeds) and len(own.ids)]
    if not known:
        return None
    distances = np.concatenate([own.distances for own in known])
    _, first = np.unique(np.concatenate([own.ids for own in known]), return_index=True)
    return float(np.sort(distances[first])[k - 1]) if len(first) >= k else None


def _mean_potentials(seeds: Sequence[Any]) -> NDArray[np.float64] | None:
    """The mean over all documents that were solved; None if bounds can use none."""
    counted = [own for own in seeds if isinstance(own, ShardSeeds) and own.count]
    total = sum(own.count for own in counted)
    mean: NDArray[np.float64] = sum((own.potentials * (own.count / total) for own in counted), np.zeros(1))
    return mean if counted else None


def _in_states(shards: Shards, asked: ShardQuery, strict: bool) -> list[ShardQuery]:
    """The search for each shard, in the state that it had when it was loaded."""
    return [replace(asked, strict=strict, state=info.state) for info in shards.infos]


def _counted(answers: list[Any], parts: list[Any], count: int) -> list[Any]:
    """Answers of which those that failed say how many of `count` documents are lost with them.

    A document that is in two shards is lost if both fail, and counted once. Those that no shard is known to have are in
    the first that did not say which it has.
    """
    failed = [isinstance(one, Failure) for one in answers]
    reached: set[Any] = set()
    for part, is_lost in zip(parts, failed, strict=True):
        reached |= set() if is_lost else set(part)
    known = reached.union(*(part for part in parts if not isinstance(part, Failure)))
    unknown = count - len(known)
    counted = []
    for one, part, is_lost in zip(answers, parts, failed, strict=True):
        lost = 0
        if isinstance(part, Failure):
            lost, unknown = unknown, 0
        elif is_lost:
            lost = len(set(part) - reached)
            reached |= set(part)
        counted.append(replace(one, n_documents=lost) if is_lost else one)
    return counted


def _with(part: Any, *args: Any) -> Any:
    return part if isinstance(part, Failure) else args
