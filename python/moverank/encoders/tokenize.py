"""Words of a text, for encoders that look whole words up.

Words end where Unicode's word boundaries (UAX #29) say, as far as a small pattern can tell; `Words` states where it
decides otherwise.
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

#: Counts the ways in which words were cut so far: an index has to know by which its documents were.
_VERSION = 2

_ASCII_WORD = re.compile(
    r"[A-Za-z0-9]+(?:(?:_+|['-]|(?<=[0-9])[.,](?=[0-9])|(?<=[A-Za-z])\.(?=[A-Za-z]))[A-Za-z0-9]+)*"
)
_JOINTS = (re.compile(r"_+"), re.compile(r"[.,·]"), re.compile(r"['\"-]"))
#: Apostrophes and hyphens that are the same character to readers, and to vocabularies.
_PLAIN = dict.fromkeys(map(ord, "’＇׳"), "'") | dict.fromkeys(map(ord, "‐‑﹣－"), "-") | {ord("״"): '"'}
#: Soft hyphens, marks of direction and their like: they stand within words and are not part of them.
_UNSEEN = deleted(0x00AD, 0x061C, 0x180E, (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069), 0xFEFF)
_TO_PLAIN: dict[int, str | None] = {**_UNSEEN, **_PLAIN}
_NOT_PLAIN = re.compile(f"[{''.join(map(chr, _TO_PLAIN))}]")
_JOINERS = deleted(0x200C, 0x200D, 0xFE0E, 0xFE0F)
#: Vowels and the like of Hebrew and Arabic, which most texts leave out, and the line that stretches Arabic words.
_OPTIONAL = deleted(
    (0x0591, 0x05BD), 0x05BF, (0x05C1, 0x05C2), (0x05C4, 0x05C5), 0x05C7,
    (0x0610, 0x061A), 0x0640, (0x064B, 0x065F), 0x0670, (0x06D6, 0x06DC),
)  # fmt: skip
_PICTURE = rf"[{PICTURES}](?:\ufe0f|[{SKIN_TONES}])*"
_WITHOUT_SPACES = (HAN, HIRAGANA, KATAKANA, THAI, *OTHERS_WITHOUT_SPACES)
#: Runs of one script that is written without spaces, and what is between them.
_RUN = re.compile("|".join(f"[{script}]+" for script in (*_WITHOUT_SPACES, "^" + "".join(_WITHOUT_SPACES))))


@cache
def _any_word() -> re.Pattern[str]:
    """Pattern of a word in any script; the first text that is not ASCII waits a few hundredths of a second for it."""
    low, high = marks()
    # A set that reaches beyond plane 0 is searched range by range, so its first characters are looked at before.
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
    """Cut a text into words, in any script; repeats are kept.

    A word is letters and digits with their combining marks. An apostrophe, a hyphen, a middle dot or an underscore
    within it, a full stop between letters, and a full stop or comma between digits belong to it. An emoji is a word.
    Texts are brought to Unicode's composed form (NFC) first; soft hyphens and marks of direction are left out.

    Parameters
    ----------
    lower_case : bool, default True
        As the vocabularies of GloVe and of the bundled vectors are; word2vec's GoogleNews and fastText's are not.
    stop_words : collection of str, default none
        Words to leave out, in lower case; `STOP_WORDS` is a list for English. WMD was published without stop words,
        WRD with all words, its norms weighing them; all words are the default here.
    segmenter : {"jieba", "fugashi", "pythainlp"}, optional
        What finds the words of a script without spaces: jieba those of Chinese (``pip install 'moverank[chinese]'``),
        fugashi those of Japanese (``moverank[japanese]``), PyThaiNLP those of Thai (``moverank[thai]``). Other scripts
        in the same text are cut as without one.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    ImportError
        If the segmenter is not installed; the message names the extra.

    Notes
    -----
    Other than in UAX #29, a hyphen joins (looked up whole, then in parts), colons do not, and a run of Chinese,
    Japanese or Thai is one word where no segmenter is named.

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
        """All that decides how a text is cut, as JSON can hold it: part of an encoder's identity."""
        found: dict[str, Any] = {
            "version": _VERSION,
            "lower_case": self.lower_case,
            "stop_words": sorted(self.stop_words),
        }
        if self.segmenter is not None:
            found |= {"segmenter": self.segmenter, "segmenter_version": segmenter_version(self.segmenter)}
        return found

    def __call__(self, text: str) -> list[str]:
        """Words of a text, in order."""
        words = _cut(text.lower() if self.lower_case else text)
        if self.segmenter is not None:
            words = [part for word in words for part in self._segmented(word)]
        return [word for word in words if word.lower() not in self.stop_words] if self.stop_words else words

    def _segmented(self, word: str) -> list[str]:
        """Runs of the scripts that the segmenter knows, segmented; a word without any as it is."""
        assert self.segmenter is not None
        of = SEGMENTERS[self.segmenter].script
        if not of.search(word):
            return [word]
        segment = segments(self.segmenter)
        found: list[str] = []
        end = 0
        for run in of.finditer(word):
            found += [*_cut(word[end : run.start()]), *segment(run.group())]
            end = run.end()
        return [*found, *_cut(word[end:])]


def _cut(text: str) -> list[str]:
    """Words of a text whose case is what it is to be."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    return _any_word().findall(_plain(text))


def _plain(text: str) -> str:
    """Text in composed form, with plain apostrophes and hyphens, without what is not seen."""
    composed = unicodedata.normalize("NFC", text)
    return composed.translate(_TO_PLAIN) if _NOT_PLAIN.search(composed) else composed


def forms(word: str) -> Iterator[str]:
    """Other ways to write a word, the nearest first, for vocabularies that do not know it as it stands.

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
    for other in _written(word):
        if other not in seen:
            seen.add(other)
            yield other


def _written(word: str) -> Iterator[str]:
    composed = unicodedata.normalize("NFKC", word)
    yield from (unicodedata.normalize("NFD", word), composed)
    yield from (composed.replace("'", "’"), composed.replace("'", "ʼ"), composed.replace("ʼ", "'"))
    bare = composed.translate(_JOINERS)
    # What "İ" becomes in lower case is an i with a second dot.
    yield from (bare, bare.replace("i\u0307", "i"), bare.translate(_OPTIONAL))


def pieces(word: str) -> list[str]:
    """What a word falls into: at underscores, else at full stops and commas, hyphens and apostrophes, else by script.

    Empty for a simple word.

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
