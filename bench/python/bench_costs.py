"""MaxSim and RWMD of 64 000 document tokens, whole calls, against the matrix product alone at the same shape.

    bench/one-core bench/python/bench_costs.py

The product is what any other way to these values has to begin with. GFLOP/s count two operations for each component of
each pair of tokens.
"""

from __future__ import annotations

import numpy as np

import moverank as mr
from harness import environment, table
from moverank.cli.timing import interleaved, medians

TOKENS = 64_000
LENGTH = 64
MEASURES = {"MaxSim": mr.maxsim, "RWMD, query side": mr.Measure("euclidean", "uniform", np.inf)}


def main() -> None:
    """Print the table."""
    rows = []
    for dim in (128, 384):
        for n in (16, 32):
            rng = np.random.default_rng(n + dim)
            tokens = rng.standard_normal((TOKENS, dim), dtype=np.float32)
            query = rng.standard_normal((n, dim), dtype=np.float32)
            docs = mr.Sequences.from_flat(tokens, np.arange(0, TOKENS + 1, LENGTH))
            scores = np.maximum.reduceat(tokens @ query.T, docs.offsets[:-1], axis=0).mean(axis=1)
            if not np.allclose(mr.distances(query, docs, "maxsim"), -scores, rtol=1e-4):
                raise SystemExit("MaxSim differs from numpy's")
            cases = {"product": lambda tokens=tokens, query=query: tokens @ query.T}
            for name, measure in MEASURES.items():
                cases[name] = lambda query=query, docs=docs, measure=measure: mr.distances(
                    query, docs, measure, num_threads=1
                )
            t = medians(interleaved(cases, rounds=25), per=1)
            rate = {name: 2e-3 * TOKENS * dim * n / time for name, time in t.items()}
            ratios = [f"{rate[name] / rate['product']:.2f}×" for name in MEASURES]
            rows.append([f"n={n}, d={dim}", *(f"{rate[name]:.0f}" for name in cases), *ratios])
    print(environment(), end="\n\n")
    header = ["GFLOP/s", "matrix product", *MEASURES, *(f"{name} to product" for name in MEASURES)]
    print(table(header, rows))


if __name__ == "__main__":
    main()
