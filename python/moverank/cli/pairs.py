"""Pairs of generated texts and references that commands read: lines of several files, or one file with both.

No text is left out for being empty: line n of one file belongs to line n of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moverank._support.wording import printable
from moverank.cli.errors import UserError
from moverank.readers.texts import STDIN, Fields
from moverank.readers.texts.formats import JSON_SUFFIXES, Format, format_of, suffix_of
from moverank.readers.texts.json_values import parsed, values_in
from moverank.readers.texts.lines import beginning, encoding_of, lines_of, require_encoding
from moverank.readers.texts.opening import Source, opened

#: Usual names of fields and columns; the first that is present is used.
CANDIDATE_FIELDS = ("candidate", "prediction", "hypothesis", "generated", "output")
REFERENCE_FIELDS = ("references", "reference", "targets", "target")


@dataclass(frozen=True)
class Pairs:
    """Generated texts, the references of each, at least one, and where each pair is, for messages."""

    candidates: list[str]
    references: list[list[str]]
    places: list[str]


def read_lines_of_pairs(candidates: Path, references: Sequence[Path], encoding: str | None) -> Pairs:
    """Read files of a text per line; each file of references has one for each candidate.

    Raises
    ------
    UserError
        If files differ in their number of lines, have none, or are not lines of text.
    """
    require_encoding(encoding)
    name, texts = _texts(candidates, encoding)
    columns = []
    for path in references:
        other, column = _texts(path, encoding)
        if len(column) != len(texts):
            raise UserError(
                f"{name} has {_counted(texts)}, but {other} has {_counted(column)}; line n of the one belongs to line "
                "n of the other, empty ones included"
            )
        columns.append(column)
    places = [f"{name}:{number}" for number in range(1, len(texts) + 1)]
    return Pairs(texts, [list(own) for own in zip(*columns, strict=True)], places)


def read_pairs(path: Path, candidate: str | None, references: Sequence[str] | None, encoding: str | None) -> Pairs:
    """Read one file of candidates with their references: objects of JSON, or columns that the first line names.

    Parameters
    ----------
    path : path
        The file.
    candidate : str, optional
        Field or column of candidates; a usual one by default.
    references : sequence of str, optional
        Fields or columns of references, each a text or a list of texts.
    encoding : str, optional
        Encoding if there is no byte order mark.

    Raises
    ------
    UserError, TextFormatError
        If the file has another layout, or a pair is incomplete; the message says where.
    """
    require_encoding(encoding)
    found = Pairs([], [], [])
    for place, row in _rows(path, candidate, references, encoding):
        found.candidates.append(_candidate(row, candidate, place))
        found.references.append(_references(row, references, place))
        found.places.append(place)
    if not found.candidates:
        raise UserError(f"{printable(str(path))}: no pairs in it")
    return found


# ---- lines -----------------------------------------------------------------------------------------------------------


def _texts(path: Path, encoding: str | None) -> tuple[str, list[str]]:
    """Name of a file in messages, and its lines."""
    with _decoded(path, encoding) as (source, own):
        suffix = _suffix(path)
        # By content alone: files of translations are often named by languages, and .ps is Pashto, too.
        found = format_of(beginning(source, own), suffix if suffix in JSON_SUFFIXES else "", source.name, Fields())
        if found is not Format.LINES:
            raise UserError(
                f"{source.name}: expected a text per line, got {found.value}; one file that has candidates and "
                "references in fields or columns is given without others"
            )
        texts = [line for _, line in lines_of(source, own, blank=True)]
        if not texts:
            raise UserError(f"{source.name}: no lines in it")
        return source.name, texts


def _counted(texts: list[str]) -> str:
    """Number of lines; empty ones at the end, which an editor hides, are mentioned."""
    last = next((n for n, text in enumerate(reversed(texts)) if text.strip()), len(texts))
    said = f"{len(texts)} line{'' if len(texts) == 1 else 's'}"
    return f"{said} (the last {last} empty)" if last else said


# ---- rows ------------------------------------------------------------------------------------------------------------


def _rows(
    path: Path, candidate: str | None, references: Sequence[str] | None, encoding: str | None
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Place and fields of each pair."""
    with _decoded(path, encoding) as (source, own):
        found = format_of(beginning(source, own), _suffix(path), source.name, Fields())
        if found is Format.JSON_LINES:
            for number, line in lines_of(source, own):
                place = f"{source.name}:{number}"
                yield place, _object(parsed(line, place), place)
        elif found is Format.JSON:
            for number, value in values_in(lines_of(source, own), source.name):
                place = f"{source.name}, element {number}"
                yield place, _object(value, place)
        else:
            yield from _table(lines_of(source, own, blank=True), source.name, candidate, references)


def _table(
    lines: Iterator[tuple[int, str]], name: str, candidate: str | None, references: Sequence[str] | None
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    _, first = next(lines, (0, ""))
    columns = first.split("\t")
    named = _first_of(CANDIDATE_FIELDS if candidate is None else (candidate,), columns)
    referred = [_first_of(REFERENCE_FIELDS, columns)] if references is None else references
    if named is None or not all(column in columns for column in referred):
        wanted = ", ".join(map(repr, [candidate or CANDIDATE_FIELDS[0], *(references or REFERENCE_FIELDS[1:2])]))
        raise UserError(
            f"{name}:1: expected objects of JSON, or a first line that names columns, tabs between, {wanted} among "
            "them; or, if these are lines of text, files of references as well"
        )
    if len(set(columns)) < len(columns):
        raise UserError(f"{name}:1: two columns have the same name")
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise UserError(f"{name}:{number}: expected {len(columns)} columns, as in the first line, got {len(cells)}")
        yield f"{name}:{number}", dict(zip(columns, cells, strict=True))


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{place}: expected an object with a candidate and its references")
    return value


def _candidate(row: Mapping[str, Any], field: str | None, place: str) -> str:
    name = _field(row, CANDIDATE_FIELDS if field is None else (field,), place, "the candidate")
    text = row[name]
    if not isinstance(text, str):
        raise UserError(f"{place}: {name}: expected a text, empty if nothing was generated, got {_kind(text)}")
    return text


def _references(row: Mapping[str, Any], fields: Sequence[str] | None, place: str) -> list[str]:
    names = [
        _field(row, usual, place, "references")
        for usual in ([REFERENCE_FIELDS] if fields is None else [(field,) for field in fields])
    ]
    found: list[str] = []
    for name in names:
        own = row[name] if isinstance(row[name], list) else [row[name]]
        for text in own:
            if not isinstance(text, str):
                raise UserError(f"{place}: {name}: expected a text or a list of texts, got {_kind(text)}")
        found += own
    if not found:
        raise UserError(f"{place}: {names[0]}: expected at least one reference, got none")
    return found


def _field(row: Mapping[str, Any], names: Sequence[str], place: str, what: str) -> str:
    name = _first_of(names, row)
    if name is None:
        fields = ", ".join(map(repr, list(row)[:12])) or "none"
        raise UserError(f"{place}: has no field {names[0]!r} for {what}; its fields are {fields}")
    return name


def _first_of(names: Sequence[str], present: Any) -> str | None:
    return next((name for name in names if name in present), None)


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


# ---- both ------------------------------------------------------------------------------------------------------------


@contextmanager
def _decoded(path: Path, encoding: str | None) -> Iterator[tuple[Source, str]]:
    """An open file, and its encoding."""
    with opened(path) as source:
        yield source, encoding_of(source, encoding)


def _suffix(path: Path) -> str:
    return "" if path == STDIN else suffix_of(path)
