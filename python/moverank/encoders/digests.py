"""What encoders say of themselves: digests of what they learnt, and how they cut texts."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from moverank.vectors.encoder_identity import LONGEST, Option

#: Bytes that are read at a time.
BYTES_AT_ONCE = 1 << 22


def digest(pieces: Iterable[Any]) -> str:
    """Digest of pieces of bytes one after the other, as `EncoderIdentity` has it."""
    found = blake2b(digest_size=16)
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    """Digest of files' contents; where one ends and the next begins counts, names do not."""
    return digest(bytes.fromhex(_digest_of_file(path)) for path in paths)


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return digest(iter(lambda: file.read(BYTES_AT_ONCE), b""))


def digest_of_words(words: Iterable[str]) -> str:
    """Digest of words in their order."""
    return digest(word.encode(errors="surrogatepass") + b"\0" for word in words)


def name_of(path: str | os.PathLike[str]) -> str:
    """What a file is called, without its folder, in Unicode."""
    return os.fsencode(Path(path).absolute().name).decode(errors="replace") or os.sep


def tokenizer_options(tokenize: Callable[..., Any]) -> dict[str, Option]:
    """What cuts texts into words, as options of an identity.

    An object says what it is by a method `options`, a dataclass by its fields, and anything by an attribute `identity`
    of type str; a function by its name, if it can be imported. Whatever else is called, such as a lambda, is not known.
    """
    said = getattr(tokenize, "identity", None)
    if isinstance(said, str):
        return {"tokenizer": said[:LONGEST]}
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
