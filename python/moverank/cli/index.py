"""``moverank index``: an index in a folder, from texts or from files of vectors."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moverank import readers
from moverank._support.storage import TYPES
from moverank.cli.batches import Texts, add_payload_option
from moverank.cli.documents import FORMATS, add_text_options, require_one_stdin
from moverank.cli.encoders import ENCODER_OPTIONS, add_encoder_options
from moverank.cli.errors import refuse_options
from moverank.cli.options import add_measure_options, chosen_measure
from moverank.cli.progress import Bar
from moverank.index.disk.manifest import MANIFEST
from moverank.index.index import Index

ARROW_SUFFIXES = (".parquet", ".arrow", ".feather")
VECTOR_SUFFIXES = (".npy", ".safetensors", *ARROW_SUFFIXES)
COLUMNS = ("tokens", "weights", "dim")


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "index",
        help="build an index in a folder, from texts or from vectors",
        description="Build an index in a folder from texts, which are encoded and kept beside their vectors, or from "
        "files of token vectors. The index may be larger than memory.",
    )
    parser.add_argument("path", type=Path, help="the folder; it must not exist yet, or be empty")
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help=f"texts: {FORMATS}; vectors: {', '.join(VECTOR_SUFFIXES)}, see moverank.readers for their contents",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing index, once the new one is built")
    parser.add_argument("--dtype", choices=list(TYPES), help="how to store tokens (default: as the files do)")
    parser.add_argument(
        "--rescore", action="store_true", help="keep the tokens of the files as well as those of --dtype"
    )
    parser.add_argument(
        "--pool",
        type=float,
        metavar="N",
        help="store a document of n tokens as n / N: groups of near tokens become one, and answers are about these "
        "documents (default: 1, all tokens)",
    )
    parser.add_argument(
        "--prefilter",
        metavar="NAME",
        help="'tokens', which finds the best candidates in large collections; or a faiss index of pooled vectors, "
        "such as 'Flat' or 'IVF1024,Flat;nprobe=16'; 'none' for none (default: tokens)",
    )
    parser.add_argument("--tokens", help="column of tokens in Arrow and Parquet files (default: tokens)")
    parser.add_argument("--weights", help="column of token weights in them; 'none' for none (default: weights, if any)")
    parser.add_argument("--dim", type=int, help="dimension, if a document's tokens are one list of numbers in them")
    add_payload_option(parser)
    parser.add_argument("--resume", action="store_true", help="resume an interrupted build")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a line")
    add_measure_options(parser)
    add_text_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Build, and report the result."""
    _check_options(args)
    if not args.overwrite or not (args.path / MANIFEST).exists():
        return _built(args, args.path, args.path)
    # The existing index stays in use until the new one is complete; then it is replaced at once.
    with tempfile.TemporaryDirectory(prefix=f".{args.path.name}.", dir=args.path.parent) as folder:
        return _built(args, Path(folder) / "new", args.path)


def _built(args: argparse.Namespace, path: Path, shown: Path) -> int:
    measure = chosen_measure(args)
    files = [file for file in args.files if not is_vectors(file)]
    # Options of stored tokens ask for tokens, which files of vectors hold: an index has one kind of documents.
    bags = files == args.files and args.dtype is None and args.prefilter is None and args.pool is None
    texts = Texts(args, files, bags=bags)
    started = time.perf_counter()
    bar = Bar("documents", quiet=args.quiet)
    prefilter = "auto" if args.prefilter is None else args.prefilter
    try:
        index = Index.build_on_disk(
            path,
            _batches(args, texts),
            measure,
            prefilter=None if prefilter == "none" else prefilter,
            dtype=args.dtype,
            rescore=args.rescore,
            pool=1 if args.pool is None else args.pool,
            encoder=texts.encoder,
            resume=args.resume,
            progress=bar.show,
        )
    finally:
        bar.close()
    if path != shown:
        index.save(shown, overwrite=True)
    texts.tell()
    seconds = time.perf_counter() - started
    if args.json:
        report = {"path": str(shown), "documents": len(index), "seconds": seconds, "left_out": texts.all_left_out()}
        print(json.dumps(report, indent=2))
    else:
        print(f"{shown}: {index} in {seconds:.1f} s, {len(index) / seconds:.0f} documents/s")
    index.close()
    return 0


def is_vectors(path: Path) -> bool:
    """Whether a file holds vectors, by its name."""
    return path.suffix in VECTOR_SUFFIXES and not path.is_dir()


def _check_options(args: argparse.Namespace) -> None:
    require_one_stdin(*args.files)
    if args.overwrite:
        refuse_options(args, ("resume",), "resumes a build, --overwrite begins a new one: give only one of them")
    if args.dtype is None:
        refuse_options(args, ("rescore",), "keeps the tokens as well as those of a --dtype, which must be given")
    vectors = [path for path in args.files if is_vectors(path)]
    if vectors == args.files:
        refuse_options(args, ("text", "encoding", *ENCODER_OPTIONS), "applies to texts, but these are files of vectors")
    arrow = [path for path in vectors if path.suffix in ARROW_SUFFIXES]
    if not arrow:
        refuse_options(args, COLUMNS, f"applies to columns of {', '.join(ARROW_SUFFIXES)} files, and there are none")
        if vectors == args.files:
            refuse_options(args, ("id", "payload"), "files of bare vectors have no fields")


def _batches(args: argparse.Namespace, texts: Texts) -> Iterator[readers.Batch]:
    for path in filter(is_vectors, args.files):
        options: dict[str, Any] = {}
        if path.suffix in ARROW_SUFFIXES:
            payload = "*" if args.payload == ["*"] else args.payload
            weights = True if args.weights is None else None if args.weights == "none" else args.weights
            options = {
                "id": args.id or "id", "tokens": args.tokens or "tokens", "weights": weights,
                "payload": payload, "dim": args.dim,
            }  # fmt: skip
        yield from readers.read(path, **options)
    yield from texts
