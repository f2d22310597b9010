"""Indexes larger than memory: built in a folder from batches, a segment at a time, and gone on with after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from moverank._support.storage import token_dtype
from moverank.errors import DuplicateIdError, MeasureMismatchError
from moverank.index.batch import Batch
from moverank.index.changes import NONE_REMOVED, trained_on
from moverank.index.disk.manifest import MANIFEST
from moverank.index.disk.resuming import PassedOver
from moverank.index.disk.store import Store
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.ids import kind_of, listed_ids
from moverank.index.parts.intake import as_documents, names_for, next_id_behind, stored_as
from moverank.index.parts.part import Part, build_part
from moverank.index.parts.payloads import payload_arrays
from moverank.index.parts.setup import Clusters, Setup, require_encoder_fits, setup_for
from moverank.index.search.prefilters import require_factory
from moverank.index.snapshot import Snapshot
from moverank.measures.given import Costs
from moverank.measures.measure import Measure
from moverank.vectors.encoder_identity import EncoderIdentity, checked

#: Bytes of a segment, about. A build takes twice this, besides a batch or two and what faiss needs.
SEGMENT_BYTES = 1 << 27


class Build:
    """A build in a folder: begun, or gone on with.

    Parameters
    ----------
    folder : Path
        Where.
    measure, prefilter, dtype, rescore
        As in `Index.build`.
    space : AttachedSpace or None
        The space in which the documents are.
    encoder : EncoderIdentity or None
        What made vectors of the documents' texts.
    resume : bool
        Go on with a build that was cut off, if there is one.
    num_threads : int
        For clusters and for faiss; 0 stands for all cores.
    """

    def __init__(
        self,
        folder: Path,
        measure: Measure,
        prefilter: str | Clusters | None,
        dtype: str | None,
        *,
        rescore: bool,
        space: AttachedSpace | None,
        encoder: EncoderIdentity | None,
        resume: bool,
        num_threads: int,
        costs: Costs | None = None,
    ) -> None:
        self._measure = measure
        self._prefilter = prefilter
        self._dtype = dtype
        self._rescore = rescore
        self._space = space
        self._encoder = encoder
        self._threads = num_threads
        self._costs = costs
        self._setup: Setup | None = None
        self._parts: list[Part] = []
        self._pending: list[Part] = []
        self._next_id = 0
        self._batches = 0
        self._skipped_batches = 0
        self._skipped_documents = 0
        self._passed_over: PassedOver | None = None
        self._is_complete = False
        if resume and (folder / MANIFEST).exists():
            self._store = Store.open(folder, writable=True, mmap=True, incomplete=True)
            try:
                self._take_up()
            except BaseException:
                self._store.close()
                raise
        else:
            self._store = Store.create(folder, overwrite=False)

    def _take_up(self) -> None:
        manifest, snapshot = self._store.manifest, self._store.snapshot
        assert manifest is not None
        self._is_complete = manifest.batches is None
        self._setup = self._resumed_setup(snapshot.setup)
        if self._space is not None and (snapshot.space is None or snapshot.space.octets != self._space.octets):
            raise ValueError("resume: the build was begun with another space")
        self._space = snapshot.space
        if self._encoder is not None:
            if snapshot.encoder is None:
                raise ValueError("resume: the build was begun without an encoder")
            checked(snapshot.encoder, self._encoder)
        self._encoder = snapshot.encoder
        begun = snapshot.vocabulary
        same = (
            self._costs is None
            or not isinstance(begun, Costs)
            or np.array_equal(begun.by_target, self._costs.by_target)
        )
        if not same:
            raise ValueError("resume: the build was begun with other costs")
        self._parts = list(snapshot.parts)
        self._next_id = snapshot.next_id
        self._passed_over = PassedOver(
            snapshot, self._measure, is_complete=self._is_complete, num_threads=self._threads
        )
        self._skipped_batches = self._batches = manifest.batches or 0
        self._skipped_documents = self.n_documents

    def _resumed_setup(self, begun: Setup) -> Setup:
        """What was begun, unless it is not what is asked for now; how faiss is to be told may still change."""
        if begun.measure != self._measure:
            raise MeasureMismatchError(
                f"resume: the build was begun for {begun.measure.name}, not for {self._measure.name}"
            )
        kept_as = begun.codes if self._rescore else begun.dtype
        if (self._dtype is not None and token_dtype(self._dtype) != kept_as) or self._rescore != bool(begun.codes):
            raise ValueError(f"resume: the build was begun with tokens as {begun.dtype} and codes as {begun.codes}")
        if begun.kind == "bags" or begun.prefilter == self._prefilter:
            return begun
        if isinstance(begun.prefilter, str) and isinstance(self._prefilter, str) and not self._is_complete:
            return replace(begun, prefilter=self._prefilter)
        raise ValueError(f"resume: the build was begun with prefilter {begun.prefilter!r}, not {self._prefilter!r}")

    @property
    def n_documents(self) -> int:
        """Documents that are in, or that were before this build was gone on with."""
        return sum(map(len, self._parts)) + sum(map(len, self._pending))

    def run(self, batches: Iterable[Batch], progress: Callable[[int], object] | None) -> None:
        """Take all batches, and complete the index. What was written stays for another run if this one fails."""
        try:
            for batch in batches:
                if not isinstance(batch, Batch):
                    raise TypeError(f"batches: expected each to be a Batch, got {type(batch).__name__}")
                if self._skipped_batches or self._is_complete:
                    self._skip(batch)
                else:
                    self._take(batch)
                if progress is not None:
                    progress(self.n_documents)
            self._complete()
        finally:
            self.close()

    def close(self) -> None:
        """Let others write."""
        self._store.discard_if_empty()
        self._store.close()

    def _skip(self, batch: Batch) -> None:
        """Pass over what is in."""
        assert self._passed_over is not None
        if not self._is_complete:
            self._skipped_batches -= 1
            self._skipped_documents -= len(batch.docs)
            if self._skipped_documents < 0 or (self._skipped_batches == 0 and self._skipped_documents):
                raise ValueError("resume: the batches are not those that the build was begun with, in their order")
        self._passed_over.take(batch)

    def _take(self, batch: Batch) -> None:
        setup = self._setup_for(batch)
        docs = stored_as(as_documents(batch.docs, self._measure), setup, self._space)
        names = names_for(setup, batch.ids, len(docs), self._next_id)
        so_far = Snapshot(setup, [*self._parts, *self._pending], [NONE_REMOVED] * self._n_parts)
        listed = names.take(np.arange(len(names)))
        known = so_far.find(listed.tolist()) >= 0
        if known.any():
            raise DuplicateIdError(f"ids: {listed[known].tolist()[0]!r:.80} is given more than once")
        payloads = payload_arrays(batch.payloads, len(docs))
        self._pending.append(build_part(docs, names, setup, so_far.vocabulary, payloads, self._threads, self._costs))
        self._next_id = next_id_behind(self._next_id, names)
        self._batches += 1
        if sum(part.nbytes for part in self._pending) >= SEGMENT_BYTES:
            self._write()

    @property
    def _n_parts(self) -> int:
        return len(self._parts) + len(self._pending)

    def _setup_for(self, batch: Batch) -> Setup:
        if self._setup is None:
            ids = "int" if batch.ids is None else kind_of(listed_ids(batch.ids))
            docs = as_documents(batch.docs, self._measure)
            options = self._prefilter, self._dtype, self._rescore
            self._setup = setup_for(docs, self._measure, *options, ids, self._costs)
            require_encoder_fits(self._encoder, self._space, self._setup.dim)
            require_factory(self._setup.prefilter, self._setup.dim, self._measure)
        return self._setup

    def _write(self) -> None:
        """Make one segment of what is in memory."""
        if self._pending:
            self._parts.append(self._store.merge(self._pending, [NONE_REMOVED] * len(self._pending)))
            self._pending = []
            self._store.commit(self._snapshot(), batches=self._batches)
            self._parts = list(self._store.snapshot.parts)

    def _snapshot(self) -> Snapshot:
        assert self._setup is not None
        removed = [NONE_REMOVED] * len(self._parts)
        return Snapshot(self._setup, self._parts, removed, self._next_id, space=self._space, encoder=self._encoder)

    def _complete(self) -> None:
        if self._is_complete:
            assert self._passed_over is not None
            self._passed_over.finish()
            return
        if self._skipped_batches:
            raise ValueError("resume: there are fewer batches than are in already")
        if self._setup is None:
            raise ValueError("batches: there are no documents in them")
        self._write()
        whole = self._snapshot()
        self._store.commit(replace(whole, trained=trained_on(whole, self._threads)))
