"""Searches that stop early say what is proved, and it is true; filters, radii and batches equal brute force."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.index.disk.describe import describe

MEASURES = [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4), mr.rwmd, mr.Measure("dot", "uniform")]


def collection(seed, n_docs=400, dim=4):
    rng = np.random.default_rng(seed)
    docs = mr.Sequences([rng.normal(size=(rng.integers(1, 9), dim)) for _ in range(n_docs)])
    return docs, rng.permutation(n_docs) + 1000, rng.normal(size=(5, dim)).astype(np.float32)


def bag_collection(seed, n_docs=400, dim=4):
    rng = np.random.default_rng(seed)
    docs = [rng.permutation(80)[: rng.integers(1, 9)].tolist() for _ in range(n_docs)]
    bags = mr.Bags(rng.normal(size=(80, dim)).astype(np.float32), docs)
    return bags, rng.permutation(n_docs) + 1000, rng.normal(size=(5, dim)).astype(np.float32)


def values_of(query, docs, measure):
    return mr.distances(query, docs.to_sequences() if isinstance(docs, mr.Bags) else docs, measure)


def assert_certificate_is_true(hits, values, ids, k):
    """The hits' distances are real, those called certain are the first of the true answer, and bounds hold."""
    certificate = hits.certificate
    by_id = dict(zip(ids.tolist(), values, strict=True))
    assert [by_id[i] for i in hits.ids.tolist()] == hits.distances.tolist()
    order = np.lexsort((ids, values))[:k]
    if certificate.exact:
        np.testing.assert_array_equal(hits.ids, ids[order])
    assert set(hits.ids[: certificate.certain].tolist()) <= set(ids[order].tolist())
    np.testing.assert_array_equal(hits.distances[: certificate.certain], values[order][: certificate.certain])
    outside = np.setdiff1d(values, hits.distances)
    if len(outside) and len(hits) == k:
        assert certificate.bound <= outside.min() or outside.min() > hits.distances[-1]
    if np.isfinite(certificate.error) and values[order[-1]] > 0:
        assert hits.distances[-1] <= (1 + certificate.error) * values[order[-1]] * (1 + 1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@pytest.mark.parametrize("make", [collection, bag_collection])
@given(seed=st.integers(0, 10**6), candidates=st.sampled_from([7, 30, 150, 399, 400, 5000]))
def test_candidates(make, measure, seed, candidates):
    docs, ids, query = make(seed)
    values = values_of(query, docs, measure)
    hits = mr.Index.build(docs, measure, ids=ids).search(query, 7, candidates=candidates)
    assert len(hits) == 7
    assert_certificate_is_true(hits, values, ids, 7)
    if candidates >= 400:
        assert hits.certificate.exact
    spread = 25 if isinstance(docs, mr.Bags) else 0
    assert hits.stats.exact_solves <= candidates + spread


@pytest.mark.parametrize("prefilter", ["HNSW16", "IVF8,Flat;nprobe=8", "SQ8"])
@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_approximate_prefilters_prove_nothing_about_what_they_leave_out(prefilter, measure):
    docs, ids, query = collection(3)
    values = values_of(query, docs, measure)
    index = mr.Index.build(docs, measure, ids=ids, prefilter=prefilter)
    hits = index.search(query, 7, candidates=100)
    assert_certificate_is_true(hits, values, ids, 7)
    assert not hits.certificate.exact
    assert hits.certificate.certain == 0
    assert "nothing is known of them; 0 of 7 hits are certain" in str(hits.certificate)
    assert prefilter in str(hits.stats)
    exact = index.search(query, 7)
    assert exact.certificate.exact
    assert_certificate_is_true(exact, values, ids, 7)


@pytest.mark.parametrize("measure", [*MEASURES, mr.maxsim], ids=lambda m: m.name)
@given(seed=st.integers(0, 10**6), candidates=st.sampled_from([7, 30, 400]), per_document=st.sampled_from([1, 3, 50]))
def test_clusters_bring_candidates_and_prove_nothing(measure, seed, candidates, per_document):
    docs, ids, query = collection(seed)
    values = values_of(query, docs, measure)
    index = mr.Index.build(docs, measure, ids=ids, prefilter=mr.Clusters(per_document))
    hits = index.search(query, 7, candidates=candidates)
    assert_certificate_is_true(hits, values, ids, 7)
    assert hits.certificate.exact == (candidates == 400)
    assert f"clusters, {per_document}" in str(hits.stats)
    assert_certificate_is_true(index.search(query, 7), values, ids, 7)


@pytest.mark.parametrize("measure", [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4)], ids=lambda m: m.name)
def test_as_many_clusters_as_tokens_are_the_tokens(measure):
    docs, ids, query = collection(5)
    weighted = mr.Sequences(list(docs), weights=[np.arange(1.0, len(x) + 1) for x in docs])
    values = mr.distances(query, weighted, measure)
    hits = mr.Index.build(weighted, measure, ids=ids, prefilter=mr.Clusters(9)).search(query, 7, candidates=120)
    np.testing.assert_array_equal(hits.ids, ids[np.lexsort((ids, values))[:7]])


def test_more_clusters_find_more_of_what_one_vector_misses():
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(40, 16))
    docs = mr.Sequences([topics[rng.permutation(40)[:8]] + 0.3 * rng.normal(size=(8, 16)) for _ in range(3000)])
    measure = mr.wrd.replace(capacity=4)
    queries = [topics[rng.permutation(40)[:2]] for _ in range(8)]
    exact = [mr.Index.build(docs, measure).search(query, 10).ids for query in queries]
    found = {}
    for prefilter in ("Flat", mr.Clusters(8)):
        index = mr.Index.build(docs, measure, prefilter=prefilter)
        answers = [index.search(query, 10, candidates=60).ids for query in queries]
        found[str(prefilter)] = sum(len(np.intersect1d(x, y)) for x, y in zip(answers, exact, strict=True))
    assert found["Clusters(per_document=8)"] > 1.3 * found["Flat"]


def test_opposite_tokens_still_make_a_cluster():
    docs = [[[1.0, 0.0], [-1.0, 0.0]], [[0.0, 1.0]]]
    index = mr.Index.build(docs, "wrd", prefilter=mr.Clusters(1))
    assert index.search([[0.0, 1.0]], 1, candidates=1).ids.tolist() == [1]


@pytest.mark.parametrize("measure", [*MEASURES, mr.maxsim, mr.wmd.replace(fraction=0.5)], ids=lambda m: m.name)
@given(
    dtype=st.sampled_from(["int8", "float16", "bfloat16", "int4", "int2"]),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_codes_change_bounds_and_no_answer(measure, dtype, seed, scale):
    docs, ids, query = collection(seed)
    docs = mr.Sequences([np.float32(scale) * x for x in docs])
    query = np.float32(scale) * query
    values = values_of(query, docs, measure)
    index = mr.Index.build(docs, measure, ids=ids, dtype=dtype, rescore=True)
    for num_threads in (1, 3):
        hits = index.search(query, 7, num_threads=num_threads)
        assert hits.certificate.exact
        assert_certificate_is_true(hits, values, ids, 7)
    assert_certificate_is_true(index.search(query, 7, candidates=100), values, ids, 7)


@pytest.mark.parametrize("ground", ["cosine", "euclidean", "dot"])
@pytest.mark.parametrize("dim", [1, 3, 4, 5, 18])
def test_codes_are_read_from_files_as_they_were_built(tmp_path, dim, ground):
    rng = np.random.default_rng(dim)
    docs = [rng.normal(size=(n, dim)) for n in rng.integers(1, 50, size=60)]
    measure = mr.Measure(ground=ground, weighting="uniform")
    index = mr.Index.build(docs[:40], measure, dtype="int8", rescore=True)
    index.save(tmp_path / "index")
    grown = mr.Index.open(tmp_path / "index", writable=True)
    grown.add(docs[40:])
    grown.remove([3, 17, 44])
    grown.compact()
    grown.close()
    left = [s for s in range(60) if s not in (3, 17, 44)]
    expected = mr.Index.build([docs[s] for s in left], measure, ids=left)
    found = mr.Index.open(tmp_path / "index")
    found.verify()
    for query in docs[:5]:
        hits, without = found.search(query, 7), expected.search(query, 7)
        assert "bound from int8 codes" in str(hits.stats)
        np.testing.assert_array_equal(hits.ids, without.ids)
        np.testing.assert_array_equal(hits.distances, without.distances)


def test_documents_with_codes_may_lie_on_disk(tmp_path):
    docs, _, query = collection(6, n_docs=2000)
    np.save(tmp_path / "tokens.npy", docs.tokens)
    tokens = np.load(tmp_path / "tokens.npy", mmap_mode="r")
    on_disk = mr.Sequences.from_flat(tokens, docs.offsets)
    assert np.shares_memory(on_disk.tokens, tokens)
    hits = mr.Index.build(on_disk, "wrd", dtype="int8", rescore=True).search(query, 5)
    expected = mr.Index.build(docs, "wrd").search(query, 5)
    np.testing.assert_array_equal(hits.ids, expected.ids)
    np.testing.assert_array_equal(hits.distances, expected.distances)
    assert hits.stats.exact_solves < 200
    assert "bound from int8 codes" in str(hits.stats)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("int8", f"int8 codes, multiplied as whole numbers by {mr.build_info()['codes']}"),
        ("int4", "the tokens themselves; bounds from the int4 codes beside them would be slower"),
        ("int2", "the tokens themselves; bounds from the int2 codes beside them would be slower"),
        ("float16", "float16 codes, as fast as float16 tokens"),
        (None, "the tokens themselves"),
    ],
)
def test_the_description_of_an_index_says_what_bounds_come_from(tmp_path, dtype, expected):
    docs, _, query = collection(6)
    index = mr.Index.build(docs, "wrd", dtype=dtype, rescore=dtype is not None)
    index.save(tmp_path / "index")
    assert describe(tmp_path / "index")["bounds from"] == expected
    from_codes = [rung.name for rung in index.search(query, 3).stats.rungs if "codes" in rung.name]
    assert from_codes == ([] if expected.startswith("the tokens") else [f"bound from {dtype} codes"])


@pytest.mark.parametrize("make", [collection, bag_collection])
@pytest.mark.parametrize("measure", MEASURES[:4], ids=lambda m: m.name)
@given(seed=st.integers(0, 10**6), slack=st.sampled_from([0.01, 0.1, 1.0]))
def test_slack(make, measure, seed, slack):
    docs, ids, query = make(seed)
    values = values_of(query, docs, measure)
    hits = mr.Index.build(docs, measure, ids=ids).search(query, 9, slack=slack)
    assert_certificate_is_true(hits, values, ids, 9)
    assert hits.certificate.error <= slack * (1 + 1e-12)
    assert hits.distances[-1] <= (1 + slack) * np.sort(values)[8] * (1 + 1e-12)


@pytest.mark.slow(reason="searches until time is up")
@pytest.mark.parametrize("make", [collection, bag_collection])
@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@pytest.mark.parametrize("prefilter", ["Flat", "HNSW16", None])
def test_timeout(make, measure, prefilter):
    docs, ids, query = make(8, n_docs=3000)
    values = values_of(query, docs, measure)
    index = mr.Index.build(docs, measure, ids=ids, prefilter=None if make is bag_collection else prefilter)
    for seconds in (1e-9, 1e-3, 4e-3, 60.0, 1e300):
        hits = index.search(query, 7, timeout=seconds)
        assert_certificate_is_true(hits, values, ids, 7)
        assert hits.certificate.exact or hits.stats.timed_out
        assert hits.certificate.exact or seconds < 1
        assert seconds > 1e-9 or len(hits) == 0
        given = mr.rerank(query, docs, 7, measure, ids=ids, timeout=seconds)
        assert_certificate_is_true(given, values, ids, 7)
        assert given.certificate.exact or given.stats.timed_out
        few = index.rerank(query, ids[:500].tolist(), 7, timeout=seconds)
        assert_certificate_is_true(few, values[:500], ids[:500], 7)
        assert few.certificate.exact or few.stats.timed_out


@pytest.mark.parametrize("make", [collection, bag_collection])
def test_radius_with_a_timeout(make):
    docs, ids, query = make(9, n_docs=3000)
    values = values_of(query, docs, mr.wmd)
    index = mr.Index.build(docs, mr.wmd, ids=ids)
    radius = float(np.quantile(values, 0.5))
    for seconds in (1e-9, 2e-3, 60.0):
        hits = index.range_search(query, radius, timeout=seconds)
        by_id = dict(zip(ids.tolist(), values, strict=True))
        assert [by_id[i] for i in hits.ids.tolist()] == hits.distances.tolist()
        assert len(hits) == hits.certificate.certain
        assert hits.certificate.exact == (len(hits) == np.count_nonzero(values <= radius))
    assert hits.certificate.exact
    assert not hits.stats.timed_out


def test_a_timeout_cuts_a_long_solve_short():
    """One document whose solve takes far longer than there is time for."""
    rng = np.random.default_rng(0)
    docs = [rng.normal(size=(2500, 4)) for _ in range(3)]
    index = mr.Index.build(docs, "wmd", num_threads=1)
    started = time.perf_counter()
    hits = index.search(rng.normal(size=(2500, 4)), 2, timeout=0.05)
    seconds = time.perf_counter() - started
    assert hits.stats.timed_out
    assert len(hits) < 2
    assert "3 of 3 documents were not solved" in str(hits.certificate)
    assert "when time was over" in str(hits.stats)
    assert seconds < 5  # it would take some ten


@pytest.mark.parametrize("make", [collection, bag_collection])
@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([1, 9, 200]))
def test_subsets(make, measure, seed, size):
    docs, ids, query = make(seed)
    values = values_of(query, docs, measure)
    index = mr.Index.build(docs, measure, ids=ids)
    chosen = np.random.default_rng(seed).permutation(len(docs))[:size]
    order = chosen[np.lexsort((ids[chosen], values[chosen]))[:5]]
    hits = index.search(query, 5, subset=ids[chosen])
    np.testing.assert_array_equal(hits.ids, ids[order])
    assert "documents of the subset" in str(hits.certificate)
    few = index.search(query, 5, subset=ids[chosen], candidates=50)
    assert set(few.ids.tolist()) <= set(ids[chosen].tolist())
    assert_certificate_is_true(few, values[chosen], ids[chosen], min(5, size))


@pytest.mark.parametrize("make", [collection, bag_collection])
@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.01, 0.3, 1.0]))
def test_range_search(make, measure, seed, share):
    docs, ids, query = make(seed)
    values = values_of(query, docs, measure)
    radius = float(np.quantile(values, share, method="lower"))
    for num_threads in (1, 3):
        hits = mr.Index.build(docs, measure, ids=ids).range_search(query, radius, num_threads=num_threads)
        within = np.flatnonzero(values <= radius)
        np.testing.assert_array_equal(hits.ids, ids[within[np.lexsort((ids[within], values[within]))]])
        assert hits.certificate.exact
    assert len(mr.Index.build(docs, measure).range_search(query, values.min() - 1)) == 0


def test_a_radius_without_hits_is_proved_as_well():
    docs, _, query = collection(1)
    hits = mr.Index.build(docs, "wmd").range_search(query, 1e-6)
    assert len(hits) == 0
    assert hits.certificate.exact
    assert "above the radius 1e-06" in str(hits.certificate)
    assert "Hits(0 by wmd)" in repr(hits)


@pytest.mark.parametrize("make", [collection, bag_collection])
def test_batches_of_queries_are_single_queries(make):
    docs, ids, _ = make(2)
    rng = np.random.default_rng(4)
    queries = mr.Sequences(
        [rng.normal(size=(n, 4)) for n in range(1, 12)], weights=[rng.uniform(0.5, 1, size=n) for n in range(1, 12)]
    )
    seen = []
    index = mr.Index.build(docs, "wrd", ids=ids)
    for num_threads in (1, 3):
        seen.clear()
        answers = index.search_batch(
            queries, 4, num_threads=num_threads, progress=lambda done, total: seen.append((done, total))
        )
        assert seen == [(done, 11) for done in range(1, 12)]
        for q, hits in enumerate(answers):
            alone = index.search(queries[q], 4, weights=queries.weights_of(q))
            np.testing.assert_array_equal(hits.ids, alone.ids)
            np.testing.assert_array_equal(hits.distances, alone.distances)
            assert hits[0].alignment.value == pytest.approx(hits.distances[0], abs=1e-9)


def test_queries_may_be_bags():
    docs, ids, _ = bag_collection(3)
    queries = mr.Bags(docs.vectors, [[3, 3, 5], [7]])
    index = mr.Index.build(docs, "wrd", ids=ids)
    for q, hits in enumerate(index.search_batch(queries, 4)):
        alone = index.search(docs.vectors[[3, 3, 5]] if q == 0 else docs.vectors[[7]], 4)
        np.testing.assert_array_equal(hits.ids, alone.ids)
        np.testing.assert_allclose(hits.distances, alone.distances, rtol=1e-6)


def test_a_batch_stops_at_what_progress_raises():
    docs, _, query = collection(2)

    def stop(done, total):
        raise RuntimeError(f"enough after {done} of {total}")

    with pytest.raises(RuntimeError, match="enough after 1 of 50"):
        mr.Index.build(docs).search_batch([query] * 50, progress=stop)


def test_reranking_needs_no_index():
    docs, ids, query = collection(6)
    for measure in MEASURES:
        values = values_of(query, docs, measure)
        hits = mr.rerank(query, docs, 8, measure, ids=ids)
        np.testing.assert_array_equal(hits.ids, ids[np.lexsort((ids, values))[:8]])
        assert hits.certificate.exact


def test_reranking_solves_a_fifth_of_a_thousand_candidates_at_the_most():
    docs, _, query = collection(9, n_docs=1000, dim=3)
    hits = mr.rerank(query, docs, 10, "wmd")
    assert hits.stats.exact_solves <= 200


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda d, q: mr.Index.build(d, "wrd").search(q, 5, candidates=4),
            ValueError,
            "candidates must be at least k = 5, got 4",
        ),
        (
            lambda d, q: mr.Index.build(d, "wrd").search(q, 5, candidates=5.0),
            TypeError,
            "candidates must be an integer",
        ),
        (lambda d, q: mr.Index.build(d, "wrd").search(q, 5, timeout=0), ValueError, "timeout must be above 0"),
        (
            lambda d, q: mr.Index.build(d, "wrd").search(q, 5, timeout="1"),
            TypeError,
            "timeout must be a real number",
        ),
        (
            lambda d, q: mr.Index.build(d, "wrd").search(q, 5, slack=-0.1),
            ValueError,
            "slack must be finite and at least 0, got -0.1",
        ),
        (
            lambda d, q: mr.Index.build(d, "wrd").search(q, 5, slack=np.nan),
            ValueError,
            "slack must be finite and at least 0, got nan",
        ),
        (lambda d, q: mr.Index.build(d, "wrd").search(q, 5, subset=[-1]), KeyError, "subset: -1 is not in the index"),
        (lambda d, q: mr.Index.build(d, "wrd").range_search(q, np.nan), ValueError, "radius must be a number, got nan"),
        (
            lambda d, q: mr.Index.build(d, "wrd").range_search(q, "1"),
            TypeError,
            "radius must be a real number, got '1'",
        ),
        (
            lambda d, q: mr.Index.build(d, "wrd").search_batch(q, 5),
            ValueError,
            "queries: expected a batch, got one array",
        ),
        (
            lambda d, q: mr.Index.build(d, "wrd").search_batch([q, 0 * q]),
            ValueError,
            "queries: sequence 1: total mass is zero",
        ),
        (
            lambda d, q: mr.Index.build(d, "wrd").search_batch([q], candidates=3),
            ValueError,
            "candidates must be at least k = 10, got 3",
        ),
        (
            lambda d, q: mr.Index.build(d, prefilter=None).search(q, candidates=50),
            ValueError,
            "candidates: need a prefilter, but this index was built without one",
        ),
        (
            lambda d, q: mr.Index.build(d, prefilter="Nonsense"),
            ValueError,
            "prefilter: faiss cannot train 'Nonsense' on 400 documents",
        ),
        (lambda d, q: mr.Clusters(0), ValueError, "per_document must be at least 1, got 0"),
        (lambda d, q: mr.Clusters(2.0), TypeError, "per_document must be an integer"),
        (lambda d, q: mr.Index.build(d, prefilter=3), TypeError, 'prefilter must be "auto", "tokens", a faiss'),
        (
            lambda d, q: mr.Index.build(d, dtype="float32", rescore=True),
            ValueError,
            "rescore: expected a dtype more compact than",
        ),
        (
            lambda d, q: mr.Index.build(d.astype("int8"), dtype="int8", rescore=True),
            ValueError,
            "rescore: expected a dtype more c",
        ),
        (
            lambda d, q: mr.Index.build(d.astype("int4"), dtype="int8", rescore=True),
            ValueError,
            "rescore: expected a dtype more compact than the documents' int4, got 'int8'",
        ),
        (lambda d, q: mr.Index.build(d, dtype="int3", rescore=True), ValueError, "dtype must be one of 'float32'"),
        (
            lambda d, q: mr.Index.build(mr.Bags(np.eye(2), [[0]]), dtype="int8", rescore=True),
            ValueError,
            "rescore: expected False for bags",
        ),
        (
            lambda d, q: mr.Index.build(d, mr.Measure("sqeuclidean"), dtype="int8", rescore=True),
            ValueError,
            "rescore: compact tokens give no bound under ground 'sqeuclidean'",
        ),
        (
            lambda d, q: mr.Index.build(d, mr.Measure("dot")).search(q, slack=0.1),
            ValueError,
            r"slack must be 0, as costs may be negative in this index \(ground 'dot'\)",
        ),
    ],
)
def test_bad_budgets_are_refused(call, kind, message):
    docs, _, query = collection(0)
    with pytest.raises(kind, match=message):
        call(docs, query)


# ---- what was removed, and subsets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefilter",
    ["HNSW16", "IVF8,Flat;nprobe=1", "Flat", mr.Clusters(2), "tokens", mr.TokenCells(64, probes=1, ranked=5)],
)
def test_a_budget_finds_as_many_as_there_are_whatever_was_removed(prefilter):
    rng = np.random.default_rng(0)
    docs = rng.normal(size=(400, 3, 8)).astype(np.float32)
    odd = list(range(1, 400, 2))
    index = mr.Index.build(docs, "wrd", prefilter=prefilter, payloads=[{"n": n} for n in range(400)])
    for k in (10, 350, 400, 2000):
        assert len(index.search(docs[5], k, candidates=k)) == min(k, 400)
    assert set(index.search(docs[5], 100, candidates=100, subset=odd).ids.tolist()) <= set(odd)
    for some in (odd, odd[:7]):
        for k in (5, 7, 400):
            hits = index.search(docs[5], k, candidates=k, subset=some)
            assert len(hits) == min(k, len(some))
            assert set(hits.ids.tolist()) <= set(some)
    assert index.search(docs[5], 9, candidates=9, where="n < 4").certificate.exact
    index.remove(odd)
    index.add(docs[:3], ids=[2000, 2001, 2002])
    for k in (10, 203, 600):
        hits = index.search(docs[5], k, candidates=k)
        assert len(hits) == min(k, 203)
        assert not set(hits.ids.tolist()) & set(odd)
    index.remove(list(range(0, 390, 2)))
    hits = index.search(docs[5], 10, candidates=10)
    truth = index.search(docs[5], 10)
    assert (len(hits), len(truth)) == (8, 8)
    assert hits.ids.tolist() == truth.ids.tolist()
    assert hits.certificate.exact


@pytest.mark.parametrize("options", [{}, {"candidates": 10}, {"timeout": 10.0}])
@pytest.mark.parametrize("prefilter", ["Flat", "HNSW4", mr.Clusters(2), "tokens"])
def test_a_subset_of_none_is_an_empty_answer(prefilter, options):
    index = mr.Index.build([np.eye(3)] * 50, prefilter=prefilter)
    for subset in ([], np.array([], dtype=np.int64), ()):
        hits = index.search(np.eye(3), 3, subset=subset, **options)
        assert (len(hits), hits.certificate.exact) == (0, True)
        assert str(hits.certificate) == "exact: there are no documents of the subset"
    assert len(index.range_search(np.eye(3), 1.0, subset=[])) == 0
