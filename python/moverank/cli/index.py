"""``moverank index``: an index in a folder, from files of vectors."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moverank import readers
from moverank._storage import STORED_AS
from moverank.cli.documents import STDIN, TEXT_SUFFIXES, read_documents
from moverank.cli.encoders import add_encoder_options, chosen_encoder
from moverank.cli.errors import UserError
from moverank.cli.options import add_measure_options, chosen_measure
from moverank.cli.progress import Bar
from moverank.encoders import Encoder
from moverank.errors import NoTokensError
from moverank.index import Index

#: Texts that are encoded at a time.
TEXTS = 1024


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "index",
        help="build an index in a folder, from texts or from vectors",
        description="Build an index in a folder from texts, which are encoded and kept beside their vectors, or from "
        "files of token vectors. Together they may be larger than memory.",
    )
    parser.add_argument("path", type=Path, help="the folder; it must not exist yet, or be empty")
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="texts: .jsonl, .txt, .md or a folder of them, as for search; vectors: .npy, .safetensors, .parquet, "
        ".arrow or .feather, see moverank.readers for what has to be in them",
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
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Build, and say what came of it."""
    measure = chosen_measure(args)
    started = time.perf_counter()
    bar = Bar("documents", quiet=args.quiet)
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
    encoder: Encoder | None = None
    for path in args.files:
        if path.is_dir() or path == STDIN or path.suffix in (".jsonl", *TEXT_SUFFIXES):
            encoder = encoder or chosen_encoder(args)
            yield from _encoded(path, encoder)
            continue
        options: dict[str, Any] = {}
        if path.suffix in (".parquet", ".arrow", ".feather"):
            payload = "*" if args.payload == ["*"] else args.payload
            options = {
                "id": args.id, "tokens": args.tokens, "weights": args.weights, "payload": payload, "dim": args.dim
            }  # fmt: skip
        yield from readers.read(path, **options)


def _encoded(path: Path, encoder: Encoder) -> Iterator[readers.Batch]:
    """Texts as vectors, with what search shows of them as the payload."""
    documents = read_documents(path)
    for start in range(0, len(documents), TEXTS):
        some = documents[start : start + TEXTS]
        try:
            encoded = encoder.encode([document.content for document in some], skip_empty=True)
        except NoTokensError:
            continue
        kept = [some[t] for t in encoded.kept]
        payloads = [{"title": document.title, "text": document.content} for document in kept]
        yield readers.Batch(encoded.sequences, [document.id for document in kept], payloads)
