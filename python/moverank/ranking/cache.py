"""A cache of encoded texts, because encoding costs more than ranking."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from moverank._support.threads import Lock
from moverank._support.validate import whole_number
from moverank.encoders.encoded import (
    EncodedText,
    EncodedTexts,
    Encoder,
    Progress,
    encode_documents,
    encode_queries,
    gathered,
    require_encoder,
    require_texts,
)
from moverank.encoders.word_vectors import WordRows
from moverank.errors import NoTokensError
from moverank.measures.measure import Measure
from moverank.ranking.prepared_text import PreparedText
from moverank.ranking.word_table import WordTable
from moverank.vectors.encoder_identity import EncoderIdentity

#: Texts that are encoded between two looks at the clock.
TEXTS_AT_ONCE = 8

#: Bytes of the objects around a text's arrays. A short text's words are numbers of a few bytes, so that these are most.
OBJECTS = 700


class CachedEncoder:
    """An encoder that caches the most recently used documents, up to a number of bytes. Thread-safe.

    Queries are not cached: they rarely repeat.

    Parameters
    ----------
    encoder : Encoder
        Encodes texts that are not in the cache.
    max_bytes : int, default 256 MiB
        Size of what is kept: the texts, their vectors, or for `WordVectors` the words' numbers, and what Python needs
        for each.

    Examples
    --------
    >>> from moverank.encoders import WordVectors
    >>> cached = CachedEncoder(WordVectors.default())
    >>> _ = cached.encode(["a cat", "a dog"]), cached.encode(["a dog", "a bird"])
    >>> cached
    CachedEncoder(3 texts, 1 hits, 3 misses)
    """

    def __init__(self, encoder: Encoder, *, max_bytes: int = 1 << 28) -> None:
        require_encoder(encoder)
        self.encoder = encoder
        self.table = WordTable.of(encoder)
        self._max_bytes = whole_number(max_bytes, "max_bytes", least=0)
        self._texts: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        self.hits = 0
        self.misses = 0

    def __repr__(self) -> str:
        return f"CachedEncoder({len(self._texts)} texts, {self.hits} hits, {self.misses} misses)"

    @property
    def max_bytes(self) -> int:
        """Size that the cache may have."""
        return self._max_bytes

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept."""
        return self._bytes

    @property
    def identity(self) -> EncoderIdentity:
        """That of the encoder."""
        return EncoderIdentity.of(self.encoder)

    def __getstate__(self) -> tuple[Encoder, int]:
        return self.encoder, self._max_bytes

    def __setstate__(self, state: tuple[Encoder, int]) -> None:
        encoder, max_bytes = state
        self.__init__(encoder, max_bytes=max_bytes)  # type: ignore[misc]

    def encode(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode texts as documents; cached ones are not encoded again."""
        texts = require_texts(texts)
        return gathered(texts, self._as_texts(self._each(texts, progress)), skip_empty=skip_empty)

    def _each(self, texts: list[str], progress: Progress | None = None, *, deadline: float | None = None) -> list[Any]:
        """Encode texts that are not cached; texts without a token come out empty, those not reached in time as None."""
        with self._lock:
            kept = {text: self._texts[text] for text in texts if text in self._texts}
            for text, one in kept.items():
                self._texts.move_to_end(text)
                one.wanted_again = True
            self.hits += len(kept)
        known: dict[str, Any] = {text: one.encoded for text, one in kept.items()}
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        at_once = len(fresh) if deadline is None else TEXTS_AT_ONCE
        for first in range(0, len(fresh), at_once or 1):
            if deadline is not None and time.perf_counter() >= deadline:
                break
            some = fresh[first : first + at_once]
            known.update(zip(some, self._encoded(some, progress), strict=True))
            self._keep({text: known[text] for text in some})
        return [known.get(text) for text in texts]

    def _as_texts(self, found: Sequence[EncodedText | WordRows]) -> Iterator[EncodedText]:
        """Tokens and vectors of the results of `_each`."""
        table = self.table
        for one in found:
            if isinstance(one, EncodedText):
                yield one
            elif table is not None:
                yield table.text_of(one)

    def _prepared(self, text: str, measure: Measure, name: str) -> PreparedText | None:
        """A text prepared for a measure, for which it is kept; None if the text has not been met again.

        Preparing texts one by one costs more than preparing them together, so that it only pays for those that come
        again. Nor are the words of a table prepared one by one. Errors call the text `name`.
        """
        with self._lock:
            kept = self._texts.get(text)
            if kept is None or not kept.wanted_again or not isinstance(kept.encoded, EncodedText):
                return None
            if kept.prepared is not None and kept.prepared.measure == measure:
                return kept.prepared
        prepared = PreparedText.of(kept.encoded, measure, name)
        with self._lock:
            if self._texts.get(text) is kept:
                self._bytes -= kept.nbytes
                kept.prepared = prepared
                self._bytes += kept.nbytes
                self._forget_oldest()
        return prepared

    def encode_queries(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode queries."""
        return encode_queries(self.encoder, texts, skip_empty=skip_empty, progress=progress)

    def _encoded(self, texts: list[str], progress: Progress | None) -> Sequence[EncodedText | WordRows]:
        if self.table is not None:
            return self.table.rows_of(texts)
        done = [EncodedText.empty() for _ in texts]
        try:
            encoded = encode_documents(self.encoder, texts, skip_empty=True, progress=progress)
        except NoTokensError:
            return done
        for place, t in enumerate(encoded.kept):
            done[t] = encoded.text(place)
        return done

    def _keep(self, texts: dict[str, EncodedText | WordRows]) -> None:
        with self._lock:
            self.misses += len(texts)
            for text, encoded in texts.items():
                if text not in self._texts:
                    # A copy: a row of a batch would keep the whole batch alive.
                    self._texts[text] = _Kept(encoded.copy(), sys.getsizeof(text) + OBJECTS)
                    self._bytes += self._texts[text].nbytes
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        while self._bytes > self._max_bytes and self._texts:
            self._bytes -= self._texts.popitem(last=False)[1].nbytes


@dataclass
class _Kept:
    """A text in the cache. `overhead` is the bytes of the text itself, and of what Python needs."""

    encoded: EncodedText | WordRows
    overhead: int
    wanted_again: bool = False
    prepared: PreparedText | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept."""
        return self.overhead + self.encoded.nbytes + (0 if self.prepared is None else self.prepared.nbytes)
