"""Sentence pairs, chosen on training pairs: measure and space that agree best with people.

    MOVERANK_DATA=../shared/data python bench/quality/recipe_pairs.py            # some minutes
    MOVERANK_DATA=../shared/data python bench/quality/recipe_pairs.py --frozen   # only what was chosen
    MOVERANK_DATA=../shared/data python bench/quality/recipe_pairs.py --vectors MiniLM  # its tokens, 15 minutes

Pearson and Spearman correlation × 100 with human scores, over all pairs. Transport is f1 of `mr.score`, of both
directions; "mean" is the cosine of mean vectors in the same space, all tokens alike. Everything is chosen on the
training files of STS-B and SICK; what is frozen there, `moverank.presets.pairs`, is then measured on the
others. Spaces are fitted to the sentences of the training files, without their scores. Intervals are of the difference
in Pearson, 95 %, by a paired bootstrap.
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

import moverank as mr
from moverank import presets
from moverank.encoders import Encoder, WordVectors
from moverank.ranking import CachedEncoder
from moverank.spaces import Space

sys.path.append(str(Path(__file__).parents[1] / "python"))
from score import by_means
from sts import DATA, rows, word_vectors

import judged
from harness import environment, table

Scores = NDArray[np.float64]

TRAINING = {"STS-B train": "stsb-en-train.tsv", "SICK train": "sick-train.tsv"}
#: Measured once all is chosen; the test files are not in the data folder of the repository, see docs/benchmarks.md.
KEPT_BACK = {
    "STS-B dev": "stsb-en-dev.tsv",
    "STS-B test": "stsb-en-test.tsv",
    "SICK trial": "sick-trial.tsv",
    "SICK test": "sick-test.tsv",
}
VECTORS = ("bundled", "glove6b-100d-en", "minilmstatic-128d-en")

#: Steps by name; A: all-but-the-top, W: scaling by SIF, R: the common direction removed.
SPACES: dict[str, list[str]] = {
    "as they are": [],
    "IDF": ["idf"],
    "norm × IDF": ["norm-idf"],
    "A": ["all-but-the-top"],
    "A, norm × IDF": ["all-but-the-top", "norm-idf"],
    "A, W, R": ["all-but-the-top", "sif-scaling", "remove-common"],
    "conceptor": ["conceptor"],
    "conceptor, norm × IDF": ["conceptor", "norm-idf"],
    "whitening": ["whitening"],
    "whitening, norm × IDF": ["whitening", "norm-idf"],
}
MEASURES = {f"κ = {capacity:g}": mr.wrd.replace(capacity=capacity) for capacity in (1.0, 4.0, math.inf)}


def encoder_of(name: str) -> Encoder:
    """Word vectors of the package or of the data folder, or tokens of MiniLM without special ones."""
    if name == "MiniLM":
        return CachedEncoder(judged.encoder(special_tokens=False), max_bytes=1 << 33)
    return WordVectors.default() if name == "bundled" else word_vectors(name)


def pairs_of(file: str) -> tuple[list[str], list[str], Scores]:
    """Left and right sentences, and human scores."""
    found = rows(file)
    return [row[1] for row in found], [row[2] for row in found], np.array([float(row[0]) for row in found])


def similarities(encoder: CachedEncoder, file: str, measure: mr.Measure | None) -> Scores:
    """F1 of every pair by a measure, or cosines of mean vectors."""
    left, right, _ = pairs_of(file)
    if measure is None:
        return by_means(encoder, rows(file))
    return mr.score(left, right, encoder=encoder, measure=measure).f1


def in_space(encoder: Encoder, steps: list[str]) -> CachedEncoder:
    """The encoder in a space, fitted to the sentences of the training files."""
    texts = [text for file in TRAINING.values() for side in pairs_of(file)[:2] for text in side]
    space = mr.fit(encoder, texts, steps) if steps else Space(())
    return CachedEncoder(space.over(encoder), max_bytes=1 << 32)


def training_lines(name: str, encoder: Encoder) -> list[list[str]]:
    """Every space and measure on the training files, and means over both files of the Pearson correlations."""
    lines = []
    for space, steps in SPACES.items():
        moved = in_space(encoder, steps)
        cells = []
        for measure in (None, *MEASURES.values()):
            found = []
            for file in TRAINING.values():
                own, human = similarities(moved, file, measure), pairs_of(file)[2]
                found.append((100 * pearsonr(own, human)[0], 100 * spearmanr(own, human)[0]))
            cells += [f"{found[0][0]:.1f} / {found[0][1]:.1f}", f"{found[1][0]:.1f} / {found[1][1]:.1f}"]
            cells.append(f"{(found[0][0] + found[1][0]) / 2:.1f}")
        lines.append([f"{name}: {space}", *cells])
        print(*lines[-1], file=sys.stderr)
    return lines


def sizes_table(encoder: Encoder) -> str:
    """How many sentences the space has to be learnt from."""
    texts = [text for file in TRAINING.values() for side in pairs_of(file)[:2] for text in side]
    drawn = np.random.default_rng(0).permutation(len(texts))
    lines = []
    for size in (0, 100, 300, 1000, 3000, len(texts)):
        space = presets.PAIRS_BY_WORDS.space(encoder, [texts[t] for t in drawn[:size]]) if size else Space(())
        moved = CachedEncoder((space or Space(())).over(encoder), max_bytes=1 << 32)
        found = [
            (similarities(moved, file, presets.PAIRS_BY_WORDS.measure), pairs_of(file)[2]) for file in TRAINING.values()
        ]
        lines.append(
            [str(size), *(f"{100 * pearsonr(*both)[0]:.1f} / {100 * spearmanr(*both)[0]:.1f}" for both in found)]
        )
    return table(["sentences", *TRAINING], lines)


def interval(own: Scores, rival: Scores, human: Scores) -> str:
    """Difference in Pearson correlation × 100, and 95 % of its bootstrap."""
    draws = np.random.default_rng(0).integers(0, len(human), (2000, len(human)))

    def correlation(values: Scores) -> Scores:
        x, y = values[draws], human[draws]
        x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
        return 100 * (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))

    low, high = np.percentile(correlation(own) - correlation(rival), [2.5, 97.5])
    return f"{100 * (pearsonr(own, human)[0] - pearsonr(rival, human)[0]):+.1f} ({low:+.1f} to {high:+.1f})"


def frozen_lines(name: str, encoder: Encoder) -> list[list[str]]:
    """What was chosen against rivals, on what was kept back."""
    preset = presets.pairs(encoder)
    plain, moved = in_space(encoder, []), in_space(encoder, list(preset.steps))
    lines = []
    for split, file in KEPT_BACK.items():
        if not (DATA / "sts" / file).exists():
            print(f"{split}: there is no {file} in {DATA / 'sts'}", file=sys.stderr)
            continue
        human = pairs_of(file)[2]
        own = similarities(moved, file, preset.measure)
        rivals = [
            similarities(plain, file, preset.measure),
            similarities(plain, file, mr.wrd),
            similarities(plain, file, None),
            similarities(moved, file, None),
        ]
        cells = [f"{100 * pearsonr(own, human)[0]:.1f} / {100 * spearmanr(own, human)[0]:.1f}"]
        for rival in rivals:
            cells.append(f"{100 * pearsonr(rival, human)[0]:.1f} / {100 * spearmanr(rival, human)[0]:.1f}")
            cells.append(interval(own, rival, human))
        lines.append([f"{name}, {split}", *cells])
        print(*lines[-1], file=sys.stderr)
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frozen", action="store_true", help="only what was chosen")
    parser.add_argument("--vectors", choices=[*VECTORS, "MiniLM"], help="only these (default: all word vectors)")
    args = parser.parse_args()
    warnings.simplefilter("ignore", mr.errors.UnscoredWarning)
    print(environment("scipy"), end="\n\n")
    encoders = {name: encoder_of(name) for name in ([args.vectors] if args.vectors else VECTORS)}
    if not args.frozen:
        lines = [line for name, encoder in encoders.items() for line in training_lines(name, encoder)]
        header = [f"{way}: {of}" for way in ("mean", *MEASURES) for of in ("STS-B", "SICK", "both")]
        print(table(["train, Pearson / Spearman", *header], lines), end="\n\n")
        if args.vectors != "MiniLM":
            print(sizes_table(next(iter(encoders.values()))), end="\n\n")
    lines = [line for name, encoder in encoders.items() for line in frozen_lines(name, encoder)]
    rivals = ("as they are", "as they are, κ = 1", "mean", "mean, same space")
    print(table(["Pearson / Spearman", "preset", *(cell for rival in rivals for cell in (rival, "gain"))], lines))


if __name__ == "__main__":
    main()
