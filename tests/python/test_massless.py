"""Tokens without mass: they stay where they are and change nothing, whatever their vector."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.encoders import WordVectors
from moverank.ranking import Reranker

GROUNDS = ["cosine", "euclidean", "sqeuclidean", "dot"]
PROBLEMS = [
    {},
    {"capacity": 2.5},
    {"capacity": np.inf},
    {"fraction": 0.6},
    {"problem": "relaxed"},
    {"problem": mr.Sinkhorn(0.3, relative=False)},
    {"problem": mr.Sinkhorn(0.3, relative=False, debiased=True)},
]


@st.composite
def padded(draw):
    """A sequence with weights, and the same with tokens of weight 0 among its own: zeros, or nearest to everything."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, extra = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    keep = np.sort(rng.choice(n + extra, n, replace=False))
    fill = draw(st.sampled_from([0.0, 1.0]))
    tokens = np.full((n + extra, 4), fill, dtype=np.float32)
    tokens[keep] = rng.normal(size=(n, 4))
    weights = np.zeros(n + extra)
    weights[keep] = rng.integers(1, 4, n)
    return tokens, weights, keep


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("options", PROBLEMS, ids=str)
@given(x=padded(), y=padded())
def test_tokens_of_weight_zero_change_nothing(ground, options, x, y):
    measure = mr.Measure(ground, "uniform", **options)
    (p, a, of_p), (q, b, of_q) = x, y
    expected = measure(p[of_p], q[of_q], a[of_p], b[of_q])
    queries, docs = mr.Sequences([p], [a]), mr.Sequences([q], [b])
    assert measure(p, q, a, b) == pytest.approx(expected, abs=1e-12)
    assert mr.pairwise(queries, docs, measure)[0, 0] == pytest.approx(expected, abs=1e-12)
    assert mr.certified_distances(p, docs, measure, weights=a).values[0] == pytest.approx(expected, abs=1e-12)
    index = mr.Index.build(docs, measure)
    assert index.search(p, weights=a).distances[0] == pytest.approx(expected, abs=1e-12)
    aligned = mr.align(p, q, measure, a, b)
    alone = mr.align(p[of_p], q[of_q], measure, a[of_p], b[of_q])
    assert aligned.value == pytest.approx(alone.value, abs=1e-7)
    assert aligned.plan.shape == (len(p), len(q))
    assert not np.delete(aligned.plan, of_p, axis=0).any()
    assert not np.delete(aligned.plan, of_q, axis=1).any()
    if measure.problem != "relaxed":
        found = mr.gradients(p, q, measure, a, b)
        assert found.value == pytest.approx(mr.gradients(p[of_p], q[of_q], measure, a[of_p], b[of_q]).value, abs=1e-7)
        assert not np.delete(found.y, of_q, axis=0).any()
        assert all(np.isfinite(g).all() for g in (found.x, found.y, found.a, found.b))


@pytest.mark.parametrize("options", [{"dtype": "int8", "rescore": True}, {"dtype": "float16"}, {"prefilter": "Flat"},
                                     {"prefilter": mr.Clusters(2)}, {"prefilter": "tokens"}], ids=str)  # fmt: skip
@pytest.mark.parametrize("ground", ["cosine", "euclidean", "dot"])
@pytest.mark.parametrize("capacity", [1, np.inf])
def test_indexes_bear_padding(ground, capacity, options):
    rng = np.random.default_rng(4)
    documents = [rng.normal(size=(n, 8)) for n in rng.integers(1, 9, 60)]
    tokens, weights = np.zeros((60, 9, 8)), np.zeros((60, 9))
    for s, x in enumerate(documents):
        tokens[s, : len(x)], weights[s, : len(x)] = x, 1
    tokens[::2][weights[::2] == 0] = 3.0
    measure = mr.Measure(ground, "uniform", capacity)
    index = mr.Index.build(mr.Sequences(tokens, weights), measure, **options)
    plain = mr.Index.build(documents, measure, **options)
    for query in documents[:5]:
        found, expected = index.search(query, 5), plain.search(query, 5)
        np.testing.assert_allclose(found.distances, expected.distances, atol=1e-6)
        assert found.ids.tolist() == expected.ids.tolist()
        assert index.search(query, 5, candidates=60).ids.tolist() == expected.ids.tolist()


def test_zero_vectors_have_no_mass_by_norm():
    x, y = np.eye(3)[:2], np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 2, 0]])
    assert mr.wrd(x, y) == mr.wrd(x, y[[1, 3]])
    assert mr.align(x, y, "wrd").plan[:, [0, 2]].sum() == 0
    assert mr.gradients(x, y, "wrd").value == pytest.approx(mr.wrd(x, y), abs=1e-6)
    bags = mr.Bags(np.vstack([np.eye(3), np.zeros(3)]), [[0, 3], [1, 3, 3]])
    np.testing.assert_allclose(mr.Index.build(bags).search(bags[0]).distances, [0, 1], atol=1e-6)
    np.testing.assert_allclose(mr.distances(bags[0], bags), [0, 1], atol=1e-6)


def test_zero_vectors_with_mass_have_no_direction():
    zero = np.array([[1.0, 0], [0, 0]])
    uniform = mr.Measure("cosine", "uniform")
    for call in (
        lambda: uniform(np.eye(2), zero),
        lambda: mr.wrd(np.eye(2), zero, b=[1, 1]),
        lambda: mr.gradients(np.eye(2), zero, uniform),
        lambda: mr.align(np.eye(2), zero, uniform),
    ):
        with pytest.raises(ValueError, match="y: token 1 is a zero vector, which has no direction"):
            call()
    with pytest.raises(ValueError, match="docs: sequence 1: total mass is zero"):
        mr.distances(np.eye(2), [zero, np.zeros((2, 2))], "wrd")
    with pytest.raises(ValueError, match="docs: sequence 1: word 1 has a zero vector"):
        mr.Index.build(mr.Bags(zero, [[0], [0, 1]]), uniform)


def test_words_whose_vector_is_zero_do_not_stop_a_ranking():
    encoder = WordVectors(["cat", "dog", "zz"], [[1.0, 0], [0, 1], [0, 0]])
    ranking = Reranker(encoder).rank("zz cat", ["zz dog", "cat", "dog"])
    assert [document.text for document in ranking] == ["cat", "zz dog", "dog"]
