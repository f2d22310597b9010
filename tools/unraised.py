#!/usr/bin/env python3
"""Say which errors no test raises: a `raise` of the package, or a `throw` of the core, on a line that no test ran.

Takes the JSON reports of coverage.py and of gcovr.
"""

import ast
import json
import sys
from collections import Counter
from pathlib import Path


def unraised(report):
    """Path and line of each `raise` of a new error that was not run."""
    for path, found in report["files"].items():
        missing = set(found["missing_lines"])
        for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
            # Ctrl-C is not an error; where it comes while coverage.py looks on, the line is missed.
            is_error = isinstance(node, ast.Raise) and node.exc and ast.unparse(node.exc) != "KeyboardInterrupt"
            if is_error and node.lineno in missing:
                yield path, node.lineno


def unthrown(report):
    """Path and line of each `throw` that was not run."""
    for file in report["files"]:
        source = Path(file["file"]).read_text(encoding="utf-8").splitlines()
        counts = Counter()
        for line in file["lines"]:
            if not line.get("gcovr/excluded"):
                counts[line["line_number"]] += line["count"]
        for number, count in sorted(counts.items()):
            if count == 0 and source[number - 1].lstrip().startswith("throw "):
                yield file["file"], number


def main():
    """List them; fail if there are any."""
    python, cpp = (json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:])
    found = [*unraised(python), *unthrown(cpp)]
    for path, number in found:
        line = Path(path).read_text(encoding="utf-8").splitlines()[number - 1]
        print(f"{path}:{number}: no test raises it: {line.strip()}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
