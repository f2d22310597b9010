"""The text that the language model learns from: 400 abstracts that come with moverank."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import moverank as mr
from moverank.data import demo_documents

#: A word that occurs once says little about its neighbours.
LEAST_COUNT = 2
_ENDS = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")


@dataclass(frozen=True, eq=False)
class Corpus:
    """Sentences as numbers of words.

    Attributes
    ----------
    words : list of str
        The words that sentences may be made of, V of them.
    vectors : ndarray of float32, shape (V, d)
        Vector of each.
    sentences : list of list of int
        Places in `words`; V for a word that is not there.
    """

    words: list[str]
    vectors: NDArray[np.float32]
    sentences: list[list[int]]

    def text(self, sentence: tuple[int, ...] | list[int]) -> str:
        """Write a sentence as words."""
        return " ".join(self.words[word] if word < len(self.words) else "…" for word in sentence)


def load(n_documents: int | None = None) -> Corpus:
    """Read the abstracts and their titles; the first ones only on request."""
    tokenize = mr.encoders.Words()
    documents = demo_documents()[:n_documents]
    texts = [text for document in documents for text in (document.title, *_ENDS.split(document.text))]
    tokens = [tokenize(text) for text in texts]
    counts = Counter(word for sentence in tokens for word in sentence)
    frequent = [word for word, count in counts.items() if count >= LEAST_COUNT and word.isalpha()]
    # A word of which only parts have vectors becomes several tokens, or another one.
    encoded = mr.encoders.WordVectors.default().encode(frequent, skip_empty=True)
    vector_of = {
        names[0]: np.asarray(vectors)[0]
        for names, vectors in zip(encoded.tokens, encoded.sequences, strict=True)
        if len(names) == 1
    }
    words = [word for word in frequent if word in vector_of]
    place = {word: number for number, word in enumerate(words)}
    return Corpus(
        words,
        np.stack([vector_of[word] for word in words]),
        [[place.get(word, len(words)) for word in sentence] for sentence in tokens if sentence],
    )
