"""Crash an index again and again, and look at what is left.

    python -m crash.run --runs 300 [--seed 0]        as CI does; a thousand takes some minutes

A run forks a process that builds an index and changes it. A third of them is killed at a random time; a third ends at a
random call to the system, before, within or behind it; and from a third the power is taken, which undoes what was not
made durable. Whatever is left must open as the state before or after the change that was under way, must be sound, and
must have everything that was acknowledged.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from crash.disk import Disk
from crash.workload import Workload, check

STEPS = 8

#: Crashes of the same workload, in different places: the calls of a workload are only counted before the first.
CRASHES_PER_WORKLOAD = 6


def in_child(call):
    """Exit status of a forked process that calls; negative if it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            call()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return child


def wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def calls_of(folder, seed):
    """Names of the calls of a whole run, and the seconds after which its steps begin and end."""

    def work():
        with Disk() as disk:
            moments = Workload(folder / "index", folder / "journal", seed).run(STEPS)
        (folder / "calls").write_text(json.dumps([disk.calls, moments]))

    if wait(in_child(work)):
        raise SystemExit("the workload fails by itself")
    calls, moments = json.loads((folder / "calls").read_text())
    return calls, moments


def run_once(folder, seed, workload, undisturbed, how):
    """One crash and what was left: "none", "before" or "after"."""
    index, journal = folder / "index", folder / "journal"
    calls, moments = undisturbed
    chance = random.Random(seed)

    def work(at=None):
        with Disk(at, how, seed):
            Workload(index, journal, workload).run(STEPS)

    if how == "time":
        child = in_child(lambda: Workload(index, journal, workload).run(STEPS))
        # The build takes most of the time, so first a step and then a moment within it.
        step = chance.randrange(len(moments) - 1)
        time.sleep(chance.uniform(*moments[step : step + 2]))
        os.kill(child, signal.SIGKILL)
        wait(child)
    else:
        # Half of the crashes at the calls that decide which state is found: a manifest replaced, and made durable.
        deciding = [number for number, name in enumerate(calls, 1) if name == "replace"]
        near = chance.choice(deciding) + chance.randint(0, 1)
        at = near if chance.random() < 0.5 else chance.randint(1, len(calls))
        status = wait(in_child(lambda: work(at)))
        # Checksums in a manifest differ in length, so the last calls of one run need not be there in another.
        if status not in (0, -signal.SIGKILL):
            raise SystemExit(f"seed {seed}, {how}: the workload ended with status {status}")
    read, write = os.pipe()
    status = wait(in_child(lambda: os.write(write, check(index, journal).encode())))
    if status:
        raise SystemExit(f"seed {seed}, {how}: what was left is not sound")
    left = os.read(read, 10).decode()
    os.close(read), os.close(write)
    return left


def main():
    """Print how often the crash came before, and how often behind what makes a change durable."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seen = Counter()
    ways = ["time", "kill", "power", "time", "kill within", "power", "time", "kill after", "power"]
    undisturbed = {}
    for seed in range(options.seed, options.seed + options.runs):
        how, workload = ways[seed % len(ways)], seed // CRASHES_PER_WORKLOAD
        if workload not in undisturbed:
            with tempfile.TemporaryDirectory() as folder:
                undisturbed[workload] = calls_of(Path(folder), workload)
        with tempfile.TemporaryDirectory() as folder:
            seen[how.split()[0], run_once(Path(folder), seed, workload, undisturbed[workload], how)] += 1
    for (how, left), count in sorted(seen.items()):
        print(f"{how:<6} {left:<7} {count}")
    print(f"{options.runs} runs: each left the state before or after, and nothing acknowledged was lost")


if __name__ == "__main__":
    main()
