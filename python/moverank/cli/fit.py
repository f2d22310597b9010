"""``moverank fit``: a space learnt from judgements, for `moverank index --space`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from moverank._support.wording import printable
from moverank.cli.documents import FORMATS, add_text_options, read_all, require_one_stdin, say, tell, text_files
from moverank.cli.encoders import add_encoder_options, chosen_encoder
from moverank.cli.errors import UserError, refuse_options
from moverank.cli.indexes import add_override, opened_texts, require_measure_of
from moverank.cli.judgements import read_judgements
from moverank.cli.options import add_measure_options, check_counts, chosen_measure
from moverank.cli.process import write_file
from moverank.encoders import Encoder
from moverank.errors import NoTokensError
from moverank.measures.measure import Measure
from moverank.readers.texts import TextFiles
from moverank.spaces import Space

WEIGHTS, PROJECTION, CAPACITY = "weights", "projection", "capacity"


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "fit",
        help="learn token weights and a projection from judged documents, for moverank index --space",
        description="Learn from judgements which tokens count and where they lie, and keep it in a file, a space, "
        "which moverank index --space applies (moverank[torch]). A share of the queries is held out: the state that is "
        "best for them is kept, which may be the one before training, and their nDCG@10 is printed, before and "
        "after. The file keeps the measure with its capacity, too.",
    )
    parser.add_argument("--docs", type=Path, nargs="+", metavar="FILE", help=f"the documents: {FORMATS}")
    parser.add_argument("--index", type=Path, metavar="PATH", help="take the documents, the encoder, the measure and "
                        "the space to begin with from an index of texts, in place of --docs")  # fmt: skip
    parser.add_argument("--queries", type=Path, required=True, metavar="PATH", help="the queries: id and text with a "
                        "tab between, JSON lines with _id and text, or a folder of BEIR")  # fmt: skip
    parser.add_argument("--qrels", type=Path, required=True, metavar="PATH", help="TREC judgements, or a .tsv of BEIR, "
                        "of training queries, never of those that you measure by")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    parser.add_argument("--learn", action="append", choices=(WEIGHTS, PROJECTION, CAPACITY), help="what to learn; may "
                        "be repeated (default: weights and projection)")  # fmt: skip
    parser.add_argument("--dim", type=int, help="dimensions to project to (default: all)")
    parser.add_argument("--epochs", type=int, help="passes over the queries, at most (default: 20)")
    parser.add_argument("--share", type=float, default=1.0, metavar="S", help="how far to go from "
                        "the untrained state to the trained one, above 0 and at most 1 (default: 1); 0.5 loses less on "
                        "other collections")  # fmt: skip
    parser.add_argument("--save-held-out", type=Path, metavar="PATH", help="write the judgements of the queries that "
                        "were held out, by which moverank eval compares indexes")  # fmt: skip
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="a file to resume from after an interruption")
    parser.add_argument("--seed", type=int, default=0, help="seed of what is drawn (default: 0)")
    parser.add_argument("--threads", type=int, help="threads to use (default: all cores)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_override(parser)
    add_measure_options(parser)
    add_text_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Learn, write and print."""
    check_counts(args, "threads", "epochs", "dim")
    if not 0.0 < args.share <= 1.0:
        raise UserError(f"--share must be above 0 and at most 1, got {args.share}")
    _require_sound(args)
    try:
        from moverank import learning
    except ImportError as error:
        raise UserError(str(error)) from None
    judgements = read_judgements(args.qrels)
    documents, encoder, measure, start = _documents(args)
    files = TextFiles(args.queries, part="queries")
    queries = {query.id: query.content for query in read_all(files) if query.id in judgements}
    tell(files)
    if not queries:
        raise UserError(f"{args.queries}: none of its queries is judged in {args.qrels}")
    rows = [
        (query, document, grade)
        for query in queries
        for document, grade in judgements[query].items()
        if document in documents
    ]
    if not any(grade > 0 for _, _, grade in rows):
        raise UserError(f"{args.qrels}: none of the documents that it calls relevant is there")
    wanted = args.learn or [WEIGHTS, PROJECTION]
    try:
        learned = learning.fit(
            queries,
            documents,
            rows,
            encoder=encoder,
            measure=measure,
            learn=wanted,
            projection=learning.Projection(dim=args.dim) if PROJECTION in wanted else None,
            training=learning.Training(
                epochs=20 if args.epochs is None else args.epochs,
                seed=args.seed,
                share=args.share,
                checkpoint=args.checkpoint,
            ),
            start=start,
            num_threads=args.threads,
            progress=None if args.quiet or not sys.stderr.isatty() else _told,
        )
    except NoTokensError as error:
        raise UserError(str(error)) from None
    learned.save(args.output)
    if args.save_held_out is not None:
        lines = [f"{q} 0 {d} {grade}\n" for q in learned.held_out for d, grade in judgements[str(q)].items()]
        write_file(args.save_held_out, "".join(lines).encode())
    return _print(args, learned)


def _print(args: argparse.Namespace, learned: Any) -> int:
    epochs = len(learned.history) - 1
    if args.json:
        report = {
            "space": str(args.output),
            "measure": learned.measure.name,
            "capacity": learned.capacity if learned.capacity != float("inf") else "inf",
            "figure": learned.figure,
            "held_out_queries": len(learned.held_out),
            "recipe": learned.recipe,
            "before": learned.before,
            "after": learned.after,
            "epochs": epochs,
        }
        print(json.dumps(report, indent=2))
        return 0
    cut = "" if learned.before == learned.recipe else f"{learned.before:.4f} with fewer dimensions, "
    chosen = f" by capacity {learned.capacity:g}" if CAPACITY in (args.learn or ()) else ""
    print(f"{learned.figure} of {len(learned.held_out)} queries held out: {learned.recipe:.4f} untrained, {cut}"
          f"{learned.after:.4f} after epoch {learned.best.number} of {epochs}{chosen}")  # fmt: skip
    if learned.is_worse:
        print("what was learnt is worse for them than the untrained recipe")
    print(f"{learned.space!r}, {learned.measure.name}, kept in {printable(str(args.output))}")
    return 0


def _told(epoch: Any) -> None:
    say(str(epoch))


def _require_sound(args: argparse.Namespace) -> None:
    """Refuse options that do not go together, and a file that should not be written, before any work is done."""
    if (args.docs is None) == (args.index is None):
        raise UserError("give either --docs or --index")
    if args.index is None:
        refuse_options(args, ("any_encoder",), "applies to an --index")
    else:
        refuse_options(args, ("id", "text", "encoding"), "applies to --docs")
    if args.learn is not None and PROJECTION not in args.learn:
        refuse_options(args, ("dim",), "applies to a projection, which --learn leaves out")
    require_one_stdin(*(args.docs or []), args.queries, args.qrels)
    for path in (args.output, args.save_held_out, args.checkpoint):
        if path is not None and not path.parent.is_dir():
            raise UserError(f"{printable(str(path))}: its folder does not exist")
        if path is not None and path.is_dir():
            raise UserError(f"{printable(str(path))}: is a folder")
    name = printable(str(args.output))
    if args.output.exists() and not args.overwrite:
        raise UserError(f"{name}: exists already; --overwrite replaces it")


def _documents(args: argparse.Namespace) -> tuple[dict[str, str], Encoder, Measure, Space | None]:
    """Texts by id, what encodes and what compares them, and the space to begin with."""
    if args.index is None:
        files = text_files(args, args.docs)
        documents = {document.id: document.content for document in read_all(files)}
        tell(files)
        return documents, chosen_encoder(args), chosen_measure(args), None
    with opened_texts(args.index, args, num_threads=args.threads) as index:
        measure = require_measure_of(index, args)
        if not index.stores_texts:
            raise UserError(f"{args.index}: does not keep its texts; give them by --docs")
        texts = {str(name): index.text(name) or "" for name in index}
        return texts, index.encoder, measure, index.index.space
