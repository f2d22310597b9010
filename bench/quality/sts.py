"""Do distances agree with people? Sentence pairs, by measure, weights and space.

    MOVERANK_DATA=../shared/data python bench/quality/sts.py        # some minutes

Pearson and Spearman correlation × 100 of similarity and human score, over the pairs of which both sentences have a word
with a vector. All words count, stop words included, as often as they stand there. Spaces are fitted to the sentences of
the training files, never to those that are measured; nothing is fitted to scores. Chinese is cut into words by jieba.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

import moverank as mr
from moverank.encoders import EncodedTexts, Words, WordVectors
from moverank.spaces import Space, fit

sys.path.append(str(Path(__file__).parents[1] / "python"))
from harness import environment, table

DATA = Path(os.environ["MOVERANK_DATA"])

#: Space by space: what is done to vectors, what mass tokens get.
SPACES: dict[str, list[str]] = {
    "as they are": [],
    "A": ["all-but-the-top"],
    "A, W": ["all-but-the-top", "sif-scaling"],
    "A, W, R": ["all-but-the-top", "sif-scaling", "remove-common"],
    "W, R": ["sif-scaling", "remove-common"],
    "conceptor, W": ["conceptor", "sif-scaling"],
    "whitening": ["whitening"],
    "IDF": ["idf"],
    "A, IDF": ["all-but-the-top", "idf"],
    "norm × IDF": ["norm-idf"],
}

#: What is measured and what spaces are fitted to, by word vectors.
ENGLISH = {
    "STS-B dev": ("stsb-en-dev.tsv", ["stsb-en-train.tsv", "sick-train.tsv"]),
    "SICK trial": ("sick-trial.tsv", ["stsb-en-train.tsv", "sick-train.tsv"]),
}
SETS = {
    "glove6b-100d-en": ENGLISH,
    "minilmstatic-128d-en": ENGLISH,
    "e5static-128d-zh": {"STS-B zh dev": ("stsb-zh-dev.seg.tsv", ["stsb-zh-train.seg.tsv"])},
}


def rows(name: str) -> list[list[str]]:
    """Score and two sentences of each pair."""
    lines = (DATA / "sts" / name).read_text(encoding="utf-8").split("\n")
    return [line.split("\t") for line in lines[1:] if line]


def word_vectors(name: str) -> WordVectors:
    """Static vectors of the data folder."""
    # Chinese comes cut into words.
    return WordVectors.load(DATA / f"wordvec/{name}.npz", tokenize=str.split if name.endswith("-zh") else Words())


def cosine_of_means(x: EncodedTexts, y: EncodedTexts) -> NDArray[np.float64]:
    """Cosine of the weighted means of tokens."""

    def means(encoded: EncodedTexts) -> NDArray[np.float64]:
        batch = encoded.sequences
        weights = [batch.weights_of(s) for s in range(len(batch))]
        return np.array(
            [np.average(np.asarray(batch[s], np.float64), axis=0, weights=weights[s]) for s in range(len(batch))]
        )

    u, v = means(x), means(y)
    return (u * v).sum(axis=1) / (np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1) + 1e-300)


def by_transport(measure: mr.Measure) -> Callable[[EncodedTexts, EncodedTexts], NDArray[np.float64]]:
    """Similarity by a measure, pair by pair."""

    def similarities(x: EncodedTexts, y: EncodedTexts) -> NDArray[np.float64]:
        left, right = x.sequences, y.sequences
        pairs = range(len(left))
        return np.array([-measure(left[s], right[s], left.weights_of(s), right.weights_of(s)) for s in pairs])

    return similarities


WAYS = {
    "mean": cosine_of_means,
    "WMD": by_transport(mr.wmd),
    "WRD": by_transport(mr.wrd),
}


def scored(encoder: WordVectors, pairs: list[list[str]]) -> tuple[EncodedTexts, EncodedTexts, NDArray[np.float64]]:
    """Both sides of the pairs that have words, and their scores."""
    left = encoder.encode([row[1] for row in pairs], skip_empty=True)
    right = encoder.encode([row[2] for row in pairs], skip_empty=True)
    both = sorted(set(left.kept) & set(right.kept))
    x, y = (encoder.encode([pairs[k][side] for k in both]) for side in (1, 2))
    return x, y, np.array([float(pairs[k][0]) for k in both])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--vectors", default="*", help="only word vectors whose name fits (default: *)")
    args = parser.parse_args()
    print(environment("scipy"), end="\n\n")
    lines = []
    for vectors, sets in SETS.items():
        if not fnmatch(vectors, args.vectors):
            continue
        encoder = word_vectors(vectors)
        fitted: dict[tuple[str, tuple[str, ...]], Space] = {}
        for name, (test, training) in sets.items():
            x, y, scores = scored(encoder, rows(test))
            texts = [sentence for file in training for row in rows(file) for sentence in row[1:3]]
            for space_name, steps in SPACES.items():
                key = (space_name, tuple(training))
                space = fitted.setdefault(key, fit(encoder, texts, steps)) if key not in fitted else fitted[key]
                moved = space(x), space(y)
                cells = []
                for way in WAYS.values():
                    similarity = way(*moved)
                    cells.append(
                        f"{100 * pearsonr(similarity, scores)[0]:.1f} / {100 * spearmanr(similarity, scores)[0]:.1f}"
                    )
                lines.append([f"{vectors}, {name}: {space_name}", *cells])
    print(table(["Pearson / Spearman", *WAYS], lines))


if __name__ == "__main__":
    main()
