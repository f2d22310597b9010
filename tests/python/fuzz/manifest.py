"""The reader of manifests: anything is refused by name, or it is one on which the rest of the reader can rely.

An input is the content of a manifest, which gets the checksum that it should have.
"""

import json
import math
import string
import zlib

import numpy as np

import moverank.index.parts.arrays
from fuzz.json_changes import change_somewhere
from moverank._support import fields
from moverank.errors import IndexFormatError
from moverank.index.disk import manifest
from moverank.measures import storing

TRACED = (manifest, fields, storing, moverank.index.parts.arrays)

#: Of these and a dot are the names of an index's files made.
NAMED_BY = frozenset(string.ascii_lowercase + string.digits)


def check(octets):
    """Whether it was accepted."""
    content = octets.replace(b"\n", b" ")
    head = {"format": manifest.FORMAT, "version": manifest.VERSION, "crc32": f"{zlib.crc32(content):08x}"}
    try:
        found = manifest.parse(json.dumps(head)[:-1].encode() + b', "content":\n' + content + b"\n}\n")
    except IndexFormatError:
        return False
    for file in found.files:
        stem, _, kind = file.file.partition(".")
        assert NAMED_BY.issuperset(stem + kind), file
        assert file.nbytes >= 0, file
    for segment in found.segments:
        _require_sound(segment, found.setup.dim)
    assert manifest.parse(manifest.to_bytes(found)) == found
    return True


def mutate(octets, rng):
    """Change a value or two, so that the rest is what it should be."""
    try:
        value = json.loads(octets)
    except (ValueError, RecursionError):
        return octets[: rng.integers(len(octets) + 1)]
    for _ in range(rng.integers(1, 3)):
        if isinstance(value, (dict, list)):
            change_somewhere(value, rng)
    return json.dumps(value).encode()


def _require_sound(segment, dim):
    """Arrays lie in their file, and offsets have an end for every beginning."""
    for name, array in segment.arrays.items():
        assert min(array.shape) >= 0, name
        assert array.offset % 64 == 0, name
        assert 0 < array.offset <= segment.file.nbytes - math.prod(array.shape) * np.dtype(array.dtype).itemsize, name
        assert array.shape[1:] in ((), (dim,)), name
    documents = segment.arrays["offsets"].shape[0] - 1
    assert documents == len(segment) >= 0
    assert segment.removed is None or 0 < segment.removed.nbytes <= 8 * documents
