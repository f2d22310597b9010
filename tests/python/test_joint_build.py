"""An index that several processes build together is the one that a single process builds; crashes lose nothing."""

import json
import multiprocessing
import os
import random
import signal
from functools import partial

import numpy as np
import pytest

import moverank as mr
from moverank import encoders
from moverank.index.disk import joint
from moverank.index.disk.building import Build
from moverank.index.disk.joint import JointBuild, Rows
from moverank.index.disk.staging import digest_of
from moverank.index.index import Index
from moverank.index.parts.plan import Plan
from moverank.index.snapshot import Snapshot
from moverank.text_index.joint import JointTextBuild

WORDS = "river stone cloud engine garden winter music letter bridge market doctor island"
VOCABULARY = [*WORDS.split(), *(f"w{n}" for n in range(200))]
ENCODER = encoders.WordVectors(VOCABULARY, np.random.default_rng(1).normal(size=(len(VOCABULARY), 24)))
OPTIONS = {
    "passages": None, "lexical": None, "store_texts": True, "dtype": None, "rescore": False, "prefilter": "auto",
    "pool": 1, "space": None,
}  # fmt: skip


def texts(count, seed=0):
    rng = random.Random(seed)
    return [
        " ".join(rng.choices(VOCABULARY, k=rng.randint(3, 12))) + f". {rng.choice(VOCABULARY)}!" for _ in range(count)
    ]


TEXTS = texts(160)
IDS = [f"d{(7 * n) % 160}" for n in range(160)]
PAYLOADS = [{"n": n} if n % 3 else None for n in range(160)]
BATCHES = [list(range(start, start + 20)) for start in range(0, 160, 20)]
QUERIES = texts(6, seed=5)


def begun(folder, *, resume=False, unknown="raise", **options):
    return JointTextBuild(
        folder, lambda count: TEXTS[:count], ENCODER, None, unknown=unknown, resume=resume, **{**OPTIONS, **options}
    )


def take(writer, rows, given=TEXTS, ids=IDS):
    return writer.take(ENCODER, [given[r] for r in rows], [ids[r] for r in rows], [PAYLOADS[r] for r in rows])


def by_one(given=TEXTS, ids=IDS, **options):
    index = mr.TextIndex.create(encoder=ENCODER, **{**OPTIONS, **options})
    index.add(given, ids, payloads=PAYLOADS)
    return index


def answers(index, **options):
    return [
        [(hit.id, hit.score, hit.distance, hit.lexical, hit.text, hit.passage, hit.payload) for hit in hits]
        for hits in index.search_batch(QUERIES, 12, **options)
    ]


def write_some(writer, batches):
    for rows in batches:
        take(writer, rows)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lexical": "english"},
        {"lexical": "english", "store_texts": False},
        {"passages": mr.Passages(4, 1), "lexical": "words"},
        {"dtype": "float32", "prefilter": "Flat"},
        {"dtype": "int8", "rescore": True, "prefilter": None},
        {"dtype": "int4"},
        {"dtype": "float16", "pool": 2, "prefilter": "tokens"},
        {"space": mr.fit(ENCODER, TEXTS, ["centring"])},
    ],
    ids=str,
)
def test_index_equals_that_of_one_process(tmp_path, options):
    build = begun(tmp_path / "index", **options)
    names = [take(build.writer(1), rows) for rows in BATCHES]
    added = build.commit(160, names)
    build.close()
    assert (added.ids, added.skipped) == (IDS, [])
    expected = by_one(**options)
    with mr.TextIndex.open(tmp_path / "index", encoder=ENCODER) as index:
        index.verify()
        assert list(index) == IDS
        assert repr(index) == repr(expected)
        assert answers(index, candidates=None) == answers(expected, candidates=None)
        assert [index.text(id) for id in IDS[:9]] == [expected.text(id) for id in IDS[:9]]
    assert not (tmp_path / "index/staged").exists()


def test_processes_in_any_order_and_changes_afterwards(tmp_path):
    build = begun(tmp_path / "index", lexical="english")
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=write_some, args=(build.writer(1), BATCHES[n::2])) for n in (1, 0)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    build.commit(160)
    build.close()
    expected = by_one(lexical="english")
    with mr.TextIndex.open(tmp_path / "index", encoder=ENCODER, writable=True) as index:
        assert answers(index) == answers(expected)
        for changed in (index, expected):
            changed.remove(IDS[:30])
            changed.upsert(["river stone engine"], [IDS[40]])
            changed.compact()
        index.verify()
        assert answers(index, candidates=None) == answers(expected, candidates=None)


def test_small_segments_are_merged_and_large_ones_are_linked(tmp_path, monkeypatch):
    monkeypatch.setattr(joint, "SEGMENT_BYTES", 40_000)
    monkeypatch.setattr(joint, "LARGE_SEGMENT", 15_000)
    build = begun(tmp_path / "index", dtype="float32", prefilter=None)
    writer = build.writer(1)
    names = [take(writer, rows) for rows in ([0, 1], [2, 3], range(4, 60), [60], range(61, 160))]
    build.commit(160, names)
    build.close()
    with mr.TextIndex.open(tmp_path / "index", encoder=ENCODER) as index:
        assert [len(part) for part in index.index._snapshot.parts] == [4, 56, 1, 99]
        assert list(index) == IDS
        index.verify()
        assert answers(index, candidates=None) == answers(by_one(dtype="float32", prefilter=None), candidates=None)


# ---- crashes -------------------------------------------------------------------------------------------------------


def test_a_resumed_build_takes_no_row_twice(tmp_path):
    build = begun(tmp_path / "index", lexical="english")
    for rows in BATCHES[:3]:
        take(build.writer(1), rows)
    build.close()
    with pytest.raises(mr.IndexIncompleteError, match="is being built by several processes"):
        mr.TextIndex.open(tmp_path / "index", encoder=ENCODER)
    with pytest.raises(mr.IndexExistsError, match="resume=True continues a build"):
        begun(tmp_path / "index", lexical="english")

    build = begun(tmp_path / "index", lexical="english", resume=True)
    writer = build.writer(1)
    assert take(writer, BATCHES[0]) == ""
    other = [list(range(start, min(start + 33, 160))) for start in range(0, 160, 33)]
    names = [take(writer, rows) for rows in other]
    assert [bool(name) for name in names] == [False, True, True, True, True]
    build.commit(160, [name for name in names if name])
    build.close()
    with mr.TextIndex.open(tmp_path / "index", encoder=ENCODER) as index:
        index.verify()
        assert sorted(index) == sorted(IDS)
        assert answers(index) == answers(by_one(lexical="english"))
    build = begun(tmp_path / "index", lexical="english", resume=True)
    assert build.is_complete
    build.close()


def test_a_row_taken_twice_by_a_lost_process_is_in_the_index_once(tmp_path):
    for options in ({}, {"dtype": "float16", "passages": mr.Passages(4, 1), "lexical": "english"}):
        folder = tmp_path / str(len(options))
        build = begun(folder, **options)
        writer = build.writer(1)
        assert take(writer, BATCHES[0]) == take(writer, BATCHES[0])
        names = [take(writer, rows) for rows in BATCHES]
        names += [take(writer, range(10, 50)), take(writer, BATCHES[3])]
        added = build.commit(160, [*dict.fromkeys(names)])
        build.close()
        assert sorted(added.ids) == sorted(IDS)
        with mr.TextIndex.open(folder, encoder=ENCODER) as index:
            index.verify()
            assert sorted(index) == sorted(IDS)
            assert answers(index, candidates=None) == answers(by_one(**options), candidates=None)


def _killed_at(writer, rows, name):
    """A process that is killed at a step of its writing."""
    from moverank.index.disk import staging

    setattr(staging, name, lambda *given: os.kill(os.getpid(), signal.SIGKILL))
    take(writer, rows)


@pytest.mark.parametrize("name", ["write_arrays", "Segment", "replace_file", "sync_folder"])
def test_a_killed_process_leaves_all_or_nothing(tmp_path, name):
    build = begun(tmp_path / "index")
    writer = build.writer(1)
    worker = multiprocessing.get_context("spawn").Process(target=_killed_at, args=(writer, BATCHES[0], name))
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    names = [take(writer, rows) for rows in BATCHES]
    build.commit(160, names)
    build.close()
    with mr.TextIndex.open(tmp_path / "index", encoder=ENCODER) as index:
        index.verify()
        assert list(index) == IDS


def _commit_killed(folder, steps):
    from moverank.index.disk import files, store

    build = begun(folder, resume=True, lexical="english")
    names = [take(build.writer(1), rows) for rows in BATCHES]
    module, name, calls = {
        "link": (joint.FolderPlace, "put", 2),
        "manifest": (store, "replace_file", 0),
        "sweep": (store.Store, "_sweep", 0),
        "synced": (files, "sync_folder", 0),
    }[steps]
    own, count = getattr(module, name), iter(range(calls))

    def dying(*given):
        if next(count, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return own(*given)

    setattr(module, name, dying)
    build.commit(160, names)


@pytest.mark.parametrize("step", ["link", "manifest", "sweep"])
def test_a_killed_commit_is_repeated(tmp_path, step):
    begun(tmp_path / "index", lexical="english")._build._store.close()
    worker = multiprocessing.get_context("spawn").Process(target=_commit_killed, args=(tmp_path / "index", step))
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    build = begun(tmp_path / "index", resume=True, lexical="english")
    assert build.is_complete == (step == "sweep")
    if not build.is_complete:
        assert [take(build.writer(1), rows) for rows in BATCHES] == [""] * len(BATCHES)
        build.commit(160)
    build.close()
    with mr.TextIndex.open(tmp_path / "index", encoder=ENCODER, writable=True) as index:
        index.verify()
        assert sorted(index) == sorted(IDS)
        assert answers(index) == answers(by_one(lexical="english"))
    assert not (tmp_path / "index/staged").exists()


# ---- errors --------------------------------------------------------------------------------------------------------


def test_ids_given_twice_are_refused_by_name(tmp_path):
    writer = (build := begun(tmp_path / "index")).writer(1)
    with pytest.raises(mr.DuplicateIdError, match="ids: 'd0' is given more than once"):
        take(writer, [0, 1, 0])
    first = take(writer, BATCHES[0])
    other = take(writer, [20, 21], ids=["x", "d14"] * 11)
    with pytest.raises(mr.DuplicateIdError, match="ids: 'd14' is given more than once"):
        build.commit(22, [first, other])
    build.close()


def test_a_row_given_twice_is_refused(tmp_path):
    writer = (build := begun(tmp_path / "index")).writer(1)
    first, again = take(writer, BATCHES[0]), take(writer, [3, 20])
    with pytest.raises(mr.DuplicateIdError, match=r"1 are given more than once; 'd21' is one of them"):
        build.commit(22, [first, again])
    with pytest.raises(mr.DuplicateIdError, match=r"20 are given more than once"):
        build.commit(41, [first])
    build.close()


def test_documents_that_are_no_longer_given_are_an_error(tmp_path):
    build = begun(tmp_path / "index")
    take(build.writer(1), BATCHES[0])
    build.close()
    build = begun(tmp_path / "index", resume=True)
    with pytest.raises(ValueError, match="5 that were written then are not given now"):
        build.commit(15)
    build.close()
    build = begun(tmp_path / "index", resume=True)
    take(build.writer(1), BATCHES[0], given=["river", *TEXTS[1:]])
    with pytest.raises(mr.DuplicateIdError, match=r"'d0' is given .* another document had it when the build was begun"):
        build.commit(20)
    build.close()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"passages": mr.Passages(3, 1)}, ValueError, "begun with passages None, not Passages"),
        ({"lexical": "words"}, ValueError, "begun with lexical None, not 'words'"),
        ({"store_texts": False}, ValueError, "begun with store_texts True, not False"),
        ({"dtype": "float16"}, ValueError, "begun with kind 'words', not 'tokens'"),
        ({"space": mr.fit(ENCODER, TEXTS, ["centring"])}, ValueError, "begun with another space"),
    ],
    ids=str,
)
def test_other_options_are_refused(tmp_path, options, error, message):
    build = begun(tmp_path / "index")
    take(build.writer(1), BATCHES[0])
    build.close()
    with pytest.raises(error, match=message):
        begun(tmp_path / "index", resume=True, **options)
    begun(tmp_path / "index", resume=True).close()


def test_other_measures_and_encoders_are_refused(tmp_path):
    build = begun(tmp_path / "index")
    take(build.writer(1), BATCHES[0])
    build.close()
    again = partial(JointTextBuild, tmp_path / "index", None, unknown="raise", resume=True, **OPTIONS)
    with pytest.raises(mr.MeasureMismatchError, match=r"begun for .*not for"):
        again(ENCODER, "wmd")
    with pytest.raises(mr.EncoderMismatchError):
        again(encoders.WordVectors(["a"], np.ones((1, 24))), None)


def test_builds_of_other_kinds_do_not_mix(tmp_path):
    build = begun(tmp_path / "joint")
    take(build.writer(1), BATCHES[0])
    build.close()
    batch = mr.readers.Batch([np.eye(3)], ids=["a"])
    with pytest.raises(ValueError, match="begun by several processes"):
        Index.build_on_disk(tmp_path / "joint", [batch], build._build.empty.setup.measure, resume=True)
    one = Build(tmp_path / "one", Plan.of("wrd", costs=None, space=None, encoder=None), resume=False, num_threads=1)
    one._add(batch)
    one._write()
    one._finish_writing()
    one.close()
    with pytest.raises(ValueError, match=r"begun by Index\.build_on_disk"):
        JointBuild(tmp_path / "one", Snapshot(one._setup, [], []), resume=True)


def test_nothing_is_left_of_a_build_that_took_nothing(tmp_path):
    build = begun(tmp_path / "index", unknown="skip")
    with pytest.raises(ValueError, match="expected at least one document, got none"):
        build.commit(0)
    build.close()
    assert not (tmp_path / "index").exists()
    build = begun(tmp_path / "index")
    with pytest.raises(mr.NoTokensError, match=r"text 0 \(id 'x'\) has no word with a vector: 'zzz'"):
        build.writer(1).take(ENCODER, ["zzz"], ["x"], None)
    build.close()
    assert not (tmp_path / "index").exists()


def test_texts_without_a_token_are_left_out_and_listed(tmp_path):
    build = begun(tmp_path / "index", unknown="skip", lexical="english")
    writer = build.writer(1)
    names = [
        writer.take(ENCODER, ["river", "zzz"], [5, 6], None),
        writer.take(ENCODER, ["qqq"], [9], None),
        writer.take(ENCODER, ["stone"], [2], None),
    ]
    added = build.commit(4, names)
    build.close()
    assert (added.ids, added.skipped, added.dropped) == ([5, 2], [6, 9], 0)
    with mr.TextIndex.open(tmp_path / "index", encoder=ENCODER, writable=True) as index:
        assert list(index) == [5, 2]
        assert index.add(["cloud"]).ids == [10]
        index.verify()


def test_a_damaged_record_is_told(tmp_path):
    build = begun(tmp_path / "index")
    name = take(build.writer(1), BATCHES[0])
    path = tmp_path / "index/staged" / f"{name}.json"
    whole = json.loads(path.read_text())
    for change, message in [
        ({"counts": [1] * 19}, "one digest and one count per row"),
        ({"counts": [2] * 20}, "counts other documents"),
        ({"ids": 3}, "'ids' is 3, expected list"),
        ({"segment": {**whole["segment"], "file": None}}, "lacks its name"),
    ]:
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(mr.IndexFormatError, match=message):
            build.commit(20, [name])
    path.write_text("{")
    with pytest.raises(mr.IndexFormatError, match="is not JSON"):
        build.commit(20, [name])
    build.close()


# ---- vectors without texts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int", "str"])
@pytest.mark.parametrize("options", [{}, {"dtype": "int4", "prefilter": "tokens"}, {"rescore": True, "dtype": "int8"}])
def test_vectors_equal_those_of_a_build_on_disk(tmp_path, kind, options):
    rng = np.random.default_rng(3)
    docs = [1e3 + rng.normal(size=(rng.integers(20, 40), 16)) for _ in range(120)]
    ids = [3 * n for n in range(120)] if kind == "int" else [f"d{n}" for n in range(120)]
    batches = [mr.readers.Batch(docs[s : s + 30], ids[s : s + 30], list(range(s, s + 30))) for s in range(0, 120, 30)]
    expected = Index.build_on_disk(tmp_path / "one", batches, "wmd", **options)
    plan = Plan.of("wmd", costs=None, space=None, encoder=None, streams=True, **options)
    first = plan.documents(batches[0].docs)
    setup = plan.setup(first, batches[0].ids)

    def trained(setup):
        from moverank.index.parts.anchors import with_anchors

        return with_anchors(setup, [plan.documents(batch.docs) for batch in batches], 1)

    build = JointBuild(tmp_path / "index", Snapshot(setup, [], []), resume=False, trained=trained)
    names = []
    for batch in batches:
        digests = [digest_of(repr(id).encode(), own.tobytes()) for id, own in zip(batch.ids, batch.docs, strict=True)]
        rows = Rows(list(batch.ids), digests)
        names.append(build.writer.write(rows, batch.docs, batch.ids, batch.payloads))
    build.commit(120, names)
    build.close()
    with Index.open(tmp_path / "index", writable=True) as index:
        index.verify()
        for query in docs[:5]:
            ours, theirs = index.search(query, 10), expected.search(query, 10)
            assert ours.ids.tolist() == theirs.ids.tolist()
            assert ours.distances.tolist() == theirs.distances.tolist()
            assert [hit.payload for hit in ours] == [hit.payload for hit in theirs]
        if kind == "int":
            assert index.add([docs[0]]).tolist() == [358]
