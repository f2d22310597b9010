"""A sequence of steps, learnt once from a corpus, saved, and applied to both documents and queries."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moverank._support.files import write_whole
from moverank._support.validate import as_list, text_stream, whole_number
from moverank.encoders.digests import digest
from moverank.encoders.encoded import EncodedTexts, Encoder, Progress, encode_documents, encode_queries, require_encoder
from moverank.errors import NoTokensError
from moverank.spaces.learnt import LearntWeights
from moverank.spaces.statistics import Moments, Statistics
from moverank.spaces.steps import (
    Affine,
    AllButTheTop,
    Centring,
    ConceptorNegation,
    Recipe,
    RemoveCommon,
    Sample,
    Scaling,
    Step,
    UnitNorm,
    Weighing,
    Whitening,
)
from moverank.spaces.storing import from_bytes, to_bytes
from moverank.vectors.encoder_identity import EncoderIdentity
from moverank.vectors.sequences import Sequences

#: Recipes with names; the first three are the steps A, W and R of the WRD paper.
NAMED: dict[str, Recipe] = {
    "all-but-the-top": AllButTheTop(),
    "sif-scaling": Scaling("sif"),
    "remove-common": RemoveCommon(),
    "centring": Centring(),
    "whitening": Whitening(),
    "conceptor": ConceptorNegation(),
    "unit-norm": UnitNorm(),
    "idf": Weighing("idf"),
    "sif": Weighing("sif"),
    "norm": Weighing(None, by_norm=True),
    "norm-idf": Weighing("idf", by_norm=True),
}


@dataclass(frozen=True, eq=False)
class Space:
    """A transformation of encoded texts, applied before they are compared. Learnt by `fit`, or made of given steps.

    Parameters
    ----------
    steps : sequence of Step
        Applied in this order.

    Examples
    --------
    >>> from moverank.encoders import WordVectors
    >>> encoder = WordVectors.default()
    >>> space = fit(encoder, ["a cat sat", "a dog ran", "the cat ran"], ["centring", "idf"])
    >>> space
    Space(Affine(centring, 128 to 128), WeighedBy(TokenWeights(idf, 6 tokens)))
    >>> space(encoder.encode(["a cat ran"])).sequences.weights.round(2).tolist()
    [1.29, 1.29, 1.29]
    """

    steps: Sequence[Step]

    def __call__(self, encoded: EncodedTexts) -> EncodedTexts:
        """Apply all steps to a batch of texts.

        Parameters
        ----------
        encoded : EncodedTexts
            The output of an encoder. Weights of the encoder are multiplied with those of the steps.

        Returns
        -------
        EncodedTexts
            The same texts and tokens with new vectors and weights.

        Raises
        ------
        TypeError
            If `encoded` is not `EncodedTexts`.
        ValueError
            If the dimension of the vectors is not the one that the space was fitted to.
        """
        if not isinstance(encoded, EncodedTexts):
            raise TypeError(f"encoded: expected EncodedTexts, got {type(encoded).__name__}")
        sequences, offsets = encoded.sequences, encoded.sequences.offsets
        tokens = [token for own in encoded.tokens for token in own]
        vectors, weights = sequences.astype("float32").tokens, sequences.weights
        for step in self.steps:
            if isinstance(step, LearntWeights):
                vectors, weights = step.apply_to_texts(tokens, vectors, weights, offsets)
            else:
                vectors, weights = step.apply(tokens, vectors, weights)
        named = encoded.tokens
        if weights is not None and any(isinstance(step, LearntWeights) and step.leaves_out for step in self.steps):
            heavy = weights > 0
            vectors, weights, named = vectors[heavy], weights[heavy], _kept(named, heavy, offsets)
            offsets = np.concatenate([[0], np.cumsum(heavy)])[offsets]
        moved = Sequences.from_flat(np.ascontiguousarray(vectors), offsets, weights)
        return EncodedTexts(moved, named, encoded.kept, encoded.dropped, encoded.cut)

    def over(self, encoder: Encoder) -> SpaceEncoder:
        """Return an encoder that applies this space to the output of another encoder."""
        require_encoder(encoder)
        return SpaceEncoder(encoder, self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the steps with all that they have learnt into an .npz file of plain arrays, whole or not at all."""
        write_whole(Path(path), self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Space:
        """Read a file written by `save`; ValueError if it is not such a file."""
        try:
            return cls.from_bytes(Path(path).read_bytes())
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None

    def to_bytes(self) -> bytes:
        """Return the bytes that `save` writes."""
        return to_bytes(self.steps)

    @classmethod
    def from_bytes(cls, octets: bytes) -> Space:
        """Read bytes written by `to_bytes`; ValueError for any others."""
        return cls(from_bytes(octets))

    def __repr__(self) -> str:
        return f"Space({', '.join(map(repr, self.steps))})"


@dataclass(frozen=True)
class SpaceEncoder:
    """An encoder followed by a space."""

    encoder: Encoder
    space: Space

    @property
    def identity(self) -> EncoderIdentity:
        """Identity of the encoder, with a digest of the space added to its options."""
        inner = EncoderIdentity.of(self.encoder)
        options = {**inner.options, "space": digest([self.space.to_bytes()])}
        return replace(inner, dim=None, options=options)

    def encode(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode texts and move them into the space."""
        return self.space(self.encoder.encode(texts, skip_empty=skip_empty, progress=progress))

    def encode_documents(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode documents and move them into the space."""
        return self.space(encode_documents(self.encoder, texts, skip_empty=skip_empty, progress=progress))

    def encode_queries(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode queries and move them into the space."""
        return self.space(encode_queries(self.encoder, texts, skip_empty=skip_empty, progress=progress))


def fit(
    encoder: Encoder,
    texts: Iterable[str],
    steps: Sequence[str | Recipe],
    *,
    sample: int = 20_000,
    batch: int = 1024,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> Space:
    """Learn a space from a corpus, in one pass and in memory that does not grow with it.

    Parameters
    ----------
    encoder : Encoder
        The encoder whose vectors will be transformed.
    texts : iterable of str
        The corpus, for example the documents that will be searched. Texts without a token are skipped.
    steps : sequence of str or Recipe
        The steps to learn, in the order in which they will be applied: recipes of `moverank.spaces`, or their names.
        Names of transformations: "all-but-the-top", "sif-scaling", "remove-common", "centring", "whitening",
        "conceptor", "unit-norm". Names of weights: "idf", "sif", "norm", "norm-idf".
    sample : int, default 20000
        Number of texts kept as a sample. Steps that need whole texts learn from it, and so do steps after one that is
        not affine.
    batch : int, default 1024
        Number of texts encoded at a time.
    seed : int, default 0
        Seed of the random sample.
    progress : callable, optional
        Called after each batch with the number of texts read so far.

    Returns
    -------
    Space

    Raises
    ------
    TypeError, ValueError
        If a step is unknown, or no text has a token.
    """
    require_encoder(encoder)
    recipes = [_recipe(step) for step in as_list(steps, "steps", "names or recipes")]
    whole_number(sample, "sample", least=1)
    whole_number(batch, "batch", least=1)
    whole_number(seed, "seed", least=0)
    stream = text_stream(texts, "texts", "text")
    statistics: Statistics | None = None
    seen = 0
    for group in _batches(stream, batch):
        seen += len(group)
        encoded = _encoded(encoder, group)
        if encoded is not None:
            if statistics is None:
                statistics = Statistics(encoded.sequences.dim, sample, np.random.default_rng(seed))
            statistics.add(encoded)
        if progress is not None:
            progress(seen)
    if statistics is None:
        raise ValueError("texts: no text has a token")
    return Space(_fitted(recipes, statistics))


def _kept(tokens: list[list[str]], heavy: NDArray[np.bool_], offsets: NDArray[np.int64]) -> list[list[str]]:
    """Tokens of each text that have mass."""
    return [
        [token for token, has_mass in zip(own, heavy[begin : begin + len(own)], strict=True) if has_mass]
        for own, begin in zip(tokens, offsets[:-1].tolist(), strict=True)
    ]


def _recipe(step: str | Recipe) -> Recipe:
    if isinstance(step, str):
        if step not in NAMED:
            raise ValueError(f"steps: unknown step {step!r}; expected one of {', '.join(map(repr, NAMED))}")
        return NAMED[step]
    if not hasattr(step, "fit"):
        raise TypeError(f"steps: expected a name or a recipe of moverank.spaces, got {step!r}")
    return step


def _batches(iterator: Iterator[str], size: int) -> Iterator[list[str]]:
    while some := list(islice(iterator, size)):
        yield some


def _encoded(encoder: Encoder, texts: list[str]) -> EncodedTexts | None:
    try:
        return encode_documents(encoder, texts, skip_empty=True)
    except NoTokensError:
        return None


def _fitted(recipes: Sequence[Recipe], statistics: Statistics) -> tuple[Step, ...]:
    moments, sample = statistics.moments, statistics.sample
    steps: list[Step] = []
    for recipe in recipes:
        step = recipe.fit(statistics, moments, sample)
        steps.append(step)
        sample = _moved(step, sample)
        if isinstance(step, Affine):
            # Exact for the whole corpus; after any other step only the sample is available.
            moments = moments.mapped(step.shift, step.matrix)
        else:
            moments = Moments.of(np.concatenate([vectors for _, vectors in sample]))
    return tuple(steps)


def _moved(step: Step, sample: Sample) -> Sample:
    return [(tokens, step.apply(tokens, vectors, None)[0]) for tokens, vectors in sample]
