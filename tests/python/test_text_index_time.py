"""Searches of texts that have too little time: they end, and claim no more than is true of what they found."""

import time

import numpy as np
import pytest

import moverank as mr
from moverank.text_index.searching import HITS_AT_ONCE

pytest.importorskip("tantivy", reason="tantivy is not installed")

COUNT = 3000
WORDS = ["cat", "dog", "bank", "river", "music", "street", "stock", "market", "rain", "sun", "painter", "roof", "paper"]
QUERY = "music on a street by the river"


@pytest.fixture(scope="module", params=[None, mr.Passages(4, 1)], ids=["whole", "passages"])
def index(request):
    """Texts of eight words, half of which have a term of the query."""
    draw = np.random.default_rng(5)
    texts = [" ".join(draw.choice(WORDS, 8)) for _ in range(COUNT)]
    own = mr.TextIndex.create(passages=request.param)
    own.add(texts, payloads=[{"year": n} for n in range(COUNT)])
    return own


def test_hits_are_listed_as_far_as_time_goes(index):
    whole = index.search(QUERY, COUNT, fusion=0.0, candidates=COUNT)
    cut = index.search(QUERY, COUNT, fusion=0.0, candidates=COUNT, timeout=1e-9)
    assert not whole.stats.timed_out
    assert len(whole) > 2 * HITS_AT_ONCE == 2 * len(cut)
    assert cut.ids == whole.ids[:HITS_AT_ONCE]
    assert [hit.text for hit in cut] == [hit.text for hit in whole[:HITS_AT_ONCE]]
    assert cut.stats.timed_out
    assert not cut.certificate.exact
    assert f"time was over when {HITS_AT_ONCE} of {len(whole)} hits were listed" in str(cut.certificate)
    assert cut.left_out == 0


@pytest.mark.parametrize("options", [{"fusion": 1.0, "candidates": None}, {"fusion": 1.0}, {}, {"candidates": None},
                                     {"where": "year >= 100", "candidates": COUNT}])  # fmt: skip
@pytest.mark.parametrize("seconds", [1e-9, 0.01, 0.03, 0.1, 60.0])
def test_certificates_are_true_whenever_time_ends(index, seconds, options):
    true = {hit.id: hit.similarity for hit in index.search(QUERY, COUNT, fusion=1.0, candidates=None)}
    best = sorted(true.values(), reverse=True)
    began = time.monotonic()
    try:
        hits = index.search(QUERY, COUNT, timeout=seconds, **options)
    except TimeoutError:
        assert "where" in options
        assert seconds < 1
        return
    assert time.monotonic() - began < seconds + 2
    proved = hits.certificate
    assert len(set(hits.ids)) == len(hits) <= COUNT
    # The best passage by both kinds of scores is not always the nearest, and in time not all are compared.
    for hit in hits:
        assert hit.similarity <= true[hit.id] + 1e-6
    assert proved.certain <= len(hits)
    assert [hit.similarity for hit in hits[: proved.certain]] == pytest.approx(best[: proved.certain], abs=1e-6)
    if proved.exact:
        assert [hit.similarity for hit in hits] == pytest.approx(best, abs=1e-6)
    assert hits.stats.timed_out or seconds > 1e-9
    assert not hits.stats.timed_out or seconds < 60
    assert hits.stats.timed_out or len(hits) == COUNT - 100 * ("where" in options)


def test_what_is_proved_is_about_the_requested_hits(index):
    true = index.search(QUERY, 100, fusion=1.0, candidates=None)
    assert true.certificate.exact
    for k in (1, 3, 10, 60):
        hits = index.search(QUERY, k, fusion=1.0, candidates=100)
        proved = hits.certificate
        assert hits.ids[: proved.certain] == true.ids[: proved.certain]
        assert proved.exact or f"{proved.certain} of {k} hits are certain" in str(proved)
        assert index.search(QUERY, k, fusion=1.0, candidates=None).certificate.exact
        least = true[k // 2].similarity
        some = index.search(QUERY, k, fusion=1.0, candidates=100, min_similarity=least)
        assert some.certificate.certain <= len(some)
        assert some.certificate.exact == proved.exact
        assert (" passages" in str(proved)) == (index.passages is not None)
        given = index.rerank(QUERY, true.ids, k, fusion=1.0)
        assert given.certificate.exact
        assert given.ids == true.ids[:k]


def test_a_query_without_a_common_term_is_not_said_to_have_no_vector(index):
    hits = index.search("guitar", fusion=0.0)
    assert hits.comparable
    assert "ordered by terms alone: 0 of" in str(hits.certificate)
    assert "no word of the query has a vector" in str(index.search("zzqqx").certificate)


def test_given_documents_are_ordered_by_their_scores_when_time_is_over(index):
    given = list(range(500))
    hits = index.rerank(QUERY, given, scores=given[::-1], fusion=0.5, timeout=1e-9)
    assert hits.ids == given[: len(hits)]
    assert len(hits) >= HITS_AT_ONCE
    assert hits.stats.timed_out
