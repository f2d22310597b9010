"""``moverank rerank``: rerank the candidates of a first stage."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

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
from moverank.cli.indexes import add_override, has_texts, ids_of, opened_texts, ranker_for, require_measure_of
from moverank.cli.options import add_measure_options, check_counts, chosen_measure, chosen_passages
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
from moverank.ranking import Fusion, Ranking, Reranker
from moverank.readers.texts import Document, Fields
from moverank.text_index import TextIndex


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
    if args.index is not None and has_texts(args.index):
        with opened_texts(args.index, args, num_threads=args.threads) as texts:
            measure = require_measure_of(texts, args)
            return _reranked(args, _of_index(args, texts), _InTextIndex(texts, args), measure)
    if args.index is not None:
        with Index.open(args.index) as index:
            ranker = ranker_for(index, args, fusion=args.fusion, num_threads=args.threads)
            return _reranked(args, _of_index(args, index), _ByReranker(ranker, args, index), index.measure)
    if trec:
        queries, documents = _queries(args), _by_id(args, args.docs, "corpus")
        requests = with_texts(read_run(args.run_file), queries, documents, args.run_file)
    else:
        requests = read_requests(args.run_file, Fields(args.id, args.text))
    passages = chosen_passages(args)
    encoder, measure = chosen_encoder(args), chosen_measure(args)
    ranker = Reranker(encoder, measure, passages=passages, fusion=args.fusion, num_threads=args.threads)
    return _reranked(args, requests, _ByReranker(ranker, args, None), measure)


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
    args: argparse.Namespace, requests: list[Request], rank: Callable[[Request], _Ranked | None], measure: Measure
) -> int:
    """Rank each request, and print its result at once."""
    requests = [_cut(request, args) for request in requests]
    if args.queries is not None and isinstance(sys.stdout, io.TextIOWrapper):
        # A run is data: ids must come out as they went in, whatever the terminal can show.
        sys.stdout.reconfigure(encoding="utf-8")
    between = between_columns(
        name for request in requests for name in (request.id, *(c.document.id for c in request.candidates))
    )
    bar = Bar("queries", len(requests), quiet=args.quiet)
    unknown: list[Request] = []
    last: list[Request] = []
    lost = Lost()
    try:
        for done, request in enumerate(requests, start=1):
            if request.candidates:
                found = rank(request)
                if found is None:
                    unknown.append(request)
                else:
                    lost += found.lost
                    last += [request] * found.skipped
                print("\n".join(_lines(request, found, measure, args, between)))
            else:
                print(json_line(request.id, unranked(request, args.k, measure)))
            bar.show(done)
    finally:
        bar.close()
    tell_lost(lost, "queries")
    if last:
        no_word = "have no word with a vector" if args.index is None else "are not in the index"
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
    request: Request, found: _Ranked | None, measure: Measure, args: argparse.Namespace, between: str
) -> Iterable[str]:
    """Lines for a request, ranked or not, as a run or as JSON."""
    if args.queries is None:
        ranking = None if found is None else found.ranking
        return [json_line(request.id, unranked(request, args.k, measure) if ranking is None else ranking)]
    tag = args.tag or "moverank"
    if found is None:
        return unranked_trec_lines(request, args.k, tag, between)
    return trec_lines(request.id, found.scored, tag, between)


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


@dataclass(frozen=True)
class _Ranked:
    """The candidates of a request in their new order, with scores; and what is told of them."""

    scored: list[tuple[Any, float]]
    lost: Lost
    skipped: int
    #: The whole answer; of an index of texts, whose answers become lines of a run, None.
    ranking: Ranking | None


class _ByReranker:
    """Ranks the candidates of requests, as texts or as documents of an index of vectors."""

    def __init__(self, ranker: Reranker, args: argparse.Namespace, index: Index | None) -> None:
        self._ranker, self._args, self._index = ranker, args, index

    def __call__(self, request: Request) -> _Ranked | None:
        candidates, index = request.candidates, self._index
        names: list[Any] = [candidate.document.id for candidate in candidates]
        try:
            ranking = self._ranker.rank(
                request.query,
                [candidate.document.content for candidate in candidates] if index is None else index,
                top_k=self._args.k,
                doc_ids=names if index is None else ids_of(index, names),
                scores=_first_scores(request) if self._ranker.fuses else None,
                absent="raise" if index is None else "keep",
            )
        except NoTokensError:
            return None
        except ValueError as error:
            raise UserError(f"query {request.id!r}: {error}") from None
        scored = [(document.doc_id, document.score) for document in ranking]
        return _Ranked(scored, ranking.lost, ranking.skipped, ranking)


class _InTextIndex:
    """Ranks the candidates of requests as documents of an index of texts; those that it lacks come last."""

    def __init__(self, index: TextIndex, args: argparse.Namespace) -> None:
        self._index, self._args = index, args

    def __call__(self, request: Request) -> _Ranked | None:
        index, fusion = self._index, self._args.fusion
        names = ids_of(index, [candidate.document.id for candidate in request.candidates])
        there = [name for name in names if name in index]
        similarity: dict[Any, float] = {}
        lost = Lost()
        if there:
            hits = index.rerank(request.query, there, fusion=1.0)
            if not hits.comparable:
                return None
            similarity, lost = {hit.id: hit.score for hit in hits}, Lost(query_dropped=hits.dropped)
        scores = np.array([similarity.get(name, -np.inf) for name in names])
        if fusion is not None:
            scores = Fusion(fusion)(_first_scores(request), scores)
        order = np.argsort(-scores, kind="stable")[: self._args.k].tolist()
        return _Ranked([(names[place], float(scores[place])) for place in order], lost, len(names) - len(there), None)


def _first_scores(request: Request) -> list[float]:
    """Scores of the first stage, all of which are there when they are to be fused."""
    return [candidate.score or 0.0 for candidate in request.candidates]


def _of_index(args: argparse.Namespace, index: Index | TextIndex) -> list[Request]:
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
