"""The first stage over tokens: candidates by the cells in which tokens lie, in memory, in files, and after changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank._support.storage import Stored
from moverank.index.parts import finding_cells
from moverank.index.parts.codebook import ONE_LEVEL, cells_for, trained_codebook
from moverank.index.parts.setup import MANY_DOCUMENTS
from moverank.readers import Batch

FAMILY = [
    mr.wmd,
    mr.wrd,
    mr.wrd.replace(capacity=4),
    mr.maxsim,
    mr.wmd.replace(ground="dot"),
    mr.wrd.replace(problem="relaxed"),
]


def collection(n_documents, *, seed=0, dim=16, n_topics=120, noise=0.35):
    """Documents of tokens near some topics of their own, as contextual encoders make them, and queries of a few."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(0).normal(size=(n_topics, dim))
    themes = np.random.default_rng(1).integers(n_topics, size=(30, 12))

    def document(count):
        theme = themes[rng.integers(len(themes))]
        tokens = topics[rng.choice(theme, count)] + noise * rng.normal(size=(count, dim))
        return (tokens * rng.uniform(0.5, 2.0, size=(count, 1))).astype(np.float32)

    return [document(rng.integers(4, 14)) for _ in range(n_documents)], [document(4) for _ in range(12)]


DOCS, QUERIES = collection(3000)


def recall(index, truth, candidates, k=10):
    found = [index.search(query, k, candidates=candidates).ids for query in QUERIES]
    return np.mean([len(np.intersect1d(x, y)) / k for x, y in zip(found, truth, strict=True)])


@pytest.mark.parametrize("measure", FAMILY, ids=lambda measure: measure.name)
def test_the_nearest_are_among_few_candidates(measure):
    index = mr.Index.build(DOCS, measure, prefilter="tokens")
    truth = [index.search(query, 10).ids for query in QUERIES]
    pooled = mr.Index.build(DOCS, measure)
    assert [pooled.search(query, 10).ids.tolist() for query in QUERIES] == [ids.tolist() for ids in truth]
    assert recall(index, truth, 100) >= 0.95
    assert recall(index, truth, 30) >= recall(pooled, truth, 30)


def test_weights_move_the_candidates_too():
    rng = np.random.default_rng(5)
    index = mr.Index.build(DOCS, "wmd", prefilter="tokens")
    found = plain = 0
    for query in QUERIES:
        weights = rng.uniform(size=len(query)) ** 3
        truth = index.search(query, 10, weights=weights).ids
        found += len(np.intersect1d(truth, index.search(query, 10, weights=weights, candidates=100).ids))
        plain += len(np.intersect1d(truth, index.search(query, 10, candidates=100).ids))
    assert found >= 0.9 * 10 * len(QUERIES)
    assert plain < found


def test_options_change_what_is_looked_at():
    truth = [mr.Index.build(DOCS, "wrd").search(query, 10).ids for query in QUERIES]
    few = recall(mr.Index.build(DOCS, "wrd", prefilter=mr.TokenCells(cells=2048, probes=1, ranked=40)), truth, 40)
    many = recall(mr.Index.build(DOCS, "wrd", prefilter=mr.TokenCells(cells=2048, probes=64, ranked=2000)), truth, 40)
    assert few < many
    assert many > 0.95


def test_options_of_searches_change_without_a_build(tmp_path):
    built = mr.Index.build(DOCS, "wrd", prefilter=mr.TokenCells(cells=2048, probes=1, ranked=40))
    built.save(tmp_path / "index")
    many = mr.TokenCells(probes=64, ranked=2000)
    expected = mr.Index.build(DOCS, "wrd", prefilter=mr.TokenCells(2048, 64, 2000))
    for index in (built, mr.Index.open(tmp_path / "index")):
        thorough = index.with_prefilter(many)
        assert thorough.prefilter == mr.TokenCells(2048, 64, 2000)
        assert index.prefilter == mr.TokenCells(2048, 1, 40)
        for query in QUERIES:
            found = thorough.search(query, 10, candidates=40).ids
            assert np.array_equal(found, expected.search(query, 10, candidates=40).ids)
    # Documents of one are not those of the other, and what is saved has the new options.
    thorough.remove(thorough.ids[:5])
    thorough.compact()
    assert (len(thorough), len(index)) == (len(DOCS) - 5, len(DOCS))
    thorough.save(tmp_path / "thorough")
    reader = mr.Index.open(tmp_path / "thorough")
    reader.verify()
    assert reader.prefilter == thorough.prefilter


def test_options_of_other_prefilters_are_no_options_of_searches():
    index = mr.Index.build(DOCS, "wrd", prefilter=mr.TokenCells(cells=64))
    with pytest.raises(TypeError, match="prefilter: expected TokenCells, got str"):
        index.with_prefilter("tokens")
    with pytest.raises(ValueError, match="prefilter: expected the 64 cells of this index, or None, got 65"):
        index.with_prefilter(mr.TokenCells(65))
    with pytest.raises(ValueError, match="prefilter: this index has no cells, as it has the prefilter 'Flat'"):
        mr.Index.build(DOCS, "wrd", prefilter="Flat").with_prefilter(mr.TokenCells())


def test_conditions_and_subsets_are_respected():
    payloads = [{"n": n} for n in range(len(DOCS))]
    index = mr.Index.build(DOCS, "wrd", prefilter=mr.TokenCells(ranked=200), payloads=payloads)
    exact = mr.Index.build(DOCS, "wrd", payloads=payloads)
    found = 0
    for query in QUERIES:
        for where in ("n < 100", "n % 3 = 0"):  # fewer and more documents than are ranked
            hits = index.search(query, 10, candidates=60, where=where)
            found += len(np.intersect1d(hits.ids, exact.search(query, 10, where=where).ids))
            assert all(hit.payload["n"] < 100 or hit.payload["n"] % 3 == 0 for hit in hits)
    assert found >= 0.95 * 20 * len(QUERIES)


def test_a_query_far_from_all_tokens_finds_as_many_as_are_wanted():
    docs = [np.full((1, 3), n, dtype=np.float32) for n in range(500)]
    index = mr.Index.build(docs, "wmd", prefilter=mr.TokenCells(cells=250, probes=1, ranked=100))
    hits = index.search([[1e4, 1e4, 1e4]], 60, candidates=90)
    assert hits.ids.tolist() == list(range(499, 439, -1))
    assert len(index.search([[1e4, 1e4, 1e4]], 300, candidates=400)) == 300


def test_a_certificate_claims_nothing_about_documents_left_out():
    hits = mr.Index.build(DOCS, "wrd", prefilter="tokens").search(QUERIES[0], 5, candidates=20)
    assert not hits.certificate.exact
    assert "nothing is known of them" in str(hits.certificate)
    assert any(rung.name.startswith("tokens, ") for rung in hits.stats.rungs)


@given(st.integers(0, 10**6), st.sampled_from(FAMILY), st.integers(1, 40), st.integers(1, 9))
def test_exact_searches_are_exact(seed, measure, n_documents, k):
    docs, queries = collection(n_documents, seed=seed, dim=5, n_topics=130)
    index = mr.Index.build(docs, measure, prefilter=mr.TokenCells(1 + seed % 9, probes=1 + seed % 3))
    hits = index.search(queries[0], k)
    values = mr.distances(queries[0], docs, measure)
    np.testing.assert_allclose(hits.distances, np.sort(values)[:k], rtol=1e-5, atol=1e-6)
    assert hits.certificate.exact
    assert index.search(queries[0], k, candidates=max(k, len(docs))).ids.tolist() == hits.ids.tolist()


# ---- changes, and files ----------------------------------------------------------------------------------------------


def codebooks(folder):
    return sorted(path.name for path in folder.glob("*.codebook"))


def test_changes_keep_what_is_found(tmp_path):
    path = tmp_path / "index"
    mr.Index.build(DOCS[:2000], "wrd", prefilter="tokens").save(path)
    before = codebooks(path)
    with mr.Index.open(path, writable=True) as index:
        for start in range(2000, 3000, 250):
            index.add(DOCS[start : start + 250])
        index.remove(list(range(0, 3000, 2)))
        index.upsert(DOCS[:10], ids=list(range(1, 21, 2)))
        index.verify()
        truth = [index.search(query, 10).ids for query in QUERIES]
        assert recall(index, truth, 100) >= 0.95
        assert codebooks(path) == before
        index.compact()
        index.verify()
        assert recall(index, truth, 100) >= 0.95
        assert len(list(path.glob("*.cells"))) == 1
        opened = mr.Index.open(path)
        for query in QUERIES:
            ours, theirs = (own.search(query, 10, candidates=50).ids.tolist() for own in (opened, index))
            assert ours == theirs


def test_centroids_are_kept_while_they_fit(tmp_path):
    path = tmp_path / "index"
    mr.Index.build(DOCS[:1500], "wrd", prefilter="tokens").save(path)
    first = codebooks(path)
    with mr.Index.open(path, writable=True) as index:
        index.add(DOCS[1500:1700])
        index.compact()
        assert codebooks(path) == first
        # Documents about something else, of which the centroids know nothing.
        elsewhere = np.random.default_rng(3).normal(size=(700, 8, 16)).astype(np.float32)
        index.add(elsewhere)
        assert codebooks(path) == first
        index.compact()
        assert codebooks(path) != first
        hits = index.search(elsewhere[5], 3, candidates=30)
        assert hits.ids[0] == 1705


def test_an_index_may_become_empty_and_fill_again(tmp_path):
    path = tmp_path / "index"
    mr.Index.build(DOCS[:20], "wrd", prefilter="tokens").save(path)
    with mr.Index.open(path, writable=True) as index:
        index.remove(list(range(20)))
        assert len(index.search(QUERIES[0], 3, candidates=5)) == 0
        index.compact()
        assert not list(path.glob("*.cells"))
        index.add(DOCS[20:60])
        assert len(index.search(QUERIES[0], 3, candidates=40)) == 3
        index.verify()


def batches(count=10, size=100):
    return (Batch(DOCS[start * size : (start + 1) * size]) for start in range(count))


def test_a_build_in_batches_finds_the_same_in_bounded_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1 << 17)
    monkeypatch.setattr(finding_cells, "TOKENS_PER_GROUP", 2500)
    monkeypatch.setattr(finding_cells, "TOKENS_AT_ONCE", 700)
    index = mr.Index.build_on_disk(tmp_path / "index", batches(), "wrd", prefilter="tokens")
    index.verify()
    monkeypatch.undo()
    whole = mr.Index.build(DOCS[:1000], "wrd", prefilter="tokens")
    assert len(list((tmp_path / "index").glob("*.cells"))) > 2
    assert len(list((tmp_path / "index").glob("*.seg"))) > 2
    for query in QUERIES:
        assert index.search(query, 9, candidates=40).ids.tolist() == whole.search(query, 9, candidates=40).ids.tolist()


def test_a_resumed_build_may_have_other_cells(tmp_path, monkeypatch):
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1 << 17)

    def broken():
        yield from batches(6)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        mr.Index.build_on_disk(tmp_path / "index", broken(), prefilter="tokens")
    with pytest.raises(ValueError, match="begun with prefilter TokenCells"):
        mr.Index.build_on_disk(tmp_path / "index", batches(), prefilter="Flat", resume=True)
    index = mr.Index.build_on_disk(tmp_path / "index", batches(), prefilter=mr.TokenCells(77), resume=True)
    index.verify()


# ---- the default -----------------------------------------------------------------------------------------------------


def test_many_documents_have_cells_by_default(tmp_path):
    tokens = np.random.default_rng(0).normal(size=(MANY_DOCUMENTS, 3)).astype(np.float32)
    many = mr.Sequences.from_flat(tokens, np.arange(MANY_DOCUMENTS + 1))
    assert mr.Index.build(many).prefilter == mr.TokenCells()
    index = mr.Index.build(many[1:])
    assert index.prefilter == "Flat"
    index.add(many[:1])
    assert len(index) == MANY_DOCUMENTS
    assert index.prefilter == "Flat"
    # The number of documents is not known when the first are written.
    index = mr.Index.build_on_disk(tmp_path / "index", [mr.readers.Batch(many[:3])])
    assert index.prefilter == mr.TokenCells()
    assert mr.Index.build(mr.Bags(np.eye(3), [[0], [1]]), "wmd").prefilter is None


# ---- centroids -------------------------------------------------------------------------------------------------------


def test_as_many_cells_as_help():
    assert cells_for(0) == 1
    assert [cells_for(n) for n in (1, 100, 10_000, 1_000_000, 1 << 40)] == [1, 16, 2048, 16384, 16384]
    index = mr.Index.build(DOCS[:3], "wrd", prefilter=mr.TokenCells(5000))  # more than there are tokens
    assert len(index.search(QUERIES[0], 3, candidates=3)) == 3


@pytest.mark.parametrize("n_cells", [50, 4 * ONE_LEVEL])
def test_tokens_are_in_the_cell_of_the_nearest_centroid(n_cells):
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(300, 12))
    tokens = (topics[rng.integers(300, size=30_000)] + 0.2 * rng.normal(size=(30_000, 12))).astype(np.float32)
    codebook = trained_codebook(tokens, n_cells, 1)
    cells, distances = codebook.assign(Stored.floats(tokens[:2000]), 1)
    squares = ((tokens[:2000, None] - codebook.centroids[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances, squares[np.arange(2000), cells], rtol=1e-3, atol=1e-4)
    # In two levels a token near the edge of a coarse cell may miss its nearest centroid, but none that is much nearer.
    assert np.mean(cells == squares.argmin(axis=1)) >= (1.0 if n_cells <= ONE_LEVEL else 0.9)
    assert distances.mean() <= 1.02 * squares.min(axis=1).mean()
    assert codebook.residual == pytest.approx(codebook.assign(Stored.floats(tokens), 1)[1].mean(), rel=0.05)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"cells": 0}, ValueError, "cells must be at least 1, got 0"),
        ({"cells": 1 << 17}, ValueError, "cells must be at most 65536"),
        ({"cells": 2.5}, TypeError, "cells must be an integer"),
        ({"probes": 0}, ValueError, "probes must be at least 1, got 0"),
        ({"ranked": "9"}, TypeError, "ranked must be an integer"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, kind, message):
    with pytest.raises(kind, match=message):
        mr.TokenCells(**options)


def test_bags_need_no_cells():
    with pytest.raises(ValueError, match="prefilter: expected none for bags"):
        mr.Index.build(mr.Bags(np.eye(3), [[0], [1]]), "wmd", prefilter="tokens")
