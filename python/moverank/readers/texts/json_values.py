"""Streams of JSON values: one per line, several in a row, or the elements of an array larger than memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from moverank.errors import TextFormatError
from moverank.readers.texts.lines import MOST_BYTES

#: Characters read at a time.
_CHUNK = 1 << 16
#: An error within this many characters of the end of a chunk may be due to a token cut there, so more text is read.
_NEAR = 12
_WHITESPACE = " \t\r\n"


def parsed(text: str, place: str) -> Any:
    """Parse a text that is one JSON value."""
    try:
        return _whole(json.loads(text, parse_constant=_constant), text)
    except (ValueError, RecursionError) as error:
        raise TextFormatError(f"{place}: {_fault(error)}") from None


def values_in(lines: Iterator[tuple[int, str]], name: str) -> Iterator[tuple[int, Any]]:
    """Yield the elements of an array, or values in a row, numbered from 1. A value may span several lines.

    Raises
    ------
    TextFormatError
        If the text is not JSON; the message names the line.
    """
    reader = _Reader(lines, name)
    in_array = reader.takes("[")
    place = 0
    while not (reader.takes("]") if in_array else reader.ends()):
        if place and in_array:
            reader.require(",")
        place += 1
        yield place, reader.value()
    if not reader.ends():
        reader.refuse("there is more text after the end of the array")


class _Reader:
    """A text of which one part is in memory: from the current value to the end of a chunk."""

    def __init__(self, lines: Iterator[tuple[int, str]], name: str) -> None:
        self._lines, self._name = lines, name
        self._text, self._place, self._line, self._last = "", 0, 1, 0
        self._decoder = json.JSONDecoder(parse_constant=_constant)

    def takes(self, mark: str) -> bool:
        self._skip()
        if self._text[self._place : self._place + 1] != mark:
            return False
        self._place += 1
        return True

    def ends(self) -> bool:
        self._skip()
        return self._place == len(self._text)

    def require(self, mark: str) -> None:
        if not self.takes(mark):
            self.refuse("the array is not closed" if self.ends() else f"not JSON: expected {mark!r} or ']'")

    def value(self) -> Any:
        self._skip()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._place)
                found = _whole(value, self._text[self._place : end])
                self._place = end
                return found
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _NEAR
                if not cut or len(self._text) > MOST_BYTES or not self._more(len(self._text)):
                    self.refuse(_fault(error))
            except (ValueError, RecursionError) as error:
                self.refuse(_fault(error))

    def refuse(self, fault: str) -> NoReturn:
        line = self._line + self._text[: self._place].count("\n")
        raise TextFormatError(f"{self._name}:{line}: {fault}")

    def _skip(self) -> None:
        while True:
            while self._place < len(self._text) and self._text[self._place] in _WHITESPACE:
                self._place += 1
            if self._place < len(self._text) or not self._more(0):
                return

    def _more(self, least: int) -> bool:
        """Read at least this many more characters.

        `value` asks for as many as it has, so that the time to read a long value is not quadratic in its length.
        """
        self._line += self._text.count("\n", 0, self._place)
        kept, self._place = self._text[self._place :], 0
        parts, size = [kept], 0
        while size < max(_CHUNK, least):
            number, line = next(self._lines, (0, ""))
            if not number:
                break
            # `lines` omits blank lines. They are put back, so that line numbers in messages are right.
            parts.append("\n" * (number - self._last) + line if self._last else line)
            if not self._last:
                self._line = number
            self._last = number
            size += len(line) + 1
        self._text = "".join(parts)
        return size > 0


def _whole(value: Any, text: str) -> Any:
    if "\\u" in text:
        # An escape may stand for half of a surrogate pair, which can be neither encoded nor printed: encoding fails.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _fault(error: ValueError | RecursionError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "has half of a surrogate pair, which is not a character"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg}"
    if isinstance(error, RecursionError):
        return "not JSON: nested too deeply"
    return f"not JSON: {error}" if "JSON" in str(error) else "not JSON: a number with too many digits"
