"""Bags of words: as good as the sequences that they stand for, and searched without looking at most of them."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.readers import Batch
from real_data import jsonl, rows_of, word_vectors

MEASURES = [
    mr.wmd,
    mr.wrd,
    mr.wrd.replace(capacity=4),
    mr.wmd.replace(capacity=1.5, weighting="norm"),
    mr.wmd.replace(fraction=0.4),
    mr.maxsim,
    mr.rwmd,
    mr.Measure("dot", "norm"),
    mr.Measure("sqeuclidean", "uniform", problem="relaxed", capacity=3),
    mr.wrd.replace(problem=mr.Sinkhorn(epsilon=0.2)),
    mr.wmd.replace(problem=mr.Sinkhorn(epsilon=0.2, debiased=True)),
    mr.wmd.replace(problem=mr.Sinkhorn(epsilon=0.2, marginal_penalty=1.0)),
]


def random_bags(seed, n_docs=120, n_words=60, dim=5, *, counted=True):
    """Bags with planted duplicates over a vocabulary of which some is never used."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_words, dim)).astype(np.float32)
    docs = [rng.integers(n_words - 10, size=rng.integers(1, 12)).tolist() for _ in range(n_docs)]
    if not counted:
        docs = [sorted(set(doc)) for doc in docs]
    for _ in range(20):
        docs[rng.integers(n_docs)] = docs[rng.integers(n_docs)]
    return mr.Bags(vectors, docs), docs


def brute_force(query, bags, measure, ids, k, weights=None):
    distances = mr.distances(query, bags.to_sequences(measure.weighting), measure, weights=weights)
    order = np.lexsort((ids, distances))[:k]
    return np.asarray(ids)[order], distances[order]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@given(seed=st.integers(0, 10**6), k=st.sampled_from([1, 3, 30, 120, 1000]), counted=st.booleans())
def test_search_over_bags_is_brute_force_over_their_sequences(measure, seed, k, counted):
    bags, _ = random_bags(seed, counted=counted)
    ids = np.random.default_rng(seed).permutation(1000)[: len(bags)]
    query = bags[seed % len(bags)]
    expected_ids, expected = brute_force(query, bags, measure, ids, k)
    index = mr.Index.build(bags, measure, ids=ids)
    for num_threads in (1, 3):
        hits = index.search(query, k, num_threads=num_threads)
        assert hits.certificate.exact
        # Weights of a whole batch are normalised in another order than counts: the last bit may differ.
        np.testing.assert_allclose(hits.distances, expected, rtol=1e-9, atol=1e-9)
        if not counted:
            np.testing.assert_array_equal(hits.ids, expected_ids)


@pytest.mark.parametrize("measure", [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4)], ids=lambda m: m.name)
def test_bags_of_words_that_occur_once_have_the_distances_of_their_sequences_to_the_last_bit(measure):
    bags, _ = random_bags(5, n_docs=2000, n_words=300, dim=40, counted=False)
    query = bags[7]
    expected_ids, expected = brute_force(query, bags, measure, np.arange(len(bags)), 40)
    hits = mr.Index.build(bags, measure).search(query, 40)
    np.testing.assert_array_equal(hits.ids, expected_ids)
    np.testing.assert_array_equal(hits.distances, expected)


def test_words_of_any_length_have_a_direction():
    """Squares of the shortest and of the longest leave float32, so that their costs are computed in float64."""
    bags, _ = random_bags(6, counted=False)
    lengths = 10.0 ** np.random.default_rng(6).integers(-30, 30, size=(len(bags.vectors), 1))
    scaled = mr.Bags.from_flat(bags.vectors * lengths, bags.words, bags.offsets)
    measure = mr.Measure("cosine", "uniform")
    for query in (bags[3], scaled[3]):
        hits = mr.Index.build(scaled, measure).search(query, 120)
        plain = mr.Index.build(bags, measure).search(bags[3], 120)
        np.testing.assert_allclose(hits.distances, plain.distances, atol=2e-6)


def test_most_of_a_large_collection_is_never_solved():
    bags, _ = random_bags(11, n_docs=20_000, n_words=2000, dim=6, counted=False)
    for measure in (mr.wmd, mr.wrd, mr.wrd.replace(capacity=4), mr.rwmd):
        hits = mr.Index.build(bags, measure).search(bags[3][:6], 10)
        expected_ids, expected = brute_force(bags[3][:6], bags, measure, np.arange(len(bags)), 10)
        np.testing.assert_array_equal(hits.ids, expected_ids)
        np.testing.assert_array_equal(hits.distances, expected)
        assert hits.stats.exact_solves < 600


def test_near_ties_among_thousands_are_resolved_exactly():
    rng = np.random.default_rng(2)
    vectors = np.repeat(rng.normal(size=(6, 4)), 50, axis=0) + 1e-7 * rng.integers(-2, 3, size=(300, 4))
    docs = [[int(50 * w + rng.integers(50)) for w in range(6)] for _ in range(4000)]
    bags = mr.Bags(vectors, docs)
    query = vectors[::50] + 1
    for measure in (mr.wmd, mr.wrd, mr.wrd.replace(capacity=2), mr.rwmd, mr.maxsim):
        ids = rng.permutation(len(docs))
        expected_ids, expected = brute_force(query, bags, measure, ids, 25)
        hits = mr.Index.build(bags, measure, ids=ids).search(query, 25)
        np.testing.assert_array_equal(hits.ids, expected_ids)
        np.testing.assert_array_equal(hits.distances, expected)


@pytest.mark.slow(reason="a real collection")
def test_the_search_over_real_abstracts_is_exact_and_solves_few():
    row_of, vectors = word_vectors("glove6b-100d-en")
    texts = [f"{doc['title']} {doc['text']}" for doc in jsonl("retrieval/scifact/corpus.jsonl")[:3000]]
    bags = mr.Bags(vectors, [rows_of(text, row_of) for text in texts])
    claims = [rows_of(claim["text"], row_of) for claim in jsonl("retrieval/scifact/queries.jsonl")[:60:12]]
    for measure in (mr.wmd, mr.wrd, mr.wrd.replace(capacity=4)):
        index = mr.Index.build(bags, measure)
        for claim in claims:
            query = mr.Bags(vectors, [claim])
            hits = index.search(query, 10)
            weights = query.weights_of(0, measure.weighting)
            expected_ids, expected = brute_force(query[0], bags, measure, np.arange(len(bags)), 10, weights)
            np.testing.assert_array_equal(hits.ids, expected_ids)
            np.testing.assert_allclose(hits.distances, expected, rtol=1e-12)
            assert hits.stats.exact_solves < 0.1 * len(bags)


def test_bags_are_the_same_however_they_are_made():
    bags, docs = random_bags(3)
    lists = [np.unique(doc, return_counts=True) for doc in docs]
    words = np.concatenate([own for own, _ in lists])
    counts = np.concatenate([times for _, times in lists])
    offsets = np.cumsum([0, *(len(own) for own, _ in lists)])
    flat = mr.Bags.from_flat(bags.vectors, words, offsets, counts)
    copy = pickle.loads(pickle.dumps(flat))
    for other in (flat, copy):
        np.testing.assert_array_equal(other.words, bags.words)
        np.testing.assert_array_equal(other.offsets, bags.offsets)
        np.testing.assert_array_equal(other.counts, bags.counts)
        np.testing.assert_array_equal(other.vectors, bags.vectors)
    assert bags.nbytes == bags.vectors.nbytes + bags.words.nbytes + bags.counts.nbytes + bags.offsets.nbytes
    assert bags.dim == 5
    assert len(bags) == 120
    np.testing.assert_array_equal(bags.lengths, np.diff(offsets))


def test_words_that_do_not_occur_are_left_out_as_of_histograms():
    rng = np.random.default_rng(3)
    table = rng.integers(0, 3, (12, 6)) + np.eye(12, 6, dtype=int)
    words, offsets = np.tile(np.arange(6), 12), np.arange(13) * 6
    vectors = rng.normal(size=(6, 3))
    bags = mr.Bags.from_flat(vectors, words, offsets, table.ravel())
    assert bags.lengths.tolist() == (table > 0).sum(axis=1).tolist()
    costs = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    np.testing.assert_allclose(mr.pairwise(bags, measure="wmd"), mr.pairwise(table, costs=costs), atol=1e-6)
    for measure in ("wmd", "wrd"):
        repeated = [np.repeat(vectors, row, axis=0) for row in table]
        found = mr.Index.build(bags, measure).search(repeated[0], 12)
        expected = np.sort(mr.distances(repeated[0], repeated, measure))
        np.testing.assert_allclose(found.distances, expected, atol=1e-6)


def test_bags_do_not_go_with_a_space_that_weighs_tokens(tmp_path):
    encoder = mr.encoders.WordVectors(["a", "b"], np.eye(2))
    weighing = mr.fit(encoder, ["a b", "a"], ["idf"])
    counted = encoder.bags(["a b", "b"])
    refused = pytest.raises(ValueError, match="docs: expected counts multiplied by the token weights of the space")
    with refused:
        mr.Index.build(counted, space=weighing)
    with refused:
        mr.Index.build_on_disk(tmp_path / "index", [Batch(counted)], "wmd", space=weighing)
    mr.Index.build(encoder.bags(["a b", "b"]), space=mr.fit(encoder, ["a b", "a"], ["centring"]))
    weighed = mr.Bags.from_flat(np.eye(2), [0, 1, 1], [0, 2, 3], [0.4, 0.7, 0.7])
    index = mr.Index.build(weighed, space=weighing)
    with refused:
        index.add(counted)
    with refused:
        index.upsert(counted, [0, 1])
    index.add(weighed)
    assert len(index) == 4


def test_counts_are_repetitions_under_every_weighting():
    vectors = np.random.default_rng(0).normal(size=(4, 3))
    counted = mr.Bags(vectors, [[0, 1, 1, 1, 2], [3]])
    repeated = [vectors[[0, 1, 1, 1, 2]], vectors[[3]]]
    for measure in (mr.wmd, mr.wrd, mr.wmd.replace(weighting="norm")):
        hits = mr.Index.build(counted, measure).search(vectors[:2], 2)
        expected = mr.distances(vectors[:2], repeated, measure)
        np.testing.assert_allclose(hits.distances, np.sort(expected), rtol=1e-6)
        assert hits[0].alignment.value == pytest.approx(hits.distances[0], abs=1e-9)


def test_word_vectors_make_bags():
    encoder = mr.encoders.WordVectors.default()
    texts = ["A cat sat on the mat, a big mat.", "The president greets the press in Chicago."]
    bags = encoder.bags(texts)
    assert bags.lengths.tolist() == [len(set(words)) for words in encoder.encode(texts).tokens]
    hits = mr.Index.build(bags).search(encoder.bags(["A politician talks to journalists in Illinois."]), 2)
    assert hits.ids.tolist() == [1, 0]
    with pytest.raises(ValueError, match="texts: text 1 has no word with a vector"):
        encoder.bags(["cat", "!!!"])


def test_documents_of_words_without_length_have_no_mass_by_norm():
    vectors = [[0.0, 0.0], [3.0, 4.0]]
    index = mr.Index.build(mr.Bags(vectors, [[0, 1], [1]]), mr.wmd.replace(weighting="norm"))
    assert index.search([[3.0, 4.0]], 2).distances.tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="docs: sequence 1: total mass is zero"):
        mr.Index.build(mr.Bags(vectors, [[1], [0]]), mr.wmd.replace(weighting="norm"))


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: mr.Bags(np.eye(2), []), ValueError, "documents: expected at least one, got none"),
        (lambda: mr.Bags(np.eye(2), [[0], []]), ValueError, "document 1: has no words"),
        (
            lambda: mr.Bags(np.eye(2), [[0], [1, 2]]),
            ValueError,
            "document 1: word 2 is not a row of vectors, which has 2",
        ),
        (lambda: mr.Bags(np.eye(2), [[-1]]), ValueError, "document 0: word -1 is not a row of vectors"),
        (lambda: mr.Bags(np.eye(2), [[0.5]]), TypeError, "document 0: expected integers, rows of vectors, got"),
        (lambda: mr.Bags([[0]], np.eye(300)), TypeError, r"document 0: .*, got array\(\[1[^,]*, 0.{,40}$"),
        (lambda: mr.Bags(np.eye(2), "ab"), TypeError, "documents: expected lists of words, got str"),
        (lambda: mr.Bags(np.eye(2), 3), TypeError, "documents: expected lists of words, got int"),
        (lambda: mr.Bags([[np.nan]], [[0]]), ValueError, "vectors: token 0 is not finite"),
        (lambda: mr.Bags.from_flat(np.eye(2), [0.0], [0, 1]), TypeError, "words: expected integers"),
        (lambda: mr.Bags.from_flat(np.eye(2), [0, 5], [0, 1, 2]), ValueError, "document 1: word 5 is not a row of"),
        (lambda: mr.Bags.from_flat(np.eye(2), [0, 1], [0, 2, 2]), ValueError, "document 1: has no words; an empty doc"),
        (lambda: mr.Bags.from_flat(np.eye(2), [0, 1], [0, 3]), ValueError, "offsets: must start at 0 and end at 2"),
        (lambda: mr.Bags.from_flat(np.eye(2), [0], [0, 1], [0.0]), ValueError, "counts: document 0: all are zero"),
        (
            lambda: mr.Bags.from_flat(np.eye(2), [0], [0, 1], [np.inf]),
            ValueError,
            "counts: entry 0, word 0 of document 0, is inf",
        ),
        (lambda: mr.Bags.from_flat(np.eye(2), [0, 1], [0, 1, 2], [1, -2]), ValueError, "word 1 of document 1, is -2"),
        (lambda: mr.Bags.from_flat(np.eye(2), [0], [0, 1], [1e-99]), ValueError, "document 0, is too small for"),
        (lambda: mr.Bags.from_flat(np.eye(2), [0], [0, 1], [1, 2]), ValueError, "counts: expected 1, one per word"),
        (lambda: mr.Bags(np.eye(2), [[0]])[1], IndexError, "document 1 of 1"),
        (
            lambda: mr.Index.build(mr.Bags([[0.0, 0.0], [1.0, 0.0]], [[1], [0, 0]]), ids=["a", "b"]),
            ValueError,
            r"docs: sequence 1 \(id 'b'\): total mass is zero",
        ),
        (
            lambda: mr.Index.build(mr.Bags([[1e25]], [[0]]), "wmd"),
            ValueError,
            "docs: sequence 0: word 0 has a vector too long for costs in float32",
        ),
        (
            lambda: mr.Index.build(mr.Bags(np.eye(2), [[0]]), mr.Measure(weighting="given")),
            ValueError,
            "docs: sequence 0: has no counts, which weighting 'given' needs",
        ),
        (
            lambda: mr.Index.build(mr.Bags(np.eye(2), [[0]]), prefilter="HNSW32"),
            ValueError,
            "prefilter: expected none for bags",
        ),
        (lambda: mr.Index.build(mr.Bags(np.eye(2), [[0]])).search(np.eye(3)), ValueError, "query has dimension 3"),
        (
            lambda: mr.Index.build(mr.Bags(np.eye(2), [[0]])).search(mr.Bags(np.eye(2), [[0], [1]])),
            ValueError,
            "query: expected one sequence, got a batch of 2",
        ),
    ],
)
def test_bad_bags_are_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize("size", [1e14, 1e17, 1e-20])
def test_a_zero_word_of_the_table_is_no_obstacle_to_queries_of_any_length(size):
    rng = np.random.default_rng(1)
    table = rng.normal(size=(60, 8)).astype(np.float32)
    table[0] = 0
    bags = mr.Bags(table, [sorted({0, *rng.integers(1, 60, 6).tolist()}) for _ in range(200)])
    query = rng.normal(size=(5, 8))
    expected = mr.distances(query, bags, "wrd")
    hits = mr.Index.build(bags, "wrd").search((query * size).astype(np.float32), 5)
    np.testing.assert_allclose(hits.distances, np.sort(expected)[:5], atol=1e-5)
