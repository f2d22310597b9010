"""Search equals brute force, ties included, and says what it proved."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from real_data import cranfield

MEASURES = [
    mr.wmd,
    mr.wrd,
    mr.wrd.replace(capacity=4),
    mr.maxsim,
    mr.rwmd,
    mr.Measure("sqeuclidean", "uniform"),
    mr.Measure("dot", "uniform"),
]


def brute_force(query, docs, measure, ids, k):
    distances = mr.distances(query, docs, measure)
    order = np.lexsort((ids, distances))[:k]
    return np.asarray(ids)[order], distances[order]


def collection(seed, n_docs=150, dim=5):
    """Documents with planted duplicates, ids in random order."""
    rng = np.random.default_rng(seed)
    docs = [rng.normal(size=(rng.integers(1, 9), dim)).astype(np.float32) for _ in range(n_docs)]
    for _ in range(30):
        docs[rng.integers(n_docs)] = docs[rng.integers(n_docs)]
    return mr.Sequences(docs), rng.permutation(10 * n_docs)[:n_docs] - 50, docs[rng.integers(n_docs)]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@given(seed=st.integers(0, 10**6), k=st.sampled_from([1, 2, 10, 149, 150, 1000]))
def test_search_equals_brute_force_with_ties_by_id(measure, seed, k):
    docs, ids, query = collection(seed)
    expected_ids, expected = brute_force(query, docs, measure, ids, k)
    index = mr.Index.build(docs, measure, ids=ids)
    for num_threads in (1, 3):
        hits = index.search(query, k, num_threads=num_threads)
        np.testing.assert_array_equal(hits.ids, expected_ids)
        np.testing.assert_array_equal(hits.distances, expected)
        assert hits.certificate.exact


@pytest.mark.parametrize("measure", ["wmd", "wrd", mr.wrd.replace(capacity=4), mr.wmd.replace(fraction=0.5)])
def test_most_of_a_large_index_is_never_solved(measure):
    docs, ids, query = collection(3, n_docs=3000, dim=2)
    hits = mr.Index.build(docs, measure, ids=ids).search(query, 5)
    expected_ids, expected = brute_force(query, docs, measure, ids, 5)
    np.testing.assert_array_equal(hits.ids, expected_ids)
    np.testing.assert_array_equal(hits.distances, expected)
    assert 20 <= hits.stats.exact_solves < 300


def test_reused_potentials_leave_what_they_should_on_real_tokens():
    data = cranfield()
    docs = mr.Sequences.from_flat(data["doc_tokens"].astype(np.float32), data["doc_off"])
    queries = mr.Sequences.from_flat(data["query_tokens"].astype(np.float32), data["query_off"])
    for measure, most in ((mr.wmd, 0.13), (mr.wrd, 0.13), (mr.wrd.replace(capacity=4), 0.14)):
        index = mr.Index.build(docs, measure)
        examined = []
        for q in range(0, len(queries), 10):
            hits = index.search(queries[q], 10)
            expected_ids, expected = brute_force(queries[q], docs, measure, np.arange(len(docs)), 10)
            np.testing.assert_array_equal(hits.ids, expected_ids)
            np.testing.assert_array_equal(hits.distances, expected)
            examined.append((hits.stats.rungs[0].seen + hits.stats.rungs[-1].seen) / len(docs))
        assert np.mean(examined) < most


@pytest.mark.parametrize("measure", MEASURES)
def test_reranking_given_candidates_is_brute_force_over_them(measure):
    docs, ids, query = collection(4, n_docs=400, dim=3)
    index = mr.Index.build(docs, measure, ids=ids)
    rng = np.random.default_rng(9)
    for size in (1, 7, 150):
        chosen = rng.permutation(len(docs))[:size]
        names = np.asarray(ids)[chosen]
        for k in (1, 10):
            hits = index.rerank(query, list(names), k)
            expected_ids, expected = brute_force(query, mr.Sequences([docs[int(c)] for c in chosen]), measure, names, k)
            np.testing.assert_array_equal(hits.ids, expected_ids[:k])
            np.testing.assert_array_equal(hits.distances, expected[:k])
            assert hits.certificate.exact
            assert "given candidates" in str(hits.certificate)
            assert hits.stats.documents == size


def test_reranking_names_ids_that_it_cannot_use():
    index = mr.Index.build([np.eye(2), np.eye(2)[:1]], "wmd", ids=["a", "b"])
    with pytest.raises(KeyError, match="ids: 'c' is not in the index"):
        index.rerank(np.eye(2), ["a", "c"])
    with pytest.raises(KeyError, match="ids: 0 is not in the index"):
        index.rerank(np.eye(2), [0])
    with pytest.raises(ValueError, match="ids: 'a' is given more than once"):
        index.rerank(np.eye(2), ["a", "b", "a"])
    with pytest.raises(ValueError, match="ids: expected at least one id, got none"):
        index.rerank(np.eye(2), [])
    with pytest.raises(TypeError, match="ids: expected a list of ids, got str"):
        index.rerank(np.eye(2), "ab")


def test_near_ties_are_resolved_exactly():
    """Thousands of documents whose distances differ by a few units in the last place, or not at all."""
    rng = np.random.default_rng(5)
    base = rng.normal(size=(4, 3)).astype(np.float32)
    docs = [base + np.float32(1e-7) * rng.integers(-2, 3, size=base.shape).astype(np.float32) for _ in range(2000)]
    batch = mr.Sequences(docs)
    ids = rng.permutation(2000)
    query = base + np.float32(1)
    for measure in MEASURES:
        expected_ids, expected = brute_force(query, batch, measure, ids, 25)
        hits = mr.Index.build(batch, measure, ids=ids).search(query, 25)
        np.testing.assert_array_equal(hits.ids, expected_ids)
        np.testing.assert_array_equal(hits.distances, expected)


def test_statistics_add_up_and_the_certificate_is_true():
    docs, ids, query = collection(11, n_docs=2000, dim=2)
    for measure in MEASURES:
        hits = mr.Index.build(docs, measure, ids=ids).search(query, 3)
        s = hits.stats
        assert s.documents == 2000
        seeds, *rungs = s.rungs
        assert seeds.seen + rungs[0].seen == 2000
        assert all(rung.seen - rung.dropped == after.seen for rung, after in itertools.pairwise(rungs))
        assert seeds.seen + rungs[-1].seen - rungs[-1].dropped == s.exact_solves
        assert hits.certificate.unsolved == 2000 - s.exact_solves
        assert hits.certificate.certain == 3
        assert hits.certificate.error == 0
        assert hits.distances[-1] < hits.certificate.bound
        assert str(hits.certificate).startswith(
            f"exact: {2000 - s.exact_solves} of 2000 documents were not solved; none is nearer than "
        )
        assert "above the 3rd distance" in hits.certificate.statement


def test_hits_explain_themselves():
    docs, ids, query = collection(7)
    weighted = mr.Sequences(list(docs), weights=[np.arange(1.0, len(x) + 1) for x in docs])
    for batch, weights in ((docs, None), (weighted, np.arange(1.0, len(query) + 1))):
        for measure in MEASURES:
            hits = mr.Index.build(batch, measure, ids=ids).search(query, 4, weights=weights)
            for hit in hits:
                alignment = hit.alignment
                assert alignment.value == pytest.approx(hit.distance, abs=1e-9)
                assert sum(p.contribution for p in alignment.pairs) == pytest.approx(hit.distance, abs=1e-9)
                assert sum(p.mass for p in alignment.pairs) == pytest.approx(1, abs=1e-9)
                assert hit.similarity == measure.similarity(hit.distance)


def test_hits_print_as_a_table():
    index = mr.Index.build([np.eye(2), np.eye(2)[:1]], "wmd", ids=["first", "second"])
    hits = index.search(np.eye(2), 2)
    lines = str(hits).splitlines()
    assert lines[1].split() == ["1", "first", "0", "1"]
    assert lines[-1] == "exact: all 2 documents were solved"
    assert repr(hits) == "Hits(2 by wmd, best 'first' at 0)"
    assert repr(hits[1]).startswith("Hit(id='second', rank=1, distance=0.707")
    assert "solved 2 of 2 documents (100.00 %)" in str(hits.stats)
    assert [hit.id for hit in hits[:1]] == ["first"]
    assert hits.similarities.tolist() == [hit.similarity for hit in hits]
    assert ["first" in index, "third" in index, 0 in index] == [True, False, False]
    assert repr(index) == "Index(2 documents, measure=wmd, dim=2)"
    assert len(index) == 2
    with pytest.raises(IndexError):
        hits[2]


def test_documents_too_long_for_float32_costs_are_refused_and_not_left_out():
    """Faiss would pass over a document whose squared distance overflows."""
    documents = [np.array([[x]], dtype=np.float32) for x in (4e18, 3.0, -4e18, 1.0)]
    hits = mr.Index.build(documents, "wmd").search([[0.0]], 4)
    assert hits.ids.tolist() == [3, 1, 0, 2]
    with pytest.raises(ValueError, match="docs: sequence 4: token 0 is too long for costs in float32: its norm is 1e"):
        mr.Index.build([*documents, np.array([[1e25]])], "wmd")


def test_alignments_are_of_the_query_as_it_was_asked():
    query = np.array([[1.0, 0.0]], dtype=np.float32)
    hits = mr.Index.build([np.array([[0.0, 1.0]])], "wrd").search(query, 1)
    query[:] = [0.0, 1.0]
    assert hits[0].alignment.value == hits[0].distance == 1


def test_answers_cannot_be_changed():
    hits = mr.Index.build([np.eye(2)]).search(np.eye(2), 1)
    for array in (hits.ids, hits.distances):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
    for thing, name in ((hits, "ids"), (hits[0], "rank"), (hits.stats, "seconds"), (hits.certificate, "exact")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, 0)


def test_ties_among_strings_follow_the_strings():
    index = mr.Index.build([np.eye(2)] * 4, "wrd", ids=["b", "ä", "a", "B"])
    assert index.search(np.eye(2), 3).ids.tolist() == ["B", "a", "b"]


def test_ids_are_positions_by_default():
    assert mr.Index.build([np.eye(2)] * 3).ids.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda i: i.search(np.eye(2), 0), ValueError, "k must be at least 1, got 0"),
        (lambda i: i.search(np.eye(2), -3), ValueError, "k must be at least 1"),
        (lambda i: i.search(np.eye(2), 2.0), TypeError, "k must be an integer, got 2.0"),
        (lambda i: i.search(np.eye(2), True), TypeError, "k must be an integer"),
        (lambda i: i.search(np.eye(3), 1), ValueError, "query has dimension 3 and the index has dimension 2"),
        (lambda i: i.search([[0.0, 0.0]], 1), ValueError, "query: total mass is zero"),
        (lambda i: i.search([[1.0, np.nan]], 1), ValueError, "query: token 0 is not finite"),
        (lambda i: i.search(np.eye(2), 1, num_threads=-1), ValueError, "num_threads must be at least 1"),
        (lambda i: mr.Index.build([np.eye(2)] * 2, ids=[1]), ValueError, "ids: expected 2, one per document, got 1"),
        (lambda i: mr.Index.build([np.eye(2)] * 2, ids=[1, 1]), ValueError, "ids: 1 is given more than once"),
        (lambda i: mr.Index.build([np.eye(2)] * 2, ids=["a", "a"]), ValueError, "ids: 'a' is given more than once"),
        (lambda i: mr.Index.build([np.eye(2)] * 2, ids=[1, "a"]), TypeError, "ids: expected all integers or all"),
        (lambda i: mr.Index.build([np.eye(2)] * 2, ids=[1.0, 2.0]), TypeError, "ids: expected all integers or all"),
        (lambda i: mr.Index.build([np.eye(2)] * 2, ids="ab"), TypeError, "ids: expected a list of ids"),
        (lambda i: mr.Index.build([np.eye(2)], ids=[2**70]), ValueError, "does not fit into 64 bits"),
        (lambda i: mr.Index.build([np.eye(2), [[0, 0]]]), ValueError, "docs: sequence 1: total mass is zero"),
        (
            lambda i: mr.Index.build([np.eye(2), [[0, 0]]], ids=["a", "b"]),
            ValueError,
            r"docs: sequence 1 \(id 'b'\): total mass is zero",
        ),
        (lambda i: mr.Index.build([np.eye(2)] * 2, ids=[b"a", b"b"]), TypeError, "ids: expected all .* got bytes"),
        (lambda i: mr.Index.build([np.eye(2)] * 2, ids=[True, False]), TypeError, "ids: expected all .* got bool"),
        (lambda i: mr.Index.build([np.eye(2)], ids=3), TypeError, "ids: expected a list of ids, got int"),
        (lambda i: mr.Index.build([np.eye(2)], num_threads=1.5), TypeError, "num_threads must be an integer"),
        (lambda i: mr.Index.build([]), ValueError, "docs: expected at least one sequence"),
    ],
)
def test_bad_input_is_refused(call, kind, message):
    index = mr.Index.build([np.eye(2), np.eye(2)[:1]])
    with pytest.raises(kind, match=message):
        call(index)
