"""The command line: ``moverank COMMAND``, a module per command.

Read `command` first, what a shell starts; `Reranker` is the one road that texts take to a ranking.
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence

from moverank import __version__
from moverank._support import launch
from moverank._support.wording import printable
from moverank.cli import add, bench, demo, evaluate, explain, index, info, remove, rerank, search, verify
from moverank.cli.errors import UserError, require_texts
from moverank.cli.process import forget_output, prepare_streams
from moverank.errors import DuplicateIdError, IndexExistsError, IndexIncompleteError, UnknownIdError

#: What the package raises of input that it cannot take; each message says what was wrong.
_OF_INPUT = (UserError, ValueError, TypeError, OSError, RuntimeError, ImportError, MemoryError, UnknownIdError)
#: What the package advises to programs, and what that is on the command line.
_ADVICE: dict[type[Exception], tuple[str, str]] = {
    IndexExistsError: ("overwrite=True replaces it", "--overwrite replaces it"),
    IndexIncompleteError: ("Index.build_on_disk(..., resume=True) goes on", "moverank index --resume goes on"),
    DuplicateIdError: ("upsert replaces documents", "--replace replaces documents"),
}


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; each subcommand adds its own part."""
    parser = argparse.ArgumentParser(
        prog="moverank",
        description="Rank documents by optimal transport between sequences of word vectors.",
    )
    parser.add_argument("--version", action="version", version=f"moverank {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (demo, index, add, remove, search, rerank, explain, evaluate, info, verify, bench):
        command.add_parser(commands)
    return parser


def command() -> int:
    """Run the command line as the process that this is: `main`, and what has to be so around it."""
    if not prepare_streams():
        print("moverank: error: standard output is closed", file=sys.stderr)
        return 2
    launch.raise_when_interrupted()
    try:
        return main()
    finally:
        launch.end_when_interrupted()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status: 0 for success, 1 if what was checked is not sound, 2 for bad input, 130 after Ctrl-C.
    """
    try:
        try:
            args = build_parser().parse_args(argv)
        except SystemExit:
            sys.stdout.flush()  # of the help
            raise
        require_texts(args)
        status: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("moverank: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has seen enough.
        forget_output()
        return 0
    except _OF_INPUT as error:
        _flush_what_there_is()
        print(f"moverank: error: {printable(_message(error))}", file=sys.stderr)
        return 2
    return status


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError) and not str(error):
        return "not enough memory"
    if type(error) is OSError and error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF):
        return f"standard output: {error.strerror}"
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    for kind, advice in _ADVICE.items():
        if isinstance(error, kind):
            message = message.replace(*advice)
    return message


def _flush_what_there_is() -> None:
    """Let out what was printed before an error, unless that is what failed."""
    try:
        sys.stdout.flush()
    except OSError:
        forget_output()
