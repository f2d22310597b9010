"""Disks that are full, slow or not to be written to, and processes without file handles: all of it real.

What each call to the system may do wrong is in crash/.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

import moverank as mr
from crash.disk import Disk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are Linux's")

#: What scripts begin with: documents, and an index in the folder that they are given.
SETTING = """
import os, resource, shutil, sys, time
from pathlib import Path
import numpy as np
import moverank as mr
import moverank.readers  # while modules can still be read
folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
docs = mr.Sequences([rng.normal(size=(4, 8)) for _ in range(50)])

def answers(index):
    hits = index.search(docs[3], 9)
    return len(index), hits.ids.tolist(), hits.distances.tolist()

def refused(kind, call):
    try:
        call()
    except kind as error:
        return str(error)
    raise SystemExit(f"{call} was not refused")
"""


def run(script, *arguments, prefix=()):
    command = [*prefix, sys.executable, "-X", "faulthandler", "-c", SETTING + script, *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


# ---- file handles ----------------------------------------------------------------------------------------------------

HANDLES = """
mr.Index.build(docs, "wmd").save(folder)
index = mr.Index.open(folder, writable=True)
before = answers(index)
usual = resource.getrlimit(resource.RLIMIT_NOFILE)
batch = mr.readers.Batch(docs)
calls = {
    "open": lambda: mr.Index.open(folder).search(docs[3], 1),
    "verify": index.verify,
    "add": lambda: index.remove(index.add(docs[:2])),
    "compact": index.compact,
    "save": lambda: mr.Index.build(docs, "wmd").save(folder.with_name("saved"), overwrite=True),
    "build_on_disk": lambda: mr.Index.build_on_disk(folder.with_name("built"), [batch], "wmd"),
}
failed = set()
for name, call in calls.items():
    for free in range(8):
        used = os.listdir("/proc/self/fd")
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(used) - 1 + free, usual[1]))
        try:
            call()
        except OSError as error:
            resource.setrlimit(resource.RLIMIT_NOFILE, usual)
            assert error.errno == 24, repr(error)
            assert isinstance(error, mr.IndexWriteError) or name in ("open", "verify"), repr(error)
            failed.add(name)
            left = used
        else:
            resource.setrlimit(resource.RLIMIT_NOFILE, usual)
            left = os.listdir("/proc/self/fd")
        # Only now, as an error keeps what its traceback refers to.
        assert os.listdir("/proc/self/fd") == left, f"{name} lost handles"
        assert answers(index) == before == answers(mr.Index.open(folder))
        shutil.rmtree(folder.with_name("built"), ignore_errors=True)
    call()
index.verify()
assert answers(index) == before
print(*sorted(failed))
"""


@pytest.mark.slow(reason="starts processes")
def test_a_process_without_file_handles_gets_an_error_and_keeps_its_index(tmp_path):
    assert run(HANDLES, tmp_path / "index").split() == ["add", "build_on_disk", "compact", "open", "save", "verify"]


# ---- permissions -----------------------------------------------------------------------------------------------------

NO_PERMISSION = """
mr.Index.build(docs, "wmd").save(folder)
index = mr.Index.open(folder, writable=True)
index.remove(index.add(docs[:2]))
before = answers(index)
if os.geteuid() == 0:  # who may write everywhere
    for path in (folder.parent, folder, *folder.iterdir()):
        os.chown(path, 65534, 65534)
    os.setuid(65534)
folder.parent.chmod(0o555)
folder.chmod(0o555)
for change in (lambda: index.add(docs[:2]), lambda: index.remove([3]), index.compact):
    assert "no permission to write: Permission denied" in refused(mr.NoPermissionError, change)
    assert answers(index) == before == answers(mr.Index.open(folder))
new = folder.with_name("new")
for write in (
    lambda: mr.Index.build(docs, "wmd").save(new),
    lambda: mr.Index.build_on_disk(new, [mr.readers.Batch(docs)], "wmd"),
):
    refused(mr.NoPermissionError, write)
index.close()
(folder / "lock").chmod(0o444)
refused(mr.NoPermissionError, lambda: mr.Index.open(folder, writable=True))
folder.chmod(0o755)
(folder / "lock").chmod(0o644)
folder.parent.chmod(0o755)
with mr.Index.open(folder, writable=True) as index:
    index.add(docs[:2])
    index.verify()
"""


def test_a_folder_that_may_not_be_written_is_read_and_left_alone():
    # Not in tmp_path, which no other user may enter.
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        run(NO_PERMISSION, Path(parent) / "index")


def in_a_mount(folder, how):
    """Command that goes on where `how` was done to a mount of its own; skips where that is not allowed."""
    prefix = ["unshare", "--mount", "sh", "-c", f'{how} && exec "$0" "$@"']
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    return prefix


def test_a_disk_that_is_mounted_read_only_is_read(tmp_path):
    folder = tmp_path / "index"
    docs = [np.eye(3), np.eye(3)[1:]]
    mr.Index.build(docs, "wmd").save(folder)
    script = """
index = mr.Index.open(folder)
assert index.verify().documents == 2
assert index.search(np.eye(3), 1).ids.tolist() == [0]
for mmap in (True, False):
    refused(mr.NoPermissionError, lambda: mr.Index.open(folder, mmap=mmap, writable=True))
assert "Read-only" in refused(mr.NoPermissionError, lambda: mr.Index.build(docs).save(folder, overwrite=True))
assert "Read-only" in refused(mr.NoPermissionError, lambda: mr.Index.build(docs).save(folder / "inner"))
"""
    run(
        script,
        folder,
        prefix=in_a_mount(folder, f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"),
    )


# ---- space -----------------------------------------------------------------------------------------------------------

FULL = """
index = mr.Index.build(docs, "wmd")
index.save(folder / "index")
index = mr.Index.open(folder / "index", writable=True)
(folder / "other").write_bytes(bytes(800_000))
more = mr.Sequences([rng.normal(size=(40, 8)) for _ in range(300)])
before = answers(index)
for change in (lambda: index.add(more), lambda: index.upsert(more, range(300))):
    assert "free some space and call again" in refused(mr.NoSpaceError, change)
    assert answers(index) == before
    assert answers(mr.Index.open(folder / "index")) == before
    assert len(list((folder / "index").iterdir())) == 3, "what was begun is left"
refused(mr.NoSpaceError, lambda: mr.Index.build(more, "wmd").save(folder / "second"))
assert not (folder / "second").exists()
refused(mr.NoSpaceError, lambda: mr.Index.build_on_disk(folder / "built", [mr.readers.Batch(more)] * 9, "wmd"))
shutil.rmtree(folder / "built", ignore_errors=True)
(folder / "other").unlink()
index.add(more)
assert index.verify().documents == 350
"""


def test_a_full_disk_is_an_error_until_there_is_space(tmp_path):
    run(FULL, tmp_path, prefix=in_a_mount(tmp_path, f"mount -t tmpfs -o size=1200k none {tmp_path}"))


# ---- time ------------------------------------------------------------------------------------------------------------


class StandingDisk(Disk):
    """A disk on which nothing becomes durable before it is told to go on."""

    def __init__(self):
        super().__init__()
        self.stands, self.goes_on = threading.Event(), threading.Event()

    def fsync(self, descriptor):
        self.stands.set()
        assert self.goes_on.wait(timeout=60)
        super().fsync(descriptor)


def test_searches_do_not_wait_for_a_slow_disk(tmp_path):
    docs = mr.Sequences([np.eye(4)[n % 4 :] for n in range(20)])
    mr.Index.build(docs, "wmd").save(tmp_path / "index")
    index = mr.Index.open(tmp_path / "index", writable=True)
    reader = mr.Index.open(tmp_path / "index")
    with StandingDisk() as disk:
        writer = threading.Thread(target=index.add, args=(docs[:3],))
        writer.start()
        assert disk.stands.wait(timeout=60)
        for one in (index, reader, mr.Index.open(tmp_path / "index")):
            assert len(one) == 20
            assert len(one.search(np.eye(4), 30)) == 20
        assert not reader.refresh()
        assert writer.is_alive()
        disk.goes_on.set()
        writer.join()
    assert len(index) == 23
    assert reader.refresh()
    assert len(reader) == 23


SLOW = """
import signal
from moverank.index.disk import files

# A shell's background jobs start with the signal ignored, and Python then leaves it so.
signal.signal(signal.SIGINT, signal.default_int_handler)

class SlowDisk:
    n_written = 0
    def __getattr__(self, name):
        return getattr(os, name)
    def write(self, descriptor, octets):
        self.n_written += 1
        if self.n_written == 3:
            print("writing", flush=True)
        time.sleep(0.02)
        return os.write(descriptor, octets[:500])

mr.Index.build(docs, "wmd").save(folder)
index = mr.Index.open(folder, writable=True)
before = answers(index)
files.os = SlowDisk()
try:
    index.add(mr.Sequences([rng.normal(size=(40, 8)) for _ in range(2000)]))
except KeyboardInterrupt:
    files.os = os
    assert answers(index) == before == answers(mr.Index.open(folder))
    index.add(docs[:1])
    print(index.verify().documents)
"""


@pytest.mark.slow(reason="waits for a slow disk")
def test_a_change_on_a_slow_disk_can_be_interrupted(tmp_path):
    """Written at the rate of this disk, the documents would take minutes."""
    command = [sys.executable, "-c", SETTING + SLOW, str(tmp_path / "index")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n", process.stderr.read()
        os.kill(process.pid, signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "51\n", process.stderr.read()
