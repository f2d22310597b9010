"""Notes on exceptions that pass through."""

from __future__ import annotations


def add_note(error: BaseException, note: str) -> None:
    """Add a line below the message of an error, as `BaseException.add_note` does; Python 3.10 keeps it, unprinted."""
    error.__dict__.setdefault("__notes__", []).append(note)
