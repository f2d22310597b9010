"""``moverank info``: what is installed, or what is in an index."""

from __future__ import annotations

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from moverank import build_info
from moverank.encoders import WordVectors
from moverank.index.disk.describe import describe


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "info",
        help="show versions and build, or the contents of an index",
        description="Show versions and how the core was built; with a path, the contents of the index there. Only its "
        "manifest is read.",
    )
    parser.add_argument("path", type=Path, nargs="?", help="the folder of an index")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print one line per fact."""
    if args.path is None:
        facts: dict[str, Any] = {
            **build_info(),
            "numpy": version("numpy"),
            "faiss": version("faiss-cpu"),
            "default encoder": str(WordVectors.default()),
        }
    else:
        facts = describe(args.path)
    if args.json:
        print(json.dumps(facts, indent=2, default=str))
        return 0
    for name, value in facts.items():
        print(f"{name:<16} {value}")
    return 0
