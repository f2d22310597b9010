"""Encoded documents in the form compared: bags of words where a word has one vector, else sequences of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.encoders.encoded import EncodedText, gathered
from moverank.encoders.word_vectors import WordRows
from moverank.measures.measure import Measure
from moverank.ranking.cache import CachedEncoder
from moverank.ranking.word_table import WordTable
from moverank.solvers.sinkhorn import Sinkhorn
from moverank.vectors.bags import Bags
from moverank.vectors.sequences import Sequences


@dataclass(frozen=True, eq=False)
class Documents:
    """Texts that have a token with mass: `batch` holds one document per entry of `kept`, which numbers the texts."""

    batch: Sequences | Bags
    kept: list[int]
    dropped: int
    cut: int
    tokens: int
    text: Callable[[int], EncodedText]
    """The tokens of one document, by its position in the batch, in the order of its text."""


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
    found = [with_mass(one, measure, name_of(t)) for t, one in enumerate(encoder._as_texts(encoded))]
    if not any(one.tokens for one in found):
        return None
    batch = gathered(texts, found, skip_empty=True)
    tokens = int(batch.sequences.offsets[-1])
    return Documents(batch.sequences, batch.kept, sum(batch.dropped), sum(batch.cut), tokens, batch.text)


def _as_bags(
    table: WordTable, encoded: Sequence[Any], measure: Measure, name_of: Callable[[int], str]
) -> Documents | None:
    texts: list[tuple[int, WordRows]] = [(t, one) for t, one in enumerate(encoded) if len(one)]
    if not texts:
        return None
    # A table of the words in use, so that nothing is computed for words that no document has.
    used, number = _used(texts, len(table.words))
    vectors = table.vectors_of(used)
    zero = ~_directed(vectors)
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
        raise _no_direction(name_of(t), table.text_of(one).tokens[int(np.argmax(np.isin(one.rows, massless)))])
    counted = [one.counted for _, one in texts]
    words = number[np.concatenate([rows for rows, _ in counted])]
    counts = np.concatenate([own for _, own in counted])
    offsets = np.cumsum([0] + [len(rows) for rows, _ in counted])
    bags = Bags._of(vectors, words, offsets, None if (counts == 1).all() else counts, None)
    dropped, tokens = (sum(own) for own in zip(*((one.dropped, len(one)) for _, one in texts), strict=True))
    texts_of = partial(_text_of, table, [one for _, one in texts])
    return Documents(bags, [t for t, _ in texts], dropped, 0, tokens, texts_of)


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


def _text_of(table: WordTable, texts: list[WordRows], place: int) -> EncodedText:
    return table.text_of(texts[place])


def with_mass(text: EncodedText, measure: Measure, name: str) -> EncodedText:
    """The text without tokens that have no mass under a measure; they are counted as dropped.

    Raises
    ------
    ValueError
        If a token with mass has a zero vector, which has no direction under the ground cost; the message names both.
    """
    directed = _directed(text.vectors)
    mass: NDArray[np.bool_] | None = directed if measure._mass.needs_vectors else None
    if text.weights is not None:
        mass = text.weights != 0
    if mass is not None and not mass.all():
        weights = None if text.weights is None else text.weights[mass]
        tokens = [token for token, has in zip(text.tokens, mass.tolist(), strict=True) if has]
        dropped = text.dropped + int((~mass).sum())
        text, directed = EncodedText(tokens, text.vectors[mass], weights, dropped, text.cut), directed[mass]
    if measure._cost.needs_directions and not directed.all():
        raise _no_direction(name, text.tokens[int(np.argmin(directed))])
    return text


def _directed(vectors: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which vectors are not zero."""
    return np.asarray(vectors.any(axis=1))


def _no_direction(name: str, token: str) -> ValueError:
    return ValueError(
        f"{name}: the vector of {token!r} is zero, which has no direction under cosine cost; weighting by norm, "
        "as in WRD, gives it no mass"
    )
