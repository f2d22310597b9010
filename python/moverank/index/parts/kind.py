"""The interface to a kind of documents. All code that depends on the kind is behind it.

There are three kinds (see `kinds`): tokens with their own vectors, words with one table of vectors, and bins with one
table of given costs. The data that all documents of an index share, a vocabulary or a table of costs, is made by
`shared` and passed to the other methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.index.parts.arrays import Arrays
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.setup import Options, Setup
from moverank.measures.given import Costs
from moverank.measures.measure import Measure

#: Tokens of one document and their mass; for given costs, bins in place of tokens.
Document = tuple[NDArray[np.float32] | NDArray[np.uint32], NDArray[np.float64]]

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Built:
    """Prepared documents: arrays and numbers of a part, and the core's object made from them."""

    arrays: dict[str, NDArray[Any]]
    numbers: dict[str, float]
    prepared: Any


class Kind(ABC):
    """How documents of one kind are checked, prepared, read and compared."""

    #: Name of the kind, the value of `Setup.kind`.
    name: ClassVar[str]
    #: Type of the documents passed by a caller.
    documents: ClassVar[type[Any]]
    #: Name of the array with one row per token, word or bin of a document.
    counted: ClassVar[str]
    #: Name of the array with one row per entry of the shared table; None if documents share no table.
    table: ClassVar[str | None] = None
    #: Whether each part adds rows to that table; otherwise the first part has all of them.
    table_grows: ClassVar[bool] = True
    #: Whether bounds are too expensive to compute for every document, so that budgets need a prefilter.
    needs_prefilter: ClassVar[bool] = False

    # ---- adding documents ------------------------------------------------------------------------------------------

    @abstractmethod
    def setup(self, docs: Any, measure: Measure, options: Options, ids: str, costs: Costs | None) -> Setup:
        """Check the options of an index of such documents.

        Raises
        ------
        TypeError, ValueError
            If options contradict each other or do not suit the documents; the message names the argument.
        """

    @abstractmethod
    def is_sound(self, setup: Setup) -> bool:
        """Whether a setup read from a file is one that `setup` can make."""

    @abstractmethod
    def stored(self, docs: Any, setup: Setup, space: AttachedSpace | None) -> Any:
        """Convert documents to the form that the index stores; an error if they do not fit the index."""

    def shared(self, setup: Setup, tables: Sequence[Arrays], costs: Costs | None = None) -> Any:
        """Data shared by the documents of parts with these arrays; `costs` are passed when an index is built."""
        return None

    @abstractmethod
    def build(self, docs: Any, setup: Setup, shared: Any, num_threads: int) -> Built:
        """Prepare documents; ValueError if one cannot be measured."""

    def moved(
        self, arrays: dict[str, NDArray[Any]], numbers: dict[str, float], source: Any, target: Any
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        """Arrays and numbers of documents of one index, as another with the same setup stores them.

        `source` and `target` are the results of `shared` for all parts of each.
        """
        return arrays, numbers

    # ---- reading documents -----------------------------------------------------------------------------------------

    @abstractmethod
    def prepared(self, setup: Setup, arrays: Arrays, numbers: Numbers) -> Any:
        """Prepare stored documents for the core; ValueError, TypeError or KeyError if the arrays do not match."""

    @abstractmethod
    def corpus(self, prepared: list[Any]) -> _core.Corpus | _core.BagCorpus:
        """Join the prepared documents of all parts."""

    @abstractmethod
    def document(self, setup: Setup, arrays: Arrays, run: slice, shared: Any) -> Document:
        """Tokens and mass of the document in these rows."""

    @abstractmethod
    def content(self, setup: Setup, arrays: Arrays, run: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The document in these rows as two arrays of numbers, its tokens and their masses, to compare documents."""

    def tolerance(self, setup: Setup) -> float:
        """Largest difference of `content`, relative to its largest number, between two encodings of the same text."""
        return 0.0

    @abstractmethod
    def longest(self, arrays: Arrays, numbers: Numbers) -> float:
        """Largest norm of a token of a part, relative to the index's origin."""

    def costs(self, shared: Any, query: NDArray[Any], document: NDArray[Any]) -> NDArray[Any] | None:
        """Costs between the bins of a query and of a document; None if costs are computed from vectors."""
        return None

    def may_be_negative(self, setup: Setup, shared: Any) -> bool:
        """Whether ground costs may be below 0."""
        return setup.measure._cost.may_be_negative
