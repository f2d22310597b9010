"""Documents from Arrow, Feather and Parquet files, one row per document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from moverank._support.files import require_file
from moverank._support.optional import optional
from moverank._support.validate import as_list, whole_number
from moverank.index.batch import Batch
from moverank.readers.chunks import DOCUMENTS, locating, runs
from moverank.readers.columns import flat_list, ids_of, payloads_of, tokens_of
from moverank.readers.npy import PathLike
from moverank.vectors.sequences import Sequences

#: Default name of the column of weights.
WEIGHTS = "weights"


def read_arrow(
    path: PathLike,
    *,
    id: str | None = "id",
    tokens: str = "tokens",
    weights: str | Literal[True] | None = True,
    payload: Sequence[str] | str | None = None,
    dim: int | None = None,
    documents: int = DOCUMENTS,
) -> Iterator[Batch]:
    """Read documents from a .parquet, .arrow or .feather file.

    Parameters
    ----------
    path : path
        The file.
    id : str or None, default "id"
        Column of the documents' ids, integers or strings. With None, the index numbers the documents.
    tokens : str, default "tokens"
        Column of the token vectors: per document a list of lists of numbers, or, with `dim`, one flat list of numbers.
        float16 and float32 are kept, other types are converted to float32.
    weights : str, True or None, default True
        Column with a list of masses (weights to be moved) per document, one per token. True uses the column ``weights``
        if there is one; None uses no weights.
    payload : sequence of str, or "*", optional
        Columns to store as the payload of a document, an object with one field per column; "*" for all other columns.
        Dates become ISO strings.
    dim : int, optional
        Dimension of the vectors, if the tokens of a document are one flat list.
    documents : int, default 8192
        Maximum number of documents per batch; a batch also ends at 64 MiB.

    Yields
    ------
    Batch

    Raises
    ------
    ImportError
        If pyarrow is not installed; it comes with ``moverank[arrow]``.
    FileNotFoundError
        If the file is missing.
    ValueError, TypeError
        If the file is damaged, or a column is missing or has a wrong type; the message names file, column and document.
    """
    if not (weights is None or weights is True or isinstance(weights, str)):
        raise TypeError(f"weights: expected the name of a column, True or None, got {weights!r:.40}")
    whole_number(documents, "documents", least=1)
    if dim is not None:
        whole_number(dim, "dim", least=1)
    checked = require_file(Path(path))
    pa = optional("pyarrow", "arrow")
    try:
        schema, record_batches = _opened(pa, checked, documents)
    except pa.ArrowException as error:
        raise ValueError(f"{checked}: is not a valid {checked.suffix} file: {str(error).splitlines()[0]}") from None
    by_default = weights is True
    if weights is True:
        weights = WEIGHTS if WEIGHTS in schema.names and WEIGHTS not in (id, tokens) else None
    wanted = [name for name in (id, tokens, weights) if name is not None]
    if payload == "*":
        payload = [name for name in schema.names if name not in wanted]
    listed = [] if payload is None else as_list(payload, "payload", "columns")
    for name in [*wanted, *listed]:
        if name not in schema.names:
            raise ValueError(f"{checked}: has no column {name!r}; its columns are {', '.join(map(repr, schema.names))}")
    if by_default and weights is not None:
        _require_lists(pa, checked, schema.field(weights).type)
    return _batches(pa, checked, record_batches, id, tokens, weights, listed, dim, documents)


def _require_lists(pa: Any, path: Path, kind: Any) -> None:
    """Refuse a column with the default name of weights that holds something else, rather than ignore it."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise TypeError(
            f"{path}: column {WEIGHTS!r}: expected lists of real numbers, one number per token, got {kind}; "
            "pass weights=None if this column does not hold weights"
        )


def _opened(pa: Any, path: Path, documents: int) -> tuple[Any, Iterator[Any]]:
    if path.suffix == ".parquet":
        file = optional("pyarrow.parquet", "arrow").ParquetFile(path)
        return file.schema_arrow, file.iter_batches(batch_size=documents)
    source = pa.memory_map(str(path))
    try:
        reader = pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return stream.schema, iter(stream)
    return reader.schema, (reader.get_batch(b) for b in range(reader.num_record_batches))


def _batches(
    pa: Any,
    path: Path,
    record_batches: Iterator[Any],
    id: str | None,
    tokens: str,
    weights: str | None,
    payload: list[str],
    dim: int | None,
    documents: int,
) -> Iterator[Batch]:
    first_row = 0
    while True:
        try:
            record = next(record_batches, None)
        except pa.ArrowException as error:
            raise ValueError(f"{path}: cannot be read after row {first_row}: {str(error).splitlines()[0]}") from None
        if record is None:
            return
        with locating(path, first_row):
            flat, offsets = tokens_of(pa, record.column(tokens), tokens, dim)
            mass = None if weights is None else flat_list(pa, record.column(weights), weights)
            if mass is not None and not np.array_equal(mass[1], offsets):
                raise ValueError(f"column {weights!r}: does not have one weight per token")
            names = None if id is None else ids_of(pa, record.column(id), id)
        for first, last in runs(offsets, flat[:1].nbytes, documents):
            span = slice(int(offsets[first]), int(offsets[last]))
            with locating(path, first_row + first):
                docs = Sequences.from_flat(
                    flat[span],
                    offsets[first : last + 1] - offsets[first],
                    None if mass is None else mass[0][span],
                    dtype="float16" if flat.dtype == np.float16 else "float32",
                )
                kept = payloads_of(record.slice(first, last - first), payload) if payload else None
                batch = Batch(docs, None if names is None else names[first:last], kept)
            yield batch
        first_row += record.num_rows
