"""``moverank demo``: the whole job on bundled documents, without network or download."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from moverank.cli.options import add_search_options, check_counts, chosen_measure
from moverank.cli.render import ranking_table, with_titles, work_line
from moverank.data import demo_documents, demo_queries
from moverank.encoders import WordVectors
from moverank.ranking import Reranker


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help="rank bundled abstracts for bundled claims",
        description="Rank 400 scientific abstracts exactly for 8 claims, and show which word moved where in the best "
        "hit. A star marks abstracts that annotators judged relevant.",
    )
    add_search_options(parser)
    parser.set_defaults(run=run, k=5)


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    check_counts(args)
    measure = chosen_measure(args)
    documents, queries = demo_documents(), demo_queries()
    started = time.perf_counter()
    ranker = Reranker(WordVectors.default(), measure, num_threads=args.threads)
    rankings = ranker.rank_batch(
        [query.text for query in queries],
        [f"{d.title} {d.text}" for d in documents],
        top_k=args.k,
        doc_ids=[d.id for d in documents],
    )
    seconds = time.perf_counter() - started
    titles = {d.id: d.title for d in documents}
    rankings = [with_titles(ranking, titles) for ranking in rankings]
    best = rankings[0][0]
    if args.json:
        report = [
            {**ranking.to_dict(), "relevant": query.relevant} for query, ranking in zip(queries, rankings, strict=True)
        ]
        report[0]["alignment_of_best"] = best.explain().to_dict()
        print(json.dumps(report, indent=2, allow_nan=False))
        return 0

    print(
        f"{len(documents)} abstracts and {len(queries)} claims encoded and ranked in {1000 * seconds:.0f} ms\n"
        f"measure: {measure.name}   (* judged relevant by annotators)"
    )
    for query, ranking in zip(queries, rankings, strict=True):
        print(f"\nquery: {query.text}\n")
        print(ranking_table(ranking, query.relevant))
        print(f"{ranking.certificate}\n{work_line(ranking.stats)}")
        if ranking is rankings[0]:
            print(f"\nwhy is {best.doc_id} the best hit?\n")
            print(best.explain().table(max_rows=24))
    wanted = sum(len(q.relevant) for q in queries)
    found = sum(len(set(q.relevant) & set(ranking.doc_ids)) for q, ranking in zip(queries, rankings, strict=True))
    print(f"\nfound {found} of {wanted} relevant abstracts among the first {args.k} of each query")
    return 0
