"""One index into several: each document goes to the shard that its id decides on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moverank.index.changes import compacted, without
from moverank.index.disk.store import Store
from moverank.index.index import Index, PathLike
from moverank.sharding.routing import shard_of


def split(index: Index, folders: Sequence[PathLike]) -> list[int]:
    """Write the documents of an index into several folders, as shards that can be searched as one.

    The shards have the options of the index, so that distances stay the same to the last bit. Memory stays constant
    for an index in a folder, except for what faiss needs.

    Parameters
    ----------
    index : Index
        The index; it stays as it is.
    folders : sequence of path
        One folder per shard, which do not exist or are empty; their parents must exist.

    Returns
    -------
    list of int
        Number of documents of each shard.

    Raises
    ------
    IndexExistsError
        If a folder is not empty; none is written then.
    ValueError
        If there are no folders, or the index is that of a `TextIndex`, whose texts and terms would be lost.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> index = Index.build([rng.normal(size=(4, 8)) for _ in range(100)], "wrd")
    >>> folder = tempfile.mkdtemp()
    >>> sum(split(index, [f"{folder}/a", f"{folder}/b"]))
    100
    """
    listed = [Path(folder) for folder in folders]
    if not listed:
        raise ValueError("folders: expected at least one, got none")
    if len({folder.absolute() for folder in listed}) < len(listed):
        raise ValueError("folders: expected different ones")
    snapshot = index._snapshot
    if snapshot.attachment is not None:
        raise ValueError("index: expected one of vectors, got that of a TextIndex, whose texts would be lost")
    positions = snapshot.positions
    owners = np.array([shard_of(id, len(listed)) for id in snapshot.ids_at(positions).tolist()], dtype=np.int64)
    stores: list[Store] = []
    try:
        # All folders are taken before the first document is written.
        for folder in listed:
            stores.append(Store.create(folder, overwrite=False))
        for s, store in enumerate(stores):
            store.commit(compacted(store, without(snapshot, positions[owners != s]), index._num_threads))
    finally:
        for store in stores:
            store.discard_if_empty()
            store.close()
    return [int((owners == s).sum()) for s in range(len(listed))]
