"""One text that was read, and how it is made of an object of JSON or of a row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moverank.errors import TextFormatError

#: Names under which ids and texts are looked for, the first that is there.
ID_FIELDS = ("id", "_id", "docno", "docid", "doc_id", "pid", "qid", "query_id")
TEXT_FIELDS = ("text", "contents", "content", "body", "passage", "query", "question")
TITLE = "title"


@dataclass(frozen=True)
class Document:
    """A text, what it is called, and what came with it.

    Attributes
    ----------
    id : str
        What it is called: in the file, or else after its place there.
    title, text : str
        What it says; one of them may be empty.
    fields : dict
        What else the file has of it.
    place : str
        File and line, for messages.
    """

    id: str
    title: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    @property
    def content(self) -> str:
        """Title and text together, which is what gets encoded."""
        return " ".join(part for part in (self.title, self.text) if part.strip())


@dataclass(frozen=True)
class Fields:
    """Which fields of objects and tables are the id and the text; by default, the usual names are looked for.

    Parameters
    ----------
    id, text : str, optional
        The names.
    """

    id: str | None = None
    text: str | None = None

    @property
    def asked(self) -> dict[str, str]:
        """Those that were named."""
        return {what: name for what, name in (("id", self.id), ("text", self.text)) if name is not None}

    def require_none(self, place: str, read_as: str) -> None:
        """Refuse names of fields for what has none.

        Raises
        ------
        TextFormatError
            If one was named.
        """
        if self.asked:
            what, name = next(iter(self.asked.items()))
            raise TextFormatError(f"{place}: no field {name!r} for the {what}: read as {read_as}, which has no fields")

    def id_in(self, names: Mapping[str, Any]) -> str | None:
        """Name of the id among names that have a value; None if there is none."""
        usual = ID_FIELDS if self.id is None else (self.id,)
        return next((name for name in usual if names.get(name) is not None), None)

    def text_in(self, names: Mapping[str, Any]) -> str | None:
        """Name of the text among names, sooner one that has a value; None if there is none."""
        usual = [name for name in (TEXT_FIELDS if self.text is None else (self.text,)) if name in names]
        return next((name for name in usual if names[name] is not None), usual[0] if usual else None)

    def document(self, row: Mapping[str, Any], place: str, default_id: str) -> Document:
        """Document of an object.

        Raises
        ------
        TextFormatError
            If it has neither text nor title, or they are not strings, or an id that was asked for is missing.
        """
        id_name, text_name = self.id_in(row), self.text_in(row)
        if self.id is not None and id_name is None:
            raise TextFormatError(f"{place}: no field {self.id!r} for the id; there are {_listed(row)}")
        if text_name is None and (self.text is not None or TITLE not in row):
            wanted = "text" if self.text is None else self.text
            raise TextFormatError(f"{place}: no field {wanted!r} for the text; there are {_listed(row)}")
        others = {name: value for name, value in row.items() if name not in (id_name, text_name, TITLE)}
        name = default_id if id_name is None else _id(row[id_name], id_name, place)
        title = "" if text_name == TITLE else _string(row, TITLE, place)
        text = "" if text_name is None else _string(row, text_name, place)
        return Document(name, title, text, others, place)


def _id(value: Any, name: str, place: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TextFormatError(f"{place}: {name} is neither a string nor a whole number")
    if value == "":
        raise TextFormatError(f"{place}: {name} is empty")
    return str(value)


def _string(row: Mapping[str, Any], name: str, place: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TextFormatError(f"{place}: {name} is not a string")
    return value


def _listed(row: Mapping[str, Any]) -> str:
    names = [repr(name) for name in row]
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "") if names else "none"
