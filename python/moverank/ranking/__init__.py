"""Rank texts: encode them, cut long ones into passages, compare, fuse with first-stage scores, explain.

Read `reranker` first, then `candidates`, which prepares a list of documents.
"""

from __future__ import annotations

from moverank.ranking.cache import CachedEncoder
from moverank.ranking.calibration import Calibration
from moverank.ranking.fusion import Fusion, ReciprocalRanks
from moverank.ranking.passages import Passages
from moverank.ranking.reranker import DEFAULT_MEASURE, Reranker
from moverank.ranking.results import RankedDocument, Ranking

__all__ = [
    "DEFAULT_MEASURE",
    "CachedEncoder",
    "Calibration",
    "Fusion",
    "Passages",
    "RankedDocument",
    "Ranking",
    "ReciprocalRanks",
    "Reranker",
]
