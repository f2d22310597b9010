"""Indexes that are served: opened once, loaded anew when they change on disk, changed by one writer at a time."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from moverank.encoders.encoded import Encoder
from moverank.errors import (
    EncoderMismatchError,
    IndexFormatError,
    IndexLockedError,
    IndexNotFoundError,
    ShardFailedError,
    ShardMismatchError,
)
from moverank.index.disk.manifest import MANIFEST
from moverank.ranking.cache import CachedEncoder
from moverank.serve.engine import shared
from moverank.serve.errors import Refused
from moverank.serve.options import Options
from moverank.sharding import ShardedTextIndex
from moverank.text_index.text_index import TextIndex
from moverank.vectors.encoder_identity import EncoderIdentity

#: Seconds between two looks at the states of shards, which a process elsewhere may have changed.
SECONDS_BETWEEN_LOADS = 1.0


class Served(ABC):
    """One index, or several that are searched as one.

    Attributes
    ----------
    name : str
        Its name in paths.
    cache : CachedEncoder
        Encodes its texts for other measures, and keeps them.
    """

    name: str
    cache: CachedEncoder

    @abstractmethod
    def latest(self) -> TextIndex | ShardedTextIndex:
        """The index as it is now, cheap enough to be asked for by every request.

        Raises
        ------
        Refused
            If it cannot be read any more.
        """

    @abstractmethod
    def writer(self, seconds: float) -> AbstractContextManager[TextIndex | ShardedTextIndex]:
        """The index, open for writing while a change is made, so that others can write in between.

        Raises
        ------
        Refused
            If another process writes, or another request does so for longer than `seconds`.
        """

    @abstractmethod
    def n_entries(self) -> int:
        """Number of documents, or of passages."""

    @abstractmethod
    def close(self) -> None:
        """Close the index."""

    #: Whether documents need ids of their own.
    needs_ids: bool = False

    def threads(self, count: int) -> dict[str, int]:
        """The option of searches that says how many threads they may use."""
        return {"num_threads": count}

    def describe(self) -> dict[str, Any]:
        """Facts that clients choose by."""
        index = self.latest()
        measure, identity = index.measure, EncoderIdentity.of(index.encoder)
        finite = measure.capacity < float("inf")
        return {
            "name": self.name,
            "documents": len(index),
            "measure": measure.name,
            "ground": measure.ground,
            "weighting": measure.weighting,
            "capacity": measure.capacity if finite else None,
            "encoder": identity.name or identity.kind,
            "lexical": index.lexical,
            "fusion": index.fusion.weight if index.lexical else None,
            "passages": index.passages is not None,
            "texts": index.stores_texts,
        }


@contextmanager
def _in_turn(lock: threading.Lock, name: str, seconds: float) -> Iterator[None]:
    """One change of an index at a time."""
    if not lock.acquire(timeout=seconds):
        raise Refused(503, f"index {name!r} is being changed by other requests", retry_after=1)
    try:
        yield
    finally:
        lock.release()


class ServedIndex(Served):
    """The index in one folder.

    Parameters
    ----------
    name : str
        Its name in paths.
    path : Path
        The folder.
    caches : mapping of CachedEncoder
        Caches of encoders, by identity, to which its own may be added.
    cache_bytes : int
        Size of a new cache.
    """

    def __init__(self, name: str, path: Path, caches: dict[EncoderIdentity, CachedEncoder], cache_bytes: int) -> None:
        self.name = name
        self.path = path
        self._stamp = _stamp_of(path)
        self._index, self.cache = _opened(path, caches, cache_bytes)
        self._refreshing = threading.Lock()
        self._writing = threading.Lock()

    def latest(self) -> TextIndex:
        """The index as it is on disk now. Looks at the manifest's time alone."""
        stamp = _stamp_of(self.path)
        if stamp != self._stamp:
            with self._refreshing:
                try:
                    self._refresh()
                except (EncoderMismatchError, IndexFormatError, IndexNotFoundError, OSError) as error:
                    raise Refused(503, f"index {self.name!r} cannot be read: {error}", retry_after=5) from None
                self._stamp = stamp
        return self._index

    def _refresh(self) -> None:
        try:
            self._index.refresh()
        except (EncoderMismatchError, IndexFormatError):
            # It was replaced by another index, which has an encoder of its own.
            self._index, self.cache = _opened(self.path, {}, self.cache.max_bytes)

    @contextmanager
    def writer(self, seconds: float) -> Iterator[TextIndex]:
        """The index, open for writing while a change is made."""
        until = time.monotonic() + seconds
        with _in_turn(self._writing, self.name, seconds), self._opened(until) as index:
            yield index

    def _opened(self, until: float) -> TextIndex:
        encoder = self.latest().encoder
        while True:
            try:
                return TextIndex.open(self.path, writable=True, encoder=encoder)
            except IndexLockedError:
                if time.monotonic() > until:
                    said = f"index {self.name!r} is being changed by another process"
                    raise Refused(503, said, retry_after=1) from None
                time.sleep(0.02)

    def n_entries(self) -> int:
        """Number of documents, or of passages."""
        return len(self.latest().index)

    def close(self) -> None:
        """Close the index."""
        self._index.close()


class ServedShards(Served):
    """Several indexes that are searched as one.

    Parameters
    ----------
    name : str
        Their name in paths.
    index : ShardedTextIndex
        The shards.
    caches, cache_bytes
        As in `ServedIndex`.
    """

    needs_ids = True

    def __init__(
        self,
        name: str,
        index: ShardedTextIndex,
        caches: dict[EncoderIdentity, CachedEncoder],
        cache_bytes: int,
    ) -> None:
        self.name = name
        self._index = index
        self.cache = _cache_of(index.encoder, caches, cache_bytes)
        self._loaded = time.monotonic()
        self._refreshing = threading.Lock()
        self._writing = threading.Lock()

    def latest(self) -> ShardedTextIndex:
        """The shards. Their states are looked at once a second at most, as they may be on other machines."""
        if time.monotonic() >= self._loaded + SECONDS_BETWEEN_LOADS and self._refreshing.acquire(blocking=False):
            try:
                self._index.refresh()
                self._loaded = time.monotonic()
            except (ShardFailedError, ShardMismatchError) as error:
                raise Refused(503, f"index {self.name!r} cannot be read: {error}", retry_after=5) from None
            finally:
                self._refreshing.release()
        return self._index

    @contextmanager
    def writer(self, seconds: float) -> Iterator[ShardedTextIndex]:
        """The shards, each of which is opened for writing when it is changed."""
        with _in_turn(self._writing, self.name, seconds):
            yield self._index

    def threads(self, count: int) -> dict[str, int]:
        """None: each shard has its own number of threads."""
        return {}

    def n_entries(self) -> int:
        """Number of documents, or of passages."""
        return self.latest().n_entries

    def close(self) -> None:
        """Release the shards."""
        self._index.close()


class Catalog:
    """Indexes by name.

    Parameters
    ----------
    options : Options
        Has folders by names.
    shards : mapping of str to ShardedTextIndex
        Shards that are open already, by names.
    first : CachedEncoder
        The service's own encoder, which indexes by the same share.
    """

    def __init__(self, options: Options, shards: Mapping[str, ShardedTextIndex], first: CachedEncoder) -> None:
        self._served: dict[str, Served] = {}
        caches, size = {first.identity: first}, options.cache_bytes
        try:
            for name, path in options.indexes.items():
                self._served[name] = ServedIndex(name, Path(path), caches, size)
            for name, folders in options.shards.items():
                opened = ShardedTextIndex.open(folders, num_threads=options.threads)
                self._served[name] = ServedShards(name, opened, caches, size)
            for name, index in shards.items():
                self._served[name] = ServedShards(name, index, caches, size)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Served]:
        return iter(self._served.values())

    def __getitem__(self, name: str) -> Served:
        """An index; an error of status 404 if no index has this name."""
        if name not in self._served:
            known = ", ".join(map(repr, self._served)) or "none"
            raise Refused(404, f"there is no index {name!r:.80}; served: {known}", "name")
        return self._served[name]

    def close(self) -> None:
        """Close all indexes."""
        for served in self._served.values():
            served.close()


def _opened(
    path: Path, caches: dict[EncoderIdentity, CachedEncoder], cache_bytes: int
) -> tuple[TextIndex, CachedEncoder]:
    """An index, and the cache of its encoder: indexes by one share it, as it takes memory, and as batches grow."""
    index = TextIndex.open(path)
    cache = _cache_of(index.encoder, caches, cache_bytes)
    if cache.encoder is not index.encoder:
        index.close()
        index = TextIndex.open(path, encoder=cache.encoder)
    return index, cache


def _cache_of(encoder: Encoder, caches: dict[EncoderIdentity, CachedEncoder], cache_bytes: int) -> CachedEncoder:
    identity = EncoderIdentity.of(encoder)
    if identity not in caches:
        caches[identity] = CachedEncoder(shared(encoder), max_bytes=cache_bytes)
    return caches[identity]


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    """What differs when a manifest has been replaced; None while it is being replaced."""
    try:
        found = (path / MANIFEST).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
