"""Changes of a `TextIndex`: texts become entries, vectors, and terms, and all of them change in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from itertools import islice
from typing import Any, Literal

import numpy as np

from moverank._support.validate import one_of, text_stream
from moverank.encoders.encoded import Encoder
from moverank.errors import DuplicateIdError, UnknownIdError
from moverank.index.changes import NONE_REMOVED, Keeper, added, compacted, without
from moverank.index.index import Index
from moverank.index.parts.attachment import AttachedFile, Attachment
from moverank.index.parts.ids import Positions, is_id, listed_ids, make_ids
from moverank.index.parts.intake import next_id_after
from moverank.index.parts.payload_values import payload_list
from moverank.index.parts.texts import text_arrays
from moverank.index.snapshot import Snapshot
from moverank.text_index.entries import Encoding, Entries, Entry, Id
from moverank.text_index.holder import Holder
from moverank.text_index.intake import TextIntake
from moverank.text_index.lexical import LONGEST_ID, Lexical
from moverank.text_index.results import Added
from moverank.text_index.settings import Settings

#: Texts that are encoded, and made durable, at a time.
TEXTS_AT_ONCE = 1024


class Changes:
    """Changes the texts of an index.

    Parameters
    ----------
    index : Index
        The index of their tokens.
    encoder : Encoder
        Its encoder.
    holder : Holder
        Keeps what belongs to the latest state.
    """

    def __init__(self, index: Index, encoder: Encoder, holder: Holder) -> None:
        self._index = index
        self._encoder = encoder
        self._holder = holder

    def remove(self, ids: Iterable[Id]) -> None:
        """Remove documents; see `TextIndex.remove`."""
        listed = listed_ids(ids)
        if not listed:
            raise ValueError("ids: expected at least one id, got none")
        with self._index._change(attached=True) as keeper:
            snapshot = keeper.snapshot
            settings = self._holder.of(snapshot).settings
            positions = known_positions(snapshot, settings, listed)
            make_ids(listed, len(listed))  # none twice
            gone = np.sort(np.concatenate(positions))
            self._commit(keeper, without(snapshot, gone), settings, [], snapshot.ids_at(gone).tolist())

    def set(self, **settings: Any) -> None:
        """Keep other settings."""
        with self._index._change(attached=True) as keeper:
            held = self._holder.of(keeper.snapshot)
            self._commit_with(keeper, keeper.snapshot, replace(held.settings, **settings), held.lexical)

    def compact(self) -> None:
        """Free the space of removed documents; see `TextIndex.compact`."""
        with self._index._change(attached=True) as keeper:
            held = self._holder.of(keeper.snapshot)
            state = compacted(keeper, keeper.snapshot, self._index._num_threads)
            lexical = held.lexical
            if lexical is not None and held.settings.store_texts:
                lexical = lexical_of(state, lexical.analyzer)
            self._commit_with(keeper, state, held.settings, lexical)

    def put(
        self,
        texts: Iterable[str],
        ids: Iterable[Id] | None,
        payloads: Iterable[Any] | None,
        unknown: str,
        progress: Callable[[int], object] | None,
        *,
        replacing: bool,
    ) -> Added:
        """Add or replace texts, some at a time."""
        one_of(unknown, "unknown", ("raise", "skip"))
        stream = text_stream(texts, "texts", "text")
        given = {"ids": ids, "payloads": payloads}
        if not isinstance(texts, Iterator):
            listed = list(stream)  # checked as a whole before work is done
            stream = iter(listed)
            given = {name: _listed(name, values, len(listed)) for name, values in given.items()}
        beside = {name: None if values is None else iter(values) for name, values in given.items()}
        whole = Added([], [])
        done = 0
        while some := list(islice(stream, TEXTS_AT_ONCE)):
            own = {name: None if left is None else list(islice(left, len(some))) for name, left in beside.items()}
            for name, part in own.items():
                if part is not None and len(part) < len(some):
                    raise ValueError(f"{name}: fewer than texts; {done + len(part)} were given")
            step = self._put_some(some, own["ids"], own["payloads"], unknown == "skip", done, replacing=replacing)
            whole = Added(
                whole.ids + step.ids, whole.skipped + step.skipped, whole.dropped + step.dropped, whole.cut + step.cut
            )
            done += len(some)
            if progress is not None:
                progress(done)
        for name, values in (("ids", ids), ("payloads", payloads)):
            if isinstance(values, Sized) and len(values) != done:
                raise ValueError(
                    f"{name}: expected {done}, one per document, got {len(values)}; all texts are in the index"
                )
        return whole

    def _put_some(
        self,
        texts: list[str],
        ids: list[Any] | None,
        payloads: list[Any] | None,
        skips: bool,
        first: int,
        *,
        replacing: bool,
    ) -> Added:
        """Add or replace some texts, in one durable step. `first` is the number of texts before them."""
        with self._index._change(attached=True) as keeper:
            snapshot, settings = keeper.snapshot, self._holder.of(keeper.snapshot).settings
            named, settings = document_ids(ids, len(texts), settings)
            before = Entries(settings.passages).positions_in(snapshot, named)
            if not replacing:
                for id, found in zip(named, before, strict=True):
                    if len(found):
                        raise DuplicateIdError(f"ids: {id!r:.80} is already in the index; upsert replaces documents")
            space = None if snapshot.space is None else snapshot.space.space
            as_bags = snapshot.kind.table is not None
            intake = TextIntake(self._encoder, settings.passages, space, as_bags, skips)
            taken = intake.take(texts, named, payloads, first)
            known = [place for place, count in enumerate(taken.counts) if count]
            if taken.entries:
                gone = np.sort(np.concatenate([before[place] for place in known]))
                self._store(keeper, settings, taken.entries, taken.encoding, gone)
        skipped = [id for id, count in zip(named, taken.counts, strict=True) if not count]
        return Added([named[place] for place in known], skipped, taken.encoding.dropped, taken.encoding.cut)

    def _store(
        self, keeper: Keeper, settings: Settings, entries: list[Entry], encoding: Encoding, gone: Positions
    ) -> None:
        """Add encoded entries in place of those at some positions."""
        texts = [entry.text for entry in entries]
        arrays = text_arrays(texts, [entry.begin for entry in entries]) if settings.store_texts else None
        ids = [entry.id for entry in entries]
        payloads = [entry.payload for entry in entries]
        threads = self._index._num_threads
        removed = keeper.snapshot.ids_at(gone).tolist()
        state, _ = added(
            keeper, encoding.docs, ids, payloads, threads, replacing=True, gone=gone, texts=arrays  # type: ignore[arg-type]
        )  # fmt: skip
        self._commit(keeper, state, settings, list(zip(ids, texts, strict=True)), removed)

    def _commit(
        self, keeper: Keeper, state: Snapshot, settings: Settings, new: list[tuple[str, str]], gone: list[str]
    ) -> None:
        """Make a state the current one, with the lexical index that belongs to it."""
        lexical = self._holder.of(keeper.snapshot).lexical
        self._commit_with(keeper, state, settings, None if lexical is None else lexical.changed(new, gone))

    def _commit_with(self, keeper: Keeper, state: Snapshot, settings: Settings, lexical: Lexical | None) -> None:
        files = self._holder.of(keeper.snapshot).other_files
        keeper.commit(replace(state, attachment=attachment_of(settings, files, lexical)))
        self._holder.keep(keeper.snapshot, settings, lexical)


def attachment_of(settings: Settings, other_files: Mapping[str, AttachedFile], lexical: Lexical | None) -> Attachment:
    """What belongs to a state of an index of texts, as its index keeps it."""
    return Attachment(settings.as_json(), {**other_files, **({} if lexical is None else lexical.files)})


def positions_of(snapshot: Snapshot, entries: Entries, kind: str | None, ids: Sequence[Any]) -> list[Positions]:
    """Positions of the entries of documents; none for ids that are not in the index, or of another type than `kind`."""
    fitting = [kind is not None and is_id(id, kind) for id in ids]
    known = [id for id, fits in zip(ids, fitting, strict=True) if fits]
    found = iter(entries.positions_in(snapshot, known))
    return [next(found) if fits else NONE_REMOVED for fits in fitting]


def known_positions(snapshot: Snapshot, settings: Settings, ids: Sequence[Any], name: str = "ids") -> list[Positions]:
    """The same; UnknownIdError, which calls them `name`, if one is not in the index."""
    positions = positions_of(snapshot, Entries(settings.passages), settings.ids, ids)
    for id, own in zip(ids, positions, strict=True):
        if not len(own):
            raise UnknownIdError(f"{name}: {id!r:.80} is not in the index")
    return positions


def texts_of(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Ids and texts of all entries."""
    positions = snapshot.positions
    for id, position in zip(snapshot.ids_at(positions).tolist(), positions.tolist(), strict=True):
        kept = snapshot.text(position)
        if kept is not None:
            yield id, kept[0]


def lexical_of(snapshot: Snapshot, analyzer: str) -> Lexical:
    """The lexical index of the texts that a state keeps, made anew."""
    return Lexical(analyzer).changed(texts_of(snapshot), [])


def document_ids(ids: list[Any] | None, count: int, settings: Settings) -> tuple[list[Id], Settings]:
    """Ids of new documents, and the settings after them; errors for ids of another type than before."""
    if ids is None and settings.ids == "str":
        raise ValueError("ids: required, as the ids of this index are strings")
    checked = make_ids(ids, count, first=settings.next_id)
    named: list[Any] = checked.take(np.arange(count)).tolist()
    if settings.ids is not None and checked.kind != settings.ids:
        raise TypeError(f"ids: expected {settings.ids}, the type of ids in this index, got {checked.kind}")
    for place, id in enumerate(named):
        if isinstance(id, str) and len(id.encode()) > LONGEST_ID:
            raise ValueError(f"ids: the id of document {place} has more than {LONGEST_ID} bytes")
    kind: Literal["int", "str"] = "int" if checked.kind == "int" else "str"
    return named, replace(settings, ids=kind, next_id=next_id_after(settings.next_id, checked))


def _listed(name: str, values: Any, count: int) -> list[Any] | None:
    """Ids or payloads as a list, one per text."""
    if values is None:
        return None
    listed = listed_ids(values) if name == "ids" else payload_list(values)
    if len(listed) != count:
        raise ValueError(f"{name}: expected {count}, one per document, got {len(listed)}")
    if name == "ids":
        make_ids(listed, count)
    return listed
