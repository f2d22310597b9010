"""``moverank bench``: how fast moverank is on this machine, in about a minute, against installed peers."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import build_info
from moverank.cli.errors import UserError
from moverank.cli.timing import interleaved, medians
from moverank.data import demo_documents, demo_queries
from moverank.encoders import WordVectors
from moverank.index.index import Index
from moverank.measures.distances import distances
from moverank.measures.measure import wrd
from moverank.solvers.transport import transport_batch
from moverank.vectors.sequences import Sequences

#: Answers of a peer may differ by the effect of rounding costs to float32.
TOLERANCE = 1e-5
DOCUMENTS = 100


@dataclass(frozen=True)
class Result:
    """One task: microseconds per item, ours first."""

    task: str
    microseconds: dict[str, float]
    difference: float


@dataclass(frozen=True)
class Contest:
    """A task and who does it; each contestant returns its answers."""

    task: str
    items: int
    ours: dict[str, Callable[[], NDArray[Any]]]
    peers: dict[str, Callable[[], NDArray[Any]]]

    def run(self, seconds: float) -> Result:
        """Compare the answers, then the times."""
        expected = next(iter(self.ours.values()))()
        difference = max((float(np.abs(peer() - expected).max()) for peer in self.peers.values()), default=0.0)
        times = interleaved({**self.ours, **self.peers}, rounds=15, seconds=seconds)
        return Result(self.task, medians(times, per=self.items), difference)


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "bench",
        help="time the core on this machine, against the peers that are installed",
        description="Time exact solves on random problems, and the bundled claims against the bundled abstracts. "
        "Peers: POT, where it is installed, and numpy. Answers are compared before anything is timed.",
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="about how long to take (default: 60)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the benchmark. Status 1 if a peer's answers are not ours."""
    if not args.seconds > 0:
        raise UserError(f"--seconds must be positive, got {args.seconds}")
    contests = [*_solves(), *_rankings()]
    results = [contest.run(args.seconds / len(contests)) for contest in contests]
    if args.json:
        print(json.dumps({"build": build_info(), "results": [asdict(r) for r in results]}, indent=2))
    else:
        print(_report(results))
    return 0 if all(r.difference <= TOLERANCE for r in results) else 1


def _pot() -> Any | None:
    try:
        return importlib.import_module("ot")
    except ImportError:
        return None


def _solves() -> list[Contest]:
    """Exact solves with the cost matrix given."""
    pot = _pot()
    contests = []
    for n in (8, 32, 128):
        count = min(256, 8192 // n)
        rng = np.random.default_rng(n)
        # Points in five dimensions: as hard to match as the tokens of texts are, where random entries are easier.
        x, y = rng.random((2, count, n, 5))
        costs = np.linalg.norm(x[:, :, None] - y[:, None], axis=-1)
        single = costs.astype(np.float32)
        a, b = rng.lognormal(0, 0.35, (2, count, n))
        a, b = a / a.sum(axis=1, keepdims=True), b / b.sum(axis=1, keepdims=True)
        peers: dict[str, Callable[[], NDArray[Any]]] = {}
        if pot is not None:
            peers["POT emd2"] = partial(_pot_emd2, pot, costs, a, b)
        contests.append(
            Contest(
                f"exact solve, {n} x {n}, cost given",
                count,
                {"1 thread": partial(_batch, single, a, b)},
                peers,
            )
        )
    return contests


def _batch(costs: NDArray[Any], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return transport_batch(costs, a, b, num_threads=1).values


def _pot_emd2(pot: Any, costs: NDArray[Any], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(list(map(pot.emd2, a, b, costs)))


def _rankings() -> list[Contest]:
    """A bundled claim against the bundled abstracts."""
    encoder = WordVectors.default()
    docs = encoder.encode([f"{d.title} {d.text}" for d in demo_documents()[:DOCUMENTS]]).sequences
    query = encoder.encode([demo_queries()[0].text]).sequences[0]
    words = f"{len(query)} words against abstracts of {np.median(docs.lengths):.0f}"
    threads = build_info()["threads"]
    pot = _pot()

    def both(measure: str) -> dict[str, Callable[[], NDArray[Any]]]:
        cases = {"1 thread": lambda: distances(query, docs, measure, num_threads=1)}
        if threads > 1:
            cases[f"{threads} threads"] = lambda: distances(query, docs, measure)
        return cases

    measure = wrd.replace(capacity=4)
    index = Index.build(docs, measure)
    ten_nearest = Contest(
        f"top 10 of an index under {measure.name}, {words}",
        len(docs),
        {"1 thread": lambda: index.search(query, 10, num_threads=1).distances},
        {"sorting all distances": lambda: np.sort(distances(query, docs, measure, num_threads=1))[:10]},
    )
    product = {"numpy product": lambda: _numpy_maxsim(query.tokens, docs)}
    peers = {} if pot is None else {"POT ot.dist + emd2": lambda: _pot_word_rotator(pot, query.tokens, docs)}
    return [
        Contest(f"WRD, {words}", len(docs), both("wrd"), peers),
        Contest(f"MaxSim, {words}", len(docs), both("maxsim"), product),
        ten_nearest,
    ]


def _pot_word_rotator(pot: Any, query: NDArray[np.float32], docs: Sequences) -> NDArray[np.float64]:
    """Word Rotator's Distance as POT's documentation has it."""

    def mass(tokens: NDArray[np.float32]) -> NDArray[np.float64]:
        norms: NDArray[np.float64] = np.linalg.norm(tokens, axis=1).astype(np.float64)
        share: NDArray[np.float64] = norms / norms.sum()
        return share

    a = mass(query)
    tokens = [doc.tokens for doc in docs]
    return np.array([pot.emd2(a, mass(doc), pot.dist(query, doc, metric="cosine")) for doc in tokens])


def _numpy_maxsim(query: NDArray[np.float32], docs: Sequences) -> NDArray[np.float32]:
    """One matrix product, with as many threads as BLAS takes, and a segmented maximum."""
    best = np.maximum.reduceat(docs.tokens @ query.T, docs.offsets[:-1], axis=0)
    mean: NDArray[np.float32] = -best.mean(axis=1)
    return mean


def _report(results: list[Result]) -> str:
    info = build_info()
    lines = [f"moverank {info['version']}, {info['simd']}, {info['threads']} thread(s); microseconds per item, medians"]
    for result in results:
        lines += ["", result.task]
        lines += [f"  {name:<24} {time:10.2f}" for name, time in result.microseconds.items()]
        lines += [f"  {verdict}" for verdict in _verdicts(result)]
    if _pot() is None:
        lines += ["", "POT is not installed: pip install POT to compare with it"]
    return "\n".join(lines)


def _verdicts(result: Result) -> list[str]:
    """Verdicts from the figures, unfavourable ones included."""
    verdicts = []
    alone = result.microseconds["1 thread"]
    for name, time in result.microseconds.items():
        ratio = time / alone
        if name.endswith("threads"):
            verdicts.append(f"{name}: {1 / ratio:.2f} times the speed of one")
        elif name != "1 thread":
            better = f"{ratio:.1f} times faster than" if ratio >= 1 else f"{1 / ratio:.1f} times SLOWER than"
            verdicts.append(f"one thread of moverank is {better} {name}")
    if result.difference > TOLERANCE:
        verdicts.append(f"ANSWERS DIFFER by up to {result.difference:.1e}")
    return verdicts
