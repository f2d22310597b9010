"""Documents that are histograms, compared by a table of given costs between bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.index.parts.arrays import Arrays
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.kind import Built, Document, Kind, Numbers
from moverank.index.parts.setup import Options, Setup, require_plain_table
from moverank.measures.given import Costs
from moverank.measures.measure import Measure, require_vectors
from moverank.vectors.histograms import Histograms


@dataclass(frozen=True)
class Bins:
    """The bins of an index: the costs between them, and whether a part of the index already stores these costs."""

    costs: Costs
    is_stored: bool


class BinParts(Kind):
    """Histograms over the bins of one table of costs."""

    name = "bins"
    documents = Histograms
    counted = "words"
    table = "costs"
    table_grows = False

    def setup(self, docs: Any, measure: Measure, options: Options, ids: str, costs: Costs | None) -> Setup:
        """Check the options of an index of histograms."""
        if costs is None:
            require_vectors(measure)
            raise ValueError("docs: histograms need costs between their bins; pass costs=")
        require_plain_table(options)
        costs.require_targets(docs, "docs")
        stored = costs.by_target.dtype.name
        targets = costs.targets or docs.labels
        return Setup(measure, self.name, costs.n_sources, stored, None, None, ids, None, costs.sources, targets)

    def is_sound(self, setup: Setup) -> bool:
        """Whether the options for vectors are unset, and names of bins are as many as bins."""
        others = (setup.prefilter, setup.codes, setup.origin, setup.anchors)
        return others == (None,) * 4 and setup.pool == 1 and (setup.sources is None or len(setup.sources) == setup.dim)

    def stored(self, docs: Any, setup: Setup, space: AttachedSpace | None) -> Any:
        """The documents unchanged; `build`, which has the costs, checks that the bins match."""
        return docs

    def shared(self, setup: Setup, tables: Sequence[Arrays], costs: Costs | None = None) -> Bins:
        """The costs, which the first part stores."""
        if tables:
            return Bins(Costs(tables[0]["costs"], setup.sources, setup.targets), is_stored=True)
        assert costs is not None, "an index of histograms is built with costs"
        return Bins(costs, is_stored=False)

    def build(self, docs: Any, setup: Setup, shared: Any, num_threads: int) -> Built:
        """Prepare documents; the first part also stores the table of costs."""
        table = shared.costs
        table.require_targets(docs, "docs")
        rows = np.arange(table.n_targets if shared.is_stored else 0, dtype=np.uint32)
        prepared = _core.PreparedBags.of_costs(
            table.by_target, docs.bins, docs.offsets, docs.content, setup.measure._spec, rows
        )
        arrays = {"offsets": docs.offsets, "words": docs.bins, "counts": docs.content, **prepared.arrays}
        # Only the first part stores the table: this is empty in the others.
        arrays["costs"] = table.by_target[len(rows) :]
        return Built(arrays, {"first_word": len(rows)}, prepared)

    def moved(
        self, arrays: dict[str, NDArray[Any]], numbers: dict[str, float], source: Bins, target: Bins
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        """Leave out the costs, which the other index has."""
        return {**arrays, "costs": arrays["costs"][:0]}, {**numbers, "first_word": target.costs.n_targets}

    def prepared(self, setup: Setup, arrays: Arrays, numbers: Numbers) -> Any:
        """Prepare stored documents for the core."""
        return _core.PreparedBags.from_cost_arrays(
            arrays["costs"],
            arrays["words"],
            arrays["offsets"],
            arrays["counts"],
            arrays["totals"],
            int(numbers["first_word"]),
            setup.measure._spec,
        )

    def corpus(self, prepared: list[Any]) -> _core.BagCorpus:
        """Join the prepared documents of all parts."""
        return _core.BagCorpus(prepared)

    def document(self, setup: Setup, arrays: Arrays, run: slice, shared: Any) -> Document:
        """Bins of a document, and the mass in each."""
        return arrays["words"][run], arrays["counts"][run]

    def content(self, setup: Setup, arrays: Arrays, run: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bins of a document and the mass in each, as float64."""
        return arrays["words"][run].astype(np.float64), arrays["counts"][run].astype(np.float64)

    def longest(self, arrays: Arrays, numbers: Numbers) -> float:
        """Return 0: bins are not vectors, so float32 rounds nothing."""
        return 0.0

    def costs(self, shared: Any, query: NDArray[Any], document: NDArray[Any]) -> NDArray[Any]:
        """Costs between the bins of a query and of a document."""
        table: Costs = shared.costs
        return table.between(query, document)

    def may_be_negative(self, setup: Setup, shared: Any) -> bool:
        """Whether a cost in the table is below 0."""
        return bool(shared.costs.least < 0.0)
