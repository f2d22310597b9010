"""Recognition of text formats: by the first bytes of a file, and by its extension if these are ambiguous."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import PurePath

from moverank.errors import TextFormatError
from moverank.readers.texts.document import Fields
from moverank.readers.texts.opening import HEAD, PACKED
from moverank.readers.texts.tables import looks_like_csv, looks_like_table

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json", ".jl")
#: Files of many documents each, which are read in a folder without texts.
SHARD_SUFFIXES = (".jsonl", ".ndjson", ".tsv")
PAGE_SUFFIXES = (".html", ".htm", ".xhtml")
#: Files that are always one document, never one document per line.
PROSE_SUFFIXES = (".md", ".markdown", ".rst")
#: Files that are one document in a folder.
FOLDER_SUFFIXES = (".txt", ".text", *PROSE_SUFFIXES, *PAGE_SUFFIXES)
#: Formats that are refused, as their lines are not documents.
_NOT_LINES = {
    ".csv": "comma-separated values", ".xml": "XML", ".sgml": "SGML", ".yaml": "YAML", ".yml": "YAML", ".rtf": "RTF",
    ".tex": "TeX", ".ps": "PostScript",
}  # fmt: skip


class Format(Enum):
    """Arrangement of the texts in a file."""

    JSON_LINES = "one JSON object per line"
    JSON = "a JSON array"
    TABLE = "tab-separated columns"
    PAGE = "an HTML page"
    PROSE = "one document"
    LINES = "one document per line"


def suffix_of(path: PurePath) -> str:
    """Extension of a name in lower case, without the extension of a compression format."""
    ends = [suffix.lower() for suffix in path.suffixes]
    while ends and ends[-1] in PACKED:
        ends.pop()
    return ends[-1] if ends else ""


def format_of(head: str, suffix: str, name: str, fields: Fields) -> Format:
    """Recognise the format of a file.

    Parameters
    ----------
    head : str
        The beginning of the file; if the file is longer, without the last line, which may be incomplete.
    suffix : str
        Extension, from `suffix_of`.
    name : str
        Name of the file in messages.
    fields : Fields
        Names of columns, by which a header line is recognised.

    Raises
    ------
    TextFormatError
        If the content contradicts the extension, or the format is not supported.
    """
    start = head.lstrip()
    if suffix in _NOT_LINES:
        raise _unread(name, suffix)
    if suffix in PROSE_SUFFIXES:
        return Format.PROSE
    if suffix in PAGE_SUFFIXES or start[:15].lower().startswith(("<!doctype html", "<html")):
        return Format.PAGE
    if suffix == ".tsv":
        return Format.TABLE
    first = start.partition("\n")[0]
    is_json = suffix in JSON_SUFFIXES
    if first.startswith("{"):
        # A line that fills the head may be an object whose end is not in the head.
        if _is_object(first) or len(first) >= HEAD // 4:
            return Format.JSON_LINES
        if is_json or suffix not in FOLDER_SUFFIXES:
            return Format.JSON_LINES if "\n" in start and suffix in (".jsonl", ".ndjson", ".jl") else Format.JSON
    # A line of prose may also begin with a bracket.
    if first.startswith("[") and (is_json or start[1:].lstrip().startswith("{")):
        return Format.JSON
    if is_json:
        if not start or start.startswith('"'):
            return Format.JSON_LINES
        raise TextFormatError(f"{name}:1: not JSON: expected an object or an array of objects")
    lines = [line.rstrip("\r") for line in head.split("\n" if "\n" in head else "\r") if line.strip()]
    if looks_like_table(lines, fields):
        return Format.TABLE
    if looks_like_csv(lines, fields):
        raise _unread(name, ".csv")
    return Format.LINES


def _unread(name: str, suffix: str) -> TextFormatError:
    return TextFormatError(
        f"{name}: {_NOT_LINES[suffix]} cannot be read; convert it to JSON lines, or to lines of id, tab and text"
    )


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
