"""Documents from files: JSONL, plain text, or a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moverank.cli.errors import UserError

TEXT_SUFFIXES = (".txt", ".md")


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
    one document a line; a folder one document a file that ends in .txt or .md, at any depth.
    """
    if path.is_dir():
        documents = _read_folder(path)
    elif path.suffix == ".jsonl":
        documents = _read_jsonl(path)
    else:
        documents = [Document(str(number), "", line) for number, line in _lines(path) if line.strip()]
    if not documents:
        raise UserError(f"{path}: no documents in it")
    seen: set[str] = set()
    for document in documents:
        if document.id in seen:
            raise UserError(f"{path}: id {document.id!r} is given to more than one document")
        seen.add(document.id)
    return documents


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8 text") from None


def _lines(path: Path) -> list[tuple[int, str]]:
    return list(enumerate(_read_text(path).splitlines(), start=1))


def _read_folder(folder: Path) -> list[Document]:
    files = sorted(p for p in folder.rglob("*") if p.suffix in TEXT_SUFFIXES and p.is_file())
    if not files:
        raise UserError(f"{folder}: no {' or '.join(TEXT_SUFFIXES)} files in it")
    texts = [(p.relative_to(folder).as_posix(), _read_text(p)) for p in files]
    return [Document(name, "", text) for name, text in texts if text.strip()]


def _read_jsonl(path: Path) -> list[Document]:
    documents = []
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}:{number}: not JSON: {error.msg}") from None
        if not isinstance(row, dict):
            raise UserError(f"{path}:{number}: expected a JSON object with a text")
        text = _string(row, "text", path, number)
        if not text.strip():
            raise UserError(f"{path}:{number}: no text in this line")
        documents.append(Document(_id(row, number), _string(row, "title", path, number), text))
    return documents


def _string(row: dict[str, Any], field: str, path: Path, number: int) -> str:
    value = row.get(field) or ""
    if not isinstance(value, str):
        raise UserError(f"{path}:{number}: {field} is not a string")
    return value


def _id(row: dict[str, Any], number: int) -> str:
    for field in ("id", "_id"):
        if row.get(field) is not None:
            return str(row[field])
    return str(number)
