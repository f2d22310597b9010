"""Top-k search over a collection of sequences: exact, or within a budget that says what it gives up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

from moverank._support.threads import Lock
from moverank._support.validate import thread_count
from moverank.errors import IndexClosedError, MeasureMismatchError
from moverank.index.answer import Request
from moverank.index.batch import Batch
from moverank.index.changes import InMemory, Keeper, added, built, compacted, without
from moverank.index.disk.building import Build
from moverank.index.disk.store import Store
from moverank.index.disk.verify import Verified, verify
from moverank.index.parts.plan import Plan
from moverank.measures.measure import Measure
from moverank.vectors.encoder_identity import EncoderCheck, EncoderIdentity, checked

if TYPE_CHECKING:
    from moverank.encoders import Encoder
    from moverank.index.parts.ids import Ids
    from moverank.index.parts.intake import Documents
    from moverank.index.parts.payloads import Condition
    from moverank.index.parts.setup import Clusters
    from moverank.index.search.hits import Hits
    from moverank.index.snapshot import Snapshot
    from moverank.spaces import Space
    from moverank.vectors.histograms import Histograms
    from moverank.vectors.sequences import Batch as DocumentBatch
    from moverank.vectors.sequences import One

PathLike = str | os.PathLike[str]


class Index:
    """Documents ready to be searched exactly under one measure. Made by `build`, or by `open` from a folder.

    A search solves some documents first, takes the mean of their dual potentials for the query's tokens, and bounds
    every other document's distance with it; then it solves documents in rising order of these bounds and stops when the
    next one exceeds the k-th best distance, which proves that no later document can be in the answer.

    References
    ----------
    .. [1] Seidl, Kriegel, "Optimal multi-step k-nearest neighbor search", SIGMOD 1998.

    Examples
    --------
    >>> import numpy as np
    >>> docs = [np.eye(3)[:2], np.eye(3)[1:], np.eye(3)[2:]]
    >>> index = Index.build(docs, "wmd", ids=["a", "b", "c"])
    >>> hits = index.search(np.eye(3)[:2], k=2)
    >>> [(hit.id, round(hit.distance, 4)) for hit in hits]
    [('a', 0.0), ('b', 0.7071)]
    >>> hits.certificate.exact
    True
    """

    def __init__(self, keeper: Keeper, num_threads: int) -> None:
        self._keeper: Keeper | None = keeper
        self._num_threads = num_threads
        #: Held by whoever changes the index; searches never wait for it.
        self._changing = Lock()

    @classmethod
    def build(
        cls,
        docs: Documents,
        measure: str | Measure | None = None,
        *,
        costs: ArrayLike | None = None,
        ids: Ids | None = None,
        payloads: Sequence[Any] | None = None,
        prefilter: str | Clusters | None = "Flat",
        dtype: str | None = None,
        rescore: bool = False,
        space: Space | None = None,
        encoder: Encoder | EncoderIdentity | None = None,
        num_threads: int | None = None,
    ) -> Index:
        """Prepare documents for search.

        Parameters
        ----------
        docs : Sequences, Bags, or sequence of array_like, each of shape (n_s, d)
            The documents. Arrays of a `Sequences` or a `Bags` are kept, not copied.
        measure : str or Measure, optional
            What searches will compute; by default "wrd", or "emd" where costs are given.
        costs : array_like, shape (K, L), optional
            What moving from each bin of a query to each bin of a document costs, where no vectors say it. Documents are
            then histograms over L bins: an array of shape (N, L), a sparse matrix of SciPy, a DataFrame, `Histograms`
            or `Bags`; and queries are histograms of shape (K,). The index keeps the table, in float32 or float64 as it
            comes, and what is added needs none.
        ids : sequence of int or of str, shape (N,), optional
            Unique names of the documents; 0 to N − 1 by default. Equal distances rank by id.
        payloads : sequence, shape (N,), or DataFrame, optional
            What to keep with each document and to give back with a hit: any JSON value, None for nothing. Numbers and
            arrays of NumPy are kept as numbers and lists, dates and times as ISO text, rows of a data frame or table as
            an object each, in which what pandas calls missing is null. Searches can choose by it.
        prefilter : str, Clusters or None, default "Flat"
            How budgeted searches find candidates, and exact ones their first documents. A string: by one pooled vector
            per document; it is what `faiss.index_factory` is told, and after a semicolon what to set, as in
            "IVF256,Flat;nprobe=16". `Clusters`: by several. Only "Flat" can say how near the documents may be that it
            left out. None: no budgets. Bags need none.
        dtype : {"float32", "float16", "bfloat16", "int8"}, optional
            How to store tokens; as `docs` has them by default. Answers are exact for what is stored.
        rescore : bool, default False
            Keep the documents as they are beside those of `dtype`: bounds then come from the compact ones, less what
            rounding can have changed, and answers are exact for `docs`, of which only what the bounds leave is read.
            Not under ground "sqeuclidean".
        space : Space, optional
            The space that the documents were moved into, kept with the index: `Index.space` gives it back, and a
            `Reranker` moves queries into it. Documents are taken as they are.
        encoder : Encoder or EncoderIdentity, optional
            What made vectors of the documents' texts, before they were moved into the space. The index keeps its
            identity, and `require_encoder` refuses another one.
        num_threads : int, optional
            Threads that a search uses unless it is told otherwise; all cores by default.

        Returns
        -------
        Index

        Raises
        ------
        DimensionError
            If the encoder makes vectors of another dimension than the documents have.
        TypeError
            If ids are neither all integers nor all strings, or a document is not made of real numbers.
        ValueError
            If a document cannot be measured, ids repeat or are of the wrong number, or faiss cannot make the prefilter;
            the message says which.
        """
        options: dict[str, Any] = {"prefilter": prefilter, "dtype": dtype, "rescore": rescore}
        plan = Plan.of(measure, costs=costs, space=space, encoder=encoder, **options)
        threads = thread_count(num_threads)
        return cls(InMemory(built(plan, docs, ids, payloads, threads)), threads)

    # ---- folders ---------------------------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        path: PathLike,
        *,
        mmap: bool = True,
        writable: bool = False,
        measure: str | Measure | None = None,
        encoder: Encoder | EncoderIdentity | None = None,
        num_threads: int | None = None,
    ) -> Index:
        """Open the index in a folder.

        Parameters
        ----------
        path : path
            The folder that `save` or `build_on_disk` wrote.
        mmap : bool, default True
            Map its files: opening takes milliseconds, processes that open the same index share its memory, and only
            what searches touch is read; checksums are then left to `verify`. Otherwise all is read, and checked.
        writable : bool, default False
            Open it for changes too. There can be one writer at a time, beside any number of readers.
        measure : str or Measure, optional
            What searches are expected to compute.
        encoder : Encoder or EncoderIdentity, optional
            What is expected to have made the documents' vectors, as for `require_encoder`.
        num_threads : int, optional
            Threads that a search uses unless it is told otherwise; all cores by default.

        Returns
        -------
        Index

        Raises
        ------
        IndexNotFoundError
            If there is none.
        IndexFormatError, IndexVersionError
            If the folder holds something else, an index that is damaged, or one of another version of the format.
        IndexIncompleteError
            If it is still being built.
        IndexLockedError
            If it is to be written to and another process, or another part of this one, has it open for that.
        MeasureMismatchError
            If it was built for another measure than is expected.
        EncoderMismatchError
            If it was built with another encoder than is expected.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> folder = tempfile.mkdtemp() + "/letters"
        >>> Index.build([np.eye(3)[:2], np.eye(3)[1:]], "wmd", ids=["a", "b"]).save(folder)
        >>> with Index.open(folder, writable=True) as index:
        ...     index.add([np.eye(3)[2:]], ids=["c"])
        array(['c'], dtype=object)
        >>> Index.open(folder).search(np.eye(3)[2:], k=1).ids
        array(['c'], dtype=object)
        """
        expected = None if measure is None else Measure.of(measure)
        threads = thread_count(num_threads)
        identity = None if encoder is None else EncoderIdentity.of(encoder)
        store = Store.open(Path(path), writable=writable, mmap=mmap)
        try:
            found = store.snapshot.setup.measure
            if expected is not None and found != expected:
                raise MeasureMismatchError(
                    f"{path}: the index was built for {found.name}, not for {expected.name}; build another for that"
                )
            if identity is not None:
                checked(store.snapshot.encoder, identity)
        except BaseException:
            store.close()
            raise
        return cls(store, threads)

    def save(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Write the index into a folder of its own. This object stays as it is: `open` the folder to work with it.

        Parameters
        ----------
        path : path
            A folder that does not exist yet, or is empty; its parent has to exist.
        overwrite : bool, default False
            Replace an index that is there, at once: readers see the old one or the new one. Nothing else is replaced.

        Raises
        ------
        IndexExistsError
            If there is something already.
        IndexLockedError
            If another writer has the index there open.
        IndexWriteError, NoSpaceError, NoPermissionError
            If a file cannot be written; what was there stays.
        """
        snapshot = self._snapshot
        store = Store.create(Path(path), overwrite=overwrite)
        try:
            store.commit(snapshot)
        finally:
            store.discard_if_empty()
            store.close()

    def refresh(self) -> bool:
        """Look for a later state that a writer in another process made, and search that from now on.

        Returns
        -------
        bool
            Whether there was one.
        """
        store = self._require_store("refresh")
        with self._changing:
            if store.writable or not store.is_stale():
                return False
            store.load()
            return True

    def verify(self, *, progress: Callable[[int, int], object] | None = None) -> Verified:
        """Read everything and check it: checksums, and that all numbers are what an index can have.

        Parameters
        ----------
        progress : callable, optional
            Called with the bytes that are done and their total.

        Returns
        -------
        Verified
            What was checked.

        Raises
        ------
        IndexFormatError
            At the first thing that is wrong; the message says what, and in which file.
        """
        return verify(self._require_store("verify"), progress)

    def close(self) -> None:
        """Let others write, and let go of the files. Hits that were found stay usable."""
        with self._changing:
            if self._keeper is not None:
                self._keeper.close()
                self._keeper = None

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @classmethod
    def build_on_disk(
        cls,
        path: PathLike,
        batches: Iterable[Batch],
        measure: str | Measure | None = None,
        *,
        costs: ArrayLike | None = None,
        prefilter: str | Clusters | None = "Flat",
        dtype: str | None = None,
        rescore: bool = False,
        space: Space | None = None,
        encoder: Encoder | EncoderIdentity | None = None,
        resume: bool = False,
        progress: Callable[[int], object] | None = None,
        num_threads: int | None = None,
    ) -> Index:
        """Build an index in a folder from batches that together need not fit into memory.

        Takes memory for some 300 MB of documents, a batch or two and, where the prefilter is not "Flat", what faiss
        needs. Each 128 MB are durable once written; until the last batch is in, `open` says that the index is not
        complete.

        Parameters
        ----------
        path : path
            A folder that does not exist yet, or is empty; or with ``resume=True`` that of a build that was cut off.
        batches : iterable of Batch
            The documents, as `moverank.readers` or a generator of yours gives them.
        measure, costs, prefilter, dtype, rescore, space, encoder
            As in `build`; what is not said is as in the first batch.
        resume : bool, default False
            Go on with a build that was cut off: batches that are in already are compared and passed over, so these have
            to be the same as before, in the same order. An index that is complete is opened if it has the documents of
            all batches and no others; `add` takes further ones.
        progress : callable, optional
            Called with the number of documents that are in, after each batch.
        num_threads : int, optional
            Threads to use; all cores by default.

        Returns
        -------
        Index
            Opened for reading.

        Raises
        ------
        IndexExistsError
            If there is something at the path already.
        IndexLockedError
            If somebody else builds there.
        MeasureMismatchError, EncoderMismatchError, ValueError
            If a build that is to be resumed was begun otherwise, or has other documents or payloads.
        DuplicateIdError
            If two documents have the same id.
        IndexWriteError, NoSpaceError, NoPermissionError
            If a file cannot be written; what was written before can be resumed.
        TypeError, ValueError
            If documents are malformed, as in `build`.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from moverank.readers import Batch
        >>> batches = (Batch([np.eye(3)[n:], np.eye(3)[:n]], ids=[2 * n, 2 * n + 1]) for n in (1, 2))
        >>> index = Index.build_on_disk(tempfile.mkdtemp() + "/eye", batches, "wmd", dtype="int8")
        >>> index.search(np.eye(3)[:1], k=1).ids
        array([3])
        """
        options: dict[str, Any] = {"prefilter": prefilter, "dtype": dtype, "rescore": rescore}
        plan = Plan.of(measure, costs=costs, space=space, encoder=encoder, **options)
        if not isinstance(batches, Iterable):
            raise TypeError(f"batches: expected an iterable of Batch, got {type(batches).__name__}")
        threads = thread_count(num_threads)
        Build(Path(path), plan, resume=resume, num_threads=threads).run(batches, progress)
        return cls.open(path, num_threads=num_threads)

    # ---- changes ---------------------------------------------------------------------------------------------------

    def add(
        self,
        docs: Documents,
        ids: Ids | None = None,
        *,
        payloads: Sequence[Any] | None = None,
        encoder: Encoder | EncoderIdentity | None = None,
    ) -> NDArray[Any]:
        """Add documents. The next search sees them; if the index is in a folder they are there, durably.

        Parameters
        ----------
        docs : Sequences, Bags, or sequence of array_like, each of shape (n_s, d)
            Of the kind that the index was built of; tokens are stored as its are. Bags have to share its table.
        ids : sequence of int or of str, shape (N,), optional
            Ids of the new documents; none may be in the index. By default the integers after the largest id ever used.
        payloads : sequence, shape (N,), optional
            As in `build`.
        encoder : Encoder or EncoderIdentity, optional
            What made their vectors; it has to be the index's, as for `require_encoder`.

        Returns
        -------
        ndarray, shape (N,)
            Their ids: int64, or objects of type str.

        Raises
        ------
        DuplicateIdError
            If an id is given twice or in the index already; nothing is added.
        DimensionError
            If tokens are of another dimension.
        EncoderMismatchError
            If the index was built with another encoder.
        ReadOnlyIndexError
            If the index was not opened for writing.
        IndexWriteError, NoSpaceError, NoPermissionError
            If a file cannot be written; nothing is added.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        with self._change(encoder) as keeper:
            state, listed = added(keeper, docs, ids, payloads, self._num_threads)
            keeper.commit(state)
        return listed

    def remove(self, ids: Ids) -> None:
        """Remove documents. The next search does not see them; `compact` gives back their space.

        Parameters
        ----------
        ids : sequence of int or of str
            Ids of the documents.

        Raises
        ------
        UnknownIdError
            If an id is not in the index; nothing is removed.
        DuplicateIdError
            If one is given twice.
        ReadOnlyIndexError, IndexWriteError, NoSpaceError, NoPermissionError
            As in `add`.
        """
        with self._change() as keeper:
            keeper.commit(without(keeper.snapshot, keeper.snapshot.positions_of(ids)))

    def upsert(
        self,
        docs: Documents,
        ids: Ids,
        *,
        payloads: Sequence[Any] | None = None,
        encoder: Encoder | EncoderIdentity | None = None,
    ) -> None:
        """Add documents in place of those of the same ids, if there are any: both in one step.

        Parameters
        ----------
        docs, ids, payloads, encoder
            As in `add`. A document that is replaced loses its payload.

        Raises
        ------
        TypeError, ValueError, ReadOnlyIndexError, IndexWriteError
            As in `add`, but ids may be in the index.
        """
        with self._change(encoder) as keeper:
            state, _ = added(keeper, docs, ids, payloads, self._num_threads, replacing=True)
            keeper.commit(state)

    def compact(self) -> None:
        """Give back the space of documents that were removed, and let the prefilter learn from those that are left.

        Reads and writes the whole index, in constant memory except what faiss needs; searches continue meanwhile. Worth
        it when a large share of the documents was removed or added since it was built.

        Raises
        ------
        ReadOnlyIndexError, IndexWriteError, NoSpaceError, NoPermissionError
            As in `add`.
        """
        with self._change() as keeper:
            keeper.commit(compacted(keeper, keeper.snapshot, self._num_threads))

    @contextmanager
    def _change(self, encoder: Encoder | EncoderIdentity | None = None) -> Iterator[Keeper]:
        """The keeper, for one change at a time; `encoder` is what made what is brought."""
        with self._changing:
            keeper = self._open_keeper()
            keeper.require_writable()
            if encoder is not None:
                checked(keeper.snapshot.encoder, encoder)
            yield keeper

    # ---- what it is ------------------------------------------------------------------------------------------------

    @property
    def measure(self) -> Measure:
        """What searches compute."""
        return self._snapshot.setup.measure

    @property
    def ids(self) -> NDArray[Any]:
        """Ids of the documents in the order in which they were given, shape (N,): int64, or objects of type str."""
        return self._snapshot.ids_at(self._snapshot.positions)

    @property
    def dim(self) -> int:
        """Dimension of the tokens; where costs are given, bins of queries."""
        return self._snapshot.setup.dim

    @property
    def is_of_bags(self) -> bool:
        """Whether documents are bags over one table, which has each word of a document once, in the table's order."""
        return self._snapshot.kind.table is not None

    @property
    def space(self) -> Space | None:
        """The space in which the documents are, if one was given: apply it to queries, too."""
        attached = self._snapshot.space
        return None if attached is None else attached.space

    @property
    def encoder(self) -> EncoderIdentity | None:
        """What made vectors of the documents' texts, if it was given when the index was built."""
        return self._snapshot.encoder

    def require_encoder(self, encoder: Encoder | EncoderIdentity) -> EncoderCheck:
        """Refuse an encoder that is not the one that made the documents' vectors; call it where a text meets an index.

        Parameters
        ----------
        encoder : Encoder or EncoderIdentity
            What makes vectors of queries, or of documents that are to be added.

        Returns
        -------
        EncoderCheck
            Whether they are the same, or why that cannot be checked: the index does not know its encoder, or the one
            or the other has no name.

        Raises
        ------
        EncoderMismatchError
            If it is another one; the message names both, and in what they differ.
        TypeError
            If it is not an encoder.

        Examples
        --------
        >>> from moverank.encoders import WordVectors
        >>> encoder = WordVectors.default()
        >>> index = Index.build(encoder.bags(["a cat", "a dog"]), encoder=encoder)
        >>> index.require_encoder(encoder).same
        True
        >>> index.encoder.differences(WordVectors(["cat"], [[1.0] * 128]).identity)  # which would be an error
        ('digest',)
        """
        return checked(self.encoder, encoder)

    def __len__(self) -> int:
        return len(self._snapshot)

    def __contains__(self, id: object) -> bool:
        return id in self._snapshot

    def __reduce__(self) -> tuple[Any, ...]:
        keeper = self._open_keeper()
        if not isinstance(keeper, Store):
            return _in_memory, (keeper.snapshot, self._num_threads)
        if keeper.writable:
            raise TypeError(
                "an index that is open for writing cannot be pickled or copied, as it can have one writer alone: "
                "pass its path on, or an index that was opened for reading"
            )
        return _opened, (keeper.folder, keeper.mmap, self._num_threads)

    def __repr__(self) -> str:
        return f"Index({len(self)} documents, measure={self.measure.name}, dim={self.dim})"

    def payload(self, id: int | str) -> Any:
        """What was given with a document, None if nothing was.

        Raises
        ------
        UnknownIdError
            If the id is not in the index.
        """
        snapshot = self._snapshot
        named: Ids = [id]  # type: ignore[assignment]
        return snapshot.payload(int(snapshot.positions_of(named, "id")[0]))

    # ---- searches --------------------------------------------------------------------------------------------------

    def search(
        self,
        query: One | Histograms,
        k: int = 10,
        *,
        weights: ArrayLike | None = None,
        subset: Ids | None = None,
        where: Condition | None = None,
        candidates: int | None = None,
        timeout: float | None = None,
        slack: float = 0.0,
        num_threads: int | None = None,
    ) -> Hits:
        """Find the k nearest documents: exactly, unless a budget is given.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query; where costs are given, a histogram of shape (K,).
        k : int, default 10
            How many documents to return; all of them if there are fewer.
        weights : array_like, shape (n,), optional
            Mass of the query's tokens.
        subset : sequence of int or of str, optional
            Search these documents only.
        where : str, or tuple of str and a sequence, optional
            Search documents only whose payload fulfils this condition: an expression of SQLite in which the fields of
            payloads are columns, as in ``"year >= 2020 AND lang = 'en'"``, and `payload` is the whole, as JSON text, as
            in ``"payload ->> '$.author.name' = 'Ann'"``. Values for its ``?`` may come in a tuple with it.
        candidates : int, optional
            Look at so many documents, at least k: those that the prefilter brings; of bags those of lowest bound, not
            counting the ones that were solved to have bounds.
        timeout : float, optional
            Stop after so many seconds, with what was found by then: fewer than k documents if no more were solved. What
            faiss does, and the costs of a vocabulary under `Bags`, are waited for; a pair of long sequences is not.
        slack : float, default 0.0
            Stop when the k-th distance is proved to be at most (1 + slack) times the true one. Not under ground "dot",
            whose costs may be negative.
        num_threads : int, optional
            Threads to use; what `build` was told by default. The hits do not depend on it, unless a budget leaves a
            choice.

        Returns
        -------
        Hits
            The top k, nearest first, ties by id. Without a budget they are the true ones; in any case
            ``hits.certificate`` says what is proved, and ``hits.stats`` what it cost.

        Raises
        ------
        KeyError
            If an id of the subset is not in the index.
        TypeError, ValueError
            If an argument is malformed; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> index = Index.build([np.eye(4)[:2], np.eye(4)[1:]], "wrd")
        >>> index.search(np.eye(4)[2:], k=1).ids
        array([1])
        """
        request = Request.nearest(
            self._snapshot, k, slack=slack, candidates=candidates, timeout=timeout, subset=subset, where=where
        )
        return request.answer(query, weights, self._threads(num_threads))

    def rerank(
        self,
        query: One | Histograms,
        ids: Ids,
        k: int = 10,
        *,
        weights: ArrayLike | None = None,
        timeout: float | None = None,
        slack: float = 0.0,
        num_threads: int | None = None,
    ) -> Hits:
        """Find the k nearest of given documents, exactly: candidates from BM25, a vector database, a first stage.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query; where costs are given, a histogram of shape (K,).
        ids : sequence of int or of str
            Ids of the candidates, in any order.
        k : int, default 10
            How many documents to return; all of the candidates if there are fewer.
        weights, timeout, slack, num_threads
            As in `search`.

        Returns
        -------
        Hits
            The true top k of the candidates, nearest first, ties by id, unless time was over before; certificate and
            statistics are about them alone.

        Raises
        ------
        KeyError
            If an id is not in the index; the message names it.
        TypeError, ValueError
            If an argument is malformed, no id is given, or one is given twice; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> index = Index.build([np.eye(4)[:2], np.eye(4)[1:], np.eye(4)[2:]], "wrd", ids=["a", "b", "c"])
        >>> index.rerank(np.eye(4)[2:], ["a", "b"], k=1).ids
        array(['b'], dtype=object)
        """
        request = Request.among(self._snapshot, ids, k, slack=slack, timeout=timeout)
        return request.answer(query, weights, self._threads(num_threads))

    def range_search(
        self,
        query: One | Histograms,
        radius: float,
        *,
        weights: ArrayLike | None = None,
        subset: Ids | None = None,
        where: Condition | None = None,
        timeout: float | None = None,
        num_threads: int | None = None,
    ) -> Hits:
        """Find all documents within a distance, exactly.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query; where costs are given, a histogram of shape (K,).
        radius : float
            Largest distance, in units of the ground cost; documents at this very distance are hits.
        weights, subset, where, timeout, num_threads
            As in `search`.

        Returns
        -------
        Hits
            Any number of documents, nearest first, ties by id: all that there are, unless time was over before.

        Raises
        ------
        KeyError
            If an id of the subset is not in the index.
        TypeError, ValueError
            If an argument is malformed; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> index = Index.build([np.eye(4)[:2], np.eye(4)[1:]], "wrd")
        >>> index.range_search(np.eye(4)[:2], 0.4).ids
        array([0])
        """
        request = Request.within(self._snapshot, radius, timeout=timeout, subset=subset, where=where)
        return request.answer(query, weights, self._threads(num_threads))

    def search_batch(
        self,
        queries: DocumentBatch | Histograms | ArrayLike,
        k: int = 10,
        *,
        where: Condition | None = None,
        candidates: int | None = None,
        timeout: float | None = None,
        slack: float = 0.0,
        num_threads: int | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[Hits]:
        """Search for many queries, each on one thread.

        Parameters
        ----------
        queries : Sequences, Bags, or sequence of array_like, each of shape (n_q, d)
            Tokens of each query, weighted if they are.
        k, where, candidates, timeout, slack
            As in `search`, for each query.
        num_threads : int, optional
            Queries at a time; all cores by default.
        progress : callable, optional
            Called with the number of queries that are done and their total, after each.

        Returns
        -------
        list of Hits
            One per query, in their order: what `search` returns.

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed; the message names it, and the query.

        Examples
        --------
        >>> import numpy as np
        >>> index = Index.build([np.eye(4)[:2], np.eye(4)[1:]], "wrd")
        >>> [hits.ids.tolist() for hits in index.search_batch([np.eye(4)[2:], np.eye(4)[:1]], k=1)]
        [[1], [0]]
        """
        request = Request.nearest(self._snapshot, k, slack=slack, candidates=candidates, timeout=timeout, where=where)
        return request.answers(queries, self._threads(num_threads), progress)

    @property
    def _snapshot(self) -> Snapshot:
        return self._open_keeper().snapshot

    def _open_keeper(self) -> Keeper:
        keeper = self._keeper
        if keeper is None:
            raise IndexClosedError("the index was closed; Index.open opens it again")
        return keeper

    def _require_store(self, what: str) -> Store:
        keeper = self._open_keeper()
        if not isinstance(keeper, Store):
            raise ValueError(f"{what}: the index is in memory alone; save it and open it")
        return keeper

    def _threads(self, num_threads: int | None) -> int:
        return self._num_threads if num_threads is None else thread_count(num_threads)


def _in_memory(snapshot: Snapshot, num_threads: int) -> Index:
    return Index(InMemory(snapshot), num_threads)


def _opened(folder: Path, mmap: bool, num_threads: int) -> Index:
    return Index(Store.open(folder, writable=False, mmap=mmap), num_threads)
