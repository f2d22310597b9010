"""What is kept with documents beside their tokens: one JSON value each. SQLite chooses by it.

The texts of a part lie back to back in UTF-8. A condition is evaluated by SQLite, which reads them as one JSON
array after another; nothing is kept in a database.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, time
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.errors import IndexFormatError
from moverank.index.parts.arrays import require_cuts
from moverank.index.parts.payload_values import json_value, payload_list

#: A condition on payloads: `Where.of` takes it.
Condition = str | tuple[str, Sequence[Any]]

#: Documents whose payloads SQLite reads at a time.
DOCUMENTS_AT_ONCE = 4096

#: Steps of SQLite's machine, some milliseconds, between which Ctrl-C is answered.
INSTRUCTIONS_AT_ONCE = 100_000

#: Fields that one condition may name.
MOST_FIELDS = 100

#: What a condition may do: read, compute, ask within itself.
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)

#: Texts, comments and names in brackets or backticks, or else a double quote: SQLite takes what is in these for a text
#: if there is no such column, so that a misspelt field would be found nowhere, without a word.
_DOUBLE_QUOTE = re.compile(r"""'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|\[[^\]]*\]|`[^`]*`|(")""", re.DOTALL)

#: Texts and comments, in which nothing is named; or else a name in brackets, in backticks or bare, of no function; or a
#: placeholder with a name.
_NAME = re.compile(
    r"""'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|\[([^\]]*)\]|`((?:[^`]|``)*)`|([:@$]\w+)"""
    r"""|(?<![\w$])([^\W\d][\w$]*)(?![\w$]|\s*\()""",
    re.DOTALL,
)

#: Where a condition asks no more of a payload than whether there is one.
_IS_THERE = re.compile(r"\bpayload\s+(IS\s*(NOT\s+)?NULL|NOT\s*NULL)\b", re.IGNORECASE)

#: Functions of SQLite that reach beyond the expression, or that may make it endless or huge.
_REFUSED_FUNCTIONS = ("load_extension", "zeroblob", "randomblob", "printf", "format", "fts3_tokenizer")


#: Functions whose value may be another at the next call, so that no answer is kept. Those of dates are among them, as
#: they take 'now', which may come from a payload or a value.
_VOLATILE_FUNCTIONS = frozenset({
    "date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff", "current_date", "current_time",
    "current_timestamp", "random", "changes", "total_changes", "last_insert_rowid",
})  # fmt: skip


def payload_arrays(payloads: Any, count: int) -> dict[str, NDArray[Any]]:
    """Check payloads and make their arrays; none if there is nothing to keep.

    Raises
    ------
    TypeError, ValueError
        If something is not a JSON value, or there are more or fewer than documents; the message names the document.
    """
    if payloads is None:
        return {}
    listed = payload_list(payloads)
    if len(listed) != count:
        raise ValueError(f"payloads: expected {count}, one per document, got {len(listed)}")
    texts = [b"" if value is None else _text_of(value, position) for position, value in enumerate(listed)]
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    if offsets[-1] == 0:
        return {}
    text = np.frombuffer(b"".join(texts), dtype=np.uint8)
    offsets.flags.writeable = False
    return {"payload_offsets": offsets, "payload_text": text}


def _text_of(value: Any, position: int) -> bytes:
    where = f"payloads: document {position}"
    try:
        plain = json_value(value)
        return json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None
    except UnicodeEncodeError as error:
        raise ValueError(f"{where}: {error.object!r:.40} is not valid Unicode") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def payload_at(arrays: Mapping[str, NDArray[Any]], position: int) -> Any:
    """What was given with a document; None if nothing was."""
    text = _texts(arrays, position, position + 1)[0] if "payload_text" in arrays else b""
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise IndexFormatError(f"payload of document {position}: is not JSON; the index's files are damaged") from None


def _is_json(octets: bytes) -> bool:
    try:
        json.loads(octets)
    except (ValueError, RecursionError):
        return False
    return True


def _texts(arrays: Mapping[str, NDArray[Any]], first: int, last: int) -> list[bytes]:
    cuts = arrays["payload_offsets"][first : last + 1].tolist()
    octets = arrays["payload_text"][cuts[0] : cuts[-1]].tobytes()
    return [octets[start - cuts[0] : end - cuts[0]] for start, end in pairwise(cuts)]


@dataclass(frozen=True)
class Where:
    """A condition on payloads: an expression of SQLite and the values for its ``?``. Made by `Where.of`.

    Attributes
    ----------
    expression : str
        What has to be true.
    values : tuple
        In the order of the question marks.
    fields : tuple of str
        Fields of payloads that the expression names, as columns.
    whole : bool
        Whether it names ``payload``.
    lasting : bool
        Whether it depends on nothing but payloads, so that an answer can be kept: not on the time, nor on chance.
    """

    expression: str
    values: tuple[Any, ...]
    fields: tuple[str, ...]
    whole: bool = False
    lasting: bool = True

    @classmethod
    def of(cls, condition: Any) -> Where:
        """Check a condition: an expression, or a tuple of one and its values.

        Raises
        ------
        TypeError
            If it is something else, or SQLite cannot hold a value.
        ValueError
            If SQLite cannot read it; the message says what SQLite does.
        """
        expression, values = condition if isinstance(condition, tuple) and len(condition) == 2 else (condition, ())
        if not isinstance(expression, str) or isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
            raise TypeError(f"where: expected an expression, or a tuple of one and its values, got {condition!r:.80}")
        # As payloads were converted.
        plain = tuple(json_value(v) if isinstance(v, (np.generic, date, time)) else v for v in values)
        for value in plain:
            if not (value is None or isinstance(value, (str, int, float, bytes))):
                raise TypeError(f"where: a value has to be a string or a number, got {value!r:.40}")
            if isinstance(value, str) and "\0" in value:
                raise ValueError(f"where: a value has a NUL character, at which SQLite's texts end: {value!r:.40}")
        if any(found[1] for found in _DOUBLE_QUOTE.finditer(expression)):
            raise ValueError(
                f"where: {expression!r} has double quotes: texts stand in single ones, unusual names in [brackets]"
            )
        spelt = _names_in(expression)
        fields: list[str] = []
        whole = False
        called: set[str] = set()
        with closing(_connection(called)) as connection:
            while True:
                where = cls(expression, plain, tuple(fields), whole)
                try:
                    list(where._found(connection, b"[]", b"[]"))
                    return replace(where, lasting=called.isdisjoint(_VOLATILE_FUNCTIONS))
                except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
                    missing = str(error).partition("no such column: ")[2]
                    if missing.lower() == "payload" and not whole:
                        whole = True
                        continue
                    # SQLite's paths have no way to write a quote or a backslash.
                    unnamable = not missing or '"' in missing or "\\" in missing
                    if unnamable or missing in fields or len(fields) == MOST_FIELDS:
                        raise ValueError(f"where: {expression!r} is not a valid condition: {error}") from None
                    others = sorted(name for name in spelt if name != missing and _folded(name) == _folded(missing))
                    if others:
                        raise ValueError(
                            f"where: {expression!r} names {missing!r} and {others[0]!r}, which SQLite takes for one: "
                            "read one of them as payload ->> '$.name'"
                        ) from None
                    fields.append(missing)

    def matching(self, arrays: Mapping[str, NDArray[Any]], count: int) -> NDArray[np.int64]:
        """Rising positions of the documents of a part for which the condition holds.

        Raises
        ------
        ValueError
            If SQLite cannot evaluate it.
        IndexFormatError
            If payloads are not JSON.
        """
        if "payload_text" in arrays:
            require_cuts(arrays, "payload_offsets", "payload_text")
        found: list[int] = []
        with closing(_connection()) as connection:
            for first in range(0, count, DOCUMENTS_AT_ONCE):
                last = min(first + DOCUMENTS_AT_ONCE, count)
                texts = _texts(arrays, first, last) if "payload_text" in arrays else [b""] * (last - first)
                given = [position for position, text in enumerate(texts) if text]
                joined = b"[" + b",".join([texts[position] for position in given]) + b"]"
                if b"\\u0000" in joined:
                    self._require_no_nul(texts, first)
                bare = json.dumps([position for position, text in enumerate(texts) if not text]).encode()
                try:
                    for is_bare, place in self._found(connection, joined, bare):
                        found.append(first + (place if is_bare else given[place]))
                except (sqlite3.Error, UnicodeDecodeError, IndexError) as error:
                    if str(error) == "interrupted":
                        raise KeyboardInterrupt from None
                    # The condition may read texts of payloads as JSON that are none, which is not a fault of the files.
                    if not isinstance(error, sqlite3.Error) or not _is_json(joined):
                        raise IndexFormatError("payloads: are not JSON; the index's files are damaged") from None
                    raise ValueError(f"where: {self.expression!r} cannot be evaluated: {error}") from None
        return np.array(sorted(found), dtype=np.int64)

    def _found(self, connection: sqlite3.Connection, given: bytes, bare: bytes) -> Iterator[tuple[int, int]]:
        """Places, in the one array or the other, of what fulfils the condition."""
        # No name of this query may be one that the expression can name.
        mark = "#"
        while mark in self.expression:
            mark += "#"
        own, payload = f'"{mark}bare", "{mark}place"', f'"{mark}payload"'
        columns = "".join(f", json_extract({payload}, {_path(name)}) AS {_quoted(name)}" for name in self.fields)
        if self.whole:
            columns += f", {payload} AS payload"
        # Functions give the texts, so that all placeholders are those of the expression.
        texts = given.decode(), bare.decode()
        connection.create_function(f"{mark}given", 0, lambda: texts[0])
        connection.create_function(f"{mark}missing", 0, lambda: texts[1])
        # A table of WITH has no rowid; a subquery has one in some builds of SQLite. The expression stands on a line of
        # its own, so that a comment in it ends there.
        query = f"""
            WITH "{mark}texts" ({own}, {payload}) AS (
                SELECT 0, key, CASE WHEN type IN ('object', 'array') THEN value ELSE json_quote(value) END
                FROM json_each("{mark}given"())
                UNION ALL SELECT 1, value, NULL FROM json_each("{mark}missing"())
            ), "{mark}fields" AS (SELECT {own}{columns} FROM "{mark}texts")
            SELECT {own} FROM "{mark}fields" WHERE (
            {self.expression}
            )"""
        yield from connection.execute(query, self.values)

    def _require_no_nul(self, texts: list[bytes], first: int) -> None:
        """Refuse payloads whose texts SQLite would read as far as a NUL character, where the condition reads them."""
        reads_all = self.whole and "payload" in _IS_THERE.sub("", self.expression).lower()
        for position, text in enumerate(texts, first):
            if b"\\u0000" not in text or not _is_json(text):
                continue
            payload = json.loads(text)
            for field in self.fields:
                if isinstance(payload, dict) and _has_nul(payload.get(field)):
                    raise ValueError(f"where: field {field!r} of document {position} {_NUL}: {payload[field]!r:.40}")
            if reads_all and _has_nul(payload):
                raise ValueError(f"where: payload of document {position} {_NUL}: {payload!r:.40}")


_NUL = "has a NUL character, at which SQLite's texts end"


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or _has_nul(inner) for name, inner in value.items())
    return any(map(_has_nul, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value


def _names_in(expression: str) -> set[str]:
    """Names in an expression, but those of functions."""
    names: set[str] = set()
    for bracketed, ticked, placeholder, bare in _NAME.findall(expression):
        if placeholder:
            raise ValueError(f"where: {expression!r} has {placeholder!r}: values stand for ? or ?1, in their order")
        names.add(bracketed or ticked.replace("``", "`") or bare)
    return names


def _folded(name: str) -> str:
    """As SQLite compares names, of which it folds ASCII alone."""
    return "".join(c.lower() if c.isascii() else c for c in name)


def fields_of(arrays: Mapping[str, NDArray[Any]], count: int, wanted: Sequence[str]) -> set[str]:
    """Which of some fields any payload of a part has at its top; reads no further than to find them."""
    missing = dict.fromkeys(wanted)
    if "payload_text" not in arrays:
        return set()
    with closing(_connection()) as connection:
        for first in range(0, count, DOCUMENTS_AT_ONCE):
            joined = _joined(arrays, first, min(first + DOCUMENTS_AT_ONCE, count))
            for name in list(missing):
                found = f"CASE type WHEN 'object' THEN json_type(value, {_path(name)}) END"
                query = f"SELECT 1 FROM json_each(?) WHERE {found} IS NOT NULL"
                if _rows(connection, f"{query} LIMIT 1", joined):
                    missing.pop(name)
            if not missing:
                break
    return set(wanted) - set(missing)


def some_fields(arrays: Mapping[str, NDArray[Any]], count: int) -> set[str]:
    """Fields at the top of the first payloads of a part, for messages."""
    if "payload_text" not in arrays:
        return set()
    with closing(_connection()) as connection:
        joined = _joined(arrays, 0, min(DOCUMENTS_AT_ONCE, count))
        query = """
            SELECT DISTINCT own.key FROM json_each(?) AS one,
                json_each(CASE one.type WHEN 'object' THEN one.value ELSE '{}' END) AS own
        """
        return {str(name) for (name,) in _rows(connection, query, joined)}


def _joined(arrays: Mapping[str, NDArray[Any]], first: int, last: int) -> bytes:
    return b"[" + b",".join(text for text in _texts(arrays, first, last) if text) + b"]"


def _rows(connection: sqlite3.Connection, query: str, joined: bytes) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query, (joined.decode(),)).fetchall()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if str(error) == "interrupted":
            raise KeyboardInterrupt from None
        raise IndexFormatError("payloads: are not JSON; the index's files are damaged") from None


def _connection(called: set[str] | None = None) -> sqlite3.Connection:
    """A database of nothing; `called` takes the functions that statements call."""
    connection = sqlite3.connect(":memory:")
    # Once, before anything is refused: SQLite declares json_each as a table when it is first used.
    connection.execute("SELECT value FROM json_each('[]')").fetchall()

    def authorize(action: int, first: str | None, second: str | None, *others: object) -> int:
        if action not in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and second in _REFUSED_FUNCTIONS):
            return sqlite3.SQLITE_DENY
        if called is not None and action == sqlite3.SQLITE_FUNCTION:
            called.add(str(second).lower())
        return sqlite3.SQLITE_OK

    connection.set_authorizer(authorize)
    # Python looks for signals while it calls back; its exception stops SQLite, which then says that it was interrupted.
    connection.set_progress_handler(lambda: 0, INSTRUCTIONS_AT_ONCE)
    return connection


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _path(name: str) -> str:
    """A string of SQL: the path of a field of an object."""
    return "'" + f'$."{name}"'.replace("'", "''") + "'"
