"""Values of an independent implementation on real data, reproduced pair by pair; search on the same data."""

import numpy as np
import pytest

import moverank as mr
from real_data import cranfield, rows_of, tsv, word_vectors


@pytest.mark.slow(reason="a real collection")
def test_sts_benchmark_pairs():
    """`reference/`: cosine of sums, WMD, WRD, and the two mixed measures on every pair of STS-B dev."""
    row_of, vectors = word_vectors("glove6b-100d-en")
    pairs = tsv("sts/stsb-en-dev.tsv")
    path = tsv("reference/stsb-en-dev-glove6b-100d.tsv")
    expected = np.array([[float(x) for x in row[-5:]] for row in path])
    columns = {"WMD": 1, "WRD": 2, "uCOS": 3, "nEUC": 4}
    ours = np.full((len(pairs), 5), np.nan)
    for p, (_, left, right) in enumerate(pairs):
        x, y = vectors[rows_of(left, row_of)], vectors[rows_of(right, row_of)]
        if len(x) == 0 or len(y) == 0:
            continue
        ours[p, 1] = -mr.wmd(x, y)
        ours[p, 2] = 1 - mr.wrd(x, y)
        ours[p, 3] = 1 - mr.Measure("cosine", "uniform")(x, y)
        ours[p, 4] = -mr.Measure("euclidean", "norm")(x, y)
    assert len(pairs) == len(expected) == 1500
    for name, column in columns.items():
        compared = ~np.isnan(ours[:, column]) & ~np.isnan(expected[:, column])
        assert compared.sum() >= 1490, name
        np.testing.assert_allclose(ours[compared, column], expected[compared, column], atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def tokens():
    data = cranfield()
    docs = mr.Sequences.from_flat(data["doc_tokens"].astype(np.float32), data["doc_off"])
    queries = mr.Sequences.from_flat(data["query_tokens"].astype(np.float32), data["query_off"])
    return data, docs, queries


@pytest.mark.slow(reason="a real collection")
@pytest.mark.parametrize("name", ["wmd", "wrd"])
def test_cranfield_matrices(tokens, name):
    data, docs, queries = tokens
    np.testing.assert_allclose(mr.pairwise(queries, docs, name), data[name], atol=1e-5)


def test_cranfield_maxsim(tokens):
    data, docs, queries = tokens
    best_cosine = mr.Measure("cosine", "uniform", capacity=np.inf)
    np.testing.assert_allclose(1 - mr.pairwise(queries, docs, best_cosine), data["maxsim"], atol=1e-5)


@pytest.mark.slow(reason="brute force over a real collection")
@pytest.mark.parametrize("measure", [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4), mr.maxsim], ids=lambda m: m.name)
def test_search_on_real_tokens_equals_brute_force(tokens, measure):
    _, docs, queries = tokens
    doubled = docs + docs[:50]  # ties
    index = mr.Index.build(doubled, measure)
    for q in range(len(queries)):
        all_distances = mr.distances(queries[q], doubled, measure)
        order = np.lexsort((np.arange(len(doubled)), all_distances))[:10]
        hits = index.search(queries[q], 10)
        np.testing.assert_array_equal(hits.ids, order)
        np.testing.assert_array_equal(hits.distances, all_distances[order])


@pytest.mark.slow(reason="brute force over a real collection")
def test_search_on_real_sentences_equals_brute_force():
    row_of, vectors = word_vectors("minilmstatic-128d-en")
    texts = {text for row in tsv("sts/stsb-en-dev.tsv") for text in row[1:]}
    encoded = [rows for rows in (rows_of(text, row_of) for text in sorted(texts)) if rows]
    docs = mr.Sequences([vectors[rows] for rows in encoded])
    for measure in (mr.wmd, mr.wrd):
        index = mr.Index.build(docs, measure)
        for q in range(0, len(docs), 300):
            all_distances = mr.distances(docs[q], docs, measure)
            order = np.lexsort((np.arange(len(docs)), all_distances))[:10]
            hits = index.search(docs[q], 10)
            np.testing.assert_array_equal(hits.ids, order)
            np.testing.assert_array_equal(hits.distances, all_distances[order])
