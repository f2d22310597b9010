"""Names of tokens that stand for several: those of their members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from moverank.measures.pooling import members_of

#: Members that a name lists; a name of more lists one less, and counts the others.
LISTED = 4


def pooled_names(names: Sequence[str], pooled_into: NDArray[np.int32], count: int) -> tuple[str, ...]:
    """Name of each pooled token, from those of the tokens that were pooled."""
    return tuple(
        " + ".join(_shortened([names[t] for t in members.tolist()])) for members in members_of(pooled_into, count)
    )


def pooled_positions(pooled_into: NDArray[np.int32], count: int) -> tuple[str, ...]:
    """The same from positions."""
    return tuple(
        f"[{'+'.join(_shortened(list(map(str, members.tolist()))))}]" for members in members_of(pooled_into, count)
    )


def _shortened(names: list[str]) -> list[str]:
    """The first names, and how many others there are."""
    if len(names) <= LISTED:
        return names
    return [*names[: LISTED - 1], f"{len(names) - LISTED + 1} more"]
