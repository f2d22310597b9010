"""Several indexes of texts that are searched as one: the answers of one index, failures, and changes."""

import json
import pickle
import threading
import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test_sharding import Faulty

pytest.importorskip("tantivy")

import moverank as mr
from moverank.data import demo_documents, demo_queries
from moverank.errors import (
    DimensionError,
    DuplicateIdError,
    NoTokensError,
    ShardFailedError,
    ShardMismatchError,
    UnknownFieldError,
    UnknownIdError,
)
from moverank.ranking import Passages, ReciprocalRanks
from moverank.sharding import ShardedTextIndex, TextShard, rebalance, split
from moverank.sharding.local import LocalReplica
from moverank.sharding.routing import shard_of

DOCUMENTS = demo_documents()[:120]
IDS = [d.id for d in DOCUMENTS]
TEXTS = [f"{d.title}. {d.text}" for d in DOCUMENTS]
PAYLOADS = [{"year": 2000 + n % 20, **({"rare": True} if n == 7 else {})} for n in range(len(DOCUMENTS))]
QUERIES = [q.text for q in demo_queries()]


def one_index(ids=IDS, **options):
    index = mr.TextIndex.create(**options)
    index.add(TEXTS[: len(ids)], ids, payloads=PAYLOADS[: len(ids)])
    return index


def parts_of(whole, count, folder):
    folders = [folder / f"{s}" for s in range(count)]
    split(whole, folders)
    return folders


@pytest.fixture(scope="module")
def whole():
    return one_index()


@pytest.fixture
def folders(whole, tmp_path):
    return parts_of(whole, 3, tmp_path)


def same(found, expected):
    assert found.ids == expected.ids
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.payload, one.passage) == (other.text, other.payload, other.passage)
        assert one.distance == other.distance
        assert one.similarity == other.similarity
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.lexical == (None if other.lexical is None else pytest.approx(other.lexical, rel=1e-5))
    assert found.certificate.exact == expected.certificate.exact
    assert (found.comparable, found.dropped, found.left_out) == (
        expected.comparable,
        expected.dropped,
        expected.left_out,
    )
    assert found.shards.failed == ()


KINDS = {
    "bags": {},
    "without terms": {"lexical": None},
    "tokens": {"dtype": "float16"},
    "passages": {"passages": Passages(40, overlap=10)},
    "another measure": {"measure": "maxsim", "lexical": "words"},
    "without texts": {"store_texts": False},
    "numbers": {"ids": list(range(1000, 1000 + len(IDS)))},
}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_shards_answer_as_one_index_does(kind, count, tmp_path):
    whole = one_index(**KINDS[kind])
    sharded = ShardedTextIndex.open(parts_of(whole, count, tmp_path))
    ids = KINDS[kind].get("ids", IDS)
    assert len(sharded) == len(whole)
    assert (sharded.measure, sharded.passages, sharded.lexical, sharded.stores_texts, sharded.fusion) == (
        whole.measure, whole.passages, whole.lexical, whole.stores_texts, whole.fusion,
    )  # fmt: skip
    # Without texts, shards count those of other shards in the weights of terms until they are compacted.
    also = {"fusion": 1.0} if kind == "without texts" else {}
    for query in QUERIES[:4]:
        for options in ({}, {"fusion": 1.0}, {"where": "year >= 2010"}, {"min_similarity": 0.4}):
            chosen = {**options, **also, "candidates": None}
            same(sharded.search(query, 7, **chosen), whole.search(query, 7, **chosen))
        same(sharded.rerank(query, ids[10:60], 9, **also), whole.rerank(query, ids[10:60], 9, **also))
        scores = np.linspace(0, 1, 50)
        same(sharded.rerank(query, ids[10:60], scores=scores), whole.rerank(query, ids[10:60], scores=scores))
        vectors = whole.encoder.encode([query]).sequences
        same(sharded.search_vectors(vectors, 5, candidates=None), whole.search_vectors(vectors, 5, candidates=None))
    if whole.lexical is not None and not also:
        same(sharded.search("zzzz unheard", 5), whole.search("zzzz unheard", 5))
        ranks = ReciprocalRanks()
        same(
            sharded.search(QUERIES[0], 5, candidates=None, fusion=ranks),
            whole.search(QUERIES[0], 5, candidates=None, fusion=ranks),
        )
    for id in ids[:5]:
        assert (sharded.text(id), sharded.payload(id), id in sharded) == (whole.text(id), whole.payload(id), True)


@given(st.sets(st.integers(0, 119), max_size=60), st.integers(1, 12), st.integers(0, 7))
@settings(max_examples=12)  # each of which makes four indexes
def test_removed_texts_are_missing_from_all_shards(tmp_path_factory, gone, k, q):
    left = one_index()
    sharded = ShardedTextIndex.open(parts_of(left, 3, tmp_path_factory.mktemp("shards")))
    if gone:
        left.remove([IDS[n] for n in gone])
        sharded.remove([IDS[n] for n in gone])
    # Weights of terms count removed texts until they are compacted, in one index as in shards.
    same(sharded.search(QUERIES[q], k, candidates=None), left.search(QUERIES[q], k, candidates=None))


def test_candidates_are_the_best_by_terms_of_all_shards(folders, whole):
    sharded = ShardedTextIndex.open(folders)
    for query in QUERIES:
        found = sharded.search(query, 5, candidates=10)
        assert not found.certificate.exact
        assert found.ids[0] == whole.search(query, 5, candidates=10).ids[0]
        by_terms = sharded.search(query, 5, candidates=10, fusion=0.0)
        assert by_terms.ids == whole.search(query, 5, candidates=10, fusion=0.0).ids


def test_a_batch_is_its_searches_and_stops_at_ctrl_c(folders, whole):
    sharded = ShardedTextIndex.open(folders)
    told = []
    found = sharded.search_batch(QUERIES, 3, candidates=None, progress=lambda *counts: told.append(counts))
    for query, hits in zip(QUERIES, found, strict=True):
        same(hits, whole.search(query, 3, candidates=None))
    assert told == [(n + 1, len(QUERIES)) for n in range(len(QUERIES))]
    with pytest.raises(TypeError, match="unexpected"):
        sharded.search_batch(QUERIES, 3, unexpected=1)


@pytest.mark.parametrize("kind", ["texts", "vectors"])
def test_a_batch_that_is_interrupted_does_not_wait_for_its_searches(folders, whole, kind):
    shard = TextShard(folders[1])
    hangs = Faulty(shard, "s1")
    replicas = [[LocalReplica(TextShard(folders[0]), "s0")], [hangs], [LocalReplica(TextShard(folders[2]), "s2")]]
    if kind == "texts":
        sharded = ShardedTextIndex(replicas, hedge=None)
        search = partial(sharded.search_batch, QUERIES * 4, 3)
    else:
        sharded = mr.sharding.ShardedIndex(replicas, hedge=None)
        search = partial(sharded.search_batch, whole.encoder.encode(QUERIES * 4).sequences, 3)
    hangs.slow, hangs.seconds = {"seed", "statistics"}, 5.0
    began = time.perf_counter()
    main = threading.main_thread().ident
    threading.Timer(0.5, lambda: __import__("signal").pthread_kill(main, 2)).start()
    with pytest.raises(KeyboardInterrupt):
        search()
    assert time.perf_counter() - began < 3.0


def test_explanations_and_copies(folders, whole):
    with ShardedTextIndex.open(folders) as sharded:
        hits = sharded.search(QUERIES[0], 4)
        expected = whole.search(QUERIES[0], 4)
        for one, other in zip(hits, expected, strict=True):
            mine, theirs = one.explain(), other.explain()
            assert mine.value == pytest.approx(theirs.value)
            assert mine.source_tokens == theirs.source_tokens
            assert mine.target_tokens == theirs.target_tokens
            np.testing.assert_allclose(mine.plan, theirs.plan)
        copy = pickle.loads(pickle.dumps(hits))
    assert copy[0].explain().value == pytest.approx(expected[0].explain().value)
    told = json.loads(json.dumps(hits.to_dict()))
    assert told["shards"]["answered"] == 3
    assert "3 of 3" not in str(hits)


def test_shards_that_differ_are_refused(whole, tmp_path):
    other = {
        "lexical": one_index(lexical="words"),
        "passages": one_index(passages=Passages(30, overlap=5)),
        "measure": one_index(measure="maxsim"),
    }
    for name, index in other.items():
        with pytest.raises(ShardMismatchError, match=name):
            ShardedTextIndex.of([whole, index])
    with pytest.raises(TypeError, match="expected TextIndex, got Index"):
        ShardedTextIndex.of([whole.index])
    with pytest.raises(ValueError, match="at least one"):
        ShardedTextIndex.of([])


def test_the_fusion_of_the_shards_is_used(tmp_path):
    whole = one_index()
    whole._changes.set(fusion=0.8)
    sharded = ShardedTextIndex.open(parts_of(whole, 2, tmp_path))
    assert sharded.fusion.weight == 0.8
    same(sharded.search(QUERIES[1], 5, candidates=None), whole.search(QUERIES[1], 5, candidates=None))


# ---- failures ----------------------------------------------------------------------------------------------------

METHODS = ["statistics", "by_terms", "seed", "search", "rerank", "term_scores", "contents"]


def faulty(folders, on_failure="partial", **options):
    """Shards of which the second fails or is slow."""
    broken = Faulty(TextShard(folders[1]), "s1")
    replicas = [[LocalReplica(TextShard(folders[0]), "s0")], [broken], [LocalReplica(TextShard(folders[2]), "s2")]]
    sharded = ShardedTextIndex(replicas, on_failure=on_failure, hedge=None)
    broken.__dict__.update({name: set(value) if name in ("fail", "slow") else value for name, value in options.items()})
    return sharded, broken


@pytest.mark.parametrize("method", METHODS)
def test_without_a_shard_the_answer_is_that_of_the_others(folders, method):
    sharded, _ = faulty(folders, fail=[method])
    rest = ShardedTextIndex.open([folders[0], folders[2]])
    found = sharded.search(QUERIES[0], 8, candidates=15)
    expected = rest.search(QUERIES[0], 8, candidates=15)
    if found.shards.failed:
        assert found.ids == expected.ids
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected])
        assert all(hit.text for hit in found)
        assert (found.shards.answered, found.shards.total) == (2, 3)
        assert found.shards.coverage == pytest.approx(
            1 - rest._shards.sizes[0] * 0 - len(mr.TextIndex.open(folders[1])) / 120
        )
        assert "1 of 3 shards did not answer" in found.certificate.statement
        assert "nothing is known of these" in found.certificate.statement
        assert (found.certificate.exact, found.certificate.certain) == (False, 0)
        assert "gone" in str(found)
    else:
        # Not asked: no candidate of that shard was proposed by terms alone, or by tokens alone.
        assert method in ("rerank", "term_scores")
    with pytest.raises(ShardFailedError, match="s1: ConnectionError: gone"):
        faulty(folders, "raise", fail=METHODS)[0].search(QUERIES[0], 8)


def test_without_any_shard_there_is_no_answer(folders):
    broken = [Faulty(TextShard(folder), f"s{s}") for s, folder in enumerate(folders)]
    sharded = ShardedTextIndex([[own] for own in broken], on_failure="partial")
    for own in broken:
        own.fail = {"search", "seed", "statistics"}
    with pytest.raises(ShardFailedError, match="gone"):
        sharded.search(QUERIES[0])
    with pytest.raises(ShardFailedError, match="gone"):
        sharded.search(QUERIES[0], fusion=1.0)


def test_given_documents_of_a_missing_shard_are_missing(folders, whole):
    sharded, _ = faulty(folders, fail=["has"])
    there = [id for id in IDS[:30] if shard_of(id, 3) != 1]
    found = sharded.rerank(QUERIES[0], IDS[:30])
    assert sorted(found.ids) == sorted(there)
    assert not found.certificate.exact
    assert "1 of 3 shards did not answer" in found.certificate.statement
    with pytest.raises(ShardFailedError, match="gone"):
        faulty(folders, "raise", fail=["has"])[0].rerank(QUERIES[0], IDS[:30])


def test_searches_go_on_in_the_state_in_which_they_began(folders, whole):
    sharded = ShardedTextIndex.open(folders)
    expected = whole.search(QUERIES[0], 5, candidates=None)
    refreshed = []
    refresh = sharded._shards.refresh
    sharded._shards.refresh = lambda *args: (refreshed.append(args), refresh(*args))
    for turn in range(4):
        with mr.TextIndex.open(folders[1], writable=True) as index:
            index.upsert([f"{QUERIES[0]} {turn}"], ["new"])
        sharded._shards.caller.tell("refresh")  # each replica has later states, which this search does not know of
        same(sharded.search(QUERIES[0], 5, candidates=None), expected)
    assert not refreshed
    refresh()
    assert sharded.search(QUERIES[0], 1, candidates=None).ids == ["new"]


@pytest.mark.parametrize("method", METHODS)
def test_a_slow_shard_does_not_delay_a_search_beyond_its_deadline(folders, method):
    sharded, _ = faulty(folders, slow=[method], seconds=4.0)
    began = time.perf_counter()
    found = sharded.search(QUERIES[0], 8, candidates=15, timeout=0.7)
    assert time.perf_counter() - began < 2.5
    assert len(found) > 0
    if found.shards.failed:
        assert not found.certificate.exact
        assert "did not answer" in found.certificate.statement


def test_another_replica_answers_instead(folders, whole):
    bad = Faulty(TextShard(folders[1]), "bad")
    good = LocalReplica(TextShard(folders[1]), "good")
    replicas = [[LocalReplica(TextShard(folders[0]), "s0")], [bad, good], [LocalReplica(TextShard(folders[2]), "s2")]]
    sharded = ShardedTextIndex(replicas)
    bad.fail = set(METHODS) | {"refresh"}
    found = sharded.search(QUERIES[0], 5, candidates=None)
    same(found, whole.search(QUERIES[0], 5, candidates=None))
    assert found.shards.retried > 0
    sharded.refresh()  # what cannot be reached has another that can


def test_a_shard_that_was_started_anew_is_loaded(folders):
    shards = [TextShard(folder) for folder in folders]
    sharded = ShardedTextIndex([[LocalReplica(shard, f"s{s}")] for s, shard in enumerate(shards)])
    for turn in range(5):
        with mr.TextIndex.open(folders[turn % 3], writable=True) as writer:
            writer.add([f"zebrafish embryos number {turn}"], [f"new{turn}"])
        # As an actor that was started anew: it has the latest state alone.
        started = TextShard(folders[turn % 3])
        sharded._shards.caller.shards[turn % 3][0] = LocalReplica(started, f"s{turn % 3}")
        assert f"new{turn}" in sharded.search(f"zebrafish embryos number {turn}", 3, candidates=None).ids


# ---- changes -----------------------------------------------------------------------------------------------------


def test_changes_go_to_the_shard_of_the_id(folders, whole):
    left = one_index()
    sharded = ShardedTextIndex.open(folders)
    new = {f"n{n}": f"Penguins number {n} swim in cold water." for n in range(20)}
    payloads = [{"year": n} for n in range(20)]
    added = sharded.add(new.values(), new.keys(), payloads=payloads)
    left.add(list(new.values()), list(new), payloads=payloads)
    assert added.ids == list(new)
    for id in new:
        assert id in mr.TextIndex.open(folders[shard_of(id, 3)])
    same(sharded.search("penguins in water", 8, candidates=None), left.search("penguins in water", 8, candidates=None))
    with pytest.raises(DuplicateIdError, match="already in a shard"):
        sharded.add(["again"], ["n3"])
    changed = {IDS[0]: "Rivers flood fields.", "n3": "Rivers freeze in winter."}
    assert sharded.upsert(changed.values(), list(changed)).ids == list(changed)
    left.upsert(list(changed.values()), list(changed))
    assert (sharded.text("n3"), sharded.payload("n3")) == ("Rivers freeze in winter.", None)
    sharded.remove(["n4", IDS[5]])
    left.remove(["n4", IDS[5]])
    assert "n4" not in sharded
    assert len(sharded) == len(left)
    same(sharded.search("rivers in winter", 8, candidates=None), left.search("rivers in winter", 8, candidates=None))
    again = ShardedTextIndex.open(folders)
    same(again.search("rivers in winter", 8, candidates=None), left.search("rivers in winter", 8, candidates=None))


def test_bad_texts_change_no_shard(folders):
    sharded = ShardedTextIndex.open(folders)
    before = sharded.sizes
    for error, message, texts, ids, options in (
        (NoTokensError, "texts: text 1", ["a cat", "qqqqqq"], ["x", "y"], {}),
        (DuplicateIdError, "x", ["a cat", "a dog"], ["x", "x"], {}),
        (ValueError, "ids: expected 2", ["a cat", "a dog"], ["x"], {}),
        (ValueError, "payloads: expected 2", ["a cat", "a dog"], ["x", "y"], {"payloads": [1]}),
        (TypeError, "ids: expected str", ["a cat"], [3], {}),
        (TypeError, "text", ["a cat", 5], ["x", "y"], {}),
        (ValueError, "unknown", ["a cat"], ["x"], {"unknown": "ignore"}),
    ):
        with pytest.raises(error, match=message):
            sharded.add(texts, ids, **options)
        assert sharded.sizes == before
    added = sharded.add(["a cat", "qqqqqq"], ["x", "y"], unknown="skip")
    assert (added.ids, added.skipped) == (["x"], ["y"])
    with pytest.raises(UnknownIdError, match="nobody"):
        sharded.remove(["x", "nobody"])
    assert "x" in sharded


def test_empty_shards_get_the_first_texts(tmp_path):
    empty = mr.TextIndex.create()
    sharded = ShardedTextIndex.open(parts_of(empty, 2, tmp_path))
    assert (len(sharded), sharded.search("a cat").ids, 5 in sharded) == (0, [], False)
    sharded.add(["a cat sat", "a dog ran", "a bird flew"], [1, 2, 3])
    assert sharded.search("the cat", 1).ids == [1]
    assert 2 in sharded
    assert "2" not in sharded
    with pytest.raises(UnknownIdError):
        sharded.text("2")


def test_one_of_two_shards_that_has_no_texts(tmp_path):
    whole = one_index()
    one = mr.TextIndex.create(tmp_path / "empty")
    one.close()
    split(whole, [tmp_path / "full"])
    sharded = ShardedTextIndex.open([tmp_path / "empty", tmp_path / "full"])
    same(sharded.search(QUERIES[0], 5, candidates=None), whole.search(QUERIES[0], 5, candidates=None))
    assert sharded.text(IDS[0]) == TEXTS[0]


# ---- arguments ---------------------------------------------------------------------------------------------------


def test_wrong_arguments_are_named(folders):
    sharded = ShardedTextIndex.open(folders)
    for error, message, call in (
        (TypeError, "query", lambda: sharded.search(5)),
        (ValueError, "k", lambda: sharded.search("cat", 0)),
        (ValueError, "candidates", lambda: sharded.search("cat", candidates=0)),
        (ValueError, "timeout", lambda: sharded.search("cat", timeout=-1)),
        (ValueError, "fusion", lambda: sharded.search("cat", fusion=2.0)),
        (ValueError, "min_probability", lambda: sharded.search("cat", min_probability=0.5)),
        (UnknownFieldError, "nofield", lambda: sharded.search("cat", where="nofield > 3")),
        (UnknownIdError, "nobody", lambda: sharded.rerank("cat", ["nobody"])),
        (ValueError, "at least one", lambda: sharded.rerank("cat", [])),
        (DuplicateIdError, "more than once", lambda: sharded.rerank("cat", [IDS[0], IDS[0]])),
        (ValueError, "scores", lambda: sharded.rerank("cat", IDS[:3], scores=[1, 2])),
        (DimensionError, "vectors", lambda: sharded.search_vectors(np.ones((2, 3)))),
        (TypeError, "folders", lambda: ShardedTextIndex.open(5)),
        (TypeError, "index", lambda: split(5, ["a"])),
        (TypeError, "folders", lambda: split(mr.TextIndex.create(lexical=None), 5)),
        (TypeError, "expected Index, got TextIndex", lambda: mr.sharding.ShardedIndex.of([mr.TextIndex.create()])),
    ):
        with pytest.raises(error, match=message):
            call()
    # A field that only some shards know is null in the others.
    found = sharded.search(QUERIES[0], 5, where="rare", candidates=None)
    assert found.ids == [IDS[7]]
    sharded.close()
    with pytest.raises(mr.errors.IndexClosedError):
        sharded.search("cat")


# ---- what was found by attacking it ------------------------------------------------------------------------------


def two(tmp_path, **options):
    """Two indexes in folders, with two texts each."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, texts in zip(
        folders, (["A cat sleeps.", "A dog runs."], ["The river floods.", "Stocks fell."]), strict=True
    ):
        with mr.TextIndex.create(folder, **options) as index:
            index.add(texts, [f"{folder.name}{n}" for n in range(2)])
    return folders


def test_each_state_has_a_name_of_its_own(tmp_path):
    folders = two(tmp_path)
    names = set()
    for turn in range(4):
        with mr.TextIndex.open(folders[0], writable=True) as index:
            index.upsert([f"A cat sleeps {turn}."], ["a0"])
            index.compact()
            names.add(index.index._snapshot.name)
        assert mr.TextIndex.open(folders[0]).index._snapshot.name in names
    assert len(names) == 4
    in_memory = one_index()
    before = in_memory.index._snapshot.name
    assert pickle.loads(pickle.dumps(in_memory)).index._snapshot.name == before
    in_memory.upsert(["A cat."], [IDS[0]])
    assert in_memory.index._snapshot.name != before


def test_an_answer_is_of_one_state_however_others_change_and_load_it(tmp_path):
    folders = two(tmp_path)
    texts = {"a0": ["A cat sleeps.", "Stocks fell on tuesday."]}
    sharded = ShardedTextIndex.open(folders)
    over, mixed, found = threading.Event(), [], []

    def change():
        for turn in range(30):
            with mr.TextIndex.open(folders[0], writable=True) as index:
                index.upsert([texts["a0"][(turn + 1) % 2]], ["a0"])
            sharded.refresh()
        over.set()

    def search():
        while not over.is_set():
            for hit in sharded.search("a cat sleeps", 4, candidates=None):
                if hit.id == "a0":
                    found.append(hit.text)
                    mixed.extend([hit] if (hit.similarity > 0.9) != (hit.text == texts["a0"][0]) else [])

    others = [threading.Thread(target=search) for _ in range(3)]
    for thread in others:
        thread.start()
    change()
    for thread in others:
        thread.join()
    assert found
    assert not mixed


def test_hits_stay_what_they_were_when_they_were_found(tmp_path):
    folders = two(tmp_path)
    sharded = ShardedTextIndex.open(folders)
    hits = sharded.search("a cat sleeps", 1)
    sharded.upsert(["Stocks fell on tuesday."], ["a0"])
    assert (hits[0].text, hits[0].explain().value) == ("A cat sleeps.", pytest.approx(hits[0].distance, abs=1e-6))
    older = sharded.search("stocks", 1)
    sharded.remove(["a0"])
    assert older[0].explain().value == pytest.approx(older[0].distance, abs=1e-6)
    again = sharded.search("a dog runs", 1)
    for turn in range(9):
        sharded.upsert([f"A dog runs {turn}."], ["a1"])
        sharded.search("a dog", 1)
    with pytest.raises(ShardFailedError, match="changed often"):
        again[0].explain()


def test_texts_count_even_if_all_with_frequent_terms_were_removed(tmp_path):
    junk = " ".join(f"junk{n}" for n in range(100))
    texts = {
        "j0": f"{junk} ice",
        "j1": f"{junk} snow",
        "p0": "penguin ice",
        "p1": "penguin snow",
        "p2": "cold river fish",
    }
    whole = mr.TextIndex.create(tmp_path / "whole")
    whole.add(list(texts.values()), list(texts))
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, ids in zip(folders, (["j0", "j1", "p0"], ["p1", "p2"]), strict=True):
        with mr.TextIndex.create(folder) as index:
            index.add([texts[id] for id in ids], ids)
    sharded = ShardedTextIndex.open(folders)
    for index in (whole, sharded):
        index.remove(["j0", "j1"])
    same(sharded.search("penguin ice", 3, candidates=None), whole.search("penguin ice", 3, candidates=None))


@pytest.mark.parametrize("dtype", ["int4", "int2", "int8"])
def test_packed_tokens_are_added_to_empty_shards(tmp_path, dtype):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        mr.TextIndex.create(folder, dtype=dtype).close()
    sharded = ShardedTextIndex.open(folders)
    sharded.add(TEXTS[:60], IDS[:60])
    again = ShardedTextIndex.open(folders)
    assert again.search(TEXTS[7], 1).ids == [IDS[7]]


def test_deadlines_hold_for_every_part(folders):
    began = time.perf_counter()
    sharded, broken = faulty(folders, slow=["has"], seconds=4.0)
    try:
        assert sharded.rerank(QUERIES[0], IDS[:5], timeout=0.3).shards.failed
    except ShardFailedError as error:
        assert "no answer within" in str(error)  # noqa: PT017
    assert time.perf_counter() - began < 2.0
    # A shard whose state has changed, and that does not load it in time.
    sharded, broken = faulty(folders)
    with mr.TextIndex.open(folders[1], writable=True) as index:
        index.add(["Penguins swim."], ["penguins"])
    broken._shard.refresh()
    broken.slow, broken.seconds = {"refresh"}, 6.0
    began = time.perf_counter()
    try:
        found = sharded.search(QUERIES[0], timeout=0.5)
        assert not found.certificate.exact
    except ShardFailedError as error:
        assert "changed" in str(error)  # noqa: PT017
    assert time.perf_counter() - began < 2.5


def test_shards_of_other_ids_or_without_texts_are_refused(tmp_path):
    numbers, names, without = (mr.TextIndex.create(lexical=None, store_texts=kept) for kept in (True, True, False))
    numbers.add(["A cat."], [5])
    names.add(["A dog."], ["dog"])
    without.add(["A bird."], ["bird"])
    with pytest.raises(ShardMismatchError, match="ids that are strings, but shard 0 has integers"):
        ShardedTextIndex.of([numbers, names])
    with pytest.raises(ShardMismatchError, match="texts not kept"):
        ShardedTextIndex.of([names, without])


def test_an_id_in_two_shards_is_refused(tmp_path):
    folders = two(tmp_path)
    with mr.TextIndex.open(folders[1], writable=True) as index:
        index.add(["A cat on the roof."], ["a0"])
    sharded = ShardedTextIndex.open(folders)
    with pytest.raises(ShardMismatchError, match="two shards have a text of the id 'a0'"):
        sharded.search("cat", 3, fusion=0.0)
    with pytest.raises(ShardMismatchError, match="remove it from one of them"):
        sharded.text("a0")
    with pytest.raises(ValueError, match="folders: expected different ones"):
        ShardedTextIndex.open([folders[0], tmp_path / "b" / ".." / "a"])


def test_a_space_that_replaced_another_is_used(tmp_path):
    space = mr.fit(mr.encoders.WordVectors.default(), TEXTS, ["whitening"])
    whole = one_index(space=space)
    folders = parts_of(one_index(dtype="float16"), 2, tmp_path)
    sharded = ShardedTextIndex.open(folders)
    alone = mr.TextIndex.open(folders[0])
    alone.search(QUERIES[0])
    sharded.search(QUERIES[0])
    (tmp_path / "new").mkdir()
    for new, old in zip(parts_of(whole, 2, tmp_path / "new"), folders, strict=True):
        mr.TextIndex.open(new).save(old, overwrite=True)
    sharded.refresh()
    same(sharded.search(QUERIES[0], 5, candidates=None), whole.search(QUERIES[0], 5, candidates=None))
    alone.refresh()
    found, expected = (index.search(QUERIES[0], 3, candidates=None) for index in (alone, mr.TextIndex.open(folders[0])))
    assert [hit.distance for hit in found] == [hit.distance for hit in expected]


def test_fields_are_those_of_all_shards(tmp_path):
    folders = [tmp_path / name for name in "abc"]
    payloads = [[{"tag": "x"}], [{"new": True}]]
    for folder, own in zip(folders, payloads, strict=False):
        with mr.TextIndex.create(folder) as index:
            index.add([f"A cat called {folder.name}."], [folder.name], payloads=own)
    mr.TextIndex.create(folders[2]).close()
    sharded = ShardedTextIndex.open(folders)
    for fusion in (0.0, 0.5, 1.0):
        found = sharded.search("a cat", 5, where="tag == 'x' or new", fusion=fusion, candidates=None)
        assert sorted(found.ids) == ["a", "b"]
        with pytest.raises(UnknownFieldError, match=r"no payload has a field 'neww'; similar fields: 'new'"):
            sharded.search("a cat", 5, where="neww", fusion=fusion)
    broken = Faulty(TextShard(folders[0]), "s0")
    partial_answers = ShardedTextIndex([[broken], [LocalReplica(TextShard(folders[1]), "s1")]], on_failure="partial")
    broken.fail = {"seed", "search", "statistics", "by_terms", "known_fields"}
    # The shard that does not answer may have the field.
    assert partial_answers.search("a cat", 5, where="tag == 'x'").ids == []


@pytest.mark.parametrize("terms", [5, 40, 400])
def test_queries_of_many_terms_score_as_in_one_index(whole, folders, terms):
    query = " ".join(" ".join(TEXTS[:20]).split()[:terms])
    sharded = ShardedTextIndex.open(folders)
    same(sharded.search(query, 8, candidates=None), whole.search(query, 8, candidates=None))


def test_without_an_answer_the_constructor_says_so(folders):
    class Silent(Faulty):
        def submit(self, method, *args, **options):
            self.fail = {"reader"}
            return super().submit(method, *args, **options)

    for on_failure in ("raise", "partial"):
        with pytest.raises(ShardFailedError, match="gone"):
            ShardedTextIndex([[Silent(TextShard(folder), "s")] for folder in folders], on_failure=on_failure)


def test_a_change_waits_for_other_processes_that_write(tmp_path):
    folders = two(tmp_path)
    sharded = ShardedTextIndex.open(folders)
    writer = mr.TextIndex.open(folders[0], writable=True)
    threading.Timer(0.5, writer.close).start()
    assert sharded.upsert(["A cat wakes."], ["a0"]).ids == ["a0"]
    assert sharded.text("a0") == "A cat wakes."


def test_a_closed_index_says_so(folders):
    sharded = ShardedTextIndex.open(folders)
    sharded.close()
    for call in (
        lambda: sharded.search("cat"),
        lambda: sharded.text(IDS[0]),
        lambda: IDS[0] in sharded,
        lambda: sharded.add(["a cat"], ["x"]),
        lambda: sharded.remove([IDS[0]]),
        sharded.refresh,
    ):
        with pytest.raises(mr.errors.IndexClosedError):
            call()


# ---- moves -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"lexical": None, "store_texts": False}, {"passages": Passages(40, overlap=10)}]
)
def test_texts_are_moved_with_their_terms(tmp_path, options):
    whole = one_index(**options)
    full, empty = tmp_path / "full", tmp_path / "empty"
    split(whole, [full])
    split(mr.TextIndex.create(**options), [empty])
    told = []
    sizes = rebalance([full, empty], progress=lambda *counts: told.append(counts))
    assert sum(sizes) == len(whole.index)
    assert abs(sizes[0] - sizes[1]) <= 0.25 * sum(sizes)
    assert told
    with ShardedTextIndex.open([full, empty]) as sharded:
        assert len(sharded) == len(whole)
        assert min(sharded.sizes) > 0
        for query in QUERIES[:4]:
            same(sharded.search(query, 8, candidates=None), whole.search(query, 8, candidates=None))
        assert all(sharded.text(id) == whole.text(id) for id in IDS[::7])
        assert sharded.upsert(["A cat on the roof."], [IDS[-1]]).ids == [IDS[-1]]
    for folder in (full, empty):
        mr.TextIndex.open(folder).verify()


def test_a_move_of_texts_that_was_interrupted_is_finished(tmp_path, monkeypatch):
    whole = one_index()
    full, empty = tmp_path / "full", tmp_path / "empty"
    split(whole, [full])
    split(mr.TextIndex.create(), [empty])
    monkeypatch.setattr("moverank.sharding.rebalancing.without", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rebalance([full, empty])
    monkeypatch.undo()
    rebalance([full, empty])
    with ShardedTextIndex.open([full, empty]) as sharded:
        assert len(sharded) == len(whole)
        same(sharded.search(QUERIES[0], 8, candidates=None), whole.search(QUERIES[0], 8, candidates=None))
    for folder in (full, empty):
        mr.TextIndex.open(folder).verify()


def test_terms_cannot_be_moved_without_texts(tmp_path):
    split(one_index(store_texts=False), [tmp_path / "a", tmp_path / "b"])
    with pytest.raises(ValueError, match="keeps no texts"):
        rebalance([tmp_path / "a", tmp_path / "b"])
