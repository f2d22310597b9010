"""Pairs of texts compared both ways: each distinct text is encoded and weighed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moverank.alignment.align import align
from moverank.alignment.alignment import Alignment
from moverank.alignment.lost import Lost
from moverank.encoders.encoded import EncodedTexts, Encoder, encode_documents, shorten
from moverank.errors import NoTokensError
from moverank.measures.distances import paired_distances
from moverank.measures.measure import Measure
from moverank.spaces.weights import LEAST_IDF, TokenWeights
from moverank.vectors.sequences import Sequences
from moverank.vectors.weighting import mass_of

#: Texts that are encoded between two reports of progress.
_TEXTS_AT_ONCE = 1024
#: Pairs whose tokens are copied side by side at a time.
_PAIRS_AT_ONCE = 4096

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Compared:
    """Both directions of pairs, before any rescaling; 0 where `scored` is False."""

    precision: Floats
    recall: Floats
    scored: NDArray[np.bool_]

    @property
    def f1(self) -> Floats:
        """Harmonic mean of both; where one is not above 0, the lower one, which continues it without a jump."""
        positive = (self.precision > 0) & (self.recall > 0)
        total = np.where(positive, self.precision + self.recall, 1.0)
        lower = np.minimum(self.precision, self.recall)
        found: Floats = np.where(positive, 2 * self.precision * self.recall / total, lower)
        return found


class EncodedOnce:
    """Distinct texts, all encoded as documents, whichever side they are on.

    Parameters
    ----------
    encoder : Encoder
        What encodes them.
    texts : iterable of str
        With any repeats.
    progress : callable, optional
        Called with the number of texts encoded so far and of distinct texts.
    """

    def __init__(
        self, encoder: Encoder, texts: Iterable[str], progress: Callable[[int, int], object] | None = None
    ) -> None:
        distinct = list(dict.fromkeys(texts))
        found: list[EncodedTexts] = []
        self.texts: list[str] = []  # those with a token
        for start in range(0, len(distinct), _TEXTS_AT_ONCE):
            some = distinct[start : start + _TEXTS_AT_ONCE]
            encoded = _encoded(encoder, some)
            if encoded is not None:
                found.append(encoded)
                self.texts += [some[t] for t in encoded.kept]
            if progress is not None:
                progress(start + len(some), len(distinct))
        self._tokens = [tokens for one in found for tokens in one.tokens]
        self._lost = [lost for one in found for lost in zip(one.dropped, one.cut, strict=True)]
        self._place = {text: place for place, text in enumerate(self.texts)}
        self._sequences = _joined([one.sequences for one in found])

    def idf(self, texts: Iterable[str]) -> TokenWeights:
        """Weights by the number of these texts, counted as often as they are given, that contain a token.

        Raises
        ------
        ValueError
            If every token is in all of the texts, as in a single one: none would weigh anything.
        """
        places = (self._place.get(text) for text in texts)
        found = TokenWeights.idf_of_bert_score(() if place is None else self._tokens[place] for place in places)
        if found.table and max(found.table.values()) <= LEAST_IDF:
            raise ValueError(
                "idf: every token is in all of the texts that weights are fitted to, so none weighs anything; fit "
                "weights to more texts, or leave them out"
            )
        return found

    def require_listed(self, idf: TokenWeights) -> None:
        """Refuse weights of other tokens, as another encoder has: they would weigh all of these equally."""
        if idf.table and self.texts and all(idf.table.keys().isdisjoint(tokens) for tokens in self._tokens):
            raise ValueError("idf: lists no token of these texts; were the weights fitted with another encoder?")

    def lost(self, text: str) -> tuple[int, int]:
        """Words without a vector, and tokens cut off; zeros for a text without a token."""
        place = self._place.get(text)
        return (0, 0) if place is None else self._lost[place]

    def weighed(self, measure: Measure, idf: TokenWeights | None) -> Weighed:
        """Give each token its mass: what encoder or measure give it, times its weight.

        Raises
        ------
        ValueError
            If a token with mass has a zero vector and the measure needs its direction, or if the measure needs weights
            and there are none.
        """
        batch = self._sequences
        if batch is None:
            return Weighed(self, measure, None, {})
        vectors, offsets, mass = batch.tokens, batch.offsets, batch.weights
        if mass is None:
            if measure._mass.needs_weights and idf is None:
                raise ValueError("measure: its weighting is 'given', but neither the encoder nor idf gives weights")
            mass = mass_of(vectors, measure.weighting)
        if idf is not None:
            mass = mass * idf.of([token for own in self._tokens for token in own])
        if measure._cost.needs_directions:
            self._require_directions((mass > 0) & ~vectors.any(axis=1))
        has_mass = np.add.reduceat(mass, offsets[:-1]) > 0
        # A text without mass is never compared; any mass will do for it.
        mass = np.where(np.repeat(has_mass, np.diff(offsets)), mass, 1.0)
        place = {text: place for text, place in self._place.items() if has_mass[place]}
        return Weighed(self, measure, Sequences.from_flat(vectors, offsets, mass), place)

    def tokens_of(self, text: str) -> list[str]:
        """Tokens of a text that has some."""
        return self._tokens[self._place[text]]

    def _require_directions(self, lacking: NDArray[np.bool_]) -> None:
        if self._sequences is None or not lacking.any():
            return
        token, offsets = int(np.argmax(lacking)), self._sequences.offsets
        place = int(np.searchsorted(offsets, token, side="right")) - 1
        name = self._tokens[place][token - int(offsets[place])]
        raise ValueError(
            f"texts: the vector of {name!r} in {shorten(self.texts[place])!r} is zero, which has no direction under "
            "cosine cost; weighting by norm, as in WRD, gives it no mass"
        )


@dataclass(frozen=True, eq=False)
class Weighed:
    """Texts whose tokens have their mass, compared by one measure; `place` lists the texts that have any."""

    encoded: EncodedOnce
    measure: Measure
    batch: Sequences | None
    place: dict[str, int]

    def compare(self, candidates: Sequence[str], references: Sequence[str], num_threads: int | None) -> Compared:
        """Compare each candidate with the reference at its position."""
        pairs = [(self.place.get(x, -1), self.place.get(y, -1)) for x, y in zip(candidates, references, strict=True)]
        places = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        scored = places.min(axis=1) >= 0
        precision, recall = np.zeros(len(places)), np.zeros(len(places))
        chosen = np.flatnonzero(scored)
        for start in range(0, len(chosen), _PAIRS_AT_ONCE):
            some = chosen[start : start + _PAIRS_AT_ONCE]
            precision[some], recall[some] = self._both_ways(places[some, 0], places[some, 1], num_threads)
        return Compared(precision, recall, scored)

    def alignment(self, candidate: str, reference: str, *, of_recall: bool = False) -> Alignment:
        """The plan of one direction, with names; both texts must have a place."""
        texts = (reference, candidate) if of_recall else (candidate, reference)
        if self.batch is None or not all(text in self.place for text in texts):
            raise ValueError("nothing moved: the candidate or the reference has no token")
        moving, taking = texts
        found = align(self.batch[self.place[moving]], self.batch[self.place[taking]], self.measure)
        (dropped, cut), (other_dropped, other_cut) = self.encoded.lost(moving), self.encoded.lost(taking)
        lost = Lost(dropped, other_dropped, cut, other_cut)
        return replace(found.named(self.encoded.tokens_of(moving), self.encoded.tokens_of(taking)), lost=lost)

    def _both_ways(
        self, candidates: NDArray[np.int64], references: NDArray[np.int64], num_threads: int | None
    ) -> tuple[Floats, Floats]:
        if self.batch is None:
            return np.zeros(0), np.zeros(0)
        x, y = self.batch[candidates], self.batch[references]
        precision = paired_distances(x, y, self.measure, num_threads=num_threads)
        if self.measure.is_symmetric:
            recall = precision
        else:
            recall = paired_distances(y, x, self.measure, num_threads=num_threads)
        return self.measure.similarity(precision), self.measure.similarity(recall)


def _encoded(encoder: Encoder, texts: list[str]) -> EncodedTexts | None:
    try:
        return encode_documents(encoder, texts, skip_empty=True)
    except NoTokensError:
        return None


def _joined(batches: list[Sequences]) -> Sequences | None:
    """All sequences in one batch of float32."""
    if not batches:
        return None
    flat = [batch.astype("float32") for batch in batches]
    lengths = np.concatenate([batch.lengths for batch in flat])
    weights = [batch.weights for batch in flat if batch.weights is not None]
    if weights and len(weights) < len(flat):
        raise ValueError("encoder: gave some texts weights and others none")
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    joined = np.concatenate([batch.tokens for batch in flat])
    return Sequences.from_flat(joined, offsets, np.concatenate(weights) if weights else None)
