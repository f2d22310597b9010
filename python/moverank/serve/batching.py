"""Texts of several requests encoded together, as a transformer takes many texts in little more time than one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from moverank.encoders.encoded import (
    EncodedText,
    EncodedTexts,
    Encoder,
    Progress,
    encode_documents,
    encode_queries,
    gathered,
    require_texts,
)
from moverank.errors import NoTokensError
from moverank.vectors.encoder_identity import EncoderIdentity

#: Texts that are encoded together at most.
TEXTS_AT_ONCE = 64


@dataclass(eq=False)
class _Waiting:
    """Texts of one caller."""

    texts: list[str]
    of_queries: bool
    found: list[EncodedText] | None = None
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


class BatchedEncoder:
    """An encoder for many threads, which encodes what they ask for meanwhile in one call.

    While one call runs, texts of other threads gather; whoever comes next takes them along. Nobody waits for a batch to
    fill, so that a single caller loses nothing.

    Parameters
    ----------
    encoder : Encoder
        Encodes; it is called by one thread at a time.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def __repr__(self) -> str:
        return f"BatchedEncoder({self.encoder!r})"

    @property
    def identity(self) -> EncoderIdentity:
        """That of the encoder."""
        return EncoderIdentity.of(self.encoder)

    def encode(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode texts as documents."""
        return self._gathered(texts, skip_empty, of_queries=False)

    def encode_queries(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode queries."""
        return self._gathered(texts, skip_empty, of_queries=True)

    def _gathered(self, texts: Sequence[str], skip_empty: bool, *, of_queries: bool) -> EncodedTexts:
        listed = require_texts(texts)
        own = _Waiting(listed, of_queries)
        with self._lock:
            self._waiting.append(own)
        while not own.done.is_set():
            with self._turn:
                if not own.done.is_set():
                    self._run(self._taken())
        if own.error is not None:
            raise own.error
        return gathered(listed, own.found or [], skip_empty=skip_empty)

    def _taken(self) -> list[_Waiting]:
        """Those who have waited longest, of one kind."""
        with self._lock:
            first = self._waiting[0]
            taken, texts = [first], len(first.texts)
            for other in self._waiting[1:]:
                if other.of_queries == first.of_queries and texts + len(other.texts) <= TEXTS_AT_ONCE:
                    taken.append(other)
                    texts += len(other.texts)
            self._waiting = [other for other in self._waiting if other not in taken]
        return taken

    def _run(self, taken: list[_Waiting]) -> None:
        try:
            found = self._encoded([text for one in taken for text in one.texts], of_queries=taken[0].of_queries)
        except BaseException as error:
            if len(taken) == 1:
                taken[0].error = error
                taken[0].done.set()
                if not isinstance(error, Exception):
                    raise
                return
            for one in taken:  # nobody fails for the text of another
                self._run([one])
            return
        first = 0
        for one in taken:
            one.found = found[first : first + len(one.texts)]
            first += len(one.texts)
            one.done.set()

    def _encoded(self, texts: list[str], *, of_queries: bool) -> list[EncodedText]:
        """Each text; one without a token comes out empty."""
        done = [EncodedText.empty() for _ in texts]
        encode: Any = encode_queries if of_queries else encode_documents
        try:
            found = encode(self.encoder, texts, skip_empty=True)
        except NoTokensError:
            return done
        for place, t in enumerate(found.kept):
            done[t] = found.text(place)
        return done
