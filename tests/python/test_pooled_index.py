"""Indexes of documents with pooled tokens: exact for what is stored, in memory and in folders, explained honestly."""

import copy
import json
import pickle
import re

import numpy as np
import pytest

import moverank as mr
from damaged import GONE, change, content, overwrite
from moverank.cli import main
from moverank.encoders import WordVectors
from moverank.index.disk.describe import describe
from moverank.readers import Batch

RNG = np.random.default_rng(0)
DOCS = [RNG.normal(size=(n % 11 + 1, 6)).astype(np.float32) for n in range(60)]
WEIGHTED = mr.Sequences(DOCS, [RNG.random(len(x)) + 0.1 for x in DOCS])
QUERY = RNG.normal(size=(4, 6)).astype(np.float32)
MEASURES = [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4), mr.maxsim, mr.Measure("dot", "norm"), mr.rwmd]


def same_hits(found, expected):
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_allclose(found.distances, expected.distances, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
@pytest.mark.parametrize("docs", [mr.Sequences(DOCS), WEIGHTED], ids=["plain", "weighted"])
@pytest.mark.parametrize("options", [{}, {"dtype": "int8"}, {"dtype": "float16", "rescore": True}], ids=str)
def test_an_index_holds_the_pooled_documents(measure, docs, options):
    index = mr.Index.build(docs, measure, pool=2, **options)
    pooled = mr.pool_tokens(docs, 2, measure)
    expected = mr.Index.build(pooled.documents, measure, **options)
    assert index.pool == 2
    hits = index.search(QUERY, 10)
    assert hits.certificate.exact
    same_hits(hits, expected.search(QUERY, 10))
    same_hits(index.rerank(QUERY, [5, 3, 50]), expected.rerank(QUERY, [5, 3, 50]))
    for s in (0, 10, 59):
        run = slice(*pooled.offsets[s : s + 2])
        np.testing.assert_array_equal(index.pooled_into(s), pooled.pooled_into[run])


@pytest.mark.parametrize("prefilter", ["Flat", "tokens", mr.Clusters(2), "HNSW4", None])
def test_prefilters_see_pooled_tokens(prefilter):
    index = mr.Index.build(DOCS, "wrd", pool=3, prefilter=prefilter)
    same_hits(index.search(QUERY, 5), mr.Index.build(DOCS, "wrd", pool=3, prefilter=None).search(QUERY, 5))
    if prefilter is not None:
        found = index.search(QUERY, 5, candidates=len(DOCS))
        np.testing.assert_array_equal(found.ids, index.search(QUERY, 5).ids)


@pytest.mark.parametrize("dtype", [None, "int8"])
def test_the_stored_mass_is_that_of_the_members(dtype):
    """Under WRD, mass is the norm: that of a stored mean is another one."""
    index = mr.Index.build(DOCS, "wrd", pool=4, dtype=dtype)
    for s in (7, 10, 31):
        norms = np.linalg.norm(DOCS[s].astype(np.float64), axis=1)
        expected = np.bincount(index.pooled_into(s), norms / norms.sum())
        np.testing.assert_allclose(index.rerank(QUERY, [s])[0].alignment.b, expected, rtol=1e-6)


def test_documents_that_come_later_are_pooled_too(tmp_path):
    whole = mr.Index.build(DOCS, "wrd", pool=2)
    mr.Index.build(DOCS[:20], "wrd", pool=2).save(tmp_path / "i")
    with mr.Index.open(tmp_path / "i", writable=True) as index:
        index.add(DOCS[20:50])
        index.add([x[::-1] for x in DOCS[50:]])
        index.upsert(DOCS[50:], ids=list(range(50, 60)))
        index.remove([3])
        index.compact()
        index.upsert(DOCS[3:4], ids=[3])
        same_hits(index.search(QUERY, 60), whole.search(QUERY, 60))
        np.testing.assert_array_equal(index.pooled_into(3), whole.pooled_into(3))
        index.verify()
    again = mr.Index.open(tmp_path / "i", mmap=False)
    assert again.pool == 2
    assert repr(again) == "Index(60 documents, measure=wrd, dim=6, pool=2)"
    same_hits(again.search(QUERY, 60), whole.search(QUERY, 60))
    for s in range(60):
        np.testing.assert_array_equal(again.pooled_into(s), whole.pooled_into(s))


def batches(docs=DOCS, upto=None):
    for n in range(0, len(docs), 10):
        if n == upto:
            raise RuntimeError("the source broke")
        yield Batch(docs[n : n + 10], list(range(n, min(n + 10, len(docs)))))


def test_an_index_on_disk_is_the_one_in_memory(tmp_path):
    index = mr.Index.build_on_disk(tmp_path / "i", batches(), "wrd", pool=2.5, dtype="float16")
    expected = mr.Index.build(DOCS, "wrd", pool=2.5, dtype="float16")
    same_hits(index.search(QUERY, 20), expected.search(QUERY, 20))
    index.verify()
    facts = describe(tmp_path / "i")
    assert facts["pooled"] == f"by 2.5, from {sum(map(len, DOCS))} tokens"
    assert facts["tokens"] == sum(int(np.ceil(len(x) / 2.5)) for x in DOCS)
    assert content(tmp_path / "i")["pool"] == 2.5


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_build_is_resumed_only_with_the_factor_it_was_begun_with(tmp_path, monkeypatch, cut_off):
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 2000)
    path = tmp_path / "i"
    if cut_off:
        with pytest.raises(RuntimeError, match=r"the source broke"):
            mr.Index.build_on_disk(path, batches(upto=40), "wrd", pool=2)
    else:
        mr.Index.build_on_disk(path, batches(), "wrd", pool=2)
    for options, said in (({}, "1"), ({"pool": 3}, "3")):
        with pytest.raises(ValueError, match=rf"^resume: the build was begun with pool 2, not {said}$"):
            mr.Index.build_on_disk(path, batches(), "wrd", resume=True, **options)
    with pytest.raises(ValueError, match=r"^resume: .*document 0 has different tokens or weights"):
        mr.Index.build_on_disk(path, batches([x + 1 for x in DOCS]), "wrd", pool=2, resume=True)
    with pytest.raises(ValueError, match=r"^resume: .*document 0 has a different number of tokens"):
        mr.Index.build_on_disk(path, batches([np.vstack([x, x]) for x in DOCS]), "wrd", pool=2, resume=True)
    weights = [np.linalg.norm(x, axis=1) for x in DOCS]
    weights[10] = np.eye(11)[0]  # a group of stored tokens has no mass then
    with pytest.raises(ValueError, match=r"^resume: .*document 10 has different tokens or weights"):
        mr.Index.build_on_disk(path, batches(mr.Sequences(DOCS, weights)), "wrd", pool=2, resume=True)
    index = mr.Index.build_on_disk(path, batches(), "wrd", pool=2, resume=True)
    same_hits(index.search(QUERY, 60), mr.Index.build(DOCS, "wrd", pool=2).search(QUERY, 60))


def test_a_build_is_resumed_with_tokens_whose_last_digits_differ(tmp_path):
    """Here they decide between two ties: the same text may be grouped in another way."""
    tie = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0 + 1e-6], [9.0, 9.0]], dtype=np.float32)
    other = tie.copy()
    other[2, 1] = 1.0 - 1e-6
    first, second = (mr.pool_tokens([x], 4 / 3, "wmd").pooled_into.tolist() for x in (tie, other))
    assert first != second
    mr.Index.build_on_disk(tmp_path / "i", [Batch([tie])], "wmd", pool=4 / 3)
    index = mr.Index.build_on_disk(tmp_path / "i", [Batch([other])], "wmd", pool=4 / 3, resume=True)
    assert index.pooled_into(0).tolist() == first


def test_documents_far_from_the_origin_keep_their_digits(tmp_path):
    near = mr.Index.build(DOCS, "wmd", pool=2)
    far = mr.Index.build([x.astype(np.float64) + 1e8 for x in DOCS], "wmd", pool=2)
    hits = far.search(QUERY.astype(np.float64) + 1e8, 10)
    np.testing.assert_array_equal(hits.ids, near.search(QUERY, 10).ids)
    np.testing.assert_allclose(hits.distances, near.search(QUERY, 10).distances, rtol=1e-4)
    np.testing.assert_array_equal(far.pooled_into(10), near.pooled_into(10))


def test_documents_that_cannot_be_measured_are_named():
    bad = [*DOCS[:3], np.zeros((2, 6))]
    with pytest.raises(ValueError, match=r"docs: sequence 3 .id 'd'.: token 0 is a zero vector"):
        mr.Index.build(bad, mr.Measure("cosine", "uniform"), pool=2, ids=list("abcd"))


@pytest.mark.parametrize(
    "build",
    [
        lambda **options: mr.Index.build(mr.Bags(np.eye(3), [[0, 1], [2]]), "wmd", **options),
        lambda **options: mr.Index.build([[0.5, 0.5]], costs=np.eye(2), **options),
    ],
    ids=["bags", "histograms"],
)
def test_what_shares_one_table_is_not_pooled(build):
    with pytest.raises(ValueError, match=r"^pool: expected 1 for documents that share one table, got 2$"):
        build(pool=2)
    index = build(pool=1)
    assert index.pool == 1
    with pytest.raises(ValueError, match=r"^pooled_into: expected an index of sequences"):
        index.pooled_into(0)


def test_an_index_of_all_tokens_says_so(tmp_path):
    index = mr.Index.build(DOCS, "wrd")
    assert index.pool == 1
    assert index.pooled_into(10).tolist() == list(range(11))
    index.save(tmp_path / "i")
    assert describe(tmp_path / "i")["pooled"] == "no"
    assert content(tmp_path / "i")["pool"] is None
    change(tmp_path / "i", "pool", to=2)
    with pytest.raises(mr.IndexFormatError, match=r"array 'pooled_into': missing|array 'given_offsets': missing"):
        mr.Index.open(tmp_path / "i")


# ---- explanations ----------------------------------------------------------------------------------------------------

WORDS = WordVectors(
    ["cat", "dog", "bird", "sun", "moon", "star"],
    [[1, 0, 0], [0.9, 0.1, 0], [0.8, 0.2, 0], [0, 1, 0.1], [0, 1, 0.2], [0, 0.1, 1]],
)
TEXT = "sun cat moon dog star bird"


@pytest.fixture
def index():
    docs = WORDS.encode([TEXT, "star"])
    return mr.Index.build(docs, "wrd", pool=2, ids=["a", "b"], payloads=[TEXT, "star"], encoder=WORDS)


def test_a_pooled_token_is_named_by_its_members(index):
    hit = index.search(WORDS.encode(["cat"])[0].vectors, 1, subset=["a"])[0]
    alignment = hit.alignment
    assert alignment.pooled_into.tolist() == [0, 1, 0, 1, 2, 1]
    assert alignment.value == pytest.approx(hit.distance)
    assert list(alignment.target_names) == ["[0+2]", "[1+3+5]", "[4]"]
    named = alignment.named(["cat"], TEXT.split())
    assert named.target_tokens == ("sun + moon", "cat + dog + bird", "star")
    assert alignment.named(["cat"], ["x", "y", "z"]).target_tokens == ("x", "y", "z")
    assert "cat + dog + bird" in str(named)
    assert "cat + dog + bird" in named.to_html()
    assert json.loads(json.dumps(named.to_dict()))["pooled_into"] == [0, 1, 0, 1, 2, 1]
    with pytest.raises(ValueError, match=r"target_tokens: expected 3 names, one per token, got 4"):
        alignment.named(["cat"], list("abcd"))
    with pytest.raises(TypeError, match=r"target_tokens: name 5 is not a string but int"):
        alignment.named(["cat"], [*"abcde", 3])


def test_long_names_count_what_they_leave_out():
    index = mr.Index.build([np.ones((9, 2))], "wrd", pool=9)
    alignment = index.search([[1.0, 0.0]], 1)[0].alignment
    assert list(alignment.target_names) == ["[0+1+2+6 more]"]
    assert alignment.named(["x"], list("abcdefghi")).target_tokens == ("a + b + c + 6 more",)


def test_hits_explain_themselves_without_the_index(index):
    hits = index.search(WORDS.encode(["cat"])[0].vectors, 2)
    expected = [hit.alignment for hit in hits]
    for other in (pickle.loads(pickle.dumps(hits)), copy.deepcopy(hits)):
        for hit, own in zip(other, expected, strict=True):
            np.testing.assert_array_equal(hit.alignment.pooled_into, own.pooled_into)
            assert list(hit.alignment.target_names) == list(own.target_names)
    one = pickle.loads(pickle.dumps(hits[1]))
    assert list(one.alignment.target_names) == list(expected[1].target_names)


def test_a_reranker_names_pooled_tokens_by_the_text(index):
    ranking = mr.Reranker(WORDS).rank("cat sun", index)
    names = {document.doc_id: document.explain().target_tokens for document in ranking}
    assert names == {"a": ("sun + moon", "cat + dog + bird", "star"), "b": ("star",)}


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.5, -1, "2"])
def test_a_factor_that_makes_no_sense_is_damage(tmp_path, value):
    mr.Index.build(DOCS, "wrd", pool=2).save(tmp_path / "i")
    change(tmp_path / "i", "pool", to=value)
    with pytest.raises(mr.IndexFormatError, match=r"pool"):
        mr.Index.open(tmp_path / "i")


def test_manifests_from_before_lack_the_factor(tmp_path):
    mr.Index.build(DOCS, "wrd").save(tmp_path / "i")
    change(tmp_path / "i", "pool", to=GONE)
    assert mr.Index.open(tmp_path / "i").pool == 1


@pytest.mark.parametrize("value", [7, -1, -2])
def test_verify_finds_groups_that_do_not_match(tmp_path, value):
    mr.Index.build(DOCS[:9], "wrd", pool=2).save(tmp_path / "i")
    overwrite(tmp_path / "i", "pooled_into", 0, value)
    index = mr.Index.open(tmp_path / "i")
    with pytest.raises(mr.IndexFormatError, match=r"array 'pooled_into': (does not match the tokens|has a number)"):
        index.verify()
    if value != -1:
        with pytest.raises(mr.IndexFormatError, match=r"pooled tokens are numbered from 0 to 0"):
            _ = index.rerank(QUERY, [0])[0].alignment


# ---- command line ----------------------------------------------------------------------------------------------------


def test_the_command_line_pools_texts(tmp_path, capsys):
    (tmp_path / "docs.txt").write_text("the cat sat on the mat beside the dog\nshares fell on tuesday\n")
    path = str(tmp_path / "i")
    assert main(["index", path, str(tmp_path / "docs.txt"), "--pool", "2", "--quiet"]) == 0
    assert ", pool=2) in " in capsys.readouterr().out
    with mr.Index.open(path) as index:
        assert index.pool == 2
        assert not index.is_of_bags
    (tmp_path / "more.txt").write_text("a bird sang in the old tree\n")
    assert main(["add", path, str(tmp_path / "more.txt")]) == 0
    assert main(["info", path]) == 0
    assert re.search(r"pooled +by 2, from \d+ tokens", capsys.readouterr().out)
    assert main(["explain", "a bird in a tree", "more.txt:1", "--index", path]) == 0
    assert " + " in capsys.readouterr().out
    assert main(["index", str(tmp_path / "j"), str(tmp_path / "docs.txt"), "--pool", "0.5"]) == 2
    assert "pool must be a finite number of at least 1, got 0.5" in capsys.readouterr().err
