"""What computes answers: a bounded number of threads, an encoder for all of them, and a cache of encoded documents."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TypeVar

from moverank.encoders.encoded import Encoder
from moverank.measures.measure import Measure
from moverank.ranking.cache import CachedEncoder
from moverank.ranking.reranker import Reranker
from moverank.ranking.results import Ranking
from moverank.ranking.word_table import WordTable
from moverank.serve.batching import BatchedEncoder
from moverank.serve.errors import Refused
from moverank.serve.options import Options

T = TypeVar("T")

#: Time for a comparison that was prepared when time was over: what it gives is better than nothing.
LEAST_SECONDS = 0.01

#: Seconds that are kept to write each document of an answer as JSON, and at most this share of the time.
SECONDS_PER_DOCUMENT = 4e-5
FOR_WRITING = 0.1

#: Time that explanations take to be written as JSON, as a share of that in which they are made: 0.36 was measured.
WRITING_OF_EXPLAINING = 0.5

#: Time to explain a text and to write that, per character: 1.3e-6 was measured of English words. Nothing can end an
#: explanation that has begun, so that a long one is not begun when it would end late.
SECONDS_PER_CHARACTER = 1.5e-6


@dataclass
class Timing:
    """When a request came, by when it must be answered, and where its time went."""

    deadline: float
    began: float = field(default_factory=time.perf_counter)
    stages: dict[str, float] = field(default_factory=dict)
    explaining: float = 0.0

    def left(self) -> float:
        """Seconds that are left; an error if there are none."""
        left = self.remaining()
        if left <= 0:
            raise self.over()
        return left

    def remaining(self) -> float:
        """The same; 0 or less if there are none."""
        return self.began + self.deadline - time.perf_counter()

    def before_writing(self, documents: int) -> float:
        """Seconds that are left for what comes before so many documents are written; an error if none are left."""
        left = self.left()
        return max(left - min(SECONDS_PER_DOCUMENT * documents, FOR_WRITING * self.deadline), FOR_WRITING * left)

    def can_explain(self, characters: int = 0) -> bool:
        """Whether there is time to explain one more text of this length, and to write what has been explained."""
        kept = FOR_WRITING * self.deadline + WRITING_OF_EXPLAINING * self.explaining
        return self.remaining() >= kept + SECONDS_PER_CHARACTER * characters

    def over(self) -> Refused:
        """The error if there are none."""
        return Refused(503, f"no answer within {self.deadline:g} s, as the service is busy", retry_after=1)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        """Add to the time of a stage."""
        self.stages[name] = self.stages.get(name, 0.0) + seconds


class Engine:
    """Computes answers for requests, some at a time; the others wait, and too many are refused.

    Parameters
    ----------
    options : Options
        Options of the service.
    """

    def __init__(self, options: Options) -> None:
        self.cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.measure = Measure.of(options.measure)
        if options.capacity is not None:
            self.measure = self.measure.replace(capacity=options.capacity)
        self.encoder = shared(options.encoder.load())
        self.cache = CachedEncoder(self.encoder, max_bytes=options.cache_bytes)
        self._most = options.threads or self.cores
        self._waiting_at_most = options.waiting
        self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="moverank")
        self._writers = ThreadPoolExecutor(1, thread_name_prefix="moverank-writer")
        self._lock = threading.Lock()
        self._running = 0
        self._in_hand = 0
        self._watch: Callable[[float], object] = lambda _: None

    def close(self) -> None:
        """End the threads, when what they do is done."""
        self._pool.shutdown(wait=True)
        self._writers.shutdown(wait=True)

    @property
    def in_hand(self) -> int:
        """Requests that are computed, or wait for it."""
        return self._in_hand

    @property
    def most_in_hand(self) -> int:
        """Requests beyond which others are refused."""
        return self._most + self._waiting_at_most

    def watch(self, tell: Callable[[float], object]) -> None:
        """Tell of the requests in hand whenever their number changes."""
        self._watch = tell
        tell(self._in_hand)

    def _take(self, count: int) -> None:
        self._in_hand += count
        self._watch(self._in_hand)

    async def run(self, compute: Callable[[int], T], timing: Timing, *, writes: bool = False) -> T:
        """Compute on a thread; `compute` is told how many threads of the core it may use.

        What `writes` has a thread of its own: writers wait for each other, and would keep readers waiting.

        Raises
        ------
        Refused
            If too many wait, or time is over before its turn comes.
        """
        if self._in_hand >= self.most_in_hand:
            raise Refused(429, f"{self._in_hand} requests are being answered or wait; try again later", retry_after=1)
        self._take(1)
        pool = self._writers if writes else self._pool
        try:
            # In the request's context, so that spans of encoders belong to its own.
            given = pool.submit(copy_context().run, self._computed, compute, timing, time.perf_counter())
            found = asyncio.wrap_future(given)
            await asyncio.wait({found}, timeout=max(timing.remaining(), 0.0))
            if given.cancel():  # its turn has not come
                raise timing.over()
            return await found
        finally:
            self._take(-1)

    def _computed(self, compute: Callable[[int], T], timing: Timing, asked: float) -> T:
        timing.add("wait", time.perf_counter() - asked)
        timing.left()
        with self._lock:
            self._running += 1
            # Cores are shared by those who compute now: one alone uses all of them.
            threads = max(1, self.cores // self._running)
        try:
            return compute(threads)
        finally:
            with self._lock:
                self._running -= 1

    def rank(
        self,
        query: str,
        texts: list[str],
        measure: Measure,
        timing: Timing,
        threads: int,
        top_k: int | None = None,
        *,
        to_write: int = 0,
    ) -> Ranking:
        """Rank texts for a query within the time that is left, with time for so many documents to be written."""
        return self.rank_by(self.cache, query, texts, measure, timing, threads, top_k, to_write=to_write)

    def rank_by(
        self,
        cache: CachedEncoder,
        query: str,
        texts: list[str],
        measure: Measure,
        timing: Timing,
        threads: int,
        top_k: int | None = None,
        *,
        to_write: int = 0,
    ) -> Ranking:
        """The same by another encoder than that of the service."""
        ranker = Reranker(cache, measure, num_threads=threads)
        began = time.perf_counter()
        left = timing.remaining() - min(SECONDS_PER_DOCUMENT * to_write, FOR_WRITING * timing.deadline)
        ranking = ranker.rank(query, texts, top_k=top_k, unknown="keep", timeout=max(left, LEAST_SECONDS))
        taken = time.perf_counter() - began
        timing.add("transport", ranking.stats.seconds)
        timing.add("encode", max(taken - ranking.stats.seconds, 0.0))
        return ranking


def shared(encoder: Encoder) -> Encoder:
    """The encoder for many threads. Word vectors are looked up, and gain nothing by batches."""
    return encoder if WordTable.of(encoder) is not None else BatchedEncoder(encoder)
