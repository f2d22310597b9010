"""``moverank score-baseline``: what random pairs of texts score, kept for `moverank score`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from moverank._support.wording import printable
from moverank.cli.documents import FORMATS, add_text_options, all_left_out, require_one_stdin, tell, text_files
from moverank.cli.encoders import advice, chosen_encoder
from moverank.cli.errors import UserError
from moverank.cli.options import check_counts
from moverank.cli.progress import Bar
from moverank.cli.scoring import add_scoring_options, check_scoring_options, scoring_idf, scoring_measure
from moverank.errors import NoTokensError
from moverank.scoring import score_baseline


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "score-baseline",
        help="measure what random pairs of texts score, for moverank score --baseline",
        description="Measure the mean score of random pairs of texts, and keep it in a file, by which moverank score "
        "rescales. Encoder, measure and weights are kept with it, and have to be the same there.",
    )
    parser.add_argument("texts", type=Path, nargs="+", metavar="TEXTS", help=f"texts of the kind that is scored, such "
                        f"as references: {FORMATS}")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    parser.add_argument("--pairs", type=int, default=10_000, help="random pairs to score (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws (default: 0)")
    add_text_options(parser)
    add_scoring_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, write and print."""
    check_counts(args, "threads", "pairs")
    check_scoring_options(args)
    require_one_stdin(*args.texts, args.idf_from)
    _require_place(args)
    encoder, measure = chosen_encoder(args), scoring_measure(args)
    files = text_files(args, args.texts)
    texts = [document.content for document in files]
    idf = scoring_idf(args, encoder)
    bar = Bar("texts", quiet=args.quiet)
    try:
        baseline = score_baseline(
            texts,
            encoder=encoder,
            measure=measure,
            idf=idf,
            pairs=args.pairs,
            seed=args.seed,
            num_threads=args.threads,
            progress=lambda done, total: bar.show(done),
        )
    except NoTokensError as error:
        raise UserError(f"{error}{advice(args, texts[0])}") from None
    finally:
        bar.close()
    baseline.save(args.output)
    tell(files)
    if args.json:
        print(json.dumps({**baseline.to_dict(), "left_out": all_left_out(files)}, indent=2, allow_nan=False))
        return 0
    for name in ("precision", "recall", "f1"):
        print(f"{name:<9}  {getattr(baseline, name):.5f}")
    print(f"{'pairs':<9}  {baseline.pairs}")
    print(f"by {measure.name}, of {len(texts)} texts, kept in {printable(str(args.output))}")
    return 0


def _require_place(args: argparse.Namespace) -> None:
    """Refuse a file that could not be written, or should not be, before any work is done."""
    name = printable(str(args.output))
    if name == "-":
        raise UserError("--output: a baseline is kept in a file, it cannot go to standard output")
    if not args.output.parent.is_dir():
        raise UserError(f"{name}: its folder does not exist")
    if args.output.exists() and not args.overwrite:
        raise UserError(f"{name}: exists already; --overwrite replaces it")
