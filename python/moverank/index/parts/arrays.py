"""The arrays of a part of an index, and how their shapes are related: one table, for memory and for files.

A part of n documents with T tokens of d dimensions has these arrays (those in brackets only if they are needed):

    sequences   offsets (n + 1), tokens (T, w), [scales (T)], [nearest (T)], mass (T), [inverse_norms (T)],
                [pooled (n, d)]
      codes     codes (T, w), [code_scales (T)], [code_inverse_norms (T)], [code_squares (T)],
                code_rho (n)
      pooled    given_offsets (n + 1), pooled_into (G), with G the number of tokens as given
      clusters  cluster_offsets (n + 1), cluster_tokens (C, d), cluster_mass (C), [cluster_inverse_norms (C)]
    bags        offsets (n + 1), words (T), [counts (T)], totals (n), vectors (v, d), rows (v)
      of given costs    offsets (n + 1), words (T), counts (T), totals (n), costs (v, d)
    names       ids (n), [id_order (n)]; or id_offsets (n + 1), id_text, id_hashes (n), id_order (n)
    payloads    [payload_offsets (n + 1), payload_text]
    texts       [text_offsets (n + 1), text, text_begin (n)]

w is d, unless components are packed: see `TokenType.width`. int8 codes are the exception: w is d rounded up to a
multiple of 4, and the bytes of each document are in the order in which they are multiplied (docs/format.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.storage import TYPES, Stored
from moverank.errors import IndexFormatError
from moverank.index.parts.setup import Clusters, Setup
from moverank.measures.given import LEAST_COST

Arrays = Mapping[str, NDArray[Any]]

#: Values of `Column.of` for arrays with one row per document, or one row per word of the vocabulary.
DOCUMENTS, WORDS = "documents", "words"

#: Values of `Column.dtype` for arrays whose dtype depends on the setup.
TOKENS, CODES, COUNTS, COSTS = "tokens", "codes", "counts", "costs"


@dataclass(frozen=True)
class When:
    """Features (see `features`) that decide on an array: any of `needed` requires it, any of `optional` allows it."""

    needed: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    def is_needed(self, found: frozenset[str]) -> bool:
        """Whether an index with these features must have the array."""
        return not self.needed.isdisjoint(found)

    def is_allowed(self, found: frozenset[str]) -> bool:
        """Whether an index with these features may have the array."""
        return self.is_needed(found) or not self.optional.isdisjoint(found)


def _with(*needed: str) -> When:
    return When(needed=frozenset(needed))


def _maybe(*optional: str) -> When:
    return When(optional=frozenset(optional))


#: A feature of every index.
_ANY = "any"


def features(setup: Setup) -> frozenset[str]:
    """Features of an index, each of which has its own arrays and numbers."""
    found = {_ANY, setup.kind, f"{setup.ids} ids"}
    if setup.codes is not None:
        found.add("codes")
    if setup.pool > 1:
        found.add("pooled tokens")
    if setup.anchors is not None:
        found.add("anchors")
    if isinstance(setup.prefilter, str):
        found.add("pooled")
    elif isinstance(setup.prefilter, Clusters):
        found.add("clusters")
    return frozenset(found)


@dataclass(frozen=True)
class Column:
    """One array of the table: `of` says what its rows are, `dtype` its type, and `when` which indexes have it.

    An array has one row per document, or one per word, or any number per document, given by the array of offsets whose
    name is `of`. The dtype is one of NumPy, or one of `TOKENS`, `CODES`, `COUNTS` and `COSTS`.
    """

    of: str
    dtype: str
    when: When
    #: Smallest valid number; all must be finite. None if every value of the dtype is valid, or if numbers can only be
    #: checked together with a scale.
    least: float | None = None
    #: Whether a row is a vector.
    wide: bool = False
    #: Whether +inf is valid: the cost of a forbidden move.
    forbids: bool = False
    #: Whether it is computed again when parts are merged, as it contains or depends on positions.
    ordering: bool = False


COLUMNS = {
    "tokens": Column("offsets", TOKENS, _with("tokens"), wide=True),
    "scales": Column("offsets", "<f4", _maybe("tokens"), 0.0),
    "nearest": Column("offsets", "<u2", _with("anchors")),
    "mass": Column("offsets", "<f8", _with("tokens"), 0.0),
    "inverse_norms": Column("offsets", "<f4", _maybe("tokens"), 0.0),
    "pooled": Column(DOCUMENTS, "<f4", _with("pooled"), -np.inf, wide=True),
    "codes": Column("offsets", CODES, _with("codes"), wide=True),
    "code_scales": Column("offsets", "<f4", _maybe("codes"), 0.0),
    "code_inverse_norms": Column("offsets", "<f4", _maybe("codes"), 0.0),
    "code_squares": Column("offsets", "<f4", _maybe("codes"), 0.0),
    "code_rho": Column(DOCUMENTS, "<f8", _with("codes"), 0.0),
    "pooled_into": Column("given_offsets", "<i4", _with("pooled tokens"), -1),
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
    "text": Column("text_offsets", "|u1", _maybe(_ANY)),
    "text_begin": Column(DOCUMENTS, "<i8", _maybe(_ANY), 0.0),
}

#: Arrays that split others into one run of rows per document: int64, one entry more than documents.
OFFSETS = tuple(dict.fromkeys(column.of for column in COLUMNS.values() if column.of not in (DOCUMENTS, WORDS)))

#: Components that stay together in interleaved codes.
GROUP = 4

#: The column of any of these.
_OFFSETS_COLUMN = Column(DOCUMENTS, "<i8", _maybe())

#: Numbers stored beside the arrays of a part.
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
    """Dtype in files of a token type."""
    return np.dtype(TYPES[name].held_as).newbyteorder("<").str


#: All dtypes of arrays. Reading a file never creates an array of another dtype.
DTYPES = frozenset(
    {_OFFSETS_COLUMN.dtype, *_FLOATS, *map(_stored_as, TYPES)}
    | {column.dtype for column in COLUMNS.values() if column.dtype not in (TOKENS, CODES, COUNTS, COSTS)}
)


def require_layout(setup: Setup, shapes: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """Check that arrays with these dtypes and shapes can be a part of an index with this setup.

    Raises
    ------
    IndexFormatError
        If an array is missing or unknown, or has a wrong dtype or shape; the message names it.
    """
    _require_presence(features(setup), set(shapes))
    extents: dict[str, int] = {DOCUMENTS: shapes["offsets"][1][0] - 1}
    for name, (dtype, shape) in shapes.items():
        if name in OFFSETS:
            column = _OFFSETS_COLUMN
            extent = shape[0] - 1 if shape else -1
        else:
            column = COLUMNS[name]
            extent = shape[0] if shape else -1
        wanted, row = _dtype_of(column, setup), (_width_of(column, setup),) if column.wide else ()
        if dtype != wanted or shape[1:] != row or extent != extents.setdefault(column.of, extent) or extent < 0:
            raise IndexFormatError(f"array {name!r}: dtype {dtype} and shape {list(shape)} do not match the others")


def require_numbers(setup: Setup, numbers: Mapping[str, float]) -> None:
    """Check that a part of an index with this setup has these numbers; IndexFormatError otherwise."""
    found = features(setup)
    needed = {name for name, when in NUMBERS.items() if when.is_needed(found)}
    allowed = {name for name, when in NUMBERS.items() if when.is_allowed(found)}
    if not needed <= set(numbers) <= allowed:
        raise IndexFormatError(f"numbers are {sorted(numbers)}, expected {sorted(needed)}")
    if numbers.get("rounded", 0.0) not in (0.0, 1.0):
        raise IndexFormatError(f"number 'rounded' is {numbers['rounded']}, expected 0 or 1")


def _dtype_of(column: Column, setup: Setup) -> str:
    """Dtype of an array in an index with this setup."""
    if column.dtype == TOKENS:
        return _stored_as(setup.dtype)
    if column.dtype == CODES:
        return _stored_as(str(setup.codes))
    if column.dtype == COUNTS:
        return "<f8" if setup.kind == "bins" else "<f4"  # bins contain any mass, words have counts
    if column.dtype == COSTS:
        return "<f8" if setup.dtype == "float64" else "<f4"
    return column.dtype


def _width_of(column: Column, setup: Setup) -> int:
    """Entries of a row that is a vector."""
    if column.dtype == TOKENS:
        return TYPES[setup.dtype].width(setup.dim)
    if column.dtype == CODES:
        return -(-setup.dim // GROUP) * GROUP if are_interleaved(setup) else TYPES[str(setup.codes)].width(setup.dim)
    return setup.dim


def tokens_in(arrays: Arrays, setup: Setup) -> Stored:
    """The tokens of a part of an index with this setup."""
    anchors = None if setup.anchors is None else setup.anchors.codebook.centroids
    return Stored(setup.dtype, setup.dim, arrays["tokens"], arrays.get("scales"), anchors, arrays.get("nearest"))


def are_interleaved(setup: Setup) -> bool:
    """Whether the codes of an index are in the order in which the core multiplies them, not in rows of tokens."""
    return setup.codes == "int8"


def codes_in(arrays: Arrays, setup: Setup) -> Stored:
    """Their codes, unless these are interleaved."""
    return Stored(str(setup.codes), setup.dim, arrays["codes"], arrays.get("code_scales"))


def _require_presence(present: frozenset[str], found: set[str]) -> None:
    needed = {name for name, column in COLUMNS.items() if column.when.is_needed(present)}
    allowed = {name for name, column in COLUMNS.items() if column.when.is_allowed(present)}
    for offsets in OFFSETS:
        cut = {name for name in allowed if COLUMNS[name].of == offsets}
        # Offsets and the arrays that they split must occur together.
        if cut & needed or (cut and found & {offsets, *cut}):
            needed.add(offsets)
        if offsets in found and not cut & needed:
            needed |= cut
    for what, names in (("missing", needed - found), ("unknown", found - needed - allowed)):
        if names:
            raise IndexFormatError(f"array {min(names)!r}: {what}")


def require_offsets(arrays: Arrays, offsets: str, name: str) -> None:
    """Check that offsets split all of an array into runs; IndexFormatError otherwise."""
    bounds = arrays[offsets]
    if bounds[0] != 0 or bounds[-1] != len(arrays[name]) or (bounds[1:] < bounds[:-1]).any():
        raise IndexFormatError(f"array {offsets!r}: does not split {name!r} into runs; the index's files are damaged")


@contextmanager
def mismatch_is_damage() -> Iterator[None]:
    """Report arrays that the core refuses as damage: they were checked when they were made, so a file has changed."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise IndexFormatError(f"the index's files do not match each other: {error}") from None
