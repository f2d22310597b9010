"""Check what a release is made of: ``python .ci/artifacts.py SDIST WHEEL``."""

from __future__ import annotations

import re
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

LARGEST_WHEEL = 5_000_000

#: What the sdist has at its top: enough to build the package and to test it.
OF_SDIST = {
    *(".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", "CMakeLists.txt", "CMakePresets.json"),
    *("CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "SECURITY.md", "pyproject.toml"),
    *("cmake", "cpp", "licences", "python", "requirements", "tests"),
}
NEEDED_OF_SDIST = {"python/moverank/__init__.py", "cpp/src/kernels/simd.hpp", "tests/run", "requirements/build.txt"}
NEEDED_OF_WHEEL = {
    "py.typed",
    "_core.pyi",
    "data/NOTICE.md",
    "data/word-vectors.npz",
    "alignment/alignment.css",
    "alignment/alignment.js",
}

#: Functions of the system by which a program reaches the network, starts another, or loads code. SECURITY.md says that
#: the extension has none of them.
REFUSED_IMPORTS = re.compile(
    r"(socket|connect|bind|listen|accept4?|send|sendto|sendmsg|recv|recvfrom|recvmsg|getaddrinfo|gethostby.*"
    r"|system|popen|v?fork|clone|exec[lv]p?e?|posix_spawnp?|ptrace|dlm?open|syscall)(@.*)?"
)

#: Paths that the extension may name.
KNOWN_PATHS = {b"/sys/fs/cgroup/cpu.max"}
ABSOLUTE_PATH = re.compile(rb"(?<![\w:/.])(?:/[\w.+-]+){2,}")


def main(sdist: Path, wheel: Path) -> None:
    """Print what is wrong and end with 1, or print the sizes."""
    faults = [*faults_of_sdist(sdist), *faults_of_wheel(wheel)]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(*(f"{path.name}: {path.stat().st_size} bytes" for path in (sdist, wheel)), sep="\n")
    sys.exit(bool(faults))


def faults_of_sdist(path: Path):
    """Compare with what should be in it."""
    with tarfile.open(path) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    tops = {name.partition("/")[0] for name in names}
    yield from (f"{path.name}: has {name}" for name in sorted(tops - OF_SDIST))
    yield from (f"{path.name}: lacks {name}" for name in sorted(NEEDED_OF_SDIST - names))


def faults_of_wheel(path: Path):
    """Compare with what should be in it, and look into the extension."""
    if path.stat().st_size > LARGEST_WHEEL:
        yield f"{path.name}: has {path.stat().st_size} bytes, more than {LARGEST_WHEEL}"
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        tops = {name.partition("/")[0] for name in names}
        licences = {name.rpartition("/")[2] for name in names if ".dist-info/licenses/" in name}
        extensions = [name for name in names if name.endswith(".so")]
        yield from (f"{path.name}: has {top}" for top in tops if top != "moverank" and ".dist-info" not in top)
        yield from (f"{path.name}: lacks {name}" for name in sorted(NEEDED_OF_WHEEL) if f"moverank/{name}" not in names)
        yield from (
            f"{path.name}: has {name}" for name in sorted(names) if name.endswith((".a", ".hpp", ".cpp", ".pyc"))
        )
        if licences != {"LICENSE", "NOTICE.md", "pybind11.txt"}:
            yield f"{path.name}: has the licences {sorted(licences)}"
        if len(extensions) != 1:
            yield f"{path.name}: has the extensions {extensions}"
        for extension in extensions:
            yield from faults_of_extension(Path(archive.extract(extension, folder)))


def faults_of_extension(path: Path):
    """Nothing of the machine that built it is left."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        sections = {section.name for section in elf.iter_sections()}
        dynamic = next(section for section in elf.iter_sections() if isinstance(section, DynamicSection))
        tags = {tag.entry.d_tag for tag in dynamic.iter_tags()}
        symbols = elf.get_section_by_name(".dynsym").iter_symbols()
        imported = {symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF"}
    yield from (f"{path.name}: has {tag}" for tag in ("DT_RPATH", "DT_RUNPATH") if tag in tags)
    yield from (
        f"{path.name}: is not stripped: {name}" for name in sorted(sections) if name.startswith((".symtab", ".debug"))
    )
    yield from (f"{path.name}: calls {name}" for name in sorted(filter(REFUSED_IMPORTS.fullmatch, imported)))
    for found in sorted(set(ABSOLUTE_PATH.findall(path.read_bytes())) - KNOWN_PATHS):
        yield f"{path.name}: names the path {found.decode()}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
