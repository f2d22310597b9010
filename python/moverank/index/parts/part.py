"""Runs of documents, prepared: what an index is made of, in memory and in files.

An index is one part after another. A part never changes: documents are added as a new part and removed by a list of
positions, so whoever searches meanwhile sees all of the old state or all of the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.storage import decode
from moverank.errors import IndexFormatError
from moverank.index.parts.arrays import Arrays
from moverank.index.parts.ids import IntNames, Positions, StrNames, stored_names
from moverank.index.parts.payloads import Where, fields_of, payload_at
from moverank.index.parts.setup import Setup
from moverank.measures.given import Costs
from moverank.measures.measure import naming, prepare
from moverank.vectors.bags import Bags
from moverank.vectors.histograms import Histograms
from moverank.vectors.sequences import Sequences

#: Tokens of one document and their mass; bins in place of tokens where costs are given.
Document = tuple[NDArray[np.float32] | NDArray[np.uint32], NDArray[np.float64]]

#: Conditions whose documents a part remembers: pages of one search, or a handful of tenants.
CONDITIONS_KEPT = 16


class Vocabulary:
    """Words that the bags of some parts use, numbered from the first part on."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._tables = [part.arrays["vectors"] for part in parts]
        self._firsts = np.cumsum([0] + [len(table) for table in self._tables])
        #: Row of each word in the table that bags came with.
        self.rows: NDArray[np.uint32] = np.concatenate(
            [part.arrays["rows"] for part in parts] or [np.empty(0, dtype=np.uint32)]
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


class Part:
    """Some documents, ready to be searched. Made by `build_part`, by `merged`, or from a file's arrays.

    Parameters
    ----------
    setup : Setup
        What the index is.
    arrays : mapping of ndarray
        As listed above; maps of files will do.
    numbers : mapping of float
        max_norm, largest_code_norm, cluster_max_norm, pooled_norm, first_word: where there is a use for them. And
        rounded: 1 if documents came with more digits than float32 holds, 0 if not; without it nobody knows.
    """

    def __init__(self, setup: Setup, arrays: Arrays, numbers: Mapping[str, float]) -> None:
        self.setup = setup
        self.arrays = arrays
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.arrays["offsets"]) - 1

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays alone: what the core made of them it makes again when it is asked for.
        return Part, (self.setup, dict(self.arrays), dict(self.numbers))

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(array.nbytes for array in self.arrays.values())

    @cached_property
    def names(self) -> IntNames | StrNames:
        """What the documents are called by."""
        return stored_names(self.arrays)

    @cached_property
    def prepared(self) -> Any:
        """What the core searches; IndexFormatError if arrays do not fit together."""
        arrays, spec = self.arrays, self.setup.measure._spec
        try:
            if self.setup.measure.ground == "given":
                return _core.PreparedBags.from_cost_arrays(
                    arrays["costs"],
                    arrays["words"],
                    arrays["offsets"],
                    arrays["counts"],
                    arrays["totals"],
                    int(self.numbers["first_word"]),
                    spec,
                )
            if self.setup.kind == "bags":
                return _core.PreparedBags.from_arrays(
                    arrays["vectors"],
                    arrays["words"],
                    arrays["offsets"],
                    arrays.get("counts"),
                    arrays["totals"],
                    int(self.numbers["first_word"]),
                    spec,
                )
            prepared = _core.PreparedSequences.from_arrays(
                arrays["tokens"],
                arrays.get("scales"),
                arrays["offsets"],
                arrays["mass"],
                arrays.get("inverse_norms"),
                self.numbers["max_norm"],
                spec,
            )
            if self.setup.codes is not None:
                prepared.take_codes(
                    arrays["codes"],
                    arrays.get("code_scales"),
                    arrays.get("code_inverse_norms"),
                    arrays.get("code_squares"),
                    arrays.get("code_sums"),
                    arrays["code_rho"],
                    self.numbers["largest_code_norm"],
                )
        except (ValueError, TypeError, KeyError) as error:
            raise IndexFormatError(f"the index's files do not fit together: {error}") from None
        return prepared

    @cached_property
    def prepared_clusters(self) -> _core.PreparedSequences:
        """Clusters of the documents' tokens, as documents of their own."""
        arrays = self.arrays
        try:
            return _core.PreparedSequences.from_arrays(
                arrays["cluster_tokens"],
                None,
                arrays["cluster_offsets"],
                arrays["cluster_mass"],
                arrays.get("cluster_inverse_norms"),
                self.numbers["cluster_max_norm"],
                self.setup.measure._spec,
            )
        except (ValueError, TypeError, KeyError) as error:
            raise IndexFormatError(f"the index's files do not fit together: {error}") from None

    def payload(self, position: int) -> Any:
        """What was given with a document."""
        return payload_at(self.arrays, position)

    def matching(self, where: Where) -> Positions:
        """Rising positions of the documents for which a condition holds; the last answers are kept."""
        return self._matching(where) if where.lasting else where.matching(self.arrays, len(self))

    def fields(self, wanted: Sequence[str]) -> set[str]:
        """Which of some fields any payload has; what was found is kept."""
        unknown = [name for name in wanted if name not in self._fields]
        if unknown:
            found = fields_of(self.arrays, len(self), unknown)
            self._fields.update({name: name in found for name in unknown})
        return {name for name in wanted if self._fields[name]}

    @cached_property
    def _fields(self) -> dict[str, bool]:
        return {}

    @cached_property
    def _matching(self) -> Callable[[Where], Positions]:
        return lru_cache(maxsize=CONDITIONS_KEPT)(lambda where: where.matching(self.arrays, len(self)))

    def document(self, position: int, vocabulary: Vocabulary | Costs | None) -> Document:
        """Tokens and mass of one document; those of bags come from the vocabulary, and bins are what they are."""
        arrays = self.arrays
        run = slice(int(arrays["offsets"][position]), int(arrays["offsets"][position + 1]))
        if isinstance(vocabulary, Costs):
            return arrays["words"][run], arrays["counts"][run]
        if vocabulary is None:
            scales = arrays.get("scales")
            return decode(arrays["tokens"][run], None if scales is None else scales[run]), arrays["mass"][run]
        tokens = vocabulary.vectors_of(arrays["words"][run])
        counts = arrays.get("counts")
        mass = np.ones(len(tokens)) if counts is None else counts[run].astype(np.float64)
        if self.setup.measure.weighting == "norm":
            mass *= np.linalg.norm(tokens.astype(np.float64), axis=1)
        return tokens, mass


def build_part(
    docs: Sequences | Bags | Histograms,
    names: IntNames | StrNames,
    setup: Setup,
    known: Vocabulary | Costs | None,
    payloads: Arrays,
    num_threads: int,
    costs: Costs | None = None,
) -> Part:
    """Prepare documents; `costs` come with the first of those whose costs are given.

    Raises
    ------
    ValueError
        If a document cannot be measured; the message names it, and its id.
    """
    arrays: dict[str, NDArray[Any]] = {**names.arrays(), **payloads}
    with naming("docs", "docs", id_of=lambda s: names.take(np.array([s])).tolist()[0]):
        if isinstance(docs, Histograms):
            return _build_histograms(docs, arrays, setup, costs, known)
        if isinstance(docs, Bags):
            return _build_bags(docs, arrays, setup, known)
        return _build_sequences(docs, arrays, setup, num_threads)


def _build_histograms(
    docs: Histograms,
    arrays: dict[str, NDArray[Any]],
    setup: Setup,
    costs: Costs | None,
    known: Vocabulary | Costs | None,
) -> Part:
    table = known if isinstance(known, Costs) else costs
    assert table is not None, "the first histograms of an index bring costs"
    table.require_targets(docs, "docs")
    rows = np.arange(table.n_targets if table is known else 0, dtype=np.uint32)
    prepared = _core.PreparedBags.of_costs(
        table.by_target, docs.bins, docs.offsets, docs.content, setup.measure._spec, rows
    )
    arrays |= {"offsets": docs.offsets, "words": docs.bins, "counts": docs.content, **prepared.arrays}
    # One part has the table, all others none of it.
    arrays["costs"] = table.by_target[len(rows) :]
    part = Part(setup, arrays, {"first_word": len(rows)})
    part.prepared = prepared
    return part


def _build_bags(bags: Bags, arrays: dict[str, NDArray[Any]], setup: Setup, known: Vocabulary | Costs | None) -> Part:
    assert not isinstance(known, Costs), "bags have vectors"
    rows = np.empty(0, dtype=np.uint32) if known is None else known.rows
    if known is not None:
        known.require_same(bags)
    prepared = _core.PreparedBags(bags.vectors, bags.words, bags.offsets, bags.counts, setup.measure._spec, rows)
    arrays |= {"offsets": bags.offsets, "rows": prepared.new_rows, **prepared.arrays}
    if bags.counts is not None:
        arrays["counts"] = bags.counts
    part = Part(setup, arrays, {"first_word": len(rows), "rounded": float(bags._rounded)})
    part.prepared = prepared
    return part


def _build_sequences(docs: Sequences, arrays: dict[str, NDArray[Any]], setup: Setup, num_threads: int) -> Part:
    prepared = prepare(docs, setup.measure)
    numbers = {"max_norm": prepared.max_norm, "rounded": float(docs._rounded or setup.origin is not None)}
    arrays |= {"offsets": docs.offsets, "tokens": docs.tokens}
    if docs.scales is not None:
        arrays["scales"] = docs.scales
    arrays |= _filled("", prepared.arrays)
    if setup.codes is not None:
        codes = docs.astype(setup.codes)
        prepared.add_codes(codes.tokens, codes.scales)
        arrays["codes"] = codes.tokens
        if codes.scales is not None:
            arrays["code_scales"] = codes.scales
        arrays |= _filled("code_", prepared.code_arrays)
        numbers["largest_code_norm"] = prepared.largest_code_norm
    if isinstance(setup.prefilter, str):
        pooled = prepared.pooled()
        arrays["pooled"] = pooled
        numbers["pooled_norm"] = float(np.sqrt((pooled.astype(np.float64) ** 2).sum(axis=1).max()))
    elif setup.prefilter is not None:
        clusters = _clusters(prepared, setup.prefilter.per_document, num_threads)
        prepared_clusters = prepare(clusters, setup.measure)
        arrays |= {"cluster_offsets": clusters.offsets, "cluster_tokens": clusters.tokens}
        arrays |= _filled("cluster_", prepared_clusters.arrays)
        numbers["cluster_max_norm"] = prepared_clusters.max_norm
    part = Part(setup, arrays, numbers)
    part.prepared = prepared
    return part


def _filled(prefix: str, found: Arrays) -> dict[str, NDArray[Any]]:
    return {prefix + name: array for name, array in found.items() if len(array)}


def _clusters(prepared: _core.PreparedSequences, per_document: int, num_threads: int) -> Sequences:
    found = prepared.clusters(per_document, num_threads)
    filled = (np.arange(per_document) < found.counts[:, None]).ravel()
    offsets = np.zeros(len(found.counts) + 1, dtype=np.int64)
    np.cumsum(found.counts, out=offsets[1:])
    return Sequences.from_flat(found.centroids[filled], offsets, found.mass[filled])
