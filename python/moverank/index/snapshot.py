"""An unchanging state of an index. A search reads one snapshot, so changes made meanwhile do not affect it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cached_property
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.errors import DuplicateIdError, UnknownFieldError, UnknownIdError
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.attachment import Attachment
from moverank.index.parts.cells import Cells
from moverank.index.parts.filters import PayloadFilter
from moverank.index.parts.ids import Ids, Positions, is_id, listed_ids
from moverank.index.parts.kind import Document, Kind
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.part import Part, find_ids
from moverank.index.parts.setup import Setup, TokenCells
from moverank.index.parts.texts import text_at
from moverank.index.parts.where import some_fields
from moverank.index.search.ladder import Prefilter
from moverank.index.search.prefilters import ClusteredVectors, PooledVectors, Trained
from moverank.index.search.token_prefilter import TokenPrefilter
from moverank.vectors.encoder_identity import EncoderIdentity

#: Maximum number of fields listed in a message.
FIELDS_SHOWN = 20


@dataclass(eq=False)
class Snapshot:
    """A sequence of parts, and the documents removed from them. The position of a document counts over all parts.

    Parameters
    ----------
    setup : Setup
        Options of the index: its measure, kind of documents, and storage.
    parts : sequence of Part
        The documents, in immutable groups.
    removed : sequence of ndarray of int64
        For each part, increasing positions in it of the removed documents.
    next_id : int
        Id of the next document that is added without one.
    trained : Trained, optional
        The faiss index of pooled (averaged) vectors of the first parts, if the prefilter is not exhaustive.
    space : AttachedSpace, optional
        The space of the documents.
    encoder : EncoderIdentity, optional
        Identity of the documents' encoder, before they were moved into the space.
    cells : Cells, optional
        The cells of all documents, removed ones included, if the prefilter is `TokenCells`.
    attachment : Attachment, optional
        What another layer keeps with the index.
    """

    setup: Setup
    parts: Sequence[Part]
    removed: Sequence[Positions]
    next_id: int = 0
    trained: Trained | None = None
    space: AttachedSpace | None = None
    encoder: EncoderIdentity | None = None
    cells: Cells | None = None
    attachment: Attachment | None = None

    def __post_init__(self) -> None:
        # Copies, so that later changes of the given lists do not change the snapshot.
        self.parts = tuple(self.parts)
        self.removed = tuple(self.removed)
        #: Position of the first document of each part, and the total number of documents.
        self.firsts = np.cumsum([0] + [len(part) for part in self.parts])

    @property
    def n_removed(self) -> int:
        """Number of removed documents that are still stored in their parts."""
        return sum(map(len, self.removed))

    def __len__(self) -> int:
        return int(self.firsts[-1]) - self.n_removed

    def __contains__(self, id: object) -> bool:
        return is_id(id, self.setup.ids) and bool(self.find([id])[0] >= 0)

    def __reduce__(self) -> tuple[Any, ...]:
        # Without what is made when it is needed.
        return _named, (self.name, *(getattr(self, own.name) for own in fields(self)))

    @cached_property
    def name(self) -> str:
        """A name that no other state has. A store gives states in a folder the same names in each process."""
        return uuid4().hex

    @cached_property
    def positions(self) -> Positions:
        """Positions of the documents that are not removed."""
        removed = [own + first for own, first in zip(self.removed, self.firsts, strict=False)]
        all_positions = np.arange(self.firsts[-1], dtype=np.int64)
        return np.delete(all_positions, np.concatenate(removed)) if self.n_removed else all_positions

    @property
    def searched(self) -> Positions | None:
        """The same; None if no document is removed, so that searches of all documents need no list of them."""
        return self.positions if self.n_removed else None

    @property
    def kind(self) -> Kind:
        """The kind of documents."""
        return kind_of(self.setup)

    @cached_property
    def corpus(self) -> _core.Corpus | _core.BagCorpus:
        """The documents of all parts, as the core searches them."""
        return self.kind.corpus([part.prepared for part in self.parts])

    @cached_property
    def shared(self) -> Any:
        """Data shared by all documents, see `Kind.shared`."""
        return self.kind.shared(self.setup, [part.arrays for part in self.parts])

    @cached_property
    def prefilter(self) -> Prefilter | None:
        """The coarse search that proposes candidates; None if the index has none."""
        chosen = self.setup.prefilter
        if chosen is None or not isinstance(self.corpus, _core.Corpus):
            return None
        if isinstance(chosen, str):
            pooled = [part.arrays["pooled"] for part in self.parts]
            norm = max(part.numbers["pooled_norm"] for part in self.parts)
            return PooledVectors(self.corpus, self.setup.measure, chosen, pooled, norm, self.trained, self.positions)
        if isinstance(chosen, TokenCells):
            return None if self.cells is None else TokenPrefilter(chosen, self.cells, self.setup.measure, self.searched)
        clusters = _core.Corpus([part.prepared_clusters for part in self.parts])
        return ClusteredVectors(clusters, chosen.per_document, self.setup.measure, self.positions)

    # ---- ids -------------------------------------------------------------------------------------------------------

    def place(self, position: int) -> tuple[int, int]:
        """Number of a document's part, and its position there."""
        part = int(np.searchsorted(self.firsts, position, side="right")) - 1
        return part, position - int(self.firsts[part])

    def ids_at(self, positions: Positions) -> NDArray[Any]:
        """Ids of the documents at given positions."""
        if len(positions) == 0:
            return np.empty(0, dtype=np.int64 if self.setup.ids == "int" else object)
        parts = np.searchsorted(self.firsts, positions, side="right") - 1
        ids = [self.parts[p].ids.take(positions[parts == p] - self.firsts[p]) for p in np.unique(parts).tolist()]
        # The ids are grouped by part; the stable sort gives the place of each in the given order.
        by_part = np.concatenate(ids)
        in_order = np.empty_like(by_part)
        in_order[np.argsort(parts, kind="stable")] = by_part
        return in_order

    def find(self, listed: Sequence[Any]) -> Positions:
        """Position of each id; −1 if it is not in the index. All must be of the index's type of ids."""
        return find_ids(self.parts, self.removed, listed)

    def positions_of(self, ids: Ids, argument: str = "ids") -> Positions:
        """Increasing positions of the documents with given ids; `argument` is the name of the ids in messages.

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
        increasing = np.sort(found)
        if (increasing[1:] == increasing[:-1]).any():
            twice = increasing[1:][increasing[1:] == increasing[:-1]][0]
            repeated = listed[int(np.argmax(found == twice))]
            raise DuplicateIdError(f"{argument}: {repeated!r:.80} is given more than once")
        return increasing

    def position_of(self, id: int | str) -> int:
        """Position of the document with an id; UnknownIdError if it is not in the index."""
        named: Ids = [id]  # type: ignore[assignment]
        return int(self.positions_of(named, "id")[0])

    def document(self, position: int) -> Document:
        """Tokens and mass of one document."""
        part, own = self.place(position)
        return self.parts[part].document(own, self.shared)

    def pooled_into(self, position: int) -> NDArray[np.int32] | None:
        """For each token of a document as given, the stored token that it was pooled into; None if they are not."""
        part, own = self.place(position)
        return self.parts[part].pooled_into(own)

    def costs(self, query: NDArray[Any], document: NDArray[Any]) -> NDArray[Any] | None:
        """Given costs between the bins of a query and of a document; None if costs are computed from vectors."""
        return self.kind.costs(self.shared, query, document)

    @property
    def has_negative_costs(self) -> bool:
        """Whether ground costs may be below 0."""
        return self.kind.may_be_negative(self.setup, self.shared)

    # ---- payloads --------------------------------------------------------------------------------------------------

    def text(self, position: int) -> tuple[str, int] | None:
        """Text of a document, and where it begins in the whole it was cut from; None if the index keeps no texts."""
        part, place = self.place(position)
        return text_at(self.parts[part].arrays, place)

    def payload(self, position: int) -> Any:
        """Payload of a document."""
        part, own = self.place(position)
        return self.parts[part].payload(own)

    def chosen(self, subset: Ids | None, where: PayloadFilter | None, *, strict: bool = True) -> Positions | None:
        """Increasing positions of the documents of a subset that satisfy a condition; None for all documents.

        If `strict`, the condition must not name a field that no payload has.
        """
        if subset is None and where is None:
            return None
        if subset is None:
            positions = self.positions
        else:
            listed = listed_ids(subset, "subset")
            # An empty subset is valid: a first stage may have found no candidates.
            positions = self.positions_of(listed, "subset") if listed else np.empty(0, dtype=np.int64)
        if where is None:
            return positions
        if strict:
            self._require_fields(where)
        matching = []
        for part, first in zip(self.parts, self.firsts, strict=False):
            own = positions[np.searchsorted(positions, first) : np.searchsorted(positions, first + len(part))]
            matching.append(part.matching(where, own - first) + first)
        return np.intersect1d(positions, np.concatenate(matching), assume_unique=True) if matching else positions

    def _require_fields(self, where: PayloadFilter) -> None:
        """Refuse a condition on a field that no payload has: it would silently be NULL for every document."""
        missing = set(where.fields)
        for part in self.parts:
            missing -= part.fields(sorted(missing))
            if not missing:
                return
        if missing and self.parts:
            raise unknown_field(min(missing), self.fields_shown())

    def known_fields(self, names: Collection[str]) -> set[str]:
        """Those of some fields that a payload has."""
        return set().union(*(part.fields(sorted(names)) for part in self.parts))

    def fields_shown(self) -> set[str]:
        """Some fields of payloads, for messages."""
        return set().union(*(some_fields(part.arrays, len(part)) for part in self.parts))


def unknown_field(name: str, known: Collection[str]) -> UnknownFieldError:
    """The error for a condition on a field that no payload has; `known` are fields that some have."""
    listed = sorted(known)
    similar = get_close_matches(name, listed, 3, 0.6) or [own for own in listed if own.lower() == name.lower()]
    hint = f"; similar fields: {', '.join(map(repr, similar))}" if similar else ""
    shown = ", ".join(map(repr, listed[:FIELDS_SHOWN])) + (", …" if len(listed) > FIELDS_SHOWN else "")
    fields = f"known fields: {shown}" if listed else "no payload has fields"
    return UnknownFieldError(f"where: no payload has a field {name!r:.80}{hint}; {fields}")


def _named(name: str, *values: Any) -> Snapshot:
    snapshot = Snapshot(*values)
    snapshot.name = name
    return snapshot
