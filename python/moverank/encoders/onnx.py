"""Token vectors in context, from any transformer that was exported to ONNX."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.files import require_file
from moverank._support.optional import optional
from moverank._support.validate import thread_count, whole_number
from moverank.encoders.digests import digest_of_files, name_of
from moverank.encoders.encoded import EncodedText, EncodedTexts, Progress, gathered, require_texts
from moverank.encoders.stated import stated_limit, stated_prompts
from moverank.encoders.subwords import Subwords, merged, require_subwords
from moverank.errors import NoTokensError
from moverank.vectors.encoder_identity import EncoderIdentity


class OnnxEncoder:
    """Run a transformer and take the vectors of its last layer, one per token.

    Texts are sorted by length into batches. Needs ``pip install 'moverank[text]'``; nothing is downloaded.

    Parameters
    ----------
    model : path
        The exported model. It takes `input_ids` and, if it wants them, `attention_mask` and `token_type_ids`.
    tokenizer : path
        Its tokenizer.json.
    output : str, optional
        Which of the model's outputs holds the token vectors, of shape (texts, tokens, d); by default
        "last_hidden_state", or the only one that has three axes.
    max_length : int, optional
        Tokens of a text that are encoded, special ones included; `EncodedTexts.cut` counts the rest. By default the
        least that the model's files state: the truncation of tokenizer.json, `model_max_length` of
        tokenizer_config.json, `max_seq_length` of sentence_bert_config.json, and `max_position_embeddings` of
        config.json, these three beside the tokenizer, the last also beside the model. If none states one, texts are
        encoded whole. Texts that are longer than the model are better cut into passages.
    special_tokens : bool, default False
        Keep the vectors of [CLS], [SEP] and their like. Models of late interaction are trained with them; transport
        between the words of texts is better off without, as they have mass and no meaning.
    subwords : {"keep", "mean", "first"}, default "keep"
        What becomes of the pieces of a word: all stay, or their mean or the first piece stands for the word.
        Explanations read better over words.
    query_prompt, document_prompt : str, optional
        What stands before queries, and before other texts, as the model was trained ("query: "). The model sees it;
        its own tokens are left out, as special ones are, unless those are kept. By default what
        config_sentence_transformers.json states, beside the tokenizer or the model; "" for nothing.
    batch_size : int, default 32
        Texts that are encoded at a time. A model with dynamic quantisation computes scales over the batch, so that its
        vectors depend in their last digits on what is encoded together; 1 makes them independent.
    num_threads : int, optional
        Threads of a batch; all cores by default.

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
        special_tokens: bool = False,
        subwords: Subwords = "keep",
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        batch_size: int = 32,
        num_threads: int | None = None,
    ) -> None:
        # What it takes to make another one: a session that runs in one process cannot go to another.
        self._arguments = (Path(model).absolute(), Path(tokenizer).absolute())
        self._options: dict[str, Any] = {
            "output": output,
            "special_tokens": special_tokens,
            "subwords": subwords,
            "batch_size": batch_size,
            "num_threads": num_threads,
        }
        require_subwords(subwords)
        self._batch_size = whole_number(batch_size, "batch_size", least=1)
        thread_count(num_threads)
        self._special_tokens, self._subwords = special_tokens, subwords
        self._name = Path(model).name
        self._tokenizer, self._max_length = _tokenizer(Path(tokenizer), Path(model), max_length)
        self._options["max_length"] = self._max_length
        given = {"query_prompt": query_prompt, "document_prompt": document_prompt}
        self._prompts = _prompts(given, *self._arguments)
        self._options |= self._prompts
        self._session = _session(Path(model), num_threads)
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        unknown = sorted(set(self._inputs) - {"input_ids", "attention_mask", "token_type_ids"})
        if unknown or "input_ids" not in self._inputs:
            raise ValueError(
                f"{model}: expected the inputs input_ids, attention_mask and token_type_ids, got {self._inputs}"
            )
        self._output = self._token_output(output)

    def _token_output(self, wanted: str | None) -> str:
        axes: dict[str, int] = {entry.name: len(entry.shape) for entry in self._session.get_outputs()}
        if wanted is None:
            of_tokens = [name for name, count in axes.items() if count == 3]
            if "last_hidden_state" in of_tokens:
                return "last_hidden_state"
            if len(of_tokens) == 1:
                return of_tokens[0]
            raise ValueError(f"output: the model has {len(of_tokens)} outputs with three axes, of {sorted(axes)}")
        if axes.get(wanted) != 3:
            raise ValueError(f"output: the model has no output {wanted!r} with three axes; it has {sorted(axes)}")
        return wanted

    @property
    def max_length(self) -> int | None:
        """Tokens of a text that are encoded, special ones included; None if neither argument nor files set a limit."""
        return self._max_length

    @cached_property
    def identity(self) -> EncoderIdentity:
        """What tells it from other encoders: its files and options. They are read when it is first asked for.

        Weights that the model has in a file of their own count if that has the model's name and "_data" or ".data"
        behind it.
        """
        model, tokenizer = self._arguments
        beside = [model.with_name(model.name + suffix) for suffix in ("_data", ".data")]
        files = [model, tokenizer, *filter(Path.is_file, beside)]
        axes = {entry.name: entry.shape for entry in self._session.get_outputs()}
        dim = axes[self._output][-1]
        compared = ("max_length", "special_tokens", "subwords")
        return EncoderIdentity(
            "OnnxEncoder",
            name_of(model),
            dim if isinstance(dim, int) and dim > 0 else None,
            digest_of_files(files),
            {"output": self._output} | {name: self._options[name] for name in compared} | self._prompts,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(OnnxEncoder, **self._options), self._arguments

    def __repr__(self) -> str:
        return f"OnnxEncoder({self._name}, max_length={self._max_length}, subwords={self._subwords!r})"

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
            Called with the number of texts that are encoded, after each batch.

        Returns
        -------
        EncodedTexts

        Raises
        ------
        TypeError
            If `texts` is one string, or holds something else than strings.
        NoTokensError
            If a text has no token (unless skipped), or no text is left; the message names it.
        """
        return self._encode(self._prompts["document_prompt"], texts, skip_empty, progress)

    def encode_queries(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Turn queries into sequences of token vectors, as `encode` does other texts, with their own prompt."""
        return self._encode(self._prompts["query_prompt"], texts, skip_empty, progress)

    def _encode(self, prompt: str, texts: Sequence[str], skip_empty: bool, progress: Progress | None) -> EncodedTexts:
        texts = require_texts(texts)
        if not texts:
            raise NoTokensError("texts: no text has a token")
        encodings = self._tokenizer.encode_batch([prompt + text for text in texts])
        done: list[EncodedText | None] = [None] * len(texts)
        finished = 0
        for batch in self._batches(encodings):
            vectors = self._run([encodings[t] for t in batch])
            for row, t in enumerate(batch):
                done[t] = self._text(prompt + texts[t], len(prompt), encodings[t], vectors[row])
            finished += len(batch)
            if progress is not None:
                progress(finished)
        return gathered(texts, (one for one in done if one is not None), skip_empty=skip_empty)

    def _batches(self, encodings: Sequence[Any]) -> Iterator[list[int]]:
        """Texts of about the same length, the longest first: what does not fit into memory fails at once."""
        order = sorted(range(len(encodings)), key=lambda t: (-len(encodings[t].ids), t))
        for start in range(0, len(order), self._batch_size):
            yield order[start : start + self._batch_size]

    def _run(self, encodings: Sequence[Any]) -> NDArray[np.float32]:
        """Vectors of a batch, shape (texts, longest, d)."""
        shape = (len(encodings), max(max(len(e.ids) for e in encodings), 1))
        feed = {name: np.zeros(shape, dtype=np.int64) for name in self._inputs}
        for row, encoding in enumerate(encodings):
            length = len(encoding.ids)
            feed["input_ids"][row, :length] = encoding.ids
            if "attention_mask" in feed:
                feed["attention_mask"][row, :length] = 1
            if "token_type_ids" in feed:
                feed["token_type_ids"][row, :length] = encoding.type_ids
        try:
            found: NDArray[Any] = self._session.run([self._output], feed)[0]
        except Exception as error:  # the library's errors share no base of their own
            raise ValueError(
                f"{self._name} failed on texts of {shape[1]} tokens; if it takes fewer, give max_length: {error}"
            ) from None
        return found.astype(np.float32, copy=False)

    def _text(self, text: str, begins: int, encoding: Any, vectors: NDArray[np.float32]) -> EncodedText:
        """Tokens of a text, which begins at this character, after its prompt."""
        special = encoding.special_tokens_mask
        kept = list(range(len(encoding.ids)))
        if not self._special_tokens:
            kept = [p for p in kept if not special[p] and (begins == 0 or encoding.offsets[p][1] > begins)]
        cut = sum(len(part.ids) - sum(part.special_tokens_mask) for part in encoding.overflowing)
        # A special token is a word of its own, numbered so that no other has its number.
        words = [-1 - p if special[p] else encoding.word_ids[p] for p in kept]
        of_words, first, last = merged(vectors[kept], words, self._subwords)
        if self._subwords == "keep":
            names = [encoding.tokens[p] for p in kept]
        else:
            names = [
                encoding.tokens[kept[i]] if special[kept[i]] else _surface(text, encoding, kept[i], kept[j])
                for i, j in zip(first, last, strict=True)
            ]
        return EncodedText(names, of_words, cut=cut)


def _surface(text: str, encoding: Any, first: int, last: int) -> str:
    """What a word looks like in the text."""
    return text[encoding.offsets[first][0] : encoding.offsets[last][1]]


def _tokenizer(path: Path, model: Path, max_length: int | None) -> tuple[Any, int | None]:
    """Tokenizer that cuts texts at a limit, and the limit: the one given, or the one that files state."""
    module = optional("tokenizers", "text")
    require_file(path)
    try:
        tokenizer = module.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more specific
        raise ValueError(f"{path}: is not a tokenizer: {error}") from None
    tokenizer.no_padding()
    least = tokenizer.num_special_tokens_to_add(False) + 1
    if max_length is not None:
        limit: int | None = whole_number(max_length, "max_length", least=least)
    else:
        limit = stated_limit(tokenizer.truncation, path, model)
        if limit is not None and limit < least:
            raise ValueError(
                f"max_length: the files beside {path} limit texts to {limit} tokens, special ones included, "
                f"which is less than {least}, the least that a text needs; give another limit"
            )
    tokenizer.no_truncation()
    if limit is not None:
        tokenizer.enable_truncation(limit)
    return tokenizer, limit


def _prompts(given: dict[str, str | None], model: Path, tokenizer: Path) -> dict[str, str]:
    """What stands before texts: what was given, else what files state."""
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
    except Exception as error:  # the library's errors share no base of their own
        raise ValueError(f"{path}: is not a model that onnxruntime can run: {error}") from None
