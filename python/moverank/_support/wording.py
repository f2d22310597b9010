"""Words and numbers for printed results."""

from __future__ import annotations

from unicodedata import category

import numpy as np
from numpy.typing import NDArray

#: Control characters, halves of surrogate pairs, separators of lines and paragraphs.
_OBEYED = ("Cc", "Cs", "Zl", "Zp")


def ordinal(n: int) -> str:
    """Write 1 as 1st."""
    suffix = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


#: Marks that change the direction of the text after them, so that a terminal shows it in another order.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    r"""Text with escapes for characters that a terminal would obey and not show: control characters, line ends.

    Examples
    --------
    >>> printable("a\x1b[31mb\n"), printable("naïve 猫")
    ('a\\x1b[31mb\\n', 'naïve 猫')
    """
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if char in _TURNING or category(char) in _OBEYED else char
        for char in text
    )


def on_one_line(text: str, length: int) -> str:
    """Text without line breaks and control characters, cut at `length` characters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= length else line[: length - 1] + "…"


def told_apart(x: float, y: float) -> tuple[str, str]:
    """Write two numbers with as few digits as show that they differ."""
    for digits in (4, 6, 9, 12):
        if f"{x:.{digits}g}" != f"{y:.{digits}g}":
            return f"{x:.{digits}g}", f"{y:.{digits}g}"
    return repr(x), repr(y)


def all_or_not(state: str, reached: NDArray[np.bool_]) -> str:
    """Say whether all reached a state, or how many did not."""
    return f"all {state}" if reached.all() else f"{int((~reached).sum())} not {state}"
