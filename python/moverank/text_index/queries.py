"""Queries as encoded texts, of which the latest are kept."""

from __future__ import annotations

from collections import OrderedDict

from numpy.typing import ArrayLike

from moverank._support.threads import Lock
from moverank.encoders.encoded import EncodedText, Encoder, encode_queries, shorten
from moverank.errors import NoTokensError
from moverank.measures.measure import Measure, require_same_dim
from moverank.ranking.prepared_text import with_mass
from moverank.spaces.space import Space
from moverank.vectors.sequences import One, as_query

#: Encoded queries that are kept.
QUERIES_KEPT = 1024


class EncodedQueries:
    """Encodes queries, and keeps the latest. Thread-safe.

    Parameters
    ----------
    encoder : Encoder
        Encodes them.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._kept: OrderedDict[str, EncodedText] = OrderedDict()
        self._space: Space | None = None
        self._lock = Lock()

    def of(self, query: str, space: Space | None, measure: Measure, *, needs_tokens: bool) -> EncodedText:
        """Tokens of a query with mass under a measure, in a space; none if no word has a vector.

        Raises
        ------
        NoTokensError
            If there are none and they are needed.
        """
        with self._lock:
            if space is not self._space:  # the index was replaced by one with another space
                self._space = space
                self._kept.clear()
            if query in self._kept:
                self._kept.move_to_end(query)
                return self._kept[query]
        try:
            found = encode_queries(self._encoder, [query], skip_empty=True)
            one = (found if space is None else space(found)).text(0)
            one = with_mass(one, measure, "query")
        except NoTokensError:
            one = EncodedText.empty()
        if not one.tokens and needs_tokens:
            raise NoTokensError(f"query: no word of {shorten(query)!r} has a vector")
        with self._lock:
            self._kept[query] = one
            while len(self._kept) > QUERIES_KEPT:
                self._kept.popitem(last=False)
        return one


def tokens_of_vectors(vectors: One, weights: ArrayLike | None, measure: Measure, dim: int) -> EncodedText:
    """Token vectors of a query as an encoded text, whose tokens are named by their positions.

    Raises
    ------
    DimensionError
        If they have another dimension than those of the index.
    NoTokensError
        If none has mass under the measure.
    TypeError, ValueError
        If an argument is malformed; the message names it.
    """
    given = as_query(vectors, weights, "vectors", "weights", measure.weighting)
    require_same_dim(given.dim, dim, "vectors", "the index")
    names = [f"[{n}]" for n in range(len(given.tokens))]
    tokens = with_mass(EncodedText(names, given.tokens, given.weights), measure, "vectors")
    if not tokens.tokens:
        raise NoTokensError("vectors: expected at least one that has mass under the measure, got none")
    return tokens
