"""Several processes that serve: what they count is counted together, and none stays behind."""

import os
import re
import signal
import sys
import threading
import time
from contextlib import suppress

import pytest

from serving import DOCS, Service, served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
for module in ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")

RERANK = {"query": "cat", "documents": ["a cat"]}


def until(true, seconds=90):
    """Wait until something is true, and return what it gave."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := true():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError("it never came true")


def number(service, pattern):
    shown = httpx.get(f"{service.url}/metrics", timeout=30).text
    return sum(float(n) for n in re.findall(rf"(?m)^moverank_{pattern} (\S+)", shown))


def workers_of(service):
    return until(lambda: _both([int(n) for line in service.log for n in re.findall(r"server process \[(\d+)\]", line)]))


def _both(pids):
    return pids if len(pids) >= 2 else None


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_processes_count_is_counted_together():
    with served("--workers", "2") as own:
        until(lambda: httpx.get(f"{own.url}/health").status_code == 200)
        for _ in range(20):
            assert httpx.post(f"{own.url}/rerank", json=RERANK, timeout=30).json()["results"]
        until(lambda: number(own, r'requests_total\{path="/rerank",status="200"\}') == 20)
        texts = [f"{d.text} {n}" for n in range(60) for d in DOCS]
        threads = [
            threading.Thread(
                target=httpx.post,
                args=(f"{own.url}/rerank",),
                kwargs={"json": {"query": "risk of dementia", "documents": texts}, "timeout": 90},
            )
            for _ in range(6)
        ]
        assert number(own, "requests_in_hand") == 0
        for thread in threads:
            thread.start()
        assert until(lambda: number(own, "requests_in_hand") >= 2)
        for thread in threads:
            thread.join()
        until(lambda: number(own, "requests_in_hand") == 0)


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_what_a_killed_process_had_in_hand_is_forgotten():
    with served("--workers", "2") as own:
        first, second = workers_of(own)[:2]
        until(lambda: httpx.get(f"{own.url}/health").status_code == 200)
        texts = [f"{d.text} {n}" for n in range(60) for d in DOCS]

        def ask():
            with suppress(httpx.HTTPError):  # the process is killed meanwhile
                httpx.post(f"{own.url}/rerank", json={"query": "risk", "documents": texts}, timeout=90)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        until(lambda: number(own, "requests_in_hand") >= 2)
        for pid in (first, second):
            os.kill(pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
        until(lambda: httpx.get(f"{own.url}/health", timeout=5).status_code == 200)
        until(lambda: number(own, "requests_in_hand") == 0)


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_processes_end_with_the_one_that_started_them():
    own = Service("--workers", "2")
    pids = workers_of(own)
    until(lambda: httpx.get(f"{own.url}/health").status_code == 200)
    assert all(is_alive(pid) for pid in pids)
    own.process.send_signal(signal.SIGKILL)
    own.process.wait(30)
    until(lambda: not any(is_alive(pid) for pid in pids))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{own.url}/health")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_requests_in_hand_are_answered_before_processes_end(workers):
    with served("--workers", workers, "--cache-mb", "0") as own:
        until(lambda: httpx.get(f"{own.url}/health").status_code == 200)
        texts = [f"{d.text} {n}" for n in range(40) for d in DOCS]
        found = []

        def ask():
            answer = httpx.post(f"{own.url}/rerank", json={"query": "risk", "documents": texts}, timeout=90)
            found.append((answer.status_code, len(answer.json()["results"])))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        until(lambda: number(own, "requests_in_hand") == 6)
        own.stop()
        for thread in threads:
            thread.join()
        assert found == [(200, len(texts))] * 6
