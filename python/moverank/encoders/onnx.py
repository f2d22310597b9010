"""Contextual token vectors from any transformer exported to ONNX."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.files import require_file
from moverank._support.optional import optional
from moverank._support.validate import thread_count, whole_number
from moverank.encoders.digests import digest_of_files, name_of
from moverank.encoders.encoded import EncodedText, EncodedTexts, Progress, gathered, require_texts
from moverank.encoders.late_interaction import LateInteraction, identity_options, stated_late_interaction
from moverank.encoders.pieces import Pieces, Side
from moverank.encoders.sides import late_sides, plain_sides
from moverank.encoders.stated import stated_prompts
from moverank.encoders.subwords import Subwords, merged, require_subwords
from moverank.errors import NoTokensError
from moverank.vectors.encoder_identity import EncoderIdentity, Option


class OnnxEncoder:
    """Run a transformer and take the vectors of its last layer, one per token.

    Texts are sorted by length into batches. Needs ``pip install 'moverank[text]'``; nothing is downloaded.

    Parameters
    ----------
    model : path
        The exported model. Its inputs are `input_ids` and optionally `attention_mask` and `token_type_ids`.
    tokenizer : path
        Its tokenizer.json.
    output : str, optional
        Name of the model output that holds the token vectors, of shape (texts, tokens, d). Default:
        "last_hidden_state", or the only output with three axes.
    max_length : int, optional
        Maximum number of tokens per text, special tokens included; `EncodedTexts.cut` counts the rest. Default: the
        smallest limit in the model's files, which are the truncation of tokenizer.json; `model_max_length` of
        tokenizer_config.json, `max_seq_length` of sentence_bert_config.json and `max_position_embeddings` of
        config.json in the tokenizer's folder; and config.json in the model's folder. If no file states a limit, texts
        are encoded whole. Split texts that are longer than the limit into passages.
    special_tokens : bool, optional
        Keep the vectors of special tokens such as [CLS] and [SEP]. Default: only of late-interaction models, which are
        trained with them. For transport between words leave them out: they would have mass (weight to be moved), but
        no meaning.
    subwords : {"keep", "mean", "first"}, default "keep"
        How to represent a word that the tokenizer splits into pieces: keep all pieces, take their mean, or take the
        first piece. Alignments are easier to read over whole words.
    query_prompt, document_prompt : str, optional
        Text put before queries and before documents, as the model was trained ("query: "). The model reads it, but its
        tokens are left out of the result, unless `special_tokens` is set. Default: the prompts stated by
        config_sentence_transformers.json in the folder of the tokenizer or the model; "" for no prompt.
    late_interaction : LateInteraction or False, optional
        How a late-interaction model (ColBERT) marks, extends and cuts texts; its lengths take the place of the limits
        in the model's files, and `max_length` lowers them. Default: what config_sentence_transformers.json, as PyLate
        writes it, or ColBERT's artifact.metadata states in the folder of the tokenizer or the model; False for none.
    batch_size : int, default 32
        Number of texts encoded at a time. A model with dynamic quantisation computes scales over the whole batch, so
        the last digits of its vectors depend on the other texts in the batch; 1 makes them independent.
    num_threads : int, optional
        Threads per batch; all cores by default.

    Raises
    ------
    ImportError
        If onnxruntime or tokenizers are not installed.
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged, or the model has no token-level output.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        tokenizer: str | os.PathLike[str],
        *,
        output: str | None = None,
        max_length: int | None = None,
        special_tokens: bool | None = None,
        subwords: Subwords = "keep",
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        late_interaction: LateInteraction | Literal[False] | None = None,
        batch_size: int = 32,
        num_threads: int | None = None,
    ) -> None:
        # Kept for pickling: an ONNX session cannot be sent to another process, so a copy opens its own.
        self._arguments = (Path(model).absolute(), Path(tokenizer).absolute())
        self._options: dict[str, Any] = {
            "output": output,
            "subwords": subwords,
            "batch_size": batch_size,
            "num_threads": num_threads,
        }
        require_subwords(subwords)
        self._batch_size = whole_number(batch_size, "batch_size", least=1)
        thread_count(num_threads)
        self._subwords = subwords
        self._name = Path(model).name
        given = {"query_prompt": query_prompt, "document_prompt": document_prompt}
        self._prompts = _prompts(given, *self._arguments)
        self._options |= self._prompts
        late = _late_interaction(late_interaction, *self._arguments)
        self._late = late
        self._options["late_interaction"] = False if late is None else late
        keeps = late is not None if special_tokens is None else special_tokens
        self._options["special_tokens"] = keeps
        prompts = self._prompts["query_prompt"], self._prompts["document_prompt"]
        if late is None:
            sides = plain_sides(Path(tokenizer), Path(model), max_length, prompts, keeps)
        else:
            sides = late_sides(Path(tokenizer), late, max_length, prompts, keeps)
        self._queries, self._documents = sides
        self._options["max_length"] = max_length if late is not None else self.max_length
        self._session = _session(Path(model), num_threads)
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        unknown = sorted(set(self._inputs) - {"input_ids", "attention_mask", "token_type_ids"})
        if unknown or "input_ids" not in self._inputs:
            raise ValueError(
                f"{model}: expected the inputs input_ids, attention_mask and token_type_ids, got {self._inputs}"
            )
        if "attention_mask" not in self._inputs and self._queries.expansion and not self._queries.expansion[2]:
            raise ValueError(
                f"{model}: has no input attention_mask, which query expansion needs; set attend_to_expansion"
            )
        self._output = self._token_output(output)

    def _token_output(self, wanted: str | None) -> str:
        axes: dict[str, int] = {entry.name: len(entry.shape) for entry in self._session.get_outputs()}
        if wanted is None:
            candidates = [name for name, count in axes.items() if count == 3]
            if "last_hidden_state" in candidates:
                return "last_hidden_state"
            if len(candidates) == 1:
                return candidates[0]
            raise ValueError(f"output: the model has {len(candidates)} outputs with three axes, of {sorted(axes)}")
        if axes.get(wanted) != 3:
            raise ValueError(f"output: the model has no output {wanted!r} with three axes; it has {sorted(axes)}")
        return wanted

    @property
    def max_length(self) -> int | None:
        """Maximum number of tokens per document, special tokens included; None if there is no limit."""
        return self._documents.limit

    @cached_property
    def identity(self) -> EncoderIdentity:
        """What distinguishes this encoder from others: digests of its files, and its options.

        Files are read at the first access. Weights stored in a separate file are included if that file is named like
        the model with "_data" or ".data" appended.
        """
        model, tokenizer = self._arguments
        weight_files = [model.with_name(model.name + suffix) for suffix in ("_data", ".data")]
        files = [model, tokenizer, *filter(Path.is_file, weight_files)]
        axes = {entry.name: entry.shape for entry in self._session.get_outputs()}
        dim = axes[self._output][-1]
        compared: dict[str, Option] = {"output": self._output, "max_length": self.max_length}
        compared |= {name: self._options[name] for name in ("special_tokens", "subwords")}
        late = {} if self._late is None else identity_options(self._late)
        return EncoderIdentity(
            "OnnxEncoder",
            name_of(model),
            dim if isinstance(dim, int) and dim > 0 else None,
            digest_of_files(files),
            compared | self._prompts | late,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._options), self._arguments

    def __repr__(self) -> str:
        return f"OnnxEncoder({self._name}, max_length={self.max_length}, subwords={self._subwords!r})"

    def encode(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Turn texts into sequences of token vectors.

        Parameters
        ----------
        texts : sequence of str
            The texts.
        skip_empty : bool, default False
            Leave out texts without a token; they are missing from `EncodedTexts.kept`.
        progress : callable, optional
            Called after each batch with the number of texts encoded so far.

        Returns
        -------
        EncodedTexts

        Raises
        ------
        TypeError
            If `texts` is one string, or an item is not a string.
        NoTokensError
            If a text has no token (unless skipped), or no text is left; the message names it.
        """
        return self._encode(self._documents, texts, skip_empty, progress)

    def encode_queries(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Turn queries into sequences of token vectors: as `encode`, but with the prompt for queries, and expansion."""
        return self._encode(self._queries, texts, skip_empty, progress)

    def _encode(self, side: Side, texts: Sequence[str], skip_empty: bool, progress: Progress | None) -> EncodedTexts:
        texts = require_texts(texts)
        if not texts:
            raise NoTokensError("texts: no text has a token")
        encodings = side.tokenized(texts)
        done: list[EncodedText | None] = [None] * len(texts)
        finished = 0
        for batch in self._batches(encodings):
            pieces = [side.pieces(texts[t], encodings[t]) for t in batch]
            vectors = self._run(pieces)
            for row, t in enumerate(batch):
                done[t] = self._text(pieces[row], vectors[row])
            finished += len(batch)
            if progress is not None:
                progress(finished)
        return gathered(texts, (one for one in done if one is not None), skip_empty=skip_empty)

    def _batches(self, encodings: Sequence[Any]) -> Iterator[list[int]]:
        """Texts of about the same length; the longest first, so that a batch too large for memory fails at once."""
        order = sorted(range(len(encodings)), key=lambda t: (-len(encodings[t].ids), t))
        for start in range(0, len(order), self._batch_size):
            yield order[start : start + self._batch_size]

    def _run(self, batch: Sequence[Pieces]) -> NDArray[np.float32]:
        """Vectors of a batch, shape (texts, length of the longest, d)."""
        shape = (len(batch), max(max(len(pieces.ids) for pieces in batch), 1))
        feed = {name: np.zeros(shape, dtype=np.int64) for name in self._inputs}
        for row, pieces in enumerate(batch):
            length = len(pieces.ids)
            feed["input_ids"][row, :length] = pieces.ids
            if "attention_mask" in feed:
                feed["attention_mask"][row, : pieces.attended] = 1
            if "token_type_ids" in feed:
                feed["token_type_ids"][row, :length] = pieces.type_ids
        try:
            output: NDArray[Any] = self._session.run([self._output], feed)[0]
        except Exception as error:  # onnxruntime's exceptions have no common base class
            raise ValueError(
                f"{self._name} failed on texts of {shape[1]} tokens; "
                f"if its limit is lower, pass it as max_length: {error}"
            ) from None
        return output.astype(np.float32, copy=False)

    def _text(self, pieces: Pieces, vectors: NDArray[np.float32]) -> EncodedText:
        """Tokens and vectors of a text, whose model output is `vectors`."""
        kept = pieces.kept
        merged_vectors, first, last = merged(vectors[kept], [pieces.words[p] for p in kept], self._subwords)
        if self._subwords == "keep":
            names = [pieces.tokens[p] for p in kept]
        else:
            names = [
                pieces.tokens[kept[i]] if pieces.words[kept[i]] < 0 else pieces.surface(kept[i], kept[j])
                for i, j in zip(first, last, strict=True)
            ]
        if self._late is not None and self._late.normalize:
            lengths = np.linalg.norm(merged_vectors, axis=1, keepdims=True)
            merged_vectors = merged_vectors / np.maximum(lengths, np.float32(1e-12))
        return EncodedText(names, merged_vectors, cut=pieces.cut)


def _late_interaction(given: LateInteraction | bool | None, model: Path, tokenizer: Path) -> LateInteraction | None:
    """The argument, or else what the files state."""
    if given is None:
        return stated_late_interaction(tokenizer, model)
    if given is False:
        return None
    if not isinstance(given, LateInteraction):
        raise TypeError(f"late_interaction: expected a LateInteraction or False, got {given!r:.80}")
    return given


def _prompts(given: dict[str, str | None], model: Path, tokenizer: Path) -> dict[str, str]:
    """Prompts of queries and documents: those given, or else those stated by the files."""
    for name, prompt in given.items():
        if prompt is not None and not isinstance(prompt, str):
            raise TypeError(f"{name}: expected a string, got {type(prompt).__name__}")
    if None in given.values():
        stated = dict(zip(given, stated_prompts(tokenizer, model), strict=True))
        return {name: stated[name] if prompt is None else prompt for name, prompt in given.items()}
    return {name: prompt or "" for name, prompt in given.items()}


def _session(path: Path, num_threads: int | None) -> Any:
    module = optional("onnxruntime", "text")
    require_file(path)
    options = module.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = _core.build_info()["threads"] if num_threads is None else num_threads
    try:
        return module.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise ValueError(f"{path}: is not a model that onnxruntime can run: {error}") from None
