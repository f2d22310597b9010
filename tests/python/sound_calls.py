"""One sound call of each public function, by name: what `test_arguments` then spoils, an argument at a time."""

import numpy as np

import moverank as mr
from moverank import encoders, presets, readers, scoring, spaces
from moverank.encoders import CallableEncoder, Words, WordVectors
from moverank.ranking import CachedEncoder, Calibration, Fusion, Passages, ReciprocalRanks, Reranker
from moverank.readers import Batch
from moverank.spaces import Space, TokenWeights

X = np.eye(3)
DOCS = [np.eye(3), np.ones((2, 3))]

SEQUENCES = mr.Sequences(DOCS)
BAGS = mr.Bags(X, [[0, 1], [2]])
POOLED = mr.pool_tokens(DOCS, 2)
ALIGNMENT = mr.align(X, X)
ENTROPIC = mr.wmd.replace(problem="sinkhorn")
WORDS = WordVectors(["cat", "dog", "a"], X)
SPACE = mr.fit(WORDS, ["a cat", "a dog"], ["centring"])
SCORES = mr.score(["a cat"], [["a dog", "cat"]], encoder=WORDS)
BASELINE = mr.score_baseline(["a cat", "a dog"], encoder=WORDS, pairs=3)
FUSING = Reranker(WORDS, fusion=0.5)


#: What says how sure the moves of an alignment are.
SAMPLES = {"samples": 2, "temperature": 0.1, "seed": 0}


def index():
    return mr.Index.build(DOCS, "wmd", ids=["a", "b"], payloads=[{"n": 1}, None])


def texts(lexical=None):
    made = mr.TextIndex.create(encoder=WORDS, lexical=lexical)
    made.add(["a cat", "a dog"], ids=["a", "b"], payloads=[{"n": 1}, None])
    return made


#: What may come with documents that are added.
ADDED = {"payloads": None, "encoder": None}

CALLS = {
    "distances": (
        mr.distances,
        {"query": X, "docs": DOCS, "measure": "wmd", "weights": None, "costs": None, "num_threads": 1},
    ),
    "certified_distances": (
        mr.certified_distances,
        {"query": X, "docs": DOCS, "measure": ENTROPIC, "weights": None, "costs": None, "num_threads": 1},
    ),
    "pairwise": (
        mr.pairwise,
        {"A": DOCS, "B": DOCS, "measure": "wmd", "costs": None, "progress": lambda done, total: None, "num_threads": 1},
    ),
    "neighbours": (
        mr.neighbours,
        {"A": DOCS, "B": DOCS, "measure": "wmd", "k": 1, "radius": 2.0, "progress": lambda done, total: None}
        | {"num_threads": 1},
    ),
    "paired_distances": (
        mr.paired_distances,
        {"A": DOCS, "B": DOCS, "measure": "wmd", "costs": None, "progress": lambda done, total: None, "num_threads": 1},
    ),
    "pool_tokens": (mr.pool_tokens, {"docs": DOCS, "factor": 2, "measure": "wmd", "num_threads": 1}),
    "PooledTokens.members": (POOLED.members, {"s": 0}),
    "align": (
        mr.align,
        {"x": X, "y": X, "measure": "wmd", "a": None, "b": None, "costs": None, **SAMPLES},
    ),
    "gradients": (mr.gradients, {"x": X, "y": X, "measure": "wmd", "a": None, "b": None}),
    "rerank": (
        mr.rerank,
        {"query": X, "docs": DOCS, "k": 1, "measure": "wmd", "ids": None, "weights": None}
        | {"timeout": None, "slack": 0.0, "num_threads": 1},
    ),
    "transport": (
        mr.transport,
        {
            "cost": X, "a": None, "b": None, "capacity": 1, "fraction": 1, "epsilon": None,
            "totals": "normalised", "amount": None,
        },
    ),
    "transport_batch": (
        mr.transport_batch,
        {
            "costs": [X, X], "a": None, "b": None, "capacity": 1, "fraction": 1, "epsilon": None,
            "totals": "normalised", "amount": None, "plans": False, "num_threads": 1,
        },
    ),
    "Measure.of": (mr.Measure.of, {"name": "wmd"}),
    "Measure": (
        mr.Measure,
        {"ground": "cosine", "weighting": "norm", "capacity": 1, "problem": "exact", "fraction": 1},
    ),
    "Measure.__call__": (mr.wmd, {"x": X, "y": X, "a": None, "b": None, "capacity": 2, "costs": None}),
    "Sinkhorn": (
        mr.Sinkhorn,
        {"epsilon": 0.1, "relative": True, "tolerance": 0.1, "max_iterations": 9, "marginal_penalty": 1}
        | {"debiased": False},
    ),
    "Sequence": (mr.Sequence, {"tokens": X, "weights": None}),
    "Sequence.mass": (SEQUENCES[0].mass, {"weighting": "norm"}),
    "Sequences": (mr.Sequences, {"sequences": DOCS, "weights": None}),
    "Sequences.from_flat": (
        mr.Sequences.from_flat,
        {"tokens": X, "offsets": [0, 1, 3], "weights": None, "dtype": "float32", "scales": None, "dim": None},
    ),
    "Sequences.from_padded": (
        mr.Sequences.from_padded,
        {"tokens": np.ones((2, 2, 3)), "mask": [[1, 1], [1, 0]], "lengths": None, "weights": None},
    ),
    "Sequences.astype": (SEQUENCES.astype, {"dtype": "int8"}),
    "Sequences.weights_of": (SEQUENCES.weights_of, {"s": 0}),
    "Sequences.__getitem__": (SEQUENCES.__getitem__, {"key": 0}),
    "Sequences.__add__": (lambda other: SEQUENCES + other, {"other": SEQUENCES}),
    "Histograms": (mr.Histograms, {"histograms": [[0.5, 0.5], [1, 0]]}),
    "Histograms.__getitem__": (mr.Histograms([[1, 1], [1, 0]]).__getitem__, {"key": 0}),
    "Bags": (mr.Bags, {"vectors": X, "documents": [[0], [1, 2]]}),
    "Bags.from_flat": (mr.Bags.from_flat, {"vectors": X, "words": [0, 1], "offsets": [0, 1, 2], "counts": None}),
    "Bags.weights_of": (BAGS.weights_of, {"s": 0, "weighting": "norm"}),
    "Bags.to_sequences": (BAGS.to_sequences, {"weighting": "norm"}),
    "Bags.__getitem__": (BAGS.__getitem__, {"key": 0}),
    "Bag.mass": (BAGS[0].mass, {"weighting": "norm"}),
    "Bag.to_sequence": (BAGS[0].to_sequence, {"weighting": "norm"}),
    "Clusters": (mr.Clusters, {"per_document": 2}),
    "TokenCells": (mr.TokenCells, {"cells": 9, "probes": 3, "ranked": 20}),
    "Alignment.named": (ALIGNMENT.named, {"source_tokens": ["a", "b", "c"], "target_tokens": ["a", "b", "c"]}),
    "Alignment.table": (ALIGNMENT.table, {"max_rows": 2}),
    "Alignment.to_csv": (ALIGNMENT.to_csv, {"path": "moves.csv"}),
    "Alignment.to_latex": (ALIGNMENT.to_latex, {"max_rows": 2}),
    "Alignment.save": (ALIGNMENT.save, {"path": "moves.svg", "kind": "flow", "max_tokens": 2}),
    "Alignment.heatmap": (ALIGNMENT.heatmap, {"max_tokens": 2}),
    "Alignment.flow": (ALIGNMENT.flow, {"max_tokens": 2}),
    "Alignment.to_html": (ALIGNMENT.to_html, {"title": "a", "max_tokens": 9}),
    "Index.build": (
        mr.Index.build,
        {"docs": DOCS, "measure": "wmd", "ids": None, "payloads": None, "prefilter": "Flat", "dtype": None}
        | {"costs": None, "pool": 1, "space": None, "encoder": None, "num_threads": 1},
    ),
    "Index.build_on_disk": (
        mr.Index.build_on_disk,
        {"path": "index", "batches": [Batch(DOCS)], "measure": "wmd", "prefilter": "Flat", "dtype": None}
        | {"costs": None, "pool": 1, "space": None, "encoder": None, "num_threads": 1},
    ),
    "Index.open": (
        lambda **options: index().save("saved", overwrite=True) or mr.Index.open(**options),
        {"path": "saved", "measure": None, "encoder": None, "num_threads": 1},
    ),
    "Index.save": (lambda path: index().save(path), {"path": "index"}),
    "Index.add": (lambda **new: index().add(**new), {"docs": DOCS, "ids": ["c", "d"], **ADDED}),
    "Index.upsert": (lambda **new: index().upsert(**new), {"docs": DOCS, "ids": ["a", "d"], **ADDED}),
    "Index.require_encoder": (index().require_encoder, {"encoder": CallableEncoder(len, name="mine")}),
    "Hit.explain": (index().search(X, 1)[0].explain, SAMPLES),
    "RankedDocument.explain": (FUSING.rank("cat", ["a cat"], scores=[1.0])[0].explain, SAMPLES),
    "EncoderIdentity": (
        mr.EncoderIdentity,
        {"kind": "A", "name": "a", "dim": 3, "digest": "0" * 32, "options": {}},
    ),
    "EncoderIdentity.differences": (mr.EncoderIdentity("A").differences, {"other": mr.EncoderIdentity("B")}),
    "EncoderIdentity.from_json": (mr.EncoderIdentity.from_json, {"value": mr.EncoderIdentity("A").as_json()}),
    "Index.with_prefilter": (
        mr.Index.build(DOCS, "wmd", prefilter="tokens").with_prefilter,
        {"prefilter": mr.TokenCells()},
    ),
    "Index.remove": (lambda ids: index().remove(ids), {"ids": ["a"]}),
    "Index.payload": (index().payload, {"id": "a"}),
    "Index.pooled_into": (index().pooled_into, {"id": "a"}),
    "Index.search": (
        index().search,
        {"query": X, "k": 1, "weights": None, "subset": None, "where": None, "candidates": None, "timeout": None}
        | {"slack": 0.0, "cutoff": 9.0, "potentials": None, "num_threads": 1},
    ),
    "Index.seed": (
        index().seed,
        {"query": X, "k": 1, "count": 2, "weights": None, "subset": None, "where": None, "candidates": None}
        | {"timeout": None, "slack": 0.0, "num_threads": 1},
    ),
    "Index.search_batch": (
        index().search_batch,
        {"queries": [X], "k": 1, "where": None, "candidates": None, "timeout": None, "slack": 0.0, "num_threads": 1},
    ),
    "Index.recall": (
        index().recall,
        {"queries": [X], "k": 1, "candidates": [2], "query_ids": ["q"], "subset": None, "where": None}
        | {"num_threads": 1},
    ),
    "Index.rerank": (
        index().rerank,
        {"query": X, "ids": ["a"], "k": 1, "weights": None, "timeout": None, "slack": 0.0, "num_threads": 1},
    ),
    "Index.range_search": (
        index().range_search,
        {"query": X, "radius": 1, "weights": None, "subset": None, "where": None, "timeout": None, "num_threads": 1},
    ),
    "Reranker": (
        Reranker,
        {"encoder": WORDS, "measure": None, "passages": None, "fusion": None, "cache_bytes": 0, "num_threads": 1},
    ),
    "Reranker.rank": (
        FUSING.rank,
        {
            "query": "cat", "documents": ["a dog", "a cat"], "top_k": None, "doc_ids": None, "scores": [1, 2],
            "where": None, "candidates": None, "unknown": "keep", "absent": "raise", "timeout": 9.0,
        },
    ),
    "Reranker.rank_batch": (
        FUSING.rank_batch,
        {
            "queries": ["cat"], "documents": ["a dog", "a cat"], "top_k": None, "doc_ids": None, "scores": [[1, 2]],
            "where": None, "candidates": None, "unknown": "keep", "absent": "raise", "timeout": 9.0,
        },
    ),
    "TextIndex.create": (
        lambda **options: mr.TextIndex.create(None, **options),
        {
            "encoder": WORDS, "measure": None, "passages": None, "lexical": None, "store_texts": True, "dtype": None,
            "rescore": False, "prefilter": "auto", "pool": 1, "space": None, "num_threads": 1,
        },
    ),
    "TextIndex.add": (
        lambda **given: texts().add(**given),
        {"texts": ["a", "a cat"], "ids": ["x", "y"], "payloads": None, "unknown": "raise"},
    ),
    "TextIndex.upsert": (
        lambda **given: texts().upsert(**given),
        {"texts": ["a", "a cat"], "ids": ["x", "y"], "payloads": None, "unknown": "raise"},
    ),
    "TextIndex.remove": (lambda **given: texts().remove(**given), {"ids": ["a"]}),
    "TextIndex.search": (
        lambda **given: texts().search(**given),
        {"query": "cat", "k": 1, "where": None, "candidates": 1, "fusion": None, "min_similarity": 0.0}
        | {"min_probability": 0, "timeout": None, "num_threads": 1},
    ),
    "TextIndex.search_vectors": (
        lambda **given: texts().search_vectors(**given),
        {"vectors": X, "k": 1, "weights": None, "where": None, "candidates": 1, "min_similarity": 0.0}
        | {"timeout": None, "num_threads": 1},
    ),
    "TextIndex.search_batch": (
        lambda **given: texts().search_batch(**given),
        {"queries": ["cat"], "k": 1, "where": None, "candidates": 1, "fusion": None, "min_similarity": 0.0}
        | {"min_probability": 0, "timeout": None, "num_threads": 1},
    ),
    "TextIndex.payload": (lambda **given: texts().payload(**given), {"id": "a"}),
    "TextIndex.open": (
        lambda **options: texts().save("saved", overwrite=True) or mr.TextIndex.open(**options),
        {"path": "saved", "encoder": None, "check_encoder": True, "num_threads": 1},
    ),
    "TextIndex.rerank": (
        lambda **given: texts().rerank(**given),
        {"query": "cat", "ids": ["b", "a"], "k": 1, "scores": [1, 2], "fusion": 0.5, "timeout": None, "num_threads": 1},
    ),
    "TextIndex.save": (lambda path: texts().save(path), {"path": "index"}),
    "Fusion": (Fusion, {"weight": 0.5}),
    "TextIndex.near_duplicates": (
        lambda **given: texts().near_duplicates(**given),
        {"similarity": 0.5, "candidates": 2, "num_threads": 1},
    ),
    "TextIndex.fit_fusion": (
        lambda **given: texts("words").fit_fusion(**given),
        {"queries": ["cat dog", "dog"], "relevant": [["a"], ["b"]], "candidates": 2},
    ),
    "Calibration": (
        Calibration,
        {"method": "isotonic", "scores": (0.0, 1.0), "probabilities": (0.1, 0.9)},
    ),
    "Calibration.__call__": (Calibration("logistic", (1.0, 0.0)), {"scores": [1, 2]}),
    "Calibration.from_json": (
        Calibration.from_json,
        {"value": {"method": "logistic", "scores": [1, 2], "probabilities": []}},
    ),
    "ReciprocalRanks": (ReciprocalRanks, {"weight": 0.5, "k": 60}),
    "ReciprocalRanks.__call__": (ReciprocalRanks(), {"first": [1, 2], "similarities": [2, 1]}),
    "Fusion.__call__": (Fusion(0.5), {"first": [1, 2], "similarities": [2, 1]}),
    "Fusion.fit": (
        Fusion.fit,
        {"first": [[1, 2]], "similarities": [[2, 1]], "relevance": [[0, 1]], "k": 10, "steps": 4},
    ),
    "Passages": (Passages, {"words": 10, "overlap": 2, "segmenter": None}),
    "CachedEncoder": (CachedEncoder, {"encoder": WORDS, "max_bytes": 9}),
    "CachedEncoder.encode": (CachedEncoder(WORDS).encode, {"texts": ["cat"]}),
    "CachedEncoder.encode_queries": (CachedEncoder(WORDS).encode_queries, {"texts": ["cat"]}),
    "CallableEncoder": (CallableEncoder, {"function": len, "queries": None, "batch_size": 1, "name": None}),
    "CallableEncoder.encode": (CallableEncoder(lambda t: [X] * len(t)).encode, {"texts": ["cat"]}),
    "CallableEncoder.encode_queries": (CallableEncoder(lambda t: [X] * len(t)).encode_queries, {"texts": ["cat"]}),
    "LateInteraction": (
        encoders.LateInteraction,
        {
            "query_prefix": "[Q] ", "document_prefix": "[D] ", "query_length": 32, "document_length": 180,
            "query_expansion": True, "attend_to_expansion": False, "skiplist": ["."], "normalize": True,
            "mask_token": None,
        },
    ),
    "encode_documents": (lambda texts: encoders.encode_documents(WORDS, texts), {"texts": ["cat"]}),
    "encode_queries": (lambda texts: encoders.encode_queries(WORDS, texts), {"texts": ["cat"]}),
    "WordVectors": (WordVectors, {"words": ["a", "b", "c"], "vectors": X, "tokenize": str.split}),
    "WordVectors.load": (
        lambda limit: WORDS.save("words") or WordVectors.load("words", limit=limit),
        {"limit": 2},
    ),
    "WordVectors.encode": (WORDS.encode, {"texts": ["cat"]}),
    "WordVectors.bags": (WORDS.bags, {"texts": ["cat"]}),
    "Words": (Words, {"stop_words": [], "segmenter": None}),
    "fit": (mr.fit, {"encoder": WORDS, "texts": ["a cat"], "steps": ["idf"], "sample": 9, "batch": 9, "seed": 0}),
    "Preset.space": (
        presets.PAIRS_BY_WORDS.space,
        {"encoder": WORDS, "texts": ["a cat", "a dog"], "sample": 9, "progress": None},
    ),
    "pairs": (presets.pairs, {"encoder": WORDS}),
    "retrieval": (presets.retrieval, {"encoder": WORDS}),
    "score": (
        scoring.score,
        {
            "candidates": ["cat", "a dog"], "references": ["a cat", ["dog", "cat"]], "encoder": WORDS, "measure": "wrd",
            "idf": True, "baseline": None, "space": None, "num_threads": 1,
        },
    ),
    "score_baseline": (
        mr.score_baseline,
        {
            "texts": ["cat", "a dog"], "encoder": WORDS, "measure": "wrd", "idf": False, "space": None, "pairs": 3,
            "seed": 0, "num_threads": 1,
        },
    ),
    "ScoreBaseline.save": (BASELINE.save, {"path": "baseline.json"}),
    "ScoreBaseline.load": (
        lambda path: BASELINE.save("baseline.json") or mr.ScoreBaseline.load(path),
        {"path": "baseline.json"},
    ),
    "score_idf": (mr.score_idf, {"texts": ["cat", "a dog"], "encoder": WORDS}),
    "Scores.explain": (SCORES.explain, {"pair": 0, "of": "recall", **SAMPLES}),
    "Scores.table": (SCORES.table, {"max_rows": 1}),
    "Space.__call__": (SPACE, {"encoded": WORDS.encode(["cat"])}),
    "Space.over": (SPACE.over, {"encoder": WORDS}),
    "Space.from_bytes": (Space.from_bytes, {"octets": SPACE.to_bytes()}),
    "TokenWeights": (TokenWeights, {"weights": {"a": 1}, "unseen": 1}),
    "AllButTheTop": (spaces.AllButTheTop, {"directions": 1}),
    "RemoveCommon": (spaces.RemoveCommon, {"directions": 1}),
    "ConceptorNegation": (spaces.ConceptorNegation, {"aperture": 1}),
    "Whitening": (spaces.Whitening, {"dim": 1, "floor": 0.1}),
    "Scaling": (spaces.Scaling, {"weights": "sif"}),
    "Weighing": (spaces.Weighing, {"weights": "idf"}),
    "Batch": (Batch, {"docs": DOCS, "ids": None, "payloads": None}),
    "read": (readers.read, {"paths": []}),
}  # fmt: skip
