"""Types of fields in requests: one fault is found and told of, by names that clients know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Discriminator, Field, StrictInt, StrictStr, Tag
from pydantic_core import PydanticCustomError

T = TypeVar("T")

#: Names of branches, which the framework puts into the place of a fault; no client knows them.
_TEXT, _TEXTS, _NUMBER, OBJECT = "<text>", "<texts>", "<number>", "<object>"
_BRANCHES = {_TEXT, _TEXTS, _NUMBER, OBJECT}


def has_no_halves(given: Any) -> Any:
    """Refuse halves of surrogate pairs, which JSON can escape and no encoding can hold."""
    if isinstance(given, str):
        try:
            given.encode()  # much faster than to look at each character
        except UnicodeEncodeError:
            raise PydanticCustomError("half", "has half of a surrogate pair without the other half") from None
    return given


def _kind(given: Any) -> str | None:
    """Of a document: a text, or an object."""
    return _TEXT if isinstance(given, str) else OBJECT if isinstance(given, dict) else None


def _count(given: Any) -> str | None:
    """One text or several."""
    return _TEXT if isinstance(given, str) else _TEXTS if isinstance(given, list) else None


def _kind_of_id(given: Any) -> str | None:
    if isinstance(given, str):
        return _TEXT
    return _NUMBER if isinstance(given, int) and not isinstance(given, bool) else None


#: A list whose first wrong element ends the reading of it: a list of them all would take hundreds of times the memory
#: of the body, and seconds in which nobody else is answered.
Items = Annotated[list[T], Field(fail_fast=True)]
Text = Annotated[str, BeforeValidator(has_no_halves)]
#: One text, or a list of texts.
TextOrTexts = Annotated[
    Annotated[Text, Tag(_TEXT)] | Annotated[Items[Text], Tag(_TEXTS)],
    Discriminator(_count, custom_error_type="texts", custom_error_message="expected a text, or a list of texts"),
]
#: Chooses between a text and an object that is tagged `OBJECT`.
TEXT_OR_OBJECT = Discriminator(
    _kind, custom_error_type="document", custom_error_message="expected a text, or an object with a text"
)
TEXT = Tag(_TEXT)
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Capacity = Annotated[float, Field(ge=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
#: An id of a document.
Id = Annotated[
    Annotated[StrictInt, Field(ge=-(2**63), lt=2**63), Tag(_NUMBER)]
    | Annotated[StrictStr, Field(max_length=4096), BeforeValidator(has_no_halves), Tag(_TEXT)],
    Discriminator(_kind_of_id, custom_error_type="id", custom_error_message="expected a text, or a whole number"),
]


def named(place: Sequence[str | int]) -> list[str]:
    """The place of a fault without the names of branches."""
    return [str(part) for part in place if part not in _BRANCHES]


def with_one_unknown(given: Any, known: Sequence[str]) -> Any:
    """An object with the first of the fields that are not known alone, as one of them is enough to refuse it."""
    if not isinstance(given, dict) or len(given) <= len(known):
        return given
    unknown = next(name for name in given if name not in known)
    return {name: own for name, own in given.items() if name == unknown or name in known}
