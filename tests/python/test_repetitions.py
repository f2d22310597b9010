"""Documents that repeat tokens: the distances of those without repetitions, and plans over all their tokens."""

import numpy as np
import pytest

import moverank as mr
import reference

MEASURES = [
    mr.wmd,
    mr.wrd,
    mr.wmd.replace(capacity=3),
    mr.wrd.replace(fraction=0.5),
    mr.Measure("dot", "uniform"),
    mr.rwmd,
    mr.maxsim,
]


@pytest.fixture(scope="module")
def texts():
    """Words, and what they are in each text: (table, list of rows)."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(12, 20)).astype(np.float32)
    rows = [rng.integers(0, 12, size=length) for length in (5, 150, 400, 900, 130)]
    return table, rows


def merged(table, rows, measure):
    words, counts = np.unique(rows, return_counts=True)
    weights = counts * (np.linalg.norm(table[words], axis=1) if measure.weighting == "norm" else 1.0)
    return table[words], weights / weights.sum()


@pytest.mark.parametrize("measure", MEASURES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8", "int4", "int2"])
def test_distances_are_those_of_different_words_with_their_counts(texts, measure, dtype):
    table, rows = texts
    docs = mr.Sequences([table[r] for r in rows]).astype(dtype)
    stored = np.concatenate([docs[s] for s in range(len(docs))])
    table = np.array([stored[np.concatenate(rows) == w][0] for w in range(len(table))])
    query, a = merged(table, rows[3], measure)
    expected = []
    for r in rows:
        words, b = merged(table, r, measure)
        expected.append(measure(query, words, a, b))
    query = docs[3:4]
    np.testing.assert_allclose(mr.distances(query, docs, measure), expected, atol=1e-9)
    np.testing.assert_allclose(mr.certified_distances(query, docs, measure).values, expected, atol=1e-9)
    np.testing.assert_allclose(mr.pairwise(docs, docs[:], measure)[3], expected, atol=1e-9)
    np.testing.assert_allclose(mr.paired_distances(docs[[3] * 5], docs, measure), expected, atol=1e-9)
    hits = mr.rerank(query, docs, 5, measure)
    np.testing.assert_allclose(hits.distances, np.sort(expected), atol=1e-9)
    np.testing.assert_allclose([hit.alignment.value for hit in hits], hits.distances, atol=1e-9)


def test_a_long_document_against_the_oracle(texts):
    table, rows = texts
    words, b = merged(table, rows[3], mr.wmd)
    query, a = merged(table, rows[2], mr.wmd)
    expected = reference.pot_exact(reference.ground_cost("euclidean", query, words), a, b)
    assert mr.wmd(table[rows[2]], table[rows[3]]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_a_plan_covers_all_tokens_in_proportion_to_their_mass(texts, measure):
    table, rows = texts
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0.5, 2, len(rows[1])), rng.uniform(0.5, 2, len(rows[3]))
    a[3] = b[7] = 0
    found = mr.align(table[rows[1]], table[rows[3]], measure, a, b)
    assert found.plan.shape == found.cost.shape == (len(a), len(b))
    np.testing.assert_allclose(found.a, a / a.sum())
    np.testing.assert_allclose(found.plan.sum(), measure.fraction)
    assert (found.plan.sum(axis=1) <= found.a * (1 + 1e-9) + 1e-12).all()
    if measure.capacity == 1 and measure.fraction == 1 and measure.problem == "exact":
        np.testing.assert_allclose(found.plan.sum(axis=1), found.a, atol=1e-12)
        np.testing.assert_allclose(found.plan.sum(axis=0), found.b, atol=1e-12)
    assert found.value == pytest.approx((found.plan * found.cost).sum(), abs=1e-9)
    assert found.value == pytest.approx(measure(table[rows[1]], table[rows[3]], a, b), abs=1e-9)
    of_word = {w: found.plan[:, (rows[3] == w) & (b > 0)] / b[(rows[3] == w) & (b > 0)] for w in range(12)}
    assert all(np.ptp(share, axis=1).max() < 1e-9 for share in of_word.values())


def test_repetitions_of_a_search_are_ranked_with_the_others(texts):
    table, rows = texts
    docs = [table[r] for r in rows] + [np.repeat(table[:3], n, axis=0) for n in (1, 60, 90)]
    index = mr.Index.build(docs, "wmd")
    hits = index.search(np.repeat(table[:3], 50, axis=0), k=3)
    assert hits.ids.tolist() == [5, 6, 7]
    np.testing.assert_allclose(hits.distances, 0, atol=1e-12)
    assert hits.certificate.exact
