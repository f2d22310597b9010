"""The service as clients meet it: a process, real requests, every dialect, and what happens to bad ones."""

import json
import math
import os
import re
import shutil
import socket
import threading
import time

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import WordVectors
from serving import DOCS, Service, index_folder, served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
for module in ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")
pytest.importorskip("tantivy", reason="tantivy is not installed")

QUERY = "hypoglycemia and the risk of dementia"
TEXTS = ["Shares fell on Tuesday.", "A man performs songs on a street corner.", "zzqqx", "The dog slept on the couch."]
MUSIC = "who plays music outside?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return index_folder(tmp_path_factory.mktemp("indexes"))


@pytest.fixture(scope="module")
def service(folder):
    with served(folder, "--writable", "--body-mb", "1", "--deadline", "20") as own:
        yield own


@pytest.fixture(scope="module")
def client(service):
    with httpx.Client(base_url=service.url, timeout=30) as own:
        yield own


def answer(client, path, body, status=200):
    found = client.post(path, json=body)
    assert found.status_code == status, found.text
    return found.json()


# ---- reranking -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: {"text": text, "other": 1}])
def test_texts_are_ranked_as_the_reranker_ranks_them(client, path, wrap):
    expected = mr.Reranker().rank(MUSIC, TEXTS)
    report = answer(client, path, {"model": "any", "query": MUSIC, "documents": [wrap(text) for text in TEXTS]})
    assert [one["index"] for one in report["results"]] == expected.doc_ids
    scores = [one["relevance_score"] for one in report["results"]]
    known = [max(score, 0.0) for score in expected.scores if math.isfinite(score)]
    assert scores == pytest.approx([*known, 0.0], abs=1e-6)
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert report["model"] == "any"
    assert report["id"]
    assert report["usage"]["total_tokens"] > 0
    assert set(report["meta"]) == {"api_version", "billed_units"}
    assert "document" not in report["results"][0]
    assert "moverank" not in report


def test_options_of_dialects_are_kept(client):
    body = {"query": MUSIC, "documents": TEXTS, "top_n": 2, "return_documents": True, "unknown_field": [1]}
    report = answer(client, "/v1/rerank", body)
    assert [one["document"]["text"] for one in report["results"]] == [
        d.text for d in mr.Reranker().rank(MUSIC, TEXTS)[:2]
    ]
    assert len(answer(client, "/v1/rerank", {**body, "top_n": 0})["results"]) == 4
    raw = answer(client, "/v1/rerank", {**body, "top_n": None, "raw_scores": True, "measure": "wmd"})
    found = mr.Reranker(measure="wmd").rank(MUSIC, TEXTS)
    assert [one["relevance_score"] for one in raw["results"][:3]] == pytest.approx(found.scores[:3], abs=1e-6)
    fields = [{"title": "dog", "body": "songs on the street"}, {"title": "songs", "body": "a dog"}]
    for names, first in ((["body"], 0), (["title"], 1)):
        found = answer(client, "/rerank", {"query": "songs", "documents": fields, "rank_fields": names})
        assert found["results"][0]["index"] == first


def test_texts_are_answered_in_the_dialect_of_text_embeddings_inference(client):
    expected = mr.Reranker().rank(MUSIC, TEXTS)
    report = answer(client, "/rerank", {"query": MUSIC, "texts": TEXTS, "return_text": True, "truncate": True})
    assert [(one["index"], one["text"]) for one in report] == [(d.doc_id, d.text) for d in expected]
    assert [one["score"] for one in report[:3]] == pytest.approx([max(s, 0) for s in expected.scores[:3]], abs=1e-6)
    told = client.get("/info").json()
    assert told["max_client_batch_size"] > 1000
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert told["max_concurrent_requests"] == cores + 128  # those that are computed, and those that may wait
    error = answer(client, "/rerank", {"query": MUSIC, "texts": []}, 400)
    assert set(error) == {"error", "error_type"}
    assert answer(client, "/rerank", {"query": MUSIC, "texts": [3]}, 422)["error_type"] == "Validation"


def test_pairs_are_scored(client):
    expected = {d.doc_id: max(d.score, 0.0) for d in mr.Reranker().rank(MUSIC, TEXTS)}
    for body in (
        {"text_1": MUSIC, "text_2": TEXTS},
        {"queries": [MUSIC] * 4, "documents": TEXTS},
        {"data_1": MUSIC, "data_2": TEXTS},
    ):
        report = answer(client, "/score", body)
        assert [one["index"] for one in report["data"]] == [0, 1, 2, 3]
        assert [one["score"] for one in report["data"]] == pytest.approx([expected[n] for n in range(4)], abs=1e-6)
    assert len(answer(client, "/v1/score", {"text_1": "a", "text_2": "a cat"})["data"]) == 1
    answer(client, "/score", {"text_1": ["a", "b"], "text_2": ["a"] * 3}, 422)
    answer(client, "/score", {"text_1": "a", "text_2": []}, 400)
    answer(client, "/score", {"text_1": "a"}, 422)


def test_reasons_come_on_request(client):
    body = {"query": MUSIC, "documents": TEXTS, "explain": True, "capacity": 2}
    report = answer(client, "/rerank", body)["moverank"]
    expected = mr.Reranker(measure=mr.wrd.replace(capacity=2)).rank(MUSIC, TEXTS)
    assert report["measure"] == "wrd(capacity=2)"
    assert [one["index"] for one in report["results"]] == expected.doc_ids
    assert report["certificate"]["statement"] == str(expected.certificate)
    for one, document in zip(report["results"], expected, strict=True):
        if math.isfinite(document.distance):
            moved = sum(move["contribution"] for move in one["alignment"]["moves"])
            assert moved == pytest.approx(document.distance, abs=1e-6)
        else:
            assert (one["distance"], one["alignment"]) == (None, None)


def test_many_documents_are_answered(client):
    texts = [f"{d.title} {n}" for n in range(40) for d in DOCS]
    report = answer(client, "/rerank", {"query": QUERY, "documents": texts})
    assert sorted(one["index"] for one in report["results"]) == list(range(len(texts)))


# ---- indexes ---------------------------------------------------------------------------------------------------------


def test_indexes_are_listed(client, folder):
    (found,) = client.get("/v1/indexes").json()["indexes"]
    assert found["name"] == "papers"
    assert (found["documents"], found["measure"], found["lexical"]) == (60, "wrd(capacity=4)", "english")
    assert "wrd" in client.get("/v1/measures").json()["measures"]
    assert client.get("/v1/models").json()["data"][0]["object"] == "model"


def test_an_index_is_searched_as_in_python(client, folder):
    with mr.TextIndex.open(folder) as index:
        for options in ({}, {"k": 3, "where": "year >= 2020"}, {"fusion": 1.0, "candidates": None},
                        {"fusion": 0.0, "candidates": 5}, {"min_similarity": 0.5}):  # fmt: skip
            report = answer(client, "/v1/indexes/papers/search", {"query": QUERY, **options})
            expected = index.search(QUERY, **options)
            own = expected.to_dict()
            assert [hit["id"] for hit in report["hits"]] == [hit["id"] for hit in own["hits"]]
            for name in ("score", "similarity", "distance", "lexical", "text", "payload"):
                assert [hit[name] for hit in report["hits"]] == [
                    pytest.approx(hit[name], abs=1e-6) if isinstance(hit[name], float) else hit[name]
                    for hit in own["hits"]
                ]
            for name in ("query", "measure", "certificate", "comparable", "dropped", "left_out"):
                assert report[name] == own[name]
            assert report["index"] == "papers"
        report = answer(client, "/v1/indexes/papers/search", {"query": QUERY, "k": 2, "explain": True})
        for hit in report["hits"]:
            moved = sum(move["contribution"] for move in hit["alignment"]["moves"])
            assert moved == pytest.approx(hit["distance"], abs=1e-5)


def test_candidates_are_compared_by_another_measure(client, folder):
    body = {"query": QUERY, "k": 5, "candidates": 30, "fusion": 1.0, "measure": "wmd", "explain": True}
    report = answer(client, "/v1/indexes/papers/search", body)
    with mr.TextIndex.open(folder) as index:
        candidates = index.search(QUERY, 30, candidates=30, fusion=1.0)
        expected = mr.Reranker(measure="wmd").rank(QUERY, [hit.text for hit in candidates], doc_ids=candidates.ids)
    assert [hit["id"] for hit in report["hits"]] == expected.doc_ids[:5]
    assert [hit["distance"] for hit in report["hits"]] == pytest.approx([d.distance for d in expected[:5]], abs=1e-6)
    assert report["measure"] == "wmd"
    assert not report["certificate"]["exact"]
    assert [hit["rank"] for hit in report["hits"]] == [0, 1, 2, 3, 4]
    assert report["hits"][0]["alignment"]["moves"]


def test_an_index_is_searched_by_vectors(client, folder):
    encoded = WordVectors.default().encode([QUERY]).sequences[0]
    vectors = np.asarray(encoded).tolist()
    report = answer(client, "/v1/indexes/papers/search", {"vectors": vectors, "k": 4})
    with mr.TextIndex.open(folder) as index:
        expected = index.search(QUERY, 4, fusion=1.0, candidates=None)
    assert [hit["id"] for hit in report["hits"]] == expected.ids
    assert report["certificate"]["exact"]
    error = answer(client, "/v1/indexes/papers/search", {"vectors": [[1.0, 2.0]]}, 422)
    assert error["error"]["param"] == "vectors"
    explained = answer(client, "/v1/indexes/papers/search", {"vectors": vectors, "k": 2, "explain": True})["hits"][0]
    assert explained["alignment"]["moves"][0]["source_token"].startswith("[")
    answer(client, "/v1/indexes/papers/search", {"vectors": vectors, "query": "x"}, 422)
    error = answer(client, "/v1/indexes/papers/search", {"query": "x", "weights": [1.0]}, 422)
    assert error["error"]["param"] == "weights"
    answer(client, "/v1/indexes/papers/search", {"vectors": [vectors[0], [1.0]]}, 422)
    assert (
        answer(client, "/v1/indexes/papers/search", {"vectors": vectors, "fusion": 0.5}, 422)["error"]["param"]
        == "fusion"
    )


def test_a_condition_without_end_does_not_hold_the_service_up(client):
    rows = "json_each('[1,2,3,4,5,6,7,8,9,0]')"
    endless = f"(SELECT count(*) FROM {', '.join(f'{rows} t{n}' for n in range(12))}) > year"
    body = {"query": QUERY, "where": endless, "deadline": 0.3}
    assert answer(client, "/v1/indexes/papers/search", body, 422)["error"]["param"] == "where"


def test_a_flat_answer_has_no_nested_objects(client):
    report = client.get("/v1/indexes/papers/flat", params={"q": QUERY, "k": 3}).json()
    assert report["total"] == 3
    for one in report["documents"]:
        assert {"id", "title", "text", "score", "year"} <= set(one)
        assert not any(isinstance(value, (dict, list)) for value in one.values())


def test_documents_are_changed_and_found_at_once(client, folder):
    path = "/v1/indexes/papers/documents"
    new = {"id": "n/1?", "text": "A zebra crossed the savanna.", "payload": {"year": 2030}}
    assert answer(client, path, {"documents": [new]})["documents"] == 61
    assert client.get(f"{path}/n%2F1%3F").status_code in (200, 404)  # servers differ in what they make of %2F
    search = {"query": "zebra lion savanna", "k": 1}
    assert answer(client, "/v1/indexes/papers/search", search)["hits"][0]["id"] == "n/1?"
    assert answer(client, path, {"documents": [new]}, 409)["error"]["type"] == "ConflictError"
    changed = {**new, "text": "A lion crossed the savanna."}
    assert answer(client, path, {"documents": [changed], "replace": True})["documents"] == 61
    assert answer(client, "/v1/indexes/papers/search", search)["hits"][0]["text"] == changed["text"]
    skipped = answer(client, path, {"documents": [{"id": "u", "text": "zzqqx"}]})
    assert (skipped["ids"], skipped["skipped"]) == ([], ["u"])
    assert answer(client, f"{path}/delete", {"ids": ["n/1?", "absent"]}, 404)["error"]["param"] == "id"
    assert answer(client, f"{path}/delete", {"ids": ["n/1?"]}) == {"index": "papers", "removed": 1, "documents": 60}
    assert answer(client, path, {"documents": [{"id": "plain", "text": "a cat"}]})["ids"] == ["plain"]
    assert client.get(f"{path}/plain").json() == {"id": "plain", "text": "a cat", "payload": None}
    assert client.delete(f"{path}/plain").json()["documents"] == 60
    assert client.delete(f"{path}/plain").status_code == 404
    for wrong in ([], [{"text": "x"}, {"id": "y", "text": "x"}], [{"id": 1, "text": "a cat"}], [{"id": "x"}],
                  [{"id": True, "text": "x"}], [{"id": "x", "text": "a cat", "file": "/etc/passwd"}]):  # fmt: skip
        answer(client, path, {"documents": wrong}, 422)


def test_what_another_process_changes_is_seen(client, folder):
    with mr.TextIndex.open(folder, writable=True) as index:
        index.add(["A walrus on the ice."], ids=["walrus"])
        hits = answer(client, "/v1/indexes/papers/search", {"query": "walrus", "k": 1})["hits"]
        assert hits[0]["id"] == "walrus"
        index.remove(["walrus"])
    assert client.get("/v1/indexes").json()["indexes"][0]["documents"] == 60


# ---- bad requests ----------------------------------------------------------------------------------------------------

SEARCH = "/v1/indexes/papers/search"


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/rerank", {"query": "x"}, 422, "documents"),
        ("/rerank", {"documents": ["x"]}, 422, "query"),
        ("/rerank", {"query": "x", "documents": []}, 400, "documents"),
        ("/rerank", {"query": "x", "documents": ["x"], "texts": ["x"]}, 422, "documents"),
        ("/rerank", {"query": "x", "documents": "x"}, 422, "documents"),
        ("/rerank", {"query": "x", "documents": [{"title": "x"}]}, 422, "documents.0"),
        ("/rerank", {"query": "x", "documents": ["x"], "top_n": -1}, 422, "top_n"),
        ("/rerank", {"query": "x", "documents": ["x"], "measure": "emd"}, 422, "measure"),
        ("/rerank", {"query": "x", "documents": ["x"], "measure": "nonsense"}, 422, "measure"),
        ("/rerank", {"query": "x", "documents": ["x"], "capacity": 0.5}, 422, "capacity"),
        ("/rerank", {"query": "x", "documents": ["x"], "deadline": 0}, 422, "deadline"),
        ("/rerank", {"query": "x", "documents": ["x"], "truncation_direction": "left"}, 422, "truncation_direction"),
        ("/v1/indexes/none/search", {"query": "x"}, 404, "name"),
        (SEARCH, {}, 422, "query"),
        (SEARCH, {"query": "x", "k": 0}, 422, "k"),
        (SEARCH, {"query": "x", "fusion": 2}, 422, "fusion"),
        (SEARCH, {"query": "x", "file": "/etc/passwd"}, 422, "file"),
        (SEARCH, {"query": "x", "where": "yeer > 3"}, 422, "where"),
        (SEARCH, {"query": "x", "where": "1; DROP TABLE x"}, 422, "where"),
        (SEARCH, {"query": "x", "min_probability": 0.5}, 422, "min_probability"),
        (SEARCH, [], 422, None),
        (SEARCH, "x", 422, None),
    ],
)  # fmt: skip
def test_bad_requests_are_told_what_is_wrong(client, path, body, status, param):
    error = answer(client, path, body, status)
    assert error["error"]["code"] == status
    assert error["message"] == error["error"]["message"]
    assert param is None or (error["error"]["param"] or "").startswith(param)


def test_bodies_that_are_no_json_are_refused(client):
    kind = {"content-type": "application/json"}
    for content, status in (
        (b"", 422), (b"{", 400), (b"\xff\xfe", 400), (b"[" * 100_000, 400), (b'{"query": "' + b"\0" * 9 + b'"}', 400),
        (b"9" * 5000, 400), (b"NaN", 422), (b'{"query": "x", "documents": ["x"], "deadline": NaN}', 422),
        (b'{"query": "\\ud800", "documents": ["x"]}', 422),
    ):  # fmt: skip
        found = client.post("/rerank", content=content, headers=kind)
        assert found.status_code == status, (content[:40], found.text)
        assert found.json()["message"]
    found = client.post(
        "/rerank", content=b'{"query": "x", "documents": ["x"]}', headers={"content-type": "text/plain"}
    )
    assert (found.status_code, "application/json" in found.json()["message"]) == (415, True)
    assert client.get("/rerank").status_code == 405
    assert client.get("/nothing/here").status_code == 404


def test_texts_of_all_kinds_are_taken(client):
    texts = ["cat\0cat", "🐈 cat", "cat\u200b", "", " ", "a\tb\nc", "ＣＡＴ", "e\u0301", "cat " * 5000]
    report = answer(client, "/rerank", {"query": "cat\0 🐈", "documents": texts})
    assert sorted(one["index"] for one in report["results"]) == list(range(len(texts)))
    assert all(math.isfinite(one["relevance_score"]) for one in report["results"])


def test_large_bodies_are_refused_before_they_are_read(client, service):
    found = client.post("/rerank", json={"query": "x", "documents": ["y" * 1_100_000]})
    assert (found.status_code, found.json()["error"]["type"]) == (413, "RequestTooLargeError")

    def chunks():
        for _ in range(40):
            yield b" " * 100_000

    found = client.post("/rerank", content=chunks(), headers={"content-type": "application/json"})
    assert found.status_code == 413
    assert client.get("/health").status_code == 200


def test_the_deadline_is_kept(client):
    texts = [f"{d.text} {n}" for n in range(8) for d in DOCS]
    for seconds in (0.05, 0.1, 0.2, 0.4, 5):
        body = {"query": QUERY, "documents": [f"{text} {seconds}" for text in texts[:300]], "deadline": seconds}
        found = client.post("/rerank", json={**body, "explain": True})
        assert found.status_code == 200 or (found.status_code == 503 and seconds < 1)
        if found.status_code == 200:
            report = found.json()
            assert sorted(one["index"] for one in report["results"]) == list(range(300))
            assert report["moverank"]["certificate"]["exact"] != report["moverank"]["timed_out"]
    found = client.post("/rerank", json={"query": QUERY, "documents": texts[:300], "deadline": 1e-6})
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")


def test_clients_of_jina_and_infinity_find_what_was_wrong(client):
    """The first read `detail` whatever it is; the second know FastAPI's own form, a list where a field is wrong."""
    error = answer(client, "/rerank", {"query": "x", "documents": []}, 400)
    assert error["detail"] == error["message"]
    error = answer(client, "/rerank", {"query": "x", "documents": ["x"], "top_n": -1}, 422)
    assert error["detail"] == [{"loc": ["body", "top_n"], "msg": error["message"], "type": "UnprocessableEntityError"}]


def test_methods_that_a_path_has_are_named(client):
    for method, path, allowed in (
        ("PUT", "/v1/indexes/papers/documents/4983", "DELETE, GET, HEAD"),
        ("GET", "/v1/rerank", "POST"),
        ("HEAD", "/v1/rerank", "POST"),
        ("POST", "/health", "GET, HEAD"),
    ):
        found = client.request(method, path)
        assert (found.status_code, found.headers["allow"]) == (405, allowed)


def test_the_longest_query_of_an_address_is_read(client):
    query = {"q": "\N{CAT FACE}" * 4096, "where": "year > 0 -- ".ljust(1024, "\N{CAT FACE}")}
    assert client.get("/v1/indexes/papers/flat", params=query).status_code == 200
    error = client.get("/v1/indexes/papers/flat", params={"q": "x" * 4097})
    assert (error.status_code, error.json()["error"]["param"]) == (422, "q")


def test_requests_whose_time_is_over_at_once_leave_nothing_behind(client, service):
    for path, body in (("/rerank", {"query": "x", "documents": ["x"]}), (SEARCH, {"query": "x"})) * 20:
        answer(client, path, {**body, "deadline": 5e-324}, 503)
    assert client.get("/health/ready").json()["in_hand"] == 0
    assert not [line for line in service.log if "Traceback" in line or "never retrieved" in line]


# ---- the service -----------------------------------------------------------------------------------------------------


def test_the_service_tells_how_it_is(client):
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200
    answer(client, "/rerank", {"query": "x cat", "documents": ["cat"]})
    numbers = client.get("/metrics").text
    assert re.search(r'moverank_requests_total\{path="/rerank",status="200"\} \d', numbers)
    assert re.search(r'moverank_stage_seconds_count\{stage="transport"\}', numbers)
    assert 'moverank_index_entries{index="papers"} 60.0' in numbers
    assert re.search(r"moverank_cache_bytes [1-9]", numbers)
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    described = client.get("/openapi.json").json()
    assert "/v1/rerank" in described["paths"]
    documentation = client.get("/docs").text
    assert "http://" not in documentation.replace(str(client.base_url), "")
    assert "cdn" not in documentation


def test_answers_are_as_the_service_describes_them(client):
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
    from moverank.serve import answers as of

    texts = {"query": MUSIC, "documents": TEXTS, "return_documents": True, "explain": True}
    pair = {"text_1": MUSIC, "text_2": TEXTS}
    documents, document = "/v1/indexes/papers/documents", {"documents": [{"id": "described", "text": "a cat"}]}
    for method, path, body, expected in (
        ("post", "/rerank", texts, of.Reranked),
        ("post", "/rerank", {"query": MUSIC, "texts": TEXTS, "return_text": True}, list[of.TeiRank]),
        ("post", "/rerank", {"query": MUSIC, "texts": []}, of.TeiError),
        ("post", "/rerank", {"query": MUSIC}, of.Error),
        ("post", "/score", pair, of.Scored),
        ("get", "/info", None, of.Info),
        ("get", "/v1/models", None, of.Models),
        ("get", "/v1/measures", None, of.Measures),
        ("get", "/v1/indexes", None, of.Indexes),
        ("get", "/health", None, of.Health),
        ("get", "/health/ready", None, of.Readiness),
        ("post", SEARCH, {"query": QUERY, "k": 2, "explain": True}, of.Found),
        ("post", SEARCH, {"query": QUERY, "k": 2, "measure": "wmd", "explain": True}, of.Found),
        ("post", SEARCH, {"vectors": np.eye(2, 128).tolist(), "k": 2, "explain": True}, of.Found),
        ("post", SEARCH, {"query": QUERY, "k": "many"}, of.Error),
        ("get", "/v1/indexes/papers/flat?q=dementia", None, of.FlatHits),
        ("post", documents, document, of.Added),
        ("post", documents, document, of.Error),
        ("get", f"{documents}/described", None, of.Document),
        ("delete", f"{documents}/described", None, of.Removed),
        ("post", f"{documents}/delete", {"ids": ["described"]}, of.Error),
    ):
        found = client.request(method, path, json=body)
        pydantic.TypeAdapter(expected).validate_json(found.content, strict=True)


def test_requests_have_names(client):
    found = client.post("/rerank", json={"query": "x", "documents": ["x"]}, headers={"X-Request-Id": "mine.1"})
    assert found.headers["x-request-id"] == found.json()["id"] == "mine.1"
    other = client.get("/health", headers={"X-Request-Id": "bad name!"})
    assert re.fullmatch("[0-9a-f]{32}", other.headers["x-request-id"])


def test_head_is_answered_as_get_is_without_a_body(client):
    for path in ("/", "/health", "/health/live", "/health/ready", "/v1/measures", "/docs"):
        found, whole = client.head(path), client.get(path)
        assert (found.status_code, found.content) == (200, b""), path
        assert found.headers["content-length"] == str(len(whole.content)) != "0"
        assert found.headers["x-request-id"]
    assert client.head("/nothing").status_code == 404


def test_a_token_is_wanted_if_there_is_one(folder, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    with served("--token-file", tmp_path / "token", "--cors", "https://example.org", "--log", "json") as own:
        body = {"query": "cat", "documents": ["a cat"]}
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "s3cret"}):
            found = httpx.post(f"{own.url}/rerank", json=body, headers=headers)
            assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
        good = {"Authorization": "Bearer s3cret", "Origin": "https://example.org"}
        found = httpx.post(f"{own.url}/rerank", json=body, headers=good)
        assert found.status_code == 200
        assert found.headers["access-control-allow-origin"] == "https://example.org"
        assert httpx.get(f"{own.url}/").status_code == httpx.get(f"{own.url}/health").status_code == 200
        assert httpx.get(f"{own.url}/v1/indexes", headers=good).json() == {"indexes": []}
        wanted = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST",
                  "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
        preflight = httpx.options(f"{own.url}/rerank", headers={**wanted, "X-Request-Id": "preflight.1"})
        assert (preflight.status_code, preflight.headers["x-request-id"]) == (200, "preflight.1")
        other = httpx.post(f"{own.url}/rerank", json=body, headers={**good, "Origin": "https://other.org"})
        assert "access-control-allow-origin" not in other.headers
        assert not any("s3cret" in line for line in own.log)
        # A browser opens the description without the token, which can then be given there.
        described = httpx.get(f"{own.url}/openapi.json").json()
        assert described["security"] == [{"token": []}]
        for path in ("/docs", "/redoc"):
            page = httpx.get(own.url + path)
            assert page.status_code == 200
            loaded = re.findall(r'(?:src|href)="(/static-offline-docs/[^"]+)"', page.text)
            assert loaded
            assert all(httpx.get(own.url + one).status_code == 200 for one in loaded)
        for path in ("/metrics", "/info", "/static-offline-docs", "/docs/x", "/static-offline-docs/../info"):
            assert httpx.get(own.url + path).status_code == 401, path
        assert described["paths"]["/health"]["get"]["security"] == []
        lines = [json.loads(line) for line in own.log if '"request"' in line]
        assert {line["status"] for line in lines} >= {200, 401}
        assert all({"id", "path", "ms", "stages"} <= set(line) for line in lines)
        assert "preflight.1" in {line["id"] for line in lines}


def test_an_index_is_read_only_unless_that_is_wanted(folder):
    with served(folder) as own:
        found = httpx.post(f"{own.url}/v1/indexes/papers/documents", json={"documents": [{"id": "x", "text": "cat"}]})
        assert found.status_code == 403
        assert "--writable" in found.json()["message"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no index: the folder does not exist"),
        (["papers", "papers"], "two indexes have the name 'papers'"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--deadline", "0"], "deadline"),
        (["--allow-host", "http://x"], "--allow-host: expected a name or an address without scheme and port"),
        (["--model", "x.onnx"], "--model and --tokenizer go together"),
        (["--vectors", "nothing.txt"], "nothing.txt"),
        (["--measure", "nonsense"], "unknown measure"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(folder, arguments, message, monkeypatch, capsys):
    from moverank.cli import main

    monkeypatch.chdir(folder.parent)
    assert main(["serve", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_too_many_requests_are_refused_and_none_is_lost(folder):
    with served("--threads", "1", "--waiting", "2", "--cache-mb", "0") as own:
        texts = [f"{d.text} {n}" for n in range(4) for d in DOCS]
        found = []

        def ask():
            with httpx.Client(timeout=60) as client:
                found.append(client.post(f"{own.url}/rerank", json={"query": QUERY, "documents": texts}))

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = [one.status_code for one in found]
        assert set(statuses) == {200, 429}
        assert all(one.headers["retry-after"] == "1" for one in found if one.status_code == 429)
        assert httpx.post(f"{own.url}/rerank", json={"query": "x", "documents": ["x"]}).status_code == 200


def test_no_acknowledged_write_is_lost_when_the_service_ends(folder, tmp_path):
    path = tmp_path / "papers"
    shutil.copytree(folder, path)
    own = Service(path, "--writable")
    acknowledged, stopping = [], threading.Event()

    def write(n):
        with httpx.Client(base_url=own.url, timeout=60) as client:
            for m in range(1000):
                try:
                    found = client.post("/v1/indexes/papers/documents",
                                        json={"documents": [{"id": f"w{n}.{m}", "text": "a cat sat"}]})  # fmt: skip
                except httpx.HTTPError:
                    return
                if found.status_code == 200:
                    acknowledged.append(f"w{n}.{m}")
                elif stopping.is_set():
                    return

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 5:
        time.sleep(0.01)
    stopping.set()
    assert own.stop() in (0, -15)
    for thread in threads:
        thread.join()
    with mr.TextIndex.open(path) as index:
        index.verify()
        assert {*acknowledged} <= {*index}


def test_slow_clients_are_cut_off_and_hold_nobody_up(folder):
    with served("--deadline", "1") as own:
        host, port = own.url.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port))) for _ in range(200)]
        for one in slow:
            one.sendall(
                b"POST /rerank HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
            )
        began = time.monotonic()
        assert httpx.post(f"{own.url}/rerank", json={"query": "cat", "documents": ["a cat"]}).status_code == 200
        assert time.monotonic() - began < 30
        slow[0].settimeout(30)
        assert b" 408 " in slow[0].recv(4096)
        for one in slow:
            one.close()


# ---- what a first attack found ---------------------------------------------------------------------------------------


def test_strange_requests_are_no_faults_of_the_service(client):
    for body in (
        {"query": "x", "documents": ["x"], "top_n": 10**30},
        {"query": "x", "documents": [{"a": 1}], "rank_fields": ["\ud800"]},
        {"query": "x", "documents": [{"t": "cat \ud800"}], "rank_fields": ["t"], "return_documents": True},
    ):
        found = client.post("/rerank", content=json.dumps(body), headers={"content-type": "application/json"})
        assert found.status_code == 422, found.text


def test_documents_whose_ids_have_slashes_are_reached(client):
    path = "/v1/indexes/papers/documents"
    answer(client, path, {"documents": [{"id": "notes/1.md", "text": "a cat"}]})
    assert client.get(f"{path}/notes/1.md").json()["text"] == "a cat"
    assert client.delete(f"{path}/notes/1.md").json()["removed"] == 1


def test_documents_are_added_all_or_none(client):
    path = "/v1/indexes/papers/documents"
    documents = [{"id": f"n{n}", "text": "a cat"} for n in range(1024)]
    assert answer(client, path, {"documents": [*documents[:9], {"id": DOCS[0].id, "text": "a cat"}]}, 409)
    assert client.get(f"{path}/n0").status_code == 404
    answer(client, path, {"documents": [*documents, {"id": "more", "text": "a cat"}]}, 422)


def test_paths_that_there_are_not_make_no_numbers(folder, tmp_path):
    (tmp_path / "token").write_text("s3cret")
    with served("--token-file", tmp_path / "token") as own:
        for n in range(20):
            assert httpx.get(f"{own.url}/nothing{n}").status_code == 401
        numbers = httpx.get(f"{own.url}/metrics", headers={"Authorization": "Bearer s3cret"}).text
        assert "nothing" not in numbers
        assert 'path="unknown",status="401"} 20.0' in numbers


def test_an_index_that_is_replaced_brings_its_encoder(tmp_path):
    vectors = {name: WordVectors(["cat", "dog"], np.eye(2)[::step]) for name, step in (("a", 1), ("b", -1))}
    path = tmp_path / "papers"
    with mr.TextIndex.create(path, encoder=vectors["a"], lexical=None) as index:
        index.add(["cat", "dog"], ids=["c", "d"])
    with served(path) as own, httpx.Client(base_url=own.url, timeout=30) as client:
        assert answer(client, "/v1/indexes/papers/search", {"query": "cat", "k": 1})["hits"][0]["id"] == "c"
        for encoder, passages in ((vectors["b"], None), (WordVectors.default(), mr.Passages(2, 1))):
            other = mr.TextIndex.create(encoder=encoder, lexical=None, passages=passages)
            other.add(["dog", "cat"], ids=["c", "d"])
            other.save(path, overwrite=True)
            hit = answer(client, "/v1/indexes/papers/search", {"query": "cat", "k": 1})["hits"][0]
            assert (hit["id"], hit["text"]) == ("d", "cat")
            assert hit["similarity"] == pytest.approx(1, abs=1e-6)
        mr.Index.build([np.eye(2)]).save(path, overwrite=True)
        found = client.post("/v1/indexes/papers/search", json={"query": "cat"})
        assert (found.status_code, found.headers["retry-after"]) == (503, "5")
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == client.get("/metrics").status_code == 200
        shutil.rmtree(path)
        assert client.post("/v1/indexes/papers/search", json={"query": "cat"}).status_code == 503
        assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "documents", {"documents": [{"id": "x", "text": "a cat"}]}),
        ("POST", "documents/delete", {"ids": [DOCS[0].id]}),
        ("DELETE", f"documents/{DOCS[0].id}", None),
    ],
    ids=["add", "delete several", "delete one"],
)
def test_writers_do_not_keep_readers_waiting(folder, tmp_path, method, path, body):
    own_folder = tmp_path / "papers"
    shutil.copytree(folder, own_folder)
    with (
        served(own_folder, "--writable", "--threads", "1") as own,
        mr.TextIndex.open(own_folder, writable=True),
    ):
        statuses = []

        def write():  # waits for the lock, which is held here
            found = httpx.request(method, f"{own.url}/v1/indexes/papers/{path}", json=body, timeout=60)
            statuses.append(found.status_code)

        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        search = {"query": "cat", "documents": ["a cat"], "deadline": 2}
        assert httpx.post(f"{own.url}/rerank", json=search).status_code == 200
        assert statuses == []
    for thread in threads:
        thread.join()
