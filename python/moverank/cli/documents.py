"""Documents from files: JSONL, plain text, or a folder."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moverank.cli.errors import UserError

TEXT_SUFFIXES = (".txt", ".md")
#: What stands for standard input.
STDIN = Path("-")


@dataclass(frozen=True)
class Document:
    """A text to be ranked."""

    id: str
    title: str
    text: str

    @property
    def content(self) -> str:
        """Title and text together, which is what gets encoded."""
        return f"{self.title} {self.text}" if self.title else self.text


def read_documents(path: Path) -> list[Document]:
    """Read documents.

    A ``.jsonl`` file holds one object a line with `text` and, optionally, `id` or `_id` and `title`; any other file
    one document a line; a folder one document a file that ends in .txt or .md, at any depth. ``-`` is standard input,
    JSON lines if it begins with a brace.
    """
    if path.is_dir():
        documents = _read_folder(path)
    else:
        lines = read_lines(path)
        if path.suffix == ".jsonl" or (path == STDIN and lines and lines[0][1].lstrip().startswith("{")):
            documents = _read_jsonl(path, lines)
        else:
            documents = [Document(str(number), "", line) for number, line in lines]
    if not documents:
        raise UserError(f"{path}: no documents in it")
    seen: set[str] = set()
    for document in documents:
        if document.id in seen:
            raise UserError(f"{path}: id {document.id!r} is given to more than one document")
        seen.add(document.id)
    return documents


def read_text(path: Path) -> str:
    """Text of a file, or of standard input."""
    try:
        raw = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8 text") from None


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not blank, with their numbers."""
    # Not str.splitlines, which also cuts at characters that may stand within a line of JSON.
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(number, line.rstrip("\r")) for number, line in lines if line.strip()]


def read_object(line: str, path: Path, number: int) -> dict[str, Any]:
    """One JSON object of a line."""
    try:
        row = json.loads(line)
        if "\\u" in line:
            # What takes two escapes may have been cut between them; half of it could neither be encoded nor printed.
            json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError(f"{path}:{number}: has half of a surrogate pair, which is no character") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{number}: not JSON: {error.msg}") from None
    except RecursionError:
        raise UserError(f"{path}:{number}: not JSON: nested too deep") from None
    except ValueError:  # of int
        raise UserError(f"{path}:{number}: not JSON: a number with too many digits") from None
    if not isinstance(row, dict):
        raise UserError(f"{path}:{number}: expected a JSON object")
    return row


def document_of(row: dict[str, Any], path: Path, number: int, default_id: str) -> Document:
    """One document of an object with a text."""
    text = _string(row, "text", path, number)
    if not text.strip():
        raise UserError(f"{path}:{number}: no text in this line")
    return Document(_id(row, default_id), _string(row, "title", path, number), text)


def _read_folder(folder: Path) -> list[Document]:
    files = sorted(p for p in folder.rglob("*") if p.suffix in TEXT_SUFFIXES and p.is_file())
    if not files:
        raise UserError(f"{folder}: no {' or '.join(TEXT_SUFFIXES)} files in it")
    texts = [(p.relative_to(folder).as_posix(), read_text(p)) for p in files]
    return [Document(name, "", text) for name, text in texts if text.strip()]


def _read_jsonl(path: Path, lines: list[tuple[int, str]]) -> list[Document]:
    return [document_of(read_object(line, path, number), path, number, str(number)) for number, line in lines]


def _string(row: dict[str, Any], field: str, path: Path, number: int) -> str:
    value = row.get(field) or ""
    if not isinstance(value, str):
        raise UserError(f"{path}:{number}: {field} is not a string")
    return value


def _id(row: dict[str, Any], default: str) -> str:
    for field in ("id", "_id"):
        if row.get(field) is not None:
            return str(row[field])
    return default
