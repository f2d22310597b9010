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
from moverank.measures.given import LEAST_COST

Arrays = Mapping[str, NDArray[Any]]

#: What an array's rows belong to if not to runs of offsets.
DOCUMENTS, WORDS = "documents", "words"

#: Dtypes that the setup chooses: of tokens, codes, counts and costs.
TOKENS, CODES, COUNTS, COSTS = "tokens", "codes", "counts", "costs"


@dataclass(frozen=True)
class When:
    """Which features make an index have something (`features`): any of `needed`, and it may have it for `optional`."""

    needed: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    def is_needed(self, found: frozenset[str]) -> bool:
        """Whether an index of these features must have it."""
        return not self.needed.isdisjoint(found)

    def is_allowed(self, found: frozenset[str]) -> bool:
        """Whether one may."""
        return self.is_needed(found) or not self.optional.isdisjoint(found)


def _with(*needed: str) -> When:
    return When(needed=frozenset(needed))


def _maybe(*optional: str) -> When:
    return When(optional=frozenset(optional))


#: A feature of every index.
_ANY = "any"


def features(setup: Setup) -> frozenset[str]:
    """What an index has, of which each feature brings arrays and numbers of its own."""
    found = {_ANY, setup.kind, f"{setup.ids} ids"}
    if setup.codes is not None:
        found.add("codes")
    if setup.prefilter is not None:
        found.add("pooled" if isinstance(setup.prefilter, str) else "clusters")
    return frozenset(found)


@dataclass(frozen=True)
class Column:
    """One array: what its rows belong to, its dtype (a word: that of the setup), and which indexes have it.

    Rows belong to documents, to words, or to runs that the offsets of that name cut.
    """

    of: str
    dtype: str
    when: When
    #: No number of it is below this, and all are finite; None where every value of the dtype will do, or where
    #: numbers are only sound together with a scale.
    least: float | None = None
    #: Whether a row is a vector.
    wide: bool = False
    #: Whether +inf is a number of it: the cost of what is forbidden.
    forbids: bool = False
    #: Made anew where parts are merged, as positions change.
    ordering: bool = False


COLUMNS = {
    "tokens": Column("offsets", TOKENS, _with("tokens"), wide=True),
    "scales": Column("offsets", "<f4", _maybe("tokens"), 0.0),
    "mass": Column("offsets", "<f8", _with("tokens"), 0.0),
    "inverse_norms": Column("offsets", "<f4", _maybe("tokens"), 0.0),
    "pooled": Column(DOCUMENTS, "<f4", _with("pooled"), -np.inf, wide=True),
    "codes": Column("offsets", CODES, _with("codes"), wide=True),
    "code_scales": Column("offsets", "<f4", _maybe("codes"), 0.0),
    "code_inverse_norms": Column("offsets", "<f4", _maybe("codes"), 0.0),
    "code_squares": Column("offsets", "<f4", _maybe("codes"), 0.0),
    "code_sums": Column("offsets", "<i4", _maybe("codes")),
    "code_rho": Column(DOCUMENTS, "<f8", _with("codes"), 0.0),
    "cluster_tokens": Column("cluster_offsets", "<f4", _with("clusters"), -np.inf, wide=True),
    "cluster_mass": Column("cluster_offsets", "<f8", _with("clusters"), 0.0),
    "cluster_inverse_norms": Column("cluster_offsets", "<f4", _maybe("clusters"), 0.0),
    "words": Column("offsets", "<u4", _with("words", "bins")),
    "counts": Column("offsets", COUNTS, When(frozenset({"bins"}), frozenset({"words"})), 0.0),
    "totals": Column(DOCUMENTS, "<f8", _with("words", "bins"), 0.0),
    "vectors": Column(WORDS, "<f4", _with("words"), -np.inf, wide=True),
    "rows": Column(WORDS, "<u4", _with("words")),
    "costs": Column(WORDS, COSTS, _with("bins"), LEAST_COST, wide=True, forbids=True),
    "ids": Column(DOCUMENTS, "<i8", _with("int ids"), ordering=True),
    "id_order": Column(DOCUMENTS, "<i8", When(frozenset({"str ids"}), frozenset({"int ids"})), ordering=True),
    "id_text": Column("id_offsets", "|u1", _with("str ids"), ordering=True),
    "id_hashes": Column(DOCUMENTS, "<u8", _with("str ids"), ordering=True),
    "payload_text": Column("payload_offsets", "|u1", _maybe(_ANY)),
}

#: Arrays that cut others into one run per document: int64, one entry more than documents.
OFFSETS = tuple(dict.fromkeys(column.of for column in COLUMNS.values() if column.of not in (DOCUMENTS, WORDS)))

#: What any of them is.
_CUTS = Column(DOCUMENTS, "<i8", _maybe())

#: Numbers that go with the arrays.
NUMBERS = {
    "max_norm": _with("tokens"),
    "first_word": _with("words", "bins"),
    "largest_code_norm": _with("codes"),
    "pooled_norm": _with("pooled"),
    "cluster_max_norm": _with("clusters"),
    "rounded": _maybe(_ANY),
}

_FLOATS = ("<f4", "<f8")


def _stored_as(name: str) -> str:
    """Dtype in files of a type of tokens."""
    return np.dtype(STORED_AS[name]).newbyteorder("<").str


#: Types of arrays: nothing else is ever made of a file's bytes.
DTYPES = frozenset(
    {_CUTS.dtype, *_FLOATS, *map(_stored_as, STORED_AS)}
    | {column.dtype for column in COLUMNS.values() if column.dtype not in (TOKENS, CODES, COUNTS, COSTS)}
)


def require_layout(setup: Setup, shapes: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """Check that arrays of these dtypes and shapes are what a part of such an index has.

    Raises
    ------
    IndexFormatError
        If one is missing, unknown, or of another dtype or shape; the message names it.
    """
    _require_presence(features(setup), set(shapes))
    extents: dict[str, int] = {DOCUMENTS: shapes["offsets"][1][0] - 1}
    for name, (dtype, shape) in shapes.items():
        if name in OFFSETS:
            column = _CUTS
            extent = shape[0] - 1 if shape else -1
        else:
            column = COLUMNS[name]
            extent = shape[0] if shape else -1
        wanted, row = _dtype_of(column, setup), (setup.dim,) if column.wide else ()
        if dtype != wanted or shape[1:] != row or extent != extents.setdefault(column.of, extent) or extent < 0:
            raise IndexFormatError(f"array {name!r}: dtype {dtype} and shape {list(shape)} do not fit the others")


def require_numbers(setup: Setup, numbers: Mapping[str, float]) -> None:
    """Check that these are the numbers that go with the arrays of such an index; IndexFormatError otherwise."""
    found = features(setup)
    needed = {name for name, when in NUMBERS.items() if when.is_needed(found)}
    allowed = {name for name, when in NUMBERS.items() if when.is_allowed(found)}
    if not needed <= set(numbers) <= allowed:
        raise IndexFormatError(f"numbers are {sorted(numbers)}, expected {sorted(needed)}")
    if numbers.get("rounded", 0.0) not in (0.0, 1.0):
        raise IndexFormatError(f"number 'rounded' is {numbers['rounded']}, expected 0 or 1")


def _dtype_of(column: Column, setup: Setup) -> str:
    """Dtype of an array, where it depends on what the index is."""
    if column.dtype == TOKENS:
        return _stored_as(setup.dtype)
    if column.dtype == CODES:
        return _stored_as(str(setup.codes))
    if column.dtype == COUNTS:
        return "<f8" if setup.kind == "bins" else "<f4"  # what is in a bin is mass, and not counted
    if column.dtype == COSTS:
        return "<f8" if setup.dtype == "float64" else "<f4"
    return column.dtype


def _require_presence(present: frozenset[str], found: set[str]) -> None:
    needed = {name for name, column in COLUMNS.items() if column.when.is_needed(present)}
    allowed = {name for name, column in COLUMNS.items() if column.when.is_allowed(present)}
    for offsets in OFFSETS:
        cut = {name for name in allowed if COLUMNS[name].of == offsets}
        # Offsets and what they cut come together.
        if cut & needed or (cut and found & {offsets, *cut}):
            needed.add(offsets)
        if offsets in found and not cut & needed:
            needed |= cut
    for what, names in (("missing", needed - found), ("unknown", found - needed - allowed)):
        if names:
            raise IndexFormatError(f"array {min(names)!r}: {what}")


def require_cuts(arrays: Arrays, offsets: str, name: str) -> None:
    """Check that offsets cut all of an array into runs; IndexFormatError otherwise."""
    cuts = arrays[offsets]
    if cuts[0] != 0 or cuts[-1] != len(arrays[name]) or (cuts[1:] < cuts[:-1]).any():
        raise IndexFormatError(f"array {offsets!r}: does not cut {name!r} into runs; the index's files are damaged")
