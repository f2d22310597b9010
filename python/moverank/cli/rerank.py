"""``moverank rerank``: what a first stage found, ranked anew."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moverank.cli.documents import Document, read_documents
from moverank.cli.encoders import add_encoder_options, chosen_encoder
from moverank.cli.errors import UserError
from moverank.cli.options import add_measure_options, chosen_measure
from moverank.cli.progress import Bar
from moverank.cli.runs import Request, json_line, read_requests, read_run, trec_lines
from moverank.ranking import Passages, Ranking, Reranker


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "rerank",
        help="rank anew what a first stage found: a TREC run, or JSON lines",
        description="Rank candidates anew. Either JSON lines, each with a query and its documents, which become JSON "
        "lines; or, with --queries and --docs, a TREC run, which becomes a TREC run.",
    )
    parser.add_argument("run_file", type=Path, metavar="RUN", help="JSON lines or a TREC run; - for standard input")
    parser.add_argument("--queries", type=Path, metavar="PATH", help="the run's queries: .jsonl with _id and text")
    parser.add_argument("--docs", type=Path, metavar="PATH", help="the run's documents: .jsonl, text or a folder")
    parser.add_argument("-k", type=int, help="documents to return for a query (default: all)")
    parser.add_argument("--depth", type=int, help="rerank so many candidates, the first stage's best (default: all)")
    parser.add_argument("--fusion", type=float, metavar="W", help="add the first stage's scores, with weight 1 - W")
    parser.add_argument("--passages", type=int, metavar="WORDS", help="cut documents into windows of so many words")
    parser.add_argument("--tag", default="moverank", help="last column of a TREC run (default: moverank)")
    parser.add_argument("--threads", type=int, help="threads to use (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_measure_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Rerank, query by query."""
    if (args.queries is None) != (args.docs is None):
        raise UserError("--queries and --docs go together: a TREC run has no texts")
    for name in ("k", "depth", "threads", "passages"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"{'-' if name == 'k' else '--'}{name} must be at least 1, got {value}")
    trec = args.queries is not None
    if trec:
        requests = read_run(args.run_file, _by_id(args.queries), _by_id(args.docs))
    else:
        requests = read_requests(args.run_file)
    try:
        passages = None if args.passages is None else Passages(args.passages, args.passages // 3)
        ranker = Reranker(
            chosen_encoder(args), chosen_measure(args), passages=passages, fusion=args.fusion, num_threads=args.threads
        )
        bar = Bar("queries", len(requests), quiet=args.quiet)
        for done, request in enumerate(requests, start=1):
            ranking = _ranked(ranker, request, args)
            lines = trec_lines(request.id, ranking, args.tag) if trec else [json_line(request.id, ranking)]
            print("\n".join(lines))
            bar.show(done)
        bar.close()
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from None
    return 0


def _ranked(ranker: Reranker, request: Request, args: argparse.Namespace) -> Ranking:
    candidates = request.candidates
    scores = [candidate.score for candidate in candidates]
    if args.fusion is not None and None in scores:
        raise UserError(f"--fusion: document {candidates[scores.index(None)].document.id!r} has no score")
    if args.depth is not None and None not in scores:
        candidates = sorted(candidates, key=lambda candidate: -(candidate.score or 0.0))
    candidates = candidates[: args.depth]
    try:
        return ranker.rank(
            request.query,
            [candidate.document.content for candidate in candidates],
            top_k=args.k,
            doc_ids=[candidate.document.id for candidate in candidates],
            scores=None if args.fusion is None else [candidate.score or 0.0 for candidate in candidates],
        )
    except ValueError as error:
        raise UserError(f"query {request.id!r}: {error}") from None


def _by_id(path: Path) -> dict[str, Document]:
    return {document.id: document for document in read_documents(path)}
