"""Building a `TextIndex` in a folder by several processes, see `moverank.index.disk.joint`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moverank._support.validate import one_of, text_list
from moverank.encoders.encoded import Encoder
from moverank.errors import IndexFormatError
from moverank.index.disk.joint import JointBuild, Rows, Writer
from moverank.index.disk.staging import Place, Record, digest_of
from moverank.index.parts.anchors import has_few_bits, with_anchors
from moverank.index.parts.attachment import Attachment
from moverank.index.parts.ids import make_ids
from moverank.index.parts.intake import next_id_after
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.part import Part
from moverank.index.parts.payloads import payload_arrays
from moverank.index.parts.payloads import texts_of as payload_texts
from moverank.index.parts.setup import Setup
from moverank.index.parts.texts import text_arrays
from moverank.index.snapshot import Snapshot
from moverank.measures.measure import Measure
from moverank.text_index.changing import TEXTS_AT_ONCE, document_ids, lexical_of
from moverank.text_index.creating import empty_state
from moverank.text_index.intake import TextIntake
from moverank.text_index.results import Added
from moverank.text_index.settings import Settings
from moverank.text_index.stored_encoder import WORDS

#: Arrays of the texts of a part.
TEXT_ARRAYS = ("text", "text_offsets", "text_begin")


@dataclass(frozen=True)
class TextWriter:
    """Takes texts for a build; it is passed to the processes that take part.

    Attributes
    ----------
    writer : Writer
        Writes the segments.
    settings : Settings
        Those of the index.
    skips : bool
        Leave out texts that have no token; otherwise they are an error.
    num_threads : int
        Threads for the preparation of documents.
    """

    writer: Writer
    settings: Settings
    skips: bool
    num_threads: int

    def take(self, encoder: Encoder, texts: Sequence[str], ids: Sequence[Any], payloads: Sequence[Any] | None) -> str:
        """Write some texts as one segment unless they are written already; the name of its record, or "".

        Raises
        ------
        DuplicateIdError, NoTokensError, TypeError, ValueError
            As in `TextIndex.add`.
        """
        listed = text_list(texts, "texts", "text", "texts")
        named, _ = document_ids(list(ids), len(listed), self.settings)
        rows = Rows(named, _digests(named, listed, payloads))
        new = self.writer.new(rows)
        if not new:
            return ""
        own = rows.at(new)
        if (known := self.writer.recorded(own)) is not None:
            return known
        setup = self.writer.setup
        space = None if self.writer.space is None else self.writer.space.space
        intake = TextIntake(encoder, self.settings.passages, space, kind_of(setup).table is not None, self.skips)
        kept = None if payloads is None else [payloads[p] for p in new]
        taken = intake.take([listed[p] for p in new], own.ids, kept, 0)
        entries = taken.entries
        has_texts = self.settings.store_texts or self.settings.lexical is not None
        arrays = text_arrays([e.text for e in entries], [e.begin for e in entries]) if has_texts else None
        return self.writer.write(
            own, taken.encoding.docs, [e.id for e in entries], [e.payload for e in entries], arrays,
            counts=taken.counts, dropped=taken.encoding.dropped, cut=taken.encoding.cut, num_threads=self.num_threads,
        )  # fmt: skip


class JointTextBuild:
    """A build of a `TextIndex` in a folder by several processes.

    Parameters
    ----------
    folder : Path
        The folder.
    first : callable
        Called with a number, returns as many of the first texts; only for an index whose anchors are trained on them.
    encoder, measure, **options
        As in `TextIndex.create`.
    unknown : {"raise", "skip"}
        As in `TextIndex.add`.
    resume, place
        As in `JointBuild`.
    num_threads : int
        Threads of this process; 0 means all cores.
    """

    def __init__(
        self,
        folder: Path,
        first: Callable[[int], Sequence[str]],
        encoder: Encoder | None,
        measure: str | Measure | None,
        *,
        unknown: str,
        resume: bool,
        place: Place | None = None,
        num_threads: int = 0,
        **options: Any,
    ) -> None:
        self._skips = one_of(unknown, "unknown", ("raise", "skip")) == "skip"
        self._threads = num_threads
        self.encoder, empty = empty_state(encoder, measure, **options)
        space = None if empty.space is None else empty.space.space

        def trained(setup: Setup) -> Setup:
            if not has_few_bits(setup):
                return setup
            texts = list(first(TEXTS_AT_ONCE))
            taken = TextIntake(self.encoder, options["passages"], space, False, True).take(
                texts, range(len(texts)), None, 0
            )
            return setup if taken.encoding.docs is None else with_anchors(setup, [taken.encoding.docs], num_threads)

        self._build = JointBuild(folder, empty, resume=resume, place=place, trained=trained)
        try:
            self._settings = Settings.from_json(_attachment_of(self._build.empty).facts)
            given = Settings.from_json(_attachment_of(empty).facts)
            for name in ("encoder", "passages", "store_texts", "lexical"):
                begun, now = getattr(self._settings, name), getattr(given, name)
                if begun != now:
                    raise ValueError(f"resume: the build was begun with {name} {begun!r:.80}, not {now!r:.80}")
        except BaseException:
            self._build.close()
            raise

    @property
    def is_complete(self) -> bool:
        """Whether an earlier call has committed the index."""
        return self._build.is_complete

    def writer(self, num_threads: int) -> TextWriter:
        """What the other processes need; each prepares documents with some threads."""
        return TextWriter(self._build.writer, self._settings, self._skips, num_threads)

    def commit(self, n_rows: int, order: Sequence[str] = ()) -> Added:
        """Make one index of all segments, as `JointBuild.commit` does, with the terms of their texts."""
        records = self._build.commit(n_rows, order, self._finish, self._threads)
        counts = {
            id: count for record in records for id, count in zip(record.ids, record.counts, strict=True)
        }  # a row that was taken twice is in two records
        ids, skipped = ([id for id, count in counts.items() if bool(count) is is_kept] for is_kept in (True, False))
        dropped, cut = (sum(getattr(record, name) for record in records) for name in ("dropped", "cut"))
        return Added(ids, skipped, dropped, cut)

    def close(self) -> None:
        """Release the lock on the folder."""
        self._build.close()

    def _finish(self, whole: Snapshot, records: Sequence[Record]) -> Snapshot:
        """The state with its lexical index and settings, and without texts that are not to be kept."""
        attachment = _attachment_of(whole)
        ids = list(dict.fromkeys(id for record in records for id in record.ids))
        named = make_ids(ids, len(ids))
        kind: Any = named.kind
        settings = replace(self._settings, ids=kind, next_id=next_id_after(0, named))
        files = {name: file for name, file in attachment.files.items() if name == WORDS}
        if settings.lexical is not None:
            files |= lexical_of(whole, settings.lexical).files
        parts = whole.parts
        if not settings.store_texts:
            parts = [
                Part(
                    own.setup,
                    {name: array for name, array in own.arrays.items() if name not in TEXT_ARRAYS},
                    own.numbers,
                )
                for own in parts
            ]
        return replace(whole, parts=parts, attachment=Attachment(settings.as_json(), files))


def _attachment_of(snapshot: Snapshot) -> Attachment:
    attachment = snapshot.attachment
    if attachment is None:
        raise IndexFormatError("resume: the build was begun for an index of vectors without texts")
    return attachment


def _without_texts(part: Part) -> Part:
    arrays = {name: array for name, array in part.arrays.items() if name not in TEXT_ARRAYS}
    return Part(part.setup, arrays, part.numbers)


def _digests(ids: Sequence[Any], texts: Sequence[str], payloads: Sequence[Any] | None) -> list[bytes]:
    """Digest of each row: of its id with its type, its text, and its payload as it is stored."""
    kept = [b""] * len(ids)
    if payloads is not None and (arrays := payload_arrays(payloads, len(ids))):
        kept = payload_texts(arrays, 0, len(ids))
    return [
        digest_of(repr(id).encode(errors="surrogatepass"), text.encode(errors="surrogatepass"), payload)
        for id, text, payload in zip(ids, texts, kept, strict=True)
    ]
