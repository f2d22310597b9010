"""``moverank index``: an index in a folder, from texts or from files of vectors."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from moverank import readers
from moverank._support.storage import TYPES
from moverank.cli.documents import FORMATS, add_text_options, require_one_stdin, say
from moverank.cli.encoders import ENCODER_OPTIONS, add_encoder_options, chosen_encoder
from moverank.cli.errors import UserError, is_given, refuse_options
from moverank.cli.indexes import has_texts
from moverank.cli.options import add_measure_options, check_counts, chosen_measure, chosen_passages
from moverank.cli.progress import Bar
from moverank.cli.texts import Texts, add_payload_option
from moverank.encoders.digests import digest
from moverank.index.disk.manifest import MANIFEST
from moverank.index.index import Index
from moverank.measures.measure import Measure
from moverank.spaces import Space
from moverank.spaces.fitted import measure_learnt_with
from moverank.text_index import ANALYZERS, TextIndex

ARROW_SUFFIXES = (".parquet", ".arrow", ".feather")
VECTOR_SUFFIXES = (".npy", ".safetensors", *ARROW_SUFFIXES)
COLUMNS = ("tokens", "weights", "dim")
OF_TEXTS = ("lexical", "passages", "no_texts", "space")


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "index",
        help="build an index in a folder, from texts or from vectors",
        description="Build an index in a folder from texts, which are encoded and kept beside their vectors and terms, "
        "or from files of token vectors. The index may be larger than memory.",
    )
    parser.add_argument("path", type=Path, help="the folder; it must not exist yet, or be empty")
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help=f"texts: {FORMATS}; or vectors: {', '.join(VECTOR_SUFFIXES)}, see moverank.readers for their contents",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing index, once the new one is built")
    parser.add_argument("--resume", action="store_true", help="resume an interrupted build")
    parser.add_argument("--dtype", choices=list(TYPES), help="how to store tokens (default: vectors as the files do, "
                        "those of texts as float16)")  # fmt: skip
    parser.add_argument(
        "--rescore", action="store_true", help="keep the tokens as they come as well as those of --dtype"
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
    parser.add_argument(
        "--lexical",
        choices=[*ANALYZERS, "none"],
        metavar="LANGUAGE",
        help="with texts: also find them by their terms, which are stems of this language, words as they are "
        "('words'), or pairs of characters ('characters'); 'none' for none (default: english, if moverank[lexical] is "
        f"installed). Languages: {', '.join(name for name in ANALYZERS if name not in ('words', 'characters'))}",
    )
    parser.add_argument(
        "--passages", type=int, metavar="WORDS", help="with texts: cut them into windows of this many words"
    )
    parser.add_argument("--space", type=Path, metavar="FILE", help="with texts: move them, and later queries, into a "
                        "space, such as moverank fit learns; the default measure is then the one that it was learnt "
                        "for")  # fmt: skip
    parser.add_argument("--no-texts", action="store_true", help="do not keep the texts: answers will not show them")
    add_payload_option(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a line")
    add_measure_options(parser)
    add_text_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Build, and report the result."""
    vectors = _check_options(args)
    build = _of_vectors if vectors else _of_texts
    started = time.perf_counter()
    if args.overwrite and (args.path / MANIFEST).exists():
        # The existing index stays in use until the new one is complete; then it is replaced at once.
        with tempfile.TemporaryDirectory(prefix=f".{args.path.name}.", dir=args.path.parent) as folder:
            built = build(args, Path(folder) / "new")
            built.index.save(args.path, overwrite=True)
    else:
        built = build(args, args.path)
    if built.texts is not None:
        built.texts.tell()
    seconds = time.perf_counter() - started
    if args.json:
        left_out = [] if built.texts is None else built.texts.all_left_out()
        report = {"path": str(args.path), "documents": len(built.index), "seconds": seconds, "left_out": left_out}
        print(json.dumps(report, indent=2))
    else:
        print(f"{args.path}: {built.index} in {seconds:.1f} s, {len(built.index) / seconds:.0f} documents/s")
    built.index.close()
    return 0


@dataclass
class _Built:
    """An index, and the texts that it was made of, if any."""

    index: Index | TextIndex
    texts: Texts | None = None


def _of_vectors(args: argparse.Namespace, path: Path) -> _Built:
    bar = Bar("documents", quiet=args.quiet)
    try:
        index = Index.build_on_disk(
            path,
            _batches(args),
            chosen_measure(args),
            prefilter=_prefilter(args),
            dtype=args.dtype,
            rescore=args.rescore,
            pool=1 if args.pool is None else args.pool,
            resume=args.resume,
            progress=bar.show,
        )
    finally:
        bar.close()
    return _Built(index)


def _of_texts(args: argparse.Namespace, path: Path) -> _Built:
    texts = Texts(args, args.files)
    options: dict[str, Any] = {
        "encoder": chosen_encoder(args),
        "measure": _measure_of_texts(args),
        "lexical": _lexical(args),
        "passages": chosen_passages(args),
        "store_texts": not args.no_texts,
        "dtype": args.dtype,
        "rescore": args.rescore,
        "prefilter": _prefilter(args),
        "pool": 1 if args.pool is None else args.pool,
        "space": None if args.space is None else Space.load(args.space),
    }
    resuming = args.resume and (path / MANIFEST).exists()
    index = _begun(path, args, options) if resuming else TextIndex.create(path, **options)
    bar = Bar("documents", quiet=args.quiet)
    try:
        texts.put_into(index, resuming=resuming, progress=bar.show)
    except BaseException:
        is_empty = not len(index)
        index.close()
        if is_empty and not resuming:
            shutil.rmtree(path, ignore_errors=True)
        raise
    finally:
        bar.close()
    return _Built(index, texts)


def _begun(path: Path, args: argparse.Namespace, options: dict[str, Any]) -> TextIndex:
    """The index of texts in a folder, which must have been begun with the same options."""
    if not has_texts(path):
        raise UserError(f"{path}: is an index of vectors without texts, and the files are texts")
    index = TextIndex.open(path, encoder=options["encoder"], writable=True)
    twin = TextIndex.create(**options)
    facts: dict[str, Callable[[TextIndex], object]] = {
        "--measure": lambda own: own.measure,
        "--lexical": lambda own: own.lexical,
        "--passages": lambda own: own.passages,
        "--no-texts": lambda own: own.stores_texts,
        "--prefilter": lambda own: own.index.prefilter,
        "--pool": lambda own: own.index.pool,
        "--space": lambda own: own.index.space and f"{own.index.space!r}, {digest([own.index.space.to_bytes()])}",
        "--dtype": lambda own: (own.index._snapshot.setup.dtype, own.index._snapshot.setup.codes),
    }
    # One option may change what another's default is: those that were given come first.
    given = sorted(facts, key=lambda option: not is_given(args, option[2:].replace("-", "_")))
    for option in given:
        fact = facts[option]
        found, wanted = fact(index), fact(twin)
        if found != wanted:
            index.close()
            raise UserError(f"--resume: the index was begun with another {option}: {found}, not {wanted}")
    return index


def is_vectors(path: Path) -> bool:
    """Whether a file holds vectors, by its name."""
    return path.suffix in VECTOR_SUFFIXES and not path.is_dir()


def _measure_of_texts(args: argparse.Namespace) -> Measure:
    """The measure of the options, or else the one that the space was learnt for, which is told."""
    learnt = None if args.space is None else measure_learnt_with(args.space)
    measure = chosen_measure(args, learnt)
    if learnt is not None:
        name = args.space.name
        other = "" if measure == learnt else f", as the options say; {name} was learnt for {learnt.name}"
        say(f"the measure is {measure.name}{other or f', which {name} was learnt for'}")
    return measure


def _lexical(args: argparse.Namespace) -> str | None:
    if args.lexical is None and find_spec("tantivy") is None:
        say("texts will be found by their tokens alone; pip install 'moverank[lexical]' finds them by terms as well")
        return None
    return None if args.lexical == "none" else args.lexical or "english"


def _prefilter(args: argparse.Namespace) -> str | None:
    return "auto" if args.prefilter is None else None if args.prefilter == "none" else args.prefilter


def _check_options(args: argparse.Namespace) -> list[Path]:
    """Refuse options that do not apply, and return the files of vectors: all of the files, or none."""
    require_one_stdin(*args.files)
    check_counts(args, "passages")
    if args.overwrite:
        refuse_options(args, ("resume",), "resumes a build, --overwrite begins a new one: give only one of them")
    if args.dtype is None:
        refuse_options(args, ("rescore",), "keeps the tokens as well as those of a --dtype, which must be given")
    vectors = [path for path in args.files if is_vectors(path)]
    arrow = [path for path in vectors if path.suffix in ARROW_SUFFIXES]
    if not arrow:
        refuse_options(args, COLUMNS, f"applies to columns of {', '.join(ARROW_SUFFIXES)} files, and there are none")
    if not vectors:
        return []
    if vectors != args.files:
        texts = next(path for path in args.files if path not in vectors)
        raise UserError(f"{vectors[0]} has vectors, and {texts} texts: an index has the one or the other")
    reason = "applies to texts, but these are files of vectors"
    refuse_options(args, ("text", "encoding", *OF_TEXTS, *ENCODER_OPTIONS), reason)
    if not arrow:
        refuse_options(args, ("id", "payload"), "files of bare vectors have no fields")
    return vectors


def _batches(args: argparse.Namespace) -> Iterator[readers.Batch]:
    for path in args.files:
        options: dict[str, Any] = {}
        if path.suffix in ARROW_SUFFIXES:
            payload = "*" if args.payload == ["*"] else args.payload
            weights = True if args.weights is None else None if args.weights == "none" else args.weights
            options = {
                "id": "id" if args.id is None else args.id, "weights": weights,
                "tokens": "tokens" if args.tokens is None else args.tokens,
                "payload": payload, "dim": args.dim,
            }  # fmt: skip
        yield from readers.read(path, **options)
