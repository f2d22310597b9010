"""What a file of texts is: seen from its first bytes, and where these leave a choice, from the end of its name."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import PurePath

from moverank.errors import TextFormatError
from moverank.readers.texts.document import Fields
from moverank.readers.texts.opening import HEAD, PACKED
from moverank.readers.texts.tables import looks_like_csv, looks_like_table

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json", ".jl")
#: Of these, a folder may be made, instead of texts.
SHARD_SUFFIXES = (".jsonl", ".ndjson", ".tsv")
PAGE_SUFFIXES = (".html", ".htm", ".xhtml")
#: Texts that are one document, wherever they are.
PROSE_SUFFIXES = (".md", ".markdown", ".rst")
#: What is read of a folder.
FOLDER_SUFFIXES = (".txt", ".text", *PROSE_SUFFIXES, *PAGE_SUFFIXES)
#: Formats that would come out as nonsense if they were read as lines.
_NOT_LINES = {
    ".csv": "comma-separated values", ".xml": "XML", ".sgml": "SGML", ".yaml": "YAML", ".yml": "YAML", ".rtf": "RTF",
    ".tex": "TeX", ".ps": "PostScript",
}  # fmt: skip


class Format(Enum):
    """How the texts of a file are laid out."""

    JSON_LINES = "an object of JSON per line"
    JSON = "an array of JSON"
    TABLE = "columns with tabs between them"
    PAGE = "an HTML page"
    PROSE = "one document"
    LINES = "one document per line"


def suffix_of(path: PurePath) -> str:
    """Ending of a name, in lower case, without that of how the file is packed."""
    ends = [suffix.lower() for suffix in path.suffixes]
    while ends and ends[-1] in PACKED:
        ends.pop()
    return ends[-1] if ends else ""


def format_of(head: str, suffix: str, name: str, fields: Fields) -> Format:
    """Tell what a file is.

    Parameters
    ----------
    head : str
        Its beginning; of a long file without the last line, which may be cut.
    suffix : str
        As `suffix_of` gives it.
    name : str
        How messages call it.
    fields : Fields
        Names by which a first line is known that names columns.

    Raises
    ------
    TextFormatError
        If its name promises what it is not, or something that is not read.
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
        # Of a line that fills the head, the end is not known.
        if _is_object(first) or len(first) >= HEAD // 4:
            return Format.JSON_LINES
        if is_json or suffix not in FOLDER_SUFFIXES:
            return Format.JSON_LINES if "\n" in start and suffix in (".jsonl", ".ndjson", ".jl") else Format.JSON
    # Lines of prose may begin with brackets.
    if first.startswith("[") and (is_json or start[1:].lstrip().startswith("{")):
        return Format.JSON
    if is_json:
        if not start or start.startswith('"'):
            return Format.JSON_LINES
        raise TextFormatError(f"{name}:1: not JSON: expected an object, or an array of them")
    lines = [line.rstrip("\r") for line in head.split("\n" if "\n" in head else "\r") if line.strip()]
    if looks_like_table(lines, fields):
        return Format.TABLE
    if looks_like_csv(lines, fields):
        raise _unread(name, ".csv")
    return Format.LINES


def _unread(name: str, suffix: str) -> TextFormatError:
    return TextFormatError(f"{name}: {_NOT_LINES[suffix]} cannot be read; write JSON lines, or id, tab and text")


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
