"""Several chains in step: what all of them try is measured in one call."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paraphrase.moves import KINDS, Moves, Sentence

#: The best sentences to return; most differ from each other by a word or two.
KEPT = 2000


@dataclass(frozen=True)
class Schedule:
    """Temperatures that fall by the same factor from step to step, and then stay.

    Attributes
    ----------
    first, last : float
        Temperatures in units of the energy.
    cooling, steps : int
        Steps until `last` is reached, and steps in all. What is found of a distribution is found after cooling.
    """

    first: float
    last: float
    cooling: int
    steps: int

    @classmethod
    def annealed(cls, last: float, steps: int) -> Schedule:
        """Begin at eight times the last temperature, where chains move freely, and cool half of the time."""
        return cls(8 * last, last, steps // 2, steps)

    def temperature(self, step: int) -> float:
        """Temperature of a step."""
        if step >= self.cooling:
            return self.last
        return self.first * (self.last / self.first) ** (step / self.cooling)


@dataclass(frozen=True, eq=False)
class Run:
    """What chains did.

    Attributes
    ----------
    best : list of tuple of float and tuple of int
        The sentences of least energy that were measured, whether or not a chain went there, the best one first.
    sentences : list of tuple of int
        Where each chain ended.
    energies, lengths : ndarray of float64, shape (steps, chains)
        Of the sentence at which each chain was after each step.
    tried, accepted : Counter of str
        Moves by kind, after cooling.
    cooling : int
        Steps before the temperature was the last one.
    seconds : float
        How long it took.
    """

    best: list[tuple[float, Sentence]]
    sentences: list[Sentence]
    energies: NDArray[np.float64]
    lengths: NDArray[np.float64]
    tried: Counter[str]
    accepted: Counter[str]
    cooling: int
    seconds: float

    def acceptance(self) -> dict[str, float]:
        """Share of the moves of each kind that were accepted, after cooling."""
        return {kind: self.accepted[kind] / self.tried[kind] for kind in KINDS if self.tried[kind]}


class _Best:
    """The few sentences of least energy."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[float, Sentence]] = []
        self._known: set[Sentence] = set()

    def add(self, sentences: Sequence[Sentence], energies: NDArray[np.float64]) -> None:
        """Keep those that are better than the worst that is kept."""
        limit = -self._heap[0][0] if len(self._heap) == self._count else np.inf
        for place in np.flatnonzero(energies < limit).tolist():
            sentence = sentences[place]
            if sentence in self._known:
                continue
            self._known.add(sentence)
            entry = (-float(energies[place]), sentence)
            if len(self._heap) < self._count:
                heapq.heappush(self._heap, entry)
            else:
                self._known.discard(heapq.heappushpop(self._heap, entry)[1])

    def listed(self) -> list[tuple[float, Sentence]]:
        """The best one first."""
        return sorted((-energy, sentence) for energy, sentence in self._heap)


def run(
    energy: Callable[[Sequence[Sentence]], NDArray[np.float64]],
    moves: Moves,
    starts: Sequence[Sentence],
    schedule: Schedule,
    *,
    seed: int = 0,
    keep: int = KEPT,
    observe: Callable[[int, list[Sentence]], None] | None = None,
) -> Run:
    """Run one chain from each start.

    Parameters
    ----------
    energy : callable
        Takes sentences, returns their energies.
    moves : Moves
        What chains do.
    starts : sequence of tuple of int
        A sentence per chain.
    schedule : Schedule
        Temperatures, and how many steps.
    seed : int
        Chains draw from independent streams of it.
    keep : int
        How many of the best sentences are returned.
    observe : callable, optional
        Called with the number of each step and the sentences after it.
    """
    begin = time.perf_counter()
    randoms = [np.random.default_rng(own) for own in np.random.SeedSequence(seed).spawn(len(starts))]
    sentences, energies = list(starts), [float(value) for value in energy(starts)]
    best = _Best(keep)
    best.add(sentences, np.array(energies))
    seen = np.empty((schedule.steps, len(starts)))
    lengths = np.empty_like(seen)
    tried: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for step in range(schedule.steps):
        temperature = schedule.temperature(step)
        made = [
            moves.step(*one, temperature, random)
            for one, random in zip(zip(sentences, energies, strict=True), randoms, strict=True)
        ]
        asked = [next(move) for move in made]
        batch = [sentence for wanted in asked for sentence in wanted]
        measured = energy(batch)
        best.add(batch, measured)
        first = 0
        for chain, (move, wanted) in enumerate(zip(made, asked, strict=True)):
            try:
                move.send(measured[first : first + len(wanted)])
            except StopIteration as end:
                outcome = end.value
            first += len(wanted)
            sentences[chain], energies[chain] = outcome.sentence, outcome.energy
            if step >= schedule.cooling:
                tried[outcome.kind] += 1
                accepted[outcome.kind] += outcome.accepted
        seen[step] = energies
        lengths[step] = [len(sentence) for sentence in sentences]
        if observe is not None:
            observe(step, sentences)
    return Run(best.listed(), sentences, seen, lengths, tried, accepted, schedule.cooling, time.perf_counter() - begin)
