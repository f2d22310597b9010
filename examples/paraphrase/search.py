"""From a text to chains: what they are to come near, which words they may use, where they begin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import moverank as mr
from paraphrase.corpus import Corpus
from paraphrase.energy import Energy
from paraphrase.language_model import KneserNey
from paraphrase.moves import Moves, Sentence
from paraphrase.proposals import WordProposal, near_target


@dataclass(frozen=True, eq=False)
class Search:
    """What `sampler.run` needs for one text.

    Attributes
    ----------
    tokens : list of str
        The words of the text that have vectors.
    energy : Energy
        How far a sentence is from them, and how fluent.
    moves : Moves
        What chains do.
    starts : list of tuple of int
        A sentence per chain, drawn from the language model.
    """

    tokens: list[str]
    energy: Energy
    moves: Moves
    starts: list[Sentence]


def paraphrase(
    text: str,
    corpus: Corpus,
    model: KneserNey,
    *,
    fluency: float = 0.1,
    chains: int = 8,
    tries: int = 16,
    seed: int = 0,
) -> Search:
    """Search for sentences that say the same without the content words of the text.

    Query and sentence have to explain each other (capacity 1), and only the stop words of the text may be used again,
    not even other forms of its words: otherwise the nearest sentence is the text itself.
    """
    target, tokens = _target(text)
    own = set(tokens) - mr.encoders.STOP_WORDS
    forbidden = {word for word in corpus.words if any(_is_form(word, other) for other in own)}
    limits = max(2, len(tokens) // 2), max(3, len(tokens) + len(tokens) // 2)
    return _search(target, tokens, mr.wrd, forbidden, limits, corpus, model, fluency, chains, tries, seed)


def from_keywords(
    text: str,
    corpus: Corpus,
    model: KneserNey,
    *,
    fluency: float = 0.1,
    chains: int = 8,
    tries: int = 16,
    seed: int = 0,
) -> Search:
    """Search for sentences about keywords, which may use them.

    A word of the sentence may take four times its share of the keywords' mass (capacity 4), so that the other words of
    the sentence are free to make it fluent.
    """
    target, tokens = _target(text)
    measure = mr.wrd.replace(capacity=4)
    limits = len(tokens) + 2, 3 * len(tokens) + 4
    return _search(target, tokens, measure, set(), limits, corpus, model, fluency, chains, tries, seed)


def unlike(found: list[tuple[float, Sentence]], count: int) -> list[tuple[float, Sentence]]:
    """The best sentences that share at most half of their words with a better one: others differ by a word or two."""
    chosen: list[tuple[float, Sentence]] = []
    for energy, sentence in found:
        own = set(sentence)
        if all(len(own & set(other)) <= 0.5 * len(own | set(other)) for _, other in chosen):
            chosen.append((energy, sentence))
            if len(chosen) == count:
                break
    return chosen


def _is_form(word: str, other: str) -> bool:
    """Whether two words are forms of one, as far as their first five letters tell; short ones may differ by an s."""
    return word.removesuffix("s") == other.removesuffix("s") or (len(other) > 4 and word[:5] == other[:5])


def _target(text: str) -> tuple[mr.Sequence, list[str]]:
    encoded = mr.encoders.WordVectors.default().encode([text])
    return encoded.sequences[0], list(encoded.tokens[0])


def _search(
    target: mr.Sequence,
    tokens: list[str],
    measure: mr.Measure,
    forbidden: set[str],
    limits: tuple[int, int],
    corpus: Corpus,
    model: KneserNey,
    fluency: float,
    chains: int,
    tries: int,
    seed: int,
) -> Search:
    allowed = np.array([word not in forbidden for word in corpus.words])
    near = near_target(np.asarray(target), corpus.vectors, allowed)
    moves = Moves(WordProposal(model, near), tries=tries, shortest=limits[0], longest=limits[1])
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    lengths = random.integers(limits[0], limits[1] + 1, chains)
    starts = [_drawn(model, allowed, int(length), random) for length in lengths]
    return Search(tokens, Energy(target, corpus.vectors, measure, model, fluency), moves, starts)


def _drawn(model: KneserNey, allowed: np.ndarray, length: int, random: np.random.Generator) -> Sentence:
    """A sentence by the language model, of allowed words; chains that begin so begin far from each other."""
    words: list[int] = []
    for _ in range(length):
        weights = model.after(words[-1] if words else model.start) * allowed
        words.append(int(random.choice(len(weights), p=weights / weights.sum())))
    return tuple(words)
