"""Which arrays a part of an index is made of, and how they hang together: one table, for memory and for files.

A part of n documents with T tokens of d dimensions has (those in brackets where there is a use for them)

    sequences   offsets (n + 1), tokens (T, d), [scales (T)], mass (T), [inverse_norms (T)], [pooled (n, d)]
      codes     codes (T, d), [code_scales (T)], [code_inverse_norms (T)], [code_squares (T)], [code_sums (T)],
                code_rho (n)
      clusters  cluster_offsets (n + 1), cluster_tokens (C, d), cluster_mass (C), [cluster_inverse_norms (C)]
    bags        offsets (n + 1), words (T), [counts (T)], totals (n), vectors (v, d), rows (v)
      of given costs    offsets (n + 1), words (T), counts (T), totals (n), costs (v, d)
    names       ids (n), [id_order (n)]; or id_offsets (n + 1), id_text, id_hashes (n), id_order (n)
    payloads    [payload_offsets (n + 1), payload_text]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.storage import STORED_AS
from moverank.errors import IndexFormatError
from moverank.index.parts.setup import Setup

Arrays = Mapping[str, NDArray[Any]]

#: What an array's rows belong to where it is no run of some offsets.
DOCUMENTS, WORDS = "documents", "words"


@dataclass(frozen=True)
class Column:
    """One array: what its rows belong to, its dtype (a word: that of the setup), whether a row is a vector.

    Rows belong to documents, to words, or to runs that the offsets of that name cut.
    """

    of: str
    dtype: str
    wide: bool = False
    #: Made anew where parts are merged, as positions change.
    ordering: bool = False


COLUMNS = {
    "tokens": Column("offsets", "tokens", wide=True),
    "scales": Column("offsets", "<f4"),
    "mass": Column("offsets", "<f8"),
    "inverse_norms": Column("offsets", "<f4"),
    "pooled": Column(DOCUMENTS, "<f4", wide=True),
    "codes": Column("offsets", "codes", wide=True),
    "code_scales": Column("offsets", "<f4"),
    "code_inverse_norms": Column("offsets", "<f4"),
    "code_squares": Column("offsets", "<f4"),
    "code_sums": Column("offsets", "<i4"),
    "code_rho": Column(DOCUMENTS, "<f8"),
    "cluster_tokens": Column("cluster_offsets", "<f4", wide=True),
    "cluster_mass": Column("cluster_offsets", "<f8"),
    "cluster_inverse_norms": Column("cluster_offsets", "<f4"),
    "words": Column("offsets", "<u4"),
    "counts": Column("offsets", "counts"),
    "totals": Column(DOCUMENTS, "<f8"),
    "vectors": Column(WORDS, "<f4", wide=True),
    "rows": Column(WORDS, "<u4"),
    "costs": Column(WORDS, "costs", wide=True),
    "ids": Column(DOCUMENTS, "<i8", ordering=True),
    "id_order": Column(DOCUMENTS, "<i8", ordering=True),
    "id_text": Column("id_offsets", "|u1", ordering=True),
    "id_hashes": Column(DOCUMENTS, "<u8", ordering=True),
    "payload_text": Column("payload_offsets", "|u1"),
}

#: Arrays that cut others into one run a document: int64, one entry more than documents.
OFFSETS = tuple(dict.fromkeys(column.of for column in COLUMNS.values() if column.of not in (DOCUMENTS, WORDS)))


def require_layout(setup: Setup, shapes: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """Check that arrays of these dtypes and shapes are what a part of such an index has.

    Raises
    ------
    IndexFormatError
        If one is missing, unknown, or of another dtype or shape; the message names it.
    """
    _require_presence(setup, set(shapes))
    extents: dict[str, int] = {DOCUMENTS: shapes["offsets"][1][0] - 1}
    for name, (dtype, shape) in shapes.items():
        if name in OFFSETS:
            expected = Column(DOCUMENTS, "<i8")
            extent = shape[0] - 1 if shape else -1
        else:
            expected = COLUMNS[name]
            extent = shape[0] if shape else -1
        wanted = _dtype_of(expected, setup)
        row = (setup.dim,) if expected.wide else ()
        if dtype != wanted or shape[1:] != row or extent != extents.setdefault(expected.of, extent) or extent < 0:
            raise IndexFormatError(f"array {name!r}: dtype {dtype} and shape {list(shape)} do not fit the others")


def _dtype_of(column: Column, setup: Setup) -> str:
    """Dtype of an array, where it depends on what the index is."""
    if column.dtype == "counts":
        return "<f8" if setup.measure.ground == "given" else "<f4"
    if column.dtype == "costs":
        return "<f8" if setup.dtype == "float64" else "<f4"
    if column.dtype in ("tokens", "codes"):
        kept_as = setup.dtype if column.dtype == "tokens" else str(setup.codes)
        return np.dtype(STORED_AS[kept_as]).newbyteorder("<").str
    return column.dtype


def require_cuts(arrays: Arrays, offsets: str, name: str) -> None:
    """Check that offsets cut all of an array into runs; IndexFormatError otherwise."""
    cuts = arrays[offsets]
    if cuts[0] != 0 or cuts[-1] != len(arrays[name]) or (cuts[1:] < cuts[:-1]).any():
        raise IndexFormatError(f"array {offsets!r}: does not cut {name!r} into runs; the index's files are damaged")


def _require_presence(setup: Setup, found: set[str]) -> None:
    needed = {"offsets"}
    optional = {"payload_offsets", "payload_text"}
    if setup.measure.ground == "given":
        needed |= {"words", "totals", "counts", "costs"}
    elif setup.kind == "bags":
        needed |= {"words", "totals", "vectors", "rows"}
        optional |= {"counts"}
    else:
        needed |= {"tokens", "mass"}
        optional |= {"scales", "inverse_norms"}
    if setup.codes is not None:
        needed |= {"codes", "code_rho"}
        optional |= {"code_scales", "code_inverse_norms", "code_squares", "code_sums"}
    if isinstance(setup.prefilter, str):
        needed |= {"pooled"}
    elif setup.prefilter is not None:
        needed |= {"cluster_offsets", "cluster_tokens", "cluster_mass"}
        optional |= {"cluster_inverse_norms"}
    if setup.ids == "int":
        needed |= {"ids"}
        optional |= {"id_order"}
    else:
        needed |= {"id_offsets", "id_text", "id_hashes", "id_order"}
    if "payload_text" in found or "payload_offsets" in found:
        needed |= {"payload_offsets", "payload_text"}
    for what, names in (("missing", needed - found), ("unknown", found - needed - optional)):
        if names:
            raise IndexFormatError(f"array {min(names)!r}: {what}")
