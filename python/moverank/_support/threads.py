"""One call per item, on several threads."""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from weakref import WeakSet

from moverank import _core

Result = TypeVar("Result")

_is_forked = False
_locks: WeakSet[Lock] = WeakSet()


class Lock:
    """A lock that is open in a forked child: the thread that held it in the parent does not exist there."""

    def __init__(self) -> None:
        self.renew()
        _locks.add(self)

    def renew(self) -> None:
        """Forget the holder."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exception: object) -> None:
        self._lock.release()


def _begin_as_a_child() -> None:
    global _is_forked
    _is_forked = True
    for lock in list(_locks):
        lock.renew()


os.register_at_fork(after_in_child=_begin_as_a_child)

#: Maximum number of threads per call, the same as in the core; larger arguments are reduced to it.
MOST_THREADS = 1024

#: Seconds between two checks whether other threads are done, in case none of them could signal it.
_LOOK = 0.02


def count_of(num_threads: int) -> int:
    """Number of threads for an argument: 0 means one per CPU that this process may use."""
    return min(num_threads, MOST_THREADS) or _usable_cpus()


def _usable_cpus() -> int:
    return int(_core.build_info()["threads"])


def openmp_count(num_threads: int) -> int:
    """Number of threads that OpenMP can start: if it cannot start those that it is set to use, it ends the process.

    At most one per CPU. In a forked child only one, as OpenMP would wait forever for threads of the parent.
    """
    if _is_forked:
        return 1
    others = min(count_of(num_threads), _usable_cpus()) - 1
    gate = _thread.allocate_lock()
    started = 0
    with gate, suppress(RuntimeError, MemoryError):
        # Twice as many: these may not have ended yet when OpenMP starts its own.
        while started < 2 * others:
            _thread.start_new_thread(_pass, (gate,))
            started += 1
    return 1 + started // 2


def _pass(gate: _thread.LockType) -> None:
    with gate:
        pass


@contextmanager
def openmp_threads(faiss: Any, count: int) -> Iterator[None]:
    """Limit the threads that faiss uses when it is called from this thread."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class _Calls:
    """The state of all calls, and their results. A thread may run out of memory at any point of this class, and end."""

    def __init__(self, call: Callable[[int], object], count: int) -> None:
        self._call = call
        self._numbers = iter(range(count))
        self._guard = _thread.allocate_lock()
        self._arrived = _thread.allocate_lock()
        self._begun = [False] * count
        self._over = [False] * count
        self._stopped = False
        self.n_over = 0
        self.results: list[Any] = [None] * count
        self.failures: list[BaseException | None] = [None] * count

    def make_one(self) -> bool:
        """Make the next call; False if none is left."""
        with self._guard:
            number = None if self._stopped else next(self._numbers, None)
            if number is None:
                return False
            self._begun[number] = True
        try:
            self.results[number] = self._call(number)
        except BaseException as error:
            self.failures[number] = error
            self._stopped = True
            if not isinstance(error, Exception):
                raise
        finally:
            try:
                with self._guard:
                    self.n_over += 1
            finally:
                self._over[number] = True  # last, as the waiting thread may then read `n_over`
        return True

    def help(self) -> None:
        """Make calls on this thread until none is left."""
        with suppress(MemoryError):  # the waiting thread notices that a result is missing
            while self.make_one():
                self._arrive()
        self._arrive()

    def _arrive(self) -> None:
        with suppress(RuntimeError):  # another thread has released it
            self._arrived.release()

    def stop(self) -> None:
        """Begin no further call."""
        self._stopped = True

    def wait(self) -> bool:
        """Wait until another thread has finished a call; False if no call is under way."""
        if self._over == self._begun:
            return False
        self._arrived.acquire(timeout=_LOOK)
        return True

    def outcome(self) -> list[Any]:
        """Results of all calls, once none is under way; raises what the first that failed has raised."""
        failure = next((one for one in self.failures if one is not None), None)
        try:
            if failure is not None:
                raise failure
        finally:
            # The traceback of the error refers to this frame: without this, the cycle would keep all results alive.
            del failure, self.failures
        if self.n_over < len(self.results):
            raise MemoryError("a thread ran out of memory")
        return self.results


def each(
    call: Callable[[int], Result],
    count: int,
    num_threads: int,
    progress: Callable[[int, int], object] | None = None,
    *,
    abandon: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Results of ``call(0)`` to ``call(count - 1)``, made on several threads, the calling one among them.

    If a thread cannot be started, the call proceeds without it. `threading` is not used: it waits forever
    for a thread that runs out of memory as it starts.

    Parameters
    ----------
    call : callable
        Called once with each number.
    count : int
        How many there are.
    num_threads : int
        Largest number of threads.
    progress : callable, optional
        Called on the calling thread with the number of finished calls and the number of all: once per number.

    abandon : callable, optional
        Called before this returns or raises, when no further result is wanted: calls under way on other threads, which
        Ctrl-C does not reach, can learn from it that they should end.

    Raises
    ------
    BaseException
        The exception of the first call that failed, in the order of the numbers; calls not begun by then are not made.
    """
    calls = _Calls(call, count)
    reported = 0

    def report() -> None:
        nonlocal reported
        while progress is not None and reported < calls.n_over:
            reported += 1
            progress(reported, count)

    try:
        for _ in range(min(num_threads, count) - 1):
            try:
                _thread.start_new_thread(calls.help, ())
            except (RuntimeError, MemoryError):
                break
        while calls.make_one():
            report()
        while calls.wait():
            report()
        report()
    finally:
        calls.stop()
        abandon()
        while calls.wait():
            pass
    return calls.outcome()


class Beside:
    """A call that is made on another thread, while its maker goes on, or at last on the thread that waits for it.

    Parameters
    ----------
    call : callable
        Called once.
    """

    def __init__(self, call: Callable[[], object]) -> None:
        self._calls = _Calls(lambda _: call(), 1)
        with suppress(RuntimeError, MemoryError):
            _thread.start_new_thread(self._calls.help, ())

    def wait(self) -> None:
        """Wait until the call is over, however it ends."""
        self._calls.make_one()
        while self._calls.wait():
            pass

    def finish(self) -> None:
        """Wait until the call is over, and raise what it has raised, once."""
        self.wait()
        self._calls.outcome()
