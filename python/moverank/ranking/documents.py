"""Encoded documents in the form compared: bags of words where a word has one vector, else sequences of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    text: Callable[[int], EncodedText]
    """The tokens of one document, by its position in the batch, in the order of its text."""


def encoded_documents(
    encoder: CachedEncoder, texts: list[str], measure: Measure, name_of: Callable[[int], str]
) -> Documents | None:
    """Encode texts for a measure; None if none has a token with mass. Errors call text t `name_of(t)`."""
    encoded, table = encoder._each(texts), encoder.table
    # Entropic problems distinguish a word that occurs twice from a word of twice the mass.
    if table is not None and not isinstance(measure.problem, Sinkhorn):
        return _as_bags(table, encoded, measure, name_of)
    found = [with_mass(one, measure, name_of(t)) for t, one in enumerate(encoder._as_texts(encoded))]
    if not any(one.tokens for one in found):
        return None
    batch = gathered(texts, found, skip_empty=True)
    return Documents(batch.sequences, batch.kept, sum(batch.dropped), sum(batch.cut), batch.text)


def _as_bags(
    table: WordTable, encoded: Sequence[Any], measure: Measure, name_of: Callable[[int], str]
) -> Documents | None:
    texts: list[tuple[int, WordRows]] = [(t, one) for t, one in enumerate(encoded) if len(one)]
    if not texts:
        return None
    # A table of the words in use, so that nothing is computed for words that no document has.
    used, words = np.unique(np.concatenate([one.rows for _, one in texts]), return_inverse=True)
    vectors = table.vectors_of(used)
    documents = np.split(words, np.cumsum([len(one) for _, one in texts])[:-1])
    zero = ~_directed(vectors)
    if zero.any() and measure._mass.needs_vectors:
        lost = [int(zero[own].sum()) for own in documents]
        documents = [own[~zero[own]] for own in documents]
        texts = [
            (t, replace(one, rows=used[own], dropped=one.dropped + less))
            for (t, one), own, less in zip(texts, documents, lost, strict=True)
        ]
        texts, documents = [(t, one) for t, one in texts if len(one)], [own for own in documents if len(own)]
        if not texts:
            return None
    elif zero.any() and measure._cost.needs_directions:
        t, one, bad = next(
            (t, one, int(np.argmax(zero[own])))
            for (t, one), own in zip(texts, documents, strict=True)
            if zero[own].any()
        )
        raise _no_direction(name_of(t), table.text_of(one).tokens[bad])
    dropped = sum(one.dropped for _, one in texts)
    return Documents(
        Bags(vectors, documents), [t for t, _ in texts], dropped, 0, lambda place: table.text_of(texts[place][1])
    )


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
