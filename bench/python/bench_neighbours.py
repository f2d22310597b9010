"""The ten nearest sentences of every sentence, against the whole matrix and a sort.

    MOVERANK_DATA=../shared/data python bench/python/bench_neighbours.py --threads 1    # ten minutes

Sentences of STS-B and SICK as bags of word vectors (GloVe, 100 dimensions), and as sequences of the same vectors;
MiniLM tokens of Cranfield's abstracts, cut to 12, which hardly repeat. The matrix is that of `pairwise`, of which half
is solved (all of it for MaxSim and capacities above 1); from 5000 rows on it is computed for 500 rows, and the rest is
reckoned. Processor time of one run each, which other work on the machine changes little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import moverank as mr
from corpora import WordTable, as_bags, contextual, sentences
from harness import environment, number, table

NEAREST = 10
SAMPLE = 500
MEASURES = {"WMD": mr.wmd, "WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4), "MaxSim": mr.maxsim}


def timed(call: Callable[[], object]) -> float:
    """Seconds of the processor, all threads together."""
    began = time.process_time()
    call()
    return time.process_time() - began


def matrix_seconds(docs: mr.Bags | mr.Sequences, measure: mr.Measure, threads: int) -> float:
    """What the matrix takes, or a part of it times the number of parts."""
    if len(docs) < 5000:
        return timed(lambda: mr.pairwise(docs, measure=measure, num_threads=threads))
    some = docs[np.linspace(0, len(docs) - 1, SAMPLE).astype(int)]
    share = len(docs) / SAMPLE / (2 if measure.is_symmetric else 1)
    return share * timed(lambda: mr.pairwise(some, docs, measure, num_threads=threads))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    print(environment(), f"{args.threads} thread(s)", sep=", ", end="\n\n")
    words = WordTable("glove6b-100d-en")
    bags = as_bags(words, words.bags(sentences("stsb-en-train.tsv", "sick-train.tsv", "stsb-en-dev.tsv")))
    shuffled = bags[np.random.default_rng(0).permutation(len(bags))]
    tokens = mr.Sequences([own[:12] for own in contextual()[0]])
    cases: list[tuple[str, mr.Bags | mr.Sequences, list[str]]] = [
        (f"{count} sentences as bags", shuffled[:count], list(MEASURES)) for count in (1000, 3000, 10000)
    ]
    cases.append(("3000 sentences as sequences", shuffled[:3000].to_sequences(), ["WMD", "WRD, capacity 4"]))
    cases.append((f"{len(tokens)} × 12 tokens of MiniLM", tokens, ["WRD", "WRD, capacity 4", "MaxSim"]))
    lines = []
    for name, docs, measures in cases:
        for label in measures:
            measure = MEASURES[label]
            ours = timed(lambda d=docs, m=measure: mr.neighbours(d, measure=m, k=NEAREST, num_threads=args.threads))
            whole = matrix_seconds(docs, measure, args.threads)
            lines.append([f"{name}, {label}", number(whole), number(ours), f"{whole / ours:.1f}×"])
            print(*lines[-1], flush=True)
    print()
    print(table(["processor seconds", "`pairwise`", f"`neighbours`, k = {NEAREST}", ""], lines))


if __name__ == "__main__":
    main()
