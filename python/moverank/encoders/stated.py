"""How many tokens a transformer takes, and what it wants before a text, as the files that come with it state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Models that count positions from the number after the padding token's: that many of their positions are never used.
_OFFSET_POSITIONS = frozenset(
    (
        "camembert", "data2vec-text", "esm", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm",
        "xlm-roberta", "xlm-roberta-xl", "xmod",
    )
)  # fmt: skip

#: Libraries write 10^30 where a tokenizer has no limit; no model takes as many tokens as this.
_NO_LIMIT = 1 << 30


def stated_limit(truncation: Any, tokenizer: Path, model: Path) -> int | None:
    """The least limit that is stated, special tokens included; None if none is.

    Looked at are the truncation of tokenizer.json; beside it, `model_max_length` of tokenizer_config.json and
    `max_seq_length` of sentence_bert_config.json; beside it or beside the model, `max_position_embeddings` of
    config.json. The least counts, as what a model cannot take is no better for being allowed elsewhere.
    """
    beside = tokenizer.parent
    found = [None if truncation is None else truncation.get("max_length")]
    found.append(_read(beside / "tokenizer_config.json").get("model_max_length"))
    found.append(_read(beside / "sentence_bert_config.json").get("max_seq_length"))
    found += [_positions(_read(folder / "config.json")) for folder in dict.fromkeys([beside, model.parent])]
    limits = [int(one) for one in found if isinstance(one, (int, float)) and 0 < one < _NO_LIMIT]
    return min(limits, default=None)


def stated_prompts(tokenizer: Path, model: Path) -> tuple[str, str]:
    """What stands before queries and before documents by config_sentence_transformers.json; "" where it says nothing.

    The names of prompts are those by which the library finds them.
    """
    for folder in dict.fromkeys([tokenizer.parent, model.parent]):
        path = folder / "config_sentence_transformers.json"
        config = _read(path, unless="query_prompt and document_prompt are given")
        prompts = config.get("prompts")
        if isinstance(prompts, dict):
            default = config.get("default_prompt_name")
            sides = (("query", default), ("document", "passage", "corpus", default))
            query, document = (next((prompts[n] for n in names if n in prompts), "") for names in sides)
            if not isinstance(query, str) or not isinstance(document, str):
                raise ValueError(f"{path}: prompts are not strings; give query_prompt and document_prompt")
            return query, document
    return "", ""


def _positions(config: dict[str, Any]) -> int | None:
    """Positions that texts can take, of those that a model has vectors of."""
    count = config.get("max_position_embeddings")
    if not isinstance(count, int) or config.get("model_type") not in _OFFSET_POSITIONS:
        return count if isinstance(count, int) else None
    padding = config.get("pad_token_id", 1)
    return count - 1 - (padding if isinstance(padding, int) else 1)


def _read(path: Path, *, unless: str = "max_length is given") -> dict[str, Any]:
    """A file of settings; nothing if there is none."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON: {error}; it says what the model takes, unless {unless}") from None
    return found if isinstance(found, dict) else {}
