"""Texts: encoded, ranked, moved into spaces; and documents from files."""

import pickle
import shutil
import warnings
from contextlib import suppress

import numpy as np
import pyarrow
import pyarrow.parquet
from safetensors.numpy import save_file

import moverank as mr
import tiny_models
from moverank import encoders, ranking, readers, spaces
from moverank.sharding import ShardedTextIndex, split
from public_calls.inputs import DIM, TEXTS, documents, random, word_vectors


def of_encoders(folder):
    words = encoders.WordVectors.default()
    words.save(folder / "table")
    plain = encoders.Words(stop_words=encoders.STOP_WORDS)
    small = encoders.WordVectors(["man", "dog"], np.eye(2), tokenize=plain)
    mine = encoders.CallableEncoder(lambda texts: [(text.split(), np.eye(9)[: len(text.split())]) for text in texts])

    def encode():
        found = words.encode(TEXTS)
        told = words.dim, len(words), "dog" in words, words.tokenize, repr(words)
        return found.text(1), found.sequences, found.to_sequences("norm"), words.bags(TEXTS), told

    def unknown():
        with suppress(ValueError):
            small.encode(["xyzzy"])
        return small.encode(["a man", "xyzzy"], skip_empty=True)

    model, tokenizer = tiny_models.save_model(folder), tiny_models.save_tokenizer(folder)
    onnx = encoders.OnnxEncoder(model, tokenizer, num_threads=1)

    def identities():
        mine_too, ours = mr.EncoderIdentity.of(mine), mr.EncoderIdentity.of(words)
        again = mr.EncoderIdentity.from_json(ours.as_json())
        told = mine.identity, onnx.identity, onnx.max_length, ours.known, ours.differences(mine_too), str(again)
        return told, pickle.dumps(again)

    return {
        "identities of encoders": identities,
        "word vectors": encode,
        "texts without tokens": unknown,
        "word vectors from a file": lambda: encoders.WordVectors.load(folder / "table", limit=100).encode(["the"]),
        "word vectors into a file": lambda: small.save(folder / "small"),
        "encoders of others": lambda: (
            mine.encode(TEXTS),
            encoders.encode_queries(mine, TEXTS),
            encoders.encode_documents(mine, TEXTS),
        ),
        "transformers": lambda: (onnx.encode(["the cat sat", "the dog"]), onnx.encode_queries(["the cat"])),
    }


def of_rankings(folder):
    index = mr.Index.build(encoders.WordVectors.default().encode(TEXTS).sequences, "wrd", payloads=TEXTS)
    ranker = mr.Reranker(num_threads=1)
    over_passages = mr.Reranker(passages=mr.Passages(3, 1), num_threads=1)
    fused = mr.Reranker(fusion=0.5, num_threads=1)
    few = ranking.CachedEncoder(word_vectors(), max_bytes=300)

    def rank():
        found = ranker.rank("who plays music?", TEXTS, top_k=2)
        shown = f"{found} {found!r} {ranker!r}"
        return found[0].explain(samples=3), found[:1], found.doc_ids, found.scores, list(found), shown, found.to_dict()

    return {
        "ranking of texts": rank,
        "ranking of an index": lambda: ranker.rank_batch(["music", "a dog"], index, top_k=2)[0][0].explain(),
        "ranking of passages": lambda: over_passages.rank("music", TEXTS)[0].explain(),
        "ranking with scores": lambda: (fused.fuses, fused.rank("music", TEXTS, scores=[4, 3, 2, 1])),
        "fusion": lambda: mr.Fusion.fit([[3.0, 2.0, 1.0]], [[0.1, 0.4, 0.1]], [[0, 1, 0]]),
        "encoders that remember": lambda: (
            few.encode(TEXTS),
            few.encode_queries(TEXTS),
            pickle.dumps(few),
            few.nbytes,
            few.max_bytes,
        ),
    }


def of_text_indexes(folder):
    made = mr.TextIndex.create(passages=mr.Passages(4, 1), num_threads=1)
    made.add(TEXTS, payloads=[{"n": n} for n in range(len(TEXTS))])
    made.save(folder / "texts")
    curve = ranking.Calibration("isotonic", (0.0, 1.0), (0.2, 0.8))
    judged = ["music", "a dog"], [[0], [1]]

    def search():
        found = made.search("who plays music?", 2, where="n >= 0")
        some = made.search_batch(["music", "xyzzy"], 2, fusion=ranking.ReciprocalRanks(), candidates=3)
        shown = f"{found} {found!r} {made!r} {some[1]}"
        given = made.rerank("music", [0, 1], scores=[1, 2])
        near = made.search_vectors(made.encoder.encode(["music"]).sequences[0], 2)
        return found[0].explain(samples=3), found[:1], found.ids, found.to_dict(), list(some[0]), shown, given, near

    def read():
        told = made.encoder, made.index, made.measure, made.passages, made.lexical, len(made), 0 in made
        told += made.fusion, made.stores_texts
        return told, made.text(0), made.payload(0), list(made)

    def change():
        with mr.TextIndex.open(folder / "texts", writable=True, num_threads=1) as index:
            index.add(["a horse on the street"], [99])
            index.upsert(["a horse in the field"], [99])
            index.remove([99])
            index.compact()
            index.verify()
            with mr.TextIndex.open(folder / "texts", num_threads=1) as reader:
                return reader.refresh()

    def shards():
        folders = [folder / name for name in ("a", "b")]
        for own in folders:
            shutil.rmtree(own, ignore_errors=True)
        split(made, folders)
        with ShardedTextIndex.open(folders) as index:
            found = index.search("who plays music?", 2, where="n >= 0")
            told = f"{found} {found!r} {index!r}", found[0].explain(), found.to_dict(), index.text(0), len(index)
            index.upsert(["a horse in the field"], [99])
            return told, index.rerank("music", [0, 99]), index.remove([99]), index.search_batch(["music"], 1)

    def learn():
        fitted = made.fit_fusion(*judged, candidates=3)
        with suppress(ImportError):  # scikit-learn
            ranking.Calibration.fit([0.1, 0.9, 0.4], [0, 1, 0])
            made.calibrate(*judged, k=3)
        return fitted, ranking.Calibration.from_json(curve.as_json()), curve([0.3])

    return {
        "search of texts": search,
        "search of shards of texts": shards,
        "reading texts": read,
        "changing texts in a folder": change,
        "learning from judged queries": learn,
        "texts that say the same": lambda: made.near_duplicates(0.5, candidates=2),
        "closing texts": lambda: mr.TextIndex.open(folder / "texts").close(),
    }


def of_scores(folder):
    weights = mr.score_idf(TEXTS)
    baseline = mr.score_baseline(TEXTS, pairs=20, idf=weights)

    def score():
        found = mr.score(TEXTS, [TEXTS[:2]] * len(TEXTS), idf=weights, baseline=baseline, num_threads=2)
        shown = f"{found} {found!r}", found.table(max_rows=1), found.to_dict(), found.to_dataframe(), baseline.to_dict()
        why = found.explain(1, "recall", samples=3)
        return found.mean, found.unscored, found.best_references, len(found), why, shown

    def unknown():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return mr.score(["xyzzy", TEXTS[0]], TEXTS[:2], idf=True, measure="wmd")

    def kept():
        baseline.save(folder / "baseline.json")
        return mr.ScoreBaseline.load(folder / "baseline.json")

    return {
        "scores of texts": score,
        "scores of texts without tokens": unknown,
        "baselines in files": kept,
        "baselines of scores": lambda: (mr.score_baseline(TEXTS, pairs=20), mr.score_idf(TEXTS)),
    }


def of_spaces(folder):
    encoder = word_vectors()
    recipes = ["all-but-the-top", "sif-scaling", "remove-common", "centring", "conceptor", "unit-norm", "norm-idf"]
    space = mr.fit(encoder, TEXTS, recipes, sample=3)
    over = space.over(encoder)
    index = mr.Index.build(over.encode(TEXTS).sequences, "wrd", space=space)

    def learnt():
        counted = spaces.Statistics(DIM, 2, random())
        counted.add(encoder.encode(TEXTS))
        weights = spaces.TokenWeights.idf(counted) * spaces.TokenWeights.sif(counted)
        weights *= spaces.TokenWeights.idf_of_bert_score([text.split() for text in TEXTS])
        return weights.of(["a", "man"]), repr(counted), mr.fit(encoder, TEXTS, ["whitening", "sif"])

    def kept():
        space.save(folder / "space.npz")
        return spaces.Space.load(folder / "space.npz"), spaces.Space.from_bytes(space.to_bytes())

    return {
        "learning a space": learnt,
        "learning the space of a preset": lambda: mr.presets.pairs(encoder).space(encoder, TEXTS),
        "moving into a space": lambda: (space(encoder.encode(TEXTS)), over.encode(TEXTS), over.encode_queries(TEXTS)),
        "space in a file": kept,
        "space of an index": lambda: (index.space, index.search(over.encode_queries(TEXTS[:1]).sequences, 2)),
    }


def of_readers(folder):
    docs = documents(12)
    np.save(folder / "tokens.npy", docs.tokens)
    np.save(folder / "offsets.npy", docs.offsets)
    np.save(folder / "square.npy", np.ones((3, 2, DIM), np.float32))
    save_file({"tokens": docs.tokens.copy(), "offsets": docs.offsets.copy()}, folder / "docs.safetensors")
    table = pyarrow.table({"id": list(range(12)), "tokens": [x.tolist() for x in docs], "year": [1] * 12})
    pyarrow.parquet.write_table(table, folder / "docs.parquet")
    return {
        "documents from npy": lambda: (
            list(readers.read_npy(folder / "tokens.npy", folder / "offsets.npy", documents=5)),
            list(readers.read(folder / "square.npy")),
        ),
        "documents from safetensors": lambda: list(readers.read_safetensors(folder / "docs.safetensors")),
        "documents from parquet": lambda: list(readers.read_arrow(folder / "docs.parquet", payload="*")),
    }


KINDS = (of_encoders, of_rankings, of_text_indexes, of_scores, of_spaces, of_readers)
