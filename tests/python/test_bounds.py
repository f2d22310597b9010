"""Lower bounds never exceed the exact value, on hostile and on real numbers."""

import numpy as np
import pytest

import moverank as mr
from moverank import _core
from moverank.measures.measure import prepare
from real_data import cranfield


def assert_bounds_hold(query, docs, measure):
    part = prepare(docs, measure)
    corpus = _core.Corpus([part])
    values = mr.distances(query, docs, measure)
    everything = np.arange(len(docs), dtype=np.int64)
    prepared = _core.Query(query.tokens, None, measure._spec)
    bounds = _core.QueryBounds(corpus, prepared, 0)
    best = bounds.lower_bounds(everything, 0)
    assert (best <= values).all()
    np.testing.assert_array_equal(bounds.by_name(bounds.names[-1], everything, 0), best)
    pooled, pooled_query = part.pooled(), prepared.pooled(corpus)
    largest = float(np.sqrt((np.vstack([pooled, pooled_query]).astype(np.float64) ** 2).sum(axis=1).max()))
    direct = ((pooled - pooled_query) ** 2).sum(axis=1)
    expansion = (pooled**2).sum(axis=1) + (pooled_query**2).sum() - 2 * pooled @ pooled_query
    for squared in (direct, np.maximum(expansion, 0)):
        assert (prepared.pooled_bounds(corpus, squared.astype(np.float32), largest) <= values).all()


@pytest.mark.parametrize("dim", [1, 2, 17, 128, 1024])
@pytest.mark.parametrize("kind", ["normal", "far", "near duplicates", "norms"])
def test_bounds_hold_on_hostile_numbers(dim, kind):
    rng = np.random.default_rng(dim)
    base = rng.normal(size=(3, dim))
    docs = []
    for _ in range(60):
        x = rng.normal(size=(rng.integers(1, 7), dim))
        if kind == "far":
            x += 1e4
        elif kind == "near duplicates":
            x = base + 1e-6 * rng.normal(size=base.shape)
        elif kind == "norms":
            x *= 10.0 ** rng.uniform(-3, 3, size=(len(x), 1))
        docs.append(x.astype(np.float32))  # which the core has as they are, however far
    batch = mr.Sequences(docs)
    for ground in ("cosine", "euclidean", "sqeuclidean"):
        for weighting in ("uniform", "norm"):
            assert_bounds_hold(batch[0], batch, mr.Measure(ground, weighting))


@pytest.mark.parametrize("dim", [1, 7, 64, 768])
@pytest.mark.parametrize("threshold", [0, 2**30], ids=["expansion", "differences"])
def test_pooled_bounds_hold_by_either_of_faiss_formulas(dim, threshold):
    import faiss

    rng = np.random.default_rng(dim)
    base = rng.normal(size=dim)
    nearness = 10.0 ** rng.uniform(-8, 1, size=80)
    docs = mr.Sequences([(base + near * rng.normal(size=(2, dim))).astype(np.float32) for near in nearness])
    before = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = threshold
    try:
        for measure in (mr.wmd, mr.wrd, mr.Measure("sqeuclidean", "uniform")):
            part = prepare(docs, measure)
            corpus = _core.Corpus([part])
            query = _core.Query(docs[0].tokens, None, measure._spec)
            pooled, pooled_query = part.pooled(), query.pooled(corpus)
            squared, found = faiss.knn(pooled_query[None], pooled, len(docs))
            largest = float(np.sqrt((pooled.astype(np.float64) ** 2).sum(axis=1).max()))
            values = mr.distances(docs[0], docs, measure)
            assert (query.pooled_bounds(corpus, squared[0], largest) <= values[found[0]]).all()
    finally:
        faiss.cvar.distance_compute_blas_threshold = before


def test_bounds_hold_on_real_tokens():
    data = cranfield()
    docs = mr.Sequences.from_flat(data["doc_tokens"].astype(np.float32), data["doc_off"])
    queries = mr.Sequences.from_flat(data["query_tokens"].astype(np.float32), data["query_off"])
    for q in range(0, len(queries), 3):
        for measure in (mr.wmd, mr.wrd):
            assert_bounds_hold(queries[q], docs, measure)
