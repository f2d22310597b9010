"""A readable description of an index, from its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moverank._core import bounds_pay, build_info
from moverank.index.disk.manifest import VERSION, Manifest, read_manifest
from moverank.index.parts.arrays import OFFSETS
from moverank.index.parts.kinds import kind_of

#: Storage of documents, by their kind; the braces are replaced by the type of numbers.
STORED_AS = {
    "tokens": "{}",
    "words": "words of a shared table, {}",
    "bins": "bins of a table of costs, {}",
}

#: Source of bounds for an index without codes, by kind.
BOUNDS_FROM = {"tokens": "the tokens themselves", "words": "the tokens themselves", "bins": "the costs"}


def describe(folder: Path) -> dict[str, Any]:
    """Facts about the index in a folder, by name; errors are those of `Index.open`."""
    manifest = read_manifest(folder)
    setup, kind = manifest.setup, kind_of(manifest.setup)
    documents = sum(map(len, manifest.segments))
    removed = sum(segment.removed.nbytes // 8 for segment in manifest.segments if segment.removed is not None)
    total = sum(entry.nbytes for entry in manifest.files)
    facts = {
        "format": VERSION,
        "state": "complete" if manifest.batches is None else f"being built, {manifest.batches} batches are in",
        "generation": manifest.generation,
        "measure": setup.measure.name,
        "documents": documents - removed,
        "removed": f"{removed}, whose space is freed by compact" if removed else 0,
        "tokens": sum(segment.arrays[kind.counted].shape[0] for segment in manifest.segments),
        "pooled": _pooled(manifest),
        "dimension": setup.dim,
        "stored as": STORED_AS[setup.kind].format(setup.dtype),
        "differences from": _anchors(manifest),
        "bounds from": BOUNDS_FROM[setup.kind] if setup.codes is None else _codes(setup.codes),
        "prefilter": setup.prefilter if kind.needs_prefilter else "none needed",
        "encoder": "unknown" if manifest.encoder is None else str(manifest.encoder),
        "ids": setup.ids,
        "payloads": "yes" if any("payload_text" in segment.arrays for segment in manifest.segments) else "no",
        "texts": "kept" if any("text" in segment.arrays for segment in manifest.segments) else "no",
        "segments": len(manifest.segments),
        "bytes": total,
        "bytes per document": round(total / documents) if documents else 0,
    }
    facts |= {f"  {name}": count for name, count in sorted(_bytes_by_array(manifest).items(), key=lambda own: -own[1])}
    if manifest.anchors is not None:
        facts["  anchors"] = manifest.anchors.file.nbytes
    if manifest.attachment is not None:
        facts["  attached"] = sum(entry.nbytes for entry in manifest.attachment.files.values())
    if manifest.faiss is not None:
        facts["  faiss"] = manifest.faiss.nbytes
    if manifest.cells is not None:
        cells = manifest.cells
        facts["cells"] = cells.codebook.arrays["centroids"].shape[0]
        facts["  codebook"] = cells.codebook.file.nbytes
        facts["  cells of documents"] = sum(group.file.nbytes for group in cells.groups)
    return facts


def _anchors(manifest: Manifest) -> str:
    if manifest.anchors is None:
        return "nothing"
    return f"{manifest.anchors.arrays['centroids'].shape[0]} anchors"


def _codes(dtype: str) -> str:
    """Whether bounds come from codes, and by what products on this processor (benchmarks, "Bounds from codes")."""
    if dtype == "int8":
        return f"int8 codes, multiplied as whole numbers by {build_info()['codes']}"
    if not bounds_pay(dtype):
        return f"the tokens themselves; bounds from the {dtype} codes beside them would be slower"
    return f"{dtype} codes, as fast as {dtype} tokens"


def _pooled(manifest: Manifest) -> str:
    if manifest.setup.pool == 1:
        return "no"
    given = sum(segment.arrays["pooled_into"].shape[0] for segment in manifest.segments)
    return f"by {manifest.setup.pool:g}, from {given} tokens"


def _bytes_by_array(manifest: Manifest) -> dict[str, int]:
    """Total bytes of each array; all arrays of offsets are counted together."""
    found: dict[str, int] = {}
    for segment in manifest.segments:
        for name, entry in segment.arrays.items():
            shown = "offsets" if name in OFFSETS else name
            found[shown] = found.get(shown, 0) + entry.nbytes
    return found
