"""Shards on the nodes of a cluster: the answers of one index, while nodes are lost, slow, or restarted."""

import contextlib
import pickle
import threading
import time

import numpy as np
import pytest

import moverank as mr
from moverank.errors import DuplicateIdError, ShardFailedError, ShardMismatchError, UnknownIdError
from moverank.ray import sharded_index
from moverank.sharding import ShardedIndex, split

RNG = np.random.default_rng(5)
CENTRES = RNG.normal(size=(40, 12))
DOCS = [
    (CENTRES[RNG.integers(0, 40, n)] + 0.3 * RNG.normal(size=(n, 12))).astype(np.float32)
    for n in RNG.integers(2, 9, 400)
]
DOCS += DOCS[:50]  # ties
PAYLOADS = [{"year": 2000 + i % 20} for i in range(len(DOCS))]


@pytest.fixture(scope="module")
def whole():
    return mr.Index.build(DOCS, "wrd", payloads=PAYLOADS)


@pytest.fixture
def folders(tmp_path, whole):
    made = [tmp_path / name for name in ("a", "b")]
    split(whole, made)
    return made


def same(found, expected):
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.distances, expected.distances)
    assert found.certificate.exact


def test_answers_of_actors_are_those_of_one_index(cluster, folders, whole):
    with sharded_index(folders) as sharded:
        assert len(sharded) == len(DOCS)
        for k in (1, 10, 60):
            for q in (3, 77):
                same(sharded.search(DOCS[q], k), whole.search(DOCS[q], k))
                same(sharded.search(DOCS[q], k, where="year >= 2010"), whole.search(DOCS[q], k, where="year >= 2010"))
        same(sharded.range_search(DOCS[3], 0.3), whole.range_search(DOCS[3], 0.3))
        same(sharded.rerank(DOCS[3], range(40), 5), whole.rerank(DOCS[3], range(40), 5))
        hits = sharded.search(DOCS[3], 5)
        assert [hit.payload for hit in hits] == [hit.payload for hit in whole.search(DOCS[3], 5)]
        assert pickle.loads(pickle.dumps(hits))[0].alignment.value == pytest.approx(hits.distances[0], abs=1e-9)
        batch = sharded.search_batch(DOCS[:12], 4)
        for found, expected in zip(batch, whole.search_batch(DOCS[:12], 4), strict=True):
            same(found, expected)


def test_changes_reach_every_replica(cluster, folders):
    with sharded_index(folders, replicas=1) as sharded:
        more = [RNG.normal(size=(3, 12)).astype(np.float32) for _ in range(6)]
        sharded.add(more, range(9000, 9006), payloads=[{"year": 1}] * 6)
        sharded.remove([9005, 7])
        sharded.upsert([more[5]], [9000])
        assert sharded.search(more[5], 1).ids.tolist() == [9000]
        assert 7 not in sharded
        with pytest.raises(DuplicateIdError):
            sharded.add(more[:1], [9001])
        with pytest.raises(UnknownIdError):
            sharded.remove([7])
        with pytest.raises(ValueError, match="where"):
            sharded.search(more[0], 3, where="year >")
    opened = [mr.Index.open(folder) for folder in folders]
    assert sum(len(index) for index in opened) == len(DOCS) + 6 - 2
    for index in opened:
        index.verify()


def test_mixed_shards_and_missing_folders(cluster, tmp_path, folders):
    mr.Index.build(DOCS[:5], "wmd").save(tmp_path / "other")
    with pytest.raises(ShardMismatchError, match="measure"):
        sharded_index([folders[0], tmp_path / "other"])
    with pytest.raises(ShardFailedError, match="no index"):
        sharded_index([tmp_path / "nothing"])
    with pytest.raises(ValueError, match="at least one"):
        sharded_index([])
    with pytest.raises(ValueError, match="replicas"):
        sharded_index(folders, replicas=0)
    with pytest.raises(ShardFailedError, match="the cluster has no 9 x 1 CPUs free"):
        sharded_index(folders, replicas=9, timeout=1)


def test_a_lost_node_costs_nothing_with_replicas_and_is_told_without(cluster, folders, whole):
    if cluster is None:
        pytest.skip("a cluster of its own is needed, to lose a node of")
    with contextlib.ExitStack() as held:
        indexes = [held.enter_context(sharded_index(folder)) for folder in (folders[:1], folders[1:])]
        node = cluster.add_node(num_cpus=0, resources={"lost": 1.0}, object_store_memory=150 << 20)
        cluster.wait_for_nodes()
        on_lost = {"scheduling_strategy": "DEFAULT", "resources": {"lost": 1.0}, "num_cpus": 0, "max_restarts": 0}
        indexes.append(held.enter_context(sharded_index(folders[1:], ray_remote_args=on_lost)))
        first, spare, lost = (one._shards.caller.shards[0] for one in indexes)
        partial = ShardedIndex([first, lost], names=["a", "b"], on_failure="partial")
        doubled = ShardedIndex([first, [*lost, *spare]], names=["a", "b"])
        answers, errors, stop = [], [], threading.Event()

        def ask():
            while not stop.is_set() and not errors:
                try:
                    answers.append(doubled.search(DOCS[len(answers) % 50], 5))
                except Exception as error:
                    errors.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            time.sleep(0.3)
            cluster.remove_node(node, allow_graceful=False)
            # An actor outlives its node by some seconds, and until then its answers count.
            deadline = time.perf_counter() + 60
            missing = partial.search(DOCS[5], 10, timeout=2.0)
            while not missing.shards.failed and time.perf_counter() < deadline:
                same(missing, whole.search(DOCS[5], 10))
                missing = partial.search(DOCS[5], 10, timeout=2.0)
            lost_at = len(answers)
            while len(answers) < lost_at + 20 and not errors:
                time.sleep(0.05)
        finally:
            stop.set()
            asking.join()
        assert errors == []
        for place, found in enumerate(answers):
            same(found, whole.search(DOCS[place % 50], 5))
        assert not missing.certificate.exact
        assert missing.certificate.certain == 0
        assert missing.shards.answered == 1
        assert 0.3 < missing.shards.coverage < 0.7
        with mr.Index.open(folders[0]) as rest:
            np.testing.assert_array_equal(missing.ids, rest.search(DOCS[5], 10).ids)


def test_a_slow_node_is_not_waited_for_beyond_the_deadline(cluster, folders):
    with sharded_index(folders, on_failure="partial") as sharded:
        sharded.search(DOCS[0], 3)
        slow = sharded._shards.caller.shards[1][0]

        class Asleep:
            """The same actor, which is busy with something else first."""

            name = "slow"

            def submit(self, method, *args, **options):
                import ray

                @ray.remote(num_cpus=0)
                def sleep():
                    time.sleep(3)

                return sleep.remote().future()

            def close(self):
                slow.close()

        sharded._shards.caller.shards[1][0] = Asleep()
        began = time.perf_counter()
        hits = sharded.search(DOCS[0], 3, timeout=0.5)
        assert time.perf_counter() - began < 2.0
        assert not hits.certificate.exact
        assert "no answer within" in hits.shards.failed[0].reason


def test_a_killed_actor_comes_back_with_what_was_acknowledged(cluster, folders):
    import ray

    with sharded_index(folders) as sharded:
        sharded.add([DOCS[0]] * 4, range(8000, 8004))
        for replicas in sharded._shards.caller.shards:
            ray.kill(replicas[0]._actor, no_restart=False)
        deadline = time.perf_counter() + 30
        while True:
            try:
                found = sharded.search(DOCS[0], 6)
                break
            except ShardFailedError:
                assert time.perf_counter() < deadline
                time.sleep(0.2)
        assert {8000, 8001, 8002, 8003} & set(found.ids.tolist())
        assert all(id in sharded for id in range(8000, 8004))


def test_actors_have_as_many_threads_as_cpus(cluster, folders):
    with sharded_index(folders, num_cpus=1) as sharded:
        assert [info.num_threads for info in sharded._shards.infos] == [1, 1]


def test_without_a_cluster_the_error_says_what_to_do(cluster, folders, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(RuntimeError, match=r"ray\.init"):
        sharded_index(folders)


def test_what_nobody_has_any_more_frees_its_cpus(cluster, folders):
    import gc

    import ray

    before = ray.available_resources().get("CPU", 0.0)
    sharded = sharded_index(folders)
    sharded.search(DOCS[0], 3)
    del sharded
    gc.collect()
    deadline = time.perf_counter() + 30
    while ray.available_resources().get("CPU", 0.0) < before:
        assert time.perf_counter() < deadline
        time.sleep(0.1)
