"""A running service for tests: the command, in a process of its own, on a free port."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from moverank.data import demo_documents

DOCS = demo_documents()[:60]


def index_folder(folder):
    """An index of texts as the command line makes it."""
    rows = [
        {"id": d.id, "title": d.title, "text": d.text, "year": 1990 + n, "lang": "en" if n % 2 else "de"}
        for n, d in enumerate(DOCS)
    ]
    (folder / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "moverank", "index", "papers", "docs.jsonl", "--quiet"], cwd=folder, check=True
    )
    return folder / "papers"


class Service:
    """A process that serves.

    Attributes
    ----------
    url : str
        Where.
    log : list of str
        Lines of its log so far.
    """

    def __init__(self, *arguments, cwd=None, env=None):
        command = [sys.executable, "-m", "moverank", "serve", "--port", "0", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **(env or {})}, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.log = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self._address()

    def _read(self):
        with self.process.stderr as lines:
            for line in lines:
                self.log.append(line.rstrip("\n"))

    def _address(self):
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            for line in self.log:
                found = re.search(r"running on (http://[\d.]+:\d+)", line)
                if found:
                    return found[1]
            time.sleep(0.02)
        self.stop()
        raise AssertionError("the service did not start: " + "\n".join(self.log))

    def stop(self, sent=signal.SIGTERM):
        """End it, and return its status."""
        if self.process.poll() is None:
            self.process.send_signal(sent)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(60)
        return status


@contextmanager
def served(*arguments, **options):
    """A service for as long as the context lasts."""
    service = Service(*arguments, **options)
    try:
        yield service
    finally:
        service.stop()
