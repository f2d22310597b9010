"""Files in a folder at any depth, in order: those to read, and the reasons why others are not read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from moverank.errors import TextFormatError
from moverank.readers.texts.formats import FOLDER_SUFFIXES, JSON_SUFFIXES, SHARD_SUFFIXES, suffix_of
from moverank.readers.texts.left_out import LeftOut
from moverank.readers.texts.opening import PACKED, shown

#: Reason for leaving out a file of many documents beside texts.
_DATA = "data, which must be given by its own path"


def part_of_collection(folder: Path, part: str) -> Path | None:
    """The file ``corpus.jsonl`` or ``queries.jsonl`` of a folder of BEIR, compressed or not; None if there is none."""
    return next((path for end in ("", *PACKED) if (path := folder / f"{part}.jsonl{end}").is_file()), None)


def texts_of(folder: Path, left_out: LeftOut) -> tuple[list[Path], bool]:
    """Files to read in a folder, and whether they are texts.

    These are the texts, one document per file; or, if there are none, the files that hold many documents each.

    Raises
    ------
    TextFormatError
        If there are no files of either kind.
    """
    texts: list[Path] = []
    shards: list[Path] = []
    unread: list[tuple[str, Path]] = []
    for path, fault in _walk(folder):
        suffix = suffix_of(path)
        if fault:
            left_out.add(fault, shown(path))
        elif suffix in FOLDER_SUFFIXES:
            texts.append(path)
        elif suffix in SHARD_SUFFIXES:
            shards.append(path)
        else:
            kind = _DATA if suffix in JSON_SUFFIXES else "not named like a text"
            unread.append((f"{kind} ({suffix or 'no extension'})", path))
    if texts:
        unread += [(f"{_DATA} ({suffix_of(path)})", path) for path in shards]
    for reason, path in unread:
        left_out.add(reason, shown(path))
    if not texts and not shards:
        others = f"; left out: {left_out}" if left_out else ""
        raise TextFormatError(f"{shown(folder)}: has no {', '.join(FOLDER_SUFFIXES)} files{others}")
    return texts or shards, bool(texts)


def _walk(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Paths in a folder, sorted by name, with a reason if a path is not read. Links are followed, but not in cycles."""
    pending = [folder]
    seen: set[tuple[int, int]] = set()
    while pending:
        current = pending.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                yield current, "folder already read through another link"
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(current.iterdir())
        except OSError as error:
            yield current, f"cannot be read: {error.strerror}"
            continue
        folders: list[Path] = []
        for path in entries:
            if path.name.startswith("."):
                yield path, "hidden"
                continue
            try:
                mode = path.stat().st_mode
            except OSError as error:
                yield path, "broken link" if path.is_symlink() else f"cannot be read: {error.strerror}"
                continue
            if stat.S_ISDIR(mode):
                folders.append(path)
            else:
                # Reading a pipe or a device might never end.
                yield path, None if stat.S_ISREG(mode) else "not a file"
        pending += reversed(folders)
