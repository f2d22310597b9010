"""Filters by payload: what users may pass as `where=`, and what a filter has to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from moverank._support.notes import add_note
from moverank.index.parts.ids import document_named
from moverank.index.parts.payloads import payload_at
from moverank.index.parts.where import Where

#: What users pass as `where`: an SQLite expression, one with values for its placeholders, or a function of a payload.
Condition = str | tuple[str, Sequence[Any]] | Callable[[Any], bool]


class PayloadFilter(Protocol):
    """A condition on payloads. If it is `lasting`, a part caches its answer, by its hash."""

    def __hash__(self) -> int: ...

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of payloads that it reads; a search refuses one that no payload has."""
        ...

    @property
    def lasting(self) -> bool:
        """Whether the answer depends only on the payloads, not on time or chance."""
        ...

    def matching(self, arrays: Mapping[str, NDArray[Any]], count: int, among: NDArray[np.int64]) -> NDArray[np.int64]:
        """Increasing positions of the documents that satisfy it, `among` given ones of a part of `count` documents."""
        ...


@dataclass(frozen=True)
class Predicate:
    """A Python function of a payload, called once per document; None stands for a missing payload."""

    function: Callable[[Any], bool]
    fields: ClassVar[tuple[str, ...]] = ()
    #: What a function reads besides the payload is not known.
    lasting: ClassVar[bool] = False

    def matching(self, arrays: Mapping[str, NDArray[Any]], count: int, among: NDArray[np.int64]) -> NDArray[np.int64]:
        """Increasing positions of the documents for which the function returns True; it sees no others than `among`.

        Raises
        ------
        TypeError
            If it returns something that is not a bool, such as None. What it raises itself is passed on, with a note
            that names the document.
        """
        found = []
        for position in among.tolist():
            payload = payload_at(arrays, position)
            try:
                answer = self.function(payload)
            except Exception as error:
                add_note(error, f"where: raised by the function of a payload, for {document_named(arrays, position)}")
                raise
            if not isinstance(answer, (bool, np.bool_)):
                raise TypeError(
                    f"where: expected the function to return True or False, got {answer!r:.80} "
                    f"for {document_named(arrays, position)}, payload {payload!r:.80}"
                )
            if answer:
                found.append(position)
        return np.array(found, dtype=np.int64)


def filter_of(condition: Condition, deadline: float | None = None) -> PayloadFilter:
    """Check a condition and return its filter; an expression has to be evaluated by a deadline, if there is one.

    Raises
    ------
    TypeError, ValueError
        If it is neither a valid expression, nor one with values, nor a function.
    """
    if inspect.iscoroutinefunction(condition):
        raise TypeError(
            f"where: expected a function that returns True or False, got a coroutine function: {condition!r}"
        )
    if callable(condition):
        return Predicate(condition)
    where = Where.of(condition)
    return where if deadline is None else where.within(deadline)
