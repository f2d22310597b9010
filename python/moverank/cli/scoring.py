"""Options that `score` and `score-baseline` share: measure, weights of tokens."""

from __future__ import annotations

import argparse
from pathlib import Path

from moverank.cli.documents import tell
from moverank.cli.encoders import add_encoder_options, advice
from moverank.cli.errors import UserError, refuse_options
from moverank.cli.options import add_measure_options, chosen_measure
from moverank.encoders import Encoder
from moverank.measures.measure import Measure
from moverank.readers.texts import TextFiles
from moverank.scoring import DEFAULT_MEASURE, score_idf
from moverank.scoring.setup import Idf

#: Weightings that need nothing beside vectors.
WEIGHTINGS = ("norm", "uniform")


def add_scoring_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of measure, weights of tokens, and encoder."""
    add_measure_options(
        parser,
        capacity=DEFAULT_MEASURE.capacity,
        help_of_capacity="how many times its mass a token may take from the other side, at least 1; with 1 both sides "
        "must explain each other, as in MoverScore, with inf each token goes to its nearest, as in BERTScore (default: "
        f"{DEFAULT_MEASURE.capacity:g} with wrd; else the measure's own)",
    )
    parser.add_argument("--weighting", choices=WEIGHTINGS, help="mass of tokens: in proportion to the norms of their "
                        "vectors, or equal (default: the measure's own, by norm for wrd)")  # fmt: skip
    parser.add_argument("--idf", action="store_true", help="weigh tokens by how rare they are in the references")
    parser.add_argument("--idf-from", type=Path, metavar="PATH", help="or in the texts of a file")
    parser.add_argument("--threads", type=int, help="threads to use (default: all cores)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_encoder_options(parser)


def check_scoring_options(args: argparse.Namespace) -> None:
    """Refuse what has no effect, or contradicts itself."""
    refuse_options(args, ("query_prompt",), "does not apply: all texts are encoded as documents")
    if args.idf and args.idf_from is not None:
        raise UserError("--idf and --idf-from: give one of them")


def scoring_measure(args: argparse.Namespace) -> Measure:
    """Measure that the options name."""
    named = chosen_measure(args)
    return named if args.weighting is None else named.replace(weighting=args.weighting)


def scoring_idf(args: argparse.Namespace, encoder: Encoder) -> Idf:
    """Weights of tokens that the options name."""
    if args.idf_from is None:
        return bool(args.idf)
    files = TextFiles(args.idf_from, encoding=args.encoding)
    texts = [document.content for document in files]
    weights = score_idf(texts, encoder=encoder)
    if not weights.table:
        raise UserError(f"--idf-from: no text has a word with a vector{advice(args, texts[0])}")
    tell(files)
    return weights
