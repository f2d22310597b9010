"""Texts become entries, and entries become vectors: the same for each way into a `TextIndex`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moverank.encoders.encoded import Encoder, shorten
from moverank.errors import NoTokensError
from moverank.ranking.passages import Passages
from moverank.spaces.space import Space
from moverank.text_index.entries import Encoding, Entries, Entry, Id, encoded


@dataclass(frozen=True)
class Taken:
    """Encoded texts.

    Attributes
    ----------
    entries : list of Entry
        Entries that have a token, in order.
    counts : list of int
        Number of entries per text; 0 for a text that was left out.
    encoding : Encoding
        Vectors of the entries.
    """

    entries: list[Entry]
    counts: list[int]
    encoding: Encoding


@dataclass(frozen=True)
class TextIntake:
    """How texts are cut and encoded for an index.

    Attributes
    ----------
    encoder : Encoder
        Its encoder.
    passages : Passages or None
        How documents are cut.
    space : Space or None
        The space of its documents.
    as_bags : bool
        Whether it has bags of words.
    skips : bool
        Leave out texts that have no token; otherwise they are an error.
    """

    encoder: Encoder
    passages: Passages | None
    space: Space | None
    as_bags: bool
    skips: bool

    def take(self, texts: Sequence[str], ids: Sequence[Id], payloads: Sequence[Any] | None, first: int) -> Taken:
        """Encode texts. `first` is the number of texts before them, for messages.

        Raises
        ------
        NoTokensError
            If a text has no token, and they are not to be left out.
        """
        places = Entries(self.passages)
        made = [
            places.of(id, text, None if payloads is None else payloads[place])
            for place, (id, text) in enumerate(zip(ids, texts, strict=True))
        ]
        encoding = encoded(
            self.encoder, [entry.text for own in made for entry in own], self.space, as_bags=self.as_bags
        )
        has_tokens = np.zeros(sum(map(len, made)), dtype=bool)
        has_tokens[encoding.kept] = True
        of_each = np.split(has_tokens, np.cumsum([len(own) for own in made])[:-1])
        for place, known in enumerate(of_each):
            if not known.any() and not self.skips:
                raise NoTokensError(
                    f"texts: text {first + place} (id {ids[place]!r:.80}) has no word with a vector: "
                    f"{shorten(texts[place])!r}; unknown='skip' leaves such texts out"
                )
        entries = [
            places.with_tokens(id, text, own, known.tolist())
            for id, text, own, known in zip(ids, texts, made, of_each, strict=True)
        ]
        return Taken([entry for own in entries for entry in own], [len(own) for own in entries], encoding)
