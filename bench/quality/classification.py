"""Do near texts belong to the same class? k nearest neighbours among tweets, by distance and weights.

    MOVERANK_DATA=../shared/data python bench/quality/classification.py        # some minutes

Error in % on the third of the texts that is held out, mean and standard deviation over five random splits; k, 1 to 19,
is chosen by cross-validation within the other two thirds. IDF is counted over all texts, without their classes. WMD by
counts, as it was published, against WMD by TF-IDF and against plain bags of words in the same weights, as in Sato,
Yamada, Kashima, "Re-evaluating Word Mover's Distance" (ICML 2022): bags are divided by their sum and compared by L1, as
transport divides mass.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier

import moverank as mr
from moverank.encoders import STOP_WORDS, EncodedTexts, Words, WordVectors

sys.path.append(str(Path(__file__).parents[1] / "python"))
from classified import DATA, tweets

from harness import environment, table

SPLITS = 5
NEIGHBOURS = [1, 3, 5, 9, 13, 19]


def encoder(name: str, stop_words: frozenset[str]) -> WordVectors:
    """Static vectors of the data folder."""
    return WordVectors.load(DATA / f"wordvec/{name}.npz", tokenize=Words(stop_words=stop_words))


def bags(texts: EncodedTexts) -> NDArray[np.float64]:
    """Weights of each text's words, which sum to 1, a column a word."""
    column: dict[str, int] = {}
    for own in texts.tokens:
        for token in own:
            column.setdefault(token, len(column))
    found = np.zeros((len(texts), len(column)))
    for t, own in enumerate(texts.tokens):
        weights = texts.sequences.weights_of(t)
        for k, token in enumerate(own):
            found[t, column[token]] += 1.0 if weights is None else weights[k]
    return found / found.sum(axis=1, keepdims=True)


def l1(texts: EncodedTexts) -> NDArray[np.float64]:
    """Distances of bags."""
    own = bags(texts)
    # Columns that two rows share are few: L1 is 2 − 2 Σ min, and min is nought elsewhere.
    distances = np.empty((len(own), len(own)))
    for t, row in enumerate(own):
        used = np.flatnonzero(row)
        distances[t] = 2.0 - 2.0 * np.minimum(own[:, used], row[used]).sum(axis=1)
    return np.maximum(distances, 0.0)


def by(measure: mr.Measure, texts: EncodedTexts) -> NDArray[np.float64]:
    """Distances by transport; rounding may leave some below 0, which estimators refuse."""
    return np.maximum(mr.pairwise(texts.sequences, None, measure), 0.0)


def error(distances: NDArray[np.float64], y: NDArray[np.str_], split: int) -> float:
    """Error on the held-out part, in %."""
    train, test = train_test_split(np.arange(len(y)), test_size=1 / 3, random_state=split, stratify=y)
    folds = StratifiedKFold(5, shuffle=True, random_state=split)
    search = GridSearchCV(KNeighborsClassifier(metric="precomputed"), {"n_neighbors": NEIGHBOURS}, cv=folds)
    search.fit(distances[np.ix_(train, train)], y[train])
    return 100 * (1 - search.score(distances[np.ix_(test, train)], y[test]))


def main() -> None:
    """Print the table."""
    print(environment("scikit-learn"), end="\n\n")
    texts, classes = tweets()
    lines = []
    for vectors in ("glove6b-100d-en", "minilmstatic-128d-en"):
        for kind, stop_words in (("all words", frozenset[str]()), ("no stop words", STOP_WORDS)):
            words = encoder(vectors, stop_words)
            plain = words.encode(texts, skip_empty=True)
            y = classes[plain.kept]
            kept = [texts[t] for t in plain.kept]
            fixed = {"bags": l1(plain), "WMD": by(mr.wmd, plain), "WRD": by(mr.wrd, plain)}
            weighed, normed = (mr.fit(words, kept, [step])(plain) for step in ("idf", "norm-idf"))
            fitted = {
                "bags, IDF": l1(weighed),
                "WMD, IDF": by(mr.wmd, weighed),
                "WRD, IDF": by(mr.wrd, weighed),
                "WRD, norm × IDF": by(mr.wrd, normed),
            }
            errors = {
                name: [error(distances, y, split) for split in range(SPLITS)]
                for name, distances in {**fixed, **fitted}.items()
            }
            cells = [f"{np.mean(found):.1f} ± {np.std(found):.1f}" for found in errors.values()]
            lines.append([f"{vectors}, {kind}", *cells])
            print(*lines[-1], file=sys.stderr)
    print(table(["error, %", *errors], lines))


if __name__ == "__main__":
    main()
