"""Encoded texts with all that scores of their tokens depend on, computed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moverank.encoders.encoded import EncodedTexts
from moverank.spaces.learnt import base_mass, features_of
from moverank.spaces.weights import TokenWeights
from moverank.vectors.words import Words


@dataclass(frozen=True, eq=False)
class Side:
    """Texts of one side, flat: vectors (T, d), mass (T,), rows of the table of tokens (T,), features (T, 3).

    `words` says which vectors are equal.
    """

    vectors: NDArray[np.float32]
    offsets: NDArray[np.int64]
    base: NDArray[np.float64]
    rows: NDArray[np.int64]
    features: NDArray[np.float32]
    words: Words

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Tokens with a number of their own, and how rare tokens are."""

    names: list[str]
    rarity: TokenWeights

    @classmethod
    def of(cls, texts: Iterable[EncodedTexts], least_texts: int) -> Vocabulary:
        """Count the tokens of texts."""
        texts_with: Counter[str] = Counter()
        count = 0
        for side in texts:
            count += len(side)
            for own in side.tokens:
                texts_with.update(dict.fromkeys(own, 1))  # unlike a set, in an order that no hash changes

        def weight(own: int) -> float:
            return float(np.log((1 + count) / (1 + own)) + 1)

        rarity = TokenWeights({token: weight(own) for token, own in texts_with.items()}, weight(0), name="idf")
        return cls(sorted(token for token, own in texts_with.items() if own >= least_texts), rarity)

    def side(self, encoded: EncodedTexts, *, by_norm: bool) -> Side:
        """Texts as training reads them; `by_norm` says what tokens without weights weigh."""
        sequences = encoded.sequences.astype("float32")
        vectors: NDArray[np.float32] = sequences.tokens
        place = {name: row for row, name in enumerate(self.names, start=1)}
        tokens = [token for own in encoded.tokens for token in own]
        rows = np.fromiter((place.get(token, 0) for token in tokens), dtype=np.int64, count=len(tokens))
        features = features_of(tokens, vectors, self.rarity, sequences.offsets)
        base = base_mass(vectors, sequences.weights, by_norm)
        words = Words.of(vectors, sequences.offsets)
        return Side(vectors, sequences.offsets, base, rows, features.astype(np.float32), words)
