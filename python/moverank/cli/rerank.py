"""``moverank rerank``: rerank the candidates of a first stage."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from moverank.alignment.lost import Lost
from moverank.cli.documents import (
    FORMATS,
    add_text_options,
    read_all,
    require_one_stdin,
    say,
    tell,
    tell_lost,
    text_files,
)
from moverank.cli.encoders import add_encoder_options, advice, chosen_encoder
from moverank.cli.errors import UserError, refuse_options
from moverank.cli.indexes import add_override, ids_of, ranker_for
from moverank.cli.options import add_measure_options, check_counts, chosen_measure
from moverank.cli.progress import Bar
from moverank.cli.runs import (
    Candidate,
    Request,
    between_columns,
    json_line,
    read_requests,
    read_run,
    require_known,
    trec_lines,
    unranked,
    unranked_trec_lines,
    with_texts,
)
from moverank.errors import NoTokensError
from moverank.index.index import Index
from moverank.measures.measure import Measure
from moverank.ranking import Passages, Ranking, Reranker
from moverank.readers.texts import Document, Fields


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "rerank",
        help="rerank the candidates of a first stage: a TREC run, or JSON lines",
        description="Rerank candidates. Either JSON lines, each with a query and its documents, which become JSON "
        "lines; or, with --queries and --docs or --index, a TREC run, which becomes a TREC run. A query without "
        "a known word keeps the first stage's order, and documents without one are ranked last; both are reported "
        "on standard error.",
    )
    parser.add_argument("run_file", type=Path, metavar="RUN", help="JSON lines or a TREC run; - for standard input")
    parser.add_argument("--queries", type=Path, metavar="PATH", help="the run's queries: id and text with a tab "
                        "between, JSON lines with _id and text, or a folder of BEIR")  # fmt: skip
    parser.add_argument("--docs", type=Path, metavar="PATH", help=f"the run's documents: {FORMATS}")
    parser.add_argument("--index", type=Path, metavar="PATH", help="or an index of them, built by moverank index")
    add_override(parser)
    parser.add_argument("-k", type=int, help="documents to return per query (default: all)")
    parser.add_argument("--depth", type=int, help="rerank this many candidates, the first stage's best (default: all)")
    parser.add_argument("--fusion", type=float, metavar="W", help="add the first stage's scores, with weight 1 - W")
    parser.add_argument("--passages", type=int, metavar="WORDS", help="cut documents into windows of this many words")
    parser.add_argument("--tag", help="last column of a TREC run (default: moverank)")
    parser.add_argument("--threads", type=int, help="threads to use (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_measure_options(parser)
    add_text_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Rerank, query by query. Status 2 if no query could be compared."""
    check_counts(args, "k", "depth", "threads", "passages")
    _check_options(args)
    trec = args.queries is not None
    if args.index is not None:
        with Index.open(args.index) as index:
            requests = _of_index(args, index)
            options = {"fusion": args.fusion, "num_threads": args.threads}
            return _reranked(args, requests, ranker_for(index, args, **options), index.measure, index)
    if trec:
        queries, documents = _queries(args), _by_id(args, args.docs, "corpus")
        requests = with_texts(read_run(args.run_file), queries, documents, args.run_file)
    else:
        requests = read_requests(args.run_file, Fields(args.id, args.text))
    passages = None if args.passages is None else Passages(args.passages, args.passages // 3, args.segmenter)
    encoder, measure = chosen_encoder(args), chosen_measure(args)
    ranker = Reranker(encoder, measure, passages=passages, fusion=args.fusion, num_threads=args.threads)
    return _reranked(args, requests, ranker, measure, None)


def _check_options(args: argparse.Namespace) -> None:
    require_one_stdin(args.run_file, args.queries, args.docs)
    if args.docs is not None and args.index is not None:
        raise UserError("--docs and --index: give one of them")
    if (args.queries is None) != (args.docs is None and args.index is None):
        raise UserError("--queries and --docs go together (or --queries and --index): a TREC run has no texts")
    if args.queries is None:
        refuse_options(args, ("tag", "encoding"), "applies to a TREC run, with --queries and --docs, not to JSON lines")
    if args.index is not None:
        refuse_options(args, ("id", "text"), "applies to --docs, not to an --index")
        refuse_options(
            args,
            ("passages",),
            "does not apply to an --index, which holds documents as they were cut when it was built",
        )
    else:
        refuse_options(args, ("any_encoder",), "applies to an --index")
    if args.tag is not None and (
        not args.tag.isprintable() or len(args.tag.split()) != 1 or args.tag != args.tag.strip()
    ):
        raise UserError(f"--tag: expected one word without white space, got {args.tag!r}")


def _reranked(
    args: argparse.Namespace, requests: list[Request], ranker: Reranker, measure: Measure, index: Index | None
) -> int:
    """Rank each request, and print its result at once."""
    requests = [_cut(request, args) for request in requests]
    if args.queries is not None and isinstance(sys.stdout, io.TextIOWrapper):
        # A run is data: ids must come out as they went in, whatever the terminal can show.
        sys.stdout.reconfigure(encoding="utf-8")
    between = between_columns(requests)
    bar = Bar("queries", len(requests), quiet=args.quiet)
    unknown: list[Request] = []
    last: list[Request] = []
    lost = Lost()
    try:
        for done, request in enumerate(requests, start=1):
            if request.candidates:
                ranking = _ranked(ranker, request, args, index)
                if ranking is None:
                    unknown.append(request)
                else:
                    lost += ranking.lost
                    last += [request] * ranking.skipped
                print("\n".join(_lines(request, ranking, measure, args, between)))
            else:
                print(json_line(request.id, unranked(request, args.k, measure)))
            bar.show(done)
    finally:
        bar.close()
    tell_lost(lost, "queries")
    if last:
        no_word = "have no word with a vector" if index is None else "are not in the index"
        say(f"{len(last)} candidates {no_word} and come last by distance (the first: for query {last[0].id!r})")
    if not unknown:
        return 0
    which = ", ".join(repr(request.id) for request in unknown[:5]) + (", …" if len(unknown) > 5 else "")
    which += advice(args, unknown[0].query)
    message = f"{len(unknown)} of {len(requests)} queries have no word with a vector and keep the first stage's order: "
    if len(unknown) == sum(bool(request.candidates) for request in requests):
        raise UserError(message + which)
    say(message + which)
    return 0


def _lines(
    request: Request, ranking: Ranking | None, measure: Measure, args: argparse.Namespace, between: str
) -> Iterable[str]:
    """Lines for a request, ranked or not, as a run or as JSON."""
    if args.queries is None:
        return [json_line(request.id, unranked(request, args.k, measure) if ranking is None else ranking)]
    tag = args.tag or "moverank"
    if ranking is None:
        return unranked_trec_lines(request, args.k, tag, between)
    return trec_lines(request.id, ranking, tag, between)


def _cut(request: Request, args: argparse.Namespace) -> Request:
    """Candidates to be ranked: the first stage's best first, if it gave scores."""
    candidates = request.candidates
    scores = [candidate.score for candidate in candidates]
    if args.fusion is not None and None in scores:
        raise UserError(
            f"--fusion: document {candidates[scores.index(None)].document.id!r} of query {request.id!r} has no score"
        )
    if None not in scores:
        candidates = sorted(candidates, key=lambda candidate: -(candidate.score or 0.0))
    return replace(request, candidates=candidates[: args.depth])


def _ranked(ranker: Reranker, request: Request, args: argparse.Namespace, index: Index | None) -> Ranking | None:
    """Ranking of a request; None if no word of its query has a vector."""
    candidates = request.candidates
    names: list[Any] = [candidate.document.id for candidate in candidates]
    try:
        return ranker.rank(
            request.query,
            [candidate.document.content for candidate in candidates] if index is None else index,
            top_k=args.k,
            doc_ids=names if index is None else ids_of(index, names),
            scores=None if args.fusion is None else [candidate.score or 0.0 for candidate in candidates],
            absent="raise" if index is None else "keep",
        )
    except NoTokensError:
        return None
    except ValueError as error:
        raise UserError(f"query {request.id!r}: {error}") from None


def _of_index(args: argparse.Namespace, index: Index) -> list[Request]:
    queries, found = _queries(args), read_run(args.run_file)
    requests = []
    for name, scores in found.items():
        require_known(name, queries, "query", args.run_file)
        candidates = [Candidate(Document(document, "", ""), score) for document, score in scores.items()]
        requests.append(Request(name, queries[name].content, candidates))
    # An index leaves out documents without a known word, so that a run may name some that are not in it.
    named = {candidate.document.id: None for request in requests for candidate in request.candidates}
    if not any(name in index for name in ids_of(index, named)):
        raise UserError(f"{args.run_file}: none of its documents, such as {next(iter(named))!r}, is in the index")
    return requests


def _queries(args: argparse.Namespace) -> dict[str, Document]:
    return _by_id(args, args.queries, "queries")


def _by_id(args: argparse.Namespace, path: Path, part: str) -> dict[str, Document]:
    files = text_files(args, path, part=part, keep_empty=True)
    documents = {document.id: document for document in read_all(files)}
    tell(files)
    return documents
