"""Texts in tab-separated columns: an id and a text, or columns named by the first line."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from moverank.errors import TextFormatError
from moverank.readers.texts.document import ID_FIELDS, TEXT_FIELDS, TITLE, Document, Fields


def documents_of_table(
    lines: Iterator[tuple[int, str]], name: str, fields: Fields, default_id: Callable[[int], str]
) -> Iterator[Document]:
    """Documents of a table. Quotes have no special meaning, as in the files of MS MARCO.

    Raises
    ------
    TextFormatError
        If a line has the wrong number of columns; the message names the line.
    """
    header: list[str] | None = None
    for place, (number, line) in enumerate(lines):
        where, cells = f"{name}:{number}", line.split("\t")
        if place == 0 and names_columns(cells, fields):
            header = cells
            if len(set(cells)) < len(cells):
                raise TextFormatError(f"{where}: two columns have the same name")
        elif place == 0 and fields.asked:
            missing = next(f"{name!r} for the {what}" for what, name in fields.asked.items() if name not in cells)
            first = ", ".join(f"{cell:.40}" for cell in map(repr, cells[:12]))
            raise TextFormatError(f"{where}: the first line names no column {missing}; it has {first}")
        elif header is not None:
            if len(cells) != len(header):
                raise TextFormatError(
                    f"{where}: expected {len(header)} columns, as in the first line, got {len(cells)}"
                )
            row = {column: cell for column, cell in zip(header, cells, strict=True) if column}
            yield fields.document(row, where, default_id(number))
        elif len(cells) == 2:
            if not cells[0].strip():
                raise TextFormatError(f"{where}: the id, before the tab, is empty")
            yield Document(cells[0].strip(), "", cells[1], {}, where)
        else:
            raise TextFormatError(
                f"{where}: expected an id, a tab and a text, or a first line with names of columns "
                f"(such as id, title, text), got {len(cells)} column{'s' if len(cells) > 1 else ''}"
            )


def looks_like_table(lines: list[str], fields: Fields) -> bool:
    """Whether the first line names columns, or each line is a distinct word, a tab, and a text (possibly empty)."""
    cells = [line.split("\t") for line in lines]
    if cells and len(cells[0]) > 1 and names_columns(cells[0], fields):
        return True
    ids = [row[0] for row in cells]
    shaped = all(len(row) == 2 and row[0] and not any(map(str.isspace, row[0])) for row in cells)
    return shaped and any(row[1].strip() for row in cells) and len(set(ids)) == len(ids)


def looks_like_csv(lines: list[str], fields: Fields) -> bool:
    """Whether the first line names columns separated by commas or semicolons, and is not a sentence with commas."""
    first, rest = (lines[0], lines[1:2]) if lines else ("", [])
    spaced = any(map(str.isspace, first))
    for mark in ",;":
        names = [cell.strip().strip("\"'").strip() for cell in first.split(mark)]
        # A first line with spaces may be a sentence with a comma, so the next line must have a comma too.
        if len(names) == 1 or not (all(mark in line for line in rest) if rest else not spaced):
            continue
        lower = [name.lower() for name in names]
        if names_columns(names, fields) or names_columns(lower, fields):
            return True
        if not fields.asked and not spaced and TEXT_FIELDS[0] in lower:
            return True
    return False


def names_columns(cells: list[str], fields: Fields) -> bool:
    """Whether the cells of a first line are the requested column names, or enough of the usual ones."""
    if fields.asked:
        return all(name in cells for name in fields.asked.values())
    has_id, has_text = (any(name in cells for name in usual) for usual in (ID_FIELDS, TEXT_FIELDS))
    return (has_text and (has_id or TITLE in cells)) or (has_id and TITLE in cells)
