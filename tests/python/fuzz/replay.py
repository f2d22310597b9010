"""Run targets over inputs that were kept, where there is no fuzzer.

    python -m fuzz.replay documents [FILE or FOLDER ...]       from tests/python

Without files it runs the archive of inputs that are kept.
"""

import importlib
import sys
from collections import Counter
from pathlib import Path

from fuzz import corpus


def replay(target, paths=None):
    """Check every input; returns how many were accepted and how many refused."""
    check = importlib.import_module(f"fuzz.{target}").check
    found = Counter()
    for name, octets in _files(paths) if paths else corpus.read(corpus.archive(target)).items():
        try:
            found["accepted" if check(octets) else "refused"] += 1
        except Exception as error:
            raise AssertionError(f"{target}: {name} finds {type(error).__name__}: {error}") from error
    return found


def _files(paths):
    for path in paths:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            yield file, file.read_bytes()


def main():
    """Print how many there were."""
    target, *names = sys.argv[1:]
    print(target, dict(replay(target, [Path(name) for name in names])))


if __name__ == "__main__":
    main()
