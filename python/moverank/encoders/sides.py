"""The tokenizer of a transformer, made to cut queries and documents as the model was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moverank._support.files import require_file
from moverank._support.optional import optional
from moverank._support.validate import whole_number
from moverank.encoders.late_interaction import LateInteraction, mask_token_of, token_named
from moverank.encoders.pieces import Side
from moverank.encoders.stated import stated_limit


def plain_sides(
    path: Path, model: Path, max_length: int | None, prompts: tuple[str, str], special_tokens: bool
) -> tuple[Side, Side]:
    """Sides of queries and of documents that differ in prompts; the limit is the argument, or what files state."""
    tokenizer = _loaded(path)
    least = tokenizer.num_special_tokens_to_add(False) + 1
    if max_length is not None:
        limit: int | None = whole_number(max_length, "max_length", least=least)
    else:
        limit = stated_limit(tokenizer.truncation, path, model)
        if limit is not None and limit < least:
            raise ValueError(
                f"max_length: the files beside {path} limit texts to {limit} tokens, special ones included, "
                f"but a text needs at least {least}; pass another limit"
            )
    tokenizer.no_truncation()
    if limit is not None:
        tokenizer.enable_truncation(limit)
    query, document = (Side(tokenizer, limit, prompt, special_tokens) for prompt in prompts)
    return query, document


def late_sides(
    path: Path, late: LateInteraction, max_length: int | None, prompts: tuple[str, str], special_tokens: bool
) -> tuple[Side, Side]:
    """Sides of queries and of documents of a late-interaction model."""
    sides = []
    for name, prompt in zip(("query", "document"), prompts, strict=True):
        tokenizer = _loaded(path)
        length, prefix = getattr(late, f"{name}_length"), getattr(late, f"{name}_prefix")
        marker = token_named(tokenizer, prefix, f"{name}_prefix") if prefix else None
        least = tokenizer.num_special_tokens_to_add(False) + (marker is not None) + 1
        if max_length is not None:
            length = min(length, whole_number(max_length, "max_length", least=least))
        if length < least:
            raise ValueError(f"{name}_length must be at least {least}, special tokens included, got {length}")
        # The marker takes one place.
        tokenizer.enable_truncation(length - (marker is not None))
        expansion, skipped = None, frozenset[int]()
        if name == "query" and late.query_expansion:
            expansion = (mask_token_of(late, tokenizer, path), length, late.attend_to_expansion)
        if name == "document":
            known = (tokenizer.token_to_id(token) for token in late.skiplist)
            skipped = frozenset(found for found in known if found is not None)
        sides.append(Side(tokenizer, length, prompt, special_tokens, marker, expansion, skipped))
    return sides[0], sides[1]


def _loaded(path: Path) -> Any:
    """Tokenizer of a file, which does not pad."""
    module = optional("tokenizers", "text")
    require_file(path)
    try:
        tokenizer = module.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more specific
        raise ValueError(f"{path}: is not a tokenizer: {error}") from None
    tokenizer.no_padding()
    return tokenizer
