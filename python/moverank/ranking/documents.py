"""Encoded documents as an index: bags of words where a word has one vector, else sequences of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.encoders.encoded import EncodedText, gathered
from moverank.encoders.word_vectors import WordRows
from moverank.errors import DimensionError
from moverank.index.index import Index
from moverank.measures.measure import Measure
from moverank.ranking.cache import CachedEncoder
from moverank.ranking.prepared_text import PreparedText, has_direction, no_direction, with_mass
from moverank.ranking.word_table import WordTable
from moverank.solvers.sinkhorn import Sinkhorn
from moverank.vectors.bags import Bags


@dataclass(frozen=True, eq=False)
class Documents:
    """Texts that have a token with mass, as an index whose ids are the numbers of the texts.

    So equal distances keep the order of the texts. `kept` are the numbers of the texts in the index, increasing;
    `text` returns the tokens of one of them, in the order of its text.
    """

    index: Index
    kept: list[int]
    dropped: int
    cut: int
    tokens: int
    text: Callable[[int], EncodedText]


def encoded_documents(
    encoder: CachedEncoder,
    texts: list[str],
    measure: Measure,
    name_of: Callable[[int], str],
    deadline: float | None = None,
) -> tuple[Documents | None, list[int]]:
    """Encode texts for a measure; None if none has a token with mass. And those that were not encoded in time.

    Errors call text t `name_of(t)`. Time ends at `deadline`, by `time.perf_counter`.
    """
    encoded = encoder._each(texts, deadline=deadline)
    late = [t for t, one in enumerate(encoded) if one is None]
    return _documents(encoder, texts, encoded, measure, name_of), late


def _documents(
    encoder: CachedEncoder,
    texts: list[str],
    encoded: list[Any],
    measure: Measure,
    name_of: Callable[[int], str],
) -> Documents | None:
    table = encoder.table
    none: Any = EncodedText.empty() if table is None else WordRows(np.empty(0, dtype=np.uint32))
    encoded = [none if one is None else one for one in encoded]
    # Entropic problems distinguish a word that occurs twice from a word of twice the mass.
    if table is not None and not isinstance(measure.problem, Sinkhorn):
        return _as_bags(table, encoded, measure, name_of)
    return _as_tokens(encoder, texts, list(encoder._as_texts(encoded)), measure, name_of)


def _as_tokens(
    encoder: CachedEncoder,
    texts: list[str],
    encoded: list[EncodedText],
    measure: Measure,
    name_of: Callable[[int], str],
) -> Documents | None:
    known: dict[int, PreparedText] = {}
    found: list[EncodedText] = []
    for t, one in enumerate(encoded):
        prepared = encoder._prepared(texts[t], measure, name_of(t))
        if prepared is not None and prepared.index is not None:
            known[t] = prepared
        found.append(with_mass(one, measure, name_of(t)) if prepared is None else prepared.text)
    kept = [t for t, one in enumerate(found) if one.tokens]
    if not kept:
        return None
    _require_alike([found[t] for t in kept], [name_of(t) for t in kept])
    index = _index_of(texts, found, kept, known, measure)
    lost = [(found[t].dropped, found[t].cut, len(found[t].tokens)) for t in kept]
    dropped, cut, tokens = (sum(own) for own in zip(*lost, strict=True))
    return Documents(index, kept, dropped, cut, tokens, found.__getitem__)


def _index_of(
    texts: list[str], found: list[EncodedText], kept: list[int], known: dict[int, PreparedText], measure: Measure
) -> Index:
    """The kept texts as one index: those that were prepared before as they are, and the others prepared together."""
    fresh = [t for t in kept if t not in known]
    indexes = [own.index for own in known.values() if own.index is not None]
    ids = [np.array([t]) for t in known]
    if fresh:
        indexes.append(_built(texts, found, fresh, measure))
        ids.append(np.array(fresh))
    joined = Index._joined(indexes, ids) if known else indexes[0]
    # Each may have chosen an origin of its own.
    return _built(texts, found, kept, measure) if joined is None else joined


def _built(texts: list[str], found: list[EncodedText], kept: list[int], measure: Measure) -> Index:
    batch = gathered([texts[t] for t in kept], [found[t] for t in kept], skip_empty=False)
    return Index.build(batch.sequences, measure, ids=kept, prefilter=None)


def _require_alike(found: list[EncodedText], names: list[str]) -> None:
    """Refuse encoded texts of several dimensions, or of which some have weights and some have none."""
    first = found[0]
    for one, name in zip(found, names, strict=True):
        dims = one.vectors.shape[1], first.vectors.shape[1]
        if dims[0] != dims[1]:
            raise DimensionError(f"{name}: encoded to vectors of dimension {dims[0]}, {names[0]} to {dims[1]}")
        if (one.weights is None) != (first.weights is None):
            with_, without = (name, names[0]) if first.weights is None else (names[0], name)
            raise ValueError(f"the encoder gave {with_} weights, and {without} none")


def _as_bags(
    table: WordTable, encoded: Sequence[Any], measure: Measure, name_of: Callable[[int], str]
) -> Documents | None:
    texts: list[tuple[int, WordRows]] = [(t, one) for t, one in enumerate(encoded) if len(one)]
    if not texts:
        return None
    # A table of the words in use, so that nothing is computed for words that no document has.
    used, number = _used(texts, len(table.words))
    vectors = table.vectors_of(used)
    zero = ~has_direction(vectors)
    if zero.any() and measure._mass.needs_vectors:
        massless = used[zero]
        texts = [(t, _without(one, massless)) for t, one in texts]
        texts = [(t, one) for t, one in texts if len(one)]
        if not texts:
            return None
        used, number = _used(texts, len(table.words))
        vectors = table.vectors_of(used)
    elif zero.any() and measure._cost.needs_directions:
        massless = used[zero]
        t, one = next((t, one) for t, one in texts if np.isin(one.rows, massless).any())
        raise no_direction(name_of(t), table.text_of(one).tokens[int(np.argmax(np.isin(one.rows, massless)))])
    counted = [one.counted for _, one in texts]
    words = number[np.concatenate([rows for rows, _ in counted])]
    counts = np.concatenate([own for _, own in counted])
    offsets = np.cumsum([0] + [len(rows) for rows, _ in counted])
    bags = Bags._of(vectors, words, offsets, None if (counts == 1).all() else counts, None)
    dropped, tokens = (sum(own) for own in zip(*((one.dropped, len(one)) for _, one in texts), strict=True))
    kept = [t for t, _ in texts]
    index = Index.build(bags, measure, ids=kept, prefilter=None)
    words_of = dict(texts)
    return Documents(index, kept, dropped, 0, tokens, lambda t: table.text_of(words_of[t]))


def _used(texts: list[tuple[int, WordRows]], rows: int) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Those of so many rows that any text has, increasing, and the number of each among them."""
    is_used = np.zeros(rows, dtype=bool)
    is_used[np.concatenate([one.counted[0] for _, one in texts])] = True
    used = np.flatnonzero(is_used)
    number = np.empty(rows, dtype=np.uint32)
    number[used] = np.arange(len(used), dtype=np.uint32)
    return used, number


def _without(one: WordRows, massless: NDArray[Any]) -> WordRows:
    """The text without rows that have no mass, which count as dropped."""
    has_mass = ~np.isin(one.rows, massless)
    return one if has_mass.all() else WordRows(one.rows[has_mass], one.dropped + int((~has_mass).sum()))
