"""Encoders turn texts into sequences of vectors, one vector per token. Each is a small adapter with one method.

Only encoders, readers and rankings handle text; measures and indexes see vectors. Read `encoded` first: it defines what
every encoder returns.
"""

from __future__ import annotations

from moverank.encoders.adapters import CallableEncoder, SentenceTransformerEncoder
from moverank.encoders.encoded import (
    DocumentEncoder,
    EncodedTexts,
    Encoder,
    QueryEncoder,
    encode_documents,
    encode_queries,
)
from moverank.encoders.late_interaction import LateInteraction
from moverank.encoders.onnx import OnnxEncoder
from moverank.encoders.segmenters import SEGMENTERS
from moverank.encoders.stop_words import STOP_WORDS
from moverank.encoders.tokenize import Words
from moverank.encoders.word_vectors import WordVectors

__all__ = [
    "SEGMENTERS",
    "STOP_WORDS",
    "CallableEncoder",
    "DocumentEncoder",
    "EncodedTexts",
    "Encoder",
    "LateInteraction",
    "OnnxEncoder",
    "QueryEncoder",
    "SentenceTransformerEncoder",
    "WordVectors",
    "Words",
    "encode_documents",
    "encode_queries",
]
