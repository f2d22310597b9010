"""The service over shards: several indexes of texts under one name, in a process of its own."""

import pytest

import moverank as mr
from moverank.sharding import ShardedTextIndex, split
from serving import DOCS, index_folder, served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
for module in ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")
pytest.importorskip("tantivy", reason="tantivy is not installed")

QUERY = "hypoglycemia and the risk of dementia"


@pytest.fixture
def whole(tmp_path):
    return index_folder(tmp_path)


@pytest.fixture
def shards(whole, tmp_path):
    folders = [tmp_path / f"shard-{s}" for s in range(3)]
    with mr.TextIndex.open(whole) as index:
        split(index, folders)
    return folders


@pytest.fixture
def client(whole, shards):
    with (
        served(whole, "--writable", "--shards", "spread", *map(str, shards)) as service,
        httpx.Client(base_url=service.url, timeout=30) as own,
    ):
        yield own


def answer(client, path, body, status=200):
    found = client.post(path, json=body)
    assert found.status_code == status, found.text
    return found.json()


def test_shards_answer_as_the_index_that_they_were(client, whole):
    listed = {one["name"]: one for one in client.get("/v1/indexes").json()["indexes"]}
    assert set(listed) == {whole.name, "spread"}
    assert {**listed["spread"], "name": whole.name} == listed[whole.name]
    for body in (
        {"query": QUERY, "k": 5, "candidates": None},
        {"query": QUERY, "k": 5, "candidates": None, "explain": True, "fusion": 1.0},
        {"query": QUERY, "k": 5, "candidates": None, "measure": "maxsim"},
        {"vectors": [[1.0] * 128, [0.5, -0.5] * 64], "k": 4, "candidates": None},
    ):
        found, expected = (answer(client, f"/v1/indexes/{name}/search", body) for name in ("spread", whole.name))
        for one, other in zip(found["hits"], expected["hits"], strict=True):
            scores = {name: one.pop(name) for name in ("score", "lexical")}
            assert scores == {name: pytest.approx(other.pop(name), abs=1e-5) for name in ("score", "lexical")}
            assert one == other
    first = DOCS[0]
    assert client.get(f"/v1/indexes/spread/documents/{first.id}").json()["id"] == str(first.id)
    assert client.get("/v1/indexes/spread/documents/nobody").status_code == 404
    assert 'moverank_index_entries{index="spread"}' in client.get("/metrics").text
    assert client.get("/health/ready").status_code == 200


def test_changes_reach_the_shards(client, shards):
    new = [{"id": f"new-{n}", "text": f"Penguins swim in cold water, {n}.", "payload": {"n": n}} for n in range(9)]
    added = answer(client, "/v1/indexes/spread/documents", {"documents": new})
    assert added["ids"] == [one["id"] for one in new]
    found = answer(client, "/v1/indexes/spread/search", {"query": "penguins in cold water", "k": 9})
    assert {hit["id"] for hit in found["hits"]} == set(added["ids"])
    assert answer(client, "/v1/indexes/spread/documents", {"documents": new}, 409)["error"]["param"] == "documents"
    unnamed = [{"text": "Penguins."}]
    assert "several shards" in answer(client, "/v1/indexes/spread/documents", {"documents": unnamed}, 422)["message"]
    gone = answer(client, "/v1/indexes/spread/documents/delete", {"ids": ["new-3", "new-4"]})
    assert gone["removed"] == 2
    with ShardedTextIndex.open(shards) as index:
        assert "new-3" not in index
        assert index.text("new-5") == new[5]["text"]
        index.upsert(["Volcanic rock and penguins."], ["new-6"])
    # Another process has changed a shard: the service looks for that once a second.
    for _ in range(50):
        text = client.get("/v1/indexes/spread/documents/new-6").json()["text"]
        if text.startswith("Volcanic"):
            break
        __import__("time").sleep(0.1)
    assert text == "Volcanic rock and penguins."


def test_names_and_folders_are_checked(whole, shards, tmp_path, capsys):
    from moverank.cli import main

    for arguments, message in (
        (["--shards", "alone"], "expected folders after the name"),
        (["--shards", whole.name, str(shards[0])], "two indexes have the name"),
        (["--shards", "s", str(tmp_path / "nothing")], "nothing"),
    ):
        assert main(["serve", str(whole), *arguments]) != 0
        assert message in capsys.readouterr().err
    app = pytest.importorskip("moverank.serve.app")
    options = pytest.importorskip("moverank.serve.options").Options
    with (
        ShardedTextIndex.open(shards) as index,
        pytest.raises(ValueError, match="two indexes have the name 'news'"),
    ):
        app.create_app(options(indexes={"news": whole}), shards={"news": index})
