"""``moverank eval``: how good a ranking is, or how well distances agree with people."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._optional import optional
from moverank.alignment import align
from moverank.cli.documents import read_lines
from moverank.cli.encoders import add_encoder_options, chosen_encoder
from moverank.cli.errors import UserError
from moverank.cli.options import add_measure_options, chosen_measure
from moverank.cli.progress import Bar
from moverank.cli.runs import finite_score, run_rows
from moverank.errors import NoTokensError

METRICS = ("nDCG@10", "AP", "RR@10", "R@100")


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "eval",
        help="score a run against judgements, or distances against people",
        description="Score a TREC run against judgements (nDCG, MAP, MRR, recall, by ir-measures), or, with --sts, the "
        "similarity of sentence pairs against scores of people (Pearson, Spearman).",
    )
    parser.add_argument("--qrels", type=Path, metavar="PATH", help="TREC judgements, or a .tsv of BEIR")
    parser.add_argument("--run", dest="run_file", type=Path, metavar="PATH", help="a TREC run; - for standard input")
    parser.add_argument("-m", "--metric", action="append", metavar="NAME", help="a metric of ir-measures, such as "
                        f"nDCG@10; may be given again (default: {', '.join(METRICS)})")  # fmt: skip
    parser.add_argument("--sts", type=Path, metavar="PATH", help="a .tsv with columns score, sentence1, sentence2")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_measure_options(parser, capacity=1.0)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score what is given."""
    if (args.sts is None) == (args.qrels is None):
        raise UserError("give either --qrels and --run, or --sts")
    if args.sts is None and args.run_file is None:
        raise UserError("--qrels needs a --run")
    found = _of_run(args) if args.sts is None else _of_pairs(args)
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        width = max(len(name) for name in found)
        for name, value in found.items():
            print(f"{name:<{width}}  {value:.4f}" if isinstance(value, float) else f"{name:<{width}}  {value}")
    return 0


def _of_run(args: argparse.Namespace) -> dict[str, float | int]:
    try:
        library = optional("ir_measures", "eval")
    except ImportError as error:
        raise UserError(str(error)) from None
    try:
        metrics = [library.parse_measure(name) for name in args.metric or METRICS]
    except (ValueError, NameError) as error:
        raise UserError(f"--metric: {error}") from None
    qrels, ranked = _qrels(args.qrels), _run(args.run_file)
    known = {qrel.query_id for qrel in qrels}
    if not known & {scored.query_id for scored in ranked}:
        raise UserError("no query of the run is judged")
    values = library.calc_aggregate(metrics, qrels, ranked)
    return {"queries": len(known), **{str(metric): float(values[metric]) for metric in metrics}}


def _qrels(path: Path) -> list[Any]:
    library = optional("ir_measures", "eval")
    found = []
    for number, line in read_lines(path):
        parts = line.split()
        if number == 1 and parts[-1] == "score":  # the first line of BEIR's files
            continue
        if len(parts) not in (3, 4) or not _is_integer(parts[-1]):
            raise UserError(f"{path}:{number}: expected query, (0,) document and relevance, got {line!r}")
        found.append(library.Qrel(parts[0], parts[-2], int(parts[-1])))
    if not found:
        raise UserError(f"{path}: no judgements in it")
    return found


def _run(path: Path) -> list[Any]:
    library = optional("ir_measures", "eval")
    return [
        library.ScoredDoc(query, document, finite_score(score, f"{path}:{number}"))
        for number, query, document, score in run_rows(path)
    ]


def _is_integer(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _of_pairs(args: argparse.Namespace) -> dict[str, float | int]:
    measure, encoder = chosen_measure(args), chosen_encoder(args)
    pairs = [_pair(line, args.sts, number) for number, line in read_lines(args.sts)[1:]]
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
    if len(gold) < 2:
        raise UserError(f"{args.sts}: fewer than two pairs can be compared")
    found, wanted = np.array(similarities), np.array(gold)
    return {
        "pairs": len(gold),
        "skipped": len(pairs) - len(gold),
        "Pearson": _correlation(found, wanted),
        "Spearman": _correlation(_ranks(found), _ranks(wanted)),
    }


def _pair(line: str, path: Path, number: int) -> tuple[float, str, str]:
    try:
        score, left, right = line.split("\t")[:3]
        return float(score), left, right
    except ValueError:
        raise UserError(f"{path}:{number}: expected score, sentence1 and sentence2, with tabs between") from None


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
