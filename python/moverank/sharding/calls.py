"""Calls of all shards at the same time: a deadline, another replica for one that fails, and for one that is slow."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any, Protocol

import numpy as np

from moverank._support.threads import Lock
from moverank._support.validate import positive_number
from moverank.errors import IndexClosedError, IndexFormatError
from moverank.sharding.merging import Failure

#: Attempts per shard and call: the first, and one more on another replica, or on the same where there is one only.
ATTEMPTS = 2

#: Calls whose times say what is slow, the least time after which a call counts as slow, and this time before there are
#: enough of them: a node that is switched off is missed by the others only after many seconds.
TIMES_KEPT, LEAST_SLOW, FIRST_SLOW = 100, 0.01, 1.0

#: For how many seconds a replica that failed is asked after the others.
AVOIDED = 10.0

#: Seconds beyond which a timeout is none.
LONGEST_WAIT = 1e8

#: Share of the time that is left which a shard gets for its part.
OF_TIME_LEFT = 0.9

#: Seconds between two looks whether a search has been abandoned.
LOOK = 0.05


class Replica(Protocol):
    """A `Shard` in this process or another."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    def submit(self, method: str, *args: Any, **options: Any) -> Future[Any]:
        """Call a method of the shard; the result comes later."""
        ...

    def close(self) -> None:
        """Release the shard; calls that are on their way may fail."""
        ...


@dataclass(frozen=True)
class Course:
    """When a search of all shards began, and when it has to end.

    Attributes
    ----------
    began : float
        When it began, by `time.perf_counter`.
    deadline : float or None
        When it has to end; None for never.
    stop : Event, optional
        Set when nobody wants the result any more.
    """

    began: float
    deadline: float | None = None
    stop: Event | None = None

    @classmethod
    def of(cls, timeout: float | None, stop: Event | None = None) -> Course:
        """From now on, for some seconds."""
        began = time.perf_counter()
        seconds = None if timeout is None else positive_number(timeout, "timeout")
        # Longer than a clock can wait is for ever.
        return cls(began, None if seconds is None or seconds > LONGEST_WAIT else began + seconds, stop)

    @property
    def left(self) -> float | None:
        """Seconds that a shard may take, so that its best so far arrives in time."""
        return None if self.deadline is None else max(OF_TIME_LEFT * (self.deadline - time.perf_counter()), 1e-6)

    @staticmethod
    def now() -> float:
        """The time by which deadlines are."""
        return time.perf_counter()

    @property
    def is_over(self) -> bool:
        """Whether there is no time left."""
        return self.deadline is not None and time.perf_counter() >= self.deadline

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.perf_counter() - self.began

    def part(self, share: float) -> Course:
        """A first part of it, which may take a share of the time that is left."""
        now = time.perf_counter()
        return replace(self, deadline=None if self.deadline is None else now + share * (self.deadline - now))

    def at_least(self, seconds: float) -> Course:
        """With so many seconds left, even if it should be over."""
        return replace(self, deadline=None if self.deadline is None else max(self.deadline, self.now() + seconds))

    @property
    def can_be_abandoned(self) -> bool:
        """Whether it may be stopped from outside."""
        return self.stop is not None

    def require_wanted(self) -> None:
        """Raise Abandoned if nobody wants the result any more."""
        if self.stop is not None and self.stop.is_set():
            raise Abandoned


class Abandoned(Exception):
    """Nobody wants the result of a search any more."""


@dataclass(frozen=True)
class Calls:
    """What became of one call of all shards.

    `answers` has a `Failure` where a shard did not answer; `replicas` says which of each shard did, −1 for none.
    """

    answers: list[Any]
    replicas: list[int]
    retried: int
    seconds: float


@dataclass
class _State:
    """One call of one shard: what was tried, and what is awaited."""

    order: list[int]
    attempts: int = 0
    began: float = 0.0
    reasons: list[str] = field(default_factory=list)
    #: An error that says that an argument is wrong, unless the other replica says otherwise.
    blaming: Exception | None = None
    blamed_by: int = -1


class Caller:
    """Calls shards, each of which has one replica or more. Thread-safe.

    Parameters
    ----------
    shards : sequence of sequence of Replica
        The replicas of each shard.
    names : sequence of str
        Names of the shards.
    hedge : float or None, default 95
        A call that takes longer than this percentile of earlier ones is sent to another replica too; the first answer
        counts. None waits.
    """

    def __init__(
        self, shards: Sequence[Sequence[Replica]], names: Sequence[str], *, hedge: float | None = 95.0
    ) -> None:
        self.shards = [list(own) for own in shards]
        self.names = list(names)
        self.hedge = hedge
        self._times: dict[str, deque[float]] = {}
        self._failed: dict[tuple[int, int], float] = {}
        #: Calls of each shard that began with any replica.
        self._turns = [0] * len(self.shards)
        self._lock = Lock()
        self._is_closed = False

    def close(self) -> None:
        """Release all replicas; later calls are an IndexClosedError."""
        self._is_closed = True
        for replicas in self.shards:
            for replica in replicas:
                replica.close()

    def require_open(self) -> None:
        """Refuse calls of replicas that have been released."""
        if self._is_closed:
            raise IndexClosedError("the sharded index was closed; open it again")

    def ask(
        self,
        method: str,
        args: Sequence[Any],
        course: Course,
        *,
        kept: tuple[type[Exception], ...] = (),
        prefer: Sequence[int] | None = None,
    ) -> Calls:
        """Call a method of every shard.

        Parameters
        ----------
        method : str
            Name of the method of `Shard`.
        args : sequence of tuple, Failure or None
            Arguments for each shard. One with a failure, which is then its answer, or with None is not called.
        course : Course
            When to stop waiting.
        kept : tuple of type
            Errors that are answers.
        prefer : sequence of int, optional
            The replica of each shard to call first, −1 for any.

        Raises
        ------
        TypeError, ValueError, LookupError
            If a shard says that an argument is wrong, and so does another replica of it if there is one; all others
            are no longer awaited.
        IndexClosedError
            If the replicas have been released, before or meanwhile.
        Abandoned
            If the results of the course are no longer wanted.
        """
        self.require_open()
        began = time.perf_counter()
        deadline = course.deadline
        answers: list[Any] = [own if isinstance(own, Failure) else None for own in args]
        states = {
            s: _State(self._order(s, first=-1 if prefer is None else prefer[s]))
            for s, own in enumerate(args)
            if own is not None and not isinstance(own, Failure)
        }
        replicas = [-1] * len(answers)
        awaited: dict[Future[Any], tuple[int, int]] = {}
        retried = 0

        def send(s: int) -> None:
            state = states[s]
            replica = state.order[state.attempts % len(state.order)]
            state.attempts += 1
            state.began = time.perf_counter()
            awaited[self._sent(s, replica, method, args[s])] = (s, replica)

        for s in states:
            send(s)
        slow = self._slow_after(method)
        try:
            while states:
                course.require_wanted()
                now = time.perf_counter()
                if deadline is not None and now >= deadline:
                    break
                until = [] if deadline is None else [deadline]
                if course.can_be_abandoned:
                    until.append(now + LOOK)
                if slow is not None:
                    until += [own.began + slow for own in states.values() if self._can_hedge(own)]
                done, _ = wait(awaited, max(min(until) - now, 0.0) if until else None, FIRST_COMPLETED)
                for future in done:
                    s, replica = awaited.pop(future)
                    if s not in states:
                        continue
                    state = states[s]
                    try:
                        answers[s] = future.result()
                        replicas[s] = replica
                    except kept as error:
                        answers[s] = error
                    except Exception as error:
                        self.require_open()
                        state.reasons.append(f"{type(error).__name__}: {error}".splitlines()[0][:200])
                        if not _is_of_caller(error):
                            self._note_failure(s, replica)
                        elif len(state.order) == 1:
                            raise
                        elif state.blaming is not None and _alike(error, state.blaming):
                            # The one that was asked first did not fail a short while ago.
                            raise state.blaming from None
                        elif state.blaming is None:
                            # A replica that is damaged says this of any arguments, too: another one decides.
                            state.blaming, state.blamed_by = error, replica
                        else:
                            self._note_failure(s, replica)
                            self._note_failure(s, state.blamed_by)
                            state.blaming = None
                        if state.attempts < ATTEMPTS:
                            retried += 1
                            send(s)
                        elif s not in {own for own, _ in awaited.values()}:
                            if state.blaming is not None:
                                raise state.blaming from None
                            answers[s] = Failure(self.names[s], "; ".join(dict.fromkeys(states.pop(s).reasons)))
                        continue
                    if state.blaming is not None:
                        self._note_failure(s, state.blamed_by)
                    self._note_time(method, time.perf_counter() - states.pop(s).began)
                if slow is not None:
                    for s, own in list(states.items()):
                        if self._can_hedge(own) and time.perf_counter() >= own.began + slow:
                            retried += 1
                            send(s)
        finally:
            for future in awaited:
                future.cancel()
        for s in states:
            reason = "; ".join([*states[s].reasons, f"no answer within {time.perf_counter() - began:.3g} s"])
            answers[s] = Failure(self.names[s], reason, is_late=True)
        return Calls(answers, replicas, retried, time.perf_counter() - began)

    def tell(self, method: str, *args: Any, timeout: float | None = None) -> list[list[Any]]:
        """Call a method of every replica; errors are among the results."""
        futures = [[self._sent(s, r, method, args) for r in range(len(own))] for s, own in enumerate(self.shards)]
        wait([future for own in futures for future in own], timeout)
        return [[_result(future) for future in own] for own in futures]

    def ask_first(self, shard: int, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of one shard, on its first replica that can be reached, without a deadline.

        Not sent again if it fails: it may have been done.
        """
        return self._sent(shard, self._order(shard, turn=0)[0], method, args, options).result()

    def _sent(
        self, s: int, replica: int, method: str, args: tuple[Any, ...], options: dict[str, Any] | None = None
    ) -> Future[Any]:
        try:
            return self.shards[s][replica].submit(method, *args, **(options or {}))
        except Exception as error:
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed

    def _order(self, s: int, turn: int | None = None, first: int = -1) -> list[int]:
        """Replicas of a shard: `first`, the others each in its turn, and last those that failed a short while ago."""
        with self._lock:
            if turn is None:
                # One that has to go on where it began takes no turn, or with two replicas one would get all searches.
                self._turns[s] += first < 0
                turn = self._turns[s]
            count, now = len(self.shards[s]), time.perf_counter()
            places = [(turn + r) % count for r in range(count)]
            return sorted(places, key=lambda r: (now - self._failed.get((s, r), -np.inf) < AVOIDED, r != first))

    def _can_hedge(self, state: _State) -> bool:
        return state.attempts < min(ATTEMPTS, len(state.order))

    def _slow_after(self, method: str) -> float | None:
        with self._lock:
            times = self._times.get(method)
            if self.hedge is None:
                return None
            if times is None or len(times) < TIMES_KEPT // 5:
                return FIRST_SLOW
            return max(float(np.percentile(times, self.hedge)), LEAST_SLOW)

    def _note_time(self, method: str, seconds: float) -> None:
        with self._lock:
            self._times.setdefault(method, deque(maxlen=TIMES_KEPT)).append(seconds)

    def _note_failure(self, s: int, replica: int) -> None:
        with self._lock:
            self._failed[s, replica] = time.perf_counter()


def _is_of_caller(error: Exception) -> bool:
    """Whether an error says that an argument is wrong."""
    damaged = isinstance(error, (IndexFormatError, IndexClosedError))
    return isinstance(error, (TypeError, ValueError, LookupError)) and not damaged


def _alike(error: Exception, other: Exception) -> bool:
    """Whether two errors say the same of an argument."""
    return all(isinstance(error, kind) == isinstance(other, kind) for kind in (TypeError, ValueError, LookupError))


def _result(future: Future[Any]) -> Any:
    try:
        return future.result(0.0)
    except Exception as error:
        return error
