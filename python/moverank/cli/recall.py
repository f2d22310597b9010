"""``moverank recall``: how much of the true answers searches with a budget of candidates find."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from moverank.alignment.lost import Lost
from moverank.cli.documents import add_text_options, all_left_out, read_all, tell, tell_lost, text_files
from moverank.cli.encoders import add_encoder_options, advice
from moverank.cli.errors import UserError
from moverank.cli.indexes import add_override, encoder_for, has_texts, opened_texts, require_measure_of
from moverank.cli.options import add_search_options, check_counts
from moverank.cli.progress import Bar
from moverank.encoders import EncodedTexts, Encoder, encode_queries
from moverank.encoders.encoded import EncodedText, gathered
from moverank.errors import NoTokensError
from moverank.index.index import Index
from moverank.index.parts.setup import TokenCells
from moverank.ranking.prepared_text import with_mass
from moverank.readers.texts import Document, Fields, LeftOut


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "recall",
        help="measure how much of the true answers a budget of candidates finds",
        description="Search an index for each query exactly, and with several numbers of candidates, and print which "
        "share of the true top k these found, and how long they took. It is a measurement, not a proof: use queries "
        "like those that you expect.",
    )
    parser.add_argument("path", type=Path, help="the folder of the index")
    parser.add_argument(
        "--queries",
        type=Path,
        metavar="PATH",
        required=True,
        help="the queries: id and text with a tab between, JSON lines, lines of plain text, or a folder of BEIR; - for "
        "standard input",
    )
    parser.add_argument(
        "--candidates",
        type=int,
        action="append",
        metavar="N",
        help="a number of candidates to measure, at least k; may be repeated (default: 3, 10, 30 and 100 times k)",
    )
    parser.add_argument(
        "--probes",
        type=int,
        metavar="N",
        help="with the prefilter by tokens: cells looked up per token of a query (default: as in the index)",
    )
    parser.add_argument(
        "--ranked",
        type=int,
        metavar="N",
        help="with the prefilter by tokens: documents that it orders by bounds (default: as in the index)",
    )
    parser.add_argument("--where", metavar="CONDITION", help="search only documents whose payload satisfies this "
                        "condition of SQL")  # fmt: skip
    add_override(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_search_options(parser)
    add_text_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, and print a table."""
    check_counts(args)
    with ExitStack() as opened:
        encoder: Encoder | None = None
        if has_texts(args.path):
            texts = opened.enter_context(opened_texts(args.path, args))
            index, encoder = texts.index, texts.encoder
        else:
            index = opened.enter_context(Index.open(args.path))
        require_measure_of(index, args)
        searched = _with_options(index, args)
        files = text_files(args, args.queries, part="queries", fields=Fields(args.id, args.text))
        queries = read_all(files)
        encoded = _encoded(index, encoder or encoder_for(index, args), queries, args)
        bar = Bar("queries", len(encoded), quiet=args.quiet)
        try:
            found = searched.recall(
                encoded.sequences,
                args.k,
                candidates=args.candidates,
                query_ids=[queries[q].id for q in encoded.kept],
                where=args.where,
                num_threads=args.threads,
                progress=lambda done, total: bar.show(done),
            )
        finally:
            bar.close()
    left_out = LeftOut()
    for q in sorted(set(range(len(queries))) - set(encoded.kept)):
        left_out.add("without a known word", queries[q].place)
    tell(files, left_out)
    dropped, cut = sum(encoded.dropped), sum(encoded.cut)
    tell_lost(Lost(dropped=dropped, cut=cut), None, "queries")
    if args.json:
        lost = Lost(query_dropped=dropped, query_cut=cut).to_dict()
        report = {**found.to_dict(), "lost": lost, "left_out": all_left_out(files, left_out)}
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        print(found)
    return 0


def _with_options(index: Index, args: argparse.Namespace) -> Index:
    """The index with the options of cells that were given."""
    given = {name: getattr(args, name) for name in ("probes", "ranked") if getattr(args, name) is not None}
    if not given:
        return index
    own = index.prefilter
    if not isinstance(own, TokenCells):
        options = ", ".join(f"--{name}" for name in given)
        raise UserError(f"{options}: for the prefilter by tokens, but the index has the prefilter {own!r}")
    return index.with_prefilter(replace(own, **given))


def _encoded(index: Index, encoder: Encoder, queries: list[Document], args: argparse.Namespace) -> EncodedTexts:
    """Vectors, in the space of the index, of the queries that have a token with mass."""
    if index.space is not None:
        encoder = index.space.over(encoder)
    texts = [query.content for query in queries]
    known = [EncodedText.empty() for _ in queries]
    try:
        found = encode_queries(encoder, texts, skip_empty=True)
        for place, q in enumerate(found.kept):
            known[q] = with_mass(found.text(place), index.measure, f"query {queries[q].id!r}")
        return gathered(texts, known, skip_empty=True)
    except NoTokensError:
        raise UserError(f"{args.queries}: no query has a word with a vector{advice(args, texts[0])}") from None
