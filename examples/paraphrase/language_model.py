"""How likely a sentence is: trigrams with interpolated Kneser-Ney smoothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class KneserNey:
    """Probability of a word after two others.

    Each order takes a discount D from the counts that it has, and gives what it saved to the order below, which counts
    not how often a word occurs but after how many others::

        P(w | u v) = max(c(u v w) - D, 0) / c(u v .) + D n(u v .) / c(u v .) * P(w | v)

    with c(u v .) the sum of these counts over w, and n(u v .) how many w there are. The lowest order is interpolated
    with the uniform distribution. A context that never occurred leaves everything to the order below. D is
    n1 / (n1 + 2 n2), where n1 and n2 count what occurred once and twice.

    Parameters
    ----------
    sentences : iterable of sequence of int
        Words from 0 to `n_words`; the last number stands for any unknown word.
    n_words : int
        How many known words there are.

    References
    ----------
    .. [1] Kneser, Ney, "Improved Backing-off for m-gram Language Modeling", ICASSP 1995.
    .. [2] Chen, Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1999.
    """

    def __init__(self, sentences: Iterable[Sequence[int]], n_words: int) -> None:
        self.n_words = n_words
        self.unknown, self.end, self.start = n_words, n_words + 1, n_words + 2
        trigrams: Counter[tuple[int, int, int]] = Counter()
        for sentence in sentences:
            padded = [self.start, self.start, *sentence, self.end]
            trigrams.update(zip(padded, padded[1:], padded[2:], strict=False))
        bigrams = Counter((v, w) for _, v, w in trigrams)
        unigrams = Counter(w for _, w in bigrams)
        #: Counts of what follows a context, and per context their sum.
        self._after_two, self._discount_of_three = _by_context(trigrams, 2), _discount(trigrams)
        self._after_one, self._discount_of_two = _by_context(bigrams, 1), _discount(bigrams)
        total, discount = sum(unigrams.values()), _discount(unigrams)
        # What can come next: words, an unknown one, the end.
        counts = np.array([unigrams.get(word, 0) for word in range(n_words + 2)], dtype=np.float64)
        saved = discount * np.count_nonzero(counts) / total
        self._alone: Numbers = np.maximum(counts - discount, 0) / total + saved / (n_words + 2)
        self._before: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for (v, w), count in bigrams.items():
            self._before[w].append((v, count))
        self._saved_after_one = np.ones(n_words + 3)
        self._total_after_one = np.ones(n_words + 3)
        for (v,), counted in self._after_one.items():
            self._total_after_one[v] = sum(counted.values())
            self._saved_after_one[v] = self._discount_of_two * len(counted) / self._total_after_one[v]
        # Chains ask for the same words again and again.
        self.probability = lru_cache(maxsize=1 << 20)(self._probability)
        self.after = lru_cache(maxsize=512)(self._after)
        self.before = lru_cache(maxsize=512)(self._before_each)

    def _probability(self, u: int, v: int, w: int) -> float:
        """P(w | u v)."""
        counted = self._after_one.get((v,))
        lower = float(self._alone[w])
        if counted is not None:
            lower *= float(self._saved_after_one[v])
            lower += max(counted.get(w, 0) - self._discount_of_two, 0.0) / float(self._total_after_one[v])
        counted = self._after_two.get((u, v))
        if counted is None:
            return lower
        total = sum(counted.values())
        own = max(counted.get(w, 0) - self._discount_of_three, 0.0) / total
        return own + self._discount_of_three * len(counted) / total * lower

    def log_likelihood(self, sentence: Sequence[int]) -> float:
        """Natural logarithm of the probability of a whole sentence, its end included."""
        u = v = self.start
        total = 1.0
        logs = 0.0
        for w in sentence:
            total *= self.probability(u, v, w)
            u, v = v, w
            if total < 1e-280:
                logs += float(np.log(total))
                total = 1.0
        return logs + float(np.log(total * self.probability(u, v, self.end)))

    def perplexity(self, sentences: Iterable[Sequence[int]]) -> float:
        """Of how many equally likely words the model seems to choose, on average; over known words and ends."""
        logs, count = 0.0, 0
        for sentence in sentences:
            u = v = self.start
            for w in (*sentence, self.end):
                if w != self.unknown:
                    logs, count = logs + float(np.log(self.probability(u, v, w))), count + 1
                u, v = v, w
        return float(np.exp(-logs / count))

    def _after(self, v: int) -> Numbers:
        """P(w | v) by the two lower orders, of each known word w, shape (n_words,)."""
        found = self._alone[: self.n_words] * self._saved_after_one[v]
        for w, count in self._after_one.get((v,), {}).items():
            if w < self.n_words:
                found[w] += max(count - self._discount_of_two, 0.0) / self._total_after_one[v]
        return found

    def _before_each(self, w: int) -> Numbers:
        """P(w | v) by the two lower orders, after each known word v, shape (n_words,)."""
        found = self._alone[w] * self._saved_after_one[: self.n_words]
        for v, count in self._before.get(w, ()):
            if v < self.n_words:
                found[v] += max(count - self._discount_of_two, 0.0) / self._total_after_one[v]
        return found


def _by_context(counts: Counter[tuple[int, ...]], length: int) -> dict[tuple[int, ...], dict[int, int]]:
    found: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
    for gram, count in counts.items():
        found[gram[:length]][gram[length]] = count
    return dict(found)


def _discount(counts: Counter) -> float:
    once, twice = (sum(1 for count in counts.values() if count == times) for times in (1, 2))
    # Without anything that occurred once nothing would be saved for what did not occur.
    return once / (once + 2 * twice) if once and twice else 0.5
