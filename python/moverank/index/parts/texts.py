"""Texts that are kept beside tokens: back to back in UTF-8, and where each begins in the whole it was cut from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.errors import IndexFormatError
from moverank.index.parts.ids import document_named


def text_arrays(texts: Sequence[str], begins: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Make the arrays of texts of the documents of a part; ValueError if one is not valid Unicode."""
    octets = []
    for position, text in enumerate(texts):
        try:
            octets.append(text.encode())
        except UnicodeEncodeError as error:
            raise ValueError(f"texts: text {position} is not valid Unicode: {error.object!r:.40}") from None
    offsets = np.zeros(len(octets) + 1, dtype=np.int64)
    np.cumsum([len(own) for own in octets], out=offsets[1:])
    joined = np.frombuffer(b"".join(octets), dtype=np.uint8)
    return {"text_offsets": offsets, "text": joined, "text_begin": np.array(begins, dtype=np.int64)}


def text_at(arrays: Mapping[str, NDArray[Any]], position: int) -> tuple[str, int] | None:
    """Text of a document, and where it begins in characters; None if the part keeps no texts."""
    if "text" not in arrays:
        return None
    first, end = arrays["text_offsets"][position : position + 2].tolist()
    try:
        text = arrays["text"][first:end].tobytes().decode()
    except UnicodeDecodeError:
        raise IndexFormatError(
            f"text of {document_named(arrays, position)}: is not UTF-8; the index's files are damaged"
        ) from None
    return text, int(arrays["text_begin"][position])
