"""Several indexes of texts that are searched as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from moverank._support.threads import count_of, each
from moverank._support.validate import as_list, one_of, text_stream, whole_number
from moverank.encoders.encoded import EncodedText, Encoder, require_encoder, require_texts
from moverank.errors import EncoderMismatchError, ShardFailedError, UnknownIdError
from moverank.index.answer import EVERYTHING
from moverank.index.index import PathLike
from moverank.index.parts.filters import Condition
from moverank.index.parts.ids import is_id, listed_ids, make_ids
from moverank.index.parts.payload_values import payload_list
from moverank.ranking.fusion import Fusing
from moverank.ranking.passages import Passages
from moverank.sharding import changing
from moverank.sharding.calls import Course, Replica
from moverank.sharding.fingerprint import Fingerprint
from moverank.sharding.local import in_this_process
from moverank.sharding.merging import Failure, ShardReport
from moverank.sharding.sharded import Sharded
from moverank.sharding.shards import SECONDS_TO_LOAD, different_folders, places_by_shard
from moverank.sharding.text_corpus import LostShard, ShardedCorpus, TextShards
from moverank.sharding.text_shard import TextShard
from moverank.spaces.space import Space
from moverank.text_index.asking import Asked, fusing
from moverank.text_index.entries import Id
from moverank.text_index.intake import TextIntake
from moverank.text_index.queries import EncodedQueries, tokens_of_vectors
from moverank.text_index.results import Added, TextHits
from moverank.text_index.searching import PASSAGES, Among, answer, answer_to_vectors, first_stage
from moverank.text_index.text_index import TextIndex
from moverank.vectors.sequences import One


@dataclass(frozen=True, eq=False)
class _Reader:
    """How queries are read for indexes of a fingerprint."""

    fingerprint: Fingerprint
    encoder: Encoder
    space: Space | None
    queries: EncodedQueries

    def read(self, shards: TextShards, query: str, *, has_scores: bool = False) -> EncodedText:
        """Tokens of a query in the space of the indexes; none if no word has a vector."""
        needs_tokens = shards.settings.lexical is None and not has_scores
        return self.queries.of(query, self.space, shards.infos[0].measure, needs_tokens=needs_tokens)


#: Reads a query.
Read = Callable[..., EncodedText]


@dataclass(frozen=True, repr=False, eq=False)
class ShardedTextHits(TextHits):
    """The answer of several indexes of texts, the best first: `TextHits`, and which shards they are from.

    Attributes
    ----------
    shards : ShardReport
        Which shards answered.
    """

    shards: ShardReport = field(default_factory=lambda: ShardReport(0, 0, (), 1.0))

    @classmethod
    def of(cls, hits: TextHits, shards: ShardReport, total: int, what: str) -> ShardedTextHits:
        """Add the shards, which have so many documents or passages, and claim nothing for those that did not answer."""
        known = {name: getattr(hits, name) for name in TextHits.__dataclass_fields__}
        if shards.failed:
            said = hits.certificate.statement.removeprefix("not exact: ").removeprefix("exact: ")
            lost = round((1.0 - shards.coverage) * total)
            which = f"{len(shards.failed)} of {shards.total} shards did not answer, which had {lost} of {total} {what}"
            statement = f"not exact: {which}: nothing is known of these; {said}"
            known["certificate"] = replace(hits.certificate, exact=False, certain=0, error=np.inf, statement=statement)
        return cls(**known, shards=shards)

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values, as `TextHits.to_dict`, with "shards"."""
        return {**super().to_dict(contents=contents), "shards": self.shards.to_dict()}

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.shards}" if self.shards.failed else super().__str__()


class ShardedTextIndex(Sharded[TextShards]):
    """Several indexes of texts that are searched as one: in this process, or in others (see `moverank.ray`).

    The answer is that of one index of all texts. Rare words weigh what they weigh in all shards together: these first
    say how many of their texts have each term of the query, and add up. Tokens are compared as `ShardedIndex` does it.
    Scores of all candidates are then fused here. BM25 counts texts that were removed or replaced until they are
    dropped, which each index does at its own time, and at the latest in `TextIndex.compact`: scores by terms are surely
    those of one index once it and all shards have been compacted.

    Made by `open` for indexes in folders, and by `of` for indexes in memory. `split` makes shards of one index.

    Parameters
    ----------
    shards : sequence of sequence of Replica
        The shards, each of which has one replica or more.
    names, folders, on_failure, hedge
        As in `ShardedIndex`.
    encoder : Encoder, optional
        The encoder; by default that of the first shard.

    Examples
    --------
    >>> import moverank as mr
    >>> art, money = mr.TextIndex.create(lexical=None), mr.TextIndex.create(lexical=None)
    >>> art.add(["A portrait by an unknown artist."], ids=["art"])
    Added(1 documents, 0 words without a vector)
    >>> money.add(["Stocks fell."], ids=["money"])
    Added(1 documents, 0 words without a vector)
    >>> sharded = ShardedTextIndex.of([art, money])
    >>> hits = sharded.search("who painted it?", k=1)
    >>> hits.ids, hits.shards.answered
    (['art'], 2)
    """

    def __init__(
        self,
        shards: Sequence[Sequence[Replica]],
        *,
        names: Sequence[str] | None = None,
        folders: Sequence[PathLike] | None = None,
        on_failure: str = "raise",
        hedge: float | None = 95.0,
        encoder: Encoder | None = None,
    ) -> None:
        if encoder is not None:
            require_encoder(encoder)
        self._shards = TextShards(shards, names, folders, on_failure, hedge)
        self._given = encoder
        self._reader = self._latest_reader(self._shards)

    @classmethod
    def of(
        cls, indexes: Sequence[TextIndex], *, on_failure: str = "raise", num_threads: int | None = None
    ) -> ShardedTextIndex:
        """Search indexes in this process as one.

        Parameters
        ----------
        indexes : sequence of TextIndex
            The shards. Each text must be in one of them only.
        on_failure : {"raise", "partial"}, default "raise"
            As in `ShardedIndex`.
        num_threads : int, optional
            Threads of all shards together; all cores by default.
        """
        listed = as_list(indexes, "indexes", "indexes of texts")
        for index in listed:
            if not isinstance(index, TextIndex):
                raise TypeError(f"indexes: expected TextIndex, got {type(index).__name__}")
        names = [f"shard {s}" for s in range(len(listed))]
        return cls(in_this_process(TextShard, listed, names, num_threads), on_failure=on_failure)

    @classmethod
    def open(
        cls,
        folders: Sequence[PathLike],
        *,
        encoder: Encoder | None = None,
        on_failure: str = "raise",
        num_threads: int | None = None,
    ) -> ShardedTextIndex:
        """Search the indexes in some folders as one, in this process.

        Parameters
        ----------
        folders : sequence of path
            The folders of the shards.
        encoder : Encoder, optional
            The encoder that they were created with; needed only if it is not one of this package.
        on_failure : {"raise", "partial"}, default "raise"
            As in `ShardedIndex`.
        num_threads : int, optional
            Threads of all shards together; all cores by default.
        """
        listed = different_folders(folders)
        shard = partial(TextShard, encoder=encoder)
        replicas = in_this_process(shard, listed, list(map(str, listed)), num_threads)
        return cls(replicas, folders=listed, on_failure=on_failure, encoder=encoder)

    # ---- what there is ---------------------------------------------------------------------------------------------

    @property
    def encoder(self) -> Encoder:
        """What turns texts into vectors."""
        return self._reader.encoder

    @property
    def passages(self) -> Passages | None:
        """How documents are cut; None if they are indexed whole."""
        return self._shards.settings.passages

    @property
    def fusion(self) -> Fusing:
        """How similarities and scores of terms are added, unless a search says otherwise."""
        return fusing(self._shards.settings, self.encoder, None)

    @property
    def lexical(self) -> str | None:
        """How texts are split into terms; None if there is no lexical retrieval."""
        return self._shards.settings.lexical

    @property
    def stores_texts(self) -> bool:
        """Whether texts are kept."""
        return self._shards.settings.store_texts

    @property
    def sizes(self) -> list[int]:
        """Number of documents of each shard, when it was last heard of."""
        return [info.n_texts for info in self._shards.told]

    @property
    def n_entries(self) -> int:
        """Number of documents, or of their passages."""
        return sum(self._shards.sizes)

    def __repr__(self) -> str:
        lexical = "" if self.lexical is None else f", lexical={self.lexical!r}"
        passages = "" if self.passages is None else f", {self.passages!r}"
        shards = f"{len(self)} documents in {len(self._shards)} shards"
        return f"ShardedTextIndex({shards}, measure={self.measure.name}{lexical}{passages})"

    def text(self, id: Id) -> str | None:
        """Text of a document; None if the indexes keep no texts.

        Raises
        ------
        UnknownIdError
            If the id is in no shard.
        ShardFailedError
            If a shard does not answer.
        """
        text: str | None = self._document(id)[0]
        return text

    def payload(self, id: Id) -> Any:
        """Payload of a document; None if it has none. Raises what `text` raises."""
        return self._document(id)[1]

    # ---- searches --------------------------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        where: Condition | None = None,
        candidates: int | None = 100,
        fusion: Fusing | float | None = None,
        min_similarity: float = -np.inf,
        min_probability: float = 0.0,
        timeout: float | None = None,
    ) -> ShardedTextHits:
        """Find the best documents for a query, in all shards.

        Parameters
        ----------
        query, k, fusion, min_similarity, min_probability
            As in `TextIndex.search`.
        where : str, tuple of str and a sequence, or callable, optional
            As in `TextIndex.search`; a function must be one that can be pickled, for shards in other processes.
        candidates : int or None, default 100
            Texts that each first stage proposes for comparison: by terms, the best of all shards; by tokens, those that
            are nearest of as many that each shard proposes. None compares all texts.
        timeout : float, optional
            Seconds for the search. A shard that has not answered by then is missing from the answer, or a hit of it
            has no text.

        Returns
        -------
        ShardedTextHits
            The best first, as one index of all texts would find them; equal scores are ordered by id, as text. If
            shards failed, the certificate says so.

        Raises
        ------
        NoTokensError
            If no word of the query has a vector, and there is no lexical retrieval.
        ShardFailedError
            If a shard does not answer, unless `on_failure` is "partial"; if none does, in any case.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        if not isinstance(query, str):
            raise TypeError(f"query: expected a string, got {type(query).__name__}")
        asked = self._asked(
            k, where=where, candidates=candidates, fusion=fusion, min_similarity=min_similarity,
            min_probability=min_probability, timeout=timeout,
        )  # fmt: skip
        return self._answered(asked, Course.of(timeout), lambda corpus, own, read: answer(corpus, query, read, own))

    def search_batch(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_threads: int | None = None,
        progress: Callable[[int, int], object] | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> list[ShardedTextHits]:
        """Search for many queries, several at the same time.

        Parameters
        ----------
        queries : sequence of str
            The queries.
        k, timeout, **options
            As in `search`, for each query.
        num_threads : int, optional
            Number of queries that are on their way at the same time; by default twice the number of cores.
        progress : callable, optional
            Called after each query with the number of queries done and their total.

        Returns
        -------
        list of ShardedTextHits
            The result of `search` for each query, in order.
        """
        listed = require_texts(queries, "query", "queries")
        asked = self._asked(k, timeout=timeout, **{"candidates": 100, **options})
        threads = 2 * count_of(0) if num_threads is None else whole_number(num_threads, "num_threads", least=1)
        stop = Event()

        def one(q: int) -> ShardedTextHits:
            query = listed[q]
            course = Course.of(timeout, stop)
            return self._answered(asked, course, lambda corpus, own, read: answer(corpus, query, read, own))

        return each(one, len(listed), threads, progress, abandon=stop.set)

    def search_vectors(
        self,
        vectors: One,
        k: int = 10,
        *,
        weights: ArrayLike | None = None,
        where: Condition | None = None,
        candidates: int | None = 100,
        min_similarity: float = -np.inf,
        timeout: float | None = None,
    ) -> ShardedTextHits:
        """Find the best documents for token vectors; terms have no part in it.

        Parameters
        ----------
        vectors, k, weights, min_similarity
            As in `TextIndex.search_vectors`.
        where, candidates, timeout
            As in `search`.

        Returns
        -------
        ShardedTextHits
            The best first.

        Raises
        ------
        DimensionError, NoTokensError
            As in `TextIndex.search_vectors`.
        ShardFailedError, TypeError, ValueError
            As in `search`.
        """
        asked = self._asked(
            k, where=where, candidates=candidates, fusion=1.0, min_similarity=min_similarity, timeout=timeout
        )
        tokens = tokens_of_vectors(vectors, weights, self.measure, self._shards.infos[0].dim)
        # What scores of texts were calibrated on says nothing of vectors from elsewhere.
        asked = replace(asked, calibration=None)
        return self._answered(asked, Course.of(timeout), lambda corpus, own, _: answer_to_vectors(corpus, tokens, own))

    def rerank(
        self,
        query: str,
        ids: Iterable[Id],
        k: int | None = None,
        *,
        scores: ArrayLike | None = None,
        fusion: Fusing | float | None = None,
        timeout: float | None = None,
    ) -> ShardedTextHits:
        """Order given documents for a query, whichever shards they are in.

        Parameters
        ----------
        query, ids, k, scores, fusion
            As in `TextIndex.rerank`.
        timeout : float, optional
            As in `search`.

        Returns
        -------
        ShardedTextHits
            The best first; equal ones in the order of `ids`.

        Raises
        ------
        NoTokensError, DuplicateIdError
            As in `TextIndex.rerank`.
        UnknownIdError
            If an id is in no shard.
        ShardFailedError
            If a shard does not answer, unless `on_failure` is "partial": then its documents are missing.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        if not isinstance(query, str):
            raise TypeError(f"query: expected a string, got {type(query).__name__}")
        listed = self._shards.ids_to_find(listed_ids(ids), "ids")
        if not listed:
            raise ValueError("ids: expected at least one id, got none")
        first = None if scores is None else first_stage(scores, len(listed))
        count = len(listed) if k is None else k
        asked = self._asked(count, fusion=fusion, timeout=timeout, has_scores=first is not None)

        def reranked(corpus: ShardedCorpus, own: Asked, read: Read) -> TextHits:
            entries = corpus.locate(listed)
            beside = None if first is None else [score for score, of in zip(first, entries, strict=True) for _ in of]
            among = Among([entry for of in entries for entry in of], beside)
            return answer(corpus, query, partial(read, has_scores=first is not None), own, among)

        return self._answered(asked, Course.of(timeout), reranked)

    # ---- changes ---------------------------------------------------------------------------------------------------

    def add(
        self,
        texts: Iterable[str],
        ids: Iterable[Id],
        *,
        payloads: Iterable[Any] | None = None,
        unknown: str = "raise",
    ) -> Added:
        """Add texts, each to the shard that its id decides on.

        Each shard encodes its own texts, and its change is made whole or not at all, 1024 texts at a time. If one
        fails, others may have changed: the error says which, and `upsert` can be repeated.

        Parameters
        ----------
        texts, payloads
            As in `TextIndex.add`; they are all held in memory.
        ids : iterable of int or of str
            Their ids.
        unknown : {"raise", "skip"}, default "raise"
            A text of which no word has a vector is an error, or is left out. To find such texts before any shard is
            changed, they are encoded here too; "skip" saves that.

        Returns
        -------
        Added

        Raises
        ------
        DuplicateIdError
            If an id is given twice, or is in a shard already; nothing is added.
        NoTokensError
            If a text has no word with a vector, unless `unknown` is "skip"; nothing is added.
        ShardFailedError
            If a shard cannot be changed.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        return self._write("add", texts, ids, payloads, unknown)

    def upsert(
        self,
        texts: Iterable[str],
        ids: Iterable[Id],
        *,
        payloads: Iterable[Any] | None = None,
        unknown: str = "raise",
    ) -> Added:
        """Add texts, and replace those with the same ids, wherever they are; arguments and errors as in `add`."""
        return self._write("upsert", texts, ids, payloads, unknown)

    def remove(self, ids: Iterable[Id]) -> None:
        """Remove documents.

        Raises
        ------
        UnknownIdError
            If an id is in no shard; nothing is removed.
        ShardFailedError
            If a shard cannot be changed.
        """
        changing.remove(self._shards, listed_ids(ids))

    def _write(self, method: str, texts: Iterable[str], ids: Iterable[Id], payloads: Any, unknown: str) -> Added:
        shards, settings = self._shards, self._shards.settings
        one_of(unknown, "unknown", ("raise", "skip"))
        listed = list(text_stream(texts, "texts", "text"))
        named = listed_ids(ids)
        if len(named) != len(listed):
            raise ValueError(f"ids: expected {len(listed)}, one per document, got {len(named)}")
        kind = make_ids(named, len(named)).kind  # none twice
        if settings.ids is not None and kind != settings.ids:
            raise TypeError(f"ids: expected {settings.ids}, the type of ids in this index, got {kind}")
        own = None if payloads is None else payload_list(payloads)
        if own is not None and len(own) != len(listed):
            raise ValueError(f"payloads: expected {len(listed)}, one per document, got {len(own)}")
        if not listed:
            return Added([], [])
        if unknown == "raise":
            reader = self._reader_of(shards)
            intake = TextIntake(reader.encoder, settings.passages, reader.space, shards.told[0].of_bags, False)
            intake.take(listed, named, None, 0)
        changes = {}
        owners = changing.destinations(shards, named, replacing=method == "upsert")
        for s, places in places_by_shard(owners):
            chosen = None if own is None else [own[p] for p in places]
            given = ([listed[p] for p in places], [named[p] for p in places])
            changes[s] = (given, {"payloads": chosen, "unknown": unknown})
        done: list[Added] = list(changing.change(shards, method, changes).values())
        known = {id for one in done for id in one.ids}
        return Added(
            [id for id in named if id in known],
            [id for id in named if id not in known],
            sum(one.dropped for one in done),
            sum(one.cut for one in done),
        )

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _own_options(self) -> dict[str, Any]:
        return {"encoder": self._given}

    def _latest_reader(self, shards: TextShards) -> _Reader:
        """How queries are read, asked of the first shard that answers."""
        calls = shards.caller.ask("reader", [()] * len(shards), Course.of(SECONDS_TO_LOAD))
        read = [own for own in calls.answers if not isinstance(own, Failure)]
        if not read:
            raise ShardFailedError(str(calls.answers[0]))
        encoder, space = read[0]
        chosen = encoder if self._given is None else self._given
        return _Reader(shards.infos[0].fingerprint, chosen, space, EncodedQueries(chosen))

    def _reader_of(self, shards: TextShards) -> _Reader:
        """How queries are read for these states: in another way if the indexes were replaced by others."""
        reader, own = self._reader, shards.infos[0].fingerprint
        if {"space", "encoder"} & set(own.differences(reader.fingerprint)):
            if self._given is not None and "encoder" in own.differences(reader.fingerprint):
                raise EncoderMismatchError("the indexes were replaced by others of another encoder; open them again")
            reader = self._reader = self._latest_reader(shards)
        return reader

    def _asked(self, k: int, **options: Any) -> Asked:
        return Asked.of(self._shards.settings, self.encoder, k, **options)

    def _answered(
        self, asked: Asked, course: Course, search: Callable[[ShardedCorpus, Asked, Read], TextHits]
    ) -> ShardedTextHits:
        """Search all shards, and begin anew without those that fail meanwhile, if answers in part are wanted."""
        lost: dict[int, Failure] = {}

        def searched(shards: TextShards) -> ShardedTextHits:
            reader = self._reader_of(shards)
            while True:
                corpus = ShardedCorpus(shards, reader.encoder, reader.space, course, lost)
                left = None if course.deadline is None else max(course.deadline - course.now(), 1e-6)
                try:
                    hits = search(corpus, replace(asked, timeout=left), partial(reader.read, shards))
                except LostShard as one:
                    lost[one.shard] = one.failure
                    if len(lost) == len(shards):
                        raise ShardFailedError(str(one.failure)) from None
                else:
                    what = EVERYTHING if self.passages is None else PASSAGES
                    return ShardedTextHits.of(hits, corpus.report(), len(corpus), what)

        return self._shards.agreed(searched, course)

    def _document(self, id: Id) -> tuple[str | None, Any]:
        kind = self._shards.ids
        owner = int(self._shards.owners([id])[0]) if kind and is_id(id, kind) else -1
        if owner < 0:
            raise UnknownIdError(f"id: {id!r:.80} is in no shard")
        args: list[Any] = [(id,) if s == owner else None for s in range(len(self._shards))]
        found = self._shards.caller.ask("document", args, Course.of(SECONDS_TO_LOAD)).answers[owner]
        if isinstance(found, Failure):
            raise ShardFailedError(str(found))
        kept: tuple[str | None, Any] = found
        return kept
