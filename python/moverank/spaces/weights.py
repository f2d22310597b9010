"""Weights of tokens that depend on the token only, not on its context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import positive_number

if TYPE_CHECKING:
    from moverank.spaces.statistics import Statistics

#: In place of an IDF of 0, so that a text of such tokens alone keeps its mass, spread evenly.
LEAST_IDF = 1e-12


class TokenWeights:
    """One weight per token, and one for all tokens that are not listed. ``a * b`` multiplies two sets of weights.

    Parameters
    ----------
    weights : mapping of str to float
        Positive and finite weights.
    unseen : float, default 1.0
        Weight of all other tokens.
    name : str, default "given"
        Name in the repr.

    Raises
    ------
    TypeError, ValueError
        If a weight is not a positive, finite number; the message names its token.

    Examples
    --------
    >>> rare = TokenWeights({"the": 0.1, "cat": 2.0})
    >>> rare.of(["the", "cat", "axolotl"]).tolist()
    [0.1, 2.0, 1.0]
    >>> (rare * rare).of(["cat"]).tolist()
    [4.0]
    """

    def __init__(self, weights: Mapping[str, float], unseen: float = 1.0, *, name: str = "given") -> None:
        if not isinstance(weights, Mapping):
            raise TypeError(f"weights: expected a mapping of tokens to numbers, got {type(weights).__name__}")
        self.table = {token: positive_number(value, f"weight of {token!r}") for token, value in weights.items()}
        self.unseen = positive_number(unseen, "unseen")
        self.name = name

    @classmethod
    def idf(cls, statistics: Statistics) -> TokenWeights:
        """Inverse document frequency, ln((1 + N) / (1 + N_t)) + 1, for N texts of which N_t contain token t.

        Weights are never 0, so no text loses all of its mass.

        References
        ----------
        .. [1] Sato, Yamada, Kashima, "Re-evaluating Word Mover's Distance", ICML 2022 (weights by TF-IDF).
        """
        n = statistics.texts

        def weight(texts: int) -> float:
            return float(np.log((1 + n) / (1 + texts)) + 1)

        return cls({token: weight(texts) for token, texts in statistics.texts_with.items()}, weight(0), name="idf")

    @classmethod
    def idf_of_bert_score(cls, texts: Iterable[Iterable[str]]) -> TokenWeights:
        """Inverse document frequency as in BERTScore, −ln((1 + N_t) / (1 + N)), for N texts, N_t of which have token t.

        Tokens of all texts would have weight 0; they get 10⁻¹², so no text loses all of its mass: one of such tokens
        alone weighs them equally.

        Parameters
        ----------
        texts : iterable of iterables of str
            The tokens of each text.

        References
        ----------
        .. [1] Zhang, Kishore, Wu, Weinberger, Artzi, "BERTScore: Evaluating Text Generation with BERT", ICLR 2020.

        Examples
        --------
        >>> rare = TokenWeights.idf_of_bert_score([["the", "cat"], ["the", "dog"]])
        >>> rare.of(["the", "cat", "axolotl"]).round(3).tolist()
        [0.0, 0.405, 1.099]
        """
        n = 0
        texts_with: Counter[str] = Counter()
        for tokens in texts:
            n += 1
            texts_with.update(set(tokens))

        def weight(texts: int) -> float:
            return max(float(np.log((1 + n) / (1 + texts))), LEAST_IDF)

        return cls({token: weight(count) for token, count in texts_with.items()}, weight(0), name="idf of BERTScore")

    @classmethod
    def sif(cls, statistics: Statistics, a: float = 1e-3) -> TokenWeights:
        """Smooth inverse frequency, a / (a + p_t), where p_t is the frequency of token t among all tokens.

        References
        ----------
        .. [1] Arora, Liang, Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017.
        """
        smooth = positive_number(a, "a")
        total = statistics.tokens
        return cls(
            {token: smooth / (smooth + count / total) for token, count in statistics.counts.items()}, 1.0, name="sif"
        )

    def of(self, tokens: Sequence[str]) -> NDArray[np.float64]:
        """Return the weights of given tokens, shape (n,)."""
        return np.array([self.table.get(token, self.unseen) for token in tokens], dtype=np.float64)

    def __mul__(self, other: TokenWeights) -> TokenWeights:
        if not isinstance(other, TokenWeights):
            return NotImplemented
        tokens = self.table.keys() | other.table.keys()
        return TokenWeights(
            {t: self.table.get(t, self.unseen) * other.table.get(t, other.unseen) for t in tokens},
            self.unseen * other.unseen,
            name=f"{self.name} * {other.name}",
        )

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"TokenWeights({self.name}, {len(self)} tokens)"
