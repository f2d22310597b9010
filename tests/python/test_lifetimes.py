"""Arrays that views look at live as long as the views, whatever became of who made them; what is held is let go."""

import gc
import re
import shutil
import sys
import time
import weakref

import numpy as np
import pytest

import moverank as mr

N, DIM = 400, 24


def tokens_and_offsets():
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 9, size=N))])
    return rng.normal(size=(int(offsets[-1]), DIM)).astype(np.float32), offsets


def batch():
    return mr.Sequences.from_flat(*tokens_and_offsets())


def bags():
    rng = np.random.default_rng(1)
    return mr.Bags(rng.normal(size=(200, DIM)), [rng.integers(200, size=6).tolist() for _ in range(N)])


def scribble():
    """Take memory of the sizes that was given back, and fill it."""
    gc.collect()
    return [np.full(size, np.nan) for size in range(16, 8000, 16)]


#: What makes arrays that look into memory of something else, which nobody holds afterwards.
VIEWS = {
    "mass": lambda: part(mr.Index.build(batch(), "wrd"))["mass"],
    "inverse norms": lambda: part(mr.Index.build(batch(), "wrd"))["inverse_norms"],
    "codes": lambda: part(mr.Index.build(batch(), "wmd", dtype="int8", rescore=True))["code_squares"],
    "errors of codes": lambda: part(mr.Index.build(batch(), "wmd", dtype="int8", rescore=True))["code_rho"],
    "words of bags": lambda: part(mr.Index.build(bags(), "wmd"))["words"],
    "vectors of bags": lambda: part(mr.Index.build(bags(), "wmd"))["vectors"],
    "rows of bags": lambda: part(mr.Index.build(bags(), "wmd"))["rows"],
    "totals of bags": lambda: part(mr.Index.build(bags(), "wrd"))["totals"],
    "norms of bags": lambda: mr.Index.build(bags(), "wrd")._snapshot.parts[0].prepared.norms,
    "tokens of one document": lambda: batch()[7].tokens,
    "tokens of some": lambda: batch()[3:9].tokens,
    "offsets": lambda: batch().offsets,
    "a plan": lambda: mr.transport(np.arange(30000.0).reshape(150, 200) % 7).plan,
    "potentials": lambda: mr.transport(np.arange(30000.0).reshape(150, 200) % 7).potentials[0],
    "gradients": lambda: mr.gradients(batch()[0], batch()[1], "wrd").x,
    "distances": lambda: mr.Index.build(batch()).search(batch()[3], 50).distances,
    "ids": lambda: mr.Index.build(batch(), ids=[f"id {n}" for n in range(N)]).search(batch()[3], 50).ids.astype(str),
    "values of a batch": lambda: mr.transport_batch(np.arange(9000.0).reshape(90, 10, 10) % 7).values,
}


def part(index):
    return index._snapshot.parts[0].arrays


@pytest.mark.slow(reason="collects garbage around many views")
@pytest.mark.parametrize("name", VIEWS)
def test_views_outlive_what_they_look_into(name):
    expected = VIEWS[name]().tobytes()
    found = VIEWS[name]()
    held = scribble()
    assert found.tobytes() == expected
    del held


@pytest.mark.parametrize("name", [name for name in VIEWS if name not in ("a plan", "potentials", "gradients")][:12])
def test_what_others_look_into_cannot_be_written_to(name):
    with pytest.raises(ValueError, match="read-only"):
        VIEWS[name]()[...] = 0


@pytest.mark.slow(reason="collects garbage")
def test_an_index_keeps_the_arrays_that_it_was_given():
    tokens, offsets = tokens_and_offsets()
    query = tokens[:5].copy()
    expected = mr.Index.build(mr.Sequences.from_flat(tokens, offsets)).search(query, 9).distances.tolist()
    index = mr.Index.build(mr.Sequences.from_flat(tokens, offsets))
    assert np.shares_memory(part(index)["tokens"], tokens)  # kept, not copied
    kept = weakref.ref(tokens)
    del tokens, offsets
    held = scribble()
    assert kept() is not None
    assert index.search(query, 9).distances.tolist() == expected
    hits = index.search(query, 9)
    del index
    held += scribble()
    assert hits[8].alignment.value == pytest.approx(expected[8])
    del hits
    gc.collect()
    assert kept() is None


@pytest.mark.slow(reason="collects garbage")
@pytest.mark.parametrize("mmap", [True, False])
def test_hits_outlive_their_index_and_its_files(tmp_path, mmap):
    payloads = [{"n": n} for n in range(N)]
    mr.Index.build(batch(), "wrd", payloads=payloads, prefilter="HNSW8").save(tmp_path / "index")
    index = mr.Index.open(tmp_path / "index", mmap=mmap)
    hits = index.search(batch()[3], 5)
    expected = hits[1].alignment.plan
    late = index.search(batch()[3], 5)
    rows = part(index)["tokens"]
    before = rows.tobytes()
    index.close()
    shutil.rmtree(tmp_path / "index")
    del index
    held = scribble()
    np.testing.assert_array_equal(late[1].alignment.plan, expected)
    assert [hit.payload["n"] for hit in late] == hits.ids.tolist()
    assert rows.tobytes() == before
    del held


def test_an_index_is_let_go_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        index = mr.Index.build(batch(), "wrd", prefilter="HNSW8")
        index.add(batch()[:3])
        index.search(batch()[3], 5)
        index.search(batch()[3], 5, candidates=20)
        gone = weakref.ref(index._snapshot.parts[0].prepared)
        index.search(batch()[3], 5)[0].alignment  # noqa: B018
        del index
        assert gone() is None
    finally:
        gc.enable()


CALLS = {
    "distances": lambda a: mr.distances(a.query, a.docs, "wmd"),
    "pairwise": lambda a: mr.pairwise(a.docs[:20], measure=a.measure),
    "certified": lambda a: mr.certified_distances(a.query, a.docs, a.measure),
    "transport": lambda a: mr.transport(a.cost, a.mass, a.mass),
    "sinkhorn": lambda a: mr.transport(a.cost, a.mass, a.mass, epsilon=0.3),
    "transport_batch": lambda a: mr.transport_batch(a.costs),
    "align": lambda a: mr.align(a.query, a.docs[1], a.measure),
    "gradients": lambda a: mr.gradients(a.query, a.docs[1], a.measure),
    "build": lambda a: mr.Index.build(a.docs, a.measure),
    "build of codes": lambda a: mr.Index.build(a.docs, "wmd", dtype="int8", rescore=True),
    "build of bags": lambda a: mr.Index.build(a.bags, a.measure),
    "search": lambda a: a.index.search(a.query, 3)[0].alignment,
    "search_batch": lambda a: a.index.search_batch([a.query] * 3, 3),
    "recall": lambda a: a.index.recall([a.query] * 2, 3, candidates=[3, 30]),
    "an error": lambda a: refused(lambda: mr.Index.build(mr.Sequences.from_flat(0 * a.tokens, a.offsets), "wrd")),
    "another": lambda a: refused(lambda: mr.transport(a.cost, -a.mass)),
}


def refused(call):
    try:
        call()
    except ValueError:
        return
    raise AssertionError("was not refused")


class Arguments:
    def __init__(self):
        self.tokens, self.offsets = tokens_and_offsets()
        self.docs, self.bags = mr.Sequences.from_flat(self.tokens, self.offsets), bags()
        self.query, self.measure = np.eye(DIM, dtype=np.float32)[:6], mr.wrd
        self.cost, self.costs = np.arange(60_000.0).reshape(200, 300)[:, :200] % 11, np.ones((50, 20, 20))
        self.cost = np.ascontiguousarray(self.cost)
        self.mass = np.ones(200)
        self.index = mr.Index.build(self.docs, self.measure)

    def counts(self):
        return {name: sys.getrefcount(value) for name, value in vars(self).items()} | {
            "spec": sys.getrefcount(self.measure._spec),
            "float32": sys.getrefcount(np.dtype(np.float32)),
        }


@pytest.mark.slow(reason="collects garbage around hundreds of calls")
@pytest.mark.parametrize("name", CALLS)
def test_a_call_lets_go_of_what_it_was_given(name):
    arguments = Arguments()
    CALLS[name](arguments)
    gc.collect()
    before = arguments.counts()
    for _ in range(20):
        CALLS[name](arguments)
    gc.collect()

    def grown():
        after = arguments.counts()
        return {key: after[key] - count for key, count in before.items() if after[key] - count > 3}

    until = time.monotonic() + 10  # a thread that found nothing left to do lets go a moment after the call
    while grown() and time.monotonic() < until:
        time.sleep(0.01)
    assert grown() == {}


def test_changes_of_arrays_that_a_batch_looks_at_are_answered_or_refused():
    """The batch says that it is a view. What the core reads then is never taken for more than numbers."""
    refusals = []
    words = "verify finds the damage|not finite|zero vector|too long"
    for value in (np.nan, np.inf, 3e38, 0.0, -1e-45):
        for measure in ("wmd", "wrd", "maxsim", mr.wmd.replace(problem=mr.Sinkhorn(0.1))):
            tokens, offsets = tokens_and_offsets()
            query = tokens[:4].copy()
            index = mr.Index.build(mr.Sequences.from_flat(tokens, offsets), measure)
            tokens[offsets[5] : offsets[9]] = value
            try:
                index.search(query, 5)
                index.search(query, N)[-1].alignment  # noqa: B018
            except ValueError as error:
                refusals.append(str(error))
    assert refusals
    assert all(re.search(words, refusal) for refusal in refusals)


def test_offsets_are_copied_as_the_core_finds_its_way_by_them():
    tokens, offsets = tokens_and_offsets()
    bag_offsets = np.arange(0, 1001, 10)
    docs = mr.Sequences.from_flat(tokens, offsets)
    over_words = mr.Bags.from_flat(tokens[:1000], np.arange(1000, dtype=np.uint32), bag_offsets)
    query = tokens[:4].copy()
    indexes = [mr.Index.build(docs, "wrd"), mr.Index.build(over_words, "wrd")]
    before = [index.search(query, N).distances.tolist() for index in indexes]
    distances = mr.distances(query, docs).tolist()
    offsets[3:9] = 10**12
    bag_offsets[3:9] = -(10**12)
    assert [index.search(query, N).distances.tolist() for index in indexes] == before
    assert mr.distances(query, docs).tolist() == distances


def test_a_query_may_change_once_it_was_asked():
    index = mr.Index.build(batch(), "wrd")
    query = batch()[3].copy()
    hits = index.search(query, 3)
    expected = hits.distances.tolist()
    query[:] = np.nan
    assert [hit.alignment.value for hit in hits] == pytest.approx(expected)
