"""Visible text and title of HTML pages, extracted by the standard library's parser."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from moverank.readers.texts.lines import is_encoding

_INVISIBLE = frozenset({"head", "script", "style", "template", "noscript", "svg", "math", "iframe", "object"})
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote br caption dd details div dl dt fieldset figcaption figure footer form "
        "h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section summary table td th tr ul",
    )
)
_CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)


def declared_charset(head: bytes) -> str | None:
    """Encoding declared by a page, if it is a text encoding of Python."""
    found = _CHARSET.search(head)
    if found is None:
        return None
    name = found[1].decode("ascii", "replace")
    return name if is_encoding(name) else None


def text_of_page(page: str) -> tuple[str, str]:
    """Title and visible text of a page.

    Examples
    --------
    >>> text_of_page("<title>Cats</title><script>x()</script><p>A cat&nbsp;sat<br>here.</p>")
    ('Cats', 'A cat sat here.')
    """
    parser = _VisibleText()
    parser.feed(page)
    parser.close()
    return _plain(parser.title), _plain(parser.text)


class _VisibleText(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.text: list[str] = []
        #: Open elements that are not displayed.
        self._invisible: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag == "body":
            # HTML allows the closing tag of the head to be omitted.
            self._invisible.clear()
        elif tag in _INVISIBLE:
            self._invisible.append(tag)
        elif tag in _BLOCKS:
            if self._invisible == ["head"]:
                self._invisible.clear()
            self.text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in self._invisible:
            while self._invisible.pop() != tag:
                pass
        elif tag in _BLOCKS:
            self.text.append(" ")

    def handle_data(self, data: str) -> None:
        if self._in_title and (not self._invisible or self._invisible == ["head"]):
            self.title.append(data)
        elif not self._invisible:
            self.text.append(data)


def _plain(parts: list[str]) -> str:
    return " ".join("".join(parts).split())
