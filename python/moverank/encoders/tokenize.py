"""Splitting texts into words, for encoders that look up whole words.

Word boundaries follow Unicode (UAX #29) as far as a small regular expression can; `Words` lists the differences.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from moverank._support.validate import text_list
from moverank.encoders.scripts import (
    FLAG_LETTERS,
    HAN,
    HEBREW,
    HIRAGANA,
    KATAKANA,
    OTHERS_WITHOUT_SPACES,
    PICTURES,
    SKIN_TONES,
    THAI,
    deleted,
    marks,
)
from moverank.encoders.segmenters import SEGMENTERS, segmenter_version, segments

#: Version of the splitting rules. Indexes store it, so that documents and queries are split by the same rules.
_VERSION = 2

_ASCII_WORD = re.compile(
    r"[A-Za-z0-9]+(?:(?:_+|['-]|(?<=[0-9])[.,](?=[0-9])|(?<=[A-Za-z])\.(?=[A-Za-z]))[A-Za-z0-9]+)*"
)
_JOINTS = (re.compile(r"_+"), re.compile(r"[.,·]"), re.compile(r"['\"-]"))
#: Variants of apostrophes and hyphens, which readers do not distinguish and vocabularies do not contain.
_PLAIN = dict.fromkeys(map(ord, "’＇׳"), "'") | dict.fromkeys(map(ord, "‐‑﹣－"), "-") | {ord("״"): '"'}
#: Invisible characters within words, such as soft hyphens and direction marks.
_INVISIBLE = deleted(0x00AD, 0x061C, 0x180E, (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069), 0xFEFF)
_TO_PLAIN: dict[int, str | None] = {**_INVISIBLE, **_PLAIN}
_NOT_PLAIN = re.compile(f"[{''.join(map(chr, _TO_PLAIN))}]")
_JOINERS = deleted(0x200C, 0x200D, 0xFE0E, 0xFE0F)
#: Vowel points of Hebrew and Arabic, which most texts omit, and the tatweel, which stretches Arabic words.
_OPTIONAL = deleted(
    (0x0591, 0x05BD), 0x05BF, (0x05C1, 0x05C2), (0x05C4, 0x05C5), 0x05C7,
    (0x0610, 0x061A), 0x0640, (0x064B, 0x065F), 0x0670, (0x06D6, 0x06DC),
)  # fmt: skip
_PICTURE = rf"[{PICTURES}](?:\ufe0f|[{SKIN_TONES}])*"
_WITHOUT_SPACES = (HAN, HIRAGANA, KATAKANA, THAI, *OTHERS_WITHOUT_SPACES)
#: Runs of one script written without spaces, and runs of other characters.
_RUN = re.compile("|".join(f"[{script}]+" for script in (*_WITHOUT_SPACES, "^" + "".join(_WITHOUT_SPACES))))


@cache
def _any_word() -> re.Pattern[str]:
    """Pattern of a word in any script. Compiled at the first text that is not ASCII, as it takes some 0.03 seconds."""
    low, high = marks()
    # `re` searches a set with characters beyond plane 0 range by range, which is slow: the lookahead avoids it.
    mark = rf"(?:[{low}\u200c\u200d]|(?=[\U00010000-\U0010ffff])[{high}])"
    letters = rf"[^\W_]+(?:{mark}+[^\W_]*)*"
    between = (
        "_+",
        "['·-]",
        r"(?<=\d)[.,\u066b\u066c](?=\d)",
        r"(?<=[^\W\d_])\.(?=[^\W\d_])",
        rf'(?<=[{HEBREW}])"(?=[{HEBREW}])',
    )
    word = rf"{letters}(?:(?:{'|'.join(between)}){letters})*"
    return re.compile(rf"{word}|[{FLAG_LETTERS}]{{2}}|{_PICTURE}(?:\u200d{_PICTURE})*")


@dataclass(frozen=True)
class Words:
    """Split a text into words, in any script; repeated words are kept.

    A word consists of letters and digits with their combining marks. An apostrophe, hyphen, middle dot or underscore
    inside a word belongs to it, as do a full stop between letters and a full stop or comma between digits. An emoji is
    a word. Texts are first normalised to Unicode's composed form (NFC); soft hyphens and direction marks are removed.

    Parameters
    ----------
    lower_case : bool, default True
        Convert texts to lower case. The vocabularies of GloVe and of the bundled vectors are in lower case; those of
        word2vec's GoogleNews and of fastText are not.
    stop_words : collection of str, default none
        Words to leave out, in lower case; `STOP_WORDS` is a list for English. WMD was published without stop words,
        WRD with all words, weighted by their norms.
    segmenter : {"jieba", "fugashi", "pythainlp"}, optional
        Library that splits a script without spaces into words: jieba for Chinese
        (``pip install 'moverank[chinese]'``), fugashi for Japanese (``moverank[japanese]``), PyThaiNLP for Thai
        (``moverank[thai]``). Other scripts in the same text are split as without a segmenter.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    ImportError
        If the segmenter is not installed; the message names the extra.

    Notes
    -----
    Differences from UAX #29: a hyphen joins two words into one (encoders look up the whole, then its parts), a colon
    does not, and without a segmenter a run of Chinese, Japanese or Thai is one word.

    Examples
    --------
    >>> Words()("The T-cell's state-of-the-art (2020), naïve!")
    ['the', "t-cell's", 'state-of-the-art', '2020', 'naïve']
    >>> Words()("हिन्दी की किताब, 3,5 सَلام")
    ['हिन्दी', 'की', 'किताब', '3,5', 'सَلام']
    >>> Words(lower_case=False, stop_words={"the"})("The Cat")
    ['Cat']
    """

    lower_case: bool = True
    stop_words: frozenset[str] = frozenset()
    segmenter: str | None = None

    def __init__(
        self, lower_case: bool = True, stop_words: Iterable[str] = frozenset(), segmenter: str | None = None
    ) -> None:
        if not isinstance(lower_case, bool):
            raise TypeError(f"lower_case must be True or False, got {lower_case!r}")
        given: Any = stop_words
        listed = text_list(list(given) if isinstance(given, (set, frozenset)) else given, "stop_words", "word", "words")
        object.__setattr__(self, "lower_case", lower_case)
        object.__setattr__(self, "stop_words", frozenset(map(_plain, listed)))
        object.__setattr__(self, "segmenter", segmenter)
        if segmenter is not None:
            segments(segmenter)

    def __repr__(self) -> str:
        shown = [] if self.lower_case else ["lower_case=False"]
        shown += [f"stop_words={len(self.stop_words)} words"] if self.stop_words else []
        shown += [f"segmenter={self.segmenter!r}"] if self.segmenter is not None else []
        return f"Words({', '.join(shown)})"

    def options(self) -> dict[str, Any]:
        """All options that determine how a text is split, as JSON values: part of an encoder's identity."""
        found: dict[str, Any] = {
            "version": _VERSION,
            "lower_case": self.lower_case,
            "stop_words": sorted(self.stop_words),
        }
        if self.segmenter is not None:
            found |= {"segmenter": self.segmenter, "segmenter_version": segmenter_version(self.segmenter)}
        return found

    def __call__(self, text: str) -> list[str]:
        """Split a text into words, in order."""
        words = _cut(text.lower() if self.lower_case else text)
        if self.segmenter is not None:
            words = [part for word in words for part in self._segmented(word)]
        return [word for word in words if word.lower() not in self.stop_words] if self.stop_words else words

    def _segmented(self, word: str) -> list[str]:
        """Split the runs of the segmenter's script; a word without such a run is returned unchanged."""
        assert self.segmenter is not None
        script = SEGMENTERS[self.segmenter].script
        if not script.search(word):
            return [word]
        segment = segments(self.segmenter)
        found: list[str] = []
        end = 0
        for run in script.finditer(word):
            found += [*_cut(word[end : run.start()]), *segment(run.group())]
            end = run.end()
        return [*found, *_cut(word[end:])]


def _cut(text: str) -> list[str]:
    """Split a text without changing its case."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    return _any_word().findall(_plain(text))


def _plain(text: str) -> str:
    """Text in composed form, with ASCII apostrophes and hyphens, without invisible characters."""
    composed = unicodedata.normalize("NFC", text)
    return composed.translate(_TO_PLAIN) if _NOT_PLAIN.search(composed) else composed


def forms(word: str) -> Iterator[str]:
    """Other spellings of a word, the most similar first, for vocabularies that do not contain it as given.

    Examples
    --------
    >>> list(forms("u.s")), list(forms("سَلام"))
    (['u.s.'], ['سلام'])
    """
    if "." in word:
        yield f"{word}."
    if word.isascii():
        if "'" in word:
            yield word.replace("'", "’")
        return
    seen = {word}
    for other in _spellings(word):
        if other not in seen:
            seen.add(other)
            yield other


def _spellings(word: str) -> Iterator[str]:
    composed = unicodedata.normalize("NFKC", word)
    yield from (unicodedata.normalize("NFD", word), composed)
    yield from (composed.replace("'", "’"), composed.replace("'", "ʼ"), composed.replace("ʼ", "'"))
    bare = composed.translate(_JOINERS)
    # In lower case, "İ" becomes an i followed by a combining dot.
    yield from (bare, bare.replace("i\u0307", "i"), bare.translate(_OPTIONAL))


def pieces(word: str) -> list[str]:
    """Split a word at underscores; else at full stops and commas; else at hyphens and apostrophes; else by script.

    Empty if the word cannot be split.

    Examples
    --------
    >>> pieces("t-cell's"), pieces("snake_case-d"), pieces("1,000.5"), pieces("東京タワー"), pieces("cell")
    (['t', 'cell', 's'], ['snake', 'case-d'], ['1', '000', '5'], ['東京', 'タワー'], [])
    """
    for joint in _JOINTS:
        parts = [part for part in joint.split(word) if part]
        if len(parts) > 1:
            return parts
    if word.isascii():
        return []
    parts = [part for part in word.split("\u200c") if part]
    if len(parts) == 1:
        parts = _RUN.findall(word)
    return parts if len(parts) > 1 else []
