"""An index given to a command: options must agree with how it was built."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from moverank.cli.documents import say
from moverank.cli.encoders import chosen_encoder
from moverank.cli.errors import UserError
from moverank.cli.options import measure_of_texts
from moverank.encoders import Encoder
from moverank.errors import EncoderMismatchError, MeasureMismatchError
from moverank.index.index import Index
from moverank.measures.measure import Measure
from moverank.ranking import Reranker


def add_override(parser: argparse.ArgumentParser) -> None:
    """Add the option to use an encoder other than the index's."""
    parser.add_argument(
        "--any-encoder",
        action="store_true",
        help="accept an index built with another encoder; distances between the two are usually meaningless",
    )


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
    """Reranker of an index, with the index's measure and encoder."""
    return Reranker(
        encoder_for(index, args), require_measure_of(index, args), check_encoder=not args.any_encoder, **options
    )


def require_measure_of(index: Index, args: argparse.Namespace) -> Measure:
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


def id_of(index: Index, given: str) -> int | str:
    """Id of a document as an index has it: a string, or a whole number."""
    name: int | str = ids_of(index, [given])[0]
    return name


def ids_of(index: Index, given: Iterable[str]) -> list[Any]:
    """The same for several; the type of the index's ids is looked up once, as that reads all ids."""
    if not len(index) or index.ids.dtype.kind != "i":
        return list(given)
    numbers = []
    for name in given:
        try:
            numbers.append(int(name))
        except ValueError:
            raise UserError(f"{name!r} is not an id of this index, whose ids are whole numbers") from None
    return numbers
