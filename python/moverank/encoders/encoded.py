"""What every encoder returns, and the one method that makes it one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from moverank.sequences import Sequences


@dataclass(frozen=True, repr=False)
class EncodedTexts:
    """Texts as sequences of token vectors.

    Attributes
    ----------
    sequences : Sequences
        One sequence a text, in the order of the texts that were kept.
    tokens : list of list of str
        The tokens behind each vector.
    kept : list of int
        Which of the given texts these are; all of them unless empty ones were skipped.
    dropped : list of int
        For each kept text, how many of its words have no vector.
    """

    sequences: Sequences
    tokens: list[list[str]]
    kept: list[int]
    dropped: list[int]

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        return f"EncodedTexts({self.sequences!r}, {sum(self.dropped)} words without a vector)"


class Encoder(Protocol):
    """Anything that turns texts into sequences of vectors."""

    def encode(self, texts: Sequence[str], *, skip_empty: bool = False) -> EncodedTexts:
        """Encode a batch of texts; ValueError names the first without a token unless `skip_empty`."""
        ...
