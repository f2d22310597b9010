"""``moverank remove``: remove documents from an index in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moverank.cli.documents import iterate_lines
from moverank.cli.indexes import has_texts, ids_of
from moverank.index.index import Index
from moverank.readers.texts import STDIN
from moverank.text_index import TextIndex


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "remove",
        help="remove documents from an index",
        description="Remove documents by their ids: all of them, or none if one is not in the index.",
    )
    parser.add_argument("path", type=Path, help="the folder of the index")
    parser.add_argument("ids", nargs="+", metavar="ID", help="their ids; - for standard input, one per line")
    parser.add_argument("--compact", action="store_true", help="free their space: reads and writes the whole index")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Remove."""
    given = [line for _, line in iterate_lines(STDIN)] if args.ids == [str(STDIN)] else args.ids
    kind = TextIndex if has_texts(args.path) else Index
    with kind.open(args.path, writable=True) as index:
        index.remove(ids_of(index, given))
        if args.compact:
            index.compact()
        print(f"{args.path}: {len(given)} removed, {len(index)} documents")
    return 0
