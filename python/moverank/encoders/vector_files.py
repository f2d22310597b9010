"""Reading files of word vectors in their common formats; writing and mapping a folder with a converted table."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Table = tuple[list[str], NDArray[np.float32]]

#: Files in the folder that `save_table` writes.
WORDS, VECTORS = "words.txt", "vectors.npy"

#: Longest word in a binary file, in bytes; a file with a longer one is not in this format.
LONGEST = 4096

#: Bytes that are searched for the end of the first line.
FIRST_LINE = 1 << 20

#: Maximum number of digits of a count in the first line.
LONGEST_COUNT = 18


def read_table(path: str | os.PathLike[str], limit: int | None) -> Table:
    """Read words and vectors, only the first `limit` words. The format is recognised by the content.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the format is unknown, or the file is damaged; the message names file and line.
    """
    file = Path(path)
    if file.is_dir():
        return _paired(file, *_mapped(file), limit)
    if file.suffix == ".npz":
        return _paired(file, *_archive(file), limit)
    with file.open("rb") as opened:
        first = opened.readline(FIRST_LINE)
        head = first.split()
        counted = len(head) == 2 and all(count.isdigit() and len(count) <= LONGEST_COUNT for count in head)
        if not counted:
            opened.seek(0)
            return _text(file, opened, None, None, limit, first_line=1)
        count, dim = int(head[0]), int(head[1])
        if dim == 0 or count == 0:
            raise ValueError(f"{file}: its first line states {count} words of {dim} dimensions")
        if dim > file.stat().st_size:
            raise ValueError(f"{file}: its first line states {dim} dimensions, more than the file has bytes")
        start = opened.tell()
        if _is_binary(opened.read(4 * dim + LONGEST), dim):
            opened.seek(start)
            return _binary(file, opened, min(count, limit or count), dim)
        opened.seek(start)
        return _text(file, opened, count, dim, limit, first_line=2)


def save_table(folder: str | os.PathLike[str], words: list[str], vectors: NDArray[np.float32]) -> None:
    """Write a table that can be memory-mapped: vectors as .npy, words one per line."""
    target = Path(folder)
    broken = next((word for word in words if "\n" in word), None)
    if broken is not None:
        raise ValueError(f"words: {broken!r} has a line break, so it cannot be saved")
    target.mkdir(exist_ok=True)
    np.save(target / VECTORS, vectors)
    (target / WORDS).write_bytes("\n".join(words).encode())


def _mapped(folder: Path) -> tuple[list[str], Any]:
    for name in (WORDS, VECTORS):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: has no {name}, so WordVectors.save did not write it")
    try:
        # Read as bytes: in text mode, a carriage return inside a word would end a line.
        words = (folder / WORDS).read_bytes().decode().split("\n")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"{folder / WORDS}:{line}: not UTF-8 text") from None
    try:
        return words, np.lib.format.open_memmap(folder / VECTORS, mode="r")
    except Exception as error:
        raise ValueError(f"{folder / VECTORS}: {error}") from None


def _archive(path: Path) -> tuple[list[str], Any]:
    """Fields `words` (UTF-8 bytes joined by newlines, or strings) and `vectors`."""
    with path.open("rb") as opened:
        try:
            with np.load(opened, allow_pickle=False) as found:
                words, vectors = found["words"], found["vectors"]
            return _strings(words) if words.dtype.kind == "U" else bytes(words).decode().split("\n"), vectors
        except Exception as error:  # numpy and zipfile raise many types for files that are not archives
            raise ValueError(f"{path}: is not an archive of words and vectors: {error}") from None


def _strings(words: NDArray[np.str_]) -> list[str]:
    """Strings of an array; checked first, as numpy accepts any numbers as characters."""
    codes = np.ascontiguousarray(words, dtype=words.dtype.newbyteorder("=")).view(np.uint32)
    if ((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes <= 0xDFFF))).any():
        raise ValueError("words are not text")
    return words.ravel().tolist()


def _paired(path: Path, words: list[str], vectors: Any, limit: int | None) -> Table:
    """Check that there is one vector per word."""
    shape: tuple[int, ...] = getattr(vectors, "shape", ())
    if len(shape) != 2 or shape[0] != len(words):
        raise ValueError(f"{path}: has {len(words)} words, and vectors of shape {shape}")
    return words[:limit], vectors[:limit]


def _is_binary(octets: bytes, dim: int) -> bool:
    """Whether the bytes after the first line are word2vec's binary format: some cannot occur in numbers as text."""
    place = octets.find(b" ")
    following = octets[place + 1 : place + 1 + 4 * dim]
    return any(octet > 0x7E or octet < 0x09 for octet in following)


def _binary(path: Path, opened: BinaryIO, count: int, dim: int) -> Table:
    if count * dim * 4 > path.stat().st_size:
        raise ValueError(
            f"{path}: its first line states {count} words of {dim} dimensions, which need more bytes than the file has"
        )
    vectors = np.empty((count, dim), dtype=np.float32)
    words: list[str] = []
    for row in range(count):
        word = _word(opened)
        octets = opened.read(4 * dim)
        if word is None or len(octets) < 4 * dim:
            raise ValueError(f"{path}: ends at word {row} of {count}, or is not in word2vec's format")
        vectors[row] = np.frombuffer(octets, dtype="<f4")
        words.append(word)
    return words, vectors


def _word(opened: BinaryIO) -> str | None:
    """The next word; None at the end. Some programs write a line break before each word."""
    octets = bytearray()
    while len(octets) < LONGEST:
        octet = opened.read(1)
        if not octet:
            return None
        if octet == b" ":
            return octets.decode(errors="replace").lstrip("\n")
        octets += octet
    return None


def _text(
    path: Path, opened: BinaryIO, count: int | None, dim: int | None, limit: int | None, *, first_line: int
) -> Table:
    """Read lines of a word and its numbers. Words may contain spaces, so numbers are counted from the end."""
    words: list[str] = []
    rows: list[NDArray[np.float32]] = []
    with np.errstate(over="ignore"):  # numbers beyond float32 become infinite, and are refused later as infinite
        for word, vector in _lines(path, opened, dim, first_line):
            if len(words) == limit:
                break
            words.append(word)
            rows.append(vector)
    if not words:
        raise ValueError(f"{path}: has no words")
    if count is not None and limit is None and len(words) != count:
        raise ValueError(f"{path}: its first line states {count} words, but there are {len(words)}")
    return words, np.array(rows)


def _lines(path: Path, opened: BinaryIO, dim: int | None, first_line: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number, line in enumerate(opened, first_line):
        fields = line.rstrip(b" \r\n").split(b" ")
        if fields == [b""]:
            continue
        if dim is not None and len(fields) <= dim:
            raise ValueError(f"{path}:{number}: has {len(fields) - 1} numbers, the lines before have {dim}")
        numbers = fields[1:] if dim is None else fields[-dim:]
        try:
            vector = np.array(numbers, dtype=np.float32)
        except ValueError:
            raise ValueError(f"{path}:{number}: is not a word and numbers: {line[:60]!r}") from None
        if len(numbers) == 0:
            raise ValueError(f"{path}:{number}: has no numbers: {line[:60]!r}")
        if dim is None:
            dim = len(numbers)
        yield b" ".join(fields[: len(fields) - len(numbers)]).decode(errors="replace"), vector
