"""An index in a folder: what was acknowledged is there, whoever opens it, and changes are as good as building anew."""

import contextlib
import errno
import multiprocessing
import os
import shutil
import tempfile
import tracemalloc

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import moverank as mr
from moverank.readers import Batch

DIM = 5


def tokens_of(rng):
    return rng.normal(size=(rng.integers(1, 7), DIM)).astype(np.float32)


def brute_force(query, docs, measure, k):
    ids = np.array(list(docs))
    distances = mr.distances(query, list(docs.values()), measure)
    order = np.lexsort((ids, distances))[:k]
    return ids[order].tolist(), distances[order]


class StoredIndex(RuleBasedStateMachine):
    """A dictionary says what the index should have; it is in a folder, and one more reader follows it."""

    table = np.random.default_rng(1).normal(size=(40, DIM)).astype(np.float32)

    @initialize(
        seed=st.integers(0, 10**6),
        kind=st.sampled_from(["sequences", "bags"]),
        named=st.sampled_from(["int", "str"]),
        measure=st.sampled_from([mr.wmd, mr.wrd, mr.wrd.replace(capacity=4)]),
        prefilter=st.sampled_from(["Flat", None, "HNSW4", mr.Clusters(2), "tokens"]),
        rescore=st.booleans(),
    )
    def build(self, seed, kind, named, measure, prefilter, rescore):
        self.rng = np.random.default_rng(seed)
        self.named, self.kind, self.measure = named, kind, measure
        self.docs, self.payloads, self.ever = {}, {}, set()
        batch, ids, payloads = self.new(5)
        how = (
            {} if kind == "bags" else {"prefilter": prefilter, "rescore": rescore, "dtype": "int8" if rescore else None}
        )
        self.folder = tempfile.mkdtemp()
        mr.Index.build(batch, measure, ids=ids, payloads=payloads, **how).save(self.folder)
        self.index = mr.Index.open(self.folder, writable=True)
        self.reader = mr.Index.open(self.folder, mmap=False)

    def new(self, count, ids=None):
        """Documents for the index, entered into the dictionary."""
        if ids is None:
            fresh = [n for n in self.rng.permutation(1000).tolist() if n not in self.ever][:count]
            self.ever.update(fresh)
            ids = [f"id {n} ü" for n in fresh] if self.named == "str" else fresh
        if self.kind == "bags":
            words = [self.rng.integers(40, size=self.rng.integers(1, 7)).tolist() for _ in ids]
            batch = mr.Bags(self.table, words)
            docs = [self.table[own] for own in words]
        else:
            batch = docs = [tokens_of(self.rng) for _ in ids]
        payloads = [
            None if n % 3 == 0 else {"n": n, "even": n % 2 == 0} for n in self.rng.integers(100, size=len(ids)).tolist()
        ]
        self.docs |= dict(zip(ids, docs, strict=True))
        self.payloads |= dict(zip(ids, payloads, strict=True))
        return batch, ids, payloads

    def some(self, most):
        count = min(int(self.rng.integers(1, most + 1)), len(self.docs))
        return [list(self.docs)[i] for i in self.rng.permutation(len(self.docs))[:count]]

    @rule(count=st.integers(1, 6))
    def add(self, count):
        batch, ids, payloads = self.new(count)
        assert self.index.add(batch, ids, payloads=payloads).tolist() == ids

    @precondition(lambda self: self.docs)
    @rule(most=st.sampled_from([2, 10, 1000]))
    def remove(self, most):
        gone = self.some(most)
        self.index.remove(gone)
        for name in gone:
            del self.docs[name], self.payloads[name]

    @precondition(lambda self: self.docs)
    @rule()
    def upsert(self):
        known = self.some(3)
        batch, ids, payloads = self.new(0, known)
        self.index.upsert(batch, ids, payloads=payloads)

    @rule()
    def compact(self):
        self.index.compact()

    @rule()
    def open_again(self):
        self.index.close()
        self.index = mr.Index.open(self.folder, writable=True)

    @rule()
    def verify(self):
        assert self.index.verify().documents == len(self.docs)

    @rule(k=st.sampled_from([1, 3, 1000]))
    def search(self, k):
        self.reader.refresh()
        query = tokens_of(self.rng)
        for index in (self.index, self.reader):
            assert len(index) == len(self.docs)
            assert sorted(index.ids.tolist()) == sorted(self.docs)
            hits = index.search(query, k)
            assert hits.certificate.exact
            if self.docs:
                ids, distances = brute_force(query, self.docs, self.measure, k)
                np.testing.assert_allclose(hits.distances, distances, rtol=1e-9, atol=1e-9)
                assert hits.ids.tolist() == ids or len(np.unique(distances)) < len(distances)
            for hit in hits:
                assert hit.payload == self.payloads[hit.id] == index.payload(hit.id)
                assert len(hit.alignment.pairs) > 0
            even = {name for name, payload in self.payloads.items() if payload is not None and payload["even"]}
            if any(payload is not None for payload in self.payloads.values()):
                assert set(index.search(query, 1000, where="even").ids.tolist()) == even
            else:
                with contextlib.suppress(mr.UnknownFieldError):  # known yet, if documents with it were taken away
                    assert len(index.search(query, 1000, where="even")) == 0

    def teardown(self):
        if hasattr(self, "index"):
            self.index.close()
            shutil.rmtree(self.folder)


StoredIndex.TestCase.settings = settings(stateful_step_count=12, deadline=None)
test_changes_are_as_good_as_building_anew = StoredIndex.TestCase


@pytest.fixture
def docs():
    rng = np.random.default_rng(5)
    return mr.Sequences([tokens_of(rng) for _ in range(40)])


@pytest.fixture
def folder(docs, tmp_path):
    mr.Index.build(docs, "wrd", payloads=[{"n": n} for n in range(len(docs))]).save(tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8", "int4", "int2"])
@pytest.mark.parametrize("prefilter", ["Flat", "HNSW8", "IVF4,Flat;nprobe=4", mr.Clusters(2), "tokens", None])
@pytest.mark.parametrize("mmap", [True, False])
def test_a_saved_index_gives_the_same_answers(docs, tmp_path, dtype, prefilter, mmap):
    built = mr.Index.build(docs, mr.wrd.replace(capacity=4), dtype=dtype, prefilter=prefilter)
    built.save(tmp_path / "index")
    opened = mr.Index.open(tmp_path / "index", mmap=mmap, measure=mr.wrd.replace(capacity=4))
    for q in range(5):
        budgets = [{}] if prefilter is None else [{}, {"candidates": 8}]
        for budget in budgets:
            ours, theirs = opened.search(docs[q], 5, **budget), built.search(docs[q], 5, **budget)
            assert ours.ids.tolist() == theirs.ids.tolist()
            np.testing.assert_array_equal(ours.distances, theirs.distances)
            assert str(ours.certificate) == str(theirs.certificate)
    assert opened.verify().documents == len(docs)


@pytest.mark.parametrize(
    "problem", [mr.Sinkhorn(epsilon=0.1, debiased=True), mr.Sinkhorn(marginal_penalty=2.0), "relaxed", "exact"]
)
def test_every_measure_comes_back(docs, tmp_path, problem):
    measure = mr.Measure("euclidean", "norm", problem=problem)
    mr.Index.build(docs, measure).save(tmp_path / "index")
    assert mr.Index.open(tmp_path / "index").measure == measure


def test_a_stored_index_with_weights_and_bags_with_counts(tmp_path):
    rng = np.random.default_rng(0)
    weighted = mr.Sequences([tokens_of(rng) for _ in range(9)])
    weighted = mr.Sequences.from_flat(weighted.tokens, weighted.offsets, rng.random(len(weighted.tokens)) + 0.1)
    measure = mr.Measure("cosine", "given")
    index = mr.Index.build(weighted, measure)
    index.save(tmp_path / "weighted")
    query, weights = tokens_of(rng), None
    weights = np.ones(len(query))
    ours = mr.Index.open(tmp_path / "weighted").search(query, 9, weights=weights)
    np.testing.assert_array_equal(ours.distances, index.search(query, 9, weights=weights).distances)


def test_a_search_sees_the_state_it_began_with(folder, docs):
    index = mr.Index.open(folder, writable=True)
    hits = index.search(docs[3], 3)
    index.remove(hits.ids)
    index.compact()
    assert hits[0].payload == {"n": int(hits.ids[0])}
    assert sum(move.contribution for move in hits[0].alignment.pairs) == pytest.approx(hits[0].distance)
    assert not set(hits.ids) & set(index.search(docs[3], 30).ids)


def test_default_ids_go_on_behind_the_largest_ever_given(docs, tmp_path):
    index = mr.Index.build(docs[:3], ids=[5, 90, 7])
    index.remove([90])
    assert index.add(docs[:2]).tolist() == [91, 92]
    index.save(tmp_path / "index")
    with mr.Index.open(tmp_path / "index", writable=True) as stored:
        stored.remove(stored.ids)
        stored.compact()
        assert stored.add(docs[:1]).tolist() == [93]


def test_many_small_additions_stay_few_parts(folder, docs):
    with mr.Index.open(folder, writable=True) as index:
        for _ in range(70):
            index.add(docs[:2])
        assert len(index) == 180
        assert len(list(folder.glob("*.seg"))) <= 8
        assert len(index.search(docs[0], 200)) == 180


def test_filters_choose_by_payload(docs):
    payloads = [{"year": 2000 + n, "lang": "de" if n % 2 else "en"} for n in range(len(docs))]
    index = mr.Index.build(docs, payloads=payloads)
    for where in ("year < 2010 AND lang = 'de'", ("year < ? AND lang = ?", [2010, "de"])):
        for hits in (
            index.search(docs[0], 40, where=where),
            index.range_search(docs[0], 3, where=where),
            index.search_batch(docs[:1], 40, where=where)[0],
            index.search(docs[0], 40, where=where, candidates=40),
        ):
            assert sorted(hits.ids.tolist()) == [1, 3, 5, 7, 9]
            assert hits.certificate.exact
    assert index.search(docs[0], 40, where="year < 2010", subset=[1, 2, 30]).ids.tolist() in ([1, 2], [2, 1])
    nothing = index.search(docs[0], 4, where="year < 0")
    assert len(nothing) == 0
    assert nothing.certificate.exact
    assert "0 documents" in str(nothing.stats)


# ---- who may do what, and when ---------------------------------------------------------------------------------------


def test_one_writer_at_a_time_and_any_number_of_readers(folder, docs):
    writer = mr.Index.open(folder, writable=True)
    with pytest.raises(mr.IndexLockedError, match=f"process {os.getpid()} has the index open"):
        mr.Index.open(folder, writable=True)
    with pytest.raises(mr.IndexLockedError):
        mr.Index.build(docs).save(folder, overwrite=True)
    reader = mr.Index.open(folder)
    writer.add(docs[:1])
    assert len(reader) == 40
    assert reader.refresh()
    assert not reader.refresh()
    assert len(reader) == 41
    with pytest.raises(mr.ReadOnlyIndexError, match="writable=True"):
        reader.add(docs[:1])
    writer.close()
    mr.Index.open(folder, writable=True).close()


def test_a_writer_that_is_forgotten_lets_go(folder):
    index = mr.Index.open(folder, writable=True)
    del index
    mr.Index.open(folder, writable=True).close()


def _child(folder, queue):
    try:
        mr.Index.open(folder, writable=True)
    except mr.IndexLockedError as error:
        queue.put(str(error))


@pytest.mark.slow(reason="starts processes")
def test_the_lock_holds_across_processes(folder):
    context = multiprocessing.get_context("spawn")
    with mr.Index.open(folder, writable=True):
        queue = context.Queue()
        process = context.Process(target=_child, args=(folder, queue))
        process.start()
        assert f"process {os.getpid()} has the index open" in queue.get(timeout=60)
        process.join()


@pytest.mark.parametrize("was_there", [True, False])
def test_without_a_lock_a_folder_is_left_as_it_was(tmp_path, docs, monkeypatch, was_there):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    target = tmp_path / "index"
    if was_there:
        target.mkdir()
    monkeypatch.setattr("moverank.index.disk.store.Lock", no_locks)
    with pytest.raises(OSError, match="No locks available"):
        mr.Index.build(docs).save(target)
    assert target.exists() == was_there


def test_a_forked_child_may_not_write(folder, docs):
    with mr.Index.open(folder, writable=True) as index:
        child = os.fork()
        if child == 0:
            try:
                index.add(docs[:1])
            except mr.IndexLockedError as error:
                os._exit(7 if "before this process was forked; open it again" in str(error) else 1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        index.add(docs[:1])


def test_readers_follow_a_writer_that_deletes_what_they_read(folder, docs):
    query = docs[0]
    with mr.Index.open(folder, writable=True) as writer:
        readers = [mr.Index.open(folder)]
        for _ in range(5):
            writer.upsert(docs[:10], range(10))
            writer.compact()
            readers.append(mr.Index.open(folder))
        for reader in readers:
            assert len(reader.search(query, 50)) == 40
            reader.refresh()
            assert reader.search(query, 3).ids.tolist() == writer.search(query, 3).ids.tolist()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda i, d: i.add(d[:1], ids=[3]), mr.DuplicateIdError, "ids: 3 is already in the index; upsert"),
        (lambda i, d: i.add(d[:2], ids=[99, 99]), mr.DuplicateIdError, "ids: 99 is given more than once"),
        (lambda i, d: i.upsert(d[:2], ids=[99, 99]), mr.DuplicateIdError, "ids: 99 is given more than once"),
        (lambda i, d: i.add(d[:1], ids=["a"]), TypeError, "expected int, the type of ids in this index, got str"),
        (lambda i, d: i.add(d[:1], ids=[1 << 70]), ValueError, "does not fit into 64 bits"),
        (lambda i, d: i.add(d[:2], ids=[1]), ValueError, "ids: expected 2, one per document, got 1"),
        (lambda i, d: i.remove([3, 77]), mr.UnknownIdError, "ids: 77 is not in the index"),
        (lambda i, d: i.remove(["3"]), mr.UnknownIdError, "ids: '3' is not in the index"),
        (lambda i, d: i.remove([3, 3]), mr.DuplicateIdError, "ids: 3 is given more than once"),
        (lambda i, d: i.remove([]), ValueError, "at least one"),
        (
            lambda i, d: i.add([np.ones((2, 3))]),
            mr.DimensionError,
            "docs has dimension 3 and the index has dimension 5",
        ),
        (lambda i, d: i.add([np.zeros((2, 5))]), ValueError, "docs: sequence 0.*total mass is zero"),
        (lambda i, d: i.add(mr.Bags(np.ones((2, 5), np.float32), [[0]])), TypeError, "expected Sequences.*got Bags"),
        (lambda i, d: i.add(d[:1], payloads=[1, 2]), ValueError, "payloads: expected 1, one per document, got 2"),
        (lambda i, d: i.add(d[:1], payloads=[object()]), TypeError, "payloads: document 0: expected a JSON value"),
        (lambda i, d: i.search(d[0], where="year >"), ValueError, "where: 'year >' is not a valid condition"),
        (lambda i, d: i.search(d[0], where=3), TypeError, "where: expected an expression"),
        (lambda i, d: i.payload(77), mr.UnknownIdError, "77 is not in the index"),
    ],
)
def test_what_cannot_be_changed_changes_nothing(folder, docs, call, kind, message):
    with mr.Index.open(folder, writable=True) as index:
        with pytest.raises(kind, match=message):
            call(index, docs)
        assert len(index) == 40
        assert len(list(folder.iterdir())) == 3
        assert index.search(docs[0], 1).ids.tolist() == [0]


def test_words_of_bags_keep_their_vectors(tmp_path):
    table = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    index = mr.Index.build(mr.Bags(table, [[0, 1], [2]]))
    index.add(mr.Bags(np.concatenate([table, table]), [[1, 12]]))
    with pytest.raises(ValueError, match="the vector of word 1 is different"):
        index.add(mr.Bags(table + 1, [[1]]))


def test_a_closed_index_says_so(folder, docs):
    index = mr.Index.open(folder)
    hits = index.search(docs[0], 1)
    index.close()
    index.close()
    with pytest.raises(mr.IndexClosedError, match="closed"):
        index.search(docs[0], 1)
    assert hits[0].payload == {"n": 0}


def test_paths_that_hold_something(folder, docs, tmp_path):
    index = mr.Index.build(docs[:3])
    with pytest.raises(mr.IndexExistsError, match="overwrite=True replaces it"):
        index.save(folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    (tmp_path / "file").touch()
    for name in ("mine", "file"):
        with pytest.raises(mr.IndexExistsError, match="has files that are not an index"):
            index.save(tmp_path / name, overwrite=True)
    assert (tmp_path / "mine" / "thesis.tex").exists()
    reader = mr.Index.open(folder)
    index.save(folder, overwrite=True)
    assert len(reader) == 40
    assert reader.refresh()
    assert len(reader) == 3
    (tmp_path / "empty").mkdir()
    index.save(tmp_path / "empty")
    with pytest.raises(mr.IndexWriteError, match="could not be written: No such file"):
        index.save(tmp_path / "no" / "parent")


def test_paths_that_hold_nothing(tmp_path):
    with pytest.raises(mr.IndexNotFoundError, match="does not exist"):
        mr.Index.open(tmp_path / "none")
    with pytest.raises(mr.IndexNotFoundError, match=r"has no manifest\.json"):
        mr.Index.open(tmp_path)
    with pytest.raises(mr.IndexNotFoundError):
        mr.Index.open(tmp_path / "none", writable=True)
    assert list(tmp_path.iterdir()) == []


def test_another_measure_than_at_build(folder):
    with pytest.raises(mr.MeasureMismatchError, match="built for wrd, but wmd was expected"):
        mr.Index.open(folder, measure="wmd")


def test_folders_belong_to_opened_indexes_alone(docs):
    index = mr.Index.build(docs)
    for call in (index.refresh, index.verify):
        with pytest.raises(ValueError, match="expected an index in a folder, got one in memory"):
            call()


def test_a_system_without_posix_folders_is_told_so(docs, folder, tmp_path, monkeypatch):
    index = mr.Index.build(docs, "wrd")
    monkeypatch.delattr(os, "O_DIRECTORY")
    for call in (lambda: mr.Index.open(folder), lambda: index.save(tmp_path / "new")):
        with pytest.raises(NotImplementedError, match="need a POSIX system"):
            call()
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(folder, docs):
    folder.chmod(0o555)
    try:
        with pytest.raises(mr.NoPermissionError, match="no permission to write"):
            mr.Index.open(folder, writable=True).add(docs[:1])
    finally:
        folder.chmod(0o755)


# ---- builds larger than memory ---------------------------------------------------------------------------------------


def batches_of(docs, size=7, upto=None):
    for start in range(0, len(docs), size):
        if upto is not None and start >= upto:
            raise RuntimeError("the source broke")
        ids = [f"d{n}" for n in range(start, min(start + size, len(docs)))]
        yield Batch(docs[start : start + size], ids, [{"n": name} for name in ids])


@pytest.mark.parametrize("prefilter", ["Flat", "HNSW8", mr.Clusters(2), "tokens"])
def test_a_build_in_batches_is_a_build(docs, tmp_path, prefilter, monkeypatch):
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1500)
    seen = []
    index = mr.Index.build_on_disk(
        tmp_path / "index", batches_of(docs), prefilter=prefilter, dtype="int8", progress=seen.append
    )
    assert seen == [7, 14, 21, 28, 35, 40]
    assert len(list((tmp_path / "index").glob("*.seg"))) > 2
    expected = mr.Index.build(docs, ids=[f"d{n}" for n in range(40)], dtype="int8")
    for q in range(4):
        assert index.search(docs[q], 9).ids.tolist() == expected.search(docs[q], 9).ids.tolist()
    assert index.payload("d39") == {"n": "d39"}
    index.verify()


def test_a_build_that_was_cut_off_goes_on(docs, tmp_path, monkeypatch):
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1500)
    path = tmp_path / "index"
    with pytest.raises(RuntimeError, match="the source broke"):
        mr.Index.build_on_disk(path, batches_of(docs, upto=28))
    with pytest.raises(mr.IndexIncompleteError, match=r"resume=True\) resumes it"):
        mr.Index.open(path)
    with pytest.raises(mr.IndexExistsError):
        mr.Index.build_on_disk(path, batches_of(docs))
    with pytest.raises(mr.MeasureMismatchError, match="begun for wrd, not for wmd"):
        mr.Index.build_on_disk(path, batches_of(docs), "wmd", resume=True)
    with pytest.raises(ValueError, match="begun with tokens as float32"):
        mr.Index.build_on_disk(path, batches_of(docs), dtype="int8", resume=True)
    with pytest.raises(ValueError, match=r"begun with prefilter TokenCells.*, not None"):
        mr.Index.build_on_disk(path, batches_of(docs), prefilter=None, resume=True)
    with pytest.raises(ValueError, match="expected the same batches in the same order as when the build was begun"):
        mr.Index.build_on_disk(path, batches_of(docs, size=8), resume=True)
    with pytest.raises(ValueError, match="expected at least 4 batches"):
        mr.Index.build_on_disk(path, [], resume=True)
    index = mr.Index.build_on_disk(path, batches_of(docs), resume=True)
    assert sorted(index.ids.tolist()) == sorted(f"d{n}" for n in range(40))
    index.verify()


@pytest.fixture(params=[False, True], ids=["complete", "cut off"])
def resumed(request, docs, tmp_path, monkeypatch):
    """A call that resumes a build of 28 documents in 4 batches, complete or not."""
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1500)
    if request.param:
        with pytest.raises(RuntimeError, match="the source broke"):
            mr.Index.build_on_disk(tmp_path / "index", batches_of(docs, upto=28))
    else:
        mr.Index.build_on_disk(tmp_path / "index", batches_of(docs[:28]))

    def call(batches, **options):
        return mr.Index.build_on_disk(tmp_path / "index", batches, resume=True, **options)

    return call


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda docs, ids, notes: Batch(docs, ids), "document 'd0' has a different payload"),
        (lambda docs, ids, notes: Batch(docs, ids, [*notes[:-1], {"n": 3}]), "document 'd6' has a different payload"),
        (lambda docs, ids, notes: Batch(docs, [*ids[:-1], "else"], notes), "document 'else' is not in it"),
        (lambda docs, ids, notes: Batch(docs[::-1], ids, notes), "document 'd0' has (a )?different"),
        (
            lambda docs, ids, notes: Batch([2 * np.asarray(d) for d in docs], ids, notes),
            "document 'd0' has different tokens or weights",
        ),
    ],
)
def test_a_resumed_build_has_the_documents_that_it_was_begun_with(docs, resumed, change, message):
    first, *others = batches_of(docs[:28])
    with pytest.raises(ValueError, match=f"^resume: .*{message}"):
        resumed([change(first.docs, first.ids, first.payloads), *others])


def test_resuming_a_complete_index_loses_nothing_that_is_given(docs, tmp_path):
    path = tmp_path / "index"
    mr.Index.build_on_disk(path, batches_of(docs[:28]))
    seen = []
    assert len(mr.Index.build_on_disk(path, batches_of(docs[:28]), resume=True, progress=seen.append)) == 28
    assert seen == [28] * 4
    for batches, message in (
        ([], "complete, and its document 'd0' is not in the batches; use add"),
        (batches_of(docs[:21]), "complete, and its document 'd21' is not in the batches"),
        (batches_of(docs), "complete, and document 'd28' is not in it; use add"),
        ([*batches_of(docs[:28]), *batches_of(docs[:7])], "complete, and document 'd0' occurs twice"),
    ):
        with pytest.raises(ValueError, match=f"^resume: the index is {message}"):
            mr.Index.build_on_disk(path, batches, resume=True)
    with pytest.raises(ValueError, match=r"begun with prefilter TokenCells.*, not 'HNSW4'"):
        mr.Index.build_on_disk(path, batches_of(docs[:28]), prefilter="HNSW4", resume=True)
    with mr.Index.open(path, writable=True) as index:
        index.add(docs[28:29], ["d28"])
        index.remove(["d0"])
    with pytest.raises(ValueError, match="document 'd0' is not in it"):
        mr.Index.build_on_disk(path, batches_of(docs[:28]), resume=True)


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "int8"},
        {"dtype": "int4"},
        {"dtype": "int2"},
        {"dtype": "float16", "rescore": True},
        {"prefilter": mr.Clusters(2)},
        {"prefilter": "tokens"},
    ],
)
def test_stored_documents_are_known_again(docs, tmp_path, options):
    for _ in range(2):
        index = mr.Index.build_on_disk(tmp_path / "index", batches_of(docs), resume=True, **options)
    assert len(index) == 40


@pytest.mark.parametrize("dtype", ["int8", "int4", "int2"])
def test_encoders_need_not_give_the_same_digits_twice(docs, tmp_path, dtype):
    mr.Index.build_on_disk(tmp_path / "index", batches_of(docs), dtype=dtype)
    noise = 1 + 1e-3 * np.random.default_rng(7).uniform(-1, 1, size=docs.tokens.shape).astype(np.float32)
    nearly = mr.Sequences.from_flat(docs.tokens * noise, docs.offsets)
    assert len(mr.Index.build_on_disk(tmp_path / "index", batches_of(nearly), dtype=dtype, resume=True)) == 40
    other = mr.Sequences.from_flat(docs.tokens[::-1].copy(), docs.offsets)
    with pytest.raises(ValueError, match="has different tokens or weights"):
        mr.Index.build_on_disk(tmp_path / "index", batches_of(other), dtype=dtype, resume=True)


def test_bags_are_known_again(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(9, 3))
    words = [[1, 2, 2], [3], [8, 1], [4, 5, 1]]
    batches = [Batch(mr.Bags(vectors, words[:2])), Batch(mr.Bags(vectors, words[2:]))]
    for _ in range(2):
        assert len(mr.Index.build_on_disk(tmp_path / "index", batches, "wmd", resume=True)) == 4
    for other in ([4, 5, 5], [4, 5, 7]):
        changed = [batches[0], Batch(mr.Bags(vectors, [words[2], other]))]
        with pytest.raises(ValueError, match=r"^resume: .*document 3 has (a )?different"):
            mr.Index.build_on_disk(tmp_path / "index", changed, "wmd", resume=True)


@pytest.mark.slow(reason="counts the memory of large builds")
def test_a_build_takes_no_more_memory_for_more_documents(tmp_path, monkeypatch):
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1 << 20)

    def peak(n_batches):
        def batches():
            rng = np.random.default_rng(0)
            for _ in range(n_batches):
                yield Batch(mr.Sequences.from_flat(rng.normal(size=(2000, 32)).astype(np.float32), range(0, 2001, 5)))

        tracemalloc.start()
        # Without cells: for these, a sample of up to 512 MB grows with the collection.
        mr.Index.build_on_disk(tmp_path / str(n_batches), batches(), prefilter="Flat", dtype="int8")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(4)  # modules that are loaded when first needed
    assert peak(160) < 1.3 * peak(40)


def test_builds_that_cannot_be(docs, tmp_path):
    path = tmp_path / "index"
    for batches, kind, message in (
        ([], ValueError, "expected at least one"),
        ([Batch(docs[:2], [1, 2]), Batch(docs[:2], [3, 1])], mr.DuplicateIdError, "ids: 1 is given more than once"),
        ([Batch(docs[:2], [1, 2]), Batch(docs[:2], ["a", "b"])], TypeError, "expected int, the type of ids"),
        ([Batch(docs[:2]), Batch([np.ones((2, 3))])], mr.DimensionError, "dimension 3"),
        ([docs], TypeError, "expected Batch objects, got Sequences"),
    ):
        with pytest.raises(kind, match=message):
            mr.Index.build_on_disk(path, batches)
        assert not path.exists()
    with pytest.raises(ValueError, match="faiss does not accept 'IVV9'"):
        mr.Index.build_on_disk(path, batches_of(docs), prefilter="IVV9")
    with pytest.raises(ValueError, match="ids: expected 2"):
        Batch(docs[:2], [1])


def test_a_build_may_go_on_with_another_way_to_tell_faiss(docs, tmp_path, monkeypatch):
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1500)
    path = tmp_path / "index"
    with pytest.raises(RuntimeError, match="the source broke"):
        mr.Index.build_on_disk(path, batches_of(docs, upto=28), prefilter="HNSW8")
    index = mr.Index.build_on_disk(path, batches_of(docs), prefilter="HNSW4", resume=True)
    assert index.search(docs[3], 1, candidates=40).ids.tolist() == ["d3"]
    index.verify()


def test_too_few_documents_to_learn_from_are_compared_with_all(docs, tmp_path):
    mr.Index.build(docs, "wrd", prefilter="IVF4,Flat").save(tmp_path / "index")
    with mr.Index.open(tmp_path / "index", writable=True) as index:
        index.remove(index.ids[2:])
        index.compact()
        assert index.search(docs[1], 1, candidates=2).ids.tolist() == [1]
        index.verify()
    assert mr.Index.open(tmp_path / "index").search(docs[1], 1).ids.tolist() == [1]


def test_what_names_its_documents_by_strings_needs_them(docs):
    index = mr.Index.build(docs[:2], ids=["a", "b"])
    with pytest.raises(ValueError, match="ids: required, as the ids of this index are strings"):
        index.add(docs[:1])
    index = mr.Index.build(docs[:1], ids=[2**63 - 1])
    with pytest.raises(ValueError, match="ids: no 64-bit integer is left after 9223372036854775807; pass ids"):
        index.add(docs[:1])


def test_bags_have_less_to_choose(tmp_path):
    bags = mr.Bags(np.eye(3), [[0, 1], [2]])
    for options, message in (
        ({"dtype": "int8"}, "dtype: expected none for bags, whose table of vectors is float32"),
        ({"rescore": True}, "rescore: expected False for bags, whose vectors are shared"),
        (
            {"prefilter": "HNSW4"},
            "prefilter: expected none for bags, as every search bounds every document, got 'HNSW4'",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            mr.Index.build(bags, **options)
    index = mr.Index.build(bags)
    with pytest.raises(TypeError, match="docs: expected Bags, the kind of documents in this index, got Sequences"):
        index.add([np.eye(3)])
