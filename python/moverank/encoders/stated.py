"""Limits and prompts stated by the files that come with a transformer: tokens per text, and prefixes of texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Model types that number positions from the padding token's id + 1, so that lower positions are never used.
_OFFSET_POSITIONS = frozenset(
    (
        "camembert", "data2vec-text", "esm", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm",
        "xlm-roberta", "xlm-roberta-xl", "xmod",
    )
)  # fmt: skip

#: Limits from here on mean "no limit": libraries write 10^30 if a tokenizer has none.
_NO_LIMIT = 1 << 30


def stated_limit(truncation: Any, tokenizer: Path, model: Path) -> int | None:
    """The smallest stated limit on tokens per text, special tokens included; None if no file states one.

    Read are the truncation of tokenizer.json; `model_max_length` of tokenizer_config.json and `max_seq_length` of
    sentence_bert_config.json in the same folder; and `max_position_embeddings` of config.json in that folder or the
    model's. The smallest is taken because a model fails above any of its limits.
    """
    folder = tokenizer.parent
    stated = [None if truncation is None else truncation.get("max_length")]
    stated.append(read_settings(folder / "tokenizer_config.json").get("model_max_length"))
    stated.append(read_settings(folder / "sentence_bert_config.json").get("max_seq_length"))
    stated += [_positions(read_settings(own / "config.json")) for own in dict.fromkeys([folder, model.parent])]
    limits = [int(limit) for limit in stated if isinstance(limit, (int, float)) and 0 < limit < _NO_LIMIT]
    return min(limits, default=None)


def stated_prompts(tokenizer: Path, model: Path) -> tuple[str, str]:
    """Prompts of queries and of documents in config_sentence_transformers.json; "" where it states none.

    Prompts are looked up by the same names as in sentence-transformers.
    """
    for folder in dict.fromkeys([tokenizer.parent, model.parent]):
        path = folder / "config_sentence_transformers.json"
        config = read_settings(path, unless="query_prompt and document_prompt are given")
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
    """Number of positions that tokens can occupy, of those for which the model has embeddings."""
    count = config.get("max_position_embeddings")
    if not isinstance(count, int) or config.get("model_type") not in _OFFSET_POSITIONS:
        return count if isinstance(count, int) else None
    padding = config.get("pad_token_id", 1)
    return count - 1 - (padding if isinstance(padding, int) else 1)


def read_settings(path: Path, *, unless: str = "max_length is given") -> dict[str, Any]:
    """Settings in a JSON file; empty if the file does not exist or is not an object."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON: {error}; this file is not read if {unless}") from None
    return found if isinstance(found, dict) else {}
