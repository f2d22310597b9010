"""Ranking by optimal transport between sequences of vectors: exact, certified, explained."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from moverank._core import __version__, build_info
from moverank.alignment import Alignment, TokenMove, align
from moverank.bags import Bags
from moverank.batch import CertifiedDistances, certified_distances, distances, pairwise
from moverank.disk.verify import Verified
from moverank.errors import (
    DimensionError,
    DuplicateIdError,
    IndexClosedError,
    IndexExistsError,
    IndexFormatError,
    IndexIncompleteError,
    IndexLockedError,
    IndexNotFoundError,
    IndexVersionError,
    IndexWriteError,
    MeasureMismatchError,
    NoPermissionError,
    NoSpaceError,
    ReadOnlyIndexError,
    UnknownIdError,
)
from moverank.gradients import Gradients, gradients
from moverank.hits import Certificate, Hit, Hits, Rung, SearchStats
from moverank.index import Index
from moverank.measures import Measure, maxsim, measure, rwmd, wmd, wrd
from moverank.prefilters import Clusters
from moverank.reranking import rerank
from moverank.sequences import Sequences
from moverank.sinkhorn import Sinkhorn, SinkhornBatch, SinkhornResult
from moverank.transport import TransportBatch, TransportResult, transport, transport_batch

if TYPE_CHECKING:
    from moverank import encoders, readers, spaces
    from moverank.spaces import fit

__all__ = [
    "Alignment",
    "Bags",
    "Certificate",
    "CertifiedDistances",
    "Clusters",
    "DimensionError",
    "DuplicateIdError",
    "Gradients",
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
    "Measure",
    "MeasureMismatchError",
    "NoPermissionError",
    "NoSpaceError",
    "ReadOnlyIndexError",
    "Rung",
    "SearchStats",
    "Sequences",
    "Sinkhorn",
    "SinkhornBatch",
    "SinkhornResult",
    "TokenMove",
    "TransportBatch",
    "TransportResult",
    "UnknownIdError",
    "Verified",
    "__version__",
    "align",
    "build_info",
    "certified_distances",
    "distances",
    "encoders",
    "fit",
    "gradients",
    "maxsim",
    "measure",
    "pairwise",
    "readers",
    "rerank",
    "rwmd",
    "spaces",
    "transport",
    "transport_batch",
    "wmd",
    "wrd",
]


def __getattr__(name: str) -> Any:
    # Encoders and spaces are the text edge: who brings vectors never loads them.
    if name in ("encoders", "spaces"):
        return import_module(f"moverank.{name}")
    if name == "fit":
        return import_module("moverank.spaces").fit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
