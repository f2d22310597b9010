"""Print what pyproject.toml asks for, a requirement per line, so that it stands nowhere else.

python tests/dependencies.py build      what builds the package
python tests/dependencies.py test       the dependencies of the package, and those of an extra
"""

import re
import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10, where pip brings one
    from pip._vendor import tomli as tomllib


def main(wanted):
    """List requirements; extras may name other extras of the package."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    if wanted == "build":
        backend = project["tool"]["scikit-build"]
        return [*project["build-system"]["requires"], *(name + backend[name]["version"] for name in ("cmake", "ninja"))]
    return [*project["project"]["dependencies"], *extra(project["project"]["optional-dependencies"], wanted)]


def extra(extras, name):
    """Requirements of an extra."""
    for requirement in extras[name]:
        own = re.fullmatch(r"moverank\[(.+)\]", requirement)
        if own:
            for other in own[1].split(","):
                yield from extra(extras, other)
        else:
            yield requirement


if __name__ == "__main__":
    print("\n".join(main(*sys.argv[1:])))
