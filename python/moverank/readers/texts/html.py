"""Texts of HTML pages, by the standard library: what a reader would see, and the title."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from moverank.readers.texts.lines import is_encoding

_UNSEEN = frozenset({"head", "script", "style", "template", "noscript", "svg", "math", "iframe", "object"})
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote br caption dd details div dl dt fieldset figcaption figure footer form "
        "h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section summary table td th tr ul",
    )
)
_CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)


def declared_charset(head: bytes) -> str | None:
    """Encoding that a page says it is in, if Python knows it as one of text."""
    found = _CHARSET.search(head)
    if found is None:
        return None
    name = found[1].decode("ascii", "replace")
    return name if is_encoding(name) else None


def text_of_page(page: str) -> tuple[str, str]:
    """Title and text of a page.

    Examples
    --------
    >>> text_of_page("<title>Cats</title><script>x()</script><p>A cat&nbsp;sat<br>here.</p>")
    ('Cats', 'A cat sat here.')
    """
    parser = _Seen()
    parser.feed(page)
    parser.close()
    return _plain(parser.title), _plain(parser.text)


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.text: list[str] = []
        self._unseen: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag == "body":
            # Pages may leave out that their head ends.
            self._unseen.clear()
        elif tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag in _BLOCKS:
            if self._unseen == ["head"]:
                self._unseen.clear()
            self.text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in self._unseen:
            while self._unseen.pop() != tag:
                pass
        elif tag in _BLOCKS:
            self.text.append(" ")

    def handle_data(self, data: str) -> None:
        if self._in_title and (not self._unseen or self._unseen == ["head"]):
            self.title.append(data)
        elif not self._unseen:
            self.text.append(data)


def _plain(parts: list[str]) -> str:
    return " ".join("".join(parts).split())
