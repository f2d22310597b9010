"""Classification by the nearest texts, chosen by cross-validation: measure, weights, number of neighbours.

    MOVERANK_DATA=../shared/data python bench/quality/recipe_classes.py            # ten minutes
    MOVERANK_DATA=../shared/data python bench/quality/recipe_classes.py --frozen   # only what was chosen, and rivals

Error in %. A third of the tweets is kept back. Everything is chosen by cross-validation within the other two thirds
(five folds, ten times over); what is frozen there, `moverank.presets.CLASSIFICATION_BY_WORDS`, is then measured on the
third, against rivals with the number of neighbours that is best for each of them by cross-validation. Spaces are fitted
to the texts of the two thirds. p is of a randomisation test over texts, two-sided.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, train_test_split

import moverank as mr
from moverank.encoders import EncodedTexts, WordVectors
from moverank.presets import CLASSIFICATION_BY_WORDS

sys.path.append(str(Path(__file__).parents[1] / "python"))
from classification import by, encoder, l1
from classified import tweets

from harness import environment, table
from hybrid import p_value

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]

VECTORS = ("bundled", "glove6b-100d-en", "minilmstatic-128d-en")
NEIGHBOURS = np.array([1, 3, 5, 7, 9, 11, 13, 15, 19, 25, 31])
SPACES: dict[str, list[str]] = {
    "as they are": [],
    "IDF": ["idf"],
    "norm × IDF": ["norm-idf"],
    "A": ["all-but-the-top"],
    "A, norm × IDF": ["all-but-the-top", "norm-idf"],
    "whitening": ["whitening"],
    "whitening, norm × IDF": ["whitening", "norm-idf"],
}


def by_means(texts: EncodedTexts) -> Matrix:
    """1 − cosine of mean vectors."""
    batch = texts.sequences
    means = np.array([np.average(batch[t], axis=0, weights=batch.weights_of(t)) for t in range(len(batch))])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-300)
    return np.maximum(1.0 - means @ means.T, 0.0)


def voted(distances: Matrix, y: Labels) -> Labels:
    """Classes by vote of the nearest, a column per number of neighbours; ties go to the first class."""
    order = np.argsort(distances, axis=1, kind="stable")[:, : NEIGHBOURS[-1]]
    counts = np.cumsum(y[order][:, :, None] == np.arange(y.max() + 1), axis=1)
    return counts[:, NEIGHBOURS - 1].argmax(axis=2)


def cross_validated(distances: Matrix, y: Labels) -> Matrix:
    """Mean error in %, per number of neighbours."""
    errors = []
    for repeat in range(10):
        for train, test in StratifiedKFold(5, shuffle=True, random_state=repeat).split(distances, y):
            found = voted(distances[np.ix_(test, train)], y[train])
            errors.append((found != y[test][:, None]).mean(axis=0))
    return 100 * np.mean(errors, axis=0)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frozen", action="store_true", help="only what was chosen, and rivals")
    args = parser.parse_args()
    chosen = list(CLASSIFICATION_BY_WORDS.steps)
    spaces = {name: steps for name, steps in SPACES.items() if not args.frozen or steps in ([], ["idf"], chosen)}
    print(environment("scikit-learn"), end="\n\n")
    texts, names = tweets()
    classes = np.unique(names, return_inverse=True)[1]
    chosen_lines, frozen = [], []
    for vectors in VECTORS:
        words = WordVectors.default() if vectors == "bundled" else encoder(vectors, frozenset())
        kept = words.encode(texts, skip_empty=True).kept
        own, y = [texts[t] for t in kept], classes[kept]
        train, test = train_test_split(np.arange(len(y)), test_size=1 / 3, random_state=0, stratify=y)
        # In this order, so that the first are those that are trained on.
        order = [*train, *test]
        ordered, y, n = [own[t] for t in order], y[order], len(train)
        seen = ordered[:n]
        distances: dict[str, Matrix] = {}
        for name, steps in spaces.items():
            space = mr.fit(words, seen, steps) if steps else mr.spaces.Space(())
            moved = space(words.encode(ordered))
            distances[f"{name}: mean"] = by_means(moved)
            distances[f"{name}: WRD"] = by(mr.wrd, moved)
            if name in ("as they are", "IDF"):
                distances[f"{name}: bags"] = l1(moved)
                distances[f"{name}: WMD"] = by(mr.wmd, moved)
        best: dict[str, int] = {}
        for name, matrix in distances.items():
            errors = cross_validated(matrix[:n, :n], y[:n])
            best[name] = int(np.argmin(errors))
            cells = [f"{error:.1f}" for error in errors]
            chosen_lines.append([f"{vectors}, {name}", *cells, str(NEIGHBOURS[best[name]]), f"{errors.min():.2f}"])
            print(*chosen_lines[-1], file=sys.stderr)
        preset = f"{next(name for name, steps in SPACES.items() if steps == chosen)}: WRD"
        wrong = {name: voted(matrix[n:, :n], y[:n]) != y[n:, None] for name, matrix in distances.items()}
        fixed = int(np.flatnonzero(CLASSIFICATION_BY_WORDS.neighbours == NEIGHBOURS)[0])
        ours = wrong[preset][:, fixed].astype(float)
        for name in wrong:
            theirs = wrong[name][:, best[name]].astype(float)
            cells = [f"{100 * ours.mean():.1f}", f"{100 * theirs.mean():.1f}"]
            cells += [f"{(ours < theirs).sum()} / {(ours > theirs).sum()}", f"{p_value(ours, theirs):.2f}"]
            frozen.append([f"{vectors}, {name}, k = {NEIGHBOURS[best[name]]}", *cells])
    print(table(["two thirds, cross-validated, k =", *map(str, NEIGHBOURS), "best", "error, %"], chosen_lines))
    print()
    print(table(["kept back, against", "preset, %", "rival, %", "wins / losses", "p"], frozen))


if __name__ == "__main__":
    main()
