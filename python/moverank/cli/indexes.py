"""An index given to a command: options must agree with how it was built."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from moverank.cli.documents import say
from moverank.cli.encoders import chosen_encoder, names_encoder
from moverank.cli.errors import UserError
from moverank.cli.options import measure_of_texts
from moverank.encoders import Encoder
from moverank.errors import EncoderMismatchError, MeasureMismatchError
from moverank.index.disk.manifest import read_manifest
from moverank.index.index import Index
from moverank.measures.measure import Measure
from moverank.ranking import Reranker
from moverank.text_index import TextIndex


def add_override(parser: argparse.ArgumentParser) -> None:
    """Add the option to use an encoder other than the index's."""
    parser.add_argument(
        "--any-encoder",
        action="store_true",
        help="accept an index built with another encoder; distances between the two are usually meaningless",
    )


def has_texts(path: Path) -> bool:
    """Whether a folder has an index of texts, not of vectors alone; errors are those of `Index.open`."""
    attachment = read_manifest(path).attachment
    return attachment is not None and "text_index" in attachment.facts


def opened_texts(path: Path, args: argparse.Namespace, **options: Any) -> TextIndex:
    """The index of texts in a folder, whose encoder options may name, though they need not.

    Raises
    ------
    UserError
        If it has no texts; or they name another encoder, and that is not overridden.
    """
    if not has_texts(path):
        raise UserError(f"{path}: is an index of vectors without texts, which moverank.Index opens and changes")
    encoder = chosen_encoder(args) if names_encoder(args) else None
    try:
        return TextIndex.open(path, encoder=encoder, check_encoder=not args.any_encoder, **options)
    except EncoderMismatchError as error:
        raise UserError(f"{error}; --any-encoder accepts it anyway" if encoder is not None else str(error)) from None


def encoder_for(index: Index, args: argparse.Namespace) -> Encoder:
    """Encoder that the options name, which must be the index's; if that cannot be checked, say so.

    Raises
    ------
    UserError
        If it is another one, and that is not overridden.
    """
    encoder = chosen_encoder(args)
    if not args.any_encoder:
        try:
            check = index.require_encoder(encoder)
        except EncoderMismatchError as error:
            raise UserError(f"{error}; --any-encoder accepts it anyway") from None
        if not check.same:
            say(str(check))
    return encoder


def ranker_for(index: Index, args: argparse.Namespace, **options: Any) -> Reranker:
    """Reranker of an index of vectors, with the index's measure and encoder."""
    return Reranker(
        encoder_for(index, args), require_measure_of(index, args), check_encoder=not args.any_encoder, **options
    )


def require_measure_of(index: Index | TextIndex, args: argparse.Namespace) -> Measure:
    """Measure of an index; options that name another are refused.

    Raises
    ------
    MeasureMismatchError
        If it is not.
    """
    own = index.measure
    wanted = own if args.measure is None else measure_of_texts(args.measure)
    capacity = own.capacity if args.capacity is None else args.capacity
    try:
        wanted = wanted.replace(capacity=capacity)
    except ValueError:
        # A measure without capacity differs from that of an index with one.
        if args.capacity is not None:
            raise
    if wanted != own:
        given = {"measure": args.measure, "capacity": args.capacity}
        said = " ".join(f"--{name} {value}" for name, value in given.items() if value is not None)
        raise MeasureMismatchError(
            f"{said}: the index was built for {own.name}; omit the option, or build another index"
        )
    return own


def id_of(index: Index | TextIndex, given: str) -> int | str:
    """Id of a document as an index has it: a string, or a whole number."""
    name: int | str = ids_of(index, [given])[0]
    return name


def ids_of(index: Index | TextIndex, given: Iterable[str]) -> list[Any]:
    """The same for several; the type of the index's ids is looked up once, as that reads all ids."""
    if not isinstance(next(iter(_ids(index)), ""), int):
        return list(given)
    numbers = []
    for name in given:
        try:
            numbers.append(int(name))
        except ValueError:
            raise UserError(f"{name!r} is not an id of this index, whose ids are whole numbers") from None
    return numbers


def _ids(index: Index | TextIndex) -> Iterable[Any]:
    if isinstance(index, TextIndex):
        return index
    ids: list[Any] = index.ids[:1].tolist()
    return ids
