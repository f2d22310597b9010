"""An index of texts: texts in, answers out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from moverank._support.validate import (
    as_list,
    real_number,
    thread_count,
    whole_number,
)
from moverank.encoders.encoded import EncodedText, Encoder, require_encoder, require_texts
from moverank.errors import EncoderMismatchError, IndexFormatError
from moverank.index.changes import InMemory
from moverank.index.disk.store import Store
from moverank.index.disk.verify import Verified
from moverank.index.index import Index, PathLike
from moverank.index.parts.filters import Condition
from moverank.index.parts.ids import Positions, listed_ids, make_ids
from moverank.index.parts.setup import Clusters, TokenCells
from moverank.index.snapshot import Snapshot
from moverank.measures.measure import Measure
from moverank.ranking.calibration import Calibration
from moverank.ranking.fusion import Fusing, Fusion
from moverank.ranking.passages import Passages
from moverank.spaces.space import Space
from moverank.text_index.asking import Asked, fusing, options_of
from moverank.text_index.changing import Changes, known_positions, positions_of
from moverank.text_index.corpus import State
from moverank.text_index.creating import empty_state
from moverank.text_index.duplicates import NearDuplicate, near_duplicates
from moverank.text_index.entries import Entries, Id
from moverank.text_index.holder import Holder
from moverank.text_index.queries import EncodedQueries, tokens_of_vectors
from moverank.text_index.results import Added, TextHits
from moverank.text_index.searching import Among, Until, answer, answer_to_vectors, candidates_for, first_stage
from moverank.text_index.settings import Settings
from moverank.text_index.stored_encoder import encoder_from
from moverank.vectors.encoder_identity import EncoderIdentity
from moverank.vectors.sequences import One


class TextIndex:
    """An index of texts, searched by transport between their tokens and by their terms.

    Texts are encoded, kept, and found again: by the cells of their tokens and by BM25, then compared by transport and
    ordered by both scores. In a folder, each change is durable when the call returns, and atomic: after a crash the
    index is as it was before the change or after it. Made by `create` or `open`.

    Examples
    --------
    >>> import moverank as mr
    >>> index = mr.TextIndex.create(lexical=None)
    >>> index.add(["A portrait by an unknown artist.", "Stocks fell."], ids=["art", "money"])
    Added(2 documents, 0 words without a vector)
    >>> hits = index.search("who painted it?", k=1)
    >>> hits[0].id, hits[0].text
    ('art', 'A portrait by an unknown artist.')
    >>> hits[0].explain().pairs[0].contribution > 0
    True
    """

    def __init__(self, index: Index, encoder: Encoder, *, check_encoder: bool = True) -> None:
        self._index = index
        self._encoder = encoder
        self._checks_encoder = check_encoder
        self._checked_encoder: EncoderIdentity | None = None
        self._holder = Holder()
        self._changes = Changes(index, encoder, self._holder)
        self._queries = EncodedQueries(encoder)

    # ---- making and opening ----------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: PathLike | None = None,
        *,
        encoder: Encoder | None = None,
        measure: str | Measure | None = None,
        passages: Passages | None = None,
        lexical: str | None = "english",
        store_texts: bool = True,
        dtype: str | None = None,
        rescore: bool = False,
        prefilter: str | Clusters | TokenCells | None = "auto",
        pool: float = 1,
        space: Space | None = None,
        overwrite: bool = False,
        num_threads: int | None = None,
    ) -> TextIndex:
        """Make an index without texts, in a folder or in memory.

        Parameters
        ----------
        path : path, optional
            A folder that does not exist or is empty; its parent must exist. By default the index is in memory; `save`
            writes it.
        encoder : Encoder, optional
            Turns texts into vectors; by default the English word vectors of the package, which need nothing else
            installed. Encoders of this package are kept with the index; another has to be given to `open` again.
        measure : str or Measure, optional
            What to compare by; by default WRD with capacity 4: all of the query has to be found in a text, but not
            the reverse.
        passages : Passages, optional
            Cut documents into passages. Each document is found by its best one, which is shown.
        lexical : str or None, default "english"
            Language of the texts, for retrieval by terms (needs ``pip install 'moverank[lexical]'``): words are reduced
            to their stems. "words" takes words as they are, in lower case; "characters" takes characters and pairs of
            them, for scripts without spaces. None searches by tokens alone.
        store_texts : bool, default True
            Keep the texts, to return and explain them. Otherwise hits have no text, and explanations numbers for words.
        dtype, rescore, prefilter, pool
            As in `Index.build`; by default tokens are stored as float16. Word vectors are stored as words of one table
            unless one of these is given.
        space : Space, optional
            Moves encoded texts and queries, see `moverank.fit`.
        overwrite : bool, default False
            Replace an index in the folder.
        num_threads : int, optional
            Default number of threads of searches; all cores by default.

        Returns
        -------
        TextIndex
            Open for writing.

        Raises
        ------
        ImportError
            If `lexical` is not None, and tantivy is not installed; the message names the extra.
        IndexExistsError
            If the folder is not empty.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        threads = thread_count(num_threads)
        chosen, empty = empty_state(
            encoder, measure, passages=passages, lexical=lexical, store_texts=store_texts, dtype=dtype,
            rescore=rescore, prefilter=prefilter, pool=pool, space=space,
        )  # fmt: skip
        if path is None:
            return cls(Index(InMemory(empty), threads), chosen)
        store = Store.create(Path(path), overwrite=overwrite)
        try:
            store.commit(empty)
        except BaseException:
            store.discard_if_empty()
            store.close()
            raise
        return cls(Index(store, threads), chosen)

    @classmethod
    def open(
        cls,
        path: PathLike,
        *,
        writable: bool = False,
        encoder: Encoder | None = None,
        check_encoder: bool = True,
        mmap: bool = True,
        num_threads: int | None = None,
    ) -> TextIndex:
        """Open an index in a folder.

        Parameters
        ----------
        path : path
            The folder.
        writable : bool, default False
            Open it for writing; there can be only one writer.
        encoder : Encoder, optional
            The encoder that the index was created with; needed only if it is not one of this package.
        check_encoder : bool, default True
            Refuse another encoder; distances between the vectors of two encoders are usually meaningless.
        mmap, num_threads
            As in `Index.open`.

        Raises
        ------
        IndexNotFoundError, IndexFormatError, IndexVersionError, IndexIncompleteError, IndexLockedError
            As in `Index.open`; also if the folder has an index of vectors alone.
        EncoderMismatchError
            If the encoder is another one, or has to be given.
        ImportError
            If the index has lexical retrieval, and tantivy is not installed.
        """
        index = Index.open(path, writable=writable, mmap=mmap, num_threads=num_threads)
        try:
            attachment = index._snapshot.attachment
            if attachment is None or "text_index" not in attachment.facts:
                raise IndexFormatError(f"{path}: has an index of vectors without texts; open it by Index.open")
            settings = Settings.from_json(attachment.facts)
            identity = index._snapshot.encoder
            if encoder is None:
                encoder = encoder_from(settings.encoder, attachment.files, identity)
            elif check_encoder:
                index.require_encoder(encoder)
            else:
                require_encoder(encoder)
            made = cls(index, encoder, check_encoder=check_encoder)
            made._state()  # reads the lexical index, so that damage shows now
        except BaseException:
            index.close()
            raise
        return made

    def save(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Write a copy of the index into a folder, as `Index.save` does."""
        self._index.save(path, overwrite=overwrite)

    def refresh(self) -> bool:
        """Load the latest state, if a writer in another process has changed the index; returns whether it has.

        Raises
        ------
        EncoderMismatchError, IndexFormatError
            If the index was replaced by one of another encoder, or without texts: open it again.
        """
        has_changed = self._index.refresh()
        self._state()
        return has_changed

    def close(self) -> None:
        """Release the lock and the files. Hits found before remain usable."""
        self._index.close()

    def __enter__(self) -> TextIndex:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # ---- changes ---------------------------------------------------------------------------------------------------

    def add(
        self,
        texts: Iterable[str],
        ids: Iterable[Id] | None = None,
        *,
        payloads: Iterable[Any] | None = None,
        unknown: str = "raise",
        progress: Callable[[int], object] | None = None,
    ) -> Added:
        """Add texts. The next search finds them; in a folder they are durable.

        Texts are taken 1024 at a time, each of these steps being durable when it is done, so that a generator may yield
        more than fits memory. Lists are checked as a whole before the first step.

        Parameters
        ----------
        texts : iterable of str
            The texts.
        ids : iterable of int or of str, optional
            Their ids, none of which may be in the index; all of one type. By default the integers after the largest
            one ever used.
        payloads : iterable, optional
            A JSON value per text, returned with hits; searches can filter by it. None for no payload.
        unknown : {"raise", "skip"}, default "raise"
            A text of which no word has a vector is an error, or is left out; `Added.skipped` lists these.
        progress : callable, optional
            Called after each step with the number of texts done.

        Returns
        -------
        Added

        Raises
        ------
        DuplicateIdError
            If an id is given twice, or is in the index.
        NoTokensError
            If a text has no word with a vector, unless `unknown` is "skip".
        ReadOnlyIndexError, IndexWriteError, NoSpaceError, NoPermissionError
            If the index is not open for writing, or a file cannot be written.
        TypeError, ValueError
            If an argument is malformed; the message names it, and the text. Steps before stay done.
        """
        return self._changes.put(texts, ids, payloads, unknown, progress, replacing=False)

    def upsert(
        self,
        texts: Iterable[str],
        ids: Iterable[Id],
        *,
        payloads: Iterable[Any] | None = None,
        unknown: str = "raise",
        progress: Callable[[int], object] | None = None,
    ) -> Added:
        """Add texts, and remove those with the same ids if there are any. Arguments and errors are those of `add`.

        A text that is left out by `unknown="skip"` leaves the one with its id as it is.
        """
        return self._changes.put(texts, ids, payloads, unknown, progress, replacing=True)

    def remove(self, ids: Iterable[Id]) -> None:
        """Remove documents. The next search does not find them; `compact` frees their space.

        Raises
        ------
        UnknownIdError
            If an id is not in the index; nothing is removed.
        DuplicateIdError
            If an id is given twice.
        ReadOnlyIndexError, IndexWriteError, NoSpaceError, NoPermissionError
            As in `add`.
        """
        self._changes.remove(ids)

    def compact(self) -> None:
        """Free the space of removed documents, and train the prefilter on the others, as `Index.compact` does."""
        self._changes.compact()

    def verify(self, *, progress: Callable[[int, int], object] | None = None) -> Verified:
        """Read all files and check them, as `Index.verify` does, and that both kinds of retrieval have the same texts.

        Raises
        ------
        IndexFormatError
            At the first error; the message describes it.
        """
        verified = self._index.verify(progress=progress)
        state = self._state()
        if state.lexical is not None:
            snapshot = state.snapshot
            have, expected = set(state.lexical.ids()), set(snapshot.ids_at(snapshot.positions).tolist())
            if have != expected or len(state.lexical) != len(expected):
                other = min(have ^ expected, default="")
                raise IndexFormatError(f"the lexical index has other documents than the index; one is {other!r:.80}")
        return verified

    def fit_fusion(
        self, queries: Sequence[str], relevant: Sequence[Iterable[Id]], *, candidates: int | None = 100
    ) -> Fusion:
        """Learn the weight of the similarity from judged queries, and keep it as the default of this index.

        Parameters
        ----------
        queries : sequence of str
            Queries, a hundred or more: a random sample of what will be asked.
        relevant : sequence of iterable of int or of str, one per query
            Ids of the documents that are relevant; all others count as not relevant.
        candidates : int or None, default 100
            As in `search`.

        Returns
        -------
        Fusion
            The one of best nDCG@10 on these queries, see `Fusion.fit`.

        Raises
        ------
        ReadOnlyIndexError
            If the index is not open for writing.
        TypeError, ValueError
            If an argument is malformed, the index has no lexical retrieval, or no query has a candidate.
        """
        if self.lexical is None:
            raise ValueError("fit_fusion: expected an index with lexical retrieval")
        listed = require_texts(queries, "query", "queries")
        judged = _judged(relevant, len(listed))
        asked = self._asked(10, None, candidates=candidates, fusion=0.5)
        state = self._state()
        first, second, grades = [], [], []
        for query, own in zip(listed, judged, strict=True):
            found = candidates_for(state, query, self._encoded_query(state, query), asked, Until(), {})
            if found.terms and found.hits:
                first.append(list(found.terms.values()))
                second.append(found.similarities)
                documents = [state.document_of(entry) for entry in found.terms]
                grades.append([float(document in own) for document in documents])
        if not first:
            raise ValueError("queries: none of them has a candidate that both kinds of scores are known of")
        fitted = Fusion.fit(first, second, grades)
        self._changes.set(fusion=fitted.weight)
        return fitted

    def calibrate(
        self,
        queries: Sequence[str],
        relevant: Sequence[Iterable[Id]],
        *,
        k: int = 10,
        candidates: int | None = 100,
        fusion: Fusing | float | None = None,
        method: str = "logistic",
    ) -> Calibration:
        """Learn from judged queries how likely hits are to be relevant, and keep that with the index.

        From then on, hits of searches with the same `candidates` and `fusion` have a `probability`, and
        `min_probability` leaves out the others. It holds for such queries in this collection, not for others.

        Parameters
        ----------
        queries : sequence of str
            Queries, a few hundred or more: a random sample of what will be asked.
        relevant : sequence of iterable of int or of str, one per query
            Ids of the documents that are relevant; all others count as not relevant.
        k : int, default 10
            Hits per query to learn from.
        candidates, fusion
            As in `search`.
        method : {"logistic", "isotonic"}, default "logistic"
            See `Calibration.fit`.

        Returns
        -------
        Calibration

        Raises
        ------
        ImportError
            If scikit-learn is not installed.
        ReadOnlyIndexError
            If the index is not open for writing.
        TypeError, ValueError
            If an argument is malformed, or all hits are relevant, or none is.
        """
        listed = require_texts(queries, "query", "queries")
        judged = _judged(relevant, len(listed))
        found = self.search_batch(listed, k, candidates=candidates, fusion=fusion)
        pairs = [(hit.score, hit.id in own) for hits, own in zip(found, judged, strict=True) for hit in hits]
        curve = Calibration.fit([score for score, _ in pairs], [own for _, own in pairs], method=method)
        options = options_of(candidates, fusing(self._settings, self._encoder, fusion))
        self._changes.set(calibration={"curve": curve.as_json(), "options": options})
        return curve

    # ---- reading ---------------------------------------------------------------------------------------------------

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
        num_threads: int | None = None,
    ) -> TextHits:
        """Find the best documents for a query.

        Parameters
        ----------
        query : str
            The query.
        k : int, default 10
            Number of documents.
        where : str, tuple of str and a sequence, or callable, optional
            Only documents whose payload satisfies this condition, as in `Index.search`.
        candidates : int or None, default 100
            Texts that each first stage, by terms and by tokens, proposes for comparison. None compares all texts; then,
            and without lexical scores, the answer is exact.
        fusion : Fusion, ReciprocalRanks or float, optional
            Weight of the similarity, from 0 to 1, beside that of lexical scores; 1 leaves these out. Default: what
            `fit_fusion` has learnt, or that of `moverank.presets.retrieval`: 0.15 with word vectors, else 0.65.
        min_similarity : float, optional
            Leave out hits that are less similar. The answer may then be empty: nothing relevant.
        min_probability : float, default 0
            Leave out hits that are less likely to be relevant; the index must be calibrated for such searches.
        timeout : float, optional
            Seconds for the search. Some of them are kept to read the texts and payloads of hits. When they are over,
            candidates by terms that were not compared count as no more similar than the least similar of the others,
            and if `k` is large, there may be fewer hits: the certificate says so, and `stats.timed_out` is True. A
            condition that takes longer is a TimeoutError.
        num_threads : int, optional
            Number of threads; by default that of the index.

        Returns
        -------
        TextHits
            The best first; equal scores are ordered by id, as text.

        Raises
        ------
        NoTokensError
            If no word of the query has a vector, and there is no lexical retrieval.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        if not isinstance(query, str):
            raise TypeError(f"query: expected a string, got {type(query).__name__}")
        return self.search_batch(
            [query], k, where=where, candidates=candidates, fusion=fusion, min_similarity=min_similarity,
            min_probability=min_probability, timeout=timeout, num_threads=num_threads,
        )[0]  # fmt: skip

    def search_batch(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Condition | None = None,
        candidates: int | None = 100,
        fusion: Fusing | float | None = None,
        min_similarity: float = -np.inf,
        min_probability: float = 0.0,
        timeout: float | None = None,
        num_threads: int | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[TextHits]:
        """Search for several queries, one after the other; all read the same state of the index.

        Parameters
        ----------
        queries : sequence of str
            The queries.
        k, where, candidates, fusion, min_similarity, min_probability, timeout, num_threads
            As in `search`.
        progress : callable, optional
            Called after each query with the number of queries done and their total.

        Returns
        -------
        list of TextHits
        """
        listed = require_texts(queries, "query", "queries")
        state = self._state()
        asked = self._asked(
            k, num_threads, where=where, candidates=candidates, fusion=fusion, min_similarity=min_similarity,
            min_probability=min_probability, timeout=timeout,
        )  # fmt: skip
        found = []
        for q, query in enumerate(listed):
            found.append(answer(state, query, partial(self._encoded_query, state), asked))
            if progress is not None:
                progress(q + 1, len(listed))
        return found

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
        num_threads: int | None = None,
    ) -> TextHits:
        """Find the best documents for token vectors, such as those that another process has encoded.

        The answer is that of `search` with a fusion of 1 for a text with these tokens: terms have no part in it, and of
        a document in passages the nearest one counts.

        Parameters
        ----------
        vectors : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query, in the space of the index if it has one.
        k : int, default 10
            Number of documents.
        weights : array_like, shape (n,), optional
            Mass of each token, as in `Index.search`.
        where, candidates, min_similarity, timeout, num_threads
            As in `search`.

        Returns
        -------
        TextHits
            The best first. Its `query` is None, and alignments name the query's tokens by their positions, as in "[0]".

        Raises
        ------
        DimensionError
            If the vectors have another dimension than those of the index.
        NoTokensError
            If no token has mass under the measure.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        state = self._state()
        asked = self._asked(
            k, num_threads, where=where, candidates=candidates, fusion=1.0, min_similarity=min_similarity,
            timeout=timeout,
        )  # fmt: skip
        tokens = tokens_of_vectors(vectors, weights, state.measure, state.snapshot.setup.dim)
        # What scores of texts were calibrated on says nothing of vectors from elsewhere.
        return answer_to_vectors(state, tokens, replace(asked, calibration=None))

    def rerank(
        self,
        query: str,
        ids: Iterable[Id],
        k: int | None = None,
        *,
        scores: ArrayLike | None = None,
        fusion: Fusing | float | None = None,
        timeout: float | None = None,
        num_threads: int | None = None,
    ) -> TextHits:
        """Order given documents of the index for a query, such as those that another first stage has found.

        Parameters
        ----------
        query : str
            The query.
        ids : iterable of int or of str
            The documents.
        k : int, optional
            How many to return; all by default.
        scores : array_like, shape (n,), optional
            The first stage's scores of the documents, larger is better, which take the place of lexical scores. Hits
            have them as `lexical`.
        fusion, timeout, num_threads
            As in `search`. With a fusion of 1, transport alone decides, and the certificate says what is proved.

        Returns
        -------
        TextHits
            The best first; equal ones in the order of `ids`.

        Raises
        ------
        NoTokensError
            If no word of the query has a vector, and there are no scores to order by.
        UnknownIdError
            If an id is not in the index.
        DuplicateIdError
            If an id is given twice.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        if not isinstance(query, str):
            raise TypeError(f"query: expected a string, got {type(query).__name__}")
        listed = listed_ids(ids)
        if not listed:
            raise ValueError("ids: expected at least one id, got none")
        state = self._state()
        snapshot = state.snapshot
        positions = known_positions(snapshot, self._holder.of(snapshot).settings, listed)
        entries = [snapshot.ids_at(own).tolist() for own in positions]
        make_ids(listed, len(listed))  # none twice
        first = None if scores is None else first_stage(scores, len(listed))
        beside = None if first is None else [score for score, own in zip(first, entries, strict=True) for _ in own]
        count = len(listed) if k is None else k
        asked = self._asked(count, num_threads, fusion=fusion, timeout=timeout, has_scores=first is not None)
        among = Among([entry for own in entries for entry in own], beside)
        encode = partial(self._encoded_query, state, has_scores=first is not None)
        return answer(state, query, encode, asked, among)

    def near_duplicates(
        self,
        similarity: float = 0.9,
        *,
        candidates: int | None = 20,
        num_threads: int | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[NearDuplicate]:
        """Find documents that say nearly the same, such as other versions of one text.

        Takes as long as a search for every document, with its own tokens for a query.

        Parameters
        ----------
        similarity : float, default 0.9
            The least similarity, above 0, in both directions.
        candidates : int or None, default 20
            Documents (or passages) with which each is compared: those proposed by the first stage over tokens, or by
            bounds. None finds all pairs for certain, and is slow for token vectors of large collections.
        num_threads : int, optional
            Number of threads; by default that of the index.
        progress : callable, optional
            Called with the number of documents (or passages) done, and their total.

        Returns
        -------
        list of NearDuplicate
            The most similar first.

        Raises
        ------
        ValueError
            If the measure's similarity has no bounds, as under "dot".
        """
        if not 0.0 < real_number(similarity, "similarity") < np.inf:
            raise ValueError(f"similarity must be above 0, got {similarity!r}")
        if candidates is not None:
            whole_number(candidates, "candidates", least=1)
        if not np.isfinite(self.measure.least_similarity):
            raise ValueError(f"near_duplicates: similarities under {self.measure.name} have no bounds")
        return near_duplicates(self._state(), similarity, candidates, self._index._threads(num_threads), progress)

    def __len__(self) -> int:
        """Number of documents."""
        if self._settings.passages is None:
            return len(self._index)
        snapshot = self._index._snapshot
        return len({self._entries.document_of(entry) for entry in snapshot.ids_at(snapshot.positions).tolist()})

    def __contains__(self, id: object) -> bool:
        (found,) = positions_of(self._index._snapshot, self._entries, self._settings.ids, [id])
        return len(found) > 0

    def __iter__(self) -> Iterator[Id]:
        """Ids of all documents, in the order in which they were added."""
        snapshot = self._index._snapshot
        entries = snapshot.ids_at(snapshot.positions).tolist()
        documents = dict.fromkeys(self._entries.document_of(entry) for entry in entries)
        return iter([int(name) if self._settings.ids == "int" else name for name in documents])

    def text(self, id: Id) -> str | None:
        """Text of a document; None if the index keeps no texts.

        Raises
        ------
        UnknownIdError
            If the id is not in the index.
        """
        snapshot = self._index._snapshot
        whole = ""
        for position in self._positions(snapshot, id).tolist():
            kept = snapshot.text(position)
            if kept is None:
                return None
            text, begin = kept
            # Passages overlap, and white space between them is in neither.
            whole = whole[:begin].ljust(begin) + text if begin + len(text) > len(whole) else whole
        return whole

    def payload(self, id: Id) -> Any:
        """Payload of a document; None if it has none.

        Raises
        ------
        UnknownIdError
            If the id is not in the index.
        """
        snapshot = self._index._snapshot
        return snapshot.payload(int(self._positions(snapshot, id)[0]))

    @property
    def encoder(self) -> Encoder:
        """What turns texts into vectors."""
        return self._encoder

    @property
    def index(self) -> Index:
        """The index of the texts' tokens, whose ids are those of the texts, or of passages, as text."""
        return self._index

    @property
    def measure(self) -> Measure:
        """What texts are compared by."""
        return self._index.measure

    @property
    def passages(self) -> Passages | None:
        """How documents are cut; None if they are indexed whole."""
        return self._settings.passages

    @property
    def fusion(self) -> Fusing:
        """How similarities and scores of terms are added, unless a search says otherwise."""
        return fusing(self._settings, self._encoder, None)

    @property
    def stores_texts(self) -> bool:
        """Whether texts are kept."""
        return self._settings.store_texts

    @property
    def lexical(self) -> str | None:
        """How texts are split into terms; None if there is no lexical retrieval."""
        return self._settings.lexical

    def __repr__(self) -> str:
        lexical = "" if self.lexical is None else f", lexical={self.lexical!r}"
        passages = "" if self.passages is None else f", {self.passages!r}"
        pool = "" if self._index.pool == 1 else f", pool={self._index.pool:g}"
        return f"TextIndex({len(self)} documents, measure={self.measure.name}{lexical}{passages}{pool})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self._index, self._encoder, self._checks_encoder)

    # ---- inside ----------------------------------------------------------------------------------------------------

    @property
    def _settings(self) -> Settings:
        return self._holder.of(self._index._snapshot).settings

    @property
    def _entries(self) -> Entries:
        return Entries(self._settings.passages)

    def _require_encoder_of(self, snapshot: Snapshot) -> None:
        """Refuse a state by another encoder, by which the index was overwritten since it was opened."""
        identity = snapshot.encoder
        if identity is None or identity is self._checked_encoder:
            return
        if self._checks_encoder and identity.differences(EncoderIdentity.of(self._encoder)):
            raise EncoderMismatchError(
                f"the index was replaced by one of another encoder, {identity}; open it again by TextIndex.open"
            )
        self._checked_encoder = identity

    def _state(self) -> State:
        snapshot = self._index._snapshot
        held = self._holder.of(snapshot)
        space = None if snapshot.space is None else snapshot.space.space
        self._require_encoder_of(snapshot)
        entries = Entries(held.settings.passages)
        return State(snapshot, held.lexical, entries, held.settings.ids == "int", self._encoder, space)

    def _positions(self, snapshot: Snapshot, id: Id) -> Positions:
        (found,) = known_positions(snapshot, self._holder.of(snapshot).settings, [id], "id")
        return found

    def _encoded_query(self, state: State, query: str, *, has_scores: bool = False) -> EncodedText:
        """Tokens of a query in the space of the index; none if no word has a vector."""
        needs_tokens = state.lexical is None and not has_scores
        return self._queries.of(query, state.space, state.measure, needs_tokens=needs_tokens)

    def _asked(self, k: int, num_threads: int | None, **options: Any) -> Asked:
        threads = self._index._threads(num_threads)
        return Asked.of(self._settings, self._encoder, k, num_threads=threads, **options)


def _judged(relevant: Any, count: int) -> list[frozenset[Any]]:
    """Ids of relevant documents for each query."""
    judged = []
    for q, ids in enumerate(as_list(relevant, "relevant", "lists of ids")):
        if isinstance(ids, str) or not isinstance(ids, Iterable):
            raise TypeError(f"relevant: expected a list of ids for query {q}, got {ids!r:.80}")
        judged.append(frozenset(ids))
    if len(judged) != count:
        raise ValueError(f"relevant: expected {count}, one list of ids per query, got {len(judged)}")
    return judged


def _unpickled(index: Index, encoder: Encoder, checks_encoder: bool) -> TextIndex:
    return TextIndex(index, encoder, check_encoder=checks_encoder)
