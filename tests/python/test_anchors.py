"""Tokens of 4 and 2 bits in an index: what is stored is how each differs from an anchor near it."""

import pickle
from itertools import pairwise

import numpy as np
import pytest

import moverank as mr
from damaged import change, content, overwrite
from moverank.index.batch import Batch
from moverank.index.disk.describe import describe
from moverank.index.parts.anchors import NO_ANCHOR
from moverank.index.parts.arrays import tokens_in

DIM = 24


def clustered(seed, count, dim=DIM):
    """Documents whose tokens lie near some of 40 vectors."""
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(99).normal(size=(40, dim))
    return mr.Sequences(
        [
            means[rng.integers(40, size=n)] + 0.3 * rng.normal(size=(n, dim))
            for n in rng.integers(2, 12, size=count).tolist()
        ]
    )


DOCS = clustered(0, 400)


def stored_in(index):
    """All documents as the index stores them, in order."""
    parts = index._snapshot.parts
    runs = []
    for part in parts:
        tokens, offsets = tokens_in(part.arrays, part.setup).decoded(), part.arrays["offsets"]
        runs += [tokens[first:end] for first, end in pairwise(offsets.tolist())]
    return mr.Sequences(runs)


def anchors_of(index):
    return index._snapshot.setup.anchors


@pytest.mark.parametrize("dtype", ["int4", "int2"])
@pytest.mark.parametrize("measure", ["wrd", "wmd", "maxsim", mr.wrd.replace(capacity=4)], ids=str)
@pytest.mark.parametrize("prefilter", ["Flat", "tokens", None])
def test_answers_are_exact_for_what_is_stored(dtype, measure, prefilter):
    index = mr.Index.build(DOCS, measure, dtype=dtype, prefilter=prefilter)
    assert anchors_of(index) is not None
    query = clustered(1, 1)[0]
    every = mr.distances(query, stored_in(index), measure)
    hits = index.search(query, 400)
    np.testing.assert_array_equal(hits.distances, np.sort(every))
    np.testing.assert_array_equal(every[hits.ids], hits.distances)
    assert hits[0].alignment.value == pytest.approx(hits[0].distance, abs=1e-6)
    few = index.search(query, 5, candidates=None if prefilter is None else 50)
    np.testing.assert_array_equal(every[few.ids], few.distances)


@pytest.mark.parametrize(("dtype", "fraction"), [("int4", 0.3), ("int2", 0.3)])
def test_tokens_near_anchors_are_held_more_precisely(dtype, fraction):
    stored = stored_in(mr.Index.build(DOCS, dtype=dtype)).tokens
    direct = DOCS.astype(dtype)._stored.decoded()
    error, without = (((own - DOCS.tokens) ** 2).sum() for own in (stored, direct))
    assert error < fraction * without


def test_tokens_that_anchors_would_make_longer_are_stored_as_they_are():
    index = mr.Index.build(DOCS, "wmd", dtype="int4")
    short = np.vstack([np.zeros((1, DIM)), 0.01 * np.random.default_rng(4).normal(size=(2, DIM))])
    (new,) = index.add([short])
    part = index._snapshot.parts[-1]
    run = slice(*part.arrays["offsets"][-2:])
    assert part.arrays["nearest"][run].tolist() == [NO_ANCHOR] * 3
    found = tokens_in(part.arrays, part.setup)[run].decoded()
    np.testing.assert_array_equal(found, mr.Sequences([short]).astype("int4")[0].tokens)
    assert not np.signbit(found[0]).any()
    assert index.search(short, 1).ids.tolist() == [new]


def test_small_indexes_and_tokens_that_are_packed_already_have_no_anchors(tmp_path):
    for index in (
        mr.Index.build(DOCS[:40], dtype="int4"),
        mr.Index.build(DOCS.astype("int4")),
        mr.Index.build(DOCS.astype("int4"), dtype="int4"),
        mr.Index.build(DOCS, dtype="int4", rescore=True),
        mr.Index.build(DOCS, dtype="int8"),
        mr.Index.build_on_disk(tmp_path / "packed", [Batch(DOCS.astype("int2")), Batch(DOCS)], dtype="int2"),
    ):
        assert anchors_of(index) is None
        assert "nearest" not in index._snapshot.parts[0].arrays
    small = mr.Index.build(DOCS[:40], dtype="int4")
    np.testing.assert_array_equal(stored_in(small).tokens, DOCS[:40].astype("int4")._stored.decoded())
    # Other packed tokens are rounded again, near anchors.
    assert anchors_of(mr.Index.build(DOCS.astype("int4"), dtype="int2")) is not None


def test_anchors_stay_as_they_are_through_every_change(tmp_path):
    index = mr.Index.build(DOCS, dtype="int4")
    before = stored_in(index)
    index.save(tmp_path / "index")
    with mr.Index.open(tmp_path / "index", writable=True) as opened:
        (file,) = tmp_path.glob("index/*.anchors")
        for one in (index, opened):
            one.add(clustered(5, 300))
            one.upsert(clustered(6, 3), ids=[0, 1, 2])
            one.remove([7, 8])
            one.compact()
            assert anchors_of(one) == anchors_of(index)
        assert [file] == list(tmp_path.glob("index/*.anchors"))
        kept = {id: position for position, id in enumerate(opened.ids.tolist())}
        after = stored_in(opened)
        for id in (3, 6, 9, 399):
            np.testing.assert_array_equal(after[kept[id]].tokens, before[id].tokens)
        assert opened.verify().files == 2 + len(list(tmp_path.glob("index/*.faiss")))
        query = clustered(7, 1)[0]
        np.testing.assert_array_equal(opened.search(query, 20).distances, index.search(query, 20).distances)
    for again in (pickle.loads(pickle.dumps(index)), mr.Index.open(tmp_path / "index", mmap=False)):
        assert anchors_of(again) == anchors_of(index)
        np.testing.assert_array_equal(again.search(query, 20).distances, index.search(query, 20).distances)


@pytest.mark.parametrize("size", [1, 37, 400])
def test_batches_of_any_size_give_the_same_anchors(tmp_path, size):
    seen = []
    batches = (Batch(DOCS[first : first + size]) for first in range(0, 400, size))
    built = mr.Index.build_on_disk(tmp_path / "index", batches, dtype="int2", progress=seen.append)
    assert anchors_of(built) == anchors_of(mr.Index.build(DOCS, dtype="int2"))
    assert seen == [*range(size, 400, size), 400]
    np.testing.assert_array_equal(stored_in(built).tokens, stored_in(mr.Index.build(DOCS, dtype="int2")).tokens)


def test_a_build_begins_once_it_has_enough_tokens_and_resumes_with_its_anchors(tmp_path, monkeypatch):
    monkeypatch.setattr("moverank.index.parts.anchors.MOST_ANCHORS", 16)
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1 << 12)
    monkeypatch.setattr("moverank.index.parts.anchors.TOKENS_PER_ANCHOR", 32)

    def batches(until):
        for first in range(0, 400, 50):
            if first == until:
                raise OSError("the disk is gone")
            yield Batch(DOCS[first : first + 50])

    with pytest.raises(OSError, match="the disk is gone"):
        mr.Index.build_on_disk(tmp_path / "index", batches(300), dtype="int4")
    begun = content(tmp_path / "index")["anchors"]
    index = mr.Index.build_on_disk(tmp_path / "index", batches(None), dtype="int4", resume=True)
    assert content(tmp_path / "index")["anchors"] == begun
    assert anchors_of(index).digest == begun["digest"]
    # Trained on the first batches alone.
    assert anchors_of(index) == anchors_of(mr.Index.build(DOCS[:100], dtype="int4"))
    query = clustered(3, 1)[0]
    np.testing.assert_array_equal(
        index.search(query, 9).distances, np.sort(mr.distances(query, stored_in(index), "wrd"))[:9]
    )


def test_what_is_held_back_is_refused_as_any_batch_is(tmp_path, monkeypatch):
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1 << 27)
    good = Batch(DOCS[:5])
    with pytest.raises(mr.DimensionError, match="dimension 3"):
        mr.Index.build_on_disk(tmp_path / "a", [good, Batch([np.eye(3)])], dtype="int4")
    ones = Batch(DOCS[:1], ids=["x"])
    with pytest.raises(mr.DuplicateIdError, match="'x' is given more than once"):
        mr.Index.build_on_disk(tmp_path / "b", [ones, ones], dtype="int4")
    assert [path.name for path in tmp_path.rglob("*")] == []


def test_anchors_lie_about_the_origin_of_documents_far_from_zero():
    rng = np.random.default_rng(8)
    far = [1e6 + rng.normal(size=(4, 6)) for _ in range(400)]
    index = mr.Index.build(far, mr.Measure("euclidean", "uniform"), dtype="int4")
    assert index._snapshot.setup.origin is not None
    assert anchors_of(index) is not None
    hits = index.search(far[17], 1)
    assert hits.ids.tolist() == [17]
    assert hits.distances[0] < 0.3


def test_pooled_tokens_are_rounded_near_anchors(tmp_path):
    index = mr.Index.build(DOCS, dtype="int4", pool=2)
    pooled = mr.pool_tokens(DOCS, 2, "wrd").documents
    assert anchors_of(index) is not None
    np.testing.assert_allclose(stored_in(index).tokens, pooled.tokens, atol=0.4)
    batches = [Batch(DOCS)]
    built = mr.Index.build_on_disk(tmp_path / "index", batches, dtype="int4", pool=2)
    # Those documents are recognised, whatever rounding did to them.
    again = mr.Index.build_on_disk(tmp_path / "index", batches, dtype="int4", pool=2, resume=True)
    assert anchors_of(again) == anchors_of(built)


@pytest.mark.parametrize("dtype", ["int4", "int2", "int8", "float16"])
@pytest.mark.parametrize("measure", ["wrd", "wmd"])
def test_a_build_of_pooled_tokens_knows_its_documents_again(dtype, measure, tmp_path):
    docs = clustered(3, 300, dim=256)
    options = {"measure": measure, "dtype": dtype, "pool": 2, "prefilter": None}
    mr.Index.build_on_disk(tmp_path / "index", [Batch(docs)], **options)
    again = mr.Index.build_on_disk(tmp_path / "index", [Batch(docs)], **options, resume=True)
    assert len(again) == 300
    others = mr.Sequences([*(docs[n].tokens for n in range(299)), -docs[299].tokens])
    with pytest.raises(ValueError, match="its document 299 has different tokens or weights"):
        mr.Index.build_on_disk(tmp_path / "index", [Batch(others)], **options, resume=True)


def test_tokens_too_long_for_costs_are_named_before_anchors_are_trained_on_them(tmp_path):
    far = mr.Sequences([*(DOCS[n].tokens for n in range(399)), np.full((2, DIM), 3e38)])
    message = "docs: sequence 399: token 0 is too long for costs"
    with pytest.raises(ValueError, match=message):
        mr.Index.build(far, "wmd", dtype="int4")
    with pytest.raises(ValueError, match=r"token 0 is too long for costs"):
        mr.Index.build_on_disk(tmp_path / "index", [Batch(far)], measure="wmd", dtype="int2")
    with pytest.raises(ValueError, match=r"token 0 is too long for costs"):
        mr.Index.build([np.full((2, DIM), 3e38, dtype=np.float32)] * 600, "maxsim", dtype="int4")
    index = mr.Index.build(DOCS, "wmd", dtype="int4")
    with pytest.raises(ValueError, match=r"token 0 is too long for costs"):
        index.add(far[399:])
    assert len(index) == 400


def test_damage_to_anchors_is_found(tmp_path):
    index = mr.Index.build(DOCS, dtype="int4", prefilter=None)

    def damaged(name, message):
        with pytest.raises(mr.IndexFormatError, match=message):
            mr.Index.open(tmp_path / name).verify()

    for name in ("number", "vector", "infinite", "digest", "table", "missing"):
        index.save(tmp_path / name)
    count = len(anchors_of(index).codebook)
    overwrite(tmp_path / "number", "nearest", 3, count)
    damaged("number", "array 'nearest': has the number of an anchor that does not exist")
    found = mr.Index.open(tmp_path / "number").search(DOCS[0], 400)  # which is read as none, and reads nothing else
    assert len(found) == 400
    overwrite(tmp_path / "vector", "centroids", 3, 0.5, of=("anchors",))
    damaged("vector", "the anchors of tokens are not those that the index was built with")
    overwrite(tmp_path / "infinite", "centroids", 3, np.inf, of=("anchors",))
    damaged("infinite", "not finite")
    change(tmp_path / "digest", "anchors", "digest", to="0" * 16)
    damaged("digest", "the anchors of tokens are not those that the index was built with")
    change(tmp_path / "table", "anchors", "arrays", "centroids", "shape", to=[count, DIM + 1])
    damaged("table", "array 'centroids' (of the codebook: |is outside)")
    change(tmp_path / "missing", "anchors", to=None)
    damaged("missing", "array 'nearest': unknown")


def test_info_says_what_tokens_are_stored_as(tmp_path):
    index = mr.Index.build(DOCS, dtype="int4")
    index.save(tmp_path / "index")
    facts = describe(tmp_path / "index")
    assert facts["differences from"] == f"{len(anchors_of(index).codebook)} anchors"
    assert facts["  nearest"] == 2 * facts["tokens"]
    assert facts["  anchors"] > 0
