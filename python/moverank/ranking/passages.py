"""Long documents as passages: windows of words that overlap."""

from __future__ import annotations

import re
from dataclasses import dataclass

from moverank._validate import whole_number

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Passages:
    """Cut texts into windows; a document is as near as its nearest window.

    Parameters
    ----------
    words : int, default 150
        Words of a window, as white space divides them.
    overlap : int, default 50
        Words that a window shares with the one before.

    Examples
    --------
    >>> Passages(words=3, overlap=1).spans("one two three four five six")
    [(0, 13), (8, 23), (19, 27)]
    """

    words: int = 150
    overlap: int = 50

    def __post_init__(self) -> None:
        whole_number(self.words, "words", least=1)
        whole_number(self.overlap, "overlap", least=0)
        if self.overlap >= self.words:
            raise ValueError(f"overlap must be less than words, {self.words}, got {self.overlap}")

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the windows of a text begin and end, in characters; the last one may be shorter."""
        found = [match.span() for match in _WORD.finditer(text)]
        if not found:
            return [(0, len(text))]
        step = self.words - self.overlap
        starts = range(0, max(len(found) - self.overlap, 1), step)
        return [(found[s][0], found[min(s + self.words, len(found)) - 1][1]) for s in starts]
