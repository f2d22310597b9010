"""Errors that the user can correct."""

from __future__ import annotations

import argparse


class UserError(Exception):
    """Bad input from the command line; only its message is shown."""


def is_given(args: argparse.Namespace, name: str) -> bool:
    """Whether an option was given: 0 is a value, and equal to False, but not the same."""
    value = getattr(args, name, None)
    return value is not None and value is not False


def refuse_options(args: argparse.Namespace, names: tuple[str, ...], reason: str) -> None:
    """Refuse options that do not apply, so that none is ignored silently.

    Parameters
    ----------
    args : Namespace
        Parsed options; those not given are None or False.
    names : tuple of str
        Attributes of it.
    reason : str
        Why they do not apply.
    """
    for name in names:
        if is_given(args, name):
            raise UserError(f"{_option(name)}: {reason}")


def require_texts(args: argparse.Namespace) -> None:
    """Refuse arguments whose bytes are not text, as they are refused in files; paths may have any bytes.

    Python passes them as lone surrogates, and tokenizers would cut words at these, as at any unknown character.
    """
    for name, value in vars(args).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any("\ud800" <= char <= "\udfff" for char in text):
                raise UserError(f"{_option(name)}: not UTF-8 text: {text!r}")


def _option(name: str) -> str:
    """How an option or a positional argument is written."""
    if name in ("query", "document", "ids"):
        return name
    return f"{'-' if len(name) == 1 else '--'}{name.replace('_', '-')}"
