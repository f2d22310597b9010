"""Text in, sequences of vectors out: small adapters with one method.

The rest of the package never sees text.
"""

from __future__ import annotations

from moverank.encoders.encoded import EncodedTexts, Encoder
from moverank.encoders.word_vectors import WordVectors

__all__ = ["EncodedTexts", "Encoder", "WordVectors"]
