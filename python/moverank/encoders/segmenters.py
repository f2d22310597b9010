"""Word segmenters for scripts written without spaces: libraries, each installed by an extra of this package."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from moverank._support.optional import optional
from moverank._support.validate import one_of
from moverank.encoders.scripts import HAN, HIRAGANA, KATAKANA, THAI

#: Splits a run of characters of one script into words.
Segment = Callable[[str], "list[str]"]


@dataclass(frozen=True)
class Segmenter:
    """A library: how to load its function, the extra that installs it, its language, and its script."""

    load: Callable[[], Segment]
    extra: str
    language: str
    script: re.Pattern[str]


def segments(name: str) -> Segment:
    """Return the function of a segmenter; the ImportError names the extra that installs it."""
    one_of(name, "segmenter", SEGMENTERS)
    return _loaded(name)


def segmenter_version(name: str) -> str:
    """Version of the library: another version may split words differently."""
    return version(name)


def segmenter_for(text: str) -> str | None:
    """Name of the segmenter for a script without spaces that occurs in a text; None if there is none."""
    # Han characters occur in Chinese and Japanese, kana only in Japanese, so look for kana first.
    if _KANA.search(text):
        return "fugashi"
    return next((name for name, one in SEGMENTERS.items() if one.script.search(text)), None)


@cache
def _loaded(name: str) -> Segment:
    return SEGMENTERS[name].load()


def _jieba() -> Segment:
    with warnings.catch_warnings():
        # Importing jieba warns of invalid escape sequences in its source and of pkg_resources, which it uses.
        warnings.simplefilter("ignore")
        module = optional("jieba", "chinese")
    level = module.default_logger.level
    module.setLogLevel(logging.WARNING)
    try:
        words = module.Tokenizer()
        words.initialize()
    finally:
        module.setLogLevel(level)
    lcut: Segment = words.lcut
    return lcut


def _fugashi() -> Segment:
    tagger: Any = optional("fugashi", "japanese").Tagger()
    return lambda run: [word.surface for word in tagger(run)]


def _pythainlp() -> Segment:
    tokenize = optional("pythainlp.tokenize", "thai").word_tokenize
    return lambda run: tokenize(run, engine="newmm", keep_whitespace=False)


_KANA = re.compile(f"[{HIRAGANA}{KATAKANA}]")
#: The segmenters that `Words` accepts, by name.
SEGMENTERS: dict[str, Segmenter] = {
    "jieba": Segmenter(_jieba, "chinese", "Chinese", re.compile(f"[{HAN}]+")),
    "fugashi": Segmenter(_fugashi, "japanese", "Japanese", re.compile(f"[{HAN}{HIRAGANA}{KATAKANA}]+")),
    "pythainlp": Segmenter(_pythainlp, "thai", "Thai", re.compile(f"[{THAI}]+")),
}
