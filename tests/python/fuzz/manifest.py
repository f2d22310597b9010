"""Coverage-guided fuzzing of the reader of manifests, with atheris.

    python -m fuzz.manifest -max_total_time=60 [corpus]       from tests/python

The input is the content of a manifest, which gets the checksum that it should have.
"""

import sys
import tempfile
import zlib
from pathlib import Path

import atheris

import moverank.layout
from fuzz.index_reader import write_indexes
from moverank.disk import fields, manifest
from moverank.errors import IndexFormatError

# As modules, not as they are imported: an editable install has an importer of its own.
for module in (manifest, fields, moverank.layout):
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) == module.__name__ and callable(value) and not isinstance(value, type):
            setattr(module, name, atheris.instrument_func(value))
for name, value in list(vars(fields.Fields).items()):
    if callable(value):
        setattr(fields.Fields, name, atheris.instrument_func(value))


def read(octets):
    """Anything is a manifest, or refused by name."""
    content = octets.replace(b"\n", b" ")
    head = b'{"format": "moverank index", "version": 1, "crc32": "%08x", "content":' % zlib.crc32(content)
    try:
        found = manifest.parse(head + b"\n" + content + b"\n}\n")
    except IndexFormatError:
        return
    assert manifest.parse(manifest.to_bytes(found)) == found


def main():
    """Fuzz from the manifests of one index of each sort."""
    corpus = tempfile.mkdtemp()
    with tempfile.TemporaryDirectory() as folder:
        for index in write_indexes(Path(folder)):
            content = (index / manifest.MANIFEST).read_bytes().split(b"\n")[1]
            (Path(corpus) / index.name).write_bytes(content)
    atheris.Setup([*sys.argv, corpus], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
