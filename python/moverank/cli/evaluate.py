"""``moverank eval``: how good a ranking is, or how well similarities agree with people."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.optional import optional
from moverank.alignment.align import align
from moverank.alignment.lost import Lost
from moverank.cli.documents import read_all, read_lines, tell, tell_lost
from moverank.cli.encoders import ENCODER_OPTIONS, add_encoder_options, chosen_encoder
from moverank.cli.errors import UserError, refuse_options
from moverank.cli.indexes import add_override, opened_texts, require_measure_of
from moverank.cli.judgements import ordered, read_judgements
from moverank.cli.options import add_measure_options, candidates_count, check_counts, chosen_measure
from moverank.cli.process import write_file
from moverank.cli.progress import Bar
from moverank.cli.runs import between_columns, read_run, trec_lines
from moverank.errors import NoTokensError
from moverank.readers.texts import TextFiles

METRICS = ("nDCG@10", "AP", "RR@10", "R@100")


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "eval",
        help="score a run or an index against judgements, or distances against people",
        description="Score a TREC run, or what an index of texts finds for queries, against judgements (nDCG, MAP, "
        "MRR, recall, by ir-measures), or, with --sts, the similarity of sentence pairs against people's scores "
        "(Pearson, Spearman). Numbers for runs equal those of trec_eval -c: all judged queries count, and ties are "
        "ordered as there.",
    )
    parser.add_argument("--qrels", type=Path, metavar="PATH", help="TREC judgements, or a .tsv of BEIR")
    parser.add_argument("--run", dest="run_file", type=Path, metavar="PATH", help="a TREC run; - for standard input")
    parser.add_argument("--index", type=Path, metavar="PATH", help="an index of texts, built by moverank index: its "
                        "answers to --queries are scored")  # fmt: skip
    parser.add_argument("--queries", type=Path, metavar="PATH", help="the queries for --index: id and text with a tab "
                        "between, JSON lines with _id and text, or a folder of BEIR")  # fmt: skip
    parser.add_argument("-k", type=int, help="with --index: documents per query (default: 100)")
    parser.add_argument("--candidates", metavar="N", help="with --index: as for moverank search")
    parser.add_argument("--fusion", type=float, metavar="W", help="with --index: as for moverank search")
    parser.add_argument("--save-run", type=Path, metavar="PATH", help="with --index: write its answers as a TREC run")
    parser.add_argument("--threads", type=int, help="with --index: threads to use (default: all cores)")
    add_override(parser)
    parser.add_argument("-m", "--metric", action="append", metavar="NAME", help="a metric of ir-measures, such as "
                        f"nDCG@10; may be repeated (default: {', '.join(METRICS)})")  # fmt: skip
    parser.add_argument("--sts", type=Path, metavar="PATH", help="a .tsv with columns score, sentence1, sentence2")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_measure_options(parser, capacity=1.0)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


#: What is scored, by the option that names it, and the options of each.
_OF_INDEX = ("queries", "k", "candidates", "fusion", "save_run", "threads", "any_encoder")


def run(args: argparse.Namespace) -> int:
    """Score what is given."""
    if (args.sts is None) == (args.qrels is None):
        raise UserError("give either --qrels and --run or --index, or --sts")
    if args.sts is None and (args.run_file is None) == (args.index is None):
        raise UserError("--qrels needs either a --run, or an --index with --queries")
    if args.index is None:
        refuse_options(args, _OF_INDEX, "applies to an --index")
    elif args.sts is None and args.queries is None:
        raise UserError("--index needs --queries")
    if args.sts is None:
        if args.index is None:
            reason = "applies to the texts of --sts, or to an --index; a run has its scores already"
            refuse_options(args, ("measure", "capacity", *ENCODER_OPTIONS), reason)
    else:
        for name, given in (("--run", args.run_file), ("--index", args.index)):
            if given is not None:
                raise UserError(f"{name}: can only be scored against --qrels, not --sts")
        refuse_options(args, ("metric",), "applies to --qrels")
    found: Mapping[str, float | int | str] = _of_judged(args) if args.sts is None else _of_pairs(args)
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        width = max(len(name) for name in found)
        for name, value in found.items():
            print(f"{name:<{width}}  {value:.4f}" if isinstance(value, float) else f"{name:<{width}}  {value}")
    return 0


def _of_judged(args: argparse.Namespace) -> dict[str, float | int]:
    try:
        library = optional("ir_measures", "eval")
    except ImportError as error:
        raise UserError(str(error)) from None
    try:
        metrics = [library.parse_measure(name) for name in args.metric or METRICS]
    except (ValueError, NameError) as error:
        raise UserError(f"--metric: {error}") from None
    for name, metric in zip(args.metric or METRICS, metrics, strict=True):
        _require_cutoff(name, metric.params.get("cutoff", 1))
    judged = read_judgements(args.qrels)
    ranked = read_run(args.run_file) if args.index is None else _answers(args, judged)
    if not judged.keys() & ranked.keys():
        raise UserError("no query of the run is judged")
    qrels = [library.Qrel(query, *judgement) for query, own in judged.items() for judgement in own.items()]
    # Positions instead of scores: the order of ties is then the same for all metrics, whichever library computes them.
    run = [
        library.ScoredDoc(query, document, -float(place))
        for query, scores in ranked.items()
        for place, document in enumerate(ordered(scores))
    ]
    values = _aggregated(library, metrics, qrels, run)
    return {"queries": len(judged), **{str(metric): float(values[metric]) for metric in metrics}}


def _answers(args: argparse.Namespace, judged: Mapping[str, object]) -> dict[str, dict[str, float]]:
    """What an index of texts finds for those queries that are judged, as a run."""
    check_counts(args)
    files = TextFiles(args.queries, part="queries")
    queries = {query.id: query for query in read_all(files) if query.id in judged}
    tell(files)
    if not queries:
        raise UserError(f"{args.queries}: none of its queries is judged in {args.qrels}")
    k = 100 if args.k is None else args.k
    bar = Bar("queries", len(queries), quiet=args.quiet)
    with opened_texts(args.index, args, num_threads=args.threads) as index:
        require_measure_of(index, args)
        try:
            found = index.search_batch(
                [query.content for query in queries.values()],
                k,
                candidates=candidates_count(args, 100),
                fusion=args.fusion,
                progress=lambda done, _: bar.show(done),
            )
        finally:
            bar.close()
    tell_lost(Lost(query_dropped=sum(hits.dropped for hits in found)), "queries")
    run = {name: {str(hit.id): hit.score for hit in hits} for name, hits in zip(queries, found, strict=True)}
    if args.save_run is not None:
        between = between_columns(name for query, own in run.items() for name in (query, *own))
        lines = [line for name, own in run.items() for line in trec_lines(name, own.items(), "moverank", between)]
        write_file(args.save_run, "".join(f"{line}\n" for line in lines).encode())
    return run


def _require_cutoff(name: str, cutoff: object) -> None:
    """Refuse cutoffs that trec_eval does not check: it ends the process at 0, and wraps around beyond 32 bits."""
    if isinstance(cutoff, bool) or not isinstance(cutoff, int) or not 1 <= cutoff < 1 << 31:
        raise UserError(f"--metric {name}: the cutoff has to be a whole number from 1 to 2147483647, got {cutoff!r}")


def _aggregated(library: Any, metrics: list[Any], qrels: list[Any], run: list[Any]) -> Mapping[Any, float]:
    """Means over queries; any error of the library is reported for the metric that caused it."""
    try:
        values: Mapping[Any, float] = library.calc_aggregate(metrics, qrels, run)
    except Exception as error:
        if len(metrics) > 1:
            for metric in metrics:
                _aggregated(library, [metric], qrels, run)
        reason = " ".join(str(error).split()) or type(error).__name__
        names = ", ".join(map(str, metrics))
        raise UserError(f"--metric {names}: ir-measures cannot compute it: {reason}") from None
    return values


def _of_pairs(args: argparse.Namespace) -> dict[str, float | int | str]:
    measure, encoder = chosen_measure(args), chosen_encoder(args)
    rows = read_lines(args.sts)
    has_names = bool(rows) and not _is_number(rows[0][1].split("\t")[0])
    pairs = [_pair(line, args.sts, number) for number, line in rows[has_names:]]
    if not pairs:
        raise UserError(f"{args.sts}: no pairs in it")
    try:
        x = encoder.encode([left for _, left, _ in pairs], skip_empty=True)
        y = encoder.encode([right for _, _, right in pairs], skip_empty=True)
    except NoTokensError as error:
        raise UserError(f"{args.sts}: {error}") from None
    place_of_x, place_of_y = ({t: place for place, t in enumerate(side.kept)} for side in (x, y))
    both = [t for t in range(len(pairs)) if t in place_of_x and t in place_of_y]
    gold = [pairs[t][0] for t in both]
    bar = Bar("pairs", len(both), quiet=args.quiet)
    similarities = []
    for done, t in enumerate(both, start=1):
        left, right = x.sequences[place_of_x[t] : place_of_x[t] + 1], y.sequences[place_of_y[t] : place_of_y[t] + 1]
        similarities.append(measure.similarity(align(left, right, measure).value))
        bar.show(done)
    bar.close()
    tell_lost(Lost(dropped=sum(x.dropped) + sum(y.dropped), cut=sum(x.cut) + sum(y.cut)), None, "sentences")
    if len(gold) < 2:
        raise UserError(f"{args.sts}: fewer than two pairs can be compared")
    found, wanted = np.array(similarities), np.array(gold)
    return {
        "pairs": len(gold),
        "skipped": len(pairs) - len(gold),
        "similarity": f"{measure.similarity_formula}, by {measure.name}",
        "Pearson": _correlation(found, wanted),
        "Spearman": _correlation(_ranks(found), _ranks(wanted)),
    }


def _pair(line: str, path: Path, number: int) -> tuple[float, str, str]:
    parts = line.split("\t")
    if len(parts) >= 3 and _is_number(parts[0]):
        return float(parts[0]), parts[1], parts[2]
    raise UserError(f"{path}:{number}: expected a score, sentence1 and sentence2, with tabs between")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if x.std() == 0 or y.std() == 0:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks, the mean of them where values are equal."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: NDArray[np.float64] = ends - (counts - 1) / 2
    return means[place]
