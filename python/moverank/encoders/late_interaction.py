"""How late-interaction models (ColBERT) mark, expand and cut texts, and what their files state about it."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from moverank._support.validate import text_list, whole_number
from moverank.encoders.digests import digest_of_words
from moverank.encoders.pieces import Token
from moverank.encoders.stated import read_settings

#: What PyLate calls the fields below in config_sentence_transformers.json, and ColBERT in artifact.metadata.
_PYLATE = {
    "query_prefix": "query_prefix",
    "document_prefix": "document_prefix",
    "query_length": "query_length",
    "document_length": "document_length",
    "query_expansion": "do_query_expansion",
    "attend_to_expansion": "attend_to_expansion_tokens",
    "skiplist": "skiplist_words",
}
_COLBERT = {
    "query_prefix": "query_token_id",
    "document_prefix": "doc_token_id",
    "query_length": "query_maxlen",
    "document_length": "doc_maxlen",
    "attend_to_expansion": "attend_to_mask_tokens",
}

#: Names of mask tokens, if no file states one.
_MASKS = ("[MASK]", "<mask>")


@dataclass(frozen=True)
class LateInteraction:
    """How a late-interaction model reads texts: the defaults are those of PyLate.

    Parameters
    ----------
    query_prefix, document_prefix : str
        Tokens put after the first token, [CLS], of queries and of documents, as one token of the vocabulary: PyLate's
        end in a space. "" for none.
    query_length, document_length : int
        Maximum numbers of tokens of queries and of documents, special tokens and the prefix included.
    query_expansion : bool
        Extend queries by mask tokens to `query_length`. The vectors of these tokens belong to the query.
    attend_to_expansion : bool
        Whether the other tokens attend to the mask tokens; no effect without expansion.
    skiplist : sequence of str
        Tokens whose vectors are left out of documents, though the model reads them: punctuation by default. Words that
        are not one token of the vocabulary have no effect.
    normalize : bool
        Divide vectors by their lengths, as PyLate and ColBERT do.
    mask_token : str, optional
        Token to extend queries with. Default: the mask token that special_tokens_map.json or tokenizer_config.json
        beside the tokenizer states, or "[MASK]" or "<mask>"; of a model without one, its token for the end of a text.

    Raises
    ------
    TypeError, ValueError
        If a field is malformed; the message names it.

    References
    ----------
    .. [1] Khattab, Zaharia, "ColBERT: Efficient and Effective Passage Search via Contextualized Late Interaction over
       BERT", SIGIR 2020.
    """

    query_prefix: str = "[Q] "
    document_prefix: str = "[D] "
    query_length: int = 32
    document_length: int = 180
    query_expansion: bool = True
    attend_to_expansion: bool = False
    skiplist: Sequence[str] = tuple(string.punctuation)
    normalize: bool = True
    mask_token: str | None = None

    def __post_init__(self) -> None:
        for name in ("query_prefix", "document_prefix", "mask_token"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (value is None and name == "mask_token"):
                raise TypeError(f"{name}: expected a string, got {value!r:.80}")
        for name in ("query_length", "document_length"):
            object.__setattr__(self, name, whole_number(getattr(self, name), name, least=1))
        for name in ("query_expansion", "attend_to_expansion", "normalize"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r:.80}")
        object.__setattr__(self, "skiplist", tuple(text_list(self.skiplist, "skiplist", "token", "tokens")))


def stated_late_interaction(tokenizer: Path, model: Path) -> LateInteraction | None:
    """Read what the files beside a tokenizer or a model state; None if the model is of another kind.

    These are config_sentence_transformers.json as PyLate writes it, and artifact.metadata of ColBERT.
    """
    for folder in dict.fromkeys([tokenizer.parent, model.parent]):
        path = folder / "config_sentence_transformers.json"
        config = read_settings(path, unless="late_interaction and prompts are given")
        if any(config.get(name) is not None for name in _PYLATE.values()):
            return _read_from(config, _PYLATE, {}, path)
        path = folder / "artifact.metadata"
        if path.is_file():
            config = read_settings(path, unless="late_interaction is given")
            missing: dict[str, Any] = {"query_prefix": "[unused0]", "document_prefix": "[unused1]"}
            if config.get("mask_punctuation") is False:
                missing["skiplist"] = ()
            return _read_from(config, _COLBERT, missing, path)
    return None


def _read_from(
    config: Mapping[str, Any], names: Mapping[str, str], missing: Mapping[str, Any], path: Path
) -> LateInteraction:
    found = {own: config[name] for own, name in names.items() if config.get(name) is not None}
    try:
        return LateInteraction(**{**missing, **found})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}; give late_interaction") from None


def identity_options(late: LateInteraction) -> dict[str, str | int | bool | None]:
    """The fields as options of an `EncoderIdentity`."""
    options = {field.name: getattr(late, field.name) for field in fields(late)}
    return {**options, "skiplist": digest_of_words(late.skiplist)}


def mask_token_of(late: LateInteraction, tokenizer: Any, path: Path) -> Token:
    """The token that extends queries, in the tokenizer of a file.

    Raises
    ------
    ValueError
        If it has none.
    """
    if late.mask_token is not None:
        return token_named(tokenizer, late.mask_token, "mask_token")
    files = [path.with_name(name) for name in ("special_tokens_map.json", "tokenizer_config.json")]
    settings = [read_settings(file, unless="mask_token is given") for file in files]
    names: list[Any] = [one.get("mask_token") for one in settings]
    names += [*_MASKS, *(one.get(key) for key in ("eos_token", "pad_token") for one in settings)]
    for name in names:
        text = name.get("content") if isinstance(name, dict) else name
        if isinstance(text, str) and tokenizer.token_to_id(text) is not None:
            return token_named(tokenizer, text, "mask_token")
    raise ValueError(f"mask_token: {path} and the files beside it state none; queries cannot be extended without")


def token_named(tokenizer: Any, token: str, name: str) -> Token:
    """Look a token up; `name` is that of the argument in the ValueError for one that does not exist."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"{name}: {token!r} is not a token of the tokenizer")
    return Token(int(found), token)
