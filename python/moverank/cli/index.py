"""``moverank index``: an index in a folder, from files of vectors."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moverank import readers
from moverank._storage import STORED_AS
from moverank.cli.errors import UserError
from moverank.cli.options import add_measure_options, chosen_measure
from moverank.index import Index


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "index",
        help="build an index in a folder, from files of vectors",
        description="Build an index in a folder from files of token vectors, which together may be larger than memory.",
    )
    parser.add_argument("path", type=Path, help="the folder; it must not exist yet, or be empty")
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help=".npy, .safetensors, .parquet, .arrow or .feather; see moverank.readers for what has to be in them",
    )
    parser.add_argument("--dtype", choices=list(STORED_AS), help="how to store tokens (default: as the files do)")
    parser.add_argument("--rescore", action="store_true", help="keep the tokens of the files beside those of --dtype")
    parser.add_argument(
        "--prefilter",
        default="Flat",
        metavar="FACTORY",
        help="what faiss makes of pooled vectors, such as 'IVF1024,Flat;nprobe=16'; 'none' for nothing (default: Flat)",
    )
    parser.add_argument("--id", default="id", help="column of ids in Arrow and Parquet files (default: id)")
    parser.add_argument("--tokens", default="tokens", help="column of tokens there (default: tokens)")
    parser.add_argument("--weights", help="column of token weights there")
    parser.add_argument("--payload", action="append", metavar="COLUMN", help="column to keep as payload; * for all")
    parser.add_argument("--dim", type=int, help="dimension of tokens that come as one list of numbers")
    parser.add_argument("--resume", action="store_true", help="go on with a build that was cut off")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_measure_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Build, and say what came of it."""
    measure = chosen_measure(args)
    started = time.perf_counter()
    bar = Bar(quiet=args.quiet or not sys.stderr.isatty())
    try:
        index = Index.build_on_disk(
            args.path,
            _batches(args),
            measure,
            prefilter=None if args.prefilter == "none" else args.prefilter,
            dtype=args.dtype,
            rescore=args.rescore,
            resume=args.resume,
            progress=bar.show,
        )
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        raise UserError(str(error)) from None
    finally:
        bar.close()
    seconds = time.perf_counter() - started
    print(f"{args.path}: {index} in {seconds:.1f} s, {len(index) / seconds:.0f} documents/s")
    return 0


def _batches(args: argparse.Namespace) -> Iterator[readers.Batch]:
    for path in args.files:
        options: dict[str, Any] = {}
        if path.suffix in (".parquet", ".arrow", ".feather"):
            payload = "*" if args.payload == ["*"] else args.payload
            options = {
                "id": args.id, "tokens": args.tokens, "weights": args.weights, "payload": payload, "dim": args.dim
            }  # fmt: skip
        yield from readers.read(path, **options)


class Bar:
    """Documents that are in, on one line that is written anew."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._started = self._shown = time.monotonic()

    def show(self, documents: int) -> None:
        """Tell how many are in; ten times a second at the most."""
        now = time.monotonic()
        if not self._quiet and now - self._shown > 0.1:
            self._shown = now
            rate = documents / (now - self._started)
            print(f"\r{documents:>12} documents, {rate:.0f}/s ", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the line."""
        if self._shown > self._started:
            print(file=sys.stderr)
