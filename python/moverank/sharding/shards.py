"""The shards that are searched as one: what is known of them, which state each is in, and who has which document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import as_list, one_of, real_number
from moverank.errors import (
    DuplicateIdError,
    ShardFailedError,
    ShardMismatchError,
    UnknownIdError,
)
from moverank.index.index import PathLike
from moverank.index.parts.ids import Ids, is_id, listed_ids
from moverank.sharding.calls import Caller, Course, Replica
from moverank.sharding.merging import Failure
from moverank.sharding.shard import ShardInfo

#: How often all shards are loaded, or a search is repeated, until no shard has changed meanwhile.
ATTEMPTS_TO_AGREE = 20

#: How long a replica may take to load the latest state.
SECONDS_TO_LOAD = 60.0

#: Share of the time that is left which loading may take, if a search finds that a shard has changed.
FOR_LOADING = 0.5

T = TypeVar("T")
S = TypeVar("S", bound="Shards")


class Shards:
    """Shards, each of which has one replica or more, and what was last heard of them. Thread-safe.

    Parameters
    ----------
    replicas : sequence of sequence of Replica
        The replicas of each shard.
    names : sequence of str, optional
        Names of the shards, for messages.
    folders : sequence of path, optional
        The folder of each shard, which can then be changed.
    on_failure : {"raise", "partial"}
        What to do if a shard does not answer.
    hedge : float or None
        See `Caller`.
    """

    #: What to do about a document that two shards have.
    TWICE = "`rebalance` finishes a move that was interrupted"

    def __init__(
        self,
        replicas: Sequence[Sequence[Replica]],
        names: Sequence[str] | None,
        folders: Sequence[PathLike] | None,
        on_failure: str,
        hedge: float | None,
    ) -> None:
        if not replicas or not all(len(own) for own in replicas):
            raise ValueError("shards: expected at least one, each with at least one replica")
        one_of(on_failure, "on_failure", ("raise", "partial"))
        if hedge is not None and not 0.0 < real_number(hedge, "hedge") < 100.0:
            raise ValueError(f"hedge: expected a percentile between 0 and 100, or None, got {hedge}")
        given = [own[0].name for own in replicas] if names is None else list(names)
        if len(given) != len(replicas) or (folders is not None and len(folders) != len(replicas)):
            raise ValueError(f"names, folders: expected {len(replicas)}, one per shard")
        self.answers_in_part = on_failure == "partial"
        self.folders = None if folders is None else [Path(folder) for folder in folders]
        self.caller = Caller(replicas, given, hedge=hedge)
        self.infos: list[ShardInfo] = []
        self.refresh()

    def arguments(self) -> tuple[list[list[Replica]], dict[str, Any]]:
        """What an equal one is made of: its replicas, and options."""
        on_failure = "partial" if self.answers_in_part else "raise"
        options = {"names": self.names, "folders": self.folders, "on_failure": on_failure, "hedge": self.caller.hedge}
        return self.caller.shards, options

    def __len__(self) -> int:
        return len(self.infos)

    @property
    def names(self) -> list[str]:
        """Names of the shards."""
        return self.caller.names

    @property
    def sizes(self) -> list[int]:
        """Number of documents of each shard, when it was last heard of."""
        return [info.n_documents for info in self.infos]

    @property
    def ids(self) -> str:
        """Type of the ids: "int" or "str"."""
        return "str" if self.infos[0].has_string_ids else "int"

    def close(self) -> None:
        """Release all replicas."""
        self.caller.close()

    def refresh(self, course: Course | None = None) -> None:
        """Let every replica load the latest state of its folder.

        A replica that cannot be reached is left out if its shard has another one: no answer of it counts before its
        state has been compared with that of the others. If answers in part are wanted, a shard without a replica stays
        what it was when it was last heard of.

        Raises
        ------
        ShardFailedError
            If no replica of a shard can be reached.
        """
        self.caller.require_open()
        limit = SECONDS_TO_LOAD if course is None or course.left is None else min(SECONDS_TO_LOAD, course.left)
        before: list[list[Any]] = []
        for _ in range(ATTEMPTS_TO_AGREE):
            # States that are still the latest after all have been loaded were so at the same moment: no document that
            # is being moved is missing from all of them.
            told = self.caller.tell("refresh", timeout=limit)
            states = [self._loaded(s, own) for s, own in enumerate(told)]
            if states == before:
                break
            before = states
        else:
            raise ShardFailedError("refresh: the shards change faster than they can be loaded")
        self.infos = self._described(Course.of(limit))

    def _loaded(self, shard: int, states: list[Any]) -> list[Any]:
        """States of the replicas of a shard; None for those that cannot be reached."""
        loaded = [None if isinstance(state, Exception) else state for state in states]
        if not any(loaded) and not self._can_do_without:
            error = states[0]
            said = "did not answer" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            raise ShardFailedError(f"{self.caller.shards[shard][0].name}: {said}") from error
        return loaded

    @property
    def _can_do_without(self) -> bool:
        """Whether what was last heard of a shard can stand for it."""
        return self.answers_in_part and bool(self.infos)

    def _described(self, course: Course) -> list[ShardInfo]:
        count = len(self.caller.shards)
        calls = self.caller.ask("describe", [()] * count, course)
        infos: list[ShardInfo] = []
        for place, info in enumerate(calls.answers):
            if isinstance(info, Failure):
                if not self._can_do_without:
                    raise ShardFailedError(f"{info}")
                info = self.infos[place]
            infos.append(info)
            infos[0].fingerprint.require_comparable(info.fingerprint, self.names[0], self.names[place])
        self._require_alike(infos)
        return infos

    def _require_alike(self, infos: list[ShardInfo]) -> None:
        """Refuse shards that differ in what no fingerprint says."""

    def agreed(self: S, search: Callable[[S], T], course: Course) -> T:
        """Search these shards as they are now, each in one state from the first part of the search to the last.

        It is begun anew if a shard has another state than when all were loaded, as one that was started anew has.

        Parameters
        ----------
        search : callable
            Takes the shards, whose states do not change for it even if others load later ones.
        course : Course
            When it has to end.
        """
        self.caller.require_open()
        for _ in range(ATTEMPTS_TO_AGREE):
            try:
                return search(copy(self))
            except _Changed as one:
                if course.is_over:
                    name = self.names[one.shard]
                    raise ShardFailedError(f"{name}: it has changed, and there was no time to load that") from None
                self.refresh(course.part(FOR_LOADING))
        raise ShardFailedError("the shards change faster than they can be searched")

    def require_state(self, shard: int, state: str) -> None:
        """Have the search begin anew if a shard is not in the state in which it was loaded."""
        if state != self.infos[shard].state:
            raise _Changed(shard)

    def require_answers(self, answers: Sequence[Any], *, or_none: bool = False) -> tuple[Failure, ...]:
        """Those that failed.

        Raises
        ------
        ShardFailedError
            If one failed, unless answers in part are wanted; if all failed, even then, unless `or_none`.
        """
        failed = tuple(one for one in answers if isinstance(one, Failure))
        if failed and (not self.answers_in_part or (len(failed) == len(answers) and not or_none)):
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            raise ShardFailedError(f"{failed[0]}{more}")
        return failed

    def owners(self, ids: Any, course: Course | None = None) -> NDArray[np.int64]:
        """The shard of each document, as they are now; −1 for those that are in none."""
        self.caller.require_open()
        listed = list(ids)
        owners = np.full(len(listed), -1, dtype=np.int64)
        calls = self.caller.ask("has", [(listed,)] * len(self), course or Course.of(SECONDS_TO_LOAD))
        for s, told in enumerate(calls.answers):
            if isinstance(told, Failure):
                raise ShardFailedError(f"{told}")
            has = told.value
            twice = owners[has] >= 0
            if twice.any():
                id = np.array(listed, dtype=object)[has][twice][0]
                raise ShardMismatchError(f"two shards have a document of the id {id!r:.80}; {self.TWICE}")
            owners[has] = s
        return owners

    def parts_of(self, subset: Ids | None, course: Course, name: str = "subset") -> list[Any]:
        """For each shard, which of some documents it has, or why that is not known; None for all."""
        count = len(self)
        if subset is None:
            return [None] * count
        listed = self.ids_to_find(subset, name)
        asked = [(listed, info.state) for info in self.infos]
        if not listed:
            return [[]] * count
        parts: list[Any] = []
        seen = np.zeros(len(listed), dtype=bool)
        for s, told in enumerate(self.caller.ask("has", asked, course).answers):
            if isinstance(told, Failure):
                parts.append(told)
                continue
            self.require_state(s, told.state)
            parts.append([id for id, own in zip(listed, told.value, strict=True) if own])
            seen |= told.value
        if not seen.all() and not any(isinstance(part, Failure) for part in parts):
            raise UnknownIdError(f"{name}: {listed[int(np.argmin(seen))]!r:.80} is in no shard")
        return parts

    def ids_to_find(self, ids: Ids, name: str) -> list[Any]:
        """Different ids of documents that are there, as a list; one of another type than the shards have is not."""
        listed = listed_ids(ids, name)
        for id in listed:
            if not is_id(id, self.ids):
                kinds = {"int": "integers of 64 bits", "str": "strings"}.get(self.ids)
                why = "" if kinds is None else f", whose ids are {kinds}"
                raise UnknownIdError(f"{name}: {id!r:.80} is in no shard{why}")
        return self._all_different(listed, name)

    def ids_to_give(self, ids: Ids, name: str) -> list[Any]:
        """Different ids of the type that the shards have, as a list."""
        listed = listed_ids(ids, name)
        for id in listed:
            if not is_id(id, self.ids):
                raise TypeError(f"{name}: expected {self.ids}, the type of ids in this index, got {id!r:.80}")
        return self._all_different(listed, name)

    def _all_different(self, listed: list[Any], name: str) -> list[Any]:
        if len(set(listed)) < len(listed):
            twice = next(id for id, count in Counter(listed).items() if count > 1)
            raise DuplicateIdError(f"{name}: {twice!r:.80} is given more than once")
        return listed


class _Changed(Exception):
    """A shard has another state than when all were loaded."""

    def __init__(self, shard: int) -> None:
        super().__init__(shard)
        self.shard = shard


def places_by_shard(owners: NDArray[np.int64]) -> list[tuple[int, list[int]]]:
    """Each shard that owns something, and the places of what it owns."""
    return [(s, np.flatnonzero(owners == s).tolist()) for s in np.unique(owners).tolist()]


def different_folders(folders: Any) -> list[Path]:
    """Folders as a list; a folder that is given twice would have each document twice."""
    listed = [Path(folder) for folder in as_list(folders, "folders", "paths")]
    places = [folder.resolve() for folder in listed]
    for folder, place in zip(listed, places, strict=True):
        if places.count(place) > 1:
            raise ValueError(f"folders: expected different ones, got {folder} twice")
    return listed
