"""Several indexes searched as one: the answer of one index of all documents, whatever fails, and no claim beyond it."""

import os
import pickle
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.errors import (
    DuplicateIdError,
    IndexFormatError,
    ShardFailedError,
    ShardMismatchError,
    UnknownFieldError,
    UnknownIdError,
)
from moverank.sharding import Shard, ShardedIndex, rebalance, split
from moverank.sharding.calls import Caller, Course
from moverank.sharding.local import LocalReplica
from moverank.sharding.merging import Failure, merge
from moverank.sharding.routing import shard_of

RNG = np.random.default_rng(11)
DOCS = [RNG.normal(size=(RNG.integers(1, 7), 6)).astype(np.float32) for _ in range(150)]
DOCS += DOCS[:30]  # ties, which stand in different shards
PAYLOADS = [{"year": 2000 + i % 20, **({"rare": True} if i % 90 == 0 else {})} for i in range(len(DOCS))]
MEASURES = ["wrd", "wmd", "maxsim", mr.wrd.replace(capacity=4), mr.wmd.replace(fraction=0.5),
            mr.wmd.replace(problem=mr.Sinkhorn(0.2))]  # fmt: skip


def parts_of(count, measure="wrd", **options):
    """Indexes of some of the documents each, and one of all."""
    owned = [[i for i in range(len(DOCS)) if shard_of(i, count) == s] for s in range(count)]
    owned.append(list(range(len(DOCS))))
    built = [
        mr.Index.build([DOCS[i] for i in own], measure, ids=own, payloads=[PAYLOADS[i] for i in own], **options)
        for own in owned
    ]
    return built[:-1], built[-1]


def same(found, expected):
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.distances, expected.distances)
    assert found.certificate.exact
    assert found.stats.documents == expected.stats.documents


@pytest.mark.parametrize("measure", MEASURES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_shards_find_what_one_index_finds(measure, count):
    parts, whole = parts_of(count, measure)
    sharded = ShardedIndex.of(parts)
    assert len(sharded) == len(DOCS)
    assert sharded.sizes == [len(part) for part in parts]
    for k in (1, 10, 500):
        query = RNG.normal(size=(3, 6))
        same(sharded.search(query, k), whole.search(query, k))
        same(sharded.search(DOCS[7], k, weights=np.arange(len(DOCS[7])) + 1.0),
             whole.search(DOCS[7], k, weights=np.arange(len(DOCS[7])) + 1.0))  # fmt: skip
        same(sharded.search(DOCS[7], k, where="year >= 2010"), whole.search(DOCS[7], k, where="year >= 2010"))
        same(sharded.search(DOCS[7], k, subset=range(40)), whole.search(DOCS[7], k, subset=range(40)))
        same(sharded.rerank(DOCS[7], range(5, 60), k), whole.rerank(DOCS[7], range(5, 60), k))
    radius = float(whole.search(DOCS[3], 30).distances[-1])
    same(sharded.range_search(DOCS[3], radius), whole.range_search(DOCS[3], radius))
    same(sharded.range_search(DOCS[3], radius, where="year < 2005", subset=range(70)),
         whole.range_search(DOCS[3], radius, where="year < 2005", subset=range(70)))  # fmt: skip


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 179), st.sets(st.integers(0, 179), max_size=120))
def test_shards_of_any_size_after_removals(count, k, q, removed):
    parts, whole = parts_of(count)
    for index in (*parts, whole):
        own = [i for i in removed if i in index]
        if own:
            index.remove(own)
    sharded = ShardedIndex.of(parts)
    same(sharded.search(DOCS[q], k), whole.search(DOCS[q], k))


def test_a_closed_one_has_no_threads_left():
    parts, _ = parts_of(2)
    with ShardedIndex.of(parts) as sharded:
        sharded.search(DOCS[0], 2)
    with pytest.raises(mr.errors.IndexClosedError, match="closed"):
        sharded.search(DOCS[0], 2)
    deadline = time.perf_counter() + 10
    while any(thread.name.startswith("moverank-shard") for thread in threading.enumerate()):
        assert time.perf_counter() < deadline
        time.sleep(0.01)
    assert parts[0].search(DOCS[0], 2).certificate.exact


def test_calls_that_wait_for_a_thread_are_answered_though_it_is_closed():
    parts, whole = parts_of(1)
    sharded = ShardedIndex.of(parts)
    (replica,) = sharded._shards.caller.shards[0]
    begun, go = threading.Event(), threading.Event()
    for _ in range(4):
        replica._pool.submit(lambda: (begun.set(), go.wait(30)))
    begun.wait(30)
    found = []
    searching = threading.Thread(target=lambda: found.append(sharded.range_search(DOCS[0], 0.5)), daemon=True)
    searching.start()
    deadline = time.perf_counter() + 30
    while not replica._pool._work_queue.qsize():
        assert time.perf_counter() < deadline
        time.sleep(0.01)
    sharded.close()
    go.set()
    searching.join(30)
    same(found[0], whole.range_search(DOCS[0], 0.5))


def test_hits_of_a_closed_one_say_that_it_was_closed():
    parts, whole = parts_of(2)
    sharded = ShardedIndex.of(parts)
    seen, unseen = sharded.search(DOCS[0], 2), sharded.search(DOCS[0], 2)
    assert seen[0].payload == whole.search(DOCS[0], 2)[0].payload
    sharded.close()
    assert [hit.payload for hit in pickle.loads(pickle.dumps(seen))] == [hit.payload for hit in seen]
    assert unseen.ids.tolist() == seen.ids.tolist()
    for look in (lambda: unseen[0].payload, lambda: unseen[1].alignment, lambda: pickle.dumps(unseen)):
        with pytest.raises(mr.errors.IndexClosedError, match="closed"):
            look()


@pytest.mark.parametrize("on_failure", ["raise", "partial"])
def test_a_search_that_is_under_way_when_it_is_closed_says_so(on_failure):
    sharded, broken, _, _ = faulty(on_failure=on_failure)

    def submit(method, *args, **options):
        if method == "search":
            sharded.close()
        return Faulty.submit(broken, method, *args, **options)

    broken.submit = submit
    with pytest.raises(mr.errors.IndexClosedError, match="closed"):
        sharded.search(DOCS[0], 2)


def test_bags_and_given_costs():
    vectors = RNG.normal(size=(60, 5)).astype(np.float32)
    words = [RNG.integers(0, 60, size=RNG.integers(1, 9)) for _ in range(100)]
    costs = np.abs(RNG.normal(size=(12, 12)))
    content = RNG.uniform(size=(100, 12)) * (RNG.uniform(size=(100, 12)) < 0.4) + 1e-3
    halves = [list(range(0, 100, 2)), list(range(1, 100, 2))]
    bags = [mr.Index.build(mr.Bags(vectors, [words[i] for i in own]), "wmd", ids=own) for own in halves]
    whole = mr.Index.build(mr.Bags(vectors, words), "wmd")
    same(ShardedIndex.of(bags).search(vectors[:5], 8), whole.search(vectors[:5], 8))
    binned = [mr.Index.build(content[own], costs=costs, ids=own) for own in halves]
    of_bins = mr.Index.build(content, costs=costs)
    same(ShardedIndex.of(binned).search(content[3], 8), of_bins.search(content[3], 8))
    with pytest.raises(ValueError, match="weights: expected none"):
        ShardedIndex.of(binned).search(content[3], 8, weights=[1.0])
    other = mr.Index.build(content, costs=costs + 1)
    with pytest.raises(ShardMismatchError, match="costs"):
        ShardedIndex.of([binned[0], other])


def test_a_batch_has_the_answers_of_its_queries():
    parts, whole = parts_of(3)
    seen = []
    found = ShardedIndex.of(parts).search_batch(DOCS[:20], 5, progress=lambda done, total: seen.append((done, total)))
    for one, expected in zip(found, whole.search_batch(DOCS[:20], 5), strict=True):
        same(one, expected)
    assert seen[-1] == (20, 20)


def test_hits_bring_payload_and_alignment_and_can_be_pickled():
    parts, whole = parts_of(3)
    hits = ShardedIndex.of(parts).search(DOCS[90], 6)
    expected = whole.search(DOCS[90], 6)
    for copy in (hits, pickle.loads(pickle.dumps(hits))):
        assert [hit.payload for hit in copy] == [hit.payload for hit in expected]
        for one, other in zip(copy, expected, strict=True):
            assert one.alignment.value == pytest.approx(other.alignment.value, abs=1e-12)
            assert pickle.loads(pickle.dumps(one)).payload == other.payload
        told = copy.to_dict()
        assert told["shards"] == hits.shards.to_dict()
        assert told["hits"] == expected.to_dict()["hits"]
    assert hits.shards.total == hits.shards.answered == 3
    assert hits.shards.coverage == 1.0
    assert len(hits.shards.seconds) == 2


def test_a_field_of_a_condition_may_be_in_some_shards_only():
    parts, whole = parts_of(4)
    assert 0 < sum("rare" in str(part.payload(int(id))) for part in parts for id in part.ids) < 4
    sharded = ShardedIndex.of(parts)
    same(sharded.search(DOCS[1], 5, where="rare"), whole.search(DOCS[1], 5, where="rare"))
    same(sharded.search(DOCS[1], 5, where="rare IS NULL"), whole.search(DOCS[1], 5, where="rare IS NULL"))
    same(
        sharded.range_search(DOCS[1], 0.9, where="rare IS NULL"), whole.range_search(DOCS[1], 0.9, where="rare IS NULL")
    )
    with pytest.raises(UnknownFieldError, match="yeer"):
        sharded.search(DOCS[1], 5, where="yeer = 1")


def test_shared_knowledge_saves_solves():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 16))
    docs = [centres[rng.integers(0, 60, 10)] + 0.3 * rng.normal(size=(10, 16)) for _ in range(2000)]
    parts = [mr.Index.build(docs[s::4], "wrd", ids=range(s, 2000, 4), prefilter=None) for s in range(4)]
    sharded = ShardedIndex.of(parts)
    together = sum(sharded.search(doc, 10).stats.exact_solves for doc in docs[:10])
    apart = sum(part.search(doc, 10).stats.exact_solves for doc in docs[:10] for part in parts)
    assert together < 0.75 * apart


# ---- what shards must have in common -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ({"measure": "wrd"}, {"measure": "wmd"}, "measure"),
        ({"dtype": "float32"}, {"dtype": "float16"}, "dtype"),
        ({"pool": 1}, {"pool": 2}, "pool"),
        ({"ids": range(20)}, {"ids": [f"d{i}" for i in range(20)]}, "ids"),
        ({"dtype": "int8"}, {"dtype": "int8", "rescore": True}, "codes|dtype"),
        ({}, {"encoder": mr.encoders.WordVectors(["a"], [[1.0] * 6]).identity}, "encoder"),
    ],
)
def test_mixed_shards_are_refused(first, second, name):
    with pytest.raises(ShardMismatchError, match=name):
        ShardedIndex.of([mr.Index.build(DOCS[:20], **{"measure": "wrd", **own}) for own in (first, second)])


def test_spaces_and_origins_belong_to_the_fingerprint():
    far = [np.float64(doc) + 1e6 for doc in DOCS[:20]]
    with pytest.raises(ShardMismatchError, match="origin"):
        ShardedIndex.of([mr.Index.build(own, "wmd") for own in (far, DOCS[:20])])
    words = mr.encoders.WordVectors(["a", "b"], np.eye(2))
    spaces = [mr.fit(words, ["a", "b", "a b"], [step]) for step in ("centring", "idf")]
    built = [mr.Index.build([np.ones((1, 2))], "wrd", space=space) for space in spaces]
    with pytest.raises(ShardMismatchError, match="space"):
        ShardedIndex.of(built)


def test_cells_are_no_part_of_the_fingerprint():
    parts, whole = parts_of(2, prefilter="tokens")
    sharded = ShardedIndex.of(parts)
    same(sharded.search(DOCS[3], 5), whole.search(DOCS[3], 5))
    some = sharded.search(DOCS[3], 5, candidates=20)
    assert some.stats.exact_solves <= 2 * 20
    assert not some.certificate.exact or some.ids.tolist() == whole.search(DOCS[3], 5).ids.tolist()


# ---- failures ----------------------------------------------------------------------------------------------------


class Faulty:
    """A replica that fails, hangs, or is slow, for the methods it is told to."""

    def __init__(self, shard, name="faulty", *, fail=(), seconds=0.0, slow=(), error=None):
        self.name, self.fail, self.seconds, self.slow = name, set(fail), seconds, set(slow)
        self.error = error or ConnectionError("gone")
        self._shard = shard
        self._pool = ThreadPoolExecutor(4)
        self.calls = []

    def submit(self, method, *args, **options):
        self.calls.append(method)
        if method in self.fail:
            failed = Future()
            failed.set_exception(self.error)
            return failed

        def call():
            if method in self.slow:
                time.sleep(self.seconds)
            return getattr(self._shard, method)(*args, **options)

        return self._pool.submit(call)

    def close(self):
        pass


def faulty(count=3, bad=1, replicas=1, on_failure="partial", hedge=None, **options):
    """A sharded index of which one shard's first replica is faulty, that replica, and an index of all."""
    parts, whole = parts_of(count)
    shards = [[LocalReplica(Shard(part), f"s{s}") for _ in range(replicas)] for s, part in enumerate(parts)]
    broken = Faulty(Shard(parts[bad]), f"s{bad}")
    shards[bad][0] = broken
    sharded = ShardedIndex(shards, on_failure=on_failure, hedge=hedge)
    broken.__dict__.update({name: set(value) if name in ("fail", "slow") else value for name, value in options.items()})
    return sharded, broken, whole, parts


@pytest.mark.parametrize("fail", [["seed"], ["search"], ["seed", "search"]])
def test_a_missing_shard_is_never_claimed(fail):
    sharded, _, whole, parts = faulty(fail=fail)
    hits = sharded.search(DOCS[0], 10)
    rest = [i for i in range(len(DOCS)) if i not in parts[1]]
    expected = whole.search(DOCS[0], 10, subset=rest)
    np.testing.assert_array_equal(hits.ids, expected.ids)
    assert not hits.certificate.exact
    assert hits.certificate.bound == 0.0
    assert hits.certificate.certain == 0
    assert hits.certificate.unsolved >= len(parts[1])
    assert "1 of 3 shards did not answer" in str(hits)
    assert "gone" in str(hits)
    assert (hits.shards.answered, hits.shards.total) == (2, 3)
    assert hits.shards.coverage == pytest.approx(1 - len(parts[1]) / len(DOCS))
    assert hits.shards.failed[0].shard == "s1"
    strict, *_ = faulty(fail=fail, on_failure="raise")
    with pytest.raises(ShardFailedError, match="s1: ConnectionError: gone"):
        strict.search(DOCS[0], 10)


def test_range_and_rerank_without_a_shard():
    sharded, broken, whole, parts = faulty(fail=["range_search", "rerank"])
    rest = [i for i in range(len(DOCS)) if i not in parts[1]]
    found = sharded.range_search(DOCS[0], 0.5)
    np.testing.assert_array_equal(found.ids, whole.range_search(DOCS[0], 0.5, subset=rest).ids)
    assert not found.certificate.exact
    given_ids = list(range(20))
    ranked = sharded.rerank(DOCS[0], given_ids, 5)
    own = [i for i in given_ids if i not in parts[1]]
    np.testing.assert_array_equal(ranked.ids, whole.rerank(DOCS[0], own, 5).ids)
    assert not ranked.certificate.exact
    assert ranked.certificate.unsolved == len(given_ids) - len(own)
    broken.fail = {"has"}
    assert not sharded.rerank(DOCS[0], given_ids, 5).certificate.exact
    assert not sharded.search(DOCS[0], 5, subset=given_ids).certificate.exact


def searched(method):
    """A search by `search` or `range_search`."""
    return (lambda index, **own: index.search(DOCS[0], 5, **own)) if method == "search" else (
        lambda index, **own: index.range_search(DOCS[0], 0.5, **own))  # fmt: skip


@pytest.mark.parametrize("method", ["search", "range_search"])
def test_what_is_lost_is_a_share_of_all_though_there_is_a_condition(method):
    sharded, _, _, parts = faulty(fail=[method])
    hits = searched(method)(sharded, where="year = 2003")
    assert hits.shards.coverage == pytest.approx(1 - len(parts[1]) / len(DOCS))
    assert f"which had {len(parts[1])} of {len(DOCS)} documents:" in hits.certificate.statement
    some = searched(method)(sharded, where="year = 2003", subset=range(40))
    lost = sum(i in parts[1] for i in range(40))
    assert some.shards.coverage == pytest.approx(1 - lost / 40)
    assert f"which had {lost} of 40 documents of the subset:" in some.certificate.statement


@pytest.mark.parametrize("method", ["search", "range_search"])
@pytest.mark.parametrize("options", [{}, {"where": "year > 2004"}], ids=["all", "where"])
def test_a_shard_that_does_not_say_what_it_has_of_a_subset_has_what_no_other_has(method, options):
    sharded, _, _, parts = faulty(fail=["has"])
    hits = searched(method)(sharded, subset=range(50), **options)
    lost = sum(i in parts[1] for i in range(50))
    assert hits.shards.coverage == pytest.approx(1 - lost / 50)
    assert f"which had {lost} of 50 documents of the subset:" in hits.certificate.statement
    assert hits.shards.failed[0].n_documents == lost


def test_documents_in_two_shards_are_counted_once():
    part = lambda own: mr.Index.build([DOCS[i] for i in own], "wrd", ids=own)  # noqa: E731
    owned = [range(20), range(10, 20), range(20, 30)]
    for bad, method, lost in ((2, "has", 2), (2, "rerank", 2), (1, "rerank", 0), (0, "rerank", 10)):
        replicas = [Faulty(Shard(part(own)), str(s)) for s, own in enumerate(owned)]
        sharded = ShardedIndex([[one] for one in replicas], on_failure="partial")
        whole = sharded.rerank(DOCS[0], range(22), 30)
        assert str(whole.certificate) == "exact: all 22 given candidates were solved"
        assert whole.stats.documents == len(whole) == 22
        replicas[bad].fail = {method}
        hits = sharded.rerank(DOCS[0], range(22), 30)
        assert not hits.certificate.exact
        assert f"which had {lost} of 22 given candidates:" in hits.certificate.statement
        assert hits.shards.coverage == pytest.approx(1 - lost / 22)
        assert len(hits) == 22 - lost


def test_documents_that_are_lost_with_both_of_their_shards_are_counted_once():
    part = lambda own: mr.Index.build([DOCS[i] for i in own], "wrd", ids=own)  # noqa: E731
    replicas = [Faulty(Shard(part(own)), str(s)) for s, own in enumerate((range(20), range(10, 20), range(20, 30)))]
    sharded = ShardedIndex([[one] for one in replicas], on_failure="partial")
    replicas[0].fail = replicas[1].fail = {"rerank", "search"}
    for hits in (sharded.rerank(DOCS[0], range(22), 30), sharded.search(DOCS[0], 30, subset=range(22))):
        assert hits.shards.coverage == pytest.approx(2 / 22)
        assert "2 of 3 shards did not answer, which had 20 of 22" in hits.certificate.statement


def test_an_answer_of_no_shard_is_an_error():
    parts, _ = parts_of(2)
    shards = [[Faulty(Shard(part))] for part in parts]
    sharded = ShardedIndex(shards, on_failure="partial")
    for own in shards:
        own[0].fail = {"seed"}
    with pytest.raises(ShardFailedError, match=r"gone \(and 1 more\)"):
        sharded.search(DOCS[0], 3)


@pytest.mark.parametrize(
    "error", [ConnectionError("gone"), MemoryError(), IndexFormatError("damaged"), OSError("disk")]
)
def test_another_replica_answers_instead(error):
    sharded, broken, whole, _ = faulty(replicas=2, fail=["seed", "search"], on_failure="raise", error=error)
    retried = 0
    for _ in range(4):
        hits = sharded.search(DOCS[0], 10)
        same(hits, whole.search(DOCS[0], 10))
        retried += hits.shards.retried
    assert retried >= 1
    # It is asked last for a while, so that not every search waits for it.
    assert broken.calls.count("seed") <= 2


@pytest.mark.parametrize("error", [ValueError("mmap closed or invalid"), KeyError("part"), TypeError("None")])
@pytest.mark.parametrize("on_failure", ["raise", "partial"])
def test_a_replica_alone_does_not_decide_that_arguments_are_wrong(error, on_failure):
    sharded, broken, whole, _ = faulty(replicas=2, fail=["seed", "search"], on_failure=on_failure, error=error)
    for _ in range(4):
        same(sharded.search(DOCS[0], 10), whole.search(DOCS[0], 10))
    assert 1 <= broken.calls.count("seed") <= 2  # it is asked last for a while
    for _ in range(2):
        with pytest.raises(ValueError, match="where"):
            sharded.search(DOCS[0], 3, where="year >")


def test_a_wrong_argument_is_one_though_the_other_replica_is_gone():
    parts, _ = parts_of(1)
    sharded = ShardedIndex([[Faulty(Shard(parts[0])), LocalReplica(Shard(parts[0]), "good")]], on_failure="partial")
    sharded._shards.caller.shards[0][0].fail = {"seed"}
    for _ in range(2):
        with pytest.raises(ValueError, match="where"):
            sharded.search(DOCS[0], 3, where="year >")


def test_replicas_that_blame_arguments_in_different_ways_have_failed():
    parts, _ = parts_of(2)
    bad = [Faulty(Shard(parts[0]), error=error) for error in (ValueError("mmap closed"), KeyError("part"))]
    sharded = ShardedIndex([bad, [LocalReplica(Shard(parts[1]), "b")]], on_failure="partial")
    for one in bad:
        one.fail = {"seed", "search"}
    hits = sharded.search(DOCS[0], 3)
    assert hits.shards.answered == 1
    assert not hits.certificate.exact
    assert {"ValueError: mmap closed", "KeyError: 'part'"} == set(hits.shards.failed[0].reason.split("; "))


def test_one_that_fails_once_is_asked_once_more():
    sharded, broken, whole, _ = faulty(on_failure="raise")
    once = iter([True])

    def submit(method, *args, **options):
        if method == "seed" and next(once, False):
            raise ConnectionError("a moment")
        return Faulty.submit(broken, method, *args, **options)

    broken.submit = submit
    hits = sharded.search(DOCS[0], 10)
    same(hits, whole.search(DOCS[0], 10))
    assert hits.shards.retried == 1


def test_a_replica_that_has_not_begun_a_search_finishes_it():
    sharded, broken, whole, _ = faulty(replicas=2, fail=["search"], on_failure="raise")
    for _ in range(4):
        same(sharded.search(DOCS[4], 10), whole.search(DOCS[4], 10))
    assert "search" in broken.calls


def test_the_second_wave_goes_to_the_replica_that_has_the_seeds():
    parts, whole = parts_of(3)
    shards = [[Faulty(Shard(part)) for _ in range(2)] for part in parts]
    sharded = ShardedIndex(shards, hedge=None)
    for _ in range(6):
        same(sharded.search(DOCS[4], 10), whole.search(DOCS[4], 10))
    for replica in (one for own in shards for one in own):
        calls = [call for call in replica.calls if call in ("seed", "search")]
        assert calls == ["seed", "search"] * (len(calls) // 2)


def test_a_slow_replica_is_hedged():
    sharded, broken, whole, _ = faulty(replicas=2, on_failure="raise", hedge=90.0)
    for _ in range(30):
        sharded.search(DOCS[0], 3)
    broken.slow, broken.seconds = {"seed", "search"}, 5.0
    began = time.perf_counter()
    retried = 0
    for _ in range(4):
        hits = sharded.search(DOCS[0], 3)
        same(hits, whole.search(DOCS[0], 3))
        retried += hits.shards.retried
    assert retried >= 1
    assert time.perf_counter() - began < 5.0


def test_one_that_never_answers_is_not_waited_for_from_the_beginning():
    sharded, broken, whole, _ = faulty(replicas=2, on_failure="raise", hedge=95.0)
    broken.slow, broken.seconds = {"seed", "search"}, 30.0
    began = time.perf_counter()
    for _ in range(2):
        same(sharded.search(DOCS[0], 3), whole.search(DOCS[0], 3))
    assert time.perf_counter() - began < 10.0


def test_a_deadline_ends_a_search_with_what_there_is():
    sharded, broken, whole, parts = faulty(slow=["seed"], seconds=2.0)
    began = time.perf_counter()
    # One that is late in the first wave is in time for the second.
    same(sharded.search(DOCS[0], 3, timeout=0.6), whole.search(DOCS[0], 3))
    assert time.perf_counter() - began < 1.5
    broken.slow = {"seed", "search"}
    began = time.perf_counter()
    hits = sharded.search(DOCS[0], 3, timeout=0.3)
    assert time.perf_counter() - began < 1.5
    assert not hits.certificate.exact
    assert "no answer within" in hits.shards.failed[0].reason
    assert hits.certificate.unsolved >= len(parts[1])


def test_wrong_arguments_are_no_failure_of_a_shard():
    parts, _ = parts_of(2)
    sharded = ShardedIndex.of(parts, on_failure="partial")
    with pytest.raises(ValueError, match="where"):
        sharded.search(DOCS[0], 3, where="year >")
    with pytest.raises(mr.errors.DimensionError, match="query"):
        sharded.search(np.ones((2, 4)), 3)
    with pytest.raises(ValueError, match="slack"):
        sharded.search(DOCS[0], 3, slack=-1.0)
    for options, name in (({"k": 0}, "k"), ({"candidates": 1, "k": 5}, "candidates"), ({"timeout": -1.0}, "timeout")):
        with pytest.raises(ValueError, match=name):
            sharded.search(DOCS[0], **options)
    with pytest.raises(UnknownIdError, match="999"):
        sharded.search(DOCS[0], 3, subset=[1, 999])
    with pytest.raises(UnknownIdError, match="999"):
        sharded.rerank(DOCS[0], [999])
    with pytest.raises(DuplicateIdError, match="more than once"):
        sharded.rerank(DOCS[0], [1, 1])
    with pytest.raises(TypeError, match="Histograms"):
        sharded.search(mr.Histograms(np.eye(3)), 3)
    with pytest.raises(ValueError, match="at least one"):
        ShardedIndex([])
    with pytest.raises(ValueError, match="on_failure"):
        ShardedIndex.of(parts, on_failure="ignore")
    with pytest.raises(ValueError, match="hedge"):
        ShardedIndex([[LocalReplica(Shard(parts[0]), "a")]], hedge=100.0)


@pytest.mark.parametrize("ids", [["nope"], [1, None], [True], [1 << 63], [1.0], ["a", "a"]], ids=str)
def test_an_id_of_another_type_is_unknown_as_it_is_to_one_index(ids):
    parts, whole = parts_of(2)
    for index in (ShardedIndex.of(parts), whole):
        for call in (
            lambda index=index: index.search(DOCS[0], 3, subset=ids),
            lambda index=index: index.range_search(DOCS[0], 0.5, subset=ids),
            lambda index=index: index.rerank(DOCS[0], ids, 3),
            lambda index=index: index.remove(ids),
        ):
            with pytest.raises(UnknownIdError, match=r"(ids|subset): .*whose ids are integers of 64 bits"):
                call()
        assert len(index) == len(DOCS)


def test_calls_of_many_threads_do_not_mix():
    parts, whole = parts_of(3)
    sharded = ShardedIndex.of(parts)
    expected = [whole.search(doc, 4).ids.tolist() for doc in DOCS[:24]]
    wrong = []

    def ask(first):
        wrong.extend(q for q in range(first, 24, 4) if sharded.search(DOCS[q], 4).ids.tolist() != expected[q])

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_hits_of_others_stay_readable_when_a_shard_is_gone():
    sharded, broken, whole, parts = faulty(on_failure="partial")
    hits = sharded.search(DOCS[0], 20)
    broken.fail = {"documents"}
    lost = [int(id) in parts[1] for id in hits.ids]
    assert 0 < sum(lost) < 20
    for hit, expected, is_lost in zip(hits, whole.search(DOCS[0], 20), lost, strict=True):
        if is_lost:
            with pytest.raises(ShardFailedError, match="gone"):
                _ = hit.payload
        else:
            assert hit.payload == expected.payload


def test_a_batch_of_queries_of_each_kind():
    costs, content = np.abs(RNG.normal(size=(5, 5))), RNG.uniform(size=(8, 5)) + 1e-3
    of_bins = mr.Index.build(content, costs=costs)
    found = ShardedIndex.of([of_bins]).search_batch(content[:3], 2)
    assert [hits.ids.tolist() for hits in found] == [of_bins.search(one, 2).ids.tolist() for one in content[:3]]
    bags = mr.Bags(VECTORS, WORDS[:9])
    of_bags = mr.Index.build(bags, "wmd")
    found = ShardedIndex.of([of_bags]).search_batch(bags, 2)
    assert [hits.ids.tolist() for hits in found] == [hits.ids.tolist() for hits in of_bags.search_batch(bags, 2)]


def test_odd_times_and_cutoffs():
    parts, whole = parts_of(2)
    same(ShardedIndex.of(parts).search(DOCS[0], 3, timeout=1e10), whole.search(DOCS[0], 3))
    for cutoff in (-np.inf, -1e308):
        hits = whole.search(DOCS[0], 3, cutoff=cutoff)
        assert len(hits) == 0
        assert hits.certificate.exact


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_can_search():
    parts, whole = parts_of(2)
    sharded = ShardedIndex.of(parts)
    same(sharded.search(DOCS[0], 3), whole.search(DOCS[0], 3))
    expected = whole.search(DOCS[1], 3).ids.tolist()
    child = os.fork()
    if child == 0:
        os._exit(0 if sharded.search(DOCS[1], 3, timeout=30.0).ids.tolist() == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_candidate_in_a_shard_that_is_gone_is_counted():
    sharded, _broken, _, parts = faulty(fail=["has"])
    lost = [int(id) for id in parts[1].ids[:2]]
    kept = [int(id) for id in parts[0].ids[:3]]
    hits = sharded.rerank(DOCS[0], [*kept, *lost], 5)
    assert hits.shards.coverage == pytest.approx(3 / 5)
    assert hits.certificate.unsolved == 2
    assert not hits.certificate.exact


def test_a_shard_that_hangs_in_the_second_wave_takes_nothing_from_the_others():
    sharded, broken, _, _ = faulty(slow=["search"], seconds=3.0)
    hits = sharded.search(DOCS[0], 5, timeout=0.5)
    assert hits.shards.answered == 2
    assert len(hits) >= 1
    broken.slow = {"has"}
    subset = sharded.search(DOCS[0], 5, subset=range(100), timeout=0.5)
    assert subset.shards.answered == 2


def test_merging_counts_what_is_missing_even_if_it_was_empty():
    part = Shard(mr.Index.build(DOCS[:10], "wrd"))
    caller = Caller([[LocalReplica(part, "a")]], ["a"])
    found = caller.ask("describe", [()], Course.of(None)).answers[0]
    assert found.n_documents == 10
    merged = merge([Failure("b", "gone", 0)], 3)
    assert not merged.certificate.exact
    assert merged.certificate.unsolved == 0
    assert len(merged.ids) == 0


# ---- splitting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prefilter": "tokens"},
        {"dtype": "int4"},
        {"dtype": "int8", "rescore": True},
        {"pool": 2},
        {"measure": "wmd"},
    ],
    ids=str,
)
def test_an_index_is_split_into_shards_of_the_same_distances(tmp_path, options):
    _, whole = parts_of(1, **options)
    whole.remove(range(20, 40))
    whole.add(DOCS[20:30], range(500, 510))
    whole.save(tmp_path / "whole")
    folders = [tmp_path / name for name in "abc"]
    sizes = split(mr.Index.open(tmp_path / "whole"), folders)
    sharded = ShardedIndex.open(folders)
    assert sharded.sizes == sizes
    assert sum(sizes) == len(whole)
    for k in (1, 12, 300):
        same(sharded.search(DOCS[3], k), whole.search(DOCS[3], k))
    sharded.add(DOCS[:5], range(900, 905))
    whole.add(DOCS[:5], range(900, 905))
    same(sharded.search(DOCS[3], 12), whole.search(DOCS[3], 12))
    for folder in folders:
        mr.Index.open(folder).verify()


def test_bags_and_histograms_are_split_too(tmp_path):
    vectors = RNG.normal(size=(60, 5)).astype(np.float32)
    words = [RNG.integers(0, 60, size=RNG.integers(1, 9)) for _ in range(50)]
    of_bags = mr.Index.build(mr.Bags(vectors, words), "wmd", ids=[f"d{i}" for i in range(50)])
    content = RNG.uniform(size=(50, 12)) + 1e-3
    of_bins = mr.Index.build(content, costs=np.abs(RNG.normal(size=(12, 12))))
    for name, index, query in (("bags", of_bags, vectors[:4]), ("bins", of_bins, content[4])):
        folders = [tmp_path / f"{name}{s}" for s in range(3)]
        split(index, folders)
        same(ShardedIndex.open(folders).search(query, 9), index.search(query, 9))


def saved(tmp_path, owned, build):
    folders = [tmp_path / f"s{s}" for s in range(len(owned))]
    for folder, own in zip(folders, owned, strict=True):
        build(own).save(folder)
    return folders


VECTORS = RNG.normal(size=(60, 5)).astype(np.float32)
WORDS = [RNG.integers(0, 60, size=RNG.integers(1, 9)) for _ in range(90)]
CONTENT = RNG.uniform(size=(90, 12)) + 1e-3
COSTS = np.abs(RNG.normal(size=(12, 12)))
OF_TOKENS = lambda own, **options: mr.Index.build([DOCS[i] for i in own], "wrd", ids=own, **options)  # noqa: E731
KINDS = {
    "tokens": (lambda own: OF_TOKENS(own, payloads=[PAYLOADS[i] for i in own]), DOCS[7]),
    "cells": (lambda own: OF_TOKENS(own, prefilter="tokens"), DOCS[7]),
    "codes": (lambda own: OF_TOKENS(own, dtype="int8", rescore=True), DOCS[7]),
    "pooled": (lambda own: OF_TOKENS(own, pool=2), DOCS[7]),
    "words": (lambda own: mr.Index.build(mr.Bags(VECTORS, [WORDS[i] for i in own]), "wmd", ids=own), VECTORS[:4]),
    "bins": (lambda own: mr.Index.build(CONTENT[own], costs=COSTS, ids=own), CONTENT[4]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_documents_move_until_shards_are_even(tmp_path, kind):
    build, query = KINDS[kind]
    owned = [list(range(60)), list(range(60, 65)), list(range(65, 90))]
    whole = build(list(range(90)))
    folders = saved(tmp_path, owned, build)
    sharded = ShardedIndex.open(folders)
    steps = []
    sizes = rebalance(folders, progress=lambda *done: steps.append(done))
    assert sum(sizes) == 90
    assert max(sizes) - min(sizes) <= 6
    assert steps[-1][0] == steps[-1][1] == 60 - sizes[0]
    same(sharded.search(query, 12), whole.search(query, 12))  # in the state from before
    sharded.refresh()
    assert sharded.sizes == sizes
    for k in (1, 12, 90):
        same(sharded.search(query, k), whole.search(query, k))
    assert [hit.payload for hit in sharded.search(query, 9)] == [hit.payload for hit in whole.search(query, 9)]
    for folder in folders:
        mr.Index.open(folder).verify()
    assert rebalance(folders) == sizes  # nothing is left to do


def test_a_move_that_was_interrupted_is_finished(tmp_path, monkeypatch):
    build, query = KINDS["tokens"]
    whole = build(list(range(90)))
    folders = saved(tmp_path, [list(range(60)), list(range(60, 90))], build)
    monkeypatch.setattr("moverank.sharding.rebalancing.without", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rebalance(folders)
    monkeypatch.undo()
    sharded = ShardedIndex.open(folders)
    assert len(sharded) > 90  # some are in both
    for k in (1, 10, 60):
        found = sharded.search(query, k)
        np.testing.assert_array_equal(found.ids, whole.search(query, k).ids)
    assert sum(rebalance(folders)) == 90
    sharded.refresh()
    same(sharded.search(query, 10), whole.search(query, 10))


def test_moves_are_refused_where_they_would_lose_something(tmp_path):
    folders = saved(tmp_path, [list(range(60)), list(range(60, 90))], KINDS["tokens"][0])
    with mr.Index.open(folders[1], writable=True), pytest.raises(mr.errors.IndexLockedError):
        rebalance(folders)
    with pytest.raises(ValueError, match="at least one"):
        rebalance([])
    with pytest.raises(ValueError, match="tolerance"):
        rebalance(folders, tolerance=0)
    KINDS["pooled"][0](list(range(5))).save(tmp_path / "other")
    with pytest.raises(ShardMismatchError, match="pool"):
        rebalance([*folders, tmp_path / "other"])
    vectors = mr.encoders.WordVectors.default().encode(["a cat"]).sequences
    with mr.TextIndex.create(tmp_path / "texts", lexical=None, dtype="float16", prefilter=None) as texts:
        texts.add(["a cat"], ["cat"])
        measure = texts.measure
    mr.Index.build(vectors, measure, ids=["cat"], dtype="float16", prefilter=None).save(tmp_path / "vectors")
    with pytest.raises(ShardMismatchError, match=r"has encoder|one has texts"):
        rebalance([tmp_path / "texts", tmp_path / "vectors"])
    with mr.TextIndex.create(
        tmp_path / "other texts", lexical=None, dtype="float16", prefilter=None, store_texts=False
    ):
        pass
    with pytest.raises(ShardMismatchError, match="store_texts False"):
        rebalance([tmp_path / "texts", tmp_path / "other texts"])


def test_a_split_needs_empty_folders(tmp_path):
    _, whole = parts_of(1)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/file").touch()
    with pytest.raises(mr.errors.IndexExistsError):
        split(whole, [tmp_path / "a", tmp_path / "b"])
    assert not (tmp_path / "a").exists() or not any((tmp_path / "a").iterdir())
    with pytest.raises(ValueError, match="different"):
        split(whole, [tmp_path / "a", tmp_path / "a"])
    with pytest.raises(ValueError, match="at least one"):
        split(whole, [])
    mr.TextIndex.create(tmp_path / "texts").add(["a cat"])
    with pytest.raises(ValueError, match="TextIndex"):
        split(mr.Index.open(tmp_path / "texts"), [tmp_path / "c"])


def test_more_shards_than_documents(tmp_path):
    index = mr.Index.build(DOCS[:3], "wrd")
    folders = [tmp_path / f"{s}" for s in range(8)]
    assert sum(split(index, folders)) == 3
    sharded = ShardedIndex.open(folders)
    same(sharded.search(DOCS[1], 2), index.search(DOCS[1], 2))
    sharded.add(DOCS[3:20], range(3, 20))
    index.add(DOCS[3:20], range(3, 20))
    same(sharded.search(DOCS[9], 5), index.search(DOCS[9], 5))


# ---- one state of all ---------------------------------------------------------------------------------------------


def test_documents_of_one_id_in_two_shards_are_refused():
    parts = [mr.Index.build(docs, "wrd") for docs in (DOCS[:30], DOCS[30:60])]  # ids 0 to 29 twice
    sharded = ShardedIndex.of(parts)
    with pytest.raises(ShardMismatchError, match="each document needs an id of its own"):
        sharded.search(DOCS[0], 60)
    with pytest.raises(ShardMismatchError, match="two shards have a document of the id 3"):
        sharded.upsert([DOCS[0]], [3])
    with pytest.raises(ShardMismatchError, match="id 3"):
        sharded.remove([3])


@given(st.integers(1, 12), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_of_two_documents_of_one_id_the_nearer_counts_or_the_search_is_refused(k, both, seed):
    rng = np.random.default_rng(seed)
    owned = [list(range(20)), list(range(20 - both, 40))]
    docs = [[rng.normal(size=(2, 3)) for _ in own] for own in owned]
    parts = [mr.Index.build(one, "wmd", ids=own) for one, own in zip(docs, owned, strict=True)]
    query = rng.normal(size=(2, 3))
    nearest = {}
    for own, one in zip(owned, docs, strict=True):
        for id, distance in zip(own, mr.distances(query, one, "wmd"), strict=True):
            nearest[id] = min(distance, nearest.get(id, np.inf))
    expected = sorted(nearest, key=lambda id: (nearest[id], id))[:k]
    try:
        hits = ShardedIndex.of(parts).search(query, k)
    except ShardMismatchError:
        assert both > 0
    else:
        assert hits.ids.tolist() == expected
        assert hits.certificate.exact
        assert hits.stats.documents == 40 + both


def test_a_far_document_of_the_same_id_is_not_met():
    parts = [mr.Index.build(docs, "wmd") for docs in (DOCS[:10], [DOCS[0] + 50, *DOCS[10:19]])]
    hits = ShardedIndex.of(parts).search(DOCS[0], 2)
    assert hits.ids[0] == 0
    assert hits.distances[0] == pytest.approx(0.0, abs=1e-3)
    assert "of 20 documents" in str(hits.certificate) or "all 20 documents" in str(hits.certificate)


def test_changes_see_what_another_process_has_moved(tmp_path):
    build, _query = KINDS["tokens"]
    folders = saved(tmp_path, [list(range(60)), list(range(60, 90))], build)
    sharded = ShardedIndex.open(folders)
    rebalance(folders)
    moved = next(i for i in range(60) if i in mr.Index.open(folders[1]))
    with pytest.raises(DuplicateIdError):
        sharded.add([DOCS[100]], [moved])
    sharded.upsert([DOCS[100]], [moved], payloads=[{"new": True}])
    again = ShardedIndex.open(folders)
    assert len(again) == len(sharded) == 90
    assert again.search(DOCS[100], 1)[0].payload == {"new": True}


def test_a_replica_that_was_started_anew_does_not_mix_states(tmp_path):
    build, query = KINDS["tokens"]
    whole = build(list(range(90)))
    folders = saved(tmp_path, [list(range(60)), list(range(60, 90))], build)
    shards = [Shard(folder) for folder in folders]
    replicas = [Faulty(shard) for shard in shards]
    sharded = ShardedIndex([[one] for one in replicas], folders=folders)
    rebalance(folders)
    replicas[0]._shard = Shard(folders[0])  # reads the state after the move, the other one that before it
    same(sharded.search(query, 20), whole.search(query, 20))
    replicas[1]._shard = Shard(folders[1])
    same(sharded.range_search(query, 0.8), whole.range_search(query, 0.8))
    same(sharded.rerank(query, range(90), 90), whole.rerank(query, range(90), 90))


def test_seeds_of_another_state_give_no_cutoff(tmp_path):
    build, query = KINDS["tokens"]
    folders = saved(tmp_path, [list(range(60)), list(range(60, 90))], build)
    old = build(list(range(90)))
    new = build(list(range(90)))
    new.add([query] * 10, range(500, 510))
    replicas = [[Faulty(Shard(folders[0])), Faulty(Shard(folders[0]))], [Faulty(Shard(folders[1]))]]
    sharded = ShardedIndex(replicas, folders=folders, hedge=None)
    with mr.Index.open(folders[0], writable=True) as writer:
        writer.add([query] * 10, range(500, 510))
    # One replica is started anew, solves its ten new documents as seeds, and fails. The other one does not have them.
    replicas[0][1]._shard = Shard(folders[0])
    replicas[0][1].fail = {"search"}
    expected = {tuple(index.search(query, 5).ids.tolist()) for index in (old, new)}
    found = []
    for _ in range(4):
        hits = sharded.search(query, 5)
        assert hits.certificate.exact
        found.append(tuple(hits.ids.tolist()))
    assert set(found) <= expected
    assert found[-1] == tuple(new.search(query, 5).ids.tolist())


@pytest.mark.parametrize("method", ["rerank", "search"])
def test_who_has_a_document_is_asked_in_the_state_that_is_searched(tmp_path, method):
    build, query = KINDS["tokens"]
    whole = build(list(range(90)))
    folders = saved(tmp_path, [list(range(60)), list(range(60, 90))], build)
    replicas = [Faulty(Shard(folder)) for folder in folders]
    sharded = ShardedIndex([[one] for one in replicas], folders=folders)
    rebalance(folders)
    replicas[0]._shard = Shard(folders[0])  # no longer has what was moved to the other, which does not know that yet
    found, expected = (
        index.rerank(query, range(90), 9) if method == "rerank" else index.search(query, 9, subset=range(90))
        for index in (sharded, whole)
    )
    same(found, expected)


def test_searches_while_documents_move(tmp_path):
    build, query = KINDS["tokens"]
    whole = build(list(range(90)))
    folders = saved(tmp_path, [list(range(85)), list(range(85, 88)), [88, 89]], build)
    expected = whole.search(query, 90).ids.tolist()
    wrong, done = [], threading.Event()

    def ask():
        sharded = ShardedIndex.open(folders)
        while not done.is_set():
            hits = sharded.search(query, 90)
            if hits.ids.tolist() != expected:
                wrong.append(hits)
            sharded.refresh()

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    rebalance(folders, tolerance=0.01)
    done.set()
    for thread in asking:
        thread.join()
    assert wrong == []


def test_a_move_is_not_finished_over_a_change(tmp_path, monkeypatch):
    build, _ = KINDS["tokens"]
    folders = saved(tmp_path, [list(range(60)), list(range(60, 90))], build)
    monkeypatch.setattr("moverank.sharding.rebalancing.without", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rebalance(folders)
    monkeypatch.undo()
    both = next(i for i in range(60) if i in mr.Index.open(folders[1]))
    with mr.Index.open(folders[1], writable=True) as writer:
        writer.upsert([DOCS[120]], [both])
    with pytest.raises(ShardMismatchError, match=f"id {both}"):
        rebalance(folders)
    with mr.Index.open(folders[0], writable=True) as writer:
        writer.remove([both])
    assert sum(rebalance(folders)) == 90


@pytest.mark.parametrize(
    ("docs", "payloads", "error"),
    [
        ([DOCS[0]] * 5 + [np.zeros((2, 6))], None, ValueError),
        ([DOCS[0]] * 5 + [np.full((1, 6), np.nan)], None, ValueError),
        ([DOCS[0]] * 6, [None] * 5 + [{1, 2}], TypeError),
        ([DOCS[0]] * 6, [None] * 5 + [float("nan")], ValueError),
    ],
    ids=["no mass", "nan", "payload", "payload of nan"],
)
def test_bad_documents_change_no_shard(docs, payloads, error):
    parts, _ = parts_of(3)
    sharded = ShardedIndex.of(parts)
    for change in (sharded.add, sharded.upsert):
        with pytest.raises(error):
            change(docs, range(5000, 5006), payloads=payloads)
        assert sum(map(len, parts)) == len(DOCS)


# ---- changes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_folders", [False, True])
def test_changes_go_to_the_shard_of_the_id(tmp_path, in_folders):
    parts, whole = parts_of(3)
    if in_folders:
        folders = [tmp_path / f"s{s}" for s in range(3)]
        for part, folder in zip(parts, folders, strict=True):
            part.save(folder)
        sharded = ShardedIndex.open(folders)
    else:
        sharded = ShardedIndex.of(parts)
    more = [RNG.normal(size=(3, 6)) for _ in range(12)]
    for index in (sharded, whole):
        index.add(more[:8], range(1000, 1008), payloads=[{"year": 1900}] * 8)
        index.upsert(more[6:], [1001, 3, *range(2000, 2004)], payloads=[{"year": 1800}] * 6)
        index.remove([5, 1002])
    assert len(sharded) == len(whole)
    assert 1001 in sharded
    assert 5 not in sharded
    assert "5" not in sharded
    for query in (more[6], DOCS[5], RNG.normal(size=(2, 6))):
        same(sharded.search(query, 20), whole.search(query, 20))
        same(sharded.search(query, 20, where="year < 1950"), whole.search(query, 20, where="year < 1950"))
    with pytest.raises(DuplicateIdError, match="1001"):
        sharded.add(more[:2], [1001, 5000])
    assert 5000 not in sharded
    with pytest.raises(DuplicateIdError, match="more than once"):
        sharded.upsert(more[:2], [1, 1])
    with pytest.raises(UnknownIdError, match="5000"):
        sharded.remove([7, 5000])
    assert 7 in sharded
    with pytest.raises(ValueError, match="ids: expected 2"):
        sharded.add(more[:2], [1])
    with pytest.raises(ValueError, match="payloads: expected 2"):
        sharded.add(more[:2], [6000, 6001], payloads=[None])
    with pytest.raises(TypeError, match="ids"):
        sharded.add(more[:1], ["a"])


def test_a_change_that_fails_says_what_was_changed(tmp_path):
    sharded, broken, *_ = faulty(fail=["change"], on_failure="raise")
    ids = [next(i for i in range(7000, 9000) if shard_of(i, 3) == s) for s in range(3)]
    with pytest.raises(ShardFailedError, match="s1: ConnectionError: gone; changed: s0"):
        sharded.add([np.ones((1, 6))] * 3, ids)
    broken.fail = set()
    sharded.upsert([np.ones((1, 6))] * 3, ids)
    assert all(id in sharded for id in ids)


def test_other_processes_changes_are_seen_after_refresh(tmp_path):
    parts, _ = parts_of(2)
    folders = [tmp_path / "a", tmp_path / "b"]
    for part, folder in zip(parts, folders, strict=True):
        part.save(folder)
    sharded = ShardedIndex.open(folders)
    with mr.Index.open(folders[1], writable=True) as writer:
        writer.add([np.ones((1, 6))], [9999])
    assert 9999 not in sharded
    sharded.refresh()
    assert sharded.search(np.ones((1, 6)), 1).ids.tolist() == [9999]
    assert len(sharded) == len(DOCS) + 1


def test_ids_are_routed_alike_everywhere():
    # Written down, because another process, and a later version, has to find what was put there.
    assert [shard_of(id, 7) for id in (0, -5, "a", "ä", "\ud800")] == [1, 5, 4, 3, 4]
    assert shard_of(12, 1000) == shard_of("12", 1000)
    counts = np.bincount([shard_of(i, 8) for i in range(8000)])
    assert counts.min() > 850
