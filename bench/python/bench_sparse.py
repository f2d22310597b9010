"""Seconds per exact solve over a sparse cost matrix, against what else solves the same problem.

    bench/one-core bench/python/bench_sparse.py                                 # all sizes, some ten minutes
    bench/one-core bench/python/bench_sparse.py --sizes 500 --entries 10 --programs
    bench/one-core bench/python/bench_sparse.py --sizes 5000 --entries 20 --without-dense

n sources and targets in the unit square, cost the squared distance, entries between random pairs ("random") or from
each source to its nearest targets ("nearest"), each with one assignment more, so that there is a plan. Masses:
"uniform", an assignment; "random", those of a random plan over the entries. Cases: `transport` with the sparse matrix;
the same with a dense matrix that has inf in the gaps; POT's `emd2`, with 1e3 in the gaps; SciPy's matching over the
sparse matrix where masses are uniform; HiGHS as SciPy calls it, with `--programs`. Values have to agree with ours to
1e-9, or the script fails.

Cases in turn, medians of processor time. "memory" and "dense memory" are MB that a solve needs at its peak beyond the
matrix that it is given, sparse and dense.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import ot
from scipy import sparse
from scipy.optimize import linprog
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

import moverank as mr
from bench_large import peak
from harness import environment, number, table

#: POT's cost of a gap: more than any optimum pays for an entry here.
GAP = 1e3


def problem(n: int, per_row: int, kind: str) -> sparse.csr_array:
    """Entries of a problem with a plan."""
    rng = np.random.default_rng(n + per_row)
    x, y = rng.random((n, 2)), rng.random((n, 2))
    chosen = rng.integers(0, n, (n, per_row)) if kind == "random" else cKDTree(y).query(x, per_row)[1]
    rows = np.r_[np.repeat(np.arange(n), per_row), np.arange(n)]
    places = np.unique(rows * n + np.r_[chosen.ravel(), rng.permutation(n)])
    rows, columns = places // n, places % n
    return sparse.coo_array((((x[rows] - y[columns]) ** 2).sum(1), (rows, columns)), shape=(n, n)).tocsr()


def masses(cost: sparse.csr_array, kind: str) -> tuple[Any, Any]:
    """Of sources and of targets, each of total 1."""
    n = cost.shape[0]
    if kind == "uniform":
        return np.full(n, 1 / n), np.full(n, 1 / n)
    plan = cost.copy()
    plan.data = np.random.default_rng(0).random(cost.nnz) ** 3
    return plan.sum(1) / plan.sum(), plan.sum(0) / plan.sum()


def filled(cost: sparse.csr_array, gap: float) -> Any:
    """The dense matrix."""
    entries = cost.tocoo()
    matrix = np.full(cost.shape, gap)
    matrix[entries.row, entries.col] = entries.data
    return matrix


def matching(cost: sparse.csr_array) -> float:
    """Value of an assignment, by SciPy."""
    return float(cost[min_weight_full_bipartite_matching(cost)].sum() / cost.shape[0])


def program(cost: sparse.csr_array, a: Any, b: Any) -> float:
    """Value of the linear program, by HiGHS."""
    entries = cost.tocoo()
    every = np.arange(entries.nnz)
    rows = np.r_[entries.row, entries.col + len(a)]
    sums = sparse.coo_array((np.ones(2 * entries.nnz), (rows, np.r_[every, every])))
    return float(linprog(entries.data, A_eq=sums.tocsr(), b_eq=np.r_[a, b], method="highs").fun)


def run(cost: sparse.csr_array, kind: str, args: argparse.Namespace) -> list[str]:
    """One row of the table."""
    a, b = masses(cost, kind)
    cases: dict[str, Callable[[], float]] = {"sparse": lambda: mr.transport(cost, a, b).value}
    memory = [number(peak(cases["sparse"])), "–"]
    if not args.without_dense:
        forbidden, dear = filled(cost, np.inf), filled(cost, GAP)
        cases["dense"] = lambda: mr.transport(forbidden, a, b).value
        cases["emd"] = lambda: float(ot.emd2(a, b, dear, numItermax=100_000_000))
        memory[1] = number(peak(cases["dense"]))
    if kind == "uniform" and not args.without_matching:
        cases["matching"] = lambda: matching(cost)
    if args.programs:
        cases["HiGHS"] = lambda: program(cost, a, b)
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    expected = cases["sparse"]()
    for _ in range(args.rounds):
        for case, solve in cases.items():
            start = time.process_time()
            value = solve()
            seconds[case].append(time.process_time() - start)
            if abs(value - expected) > 1e-9:
                raise SystemExit(f"{case} found {value}, ours is {expected}")
    found = {case: median(times) for case, times in seconds.items()}
    ratio = f"{found['dense'] / found['sparse']:.0f}×" if "dense" in found else "–"
    shown = [f"{found[case]:.3f}" if case in found else "–" for case in ("dense", "emd", "matching", "HiGHS", "sparse")]
    return [*shown, ratio, *memory]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[500, 2000, 5000])
    parser.add_argument("--entries", nargs="+", type=int, default=[10, 50], help="per source")
    parser.add_argument("--kinds", nargs="+", default=["random", "nearest"], choices=["random", "nearest"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-dense", action="store_true", help="leave out what needs the dense matrix")
    parser.add_argument("--without-matching", action="store_true", help="leave out SciPy's matching")
    parser.add_argument("--programs", action="store_true", help="HiGHS as well")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", module="ot")
    print(environment("POT", "scipy"), end="\n\n")
    rows = []
    for n in args.sizes:
        for per_row in args.entries:
            for kind in args.kinds:
                cost = problem(n, per_row, kind)
                rows += [[f"{n}², {per_row} {kind}, {mass}", *run(cost, mass, args)] for mass in ("uniform", "random")]
    header = ["problem", "dense", "POT `emd2`", "matching", "HiGHS", "`transport`", "ratio", "memory", "dense memory"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
