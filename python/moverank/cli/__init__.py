"""The command line: ``moverank demo | index | search | rerank | explain | eval | info | verify | bench``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from moverank import __version__
from moverank.cli import bench, demo, evaluate, explain, index, info, rerank, search, verify
from moverank.cli.errors import UserError


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; each subcommand adds its own part."""
    parser = argparse.ArgumentParser(
        prog="moverank",
        description="Rank documents by optimal transport between sequences of word vectors.",
    )
    parser.add_argument("--version", action="version", version=f"moverank {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (demo, index, search, rerank, explain, evaluate, info, verify, bench):
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status: 0 for success, 2 for bad input, 130 after Ctrl-C.
    """
    args = build_parser().parse_args(argv)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except UserError as error:
        print(f"moverank: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("moverank: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
