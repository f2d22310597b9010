"""``moverank demo``: the whole job on bundled documents, without network or download."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from moverank.cli.options import add_search_options, check_counts, chosen_measure
from moverank.cli.render import explanation, hits_json, hits_table, moves_json, work_line
from moverank.data import demo_documents, demo_queries
from moverank.encoders import WordVectors
from moverank.hits import Hits
from moverank.index import Index


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help="rank bundled abstracts for bundled claims",
        description="Index 400 scientific abstracts, rank them exactly for 8 claims, and show which word moved "
        "where in the best hit. A star marks abstracts that annotators judged relevant.",
    )
    add_search_options(parser)
    parser.set_defaults(run=run, k=5)


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    check_counts(args)
    measure = chosen_measure(args)
    documents, queries = demo_documents(), demo_queries()
    started = time.perf_counter()
    encoder = WordVectors.default()
    encoded = encoder.encode([f"{d.title} {d.text}" for d in documents])
    asked = encoder.encode([q.text for q in queries])
    encoded_in = time.perf_counter() - started
    started = time.perf_counter()
    index = Index.build(encoded.sequences, measure, ids=[d.id for d in documents])
    built_in = time.perf_counter() - started
    titles = {d.id: d.title for d in documents}
    position = {d.id: p for p, d in enumerate(documents)}

    answers: list[Hits] = [
        index.search(asked.sequences[q], args.k, num_threads=args.threads) for q in range(len(queries))
    ]
    best = answers[0][0]
    names = (asked.tokens[0], encoded.tokens[position[best.id]])
    if args.json:
        report = [
            {"query": query.text, "relevant": query.relevant, **hits_json(hits, titles)}
            for query, hits in zip(queries, answers, strict=True)
        ]
        report[0]["alignment_of_best"] = moves_json(best, *names)
        print(json.dumps(report, indent=2))
        return 0

    print(
        f"{len(documents)} abstracts, {len(encoded.sequences.tokens)} tokens, dimension {encoder.dim}; "
        f"encoded in {1000 * encoded_in:.0f} ms, indexed in {1000 * built_in:.0f} ms\n"
        f"measure: {measure.name}   (* judged relevant by annotators)"
    )
    for query, hits in zip(queries, answers, strict=True):
        print(f"\nquery: {query.text}\n")
        print(hits_table(hits, titles, query.relevant))
        print(f"{hits.certificate}\n{work_line(hits)}")
        if hits is answers[0]:
            print(f"\nwhy is {best.id} the best hit?\n")
            print(explanation(best, *names))
    wanted = sum(len(q.relevant) for q in queries)
    found = sum(len(set(q.relevant) & set(hits.ids.tolist())) for q, hits in zip(queries, answers, strict=True))
    print(f"\nfound {found} of {wanted} relevant abstracts among the first {args.k} of each query")
    return 0
