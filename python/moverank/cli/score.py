"""``moverank score``: generated texts against references."""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

from moverank._support.wording import printable
from moverank.alignment.alignment import Alignment
from moverank.cli.documents import require_one_stdin, say, tell_lost
from moverank.cli.encoders import advice, chosen_encoder
from moverank.cli.errors import UserError, refuse_options
from moverank.cli.options import check_counts
from moverank.cli.pairs import CANDIDATE_FIELDS, REFERENCE_FIELDS, Pairs, read_lines_of_pairs, read_pairs
from moverank.cli.progress import Bar
from moverank.cli.scoring import add_scoring_options, check_scoring_options, scoring_idf, scoring_measure
from moverank.errors import UnscoredWarning
from moverank.scoring import ScoreBaseline, Scores, score
from moverank.vectors.encoder_identity import EncoderIdentity

#: Rows of an alignment that are printed.
_ROWS = 24


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "score",
        help="score generated texts against references, as BERTScore and MoverScore do",
        description="Score generated texts by how cheaply their tokens move into those of references (precision), and "
        "the reverse (recall). Line n of CANDIDATES belongs to line n of each file of REFERENCES, of which the best "
        "counts; an empty line is a text like any other, and scores 0. One file alone has both: JSON lines, or columns "
        "that its first line names.",
    )
    parser.add_argument("candidates", type=Path, metavar="CANDIDATES", help="a text per line, or a file of pairs; - "
                        "for standard input")  # fmt: skip
    parser.add_argument("references", type=Path, nargs="*", metavar="REFERENCES", help="a text per line")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="rescale scores, so that 0 is what random pairs "
                        "score: a file of moverank score-baseline")  # fmt: skip
    parser.add_argument("--per-pair", action="store_true", help="show a line for each pair, and not only means")
    parser.add_argument("--explain", type=int, action="append", metavar="N", help="show which token moved where in "
                        "pair N, the first being 0; may be repeated")  # fmt: skip
    group = parser.add_argument_group("texts", "how files are read:")
    group.add_argument("--candidate", metavar="FIELD", help="field or column of candidates in a file of pairs "
                       f"(default: {', '.join(CANDIDATE_FIELDS[:3])}, …)")  # fmt: skip
    group.add_argument("--reference", action="append", metavar="FIELD", help="field or column of references there, "
                       "each a text or a list of them; may be repeated (default: "
                       f"{', '.join(REFERENCE_FIELDS[:2])}, …)")  # fmt: skip
    group.add_argument("--encoding", metavar="NAME", help="encoding of files without a byte-order mark (default: "
                       "UTF-8)")  # fmt: skip
    add_scoring_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score, and print. Status 2 if there were texts, and none could be compared."""
    check_counts(args, "threads")
    check_scoring_options(args)
    require_one_stdin(args.candidates, *args.references, args.idf_from)
    baseline = None if args.baseline is None else ScoreBaseline.load(args.baseline)
    pairs = _read(args)
    _require_pairs(args.explain or [], len(pairs.candidates))
    scores, encoder = _scored(args, pairs, baseline)
    _tell_unscored(args, scores, pairs)
    explained = {pair: _moves(scores, pair) for pair in args.explain or []}
    if args.json:
        tell_lost(scores.lost, "candidates", "references")  # the table shows it anyway
        report = {**scores.to_dict(), "encoder": EncoderIdentity.of(encoder).as_json()}
        if explained:
            report["explained"] = [
                {"pair": pair, **{of: moves.to_dict() for of, moves in both.items()}}
                for pair, both in explained.items()
            ]
        print(json.dumps(report, indent=2, allow_nan=False))
        return 0
    print(scores.table() if args.per_pair else _means(scores))
    print(_settings(args, scores))
    for pair, both in explained.items():
        print(_reasons(pair, both))
    return 0


def _read(args: argparse.Namespace) -> Pairs:
    if args.references:
        refuse_options(args, ("candidate", "reference"), "applies to one file of pairs, not to lines of several files")
        return read_lines_of_pairs(args.candidates, args.references, args.encoding)
    return read_pairs(args.candidates, args.candidate, args.reference, args.encoding)


def _require_pairs(asked: list[int], count: int) -> None:
    for pair in asked:
        if not 0 <= pair < count:
            raise UserError(f"--explain: expected the number of a pair, from 0 to {count - 1}, got {pair}")


def _scored(args: argparse.Namespace, pairs: Pairs, baseline: ScoreBaseline | None) -> tuple[Scores, Any]:
    encoder, measure = chosen_encoder(args), scoring_measure(args)
    idf = scoring_idf(args, encoder)
    bar = Bar("texts", quiet=args.quiet)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnscoredWarning)  # said below, with file and line
            scores = score(
                pairs.candidates,
                pairs.references,
                encoder=encoder,
                measure=measure,
                idf=idf,
                baseline=baseline,
                num_threads=args.threads,
                progress=lambda done, total: bar.show(done),
            )
    finally:
        bar.close()
    return scores, encoder


def _tell_unscored(args: argparse.Namespace, scores: Scores, pairs: Pairs) -> None:
    """Report pairs of which one side has no known word; an error if it is all, unless nothing was generated at all."""
    unscored = scores.unscored
    if not unscored:
        return
    first = unscored[0]
    written = [text for text in pairs.candidates if text.strip()]
    if len(unscored) == len(scores) and written:
        hint = advice(args, written[0])
        raise UserError(f"{pairs.places[first]}: no pair has a word with a vector on both sides{hint}")
    zero = "0" if scores.baseline is None else "0 before they are rescaled"
    say(
        f"{len(unscored)} of {len(scores)} pairs score {zero}, as one side has no word with a vector (the first: pair "
        f"{first}, {pairs.places[first]})"
    )


def _moves(scores: Scores, pair: int) -> dict[str, Alignment]:
    """What moved where, each way; nothing if the pair was not compared."""
    if not scores.scored[pair]:
        return {}
    return {"precision": scores.explain(pair, "precision"), "recall": scores.explain(pair, "recall")}


def _means(scores: Scores) -> str:
    lines = [f"{name:<9}  {value:.5f}" for name, value in scores.mean._asdict().items()]
    lines.append(f"{'pairs':<9}  {len(scores)}")
    return "\n".join([*lines, *scores.lost.lines("candidates", "references")])


def _settings(args: argparse.Namespace, scores: Scores) -> str:
    """What the numbers depend on beside the texts."""
    said = [f"by {scores.measure.name}"]
    if args.idf:
        said.append("weights by IDF in the references")
    if args.idf_from is not None:
        said.append(f"weights by IDF in {printable(str(args.idf_from))}")
    if args.baseline is not None:
        said.append(f"rescaled by {printable(str(args.baseline))}")
    return ", ".join(said)


def _reasons(pair: int, both: dict[str, Alignment]) -> str:
    if not both:
        return f"\npair {pair} was not compared: one side has no word with a vector"
    ways = {"precision": "the candidate into its best reference", "recall": "that reference into the candidate"}
    return "\n".join(f"\npair {pair}, {of}: {ways[of]}\n\n{moves.table(max_rows=_ROWS)}" for of, moves in both.items())
