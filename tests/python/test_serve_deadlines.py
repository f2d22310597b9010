"""The service under short deadlines: answers in time, of what was done by then, and no more claimed than that."""

import math
import time

import numpy as np
import pytest

import moverank as mr
from serving import served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
for module in ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")
pytest.importorskip("tantivy", reason="tantivy is not installed")

COUNT = 4000
WORDS = ["cat", "dog", "bank", "river", "music", "street", "stock", "market", "rain", "sun", "painter", "roof", "paper"]
QUERY = "music on a street by the river"
SEARCH = "/v1/indexes/many/search"

#: Seconds beyond the deadline that a busy machine may take to read a request and to send an answer.
SLACK = 2.0


def texts(count, seed):
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, 12)) for _ in range(count)]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    path = tmp_path_factory.mktemp("indexes") / "many"
    with mr.TextIndex.create(path) as index:
        index.add(texts(COUNT, 1))
    with served(path) as own, httpx.Client(base_url=own.url, timeout=60) as client:
        yield client


def answered(client, path, body, seconds):
    began = time.monotonic()
    found = client.post(path, json={**body, "deadline": seconds})
    assert time.monotonic() - began < seconds + SLACK
    assert found.status_code == 200 or (found.status_code == 503 and seconds < 0.1), found.text
    return found.json() if found.status_code == 200 else None


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.4, 20])
def test_candidates_are_compared_by_another_measure_as_far_as_time_goes(client, seconds):
    body = {"query": QUERY, "k": COUNT, "candidates": COUNT, "measure": "wmd", "fusion": 1.0}
    report = answered(client, SEARCH, body, seconds)
    if report is None:
        return
    distances = [hit["distance"] for hit in report["hits"]]
    compared = [distance for distance in distances if distance is not None]
    assert compared == sorted(compared) == distances[: len(compared)]
    certificate = report["certificate"]
    assert (certificate["exact"], certificate["certain"]) == (False, 0)
    assert report["stats"]["timed_out"] == ("when time was over" in certificate["statement"])
    if not report["stats"]["timed_out"]:
        assert len(compared) == COUNT
    told = f"{len(compared)} candidates" if len(compared) == len(distances) else f"{len(compared)} of {len(distances)}"
    assert told in certificate["statement"]


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.4])
def test_hits_are_listed_as_far_as_time_goes(client, seconds, explain):
    report = answered(client, SEARCH, {"query": QUERY, "k": 10_000, "candidates": None, "explain": explain}, seconds)
    if report is None:
        return
    assert report["hits"]
    assert [hit["rank"] for hit in report["hits"]] == list(range(len(report["hits"])))
    if len(report["hits"]) < COUNT:
        assert report["stats"]["timed_out"]
        assert not report["certificate"]["exact"]
    if explain:
        shown = [hit["alignment"] is not None for hit in report["hits"]]
        # A hit that was not compared cannot be.
        assert all(hit["distance"] is not None for hit, own in zip(report["hits"], shown, strict=True) if own)


def test_pairs_that_were_not_reached_are_named(client):
    left, right = texts(600, 2), texts(600, 3)
    whole = answered(client, "/score", {"text_1": left, "text_2": right}, 60)
    assert "moverank" not in whole
    known = [one["score"] for one in whole["data"]]
    report = None
    for seconds in (0.03, 0.06, 0.12, 0.25):
        found = client.post("/score", json={"text_1": left, "text_2": right, "deadline": seconds})
        if found.status_code == 200:
            report = found.json()
            told = len(report.get("moverank", {"unscored": []})["unscored"])
            assert int(found.headers.get("x-moverank-incomplete", 0)) == told
    assert report is not None
    unscored = report.get("moverank", {"unscored": []})["unscored"]
    assert unscored == sorted(set(unscored))
    assert [one["index"] for one in report["data"]] == list(range(600))
    for one, expected in zip(report["data"], known, strict=True):
        assert one["score"] == pytest.approx(0.0 if one["index"] in unscored else expected, abs=1e-6)


def test_scores_without_a_pair_in_time_are_no_scores(client):
    found = client.post("/score", json={"text_1": texts(9, 4), "text_2": texts(9, 5), "deadline": 1e-6})
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")
    assert found.json()["error"]["type"] == "ServiceUnavailableError"


def cut_short(client, body):
    """The first answer, under longer and longer deadlines, for which some texts were compared, and others not."""
    for seconds in np.geomspace(0.01, 5, 25):
        found = client.post("/rerank", json={**body, "deadline": seconds})
        if found.status_code == 200 and "x-moverank-incomplete" in found.headers:
            return found
    raise AssertionError("no deadline cut the answer short")


def test_a_reranking_that_is_cut_short_says_so(client):
    documents = [f"{text} {text} {n}" for n, text in enumerate(texts(3000, 7))]
    for more in ({}, {"top_n": 5}, {"explain": True}):
        found = cut_short(client, {"query": QUERY, "documents": documents, **more})
        report = found.json()
        told = report["moverank"]
        assert told["timed_out"]
        assert not told["certificate"]["exact"]
        assert 0 < told["certificate"]["unsolved"] == int(found.headers["x-moverank-incomplete"]) <= 3000
        assert ("results" in told) == ("explain" in more)
        assert len(report["results"]) == more.get("top_n", 3000)
    found = cut_short(client, {"query": QUERY, "texts": documents})
    scores = [one["score"] for one in found.json()]
    assert scores.count(0.0) >= int(found.headers["x-moverank-incomplete"]) > 0


def test_an_answer_without_a_known_word_in_the_query_says_so(client):
    found = client.post("/rerank", json={"query": "zzqqx", "documents": ["a cat", "a dog"]})
    assert found.headers["x-moverank-incomplete"] == "2"
    assert not found.json()["moverank"]["comparable"]


def test_a_complete_answer_stays_lean(client):
    for body in ({"documents": texts(50, 8)}, {"documents": texts(50, 8), "top_n": 3}, {"texts": texts(50, 8)}):
        found = client.post("/rerank", json={"query": QUERY, **body})
        assert "x-moverank-incomplete" not in found.headers
        assert "moverank" not in found.json()


def test_explained_rerankings_end_in_time(client):
    body = {"query": QUERY, "documents": texts(3000, 6), "explain": True}
    report = answered(client, "/rerank", body, 2.0)
    reasons = report["moverank"]["results"]
    assert len(reasons) == 3000
    known = [own["alignment"] for own in reasons if own["alignment"] is not None]
    for own in known:
        assert math.isfinite(sum(move["contribution"] for move in own["moves"]))
    assert known


def test_time_is_kept_for_writing_explanations():
    from moverank.serve.engine import WRITING_OF_EXPLAINING, Timing

    timing = Timing(deadline=100.0)
    assert timing.can_explain()
    timing.explaining = 50.0
    assert timing.can_explain()
    # As much time is needed for writing as half of that in which they were made.
    timing.explaining = 95.0 / WRITING_OF_EXPLAINING
    assert not timing.can_explain()


def test_no_long_explanation_is_begun_when_it_would_end_late():
    from types import SimpleNamespace

    from moverank.serve.dialects import moves
    from moverank.serve.engine import Timing

    explained = SimpleNamespace(to_dict=lambda: {"moves": []})
    long = "word " * 400_000

    def document(text, passage=None):
        return SimpleNamespace(distance=1.0, text=text, passage=passage, explain=lambda: explained)

    assert moves(document("a word"), Timing(deadline=2.0)) == {"moves": []}
    assert moves(document(long), Timing(deadline=2.0)) is None
    assert moves(document(long, (0, 100)), Timing(deadline=2.0)) == {"moves": []}
    assert moves(document(long), Timing(deadline=60.0)) == {"moves": []}
