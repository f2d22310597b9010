"""Options that several commands share."""

from __future__ import annotations

import argparse

from moverank.cli.errors import UserError
from moverank.measures.measure import NAMED, Measure
from moverank.ranking import DEFAULT_MEASURE, Passages

#: Names of measures that compute costs from vectors.
OF_TEXTS = [name for name, named in NAMED.items() if not named._cost.is_given]


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a search: k, measure, capacity, output."""
    parser.add_argument("-k", type=int, default=10, help="documents to return (default: 10)")
    add_measure_options(parser)
    parser.add_argument("--threads", type=int, help="threads to use (default: all cores)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def add_measure_options(
    parser: argparse.ArgumentParser, *, capacity: float = DEFAULT_MEASURE.capacity, help_of_capacity: str | None = None
) -> None:
    """Add the options of the measure; `capacity` is the default under wrd, its help by default that of a search."""
    suited = "two sentences" if capacity == 1 else "short queries against long documents"
    of_search = (
        "how many times its mass a document token may take, at least 1; with 1 the query must explain the whole "
        f"document, with inf any part of it (default: {capacity:g} with wrd, which suits {suited}; else the measure's "
        "own)"
    )
    parser.add_argument("--measure", help=f"one of {', '.join(OF_TEXTS)} (default: wrd)")
    parser.add_argument("--capacity", type=float, help=help_of_capacity or of_search)
    parser.set_defaults(default_capacity=capacity)


def chosen_measure(args: argparse.Namespace, learnt: Measure | None = None) -> Measure:
    """Measure that the options name; where they name none, the one that a space was learnt for, if it was."""
    if learnt is not None and args.measure is None:
        return learnt if args.capacity is None else learnt.replace(capacity=args.capacity)
    name = "wrd" if args.measure is None else args.measure
    chosen = measure_of_texts(name)
    if args.capacity is not None:
        return chosen.replace(capacity=args.capacity)
    return chosen.replace(capacity=args.default_capacity) if name == "wrd" else chosen


def measure_of_texts(name: str) -> Measure:
    """Measure by its name; measures with given costs do not apply to texts."""
    if name in OF_TEXTS:
        return Measure.of(name)
    fault = f"--measure {name}: its costs are given" if name in NAMED else f"--measure: unknown measure {name!r}"
    raise UserError(f"{fault}; texts are compared by {', '.join(OF_TEXTS)}")


def check_counts(args: argparse.Namespace, *names: str) -> None:
    """Refuse counts that make no sense before any work is done."""
    for name in names or ("k", "threads"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"{'-' if name == 'k' else '--'}{name} must be at least 1, got {value}")


def candidates_count(args: argparse.Namespace, default: int | None) -> int | None:
    """Number of candidates that an option names; None for all."""
    given: str | None = args.candidates
    if given is None or given == "all":
        return default if given is None else None
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise UserError(f"--candidates: expected a whole number of at least 1, or 'all', got {given!r}")
    return int(given)


def chosen_passages(args: argparse.Namespace) -> Passages | None:
    """Windows of the words that an option names, a third of which overlap; None for whole documents."""
    words: int | None = args.passages
    return None if words is None else Passages(words, words // 3, args.segmenter)
