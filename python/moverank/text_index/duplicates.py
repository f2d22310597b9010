"""Documents of an index that say nearly the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moverank.index.answer import Request
from moverank.index.search.hits import Hits
from moverank.index.search.query import Query
from moverank.text_index.corpus import State

Id = int | str


@dataclass(frozen=True)
class NearDuplicate:
    """Two documents that say nearly the same.

    Attributes
    ----------
    first, second : int or str
        Their ids; `first` was added first.
    similarity : float
        The lower of the similarities in both directions: a part is similar to the whole, but not the reverse. If
        documents are cut into passages, that of the two most similar passages.
    """

    first: Id
    second: Id
    similarity: float


def near_duplicates(
    state: State,
    least: float,
    candidates: int | None,
    num_threads: int,
    progress: Callable[[int, int], object] | None,
) -> list[NearDuplicate]:
    """Pairs of documents of at least some similarity, the most similar first; see `TextIndex.near_duplicates`."""
    snapshot = state.snapshot
    positions = snapshot.positions.tolist()
    names = snapshot.ids_at(snapshot.positions).tolist()
    owner = dict(zip(names, map(state.document_of, names), strict=True))
    order = {document: place for place, document in reversed(list(enumerate(owner.values())))}
    one_way: dict[tuple[str, str], float] = {}
    for place, (position, entry) in enumerate(zip(positions, names, strict=True)):
        for hit in _near(state, position, least, candidates, num_threads):
            other = str(hit.id)
            if owner[other] != owner[entry] and hit.similarity >= least:
                one_way[entry, other] = hit.similarity
        if progress is not None:
            progress(place + 1, len(names))
    best: dict[tuple[Id, Id], float] = {}
    for (entry, other), similarity in one_way.items():
        back = one_way.get((other, entry))
        if back is None and candidates is not None:
            # It may be no candidate of the other one, which has many neighbours.
            request = Request.among(snapshot, [entry], 1, slack=0.0, timeout=None)
            back = _asked(state, snapshot.position_of(other), request, num_threads)[0].similarity
        pair = sorted((owner[entry], owner[other]), key=order.__getitem__)
        lower = min(similarity, -1.0 if back is None else back)
        if lower >= least and lower > best.get((pair[0], pair[1]), -1.0):
            best[pair[0], pair[1]] = lower
    found = [NearDuplicate(*pair, similarity) for pair, similarity in best.items()]
    return sorted(found, key=lambda own: (-own.similarity, order[own.first], order[own.second]))


def _near(state: State, position: int, least: float, candidates: int | None, num_threads: int) -> Hits:
    """Entries near one, itself among them."""
    snapshot = state.snapshot
    if candidates is None:
        # 1 − d and 1 / (1 + d): the distance at which the similarity is the least one.
        cosine = snapshot.setup.measure.least_similarity == -1.0
        radius = (1.0 - least if cosine else 1.0 / least - 1.0) + 1e-9
        request = Request.within(snapshot, radius, timeout=None, subset=None, where=None)
    else:
        request = Request.nearest(snapshot, candidates + 1, slack=0.0, candidates=candidates + 1, timeout=None)
    return _asked(state, position, request, num_threads)


def _asked(state: State, position: int, request: Request, num_threads: int) -> Hits:
    # As stored, which is relative to the index's origin, as a checked query is.
    tokens, mass = state.snapshot.document(position)
    return request.answer_checked(Query(tokens, mass, "document"), num_threads)
