"""Encoders that give a word the same vector wherever it occurs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.encoders.encoded import EncodedText, Encoder
from moverank.encoders.word_vectors import WordRows, WordVectors
from moverank.spaces.space import Space, SpaceEncoder
from moverank.spaces.steps import Affine, ScaledBy, UnitNorm

#: Steps that depend only on a word and its vector, and leave mass to the measure.
_PER_WORD = (Affine, ScaledBy, UnitNorm)


@dataclass(frozen=True, eq=False)
class WordTable:
    """Word vectors, moved into a space if there is one."""

    words: WordVectors
    space: Space | None = None

    @classmethod
    def of(cls, encoder: Encoder) -> WordTable | None:
        """The table of an encoder's words; None if vectors depend on more than the word, or come with weights."""
        space = None
        # A subclass that overrides encoding is an encoder like any other.
        if isinstance(encoder, SpaceEncoder) and _encodes_as(SpaceEncoder, encoder):
            space, encoder = encoder.space, encoder.encoder
            if not all(type(step) in _PER_WORD for step in space.steps):
                return None
        if isinstance(encoder, WordVectors) and _encodes_as(WordVectors, encoder):
            return cls(encoder, space)
        return None

    def rows_of(self, texts: Sequence[str]) -> list[WordRows]:
        """Rows of the words of each text."""
        return self.words._rows_of(texts)

    def vectors_of(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Vectors of rows, in the space."""
        vectors: NDArray[np.float32] = np.ascontiguousarray(self.words._vectors_of(rows), dtype=np.float32)
        if self.space is not None:
            names = self.words._names_of(rows)
            for step in self.space.steps:
                vectors, _ = step.apply(names, vectors, None)
        return vectors

    def text_of(self, found: WordRows) -> EncodedText:
        """Words and vectors of one text."""
        return EncodedText(self.words._names_of(found.rows), self.vectors_of(found.rows), dropped=found.dropped)


def _encodes_as(kind: type[Encoder], encoder: Encoder) -> bool:
    """Whether documents are encoded by this class's own methods, not overridden by a subclass."""
    return all(
        getattr(type(encoder), name, None) is getattr(kind, name, None) for name in ("encode", "encode_documents")
    )
