"""``moverank add``: more texts for an index in a folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from moverank.cli.documents import FORMATS, add_text_options, require_one_stdin
from moverank.cli.encoders import add_encoder_options
from moverank.cli.errors import UserError
from moverank.cli.index import is_vectors
from moverank.cli.indexes import add_override, opened_texts
from moverank.cli.texts import Texts, add_payload_option


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "add",
        help="add texts to an index",
        description="Encode texts in the same way as those of the index, and add them. Texts without ids get the "
        "name of the file and the line as id, as with several files.",
    )
    parser.add_argument("path", type=Path, help="the folder of the index")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=FORMATS)
    parser.add_argument("--replace", action="store_true", help="replace documents with the same ids")
    add_override(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a line")
    add_payload_option(parser)
    add_text_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Add, some texts at a time."""
    require_one_stdin(*args.files)
    for path in filter(is_vectors, args.files):
        raise UserError(f"{path}: holds vectors; moverank.Index.add takes such")
    with opened_texts(args.path, args, writable=True) as index:
        texts = Texts(args, args.files, prefixed=True)
        counts = texts.put_into(index, replacing=args.replace)
        texts.tell()
        report = {"added": counts.added, "replaced": counts.replaced, "documents": len(index)}
        if args.json:
            print(json.dumps({"path": str(args.path), **report, "left_out": texts.all_left_out()}, indent=2))
        else:
            print(f"{args.path}: {counts.added} added, {counts.replaced} replaced, {len(index)} documents")
    return 0
