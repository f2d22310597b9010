"""Adapters for encoders of other libraries, and for plain functions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from moverank._support.arrays import plain_array
from moverank._support.validate import mass_array, require_callable, whole_number
from moverank.encoders.digests import digest
from moverank.encoders.encoded import (
    LIBRARY_KINDS,
    EncodedText,
    EncodedTexts,
    Progress,
    gathered,
    library_kind,
    require_texts,
)
from moverank.vectors.encoder_identity import EncoderIdentity, Option
from moverank.vectors.padded import warn_if_padded
from moverank.vectors.sequences import Sequence as OneSequence


class CallableEncoder:
    """Use any function that turns texts into vectors as an encoder.

    Parameters
    ----------
    function : callable
        Takes a list of str. For each text it returns an array of shape (n, d); or a pair (tokens, array); or a triple
        (tokens, array, weights) with weights of shape (n,). Without token names, tokens are named after their
        positions. The function may also return `Sequences`: for a padded batch, return
        ``Sequences.from_padded(tokens, mask)``.
    queries : callable, optional
        The function for queries, if queries are encoded differently from documents.
    batch_size : int, default 32
        Number of texts per call of the function.
    name : str, optional
        Name of the encoder. An index stores it and refuses an encoder with another name. Without a name, an index
        cannot check that queries and documents come from the same encoder.

    Examples
    --------
    >>> import numpy as np
    >>> encoder = CallableEncoder(lambda texts: [(t.split(), np.eye(3)[: len(t.split())]) for t in texts])
    >>> encoder.encode(["a cat", "the dog ran"]).tokens
    [['a', 'cat'], ['the', 'dog', 'ran']]
    """

    def __init__(
        self,
        function: Callable[[list[str]], Sequence[Any]],
        queries: Callable[[list[str]], Sequence[Any]] | None = None,
        *,
        batch_size: int = 32,
        name: str | None = None,
    ) -> None:
        self._named_identity = EncoderIdentity("CallableEncoder", name)
        self._function = require_callable(function, "function")
        self._queries = function if queries is None else require_callable(queries, "queries")
        self._batch_size = whole_number(batch_size, "batch_size", least=1)

    @property
    def identity(self) -> EncoderIdentity:
        """What distinguishes this encoder from others: its name, if it has one."""
        return self._named_identity

    def encode(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode texts with the function."""
        return self._encode(self._function, texts, skip_empty, progress)

    def encode_queries(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Encode texts with the function for queries."""
        return self._encode(self._queries, texts, skip_empty, progress)

    def _encode(
        self,
        function: Callable[[list[str]], Sequence[Any]],
        texts: Sequence[str],
        skip_empty: bool,
        progress: Progress | None,
    ) -> EncodedTexts:
        encoded: list[EncodedText] = []
        texts = require_texts(texts)
        for start in range(0, len(texts), self._batch_size):
            batch = texts[start : start + self._batch_size]
            results = function(batch)
            if len(results) != len(batch):
                raise ValueError(f"the encoder returned {len(results)} results for {len(batch)} texts")
            batch_encoded = [_encoded_text(result, start + t) for t, result in enumerate(results)]
            if not any(isinstance(result, (tuple, OneSequence)) for result in results):
                warn_if_padded([one.vectors for one in batch_encoded])
            encoded += batch_encoded
            if progress is not None:
                progress(len(encoded))
        return gathered(texts, encoded, skip_empty=skip_empty)


def _encoded_text(result: Any, number: int) -> EncodedText:
    """Check the result of the user's function for one text."""
    tokens, vectors, weights = None, result, None
    if isinstance(result, OneSequence):
        vectors, weights = result.tokens, result.weights
    elif isinstance(result, tuple):
        if len(result) not in (2, 3):
            raise ValueError(f"the encoder returned a tuple of {len(result)} for text {number}, expected 2 or 3")
        tokens, vectors, weights = result if len(result) == 3 else (*result, None)
    array = plain_array(vectors, f"the vectors that the encoder returned for text {number}")
    if array.ndim != 2:
        raise ValueError(f"the encoder returned vectors of shape {array.shape} for text {number}, expected (n, d)")
    names = [f"[{t}]" for t in range(len(array))] if tokens is None else [str(token) for token in tokens]
    if len(names) != len(array):
        raise ValueError(f"the encoder returned {len(names)} tokens and {len(array)} vectors for text {number}")
    name = f"the weights that the encoder returned for text {number}"
    given = None if weights is None else mass_array(weights, name, ndim=1)
    if given is not None and given.shape != (len(array),):
        raise ValueError(
            f"the encoder returned weights of shape {given.shape} for text {number}, expected ({len(array)},)"
        )
    return EncodedText(names, array, given)


class SentenceTransformerEncoder(CallableEncoder):
    """Use the token vectors of a sentence-transformers or PyLate model.

    Parameters
    ----------
    model : SentenceTransformer, MultiVectorEncoder or pylate.models.ColBERT
        A loaded model. Queries and documents are encoded by the model's own methods for them. A `SentenceTransformer`
        returns the token vectors that it would pool. Special tokens and prompt tokens are left out: they influence the
        other tokens, but have no mass (weight to be moved) of their own. The other models return the vectors that they
        score with.
    batch_size : int, default 32
        Number of texts encoded at a time.

    Notes
    -----
    Vectors are computed on the model's device and copied to the CPU batch by batch.
    """

    def __init__(self, model: Any, *, batch_size: int = 32) -> None:
        kind = library_kind(model)
        if kind is None:
            raise TypeError(f"model: expected one of {', '.join(LIBRARY_KINDS)}, got {type(model).__name__}")
        self._model, self._kind = model, kind
        super().__init__(partial(self._run, queries=False), partial(self._run, queries=True), batch_size=batch_size)

    def __repr__(self) -> str:
        return f"SentenceTransformerEncoder({self._kind})"

    @cached_property
    def identity(self) -> EncoderIdentity:
        """What distinguishes this encoder from others: a digest of a sample of its weights, and its options."""
        return EncoderIdentity(
            self._kind, _model_name(self._model), None, digest(_sample(self._model)), _model_options(self._model)
        )

    def _run(self, texts: list[str], *, queries: bool) -> list[Any]:
        if self._kind == "ColBERT":
            options = {"batch_size": self._batch_size, "show_progress_bar": False, "convert_to_numpy": True}
            return list(self._model.encode(texts, is_query=queries, **options))
        encode = self._model.encode_query if queries else self._model.encode_document
        per_text = encode(texts, output_value=None, batch_size=self._batch_size, show_progress_bar=False)
        return [self._tokens_and_vectors(features) for features in per_text]

    def _tokens_and_vectors(self, features: Any) -> tuple[list[str], Any]:
        """Tokens and vectors of one text without padding; if the model pools, also without special tokens."""
        kept = features["attention_mask"].bool().cpu().numpy().copy()
        ids = features["input_ids"].cpu().numpy()
        if self._kind == "SentenceTransformer":
            tokenizer = self._model.tokenizer
            # The unknown token is listed as special, but it stands for a piece of the text, so it is kept.
            kept &= ~np.isin(ids, sorted({*tokenizer.all_special_ids} - {tokenizer.unk_token_id}))
            # Some tokenizers pad on the left, before the prompt; prompt_length counts special tokens too.
            text_start = int(np.argmax(ids != tokenizer.pad_token_id)) + int(features.get("prompt_length") or 0)
            kept[:text_start] = False
        vectors = features["token_embeddings"].float().cpu().numpy()[kept]
        return self._model.tokenizer.convert_ids_to_tokens(ids[kept].tolist()), vectors


def _model_name(model: Any) -> str | None:
    """Name of the repository or folder that the model was loaded from, if the library recorded it."""
    card = getattr(model, "model_card_data", None)
    found = getattr(card, "base_model", None) or getattr(model, "name_or_path", None)
    return os.path.basename(found.rstrip(os.sep)) if isinstance(found, str) and found else None  # noqa: PTH119


#: Weights per parameter that enter the digest. A sample is enough, as training changes all of them.
_SAMPLE_SIZE = 1 << 12

#: Attributes of sentence-transformers and PyLate models that change the vectors.
_OPTIONS = (
    "max_seq_length", "query_length", "document_length", "query_prefix", "document_prefix", "do_query_expansion",
    "attend_to_expansion_tokens", "default_prompt_name",
)  # fmt: skip


def _sample(model: Any) -> Iterator[bytes]:
    """Names and shapes of a model's parameters, and a sample of the values of each."""
    for name, values in sorted(model.state_dict().items()):
        flat = values.detach().reshape(-1)
        sample = flat[:: max(flat.numel() // _SAMPLE_SIZE, 1)].float().cpu().numpy()
        yield f"{name} {tuple(values.shape)}\0".encode()
        yield sample.astype("<f4").tobytes()


def _model_options(model: Any) -> dict[str, Option]:
    options: dict[str, Option] = {}
    for name in _OPTIONS:
        value = getattr(model, name, None)
        if value is None or isinstance(value, (str, bool, int, float)):
            options[name] = value
    prompts = getattr(model, "prompts", None)
    if isinstance(prompts, dict):
        options |= {f"prompt {name}": text for name, text in prompts.items() if isinstance(text, str)}
    return options
