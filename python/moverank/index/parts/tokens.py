"""Documents that are sequences of token vectors; each document has its own vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.storage import TYPES, token_dtype
from moverank.index.parts.anchors import as_stored
from moverank.index.parts.arrays import Arrays, are_interleaved, codes_in, tokens_in
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.kind import Built, Document, Kind, Numbers
from moverank.index.parts.setup import Clusters, Options, Setup
from moverank.measures.given import Costs
from moverank.measures.measure import Measure, prepare, require_same_dim, require_vectors
from moverank.measures.origin import about
from moverank.measures.pooling import pooled_documents
from moverank.measures.precision import tell_if_far
from moverank.vectors.rounding import Extent
from moverank.vectors.sequences import Sequences


class TokenParts(Kind):
    """Sequences of token vectors."""

    name = "tokens"
    documents = Sequences
    counted = "tokens"
    needs_prefilter = True

    def setup(self, docs: Any, measure: Measure, options: Options, ids: str, costs: Costs | None) -> Setup:
        """Check the options of an index of sequences."""
        require_vectors(measure)
        dtype, rescore = options.dtype, options.rescore
        codes = _checked_codes(dtype, docs, measure) if rescore else None
        stored = docs.dtype if dtype is None or rescore else token_dtype(dtype)
        origin = _origin_for(docs) if measure._cost.translation_invariant else None
        prefilter = options.prefilter_for(len(docs))
        return Setup(measure, self.name, docs.dim, stored, codes, prefilter, ids, origin, pool=options.pool)

    def is_sound(self, setup: Setup) -> bool:
        """Whether the origin has the right dimension, and the measure allows one; bins must not have names."""
        may_move = setup.measure._cost.translation_invariant
        origin_is_valid = setup.origin is None or (len(setup.origin) == setup.dim and may_move)
        anchors_are_valid = setup.anchors is None or TYPES[setup.dtype].is_packed
        return origin_is_valid and anchors_are_valid and (setup.sources, setup.targets) == (None, None)

    def stored(self, docs: Any, setup: Setup, space: AttachedSpace | None) -> Any:
        """Documents relative to the index's origin, in its type unless they are still to be pooled.

        Warns
        -----
        PrecisionWarning
            If they were given in float64 and are so far from the origin that float32 drops their differences.
        """
        require_same_dim(docs.dim, setup.dim, "docs", "the index")
        origin = np.zeros(setup.dim) if setup.origin is None else np.array(setup.origin)
        if docs._rounded and setup.measure._cost.translation_invariant:
            tell_if_far(docs, origin)
        if setup.origin is not None:
            docs = about(origin, docs, setup.measure)
        return docs if setup.pool > 1 or setup.anchors is not None else docs.astype(setup.dtype)

    def build(self, docs: Any, setup: Setup, shared: Any, num_threads: int) -> Built:
        """Pool the tokens of documents if the index does, and prepare them, with all that its setup asks for."""
        arrays: dict[str, NDArray[Any]] = {}
        rounded = docs._rounded or setup.origin is not None
        if setup.pool > 1:
            arrays["given_offsets"] = docs.offsets
            docs, arrays["pooled_into"] = pooled_documents(docs, setup.pool, setup.measure, num_threads)
            rounded = True
        docs = as_stored(docs, setup, num_threads)
        if docs._stored.nearest is not None:
            arrays["nearest"] = docs._stored.nearest
        prepared = prepare(docs, setup.measure)
        numbers = {"max_norm": prepared.max_norm, "rounded": float(rounded)}
        arrays |= {"offsets": docs.offsets, "tokens": docs.tokens}
        if docs.scales is not None:
            arrays["scales"] = docs.scales
        arrays |= _filled("", prepared.arrays)
        if setup.codes is not None:
            codes = docs.astype(setup.codes)
            prepared.add_codes(codes._stored.in_core())
            found = dict(prepared.code_arrays)
            arrays["codes"] = found.pop("interleaved", codes.tokens)
            if codes.scales is not None:
                arrays["code_scales"] = codes.scales
            arrays |= _filled("code_", found)
            numbers["largest_code_norm"] = prepared.largest_code_norm
        if isinstance(setup.prefilter, str):
            pooled = prepared.pooled()
            arrays["pooled"] = pooled
            numbers["pooled_norm"] = float(np.sqrt((pooled.astype(np.float64) ** 2).sum(axis=1).max()))
        elif isinstance(setup.prefilter, Clusters):
            clusters = _clusters(prepared, setup.prefilter.per_document, num_threads)
            prepared_clusters = prepare(clusters, setup.measure)
            arrays |= {"cluster_offsets": clusters.offsets, "cluster_tokens": clusters.tokens}
            arrays |= _filled("cluster_", prepared_clusters.arrays)
            numbers["cluster_max_norm"] = prepared_clusters.max_norm
        return Built(arrays, numbers, prepared)

    def prepared(self, setup: Setup, arrays: Arrays, numbers: Numbers) -> Any:
        """Prepare stored documents for the core."""
        prepared = _core.PreparedSequences.from_arrays(
            tokens_in(arrays, setup).in_core(),
            arrays["offsets"],
            arrays["mass"],
            arrays.get("inverse_norms"),
            numbers["max_norm"],
            setup.measure._spec,
        )
        inverse_norms = arrays.get("code_inverse_norms")
        if are_interleaved(setup):
            prepared.take_int8_codes(
                arrays["codes"],
                arrays["code_scales"],
                inverse_norms,
                arrays.get("code_squares"),
                arrays["code_rho"],
                numbers["largest_code_norm"],
            )
        elif setup.codes is not None:
            codes = codes_in(arrays, setup).in_core()
            prepared.take_codes(codes, inverse_norms, arrays["code_rho"], numbers["largest_code_norm"])
        return prepared

    def corpus(self, prepared: list[Any]) -> _core.Corpus:
        """Join the prepared documents of all parts."""
        return _core.Corpus(prepared)

    def document(self, setup: Setup, arrays: Arrays, run: slice, shared: Any) -> Document:
        """Tokens and mass of the document in these rows."""
        return tokens_in(arrays, setup)[run].decoded(), arrays["mass"][run]

    def content(self, setup: Setup, arrays: Arrays, run: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Components and masses of the tokens, as float64."""
        return tokens_in(arrays, setup)[run].decoded().astype(np.float64), arrays["mass"][run].astype(np.float64)

    def tolerance(self, setup: Setup) -> float:
        """Encoders may return different last digits for the same text, which can change codes by a step.

        Of int8 that is 1 / 127 of the largest component; of int4 and int2 it is more, and another step may be chosen.
        """
        return {"int4": 0.25, "int2": 1.0}.get(setup.dtype, 0.02)

    def longest(self, arrays: Arrays, numbers: Numbers) -> float:
        """Largest norm of a token of a part."""
        return numbers["max_norm"]


def _origin_for(docs: Sequences) -> tuple[float, ...] | None:
    """Choose the origin of an index, near the documents; None if that gains nothing.

    An origin is useful even if float32 holds the documents exactly, as queries may have more digits. Subtracting it is
    then exact, except for codes with a scale, which would be rounded again.
    """
    if docs.scales is not None or (docs._rest is None and not Extent.of(docs._stored[:1024]).may_be_distant):
        return None
    extent = docs._extent()
    middle = extent.origin() if docs._rest is not None or extent.is_distant else None
    return None if middle is None else tuple(middle.tolist())


def _checked_codes(dtype: str | None, docs: Sequences, measure: Measure) -> str:
    """Type of the codes; ValueError if they would not be more compact than the documents, or would give no bounds."""
    if dtype is None or TYPES[token_dtype(dtype)].bits >= TYPES[docs.dtype].bits:
        raise ValueError(f"rescore: expected a dtype more compact than the documents' {docs.dtype}, got {dtype!r}")
    if not measure._cost.has_codes:
        raise ValueError(f"rescore: compact tokens give no bound under ground {measure.ground!r}")
    return token_dtype(dtype)


def _filled(prefix: str, found: Arrays) -> dict[str, NDArray[Any]]:
    return {prefix + name: array for name, array in found.items() if len(array)}


def _clusters(prepared: _core.PreparedSequences, per_document: int, num_threads: int) -> Sequences:
    found = prepared.clusters(per_document, num_threads)
    filled = (np.arange(per_document) < found.counts[:, None]).ravel()
    offsets = np.zeros(len(found.counts) + 1, dtype=np.int64)
    np.cumsum(found.counts, out=offsets[1:])
    return Sequences.from_flat(found.centroids[filled], offsets, found.mass[filled])
