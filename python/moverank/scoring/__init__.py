"""Score generated texts against references by optimal transport, in the manner of BERTScore and MoverScore.

Read `pairs` first, then `compare`, which encodes texts and compares pairs both ways.
"""

from __future__ import annotations

from moverank.scoring.baseline import ScoreBaseline, score_baseline
from moverank.scoring.pairs import score
from moverank.scoring.scores import MeanScore, Scores
from moverank.scoring.setup import DEFAULT_MEASURE, score_idf

__all__ = ["DEFAULT_MEASURE", "MeanScore", "ScoreBaseline", "Scores", "score", "score_baseline", "score_idf"]
