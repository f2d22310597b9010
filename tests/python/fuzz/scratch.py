"""Where targets put the files that readers are to read."""

import os
import tempfile
from pathlib import Path


def scratch_folder():
    """Make a folder that goes with the process, in memory if it can be: a target writes files for every input."""
    memory = Path("/dev/shm")
    folder = tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)
    _kept.append(folder)
    return Path(folder.name)


_kept = []
