"""Texts from files. Formats are recognised by content, and everything that is skipped is counted.

Read `files` first: its `TextFiles` is the entry point. Then read `formats`: how the format of a file is recognised.
"""

from __future__ import annotations

from moverank.readers.texts.document import Document, Fields
from moverank.readers.texts.files import TextFiles
from moverank.readers.texts.left_out import LeftOut
from moverank.readers.texts.lines import read_lines, read_text
from moverank.readers.texts.opening import STDIN

__all__ = ["STDIN", "Document", "Fields", "LeftOut", "TextFiles", "read_lines", "read_text"]
