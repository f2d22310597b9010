"""Make the data that the wheel bundles: a small word-vector table and a demo collection.

    python bench/data/make_bundled.py --vectors minilmstatic-128d-en.npz --scifact DIR --out python/moverank/data

`--vectors` has fields `words` (UTF-8 joined by newlines, most frequent first) and `vectors` (float16); `--scifact` is a
collection in the BEIR layout. The queries are a seeded sample of the test claims that have a judged abstract, drawn
once and not by what they show; the documents are every abstract judged relevant to them and a seeded sample of others.
"""

import argparse
import gzip
import json
import random
from pathlib import Path

import numpy as np

from moverank.encoders.tokenize import Words, pieces

N_QUERIES = 8
N_DOCUMENTS = 400
N_FREQUENT_WORDS = 15_000
SEED = 20_261_123


def read_jsonl(path: Path) -> list[dict[str, str]]:
    """Read one JSON object a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def choose_collection(scifact: Path) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Sample queries and documents."""
    relevant: dict[str, list[str]] = {}
    for line in (scifact / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query_id, document_id, score = line.split("\t")
        if int(score) > 0:
            relevant.setdefault(query_id, []).append(document_id)
    claims = {q["_id"]: q["text"] for q in read_jsonl(scifact / "queries.jsonl")}
    corpus = {d["_id"]: d for d in read_jsonl(scifact / "corpus.jsonl")}
    draw = random.Random(SEED)
    chosen = sorted(draw.sample(sorted(relevant), N_QUERIES), key=int)
    wanted = {d for q in chosen for d in relevant[q]}
    others = sorted(set(corpus) - wanted)
    wanted.update(draw.sample(others, N_DOCUMENTS - len(wanted)))
    documents = [{"id": d, "title": corpus[d]["title"], "text": corpus[d]["text"]} for d in sorted(wanted, key=int)]
    queries = [{"id": q, "text": claims[q], "relevant": relevant[q]} for q in chosen]
    return documents, queries


def write_jsonl_gz(path: Path, rows: list[dict[str, object]]) -> None:
    """Write compressed JSONL that is the same bytes each time."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with path.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
        packed.write(text.encode())


def main() -> None:
    """Write word-vectors.npz, documents.jsonl.gz and queries.jsonl.gz."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--scifact", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    documents, queries = choose_collection(args.scifact)
    write_jsonl_gz(args.out / "documents.jsonl.gz", documents)
    write_jsonl_gz(args.out / "queries.jsonl.gz", queries)

    table = np.load(args.vectors)
    words = bytes(table["words"]).decode().split("\n")
    texts = [f"{d['title']} {d['text']}" for d in documents] + [str(q["text"]) for q in queries]
    used = {part for text in texts for word in Words()(text) for part in [word, *pieces(word)]}
    keep = [i for i, word in enumerate(words) if i < N_FREQUENT_WORDS or word in used]
    vectors = table["vectors"][keep].astype(np.float32)
    scale = np.abs(vectors).max(axis=1) / 127
    codes = np.rint(vectors / scale[:, None]).astype(np.int8)
    np.savez_compressed(
        args.out / "word-vectors.npz",
        words=np.frombuffer("\n".join(words[i] for i in keep).encode(), dtype=np.uint8),
        codes=codes,
        scale=scale.astype(np.float32),
    )
    print(f"{len(documents)} documents, {len(queries)} queries, {len(keep)} words")


if __name__ == "__main__":
    main()
