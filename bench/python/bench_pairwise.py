"""All pairs of one batch: half of them solved against all, and against POT's loop over one half.

    bench/one-core bench/python/bench_pairwise.py

"both halves" is what a measure without symmetry takes, and what `pairwise` took of every measure before it knew.
"""

from __future__ import annotations

import numpy as np
import ot

import moverank as mr
from harness import environment, number, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource, word_rotator_problem

DOCUMENTS = 60
PAIRS = DOCUMENTS * (DOCUMENTS - 1) // 2


def pot_loop(docs: mr.Sequences) -> np.ndarray:
    found = np.zeros((len(docs), len(docs)))
    tokens = list(docs)
    for r, x in enumerate(tokens):
        for s, y in enumerate(tokens[:r]):
            cost, a, b = word_rotator_problem(np.asarray(x), np.asarray(y))
            found[r, s] = found[s, r] = ot.emd2(a, b, cost)
    return found


def main() -> None:
    """Print the table."""
    rows = []
    for n in (8, 20, 64):
        source = TokenSource(128, seed=n)
        docs = mr.Sequences([source.sequence(n) for _ in range(DOCUMENTS)])
        again = docs[:]
        error = np.abs(pot_loop(docs) - mr.pairwise(docs)).max()
        cases = {
            "pot": lambda docs=docs: pot_loop(docs),
            "both": lambda docs=docs, again=again: mr.pairwise(docs, again),
            "half": lambda docs=docs: mr.pairwise(docs),
        }
        t = medians(interleaved(cases, rounds=3), per=PAIRS)
        ratios = (f"{t['both'] / t['half']:.2f}×", f"{t['pot'] / t['half']:.1f}×")
        rows.append([f"n = {n}", *map(number, t.values()), *ratios, f"{error:.0e}"])
    print(environment("POT"), end="\n\n")
    header = ["µs per different pair", "POT loop, one half", "both halves", "`pairwise`", "to both", "to POT", "error"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
