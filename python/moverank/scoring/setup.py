"""What scores are computed with: encoder, measure and weights, checked once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from moverank.alignment.alignment import Alignment
from moverank.encoders.encoded import Encoder, require_encoder, require_texts
from moverank.measures.measure import Measure, require_vectors
from moverank.presets import PAIRS_BY_TOKENS
from moverank.scoring.compare import EncodedOnce
from moverank.spaces.space import Space
from moverank.spaces.weights import TokenWeights

#: Cosine costs, mass by norm, capacity 4: as good as any on training pairs with human scores, by word vectors and by
#: MiniLM (docs/benchmarks.md).
DEFAULT_MEASURE = PAIRS_BY_TOKENS.measure

#: Weights of tokens: by frequency in the references, none, or given.
Idf = bool | TokenWeights


@dataclass(frozen=True, eq=False)
class Setup:
    """Encoder with its space, measure, and weights as they were passed."""

    encoder: Encoder
    measure: Measure
    idf: Idf

    @classmethod
    def of(cls, encoder: Encoder | None, measure: str | Measure, idf: Any, space: Any) -> Setup:
        """Check the arguments of the same names."""
        chosen = Measure.of(measure)
        require_vectors(chosen)
        if not isinstance(idf, (bool, np.bool_, TokenWeights)):
            raise TypeError(f"idf: expected True, False or TokenWeights, got {idf!r:.80}")
        if space is not None and not isinstance(space, Space):
            raise TypeError(f"space: expected a Space, got {type(space).__name__}")
        used = _or_default(encoder)
        weights = idf if isinstance(idf, TokenWeights) else bool(idf)
        return cls(used if space is None else space.over(used), chosen, weights)

    def weights(self, encoded: EncodedOnce, references: Iterable[str]) -> TokenWeights | None:
        """The weights, fitted to the references if they are not given."""
        if isinstance(self.idf, TokenWeights):
            encoded.require_listed(self.idf)
            return self.idf
        return encoded.idf(references) if self.idf else None


@dataclass(frozen=True, eq=False)
class Reasons:
    """What it takes to compare a pair of texts once more."""

    encoder: Encoder
    measure: Measure
    weights: TokenWeights | None

    def alignment(self, candidate: str, reference: str, *, of_recall: bool) -> Alignment:
        """The plan of one direction."""
        encoded = EncodedOnce(self.encoder, [candidate, reference])
        return encoded.weighed(self.measure, self.weights).alignment(candidate, reference, of_recall=of_recall)


def score_idf(texts: Iterable[str], *, encoder: Encoder | None = None) -> TokenWeights:
    """Weights of tokens by their frequency in given texts, for ``score(idf=...)``.

    By default `score` fits them to the references. References of a whole data set, or other texts of the kind, say more
    about which words are rare than a few do, and give scores of several runs the same weights.

    Parameters
    ----------
    texts : sequence of str
        The texts, as often as they occur.
    encoder : Encoder, optional
        What cuts texts into tokens; by default the word vectors of the package.

    Returns
    -------
    TokenWeights
        −ln((1 + N_t) / (1 + N)) for a token in N_t of N texts, as in BERTScore (`TokenWeights.idf_of_bert_score`).

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed, there is no text, or every token is in all of the texts.

    Examples
    --------
    >>> score_idf(["the cat", "the dog"]).of(["the", "cat"]).round(3).tolist()
    [0.0, 0.405]
    """
    listed = require_texts(texts)
    if not listed:
        raise ValueError("texts: expected at least one, got none")
    return EncodedOnce(_or_default(encoder), listed).idf(listed)


def _or_default(encoder: Encoder | None) -> Encoder:
    if encoder is None:
        from moverank.encoders.word_vectors import WordVectors

        return WordVectors.default()
    require_encoder(encoder)
    return encoder
