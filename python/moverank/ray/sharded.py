"""Indexes on the nodes of a cluster, searched as one: an actor for each replica of each shard."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from moverank._support.validate import as_list, positive_number, whole_number
from moverank.encoders.encoded import Encoder
from moverank.errors import ShardFailedError
from moverank.index.index import PathLike
from moverank.ray.workers import started, threads_of
from moverank.sharding.calls import Replica
from moverank.sharding.shard import Shard
from moverank.sharding.sharded_index import ShardedIndex
from moverank.sharding.sharded_text_index import ShardedTextIndex
from moverank.sharding.text_shard import TextShard

Sharded = TypeVar("Sharded", ShardedIndex, ShardedTextIndex)

#: Calls that an actor works on at the same time; others wait. One may wait for a file while another computes.
CALLS_AT_ONCE = 4


def sharded_index(
    folders: Sequence[PathLike],
    *,
    replicas: int = 1,
    num_cpus: float = 1,
    ray_remote_args: Mapping[str, Any] | None = None,
    on_failure: str = "raise",
    hedge: float | None = 95.0,
    timeout: float = 60.0,
) -> ShardedIndex:
    """Search the indexes in some folders as one, on the nodes of a Ray cluster.

    Each replica of each shard is an actor, which opens the folder on its node. Ray spreads replicas over nodes, and
    starts an actor anew if its node is lost. They end with the object that is returned, or by its `close`.

    Parameters
    ----------
    folders : sequence of path
        The folders of the shards: on a file system that all nodes share, or at the same path on every node.
    replicas : int, default 1
        Actors per shard. With two or more, a node may be lost, or be slow, and searches go on.
    num_cpus : float, default 1
        CPUs of each actor, which are also its threads.
    ray_remote_args : mapping, optional
        Other options of the actors, such as `memory`, `resources`, `max_restarts` or `runtime_env`.
    on_failure, hedge
        As in `ShardedIndex`.
    timeout : float, default 60
        Seconds to wait until the cluster has the CPUs for all actors.

    Returns
    -------
    ShardedIndex

    Raises
    ------
    RuntimeError
        If Ray has not been started.
    ShardFailedError
        If the cluster does not have the CPUs in time, or an index cannot be opened on its node.
    ShardMismatchError
        If indexes differ in something on which distances depend.
    TypeError, ValueError
        If an argument is malformed; the message names it.
    """
    return _on_actors(ShardedIndex, Shard, (), folders, replicas, num_cpus, ray_remote_args, timeout,
                      on_failure=on_failure, hedge=hedge)  # fmt: skip


def sharded_text_index(
    folders: Sequence[PathLike],
    *,
    encoder: Encoder | None = None,
    replicas: int = 1,
    num_cpus: float = 1,
    ray_remote_args: Mapping[str, Any] | None = None,
    on_failure: str = "raise",
    hedge: float | None = 95.0,
    timeout: float = 60.0,
) -> ShardedTextIndex:
    """Search the indexes of texts in some folders as one, on the nodes of a Ray cluster.

    Parameters
    ----------
    folders, replicas, num_cpus, ray_remote_args, on_failure, hedge, timeout
        As in `sharded_index`.
    encoder : Encoder, optional
        The encoder that the indexes were created with; needed only if it is not one of this package.

    Returns
    -------
    ShardedTextIndex
        Queries are encoded in this process; texts that are added, by the actors.

    Raises
    ------
    RuntimeError, ShardFailedError, ShardMismatchError, TypeError, ValueError
        As in `sharded_index`.
    """
    return _on_actors(ShardedTextIndex, TextShard, (encoder,), folders, replicas, num_cpus, ray_remote_args, timeout,
                      on_failure=on_failure, hedge=hedge, encoder=encoder)  # fmt: skip


def _on_actors(
    made: Callable[..., Sharded],
    kind: type[Shard],
    more: tuple[Any, ...],
    folders: Sequence[PathLike],
    replicas: int,
    num_cpus: float,
    ray_remote_args: Mapping[str, Any] | None,
    timeout: float,
    **options: Any,
) -> Sharded:
    """Shards of a kind as actors, and what searches them; `more` are arguments of each shard."""
    started()
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    listed = [Path(os.fspath(folder)).absolute() for folder in as_list(folders, "folders", "paths")]
    if not listed:
        raise ValueError("folders: expected at least one, got none")
    if ray_remote_args is not None and not isinstance(ray_remote_args, Mapping):
        raise TypeError(f"ray_remote_args: expected a mapping of options, got {type(ray_remote_args).__name__}")
    count = whole_number(replicas, "replicas", least=1)
    threads = threads_of(num_cpus)
    of_actors: dict[str, Any] = {"max_restarts": -1, "max_concurrency": CALLS_AT_ONCE, "num_cpus": num_cpus}
    of_actors |= dict(ray_remote_args or {})
    actors = ray.remote(kind)
    seconds = positive_number(timeout, "timeout")
    shards: list[list[Replica]] = []
    with ExitStack() as undone:
        for folder in listed:
            # Replicas of a shard are on different nodes, as far as there are enough.
            group = placement_group([{"CPU": num_cpus}] * count, strategy="SPREAD")
            undone.callback(remove_placement_group, group)
            if not group.wait(seconds):
                raise ShardFailedError(
                    f"{folder}: the cluster has no {count} x {num_cpus:g} CPUs free for it within {seconds:g} s"
                )
            own: list[Replica] = []
            for bundle in range(count):
                place = PlacementGroupSchedulingStrategy(group, bundle)
                actor = actors.options(**{"scheduling_strategy": place, **of_actors}).remote(
                    str(folder), threads, *more
                )
                own.append(RayReplica(actor, f"{folder} (replica {bundle})", group))
            shards.append(own)
        names = [str(folder) for folder in listed]
        sharded = made(shards, names=names, folders=listed, **options)
        undone.pop_all()
        # Actors of an object that nobody has any more would end by themselves, but their CPUs stay reserved. When this
        # process ends, Ray frees them.
        weakref.finalize(sharded, _close_elsewhere, shards).atexit = False
        return sharded


def _close_elsewhere(shards: Sequence[Sequence[Replica]]) -> None:
    """Close replicas on a thread of its own: Python may collect garbage on Ray's thread, which must not call Ray."""
    Thread(target=_close_all, args=(shards,), daemon=True).start()


def _close_all(shards: Sequence[Sequence[Replica]]) -> None:
    import ray

    for replicas in shards:
        for replica in replicas:
            if ray.is_initialized():
                replica.close()


class RayReplica:
    """An actor that holds a shard. A copy of it, in another process, calls the same actor and does not end it."""

    def __init__(self, actor: Any, name: str, group: Any = None) -> None:
        self.name = name
        self._actor = actor
        self._group = group
        self._is_closed = False

    def __reduce__(self) -> tuple[Any, ...]:
        return RayReplica, (self._actor, self.name)

    def submit(self, method: str, *args: Any, **options: Any) -> Future[Any]:
        """Call a method of the shard."""
        found: Future[Any] = Future()
        called: Future[Any] = getattr(self._actor, method).remote(*args, **options).future()
        called.add_done_callback(partial(_pass_on, found))
        return found

    def close(self) -> None:
        """End the actor, and free its CPUs."""
        import ray
        from ray.util.placement_group import remove_placement_group

        if not self._is_closed and self._group is not None:
            self._is_closed = True
            ray.kill(self._actor)
            remove_placement_group(self._group)


def _pass_on(to: Future[Any], done: Future[Any]) -> None:
    """Pass on a result, or the error that the shard raised, without what Ray says about it."""
    from ray.exceptions import RayTaskError

    if to.cancelled():
        return
    error = done.exception()
    if error is None:
        to.set_result(done.result())
    else:
        to.set_exception(error.cause if isinstance(error, RayTaskError) else error)
