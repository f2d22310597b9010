"""What another layer keeps with an index: facts and files under the same manifest, so that both change as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Names of attached files: each can be the name of a file in any folder.
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


class AttachedFile:
    """An attached file that never changes.

    Parameters
    ----------
    octets : bytes-like
        Its content, in memory or mapped, so that it outlives the file.
    path : Path, optional
        The file, if there is one; another process may have deleted it since.
    check : callable, optional
        Raises IndexFormatError if the content is not what was written.
    """

    def __init__(self, octets: Any, path: Path | None = None, check: Callable[[], None] | None = None) -> None:
        self.octets = octets
        self.path = path
        self._check = check

    def __reduce__(self) -> tuple[Any, ...]:
        return AttachedFile, (bytes(self.octets),)

    def require(self) -> None:
        """Raise IndexFormatError if the content is damaged. The first call reads all of it."""
        if self._check is not None:
            self._check()
            self._check = None


@dataclass(frozen=True, eq=False)
class Attachment:
    """Facts and files that belong to one state of an index. The index stores them and does not look into them.

    Attributes
    ----------
    facts : mapping
        A JSON object.
    files : mapping of AttachedFile
        Files by name; names match `NAME`.
    """

    facts: Mapping[str, Any]
    files: Mapping[str, AttachedFile] = field(default_factory=dict)
