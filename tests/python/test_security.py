"""What SECURITY.md says that moverank never does, it does not: Python tells of each attempt (`sys.addaudithook`)."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import moverank as mr
from moverank.cli import main

#: Beginnings of the names of audit events: the network, other processes, native code of others, unpickling.
FORBIDDEN = (
    *("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "webbrowser."),
    *("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "pty."),
    *("ctypes.", "pickle."),
)

#: Run in a process of its own, as a hook cannot be removed.
WATCHED = """
import os, sys
import faiss, numpy, sqlite3

attempts = []

def watch(event, arguments):
    if event.startswith({forbidden!r}):
        attempts.append(f"{{event}} {{arguments}}")
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if not str(arguments[0]).startswith({folder!r}):
            attempts.append(f"writes to {{arguments[0]}}")

sys.path.insert(0, {tests!r})
sys.addaudithook(watch)
from test_security import {work}
{work}({folder!r})
print(*attempts, sep="\\n", end="")
"""


def everything(folder):
    """The ways from texts, vectors and files to answers; all that is written goes below the folder."""
    parent = Path(folder)
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["demo"]) == 0
        assert main(["info"]) == 0
    texts = ["Shares fell on Tuesday.", "A man performs songs on a street corner.", "The dog sleeps on a sofa."]
    mr.Reranker().rank("who plays music outside?", texts)[0].explain().to_html()
    encoder = mr.encoders.WordVectors.default()
    mr.fit(encoder, texts, ["centring", "idf"]).save(parent / "space.npz")
    mr.spaces.Space.load(parent / "space.npz")
    encoder.save(parent / "words")
    mr.encoders.WordVectors.load(parent / "words")
    docs = encoder.encode(texts).sequences
    np.save(parent / "docs.npy", np.stack([docs[0][:2], docs[1][:2]]))
    list(mr.readers.read(parent / "docs.npy"))
    for number, prefilter in enumerate((None, "HNSW8", mr.Clusters(2), "tokens")):
        path = parent / f"index{number}"
        mr.Index.build(docs, "wrd", payloads=[{"n": n} for n in range(3)], prefilter=prefilter).save(path)
        with mr.Index.open(path, writable=True) as index:
            index.add(docs)
            index.remove([0])
            index.compact()
            index.verify()
            index.search_batch(list(docs), k=2, where="n > 0", num_threads=2)
            if prefilter is not None:
                index.search(docs[0], k=2, candidates=3)
    mr.transport_batch(np.ones((5, 3, 3)), num_threads=2)
    mr.gradients(docs[0], docs[1], "wrd")


def mischief(folder):
    """What the watch has to see."""
    import pickle
    import socket

    subprocess.run([sys.executable, "-c", ""], check=True)
    socket.socket().close()
    pickle.loads(pickle.dumps(OSError))
    (Path(folder).parent / "beside").write_text("")


def attempts_of(work, folder):
    folder.mkdir()
    program = WATCHED.format(forbidden=FORBIDDEN, folder=str(folder), tests=str(Path(__file__).parent), work=work)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow(reason="everything public in a watched process")
def test_nothing_calls_out_starts_a_process_unpickles_or_writes_elsewhere(tmp_path):
    assert attempts_of("everything", tmp_path / "own") == []


@pytest.mark.slow(reason="starts processes")
def test_the_watch_sees_what_it_watches_for(tmp_path):
    seen = " ".join(attempts_of("mischief", tmp_path / "own"))
    for what in ("subprocess.Popen", "socket.__new__", "pickle.find_class", f"writes to {tmp_path / 'beside'}"):
        assert what in seen
