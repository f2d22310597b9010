"""Parts of an encoder's identity: digests of its learnt parameters, and the options of its tokenizer."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from moverank.vectors.encoder_identity import LONGEST, Option

#: Bytes read at a time.
BYTES_AT_ONCE = 1 << 22


def digest(pieces: Iterable[Any]) -> str:
    """Digest of the concatenation of pieces of bytes, in the form that `EncoderIdentity` stores."""
    hashed = blake2b(digest_size=16)
    for piece in pieces:
        hashed.update(piece)
    return hashed.hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    """Digest of the contents of files. It depends on the boundaries between files, but not on their names."""
    return digest(bytes.fromhex(_digest_of_file(path)) for path in paths)


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return digest(iter(lambda: file.read(BYTES_AT_ONCE), b""))


def digest_of_words(words: Iterable[str]) -> str:
    """Digest of a list of words, which depends on their order."""
    return digest(word.encode(errors="surrogatepass") + b"\0" for word in words)


def name_of(path: str | os.PathLike[str]) -> str:
    """Name of a file without its folder; bytes that are not valid Unicode are replaced."""
    return os.fsencode(Path(path).absolute().name).decode(errors="replace") or os.sep


def tokenizer_options(tokenize: Callable[..., Any]) -> dict[str, Option]:
    """Describe a tokenizer by options of an encoder's identity.

    Looked at in this order: an attribute `identity` of type str; for objects, the result of a method `options`, or the
    fields of a dataclass; for functions, the qualified name. The tokenizer is None (unknown) for anything else, such as
    a lambda.
    """
    stated = getattr(tokenize, "identity", None)
    if isinstance(stated, str):
        return {"tokenizer": stated[:LONGEST]}
    if not isinstance(tokenize, type):
        own = getattr(tokenize, "options", None)
        found = own() if callable(own) else None
        if found is None and is_dataclass(tokenize):
            found = {field.name: getattr(tokenize, field.name) for field in fields(tokenize)}
        if found is not None:
            options = {name: _plain_value(value) for name, value in found.items()}
            return {"tokenizer": type(tokenize).__name__, **options}
    name = getattr(tokenize, "__qualname__", "")
    if not name or "<" in name:
        return {"tokenizer": None}
    return {"tokenizer": ".".join(filter(None, [getattr(tokenize, "__module__", None), name]))}


def _plain_value(value: Any) -> Option:
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Collection) and all(isinstance(word, str) for word in value):
        return f"{len(value)} words, {digest_of_words(sorted(value))[:8]}" if value else "none"
    return None
