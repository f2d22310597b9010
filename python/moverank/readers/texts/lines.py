"""Decoding of bytes: the encoding of a file, and its numbered lines."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from moverank.errors import TextFormatError
from moverank.readers.texts.opening import HEAD, Source, opened

#: Maximum bytes of a line, or of a file that is one document; a larger text is taken for a mistake.
MOST_BYTES = 1 << 26

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, as this mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(source: Source, given: str | None = None) -> str:
    """Encoding of a file: that of its byte order mark, else the given one, else UTF-8.

    Raises
    ------
    TextFormatError
        If the file is not text.
    """
    for mark, encoding in _MARKS:
        if source.head.startswith(mark):
            return encoding
    if given is not None and _is_wide(given):
        return given
    if b"\x00" in source.head:
        raise TextFormatError(f"{source.name}: is binary, not text")
    return "utf-8" if given is None else given


def is_encoding(name: str) -> bool:
    """Whether a name is a text encoding of Python; some of its codecs, such as rot13, are not."""
    try:
        "a".encode(name)
    except (LookupError, UnicodeError):
        return False
    return True


def require_encoding(name: str | None) -> None:
    """Refuse what is not the name of a text encoding."""
    if name is not None and not is_encoding(name):
        raise ValueError(f"encoding: expected the name of a text encoding of Python, got {name!r}")


def beginning(source: Source, encoding: str) -> str:
    """The first lines of a file, by which its format is recognised."""
    head = source.head.decode(encoding, "ignore")
    return head.rpartition("\n")[0] if len(source.head) == HEAD and "\n" in head else head


def lines_of(source: Source, encoding: str, *, blank: bool = False) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, or all, with their numbers. They end as on Unix, Windows or the old Macintosh."""
    for number, raw in enumerate(_split(source, encoding), start=1):
        if len(raw) >= MOST_BYTES:
            raise TextFormatError(f"{source.name}:{number}: the line has {MOST_BYTES >> 20} MiB or more")
        try:
            line = (
                raw if isinstance(raw, str) else raw.decode(encoding if number == 1 else encoding.removesuffix("-sig"))
            )
        except UnicodeDecodeError:
            raise TextFormatError(f"{source.name}:{number}: not {_name_of(encoding)} text") from None
        if "\x00" in line:
            raise TextFormatError(f"{source.name}:{number}: has a NUL byte, so the file is binary, not text")
        if blank or line.strip():
            yield number, line.rstrip("\r\n")


def whole_text(source: Source, encoding: str) -> str:
    """All of a file as one text."""
    raw = source.stream.read(MOST_BYTES)
    if len(raw) == MOST_BYTES:
        raise TextFormatError(f"{source.name}: has {MOST_BYTES >> 20} MiB or more, too much for one document")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TextFormatError(f"{source.name}:{line}: not {_name_of(encoding)} text") from None
    if "\x00" in text:
        raise TextFormatError(f"{source.name}: is binary, not text")
    return text


def read_lines(path: Path, *, encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """Lines of a file that are not blank, with their numbers.

    Parameters
    ----------
    path : path
        The file, compressed or not; ``-`` for standard input.
    encoding : str, optional
        Encoding if the file has no byte order mark; UTF-8 by default.

    Yields
    ------
    tuple of int and str
        Number of the line, from 1, and the line.

    Raises
    ------
    OSError
        If the file cannot be read.
    TextFormatError
        If the file is not text; the message names the line.
    """
    with opened(path) as source:
        yield from lines_of(source, encoding_of(source, encoding))


def read_text(path: Path, *, encoding: str | None = None) -> str:
    """Return the whole text of a file; arguments and errors are those of `read_lines`."""
    with opened(path) as source:
        return whole_text(source, encoding_of(source, encoding))


def _split(source: Source, encoding: str) -> Iterator[bytes | str]:
    only_returns = b"\r" in source.head and b"\n" not in source.head
    if not (_is_wide(encoding) or only_returns):
        # Split bytes, not characters: a decoding error then has a line number, and characters that Python's text mode
        # takes for line ends may occur within a line of JSON.
        while line := source.stream.readline(MOST_BYTES):
            yield line
        return
    text = io.TextIOWrapper(source.stream, encoding, newline=None if only_returns else "\n")
    number = 1
    try:
        while decoded := text.readline(MOST_BYTES):
            yield decoded
            number += 1
    except UnicodeError:
        raise TextFormatError(
            f"{source.name}:{number}: not {_name_of(encoding)} text at or shortly after this line"
        ) from None
    finally:
        text.detach()


def _is_wide(encoding: str) -> bool:
    """Whether characters take several bytes, one of which may look like a line end."""
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32", "utf-7"))


def _name_of(encoding: str) -> str:
    return "UTF-8" if encoding.startswith("utf-8") else encoding
