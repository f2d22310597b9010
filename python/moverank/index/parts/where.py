"""Conditions on payloads, as expressions of SQLite.

To evaluate one, the JSON texts of payloads are passed to SQLite as JSON arrays, a few thousand documents at a time;
there is no database.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date
from datetime import time as time_of_day
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.errors import IndexFormatError
from moverank.index.parts.arrays import require_offsets
from moverank.index.parts.ids import document_named
from moverank.index.parts.payload_values import json_value
from moverank.index.parts.payloads import is_json, texts_at, texts_of

#: Number of documents whose payloads are passed to SQLite at a time.
DOCUMENTS_AT_ONCE = 4096

#: Steps of SQLite's virtual machine (a few milliseconds) between two checks for Ctrl-C.
INSTRUCTIONS_AT_ONCE = 100_000

#: Maximum number of fields named in a condition.
MOST_FIELDS = 100

#: Actions of SQLite that a condition may use: subqueries, reading columns, and calling functions.
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)

#: Matches string literals, comments and names in brackets or backticks, to skip them; and, as group 1, a double quote.
#: SQLite treats a double-quoted name as a string literal if there is no such column, so that a misspelt field would
#: silently match nothing.
_DOUBLE_QUOTE = re.compile(r"""'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|\[[^\]]*\]|`[^`]*`|(")""", re.DOTALL)

#: Matches string literals and comments, to skip them; and, as groups, a name in brackets or backticks, a named
#: placeholder, or a bare name that is not that of a function.
_NAME = re.compile(
    r"""'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|\[([^\]]*)\]|`((?:[^`]|``)*)`|([:@$]\w+)"""
    r"""|(?<![\w$])([^\W\d][\w$]*)(?![\w$]|\s*\()""",
    re.DOTALL,
)

#: Tests whether a document has a payload, which do not read its text.
_EXISTENCE_TEST = re.compile(r"\bpayload\s+(IS\s*(NOT\s+)?NULL|NOT\s*NULL)\b", re.IGNORECASE)

#: Functions of SQLite with side effects, or whose results may be huge.
_REFUSED_FUNCTIONS = ("load_extension", "zeroblob", "randomblob", "printf", "format", "fts3_tokenizer")


#: Functions whose value may change from call to call, so that answers are not cached. Date functions are included, as
#: their argument may be 'now', which may be the value of a payload or a placeholder.
_VOLATILE_FUNCTIONS = frozenset({
    "date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff", "current_date", "current_time",
    "current_timestamp", "random", "changes", "total_changes", "last_insert_rowid",
})  # fmt: skip


@dataclass(frozen=True)
class Where:
    """A condition on payloads: an SQLite expression and the values for its ``?``. Made by `Where.of`.

    Attributes
    ----------
    expression : str
        The expression; it selects the documents for which it is true.
    values : tuple
        Values of the question marks, in order.
    fields : tuple of str
        Fields of payloads that the expression names as columns.
    whole : bool
        Whether it names ``payload``, the whole JSON text.
    lasting : bool
        Whether it depends only on payloads, not on the time or on random numbers, so that its result can be cached.
    deadline : float or None
        When evaluating it has to end, by `time.perf_counter`.
    """

    expression: str
    values: tuple[Any, ...]
    fields: tuple[str, ...]
    whole: bool = False
    lasting: bool = True
    deadline: float | None = field(default=None, compare=False)

    def within(self, deadline: float) -> Where:
        """The same, which has to be evaluated by then."""
        return replace(self, deadline=deadline)

    @classmethod
    def of(cls, condition: Any) -> Where:
        """Check a condition: an expression, or a tuple of an expression and its values.

        Raises
        ------
        TypeError
            If it is neither, or SQLite has no type for a value.
        ValueError
            If SQLite cannot parse the expression; the message includes that of SQLite.
        """
        expression, values = condition if isinstance(condition, tuple) and len(condition) == 2 else (condition, ())
        if not isinstance(expression, str) or isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
            raise TypeError(
                "where: expected an expression, a tuple (expression, values), or a function of a payload, got "
                f"{condition!r:.80}"
            )
        # The same conversion as of payloads, so that equal values compare equal.
        plain = tuple(json_value(v) if isinstance(v, (np.generic, date, time_of_day)) else v for v in values)
        for value in plain:
            if not (value is None or isinstance(value, (str, int, float, bytes))):
                raise TypeError(f"where: expected strings or numbers as values, got {value!r:.40}")
            if isinstance(value, str) and "\0" in value:
                raise ValueError(f"where: a value {_NUL}: {value!r:.40}")
        if any(found[1] for found in _DOUBLE_QUOTE.finditer(expression)):
            raise ValueError(
                f"where: {expression!r} has double quotes: put strings in single quotes, unusual names in [brackets]"
            )
        spelt = _names_in(expression)
        fields: list[str] = []
        whole = False
        called: set[str] = set()
        with closing(_connection(called)) as connection:
            # SQLite parses the expression; each column that it does not find is added as a field, and it tries again.
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
                    # SQLite's JSON paths cannot express a quote or a backslash.
                    is_field = missing and '"' not in missing and "\\" not in missing
                    if not is_field or missing in fields or len(fields) == MOST_FIELDS:
                        raise ValueError(f"where: {expression!r} is not a valid condition: {error}") from None
                    others = sorted(name for name in spelt if name != missing and _folded(name) == _folded(missing))
                    if others:
                        raise ValueError(
                            f"where: {expression!r} names {missing!r} and {others[0]!r}, which SQLite does not "
                            "distinguish: write one of them as payload ->> '$.name'"
                        ) from None
                    fields.append(missing)

    def matching(
        self, arrays: Mapping[str, NDArray[Any]], count: int, among: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Increasing positions of the documents of a part that satisfy the condition: `among` given ones, or all.

        Raises
        ------
        ValueError
            If SQLite cannot evaluate the condition.
        IndexFormatError
            If payloads are not JSON.
        TimeoutError
            If time is over before that is known.
        """
        if "payload_text" in arrays:
            require_offsets(arrays, "payload_offsets", "payload_text")
        asked = np.arange(count) if among is None else among
        found: list[int] = []
        with closing(_connection()) as connection:
            # Python handles signals during this callback; the exception of Ctrl-C then interrupts SQLite.
            connection.set_progress_handler(self._is_late, INSTRUCTIONS_AT_ONCE)
            for first in range(0, len(asked), DOCUMENTS_AT_ONCE):
                own = asked[first : first + DOCUMENTS_AT_ONCE]
                texts, places = texts_at(arrays, own), own.tolist()
                with_payload = [position for position, text in enumerate(texts) if text]
                joined = b"[" + b",".join([texts[position] for position in with_payload]) + b"]"
                if b"\\u0000" in joined:
                    self._require_no_nul(arrays, places, texts)
                bare = json.dumps([position for position, text in enumerate(texts) if not text]).encode()
                try:
                    for is_bare, place in self._found(connection, joined, bare):
                        found.append(places[place if is_bare else with_payload[place]])
                except (sqlite3.Error, UnicodeDecodeError, IndexError) as error:
                    if str(error) == "interrupted":
                        if self._is_late():
                            raise TimeoutError(f"where: {self.expression!r} was not evaluated in time") from None
                        raise KeyboardInterrupt from None
                    # A condition may itself parse strings of payloads as JSON; its failure is not damage.
                    if not isinstance(error, sqlite3.Error) or not is_json(joined):
                        raise IndexFormatError("payloads: are not JSON; the index's files are damaged") from None
                    raise ValueError(f"where: {self.expression!r} cannot be evaluated: {error}") from None
        return np.array(sorted(found), dtype=np.int64)

    def _is_late(self) -> bool:
        return self.deadline is not None and time.perf_counter() > self.deadline

    def _found(self, connection: sqlite3.Connection, given: bytes, bare: bytes) -> Iterator[tuple[int, int]]:
        """Yield (0, place in `given`) or (1, position in `bare`) for each document that satisfies the condition.

        `given` is a JSON array of payloads, `bare` one of the positions of documents without a payload.
        """
        # The expression must not be able to refer to names of this query, so they contain a mark that it does not.
        mark = "#"
        while mark in self.expression:
            mark += "#"
        own, payload = f'"{mark}bare", "{mark}place"', f'"{mark}payload"'
        columns = "".join(f", json_extract({payload}, {_path(name)}) AS {_quoted(name)}" for name in self.fields)
        if self.whole:
            columns += f", {payload} AS payload"
        # Functions return the texts, so that all placeholders of the query belong to the expression.
        texts = given.decode(), bare.decode()
        connection.create_function(f"{mark}given", 0, lambda: texts[0])
        connection.create_function(f"{mark}missing", 0, lambda: texts[1])
        # WITH is used as its tables have no rowid that an expression could name; a subquery has one in some builds of
        # SQLite. The expression has its own line, so that a comment at its end does not hide the parenthesis.
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

    def _require_no_nul(self, arrays: Mapping[str, NDArray[Any]], places: list[int], texts: list[bytes]) -> None:
        """Refuse strings with a NUL character in the data that the condition reads, as SQLite would truncate them."""
        reads_all = self.whole and "payload" in _EXISTENCE_TEST.sub("", self.expression).lower()
        for position, text in zip(places, texts, strict=True):
            if b"\\u0000" not in text or not is_json(text):
                continue
            payload = json.loads(text)
            for name in self.fields:
                if isinstance(payload, dict) and _has_nul(payload.get(name)):
                    named = document_named(arrays, position)
                    raise ValueError(f"where: field {name!r} of {named} {_NUL}: {payload[name]!r:.40}")
            if reads_all and _has_nul(payload):
                raise ValueError(f"where: payload of {document_named(arrays, position)} {_NUL}: {payload!r:.40}")


_NUL = "has a NUL character, at which SQLite would end the string"


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or _has_nul(inner) for name, inner in value.items())
    return any(map(_has_nul, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value


def _names_in(expression: str) -> set[str]:
    """Names in an expression, except those of functions."""
    names: set[str] = set()
    for bracketed, ticked, placeholder, bare in _NAME.findall(expression):
        if placeholder:
            raise ValueError(f"where: {expression!r} has {placeholder!r}: use ? or ?1 as placeholders of values")
        names.add(bracketed or ticked.replace("``", "`") or bare)
    return names


def _folded(name: str) -> str:
    """Name in lower case as SQLite folds it, which changes only ASCII letters."""
    return "".join(c.lower() if c.isascii() else c for c in name)


def fields_of(arrays: Mapping[str, NDArray[Any]], count: int, wanted: Sequence[str]) -> set[str]:
    """Those of given fields that a payload of a part has at its top level; stops as soon as all are found."""
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
    """Top-level fields of the first payloads of a part, for messages."""
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
    return b"[" + b",".join(text for text in texts_of(arrays, first, last) if text) + b"]"


def _rows(connection: sqlite3.Connection, query: str, joined: bytes) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query, (joined.decode(),)).fetchall()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if str(error) == "interrupted":
            raise KeyboardInterrupt from None
        raise IndexFormatError("payloads: are not JSON; the index's files are damaged") from None


def _connection(called: set[str] | None = None) -> sqlite3.Connection:
    """Open an empty database that allows only expressions; names of called functions are added to `called`."""
    connection = sqlite3.connect(":memory:")
    # SQLite declares json_each as a table at its first use, which the authorizer below would refuse.
    connection.execute("SELECT value FROM json_each('[]')").fetchall()

    def authorize(action: int, first: str | None, second: str | None, *others: object) -> int:
        if action not in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and second in _REFUSED_FUNCTIONS):
            return sqlite3.SQLITE_DENY
        if called is not None and action == sqlite3.SQLITE_FUNCTION:
            called.add(str(second).lower())
        return sqlite3.SQLITE_OK

    connection.set_authorizer(authorize)
    # Python handles signals during this callback; the exception of Ctrl-C then interrupts SQLite.
    connection.set_progress_handler(lambda: 0, INSTRUCTIONS_AT_ONCE)
    return connection


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _path(name: str) -> str:
    """JSON path of a field, as an SQL string literal."""
    return "'" + f'$."{name}"'.replace("'", "''") + "'"
