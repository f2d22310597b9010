"""Documents that are bags of words, with one table of vectors for all documents."""

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
    """Words used by the bags of some parts, numbered in the order in which the parts introduce them.

    Parameters
    ----------
    tables : sequence of mapping of ndarray
        Arrays of the parts; "vectors" and "rows" are used.
    """

    def __init__(self, tables: Sequence[Arrays]) -> None:
        self._tables = [arrays["vectors"] for arrays in tables]
        self._firsts = np.cumsum([0] + [len(table) for table in self._tables])
        #: Row of each word in the user's table of vectors.
        self.rows: NDArray[np.uint32] = np.concatenate(
            [arrays["rows"] for arrays in tables] or [np.empty(0, dtype=np.uint32)]
        )

    def vectors_of(self, words: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Vectors of given words."""
        tables = np.searchsorted(self._firsts, words, side="right") - 1
        return np.array([self._tables[t][w - self._firsts[t]] for t, w in zip(tables, words.tolist(), strict=True)])

    def require_same(self, bags: Bags) -> None:
        """Refuse bags over another table: words that are already in the index must have the same vectors."""
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
                    f"docs: expected bags over the table of this index, but the vector of word {row} is different"
                )


class WordParts(Kind):
    """Bags of words over one table of vectors."""

    name = "words"
    documents = Bags
    counted = "words"
    table = "rows"

    def setup(self, docs: Any, measure: Measure, options: Options, ids: str, costs: Costs | None) -> Setup:
        """Check the options of an index of bags."""
        require_vectors(measure)
        require_plain_table(options)
        return Setup(measure, self.name, docs.dim, "float32", None, None, ids)

    def is_sound(self, setup: Setup) -> bool:
        """Whether the table is float32, and other options are unset."""
        others = (setup.prefilter, setup.codes, setup.origin, setup.sources, setup.targets, setup.anchors)
        return setup.dtype == "float32" and others == (None,) * 6 and setup.pool == 1

    def stored(self, docs: Any, setup: Setup, space: AttachedSpace | None) -> Any:
        """The documents unchanged; ValueError if they have plain counts although the space has token weights."""
        require_same_dim(docs.dim, setup.dim, "docs", "the index")
        if space is not None:
            _require_weights_of(space, docs)
        return docs

    def shared(self, setup: Setup, tables: Sequence[Arrays], costs: Costs | None = None) -> Vocabulary:
        """The words of all parts."""
        return Vocabulary(tables)

    def build(self, docs: Any, setup: Setup, shared: Any, num_threads: int) -> Built:
        """Prepare documents, with the vectors of words that are new to the index."""
        shared.require_same(docs)
        prepared = _core.PreparedBags(
            docs.vectors, docs.words, docs.offsets, docs.counts, setup.measure._spec, shared.rows
        )
        arrays = {"offsets": docs.offsets, "rows": prepared.new_rows, **prepared.arrays}
        if docs.counts is not None:
            arrays["counts"] = docs.counts
        return Built(arrays, {"first_word": len(shared.rows), "rounded": float(docs._rounded)}, prepared)

    def moved(
        self, arrays: dict[str, NDArray[Any]], numbers: dict[str, float], source: Vocabulary, target: Vocabulary
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        """Number the words as the other index does, and bring the vectors of those that it does not have."""
        words, places = np.unique(arrays["words"], return_inverse=True)
        alone = {**arrays, "words": places, "rows": source.rows[words], "vectors": source.vectors_of(words)}
        return Numbering(target.rows).follow(alone), {**numbers, "first_word": len(target.rows)}

    def prepared(self, setup: Setup, arrays: Arrays, numbers: Numbers) -> Any:
        """Prepare stored documents for the core."""
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
        """Join the prepared documents of all parts."""
        return _core.BagCorpus(prepared)

    def document(self, setup: Setup, arrays: Arrays, run: slice, shared: Any) -> Document:
        """Vectors and mass of the words of a document."""
        tokens = shared.vectors_of(arrays["words"][run])
        counts = arrays.get("counts")
        mass = mass_of(tokens, setup.measure.weighting)
        return tokens, mass if counts is None else mass * counts[run]

    def content(self, setup: Setup, arrays: Arrays, run: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Numbers of the words in the index, and their counts."""
        words = arrays["words"][run].astype(np.float64)
        counts = arrays["counts"][run] if "counts" in arrays else np.ones(len(words))
        return words, counts.astype(np.float64)

    def longest(self, arrays: Arrays, numbers: Numbers) -> float:
        """Largest norm of a word of a part."""
        return longest(arrays["vectors"])


class Numbering:
    """Numbers the words of parts that were made by themselves as if each followed those before it.

    Parameters
    ----------
    rows : ndarray of uint32, optional
        Rows of the words that have numbers already, in the order of these; none by default.
    """

    def __init__(self, rows: NDArray[np.uint32] | None = None) -> None:
        known = np.empty(0, dtype=np.uint32) if rows is None else rows
        self._count = len(known)
        #: Number of the word in each row of the user's table of vectors; −1 for words that have none yet.
        self._of_row = np.full(int(known.max()) + 1 if len(known) else 0, -1, dtype=np.int64)
        self._of_row[known] = np.arange(self._count)

    def __len__(self) -> int:
        return self._count

    def follow(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Arrays of the next part: words that earlier parts have get their numbers, the others keep their vectors."""
        rows = arrays["rows"]
        if (missing := int(rows.max(initial=0)) + 1 - len(self._of_row)) > 0:
            self._of_row = np.concatenate([self._of_row, np.full(missing, -1, dtype=np.int64)])
        is_new = self._of_row[rows] < 0
        new = rows[is_new]
        self._of_row[new] = np.arange(self._count, self._count + len(new))
        self._count += len(new)
        words = self._of_row[rows].astype(np.uint32)[arrays["words"]]
        return {**arrays, "rows": new, "vectors": arrays["vectors"][is_new], "words": words}


def _require_weights_of(space: AttachedSpace, docs: Bags) -> None:
    """Refuse bags with plain counts if the space has token weights, which would then apply to queries only."""
    from moverank.spaces.learnt import LearntWeights  # already imported, as there is a space
    from moverank.spaces.steps import WeighedBy

    has_plain_counts = docs.counts is None or not (docs.counts % 1).any()
    has_weights = any(isinstance(step, (WeighedBy, LearntWeights)) for step in space.space.steps)
    if len(docs) and has_plain_counts and has_weights:
        raise ValueError(
            "docs: expected counts multiplied by the token weights of the space, got plain counts; build the index "
            "from space(encoder.encode(texts)).sequences, or pass counts times weights to Bags.from_flat"
        )
