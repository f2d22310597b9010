"""The manifest: one JSON file that lists the files of an index and describes their contents."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from moverank._core import __version__
from moverank._support.fields import Fields, parsed
from moverank._support.storage import token_dtype
from moverank.errors import IndexFormatError, IndexNotFoundError, IndexVersionError
from moverank.index.disk.files import FileEntry, open_file
from moverank.index.disk.segments import ALIGNMENT, MAGIC, ArrayEntry, ArrayFile, Segment
from moverank.index.parts.anchors import NO_ANCHOR, Anchors
from moverank.index.parts.arrays import DTYPES, require_layout, require_numbers
from moverank.index.parts.attachment import NAME
from moverank.index.parts.cells import require_cells
from moverank.index.parts.codebook import require_codebook
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.setup import Chosen, Clusters, Setup, TokenCells
from moverank.measures.storing import measure_from_json, measure_to_json
from moverank.vectors.encoder_identity import EncoderIdentity

FORMAT = "moverank index"

#: Version of the format, increased with every change that an older reader would misread.
VERSION = 3

MANIFEST = "manifest.json"

#: Folder in that of an index, for segments that do not belong to it yet.
STAGED = "staged"

#: Maximum size of a manifest. One with a thousand segments has about a megabyte.
LARGEST = 1 << 26

#: Names of the files of an index. Other files in the folder are neither read nor deleted, and no name leads out of it.
FILE_NAME = re.compile(r"[0-9a-f]{16}\.(seg|gone|faiss|space|codebook|cells|anchors|attached)")

#: Names of the kinds of documents in manifests.
IN_FILES = {"tokens": "sequences", "words": "bags", "bins": "bags"}


@dataclass(frozen=True)
class StoredCells:
    """Files with the cells of all documents, see `moverank.index.parts.cells.Cells`.

    Attributes
    ----------
    codebook : ArrayFile
        Centroids.
    residual : float
        That of the codebook.
    groups : tuple of ArrayFile
        Cells of all documents, in order.
    covered : int
        Number of documents in the first of these.
    """

    codebook: ArrayFile
    residual: float
    groups: tuple[ArrayFile, ...]
    covered: int


@dataclass(frozen=True)
class StoredAttachment:
    """Facts and files of another layer, see `moverank.index.parts.attachment.Attachment`."""

    facts: Mapping[str, Any]
    files: Mapping[str, FileEntry]


@dataclass(frozen=True)
class Manifest:
    """One state of an index.

    Attributes
    ----------
    setup : Setup
        Options of the index.
    generation : int
        Number of this state; each change increases it.
    next_id : int
        Default id of the next document.
    batches : int or None
        Number of batches written by a build; None once the build is complete. 0 while several processes write segments
        into the folder `STAGED`.
    segments : tuple of Segment
        Parts, in order.
    faiss : FileEntry or None
        File of faiss with the pooled vectors of the first documents.
    covered : int
        Number of documents in that file.
    cells : StoredCells or None
        Files with the cells of all documents.
    anchors : ArrayFile or None
        File with the anchors of tokens.
    space : FileEntry or None
        The space of the documents.
    encoder : EncoderIdentity or None
        Identity of the documents' encoder.
    attachment : StoredAttachment or None
        What another layer keeps with the index.
    """

    setup: Setup
    generation: int
    next_id: int
    batches: int | None
    segments: tuple[Segment, ...]
    faiss: FileEntry | None = None
    covered: int = 0
    cells: StoredCells | None = None
    anchors: ArrayFile | None = None
    space: FileEntry | None = None
    encoder: EncoderIdentity | None = None
    attachment: StoredAttachment | None = None

    @property
    def name(self) -> str:
        """A name of this state: of its number, and of its files, which have names of their own."""
        files = ",".join(sorted(entry.file for entry in self.files))
        return f"{self.generation}-{hashlib.blake2b(files.encode(), digest_size=8).hexdigest()}"

    @property
    def files(self) -> list[FileEntry]:
        """All files except the manifest itself."""
        entries = [entry for segment in self.segments for entry in (segment.file, segment.removed)]
        if self.cells is not None:
            entries += [stored.file for stored in (self.cells.codebook, *self.cells.groups)]
        if self.attachment is not None:
            entries += self.attachment.files.values()
        anchors = None if self.anchors is None else self.anchors.file
        return [entry for entry in (*entries, anchors, self.faiss, self.space) if entry is not None]


# ---- writing -----------------------------------------------------------------------------------------------------


def to_bytes(manifest: Manifest) -> bytes:
    """Serialise a manifest as one JSON object of three lines. The checksum is that of the second, without its end."""
    content = json.dumps(_content(manifest), allow_nan=False).encode()
    head = {"format": FORMAT, "version": VERSION, "crc32": f"{zlib.crc32(content):08x}"}
    return json.dumps(head)[:-1].encode() + b', "content":\n' + content + b"\n}\n"


def _content(manifest: Manifest) -> dict[str, Any]:
    setup = manifest.setup
    return {
        "written_by": __version__,
        "generation": manifest.generation,
        "measure": measure_to_json(setup.measure),
        "kind": IN_FILES[setup.kind],
        "dim": setup.dim,
        "dtype": setup.dtype,
        "codes": setup.codes,
        "prefilter": _prefilter_to_json(setup.prefilter),
        "ids": setup.ids,
        "origin": None if setup.origin is None else list(setup.origin),
        "pool": None if setup.pool == 1 else setup.pool,
        "sources": None if setup.sources is None else list(setup.sources),
        "targets": None if setup.targets is None else list(setup.targets),
        "next_id": manifest.next_id,
        "batches": manifest.batches,
        "segments": [segment_to_json(segment) for segment in manifest.segments],
        "faiss": None if manifest.faiss is None else asdict(manifest.faiss),
        "covered": manifest.covered,
        "cells": None if manifest.cells is None else _cells_to_json(manifest.cells),
        "anchors": None if manifest.anchors is None else _anchors_to_json(setup, manifest.anchors),
        "space": None if manifest.space is None else asdict(manifest.space),
        "encoder": None if manifest.encoder is None else manifest.encoder.as_json(),
        "attachment": None if manifest.attachment is None else _attachment_to_json(manifest.attachment),
    }


def segment_to_json(segment: Segment) -> dict[str, Any]:
    """A segment as the manifest lists it."""
    return {
        **_arrays_to_json(segment),
        "numbers": dict(segment.numbers),
        "removed": None if segment.removed is None else asdict(segment.removed),
    }


def _prefilter_to_json(prefilter: Chosen | None) -> dict[str, Any] | None:
    if isinstance(prefilter, Clusters):
        return {"clusters": prefilter.per_document}
    if isinstance(prefilter, TokenCells):
        return {"tokens": asdict(prefilter)}
    return None if prefilter is None else {"faiss": prefilter}


def _arrays_to_json(stored: ArrayFile) -> dict[str, Any]:
    arrays = {
        name: {"dtype": entry.dtype, "shape": list(entry.shape), "offset": entry.offset}
        for name, entry in stored.arrays.items()
    }
    return {"file": asdict(stored.file), "arrays": arrays}


def _anchors_to_json(setup: Setup, stored: ArrayFile) -> dict[str, Any]:
    assert setup.anchors is not None
    return {"digest": setup.anchors.digest, **_arrays_to_json(stored)}


def _attachment_to_json(stored: StoredAttachment) -> dict[str, Any]:
    return {"facts": stored.facts, "files": {name: asdict(entry) for name, entry in stored.files.items()}}


def _cells_to_json(cells: StoredCells) -> dict[str, Any]:
    return {
        "codebook": {**_arrays_to_json(cells.codebook), "residual": cells.residual},
        "groups": [_arrays_to_json(group) for group in cells.groups],
        "covered": cells.covered,
    }


# ---- reading -----------------------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of an index.

    Raises
    ------
    IndexNotFoundError
        If there is no manifest.
    IndexVersionError
        If it has another version of the format.
    IndexFormatError
        If it is damaged, or was not written by moverank.
    """
    path = folder / MANIFEST
    try:
        with open_file(path) as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                raise IndexFormatError(f"{path}: is larger than {LARGEST} bytes, the maximum for a manifest")
            octets = file.read()  # as little memory as possible, as this is also called when memory is exhausted
    except (FileNotFoundError, NotADirectoryError):
        what = "has no manifest.json, so it is not an index" if folder.exists() else "does not exist"
        raise IndexNotFoundError(2, f"no index: the folder {what}", str(folder)) from None
    try:
        return parse(octets)
    except IndexVersionError as error:
        raise IndexVersionError(f"{path}: {error}") from None
    except IndexFormatError as error:
        raise IndexFormatError(f"{path}: {error}") from None


def parse(octets: bytes) -> Manifest:
    """Parse bytes written by `to_bytes`; IndexFormatError or IndexVersionError for any others."""
    try:
        return _manifest_of(Fields(parsed(_content_of(octets)), "manifest"))
    except IndexFormatError:
        raise
    except (ValueError, TypeError, OverflowError) as error:  # a field of another type, an unknown measure
        raise IndexFormatError(str(error)) from None


def _content_of(octets: bytes) -> bytes:
    """The second line, after checks of what surrounds it."""
    lines = octets.split(b"\n")
    head = Fields(parsed(lines[0] + b"null}"), "manifest")
    if head.take("format", str) != FORMAT:
        raise IndexFormatError(f"is not the manifest of a {FORMAT}")
    version = head.take("version", int)
    if version != VERSION:
        raise IndexVersionError(
            f"expected version {VERSION} of the format, which moverank {__version__} reads, got version {version}; "
            f"open the index with {'a newer' if version > VERSION else 'an older'} moverank, or build it again"
        )
    checksum = head.take("crc32", str)
    if len(lines) != 4 or lines[2:] != [b"}", b""] or checksum != f"{zlib.crc32(lines[1]):08x}":
        raise IndexFormatError("has a wrong checksum; the index is damaged")
    head.take("content", type(None))
    head.done()
    return lines[1]


def _manifest_of(fields: Fields) -> Manifest:
    fields.take("written_by", str)
    generation = fields.count("generation")
    # Early indexes have neither anchors nor cells nor attachments.
    anchors = fields.child("anchors", _anchors_of) if fields.has("anchors") else None
    setup = _setup_of(fields, None if anchors is None else anchors[0])
    manifest = Manifest(
        setup=setup,
        generation=generation,
        next_id=fields.take("next_id", int),
        batches=fields.take_optional("batches", int),
        segments=tuple(
            segment_of(Fields(value, f"segment {s}"), setup) for s, value in enumerate(fields.take("segments", list))
        ),
        faiss=fields.child("faiss", _file_of),
        covered=fields.count("covered"),
        cells=fields.child("cells", partial(_cells_of, setup)) if fields.has("cells") else None,
        anchors=None if anchors is None else anchors[1],
        space=fields.child("space", _file_of),
        encoder=_encoder_of(fields.take_optional("encoder", dict)),
        attachment=fields.child("attachment", _attachment_of) if fields.has("attachment") else None,
    )
    fields.done()
    if manifest.anchors is not None and require_codebook(setup.dim, manifest.anchors.shapes) > NO_ANCHOR:
        raise IndexFormatError(f"has more than {NO_ANCHOR} anchors of tokens")
    _require_whole(manifest)
    return manifest


def _anchors_of(fields: Fields) -> tuple[Anchors, ArrayFile]:
    return Anchors(fields.take("digest", str)), _arrays_of(fields)


def _setup_of(fields: Fields, anchors: Anchors | None) -> Setup:
    measure = fields.child("measure", measure_from_json)
    if measure is None:
        raise IndexFormatError("has no measure")
    called = _one_of(tuple(dict.fromkeys(IN_FILES.values())), fields.take("kind", str), "kind")
    if measure._cost.is_given and called != IN_FILES["bins"]:
        raise IndexFormatError("has given costs, but its documents are not histograms")
    kind = "bins" if measure._cost.is_given else next(name for name, own in IN_FILES.items() if own == called)
    dim = fields.count("dim")
    dtype = fields.take("dtype", str)
    codes = fields.take_optional("codes", str)
    setup = Setup(
        measure=measure,
        kind=kind,
        dim=dim,
        # Costs are float32 or float64; tokens have one of the token types.
        dtype=_one_of(("float32", "float64"), dtype, "dtype") if kind == "bins" else token_dtype(dtype),
        codes=None if codes is None else token_dtype(codes),
        prefilter=fields.child("prefilter", _prefilter_of),
        ids=_one_of(("int", "str"), fields.take("ids", str), "ids"),
        origin=_origin_of(fields.take_optional("origin", list)),
        sources=_names_of(fields, "sources"),
        targets=_names_of(fields, "targets"),
        pool=_pool_of(fields),
        anchors=anchors,
    )
    if setup.dim == 0 or not kind_of(setup).is_sound(setup):
        raise IndexFormatError("has options that contradict each other")
    return setup


def _origin_of(value: list[Any] | None) -> tuple[float, ...] | None:
    if value is None:
        return None
    if not all(type(x) in (int, float) and math.isfinite(x) for x in value):
        raise IndexFormatError("the origin is not a list of finite numbers")
    return tuple(map(float, value))


def _pool_of(fields: Fields) -> float:
    value = fields.take_optional("pool", float) if fields.has("pool") else None  # early indexes do not have the field
    if value is None:
        return 1.0
    if not 1 < value < math.inf:
        raise IndexFormatError(f"pool is {value}, expected a finite number above 1")
    return value


def _names_of(fields: Fields, field: str) -> tuple[str, ...] | None:
    value = fields.take_optional(field, list) if fields.has(field) else None  # early indexes do not have the field
    if value is None:
        return None
    if not all(type(name) is str for name in value):
        raise IndexFormatError(f"{field} is not a list of strings")
    return tuple(value)


def _prefilter_of(fields: Fields) -> Chosen:
    if fields.has("clusters"):
        return Clusters(fields.count("clusters"))
    tokens = fields.child("tokens", _token_cells_of) if fields.has("tokens") else None
    return fields.take("faiss", str) if tokens is None else tokens


def _token_cells_of(fields: Fields) -> TokenCells:
    return TokenCells(
        cells=fields.take_optional("cells", int), probes=fields.count("probes"), ranked=fields.count("ranked")
    )


def _encoder_of(value: dict[str, Any] | None) -> EncoderIdentity | None:
    try:
        return None if value is None else EncoderIdentity.from_json(value)
    except (TypeError, ValueError) as error:
        raise IndexFormatError(f"encoder: {error}") from None


def segment_of(fields: Fields, setup: Setup) -> Segment:
    """Read what `segment_to_json` made; IndexFormatError if it is not a segment of an index with this setup."""
    stored = _arrays_of(fields)
    numbers = fields.child("numbers", lambda f: {name: _number_of(name, value) for name, value in f.items()})
    removed = fields.child("removed", _file_of)
    fields.done()
    if numbers is None:
        raise IndexFormatError("a segment lacks its numbers")
    require_layout(setup, stored.shapes)
    require_numbers(setup, numbers)
    segment = Segment(stored.file, stored.arrays, numbers, removed)
    if removed is not None and (removed.nbytes % 8 or not 0 < removed.nbytes // 8 <= len(segment)):
        raise IndexFormatError("more documents are removed from a segment than it has")
    return segment


def _arrays_of(fields: Fields) -> ArrayFile:
    """Take the file and the arrays of an object that has both."""
    file = fields.child("file", _file_of)
    arrays = fields.child("arrays", lambda f: {name: _array_of(Fields(value, name)) for name, value in f.items()})
    if file is None or arrays is None:
        raise IndexFormatError("a file of arrays lacks its name or its arrays")
    for name, entry in arrays.items():
        is_aligned = entry.offset >= len(MAGIC) and entry.offset % ALIGNMENT == 0
        if not is_aligned or entry.offset + entry.nbytes > file.nbytes:
            raise IndexFormatError(f"array {name!r} is outside its file, or not aligned")
    return ArrayFile(file, arrays)


def _cells_of(setup: Setup, fields: Fields) -> StoredCells:
    found = fields.child("codebook", lambda own: (_arrays_of(own), _number_of("residual", own.take("residual", float))))
    if found is None:
        raise IndexFormatError("has cells without a codebook")
    codebook, residual = found
    n_cells = require_codebook(setup.dim, codebook.shapes)
    groups, n_documents = [], [0]
    for g, value in enumerate(fields.take("groups", list)):
        own = Fields(value, f"cells {g}")
        groups.append(_arrays_of(own))
        own.done()
        n_documents.append(n_documents[-1] + require_cells(n_cells, groups[-1].shapes))
    covered = fields.count("covered")
    if covered not in n_documents:
        raise IndexFormatError("the documents that the codebook covers are not those of the first groups of cells")
    return StoredCells(codebook, residual, tuple(groups), covered)


def _require_cells(manifest: Manifest) -> None:
    """Check that there are cells of all documents if the prefilter needs them, and none otherwise."""
    cells = manifest.cells
    if not isinstance(manifest.setup.prefilter, TokenCells):
        if cells is not None:
            raise IndexFormatError("has cells, but a prefilter that does not use them")
        return
    n_documents = sum(map(len, manifest.segments))
    if cells is None:
        if n_documents and manifest.batches is None:
            raise IndexFormatError("has no cells, which its prefilter needs")
        return
    if sum(group.arrays["offsets"].shape[0] - 1 for group in cells.groups) != n_documents:
        raise IndexFormatError("has cells of more or fewer documents than it has")


def _require_whole(manifest: Manifest) -> None:
    """Check that fields are consistent with each other."""
    kind = kind_of(manifest.setup)
    n_words = 0
    ends = {0}
    for segment in manifest.segments:
        if kind.table is not None:
            if segment.numbers["first_word"] != n_words:
                raise IndexFormatError("the words of a segment do not begin where those of the previous segment end")
            own = segment.arrays[kind.table].shape[0]
            if own and segment is not manifest.segments[0] and not kind.table_grows:
                raise IndexFormatError("a segment other than the first contains given costs")
            n_words += own
        ends.add(max(ends) + len(segment))
    if not kind.table_grows and not manifest.segments:
        raise IndexFormatError("compares by given costs, but has no segment, which would contain them")
    targets = manifest.setup.targets
    if targets is not None and manifest.segments and len(targets) != n_words:
        raise IndexFormatError(f"has names for {len(targets)} bins of documents, but costs for {n_words}")
    if (manifest.faiss is None) != (manifest.covered == 0) or manifest.covered not in ends:
        raise IndexFormatError("the documents in the faiss file are not those of the first segments")
    if manifest.batches is not None and manifest.batches < 0:
        raise IndexFormatError(f"the number of batches is {manifest.batches:.3g}, expected at least 0")
    if not 0 <= manifest.next_id <= 1 << 63:
        raise IndexFormatError(f"the next id is {manifest.next_id:.3g}, expected a number from 0 to 2^63")
    encoder = manifest.encoder
    if encoder is not None and manifest.space is None and encoder.dim not in (None, manifest.setup.dim):
        raise IndexFormatError(
            f"its encoder has dimension {encoder.dim}, but its tokens have dimension {manifest.setup.dim}"
        )
    _require_cells(manifest)
    names = [entry.file for entry in manifest.files]
    if len(set(names)) < len(names):
        raise IndexFormatError("a file is listed twice")


def _array_of(fields: Fields) -> ArrayEntry:
    dtype, shape, offset = fields.take("dtype", str), fields.take("shape", list), fields.count("offset")
    fields.done()
    if not all(type(extent) is int and 0 <= extent < 1 << 48 for extent in shape) or not 1 <= len(shape) <= 2:
        raise IndexFormatError(f"shape {shape!r:.60} is not the shape of an array")
    if dtype not in DTYPES:
        raise IndexFormatError(f"dtype {dtype!r:.20} is not one of {', '.join(sorted(DTYPES))}")
    return ArrayEntry(dtype, tuple(shape), offset)


def _attachment_of(fields: Fields) -> StoredAttachment:
    facts = fields.take("facts", dict)
    files = fields.child("files", lambda own: {name: _file_of(Fields(entry, name)) for name, entry in own.items()})
    if files is None:
        raise IndexFormatError("an attachment lacks its files")
    for name in files:
        if not NAME.fullmatch(name):
            raise IndexFormatError(f"{name!r:.60} is not a valid name for an attached file")
    return StoredAttachment(facts, files)


def _file_of(fields: Fields) -> FileEntry:
    entry = FileEntry(fields.take("file", str), fields.count("nbytes"), fields.count("crc32"))
    if not FILE_NAME.fullmatch(entry.file):
        raise IndexFormatError(f"{entry.file!r:.60} is not a valid name for a file of an index")
    return entry


def _number_of(name: str, value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise IndexFormatError(f"number {name!r} is {value!r:.40}, expected a finite number of at least 0")
    return float(value)


def _one_of(known: tuple[str, ...], value: str, name: str) -> str:
    if value not in known:
        raise IndexFormatError(f"{name} is {value!r:.40}, expected one of {', '.join(known)}")
    return value
