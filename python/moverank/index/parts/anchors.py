"""The anchors of an index: vectors near which its tokens lie, so that few bits hold how each differs from its anchor.

Tokens of one collection are not spread evenly. A token less the nearest of some thousand centroids has half of its
squared length or less, and as many bits hold it twice as precisely. Anchors are trained on the first documents of an
index and never again: another anchor would round a token that is rounded already. So they are not the centroids of
`TokenCells`, which are trained anew when documents change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import numpy as np

from moverank._support.storage import ROWS_AT_ONCE, TYPES, Stored, encode
from moverank.errors import IndexFormatError
from moverank.index.parts.codebook import Codebook, trained_codebook, verify_codebook
from moverank.index.parts.setup import Setup
from moverank.measures.origin import about
from moverank.vectors.sequences import Sequences

#: Maximum number of anchors. Four times as many take three tenths off the squared error of real tokens, but their table
#: no longer stays in the caches of processors.
MOST_ANCHORS = 1 << 12

#: Tokens per anchor: a table that takes little memory beside them, and is trained on enough.
TOKENS_PER_ANCHOR = 64

#: Fewest anchors; an index that begins with fewer tokens than these need has none, and rounds the tokens themselves.
FEWEST_ANCHORS = 16

#: Maximum bytes of the tokens that anchors are trained on.
SAMPLE_BYTES = 1 << 28

#: Largest squared norm of a token that is not too long for costs.
LARGEST_SQUARE = np.float32(2.0**124)

#: In place of the number of its anchor, for a token that is stored as it is.
NO_ANCHOR = 0xFFFF


@dataclass(frozen=True)
class Anchors:
    """Anchors by digest; two with the same digest are equal, and either may still have to be read from its file.

    Attributes
    ----------
    digest : str
        16 hexadecimal digits.
    loaded : Codebook or None
        The anchors, in coarse cells; None in a manifest alone.
    """

    digest: str
    loaded: Codebook | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, codebook: Codebook) -> Anchors:
        """Name anchors."""
        return cls(blake2b(codebook.centroids.tobytes(), digest_size=8).hexdigest(), codebook)

    @property
    def codebook(self) -> Codebook:
        """The anchors, in coarse cells."""
        assert self.loaded is not None, "the file of anchors has not been read"
        return self.loaded

    def verify(self) -> None:
        """Check all numbers; IndexFormatError if they are not those that tokens were rounded with."""
        verify_codebook(self.codebook)
        if Anchors.of(self.codebook) != self:
            raise IndexFormatError("the anchors of tokens are not those that the index was built with")

    def stored(self, tokens: Stored, dtype: str, num_threads: int) -> Stored:
        """Round how tokens differ from their anchors, in chunks, so that not all tokens exist as float32 at once."""
        made = replace(
            Stored.empty(dtype, len(tokens), tokens.dim),
            anchors=self.codebook.centroids,
            nearest=np.empty(len(tokens), dtype=np.uint16),
        )
        for start in range(0, len(tokens), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            plain = tokens[rows].decoded()
            nearest, distances = self.codebook.assign(Stored.floats(plain), num_threads)
            # A zero vector stays one, and tokens far from all anchors lose nothing by them.
            is_near = distances < np.einsum("td,td->t", plain, plain)
            differences = plain - self.codebook.centroids[nearest] * is_near[:, None]
            rounded = encode(np.ascontiguousarray(differences), dtype)
            made.components[rows] = rounded.components
            assert made.scales is not None
            assert made.nearest is not None
            made.scales[rows] = rounded.scales
            made.nearest[rows] = np.where(is_near, nearest, NO_ANCHOR)
        return made


def as_stored(docs: Sequences, setup: Setup, num_threads: int) -> Sequences:
    """Documents in the type in which an index with this setup stores tokens, as differences if it has anchors."""
    if setup.anchors is None:
        return docs.astype(setup.dtype)
    return docs._restored(setup.anchors.stored(docs._stored, setup.dtype, num_threads))


def has_few_bits(setup: Setup) -> bool:
    """Whether an index with this setup stores tokens in so few bits that anchors help."""
    return setup.kind == "tokens" and TYPES[setup.dtype].is_packed


def _to_be_rounded(setup: Setup, docs: Sequence[Any]) -> list[Sequences]:
    """Those documents whose tokens are to be rounded to few bits in an index with this setup."""
    packed = has_few_bits(setup)
    return [own for own in docs if packed and own.dtype != setup.dtype and own.dim == setup.dim]


def are_too_few(setup: Setup, docs: Sequence[Any]) -> bool:
    """Whether anchors trained on these documents, the first of an index, would become better with more."""
    if not _to_be_rounded(setup, docs[:1]):
        return False
    n_tokens = sum(len(own.tokens) for own in _to_be_rounded(setup, docs))
    return n_tokens < min(MOST_ANCHORS * TOKENS_PER_ANCHOR, SAMPLE_BYTES // (4 * setup.dim))


def with_anchors(setup: Setup, docs: Sequence[Any], num_threads: int) -> Setup:
    """The setup of an index that begins with these documents, with anchors if it is to have some."""
    tokens = _to_be_rounded(setup, docs)
    n_tokens = sum(len(own.tokens) for own in tokens)
    count = min(MOST_ANCHORS, SAMPLE_BYTES // (4 * setup.dim * TOKENS_PER_ANCHOR), n_tokens // TOKENS_PER_ANCHOR)
    if count < FEWEST_ANCHORS:
        return setup
    step = max(n_tokens // (count * TOKENS_PER_ANCHOR), 1)
    sample = np.concatenate([_tokens_of(own[::step], setup).decoded() for own in tokens])
    # Tokens that are too long for costs are refused later, by name; their squares would be infinite here.
    sample = sample[np.einsum("td,td->t", sample, sample) <= LARGEST_SQUARE]
    if len(sample) < FEWEST_ANCHORS * TOKENS_PER_ANCHOR:
        return setup
    count = min(count, len(sample) // TOKENS_PER_ANCHOR)
    return replace(setup, anchors=Anchors.of(trained_codebook(sample, count, num_threads)))


def _tokens_of(docs: Sequences, setup: Setup) -> Stored:
    """Tokens relative to the origin of the index."""
    return (docs if setup.origin is None else about(np.array(setup.origin), docs, setup.measure))._stored
