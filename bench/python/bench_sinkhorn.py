"""Entropic transport against POT, ott-jax and geomloss, at equal epsilon and marginal error.

    bench/one-core bench/python/bench_sinkhorn.py         # one thread everywhere, about three minutes
    bench/one-core bench/python/bench_sinkhorn.py --sizes 8 32 --documents 16

First with the cost matrix given, one problem at a time, against POT's `sinkhorn` and `sinkhorn_log`: epsilon is 0.05
times the median cost, and all stop at a marginal error of 1e-4 (POT measures it in L2, which is smaller). Then one
query against 1000 documents of 8 to 64 tokens, from unit vectors to values, at one epsilon, against those batched
solvers that are installed; documents are padded for them before the clock starts, and compiling is not counted. Our
calls prove an interval in the first part, and prepare their input themselves in the second.
"""

from __future__ import annotations

import argparse
import importlib
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ot

import moverank as mr
from harness import environment, number, record, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource, unit_and_mass, word_rotator_problem

TOLERANCE = 1e-4
EPSILON = 0.05
PROBLEMS = 128
DOCUMENTS = 1000


def optional(name: str) -> Any:
    """Import a peer, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def solve_costs(n: int, rounds: int) -> dict[str, float]:
    """Microseconds per problem of n by n, cost matrix given."""
    tokens = TokenSource(dim=300, seed=n)
    problems = [word_rotator_problem(tokens.sequence(n), tokens.sequence(n)) for _ in range(PROBLEMS)]
    with_epsilon = [(cost, a, b, EPSILON * float(np.median(cost))) for cost, a, b in problems]
    costs, a, b = (np.stack(arrays) for arrays in zip(*problems, strict=True))
    costs = costs.astype(np.float32)
    sinkhorn = mr.Sinkhorn(EPSILON, tolerance=TOLERANCE)

    def pot(solve: Callable[..., Any]) -> list[Any]:
        return [solve(a, b, c, e, stopThr=TOLERANCE, numItermax=1000) for c, a, b, e in with_epsilon]

    ours = mr.transport_batch(costs, a, b, epsilon=sinkhorn)
    theirs = [(plan * cost).sum() for plan, (cost, *_) in zip(pot(ot.bregman.sinkhorn), problems, strict=True)]
    worst = float(np.max(np.abs(ours.plan_cost - theirs) / theirs))
    if worst > 1e-2 or not ours.converged.all():
        raise SystemExit(f"n = {n}: plan costs differ from POT's by {worst:.1e} of their size")
    cases = {
        "sinkhorn": lambda: pot(ot.bregman.sinkhorn),
        "sinkhorn_log": lambda: pot(ot.bregman.sinkhorn_log),
        "certified": lambda: mr.transport_batch(costs, a, b, epsilon=sinkhorn, num_threads=1),
        "exact": lambda: mr.transport_batch(costs, a, b, num_threads=1),
    }
    return medians(interleaved(cases, rounds=rounds), per=PROBLEMS)


class Documents:
    """A query and a collection of unit vectors, ragged and padded."""

    def __init__(self, n: int, dim: int) -> None:
        source = TokenSource(dim, seed=n + dim)
        lengths = np.random.default_rng(dim).integers(8, 65, size=DOCUMENTS)
        raw = [source.sequence(int(length)) for length in lengths]
        query = source.sequence(n)
        self.query, self.a = unit_and_mass(query)
        units, self.masses = zip(*map(unit_and_mass, raw), strict=True)
        self.docs = mr.Sequences(units, weights=self.masses)
        longest = int(lengths.max())
        self.padded = np.zeros((DOCUMENTS, longest, dim), np.float32)
        self.padded_mass = np.zeros((DOCUMENTS, longest), np.float32)
        for k, (x, b) in enumerate(zip(units, self.masses, strict=True)):
            self.padded[k, : len(x)], self.padded_mass[k, : len(x)] = x, b
        # Padding may not divide by zero anywhere; a grain of mass changes no digit that is compared.
        self.padded_mass = np.maximum(self.padded_mass, 1e-12)
        self.epsilon = EPSILON * float(np.median(1 - np.concatenate(units[:20]) @ self.query.T))

    def padded_costs(self) -> np.ndarray:
        """Cost matrices of all documents, shape (N, n, longest)."""
        return np.maximum(1.0 - np.matmul(self.query, self.padded.transpose(0, 2, 1)), 0.0)


def batched_peers(work: Documents) -> dict[str, Callable[[], np.ndarray]]:
    """Plan costs by the batched solvers that are here."""
    cases: dict[str, Callable[[], np.ndarray]] = {}
    mass = np.repeat(work.a[None].astype(np.float32), DOCUMENTS, axis=0)
    torch, batch = optional("torch"), optional("ot.batch")
    if torch is not None and batch is not None:

        def pot() -> np.ndarray:
            arrays = (torch.from_numpy(x) for x in (mass, work.padded_mass))
            solved = batch.solve_batch(
                torch.from_numpy(work.padded_costs()), work.epsilon, *arrays, method="sinkhorn", tol=TOLERANCE,
                max_iter=1000, grad="detach",
            )  # fmt: skip
            return solved.value_linear.numpy()

        cases["POT solve_batch"] = pot
    jax, geometry = optional("jax"), optional("ott.geometry.geometry")
    if jax is not None and geometry is not None:
        linear_problem = importlib.import_module("ott.problems.linear.linear_problem")
        solver = importlib.import_module("ott.solvers.linear.sinkhorn").Sinkhorn(
            lse_mode=False, threshold=TOLERANCE, max_iterations=2000
        )
        jnp = jax.numpy
        query, a = jnp.asarray(work.query), jnp.asarray(work.a.astype(np.float32))

        def one(x: Any, b: Any) -> Any:
            cost = jnp.maximum(1.0 - query @ x.T, 0.0)
            solved = solver(linear_problem.LinearProblem(geometry.Geometry(cost, epsilon=work.epsilon), a=a, b=b))
            return jnp.sum(solved.matrix * cost)

        compiled = jax.jit(jax.vmap(one))
        padded, padded_mass = jnp.asarray(work.padded), jnp.asarray(work.padded_mass)
        started = time.perf_counter()
        np.asarray(compiled(padded, padded_mass))
        print(f"ott-jax: first call, with compiling, {time.perf_counter() - started:.1f} s")
        cases["ott-jax"] = lambda: np.asarray(compiled(padded, padded_mass))
    geomloss = optional("geomloss")
    if torch is not None and geomloss is not None:
        loss = geomloss.SamplesLoss("sinkhorn", p=2, blur=work.epsilon**0.5, debias=False, backend="tensorized")
        tokens = torch.from_numpy(np.repeat(work.query[None], DOCUMENTS, axis=0))
        arrays = [torch.from_numpy(x) for x in (mass, work.padded_mass, work.padded)]
        cases["geomloss"] = lambda: loss(arrays[0], tokens, arrays[1], arrays[2]).numpy()
    return cases


def solve_documents(n: int, rounds: int) -> dict[str, float]:
    """Microseconds per document."""
    work = Documents(n, 128)
    sinkhorn = mr.Sinkhorn(work.epsilon, relative=False, tolerance=TOLERANCE)
    measure = mr.Measure("cosine", "given", problem=sinkhorn)
    found = mr.certified_distances(work.query, work.docs, measure, weights=work.a)
    if not found.converged.all():
        raise SystemExit("not all documents converged")
    cases: dict[str, Callable[[], Any]] = dict(batched_peers(work))
    for name, case in cases.items():
        values = case()
        exact = mr.distances(work.query, work.docs, measure.replace(problem="exact"), weights=work.a)
        if not np.all(values > 0.99 * exact):
            raise SystemExit(f"{name} returns values below the optimum")
    cases["moverank"] = lambda: mr.distances(work.query, work.docs, measure, weights=work.a, num_threads=1)
    cases["exact"] = lambda: mr.distances(
        work.query, work.docs, measure.replace(problem="exact"), weights=work.a, num_threads=1
    )
    return medians(interleaved(cases, rounds=rounds), per=DOCUMENTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[8, 16, 32, 64, 128])
    parser.add_argument("--documents", type=int, nargs="*", default=[16, 32], help="tokens of the query")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the times to this file as well")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # peers that stop short of their tolerance
    torch = optional("torch")
    if torch is not None:
        torch.set_num_threads(1)
    print(environment("POT", "torch", "ott-jax", "geomloss"), end="\n\n")
    results: dict[str, dict[str, float]] = {}
    for n in args.sizes:
        results[str(n)] = solve_costs(n, args.rounds)
    header = [
        "n = m",
        "POT `sinkhorn`",
        "POT `sinkhorn_log`",
        "ours",
        "to `sinkhorn`",
        "to `sinkhorn_log`",
        "our exact",
    ]
    rows = [
        [n, number(t["sinkhorn"]), number(t["sinkhorn_log"]), number(t["certified"]),
         f"{t['sinkhorn'] / t['certified']:.0f}×", f"{t['sinkhorn_log'] / t['certified']:.0f}×", number(t["exact"])]
        for n, t in results.items()
    ]  # fmt: skip
    print(table(header, rows), end="\n\n")
    rows = []
    for n in args.documents:
        t = results[f"documents n={n}"] = solve_documents(n, args.rounds)
        peers = {name: value for name, value in t.items() if name not in ("moverank", "exact")}
        best = f"{min(peers.values()) / t['moverank']:.0f}×" if peers else "–"
        shown = [number(t[name]) if name in t else "–" for name in ("POT solve_batch", "ott-jax", "geomloss")]
        rows.append([f"n={n}, d=128", *shown, number(t["moverank"]), best, number(t["exact"])])
    if rows:
        print(
            table(
                [
                    "one query, 1000 documents",
                    "POT `solve_batch`",
                    "ott-jax",
                    "geomloss",
                    "ours",
                    "to best",
                    "our exact",
                ],
                rows,
            )
        )
    record(args.json, environment("POT", "torch", "ott-jax", "geomloss"), results)


if __name__ == "__main__":
    main()
