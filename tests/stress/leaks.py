"""Is memory flat over ten thousand calls? Of every kind of public call, one kind after the other, in one process.

    python tests/stress/leaks.py [--calls 10000] [--only WORDS] [--planted]

The calls are cut into windows. After each window garbage is collected, free memory is given back, and everything that
could grow is counted: bytes that malloc has given out (Python's own objects come from malloc here, too, so that none
are missed), resident bytes, objects, references to what the call was given, files, threads, mappings. The first half of
the windows is warm-up. Of the second, the median growth of a window counts, so that a cache that grows once is no leak;
and all of it together must stay under a limit, so that what grows by jumps is one.

With --planted it measures calls that do leak, each in another way, and says whether it found them.
"""

import argparse
import ctypes
import gc
import mmap
import os
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "python"))

from public_calls import kinds_and_missing

WINDOWS = 10

#: How much one call may leave behind.
PER_CALL = {"heap": 4.0, "objects": 0.01, "references": 0.01, "files": 0.01, "threads": 0.01, "mappings": 0.01}

#: How much all calls of the second half together may: what a warm process still shuffles.
ALTOGETHER = {"heap": 1 << 18, "resident": 1 << 18}

#: All memory from malloc, and malloc without pools for threads, so that bytes given out are bytes in use.
MALLOC = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1"}


class _Mallinfo(ctypes.Structure):
    """Struct mallinfo2 of glibc 2.33: ten sizes, of which two say what is given out."""

    _fields_ = (
        ("_before", ctypes.c_size_t * 4),
        ("hblkhd", ctypes.c_size_t),
        ("_between", ctypes.c_size_t * 2),
        ("uordblks", ctypes.c_size_t),
        ("_behind", ctypes.c_size_t * 2),
    )


_libc = ctypes.CDLL(None)

COUNTED = ("heap", "resident", "objects", "references", "files", "threads", "mappings")


def threads():
    """How many there are."""
    return len(list(os.scandir("/proc/self/task")))


def settle(usual):
    """Give threads that have done their part, and are about to end, the time to do so on a busy machine."""
    until = time.monotonic() + 0.5
    while threads() > usual and time.monotonic() < until:
        time.sleep(0.001)


def count(held, out):
    """Write down everything that could grow, in the order of COUNTED; leaves nothing behind itself."""
    gc.collect()
    ctypes.pythonapi.PyType_ClearCache()  # where names stay that numpy makes anew for each call
    _libc.malloc_trim(0)
    used = _libc.mallinfo2()
    out[:] = (
        used.uordblks + used.hblkhd,
        int(_read("/proc/self/statm").split()[1]) * mmap.PAGESIZE,
        len(gc.get_objects()),
        sum(map(sys.getrefcount, held)),
        len(list(os.scandir("/proc/self/fd"))),
        threads(),
        _read("/proc/self/maps").count(b"\n"),
    )


def _read(path):
    """Read without the buffers of files, whose own memory comes and goes."""
    file = os.open(path, os.O_RDONLY)
    content = b"".join(iter(lambda: os.read(file, 4096), b""))
    os.close(file)
    return content


def held_by(call):
    """What a call was made with, as far as it is ours or an array, and None.

    Data types are left out: numpy itself forgets to give back references to them.
    """
    held = {id(None): None}
    waiting = deque([call])
    seen = set()
    while waiting:
        value = waiting.popleft()
        if id(value) in seen or isinstance(value, type):
            continue
        seen.add(id(value))
        ours = isinstance(value, np.ndarray) or type(value).__module__.startswith("moverank")
        if ours:
            held[id(value)] = value
        if ours or type(value).__name__ in ("function", "partial", "cell", "tuple", "list"):
            waiting.extend(value.__closure__ or () if hasattr(value, "__closure__") else gc.get_referents(value))
    return list(held.values())


def growth(call, n_calls):
    """What a call leaves behind: per call, the median of windows; and altogether, in the second half."""
    held = held_by(call)
    gc.collect()
    gc.freeze()  # what there is already need not be looked through again
    size = max(n_calls // WINDOWS, 1)
    points = np.empty((WINDOWS + 1, len(COUNTED)))
    usual = threads()
    count(held, points[0])
    for window in range(1, WINDOWS + 1):
        for _ in range(size):
            call()
        settle(usual)
        count(held, points[window])
    gc.unfreeze()
    second = points[WINDOWS // 2 :]
    per_call = np.median(np.diff(second, axis=0), axis=0) / size
    altogether = np.median(second[-3:], axis=0) - np.median(second[:3], axis=0)
    return dict(zip(COUNTED, per_call, strict=True)), dict(zip(COUNTED, altogether, strict=True))


def verdict(per_call, altogether):
    """Names of what grows."""
    return [name for name, limit in PER_CALL.items() if per_call[name] > limit] + [
        name for name, limit in ALTOGETHER.items() if altogether[name] > limit
    ]


def measure(calls, n_calls):
    """Print a line for each kind; returns what grew, by kind."""
    found = {}
    print(f"{'':<42}{'bytes per call':>13}{'resident KiB':>13}{'CPU ms a call':>15}")
    for name, call in calls.items():
        started = time.process_time()
        per_call, altogether = growth(call, n_calls)
        spent = (time.process_time() - started) / (WINDOWS * max(n_calls // WINDOWS, 1))
        found[name] = verdict(per_call, altogether)
        print(
            f"{name:<42}{per_call['heap']:>13.2f}{altogether['resident'] / 1024:>13.0f}{1000 * spent:>15.2f}"
            + (f"  GROWS: {', '.join(found[name])}" if found[name] else ""),
            flush=True,
        )
    return found


def planted():
    """Calls that leak, with what has to be seen of each; and some that only look so."""
    kept, array, over = [], np.ones(100, np.uint8), threading.Event()
    _libc.malloc.restype = ctypes.c_void_p
    recent = deque(maxlen=20)

    def start_thread():
        threading.Thread(target=over.wait, daemon=True).start()

    return {
        "an array of 100 bytes": (lambda: kept.append(np.ones(100, np.uint8)), "heap"),
        "eight bytes of C": (lambda: _libc.malloc(8), "heap"),
        "an object": (lambda: kept.append([]), "objects"),
        "a reference": (lambda: ctypes.pythonapi.Py_IncRef(ctypes.py_object(array)), "references"),
        "an open file": (lambda: kept.append(open(os.devnull)), "files"),  # noqa: PTH123
        "a mapping": (lambda: kept.append(mmap.mmap(-1, mmap.PAGESIZE)), "mappings"),
        "a thread": (start_thread, "threads"),
        "nothing": (lambda: np.ones(100), None),
        "garbage in a circle": (lambda: (lambda circle: circle.append(circle))([]), None),
        "what was last": (lambda: recent.append(np.ones(100)), None),
    }


def main():
    """Exit with 1 if anything grows, or if a public function was never called."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10_000, help="of each kind")
    parser.add_argument("--only", default="", help="kinds whose name has these words in it")
    parser.add_argument("--planted", action="store_true", help="measure calls that leak")
    options = parser.parse_args()
    if os.environ.items() < (os.environ | MALLOC).items():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | MALLOC)
    if not hasattr(_libc, "mallinfo2"):
        sys.exit("bytes can be counted with glibc 2.33 or later only")
    _libc.mallinfo2.restype = _Mallinfo

    if options.planted:
        expected = planted()
        found = measure({name: call for name, (call, _) in expected.items()}, options.calls)
        wrong = [name for name, (_, what) in expected.items() if (what in found[name]) != (what is not None)]
        wrong += [name for name, (_, what) in expected.items() if what is None and found[name]]
        sys.exit(f"judged wrongly: {', '.join(wrong)}" if wrong else 0)

    with tempfile.TemporaryDirectory() as folder:
        calls, missing = kinds_and_missing(Path(folder))
        calls = {name: call for name, call in calls.items() if options.only in name}
        grown = [name for name, what in measure(calls, options.calls).items() if what]
        if grown:
            print("once more, as a cache that fills looks like growth over few calls:")
            again = measure({name: calls[name] for name in grown}, max(5 * options.calls, 1000))
            grown = [name for name, what in again.items() if what]
    print(f"{len(calls)} kinds of calls, {options.calls} of each: {len(grown)} grow")
    if missing:
        print(f"never called: {', '.join(missing)}")
    sys.exit(1 if grown or missing else 0)


if __name__ == "__main__":
    main()
