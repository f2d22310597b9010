"""Print what a wheel holds and needs, as a CycloneDX bill of materials: ``python .ci/bill.py WHEEL``."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"

#: Licences of our code, and of what is compiled with it.
CODE = {"moverank": "Apache-2.0", "pybind11": "BSD-3-Clause"}

#: Licences of bundled files, by moverank/data/NOTICE.md.
DATA = {"word-vectors.npz": "Apache-2.0", "documents.jsonl.gz": "ODC-By-1.0", "queries.jsonl.gz": "CC-BY-4.0"}


def main(wheel: Path) -> None:
    """Write the bill to standard output; the same wheel gives the same bill."""
    with zipfile.ZipFile(wheel) as archive:
        said = metadata(archive)
        extension = next(entry for entry in archive.namelist() if entry.endswith(".so"))
        parts = [
            component("library", "pybind11", CODE["pybind11"], pinned("build")["pybind11"], "headers, compiled in"),
            *(data(archive, file) for file in sorted(archive.namelist()) if file.endswith((".npz", ".gz"))),
            *(
                component("library", needed, None, None, "of the system")
                for needed in libraries(archive.read(extension))
            ),
        ]
    needs = [
        component("library", package, None, of, "installed beside it; tested with this version")
        for package, of in pinned("run").items()
    ]
    expression = said["License-Expression"]
    if licences := {*CODE.values(), *DATA.values()} ^ set(expression.split(" AND ")):
        sys.exit(f"{wheel.name}: says {expression}; what it holds differs in {', '.join(sorted(licences))}")
    whole = component("library", said["Name"], None, said["Version"], None, wheel.read_bytes())
    whole["licenses"] = [{"expression": expression}]
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"component": whole}}
    print(json.dumps({**bill, "components": [*parts, *needs]}, indent=1))


def metadata(archive: zipfile.ZipFile) -> Message:
    """What the wheel says of itself."""
    return message_from_bytes(archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))))


def component(
    kind: str, name: str, licence: str | None, version: str | None, said: str | None, octets: bytes | None = None
) -> dict[str, Any]:
    """One entry of the bill."""
    entry: dict[str, Any] = {"type": kind, "name": name}
    if version is not None:
        entry |= {"version": version, "purl": f"pkg:pypi/{name}@{version}"}
    if said is not None:
        entry["description"] = said
    if licence is not None:
        entry["licenses"] = [{"license": {"id": licence}}]
    if octets is not None:
        entry["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(octets).hexdigest()}]
    return entry


def data(archive: zipfile.ZipFile, path: str) -> dict[str, Any]:
    """The entry of a bundled file; KeyError if nobody has said whose it is."""
    name = path.rpartition("/")[2]
    return component("data", name, DATA[name], None, "bundled", archive.read(path))


def libraries(extension: bytes) -> list[str]:
    """What the extension is linked with."""
    sections = ELFFile(io.BytesIO(extension)).iter_sections()
    dynamic = next(section for section in sections if isinstance(section, DynamicSection))
    return [tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"]


def pinned(name: str) -> dict[str, str]:
    """Versions of a lock; of a package with several, that of the newest Pythons, which stands last."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return dict(found.groups() for line in lines if (found := re.match(r"([a-z0-9-]+)==([^ ]+)", line)))  # type: ignore[misc]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
