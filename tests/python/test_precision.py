"""Coordinates far from the origin: float64's digits reach the distances, or a warning says that they do not."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import moverank as mr
import reference

#: Metres from the centre of the Earth, seconds since 1970, and metres of a map: none of them fit into float32.
PLACES = {
    "ecef": np.array([4.2e6, 2.3e6, 4.17e6]),
    "utm": np.array([500_000.0, 5_400_000.0]),
    "seconds": np.array([1.7e9]),
    "seconds and degrees": np.array([1.7e9, 52.1, 4.3]),
}

MEASURES = [
    mr.wmd,
    mr.wmd.replace(capacity=2),
    mr.wmd.replace(capacity=np.inf),
    mr.rwmd,
    mr.Measure("sqeuclidean", "uniform"),
    mr.Measure("euclidean", "norm"),
]


@pytest.fixture(params=PLACES, ids=str)
def documents(request):
    rng = np.random.default_rng(3)
    base = PLACES[request.param]
    return [base + rng.normal(size=(rng.integers(2, 6), len(base))) for _ in range(12)]


def near(found, expected):
    np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_every_way_to_a_distance_keeps_the_digits(documents, measure):
    query, docs = documents[0], documents[1:]
    expected = np.array([reference.distance(measure, query, d) for d in docs])
    batch = mr.Sequences(docs)
    near([measure(query, d) for d in docs], expected)
    near([measure(query, batch[s : s + 1]) for s in range(len(batch))], expected)
    near([measure(query, batch[s]) for s in range(len(batch))], expected)
    for some in (docs, batch, pickle.loads(pickle.dumps(batch)), batch[:4] + batch[4:], batch[np.arange(11)]):
        near(mr.distances(query, some, measure), expected)
    near(mr.certified_distances(query, docs, measure).values, expected)
    near(mr.pairwise([query], docs, measure)[0], expected)
    near(mr.pairwise(mr.Sequences(documents), measure=measure)[0, 1:], expected)
    near([mr.align(query, d, measure).value for d in docs], expected)
    order = np.lexsort((np.arange(len(docs)), expected))
    hits = mr.rerank(query, docs, k=4, measure=measure)
    assert hits.ids.tolist() == order[:4].tolist()
    near(hits.distances, expected[order[:4]])
    near([hit.alignment.value for hit in hits], hits.distances)


def test_from_flat_and_whole_numbers_keep_them_too():
    seconds = np.array([[1_700_000_000], [1_700_000_060]]), np.array([[1_700_000_010], [1_700_000_090]])
    assert mr.wmd(*seconds) == 20
    assert mr.wmd(*(s * 10**9 for s in seconds)) == pytest.approx(20e9, rel=1e-7)  # beyond float64's whole numbers
    flat = mr.Sequences.from_flat(np.concatenate(seconds), [0, 2, 4])
    assert mr.pairwise(flat, measure="wmd")[0, 1] == 20
    assert flat[1].tolist() == seconds[1].tolist()


@pytest.mark.parametrize("spread", [10**9, 10**7, 10**5, 10**3])
def test_nanoseconds_keep_what_64_bits_hold(spread):
    start = 1_712_345_678_901_234_567
    rng = np.random.default_rng(0)
    docs = [rng.integers(0, spread, (5, 1)) for _ in range(4)]
    query = rng.integers(0, spread, (4, 1))
    expected = mr.distances(query, docs, "wmd")
    far_query, far_docs = query + start, [d + start for d in docs]
    near = {"rel": 2e-7, "abs": 2e-7 * spread}
    assert mr.distances(far_query, far_docs, "wmd") == pytest.approx(expected, **near)
    assert mr.pairwise(far_docs, measure="wmd") == pytest.approx(mr.pairwise(docs, measure="wmd"), **near)
    hits = mr.Index.build(far_docs, "wmd").search(far_query, 4)
    assert hits.distances == pytest.approx(expected[hits.ids], **near)
    batch = mr.Sequences(far_docs)
    for d, value in enumerate(expected):
        for document in (far_docs[d], batch[d]):
            found = mr.gradients(far_query, document, "wmd")
            assert found.value == pytest.approx(value, **near)
            np.testing.assert_allclose(found.x, mr.gradients(query, docs[d], "wmd").x, atol=1e-12)
    with pytest.warns(mr.PrecisionWarning, match=r"beyond 2\*\*53"):
        mr.gradients(far_query, far_docs[0], mr.Measure("euclidean", "norm"))


@pytest.mark.parametrize("base", [1e5, 5e6])
@pytest.mark.parametrize("measure", [mr.wmd, mr.Measure("sqeuclidean", "uniform"), mr.Measure("euclidean", "norm")])
def test_an_index_of_whole_numbers_keeps_the_digits_of_queries(base, measure):
    rng = np.random.default_rng(1)
    docs = [np.round(rng.normal(size=(3, 2)) * 4) + base for _ in range(12)]
    query = rng.normal(size=(3, 2)) + base + 0.3
    expected = mr.distances(query, docs, measure)
    added = mr.Index.build(docs[:5], measure)
    added.add(docs[5:])
    for index in (mr.Index.build(docs, measure), mr.Index.build(mr.Sequences(docs), measure), added):
        hits = index.search(query, 12)
        np.testing.assert_allclose(hits.distances, expected[hits.ids], rtol=1e-6)
        same = index.search(docs[3], 1)
        assert same.ids.tolist() == [3]
        assert same.distances.tolist() == [0.0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "int4", "int2"])
def test_compact_tokens_came_as_they_are(dtype):
    rng = np.random.default_rng(2)
    tokens = rng.normal(size=(4, 3))
    batch = mr.Sequences([tokens, tokens[::-1], rng.normal(size=(5, 3))]).astype(dtype)
    assert mr.distances(batch[0], batch, "wmd")[:2].tolist() == [0.0, 0.0]
    assert mr.wmd(batch[0], batch[1]) == 0.0


def test_tokens_whose_squares_vanish_are_told():
    tokens = [np.array([[1e-24], [3e-24]]), np.array([[2e-24], [8e-24]])]
    index = mr.Index.build([t.astype(np.float32) for t in tokens], "wmd")
    with pytest.warns(mr.PrecisionWarning, match="cannot hold the squares"):
        index.search(tokens[0], 2)
    with pytest.warns(mr.PrecisionWarning, match="cannot hold the squares"):
        mr.distances(tokens[0], tokens, "wmd")


@pytest.mark.slow(reason="many indexes, saved and opened")
@pytest.mark.parametrize("measure", [mr.wmd, mr.Measure("euclidean", "norm")], ids=str)
@pytest.mark.parametrize("prefilter", ["Flat", None, mr.Clusters(2), "tokens"], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "int4"])
def test_an_index_keeps_its_origin(tmp_path, documents, measure, prefilter, dtype):
    query, docs = documents[0], documents[1:]
    exact = np.array([reference.distance(measure, query, d) for d in docs])
    index = mr.Index.build(docs[:6], measure, prefilter=prefilter, dtype=dtype)
    index.save(tmp_path / "index")
    with mr.Index.open(tmp_path / "index", writable=True) as opened:
        opened.add(docs[6:10])
        opened.upsert(docs[10:], [10])
        opened.compact()
        found = opened.search(query, k=11)
        assert sorted(found.ids.tolist()) == list(range(11))
        tolerance = {"float32": 2e-5, "float16": 2e-2, "int8": 5e-2, "int4": 0.5}[dtype]
        np.testing.assert_allclose(found.distances, exact[found.ids], rtol=tolerance, atol=tolerance)
        near([hit.alignment.value for hit in found], found.distances)
        alone = opened.search_batch([query, docs[3]], k=1)
        assert alone[1].ids.tolist() == [3]
        assert opened.rerank(query, [2, 5], k=2).distances.tolist() == sorted(
            found.distances[np.isin(found.ids, [2, 5])].tolist()
        )
    mr.Index.open(tmp_path / "index").verify()


def test_an_index_built_from_batches_takes_the_origin_of_the_first(tmp_path, documents):
    batches = [mr.readers.Batch(documents[:5]), mr.readers.Batch(documents[5:])]
    index = mr.Index.build_on_disk(tmp_path / "index", batches, "wmd")
    found = index.search(documents[7] + 0.01, k=1)
    assert found.ids.tolist() == [7]
    np.testing.assert_allclose(found.distances, np.sqrt(documents[0].shape[1]) * 0.01, rtol=1e-4)


@pytest.mark.parametrize("measure", [mr.wrd, mr.maxsim, mr.Measure("cosine", "uniform")], ids=str)
def test_costs_that_depend_on_the_origin_are_as_float32_has_the_tokens(documents, measure):
    rounded = [d.astype(np.float32) for d in documents]
    np.testing.assert_array_equal(
        mr.distances(documents[0], documents, measure), mr.distances(rounded[0], rounded, measure)
    )
    index = mr.Index.build(documents, measure)
    assert (
        index.search(documents[0], 3).distances.tolist()
        == mr.rerank(rounded[0], rounded, 3, measure).distances.tolist()
    )


def test_what_float32_holds_is_kept_as_it_is():
    far = np.array([[2.0**20, 1.0], [2.0**20 + 1, 1.0]])
    assert mr.Sequences([far])[0].dtype == np.float32
    near_zero = np.random.default_rng(0).normal(size=(50, 3))
    batch = mr.Sequences([near_zero])
    assert batch[0].dtype == np.float32
    np.testing.assert_array_equal(batch.tokens, near_zero.astype(np.float32))
    tokens = np.full((4, 2), 1e6, dtype=np.float32)
    assert np.shares_memory(mr.Sequences.from_flat(tokens, [0, 4]).tokens, tokens)


def test_a_loss_that_no_origin_prevents_is_told():
    towns = np.array([[0.0], [1e9]])
    with pytest.warns(mr.PrecisionWarning, match="may be off by"):
        mr.wmd(towns, towns + 0.1)
    with pytest.warns(mr.PrecisionWarning, match="does not tell them apart"):
        mr.wmd([[0.0], [1e9 + 1]], [[0.0], [1e9 + 2]])
    docs = [np.array([[0.0]]), np.array([[1e9]])]
    with pytest.warns(mr.PrecisionWarning, match="a distance of"):
        mr.distances([[1e9 + 100]], docs, "wmd")
    index = mr.Index.build(docs, "wmd")
    with pytest.warns(mr.PrecisionWarning, match="a distance of"):
        index.search([[1e9 + 100]], k=1)
    with pytest.warns(mr.PrecisionWarning, match="from the origin of the index"):
        mr.Index.build([[[0.0]], [[1.0]]], "wmd").add([[[1e9 + 0.25]], [[1e9 + 0.5]]])
    with pytest.warns(mr.PrecisionWarning, match="bfloat16 keeps little"):
        mr.Sequences([[[1e9 + 1]], [[1e9 + 2]]]).astype("bfloat16")
    with pytest.warns(mr.PrecisionWarning, match="a distance of"):
        mr.gradients(mr.Sequence(towns + 0.1), mr.Sequence(towns), "wmd")
    with pytest.warns(mr.PrecisionWarning, match="a distance of"):
        mr.distances([[1e9 + 100]], mr.Bags([[0.0], [1e9]], [[0], [1]]), "wmd")
    with pytest.warns(mr.PrecisionWarning, match="vectors: lie near"):
        mr.Bags([[1e9 + 1], [1e9 + 2]], [[0], [1]])


#: Near to each other, far from each other, and what float32 does not tell apart.
NUMBERS = [0.0, 1.0, -3.0, 0.1, 1e9, 1e9 + 1, 1e9 + 100, 1e15, 1e15 + 1e6, 1e15 + 2.0**28, -1e15]


@st.composite
def scattered(draw):
    """Two-dimensional tokens of some documents."""
    token = st.tuples(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))
    return [np.array(draw(st.lists(token, min_size=1, max_size=3))) for _ in range(draw(st.integers(2, 4)))]


def roads(query, docs, measure):
    """Each way from a query in float64 to documents, and what these were if it keeps them as float32."""
    rounded = [d.astype(np.float32) for d in docs]
    cuts = np.cumsum([0, *map(len, docs)])
    bags = mr.Bags.from_flat(np.concatenate(rounded), np.arange(cuts[-1]), cuts)
    batch = mr.Sequences(docs)
    yield "call", docs, lambda: [measure(query, d) for d in docs]
    yield "distances", docs, lambda: mr.distances(query, docs, measure)
    yield "distances of batch", docs, lambda: mr.distances(query, batch, measure)
    yield "certified", docs, lambda: mr.certified_distances(query, docs, measure).values
    yield "pairwise", docs, lambda: mr.pairwise([query], docs, measure)[0]
    yield "paired", docs, lambda: mr.paired_distances([query] * len(docs), docs, measure)
    yield "align", docs, lambda: [mr.align(query, d, measure).value for d in docs]
    yield "float32", rounded, lambda: mr.distances(query, rounded, measure)
    yield "bags", rounded, lambda: mr.distances(query, bags, measure)
    yield "pairwise bags", rounded, lambda: mr.pairwise([query], bags, measure)[0]
    yield "bag", rounded, lambda: [measure(query, bag) for bag in bags]
    for name, kept in (("index", rounded), ("index of bags", bags)):
        index = mr.Index.build(kept, measure)
        yield name, rounded, lambda index=index: by_id(index.search(query, len(docs)))
        yield f"batch of {name}", rounded, lambda index=index: by_id(index.search_batch([query], len(docs))[0])
    yield "rerank", rounded, lambda: by_id(mr.rerank(query, rounded, len(docs), measure))


def by_id(hits):
    return hits.distances[np.argsort(hits.ids)]


@pytest.mark.parametrize(
    "measure", [mr.wmd, mr.rwmd, mr.wmd.replace(capacity=2), mr.Measure("euclidean", "norm")], ids=str
)
@pytest.mark.slow(reason="exact sums of many problems")
@given(made=scattered())
@settings(max_examples=30)
def test_digits_are_kept_or_their_loss_is_told(measure, made):
    query, docs = made[0], made[1:]
    assume(measure.weighting == "uniform" or all(np.asarray(d, np.float32).any() for d in made))
    for name, given_as, computed in roads(query, docs, measure):
        expected = np.array([reference.distance(measure, query, d.astype(np.float64)) for d in given_as])
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = np.asarray(computed())
        reach = max(np.abs(np.concatenate(made)).max(), 1.0)
        if not told:
            np.testing.assert_allclose(found, expected, rtol=0.15, atol=1e-11 * reach, err_msg=name)


def test_what_vanishes_is_told_of_batches_and_indexes(tmp_path):
    near = [np.array([[0.0], [1e9 + 1]]), np.array([[0.0], [1e9 + 2]])]
    held = [near[0].astype(np.float32)]
    bags = mr.Bags([[0.0], [1e9 + 1], [1e9 + 2]], [[0, 1], [0, 2]])
    index = mr.Index.build(held, "wmd")
    index.add(held)
    index.save(tmp_path / "index")
    opened = mr.Index.open(tmp_path / "index", writable=True)
    opened.compact()
    for lost in (
        lambda: mr.distances(near[0], near[1:], "wmd"),
        lambda: mr.pairwise(near, measure="wmd"),
        lambda: mr.pairwise(mr.Sequences(near)[:1] + mr.Sequences(near)[1:], measure="wmd"),
        lambda: mr.paired_distances(near, near[::-1], "wmd"),
        lambda: mr.align(*near, "wmd"),
        lambda: mr.pairwise(bags, measure="wmd"),
        lambda: mr.distances(bags[0], bags[1:], "wmd"),
        lambda: mr.distances(near[0], held, "wmd"),
        lambda: mr.distances(near[0], mr.Bags(held[0], [[0, 1]]), "wmd"),
        lambda: mr.Index.build(mr.Bags(held[0], [[0, 1]]), "wmd").search(near[0], 1),
        lambda: index.search(near[0], 1),
        lambda: pickle.loads(pickle.dumps(index)).search(near[0], 1),
        lambda: opened.search(near[0], 1),
        lambda: opened.range_search(near[0], 1.0),
        lambda: mr.wmd.replace(fraction=0.75)(*near),
    ):
        with pytest.warns(mr.PrecisionWarning, match="does not tell them apart"):
            lost()
    # Half of the mass need not move at all, and equals are at 0.
    assert mr.wmd.replace(fraction=0.5)(*near) == 0
    assert mr.pairwise(near[:1] * 3, measure="wmd").max() == 0
    assert mr.distances(near[0], [np.repeat(near[0], 2, axis=0), near[0][::-1]], "wmd").max() == 0
    assert mr.Index.build(near[:1], "wmd").search(near[0], 1).distances[0] == 0
    opened.close()


def test_equals_that_were_rounded_once_stay_at_0():
    near = np.array([[1e15], [1e15 + 1e9]])
    bags = mr.Bags(near[:1], [[0]])
    for docs in (bags, bags.to_sequences(), list(bags), mr.Index.build(bags, "wmd")):
        found = (
            docs.search(near[:1], 1).distances if isinstance(docs, mr.Index) else mr.distances(near[:1], docs, "wmd")
        )
        assert found.tolist() == [0.0]
    assert mr.wmd(near[:1], bags[0]) == 0
    assert mr.pairwise([near[:1]], bags, "wmd").tolist() == [[0.0]]
    with pytest.warns(mr.PrecisionWarning, match="a distance of"):
        mr.distances([[1e15 + 1e8]], bags, "wmd")


def test_well_scaled_tokens_warn_of_nothing():
    rng = np.random.default_rng(1)
    docs = [rng.normal(size=(5, 8)) for _ in range(20)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for measure in (mr.wmd, mr.wrd, mr.rwmd):
            mr.pairwise(docs, measure=measure)
            mr.Index.build(docs, measure).search(docs[3], k=5)
            measure(docs[3], docs[3])
