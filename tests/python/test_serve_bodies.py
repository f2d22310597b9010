"""Bodies that are wrong: one fault is told of, plainly, and a small body takes little memory and time."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import WordVectors
from serving import served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
for module in ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")

SEARCH, DOCUMENTS = "/v1/indexes/small/search", "/v1/indexes/small/documents"
MANY = 300_000


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    path = tmp_path_factory.mktemp("indexes") / "small"
    with mr.TextIndex.create(path, encoder=WordVectors(["cat", "dog"], np.eye(2)), lexical=None) as index:
        index.add(["cat", "dog"], ids=["c", "d"])
    with served(path, "--writable") as own:
        yield own


@pytest.fixture(scope="module")
def client(service):
    with httpx.Client(base_url=service.url, timeout=60) as own:
        yield own


def posted(client, path, body):
    return client.post(path, content=json.dumps(body), headers={"content-type": "application/json"})


#: Each is wrong in every one of its many parts.
WRONG = [
    ("/rerank", {"query": "a", "documents": [1] * MANY}, "documents.0"),
    ("/rerank", {"query": "a", "documents": [{"text": 1}] * MANY}, "documents.0.text"),
    ("/rerank", {"query": "a", "texts": [1] * MANY}, "texts.0"),
    ("/rerank", {"query": "a", "documents": ["a"], "rank_fields": [1] * MANY}, "rank_fields.0"),
    ("/score", {"text_1": "a", "text_2": [1] * MANY}, "text_2.0"),
    ("/score", {"queries": [[]] * MANY, "documents": "a"}, "queries.0"),
    (SEARCH, {"vectors": ["a"] * MANY}, "vectors.0"),
    (SEARCH, {"vectors": [["a"]] * MANY}, "vectors.0.0"),
    (SEARCH, {"vectors": [["a"] * MANY]}, "vectors.0.0"),
    (SEARCH, {"vectors": [[1, 0]], "weights": ["a"] * MANY}, "weights.0"),
    (SEARCH, {"query": "a", **{f"f{n}": 1 for n in range(MANY)}}, "f0"),
    (DOCUMENTS, {"documents": [1] * MANY}, "documents.0"),
    (DOCUMENTS, {"documents": [{"text": "a", **{f"f{n}": 1 for n in range(MANY)}}]}, "documents.0.f0"),
    (f"{DOCUMENTS}/delete", {"ids": [[]] * MANY}, "ids.0"),
    (f"{DOCUMENTS}/delete", {"ids": ["\ud800"] * MANY}, "ids.0"),
]  # fmt: skip


def forget_peak(service):
    """Ask Linux to measure the most memory from now on."""
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5", encoding="ascii")


def peak(service):
    """Most megabytes that the process has had since."""
    status = Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory of a process")
@pytest.mark.parametrize(("path", "body", "param"), WRONG)
def test_small_wrong_bodies_take_little_memory(service, client, path, body, param):
    posted(client, "/rerank", {"query": "a", "documents": ["a"] * MANY, "top_n": -1})  # what any such body takes
    forget_peak(service)
    before = peak(service)
    found = posted(client, path, body)
    assert found.status_code == 422
    assert found.json()["error"].startswith(param) if "texts" in body else found.json()["error"]["param"] == param
    assert peak(service) - before < 150  # hundreds, if an error were kept for each of the parts


@pytest.mark.parametrize(
    ("path", "body", "param", "message"),
    [
        ("/rerank", {"query": "a", "documents": [1]}, "documents.0", "expected a text, or an object with a text"),
        ("/rerank", {"query": "a", "documents": ["\ud800"]}, "documents.0", "has half of a surrogate pair"),
        ("/rerank", {"query": "a", "documents": [{"text": "\ud800"}]}, "documents.0.text", "has half of a surrogate"),
        ("/rerank", {"query": "a", "documents": [{"text": 1}]}, "documents.0.text", "valid string"),
        ("/rerank", {"query": "a", "documents": {}}, "documents", "valid list"),
        ("/score", {"text_1": 1, "text_2": "a"}, "text_1", "expected a text, or a list of texts"),
        ("/score", {"text_1": "a", "text_2": ["a", 1]}, "text_2.1", "valid string"),
        ("/score", {"text_1": "\ud800", "text_2": "a"}, "text_1", "has half of a surrogate pair"),
        (DOCUMENTS, {"documents": [{"id": "\ud800", "text": "a"}]}, "documents.0.id", "has half of a surrogate pair"),
        (DOCUMENTS, {"documents": [{"id": 1.5, "text": "a"}]}, "documents.0.id", "expected a text, or a whole number"),
        (DOCUMENTS, {"documents": [{"id": True, "text": "a"}]}, "documents.0.id", "expected a text, or a whole number"),
        (DOCUMENTS, {"documents": [{"id": 2**63, "text": "a"}]}, "documents.0.id", "less than 9223372036854775808"),
        (DOCUMENTS, {"documents": [{"id": "x" * 4097, "text": "a"}]}, "documents.0.id", "at most 4096 characters"),
        (SEARCH, {"query": "a", "where": "\ud800"}, "where", "has half of a surrogate pair"),
        (SEARCH, {"query": "a", "fail": 1}, "fail", "Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_faults_are_told_in_the_words_of_clients(client, path, body, param, message):
    found = posted(client, path, body)
    error = found.json()
    assert (found.status_code, error["error"]["param"]) == (422, param)
    assert error["message"].startswith(f"{param}: ")
    assert message in error["message"]
    assert not {*"<>[]"} & {*error["message"]}
    assert "Value error" not in error["message"]
    assert error["detail"][0]["loc"] == ["body", *param.split(".")]
