"""Damage to an index in a folder, of which no checksum tells."""

import json
import zlib

import numpy as np

from fuzz.index_reader import write_manifest

GONE = object()


def content(folder):
    """What the manifest says."""
    return json.loads((folder / "manifest.json").read_bytes().split(b"\n")[1])


def change(folder, *path, to):
    """Let the manifest say something else in one place; `GONE` takes it out."""
    value = place = content(folder)
    for key in path[:-1]:
        place = place[key]
    if to is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    write_manifest(folder / "manifest.json", value)


def segment(folder):
    """The index's only segment."""
    return next(folder.glob("*.seg"))


def rewrite(folder, octets, *path):
    """Put other octets into a file, for which the manifest then vouches; `path` leads to its entry there."""
    entry = content(folder)
    for key in path:
        entry = entry[key]
    (folder / entry["file"]).write_bytes(octets)
    change(folder, *path, to={**entry, "nbytes": len(octets), "crc32": zlib.crc32(octets)})


def overwrite(folder, array, index, value, *, of=("segments", 0)):
    """Put another number into an array of the first segment, or of another file of arrays."""
    entry = content(folder)
    for key in of:
        entry = entry[key]
    of_array = entry["arrays"][array]
    octets = bytearray((folder / entry["file"]["file"]).read_bytes())
    numbers = np.frombuffer(octets, of_array["dtype"], np.prod(of_array["shape"]), of_array["offset"])
    numbers[index] = value
    rewrite(folder, bytes(octets), *of, "file")
