"""The command line: ``moverank COMMAND``, a module per command.

Read `command` first, which a shell starts; all texts are ranked by `Reranker`.
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence

from moverank import __version__
from moverank._support import launch
from moverank._support.wording import printable
from moverank.cli import (
    add,
    bench,
    demo,
    evaluate,
    explain,
    fit,
    index,
    info,
    recall,
    remove,
    rerank,
    score,
    score_baseline,
    search,
    serve,
    verify,
)
from moverank.cli.errors import UserError, require_texts
from moverank.cli.process import forget_output, prepare_streams
from moverank.errors import DuplicateIdError, IndexExistsError, IndexIncompleteError, UnknownIdError

#: Errors of the package about bad input; each message says what was wrong.
_OF_INPUT = (UserError, ValueError, TypeError, OSError, RuntimeError, ImportError, MemoryError, UnknownIdError)
#: Advice of the package to programs, and the same for the command line.
_ADVICE: dict[type[Exception], tuple[str, str]] = {
    IndexExistsError: ("overwrite=True replaces it", "--overwrite replaces it"),
    IndexIncompleteError: ("Index.build_on_disk(..., resume=True) resumes it", "moverank index --resume resumes it"),
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
    of_texts = (demo, index, add, remove, search, recall, rerank, explain, score, score_baseline, fit, evaluate)
    for command in (*of_texts, serve, info, verify, bench):
        command.add_parser(commands)
    return parser


def command() -> int:
    """Run the command line as a process: `main`, and the handling of signals and streams around it."""
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
        Exit status: 0 for success, 1 if a check found a fault, 2 for bad input, 130 after Ctrl-C.
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
    """Flush what was printed before an error, unless printing failed."""
    try:
        sys.stdout.flush()
    except OSError:
        forget_output()
