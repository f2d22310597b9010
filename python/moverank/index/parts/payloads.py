"""Payloads: one JSON value per document, stored beside its tokens. The texts of a part lie back to back in UTF-8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.errors import IndexFormatError
from moverank.index.parts.ids import document_named
from moverank.index.parts.payload_values import json_value, payload_list


def payload_arrays(payloads: Any, count: int) -> dict[str, NDArray[Any]]:
    """Check payloads and make their arrays; no arrays if no document has a payload.

    Raises
    ------
    TypeError, ValueError
        If a payload is not a JSON value, or there is not one per document; the message names the document.
    """
    if payloads is None:
        return {}
    listed = payload_list(payloads)
    if len(listed) != count:
        raise ValueError(f"payloads: expected {count}, one per document, got {len(listed)}")
    texts = [b"" if value is None else _text_of(value, position) for position, value in enumerate(listed)]
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    if offsets[-1] == 0:
        return {}
    text = np.frombuffer(b"".join(texts), dtype=np.uint8)
    offsets.flags.writeable = False
    return {"payload_offsets": offsets, "payload_text": text}


def _text_of(value: Any, position: int) -> bytes:
    where = f"payloads: document {position}"
    try:
        plain = json_value(value)
        return json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None
    except UnicodeEncodeError as error:
        raise ValueError(f"{where}: {error.object!r:.40} is not valid Unicode") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def payload_at(arrays: Mapping[str, NDArray[Any]], position: int) -> Any:
    """Payload of a document; None if it has none."""
    text = texts_of(arrays, position, position + 1)[0] if "payload_text" in arrays else b""
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise IndexFormatError(
            f"payload of {document_named(arrays, position)}: is not JSON; the index's files are damaged"
        ) from None


def is_json(octets: bytes) -> bool:
    """Whether octets are JSON."""
    try:
        json.loads(octets)
    except (ValueError, RecursionError):
        return False
    return True


def texts_at(arrays: Mapping[str, NDArray[Any]], places: NDArray[np.int64]) -> list[bytes]:
    """JSON texts of the payloads of documents at increasing positions, at least one; empty where there is none."""
    if "payload_text" not in arrays:
        return [b""] * len(places)
    first, last = int(places[0]), int(places[-1]) + 1
    if last - first == len(places):
        return texts_of(arrays, first, last)
    offsets, text = arrays["payload_offsets"], arrays["payload_text"]
    spans = zip(offsets[places].tolist(), offsets[places + 1].tolist(), strict=True)
    return [text[start:end].tobytes() for start, end in spans]


def texts_of(arrays: Mapping[str, NDArray[Any]], first: int, last: int) -> list[bytes]:
    """JSON texts of the payloads of documents `first` to `last`; empty where there is none."""
    offsets = arrays["payload_offsets"][first : last + 1].tolist()
    octets = arrays["payload_text"][offsets[0] : offsets[-1]].tobytes()
    return [octets[start - offsets[0] : end - offsets[0]] for start, end in pairwise(offsets)]
