"""Rank texts: encode them, cut the long ones, compare, fuse with what the first stage said, give reasons.

Read `reranker` first, then `candidates`, what a list of documents becomes.
"""

from __future__ import annotations

from moverank.ranking.cache import CachedEncoder
from moverank.ranking.fusion import Fusion
from moverank.ranking.passages import Passages
from moverank.ranking.reranker import DEFAULT_MEASURE, Reranker
from moverank.ranking.results import RankedDocument, Ranking

__all__ = ["DEFAULT_MEASURE", "CachedEncoder", "Fusion", "Passages", "RankedDocument", "Ranking", "Reranker"]
