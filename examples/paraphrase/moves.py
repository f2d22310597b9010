"""Moves from sentence to sentence that leave ``exp(-energy / temperature)`` invariant: replace, insert, delete, swap.

Each move is a generator. It yields the sentences whose energies it needs, is sent those energies, and returns where the
chain is then. So many chains can have their sentences measured in one call.

The kinds of moves are those of CGMH [1]_. A word is not tried alone, but with others that are drawn from the same
distribution q. A sentence with word w then has the weight exp(-E / T) / q(w), and

- replace chooses among the drawn words and the one that is there by weight, a Gibbs step over a random few words [2]_;
- insert chooses among the drawn words by weight, and accepts by the mean weight M over the density of the sentence as
  it is, times the odds of choosing to delete instead of to insert (Hastings' correction [3]_);
- delete is the reverse of it: M then is the mean over the word that goes and others drawn beside it;
- swap exchanges two words, and accepts by the ratio of densities.

References
----------
.. [1] Miao, Zhou, Mou, Yan, Li, "CGMH: Constrained Sentence Generation by Metropolis-Hastings Sampling", AAAI 2019.
.. [2] Tjelmeland, "Using all Metropolis-Hastings proposals to estimate mean values", 2004; the kernel is also known as
   iterated sampling importance resampling (Andrieu, Lee, Vihola, 2018).
.. [3] Hastings, "Monte Carlo sampling methods using Markov chains and their applications", Biometrika 57(1), 1970.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from paraphrase.proposals import Words

Sentence = tuple[int, ...]
KINDS = ("replace", "insert", "delete", "swap")


class Proposal(Protocol):
    """What draws words for a place, from the words around it alone."""

    def at(self, sentence: Sentence, first: int, after: int) -> Words:
        """Words to try in place of ``sentence[first:after]``."""


@dataclass(frozen=True)
class Outcome:
    """Where a chain is after a move; `accepted` if that is another sentence, or an accepted swap of equal words."""

    kind: str
    sentence: Sentence
    energy: float
    accepted: bool


Move = Generator[list[Sentence], NDArray[np.float64], Outcome]


def log_weights(
    energies: NDArray[np.float64], log_proposals: NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """Logarithm of density over proposal probability of each sentence."""
    found: NDArray[np.float64] = -energies / temperature - log_proposals
    return found


def log_odds(there: float, back: float) -> float:
    """Logarithm of Hastings' correction: probability of choosing the way back over that of the way there."""
    return math.log(back / there)


class Moves:
    """Moves over sentences of limited length.

    Parameters
    ----------
    proposal : Proposal
        Draws the words to try.
    shares : mapping of str to float
        How often each of "replace", "insert", "delete" and "swap" is chosen, among those that are possible.
    tries : int
        Words that are measured per move.
    shortest, longest : int
        Limits of the length of sentences.
    """

    def __init__(
        self,
        proposal: Proposal,
        shares: Mapping[str, float] | None = None,
        *,
        tries: int = 16,
        shortest: int = 1,
        longest: int = 16,
    ) -> None:
        self._proposal, self._tries = proposal, tries
        self._shares = {"replace": 0.55, "insert": 0.15, "delete": 0.15, "swap": 0.15} if shares is None else shares
        if not 1 <= shortest <= longest:
            raise ValueError(f"shortest, longest: expected 1 <= shortest <= longest, got {shortest} and {longest}")
        if tries < 1:
            raise ValueError(f"tries must be at least 1, got {tries}")
        both = [self._shares.get(kind, 0.0) > 0 for kind in ("insert", "delete")]
        if both[0] != both[1]:
            raise ValueError("shares: one of insert and delete is 0 and the other is not; each is the other's way back")
        self._limits = shortest, longest
        self._chances = {length: self._of_length(length) for length in range(shortest, longest + 1)}

    def _of_length(self, length: int) -> dict[str, float]:
        shortest, longest = self._limits
        possible = {"replace": True, "insert": length < longest, "delete": length > shortest, "swap": length > 1}
        shares = {kind: self._shares.get(kind, 0.0) if possible[kind] else 0.0 for kind in KINDS}
        total = sum(shares.values())
        return {kind: share / total for kind, share in shares.items()}

    def step(self, sentence: Sentence, energy: float, temperature: float, random: np.random.Generator) -> Move:
        """Choose a kind of move, and make it."""
        chances = self._chances[len(sentence)]
        place, kind = random.random(), KINDS[0]
        for kind in KINDS:
            place -= chances[kind]
            if place < 0:
                break
        return getattr(self, kind)(sentence, energy, temperature, random)

    def replace(self, sentence: Sentence, energy: float, temperature: float, random: np.random.Generator) -> Move:
        """Put another word in a place, or leave the one that is there."""
        i = int(random.integers(len(sentence)))
        words = self._proposal.at(sentence, i, i + 1)
        drawn = words.draw(self._tries, random)
        others = [(*sentence[:i], word, *sentence[i + 1 :]) for word in drawn]
        energies = np.append((yield others), energy)
        chosen = _chosen(log_weights(energies, words.log_probability[[*drawn, sentence[i]]], temperature), random)
        if chosen == len(others):
            return Outcome("replace", sentence, energy, False)
        return Outcome("replace", others[chosen], float(energies[chosen]), others[chosen] != sentence)

    def insert(self, sentence: Sentence, energy: float, temperature: float, random: np.random.Generator) -> Move:
        """Put one word more somewhere."""
        n = len(sentence)
        i = int(random.integers(n + 1))
        words = self._proposal.at(sentence, i, i)
        drawn = words.draw(self._tries, random)
        longer = [(*sentence[:i], word, *sentence[i:]) for word in drawn]
        energies = yield longer
        weights = log_weights(energies, words.log_probability[drawn], temperature)
        # Each of n + 1 places is chosen alike, there and back.
        odds = log_odds(self._chances[n]["insert"], self._chances[n + 1]["delete"])
        if math.log1p(-random.random()) < _log_mean(weights) + energy / temperature + odds:
            chosen = _chosen(weights, random)
            return Outcome("insert", longer[chosen], float(energies[chosen]), True)
        return Outcome("insert", sentence, energy, False)

    def delete(self, sentence: Sentence, energy: float, temperature: float, random: np.random.Generator) -> Move:
        """Leave one word out."""
        n = len(sentence)
        i = int(random.integers(n))
        shorter = (*sentence[:i], *sentence[i + 1 :])
        words = self._proposal.at(sentence, i, i + 1)
        drawn = words.draw(self._tries - 1, random)
        energies = yield [shorter, *((*sentence[:i], word, *sentence[i + 1 :]) for word in drawn)]
        longer = np.append(energies[1:], energy)
        weights = log_weights(longer, words.log_probability[[*drawn, sentence[i]]], temperature)
        odds = log_odds(self._chances[n]["delete"], self._chances[n - 1]["insert"])
        if math.log1p(-random.random()) < -float(energies[0]) / temperature - _log_mean(weights) + odds:
            return Outcome("delete", shorter, float(energies[0]), True)
        return Outcome("delete", sentence, energy, False)

    def swap(self, sentence: Sentence, energy: float, temperature: float, random: np.random.Generator) -> Move:
        """Exchange two words."""
        i, j = sorted(random.choice(len(sentence), 2, replace=False).tolist())
        other = (*sentence[:i], sentence[j], *sentence[i + 1 : j], sentence[i], *sentence[j + 1 :])
        (there,) = yield [other]
        if math.log1p(-random.random()) < (energy - float(there)) / temperature:
            return Outcome("swap", other, float(there), True)
        return Outcome("swap", sentence, energy, False)


def _chosen(weights: NDArray[np.float64], random: np.random.Generator) -> int:
    cumulative = np.cumsum(np.exp(weights - weights.max()))
    return int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))


def _log_mean(weights: NDArray[np.float64]) -> float:
    largest = float(weights.max())
    return largest + math.log(float(np.exp(weights - largest).mean()))
