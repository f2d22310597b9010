"""What the user can put right."""

from __future__ import annotations

import argparse


class UserError(Exception):
    """Bad input from the command line; its message is all that is shown."""


def refuse_options(args: argparse.Namespace, names: tuple[str, ...], reason: str) -> None:
    """Refuse options that were given and do not apply; nothing that is asked for is passed over.

    Parameters
    ----------
    args : Namespace
        Of which options that were not given are None or False.
    names : tuple of str
        Attributes of it.
    reason : str
        Why they do not apply.
    """
    for name in names:
        if getattr(args, name, None) not in (None, False):
            raise UserError(f"{'-' if len(name) == 1 else '--'}{name.replace('_', '-')}: {reason}")
