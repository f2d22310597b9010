"""What `fit` is given, checked, with texts encoded and ids as places."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.arrays import is_tensor, plain_array
from moverank._support.validate import as_list, real_number, text_list
from moverank.encoders.encoded import EncodedTexts, Encoder, encode_documents, encode_queries
from moverank.spaces.space import Space

#: Texts by id, or in a list, where ids are places.
Texts = Mapping[Any, str] | Sequence[str]


class Given:
    """Texts of one argument, encoded; those without a token are left out."""

    def __init__(self, texts: Texts, name: str, encoder: Encoder, start: Space | None, *, as_queries: bool) -> None:
        named = isinstance(texts, Mapping)
        listed = text_list(list(texts.values()) if named else texts, name, "text", "texts")  # type: ignore[union-attr]
        if not listed:
            raise ValueError(f"{name}: expected at least one text, got none")
        ids: list[Any] = list(texts) if named else list(range(len(listed)))
        encode = encode_queries if as_queries else encode_documents
        encoded = encode(encoder, listed, skip_empty=True)
        self.name = name
        self.encoded: EncodedTexts = encoded if start is None else start(encoded)
        self.count = len(listed)
        for id in ids:
            if not isinstance(id, (str, int, np.integer)):
                raise TypeError(f"{name}: expected ids that are strings or integers, got {id!r:.80}")
        #: Ids of the texts that have tokens; those of integer types as plain ones, which JSON can hold.
        self.ids: list[str | int] = [_plain(ids[t]) for t in encoded.kept]
        self._known = set(ids)
        self._place = {ids[t]: place for place, t in enumerate(encoded.kept)}

    def place(self, id: Any, what: str) -> int | None:
        """Place of a text among those that have tokens, None if it has none; ValueError for an unknown id."""
        try:
            known = id in self._known
        except TypeError:
            known = False
        if not known:
            raise ValueError(f"{what}: {id!r:.80} is not among {self.name}")
        return self._place.get(id)


def held_out_places(held_out: Any, texts: Given) -> list[int] | None:
    """Places of the ids that are to be held out, those of texts without tokens left out; None if none are given."""
    if held_out is None:
        return None
    listed = list(held_out) if isinstance(held_out, (set, frozenset)) else as_list(held_out, "held_out", "ids")
    places = [texts.place(id, "held_out") for id in listed]
    return [place for place in places if place is not None]


def judged(judgements: Any, queries: Given, documents: Given) -> list[dict[int, float]]:
    """Grades of the relevant documents of each query; judgements of 0 or less do not count."""
    if isinstance(judgements, Mapping):
        rows = [(q, own) for q, own in judgements.items()]
        flat: list[Any] = []
        for q, own in rows:
            if isinstance(own, Mapping):
                flat += [(q, d, grade) for d, grade in own.items()]
            else:
                listed = list(own) if isinstance(own, (set, frozenset)) else own
                flat += [(q, d, 1) for d in as_list(listed, "judgements", "ids of documents")]
    else:
        flat = as_list(judgements, "judgements", "(query, document, grade)")
    grades: list[dict[int, float]] = [{} for _ in range(len(queries.encoded))]
    for row in flat:
        q, d, grade = _columns(row, "judgements", 3)
        gain = real_number(grade, "judgements: a grade")
        if not math.isfinite(gain):
            raise ValueError(f"judgements: the grade of {d!r:.80} for {q!r:.80} is not finite")
        query, document = queries.place(q, "judgements"), documents.place(d, "judgements")
        if query is None or document is None:
            continue
        known = grades[query].setdefault(document, gain)
        if known != gain:
            raise ValueError(f"judgements: {d!r:.80} has two grades for {q!r:.80}, {known:g} and {gain:g}")
    return [{document: gain for document, gain in sorted(own.items()) if gain > 0} for own in grades]


def of_triples(triples: Any, queries: Given, documents: Given) -> tuple[list[dict[int, float]], list[list[int]]]:
    """Positive and negative documents of each query."""
    relevant: list[dict[int, float]] = [{} for _ in range(len(queries.encoded))]
    others: list[list[int]] = [[] for _ in range(len(queries.encoded))]
    for row in as_list(triples, "triples", "(query, positive, negative)"):
        q, better, worse = _columns(row, "triples", 3)
        places = queries.place(q, "triples"), documents.place(better, "triples"), documents.place(worse, "triples")
        query, positive, negative = places
        if query is not None and positive is not None and negative is not None:
            relevant[query][positive] = 1.0
            others[query].append(negative)
    for own, negatives in zip(relevant, others, strict=True):
        both = own.keys() & set(negatives)
        if both:
            raise ValueError("triples: a document is positive and negative for one query")
        negatives[:] = dict.fromkeys(negatives)
    return relevant, others


def classes(labels: Any, documents: Given) -> NDArray[np.int64]:
    """Classes of the texts that have tokens, as numbers in the order of their names."""
    listed = as_list(labels, "labels", "classes")
    if len(listed) != documents.count:
        raise ValueError(f"labels: expected {documents.count}, one per document, got {len(listed)}")
    kinds = {type(label) for label in listed}
    if not all(isinstance(label, (str, int, np.integer)) for label in listed) or (len(kinds) > 1 and str in kinds):
        raise TypeError("labels: expected strings, or integers")
    own = np.array([listed[t] for t in documents.encoded.kept])
    numbers: NDArray[np.int64] = np.unique(own, return_inverse=True)[1]
    if numbers.max() == 0:
        raise ValueError("labels: expected at least two classes")
    return numbers


def scores_of(pairs: Any, count: int) -> NDArray[np.float64]:
    """Scores of pairs."""
    found = np.array([real_number(score, "pairs: a score") for score in as_list(pairs, "pairs", "scores")])
    if len(found) != count:
        raise ValueError(f"pairs: expected {count} scores, one per query and its document, got {len(found)}")
    if not np.isfinite(found).all():
        raise ValueError(f"pairs: score {int(np.argmin(np.isfinite(found)))} is not finite")
    return found


def split(
    chosen: Iterable[int], given: Collection[int] | None, share: float, seed: int, what: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places to train on and places to choose by, both in order: those that are given, or a random share."""
    places = np.array(sorted(chosen), dtype=np.int64)
    if len(places) < 2:
        raise ValueError(f"{what}: expected examples of at least two, to train on and to choose by, got {len(places)}")
    if given is not None:
        is_held = np.isin(places, np.array(sorted(given), dtype=np.int64))
        if is_held.all() or not is_held.any():
            raise ValueError(f"held_out: expected some of the {len(places)} with examples, got {int(is_held.sum())}")
        return places[~is_held], places[is_held]
    count = min(max(round(len(places) * share), 1), len(places) - 1)
    order = np.random.default_rng([seed, len(places)]).permutation(len(places))
    return np.sort(places[order[count:]]), np.sort(places[order[:count]])


def _plain(id: Any) -> Any:
    return int(id) if isinstance(id, np.integer) else id


def _columns(row: Any, name: str, count: int) -> list[Any]:
    if isinstance(row, np.ndarray) or is_tensor(row):  # a row of a table
        row = plain_array(row, name).tolist()
    if isinstance(row, (str, bytes)) or not isinstance(row, Sequence) or len(row) != count:
        raise ValueError(f"{name}: expected rows of {count}, got {row!r:.80}")
    return list(row)
