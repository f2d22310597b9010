"""Text in, ranking out: the same as distances say, with every option, and reasons that add up."""

import pickle
import threading
import time
import tracemalloc
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

import moverank as mr
from moverank.data import demo_documents, demo_queries
from moverank.encoders import CallableEncoder, WordVectors
from moverank.errors import DimensionError, DuplicateIdError, MeasureMismatchError, NoTokensError, UnknownIdError
from moverank.ranking import DEFAULT_MEASURE, CachedEncoder, Fusion, Passages, Reranker
from moverank.ranking.candidates import Candidates
from moverank.ranking.documents import encoded_documents

ENCODER = WordVectors.default()
TEXTS = [f"{d.title} {d.text}" for d in demo_documents()[:60]]
IDS = [d.id for d in demo_documents()[:60]]
QUERIES = [q.text for q in demo_queries()]
INDEX = mr.Index.build(ENCODER.encode(TEXTS[:3]).sequences, "wrd")


def brute(query, texts, measure=DEFAULT_MEASURE):
    one = ENCODER.encode([query]).sequences
    return mr.distances(one, ENCODER.encode(texts).sequences, measure)


@pytest.mark.parametrize("top_k", [None, 1, 7, 200])
@pytest.mark.parametrize("measure", [None, "wrd", "maxsim", mr.wmd.replace(capacity=2)])
def test_the_order_is_that_of_the_distances(top_k, measure):
    chosen = DEFAULT_MEASURE if measure is None else measure
    expected = brute(QUERIES[0], TEXTS, chosen)
    ranking = Reranker(ENCODER, measure).rank(QUERIES[0], TEXTS, top_k=top_k, doc_ids=IDS)
    order = np.argsort(expected, kind="stable")[:top_k]
    assert ranking.doc_ids == [IDS[d] for d in order]
    assert [d.text for d in ranking] == [TEXTS[d] for d in order]
    assert [d.rank for d in ranking] == list(range(len(order)))
    np.testing.assert_allclose([d.distance for d in ranking], expected[order], rtol=1e-9)
    np.testing.assert_allclose(ranking.scores, ranking.measure.similarity(expected[order]), rtol=1e-9)
    assert ranking.certificate.exact


def test_reasons_have_names_and_add_up():
    ranking = Reranker().rank(QUERIES[1], TEXTS, top_k=3)
    for document in ranking:
        alignment = document.explain()
        assert sum(move.contribution for move in alignment.pairs) == pytest.approx(document.distance, abs=1e-9)
        assert list(alignment.source_names) == ENCODER.encode([QUERIES[1]]).tokens[0]
        assert list(alignment.target_names) == ENCODER.encode([document.text]).tokens[0]


def test_weights_of_a_space_are_used():
    space = mr.fit(ENCODER, TEXTS, ["idf"])
    encoder = space.over(ENCODER)
    query, docs = encoder.encode(QUERIES[:1]).sequences, encoder.encode(TEXTS).sequences
    expected = mr.distances(query, docs, DEFAULT_MEASURE)
    ranking = Reranker(encoder).rank(QUERIES[0], TEXTS)
    np.testing.assert_allclose([d.distance for d in ranking], np.sort(expected), rtol=1e-9)
    assert ranking[0].explain().value == pytest.approx(ranking[0].distance, abs=1e-9)


def test_texts_without_tokens_come_last():
    ranking = Reranker(ENCODER).rank("cat", ["zzzqqq", "a dog", "", "the cat"])
    assert ranking.doc_ids == [3, 1, 0, 2]
    assert ranking[-1].distance == np.inf
    assert ranking[-1].score == -np.inf
    with pytest.raises(ValueError, match="document 2 has no token"):
        ranking[-1].explain()
    assert Reranker(ENCODER).rank("cat", ["", "zzzqqq"]).doc_ids == [0, 1]
    assert Reranker(ENCODER).rank("cat", ["", "a dog"], top_k=1).doc_ids == [1]


def test_equal_texts_keep_their_order():
    assert Reranker(ENCODER).rank("cat", ["a dog", "the cat", "the cat", "a dog"]).doc_ids == [1, 2, 0, 3]


@pytest.mark.parametrize("top_k", [None, 2])
def test_a_document_is_as_near_as_its_nearest_passage(top_k):
    passages = Passages(words=20, overlap=5)
    ranking = Reranker(ENCODER, passages=passages).rank(QUERIES[0], TEXTS, top_k=top_k)
    expected = [brute(QUERIES[0], [text[a:b] for a, b in passages.spans(text)]).min() for text in TEXTS]
    order = np.argsort(expected, kind="stable")[:top_k]
    assert ranking.doc_ids == order.tolist()
    for document in ranking:
        start, end = document.passage
        (value,) = brute(QUERIES[0], [document.text[start:end]])
        assert value == pytest.approx(document.distance)
        assert document.explain().value == pytest.approx(document.distance)


def test_passages_cover_a_text():
    text = " ".join(f"word{i}" for i in range(23))
    spans = Passages(words=10, overlap=4).spans(text)
    assert [len(text[a:b].split()) for a, b in spans] == [10, 10, 10, 5]
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    assert Passages().spans("") == [(0, 0)]
    assert Passages(words=3, overlap=2).spans("one") == [(0, 3)]
    assert Passages(words=2, overlap=1).spans("a b c") == [(0, 3), (2, 5)]
    with pytest.raises(ValueError, match="overlap must be less than words, 5, got 5"):
        Passages(words=5, overlap=5)


def test_fusion_adds_the_first_stage():
    first = np.random.default_rng(0).normal(size=len(TEXTS))
    similarities = DEFAULT_MEASURE.similarity(brute(QUERIES[0], TEXTS))
    for weight in (0.0, 0.3, 1.0):
        ranking = Reranker(ENCODER, fusion=weight).rank(QUERIES[0], TEXTS, scores=first, top_k=5)
        z = [(x - x.mean()) / x.std() for x in (first, similarities)]
        expected = (1 - weight) * z[0] + weight * z[1]
        order = np.argsort(-expected, kind="stable")[:5]
        assert ranking.doc_ids == order.tolist()
        np.testing.assert_allclose(ranking.scores, expected[order])
        np.testing.assert_allclose([d.distance for d in ranking], brute(QUERIES[0], TEXTS)[order])


def test_fusion_is_fitted_to_what_ranks_best():
    rng = np.random.default_rng(1)
    relevance = [(rng.random(30) < 0.2).astype(float) for _ in range(60)]
    good = [r + rng.normal(size=30) for r in relevance]
    noise = [rng.normal(size=30) for _ in relevance]
    assert Fusion.fit(noise, good, relevance).weight > 0.7
    assert Fusion.fit(good, noise, relevance).weight < 0.3
    twice = Fusion.fit(good, [r + rng.normal(size=30) for r in relevance], relevance).weight
    assert 0.3 < twice < 0.7
    assert Fusion.fit(good, good, relevance).weight == 0.0
    assert Fusion.fit([[1, 2]], [[-np.inf, -np.inf]], [[0, 1]]).weight == 0.0


def test_an_index_is_ranked_by_text():
    docs = ENCODER.encode(TEXTS)
    index = mr.Index.build(docs.sequences, DEFAULT_MEASURE, ids=IDS, payloads=[{"text": text} for text in TEXTS])
    ranker = Reranker(ENCODER)
    plain = ranker.rank(QUERIES[0], TEXTS, doc_ids=IDS, top_k=10)
    found = ranker.rank(QUERIES[0], index)
    assert found.doc_ids == plain.doc_ids
    assert [d.text for d in found] == [d.text for d in plain]
    assert found[0].explain().table() == plain[0].explain().table()
    chosen = sorted(IDS)[:5]
    assert set(ranker.rank(QUERIES[0], index, doc_ids=chosen).doc_ids) == set(chosen)
    fused = Reranker(ENCODER, fusion=0.0).rank(QUERIES[0], index, doc_ids=chosen, scores=[1, 5, 2, 4, 3])
    assert fused.doc_ids == [chosen[p] for p in (1, 3, 4, 2, 0)]
    with pytest.raises(MeasureMismatchError, match="the index was built for wrd"):
        Reranker(ENCODER, "wmd").rank(QUERIES[0], index)
    with pytest.raises(ValueError, match="passages: cannot be used with an index"):
        Reranker(ENCODER, passages=Passages()).rank(QUERIES[0], index)
    bare = mr.Index.build(docs.sequences, "wmd")
    (document,) = Reranker(ENCODER).rank(QUERIES[0], bare, top_k=1)
    assert document.text is None
    assert document.explain().target_names[0] == "[0]"


@pytest.mark.parametrize(
    "given",
    [
        list,
        tuple,
        np.array,
        lambda texts: np.array(texts, dtype=object),
        iter,
        lambda texts: dict(enumerate(texts)).values(),
        lambda texts: dict.fromkeys(texts).keys(),
        deque,
    ],
)
def test_texts_and_ids_are_paired_by_position_whatever_holds_them(given):
    texts, ids = ["dog on sofa", "a cat sat", "stock market"], ["x", "y", "z"]
    plain = Reranker(ENCODER).rank("cat", texts, doc_ids=ids)
    ranking = Reranker(ENCODER).rank("cat", given(texts), doc_ids=given(ids))
    assert [(d.doc_id, d.text) for d in ranking] == [(d.doc_id, d.text) for d in plain]
    assert type(ranking[0].text) is str
    assert [r.query for r in Reranker(ENCODER).rank_batch(given(texts), texts)] == texts
    assert ENCODER.encode(given(texts)).tokens == ENCODER.encode(texts).tokens
    assert repr(mr.fit(ENCODER, given(texts), ["idf"])) == repr(mr.fit(ENCODER, texts, ["idf"]))


def test_labels_of_pandas_are_not_positions():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"id": ["A", "B", "C"], "text": ["dog on sofa", "a cat sat", "stock market"]})
    for shown in (frame.sort_values("text"), frame[::-1], frame.iloc[1:], frame.set_index("id", drop=False)):
        ranking = Reranker(ENCODER).rank("cat", shown.text, doc_ids=shown.id)
        expected = Reranker(ENCODER).rank("cat", shown.text.tolist(), doc_ids=shown.id.tolist())
        assert [(d.doc_id, d.text) for d in ranking] == [(d.doc_id, d.text) for d in expected]
        queries = [ranking.query for ranking in Reranker(ENCODER).rank_batch(shown.text, ["a cat"])]
        assert queries == shown.text.tolist()
        for encode in (ENCODER.encode, CachedEncoder(ENCODER).encode, CallableEncoder(one_vector_per_letter).encode):
            assert encode(shown.text).tokens == encode(shown.text.tolist()).tokens
        assert ENCODER.bags(shown.text).words.tolist() == ENCODER.bags(shown.text.tolist()).words.tolist()
    fused = Reranker(ENCODER, fusion=0.0)
    scores = pd.Series([1.0, 3.0, 2.0], index=[2, 0, 1])
    assert fused.rank("cat", frame.text, doc_ids=frame.id, scores=scores).doc_ids == ["B", "C", "A"]
    with pytest.raises(TypeError, match="documents: expected a list of texts or an Index, got DataFrame"):
        Reranker(ENCODER).rank("cat", frame)
    with pytest.raises(TypeError, match=r"documents: document 1 is missing \(<NA>\)"):
        Reranker(ENCODER).rank("cat", pd.Series(["a cat", pd.NA], dtype="string"))
    with pytest.raises(TypeError, match=r"texts: text 1 is missing \(nan\)"):
        mr.fit(ENCODER, pd.Series(["a cat", np.nan]), ["idf"])
    with pytest.raises(TypeError, match="texts: expected many texts, got DataFrame"):
        mr.fit(ENCODER, frame, ["idf"])


def one_vector_per_letter(texts):
    return [(list(text), np.ones((len(text), 2))) for text in texts]


def test_arrow_columns_are_texts():
    pa = pytest.importorskip("pyarrow")
    column = pa.chunked_array([["a dog"], ["a cat"]])
    assert Reranker(ENCODER).rank("cat", column).doc_ids == [1, 0]
    with pytest.raises(TypeError, match=r"document 0 is missing \(None\)"):
        Reranker(ENCODER).rank("cat", pa.array([None, "a cat"]))


def test_a_query_without_tokens_does_not_lose_the_others():
    texts, ids = ["a cat", "a dog"], ["x", "y"]
    first, second, third = Reranker(ENCODER).rank_batch(["cat", "zzxqy", "dog"], texts, doc_ids=ids)
    assert [first.doc_ids, second.doc_ids, third.doc_ids] == [["x", "y"], ["x", "y"], ["y", "x"]]
    assert [first.comparable, second.comparable, third.comparable] == [True, False, True]
    assert second.scores == [-np.inf, -np.inf]
    assert repr(second) == "Ranking(2 documents in the order given: the query has no token)"
    assert str(second).splitlines()[-1] == "not compared: the query has no token; documents are in the order given"
    with pytest.raises(ValueError, match="the query has none"):
        second[0].explain()
    with pytest.raises(NoTokensError, match="queries, as texts: text 1 has no word with a vector: 'zzxqy'"):
        Reranker(ENCODER).rank_batch(["cat", "zzxqy"], texts, unknown="raise")
    assert Reranker(ENCODER).rank("zzxqy", texts, top_k=1, unknown="keep").doc_ids == [0]
    fused = Reranker(ENCODER, fusion=0.5).rank("zzxqy", texts, scores=[1.0, 2.0], unknown="keep")
    assert fused.doc_ids == [1, 0]
    assert np.isfinite(fused.scores).all()
    with pytest.raises(ValueError, match="unknown must be one of 'raise', 'keep', got 'skip'"):
        Reranker(ENCODER).rank("cat", texts, unknown="skip")


@pytest.mark.parametrize("fusion", [None, 0.5])
def test_ids_that_an_index_lacks_come_last_on_request_as_texts_without_a_token_do(fusion):
    index = mr.Index.build(ENCODER.encode(TEXTS[:4]).sequences, "wrd", ids=IDS[:4])
    ids, texts = [IDS[0], "y", *IDS[1:4], "x"], [TEXTS[0], "zzxqy", *TEXTS[1:4], ""]
    scores = None if fusion is None else np.arange(6.0)
    ranker = Reranker(ENCODER, "wrd", fusion=fusion)
    over_index = ranker.rank(QUERIES[0], index, doc_ids=ids, scores=scores, absent="keep")
    over_texts = ranker.rank(QUERIES[0], texts, doc_ids=ids, scores=scores)
    assert over_index.doc_ids == over_texts.doc_ids
    assert over_index.scores == pytest.approx(over_texts.scores, abs=1e-5)
    assert over_index.skipped == over_texts.skipped == 2
    only = ranker.rank(QUERIES[0], index, doc_ids=["y", "x"], scores=None if fusion is None else [1, 2], absent="keep")
    assert sorted(only.doc_ids) == ["x", "y"]
    assert [document.distance for document in only] == [np.inf] * 2
    with pytest.raises(UnknownIdError, match="'y'"):
        ranker.rank(QUERIES[0], index, doc_ids=ids, scores=scores)
    with pytest.raises(UnknownIdError, match="7 is not in the index, whose ids are strings"):
        Reranker(ENCODER, "wrd").rank(QUERIES[0], index, doc_ids=["y", 7], absent="keep")
    with pytest.raises(DuplicateIdError, match="'y' is given more than once"):
        ranker.rank(QUERIES[0], index, doc_ids=["y", IDS[0], "y"], scores=scores, absent="keep")
    for documents, names in ((texts, ids), (index, None)):
        with pytest.raises(ValueError, match="absent: applies only to doc_ids of an index"):
            Reranker(ENCODER, "wrd").rank(QUERIES[0], documents, doc_ids=names, absent="keep")
    with pytest.raises(ValueError, match="absent"):
        ranker.rank(QUERIES[0], index, doc_ids=ids, scores=scores, absent="skip")


def test_a_query_without_tokens_over_an_index():
    space = mr.fit(ENCODER, TEXTS, ["centring", "idf"])
    moved = space(ENCODER.encode(TEXTS[:4])).sequences
    index = mr.Index.build(moved, DEFAULT_MEASURE, ids=["a", "b", "c", "d"], space=space, encoder=ENCODER)
    ranker = Reranker(ENCODER)
    known, unknown = ranker.rank_batch([QUERIES[0], "zzxqy"], index, top_k=2)
    assert known.doc_ids == ranker.rank(QUERIES[0], index, top_k=2).doc_ids
    assert (len(unknown), unknown.comparable) == (0, False)
    unknown, known = ranker.rank_batch(["zzxqy", QUERIES[0]], index, doc_ids=["c", "a"])
    assert unknown.doc_ids == ["c", "a"]
    assert known.doc_ids == ranker.rank(QUERIES[0], index, doc_ids=["c", "a"]).doc_ids


def test_what_has_no_token_is_counted_where_a_ranking_prints():
    ranking = Reranker(ENCODER).rank("cat", ["zzzqqq", "a dog", ""])
    assert ranking.skipped == 2
    assert repr(ranking).endswith(", 2 without a token)")
    assert "2 without a token, not compared" in str(ranking)
    ranking = Reranker(ENCODER).rank("cat zzqx", ["a dog zzqx xxqz", "the cat"])
    assert (ranking.query_dropped, ranking.dropped) == (1, 2)
    assert "without a vector or mass: 1 words of the query, 2 of documents" in str(ranking)


def test_no_documents_are_ranked_as_none():
    for ranking in Reranker(ENCODER).rank_batch(["a cat", "a dog"], []):
        assert len(ranking) == 0
        assert ranking.certificate.exact
        assert repr(ranking) == "Ranking(0 documents by wrd(capacity=4))"


def test_a_batch_is_ranked_as_one_by_one():
    ranker, seen = Reranker(ENCODER), []
    batch = ranker.rank_batch(QUERIES[:3], TEXTS, top_k=4, progress=seen.append)
    assert seen == [1, 2, 3]
    for query, ranking in zip(QUERIES[:3], batch, strict=True):
        alone = Reranker(ENCODER).rank(query, TEXTS, top_k=4)
        assert ranking.query == query
        assert ranking.doc_ids == alone.doc_ids
        assert ranking.scores == alone.scores


def test_queries_may_be_encoded_in_another_way():
    encoder = CallableEncoder(
        lambda texts: [np.eye(4)[: len(t)] for t in texts], lambda texts: [np.eye(4)[-len(t) :] for t in texts]
    )
    assert Reranker(encoder, "wmd").rank("aa", ["bb", "bbbb"]).doc_ids == [1, 0]


def test_documents_are_encoded_once():
    calls = []

    def function(texts):
        calls.extend(texts)
        return [(list(t), np.ones((len(t), 2))) for t in texts]

    encoder = CachedEncoder(CallableEncoder(function))
    first = encoder.encode(["ab", "c", "ab"])
    assert calls == ["ab", "c"]
    again = encoder.encode(["c", "ab"])
    assert calls == ["ab", "c"]
    assert again.tokens == [first.tokens[1], first.tokens[0]]
    assert (encoder.hits, encoder.misses) == (2, 2)
    with pytest.raises(NoTokensError, match="text 0 has no token"):
        encoder.encode([""])
    encoder.encode_queries(["ab"])
    assert calls == ["ab", "c", "", "ab"]
    small = CachedEncoder(CallableEncoder(function), max_bytes=1000)
    small.encode(["ab"])
    small.encode(["cd"])
    assert repr(small) == "CachedEncoder(1 texts, 0 hits, 2 misses)"
    calls.clear()
    small.encode(["cd", "ab"])
    assert calls == ["ab"]
    assert repr(pickle.loads(pickle.dumps(CachedEncoder(ENCODER)))).startswith("CachedEncoder(0 texts")


@pytest.mark.parametrize("words", [2, 12, 200])
def test_the_cache_takes_no_more_memory_than_it_may(words):
    known = " ".join(TEXTS).split()
    texts = [" ".join(known[(7 * n + m) % len(known)] for m in range(words)) + f" {n}" for n in range(1000)]
    most = 600_000
    tracemalloc.start()
    try:
        ranker = Reranker(ENCODER, cache_bytes=most)
        ranker.rank("a cat", texts[:10])
        before, _ = tracemalloc.get_traced_memory()
        for first in range(10, len(texts), 10):
            ranker.rank("a cat", [str(text.encode(), "utf-8") for text in texts[first : first + 10]])
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.4 * most <= after - before <= 1.2 * most, (after - before) / most


def test_threads_may_share_a_reranker():
    ranker = Reranker(ENCODER, cache_bytes=100_000)
    expected = {query: Reranker(ENCODER).rank(query, TEXTS, top_k=5).doc_ids for query in QUERIES}
    wrong = []

    def work():
        wrong.extend(q for q in QUERIES if ranker.rank(q, TEXTS, top_k=5).doc_ids != expected[q])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_ranking_prints_and_is_a_sequence():
    ranking = Reranker(ENCODER).rank("a cat", ["the dog", "the cat"])
    assert repr(ranking).startswith("Ranking(2 documents by wrd(capacity=4), best 1 at 0.")
    assert str(ranking).splitlines()[1].endswith("the cat")
    assert str(ranking).splitlines()[-1].startswith("exact")
    assert ranking[:1] == (ranking[0],)
    assert "RankedDocument(rank=0, doc_id=1" in repr(ranking[0])
    fusing = Reranker(ENCODER, "wmd", passages=Passages(9, 1), fusion=0.5)
    assert repr(fusing).endswith("wmd, Passages(words=9, overlap=1, segmenter=None), Fusion(weight=0.5))")
    assert [fusing.fuses, Reranker(ENCODER).fuses] == [True, False]
    assert "the index's measure" in repr(Reranker(ENCODER))
    copy = pickle.loads(pickle.dumps(ranking))
    assert copy.doc_ids == ranking.doc_ids
    assert copy[0].explain().table() == ranking[0].explain().table()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda r: r.rank("zzzqqq", ["a cat"]), NoTokensError, "text 0 has no word with a vector: 'zzzqqq'"),
        (lambda r: r.rank(["a"], ["a cat"]), TypeError, "query: expected a string, got list"),
        (lambda r: r.rank("a", "a cat"), TypeError, "documents: expected a list of texts or an Index, got one string"),
        (lambda r: r.rank("a", ["a cat", 3]), TypeError, "documents: document 1 is not a string but int"),
        (lambda r: r.rank("a", {"x": "a cat"}), TypeError, "expected a list of texts or an Index, got dict"),
        (lambda r: r.rank("a", {"a cat"}), TypeError, "expected a list of texts or an Index, got set"),
        (lambda r: r.rank("a", ["a", None]), TypeError, r"documents: document 1 is missing \(None\); leave it out"),
        (lambda r: r.rank("a", ["a", np.nan]), TypeError, r"documents: document 1 is missing \(nan\)"),
        (lambda r: r.rank("a", ["a"], doc_ids=[1, 2]), ValueError, "doc_ids: expected 1, one per document, got 2"),
        (lambda r: r.rank("a", ["a", "b"], doc_ids=[1, np.nan]), TypeError, r"doc_ids: id 1 is missing \(nan\)"),
        (lambda r: r.rank("a", ["a", "b"], doc_ids=["x", "x"]), DuplicateIdError, "'x' is given more than once"),
        (lambda r: r.rank("a", ["a"], top_k=0), ValueError, "top_k must be at least 1"),
        (lambda r: r.rank("a", ["a"], scores=[1.0]), ValueError, "scores: given, but the reranker has no fusion"),
        (lambda r: r.rank_batch("a", ["a"]), TypeError, "queries: expected a list of texts, got one string"),
        (lambda r: r.rank_batch([], ["a"]), ValueError, "queries: expected at least one, got none"),
        (lambda r: r.rank_batch(["a", None], ["a"]), TypeError, r"query 1 is missing \(None\)"),
        (lambda r: Reranker(fusion=0.5).rank("a", ["a"]), ValueError, "fusion needs the first stage's scores"),
        (lambda r: Reranker(fusion=0.5).rank("a", ["a"], scores=[1, 2]), ValueError, "scores: expected 1"),
        (lambda r: Reranker(fusion=0.5).rank("a", ["a"], scores=[np.nan]), ValueError, "candidate 0 is not finite"),
        (lambda r: r.rank("a", INDEX, doc_ids=[]), ValueError, "doc_ids: expected at least one, got none"),
        (
            lambda r: Reranker(fusion=0.5).rank("a", INDEX, scores=[1]),
            ValueError,
            "doc_ids: required, as fusion",
        ),
        (
            lambda r: Reranker(measure="wmd").rank("a", INDEX),
            MeasureMismatchError,
            "the index was built for wrd, but the reranker ranks by wmd",
        ),
        (
            lambda r: Reranker(passages=Passages(9, 1)).rank("a", INDEX),
            ValueError,
            "passages: cannot be used with an index, which holds documents as they were cut when it was built",
        ),
        (lambda r: Reranker(fusion=1.5), ValueError, "weight must be from 0 to 1, got 1.5"),
        (lambda r: Reranker(encoder="minilm"), TypeError, "expected an object with a method encode, got str"),
        (lambda r: Reranker(passages=100), TypeError, "passages: expected Passages, got 100"),
        (lambda r: Reranker(measure="wxd"), ValueError, "wxd"),
        (lambda r: Fusion.fit([], [], []), ValueError, "at least one"),
        (lambda r: Fusion(0.5)([1.0], [1.0, 2.0]), ValueError, "similarities: expected 1, as in first, got 2"),
    ],
)
def test_bad_arguments_are_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call(Reranker(ENCODER))


@pytest.mark.parametrize("scale", [1e-320, 1e-308, 1e-200, 1.0, 1e200, 8.9e307])
def test_scores_of_any_size_are_fused_alike(scale):
    first = [2.0, -2.0, -np.inf, 0.0, 1.0]
    expected = Fusion(0.3)(first, [0.1, 0.2, 0.3, 0.1, 0.0])
    given = [score * scale for score in first]
    tolerance = 1e-2 if scale < 1e-300 else 1e-12
    np.testing.assert_allclose(Fusion(0.3)(given, [0.1, 0.2, 0.3, 0.1, 0.0]), expected, rtol=tolerance)
    ranking = Reranker(ENCODER, fusion=0.0).rank("a cat", ["the dog", "the cat", "a dog"], scores=[scale, -scale, 0.0])
    assert ranking.doc_ids == [0, 2, 1]
    grades = [[scale, 0.0, 0.0, 0.0, scale]]
    expected_weight = Fusion.fit([first], [first[::-1]], [[1.0, 0.0, 0.0, 0.0, 1.0]], k=2).weight
    assert Fusion.fit([first], [first[::-1]], grades, k=2).weight == expected_weight


def test_rankings_over_an_index_carry_payloads_and_obey_conditions():
    encoder = WordVectors.default()
    texts = ["A man performs songs.", "The dog sleeps.", "A band plays music."]
    payloads = [{"text": text, "year": 2000 + n} for n, text in enumerate(texts)]
    index = mr.Index.build(encoder.encode(texts).sequences, "wrd", payloads=payloads)
    ranker = mr.Reranker(encoder)
    ranking = ranker.rank("music", index, where="year < 2002")
    assert [document.payload["year"] for document in ranking] == [2000, 2001]
    assert (ranking.stats.documents, ranking.skipped) == (2, 0)
    with pytest.raises(ValueError, match="where: applies to payloads of an index"):
        ranker.rank("music", texts, where="year < 2002")
    with pytest.raises(ValueError, match="where: cannot be combined with doc_ids"):
        ranker.rank("music", index, doc_ids=[0], where="year < 2002")


def test_documents_without_a_token_are_counted():
    ranking = mr.Reranker().rank("music", ["zzqq", "a song", "qqzz"])
    assert (ranking.skipped, ranking.doc_ids, ranking.stats.documents) == (2, [1, 0, 2], 1)
    assert mr.Reranker(passages=mr.Passages(2, 0)).rank("music", ["zz qq a song", "zzqq"]).skipped == 1
    assert mr.Reranker().rank("music", ["zzqq"]).skipped == 1


def test_words_of_bags_are_named_in_the_order_of_their_texts():
    texts = ["stocks fell on tuesday", "the cat sat on the mat"]
    index = mr.Index.build(ENCODER.bags(texts), payloads=texts, encoder=ENCODER)
    alignment = Reranker(ENCODER).rank("stocks fell on tuesday", index)[0].explain()
    assert {(alignment.source_names[m.source], alignment.target_names[m.target]) for m in alignment.pairs} == {
        (word, word) for word in texts[0].split()
    }


def test_texts_that_are_not_what_was_indexed_name_nothing():
    texts = ["stocks fell on tuesday", "the cat sat on the mat"]
    index = mr.Index.build(ENCODER.bags(texts), payloads=texts[::-1], encoder=ENCODER)
    alignment = Reranker(ENCODER).rank("stocks fell on tuesday", index)[0].explain()
    assert set(alignment.target_names) == {f"[{n}]" for n in range(4)}


class _Tokens(WordVectors):
    """Word vectors that encode in a way of their own, which a reranker has to ask for."""

    def encode(self, texts, *, skip_empty=False, progress=None):
        return super().encode(texts, skip_empty=skip_empty, progress=progress)


SMALL = (["cat", "dog", "sat", "zz"], [[1.0, 0.2], [0.1, 1.0], [1.0, 1.0], [0.0, 0.0]])
REPEATING = ["cat cat dog sat cat", "dog xx", "the sat dog dog", "xx", "cat", "dog dog sat", "", "sat cat"]


@pytest.mark.parametrize("measure", [None, "wrd", "wmd", "maxsim", "rwmd", mr.wrd.replace(fraction=0.5),
                                     mr.wmd.replace(problem="relaxed")])  # fmt: skip
@pytest.mark.parametrize("options", [{}, {"passages": Passages(words=3, overlap=1)}, {"fusion": 0.5}], ids=str)
def test_bags_of_word_vectors_rank_as_tokens_do(measure, options):
    scores = None if "fusion" not in options else np.linspace(1, 0, len(REPEATING))
    bags, tokens = (Reranker(kind(*SMALL), measure, **options) for kind in (WordVectors, _Tokens))
    for query, top_k in (("cat sat", None), ("dog dog cat", 3)):
        found, expected = (one.rank(query, REPEATING, top_k=top_k, scores=scores) for one in (bags, tokens))
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
        assert (found.skipped, found.dropped, found.cut) == (expected.skipped, expected.dropped, 0)
        # Sums in another order: what is as near as the next may stand before or after it.
        other = {d.doc_id: d for d in tokens.rank(query, REPEATING, scores=scores)}
        for one in found:
            assert one.score == pytest.approx(other[one.doc_id].score, abs=1e-6)
            if np.isfinite(one.distance):
                alignment = one.explain()
                assert alignment.value == pytest.approx(one.distance, abs=1e-6)
                if "passages" not in options:
                    assert alignment.target_tokens == other[one.doc_id].explain().target_tokens


def test_word_vectors_are_kept_as_words_and_compared_as_bags():
    encoder = CachedEncoder(ENCODER)
    Candidates(encoder, TEXTS, None, mr.wrd, None)
    found, late = encoded_documents(encoder, TEXTS, mr.wrd, str)
    assert late == []
    assert found.tokens == sum(map(len, ENCODER.encode(TEXTS).tokens))
    assert found.index.is_of_bags
    assert (encoder.hits, encoder.misses) == (len(TEXTS), len(TEXTS))
    expected = ENCODER.encode(TEXTS)
    assert [found.text(p).tokens for p in range(len(TEXTS))] == expected.tokens
    assert sum(one.nbytes for one in encoder._each(TEXTS)) * 16 < expected.sequences.tokens.nbytes
    entropic = mr.wmd.replace(problem=mr.Sinkhorn(0.2))  # which is another problem where words are merged
    assert not encoded_documents(encoder, TEXTS, entropic, str)[0].index.is_of_bags
    assert not encoded_documents(CachedEncoder(_Tokens(*SMALL)), ["cat"], mr.wrd, str)[0].index.is_of_bags


class _Weighing(_Tokens):
    """Gives each token a mass by its first letter; none to "dog"."""

    def encode(self, texts, **options):
        found = super().encode(texts, **options)
        mass = [[0.0 if t == "dog" else ord(t[0]) - 96.0 for t in tokens] for tokens in found.tokens]
        sequences = mr.Sequences([found.sequences[s].tokens for s in range(len(found))], mass)
        return replace(found, sequences=sequences)


class _Far(_Tokens):
    """All vectors far from the origin, each text's about a place of its own, as embeddings of coordinates are."""

    def encode(self, texts, **options):
        found = super().encode(texts, **options)
        moved = [found.sequences[s].tokens + np.float32(4096 + 64 * len(found.tokens[s])) for s in range(len(found))]
        return replace(found, sequences=mr.Sequences(moved))


@pytest.mark.parametrize("measure", [None, "wrd", "wmd", "maxsim", mr.wrd.replace(fraction=0.5),
                                     mr.wmd.replace(problem=mr.Sinkhorn(0.2))])  # fmt: skip
@pytest.mark.parametrize("kind", [_Tokens, _Weighing, _Far])
def test_texts_that_come_again_rank_as_they_did_at_first(measure, kind):
    texts = [text for text in REPEATING if "cat" in text or "sat" in text] if kind is _Weighing else REPEATING
    fresh = [Reranker(kind(*SMALL), measure).rank("cat sat", texts[::step]) for step in (1, 2, 1)]
    encoder = CachedEncoder(kind(*SMALL))
    ranker = Reranker(encoder, measure)
    for turn in range(3):
        for own, expected in zip((texts, texts[::2], texts), fresh, strict=True):
            found = ranker.rank("cat sat", own)
            assert found.doc_ids == expected.doc_ids
            np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
            lost = (found.skipped, found.dropped, found.cut, found.tokens)
            assert lost == (expected.skipped, expected.dropped, expected.cut, expected.tokens)
            assert found[0].explain().target_tokens == expected[0].explain().target_tokens
        # Known texts beside texts that were never met.
        some = [*texts[:3], f"sat cat {'sat ' * (turn + 1)}", *texts[3:]]
        mixed = Reranker(kind(*SMALL), measure).rank("cat sat", some)
        assert ranker.rank("cat sat", some).doc_ids == mixed.doc_ids
    other = Reranker(kind(*SMALL), "rwmd").rank("cat sat", texts)
    assert Reranker(encoder, "rwmd").rank("cat sat", texts).doc_ids == other.doc_ids


def test_what_is_prepared_counts_as_memory_and_is_dropped_with_its_text():
    encoder = CachedEncoder(_Tokens(*SMALL), max_bytes=20_000)
    texts = [f"cat {'sat ' * (n + 1)}dog" for n in range(200)]
    ranker = Reranker(encoder)
    for _ in range(3):
        for first in range(0, 200, 5):
            ranker.rank("cat", texts[first : first + 5])
            ranker.rank("cat", texts[first : first + 5])
            assert encoder.nbytes == sum(kept.nbytes for kept in encoder._texts.values()) <= 20_000
    prepared = [kept.prepared for kept in encoder._texts.values() if kept.prepared is not None]
    assert prepared
    # Vectors are not copied: only masses, norms and places are new.
    assert all(one.nbytes < 20 * len(one.text.tokens) + 64 for one in prepared)


def test_texts_that_come_again_are_compared_on_as_many_threads_as_new_ones():
    encoder, texts = CachedEncoder(_Tokens(*SMALL)), ["cat sat", "dog sat", "cat dog"]
    found = [encoded_documents(encoder, texts, mr.wrd, str)[0].index for _ in range(3)]
    assert [len(index._snapshot.parts) for index in found] == [1, 3, 3]
    assert len({index._num_threads for index in found}) == 1


def test_an_encoder_that_changes_its_mind_is_refused():
    def by_length(texts):
        return [(list(t), np.ones((len(t), len(t)))) for t in texts]

    ranker = Reranker(CallableEncoder(by_length))
    for text in ("ab", "abc"):
        ranker.rank("ab", ["ab", "ba"])
        with pytest.raises(DimensionError, match="dimension 3"):
            ranker.rank(text, ["ab", "abc"])


class _Slow(_Tokens):
    """Takes a while for each text, and counts them."""

    seconds = 0.0
    done = 0

    def encode(self, texts, **options):
        self.done += len(texts) if list(texts) != ["cat"] else 0
        time.sleep(self.seconds * len(texts))
        return super().encode(texts, **options)


def test_documents_that_are_not_reached_in_time_come_last():
    encoder = _Slow(*SMALL)
    texts = [f"{'cat' if n % 2 else 'dog'} {'xx ' * (n + 1)}" for n in range(40)]
    ranker = Reranker(encoder)
    everything = ranker.rank("cat", texts, timeout=100)
    assert everything.doc_ids == ranker.rank("cat", texts).doc_ids
    assert not everything.stats.timed_out
    encoder.seconds, encoder.done = 0.02, 0
    ranker = Reranker(encoder)
    ranking = ranker.rank("cat", texts, timeout=0.2)
    reached = encoder.done
    assert 0 < reached < 40
    assert reached % 8 == 0  # texts between two looks at the clock
    assert [d.score == -np.inf for d in ranking].count(True) == 40 - reached
    assert ranking.doc_ids[reached:] == list(range(reached, 40))
    assert set(ranking.doc_ids[:reached]) == set(range(reached))
    assert (ranking.skipped, ranking.stats.timed_out, ranking.certificate.exact) == (0, True, False)
    assert f"{40 - reached} of 40 were not reached in time" in str(ranking.certificate)
    assert ranking.certificate.unsolved == 40 - reached
    # What was encoded is in the cache: a second call gets further.
    assert ranker.rank("cat", texts, timeout=0.2).certificate.unsolved < 40 - reached
    parts = Reranker(encoder, passages=mr.Passages(60, 10)).rank("cat", [*texts, "zzqq"], timeout=0.2)
    assert (len(parts), parts.skipped, parts.stats.timed_out) == (41, 0, True)
    encoder.seconds = 0.0
    for query, given in (("cat", texts), ("zzqqx", texts)):
        late = Reranker(encoder, passages=mr.Passages(2, 1)).rank(query, given, timeout=1e-9, unknown="keep")
        assert sorted(late.doc_ids) == list(range(40))
    with pytest.raises(ValueError, match="timeout"):
        ranker.rank("cat", texts, timeout=0)
    for seconds in (1e-9, 0.001, 0.01):  # of words, which are kept in another form
        late = Reranker(ENCODER).rank("a cat", [f"{text} {n}" for n in range(9) for text in TEXTS], timeout=seconds)
        assert sorted(late.doc_ids) == list(range(9 * len(TEXTS)))
        assert (late.certificate.unsolved > 0) == late.stats.timed_out


def test_rerankers_share_a_cache():
    cached = CachedEncoder(ENCODER)
    for measure in ("wrd", "wmd"):
        found = Reranker(cached, measure).rank(QUERIES[0], TEXTS)
        assert found.doc_ids == Reranker(ENCODER, measure).rank(QUERIES[0], TEXTS).doc_ids
    assert (cached.hits, cached.misses) == (len(TEXTS), len(TEXTS))


def test_reasons_are_pickled_without_the_other_texts():
    ranking = Reranker(ENCODER).rank(QUERIES[0], TEXTS)
    octets = pickle.dumps(ranking[0])
    assert len(octets) < 500_000
    assert pickle.loads(octets).explain().value == pytest.approx(ranking[0].explain().value)


@pytest.mark.slow(reason="moves whole tables of word vectors")
@pytest.mark.parametrize("steps", [["all-but-the-top"], ["centring", "whitening"], ["idf"], ["centring", "idf"]])
def test_a_space_moves_a_table_once_unless_it_gives_weights(steps):
    space = mr.fit(ENCODER, TEXTS, steps)
    encoder = CachedEncoder(space.over(ENCODER))
    assert encoded_documents(encoder, TEXTS, mr.wrd, str)[0].index.is_of_bags == ("idf" not in steps)
    query, docs = space(ENCODER.encode(QUERIES[:1])).sequences, space(ENCODER.encode(TEXTS)).sequences
    expected = mr.distances(query, docs, "wrd")
    for document in Reranker(space.over(ENCODER), "wrd").rank(QUERIES[0], TEXTS):
        assert document.distance == pytest.approx(expected[document.doc_id], abs=1e-5)
        assert document.explain().value == pytest.approx(document.distance, abs=1e-5)


@pytest.mark.parametrize("kind", [WordVectors, _Tokens])
def test_a_word_whose_vector_is_zero_is_no_evidence_where_it_has_no_mass(kind):
    ranker = Reranker(kind(*SMALL), "wrd")
    texts = ["zz dog zz", "zz", "cat zz xx", "sat"]
    found, expected = ranker.rank("cat zz", texts), ranker.rank("cat", ["dog", "", "cat xx", "sat"])
    assert found.doc_ids == expected.doc_ids == [2, 3, 0, 1]
    assert found.scores == expected.scores
    assert (found.skipped, found.dropped, found.query_dropped) == (1, 4, 1)
    assert found[0].explain().target_tokens == ("cat",)
    with pytest.raises(NoTokensError, match="query 0 has no token with mass under the measure: 'zz zz'"):
        ranker.rank("zz zz", texts)
    assert not ranker.rank_batch(["zz"], texts)[0].comparable
    assert ranker.rank("cat", ["zz", "zz zz"]).skipped == 2
    euclidean = Reranker(kind(*SMALL), "wmd").rank("zz cat", ["cat", "zz"])
    assert np.isfinite(euclidean.scores).all()


@pytest.mark.parametrize("kind", [WordVectors, _Tokens])
def test_a_zero_vector_with_mass_and_no_direction_is_named_by_its_word(kind):
    ranker = Reranker(kind(*SMALL), mr.Measure("cosine", "uniform"))
    with pytest.raises(ValueError, match="document 'b': the vector of 'zz' is zero, which has no direction"):
        ranker.rank("cat", ["dog", "sat zz"], doc_ids=["a", "b"])
    with pytest.raises(ValueError, match="queries: query 0: the vector of 'zz' is zero"):
        ranker.rank("cat zz", ["dog"])


def test_candidates_of_a_ranking_are_a_budget():
    def letters(texts):
        table = np.random.default_rng(3).normal(size=(128, 8))
        return [(list(text), table[[ord(letter) % 128 for letter in text]]) for text in texts]

    encoder = CallableEncoder(letters, name="letters")
    texts = [f"text number {n}" for n in range(40)]
    index = mr.Index.build(encoder.encode(texts).sequences, "wrd", payloads=texts, encoder=encoder)
    ranker = Reranker(encoder)
    ranking = ranker.rank("text number 7", index, top_k=2, candidates=5)
    hits = index.search(encoder.encode_queries(["text number 7"]).sequences, 2, candidates=5)
    assert ranking.doc_ids == hits.ids.tolist()
    assert (ranking.stats.exact_solves, ranking.certificate) == (hits.stats.exact_solves, hits.certificate)
    assert ranker.rank("text number 7", index, top_k=2).certificate.exact
    with pytest.raises(ValueError, match="candidates: applies to an index, but these documents are texts"):
        ranker.rank("text", texts, candidates=5)
    with pytest.raises(ValueError, match="candidates: cannot be combined with doc_ids"):
        ranker.rank("text", index, doc_ids=[1], candidates=5)
    with pytest.raises(TypeError, match="candidates must be an integer"):
        ranker.rank("text", index, candidates=5.0)
