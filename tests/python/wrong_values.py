"""What an argument can never be: for each a value, the error's class, and what its message says of it."""

import numpy as np

import moverank as mr
from moverank.spaces import TokenWeights
from sound_calls import SPACE, X

NAN, HUGE = float("nan"), 10**30

TOKENS = [
    ([[1.0, NAN, 0.0]], ValueError, "token 0 is not finite"),
    (np.zeros((0, 3)), ValueError, "no tokens|at least one token"),
    (np.zeros((3, 0)), ValueError, "no dimensions|one dimension"),
    (np.ones(3), ValueError, r"expected an array of shape \(n, d\), got shape \(3,\)"),
    ([[1.0, 2.0], [1.0]], ValueError, "not a rectangular array"),
    ([["a", "b", "c"]], TypeError, "expected real numbers, got dtype <U1"),
    (None, TypeError, "expected real numbers, got dtype object"),
    (X + 1j, TypeError, "expected real numbers, got dtype complex128"),
]
TABLE = TOKENS[:6]
QUERY = [*TOKENS, (np.eye(4), mr.DimensionError, "dimension 4 and .* dimension 3|dimension 3 and .* dimension 4")]
BATCH = [
    ([X, [[1.0, NAN, 0.0]]], ValueError, "sequence 1: token 0 is not finite"),
    ([X, np.zeros((0, 3))], ValueError, "sequence 1: has no tokens"),
    ([X, np.eye(4)], ValueError, "sequence 1: has dimension 4, sequence 0 has 3"),
    ([X, "a"], TypeError, "sequence 1: expected real numbers"),
    ([np.ones(3)], ValueError, r"sequence 0: expected an array of shape \(n, d\), got shape \(3,\)"),
    ([], ValueError, "expected at least one sequence, got none"),
    (3, TypeError, r"expected a list of \(n, d\) arrays, got int"),
    ("abc", TypeError, r"expected a list of \(n, d\) arrays, got text"),
]
BATCHES = [*BATCH, (X, ValueError, r"expected a batch, got one array of shape \(3, 3\)")]
MASS = [
    ([1, NAN, 1], ValueError, r"weight 1 is not finite \(nan\)"),
    ([1, 1, -1], ValueError, r"weight 2 is negative \(-1\)"),
    ([0, 0, 0], ValueError, "total mass is zero"),
    ([1, 1], ValueError, "expected 3 weights, one per token, got 2"),
    (1.0, ValueError, r"got (shape )?\(\)"),
    ("abc", TypeError, "expected real numbers"),
]
POSITIVE = [
    (0, ValueError, "above 0.* got 0"),
    (-1, ValueError, "above 0.* got -1"),
    (NAN, ValueError, "above 0.* got nan"),
    ("1", TypeError, "must be a real number, got '1'"),
    (True, TypeError, "must be a real number, got True"),
    (1j, TypeError, "must be a real number, got 1j"),
]
FINITE = [*POSITIVE, (np.inf, ValueError, "above 0 and finite, got inf")]
TEMPERATURE = [
    *((value, kind, said.replace("above", "at least")) for value, kind, said in POSITIVE[1:]),
    (np.inf, ValueError, "at least 0 and finite, got inf"),
]
WHOLE = [
    (-1, ValueError, "must be at least [01], got -1"),
    (1.5, TypeError, "must be an integer, got 1.5"),
    ("3", TypeError, "must be an integer, got '3'"),
    (True, TypeError, "must be an integer, got True"),
    (HUGE, ValueError, f"must be at most [0-9]+, got {HUGE}"),
]
COUNT = [*WHOLE, (0, ValueError, "must be at least 1, got 0")]
FACTOR = [
    (0.5, ValueError, "must be a finite number of at least 1, got 0.5"),
    (NAN, ValueError, "must be a finite number of at least 1, got nan"),
    (np.inf, ValueError, "must be a finite number of at least 1, got inf"),
    ("2", TypeError, "must be a real number, got '2'"),
]
EPSILON = [*FINITE[:3], ("1", TypeError, "must be a (real number|number or a Sinkhorn), got '1'")]
FLAG = [("yes", TypeError, "must be True or False, got 'yes'")]
IDS = [
    (["a"], ValueError, "expected 2, one (a|per) document, got 1"),
    ("ab", TypeError, "expected a list of ids, got str"),
    (3, TypeError, "expected a list of ids, got int"),
]
NAMES = [
    *IDS,
    (["a", "a"], mr.DuplicateIdError, "'a' is given more than once"),
    ([1, "a"], TypeError, "expected all integers or all strings, got int and str"),
    ([1.0, 2.0], TypeError, "expected all integers or all strings, got float"),
    ([HUGE, 1], ValueError, "an integer does not fit into 64 bits"),
    (["a", "\ud800"], ValueError, "is not valid Unicode"),
]
CHOSEN = [
    (["c"], mr.UnknownIdError, "'c' is not in the index"),
    ([0], mr.UnknownIdError, "0 is not in the index"),
    (["a", "a"], mr.DuplicateIdError, "'a' is given more than once"),
    ([], ValueError, "expected at least one id, got none"),
    ("a", TypeError, "expected a list of ids, got str"),
]
TABLE_OF_COSTS = [
    ([[0, NAN], [1, 0]], ValueError, r"entry \(0, 1\) is NaN; use np.inf to forbid a move"),
    ([[0, 1], [-np.inf, 0]], ValueError, r"entry \(1, 0\) is -inf, below"),
    ([[0, -1e300], [1, 0]], ValueError, r"entry \(0, 1\) is -1e\+300, below"),
    ([1, 2], ValueError, r"expected a table of shape \(K, L\).* got shape \(2,\)"),
    (np.zeros((0, 3)), ValueError, r"expected a table of shape \(K, L\).* got shape \(0, 3\)"),
    ([[0, 1j], [1, 0]], TypeError, "expected real numbers, got dtype complex128"),
    ("euclidean", TypeError, "expected real numbers"),
]
PAYLOADS = [
    ([1], ValueError, "expected 2, one (a|per) document, got 1"),
    ("ab", TypeError, "expected a list of JSON values, got str"),
    ({"a": 1}, TypeError, "expected a list of JSON values, got dict"),
    (3, TypeError, "expected a list of JSON values, got int"),
]
JSON = [
    *PAYLOADS,
    ([1, {1}], TypeError, "document 1: expected a JSON value, got set"),
    ([1, {1: 2}], TypeError, "document 1: expected strings as names of fields, got 1"),
    ([NAN, 1], ValueError, "document 0: is missing .nan.; pass None"),
    (["\ud800", 1], ValueError, "document 0: .* is not valid Unicode"),
]
TEXTS = [
    ("cat", TypeError, "got one string"),
    (3, TypeError, "got int"),
    (["cat", 3], TypeError, r"\b1 is not a string but int"),
]
NOTHING = [([], ValueError, "at least one, got none|no text has")]
LEVELS = [("norm ", ValueError, "must be one of '.*', got 'norm '"), (3, TypeError, "must be one of '.*', got 3")]
RAISE_OR_KEEP = [
    ("skip", ValueError, "must be one of 'raise', 'keep', got 'skip'"),
    (3, TypeError, "must be one of '.*', got 3"),
]
SCORES = [
    ([1], ValueError, "expected 2, (one|as)"),
    ([1, np.inf], ValueError, "candidate 1 is not finite"),
    (["a", "b"], TypeError, "expected real numbers"),
]
LISTS = [
    (3, TypeError, "expected a list of arrays, one per query, got int"),
    ("ab", TypeError, "expected a list of arrays, one per query, got str"),
]
WITHIN = [(2, IndexError, "2 of 2"), (-3, IndexError, "-3 of 2")]
PATH = [
    (3, TypeError, "os.PathLike object, not int"),
    ("none/index", (mr.IndexNotFoundError, mr.IndexWriteError), "none/index"),
]
ENCODER = [
    (3, TypeError, "expected an object with a method encode, got int"),
    ("minilm", TypeError, "expected an object with a method encode, got str"),
]
NAME = [
    (3, TypeError, "expected a string, got 3"),
    ("", ValueError, "expected 1 to 1000 characters, got 0"),
    ("a" * 1001, ValueError, "expected 1 to 1000 characters, got 1001"),
    ("\ud800", ValueError, "is not valid Unicode"),
]
OFFSETS = [
    ([0.0, 3.0], TypeError, "expected integers, got dtype float64"),
    (3, ValueError, r"expected shape \(N \+ 1,\) with N at least 1, got shape \(\)"),
    ([1, 2], ValueError, "must start at 0 and end at [23]"),
]
TOKEN_NAMES = [
    (["a"], ValueError, "expected 3 names, one per token, got 1"),
    ("abc", TypeError, "expected a list of names, got str"),
    (["a", "b", 3], TypeError, "name 2 is not a string but int"),
]

#: By the name of a parameter; by function and parameter where functions differ.
WRONG = {
    "x": QUERY, "y": QUERY, "query": QUERY, "docs": BATCHES, "A": BATCHES, "B": BATCHES, "queries": BATCHES,
    "samples": COUNT, "temperature": TEMPERATURE,
    "sequences": BATCH, "vectors": TABLE, "a": MASS, "b": MASS, "weights": MASS, "k": COUNT, "num_threads": COUNT,
    "candidates": COUNT, "top_k": COUNT, "cache_bytes": WHOLE, "max_bytes": WHOLE, "batch_size": COUNT, "limit": COUNT,
    "sample": COUNT, "batch": COUNT, "seed": WHOLE, "steps": COUNT, "directions": COUNT, "dim": COUNT, "words": COUNT,
    "cells": COUNT, "probes": COUNT, "ranked": COUNT, "factor": FACTOR, "pool": FACTOR,
    "overlap": WHOLE, "per_document": COUNT, "max_rows": WHOLE, "max_tokens": COUNT, "max_iterations": WHOLE,
    "timeout": FINITE, "epsilon": EPSILON, "tolerance": FINITE, "aperture": FINITE, "unseen": FINITE,
    "fraction": [
        *POSITIVE,
        (1.5, ValueError, "must be above 0 and at most 1, got 1.5"),
        (np.inf, ValueError, "must be above 0 and at most 1, got inf"),
    ],
    "marginal_penalty": POSITIVE,
    "query_prefix": NAME[:1], "document_prefix": NAME[:1], "mask_token": NAME[:1], "query_length": COUNT,
    "document_length": COUNT, "query_expansion": FLAG, "attend_to_expansion": FLAG, "normalize": FLAG,
    "skiplist": [
        (3, TypeError, "expected a list of tokens, got int"),
        ("ab", TypeError, "expected a list of tokens, got one string"),
        (["a", 3], TypeError, "token 1 is not a string but int"),
    ],
    "floor": POSITIVE[1:], "relative": FLAG, "debiased": FLAG, "ids": NAMES, "payloads": JSON,
    "subset": [*CHOSEN[:3], CHOSEN[4]],
    "texts": TEXTS, "documents": TEXTS, "encoder": ENCODER, "path": PATH, "offsets": OFFSETS,
    "source_tokens": TOKEN_NAMES, "target_tokens": TOKEN_NAMES, "s": [*WITHIN, ("a", TypeError, "integer")],
    "ground": LEVELS, "weighting": LEVELS, "problem": [
        (value, error, f"problem must be one of 'exact', 'relaxed', 'sinkhorn', or a Sinkhorn, got {value!r}")
        for value, error in (("norm ", ValueError), (3, TypeError))
    ],
    "capacity": [
        (0.5, ValueError, "must be at least 1, got 0.5"),
        (NAN, ValueError, "must be at least 1, got nan"),
        ("1", TypeError, "must be a real number, got '1'"),
    ],
    "slack": [
        (-0.1, ValueError, "must be finite and at least 0, got -0.1"),
        (NAN, ValueError, "must be finite and at least 0, got nan"),
        ("1", TypeError, "must be a real number, got '1'"),
    ],
    "radius": [(NAN, ValueError, "must be a number, got nan"), ("1", TypeError, "must be a real number, got '1'")],
    "measure": [("xmd", ValueError, "unknown .*'xmd'; known are 'wmd'"), (3, TypeError, "a name or a Measure, got 3")],
    "Measure.of.name": [("xmd", ValueError, "unknown measure 'xmd'"), (3, TypeError, "a name or a Measure, got 3")],
    "dtype": [("int3", ValueError, "must be one of 'float32', .*got 'int3'")],
    "Index.with_prefilter.prefilter": [
        ("tokens", TypeError, "expected TokenCells, got str"),
        (None, TypeError, "expected TokenCells, got NoneType"),
        (mr.TokenCells(9), ValueError, "cells of this index, or None, got 9"),
    ],
    "prefilter": [
        ("zzz", ValueError, "faiss (does not accept|cannot train) 'zzz'"),
        ("Flat\ud800", ValueError, "faiss (does not accept|cannot train) .*surrogates not allowed"),
        (3, TypeError, "must be \"auto\", \"tokens\", a faiss factory string, .* got 3"),
    ],
    "space": [(3, TypeError, "expected a Space, got int"), ("x", TypeError, "expected a Space, got str")],
    "where": [
        ("n >", ValueError, "'n >' is not a valid condition"),
        (3, TypeError, "expected an expression, .* got 3"),
        (("n = ?", [object()]), TypeError, "expected strings or numbers as values"),
        ('n = "x"', ValueError, "has double quotes"),
    ],
    "cost": [
        ([[1.0, NAN]], ValueError, r"entry \(0, 1\) is NaN"),
        (np.zeros((0, 2)), ValueError, r"at least one row and one column, got shape \(0, 2\)"),
        ([1.0], ValueError, r"expected an array of shape \(n, d\), got shape \(1,\)"),
        (None, TypeError, "expected real numbers"),
    ],
    "costs": [
        ([[[1.0]], [[NAN]]], ValueError, r"costs\[1\]: entry \(0, 0\) is NaN"),
        (X, ValueError, r"expected an array of shape \(N, n, m\), got shape \(3, 3\)"),
        (None, TypeError, "expected real numbers"),
    ],
    "totals": [
        ("both", ValueError, "must be one of 'normalised', 'given', got 'both'"),
        (3, TypeError, "must be one of '.*', got 3"),
    ],
    "amount": [("x", TypeError, "must be a real number, got 'x'"), (1.0, ValueError, "totals")],
    "plans": [(3, TypeError, "must be True or False, got 3")],
    "scales": [([1, 1, 1], ValueError, "required with int8, int4 and int2 tokens, and not allowed with other types")],
    "counts": [
        ([1], ValueError, "expected 2, one per word, got 1"),
        ([1, 0], ValueError, "document 1: all are zero"),
        ([1, NAN], ValueError, "entry 1, word 1 of document 1, is nan, expected a number"),
    ],
    "id": [("c", mr.UnknownIdError, "'c' is not in the index"), (0, mr.UnknownIdError, "0 is not in the index")],
    "batches": [
        (3, TypeError, "expected an iterable of Batch, got int"),
        ([X], TypeError, "expected Batch objects, got ndarray"),
        ([], ValueError, "expected at least one document, got none"),
    ],
    "title": [(3, TypeError, "must be a string, got 3")],
    "passages": [(3, TypeError, "expected Passages, got 3")],
    "fusion": [(2, ValueError, "from 0 to 1, got 2"), ("x", TypeError, "must be a real number, got 'x'")],
    "weight": [(2, ValueError, "from 0 to 1, got 2"), ("x", TypeError, "must be a real number, got 'x'")],
    "doc_ids": [
        *IDS[:1],
        ("ab", TypeError, "expected a list of ids, got str"),
        (["a", "a"], mr.DuplicateIdError, "'a' is given more than once"),
        ([["a"], ["b"]], TypeError, "unhashable type: 'list'"),
    ],
    "scores": [*SCORES, (None, ValueError, "fusion needs the first stage's scores")],
    "first": SCORES[1:],
    "similarities": SCORES,
    "relevance": [
        *LISTS,
        ([[1]], ValueError, r"relevance\[0\]: expected 2, one per candidate, got 1"),
        ([[1, NAN]], ValueError, r"relevance\[0\]: candidate 1 is not finite"),
    ],
    "function": [(3, TypeError, "expected something to call, got int")],
    "tokenize": [(3, TypeError, "expected something to call, got int")],
    "stop_words": [("the", TypeError, "got one string"), (3, TypeError, "expected a list of words, got int")],
    "segmenter": [
        ("spacy", ValueError, "must be one of 'jieba', .*got 'spacy'"),
        (3, TypeError, "must be one of '.*', got 3"),
    ],
    "encoded": [("cat", TypeError, "expected EncodedTexts, got str")],
    "paths": [(3, TypeError, "expected a list of paths, got int")],
    "octets": [(b"abc", ValueError, "is not a space of moverank"), (SPACE.to_bytes()[:-30], ValueError, "not a space")],
    "key": [*WITHIN, (slice(1, 1), ValueError, "cannot be empty"), ([[0]], ValueError, "one-dimensional selection")],
    "other": [
        (X, TypeError, "operand 'Sequences' does not support"),
        (3, TypeError, "unsupported operand"),
        (mr.Sequences([np.eye(2)]), ValueError, "dimension 3 and 2"),
    ],
    "Index.remove.ids": CHOSEN,
    "Index.recall.candidates": [
        COUNT[0], COUNT[4], COUNT[5],
        ([1.5], TypeError, "must be an integer, got 1.5"),
        ("30", TypeError, "expected a list of numbers, got str"),
        ([], ValueError, "expected at least one number, got none"),
    ],
    "query_ids": [
        (["a", "b"], ValueError, "expected 1, one per query, got 2"),
        ("q", TypeError, "expected a list of ids, got str"),
        ([1.5], TypeError, "expected integers of 64 bits or strings, got 1.5"),
    ],
    "Index.rerank.ids": CHOSEN,
    "Index.search.cutoff": [
        (NAN, ValueError, "must be a number, got nan"),
        ("near", TypeError, "must be a real number, got 'near'"),
    ],
    "Index.search.potentials": [
        ([1.0], ValueError, r"expected \d+, one per distinct token of the query, got 1"),
        ([1.0, NAN, 0.0], ValueError, "expected finite numbers"),
        ([[1.0, 2.0, 3.0]], ValueError, r"expected an array of shape \(n,\), got shape \(1, 3\)"),
        ("abc", TypeError, "expected real numbers"),
    ],
    "Index.seed.count": COUNT,
    "Sequence.tokens": TOKENS,
    "Sequence.weights": MASS,
    "Sequences.weights": [
        ([[1, 1, 1]], ValueError, "expected 2 arrays, one per sequence, got 1"),
        ([[1, 1, 1], [1, NAN]], ValueError, "sequence 1: weight 1 is not finite"),
        (3, TypeError, "expected a list of arrays, got int"),
    ],
    "Sequences.from_flat.tokens": [TOKENS[3], *TOKENS[5:]],
    "Sequences.from_padded.tokens": [
        (np.ones((2, 3)), ValueError, r"tokens: expected a padded batch of shape \(n, L, d\)"),
        (3, ValueError, "tokens: expected a padded batch"),
        ("ab", TypeError, "tokens: expected real numbers"),
    ],
    "Sequences.from_padded.mask": [
        ([[1, 1], [0, 0]], ValueError, "mask: sequence 1 has no token"),
        ([[1, 2], [1, 1]], ValueError, "mask: expected true or 1 for real tokens"),
        ([1, 1], ValueError, r"mask: expected shape \(2, 2\)"),
    ],
    "Sequences.from_padded.lengths": [([1, 2], ValueError, "mask, lengths: expected one of them, got both")],
    "Sequences.from_padded.weights": [
        ([[1, NAN], [1, 1]], ValueError, "sequence 0: weight 1 is not finite"),
        ([1, 1], ValueError, "weights: expected"),
    ],
    "Sequences.from_flat.weights": [
        ([1, NAN, 1], ValueError, "sequence 1: weight 0 is not finite"),
        ([0, 1, 1], ValueError, "sequence 0: total mass is zero"),
        ([1, 1], ValueError, "expected 3 weights, one per token, got 2"),
    ],
    **{
        f"{name}.costs": TABLE_OF_COSTS
        for name in (
            "pairwise", "paired_distances", "distances", "certified_distances", "align", "Measure.__call__",
            "Index.build", "Index.build_on_disk",
        )
    },
    "Histograms.histograms": [
        ([[1, -1]], ValueError, "histogram 0: bin 1 is negative"),
        ([[1, 1], [1, NAN]], ValueError, "histogram 1: bin 1 is not finite"),
        ([[1, 1], [0, 0]], ValueError, "histogram 1: all bins are zero"),
        ([1, 1], ValueError, r"expected histograms of shape \(N, K\), got shape \(2,\)"),
        (np.zeros((0, 2)), ValueError, "at least one histogram, got none"),
        ("abc", TypeError, "expected real numbers"),
        (None, TypeError, "expected real numbers"),
    ],
    "Bags.documents": [
        ([[0], [5]], ValueError, "document 1: word 5 is not a row of vectors, which has 3"),
        ([[0], []], ValueError, "document 1: has no words"),
        ([[0], [0.5]], TypeError, r"document 1: expected integers, rows of vectors, got \[0.5\]"),
        ("ab", TypeError, "expected lists of words, got str"),
        ([], ValueError, "expected at least one, got none"),
    ],
    "Bags.from_flat.words": [
        ([0, 9], ValueError, "document 1: word 9 is not a row of vectors"),
        ([0.5, 1], TypeError, r"expected integers of shape \(T,\), got dtype float64"),
    ],
    "WordVectors.words": [
        (["a", "a", "b"], ValueError, "a word is given more than once"),
        ("abc", TypeError, "expected a list of words, got one string"),
        (["a", "b", 3], TypeError, "word 2 is not a string but int"),
    ],
    "WordVectors.bags.texts": [*TEXTS, *NOTHING, (["zzz"], mr.NoTokensError, "text 0 has no word with a vector")],
    "Reranker.rank.query": [(3, TypeError, "expected a string, got int")],
    "unknown": RAISE_OR_KEEP,
    "absent": [
        *RAISE_OR_KEEP,
        ("keep", ValueError, "applies only to doc_ids of an index"),
    ],
    "Alignment.to_csv.path": [PATH[0], ("none/moves.csv", FileNotFoundError, "none/moves.csv")],
    "Alignment.save.path": [
        PATH[0],
        ("none/moves.svg", FileNotFoundError, "none/moves.svg"),
        ("moves.gif", ValueError, "ends in .pdf, .svg, .png, got 'moves.gif'"),
    ],
    "Alignment.save.kind": [("chord", ValueError, "must be one of 'flow', 'heatmap'")],
    "Reranker.rank.where": [("n > 1", ValueError, "applies to payloads of an index, but these documents are texts")],
    "Reranker.rank_batch.where": [("n > 1", ValueError, "applies to payloads of an index")],
    "Reranker.rank_batch.queries": [*TEXTS, *NOTHING],
    "TextIndex.search.query": [(3, TypeError, "expected a string, got int")],
    "TextIndex.search_batch.queries": [*TEXTS],
    "TextIndex.search_vectors.vectors": QUERY,
    "TextIndex.add.unknown": [("keep", ValueError, "must be one of 'raise', 'skip', got 'keep'")],
    "TextIndex.upsert.unknown": [("keep", ValueError, "must be one of 'raise', 'skip', got 'keep'")],
    "TextIndex.remove.ids": CHOSEN,
    "TextIndex.rerank.ids": CHOSEN,
    "TextIndex.rerank.query": [(3, TypeError, "expected a string, got int")],
    "TextIndex.rerank.scores": [
        ([1], ValueError, "expected 2, one per document, got 1"),
        ([1, np.inf], ValueError, "that of document 1 is not finite"),
        (["a", "b"], TypeError, "expected real numbers"),
    ],
    "TextIndex.create.lexical": [("klingon", ValueError, "must be one of .*got 'klingon'")],
    "min_probability": [("high", TypeError, "must be a real number, got 'high'"), (0.5, ValueError, "not calibrated")],
    "TextIndex.near_duplicates.similarity": [("high", TypeError, "must be a real number"), (0, ValueError, "above 0")],
    "TextIndex.fit_fusion.queries": [*TEXTS, (["zzz", "yyy"], ValueError, "none of them has a candidate")],
    "TextIndex.fit_fusion.relevant": [
        (3, TypeError, "expected a list of lists of ids, got int"),
        (["a", "b"], TypeError, "expected a list of ids for query 0, got 'a'"),
        ([["a"]], ValueError, "expected 2, one list of ids per query, got 1"),
    ],
    "Calibration.scores": [((0.0, NAN), ValueError, "finite scores"), ((1.0, 0.0), ValueError, "rising points")],
    "Calibration.probabilities": [((0.1, 1.5), ValueError, "numbers from 0 to 1"), ((0.9, 0.1), ValueError, "rising")],
    "Calibration.method": [("platt", ValueError, "must be one of 'logistic', 'isotonic', got 'platt'")],
    "Calibration.__call__.scores": [("high", TypeError, "scores")],
    "Calibration.from_json.value": [({"method": "logistic"}, ValueError, "is not a calibration: 'scores'")],
    "store_texts": [("yes", TypeError, "must be True or False, got 'yes'")],
    "min_similarity": [("high", TypeError, "must be a real number, got 'high'"), (NAN, ValueError, "finite")],
    "Reranker.rank_batch.scores": [*LISTS, ([[1, 2], [1, 2]], ValueError, "expected 1, one array per query, got 2")],
    "CallableEncoder.queries": [(3, TypeError, "expected something to call, got int")],
    "CallableEncoder.name": NAME,
    "EncoderIdentity.kind": NAME,
    "EncoderIdentity.name": NAME,
    "EncoderIdentity.digest": [*NAME, ("0" * 31, ValueError, "expected 32 hexadecimal digits, got '0+'")],
    "EncoderIdentity.options": [
        (3, TypeError, "expected a mapping, got int"),
        ({3: 1}, TypeError, "expected a string, got 3"),
        ({"a": [1]}, TypeError, r"'a': expected a string, a number, True, False or None, got \[1\]"),
        ({"a": NAN}, ValueError, "'a': expected a finite number of 64 bits, got nan"),
        ({"a": HUGE}, ValueError, f"'a': expected a finite number of 64 bits, got {HUGE}"),
        ({"a": "\ud800"}, ValueError, "is not valid Unicode"),
        ({str(n): n for n in range(101)}, ValueError, "expected at most 100, got 101"),
    ],
    "EncoderIdentity.differences.other": [("a", TypeError, "expected an EncoderIdentity, got str")],
    "EncoderIdentity.from_json.value": [
        ({"kind": "A"}, ValueError, "expected an object of kind, name, dim, digest and options"),
        (3, ValueError, "expected an object of kind, name, dim, digest and options, got 3"),
    ],
    "score.candidates": [
        ("cat", TypeError, "expected a list of texts, got one string"),
        (3, TypeError, "expected a list of texts, got int"),
        (["cat", NAN], TypeError, r"candidate 1 is missing \(nan\)"),
        ([], ValueError, "at least one, got none"),
    ],
    "references": [
        ("cat", TypeError, "expected a list of texts, got one string"),
        (3, TypeError, "expected a list of texts, or of lists of texts, got int"),
        (["cat"], ValueError, r"expected 2, one per candidate \(a text, or a list of them\), got 1"),
        (["cat", 3], TypeError, "reference 1 is not a string but int"),
        (["cat", []], ValueError, r"references\[1\]: expected at least one text, got none"),
        (["cat", ["a", None]], TypeError, r"references\[1\]: reference 1 is missing \(None\)"),
    ],
    "idf": [
        (1, TypeError, "expected True, False or TokenWeights, got 1"),
        ("idf", TypeError, "expected True, False or TokenWeights, got 'idf'"),
        (TokenWeights({"other": 1}), ValueError, "lists no token of these texts"),
    ],
    "baseline": [(0.5, TypeError, "expected a ScoreBaseline, got float")],
    "ScoreBaseline.save.path": [PATH[0], ("none/path.json", FileNotFoundError, "none/path.json")],
    "ScoreBaseline.load.path": [PATH[0], ("path.json", FileNotFoundError, "path.json")],
    "pairs": COUNT,
    "pair": [
        (1, IndexError, "1 of 1"),
        (-2, IndexError, "-2 of 1"),
        (1.5, TypeError, "must be an integer, got 1.5"),
        ("a", TypeError, "must be an integer, got 'a'"),
    ],
    "of": [
        ("f1", ValueError, "must be one of 'precision', 'recall', got 'f1'"),
        (3, TypeError, "must be one of 'precision', 'recall', got 3"),
    ],
    "Fusion.fit.first": [*LISTS, ([[1, NAN]], ValueError, r"first\[0\]: candidate 1 is not finite")],
    "Fusion.fit.similarities": [*LISTS, ([[1]], ValueError, r"similarities\[0\]: expected 2, as in first, got 1")],
    "fit.texts": [
        ("a cat", TypeError, "expected many texts, got one string"),
        (3, TypeError, "expected many texts, got int"),
        (["zzz"], ValueError, "no text has a token"),
    ],
    "fit.steps": [
        (["zzz"], ValueError, "unknown step 'zzz'; expected one of"),
        ([3], TypeError, "expected a name or a recipe of moverank.spaces, got 3"),
        ("idf", TypeError, "expected a list of names or recipes, got str"),
    ],
    "TokenWeights.weights": [
        ({"a": -1}, ValueError, "weight of 'a' must be above 0 and finite, got -1.0"),
        (3, TypeError, "expected a mapping of tokens to numbers, got int"),
    ],
    "Scaling.weights": [("tf", ValueError, "must be 'idf', 'sif' or TokenWeights, got 'tf'")],
    "Weighing.weights": [("tf", ValueError, "must be 'idf', 'sif' or TokenWeights, got 'tf'")],
    "Batch.ids": IDS,
    "Batch.payloads": PAYLOADS,
}  # fmt: skip

#: What messages say where it is not the parameter's name: what it holds, or what the system says.
SAID = {
    "sequences": "sequence|list", "documents": "documents?", "name": "measure|name",
    "path": "path|PathLike|index|moves",
    "words": "words?", "offsets": "offsets", "tokens": "tokens?", "weights": "weights?|mass",
    "s": "sequence|document|integer", "key": "sequences?|documents?|histograms?", "octets": "space",
    "other": "Sequences|sequences|other",
}  # fmt: skip
