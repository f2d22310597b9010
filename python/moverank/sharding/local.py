"""Shards in this process, each with a thread of its own that asks it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from moverank._support.threads import count_of
from moverank._support.validate import whole_number
from moverank.sharding.calls import Replica
from moverank.sharding.shard import Shard

#: Calls of one shard that run at the same time; the others wait.
CALLS_AT_ONCE = 4


class LocalReplica:
    """A shard in this process."""

    def __init__(self, shard: Shard, name: str) -> None:
        self.name = name
        self._shard = shard
        self._pool = self._started()
        self._process = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalReplica, (self._shard, self.name)

    def submit(self, method: str, *args: Any, **options: Any) -> Future[Any]:
        """Call a method of the shard."""
        if self._process != os.getpid():  # a forked child has none of the threads
            self._pool, self._process = self._started(), os.getpid()
        return self._pool.submit(getattr(self._shard, method), *args, **options)

    def _started(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix=f"moverank-{self.name}")

    def close(self) -> None:
        """End the threads, when calls that have begun or wait have returned."""
        # What waits is not cancelled: a search would wait for it without end, as nobody tells it of that.
        self._pool.shutdown(wait=False)


def in_this_process(
    shard: Callable[[Any, int], Shard], given: Sequence[Any], names: Sequence[str], num_threads: int | None
) -> list[list[Replica]]:
    """One replica per shard, which share a number of threads; `shard` makes one of what is given and its threads."""
    threads = count_of(0) if num_threads is None else whole_number(num_threads, "num_threads", least=1)
    each = max(threads // max(len(given), 1), 1)
    return [[LocalReplica(shard(own, each), name)] for own, name in zip(given, names, strict=True)]
