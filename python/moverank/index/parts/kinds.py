"""All kinds of documents, by name."""

from __future__ import annotations

from typing import Any

from moverank.index.parts.bins import BinParts
from moverank.index.parts.kind import Kind
from moverank.index.parts.setup import Setup
from moverank.index.parts.tokens import TokenParts
from moverank.index.parts.words import WordParts

_ALL: tuple[Kind, ...] = (TokenParts(), WordParts(), BinParts())

KINDS = {kind.name: kind for kind in _ALL}


def kind_of(setup: Setup) -> Kind:
    """Kind of the documents of an index."""
    return KINDS[setup.kind]


def kind_for(docs: Any) -> Kind:
    """Kind of given documents."""
    return next(kind for kind in _ALL if isinstance(docs, kind.documents))
