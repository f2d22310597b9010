"""Files that may be missing, or not what they seem, and files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
import zlib
from pathlib import Path

#: What NumPy, zipfile and json raise for files that are not what they seem.
UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    MemoryError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def require_file(path: Path) -> Path:
    """Refuse a missing file before anything is read."""
    if not path.is_file():
        raise FileNotFoundError(2, "No such file", str(path))
    return path


def write_whole(path: Path, octets: bytes) -> None:
    """Write a small file so that, whatever happens, it has its old content or all of the new one.

    Errors of the system name the file, which those about a full disk do not.
    """
    target = Path(os.path.realpath(path))  # a link goes on leading to the file that is replaced
    new = target.with_name(f".{secrets.token_hex(8)}.new")
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(octets)  # a pipe or a device has no content to keep
            return
        try:
            with new.open("xb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, new)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
