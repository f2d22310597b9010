"""One encoded text, prepared for a measure: what a cache keeps of texts that are ranked again and again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moverank.encoders.encoded import EncodedText
from moverank.index.index import Index
from moverank.measures.measure import Measure
from moverank.vectors.sequences import Sequences


@dataclass(frozen=True, eq=False)
class PreparedText:
    """A text without the tokens that have no mass under a measure, and an index of this one text.

    Attributes
    ----------
    measure : Measure
        The measure.
    text : EncodedText
        The tokens with mass.
    index : Index or None
        The text as an index; None if no token has mass.
    nbytes : int
        Bytes that it takes beside the encoded text that it was made of.
    """

    measure: Measure
    text: EncodedText
    index: Index | None
    nbytes: int

    @classmethod
    def of(cls, encoded: EncodedText, measure: Measure, name: str) -> PreparedText:
        """Prepare a text; errors call it `name`.

        Raises
        ------
        ValueError
            If a token with mass has no direction, and the ground cost needs one.
        """
        text = with_mass(encoded, measure, name)
        if not text.tokens:
            return cls(measure, text, None, 0)
        batch = Sequences.from_flat(text.vectors, [0, len(text.tokens)], text.weights)
        index = Index.build(batch, measure, prefilter=None, num_threads=1)
        shared = batch.tokens.nbytes if np.may_share_memory(batch.tokens, encoded.vectors) else 0
        return cls(measure, text, index, index._nbytes - shared)


def with_mass(text: EncodedText, measure: Measure, name: str) -> EncodedText:
    """The text without tokens that have no mass under a measure; they are counted as dropped.

    Raises
    ------
    ValueError
        If a token with mass has a zero vector, which has no direction under the ground cost; the message names both.
    """
    directed = has_direction(text.vectors)
    mass: NDArray[np.bool_] | None = directed if measure._mass.needs_vectors else None
    if text.weights is not None:
        mass = text.weights != 0
    if mass is not None and not mass.all():
        weights = None if text.weights is None else text.weights[mass]
        tokens = [token for token, has in zip(text.tokens, mass.tolist(), strict=True) if has]
        dropped = text.dropped + int((~mass).sum())
        text, directed = EncodedText(tokens, text.vectors[mass], weights, dropped, text.cut), directed[mass]
    if measure._cost.needs_directions and not directed.all():
        raise no_direction(name, text.tokens[int(np.argmin(directed))])
    return text


def has_direction(vectors: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which vectors are not zero."""
    return np.asarray(vectors.any(axis=1))


def no_direction(name: str, token: str) -> ValueError:
    """The error about a token of a text that has mass but no direction."""
    return ValueError(
        f"{name}: the vector of {token!r} is zero, which has no direction under cosine cost; weighting by norm, "
        "as in WRD, gives it no mass"
    )
