"""``moverank search``: the user's own documents."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from moverank.cli.documents import STDIN, read_documents, read_text
from moverank.cli.encoders import add_encoder_options, chosen_encoder
from moverank.cli.errors import UserError
from moverank.cli.options import add_search_options, check_counts, chosen_measure
from moverank.cli.render import explanation, hits_json, hits_table, moves_json, work_line
from moverank.encoders import EncodedTexts, Encoder, encode_queries
from moverank.errors import NoTokensError
from moverank.hits import Hits
from moverank.index import Index


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "search",
        help="rank your own documents for a query",
        description="Rank documents for a query, exactly, by optimal transport between their tokens. Documents come "
        "as texts, or as an index that was built by the same encoder.",
    )
    parser.add_argument("query", help="the query, as text; - for standard input")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--docs",
        type=Path,
        metavar="PATH",
        help="a .jsonl file (one object a line with text and, optionally, id or _id and title), a text file (one "
        "document a line; ids are line numbers), or a folder of .txt and .md files (ids are their paths)",
    )
    where.add_argument("--index", type=Path, metavar="PATH", help="a folder that moverank index built")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show which token of the query moved where in the best hit",
    )
    add_search_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the search."""
    check_counts(args)
    query = read_text(STDIN) if args.query == "-" else args.query
    encoder = chosen_encoder(args)
    try:
        asked = encode_queries(encoder, [query])
    except NoTokensError:
        raise UserError(f"query: no word of {query!r} has a vector") from None
    if args.index is None:
        hits, texts, titles = _of_texts(args, encoder, asked)
    else:
        hits, texts, titles = _of_index(args, asked)
    names = None
    if args.explain and len(hits):
        best = hits[0]
        if texts[best.id] is None:
            raise UserError(f"--explain: the index holds no text of document {best.id!r}")
        names = (asked.tokens[0], encoder.encode([str(texts[best.id])]).tokens[0])
    if args.json:
        report = {"query": query, **hits_json(hits, titles)}
        if names is not None:
            report["alignment_of_best"] = moves_json(hits[0], *names)
        print(json.dumps(report, indent=2))
        return 0
    print(hits_table(hits, titles))
    print(f"{hits.certificate}\n{work_line(hits)}")
    if names is not None:
        print(f"\nwhy is {hits[0].id} the best hit?\n")
        print(explanation(hits[0], *names))
    return 0


def _of_texts(
    args: argparse.Namespace, encoder: Encoder, asked: EncodedTexts
) -> tuple[Hits, dict[Any, str | None], dict[Any, str]]:
    """Hits among texts that are encoded now, with these texts and their titles."""
    measure = chosen_measure(args)
    documents = read_documents(args.docs)
    try:
        encoded = encoder.encode([d.content for d in documents], skip_empty=True)
    except NoTokensError:
        raise UserError(f"{args.docs}: no document has a word with a vector") from None
    skipped = len(documents) - len(encoded)
    if skipped:
        print(f"moverank: {skipped} documents without a known word were left out", file=sys.stderr)
    kept = [documents[t] for t in encoded.kept]
    index = Index.build(encoded.sequences, measure, ids=[d.id for d in kept])
    hits = _search(index, args, asked)
    return hits, {d.id: d.content for d in kept}, {d.id: d.title or d.text for d in kept}


def _of_index(args: argparse.Namespace, asked: EncodedTexts) -> tuple[Hits, dict[Any, str | None], dict[Any, str]]:
    """Hits in an index, with the texts and titles that it has in its payloads."""
    try:
        index = Index.open(args.index)
        hits = _search(index, args, asked)
    except (ValueError, OSError, RuntimeError) as error:
        raise UserError(str(error)) from None
    texts: dict[Any, str | None] = {}
    titles: dict[Any, str] = {}
    for hit in hits:
        payload = hit.payload if isinstance(hit.payload, dict) else {}
        texts[hit.id] = payload.get("text")
        titles[hit.id] = str(payload.get("title") or payload.get("text") or "")
    return hits, texts, titles


def _search(index: Index, args: argparse.Namespace, asked: EncodedTexts) -> Hits:
    weights = asked.sequences.weights
    return index.search(asked.sequences[0], args.k, weights=weights, num_threads=args.threads)
