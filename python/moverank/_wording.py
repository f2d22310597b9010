"""Words and numbers as results print them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ordinal(n: int) -> str:
    """Write 1 as 1st."""
    suffix = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def on_one_line(text: str, length: int) -> str:
    """Text without line breaks, cut at `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def told_apart(x: float, y: float) -> tuple[str, str]:
    """Write two numbers as short as shows that they differ."""
    for digits in (4, 6, 9, 12):
        if f"{x:.{digits}g}" != f"{y:.{digits}g}":
            return f"{x:.{digits}g}", f"{y:.{digits}g}"
    return repr(x), repr(y)


def all_or_not(state: str, reached: NDArray[np.bool_]) -> str:
    """Say whether all reached a state, or how many did not."""
    return f"all {state}" if reached.all() else f"{int((~reached).sum())} not {state}"
