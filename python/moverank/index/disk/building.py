"""Building indexes larger than memory in a folder, from batches, one segment at a time; builds can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from moverank._support.storage import token_dtype
from moverank._support.threads import Beside
from moverank.errors import MeasureMismatchError
from moverank.index.batch import Batch
from moverank.index.changes import NONE_REMOVED, trained_on
from moverank.index.disk.manifest import MANIFEST
from moverank.index.disk.resuming import SkippedBatches
from moverank.index.disk.store import Store
from moverank.index.parts.anchors import are_too_few, with_anchors
from moverank.index.parts.finding_cells import found_cells
from moverank.index.parts.intake import Intake, new_to
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.part import Part, find_ids
from moverank.index.parts.plan import Plan
from moverank.index.parts.setup import Setup, TokenCells
from moverank.index.search.prefilters import require_factory
from moverank.index.snapshot import Snapshot
from moverank.vectors.encoder_identity import checked

#: Approximate size of a segment in bytes. A build needs memory for three segments, one or two batches, and faiss.
SEGMENT_BYTES = 1 << 27


class Build:
    """A build of an index in a folder, new or resumed.

    Parameters
    ----------
    folder : Path
        The folder.
    plan : Plan
        Options of the index.
    resume : bool
        Continue an interrupted build, if there is one.
    num_threads : int
        Threads for clusters and faiss; 0 means all cores.
    """

    def __init__(self, folder: Path, plan: Plan, *, resume: bool, num_threads: int) -> None:
        self._plan = plan
        self._threads = num_threads
        self._space = plan.space
        self._encoder = plan.encoder
        self._setup: Setup | None = None
        #: The setup before its anchors are trained, and the batches held back until there are enough for that.
        self._without_anchors: Setup | None = None
        self._held: list[Batch] = []
        #: Parts written to the folder.
        self._parts: list[Part] = []
        #: Parts in memory, to be written as one segment.
        self._pending: list[Part] = []
        #: Parts that are being written as one segment, while the next batches are taken in.
        self._under_way: list[Part] = []
        self._writing: Beside | None = None
        self._next_id = 0
        self._batches = 0
        #: Batches, and documents in them, that are still to be skipped as an earlier run wrote them.
        self._batches_to_skip = 0
        self._documents_to_skip = 0
        self._skipped: SkippedBatches | None = None
        self._is_complete = False
        if resume and (folder / MANIFEST).exists():
            self._store = Store.open(folder, writable=True, mmap=True, incomplete=True)
            try:
                self._resume()
            except BaseException:
                self._store.close()
                raise
        else:
            self._store = Store.create(folder, overwrite=False)

    def _resume(self) -> None:
        """Load the state of an earlier run, and check that it was begun with the same arguments."""
        manifest, snapshot = self._store.manifest, self._store.snapshot
        assert manifest is not None
        if manifest.batches == 0:
            raise ValueError("resume: the build was begun by several processes; the call that began it resumes it")
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
        costs = self._plan.costs
        if (
            costs is not None
            and snapshot.parts
            and not np.array_equal(snapshot.parts[0].arrays["costs"], costs.by_target)
        ):
            raise ValueError("resume: the build was begun with other costs")
        self._parts = list(snapshot.parts)
        self._next_id = snapshot.next_id
        self._skipped = SkippedBatches(snapshot, is_complete=self._is_complete, num_threads=self._threads)
        self._batches_to_skip = self._batches = manifest.batches or 0
        self._documents_to_skip = self.n_documents

    def _resumed_setup(self, begun: Setup) -> Setup:
        """Setup of the interrupted build; an error if the plan differs from it.

        Only a faiss description or options of cells may change, as both are trained at the end.
        """
        measure, options = self._plan.measure, self._plan.options
        if begun.measure != measure:
            raise MeasureMismatchError(f"resume: the build was begun for {begun.measure.name}, not for {measure.name}")
        begun_dtype = begun.codes if options.rescore else begun.dtype
        other_dtype = options.dtype is not None and token_dtype(options.dtype) != begun_dtype
        if other_dtype or options.rescore != bool(begun.codes):
            raise ValueError(f"resume: the build was begun with tokens as {begun.dtype} and codes as {begun.codes}")
        if options.pool != begun.pool:
            raise ValueError(f"resume: the build was begun with pool {begun.pool:g}, not {options.pool:g}")
        prefilter = options.prefilter_for(self.n_documents)
        if not kind_of(begun).needs_prefilter or begun.prefilter == prefilter:
            return begun
        if not self._is_complete and any(
            isinstance(begun.prefilter, kind) and isinstance(prefilter, kind) for kind in (str, TokenCells)
        ):
            return replace(begun, prefilter=prefilter)
        raise ValueError(f"resume: the build was begun with prefilter {begun.prefilter!r}, not {prefilter!r}")

    @property
    def n_documents(self) -> int:
        """Documents taken so far, including those from before the build was resumed."""
        held = sum(map(len, self._held))
        return held + sum(map(len, [*self._parts, *self._under_way, *self._pending]))

    def run(self, batches: Iterable[Batch], progress: Callable[[int], object] | None) -> None:
        """Add all batches, and complete the index. If this fails, the segments written so far can be resumed."""
        try:
            for batch in batches:
                if not isinstance(batch, Batch):
                    raise TypeError(f"batches: expected Batch objects, got {type(batch).__name__}")
                if self._batches_to_skip or self._is_complete:
                    self._skip(batch)
                else:
                    self._add(batch)
                if progress is not None:
                    progress(self.n_documents)
            self._complete()
        finally:
            self.close()

    def close(self) -> None:
        """Release the lock on the folder, and delete the folder if nothing was written."""
        if self._writing is not None:
            self._writing.wait()
        self._store.discard_if_empty()
        self._store.close()

    def _skip(self, batch: Batch) -> None:
        """Skip a batch that an earlier run wrote, after comparing it with the index."""
        assert self._skipped is not None
        if not self._is_complete:
            self._batches_to_skip -= 1
            self._documents_to_skip -= len(batch.docs)
            if self._documents_to_skip < 0 or (self._batches_to_skip == 0 and self._documents_to_skip):
                raise ValueError("resume: expected the same batches in the same order as when the build was begun")
        self._skipped.compare(batch)

    def _add(self, batch: Batch) -> None:
        if self._setup is not None:
            self._take(self._setup, batch)
            return
        if self._without_anchors is None:
            self._without_anchors = self._plan.setup(self._plan.documents(batch.docs), batch.ids)
            require_factory(self._without_anchors.prefilter, self._without_anchors.dim, self._without_anchors.measure)
        self._held.append(batch)
        docs = [held.docs for held in self._held]
        if not are_too_few(self._without_anchors, docs):
            self._begin(self._without_anchors)

    def _begin(self, without_anchors: Setup) -> None:
        """Train anchors, if tokens are to have some, and take in the batches held back for that."""
        held, self._held = self._held, []
        docs = [self._plan.documents(batch.docs) for batch in held]
        self._setup = with_anchors(without_anchors, docs, self._threads)
        for batch in held:
            self._take(self._setup, batch)

    def _take(self, setup: Setup, batch: Batch) -> None:
        parts = [*self._parts, *self._under_way, *self._pending]
        shared = kind_of(setup).shared(setup, [part.arrays for part in parts], self._plan.costs)
        intake = Intake(setup, self._next_id, shared, self._space, self._threads)
        find = partial(find_ids, parts, [NONE_REMOVED] * len(parts))
        new = new_to(find, "is given more than once")
        self._pending.append(intake.part(batch.docs, batch.ids, batch.payloads, new))
        self._next_id = intake.next_id
        self._batches += 1
        if sum(part.nbytes for part in self._pending) >= SEGMENT_BYTES:
            self._write()

    def _write(self) -> None:
        """Begin to write the parts in memory as one segment."""
        self._finish_writing()
        if self._pending:
            self._under_way, self._pending = self._pending, []
            before = self._snapshot()
            self._writing = Beside(partial(self._write_segment, before, self._under_way, self._batches))

    def _write_segment(self, before: Snapshot, parts: list[Part], batches: int) -> None:
        new = self._store.merge(parts, [NONE_REMOVED] * len(parts))
        grown = replace(before, parts=[*before.parts, new], removed=[*before.removed, NONE_REMOVED])
        self._store.commit(grown, batches=batches)

    def _finish_writing(self) -> None:
        """Wait until the segment that is being written is durable."""
        if self._writing is not None:
            self._writing.finish()
            self._writing = None
            self._parts, self._under_way = list(self._store.snapshot.parts), []

    def _snapshot(self) -> Snapshot:
        assert self._setup is not None
        removed = [NONE_REMOVED] * len(self._parts)
        return Snapshot(self._setup, self._parts, removed, self._next_id, space=self._space, encoder=self._encoder)

    def _complete(self) -> None:
        if self._is_complete:
            assert self._skipped is not None
            self._skipped.finish()
            return
        if self._batches_to_skip:
            raise ValueError(f"resume: expected at least {self._batches} batches, as many as were written before")
        if self._held and self._without_anchors is not None:
            self._begin(self._without_anchors)
        if self._setup is None:
            raise ValueError("batches: expected at least one document, got none")
        self._write()
        self._finish_writing()
        whole = self._snapshot()
        cells = found_cells(whole.parts, self._store.keep, self._threads)
        self._store.commit(replace(whole, trained=trained_on(whole, self._threads), cells=cells))
