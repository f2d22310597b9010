"""The service as a deployment of Ray Serve: what it answers is what the application answers in this process."""

import pytest

pytest.importorskip("ray.serve", reason="needs Ray Serve: pip install 'ray[serve]'")
pytest.importorskip("fastapi", reason="needs the service: pip install 'moverank[serve]'")
httpx = pytest.importorskip("httpx", reason="needs httpx, to ask the service")

import moverank as mr  # noqa: E402
from moverank.ray import service, sharded_text_index  # noqa: E402
from moverank.serve.app import create_app  # noqa: E402
from moverank.serve.options import Options  # noqa: E402
from moverank.sharding import split  # noqa: E402

TEXTS = ["a dog barks at the moon", "stocks fell on tuesday", "the cat sat on the mat"]


def test_dialects_are_those_of_the_service(cluster, tmp_path):
    from fastapi.testclient import TestClient
    from ray import serve

    index = mr.TextIndex.create(tmp_path / "texts", lexical=None)
    index.add(TEXTS, ids=["dog", "stocks", "cat"])
    split(index, [tmp_path / "shard"])
    index.close()
    shards = sharded_text_index([tmp_path / "shard"])
    options = Options(indexes={"texts": tmp_path / "texts"})
    serve.start(http_options={"host": "127.0.0.1", "port": 8123})
    try:
        serve.run(service(options, shards={"spread": shards}), route_prefix="/", name="tested")
        asked = {
            "/v1/rerank": {"query": "a cat on a mat", "documents": TEXTS},
            "/rerank": {"query": "a cat on a mat", "texts": TEXTS},
            "/v1/indexes/texts/search": {"query": "a cat on a mat", "k": 2},
        }
        with TestClient(create_app(options)) as here, httpx.Client(base_url="http://127.0.0.1:8123") as there:
            for path, body in asked.items():
                found, expected = (one.post(path, json=body) for one in (there, here))
                assert found.status_code == expected.status_code == 200
                assert without_times(found.json()) == without_times(expected.json())
            body = asked["/v1/indexes/texts/search"]
            spread = there.post("/v1/indexes/spread/search", json=body).json()
            assert (
                without_times(spread)["hits"]
                == without_times(there.post("/v1/indexes/texts/search", json=body).json())["hits"]
            )
            assert there.get("/health/ready").status_code == 200
            assert "<html" in there.get("/").text
            assert there.post("/v1/rerank", json={"query": 3}).status_code in (400, 422)
    finally:
        serve.shutdown()
        shards.close()


def without_times(answer):
    """An answer without its id and times, which differ."""
    if isinstance(answer, dict):
        left_out = ("id", "seconds", "meta", "stats", "created") if "results" in answer or "hits" in answer else ()
        return {name: without_times(value) for name, value in answer.items() if name not in left_out}
    return [without_times(one) for one in answer] if isinstance(answer, list) else answer
