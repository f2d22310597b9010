"""Files that may be missing, or not what they seem."""

from __future__ import annotations

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
