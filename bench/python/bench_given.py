"""Distances between samples over clusters, costs given: 500 against 500 over 50, against POT's loop and vectors.

    bench/one-core bench/python/bench_given.py

Of POT's loop a part is timed, per pair. "vectors" are the same histograms as `Sequences` of the clusters' centres,
under Euclidean costs.
"""

from __future__ import annotations

import numpy as np
import ot

import moverank as mr
from harness import environment, number, table
from moverank.cli.timing import interleaved, medians

SAMPLES = 500
CLUSTERS = 50
BY_POT = 60


def pairs(n: int) -> int:
    """Different pairs of n."""
    return n * (n - 1) // 2


def pot_loop(samples: np.ndarray, costs: np.ndarray) -> np.ndarray:
    found = np.zeros((len(samples), len(samples)))
    for r, x in enumerate(samples):
        for s, y in enumerate(samples[:r]):
            found[r, s] = found[s, r] = ot.emd2(x, y, costs)
    return found


def main() -> None:
    """Print the table."""
    rows = []
    for concentration in (0.1, 1.0):
        rng = np.random.default_rng(3)
        centres = rng.normal(size=(CLUSTERS, 10)).astype(np.float32).astype(np.float64)
        costs = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2))
        samples = rng.dirichlet(np.full(CLUSTERS, concentration), size=SAMPLES)
        samples[samples < 1e-3] = 0.0
        samples /= samples.sum(axis=1, keepdims=True)
        vectors = mr.Sequences([centres[x > 0] for x in samples], [x[x > 0] for x in samples])
        few = samples[:BY_POT]
        error = np.abs(pot_loop(few, costs) - mr.pairwise(few, costs=costs)).max()
        in_float32 = costs.astype(np.float32)
        cases = {
            "vectors": lambda vectors=vectors: mr.pairwise(vectors, measure="wmd"),
            "float32": lambda samples=samples, costs=in_float32: mr.pairwise(samples, costs=costs),
            "float64": lambda samples=samples, costs=costs: mr.pairwise(samples, costs=costs),
        }
        by_pot = {"pot": lambda few=few, costs=costs: pot_loop(few, costs)}
        t = medians(interleaved(by_pot, rounds=3), per=pairs(BY_POT))
        t |= medians(interleaved(cases, rounds=3), per=pairs(SAMPLES))
        ratios = (f"{t['vectors'] / t['float64']:.2f}×", f"{t['pot'] / t['float64']:.1f}×")
        filled = f"{(samples > 0).sum(axis=1).mean():.0f} of {CLUSTERS} clusters"
        rows.append([filled, *map(number, t.values()), *ratios, f"{error:.0e}"])
    print(environment("POT"), end="\n\n")
    header = ["µs per different pair", "POT loop", "vectors", "costs, float32", "costs, float64"]
    print(table([*header, "to vectors", "to POT", "error"], rows))


if __name__ == "__main__":
    main()
