"""``moverank search``: the user's own documents."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from moverank._support.wording import printable
from moverank.alignment.alignment import Alignment
from moverank.alignment.lost import Lost
from moverank.cli.documents import (
    FORMATS,
    TEXT_OPTIONS,
    add_text_options,
    all_left_out,
    read_all,
    read_text,
    require_one_stdin,
    say,
    tell,
    tell_lost,
    text_files,
)
from moverank.cli.encoders import add_encoder_options, advice, chosen_encoder
from moverank.cli.errors import UserError, refuse_options
from moverank.cli.indexes import add_override, has_texts, opened_texts, ranker_for, require_measure_of
from moverank.cli.options import add_search_options, candidates_count, check_counts, chosen_measure
from moverank.cli.render import compared, hits_table, ranking_table, with_titles, work_line
from moverank.errors import NoTokensError
from moverank.index.index import Index
from moverank.ranking import RankedDocument, Ranking, Reranker
from moverank.readers.texts import STDIN
from moverank.text_index import TextHit, TextHits

#: Options of an index of texts, which has more scores than distances.
OF_TEXT_INDEXES = ("fusion", "min_similarity")


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "search",
        help="rank your own documents for a query",
        description="Rank documents for a query by optimal transport between their tokens: texts, or an index of "
        "vectors, exactly; an index of texts by its terms as well, among the candidates of both.",
    )
    parser.add_argument("query", help="the query, as text; - for standard input")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--docs", type=Path, metavar="PATH", help=FORMATS)
    where.add_argument("--index", type=Path, metavar="PATH", help="a folder built by moverank index")
    parser.add_argument("--where", metavar="CONDITION", help="with --index: rank only documents whose payload "
                        "satisfies this condition of SQL, such as \"year >= 2020 AND lang = 'en'\"")  # fmt: skip
    parser.add_argument(
        "--candidates",
        metavar="N",
        help="with --index: documents that are compared, those of an index of texts by terms and by tokens each; 'all' "
        "for all (default: 100 for an index of texts, else all)",
    )
    parser.add_argument("--fusion", type=float, metavar="W", help="with an index of texts: add the scores of terms "
                        "with weight 1 - W; 1 leaves them out (default: as the index has learnt, else as fits its "
                        "encoder)")  # fmt: skip
    parser.add_argument("--min-similarity", type=float, metavar="S", help="with an index of texts: leave out documents "
                        "that are less similar")  # fmt: skip
    add_override(parser)
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show which token of the query moved where in the best hit",
    )
    add_search_options(parser)
    add_text_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the search."""
    check_counts(args)
    require_one_stdin(args.query, args.docs)
    if args.index is None:
        refuse_options(args, ("where",), "applies to payloads of an --index")
        refuse_options(args, ("any_encoder", "candidates"), "applies to an --index")
    else:
        refuse_options(args, TEXT_OPTIONS, "applies to --docs, not to an --index")
    query = read_text(STDIN) if args.query == "-" else args.query
    if args.index is not None and has_texts(args.index):
        return _in_text_index(args, query)
    refuse_options(args, OF_TEXT_INDEXES, "applies to an index of texts")
    try:
        ranking, left_out = (_of_texts if args.index is None else _of_index)(args, query)
    except NoTokensError:
        raise UserError(f"query: no word of {query!r} has a vector{advice(args, query)}") from None
    tell_lost(ranking.lost)
    ranking = compared(ranking)
    alignment = _of_best(args, ranking[0].doc_id, ranking[0]) if len(ranking) else None
    _print(args, {**ranking.to_dict(), "left_out": left_out}, ranking_table(ranking), ranking, alignment)
    return 0


def _in_text_index(args: argparse.Namespace, query: str) -> int:
    """Search an index of texts, by terms and by tokens."""
    with opened_texts(args.index, args, num_threads=args.threads) as index:
        require_measure_of(index, args)
        given = {} if args.min_similarity is None else {"min_similarity": args.min_similarity}
        try:
            hits = index.search(
                query, args.k, where=args.where, candidates=candidates_count(args, 100), fusion=args.fusion, **given
            )
        except NoTokensError:
            raise UserError(f"query: no word of {query!r} has a vector{advice(args, query)}") from None
        tell_lost(Lost(query_dropped=hits.dropped))
        alignment = _of_best(args, hits[0].id, hits[0]) if len(hits) else None
    _print(args, hits.to_dict(), hits_table(hits), hits, alignment)
    return 0


def _of_best(args: argparse.Namespace, name: Any, best: RankedDocument | TextHit) -> tuple[Any, Alignment] | None:
    """Id of the best hit, and why it is that, if the options want it."""
    if not args.explain:
        return None
    if best.text is None:
        raise UserError(f"--explain: the index holds no text of document {name!r}")
    return name, best.explain()


def _print(
    args: argparse.Namespace,
    report: dict[str, Any],
    table: str,
    answer: Ranking | TextHits,
    best: tuple[Any, Alignment] | None,
) -> None:
    """Print an answer, as JSON or as a table."""
    if args.json:
        if best is not None:
            report["alignment_of_best"] = best[1].to_dict()
        print(json.dumps(report, indent=2, allow_nan=False))
        return
    print(f"{table}\n{answer.certificate}\n{work_line(answer.stats)}")
    if best is not None:
        print(f"\nwhy is {printable(str(best[0]))} the best hit?\n")
        print(best[1].table(max_rows=24))


def _of_texts(args: argparse.Namespace, query: str) -> tuple[Ranking, list[dict[str, object]]]:
    """Ranking of texts that are encoded now, with their titles, and what was left out of the files."""
    files = text_files(args, args.docs)
    ranker = Reranker(chosen_encoder(args), chosen_measure(args), num_threads=args.threads)
    documents = read_all(files)
    named = {document.id: document for document in documents}
    ranking = ranker.rank(query, [d.content for d in documents], doc_ids=list(named), top_k=args.k)
    if ranking.skipped == len(documents):
        first = documents[0].content
        raise UserError(f"{args.docs}: no document has a word with a vector{advice(args, first)}")
    tell(files)
    left_out = all_left_out(files)
    if ranking.skipped:
        say(f"{ranking.skipped} documents without a known word were left out")
        left_out.append({"reason": "without a known word", "count": ranking.skipped})
    return with_titles(ranking, {name: document.title for name, document in named.items()}), left_out


def _of_index(args: argparse.Namespace, query: str) -> tuple[Ranking, list[dict[str, object]]]:
    """The same of an index of vectors, whose payloads may have texts and titles."""
    with Index.open(args.index) as index:
        ranker = ranker_for(index, args, num_threads=args.threads)
        candidates = candidates_count(args, None)
        return ranker.rank(query, index, top_k=args.k, where=args.where, candidates=candidates), []
