"""``moverank explain``: which token moved where, between two texts."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from moverank._wording import on_one_line
from moverank.alignment import align
from moverank.cli.documents import STDIN, read_text
from moverank.cli.encoders import add_encoder_options, chosen_encoder
from moverank.cli.errors import UserError
from moverank.cli.options import add_measure_options, chosen_measure
from moverank.cli.render import moves_of
from moverank.encoders import encode_queries


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="show which token moves where between two texts",
        description="Compare two texts, and show which token of the first moves to which of the second, and at what "
        "cost: as a table, and as a picture on request.",
    )
    parser.add_argument("query", help="the first text; - for standard input")
    parser.add_argument("document", help="the second text; - for standard input")
    parser.add_argument("--html", type=Path, metavar="PATH", help="write a page to point at tokens in")
    parser.add_argument("--heatmap", type=Path, metavar="PATH", help="draw a heat map, as .png, .svg or .pdf")
    parser.add_argument("--flow", type=Path, metavar="PATH", help="draw a flow diagram; both need moverank[plot]")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_measure_options(parser, capacity=1.0)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Explain."""
    if args.query == "-" and args.document == "-":
        raise UserError("only one of the texts can come from standard input")
    measure = chosen_measure(args)
    query, document = (read_text(STDIN) if text == "-" else text for text in (args.query, args.document))
    encoder = chosen_encoder(args)
    try:
        x, y = encode_queries(encoder, [query]), encoder.encode([document])
    except ValueError as error:
        raise UserError(str(error)) from None
    found = align(x.sequences, y.sequences, measure).named(x.tokens[0], y.tokens[0])
    try:
        if args.html is not None:
            args.html.write_text(found.to_html(title=f"{measure.name}: {on_one_line(query, 80)}"), encoding="utf-8")
        for path, draw in ((args.heatmap, found.heatmap), (args.flow, found.flow)):
            if path is not None:
                figure: Any = draw().figure
                figure.savefig(path, dpi=200)
    except (OSError, ImportError, ValueError) as error:
        raise UserError(str(error)) from None
    if args.json:
        report = {"measure": measure.name, "distance": found.value, "moves": moves_of(found)}
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        print(found.table())
    return 0
