"""One query against 1000 documents of 8 to 64 tokens, from float32 vectors to distances, against what people use.

    bench/one-core bench/python/bench_distances.py        # one thread everywhere
    python bench/python/bench_distances.py                # all cores

Exact Word Rotator's Distance: POT's documented loop; and the best that can be made of POT, one matrix product for all
documents and its bare C++ entry for each. MaxSim: one matrix product and a segmented maximum in numpy; maxsim-cpu,
where it is installed and right. The peers' inputs are prepared before the clock starts: unit vectors, masses, one
packed matrix. Ours are not: preparing is part of the call. Values are checked against each other first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import ot
from ot.lp.emd_wrap import emd_c

import moverank as mr
from harness import environment, number, record, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource, unit_and_mass

DOCUMENTS = 1000
SHAPES = [(16, 128), (32, 128), (16, 384), (32, 384)]


class Workload:
    """A query and a collection, raw and in the forms that the peers want."""

    def __init__(self, n: int, dim: int) -> None:
        source = TokenSource(dim, seed=n + dim)
        lengths = np.random.default_rng(dim).integers(8, 65, size=DOCUMENTS)
        self.query = source.sequence(n)
        self.arrays = [source.sequence(int(length)) for length in lengths]
        self.docs = mr.Sequences(self.arrays)
        self.offsets = self.docs.offsets
        self.unit_query, self.a = unit_and_mass(self.query)
        units, masses = zip(*map(unit_and_mass, self.arrays), strict=True)
        self.units, self.b = list(units), list(masses)
        self.packed = np.concatenate(self.units)
        self.unit_docs = mr.Sequences.from_flat(self.packed, self.offsets)

    def wrd(self, threads: int | None) -> object:
        """Ours."""
        return mr.distances(self.query, self.docs, "wrd", num_threads=threads)

    def wrd_pot(self) -> object:
        """The documented loop."""
        pairs = zip(self.arrays, self.b, strict=True)
        return [ot.emd2(self.a, b, ot.dist(self.query, x, metric="cosine")) for x, b in pairs]

    def wrd_product(self) -> object:
        """One product for all costs, and the C++ entry below `emd2`."""
        costs = np.maximum(1.0 - self.packed @ self.unit_query.T, 0.0).astype(np.float64)
        blocks = zip(self.b, self.offsets[:-1], self.offsets[1:], strict=True)
        return [emd_c(b, self.a, costs[begin:end], 1_000_000, 1)[1] for b, begin, end in blocks]

    def maxsim(self, threads: int | None) -> object:
        """Ours, as a distance."""
        return mr.distances(self.unit_query, self.unit_docs, "maxsim", num_threads=threads)

    def maxsim_product(self) -> object:
        """One product, and maxima by document."""
        similarities = self.packed @ self.unit_query.T
        return np.maximum.reduceat(similarities, self.offsets[:-1], axis=0).sum(axis=1)


def maxsim_cpu_case(work: Workload, expected: np.ndarray) -> dict[str, object]:
    """The peer's case, unless it is absent or its scores are wrong."""
    try:
        import maxsim_cpu
    except ImportError:
        return {}
    scores = np.asarray(maxsim_cpu.maxsim_scores_variable(work.unit_query, work.units))
    if not np.allclose(scores, expected, rtol=1e-4):
        return {}
    return {"maxsim-cpu": lambda: maxsim_cpu.maxsim_scores_variable(work.unit_query, work.units)}


def run(n: int, dim: int, rounds: int, threads: int | None) -> tuple[dict[str, float], dict[str, float], float]:
    """Microseconds per document by case, for WRD and for MaxSim, and the largest difference from POT."""
    work = Workload(n, dim)
    error = float(np.abs(work.wrd(threads) - np.asarray(work.wrd_pot())).max())
    if error > 1e-6:
        raise SystemExit(f"n={n}, d={dim}: distances differ from POT's by {error:.1e}")
    scores = np.asarray(work.maxsim_product())
    if not np.allclose(-n * np.asarray(work.maxsim(threads)), scores, rtol=1e-5):
        raise SystemExit(f"n={n}, d={dim}: MaxSim differs from numpy's")
    wrd = {"loop": work.wrd_pot, "product": work.wrd_product, "moverank": lambda: work.wrd(threads)}
    maxsim = {"product": work.maxsim_product, **maxsim_cpu_case(work, scores), "moverank": lambda: work.maxsim(threads)}
    return (
        medians(interleaved(wrd, rounds=rounds), per=DOCUMENTS),
        medians(interleaved(maxsim, rounds=10 * rounds), per=DOCUMENTS),
        error,
    )


def wrd_row(shape: str, t: dict[str, float], error: float) -> list[object]:
    """One line of the table for WRD."""
    ours = t["moverank"]
    return [shape, *map(number, t.values()), f"{t['loop'] / ours:.1f}×", f"{t['product'] / ours:.1f}×", f"{error:.0e}"]


def maxsim_row(shape: str, t: dict[str, float]) -> list[object]:
    """One line of the table for MaxSim."""
    ours, peer = t["moverank"], t.get("maxsim-cpu", np.inf)
    shown = number(peer) if np.isfinite(peer) else "–"
    return [shape, number(t["product"]), shown, number(ours), f"{min(t['product'], peer) / ours:.1f}×"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, help="of moverank; all usable cores by default")
    parser.add_argument("--json", type=Path, help="write the times to this file as well")
    args = parser.parse_args()
    print(environment("POT", "maxsim-cpu"), end="\n\n")
    results = {f"n={n}, d={dim}": run(n, dim, args.rounds, args.threads) for n, dim in SHAPES}
    print("WRD, microseconds per document\n")
    header = ["", "POT loop", "product + `emd_c`", "moverank", "to loop", "to best", "error"]
    print(table(header, [wrd_row(shape, wrd, error) for shape, (wrd, _, error) in results.items()]))
    print("\nMaxSim, microseconds per document\n")
    header = ["", "numpy product", "maxsim-cpu", "moverank", "to best"]
    print(table(header, [maxsim_row(shape, maxsim) for shape, (_, maxsim, _) in results.items()]))
    record(
        args.json,
        environment("POT", "maxsim-cpu"),
        {
            **{f"WRD {shape}": wrd for shape, (wrd, _, _) in results.items()},
            **{f"MaxSim {shape}": maxsim for shape, (_, maxsim, _) in results.items()},
        },
    )


if __name__ == "__main__":
    main()
