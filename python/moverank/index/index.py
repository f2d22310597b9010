"""Top-k search over a collection of sequences: exact, or within a budget and with a statement of what is proved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.threads import Lock
from moverank._support.validate import thread_count, whole_number
from moverank.errors import IndexClosedError, MeasureMismatchError, ReadOnlyIndexError
from moverank.index.answer import Request
from moverank.index.batch import Batch
from moverank.index.changes import InMemory, Keeper, added, built, compacted, in_a_row, without
from moverank.index.disk.building import Build
from moverank.index.disk.store import Store
from moverank.index.disk.verify import Verified, verify
from moverank.index.parts.plan import Plan
from moverank.index.parts.setup import TokenCells
from moverank.index.recall import Recall, recall_of
from moverank.measures.measure import Measure
from moverank.vectors.encoder_identity import EncoderCheck, EncoderIdentity, checked

if TYPE_CHECKING:
    from moverank.encoders import Encoder
    from moverank.index.parts.filters import Condition
    from moverank.index.parts.ids import Ids
    from moverank.index.parts.intake import Documents
    from moverank.index.parts.setup import Clusters
    from moverank.index.search.hits import Hits
    from moverank.index.search.seeds import Seeds
    from moverank.index.snapshot import Snapshot
    from moverank.spaces import Space
    from moverank.vectors.histograms import Histograms
    from moverank.vectors.sequences import Batch as DocumentBatch
    from moverank.vectors.sequences import One

PathLike = str | os.PathLike[str]


class Index:
    """Documents prepared for exact search under one measure. Made by `build`, or by `open` from a folder.

    A search first solves the transport problems of a few documents, its seeds. Each solution comes with potentials:
    prices per token that prove a lower bound on transport costs. The mean of these prices over the seeds gives a lower
    bound on the distance of every other document. Documents are then solved in increasing order of their bounds, until
    the next bound exceeds the k-th smallest distance, which proves that no later document belongs to the answer.

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
        #: Held while the index is changed; searches never wait for it.
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
        prefilter: str | Clusters | TokenCells | None = "auto",
        dtype: str | None = None,
        rescore: bool = False,
        pool: float = 1,
        space: Space | None = None,
        encoder: Encoder | EncoderIdentity | None = None,
        num_threads: int | None = None,
    ) -> Index:
        """Prepare documents for search.

        Parameters
        ----------
        docs : Sequences, Bags, or sequence of array_like, each of shape (n_s, d)
            The documents. The arrays of `Sequences` and `Bags` are used without a copy.
        measure : str or Measure, optional
            The distance that searches compute; "wrd" by default, or "emd" if costs are given.
        costs : array_like, shape (K, L), optional
            Cost of moving a unit of mass from each bin of a query to each bin of a document, if costs are not computed
            from vectors. Documents are then histograms over L bins: an array of shape (N, L), a sparse matrix of SciPy,
            a DataFrame, `Histograms` or `Bags`; queries are histograms of shape (K,). The index stores the costs in
            float32 or float64, as given, and applies them to documents that are added later.
        ids : sequence of int or of str, shape (N,), optional
            Unique ids of the documents; 0 to N − 1 by default. Documents at equal distances are ordered by id.
        payloads : sequence, shape (N,), or DataFrame, optional
            A JSON value per document, returned with hits; None for no payload. Searches can filter by it. NumPy numbers
            and arrays become numbers and lists, dates and times become ISO strings, and rows of a data frame or table
            become objects, in which missing values are null.
        prefilter : str, TokenCells, Clusters or None, default "auto"
            Coarse search that proposes documents: the candidates of a search with a budget, and the first documents of
            an exact one. "tokens", or `TokenCells` with options, finds them by the cells in which their tokens lie: by
            far the best candidates for collections of more than some thousand documents. "Flat" compares one pooled
            (averaged) vector per document. "auto" is "tokens" for 4096 documents or more, and "Flat" for fewer; it is
            decided when an index is built, and kept. Other strings also use pooled vectors; they are descriptions for
            `faiss.index_factory`, optionally with parameters after a semicolon, as in "IVF256,Flat;nprobe=16".
            `Clusters` uses several vectors per document. Only "Flat" gives a lower bound on the distances of the
            documents that it does not propose. None allows no budget of candidates. Bags need no prefilter.
        dtype : {"float32", "float16", "bfloat16", "int8", "int4", "int2"}, optional
            Type in which tokens are stored, see `Sequences.astype`; by default that of `docs`. Answers are exact for
            the stored numbers. In "int4" and "int2" it is stored how tokens differ from the nearest of up to 4096
            anchors, which are trained on the first documents, if these have 1024 tokens or more; that is several times
            as precise as tokens rounded by themselves. `docs` of these types are stored as they are.
        rescore : bool, default False
            Also store the documents as given, beside their compact form in `dtype`. Bounds are then computed from the
            compact form, with an allowance for rounding, and answers are exact for `docs`. Only the documents that the
            bounds do not exclude are read as given. With "int8" searches are faster on every instruction set that we
            measured. With "int4" and "int2" they would be slower on all of them: these are stored, but bounds are then
            computed from the documents as given. Not available under ground "sqeuclidean".
        pool : float, default 1
            Store about n / `pool` tokens of a document of n tokens: groups of near tokens become one, see
            `pool_tokens`. This happens before `dtype` and `rescore` apply, and to documents that are added later. All
            that the index computes is then about the pooled documents, for which distances and certificates are exact.
            1 stores all tokens. Not available for bags and histograms.
        space : Space, optional
            The space of the documents, which must have been moved into it before. The index stores it: `Index.space`
            returns it, and a `Reranker` moves queries into it.
        encoder : Encoder or EncoderIdentity, optional
            The encoder of the documents, before they were moved into the space. The index stores its identity, and
            `require_encoder` refuses another encoder.
        num_threads : int, optional
            Default number of threads of searches; all cores by default.

        Returns
        -------
        Index

        Raises
        ------
        DimensionError
            If the dimension of the encoder's vectors is not that of the documents.
        TypeError
            If ids are neither all integers nor all strings, or a document is not made of real numbers.
        ValueError
            If a document cannot be measured, ids repeat or are not one per document, or faiss cannot make the
            prefilter; the message says which.
        """
        options: dict[str, Any] = {"prefilter": prefilter, "dtype": dtype, "rescore": rescore, "pool": pool}
        plan = Plan.of(measure, costs=costs, space=space, encoder=encoder, **options)
        threads = thread_count(num_threads)
        return cls(InMemory(built(plan, docs, ids, payloads, threads)), threads)

    @classmethod
    def _joined(cls, indexes: Sequence[Index], ids: Sequence[NDArray[np.int64]]) -> Index | None:
        """Several fresh indexes in memory as one, without copying; None if their options differ. See `in_a_row`."""
        joined = in_a_row([index._snapshot for index in indexes], ids)
        return None if joined is None else cls(InMemory(joined), thread_count(None))

    @property
    def _nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(part.nbytes for part in self._snapshot.parts)

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
            A folder written by `save` or `build_on_disk`.
        mmap : bool, default True
            Memory-map the files: opening takes milliseconds, processes that open the same index share its memory, and
            searches read only the data that they need; only `verify` then checks checksums. Otherwise all files are
            read and checked.
        writable : bool, default False
            Allow changes. An index can have one writer at a time, and any number of readers.
        measure : str or Measure, optional
            The expected measure of the index.
        encoder : Encoder or EncoderIdentity, optional
            The expected encoder of the documents, as for `require_encoder`.
        num_threads : int, optional
            Default number of threads of searches; all cores by default.

        Returns
        -------
        Index

        Raises
        ------
        IndexNotFoundError
            If there is no index in the folder.
        IndexFormatError, IndexVersionError
            If the folder is not an index, or the index is damaged or has another version of the format.
        IndexIncompleteError
            If the index has not been completely built.
        IndexLockedError
            If the index is opened for writing, but another process, or another object in this process, is its writer.
        MeasureMismatchError
            If the index was built for a measure other than the expected one.
        EncoderMismatchError
            If the index was built with an encoder other than the expected one.

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
                    f"{path}: the index was built for {found.name}, but {expected.name} was expected; build another"
                )
            if identity is not None:
                checked(store.snapshot.encoder, identity)
        except BaseException:
            store.close()
            raise
        return cls(store, threads)

    def save(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Write a copy of the index into a folder. This object stays in memory: `open` the folder to use the copy.

        Parameters
        ----------
        path : path
            A folder that does not exist or is empty; its parent must exist.
        overwrite : bool, default False
            Replace an index in the folder. The replacement is atomic: readers see the old index or the new one. Other
            files are never replaced.

        Raises
        ------
        IndexExistsError
            If the folder is not empty.
        IndexLockedError
            If the index in the folder has a writer.
        IndexWriteError, NoSpaceError, NoPermissionError
            If a file cannot be written; an index in the folder is then unchanged.
        """
        snapshot = self._snapshot
        store = Store.create(Path(path), overwrite=overwrite)
        try:
            store.commit(snapshot)
        finally:
            store.discard_if_empty()
            store.close()

    def refresh(self) -> bool:
        """Load the latest state of the index, if a writer in another process has changed it.

        Returns
        -------
        bool
            Whether there was a later state.
        """
        store = self._require_store("refresh")
        with self._changing:
            if store.writable or not store.is_stale():
                return False
            store.load()
            return True

    def verify(self, *, progress: Callable[[int, int], object] | None = None) -> Verified:
        """Read all files and check them: their checksums, and that every number is in its valid range.

        Parameters
        ----------
        progress : callable, optional
            Called with the number of bytes checked so far and their total.

        Returns
        -------
        Verified
            Counts of what was checked.

        Raises
        ------
        IndexFormatError
            At the first error; the message describes it and names the file.
        """
        return verify(self._require_store("verify"), progress)

    def close(self) -> None:
        """Release the lock and the files. Hits found before remain usable."""
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
        prefilter: str | Clusters | TokenCells | None = "auto",
        dtype: str | None = None,
        rescore: bool = False,
        pool: float = 1,
        space: Space | None = None,
        encoder: Encoder | EncoderIdentity | None = None,
        resume: bool = False,
        progress: Callable[[int], object] | None = None,
        num_threads: int | None = None,
    ) -> Index:
        """Build an index in a folder from batches of documents, which together may be larger than memory.

        Memory is needed for about 300 MB of documents and one or two batches; at the end, for the centroids of tokens,
        for about 1 GB more of a large collection, or for faiss if the prefilter is one of its others. Documents are
        written to disk durably every 128 MB. Until the last batch is written, `open` refuses the folder as an
        incomplete index.

        Parameters
        ----------
        path : path
            A folder that does not exist or is empty; with ``resume=True``, the folder of an interrupted build.
        batches : iterable of Batch
            The documents, from `moverank.readers` or your own generator.
        measure, costs, prefilter, dtype, rescore, pool, space, encoder
            As in `build`; the default of `dtype` is the type of the first batch, and "auto" is "tokens", as the number
            of documents is not known when the first are prepared.
        resume : bool, default False
            Continue an interrupted build. Pass the same batches in the same order: those written before are compared
            with the index and skipped. A complete index is opened if it has exactly the documents of the batches; use
            `add` for further ones.
        progress : callable, optional
            Called after each batch with the number of documents written so far.
        num_threads : int, optional
            Number of threads; all cores by default.

        Returns
        -------
        Index
            The index, opened for reading.

        Raises
        ------
        IndexExistsError
            If the folder is not empty.
        IndexLockedError
            If another writer is building an index there.
        MeasureMismatchError, EncoderMismatchError, ValueError
            If a resumed build was begun with other arguments, documents or payloads.
        DuplicateIdError
            If two documents have the same id.
        IndexWriteError, NoSpaceError, NoPermissionError
            If a file cannot be written; the build can be resumed.
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
        options: dict[str, Any] = {
            "prefilter": prefilter,
            "dtype": dtype,
            "rescore": rescore,
            "pool": pool,
            "streams": True,
        }
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
        """Add documents. The next search finds them; if the index is in a folder, they are also on disk.

        Parameters
        ----------
        docs : Sequences, Bags, or sequence of array_like, each of shape (n_s, d)
            Documents of the same kind as in the index. Tokens are converted to its dtype. Bags must have the same table
            of word vectors.
        ids : sequence of int or of str, shape (N,), optional
            Ids of the new documents; none may be in the index. By default the integers after the largest id ever used.
        payloads : sequence, shape (N,), optional
            As in `build`.
        encoder : Encoder or EncoderIdentity, optional
            The encoder of these documents; it must be that of the index, as for `require_encoder`.

        Returns
        -------
        ndarray, shape (N,)
            Ids of the documents: int64, or objects of type str.

        Raises
        ------
        DuplicateIdError
            If an id is given twice or is already in the index; nothing is added.
        DimensionError
            If the dimension of tokens is not that of the index.
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
        """Remove documents. The next search does not find them; `compact` frees their memory and disk space.

        Parameters
        ----------
        ids : sequence of int or of str
            Ids of the documents.

        Raises
        ------
        UnknownIdError
            If an id is not in the index; nothing is removed.
        DuplicateIdError
            If an id is given twice.
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
        """Add documents, and remove those with the same ids if there are any, in one step.

        Parameters
        ----------
        docs, ids, payloads, encoder
            As in `add`. The payloads of replaced documents are removed as well.

        Raises
        ------
        TypeError, ValueError, ReadOnlyIndexError, IndexWriteError
            As in `add`, but ids may be in the index.
        """
        with self._change(encoder) as keeper:
            state, _ = added(keeper, docs, ids, payloads, self._num_threads, replacing=True)
            keeper.commit(state)

    def compact(self) -> None:
        """Free the space of removed documents, and train the prefilter on the remaining ones.

        Reads and writes the whole index, in constant memory except for faiss; searches continue meanwhile. Do this when
        a large share of the documents has been removed or added since the index was built.

        Raises
        ------
        ReadOnlyIndexError, IndexWriteError, NoSpaceError, NoPermissionError
            As in `add`.
        """
        with self._change() as keeper:
            keeper.commit(compacted(keeper, keeper.snapshot, self._num_threads))

    @contextmanager
    def _change(self, encoder: Encoder | EncoderIdentity | None = None, *, attached: bool = False) -> Iterator[Keeper]:
        """Give the keeper of the state to one change at a time.

        `encoder` is that of documents to add, `attached` says that what is attached changes as well.
        """
        with self._changing:
            keeper = self._open_keeper()
            keeper.require_writable()
            if keeper.snapshot.attachment is not None and not attached:
                raise ReadOnlyIndexError(
                    "this index belongs to a TextIndex, whose texts change with it; change it through TextIndex.open"
                )
            if encoder is not None:
                checked(keeper.snapshot.encoder, encoder)
            yield keeper

    # ---- properties ------------------------------------------------------------------------------------------------

    @property
    def measure(self) -> Measure:
        """The distance that searches compute."""
        return self._snapshot.setup.measure

    @property
    def prefilter(self) -> str | Clusters | TokenCells | None:
        """The coarse search that proposes documents: by default the one that was chosen at the build; None for none."""
        return self._snapshot.setup.prefilter

    def with_prefilter(self, prefilter: TokenCells) -> Index:
        """The documents of this index, whose searches look up other numbers of cells and documents.

        Nothing is copied or trained, so that options can be compared in a loop: see `recall`. The result is in memory
        and has the documents that this index has now; changes of one do not change the other. `save` writes it with
        the new options.

        Parameters
        ----------
        prefilter : TokenCells
            With `cells` as in this index, or None, and other values of `probes` and `ranked`.

        Returns
        -------
        Index

        Raises
        ------
        TypeError
            If `prefilter` is something else.
        ValueError
            If this index has no cells, or another number of them.

        Examples
        --------
        >>> import numpy as np
        >>> import moverank as mr
        >>> rng = np.random.default_rng(0)
        >>> index = mr.Index.build([rng.normal(size=(5, 16)) for _ in range(300)], "wrd", prefilter="tokens")
        >>> thorough = index.with_prefilter(mr.TokenCells(probes=128, ranked=300))
        >>> thorough.prefilter
        TokenCells(cells=None, probes=128, ranked=300)
        """
        snapshot = self._snapshot
        if not isinstance(prefilter, TokenCells):
            raise TypeError(f"prefilter: expected TokenCells, got {type(prefilter).__name__}")
        own = snapshot.setup.prefilter
        if not isinstance(own, TokenCells) or snapshot.cells is None:
            raise ValueError(f"prefilter: this index has no cells, as it has the prefilter {own!r}; build another")
        known = len(snapshot.cells.codebook)
        if prefilter.cells not in (None, own.cells, known):
            raise ValueError(
                f"prefilter: expected the {known} cells of this index, or None, got {prefilter.cells}; build another"
            )
        setup = replace(snapshot.setup, prefilter=replace(prefilter, cells=own.cells))
        return Index(InMemory(replace(snapshot, setup=setup)), self._num_threads)

    @property
    def ids(self) -> NDArray[Any]:
        """Ids of the documents in the order of their addition, shape (N,): int64, or objects of type str."""
        return self._snapshot.ids_at(self._snapshot.positions)

    @property
    def dim(self) -> int:
        """Dimension of the tokens; if costs are given, the number of bins of queries."""
        return self._snapshot.setup.dim

    @property
    def pool(self) -> float:
        """By how much the tokens of documents were made fewer, as for `build`; 1 if all are stored."""
        return self._snapshot.setup.pool

    @property
    def is_of_bags(self) -> bool:
        """Whether documents are bags of words: each distinct word of a document once, in the order of one table."""
        return self._snapshot.kind.table is not None

    @property
    def space(self) -> Space | None:
        """The space of the documents, if one was given; queries must be moved into it too."""
        attached = self._snapshot.space
        return None if attached is None else attached.space

    @property
    def encoder(self) -> EncoderIdentity | None:
        """Identity of the documents' encoder, if it was given when the index was built."""
        return self._snapshot.encoder

    def require_encoder(self, encoder: Encoder | EncoderIdentity) -> EncoderCheck:
        """Refuse an encoder other than that of the documents. Call this before encoding texts for the index.

        Parameters
        ----------
        encoder : Encoder or EncoderIdentity
            The encoder of queries, or of documents to be added.

        Returns
        -------
        EncoderCheck
            Whether the encoders are the same, or why that cannot be checked: the index has no encoder identity, or one
            of the encoders has no name.

        Raises
        ------
        EncoderMismatchError
            If the encoders differ; the message names both and their differences.
        TypeError
            If `encoder` is not an encoder.

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
                "an index opened for writing cannot be pickled or copied, as it can have only one writer: "
                "pass its path, or an index opened for reading"
            )
        return _opened, (keeper.folder, keeper.mmap, self._num_threads)

    def __repr__(self) -> str:
        pool = "" if self.pool == 1 else f", pool={self.pool:g}"
        return f"Index({len(self)} documents, measure={self.measure.name}, dim={self.dim}{pool})"

    def payload(self, id: int | str) -> Any:
        """Return the payload of a document; None if it has none.

        Raises
        ------
        UnknownIdError
            If the id is not in the index.
        """
        snapshot = self._snapshot
        return snapshot.payload(snapshot.position_of(id))

    def pooled_into(self, id: int | str) -> NDArray[np.int32]:
        """Return which of a document's tokens were pooled into which.

        Returns
        -------
        ndarray of int32, shape (n,)
            For each token of the document as it was added, the number of the stored token that stands for it; −1 for
            tokens without mass, which are not stored. In an index that stores all tokens, 0 to n − 1.

        Raises
        ------
        UnknownIdError
            If the id is not in the index.
        ValueError
            If documents are bags or histograms.
        """
        snapshot = self._snapshot
        if snapshot.kind.table is not None:
            raise ValueError("pooled_into: expected an index of sequences, this one is of bags or histograms")
        position = snapshot.position_of(id)
        found = snapshot.pooled_into(position)
        count = len(snapshot.document(position)[0])
        return np.arange(count, dtype=np.int32) if found is None else found

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
        cutoff: float | None = None,
        potentials: ArrayLike | None = None,
        num_threads: int | None = None,
    ) -> Hits:
        """Find the k nearest documents: exactly, unless a budget (candidates, timeout or slack) is given.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query; if the index has given costs, a histogram of shape (K,).
        k : int, default 10
            Number of documents to return; all documents if there are fewer.
        weights : array_like, shape (n,), optional
            Mass (weight to be moved) of each token of the query.
        subset : sequence of int or of str, optional
            Ids of the documents to search; all by default.
        where : str, tuple of str and a sequence, or callable, optional
            Search only documents whose payload satisfies this condition. It is an SQLite expression in which the fields
            of payloads are columns, as in ``"year >= 2020 AND lang = 'en'"``, and `payload` is the whole payload as
            JSON text, as in ``"payload ->> '$.author.name' = 'Ann'"``. To pass values for ``?``, give a tuple
            ``(condition, values)``. A function is called with each payload (None for a missing one) and returns a bool;
            this is slower, and nothing is cached.
        candidates : int, optional
            Maximum number of documents to examine, at least k: those proposed by the prefilter. For bags, those with
            the lowest bounds, not counting the documents solved first to compute the bounds.
        timeout : float, optional
            Stop after this many seconds and return the best documents solved so far, which may be fewer than k. The
            search cannot be stopped inside faiss or while it computes the costs of a vocabulary under `Bags`; it can
            while it solves a pair of long sequences. TimeoutError if a condition of SQL is not evaluated by then.
        slack : float, default 0.0
            Stop when the k-th distance is proved to be at most (1 + slack) times the true one. Must be 0 if costs may
            be negative, as under ground "dot".
        cutoff : float, optional
            Look only for documents at most this far away, as k such documents are known elsewhere. There may be fewer
            than k hits then, and the certificate is about documents within the cutoff.
        potentials : array_like, shape (n,), optional
            Prices of the query's tokens that give bounds from the beginning, so that no documents are solved for some:
            those of `seed`, of this index or of others that are searched for the same query.
        num_threads : int, optional
            Number of threads; by default that of the index. Without a budget, the hits do not depend on it.

        Returns
        -------
        Hits
            The top k, nearest first; equal distances are ordered by id. Without a budget they are exact. In any case,
            ``hits.certificate`` states what is proved about them, and ``hits.stats`` the work that was done.

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
        return request.answer(query, weights, self._threads(num_threads), cutoff, potentials)

    def seed(
        self,
        query: One | Histograms,
        k: int = 10,
        *,
        count: int | None = None,
        weights: ArrayLike | None = None,
        subset: Ids | None = None,
        where: Condition | None = None,
        candidates: int | None = None,
        timeout: float | None = None,
        slack: float = 0.0,
        num_threads: int | None = None,
    ) -> Seeds:
        """Begin a search that is split over several indexes: solve the first documents, the seeds.

        Each index solves its seeds; what they show together lets each of them look at fewer documents. The k-th least
        distance of all seeds is a cutoff for all, and the mean of their potentials gives better bounds. `Seeds.search`
        continues; so does `search` with the same arguments, on a copy of the index elsewhere.

        Parameters
        ----------
        query, k, weights, subset, where, candidates, timeout, slack, num_threads
            As in `search`. The timeout is for the whole search, from now on.
        count : int, optional
            Number of seeds; by default 20, or k if that is more. Several indexes need fewer each.

        Returns
        -------
        Seeds

        Raises
        ------
        KeyError
            If an id of the subset is not in the index.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        request = Request.nearest(
            self._snapshot, k, slack=slack, candidates=candidates, timeout=timeout, subset=subset, where=where
        )
        wanted = None if count is None else whole_number(count, "count", least=1)
        return request.seeds(query, weights, self._threads(num_threads), wanted)

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
        """Find the k nearest of given documents exactly, such as the candidates of BM25 or of a vector database.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query; if the index has given costs, a histogram of shape (K,).
        ids : sequence of int or of str
            Ids of the candidates, in any order.
        k : int, default 10
            Number of documents to return; all candidates if there are fewer.
        weights, timeout, slack, num_threads
            As in `search`.

        Returns
        -------
        Hits
            The exact top k of the candidates, nearest first; equal distances are ordered by id. If the timeout ended
            the search, the certificate states what is proved. Certificate and statistics count the candidates only.

        Raises
        ------
        KeyError
            If an id is not in the index; the message names it.
        TypeError, ValueError
            If an argument is malformed, there are no ids, or an id is given twice; the message names it.

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
        """Find all documents within a distance exactly.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query; if the index has given costs, a histogram of shape (K,).
        radius : float
            Largest distance, in units of the ground cost; documents at exactly this distance are included.
        weights, subset, where, timeout, num_threads
            As in `search`.

        Returns
        -------
        Hits
            All documents within the radius, nearest first; equal distances are ordered by id. If the timeout ended the
            search, some may be missing, and the certificate says so.

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
            Tokens of each query, with weights if they have any.
        k, where, candidates, timeout, slack
            As in `search`, for each query.
        num_threads : int, optional
            Number of queries searched at the same time; by default the number of threads of the index.
        progress : callable, optional
            Called after each query with the number of queries done and their total.

        Returns
        -------
        list of Hits
            The result of `search` for each query, in order.

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

    def recall(
        self,
        queries: DocumentBatch | Histograms | ArrayLike,
        k: int = 10,
        *,
        candidates: Sequence[int] | int | None = None,
        query_ids: Ids | None = None,
        subset: Ids | None = None,
        where: Condition | None = None,
        num_threads: int | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Recall:
        """Measure how much of the true top k searches with a budget of candidates find, and how long they take.

        The true top k is that of an exact search. Documents that tie at the k-th distance are interchangeable: to find
        another one is no loss. All searches read the same state of the index.

        Parameters
        ----------
        queries : Sequences, Bags, or sequence of array_like, each of shape (n_q, d)
            Tokens of each query, with weights if they have any; if the index has given costs, histograms of shape
            (Q, K). For the interval to mean something, they should be a random sample of your queries.
        k : int, default 10
            Number of nearest documents to find.
        candidates : int or sequence of int, optional
            Numbers of candidates to measure, each at least k; by default 3, 10, 30 and 100 times k. Numbers above that
            of the documents are reduced to it, and listed in `Recall.reduced`.
        query_ids : sequence of int or of str, shape (Q,), optional
            Unique ids of the queries, to be told with the results; 0 to Q − 1 by default.
        subset, where
            As in `search`. They are evaluated once, outside the measured times.
        num_threads : int, optional
            Number of threads per search; by default that of the index. Queries are searched one after the other.
        progress : callable, optional
            Called with the number of queries done and their total.

        Returns
        -------
        Recall
            Recall, its interval, the share that certificates prove, and times, for each number of candidates, and the
            times of the exact search.

        Raises
        ------
        KeyError
            If an id of the subset is not in the index.
        TypeError, ValueError
            If an argument is malformed, there are no documents to search, or the index was built without a prefilter
            and needs one; the message says which.

        Examples
        --------
        >>> import numpy as np
        >>> from moverank import wrd
        >>> rng = np.random.default_rng(0)
        >>> index = Index.build([rng.normal(size=(6, 8)) for _ in range(500)], wrd.replace(capacity=4))
        >>> found = index.recall([rng.normal(size=(3, 8)) for _ in range(20)], candidates=50)
        >>> found
        Recall(0.430 at 50; 20 queries, 500 documents)
        """
        return recall_of(
            self._snapshot,
            queries,
            k,
            candidates=candidates,
            query_ids=query_ids,
            subset=subset,
            where=where,
            num_threads=self._threads(num_threads),
            progress=progress,
        )

    @property
    def _is_in_folder(self) -> bool:
        return isinstance(self._open_keeper(), Store)

    @property
    def _snapshot(self) -> Snapshot:
        return self._open_keeper().snapshot

    def _open_keeper(self) -> Keeper:
        keeper = self._keeper
        if keeper is None:
            raise IndexClosedError("the index was closed; open it again by Index.open")
        return keeper

    def _require_store(self, what: str) -> Store:
        keeper = self._open_keeper()
        if not isinstance(keeper, Store):
            raise ValueError(f"{what}: expected an index in a folder, got one in memory; save it and open the folder")
        return keeper

    def _threads(self, num_threads: int | None) -> int:
        return self._num_threads if num_threads is None else thread_count(num_threads)


def _in_memory(snapshot: Snapshot, num_threads: int) -> Index:
    return Index(InMemory(snapshot), num_threads)


def _opened(folder: Path, mmap: bool, num_threads: int) -> Index:
    return Index(Store.open(folder, writable=False, mmap=mmap), num_threads)
