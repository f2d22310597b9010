"""What retrievers of frameworks share: how a `TextIndex` is searched for them, and made with their options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

from moverank.errors import NoTokensError
from moverank.index.parts.filters import filter_of
from moverank.text_index import TextHit, TextIndex

_OPTIONS_OF_INDEX = frozenset(signature(TextIndex.create).parameters)


def require_search(index: Any, **options: Any) -> None:
    """Check an index, and the options of its searches, before the first of them."""
    if not isinstance(index, TextIndex):
        raise TypeError(f"index: expected a TextIndex, got {type(index).__name__}")
    if not index.stores_texts:
        raise ValueError("index: expected one that keeps its texts, got one created with store_texts=False")
    if options.get("where") is not None:
        filter_of(options["where"])
    index.search_batch([], **options)


def retrieved(index: TextIndex, query: str, **options: Any) -> Sequence[TextHit]:
    """Search; a query of which nothing can be compared finds nothing, as an application cannot choose its queries."""
    try:
        return index.search(query, **options)
    except NoTokensError:
        return ()


def fields_of(payload: Any) -> dict[str, Any]:
    """A payload as metadata, which are fields; one that is not an object is the field "payload"."""
    if payload is None:
        return {}
    return dict(payload) if isinstance(payload, dict) else {"payload": payload}


@contextmanager
def created(options: dict[str, Any]) -> Iterator[tuple[TextIndex, dict[str, Any]]]:
    """Make an index with those of the options that `TextIndex.create` has, and pass on the others.

    An error in the block closes the index, so that another writer may open its folder.
    """
    index = TextIndex.create(**{name: value for name, value in options.items() if name in _OPTIONS_OF_INDEX})
    try:
        yield index, {name: value for name, value in options.items() if name not in _OPTIONS_OF_INDEX}
    except BaseException:
        index.close()
        raise
