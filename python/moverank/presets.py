"""What to compare texts by, per situation: chosen on training data alone, then frozen.

A `Preset` is what `TextIndex`, `Reranker` and `score` do unless they are told otherwise. Where it has steps, they have
to be learnt from texts of yours, and are never taken by default: `Preset.space` learns them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from moverank.encoders.encoded import Encoder, require_encoder
from moverank.encoders.word_vectors import WordVectors
from moverank.measures.measure import Measure, wrd
from moverank.spaces.space import Space, SpaceEncoder, fit

__all__ = [
    "CLASSIFICATION_BY_WORDS",
    "PAIRS_BY_TOKENS",
    "PAIRS_BY_WORDS",
    "RETRIEVAL_BY_TOKENS",
    "RETRIEVAL_BY_WORDS",
    "Preset",
    "pairs",
    "retrieval",
]


@dataclass(frozen=True)
class Preset:
    """Measure, space and numbers that suit one situation.

    Attributes
    ----------
    situation : str
        What it is for.
    measure : Measure
        What to compare by.
    steps : tuple of str
        Steps of the space, names as in `fit`; none leaves vectors as they are.
    fusion : float
        Weight of the similarity beside BM25, see `Fusion`; 1 where there are no terms to search by.
    neighbours : int or None
        How many neighbours vote; None unless texts are classified.
    chosen_on : str
        The data that all of this was chosen on.

    Examples
    --------
    >>> import moverank as mr
    >>> encoder = mr.encoders.WordVectors.default()
    >>> preset = mr.presets.pairs(encoder)
    >>> seen = ["A man sings.", "A dog runs.", "Rain fell on the town.", "Two people cook a meal."]
    >>> space = preset.space(encoder, seen)
    >>> scores = mr.score(["A boy is singing."], ["A child sings."], measure=preset.measure, space=space)
    """

    situation: str
    measure: Measure
    steps: tuple[str, ...] = ()
    fusion: float = 1.0
    neighbours: int | None = None
    chosen_on: str = ""

    def space(
        self,
        encoder: Encoder,
        texts: Iterable[str],
        *,
        sample: int = 20_000,
        progress: Callable[[int], object] | None = None,
    ) -> Space | None:
        """Learn the space from texts of the kind that will be compared, a hundred or more.

        Parameters
        ----------
        encoder : Encoder
            The encoder whose vectors will be transformed.
        texts : iterable of str
            The texts; nothing else is needed, such as scores or classes. They are not read if there are no steps.
        sample, progress
            As in `fit`.

        Returns
        -------
        Space or None
            For ``space=`` of `TextIndex.create` and `score`, or to be applied to encoded texts; None if vectors are
            best left as they are.

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed, or no text has a token.
        """
        require_encoder(encoder)
        return fit(encoder, texts, self.steps, sample=sample, progress=progress) if self.steps else None


#: A query against documents, by vectors of tokens in their context. The measure is the default of `Reranker`.
RETRIEVAL_BY_TOKENS = Preset(
    "retrieval, tokens in context",
    wrd.replace(capacity=4),
    fusion=0.65,
    chosen_on="809 training queries of SciFact, MiniLM",
)

#: The same, by one vector per word, which knows less than terms do: it settles what they leave open.
RETRIEVAL_BY_WORDS = Preset(
    "retrieval, word vectors",
    wrd.replace(capacity=4),
    fusion=0.15,
    chosen_on="809 training queries of SciFact, the word vectors of the package",
)

#: Two sentences, compared in both directions by `score`, whose default the measure is. No space that was tried helps.
PAIRS_BY_TOKENS = Preset(
    "sentence pairs, tokens in context",
    wrd.replace(capacity=4),
    chosen_on="training pairs of STS-B (5749) and SICK (4500), MiniLM",
)

#: The same, by one vector per word.
PAIRS_BY_WORDS = Preset(
    "sentence pairs, word vectors",
    wrd.replace(capacity=4),
    ("whitening",),
    chosen_on="training pairs of STS-B (5749) and SICK (4500), three tables of word vectors",
)

#: Neighbours of a text vote for its class.
CLASSIFICATION_BY_WORDS = Preset(
    "classification, word vectors",
    wrd,
    ("all-but-the-top", "norm-idf"),
    neighbours=15,
    chosen_on="two thirds of 3115 tweets of three classes, three tables of word vectors",
)


def retrieval(encoder: Encoder) -> Preset:
    """The preset for retrieval by an encoder: by words for `WordVectors`, in a space or not, else by tokens.

    Examples
    --------
    >>> import moverank as mr
    >>> mr.presets.retrieval(mr.encoders.WordVectors.default()).fusion
    0.15
    """
    return RETRIEVAL_BY_WORDS if _is_of_words(encoder) else RETRIEVAL_BY_TOKENS


def pairs(encoder: Encoder) -> Preset:
    """The preset for sentence pairs by an encoder: by words for `WordVectors`, in a space or not, else by tokens.

    Examples
    --------
    >>> import moverank as mr
    >>> mr.presets.pairs(mr.encoders.WordVectors.default()).steps
    ('whitening',)
    """
    return PAIRS_BY_WORDS if _is_of_words(encoder) else PAIRS_BY_TOKENS


def _is_of_words(encoder: Encoder) -> bool:
    require_encoder(encoder)
    while isinstance(encoder, SpaceEncoder):
        encoder = encoder.encoder
    return isinstance(encoder, WordVectors)
