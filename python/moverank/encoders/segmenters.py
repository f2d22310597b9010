"""Words of scripts that are written without spaces, found by the libraries that know how: each an extra."""

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

#: Takes a run of one script without spaces, and gives its words.
Segment = Callable[[str], "list[str]"]


@dataclass(frozen=True)
class Segmenter:
    """A library: how to get its function, the extra that brings it, what it is for, and the runs that it takes."""

    load: Callable[[], Segment]
    extra: str
    language: str
    script: re.Pattern[str]


def segments(name: str) -> Segment:
    """Function of a segmenter; ImportError names the extra that brings it."""
    one_of(name, "segmenter", SEGMENTERS)
    return _loaded(name)


def segmenter_version(name: str) -> str:
    """Version of its library, with which its words may change."""
    return version(name)


def segmenter_for(text: str) -> str | None:
    """Segmenter that suits a text: that of a script of it that is written without spaces."""
    # Chinese has no kana, so that they decide for Japanese before characters do for Chinese.
    if _KANA.search(text):
        return "fugashi"
    return next((name for name, one in SEGMENTERS.items() if one.script.search(text)), None)


@cache
def _loaded(name: str) -> Segment:
    return SEGMENTERS[name].load()


def _jieba() -> Segment:
    with warnings.catch_warnings():
        # Its source has escape sequences that newer Pythons warn of, and it asks for pkg_resources.
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
#: The segmenters that `Words` takes, by name.
SEGMENTERS: dict[str, Segmenter] = {
    "jieba": Segmenter(_jieba, "chinese", "Chinese", re.compile(f"[{HAN}]+")),
    "fugashi": Segmenter(_fugashi, "japanese", "Japanese", re.compile(f"[{HAN}{HIRAGANA}{KATAKANA}]+")),
    "pythainlp": Segmenter(_pythainlp, "thai", "Thai", re.compile(f"[{THAI}]+")),
}
