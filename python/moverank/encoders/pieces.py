"""Texts as the pieces that a transformer reads, on the side of queries or of documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Token(NamedTuple):
    """A token of a vocabulary. Tokenizers may change the case of names of those that were added to them."""

    id: int
    name: str


@dataclass(frozen=True)
class Pieces:
    """The pieces of one text, with its prompt and special tokens.

    Attributes
    ----------
    text : str
        The text with its prompt.
    ids, type_ids : list of int
        What the model reads.
    attended : int
        Number of pieces, from the first on, to which others attend.
    tokens : list of str
        Names of the pieces.
    words : list of int
        Number of the word to which each piece belongs; negative for special tokens, each of which is a word by itself.
    spans : list of tuple
        Characters of the text that each piece covers.
    kept : list of int
        Positions of the pieces whose vectors stand for the text.
    cut : int
        Number of pieces beyond the limit.
    """

    text: str
    ids: list[int]
    type_ids: list[int]
    attended: int
    tokens: list[str]
    words: list[int]
    spans: list[tuple[int, int]]
    kept: list[int]
    cut: int

    def surface(self, first: int, last: int) -> str:
        """The characters of the text that a word, pieces `first` to `last`, covers."""
        return self.text[self.spans[first][0] : self.spans[last][1]]


@dataclass(frozen=True)
class Side:
    """How texts of one side are cut into pieces.

    Attributes
    ----------
    tokenizer : tokenizers.Tokenizer
        Cuts texts at the limit, less one if there is a marker.
    limit : int or None
        Maximum number of pieces per text.
    prompt : str
        Put before each text.
    special_tokens : bool
        Keep special tokens and the prompt's.
    marker : Token or None
        A token put after the first one.
    expansion : tuple of Token, int and bool, or None
        The token that extends texts, to how many tokens, and whether others attend to it.
    skipped : frozenset of int
        Ids of tokens that are read, but not kept.
    """

    tokenizer: Any
    limit: int | None
    prompt: str
    special_tokens: bool
    marker: Token | None = None
    expansion: tuple[Token, int, bool] | None = None
    skipped: frozenset[int] = frozenset()

    def tokenized(self, texts: Iterable[str]) -> list[Any]:
        """Cut texts at the limit. The tokenizer's objects are smaller than `Pieces`, so these are made per batch."""
        encodings: list[Any] = self.tokenizer.encode_batch([self.prompt + text for text in texts])
        return encodings

    def pieces(self, text: str, encoding: Any) -> Pieces:
        """The pieces of a text, from what the tokenizer made of it."""
        special = list(encoding.special_tokens_mask)
        ids, tokens, spans = list(encoding.ids), list(encoding.tokens), list(encoding.offsets)
        type_ids, numbers = list(encoding.type_ids), list(encoding.word_ids)
        if self.marker is not None:
            self._insert(self.marker, 1, ids, tokens, spans, type_ids, numbers, special)
        attended = len(ids)
        if self.expansion is not None:
            token, length, attend = self.expansion
            for _ in range(length - len(ids)):
                self._insert(token, len(ids), ids, tokens, spans, type_ids, numbers, special)
            attended = len(ids) if attend else attended
        start = len(self.prompt)
        kept = [p for p in range(len(ids)) if ids[p] not in self.skipped]
        if not self.special_tokens:
            kept = [p for p in kept if not special[p] and (start == 0 or spans[p][1] > start)]
        words = [-1 - p if special[p] else numbers[p] for p in range(len(ids))]
        cut = sum(len(part.ids) - sum(part.special_tokens_mask) for part in encoding.overflowing)
        return Pieces(self.prompt + text, ids, type_ids, attended, tokens, words, spans, kept, cut)

    @staticmethod
    def _insert(token: Token, place: int, ids: list[int], tokens: list[str], spans: list[Any], *rest: Any) -> None:
        """Insert a special token into lists of all that is known of pieces."""
        type_ids, numbers, special = rest
        ids.insert(place, token.id)
        tokens.insert(place, token.name)
        spans.insert(place, (0, 0))
        type_ids.insert(place, 0)
        numbers.insert(place, None)
        special.insert(place, 1)
