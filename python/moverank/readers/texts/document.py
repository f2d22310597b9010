"""One text document, and its construction from a JSON object or a row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moverank.errors import TextFormatError

#: Usual field names of ids and texts; the first that is present is used.
ID_FIELDS = ("id", "_id", "docno", "docid", "doc_id", "pid", "qid", "query_id")
TEXT_FIELDS = ("text", "contents", "content", "body", "passage", "query", "question")
TITLE = "title"


@dataclass(frozen=True)
class Document:
    """A text with its id and other fields.

    Attributes
    ----------
    id : str
        The id in the file; if the file has no ids, one made from the document's position.
    title, text : str
        One of them may be empty.
    fields : dict
        The other fields in the file.
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
        """Title and text together: what is encoded."""
        return " ".join(part for part in (self.title, self.text) if part.strip())


@dataclass(frozen=True)
class Fields:
    """The fields of objects and tables that hold the id and the text.

    Parameters
    ----------
    id, text : str, optional
        Names of the fields; by default, the first of the usual names that is present.
    """

    id: str | None = None
    text: str | None = None

    @property
    def asked(self) -> dict[str, str]:
        """The names that were given, by their role."""
        return {what: name for what, name in (("id", self.id), ("text", self.text)) if name is not None}

    def require_none(self, place: str, read_as: str) -> None:
        """Refuse names of fields for a format that has no fields.

        Raises
        ------
        TextFormatError
            If a name was given.
        """
        if self.asked:
            what, name = next(iter(self.asked.items()))
            raise TextFormatError(f"{place}: has no field {name!r} for the {what}: it is read as {read_as}")

    def id_in(self, names: Mapping[str, Any]) -> str | None:
        """Name of the field with the id; None if there is none with a value."""
        usual = ID_FIELDS if self.id is None else (self.id,)
        return next((name for name in usual if names.get(name) is not None), None)

    def text_in(self, names: Mapping[str, Any]) -> str | None:
        """Name of the field with the text, preferably one with a value; None if there is none."""
        usual = [name for name in (TEXT_FIELDS if self.text is None else (self.text,)) if name in names]
        return next((name for name in usual if names[name] is not None), usual[0] if usual else None)

    def document(self, row: Mapping[str, Any], place: str, default_id: str) -> Document:
        """Make a document of an object's fields.

        Raises
        ------
        TextFormatError
            If there is neither a text nor a title, one of them is not a string, or a field named by the user is
            missing.
        """
        id_name, text_name = self.id_in(row), self.text_in(row)
        if self.id is not None and id_name is None:
            raise TextFormatError(f"{place}: has no field {self.id!r} for the id; its fields are {_listed(row)}")
        if text_name is None and (self.text is not None or TITLE not in row):
            wanted = "text" if self.text is None else self.text
            raise TextFormatError(f"{place}: has no field {wanted!r} for the text; its fields are {_listed(row)}")
        others = {name: value for name, value in row.items() if name not in (id_name, text_name, TITLE)}
        name = default_id if id_name is None else _id(row[id_name], id_name, place)
        title = "" if text_name == TITLE else _string(row, TITLE, place)
        text = "" if text_name is None else _string(row, text_name, place)
        return Document(name, title, text, others, place)


def _id(value: Any, name: str, place: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TextFormatError(f"{place}: {name}: expected a string or a whole number, got {type(value).__name__}")
    if value == "":
        raise TextFormatError(f"{place}: {name} is empty")
    return str(value)


def _string(row: Mapping[str, Any], name: str, place: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TextFormatError(f"{place}: {name}: expected a string, got {type(value).__name__}")
    return value


def _listed(row: Mapping[str, Any]) -> str:
    names = [repr(name) for name in row]
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "") if names else "none"
