"""Words of a text, for encoders that look whole words up."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_JOINT = re.compile(r"['-]")


@dataclass(frozen=True)
class Words:
    """Cut a text into words: runs of letters and digits, with inner apostrophes and hyphens; repeats are kept.

    Parameters
    ----------
    lower_case : bool, default True
        As the vocabularies of GloVe and of the bundled vectors are; word2vec's GoogleNews and fastText's are not.
    stop_words : collection of str, default none
        Words to leave out, in lower case; `STOP_WORDS` is a list for English. WMD was published without stop words,
        WRD with all words, its norms weighing them; all words are the default here.

    Examples
    --------
    >>> Words()("The T-cell's state-of-the-art (2020), naïve!")
    ['the', "t-cell's", 'state-of-the-art', '2020', 'naïve']
    >>> Words(lower_case=False, stop_words={"the"})("The Cat")
    ['Cat']
    """

    lower_case: bool = True
    stop_words: Collection[str] = frozenset()

    def __post_init__(self) -> None:
        given: Any = self.stop_words
        if isinstance(given, str) or not isinstance(given, Collection):
            found = "one string" if isinstance(given, str) else type(given).__name__
            raise TypeError(f"stop_words: expected a collection of words, got {found}")

    def __call__(self, text: str) -> list[str]:
        """Words of a text, in order."""
        plain = text.replace("’", "'")
        words = _WORD.findall(plain.lower() if self.lower_case else plain)
        return [word for word in words if word.lower() not in self.stop_words] if self.stop_words else words


def pieces(word: str) -> list[str]:
    """What a compound falls into at its hyphens and apostrophes; empty for a simple word.

    Examples
    --------
    >>> pieces("t-cell's"), pieces("cell")
    (['t', 'cell', 's'], [])
    """
    parts = _JOINT.split(word)
    return parts if len(parts) > 1 else []
