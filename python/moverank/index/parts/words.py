"""Documents that are bags of words, whose vectors stand in one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.index.parts.arrays import Arrays
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.kind import Built, Document, Kind, Numbers
from moverank.index.parts.setup import Options, Setup, require_plain_table
from moverank.measures.given import Costs
from moverank.measures.measure import Measure, require_same_dim, require_vectors
from moverank.vectors.bags import Bags
from moverank.vectors.rounding import longest
from moverank.vectors.weighting import mass_of


class Vocabulary:
    """Words that the bags of some parts use, numbered from the first part on.

    Parameters
    ----------
    tables : sequence of mapping of ndarray
        Arrays of the parts, of which "vectors" and "rows" are read.
    """

    def __init__(self, tables: Sequence[Arrays]) -> None:
        self._tables = [arrays["vectors"] for arrays in tables]
        self._firsts = np.cumsum([0] + [len(table) for table in self._tables])
        #: Row of each word in the table that bags came with.
        self.rows: NDArray[np.uint32] = np.concatenate(
            [arrays["rows"] for arrays in tables] or [np.empty(0, dtype=np.uint32)]
        )

    def vectors_of(self, words: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Vectors of some words."""
        tables = np.searchsorted(self._firsts, words, side="right") - 1
        return np.array([self._tables[t][w - self._firsts[t]] for t, w in zip(tables, words.tolist(), strict=True)])

    def require_same(self, bags: Bags) -> None:
        """Refuse bags over another table, as far as this index has its words."""
        used = np.zeros(len(bags.vectors), dtype=bool)
        used[bags.words] = True
        for table, first in zip(self._tables, self._firsts, strict=False):
            rows = self.rows[first : first + len(table)]
            ours = rows < len(used)
            ours[ours] = used[rows[ours]]
            same = (bags.vectors[rows[ours]] == table[ours]).all(axis=1)
            if not same.all():
                row = rows[ours][np.argmin(same)]
                raise ValueError(
                    f"docs: word {row} has another vector than in the index; bags of one index share one table"
                )


class WordParts(Kind):
    """Bags of words over one table of vectors."""

    name = "words"
    documents = Bags
    counted = "words"
    table = "rows"

    def setup(self, docs: Any, measure: Measure, options: Options, ids: str, costs: Costs | None) -> Setup:
        """Check what an index of such documents is to be."""
        require_vectors(measure)
        require_plain_table(options)
        return Setup(measure, self.name, docs.dim, "float32", None, None, ids)

    def is_sound(self, setup: Setup) -> bool:
        """One table of float32, and nothing beside it."""
        beside = (setup.prefilter, setup.codes, setup.origin, setup.sources, setup.targets)
        return setup.dtype == "float32" and beside == (None,) * 5

    def stored(self, docs: Any, setup: Setup, space: AttachedSpace | None) -> Any:
        """Documents as they are; ValueError if these count words alone, and the space weighs them."""
        require_same_dim(docs.dim, setup.dim, "docs", "the index")
        if space is not None:
            _require_weights_of(space, docs)
        return docs

    def shared(self, setup: Setup, tables: Sequence[Arrays], costs: Costs | None = None) -> Vocabulary:
        """The words of all parts."""
        return Vocabulary(tables)

    def build(self, docs: Any, setup: Setup, shared: Any, num_threads: int) -> Built:
        """Prepare documents; words that the index does not have yet come with their vectors."""
        shared.require_same(docs)
        prepared = _core.PreparedBags(
            docs.vectors, docs.words, docs.offsets, docs.counts, setup.measure._spec, shared.rows
        )
        arrays = {"offsets": docs.offsets, "rows": prepared.new_rows, **prepared.arrays}
        if docs.counts is not None:
            arrays["counts"] = docs.counts
        return Built(arrays, {"first_word": len(shared.rows), "rounded": float(docs._rounded)}, prepared)

    def prepared(self, setup: Setup, arrays: Arrays, numbers: Numbers) -> Any:
        """What the core searches."""
        return _core.PreparedBags.from_arrays(
            arrays["vectors"],
            arrays["words"],
            arrays["offsets"],
            arrays.get("counts"),
            arrays["totals"],
            int(numbers["first_word"]),
            setup.measure._spec,
        )

    def corpus(self, prepared: list[Any]) -> _core.BagCorpus:
        """The same of all parts."""
        return _core.BagCorpus(prepared)

    def document(self, setup: Setup, arrays: Arrays, run: slice, shared: Any) -> Document:
        """Vectors and mass of the words of a document."""
        tokens = shared.vectors_of(arrays["words"][run])
        counts = arrays.get("counts")
        mass = mass_of(tokens, setup.measure.weighting)
        return tokens, mass if counts is None else mass * counts[run]

    def content(self, arrays: Arrays, run: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Words, as the index numbers them, and their counts."""
        words = arrays["words"][run].astype(np.float64)
        counts = arrays["counts"][run] if "counts" in arrays else np.ones(len(words))
        return words, counts.astype(np.float64)

    def longest(self, arrays: Arrays, numbers: Numbers) -> float:
        """Largest norm of a word of a part."""
        return longest(arrays["vectors"])


def _require_weights_of(space: AttachedSpace, docs: Bags) -> None:
    """Refuse bags that count words alone where a space weighs them: queries would be weighed and documents not."""
    from moverank.spaces.steps import WeighedBy  # loaded, as there is a space

    counts_alone = docs.counts is None or not (docs.counts % 1).any()
    if len(docs) and counts_alone and any(isinstance(step, WeighedBy) for step in space.space.steps):
        raise ValueError(
            "docs: bags have counts, but not the weights that the space gives to tokens; build of sequences, "
            "space(encoder.encode(texts)).sequences, or multiply the weights into counts of Bags.from_flat"
        )
