"""Run targets over inputs that were kept, where there is no fuzzer.

    python -m fuzz.replay documents [file or folder …]       from tests/python

Without files it runs the kept corpus.
"""

import importlib
import sys
from collections import Counter
from pathlib import Path

TARGETS = ("batches", "documents", "manifest", "vectors")
CORPUS = Path(__file__).parent / "corpus"


def replay(target, paths=None):
    """Check every input; returns how many were accepted and how many refused."""
    check = importlib.import_module(f"fuzz.{target}").check
    found = Counter()
    for path in paths or [CORPUS / target]:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            try:
                found["accepted" if check(file.read_bytes()) else "refused"] += 1
            except Exception as error:
                raise AssertionError(f"{target}: {file} finds {type(error).__name__}: {error}") from error
    return found


def main():
    """Print how many there were."""
    target, *names = sys.argv[1:]
    print(target, dict(replay(target, [Path(name) for name in names])))


if __name__ == "__main__":
    main()
