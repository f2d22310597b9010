"""``moverank verify``: whether an index is sound."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from moverank.cli.documents import say
from moverank.cli.indexes import has_texts
from moverank.errors import EncoderMismatchError, IndexFormatError
from moverank.index.index import Index
from moverank.text_index import TextIndex


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "verify",
        help="check every byte of an index in a folder",
        description="Read all files of an index and check them: checksums, and that all numbers are what an index can "
        "have. The exit status is 1 if something is wrong.",
    )
    parser.add_argument("path", type=Path, help="the folder")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, and say what was found."""
    try:
        with _opened(args.path) as index:
            print(f"{args.path}: {index.verify()}")
    except IndexFormatError as error:
        print(f"moverank: {error}", file=sys.stderr)
        return 1
    return 0


def _opened(path: Path) -> Index | TextIndex:
    if has_texts(path):
        try:
            return TextIndex.open(path)
        except EncoderMismatchError as error:
            say(f"files alone are checked, not whether terms and tokens are of the same texts: {error}")
    return Index.open(path)
