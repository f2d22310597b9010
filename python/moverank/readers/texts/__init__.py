"""Texts from files: what they are is seen from their content, and what is left out is counted.

Read `files` first, the one door; then `formats`, how a file is recognised.
"""

from __future__ import annotations

from moverank.readers.texts.document import Document, Fields
from moverank.readers.texts.files import TextFiles
from moverank.readers.texts.left_out import LeftOut
from moverank.readers.texts.lines import read_lines, read_text
from moverank.readers.texts.opening import STDIN

__all__ = ["STDIN", "Document", "Fields", "LeftOut", "TextFiles", "read_lines", "read_text"]
