"""One index into several: each document goes to the shard that its id decides on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from moverank.index.changes import compacted, without
from moverank.index.disk.store import Store
from moverank.index.index import Index, PathLike
from moverank.index.parts.attachment import Attachment
from moverank.index.snapshot import Snapshot
from moverank.sharding.routing import shard_of
from moverank.sharding.shards import different_folders
from moverank.text_index.changing import attachment_of, lexical_of
from moverank.text_index.text_index import TextIndex


def split(index: Index | TextIndex, folders: Sequence[PathLike]) -> list[int]:
    """Write the documents of an index into several folders, as shards that can be searched as one.

    The shards have the options of the index, so that distances stay the same to the last bit. Memory stays constant
    for an index in a folder, except for what faiss needs, and for the terms of texts.

    Parameters
    ----------
    index : Index or TextIndex
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
        If there are no folders, or `index` is the `index` of a `TextIndex`, without its terms: give that itself.

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
    listed = different_folders(folders)
    if not listed:
        raise ValueError("folders: expected at least one, got none")
    if isinstance(index, TextIndex):
        return _written(index.index, listed, index._state().document_of, lambda state: _attached(index, state))
    if not isinstance(index, Index):
        raise TypeError(f"index: expected Index or TextIndex, got {type(index).__name__}")
    if index._snapshot.attachment is not None:
        raise ValueError("index: expected one of vectors, got that of a TextIndex: give the TextIndex itself")
    return _written(index, listed, lambda id: id, lambda state: None)


def _attached(texts: TextIndex, state: Snapshot) -> Attachment:
    """What belongs to some of the texts of an index: its settings, and their terms."""
    held = texts._holder.of(texts.index._snapshot)
    lexical = held.lexical
    if lexical is not None and held.settings.store_texts:
        lexical = lexical_of(state, lexical.analyzer)
    elif lexical is not None:
        # Without the texts themselves, those of other shards are removed, and count until then in weights of terms.
        kept = frozenset(state.ids_at(state.positions).tolist())
        lexical = lexical.changed([], [entry for entry in lexical.ids() if entry not in kept])
    return attachment_of(held.settings, held.other_files, lexical)


def _written(
    index: Index,
    folders: list[Path],
    document_of: Callable[[Any], Any],
    attachment_of: Callable[[Snapshot], Attachment | None],
) -> list[int]:
    """Write shards; a document is what an entry belongs to, and what belongs to a state is attached to it."""
    snapshot = index._snapshot
    positions = snapshot.positions
    ids = snapshot.ids_at(positions).tolist()
    owners = np.array([shard_of(document_of(id), len(folders)) for id in ids], dtype=np.int64)
    stores: list[Store] = []
    try:
        # All folders are taken before the first document is written.
        for folder in folders:
            stores.append(Store.create(folder, overwrite=False))
        for s, store in enumerate(stores):
            state = compacted(store, without(snapshot, positions[owners != s]), index._num_threads)
            store.commit(replace(state, attachment=attachment_of(state)))
    finally:
        for store in stores:
            store.discard_if_empty()
            store.close()
    documents = np.array([str(document_of(id)) for id in ids], dtype=object)
    return [len(set(documents[owners == s].tolist())) for s in range(len(folders))]
