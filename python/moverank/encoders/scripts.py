"""Classes of characters: scripts written without spaces, pictographs, and combining marks."""

from __future__ import annotations

import unicodedata

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
HIRAGANA = "\u3041-\u309f"
#: Includes the mark for long vowels (U+30FC).
KATAKANA = "\u30a0-\u30ff"
THAI = "\u0e00-\u0e7f"
#: Lao, Burmese and Khmer, for which there is no segmenter here.
OTHERS_WITHOUT_SPACES = ("\u0e80-\u0eff", "\u1000-\u109f", "\u1780-\u17ff")
PICTURES = "\U0001f000-\U0001f1e5\U0001f200-\U0001faff\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u231a\u231b"
FLAG_LETTERS = "\U0001f1e6-\U0001f1ff"
SKIN_TONES = "\U0001f3fb-\U0001f3ff"
HEBREW = "\u05d0-\u05ea"


def marks() -> tuple[str, str]:
    """All combining marks (vowels of Indic scripts, accents, tones) as ranges: of plane 0, and of higher planes."""
    planes = (range(0x300, 0x10000), (*range(0x10000, 0x20000), *range(0xE0100, 0xE01F0)))
    low, high = ([code for code in plane if unicodedata.category(chr(code))[0] == "M"] for plane in planes)
    return _ranges(low), _ranges(high)


def _ranges(codes: list[int]) -> str:
    """Increasing code points as ranges of a regular expression."""
    first = [code for before, code in zip([-1, *codes], codes, strict=False) if code != before + 1]
    last = [code for code, after in zip(codes, [*codes[1:], -1], strict=True) if after != code + 1]
    return "".join(f"{chr(begin)}-{chr(end)}" for begin, end in zip(first, last, strict=True))


def deleted(*codes: int | tuple[int, int]) -> dict[int, None]:
    """Table for `str.translate` that deletes code points and ranges of them (both ends included)."""
    ranges = [(code, code) if isinstance(code, int) else code for code in codes]
    return {code: None for first, last in ranges for code in range(first, last + 1)}
