"""How much of a file is taken at a time, and how errors say where in it they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Most documents and bytes in a batch; a larger document makes a batch of its own.
DOCUMENTS, BYTES = 8192, 1 << 26


def runs(offsets: NDArray[Any], bytes_per_token: int, documents: int) -> Iterator[tuple[int, int]]:
    """First document of each batch, and the one after its last."""
    n = len(offsets) - 1
    tokens = max(BYTES // max(bytes_per_token, 1), 1)
    first = 0
    while first < n:
        last = int(np.searchsorted(offsets, offsets[first] + tokens, side="right")) - 1
        last = min(max(last, first + 1), first + documents, n)
        yield first, last
        first = last


@contextmanager
def locating(path: Path, first: int) -> Iterator[None]:
    """Say of an error in a batch in which file it is, and at which of the file's documents the batch begins."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"{path}, batch from document {first} on: {error}") from None
