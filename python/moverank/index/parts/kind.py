"""A kind of documents: what an index asks of it, so that nothing else has to ask which kind it has.

There are three (`kinds`): tokens, words of one table of vectors, and bins of one table of given costs. What all
documents of an index share, a vocabulary or a table of costs, is made by `shared` and handed to the other methods.
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

#: Tokens of one document and their mass; bins in place of tokens where costs are given.
Document = tuple[NDArray[np.float32] | NDArray[np.uint32], NDArray[np.float64]]

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Built:
    """Documents, prepared: arrays and numbers of a part, and what the core made of them."""

    arrays: dict[str, NDArray[Any]]
    numbers: dict[str, float]
    prepared: Any


class Kind(ABC):
    """How documents of one kind are checked, prepared, read and compared."""

    #: Name of the kind, as `Setup.kind` has it.
    name: ClassVar[str]
    #: Type of the documents that a caller brings.
    documents: ClassVar[type[Any]]
    #: The array that has one row for each token, word or bin of a document.
    counted: ClassVar[str]
    #: The array that has one row for each entry of the table that documents share, if they share one.
    table: ClassVar[str | None] = None
    #: Whether each part adds to that table; otherwise the first part has all of it.
    table_grows: ClassVar[bool] = True
    #: Whether bounds are too dear for every document, so that a budget needs something else to choose candidates.
    needs_prefilter: ClassVar[bool] = False
    #: How far `content` may be apart, relative to its largest, when a document is encoded a second time.
    tolerance: ClassVar[float] = 0.0

    # ---- what comes in ---------------------------------------------------------------------------------------------

    @abstractmethod
    def setup(self, docs: Any, measure: Measure, options: Options, ids: str, costs: Costs | None) -> Setup:
        """Check what an index of such documents is to be.

        Raises
        ------
        TypeError, ValueError
            If choices do not go together, or with the documents; the message names the argument.
        """

    @abstractmethod
    def is_sound(self, setup: Setup) -> bool:
        """Whether a setup that comes from a file is one that `setup` could have made."""

    @abstractmethod
    def stored(self, docs: Any, setup: Setup, space: AttachedSpace | None) -> Any:
        """Documents as the index keeps them; an error if they do not belong into it."""

    def shared(self, setup: Setup, tables: Sequence[Arrays], costs: Costs | None = None) -> Any:
        """What the documents of parts with these arrays share; `costs` come with the first documents."""
        return None

    @abstractmethod
    def build(self, docs: Any, setup: Setup, shared: Any, num_threads: int) -> Built:
        """Prepare documents; ValueError if one cannot be measured."""

    # ---- what is in it ---------------------------------------------------------------------------------------------

    @abstractmethod
    def prepared(self, setup: Setup, arrays: Arrays, numbers: Numbers) -> Any:
        """What the core searches; ValueError, TypeError or KeyError if arrays do not fit together."""

    @abstractmethod
    def corpus(self, prepared: list[Any]) -> _core.Corpus | _core.BagCorpus:
        """The same of all parts."""

    @abstractmethod
    def document(self, setup: Setup, arrays: Arrays, run: slice, shared: Any) -> Document:
        """Tokens and mass of the document that has these rows."""

    @abstractmethod
    def content(self, arrays: Arrays, run: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a document is made of, and how much of each: to be compared with another's."""

    @abstractmethod
    def longest(self, arrays: Arrays, numbers: Numbers) -> float:
        """Largest norm of a token of a part, about the index's origin."""

    def costs(self, shared: Any, query: NDArray[Any], document: NDArray[Any]) -> NDArray[Any] | None:
        """Costs from each bin of a query to each of a document, where costs are given."""
        return None

    def may_be_negative(self, setup: Setup, shared: Any) -> bool:
        """Whether ground costs may be below 0."""
        return setup.measure._cost.may_be_negative
