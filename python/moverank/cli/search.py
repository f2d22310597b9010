"""``moverank search``: the user's own documents."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from moverank.cli.documents import read_documents
from moverank.cli.errors import UserError
from moverank.cli.options import add_search_options, check_counts, chosen_measure
from moverank.cli.render import explanation, hits_json, hits_table, moves_json, work_line
from moverank.encoders import WordVectors
from moverank.index import Index


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "search",
        help="rank your own documents for a query",
        description="Rank documents for a query, exactly, by optimal transport between English word vectors.",
    )
    parser.add_argument("query", help="the query, as text")
    parser.add_argument(
        "--docs",
        type=Path,
        required=True,
        metavar="PATH",
        help="a .jsonl file (one object a line with text and, optionally, id or _id and title), a text file (one "
        "document a line; ids are line numbers), or a folder of .txt and .md files (ids are their paths)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show which word of the query moved where in the best hit",
    )
    add_search_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the search."""
    check_counts(args)
    measure = chosen_measure(args)
    documents = read_documents(args.docs)
    encoder = WordVectors.default()
    try:
        asked = encoder.encode([args.query])
    except ValueError:
        raise UserError(f"query: no word of {args.query!r} has a vector") from None
    try:
        encoded = encoder.encode([d.content for d in documents], skip_empty=True)
    except ValueError:
        raise UserError(f"{args.docs}: no document has a word with a vector") from None
    skipped = len(documents) - len(encoded)
    if skipped:
        print(f"moverank: {skipped} documents without a known word were left out", file=sys.stderr)
    kept = [documents[t] for t in encoded.kept]

    index = Index.build(encoded.sequences, measure, ids=[d.id for d in kept])
    hits = index.search(asked.sequences, args.k, num_threads=args.threads)
    titles = {d.id: d.title or d.text for d in kept}
    best = hits[0]
    position = next(p for p, d in enumerate(kept) if d.id == best.id)
    names = (asked.tokens[0], encoded.tokens[position])
    if args.json:
        report = {"query": args.query, **hits_json(hits, titles)}
        if args.explain:
            report["alignment_of_best"] = moves_json(best, *names)
        print(json.dumps(report, indent=2))
        return 0
    print(hits_table(hits, titles))
    print(f"{hits.certificate}\n{work_line(hits)}")
    if args.explain:
        print(f"\nwhy is {best.id} the best hit?\n")
        print(explanation(best, *names))
    return 0
