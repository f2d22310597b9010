"""Shards of texts on the nodes of a cluster: the answers of one index, and a lost actor."""

import pickle

import pytest

pytest.importorskip("tantivy")

import moverank as mr
from moverank.data import demo_documents, demo_queries
from moverank.ray import sharded_text_index
from moverank.sharding import split

DOCUMENTS = demo_documents()[:80]
QUERIES = [query.text for query in demo_queries()]


@pytest.fixture(scope="module")
def whole():
    index = mr.TextIndex.create()
    index.add([f"{d.title}. {d.text}" for d in DOCUMENTS], [d.id for d in DOCUMENTS])
    return index


@pytest.fixture
def folders(tmp_path, whole):
    made = [tmp_path / name for name in ("a", "b")]
    split(whole, made)
    return made


def same(found, expected):
    assert found.ids == expected.ids
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-5)
    assert [hit.text for hit in found] == [hit.text for hit in expected]


def test_actors_answer_as_one_index_does(cluster, folders, whole):
    with sharded_text_index(folders) as shards:
        for query in QUERIES[:4]:
            same(shards.search(query, 5, candidates=None), whole.search(query, 5, candidates=None))
        hits = shards.search(QUERIES[0], 3)
        assert hits[0].explain().value == pytest.approx(hits[0].distance, abs=1e-6)
        ids = [d.id for d in DOCUMENTS[:30]]
        same(shards.rerank(QUERIES[1], ids, 4), whole.rerank(QUERIES[1], ids, 4))
        # A copy, such as a replica of a service has, calls the same actors, and leaves them when it is closed.
        copy = pickle.loads(pickle.dumps(shards))
        same(copy.search(QUERIES[2], 5), shards.search(QUERIES[2], 5))
        copy.close()
        added = shards.add(["Penguins swim in cold water."], ["penguins"])
        assert added.ids == ["penguins"]
        assert shards.search("penguins in water", 1).ids == ["penguins"]
        assert pickle.loads(pickle.dumps(hits)).ids == hits.ids


def test_a_lost_actor_is_missing_from_the_answer_and_comes_back(cluster, folders, whole):
    import ray

    with sharded_text_index(folders, on_failure="partial") as shards:
        complete = shards.search(QUERIES[0], 5)
        ray.kill(shards._shards.caller.shards[1][0]._actor, no_restart=False)
        found = shards.search(QUERIES[0], 5, timeout=20)
        if found.shards.failed:
            assert not found.certificate.exact
            assert "1 of 2 shards did not answer" in found.certificate.statement
        for _ in range(60):
            again = shards.search(QUERIES[0], 5)
            if not again.shards.failed:
                break
            __import__("time").sleep(0.5)
        same(again, complete)
