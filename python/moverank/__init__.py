"""Ranking by optimal transport between sequences of vectors: exact, certified, explained."""

from __future__ import annotations

import moverank._launch  # before all that takes time

# isort: split
from importlib import import_module
from typing import TYPE_CHECKING, Any

import moverank._interpreter  # noqa: F401  before anything that is compiled
from moverank._align import align
from moverank._core import __version__, build_info
from moverank._setup import Clusters
from moverank.alignment import Alignment, TokenMove
from moverank.bag import Bag
from moverank.bags import Bags
from moverank.batch import CertifiedDistances, certified_distances, distances, paired_distances, pairwise
from moverank.disk.verify import Verified
from moverank.encoder_identity import EncoderCheck, EncoderIdentity
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
    TextFormatError,
    UnknownFieldError,
    UnknownIdError,
)
from moverank.gradients import Gradients, gradients
from moverank.histograms import Histograms
from moverank.hits import Certificate, Hit, Hits, Rung, SearchStats
from moverank.index import Index
from moverank.measures import Measure, emd, maxsim, measure, rwmd, wmd, wrd
from moverank.reranking import rerank
from moverank.sequences import Sequence, Sequences
from moverank.sinkhorn import Sinkhorn, SinkhornBatch, SinkhornResult
from moverank.transport import TransportBatch, TransportResult, transport, transport_batch

if TYPE_CHECKING:
    from moverank import encoders, ranking, readers, spaces
    from moverank.ranking import Fusion, Passages, Ranking, Reranker
    from moverank.spaces import fit

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
    "NoPermissionError",
    "NoSpaceError",
    "NoTokensError",
    "PaddingWarning",
    "Passages",
    "PrecisionWarning",
    "Ranking",
    "ReadOnlyIndexError",
    "Reranker",
    "Rung",
    "SearchStats",
    "Sequence",
    "Sequences",
    "Sinkhorn",
    "SinkhornBatch",
    "SinkhornResult",
    "TextFormatError",
    "TokenMove",
    "TransportBatch",
    "TransportResult",
    "UnknownFieldError",
    "UnknownIdError",
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
    "measure",
    "paired_distances",
    "pairwise",
    "ranking",
    "readers",
    "rerank",
    "rwmd",
    "spaces",
    "transport",
    "transport_batch",
    "wmd",
    "wrd",
]

_OF_TEXT = {"fit": "spaces", **dict.fromkeys(("Fusion", "Passages", "Ranking", "Reranker"), "ranking")}


def __getattr__(name: str) -> Any:
    # Encoders, spaces and rankers of texts are the text edge: who brings vectors never loads them.
    if name in ("encoders", "ranking", "spaces"):
        return import_module(f"moverank.{name}")
    if name in _OF_TEXT:
        return getattr(import_module(f"moverank.{_OF_TEXT[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
