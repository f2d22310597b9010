"""Words of a text, for encoders that look whole words up."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
_JOINT = re.compile(r"['-]")


def words_of(text: str) -> list[str]:
    """Lower-cased words, with inner apostrophes and hyphens; repeats are kept.

    Examples
    --------
    >>> words_of("The T-cell's state-of-the-art (2020)!")
    ['the', "t-cell's", 'state-of-the-art', '2020']
    """
    return _WORD.findall(text.lower())


def pieces(word: str) -> list[str]:
    """What a compound falls into at its hyphens and apostrophes; empty for a simple word.

    Examples
    --------
    >>> pieces("t-cell's"), pieces("cell")
    (['t', 'cell', 's'], [])
    """
    parts = _JOINT.split(word)
    return parts if len(parts) > 1 else []
