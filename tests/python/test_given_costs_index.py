"""Indexes over histograms whose ground costs are given: brute force, changes, folders, and what does not fit."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import moverank as mr
from moverank.index.disk.describe import describe
from moverank.readers import Batch
from test_given_costs import histograms, table

MEASURES = [
    mr.emd,
    mr.emd.replace(capacity=2),
    mr.emd.replace(capacity=np.inf),
    mr.emd.replace(fraction=0.5),
    mr.emd.replace(problem="relaxed"),
    mr.emd.replace(problem=mr.Sinkhorn(epsilon=0.3)),
]


def brute_force(query, docs, measure, costs, k):
    distances = mr.distances(query, docs, measure, costs=costs)
    order = np.argsort(distances, kind="stable")[:k]
    return order, distances[order]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@given(seed=st.integers(0, 10**6), k=st.sampled_from([1, 4, 60, 1000]), dtype=st.sampled_from([np.float32, np.float64]))
def test_searches_are_brute_force(measure, seed, k, dtype):
    rng = np.random.default_rng(seed)
    docs, queries, costs = histograms(rng, 60, 12), histograms(rng, 3, 9), table(rng, 9, 12, dtype)
    docs[20:30] = docs[5]  # ties
    index = mr.Index.build(docs, measure, costs=costs)
    for query, hits in zip(queries, index.search_batch(queries, k), strict=True):
        ids, distances = brute_force(query, docs, measure, costs, k)
        np.testing.assert_array_equal(hits.ids, ids)
        np.testing.assert_array_equal(hits.distances, distances)
        assert hits.certificate.exact
        again = index.search(sparse.csr_matrix(query), k, num_threads=3)
        np.testing.assert_array_equal(again.distances, distances)
        subset = index.search(query, k, subset=np.arange(0, 60, 7))
        np.testing.assert_array_equal(subset.distances, brute_force(query, docs[::7], measure, costs, k)[1])
        if len(hits) > 2:
            within = index.range_search(query, distances[2])
            everything = brute_force(query, docs, measure, costs, 60)[1]
            np.testing.assert_array_equal(within.distances, everything[everything <= distances[2]])


def test_near_ties_that_float32_does_not_see_are_ranked_by_costs_in_float64():
    rng = np.random.default_rng(0)
    costs = 1.0 + 1e-10 * rng.permutation(400.0 * np.arange(1, 401)).reshape(1, 400)
    hits = mr.Index.build(np.eye(400), costs=costs).search([1.0], 30)
    np.testing.assert_array_equal(hits.ids, np.argsort(costs[0])[:30])
    np.testing.assert_array_equal(hits.distances, np.sort(costs[0])[:30])


def test_most_histograms_are_never_solved():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(200, 3))
    costs = np.abs(points[:, None] - points[None]).sum(axis=2)
    centres = rng.integers(200, size=5000)
    docs = np.exp(-3 * costs[centres]) * (costs[centres] < np.sort(costs[centres], axis=1)[:, 12:13])
    index = mr.Index.build(docs, costs=costs)
    hits = index.search(docs[17], 10)
    ids, distances = brute_force(docs[17], docs, "emd", costs, 10)
    np.testing.assert_array_equal(hits.ids, ids)
    np.testing.assert_array_equal(hits.distances, distances)
    assert hits.stats.exact_solves < 1000


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mmap", [True, False])
def test_an_index_in_a_folder_keeps_its_costs_through_every_change(tmp_path, dtype, mmap):
    rng = np.random.default_rng(2)
    docs, queries, costs = histograms(rng, 90, 12), histograms(rng, 4, 9), table(rng, 9, 12, dtype)
    payloads = [{"even": s % 2 == 0} for s in range(90)]
    built = mr.Index.build(docs[:40], costs=costs, payloads=payloads[:40])
    built.save(tmp_path / "saved")
    batches = (Batch(mr.Histograms(docs[s : s + 20]), payloads=payloads[s : s + 20]) for s in (0, 20))
    mr.Index.build_on_disk(tmp_path / "built", batches, costs=costs)
    for name in ("saved", "built"):
        with mr.Index.open(tmp_path / name, writable=True, mmap=mmap) as index:
            for s in range(40, 90, 10):
                index.add(docs[s : s + 10], payloads=payloads[s : s + 10])
            index.upsert(sparse.csr_matrix(docs[3:4]), [7])
            index.remove([0, 50])
            expected = docs.copy()
            expected[7] = docs[3]
            left = np.setdiff1d(np.arange(90), [0, 50])
            for _ in range(2):
                for query in queries:
                    _, distances = brute_force(query, expected[left], "emd", costs, 20)
                    hits = index.search(query, 20)
                    np.testing.assert_array_equal(hits.distances, distances)
                    assert set(hits.ids[:-1].tolist()) <= set(left.tolist())
                    even = index.search(query, 90, where="even")
                    assert sorted(set(even.ids.tolist()) - {7}) == [s for s in left.tolist() if s % 2 == 0]
                    for rank in (0, 5):
                        alignment = hits[rank].alignment
                        assert alignment.value == pytest.approx(
                            hits.distances[rank], abs=1e-9 * float(np.abs(costs).max())
                        )
                        assert all(name.startswith("[") for name in alignment.source_tokens)
                    kept = pickle.loads(pickle.dumps(hits))
                    assert kept[0].alignment.value == hits[0].alignment.value
                assert index.verify().documents == 88
                index.compact()
            index.remove(index.ids)
            index.compact()
            index.add(docs[:5])
            assert len(index.search(queries[0], 10)) == 5
        facts = describe(tmp_path / name)
        assert facts["stored as"] == f"bins of a table of costs, {np.dtype(dtype).name}"


def test_a_build_goes_on_with_the_costs_that_it_was_begun_with(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    docs, costs = histograms(rng, 30, 5), table(rng, 5, 5)
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1)

    def batches(until):
        for s in range(0, 30, 10):
            if s == until:
                raise InterruptedError
            yield Batch(mr.Histograms(docs[s : s + 10]))

    with pytest.raises(InterruptedError):
        mr.Index.build_on_disk(tmp_path / "x", batches(20), costs=costs)
    with pytest.raises(ValueError, match="begun with other costs"):
        mr.Index.build_on_disk(tmp_path / "x", batches(None), costs=costs + 1, resume=True)
    index = mr.Index.build_on_disk(tmp_path / "x", batches(None), costs=costs, resume=True)
    np.testing.assert_array_equal(index.search(docs[4], 5).distances, brute_force(docs[4], docs, "emd", costs, 5)[1])


def test_a_damaged_table_is_found(tmp_path):
    costs = np.full((4, 4), 1234.5) - np.diag([1.0] * 4)
    mr.Index.build(np.eye(4), costs=costs).save(tmp_path / "x")
    (segment,) = (tmp_path / "x").glob("*.seg")
    octets = segment.read_bytes()
    at = octets.index(np.array([1234.5]).tobytes())
    for bad in (np.nan, np.inf, -np.inf, 1e300):
        segment.write_bytes(octets[:at] + np.array([bad]).tobytes() + octets[at + 8 :])
        index = mr.Index.open(tmp_path / "x")
        with pytest.raises(mr.IndexFormatError, match="checksum"):
            index.verify()
        with pytest.raises(mr.IndexFormatError, match="checksum"):
            mr.Index.open(tmp_path / "x", mmap=False)
        for q in range(4):
            if q == 1:  # the bin whose cost it is; others are not read
                if np.isnan(bad) or bad == -np.inf:
                    with pytest.raises(mr.IndexFormatError, match="NaN or -inf"):
                        index.search(np.eye(4)[q], 4)
                else:  # a cost like others, which the checksum alone tells
                    assert index.search(np.eye(4)[q], 4).distances[-1] == bad
            else:
                assert np.isfinite(index.search(np.eye(4)[q], 4).distances).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mr.Index.build([np.ones((2, 3))], "emd"), ValueError, "pass costs= and histograms"),
        (lambda: mr.Index.build(mr.Histograms(np.eye(3))), ValueError, "docs: histograms .* pass costs="),
        (lambda: mr.Index.build(np.eye(3), "wmd", costs=np.eye(3)), ValueError, "wmd computes its costs"),
        (
            lambda: mr.Index.build(np.eye(3), costs=np.eye(4)),
            mr.DimensionError,
            "docs has 3 bins, but costs have 4",
        ),
        (
            lambda: mr.Index.build(np.eye(3), costs=np.eye(3), prefilter="HNSW8"),
            ValueError,
            "prefilter: expected none for bags",
        ),
        (lambda: mr.Index.build(np.eye(3), costs=np.eye(3), dtype="int8"), ValueError, "dtype: "),
        (lambda: mr.Index.build(np.eye(3), costs=np.eye(3), rescore=True), ValueError, "rescore: "),
        (
            lambda: mr.Index.build(np.eye(3), costs=np.eye(3), encoder=mr.EncoderIdentity("words")),
            ValueError,
            "encoder: expected none with given costs",
        ),
        (
            lambda: index().search(np.eye(4)[0]),
            mr.DimensionError,
            "query: expected 3 bins, as in the index's costs",
        ),
        (lambda: index().search(np.ones((2, 3))), ValueError, "query: expected one histogram, got 2"),
        (lambda: index().search(np.zeros(3)), ValueError, "query: histogram 0: all bins are zero"),
        (lambda: index().search([1, 0, 0], weights=[1, 1, 1]), ValueError, "weights: expected none, as the mass"),
        (
            lambda: index().search([1, 0, 0], slack=0.1),
            ValueError,
            "slack must be 0, as costs may be negative",
        ),
        (lambda: index().search("a text"), TypeError, "query: expected real numbers"),
        (lambda: index().search_batch([[1, 0, -1]]), ValueError, "queries: histogram 0: bin 2 is negative"),
        (lambda: index().add(np.eye(4)), mr.DimensionError, "docs has 4 bins, but costs have 3 columns"),
        (lambda: index().add([[1, 0, 0], [0, 0, 0]]), ValueError, "docs: histogram 1: all bins are zero"),
        (lambda: mr.Index.build([np.eye(3)]).search(mr.Histograms([[1, 1, 1]])), TypeError, "query: expected tokens"),
        (lambda: mr.Index.build([np.eye(3)]).add(mr.Histograms([[1, 1, 1]])), TypeError, "docs: expected Sequences"),
    ],
)
def test_what_does_not_go_together_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()


def index():
    return mr.Index.build(np.eye(3), costs=np.eye(3) - 0.5)


def test_data_frames_and_bags_are_histograms_too():
    costs = 1.0 - np.eye(3)
    frame = pd.DataFrame(np.eye(3) + 1, index=["x", "y", "z"], columns=["T", "B", "NK"])
    bags = mr.Bags(np.zeros((3, 1)), [[0, 0, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2]])
    for docs in (frame, bags):
        hits = mr.Index.build(docs, costs=costs, ids=frame.index).search(frame.loc["y"], 1)
        assert hits.ids.tolist() == ["y"]
        assert hits.distances[0] == 0.0


def test_an_index_keeps_the_names_of_bins(tmp_path):
    costs = pd.DataFrame(1.0 - np.eye(3), index=list("cab"), columns=list("cab"))
    docs = pd.DataFrame(np.eye(3), columns=list("cab"))
    built = mr.Index.build(docs, costs=costs, ids=list("cab"))
    built.save(tmp_path / "index")
    turned = pd.DataFrame([[1.0, 0, 0]], columns=list("abc"))
    for index in (built, mr.Index.open(tmp_path / "index"), pickle.loads(pickle.dumps(built))):
        assert index.search(turned[list("cab")], 1).ids.tolist() == ["a"]
        far = index.search([0, 1, 0], 3)[2]
        assert (far.alignment.source_tokens, far.alignment.target_tokens) == (("a",), (far.id,))
        for call in (
            lambda: index.search(turned, 1),  # noqa: B023
            lambda: index.search(turned.loc[0], 1),  # noqa: B023
            lambda: index.search_batch(turned, 1),  # noqa: B023
            lambda: index.range_search(turned, 0.5),  # noqa: B023
            lambda: index.rerank(turned, ["a"]),  # noqa: B023
        ):
            with pytest.raises(ValueError, match="bin 0 is called 'a', but 'c' in the costs of the index"):
                call()
    with pytest.raises(ValueError, match="docs: bin 0 is called 'a', but 'c' in costs"):
        built.add(turned, ["d"])
    unnamed = mr.Index.build(docs, costs=costs.to_numpy())
    with pytest.raises(ValueError, match="query: bin 0 is called 'a', but 'c' in the documents of the index"):
        unnamed.search(turned, 1)
    assert unnamed.search([0, 1, 0], 1).ids.tolist() == [1]
