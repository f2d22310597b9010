"""Texts that commands read: their options, and messages about texts that were left out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from moverank._support.wording import printable
from moverank.alignment.lost import Lost
from moverank.cli.errors import UserError
from moverank.readers import texts
from moverank.readers.texts import STDIN, Document, Fields, LeftOut, TextFiles

#: Options of texts, by their attributes.
TEXT_OPTIONS = ("id", "text", "encoding")
FORMATS = (
    "JSON lines or an array of JSON, id and text with a tab between, Markdown, HTML, lines of plain text, a folder of "
    "such files or of BEIR; compressed or not; - for standard input"
)


def add_text_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of files of texts."""
    group = parser.add_argument_group("texts", "how files of texts are read:")
    group.add_argument(
        "--id",
        metavar="FIELD",
        help="field or column of ids; all texts must have it (default: id, _id, docno, docid, …)",
    )
    group.add_argument(
        "--text",
        metavar="FIELD",
        help="field or column of texts; all must have it (default: text, contents, body, …)",
    )
    group.add_argument(
        "--encoding", metavar="NAME", help="encoding of files without a byte-order mark (default: UTF-8)"
    )


def text_files(
    args: argparse.Namespace,
    paths: Path | Sequence[Path],
    *,
    part: str = "corpus",
    fields: Fields | None = None,
    prefixed: bool = False,
    keep_empty: bool = False,
) -> TextFiles:
    """Documents as the options say; queries, in a file beside that of documents, have their usual fields."""
    if fields is None:
        fields = Fields(args.id, args.text) if part == "corpus" else Fields()
    return TextFiles(paths, fields=fields, encoding=args.encoding, part=part, prefixed=prefixed, keep_empty=keep_empty)


def read_all(files: TextFiles) -> list[Document]:
    """Read all documents at once, and refuse an id that two of them have."""
    place_of: dict[str, str] = {}
    documents = []
    for document in files:
        first = place_of.setdefault(document.id, document.place)
        if first != document.place:
            raise UserError(f"id {document.id!r} is given to more than one document: {first} and {document.place}")
        documents.append(document)
    return documents


def tell(files: TextFiles, left_out: LeftOut | None = None) -> None:
    """Report on standard error guesses about files, and texts left out of them."""
    for note in files.notes:
        say(note)
    for what in (files.left_out, left_out):
        if what:
            say(f"left out: {what}")


def say(message: str) -> None:
    """One line on standard error that is not an error."""
    print(f"moverank: {printable(message)}", file=sys.stderr)


def tell_lost(lost: Lost, query: str | None = "the query", documents: str = "documents") -> None:
    """Report on standard error what encoding left out of texts: it has no part in the answer."""
    for line in lost.lines(query, documents):
        say(line)


def all_left_out(files: TextFiles, left_out: LeftOut | None = None) -> list[dict[str, object]]:
    """The same for JSON."""
    return [*files.left_out.as_json(), *([] if left_out is None else left_out.as_json())]


def read_text(path: Path, encoding: str | None = None) -> str:
    """Text of a file, or of standard input."""
    return texts.read_text(path, encoding=encoding)


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not blank, with their numbers."""
    return list(texts.read_lines(path))


def iterate_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The same, one at a time."""
    return texts.read_lines(path)


def require_one_stdin(*paths: object) -> None:
    """Refuse to read several things from standard input."""
    if sum(str(path) == str(STDIN) for path in paths if path is not None) > 1:
        raise UserError("only one of the inputs can come from standard input")
