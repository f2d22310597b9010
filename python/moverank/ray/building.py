"""An index in a folder, built by the actors of a cluster: each writes segments, and the driver commits all of them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moverank._support.optional import optional
from moverank._support.validate import as_list, thread_count
from moverank.encoders.encoded import Encoder
from moverank.index.disk.joint import JointBuild, Rows, Writer
from moverank.index.disk.remote import RemoteFolder, RemotePlace
from moverank.index.disk.staging import digest_of
from moverank.index.index import Index, PathLike
from moverank.index.parts.anchors import with_anchors
from moverank.index.parts.plan import Plan
from moverank.index.parts.setup import Clusters, Setup, TokenCells
from moverank.index.snapshot import Snapshot
from moverank.measures.measure import Measure
from moverank.ranking.passages import Passages
from moverank.ray import columns
from moverank.ray.workers import Concurrency, EncoderOrFactory, made, mapped, sent, started, threads_of
from moverank.readers.columns import flat_list, tokens_of
from moverank.spaces.space import Space
from moverank.text_index.joint import JointTextBuild, TextWriter
from moverank.text_index.results import Added
from moverank.text_index.text_index import TextIndex
from moverank.vectors.encoder_identity import EncoderIdentity
from moverank.vectors.sequences import Sequences

if TYPE_CHECKING:
    from ray.data import Dataset

#: First rows of a dataset of vectors, from which the options of the index follow, and its anchors.
FIRST_ROWS = 8192


def build(
    dataset: Dataset,
    folder: PathLike,
    *,
    encoder: EncoderOrFactory | None = None,
    measure: str | Measure | None = None,
    text: str = "text",
    ids: str = "id",
    payload: Sequence[str] | None = None,
    passages: Passages | None = None,
    lexical: str | None = "english",
    store_texts: bool = True,
    dtype: str | None = None,
    rescore: bool = False,
    prefilter: str | Clusters | TokenCells | None = "auto",
    pool: float = 1,
    space: Space | None = None,
    unknown: str = "raise",
    resume: bool = False,
    staging: str | None = None,
    filesystem: Any = None,
    batch_size: int = 1024,
    num_cpus: float = 1,
    concurrency: Concurrency | None = None,
    ray_remote_args: Mapping[str, Any] | None = None,
    num_threads: int | None = None,
) -> Added:
    """Build a `TextIndex` in a folder from a dataset of texts.

    Actors encode batches of texts, and write each as a segment, durably. At the end this process finds the cells of
    tokens, builds the inverted lists, and commits the index, which `TextIndex.open` then opens; before that, it refuses
    the folder as incomplete. An actor or a node that is lost costs the batches it was working on.

    Parameters
    ----------
    dataset : ray.data.Dataset
        The texts. Documents are in its order if ``dataset.context.execution_options.preserve_order`` is set, otherwise
        in the order in which batches were done, which no distance depends on.
    folder : path
        A folder that does not exist or is empty, on a file system that all nodes share unless `staging` is given.
    encoder : Encoder or callable, optional
        Turns texts into vectors, or makes what does, once per actor and once here; by default the English word vectors
        of the package.
    text : str, default "text"
        Column of texts.
    ids : str, default "id"
        Column of ids, which are integers or strings.
    payload : sequence of str, optional
        Columns to store as the payload of a document, an object with one field per column.
    measure, passages, lexical, store_texts, dtype, rescore, prefilter, pool, space
        As in `TextIndex.create`.
    unknown : {"raise", "skip"}, default "raise"
        A text of which no word has a vector is an error, or is left out; `Added.skipped` lists these.
    resume : bool, default False
        Continue a build that was interrupted, with the same options and documents: those that were written are
        recognised by their ids and content, and not encoded again. If the index is complete already, only ids are
        compared.
    staging : str, optional
        Where segments go before the index is committed, if nodes share no file system: a URL such as
        ``s3://bucket/name``. This process then downloads them.
    filesystem : pyarrow.fs.FileSystem or fsspec's, optional
        What opens that URL; by default what pyarrow makes of it.
    batch_size : int, default 1024
        Texts encoded at a time, which are one segment; it bounds the memory of an actor.
    num_cpus, concurrency, ray_remote_args
        As in `encode`.
    num_threads : int, optional
        Threads of this process, for cells; all cores by default.

    Returns
    -------
    Added
        Counts and ids of what is in the index.

    Raises
    ------
    RuntimeError
        If Ray has not been started.
    IndexExistsError
        If there is an index in the folder, or a build that `resume` would continue.
    DuplicateIdError
        If an id is given twice.
    MeasureMismatchError, EncoderMismatchError
        If a build is resumed with another measure or encoder; a ValueError for other options and documents.
    TypeError, ValueError
        If an argument is malformed, a column is missing or has a wrong type, or a text or id is missing; the message
        names the column and the row.
    """
    started()
    threads = thread_count(num_threads)
    fields = None if payload is None else as_list(payload, "payload", "columns")
    builder = JointTextBuild(
        Path(folder), lambda count: _first_texts(dataset, text, count), made(encoder), measure,
        unknown=unknown, resume=resume, place=_place(staging, filesystem), num_threads=threads, passages=passages,
        lexical=lexical, store_texts=store_texts, dtype=dtype, rescore=rescore, prefilter=prefilter, pool=pool,
        space=space,
    )  # fmt: skip
    try:
        if builder.is_complete:
            builder.close()
            with TextIndex.open(folder, encoder=builder.encoder) as index:
                return _known(dataset, ids, index, unknown == "skip")
        arguments = {
            "writer": builder.writer(threads_of(num_cpus)), "encoder": sent(encoder, num_cpus), "text": text,
            "ids": ids, "payload": fields,
        }  # fmt: skip
        written = mapped(
            dataset, WriteTexts, arguments, batch_size=batch_size, num_cpus=num_cpus, concurrency=concurrency,
            ray_remote_args=ray_remote_args,
        )  # fmt: skip
        return builder.commit(*_taken(written))
    finally:
        builder.close()


def build_vectors(
    dataset: Dataset,
    folder: PathLike,
    *,
    measure: str | Measure | None = None,
    tokens: str = "tokens",
    weights: str | None = None,
    dim: int | None = None,
    ids: str = "id",
    payload: Sequence[str] | None = None,
    dtype: str | None = None,
    rescore: bool = False,
    prefilter: str | Clusters | TokenCells | None = "auto",
    pool: float = 1,
    space: Space | None = None,
    encoder: Encoder | EncoderIdentity | None = None,
    resume: bool = False,
    staging: str | None = None,
    filesystem: Any = None,
    batch_size: int = 1024,
    num_cpus: float = 1,
    concurrency: Concurrency | None = None,
    ray_remote_args: Mapping[str, Any] | None = None,
    num_threads: int | None = None,
) -> int:
    """Build an `Index` in a folder from a dataset of token vectors, as `build` does from texts.

    Parameters
    ----------
    dataset : ray.data.Dataset
        The documents.
    folder : path
        As in `build`.
    measure, dtype, rescore, prefilter, pool, space, encoder
        As in `Index.build_on_disk`; they are checked with the first rows of the dataset.
    tokens : str, default "tokens"
        Column of token vectors: per document a list of lists of numbers, or, with `dim`, one flat list of numbers.
    weights : str, optional
        Column with a list of masses per document, one per token.
    dim : int, optional
        Dimension of the vectors, if the tokens of a document are one flat list.
    ids, payload, resume, staging, filesystem, batch_size, num_cpus, concurrency, ray_remote_args, num_threads
        As in `build`.

    Returns
    -------
    int
        Number of documents in the index.

    Raises
    ------
    RuntimeError, IndexExistsError, DuplicateIdError, MeasureMismatchError, EncoderMismatchError, TypeError, ValueError
        As in `build`.
    """
    started()
    threads = thread_count(num_threads)
    fields = None if payload is None else as_list(payload, "payload", "columns")
    plan = Plan.of(
        measure, costs=None, space=space, encoder=encoder, prefilter=prefilter, dtype=dtype, rescore=rescore, pool=pool,
        streams=True,
    )  # fmt: skip
    names = {"tokens": tokens, "weights": weights, "dim": dim}
    first = _first_rows(dataset, FIRST_ROWS)
    docs = plan.documents(_documents(first, names))
    setup = plan.setup(docs, columns.ids(first, ids))

    def trained(begun: Setup) -> Setup:
        return with_anchors(begun, [docs], threads)

    empty = Snapshot(setup, [], [], space=plan.space, encoder=plan.encoder)
    builder = JointBuild(Path(folder), empty, resume=resume, place=_place(staging, filesystem), trained=trained)
    try:
        if builder.is_complete:
            builder.close()
            with Index.open(folder) as index:
                return len(_known(dataset, ids, index, False).ids)
        arguments = {"writer": builder.writer, "names": names, "ids": ids, "payload": fields}
        written = mapped(
            dataset, WriteVectors, arguments, batch_size=batch_size, num_cpus=num_cpus, concurrency=concurrency,
            ray_remote_args=ray_remote_args,
        )  # fmt: skip
        n_rows, order = _taken(written)
        builder.commit(n_rows, order, num_threads=threads)
        return n_rows
    finally:
        builder.close()


class WriteTexts:
    """Writes batches of texts as segments in an actor; see `build`."""

    def __init__(
        self,
        writer: TextWriter,
        encoder: EncoderOrFactory | None,
        text: str,
        ids: str,
        payload: Sequence[str] | None,
        num_threads: int,
    ) -> None:
        self._writer = writer
        self._encoder = made(encoder)
        self._names = text, ids, payload

    def __call__(self, table: Any) -> Any:
        """Write a batch, and return how many rows it has, and the name of its record."""
        return _told(table, self._write)

    def _write(self, table: Any) -> str:
        text, ids, payload = self._names
        texts, named = columns.texts(table, text), columns.ids(table, ids)
        return self._writer.take(self._encoder, texts, named, columns.payloads(table, payload))


class WriteVectors:
    """Writes batches of token vectors as segments in an actor; see `build_vectors`."""

    def __init__(
        self, writer: Writer, names: Mapping[str, Any], ids: str, payload: Sequence[str] | None, num_threads: int
    ) -> None:
        self._writer = writer
        self._names = names
        self._ids = ids
        self._payload = payload
        self._num_threads = num_threads

    def __call__(self, table: Any) -> Any:
        """Write a batch, and return how many rows it has, and the name of its record."""
        return _told(table, self._write)

    def _write(self, table: Any) -> str:
        docs, payloads = _documents(table, self._names), columns.payloads(table, self._payload)
        kept = [""] * len(docs) if payloads is None else [repr(one) for one in payloads]
        named = columns.ids(table, self._ids)
        rows = Rows(named, [
            digest_of(repr(id).encode(), own.tokens.tobytes(), b"" if own.weights is None else own.weights.tobytes(),
                      payload.encode(errors="surrogatepass"))
            for id, own, payload in zip(named, docs, kept, strict=True)
        ])  # fmt: skip
        new = self._writer.new(rows)
        if not new:
            return ""
        own = rows.at(new)
        if (known := self._writer.recorded(own)) is not None:
            return known
        left = None if payloads is None else [payloads[p] for p in new]
        return self._writer.write(own, docs[new], own.ids, left, num_threads=self._num_threads)


def _documents(table: Any, names: Mapping[str, Any]) -> Sequences:
    """Token vectors of a batch."""
    pa = optional("pyarrow", "ray")
    flat, offsets = tokens_of(pa, columns.column(table, names["tokens"]), names["tokens"], names["dim"])
    weights = names["weights"]
    mass = None if weights is None else flat_list(pa, columns.column(table, weights), weights)
    if mass is not None and not np.array_equal(mass[1], offsets):
        raise ValueError(f"column {weights!r}: does not have one weight per token")
    dtype = "float16" if flat.dtype == np.float16 else "float32"
    return Sequences.from_flat(flat, offsets, None if mass is None else mass[0], dtype=dtype)


def _told(table: Any, write: Callable[[Any], str]) -> Any:
    """Write a batch; one row with what there is to tell.

    An error is told as well: Ray would wrap it, and its class and message would be lost in the trace of the actor.
    """
    record, error = "", b""
    try:
        record = write(table) if table.num_rows else ""
    except (TypeError, ValueError, OSError) as found:
        error = pickle.dumps(found)
    return optional("pyarrow", "ray").table({"rows": [table.num_rows], "record": [record], "error": [error]})


def _taken(written: Dataset) -> tuple[int, list[str]]:
    """Do the work; number of rows, and names of records."""
    n_rows, order = 0, []
    for row in written.iter_rows():
        if row["error"]:
            raise pickle.loads(row["error"])
        n_rows += row["rows"]
        order += [row["record"]] if row["record"] else []
    return n_rows, list(dict.fromkeys(order))


def _first_rows(dataset: Dataset, count: int) -> Any:
    try:
        return dataset.take_batch(count, batch_format="pyarrow")
    except ValueError as error:  # Ray's word for none
        raise ValueError(f"dataset: expected at least one document, got none ({error})") from None


def _first_texts(dataset: Dataset, text: str, count: int) -> list[str]:
    return columns.texts(_first_rows(dataset, count), text)


def _place(staging: str | None, filesystem: Any) -> RemotePlace | None:
    if staging is None and filesystem is not None:
        raise ValueError("filesystem: expected None without staging")
    if staging is None:
        return None
    remote = RemoteFolder(staging, filesystem)
    remote.create()
    return RemotePlace(remote)


def _known(dataset: Dataset, ids: str, index: Index | TextIndex, skips: bool) -> Added:
    """What a dataset has of a complete index; ValueError if that is not all of it."""
    found: list[Any] = []
    skipped: list[Any] = []
    for table in dataset.select_columns([ids]).iter_batches(batch_size=None, batch_format="pyarrow"):
        for id in columns.ids(table, ids) if table.num_rows else []:
            (found if id in index else skipped).append(id)
    if (skipped and not skips) or len(found) != len(index):
        other = f"has no document {skipped[0]!r:.80}" if skipped and not skips else f"has {len(index)} documents"
        raise ValueError(f"resume: the index is complete, and {other}; the dataset has {len(found) + len(skipped)}")
    return Added(found, skipped)
