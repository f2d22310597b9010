"""The state of an index that one search sees, whatever is added or removed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.errors import DuplicateIdError, UnknownFieldError, UnknownIdError
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.ids import Ids, Positions, is_id, listed_ids
from moverank.index.parts.kind import Document, Kind
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.part import Part, find_ids
from moverank.index.parts.payloads import Where, some_fields
from moverank.index.parts.setup import Setup
from moverank.index.search.ladder import Prefilter
from moverank.index.search.prefilters import ClusteredVectors, PooledVectors, Trained
from moverank.vectors.encoder_identity import EncoderIdentity

#: Fields that a message lists.
FIELDS_SHOWN = 20


@dataclass(eq=False)
class Snapshot:
    """Parts one after another, less what was removed. Positions are those of documents among all parts.

    Parameters
    ----------
    setup : Setup
        What the index is.
    parts : sequence of Part
        The documents.
    removed : sequence of ndarray of int64
        For each part, rising positions in it of documents that are gone.
    next_id : int
        The id that the next document gets unless it comes with one.
    trained : Trained, optional
        What faiss made of the pooled vectors of the first parts, where the prefilter is not exhaustive.
    space : AttachedSpace, optional
        The space in which the documents are.
    encoder : EncoderIdentity, optional
        What made vectors of the documents' texts, before they were moved into the space.
    """

    setup: Setup
    parts: Sequence[Part]
    removed: Sequence[Positions]
    next_id: int = 0
    trained: Trained | None = None
    space: AttachedSpace | None = None
    encoder: EncoderIdentity | None = None

    def __post_init__(self) -> None:
        # Copies, as a snapshot stays as it is whatever becomes of the lists that it was made of.
        self.parts = tuple(self.parts)
        self.removed = tuple(self.removed)
        #: Position of the first document of each part, and the number of all.
        self.firsts = np.cumsum([0] + [len(part) for part in self.parts])

    @property
    def n_removed(self) -> int:
        """Documents that are gone, but still in their parts."""
        return sum(map(len, self.removed))

    def __len__(self) -> int:
        return int(self.firsts[-1]) - self.n_removed

    def __contains__(self, id: object) -> bool:
        return is_id(id, self.setup.ids) and bool(self.find([id])[0] >= 0)

    def __reduce__(self) -> tuple[Any, ...]:
        kept = (self.setup, self.parts, self.removed, self.next_id, self.trained, self.space, self.encoder)
        return Snapshot, kept

    @cached_property
    def positions(self) -> Positions:
        """Positions of the documents that are not gone."""
        gone = [own + first for own, first in zip(self.removed, self.firsts, strict=False)]
        all_positions = np.arange(self.firsts[-1], dtype=np.int64)
        return np.delete(all_positions, np.concatenate(gone)) if self.n_removed else all_positions

    @property
    def kind(self) -> Kind:
        """What documents are."""
        return kind_of(self.setup)

    @cached_property
    def corpus(self) -> _core.Corpus | _core.BagCorpus:
        """What the core searches."""
        return self.kind.corpus([part.prepared for part in self.parts])

    @cached_property
    def shared(self) -> Any:
        """What all documents share, see `Kind.shared`."""
        return self.kind.shared(self.setup, [part.arrays for part in self.parts])

    @cached_property
    def prefilter(self) -> Prefilter | None:
        """What finds candidates."""
        chosen = self.setup.prefilter
        if chosen is None or not isinstance(self.corpus, _core.Corpus):
            return None
        if isinstance(chosen, str):
            pooled = [part.arrays["pooled"] for part in self.parts]
            norm = max(part.numbers["pooled_norm"] for part in self.parts)
            return PooledVectors(self.corpus, self.setup.measure, chosen, pooled, norm, self.trained, self.positions)
        clusters = _core.Corpus([part.prepared_clusters for part in self.parts])
        return ClusteredVectors(clusters, chosen.per_document, self.positions)

    # ---- ids -------------------------------------------------------------------------------------------------------

    def place(self, position: int) -> tuple[int, int]:
        """Part of a document, and its position there."""
        part = int(np.searchsorted(self.firsts, position, side="right")) - 1
        return part, position - int(self.firsts[part])

    def ids_at(self, positions: Positions) -> NDArray[Any]:
        """Ids of documents."""
        if len(positions) == 0:
            return np.empty(0, dtype=np.int64 if self.setup.ids == "int" else object)
        of_part = np.searchsorted(self.firsts, positions, side="right") - 1
        ids = [self.parts[p].ids.take(positions[of_part == p] - self.firsts[p]) for p in np.unique(of_part).tolist()]
        # Those of each part are together, in the order that they had.
        by_part = np.concatenate(ids)
        in_order = np.empty_like(by_part)
        in_order[np.argsort(of_part, kind="stable")] = by_part
        return in_order

    def find(self, listed: Sequence[Any]) -> Positions:
        """Position of each id, all of the index's kind; −1 for those that it does not have."""
        return find_ids(self.parts, self.removed, listed)

    def positions_of(self, ids: Ids, argument: str = "ids") -> Positions:
        """Rising positions of some documents, each given once; `argument` is what messages call the ids.

        Raises
        ------
        UnknownIdError, DuplicateIdError
            If an id is not in the index or is given twice; the message names it.
        """
        listed = listed_ids(ids, argument)
        if not listed:
            raise ValueError(f"{argument}: expected at least one id, got none")
        foreign = [id for id in listed if not is_id(id, self.setup.ids)]
        found = np.empty(0, dtype=np.int64) if foreign else self.find(listed)
        if foreign or (found < 0).any():
            unknown = foreign[0] if foreign else listed[int(np.argmin(found))]
            kinds = {"int": "integers of 64 bits", "str": "strings"}[self.setup.ids]
            why = f", whose ids are {kinds}" if foreign else ""
            raise UnknownIdError(f"{argument}: {unknown!r:.80} is not in the index{why}")
        rising = np.sort(found)
        if (rising[1:] == rising[:-1]).any():
            twice = rising[1:][rising[1:] == rising[:-1]][0]
            repeated = listed[int(np.argmax(found == twice))]
            raise DuplicateIdError(f"{argument}: {repeated!r:.80} is given more than once")
        return rising

    def document(self, position: int) -> Document:
        """Tokens and mass of one document."""
        part, own = self.place(position)
        return self.parts[part].document(own, self.shared)

    def costs(self, query: NDArray[Any], document: NDArray[Any]) -> NDArray[Any] | None:
        """What moving from each bin of a query to each of a document costs, where that is given."""
        return self.kind.costs(self.shared, query, document)

    @property
    def has_negative_costs(self) -> bool:
        """Whether ground costs may be below 0."""
        return self.kind.may_be_negative(self.setup, self.shared)

    # ---- payloads --------------------------------------------------------------------------------------------------

    def payload(self, position: int) -> Any:
        """What was given with a document."""
        part, own = self.place(position)
        return self.parts[part].payload(own)

    def chosen(self, subset: Ids | None, where: Where | None) -> Positions | None:
        """Rising positions of the documents of a subset for which a condition holds; None for all."""
        if subset is None and where is None:
            return None
        if subset is None:
            positions = self.positions
        else:
            listed = listed_ids(subset, "subset")
            # Nothing chosen is a choice: of candidates that a first stage did not find.
            positions = self.positions_of(listed, "subset") if listed else np.empty(0, dtype=np.int64)
        if where is None:
            return positions
        self._require_fields(where)
        matching = [part.matching(where) + first for part, first in zip(self.parts, self.firsts, strict=False)]
        return np.intersect1d(positions, np.concatenate(matching), assume_unique=True) if matching else positions

    def _require_fields(self, where: Where) -> None:
        """Refuse a condition on a field that no payload has: it would be NULL in every document, without a word."""
        missing = set(where.fields)
        for part in self.parts:
            missing -= part.fields(sorted(missing))
            if not missing:
                return
        if missing and self.parts:
            name = min(missing)
            there = sorted(set().union(*(some_fields(part.arrays, len(part)) for part in self.parts)))
            near = get_close_matches(name, there, 3, 0.6) or [own for own in there if own.lower() == name.lower()]
            hint = f"; near is {', '.join(map(repr, near))}" if near else ""
            shown = ", ".join(map(repr, there[:FIELDS_SHOWN])) + (", …" if len(there) > FIELDS_SHOWN else "")
            have = f"fields are {shown}" if there else "no payload has fields"
            raise UnknownFieldError(f"where: no payload has a field {name!r:.80}{hint}; {have}")
