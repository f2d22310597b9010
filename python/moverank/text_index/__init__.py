"""An index of texts: texts in, answers out, by transport and by terms."""

from __future__ import annotations

from moverank.text_index.duplicates import NearDuplicate
from moverank.text_index.lexical import ANALYZERS
from moverank.text_index.results import Added, TextHit, TextHits
from moverank.text_index.text_index import TextIndex

__all__ = ["ANALYZERS", "Added", "NearDuplicate", "TextHit", "TextHits", "TextIndex"]
