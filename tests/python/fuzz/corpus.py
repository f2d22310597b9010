"""The inputs that are kept of each fuzz target: one archive per target, `tests/fuzz/corpus/TARGET.tar`.

    python -m fuzz.corpus list exact                           from tests/python
    python -m fuzz.corpus unpack exact FOLDER                  what a fuzzer starts from
    python -m fuzz.corpus add exact what-it-found FILE         a find, under a name that says what it is
    python -m fuzz.corpus keep exact FOLDER [FOLDER ...]       minimise what a long run has found, and keep some of all
                                                               sizes, besides all that has a name

An archive of the same inputs is the same to the byte: names are sorted, and nothing tells when or by whom it was made.
"""

import argparse
import hashlib
import io
import math
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
#: Targets of `tests/fuzz`, and of this folder.
CPP = ("batch", "exact", "sinkhorn", "verified")
PYTHON = ("batches", "documents", "manifest", "vectors")


def archive(target):
    """Path of the archive of a target."""
    if target not in CPP + PYTHON:
        raise ValueError(f"target: expected one of {', '.join(CPP + PYTHON)}, got {target!r}")
    return CORPUS / f"{target}.tar"


def read(path):
    """Names and contents of the inputs in an archive."""
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def packed(inputs):
    """Octets of the archive of some inputs, given as names and contents: uncompressed, as git compresses it."""
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(inputs.items()):
            member = tarfile.TarInfo(name)  # time, owner and group are zero
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return octets.getvalue()


def unpack(target, folder):
    """Write the kept inputs of a target into a folder, for a fuzzer to start from."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in read(archive(target)).items():
        (folder / name).write_bytes(content)


def add(target, name, file):
    """Keep an input under a name that says what it found."""
    path = archive(target)
    inputs = read(path)
    if name in inputs or is_hash(name) or Path(name).name != name:
        sys.exit(f"{target}: expected a new name that says what was found, got {name!r}")
    path.write_bytes(packed({**inputs, name: file.read_bytes()}))


def keep(target, folders, most):
    """Merge the archive and folders, minimised by the fuzzer; keep about `most` inputs of all sizes, and all names."""
    path = archive(target)
    command = [ROOT / f"build/fuzz/tests/fuzz/fuzz_{target}"]
    if target in PYTHON:
        command = [sys.executable, "-m", "fuzz.guided", target]
    with tempfile.TemporaryDirectory() as scratch:
        merged, kept = Path(scratch) / "merged", Path(scratch) / "kept"
        merged.mkdir()
        unpack(target, kept)
        command += ["-merge=1", "-max_len=4096", merged, kept, *folders]
        subprocess.run(command, cwd=ROOT / "tests/python", check=True)
        found = sorted((file.read_bytes() for file in merged.iterdir()), key=lambda octets: (len(octets), octets))
    if not found:
        sys.exit(f"{target}: the merge kept nothing")
    chosen = {hashlib.sha1(octets).hexdigest(): octets for octets in found[:: math.ceil(len(found) / most)]}
    named = {name: octets for name, octets in read(path).items() if not is_hash(name)}
    path.write_bytes(packed({**chosen, **named}))


def is_hash(name):
    """Whether a fuzzer made up a name."""
    return len(name) == 40 and set(name) <= set("0123456789abcdef")


def main():
    """Do what the command line says, and print what is kept then."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("list", "unpack", "add", "keep"):
        commands.add_parser(name).add_argument("target", choices=CPP + PYTHON)
    commands.choices["unpack"].add_argument("folder", type=Path)
    commands.choices["add"].add_argument("name")
    commands.choices["add"].add_argument("file", type=Path)
    commands.choices["keep"].add_argument("folders", nargs="+", type=lambda name: Path(name).resolve(strict=True))
    commands.choices["keep"].add_argument("--most", type=int, default=150, help="inputs without names that are kept")
    options = parser.parse_args()
    if options.command == "unpack":
        unpack(options.target, options.folder)
    elif options.command == "add":
        add(options.target, options.name, options.file)
    elif options.command == "keep":
        keep(options.target, options.folders, options.most)
    inputs = read(archive(options.target))
    if options.command == "list":
        for name, content in inputs.items():
            print(f"{len(content):6} {name}")
    print(f"{options.target}: {len(inputs)} inputs, {sum(map(len, inputs.values()))} bytes")


if __name__ == "__main__":
    main()
