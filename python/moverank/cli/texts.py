"""Texts from files into an index: with their other fields as payloads."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from moverank.alignment.lost import Lost
from moverank.cli.documents import all_left_out, tell, tell_lost, text_files
from moverank.cli.encoders import advice
from moverank.cli.errors import UserError
from moverank.readers.texts import Document, LeftOut
from moverank.text_index import TextIndex
from moverank.text_index.changing import TEXTS_AT_ONCE


def add_payload_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of fields that are kept with documents."""
    parser.add_argument(
        "--payload",
        action="append",
        metavar="FIELD",
        help="field or column to keep with a document, besides its title and text; may be repeated; * keeps all, the "
        "default for texts",
    )


@dataclass
class Counts:
    """What became of the texts of some files."""

    added: int = 0
    replaced: int = 0
    #: Those that were in the index already, when a build is resumed.
    there: int = 0


class Texts:
    """Texts of files.

    Parameters
    ----------
    args : Namespace
        Options of texts and of payloads.
    paths : list of Path
        The files.
    prefixed : bool
        As of `TextFiles`.
    """

    def __init__(self, args: argparse.Namespace, paths: list[Path], *, prefixed: bool = False) -> None:
        self._args = args
        self._files = text_files(args, paths, prefixed=prefixed)
        self._payload: list[str] | None = None if args.payload in (None, ["*"]) else args.payload
        self._lost = Lost()
        self.left_out = LeftOut()

    def put_into(
        self,
        index: TextIndex,
        *,
        replacing: bool = False,
        resuming: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> Counts:
        """Add all texts, or replace those that are there, or (resuming) take these for done.

        Raises
        ------
        UserError
            If no text can be indexed, or one that is taken for done has changed.
        """
        counts, unknown, read = Counts(), "", 0
        seen: set[str] = set()
        for some in self._chunks():
            read += len(some)
            for one in some:
                if one.id in seen:
                    raise UserError(f"{one.place}: id {one.id!r} is given to more than one document")
                seen.add(one.id)
            left = [one for one in some if not (resuming and _is_there(index, one))]
            counts.there += len(some) - len(left)
            if left:
                before = sum(one.id in index for one in left) if replacing else 0
                put = index.upsert if replacing else index.add
                found = put(
                    [one.content for one in left],
                    [one.id for one in left],
                    payloads=[self._payload_of(one) for one in left],
                    unknown="skip",
                )
                skipped = set(found.skipped)
                for one in left:
                    if one.id in skipped:
                        self.left_out.add("without a known word", one.place)
                        unknown = unknown or one.content
                        before -= replacing and one.id in index
                counts.replaced += before
                counts.added += len(found.ids) - before
                self._lost += Lost(dropped=found.dropped, cut=found.cut)
            if progress is not None:
                progress(read)
        if not len(index):
            hint = advice(self._args, unknown)
            raise UserError(f"no document has a word with a vector; left out: {self.left_out}{hint}")
        return counts

    def tell(self) -> None:
        """Say on standard error what was left out."""
        tell(self._files, self.left_out)
        tell_lost(self._lost, query=None)

    def all_left_out(self) -> list[dict[str, object]]:
        """The same for JSON."""
        return all_left_out(self._files, self.left_out)

    def _chunks(self) -> Iterator[list[Document]]:
        documents, is_first = iter(self._files), True
        while some := list(islice(documents, TEXTS_AT_ONCE)):
            if is_first and self._payload is not None:
                _require_fields(self._payload, some)
            is_first = False
            yield some

    def _payload_of(self, document: Document) -> dict[str, Any] | None:
        """Payload of a document: search shows it, and conditions choose by it."""
        fields = document.fields
        if self._payload is not None:
            fields = {name: fields[name] for name in self._payload if name in fields}
        title = {"title": document.title} if document.title else {}
        return {**fields, **title} or None


def _is_there(index: TextIndex, document: Document) -> bool:
    """Whether a document is in an index, with the same text."""
    if document.id not in index:
        return False
    text = index.text(document.id)
    # White space between passages is not kept.
    if text is not None and text.split() != document.content.split():
        raise UserError(
            f"{document.place}: document {document.id!r} has another text than in the index; moverank add --replace "
            "replaces it"
        )
    return True


def _require_fields(wanted: list[str], documents: list[Document]) -> None:
    """Refuse a field that no document has, before work is lost."""
    known = {name for document in documents for name in document.fields} | {"title", "text"}
    for name in wanted:
        if name not in known:
            raise UserError(
                f"--payload: none of the first {len(documents)} documents has a field {name!r}; they have "
                f"{', '.join(sorted(map(repr, known)))}"
            )
