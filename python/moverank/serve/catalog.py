"""Indexes that are served: opened once, loaded anew when they change on disk, changed by one writer at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moverank.errors import EncoderMismatchError, IndexFormatError, IndexLockedError, IndexNotFoundError
from moverank.index.disk.manifest import MANIFEST
from moverank.ranking.cache import CachedEncoder
from moverank.serve.engine import shared
from moverank.serve.errors import Refused
from moverank.text_index.text_index import TextIndex
from moverank.vectors.encoder_identity import EncoderIdentity


@dataclass
class Served:
    """One index.

    Attributes
    ----------
    name : str
        Its name in paths.
    path : Path
        Its folder.
    index : TextIndex
        The index, open for reading.
    cache : CachedEncoder
        Encodes its texts for other measures, and keeps them.
    """

    name: str
    path: Path
    index: TextIndex
    cache: CachedEncoder
    _stamp: tuple[int, int, int] | None = None
    _refreshing: threading.Lock = field(default_factory=threading.Lock)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def latest(self) -> TextIndex:
        """The index as it is on disk now. Looks at the manifest's time alone, so that every request can ask.

        Raises
        ------
        Refused
            If it cannot be read any more.
        """
        stamp = _stamp_of(self.path)
        if stamp != self._stamp:
            with self._refreshing:
                try:
                    self._refresh()
                except (EncoderMismatchError, IndexFormatError, IndexNotFoundError, OSError) as error:
                    raise Refused(503, f"index {self.name!r} cannot be read: {error}", retry_after=5) from None
                self._stamp = stamp
        return self.index

    def _refresh(self) -> None:
        try:
            self.index.refresh()
        except (EncoderMismatchError, IndexFormatError):
            # It was replaced by another index, which has an encoder of its own.
            self.index, self.cache = _opened(self.path, {}, self.cache.max_bytes)

    @contextmanager
    def writer(self, seconds: float) -> Iterator[TextIndex]:
        """The index, open for writing while a change is made, so that others can write in between.

        Raises
        ------
        Refused
            If another process writes, or another request does so for longer than `seconds`.
        """
        until = time.monotonic() + seconds
        if not self._writing.acquire(timeout=seconds):
            raise Refused(503, f"index {self.name!r} is being changed by other requests", retry_after=1)
        try:
            with self._opened(until) as index:
                yield index
        finally:
            self._writing.release()

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


class Catalog:
    """Indexes by name.

    Parameters
    ----------
    paths : mapping of str to str
        Folders by names.
    first : CachedEncoder
        The service's own encoder, which indexes by the same share.
    cache_bytes : int
        Size of each other encoder's cache of documents.
    """

    def __init__(self, paths: Mapping[str, str], first: CachedEncoder, cache_bytes: int) -> None:
        self._served: dict[str, Served] = {}
        caches = {first.identity: first}
        try:
            for name, path in paths.items():
                stamp = _stamp_of(Path(path))
                self._served[name] = Served(name, Path(path), *_opened(Path(path), caches, cache_bytes), stamp)
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
            served.index.close()


def _opened(
    path: Path, caches: dict[EncoderIdentity, CachedEncoder], cache_bytes: int
) -> tuple[TextIndex, CachedEncoder]:
    """An index, and the cache of its encoder: indexes by one share it, as it takes memory, and as batches grow."""
    index = TextIndex.open(path)
    identity = EncoderIdentity.of(index.encoder)
    if identity not in caches:
        caches[identity] = CachedEncoder(shared(index.encoder), max_bytes=cache_bytes)
    cache = caches[identity]
    if cache.encoder is not index.encoder:
        index.close()
        index = TextIndex.open(path, encoder=cache.encoder)
    return index, cache


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    """What differs when a manifest has been replaced; None while it is being replaced."""
    try:
        found = (path / MANIFEST).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
