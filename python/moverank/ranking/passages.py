"""Long documents as passages: windows of words that overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import category

from moverank._support.validate import whole_number
from moverank.encoders.scripts import HAN, HIRAGANA, KATAKANA, OTHERS_WITHOUT_SPACES, THAI
from moverank.encoders.segmenters import SEGMENTERS, segments

_Span = tuple[int, int]

_WORD = re.compile(r"\S+")
_EAST = HAN + HIRAGANA + KATAKANA
_SOUTH = THAI + "".join(OTHERS_WITHOUT_SPACES)
#: Characters counted as a word where nothing marks its end: about the length of a word in segmented text.
_CHARACTERS = {"east": 2, "south": 4}
_PART = re.compile(rf"(?P<east>[{_EAST}]+)|(?P<south>[{_SOUTH}]+)|[^\s{_EAST}{_SOUTH}]+")
_WITHOUT_SPACES = re.compile(f"[{_EAST}{_SOUTH}]")
#: Vowels of Thai and Lao that are written before the consonant which they follow.
_BEFORE_THEIR_CONSONANT = frozenset("เแโใไເແໂໃໄ")


@dataclass(frozen=True)
class Passages:
    """Cut texts into windows; a document's distance is that of its nearest window.

    Parameters
    ----------
    words : int, default 150
        Words per window, separated by white space. Chinese, Japanese, Thai, Lao, Burmese and Khmer have none: there
        two characters (four in the last four scripts) count as a word, unless a segmenter is named.
    overlap : int, default 50
        Words that a window shares with the previous one.
    segmenter : {"jieba", "fugashi", "pythainlp"}, optional
        Finds the words of scripts without spaces, as for `Words`, so that no word is cut in two. Without it, the
        overlap keeps words whole in one of two windows.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    ImportError
        If the segmenter is not installed; the message names the extra.

    Examples
    --------
    >>> Passages(words=3, overlap=1).spans("one two three four five six")
    [(0, 13), (8, 23), (19, 27)]
    >>> Passages(words=3, overlap=1).spans("我爱北京天安门。")
    [(0, 6), (4, 8)]
    """

    words: int = 150
    overlap: int = 50
    segmenter: str | None = None

    def __post_init__(self) -> None:
        whole_number(self.words, "words", least=1)
        whole_number(self.overlap, "overlap", least=0)
        if self.overlap >= self.words:
            raise ValueError(f"overlap must be less than words, {self.words}, got {self.overlap}")
        if self.segmenter is not None:
            segments(self.segmenter)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Begin and end of each window of a text, in characters; the last one may be shorter."""
        if text.isascii() or not _WITHOUT_SPACES.search(text):
            found = [match.span() for match in _WORD.finditer(text)]
        else:
            found = _with_punctuation(text, self._parts(text))
        if not found:
            return [(0, len(text))]
        step = self.words - self.overlap
        starts = range(0, max(len(found) - self.overlap, 1), step)
        return [(found[s][0], found[min(s + self.words, len(found)) - 1][1]) for s in starts]

    def _parts(self, text: str) -> Iterator[_Span]:
        """Words of a text in which not all have spaces between them, and the punctuation at them."""
        for part in _PART.finditer(text):
            start, end = part.span()
            if self.segmenter is not None and SEGMENTERS[self.segmenter].script.fullmatch(text, start, end):
                yield from _segmented(self.segmenter, text, start, end)
            elif part.lastgroup is not None:
                yield from _by_characters(text, start, end, _CHARACTERS[part.lastgroup])
            else:
                yield start, end


def _segmented(segmenter: str, text: str, start: int, end: int) -> Iterator[_Span]:
    """Words that a segmenter finds. Text that it leaves out or changes stays with the word before."""
    place = start
    for word in segments(segmenter)(text[start:end]):
        found = text.find(word, place, end)
        if found > place:
            yield place, found
        if found >= 0 and word:
            place = found + len(word)
            yield found, place
    if place < end:
        yield place, end


def _by_characters(text: str, start: int, end: int, length: int) -> Iterator[_Span]:
    """Pieces of about this many characters; none begins with a mark that belongs to the character before."""
    while start < end:
        stop = min(start + length, end)
        while stop < end and (category(text[stop])[0] == "M" or text[stop - 1] in _BEFORE_THEIR_CONSONANT):
            stop += 1
        yield start, stop
        start = stop


def _with_punctuation(text: str, parts: Iterator[_Span]) -> list[_Span]:
    """Parts that have a letter or digit, each with the punctuation right after it."""
    found: list[_Span] = []
    for start, end in parts:
        if found and found[-1][1] == start and not any(map(str.isalnum, text[start:end])):
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found
