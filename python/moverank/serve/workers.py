"""Worker processes: they end with the process that started them, and count for it what they do."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import connection, parent_process
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead


def end_with_parent() -> None:
    """Ask this process to end when its parent is gone, even if that was killed."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="moverank-parent", daemon=True).start()


def forget_dead(folder: str) -> None:
    """Leave out the states of processes that were killed, which could not say that they are over."""
    if os.name != "posix":  # elsewhere to ask whether a process lives would end it
        return
    for path in Path(folder).glob("gauge_live*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, folder)
