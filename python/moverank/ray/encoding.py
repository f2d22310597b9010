"""Texts of a dataset as token vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.optional import optional
from moverank._support.validate import one_of
from moverank.encoders.encoded import EncodedTexts, encode_documents, encode_queries
from moverank.encoders.word_vectors import text_with_tokens
from moverank.errors import NoTokensError
from moverank.ray import columns
from moverank.ray.workers import Concurrency, EncoderOrFactory, made, mapped, sent
from moverank.spaces.space import Space
from moverank.vectors.sequences import Sequences

if TYPE_CHECKING:
    from ray.data import Dataset


def encode(
    dataset: Dataset,
    *,
    encoder: EncoderOrFactory | None = None,
    text: str = "text",
    tokens: str = "tokens",
    words: str | None = "words",
    weights: str = "weights",
    space: Space | None = None,
    queries: bool = False,
    unknown: str = "raise",
    batch_size: int = 256,
    num_cpus: float = 1,
    concurrency: Concurrency | None = None,
    ray_remote_args: Mapping[str, Any] | None = None,
) -> Dataset:
    """Encode a column of texts into columns of token vectors, which `build_vectors` and `read_arrow` read.

    Parameters
    ----------
    dataset : ray.data.Dataset
        The texts.
    encoder : Encoder or callable, optional
        Turns texts into vectors, or makes what does, once per actor; by default the English word vectors of the
        package.
    text : str, default "text"
        Column of texts.
    tokens : str, default "tokens"
        Column to make: per text a list of vectors in float32.
    words : str or None, default "words"
        Column to make: per text the list of its tokens as text; None for none.
    weights : str, default "weights"
        Column to make if the encoder or the space gives tokens weights: per text a list of numbers.
    space : Space, optional
        Moves encoded texts, see `moverank.fit`.
    queries : bool, default False
        Encode texts as queries, for encoders that distinguish them from documents.
    unknown : {"raise", "keep"}, default "raise"
        A text without a token is an error, or gets empty lists.
    batch_size : int, default 256
        Texts encoded at a time.
    num_cpus : float, default 1
        CPUs of an actor, and its threads.
    concurrency : int or (int, int), optional
        Number of actors: fixed, or the least and the most; by default as many as the cluster has room for.
    ray_remote_args : mapping, optional
        Further resources of an actor, such as ``{"num_gpus": 1}``.

    Returns
    -------
    ray.data.Dataset
        The dataset with the new columns. Nothing is computed before it is used.

    Raises
    ------
    RuntimeError
        If Ray has not been started.
    TypeError, ValueError
        If an argument is malformed. When the dataset is used: if a column is missing or has a wrong type, or a text is
        missing or has no token; the message names the column and the row.
    """
    one_of(unknown, "unknown", ("raise", "keep"))
    names = {"text": text, "tokens": tokens, "words": words, "weights": weights}
    arguments = {
        "encoder": sent(encoder, num_cpus), "names": names, "space": space, "queries": queries,
        "skips": unknown == "keep",
    }  # fmt: skip
    return mapped(
        dataset, Encode, arguments, batch_size=batch_size, num_cpus=num_cpus, concurrency=concurrency,
        ray_remote_args=ray_remote_args,
    )  # fmt: skip


class Encode:
    """Encodes batches of texts in an actor; see `encode`."""

    def __init__(
        self,
        encoder: EncoderOrFactory | None,
        names: Mapping[str, Any],
        space: Space | None,
        queries: bool,
        skips: bool,
        num_threads: int,
    ) -> None:
        self._encoder = made(encoder)
        self._names = names
        self._space = space
        self._encode = encode_queries if queries else encode_documents
        self._skips = skips
        # All batches need the same columns, those without a token as well.
        self._like = self._moved(self._encode(self._encoder, [text_with_tokens(self._encoder)])).sequences

    def __call__(self, table: Any) -> Any:
        """Add the columns of vectors."""
        if not table.num_rows:
            return table
        given = columns.texts(table, self._names["text"])
        lengths = np.zeros(table.num_rows, dtype=np.int64)
        try:
            found = self._moved(self._encode(self._encoder, given, skip_empty=self._skips))
        except NoTokensError as error:
            if not self._skips:
                raise NoTokensError(f"column {self._names['text']!r}: {error}") from None
            return self._added(table, None, [], lengths)
        lengths[found.kept] = found.sequences.lengths
        return self._added(table, found.sequences, found.tokens, lengths)

    def _moved(self, found: EncodedTexts) -> EncodedTexts:
        return found if self._space is None else self._space(found)

    def _added(self, table: Any, docs: Sequences | None, words: list[list[str]], lengths: NDArray[np.int64]) -> Any:
        pa = optional("pyarrow", "ray")
        ends = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        flat = np.empty(0, dtype=np.float32) if docs is None else docs.tokens.astype(np.float32).ravel()
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat), self._like.dim)
        made = {self._names["tokens"]: pa.ListArray.from_arrays(ends, vectors)}
        if self._names["words"] is not None:
            listed = pa.array([word for own in words for word in own], pa.string())
            made[self._names["words"]] = pa.ListArray.from_arrays(ends, listed)
        if self._like.weights is not None:
            weights = np.empty(0) if docs is None or docs.weights is None else docs.weights
            made[self._names["weights"]] = pa.ListArray.from_arrays(ends, pa.array(weights, pa.float64()))
        return columns.with_columns(table, made)
