"""No crash and no failing disk leaves an index half changed."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

import moverank as mr
from crash.disk import Disk
from crash.workload import Workload, content


@pytest.mark.slow(reason="kills hundreds of processes")
def test_hundreds_of_crashes_leave_the_state_before_or_after():
    found = subprocess.run(
        [sys.executable, "-m", "crash.run", "--runs", "300", "--seed", "1000"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    for how in ("time", "kill", "power"):
        for left in ("before", "after"):
            assert f"{how:<6} {left}" in found.stdout


def undisturbed(folder, seed, steps):
    with Disk() as disk:
        work = Workload(folder / "index", folder / "journal", seed)
        work.run(steps)
    work.index.close()
    return disk.calls


def opened(folder):
    """What a reader finds: None for no index yet."""
    try:
        reader = mr.Index.open(folder)
    except (mr.IndexNotFoundError, mr.IndexIncompleteError):
        return None
    reader.verify()
    return content(reader)


def ends_of_runs(calls):
    """Numbers of the first and the last of each run of equal calls: the hundredth write in a row fails as the first."""
    changes = [at for at in range(1, len(calls)) if calls[at] != calls[at - 1]]
    return sorted({1, len(calls), *changes, *(at + 1 for at in changes)})


@pytest.mark.slow(reason="the workload once per call to the disk")
@pytest.mark.parametrize(("seed", "steps"), [(0, 4), (2, 3)])
def test_each_call_to_the_disk_may_fail(tmp_path, seed, steps):
    calls = undisturbed(tmp_path, seed, steps)
    raised = set()
    for at in ends_of_runs(calls):
        folder = tmp_path / str(at)
        folder.mkdir()
        work = Workload(folder / "index", folder / "journal", seed)
        disk = Disk(at, "error")
        for step in work.steps(steps):
            changed, version, after = work.plan(step)
            before = None if step == "build" else work.state
            with disk:
                try:
                    work.do(step, changed, version)
                except mr.IndexWriteError as error:
                    raised.add((disk.failed, type(error).__name__))
                else:
                    work.state = after
                    continue
            left = opened(work.folder)
            if step in ("build", "overwrite", "open again"):
                assert left in (before, after)
            else:
                assert left == before or (left == after and disk.failed in ("fsync", "close"))
                assert content(work.index) == before  # still searched, as it was
            # The same again, on a disk that works.
            if left == after and step != "build":
                work.index.close()
                work.index = work.opened()
            else:
                try:
                    work.do(step, changed, version)
                except mr.IndexWriteError:  # what it came to is not known, so it has to be opened anew
                    assert disk.failed in ("fsync", "close")
                    work.index.close()
                    work.index = work.opened()
                    work.do(step, changed, version)
            work.state = after
            assert content(work.index) == after
        assert disk.failed == calls[at - 1] or at > len(calls) - 3
        assert content(work.index) == work.state
        work.index.verify()
        work.index.close()
    assert {("write", "NoSpaceError"), ("open", "NoSpaceError"), ("fsync", "IndexWriteError")} <= raised


@pytest.mark.parametrize("kind", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_no_permission_has_a_name(tmp_path, kind, monkeypatch):
    work = Workload(tmp_path / "index", tmp_path / "journal", 1)
    work.run(0)

    class Denied(Disk):
        def _after(self, is_it, name):
            raise OSError(kind, "denied")

    with Denied(1, "error"), pytest.raises(mr.NoPermissionError, match="no permission to write: denied"):
        work.index.remove(list(work.state)[:1])
    assert content(work.index) == work.state
    assert issubclass(mr.NoPermissionError, PermissionError)


def test_a_limit_on_file_sizes_is_no_space(tmp_path):
    """A real one, of the system: writes end short, and then fail."""
    script = """
import resource, signal, sys, numpy as np, moverank as mr
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
docs = [np.ones((5, 8), np.float32) * (n + 1) for n in range(20)]
index = mr.Index.build(docs, 'wmd')
index.save(sys.argv[1])
index = mr.Index.open(sys.argv[1], writable=True)
try:
    index.add(mr.Sequences([np.ones((5, 8))] * 5000))
except mr.NoSpaceError as error:
    assert 'free some space and call again' in str(error)
    assert len(index) == 20
    index.add(docs[:1])
    print(index.verify())
"""
    found = subprocess.run([sys.executable, "-c", script, tmp_path / "index"], capture_output=True, text=True)
    assert found.stdout.startswith("sound: 21 documents"), found.stderr
