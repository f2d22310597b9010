"""Ranking by optimal transport between sequences of vectors: exact, certified, explained."""

from __future__ import annotations

import moverank._support.launch  # before all that takes time

# isort: split
from importlib import import_module
from typing import TYPE_CHECKING, Any

import moverank._support.interpreter  # noqa: F401  before anything that is compiled
from moverank._core import __version__, build_info
from moverank.alignment.align import align
from moverank.alignment.alignment import Alignment, TokenMove
from moverank.alignment.uncertainty import UncertainMove, Uncertainty
from moverank.errors import (
    DimensionError,
    DuplicateIdError,
    EncoderMismatchError,
    IndexClosedError,
    IndexExistsError,
    IndexFormatError,
    IndexIncompleteError,
    IndexLockedError,
    IndexNotFoundError,
    IndexVersionError,
    IndexWriteError,
    InfeasibleError,
    MeasureMismatchError,
    NoPermissionError,
    NoSpaceError,
    NoTokensError,
    PaddingWarning,
    PrecisionWarning,
    ReadOnlyIndexError,
    ShardFailedError,
    ShardMismatchError,
    TextFormatError,
    UnknownFieldError,
    UnknownIdError,
    UnscoredWarning,
)
from moverank.index.disk.verify import Verified
from moverank.index.index import Index
from moverank.index.neighbours import Neighbours, neighbours
from moverank.index.parts.setup import Clusters, TokenCells
from moverank.index.recall import Recall, RecallAt
from moverank.index.rerank import rerank
from moverank.index.search.hits import Certificate, Hit, Hits, Rung, SearchStats
from moverank.measures.distances import CertifiedDistances, certified_distances, distances, paired_distances, pairwise
from moverank.measures.gradients import Gradients, gradients
from moverank.measures.measure import Measure, emd, maxsim, rwmd, wmd, wrd
from moverank.measures.pooling import PooledTokens, pool_tokens
from moverank.solvers.sinkhorn import Sinkhorn, SinkhornBatch, SinkhornResult
from moverank.solvers.transport import TransportBatch, TransportResult, transport, transport_batch
from moverank.vectors.bag import Bag
from moverank.vectors.bags import Bags
from moverank.vectors.encoder_identity import EncoderCheck, EncoderIdentity
from moverank.vectors.histograms import Histograms
from moverank.vectors.sequences import Sequence, Sequences

if TYPE_CHECKING:
    from moverank import encoders, presets, ranking, readers, scoring, spaces
    from moverank.ranking import Fusion, Passages, Ranking, Reranker
    from moverank.scoring import ScoreBaseline, Scores, score, score_baseline, score_idf
    from moverank.spaces import fit
    from moverank.text_index import TextIndex

__all__ = [
    "Alignment",
    "Bag",
    "Bags",
    "Certificate",
    "CertifiedDistances",
    "Clusters",
    "DimensionError",
    "DuplicateIdError",
    "EncoderCheck",
    "EncoderIdentity",
    "EncoderMismatchError",
    "Fusion",
    "Gradients",
    "Histograms",
    "Hit",
    "Hits",
    "Index",
    "IndexClosedError",
    "IndexExistsError",
    "IndexFormatError",
    "IndexIncompleteError",
    "IndexLockedError",
    "IndexNotFoundError",
    "IndexVersionError",
    "IndexWriteError",
    "InfeasibleError",
    "Measure",
    "MeasureMismatchError",
    "Neighbours",
    "NoPermissionError",
    "NoSpaceError",
    "NoTokensError",
    "PaddingWarning",
    "Passages",
    "PooledTokens",
    "PrecisionWarning",
    "Ranking",
    "ReadOnlyIndexError",
    "Recall",
    "RecallAt",
    "Reranker",
    "Rung",
    "ScoreBaseline",
    "Scores",
    "SearchStats",
    "Sequence",
    "Sequences",
    "ShardFailedError",
    "ShardMismatchError",
    "Sinkhorn",
    "SinkhornBatch",
    "SinkhornResult",
    "TextFormatError",
    "TextIndex",
    "TokenCells",
    "TokenMove",
    "TransportBatch",
    "TransportResult",
    "UncertainMove",
    "Uncertainty",
    "UnknownFieldError",
    "UnknownIdError",
    "UnscoredWarning",
    "Verified",
    "__version__",
    "align",
    "build_info",
    "certified_distances",
    "distances",
    "emd",
    "encoders",
    "fit",
    "gradients",
    "maxsim",
    "neighbours",
    "paired_distances",
    "pairwise",
    "pool_tokens",
    "presets",
    "ranking",
    "readers",
    "rerank",
    "rwmd",
    "score",
    "score_baseline",
    "score_idf",
    "scoring",
    "spaces",
    "transport",
    "transport_batch",
    "wmd",
    "wrd",
]

_OF_TEXT = {
    "TextIndex": "text_index",
    "fit": "spaces",
    **dict.fromkeys(("Fusion", "Passages", "Ranking", "Reranker"), "ranking"),
    **dict.fromkeys(("ScoreBaseline", "Scores", "score", "score_baseline", "score_idf"), "scoring"),
}


def __getattr__(name: str) -> Any:
    # What reads files, encodes, learns spaces, ranks and scores is loaded when first used: vectors do not need it.
    if name in ("encoders", "presets", "ranking", "readers", "scoring", "spaces"):
        return import_module(f"moverank.{name}")
    if name in _OF_TEXT:
        return getattr(import_module(f"moverank.{_OF_TEXT[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
