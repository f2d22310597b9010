"""``moverank explain``: which token moved where, between two texts, or a text and a document of an index."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

from moverank._support.optional import optional
from moverank._support.wording import on_one_line
from moverank.alignment.alignment import Alignment
from moverank.alignment.sampling import TEMPERATURE, Noise, sampled
from moverank.cli.documents import read_text, require_one_stdin, tell_lost
from moverank.cli.encoders import add_encoder_options, advice, chosen_encoder
from moverank.cli.errors import UserError, refuse_options
from moverank.cli.indexes import add_override, has_texts, id_of, opened_texts, ranker_for, require_measure_of
from moverank.cli.options import add_measure_options, chosen_measure
from moverank.cli.process import write_file
from moverank.errors import NoTokensError
from moverank.index.index import Index
from moverank.measures.measure import Measure
from moverank.ranking import RankedDocument, Reranker
from moverank.readers.texts import STDIN
from moverank.text_index import TextHit


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="show which token moves where between two texts",
        description="Compare two texts, and show which token of the first moves to which of the second, and at what "
        "cost: as a table, and optionally as a picture.",
    )
    parser.add_argument("query", help="the first text; - for standard input")
    parser.add_argument("document", help="the second text; - for standard input; with --index, a document's id")
    parser.add_argument("--index", type=Path, metavar="PATH", help="a folder built by moverank index")
    add_override(parser)
    parser.add_argument("--html", type=Path, metavar="PATH", help="write an interactive page")
    parser.add_argument("--heatmap", type=Path, metavar="PATH", help="draw a heat map, as .png, .svg or .pdf")
    parser.add_argument("--flow", type=Path, metavar="PATH", help="draw a flow diagram; both need moverank[plot]")
    parser.add_argument("--samples", type=int, help="also say how sure each move is, from this many plans under noise")
    parser.add_argument(
        "--temperature", type=float, help=f"noise of the samples, in median costs (default: {TEMPERATURE:g})"
    )
    parser.add_argument("--seed", type=int, help="what the noise is drawn from (default: 0)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_measure_options(parser, capacity=1.0)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Explain."""
    if args.heatmap is not None or args.flow is not None:
        optional("matplotlib", "plot")  # before anything is computed or written
    require_one_stdin(args.query, None if args.index is not None else args.document)
    if args.index is None:
        refuse_options(args, ("any_encoder",), "applies to an --index")
    noise = _noise(args)
    query = read_text(STDIN) if args.query == "-" else args.query
    try:
        measure, found = (_of_text if args.index is None else _of_index)(args, query)
    except NoTokensError:
        text = on_one_line(query, 60)
        raise UserError(f"query: no word of {text!r} has a vector{advice(args, query)}") from None
    found = sampled(found, measure, noise)
    if args.html is not None:
        title = f"{measure.name}: {on_one_line(query, 80)}"
        write_file(args.html, found.to_html(title=title).encode())
    for path, draw in ((args.heatmap, found.heatmap), (args.flow, found.flow)):
        if path is not None:
            figure: Any = draw().figure
            picture = io.BytesIO()
            figure.savefig(picture, format=path.suffix[1:] or "png", dpi=200)
            write_file(path, picture.getvalue())
    if args.json:
        tell_lost(found.lost, documents="the document")  # the table shows it anyway
        report = {"query": query, "measure": measure.name, **found.to_dict()}
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        print(found)
    return 0


def _noise(args: argparse.Namespace) -> Noise | None:
    for name in ("temperature", "seed"):
        if args.samples is None and getattr(args, name) is not None:  # 0 counts as given
            raise UserError(f"--{name}: applies only to --samples")
    try:
        return Noise.of(args.samples, args.temperature, args.seed)
    except ValueError as error:
        raise UserError(f"--{error}") from None


def _of_text(args: argparse.Namespace, query: str) -> tuple[Measure, Alignment]:
    measure = chosen_measure(args)
    document = read_text(STDIN) if args.document == "-" else args.document
    ranking = Reranker(chosen_encoder(args), measure).rank(query, [document])
    if ranking.skipped:
        raise UserError(f"document: no word of {on_one_line(document, 60)!r} has a vector{advice(args, document)}")
    return measure, ranking[0].explain()


def _of_index(args: argparse.Namespace, query: str) -> tuple[Measure, Alignment]:
    """Of an index of texts, the passage that is nearest to the query, if documents are cut into passages."""
    if has_texts(args.index):
        with opened_texts(args.index, args) as texts:
            measure, name = require_measure_of(texts, args), id_of(texts, args.document)
            hits = texts.rerank(query, [name], fusion=1.0)
            if not hits.comparable:
                raise NoTokensError("query")
            return measure, _explained(hits[0], name)
    with Index.open(args.index) as index:
        name = id_of(index, args.document)
        ranking = ranker_for(index, args).rank(query, index, doc_ids=[name])
        return ranking.measure, _explained(ranking[0], name)


def _explained(document: RankedDocument | TextHit, name: int | str) -> Alignment:
    if document.text is None:
        raise UserError(f"the index holds no text of document {name!r}")
    return document.explain()
