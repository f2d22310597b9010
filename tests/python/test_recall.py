"""Recall of searches with a budget is what brute force finds, ties included; its interval covers; nothing is silent."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import moverank as mr
from moverank.index.recall import share_found, wilson

MEASURES = [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4), mr.maxsim, mr.Measure("dot", "uniform")]
PREFILTERS = ["Flat", "HNSW4", "IVF4,Flat;nprobe=1", mr.Clusters(2), mr.TokenCells()]


def collection(seed, n_docs=80, dim=3, n_queries=4):
    """Documents, a third of them equal to others, and queries."""
    rng = np.random.default_rng(seed)
    docs = [rng.normal(size=(rng.integers(1, 6), dim)) for _ in range(n_docs)]
    for s in range(0, n_docs, 3):
        docs[s] = docs[rng.integers(n_docs)]
    return mr.Sequences(docs), [rng.normal(size=(rng.integers(1, 5), dim)) for _ in range(n_queries)]


def share_of(found, distance_of, k):
    """Share of the true top k, a multiset of distances, that the distances of the found documents make up."""
    true = sorted(distance_of.values())[:k]
    left = list(true)
    for name in found:
        if distance_of[name] in left:
            left.remove(distance_of[name])
    return 1 - len(left) / len(true)


def assert_true(recall, index, queries, distances, ids, k):
    """Each share is that of the hits of the same search, by brute force."""
    for level in recall.at:
        for q, share in enumerate(level.shares):
            hits = index.search(queries[q], k, candidates=max(level.candidates, k))
            assert share == pytest.approx(share_of(hits.ids.tolist(), dict(zip(ids, distances[q], strict=True)), k))
            assert hits.certificate.certain / len(hits) <= share + 1e-12
        assert level.recall == pytest.approx(np.mean(level.shares))
        assert 0 <= level.low <= level.recall <= level.high <= 1
        assert level.certain <= level.recall + 1e-12


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@given(
    seed=st.integers(0, 10**6), k=st.sampled_from([1, 2, 7, 80, 200]), prefilter=st.sampled_from(PREFILTERS),
    more=st.sampled_from([(0,), (0, 1, 20), (500,)]),
)  # fmt: skip
def test_recall_is_that_of_brute_force(measure, seed, k, prefilter, more):
    docs, queries = collection(seed)
    ids = np.random.default_rng(seed).permutation(len(docs)) + 1000
    index = mr.Index.build(docs, measure, ids=ids, prefilter=prefilter, num_threads=1)
    recall = index.recall(queries, k, candidates=[k + extra for extra in more])
    distances = [mr.distances(query, docs, measure) for query in queries]
    assert_true(recall, index, queries, distances, ids.tolist(), k)
    assert (recall.k, recall.documents, recall.queries) == (min(k, 80), 80, 4)
    if k >= 80:
        assert [level.shares for level in recall.at] == [(1.0,) * 4] * len(recall.at)


@given(seed=st.integers(0, 10**6), k=st.sampled_from([1, 3, 10]), extra=st.sampled_from([0, 2, 30]))
def test_bags_need_no_prefilter(seed, k, extra):
    rng = np.random.default_rng(seed)
    bags = mr.Bags(rng.normal(size=(30, 3)), [rng.integers(30, size=rng.integers(1, 5)).tolist() for _ in range(150)])
    queries = bags[:3]
    index = mr.Index.build(bags, "wmd")
    recall = index.recall(queries, k, candidates=k + extra)
    assert_true(recall, index, queries, mr.pairwise(queries, bags, "wmd"), range(150), k)


def test_histograms_are_measured_and_infinite_distances_are_ties():
    costs = np.where(np.eye(6) > 0, 0.0, np.inf)
    docs = np.eye(6)[[0, 1, 1, 2, 3, 4, 5] * 30]
    found = mr.Index.build(docs, costs=costs).recall(np.eye(6)[:2], 100, candidates=[100, 210])
    assert [level.shares for level in found.at] == [(1.0, 1.0)] * 2


# ---- ties ------------------------------------------------------------------------------------------------------------


def share(found, true):
    return share_found(np.array(found, dtype=float), np.array(true, dtype=float))


def test_other_documents_at_the_last_distance_are_no_loss():
    assert share([0, 1, 1], [0, 1, 1]) == 1.0
    assert share([1], [1]) == 1.0
    assert share([np.inf, np.inf], [np.inf, np.inf]) == 1.0


def test_ties_do_not_stand_in_for_a_nearer_document_that_was_missed():
    assert share([1, 1], [0, 1]) == 0.5
    assert share([1, 1, 1, 1], [0, 1, 1, 1]) == 0.75
    assert share([-1, 1, 1], [-2, -1, 1]) == pytest.approx(2 / 3)
    assert share([0, 2], [0, 1]) == 0.5
    assert share([2], [0]) == 0.0


def test_fewer_hits_than_k_are_a_loss():
    assert share([0], [0, 1, 1, 1]) == 0.25
    assert share([], [0, 1]) == 0.0


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@pytest.mark.parametrize("prefilter", PREFILTERS, ids=str)
def test_any_of_equal_documents_will_do(measure, prefilter):
    rng = np.random.default_rng(0)
    one, query = rng.normal(size=(9, 4)), rng.normal(size=(7, 4))
    docs = [one[rng.permutation(9)] for _ in range(40)]  # the same tokens, in any order
    (level,) = mr.Index.build(docs, measure, prefilter=prefilter).recall([query], 3, candidates=3).at
    assert level.recall == 1.0


def test_distances_that_differ_in_the_last_digits_do_not_tie():
    costs = 1.0 + 1e-15 * np.arange(200.0).reshape(1, 200)
    index = mr.Index.build(np.eye(200)[::-1], costs=costs)
    (level,) = index.recall([[1.0]], 2, candidates=2).at
    hits = index.search([1.0], 2, candidates=2)
    assert level.recall == np.isin(hits.ids, [198, 199]).mean()


# ---- how bad it can be -----------------------------------------------------------------------------------------------


def test_a_prefilter_that_sees_nothing_has_the_recall_of_chance():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(1000, 4, 16))
    docs = mr.Sequences(list(np.concatenate([half, -half], axis=1)))  # all means are zero
    queries = [x[:2] + 0.1 * rng.normal(size=(2, 16)) for x in half[:30]]
    found = mr.Index.build(docs, mr.Measure("euclidean", "uniform", capacity=np.inf)).recall(
        queries, candidates=[10, 1000]
    )
    assert found.at[0].recall < 0.2
    assert found.at[0].high < 0.5
    assert found.at[0].certain == 0.0
    assert found.at[1].recall == 1.0
    assert found.at[1].low < 0.9  # thirty queries do not tell


def test_one_candidate():
    docs, queries = collection(1, n_queries=20)
    index = mr.Index.build(docs, "maxsim")
    for candidates in (1, [1]):
        (level,) = index.recall(queries, 1, candidates=candidates).at
        assert level.candidates == 1
        assert set(level.shares) == {0.0, 1.0}


# ---- intervals -------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 400), share=st.floats(0, 1))
def test_intervals_of_zeros_and_ones_are_those_of_scipy(n, share):
    ones = round(share * n)
    expected = stats.binomtest(ones, n).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(wilson(ones / n, n), expected, atol=1e-12)


@pytest.mark.parametrize("mean", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("spread", ["queries fail as a whole", "hits fail alone", "some of each"])
def test_intervals_cover_the_true_recall(mean, spread):
    rng = np.random.default_rng(7)
    n, k, runs = 60, 10, 4000
    if spread == "queries fail as a whole":
        shares = rng.random((runs, n)) < mean
    elif spread == "hits fail alone":
        shares = rng.binomial(k, mean, (runs, n)) / k
    else:
        shares = rng.binomial(k, rng.beta(2 * mean, 2 * (1 - mean), (runs, n))) / k
    intervals = [wilson(float(one), n) for one in shares.mean(axis=1)]
    covered = np.mean([low <= mean <= high for low, high in intervals])
    assert covered > 0.93  # Wilson's interval holds 95 % on average over means


# ---- what is measured ------------------------------------------------------------------------------------------------


def test_numbers_of_candidates_default_to_multiples_of_k_and_are_reduced_openly():
    docs, queries = collection(2)
    found = mr.Index.build(docs, "wrd").recall(queries, 2)
    assert [level.candidates for level in found.at] == [6, 20, 60, 80]
    assert found.reduced == (200,)
    assert found.at[-1].recall == 1.0
    assert str(found).endswith("reduced to the number of documents: 200 candidates")
    few = mr.Index.build(docs[:3], "wrd").recall(queries)
    assert ([level.candidates for level in few.at], few.reduced, few.k) == ([3], (30, 100, 300, 1000), 3)
    twice = mr.Index.build(docs, "wrd").recall(queries, 1, candidates=[9, 4, 9])
    assert [level.candidates for level in twice.at] == [4, 9]


def test_removed_and_added_documents_and_those_of_a_subset():
    docs, queries = collection(3)
    ids = ['a"\0', "é☃", "", " ", *(f"id {n}" for n in range(76))]
    index = mr.Index.build(docs, "wrd", ids=ids, payloads=[{"n": n} for n in range(80)])
    index.remove(ids[:30])
    index.add(docs[:2], ["new", "newer"], payloads=[{"n": 1}, {"n": 2}])
    left, names = [*docs[30:], *docs[:2]], [*ids[30:], "new", "newer"]
    found = index.recall(queries, 5, candidates=[5, 12])
    assert found.documents == 52
    assert_true(found, index, queries, [mr.distances(query, left, "wrd") for query in queries], names, 5)
    some = index.recall(queries, 5, candidates=[5, 12], subset=names[::2], where="n > 40")
    chosen = [s for s in range(0, 50, 2) if 30 + s > 40]
    assert some.documents == len(chosen)
    for level in some.at:
        for query, share in zip(queries, level.shares, strict=True):
            hits = index.search(query, 5, candidates=level.candidates, subset=names[::2], where="n > 40")
            distances = mr.distances(query, [left[s] for s in chosen], "wrd")
            distance_of = dict(zip([names[s] for s in chosen], distances, strict=True))
            assert share == share_of(hits.ids.tolist(), distance_of, 5)


def test_changes_meanwhile_do_not_count():
    docs, queries = collection(4)
    index = mr.Index.build(docs, "wrd")
    alone = index.recall(queries, 3, candidates=9)

    def change(done, total):
        index.add([queries[done - 1]])
        index.remove([done])

    meanwhile = index.recall(queries, 3, candidates=9, progress=change)
    assert [level.shares for level in meanwhile.at] == [level.shares for level in alone.at]
    assert meanwhile.documents == 80
    assert len(index) == 80


def test_weights_of_queries_count():
    docs, queries = collection(5)
    weighted = mr.Sequences(queries, [np.arange(1.0, len(x) + 1) for x in queries])
    index = mr.Index.build(docs, "wrd", num_threads=2)
    found = index.recall(weighted, 5, candidates=8)
    distances = [mr.distances(query, docs, "wrd") for query in weighted]
    assert_true(found, index, weighted, distances, range(80), 5)
    assert found.num_threads == 2
    assert index.recall(weighted, 5, num_threads=1).num_threads == 1


def test_an_opened_index_is_measured_as_the_one_in_memory(tmp_path):
    docs, queries = collection(6)
    index = mr.Index.build(docs, "wrd", prefilter=mr.Clusters(2))
    index.save(tmp_path / "index")
    with mr.Index.open(tmp_path / "index") as opened:
        found = opened.recall(queries, 5, candidates=[5, 20])
    expected = index.recall(queries, 5, candidates=[5, 20])
    assert [level.shares for level in found.at] == [level.shares for level in expected.at]


def test_progress_is_told_and_ctrl_c_ends_it():
    docs, queries = collection(7)
    index = mr.Index.build(docs, "wrd")
    told = []
    index.recall(queries, 1, progress=lambda *done: told.append(done))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.recall(queries, 1, progress=stop)
    assert index.search(queries[0], 1).certificate.exact


# ---- what is said ----------------------------------------------------------------------------------------------------


def test_the_result_reads_as_a_table_and_never_says_exact_of_a_budget():
    docs, queries = collection(8)
    found = mr.Index.build(docs, "wrd").recall(queries, 5, candidates=[5, 80], query_ids=["a", "b", "c", "d"])
    lines = str(found).splitlines()
    assert lines[0] == "recall of the true top 5 by wrd: 4 queries, 80 documents"
    assert " ".join(lines[1].split()) == "candidates recall 95 % interval certain median ms p95 ms"
    assert [line.split()[0] for line in lines[2:4]] == ["5", "80"]
    assert f"{found.at[0].recall:.3f}" in lines[2]
    assert lines[4].startswith("exact search")
    assert "measured on these queries, not proved" in lines[5]
    assert str(found).count("exact") == 1
    assert len({len(line) for line in lines[1:5]}) == 1
    assert repr(found) == f"Recall({found.at[0].recall:.3f} at 5, 1.000 at 80; 4 queries, 80 documents)"
    assert repr(mr.Index.build(docs[:1], "wrd").recall(queries[:1])) == "Recall(1.000 at 1; 1 query, 1 document)"
    for level in found.at:
        assert 0 < level.median_seconds <= level.p95_seconds
    assert 0 < found.exact_median_seconds <= found.exact_p95_seconds
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize("query_ids", [None, [2**62, -5, 0, 7], np.array(["é", "b", "", "\0"], dtype=object)])
def test_json_is_what_the_result_says(query_ids):
    docs, queries = collection(9)
    found = mr.Index.build(docs, "wrd").recall(queries, 5, candidates=[5, 100], query_ids=query_ids)
    told = found.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["query_ids"] == [str(name) for name in (range(4) if query_ids is None else query_ids)]
    assert (told["measure"], told["queries"], told["reduced"]) == ("wrd", 4, [100])
    for name in ("k", "documents", "num_threads", "exact_median_seconds", "exact_p95_seconds"):
        assert told[name] == getattr(found, name)
    assert [mr.RecallAt(**{**one, "shares": tuple(one["shares"])}) for one in told["at"]] == list(found.at)
    bare = found.to_dict(contents=False)
    assert "query_ids" not in bare
    assert all("shares" not in one for one in bare["at"])


def no_documents():
    index = mr.Index.build([np.eye(3)], "wmd", payloads=[{"n": 1}])
    index.remove([0])
    return index


@pytest.mark.parametrize(
    ("call", "error", "fault"),
    [
        (lambda i, q: no_documents().recall(q), ValueError, "no recall: there are no documents to search"),
        (lambda i, q: i.recall(q, subset=[]), ValueError, "there are no documents of the subset to search"),
        (lambda i, q: i.recall(q, where="n > 99"), ValueError, "there are no documents that satisfy the condition"),
        (lambda i, q: i.recall([]), ValueError, "queries: expected at least one"),
        (lambda i, q: i.recall(q, 5, candidates=[9, 4]), ValueError, "candidates must be at least k = 5, got 4"),
        (lambda i, q: i.recall([*q, np.eye(2)]), ValueError, "queries: sequence 4"),
        (lambda i, q: i.recall([*q, np.zeros((1, 3))]), ValueError, "queries: sequence 4"),
        (lambda i, q: i.recall(q, query_ids=[1, 2, 3, 1]), mr.DuplicateIdError, "query_ids: 1 is given more than once"),
        (
            lambda i, q: mr.Index.build([np.eye(3)], prefilter=None).recall(q, 1),
            ValueError,
            "candidates: need a prefilter, but this index was built without one",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused_by_name(call, error, fault):
    docs, queries = collection(10)
    index = mr.Index.build(docs, "wrd", payloads=[{"n": n} for n in range(80)])
    with pytest.raises(error, match=fault):
        call(index, queries)


def test_a_closed_index_is_refused(tmp_path):
    docs, queries = collection(11)
    mr.Index.build(docs, "wrd").save(tmp_path / "index")
    index = mr.Index.open(tmp_path / "index")
    index.close()
    with pytest.raises(mr.IndexClosedError):
        index.recall(queries)
