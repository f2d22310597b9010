"""What a manifest says, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moverank.index.disk.manifest import VERSION, Manifest, read_manifest
from moverank.index.parts.arrays import OFFSETS
from moverank.index.parts.setup import Setup


def describe(folder: Path) -> dict[str, Any]:
    """Facts about the index in a folder, by name; IndexFormatError and its like as `Index.open` raises them."""
    manifest = read_manifest(folder)
    setup = manifest.setup
    documents = sum(map(len, manifest.segments))
    removed = sum(segment.removed.nbytes // 8 for segment in manifest.segments if segment.removed is not None)
    total = sum(entry.nbytes for entry in manifest.files)
    facts = {
        "format": VERSION,
        "state": "complete" if manifest.batches is None else f"being built, {manifest.batches} batches are in",
        "generation": manifest.generation,
        "measure": setup.measure.name,
        "documents": documents - removed,
        "removed": f"{removed}, whose space compacting gives back" if removed else 0,
        "tokens": sum(_tokens(manifest)),
        "dimension": setup.dim,
        "stored as": _stored_as(setup),
        "bounds from": setup.codes or ("the costs" if setup.measure.ground == "given" else "the tokens themselves"),
        "prefilter": setup.prefilter if setup.kind == "sequences" else "none needed",
        "encoder": "unknown" if manifest.encoder is None else str(manifest.encoder),
        "ids": setup.ids,
        "payloads": "yes" if any("payload_text" in segment.arrays for segment in manifest.segments) else "no",
        "segments": len(manifest.segments),
        "bytes": total,
        "bytes per document": round(total / documents) if documents else 0,
    }
    facts |= {f"  {name}": count for name, count in sorted(_bytes_by_array(manifest).items(), key=lambda own: -own[1])}
    if manifest.faiss is not None:
        facts["  faiss"] = manifest.faiss.nbytes
    return facts


def _stored_as(setup: Setup) -> str:
    if setup.measure.ground == "given":
        return f"bins of a table of costs, {setup.dtype}"
    return setup.dtype if setup.kind == "sequences" else "words of a shared table, float32"


def _tokens(manifest: Manifest) -> list[int]:
    counted = "tokens" if manifest.setup.kind == "sequences" else "words"
    return [segment.arrays[counted].shape[0] for segment in manifest.segments]


def _bytes_by_array(manifest: Manifest) -> dict[str, int]:
    """Bytes of each sort of array; offsets, of which there are several, as one."""
    found: dict[str, int] = {}
    for segment in manifest.segments:
        for name, entry in segment.arrays.items():
            shown = "offsets" if name in OFFSETS else name
            found[shown] = found.get(shown, 0) + entry.nbytes
    return found
