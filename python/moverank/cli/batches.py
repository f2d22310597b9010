"""Texts from files in batches for an index: encoded, with their other fields as payloads."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from moverank.alignment.lost import Lost
from moverank.cli.documents import all_left_out, tell, tell_lost, text_files
from moverank.cli.encoders import advice, chosen_encoder
from moverank.cli.errors import UserError
from moverank.encoders import Encoder, WordVectors, encode_documents
from moverank.errors import NoTokensError
from moverank.readers import Batch
from moverank.readers.texts import Document, LeftOut
from moverank.vectors.bags import Bags
from moverank.vectors.sequences import Sequences

#: Texts that are encoded at a time.
TEXTS = 1024


def add_payload_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of fields that are kept with documents."""
    parser.add_argument(
        "--payload",
        action="append",
        metavar="FIELD",
        help="field or column to keep with a document, besides its title and text; may be repeated; * keeps all, the "
        "default for texts",
    )


class Texts:
    """Documents of files, encoded; none if there are no files.

    Parameters
    ----------
    args : Namespace
        Options of texts, of the encoder, and of payloads.
    paths : list of Path
        The files.
    encoder : Encoder, optional
        Encodes them; by default as the options say.
    prefixed : bool
        As of `TextFiles`.
    bags : bool
        Take texts whose words have one vector each as bags over the table of these.

    Attributes
    ----------
    encoder : Encoder or None
        Encodes them; None if there are no files.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        paths: list[Path],
        encoder: Encoder | None = None,
        *,
        prefixed: bool = False,
        bags: bool = False,
    ) -> None:
        self._files = text_files(args, paths, prefixed=prefixed) if paths else None
        self.encoder = encoder or (chosen_encoder(args) if paths else None)
        self._args, self._lost = args, Lost()
        self._bags = bags
        self._payload: list[str] | None = None if args.payload in (None, ["*"]) else args.payload
        self.left_out = LeftOut()

    def __iter__(self) -> Iterator[Batch]:
        if self._files is None or self.encoder is None:
            return
        self.left_out, self._lost = LeftOut(), Lost()
        documents, found, first = iter(self._files), 0, True
        unknown = ""
        while some := list(islice(documents, TEXTS)):
            if first and self._payload is not None:
                _require_fields(self._payload, some)
            first = False
            batch, kept = self._encoded(self.encoder, some)
            for place in sorted(set(range(len(some))) - set(kept)):
                self.left_out.add("without a known word", some[place].place)
                unknown = unknown or some[place].content
            if batch is not None:
                found += len(batch)
                yield batch
        if not found:
            hint = advice(self._args, unknown)
            raise UserError(f"no document has a word with a vector; left out: {self.left_out}{hint}")

    def _encoded(self, encoder: Encoder, some: list[Document]) -> tuple[Batch | None, list[int]]:
        try:
            encoded = encode_documents(encoder, [document.content for document in some], skip_empty=True)
        except NoTokensError:
            return None, []
        docs: Sequences | Bags
        self._lost += Lost(dropped=sum(encoded.dropped), cut=sum(encoded.cut))
        kept = [some[t] for t in encoded.kept]
        payloads = [self._payload_of(document) for document in kept]
        docs = encoded.sequences
        if self._bags and isinstance(encoder, WordVectors):
            docs = encoder.bags([document.content for document in kept])
        return Batch(docs, [document.id for document in kept], payloads), encoded.kept

    def _payload_of(self, document: Document) -> dict[str, Any]:
        """Payload of a document: search shows it, and conditions choose by it."""
        fields = document.fields
        if self._payload is not None:
            fields = {name: fields[name] for name in self._payload if name in fields}
        title = {"title": document.title} if document.title else {}
        return {**fields, **title, "text": document.content}

    def tell(self) -> None:
        """Say on standard error what was left out."""
        if self._files is not None:
            tell(self._files, self.left_out)
            tell_lost(self._lost, query=None)

    def all_left_out(self) -> list[dict[str, object]]:
        """The same for JSON."""
        return [] if self._files is None else all_left_out(self._files, self.left_out)


def _require_fields(wanted: list[str], documents: list[Document]) -> None:
    """Refuse a field that no document has, before work is lost."""
    known = {name for document in documents for name in document.fields} | {"title", "text"}
    for name in wanted:
        if name not in known:
            raise UserError(
                f"--payload: none of the first {len(documents)} documents has a field {name!r}; they have "
                f"{', '.join(sorted(map(repr, known)))}"
            )
