"""Real texts as documents, and collections of any size that look like them. Needs the folder with real data."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import moverank as mr

WORD = re.compile(r"[a-z0-9]+")
Rows = NDArray[np.uint32]


def root() -> Path:
    """The folder with real data."""
    folder = os.environ.get("MOVERANK_DATA")
    if not folder:
        raise SystemExit("set MOVERANK_DATA to the folder with real data")
    return Path(folder)


class WordTable:
    """Static word vectors."""

    def __init__(self, name: str) -> None:
        with np.load(root() / f"wordvec/{name}.npz") as stored:
            self.row_of = {word: k for k, word in enumerate(bytes(stored["words"]).decode().split("\n"))}
            self.vectors = stored["vectors"].astype(np.float32)

    def rows(self, text: str) -> Rows:
        """Rows of the distinct words that the table has, in the order of the text."""
        found = dict.fromkeys(self.row_of[w] for w in WORD.findall(text.lower()) if w in self.row_of)
        return np.fromiter(found, dtype=np.uint32, count=len(found))

    def bags(self, texts: list[str]) -> list[Rows]:
        """Rows for each text; texts without any are left out."""
        return [rows for rows in map(self.rows, texts) if len(rows)]

    def sequences(self, texts: list[str]) -> list[NDArray[np.float32]]:
        """Vectors of these."""
        return [self.vectors[rows] for rows in self.bags(texts)]


def as_bags(table: WordTable, documents: list[Rows]) -> mr.Bags:
    """Documents over the table."""
    offsets = np.cumsum([0, *map(len, documents)])
    return mr.Bags.from_flat(table.vectors, np.concatenate(documents), offsets)


@cache
def stop_words() -> frozenset[str]:
    """Words that carry no content."""
    return frozenset((root() / "lists/stopwords-en-wmd.txt").read_text("utf-8").split())


def sentences(*names: str) -> list[str]:
    """Distinct sentences of sentence-pair files."""
    rows = (line.split("\t") for name in names for line in (root() / "sts" / name).read_text("utf-8").splitlines()[1:])
    return list(dict.fromkeys(cell for row in rows for cell in row if " " in cell and len(cell) > 15))


def texts(name: str) -> list[str]:
    """Texts of a JSONL file of the retrieval sets, with titles, without stop words."""
    records = map(json.loads, (root() / "retrieval" / name).read_text("utf-8").splitlines())
    whole = (f"{record.get('title', '')} {record['text']}" for record in records)
    return [" ".join(w for w in text.lower().split() if w not in stop_words()) for text in whole]


def contextual() -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """MiniLM token vectors of Cranfield: documents, and 15 queries."""
    with np.load(root() / "tokens/cranfield-minilm-96d.npz") as data:
        documents = np.split(data["doc_tokens"].astype(np.float32), data["doc_off"][1:-1])
        queries = np.split(data["query_tokens"].astype(np.float32), data["query_off"][1:-1])
    return documents, queries[:15]


def collections() -> Iterator[tuple[str, mr.Sequences, mr.Bags | None, list[NDArray[np.float32]]]]:
    """Name, documents, the same as bags where they have a shared table, and queries of each real set."""
    documents, queries = contextual()
    yield "Cranfield, MiniLM tokens", mr.Sequences(documents), None, queries
    for name, label in (("glove6b-100d-en", "GloVe"), ("minilmstatic-128d-en", "static MiniLM")):
        words = WordTable(name)
        train = as_bags(words, words.bags(sentences("sick-train.tsv", "stsb-en-train.tsv")))
        yield f"sentences, {label}", train.to_sequences(), train, words.sequences(sentences("stsb-en-dev.tsv")[:200:10])
        abstracts = as_bags(words, words.bags(texts("scifact/corpus.jsonl")))
        claims = words.sequences(texts("scifact/queries.jsonl")[:15])
        yield f"SciFact, {label}", abstracts.to_sequences(), abstracts, claims


def graded() -> Iterator[tuple[str, mr.Sequences, list[tuple[NDArray[np.float32], NDArray[np.float64]]]]]:
    """Name, documents, and judged queries of real sets, each with the grade of every document."""
    with np.load(root() / "tokens/cranfield-minilm-96d.npz") as data:
        documents = mr.Sequences.from_flat(data["doc_tokens"].astype(np.float32), data["doc_off"])
        queries = np.split(data["query_tokens"].astype(np.float32), data["query_off"][1:-1])
        yield "Cranfield, MiniLM tokens", documents, list(zip(queries, data["relevance"].astype(float), strict=True))
    words = WordTable("minilmstatic-128d-en")
    vectors: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name in ("corpus", "queries"):
        lines = (root() / f"retrieval/scifact/{name}.jsonl").read_text("utf-8").splitlines()
        rows = zip(map(json.loads, lines), map(words.rows, texts(f"scifact/{name}.jsonl")), strict=True)
        vectors[name] = {str(record["_id"]): words.vectors[own] for record, own in rows if len(own)}
    place = {id: s for s, id in enumerate(vectors["corpus"])}
    grades: dict[str, NDArray[np.float64]] = {}
    for line in (root() / "retrieval/scifact/qrels/test.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if query in vectors["queries"] and document in place:
            grades.setdefault(query, np.zeros(len(place)))[place[document]] = float(grade)
    asked = [(vectors["queries"][query], own) for query, own in grades.items()]
    yield "SciFact, static MiniLM", mr.Sequences(list(vectors["corpus"].values())), asked


def contextual_collection(table: WordTable, size: int, length: int = 60, seed: int = 0) -> mr.Sequences:
    """Documents of `length` tokens with vectors of their own, as float16; see `contextual_documents`."""
    flat = np.empty((size * length, table.vectors.shape[1]), dtype=np.float16)
    for s, tokens in enumerate(contextual_documents(table, size, length, seed)):
        flat[s * length : (s + 1) * length] = tokens
    return mr.Sequences.from_flat(flat, np.arange(size + 1) * length, dtype="float16")


def contextual_documents(table: WordTable, size: int, length: int, seed: int = 0) -> Iterator[NDArray[np.float32]]:
    """Windows over real abstracts, then ones made of them as in `passage_collection`.

    There is no encoder here, so context is made: to a static vector come a third of the mean of its seven neighbours, a
    third of the document's mean, and noise of a quarter of its length.
    """
    rng = np.random.default_rng(seed)
    names = ("scifact", "cranfield")
    whole = [
        np.array([table.row_of[w] for w in WORD.findall(text) if w in table.row_of], dtype=np.uint32)
        for name in names for text in texts(f"{name}/corpus.jsonl")
    ]  # fmt: skip
    real = [rows[k : k + length] for rows in whole for k in range(0, len(rows) - length + 1, length)]
    all_words = np.concatenate(real)
    for s in range(size):
        rows = real[s % len(real)]
        if s >= len(real):
            rows = np.where(rng.random(length) < 1 / 3, all_words[rng.integers(len(all_words), size=length)], rows)
        yield contextualised(table.vectors[rows], rng)


def contextualised(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Vectors that depend on where they stand."""
    padded = np.pad(x, ((3, 3), (0, 0)), mode="edge")
    neighbours = np.lib.stride_tricks.sliding_window_view(padded, 7, axis=0).mean(axis=2)
    noise = rng.normal(size=x.shape) * np.linalg.norm(x, axis=1, keepdims=True) / np.sqrt(x.shape[1])
    return (x + neighbours / 3 + x.mean(axis=0) / 3 + noise / 4).astype(np.float32)


def passages(table: WordTable) -> list[Rows]:
    """Thirds of the abstracts of SciFact and Cranfield: some 30 distinct words each, without repeats."""
    whole = [table.rows(text) for name in ("scifact", "cranfield") for text in texts(f"{name}/corpus.jsonl")]
    thirds = (np.sort(part) for rows in whole if len(rows) >= 15 for part in np.array_split(rows, 3))
    return list({part.tobytes(): part for part in thirds}.values())


def passage_collection(table: WordTable, size: int, seed: int = 0) -> list[Rows]:
    """Distinct passages: the real ones in random order, then ones made of them.

    One that is made has the length of a real passage; two thirds of its words are those of another one, which is its
    subject, and the others are drawn from all passages, so that words are as frequent as in these.
    """
    rng = np.random.default_rng(seed)
    real = passages(table)
    documents = [real[k] for k in rng.permutation(len(real))[:size]]
    seen = {document.tobytes() for document in documents}
    all_words = np.concatenate(real)
    while len(documents) < size:
        length = len(real[rng.integers(len(real))])
        subject = real[rng.integers(len(real))]
        own = rng.permutation(subject)[: max(2 * length // 3, 1)]
        others = all_words[rng.integers(len(all_words), size=2 * length)]
        document = np.sort(np.fromiter(dict.fromkeys([*own.tolist(), *others.tolist()]), np.uint32)[:length])
        if document.tobytes() not in seen:
            seen.add(document.tobytes())
            documents.append(document)
    return documents
