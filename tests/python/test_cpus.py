"""All cores are those that the process may use: by affinity, and by the quotas of control groups."""

import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import moverank as mr

pytestmark = [
    pytest.mark.slow(reason="starts processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="affinity and control groups are Linux's"),
]

ASK = "import moverank; print(moverank.build_info()['threads'])"


def threads_in_child(before):
    """How many threads are all cores in a process that has made a call first."""
    found = subprocess.run([sys.executable, "-c", ASK], preexec_fn=before, capture_output=True, text=True, check=True)
    return int(found.stdout)


def test_affinity_is_respected():
    allowed = sorted(os.sched_getaffinity(0))
    for count in {1, len(allowed)}:
        assert threads_in_child(lambda count=count: os.sched_setaffinity(0, allowed[:count])) <= count
    assert threads_in_child(lambda: os.sched_setaffinity(0, allowed[:1])) == 1


def mounted(kind):
    """Mount point of control groups that can have a quota of CPU time: version 1 or 2."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, _, what = line.partition(" - ")
        name, _, options = what.split(" ", 2)
        if (kind == 2 and name == "cgroup2") or (kind == 1 and name == "cgroup" and "cpu" in options.split(",")):
            return Path(place.split()[4])
    return None


@contextmanager
def nested_groups(kind):
    """A control group within another one; skips where none can be made."""
    mount = mounted(kind)
    if mount is None:
        pytest.skip(f"no control groups of version {kind} here")
    outer = mount / f"moverank-{os.getpid()}"
    inner = outer / "inner"
    try:
        try:
            outer.mkdir()
            if kind == 2:
                (outer / "cgroup.subtree_control").write_text("+cpu")
            inner.mkdir()
        except OSError as error:
            pytest.skip(f"control groups cannot be made here: {error}")
        if not (inner / ("cpu.max" if kind == 2 else "cpu.cfs_quota_us")).exists():
            pytest.skip("control groups cannot limit CPU time here")
        yield outer, inner
    finally:
        for folder in (inner, outer):
            with suppress(OSError):
                folder.rmdir()


@pytest.mark.parametrize("kind", [1, 2])
def test_quotas_of_control_groups_are_respected(kind):
    if mr.build_info()["threads"] < 2:
        pytest.skip("there is one core anyway")

    def enter(group):
        (group / "cgroup.procs").write_text(str(os.getpid()))

    with nested_groups(kind) as (outer, inner):
        assert threads_in_child(lambda: enter(inner)) == mr.build_info()["threads"]
        if kind == 2:
            (outer / "cpu.max").write_text("80000 100000")
        else:
            (outer / "cpu.cfs_quota_us").write_text("80000")
        # Of the group around the process's own, too.
        assert threads_in_child(lambda: enter(inner)) == 1
        assert threads_in_child(lambda: enter(outer)) == 1
