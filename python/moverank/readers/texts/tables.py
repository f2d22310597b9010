"""Texts in columns between which stand tabs: id and text, or columns that the first line names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from moverank.errors import TextFormatError
from moverank.readers.texts.document import ID_FIELDS, TEXT_FIELDS, TITLE, Document, Fields


def documents_of_table(
    lines: Iterator[tuple[int, str]], name: str, fields: Fields, default_id: Callable[[int], str]
) -> Iterator[Document]:
    """Documents of a table. Nothing is quoted, as MS MARCO's files have it.

    Raises
    ------
    TextFormatError
        If a line has other columns than it should; the message names it.
    """
    header: list[str] | None = None
    for place, (number, line) in enumerate(lines):
        where, cells = f"{name}:{number}", line.split("\t")
        if place == 0 and _is_header(cells, fields):
            header = cells
            if len(set(cells)) < len(cells):
                raise TextFormatError(f"{where}: two columns have the same name")
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


def looks_like_table(lines: list[str]) -> bool:
    """Whether each line is one word, different ones, a tab, and a text, which some may lack."""
    cells = [line.split("\t") for line in lines]
    ids = [row[0] for row in cells]
    shaped = all(len(row) == 2 and row[0] and not any(map(str.isspace, row[0])) for row in cells)
    return shaped and any(row[1].strip() for row in cells) and len(set(ids)) == len(ids)


def _is_header(cells: list[str], fields: Fields) -> bool:
    ids = ID_FIELDS if fields.id is None else (fields.id,)
    texts = TEXT_FIELDS if fields.text is None else (fields.text,)
    asked = fields.id is not None or fields.text is not None
    has_id, has_text = any(name in cells for name in ids), any(name in cells for name in texts)
    return asked or (has_text and (has_id or TITLE in cells)) or (has_id and TITLE in cells)
