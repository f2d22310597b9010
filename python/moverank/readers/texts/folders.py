"""Files of a folder, at any depth, in order: those that are texts, and what the others are."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from moverank.errors import TextFormatError
from moverank.readers.texts.formats import FOLDER_SUFFIXES, JSON_SUFFIXES, SHARD_SUFFIXES, suffix_of
from moverank.readers.texts.left_out import LeftOut
from moverank.readers.texts.opening import PACKED, shown


def part_of_collection(folder: Path, part: str) -> Path | None:
    """File of a folder of BEIR, ``corpus`` or ``queries``, packed or not; None if there is none."""
    return next((path for end in ("", *PACKED) if (path := folder / f"{part}.jsonl{end}").is_file()), None)


def texts_of(folder: Path, left_out: LeftOut) -> tuple[list[Path], bool]:
    """Files of a folder that are texts, or else those that hold many documents each, and which of both they are.

    Raises
    ------
    TextFormatError
        If there is neither.
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
            kind = "data to be named by itself" if suffix in JSON_SUFFIXES else "not a text by its name"
            unread.append((f"{kind} ({suffix or 'no ending'})", path))
    if texts:
        unread += [(f"data to be named by itself ({suffix_of(path)})", path) for path in shards]
    for reason, path in unread:
        left_out.add(reason, shown(path))
    if not texts and not shards:
        others = f"; left out: {left_out}" if left_out else ""
        raise TextFormatError(f"{shown(folder)}: no {', '.join(FOLDER_SUFFIXES)} files in it{others}")
    return texts or shards, bool(texts)


def _walk(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Paths of a folder, in order of their names, and why one is not read; links are followed, but not in circles."""
    pending = [folder]
    seen: set[tuple[int, int]] = set()
    while pending:
        place = pending.pop()
        try:
            known = place.stat()
            if (known.st_dev, known.st_ino) in seen:
                yield place, "folder seen before, by another link"
                continue
            seen.add((known.st_dev, known.st_ino))
            inner = sorted(place.iterdir())
        except OSError as error:
            yield place, f"cannot be read: {error.strerror}"
            continue
        folders: list[Path] = []
        for path in inner:
            if path.name.startswith("."):
                yield path, "hidden"
                continue
            try:
                mode = path.stat().st_mode
            except OSError as error:
                yield path, "link to nothing" if path.is_symlink() else f"cannot be read: {error.strerror}"
                continue
            if stat.S_ISDIR(mode):
                folders.append(path)
            else:
                # A pipe or a device might never end.
                yield path, None if stat.S_ISREG(mode) else "not a file"
        pending += reversed(folders)
