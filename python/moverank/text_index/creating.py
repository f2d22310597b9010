"""The state of a `TextIndex` without texts: all that is fixed when it is created."""

from __future__ import annotations

from typing import Any

from moverank._support.optional import optional
from moverank._support.validate import one_of
from moverank.encoders.encoded import Encoder, require_encoder
from moverank.encoders.word_vectors import WordVectors, text_with_tokens
from moverank.index.parts.attachment import Attachment
from moverank.index.parts.plan import Plan
from moverank.index.parts.setup import Clusters, TokenCells
from moverank.index.search.prefilters import require_factory
from moverank.index.snapshot import Snapshot
from moverank.measures.measure import Measure
from moverank.presets import retrieval
from moverank.ranking.passages import Passages
from moverank.spaces.space import Space
from moverank.text_index.entries import encoded
from moverank.text_index.lexical import ANALYZERS, Lexical
from moverank.text_index.settings import Settings
from moverank.text_index.stored_encoder import kept_of
from moverank.vectors.bags import Bags
from moverank.vectors.sequences import Sequences


def empty_state(
    encoder: Encoder | None,
    measure: str | Measure | None,
    *,
    passages: Passages | None,
    lexical: str | None,
    store_texts: bool,
    dtype: str | None,
    rescore: bool,
    prefilter: str | Clusters | TokenCells | None,
    pool: float,
    space: Space | None,
) -> tuple[Encoder, Snapshot]:
    """The encoder, and the state of an index without texts. Arguments and errors are those of `TextIndex.create`."""
    chosen = WordVectors.default() if encoder is None else encoder
    require_encoder(chosen)
    if passages is not None and not isinstance(passages, Passages):
        raise TypeError(f"passages: expected Passages, got {passages!r}")
    if lexical is not None:
        one_of(lexical, "lexical", ANALYZERS)
        optional("tantivy", "lexical", "search without terms: lexical=None")
    if not isinstance(store_texts, bool):
        raise TypeError(f"store_texts must be True or False, got {store_texts!r}")
    kept, files = kept_of(chosen)
    settings = Settings(kept, passages, store_texts, lexical)
    as_bags = isinstance(chosen, WordVectors) and dtype is None and pool == 1 and space is None
    as_bags = as_bags and prefilter == "auto" and not rescore
    options: dict[str, Any] = {} if as_bags else {
        "dtype": dtype or "float16", "rescore": rescore, "prefilter": prefilter, "pool": pool,
    }  # fmt: skip
    plan = Plan.of(
        retrieval(chosen).measure if measure is None else measure,
        costs=None, space=space, encoder=chosen, **options, streams=True,
    )  # fmt: skip
    setup = plan.setup(plan.documents(_example(chosen, space, as_bags=as_bags)), [""])
    require_factory(setup.prefilter, setup.dim, setup.measure)
    lists = {} if lexical is None else Lexical(lexical).files
    attachment = Attachment(settings.as_json(), {**files, **lists})
    return chosen, Snapshot(setup, [], [], space=plan.space, encoder=plan.encoder, attachment=attachment)


def _example(encoder: Encoder, space: Space | None, *, as_bags: bool) -> Sequences | Bags:
    """A document as the index will have them, from which the setup of an empty index follows."""
    if as_bags and isinstance(encoder, WordVectors):
        return Bags(encoder._vectors, [[0]])
    words = [text_with_tokens(encoder)]
    docs = encoded(encoder, words, space, as_bags=False).docs
    if docs is None:
        raise ValueError("encoder: finds no token in 'a text', so that the dimension of its vectors is not known")
    return docs
