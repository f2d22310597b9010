"""What every encoder returns, and the one method that an encoder must have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import text_list
from moverank.errors import NoTokensError
from moverank.vectors.sequences import Sequence as OneSequence
from moverank.vectors.sequences import Sequences

#: Called with the number of texts encoded so far.
Progress = Callable[[int], object]


@dataclass(frozen=True)
class EncodedText:
    """One encoded text: its tokens, one vector per token, and weights if the encoder computes any.

    `dropped` is the number of words without a vector, `cut` the number of tokens beyond the encoder's limit.
    """

    tokens: list[str]
    vectors: NDArray[np.floating]
    weights: NDArray[np.floating] | None = None
    dropped: int = 0
    cut: int = 0

    @classmethod
    def empty(cls) -> EncodedText:
        """Encoded form of a text without tokens."""
        return cls([], np.zeros((0, 0), dtype=np.float32))

    def to_sequence(self, weighting: str = "uniform") -> OneSequence:
        """Return the vectors and weights; `weighting` has no effect, as weights of an encoder are used as given."""
        return OneSequence(self.vectors, self.weights)

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors."""
        return int(self.vectors.nbytes)

    def copy(self) -> EncodedText:
        """Return a copy that shares no arrays."""
        weights = None if self.weights is None else self.weights.copy()
        return EncodedText(self.tokens, self.vectors.copy(), weights, self.dropped, self.cut)


@dataclass(frozen=True, repr=False)
class EncodedTexts:
    """Texts as sequences of token vectors.

    Attributes
    ----------
    sequences : Sequences
        One sequence per kept text, in the order of the texts.
    tokens : list of list of str
        The token of each vector.
    kept : list of int
        Positions of the kept texts among the given ones: all of them, unless texts without a token were skipped.
    dropped : list of int
        For each kept text, the number of its words without a vector.
    cut : list of int
        For each kept text, the number of tokens cut off at its end because the encoder has a limit; zeros by default.
    """

    sequences: Sequences
    tokens: list[list[str]]
    kept: list[int]
    dropped: list[int]
    cut: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.cut:
            object.__setattr__(self, "cut", [0] * len(self.tokens))

    def __len__(self) -> int:
        return len(self.tokens)

    def text(self, place: int) -> EncodedText:
        """Return one of the kept texts."""
        own = self.sequences[place]
        return EncodedText(self.tokens[place], own.tokens, own.weights, self.dropped[place], self.cut[place])

    def __getitem__(self, place: int) -> EncodedText:
        return self.text(place)

    def __iter__(self) -> Iterator[EncodedText]:
        return (self.text(place) for place in range(len(self)))

    def to_sequences(self, weighting: str = "uniform") -> Sequences:
        """Return `sequences`; `weighting` has no effect, as weights of an encoder are used as given."""
        return self.sequences

    def __repr__(self) -> str:
        cut = f", {sum(self.cut)} tokens cut off" if any(self.cut) else ""
        return f"EncodedTexts({self.sequences!r}, {sum(self.dropped)} words without a vector{cut})"


class Encoder(Protocol):
    """Anything with a method `encode` that turns texts into sequences of vectors.

    Documents are encoded by `encode_documents` if the encoder has it, queries by `encode_queries`; otherwise by
    `encode`. An attribute `identity`, an `EncoderIdentity`, lets an index refuse any encoder but the one it was built
    with.
    """

    def encode(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode texts. Unless `skip_empty`, a text without a token is a ValueError that names it."""
        ...


@runtime_checkable
class QueryEncoder(Encoder, Protocol):
    """An encoder that encodes queries differently from documents, as late-interaction models do."""

    def encode_queries(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode queries."""
        ...


@runtime_checkable
class DocumentEncoder(Encoder, Protocol):
    """An encoder with a separate method for documents; its `encode` may then suit neither queries nor documents."""

    def encode_documents(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode documents."""
        ...


def encode_queries(
    encoder: Encoder, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
) -> EncodedTexts:
    """Encode texts as queries, with an encoder that may or may not distinguish them from documents."""
    encode = encoder.encode_queries if isinstance(encoder, QueryEncoder) else encoder.encode
    return encode(texts, skip_empty=skip_empty, **({} if progress is None else {"progress": progress}))


def encode_documents(
    encoder: Encoder, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
) -> EncodedTexts:
    """Encode texts as documents, with an encoder that may or may not distinguish them from queries."""
    encode = encoder.encode_documents if isinstance(encoder, DocumentEncoder) else encoder.encode
    # `progress` is passed only if given: encoders of users may not take it.
    return encode(texts, skip_empty=skip_empty, **({} if progress is None else {"progress": progress}))


def require_encoder(encoder: Any) -> None:
    """Refuse objects without a method `encode`, and those whose `encode` means something else.

    Strings and models of sentence-transformers and PyLate have a method `encode` of another kind.
    """
    kind = library_kind(encoder)
    if kind is not None:
        raise TypeError(f"encoder: is a {kind} of another library; use encoders.SentenceTransformerEncoder(model)")
    if isinstance(encoder, str) or not callable(getattr(encoder, "encode", None)):
        raise TypeError(f"encoder: expected an object with a method encode, got {type(encoder).__name__}")


def require_texts(texts: Iterable[str], one: str = "text", items: str = "texts") -> list[str]:
    """Texts as a list of plain strings; TypeError for a single string, or for an item that is not a string."""
    return text_list(texts, _plural(one), one, items)


#: Classes of the models that `SentenceTransformerEncoder` accepts. They are recognised by name, so that their libraries
#: need not be imported.
LIBRARY_KINDS = ("ColBERT", "MultiVectorEncoder", "SentenceTransformer")


def library_kind(model: Any) -> str | None:
    """Name in `LIBRARY_KINDS` that applies to an object; None for other objects."""
    return next((kind for kind in LIBRARY_KINDS if kind in {base.__name__ for base in type(model).__mro__}), None)


def _plural(one: str) -> str:
    return f"{one[:-1]}ies" if one.endswith("y") else f"{one}s"


def gathered(
    texts: Sequence[str],
    encoded: Iterable[EncodedText],
    *,
    skip_empty: bool,
    what: str = "token",
    advice: Callable[[str], str] = lambda text: "",
) -> EncodedTexts:
    """Join encoded texts, in their order, into one batch; `what` names in errors what an empty text lacks."""
    found: list[EncodedText] = []
    kept: list[int] = []
    for t, one in enumerate(encoded):
        if len(one.tokens):
            found.append(one)
            kept.append(t)
        elif not skip_empty:
            raise NoTokensError(f"texts: text {t} has no {what}: {shorten(texts[t])!r}{advice(texts[t])}")
    if not found:
        first = f"; the first is {shorten(texts[0])!r}{advice(texts[0])}" if len(texts) else ""
        raise NoTokensError(f"texts: no text has a {what}{first}")
    vectors = np.concatenate([one.vectors for one in found])
    offsets = np.zeros(len(found) + 1, dtype=np.int64)
    np.cumsum([len(one.tokens) for one in found], out=offsets[1:])
    given = [one.weights for one in found if one.weights is not None]
    if given and len(given) < len(found):
        raise ValueError("texts: some texts came with weights and some without")
    weights = np.concatenate(given) if given else None
    return EncodedTexts(
        Sequences.from_flat(vectors, offsets, weights),
        [one.tokens for one in found],
        kept,
        [one.dropped for one in found],
        [one.cut for one in found],
    )


def shorten(text: str, length: int = 60) -> str:
    """Return the beginning of a text, for messages."""
    return text if len(text) <= length else text[: length - 1] + "…"
