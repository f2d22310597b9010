"""Changes of documents in several shards: each goes to the shard that its id decides on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.errors import DuplicateIdError, ShardFailedError, UnknownIdError
from moverank.index.parts.ids import Ids
from moverank.sharding.routing import shard_of
from moverank.sharding.shards import Shards, places_by_shard


def destinations(shards: Shards, ids: list[Any], *, replacing: bool) -> NDArray[np.int64]:
    """The shard of each of some documents that are to be added: the one that has it, or the one that its id decides on.

    Raises
    ------
    DuplicateIdError
        If a shard has one already, and it is not to be replaced.
    """
    shards.refresh()  # another process may have moved some
    owners = shards.owners(ids)
    if not replacing and (owners >= 0).any():
        known = ids[int(np.argmax(owners >= 0))]
        raise DuplicateIdError(f"ids: {known!r:.80} is already in a shard; upsert replaces documents")
    return np.where(owners >= 0, owners, [shard_of(id, len(shards)) for id in ids])


def remove(shards: Shards, ids: Ids) -> None:
    """Remove documents, wherever they are; none is removed if one is in no shard."""
    listed = shards.ids_to_find(ids, "ids")
    shards.refresh()
    owners = shards.owners(listed)
    if (owners < 0).any():
        raise UnknownIdError(f"ids: {listed[int(np.argmin(owners))]!r:.80} is in no shard")
    change(shards, "remove", {s: (([listed[p] for p in places],), {}) for s, places in places_by_shard(owners)})


def change(
    shards: Shards, method: str, changes: Mapping[int, tuple[tuple[Any, ...], dict[str, Any]]]
) -> dict[int, Any]:
    """Call a method of some shards that changes them, one after the other, and load the new states.

    Parameters
    ----------
    shards : Shards
        The shards.
    method : str
        Name of the method of the index.
    changes : mapping of int to (tuple, dict)
        Arguments and options for each shard that is to be changed.

    Returns
    -------
    dict
        What the method returned in each shard.

    Raises
    ------
    ShardFailedError
        If a shard cannot be changed; the message says which ones were.
    """
    returned: dict[int, Any] = {}
    for s, (args, options) in changes.items():
        folder = None if shards.folders is None else shards.folders[s]
        try:
            returned[s] = shards.caller.ask_first(s, "change", folder, method, *args, **options)
        except Exception as error:
            done = [shards.names[own] for own in returned]
            changed = f"changed: {', '.join(done)}" if done else "nothing was changed"
            if not done and isinstance(error, (TypeError, ValueError, LookupError)):
                raise
            raise ShardFailedError(f"{shards.names[s]}: {type(error).__name__}: {error}; {changed}") from error
    try:
        shards.refresh()
    except ShardFailedError as error:
        raise ShardFailedError(f"{error}; all was changed, but not every replica has loaded it") from error
    return returned
