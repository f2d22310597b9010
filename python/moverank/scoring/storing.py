"""Baselines in files: JSON that people can read, with a checksum, as a digit that changes would change all scores."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from moverank._support.fields import Fields, parsed
from moverank.measures.storing import measure_from_json, measure_to_json
from moverank.vectors.encoder_identity import EncoderIdentity

FORMAT, VERSION = "moverank score baseline", 1

#: Most bytes of a file: an encoder with all the options that it may have fills a fraction of it.
LARGEST = 1 << 24


def to_bytes(attributes: Mapping[str, Any]) -> bytes:
    """Serialise the attributes of a baseline."""
    content = {
        **attributes,
        "encoder": attributes["encoder"].as_json(),
        "measure": measure_to_json(attributes["measure"]),
    }
    head = {"format": FORMAT, "version": VERSION, "crc32": _checksum(content), "content": content}
    return json.dumps(head, indent=1, allow_nan=False).encode() + b"\n"


def from_bytes(octets: bytes) -> dict[str, Any]:
    """Read attributes written by `to_bytes`; ValueError for any other bytes."""
    try:
        return _attributes(octets)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a baseline of moverank: {error}") from None


def _attributes(octets: bytes) -> dict[str, Any]:
    if len(octets) > LARGEST:
        raise ValueError(f"has more than {LARGEST} bytes")
    head = Fields(parsed(octets), "baseline")
    if head.take("format", str) != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    version = head.take("version", int)
    if version != VERSION:
        raise ValueError(f"its format has version {version}, this moverank reads version {VERSION}")
    checksum, content = head.take("crc32", str), head.take("content", dict)
    head.done()
    if checksum != _checksum(content):
        raise ValueError("its checksum is wrong; it is damaged, or somebody changed it")
    fields = Fields(content, "baseline")
    found = {
        **{name: fields.take(name, float) for name in ("precision", "recall", "f1")},
        "pairs": fields.count("pairs"),
        "encoder": EncoderIdentity.from_json(fields.take("encoder", dict)),
        "measure": fields.child("measure", measure_from_json),
        "idf": fields.take_optional("idf", str),
    }
    fields.done()
    return found


def _checksum(content: Mapping[str, Any]) -> str:
    """Of the values, however they are laid out."""
    return f"{zlib.crc32(json.dumps(content, sort_keys=True, allow_nan=False).encode()):08x}"
