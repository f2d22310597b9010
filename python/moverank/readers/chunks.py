"""Sizes of batches, and the location of errors in a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Maximum documents and bytes per batch. A document with more bytes forms a batch by itself.
DOCUMENTS, BYTES = 8192, 1 << 26


def runs(offsets: NDArray[Any], bytes_per_token: int, documents: int) -> Iterator[tuple[int, int]]:
    """Yield the first document of each batch, and the one after its last."""
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
    """Add to an error in a batch the name of the file and the position of the batch's first document."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"{path}, in the batch that begins at document {first}: {error}") from None
