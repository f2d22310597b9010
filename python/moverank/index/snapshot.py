"""The state of an index that one search sees, whatever is added or removed meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.alignment.align import align
from moverank.alignment.alignment import Alignment
from moverank.alignment.given import aligned, bin_names
from moverank.errors import DuplicateIdError, IndexFormatError, InfeasibleError, UnknownFieldError, UnknownIdError
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.ids import Ids, Positions, is_name, listed_ids
from moverank.index.parts.part import Document, Part, Vocabulary
from moverank.index.parts.payloads import Where, some_fields
from moverank.index.parts.setup import Setup
from moverank.index.search.hits import Certificate, Hits, Rung, SearchStats
from moverank.index.search.ladder import Budget, Prefilter, PrefilteredQuery, descend, named_rungs
from moverank.index.search.prefilters import ClusteredVectors, PooledVectors, Trained
from moverank.index.search.query import Goal, Query
from moverank.measures.given import Costs
from moverank.measures.origin import INVARIANT
from moverank.measures.precision import TINY, tell_if_below, tell_vanished, zero
from moverank.vectors.encoder_identity import EncoderIdentity
from moverank.vectors.rounding import longest

#: Fields that a message lists.
FIELDS_SHOWN = 20


@dataclass(eq=False)
class Snapshot:
    """Parts one behind the other, less what was removed. Positions are those of documents among all parts.

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

    def __reduce__(self) -> tuple[Any, ...]:
        kept = (self.setup, self.parts, self.removed, self.next_id, self.trained, self.space, self.encoder)
        return Snapshot, kept

    @cached_property
    def positions(self) -> Positions:
        """Positions of the documents that are not gone."""
        gone = [own + first for own, first in zip(self.removed, self.firsts, strict=False)]
        all_positions = np.arange(self.firsts[-1], dtype=np.int64)
        return np.delete(all_positions, np.concatenate(gone)) if self.n_removed else all_positions

    @cached_property
    def corpus(self) -> _core.Corpus | _core.BagCorpus:
        """What the core searches."""
        prepared = [part.prepared for part in self.parts]
        return _core.BagCorpus(prepared) if self.setup.kind == "bags" else _core.Corpus(prepared)

    @cached_property
    def vocabulary(self) -> Vocabulary | Costs | None:
        """Words of bags, or the costs of bins where these are given, once there are any."""
        if self.setup.measure.ground == "given":
            setup = self.setup
            return Costs(self.parts[0].arrays["costs"], setup.sources, setup.targets) if self.parts else None
        return Vocabulary(self.parts) if self.setup.kind == "bags" else None

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

    # ---- names -----------------------------------------------------------------------------------------------------

    def place(self, position: int) -> tuple[int, int]:
        """Part of a document, and its position there."""
        part = int(np.searchsorted(self.firsts, position, side="right")) - 1
        return part, position - int(self.firsts[part])

    def names_at(self, positions: Positions) -> NDArray[Any]:
        """Ids of documents."""
        if len(positions) == 0:
            return np.empty(0, dtype=np.int64 if self.setup.ids == "int" else object)
        of_part = np.searchsorted(self.firsts, positions, side="right") - 1
        names = [
            self.parts[p].names.take(positions[of_part == p] - self.firsts[p]) for p in np.unique(of_part).tolist()
        ]
        # Those of each part are together, in the order that they had.
        by_part = np.concatenate(names)
        in_order = np.empty_like(by_part)
        in_order[np.argsort(of_part, kind="stable")] = by_part
        return in_order

    def find(self, listed: Sequence[Any]) -> Positions:
        """Position of each id, all of the index's kind; −1 where it has none such."""
        found = np.full(len(listed), -1, dtype=np.int64)
        for part, gone, first in zip(self.parts, self.removed, self.firsts, strict=False):
            own = part.names.find(listed)
            own[np.isin(own, gone)] = -1
            found = np.where(own >= 0, own + first, found)
        return found

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
        foreign = [name for name in listed if not is_name(name, self.setup.ids)]
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

    @property
    def _longest(self) -> float:
        """Largest norm of a token of a document, about the index's origin."""
        if self.setup.kind == "bags":
            return max(longest(part.arrays["vectors"]) for part in self.parts)
        return max(part.numbers["max_norm"] for part in self.parts)

    def _tell_if_lost(self, query: Query, found: Positions, distances: NDArray[np.float64]) -> None:
        """Warn if distances are not much more than what float32 drops, or 0 to documents that came in float32."""
        measure, reach = self.setup.measure, longest(query.tokens)
        if not query.rounded and reach >= TINY:
            return
        if tell_if_below(distances, measure, reach + self._longest) or not query.unheld:
            return
        parts = {self.place(position)[0] for position in found[distances <= zero(measure, 2 * reach)].tolist()}
        # Of documents that were rounded themselves nobody knows any more whether they were this query.
        if any(self.parts[p].numbers.get("rounded") == 0.0 for p in parts):
            tell_vanished()

    def document(self, position: int) -> Document:
        """Tokens and mass of one document."""
        part, own = self.place(position)
        return self.parts[part].document(own, self.vocabulary)

    def costs(self, query: Query, position: int) -> NDArray[Any] | None:
        """What moving from each bin of a query to each of a document costs, where that is given."""
        if not isinstance(self.vocabulary, Costs):
            return None
        return self.vocabulary.between(query.tokens, self.document(position)[0])

    @property
    def has_negative_costs(self) -> bool:
        """Whether ground costs may be below 0."""
        return self.vocabulary.least < 0.0 if isinstance(self.vocabulary, Costs) else self.setup.measure.ground == "dot"

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

    # ---- search ----------------------------------------------------------------------------------------------------

    def search(
        self, query: Query, goal: Goal, budget: Budget, subset: Positions | None, subset_name: str, threads: int
    ) -> Hits:
        """Search the documents at some positions, or all."""
        started = time.perf_counter()
        measure = self.setup.measure
        positions = self.positions if subset is None else subset
        k = min(goal.k, len(positions))
        found, distances = np.empty(0, dtype=np.int64), np.empty(0)
        proved = _core.certify(distances, bound=np.inf, unsolved=0, k=0, radius=goal.radius)
        rungs: tuple[Rung, ...] = ()
        timed_out = False
        if len(positions):
            n_words = self.vocabulary.n_sources if isinstance(self.vocabulary, Costs) else None
            prepared = query.prepared(measure, n_words)
            candidates = self._candidates(prepared, budget, subset, threads)
            with _documents_sound():
                result = descend(
                    self.corpus,
                    prepared,
                    positions,
                    budget,
                    candidates,
                    k=k,
                    radius=goal.radius,
                    slack=goal.slack,
                    seed_by_candidates=self._seeds_are_near,
                    num_threads=threads,
                )
            found, distances = result.positions, result.distances
            proved, timed_out = result.certificate, result.timed_out
            rungs = named_rungs(result.rungs, self._bound_name, candidates)
        if len(found) and measure.ground in INVARIANT:
            self._tell_if_lost(query, found, distances)
        ids = self.names_at(found)
        # All that share the k-th distance are there; the lower ids of these stay.
        order = np.lexsort((ids, distances))[:k]
        found, ids, distances = found[order], ids[order], distances[order]
        stats = SearchStats(
            documents=len(positions),
            rungs=rungs,
            exact_solves=len(positions) - proved.unsolved,
            seconds=time.perf_counter() - started,
            timed_out=timed_out,
        )
        return Hits(
            ids=ids,
            distances=distances,
            measure=measure,
            certificate=Certificate.of(
                proved,
                distances,
                len(positions),
                "documents" if subset is None else subset_name,
                radius=None if np.isinf(goal.radius) else goal.radius,
            ),
            stats=stats,
            _documents=FoundDocuments(self, query, found.tolist()),
        )

    def _candidates(
        self, query: _core.Query, budget: Budget, subset: Positions | None, threads: int
    ) -> PrefilteredQuery | None:
        """Where a search that cannot look at everything begins, and one over the whole collection finds seeds."""
        if self.setup.kind == "bags":
            return None
        if budget.candidates is not None:
            if self.prefilter is None:
                raise ValueError("candidates: need a prefilter, and this index was built without one")
            return self.prefilter.query(query, subset, threads)
        if self.prefilter is None or (subset is not None and not self.prefilter.exhaustive):
            return None
        wanted = self._seeds_are_near and subset is None
        return self.prefilter.query(query, subset, threads) if wanted or budget.deadline is not None else None

    @property
    def _seeds_are_near(self) -> bool:
        """Whether the nearest by pooled vectors are good seeds: under balanced measures they are."""
        return bool(self.setup.measure._spec.has_pooled_bound)

    @property
    def _bound_name(self) -> str:
        if self.setup.kind == "bags":
            return "two-sided bound"
        return f"bound from {'costs' if self.setup.codes is None else f'{self.setup.codes} codes'}"


class FoundDocuments:
    """Documents that one search found, in the state of the index that it saw.

    Parameters
    ----------
    snapshot : Snapshot
        That state.
    query : Query
        What was asked.
    positions : list of int
        Of the documents, the nearest first.
    """

    def __init__(self, snapshot: Snapshot, query: Query, positions: list[int]) -> None:
        self._snapshot = snapshot
        self._query = query
        self._positions = positions

    def alignment(self, rank: int) -> Alignment:
        """Solve once more, for the plan."""
        with _documents_sound():
            position = self._positions[rank]
            document, costs = self._snapshot.document(position), self._snapshot.costs(self._query, position)
            return _aligned(self._query, document, self._snapshot.setup, costs)

    def payload(self, rank: int) -> Any:
        """What was given with the document."""
        return self._snapshot.payload(self._positions[rank])

    def only(self, rank: int) -> FoundDocuments:
        """The same with one document."""
        return FoundDocuments(self._snapshot, self._query, [self._positions[rank]])

    def __reduce__(self) -> tuple[Any, ...]:
        documents = [self._snapshot.document(position) for position in self._positions]
        payloads = [self._snapshot.payload(position) for position in self._positions]
        costs = [self._snapshot.costs(self._query, position) for position in self._positions]
        return KeptDocuments, (self._query, documents, payloads, self._snapshot.setup, costs)


@dataclass(frozen=True)
class KeptDocuments:
    """What is left of found documents where there is no index: tokens and mass, payloads, and costs if given."""

    query: Query
    documents: list[Document]
    payloads: list[Any]
    setup: Setup
    costs: list[NDArray[Any] | None]

    def alignment(self, rank: int) -> Alignment:
        """Solve once more, for the plan."""
        return _aligned(self.query, self.documents[rank], self.setup, self.costs[rank])

    def payload(self, rank: int) -> Any:
        """What was given with the document."""
        return self.payloads[rank]

    def only(self, rank: int) -> KeptDocuments:
        """The same with one document."""
        return KeptDocuments(self.query, [self.documents[rank]], [self.payloads[rank]], self.setup, [self.costs[rank]])


def _aligned(query: Query, document: Document, setup: Setup, costs: NDArray[Any] | None) -> Alignment:
    tokens, mass = document
    if costs is not None and query.mass is not None:
        alignment = aligned(costs, query.mass, mass, (query.tokens, tokens), setup.measure)
        return alignment.named(bin_names(query.tokens, setup.sources), bin_names(tokens, setup.targets))
    return align(query.tokens, tokens, setup.measure, query.mass, mass)


@contextmanager
def _documents_sound() -> Iterator[None]:
    """Documents were checked when they were added: if the core refuses one now, a file was changed since."""
    try:
        yield
    except InfeasibleError:
        raise  # nothing is damaged: costs forbid every plan
    except ValueError as error:
        raise IndexFormatError(f"a document cannot be measured: {error}; verify tells what is damaged") from None
