"""Ids of documents: whatever string or integer of 64 bits, each told from all others, everywhere."""

import tempfile
import tracemalloc
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")

ODD = ["", "a", "a\0", "a\0\0", "\0", "A", " a", "a ", "a\n", "\x1b[31m", "é", "e\u0301", "1", "٣", "😀", "u" * 5000]
DOC = np.eye(3, dtype=np.float32)[:1]


def state(index):
    """Ids and payloads as each way of asking tells them."""
    ids = index.ids.tolist()
    hits = index.search(DOC, max(len(index), 1))
    assert sorted(hits.ids.tolist()) == sorted(ids)
    assert {hit.id: hit.payload for hit in hits} == {name: index.payload(name) for name in ids}
    assert all(type(name) is str and name in index for name in ids)
    return {name: index.payload(name) for name in ids}


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["upsert", "remove", "compact", "save", "remove all"]),
            st.lists(st.sampled_from(ODD), unique=True, min_size=1, max_size=6),
        ),
        max_size=8,
    )
)
def test_an_index_is_a_dictionary_of_whatever_strings(steps):
    expected = {"a": "first", "a\0": "second"}
    index = mr.Index.build([DOC] * 2, "wmd", ids=list(expected), payloads=list(expected.values()))
    with tempfile.TemporaryDirectory() as folder:
        for number, (step, names) in enumerate(steps):
            if step == "upsert":
                payloads = [f"{number}, {name!r:.9}" for name in names]
                index.upsert([DOC] * len(names), names, payloads=payloads)
                expected |= dict(zip(names, payloads, strict=True))
            elif step == "remove":
                known = [name for name in names if name in expected]
                if known:
                    index.remove(known)
                expected = {name: payload for name, payload in expected.items() if name not in known}
            elif step == "compact":
                index.compact()
            elif step == "remove all" and expected:
                index.remove(index.ids)
                expected = {}
            else:
                index.save(Path(folder) / str(number))
                index.close()
                index = mr.Index.open(Path(folder) / str(number), writable=True)
                index.verify()
            assert state(index) == expected
            assert [name in index for name in ODD] == [name in expected for name in ODD]
        index.close()


def test_ties_are_in_order_of_code_points():
    index = mr.Index.build([DOC] * len(ODD), "wmd", ids=ODD)
    assert index.search(DOC, 99).ids.tolist() == sorted(ODD)


@pytest.mark.slow(reason="counts the memory of many ids")
def test_one_long_id_takes_the_memory_of_one_long_id():
    count = 20_000
    docs = mr.Sequences.from_flat(np.ones((count, 2), np.float32), np.arange(count + 1))
    ids = [str(n) for n in range(count)]
    peaks = []
    for length in (5, 5000):
        ids[7] = "u" * length
        index = mr.Index.build([[[1.0, 2.0]]], "wrd", ids=["a"])
        tracemalloc.start()
        index.add(docs, ids=ids)
        index.compact()
        index.search([[1.0, 1.0]], 3)
        assert len(index.ids) == count + 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1 << 20  # a rectangle of them would be 400 MB


@pytest.mark.parametrize(
    "ids",
    [
        ("a", "b"),
        np.array(["a", "b"]),
        np.array(["a", "b"], dtype=object),
        [np.str_("a"), "b"],
        pd.Series(["a", "b"], index=[1, 0]),
        pd.Series(["a", "b"], index=[1, 0], dtype="string"),
        pd.Series(["a", "b"], dtype="category"),
        pd.Index(["a", "b"]),
        (name for name in "ab"),
        {"a": 1, "b": 2}.keys(),
    ],
)
def test_strings_come_in_any_list_and_count_by_position(ids):
    index = mr.Index.build([DOC, 2 * DOC], "wmd", ids=ids)
    assert index.ids.tolist() == ["a", "b"]
    assert {type(name) for name in index.ids} == {str}


@pytest.mark.parametrize(
    "ids",
    [
        [5, np.int8(-1)],
        np.array([5, -1], dtype=np.int16),
        np.array([5, -1], dtype=">i8"),
        np.array([5, -1], dtype=object),
        pd.Series([5, -1], index=[1, 0]),
        pd.Index([5, -1]),
    ],
)
def test_integers_come_in_any_list(ids):
    index = mr.Index.build([DOC, 2 * DOC], "wmd", ids=ids)
    assert index.ids.dtype == np.int64
    assert index.ids.tolist() == [5, -1]
    assert np.int32(5) in index
    assert index.search(DOC, 1, subset=ids).ids.tolist() == [5]


@pytest.mark.parametrize(
    ("ids", "kind", "message"),
    [
        ([1, "1"], TypeError, "got int and str; the id of document 1 is '1'"),
        ([1, True], TypeError, "got int and bool; the id of document 1 is True"),
        ([1, None], TypeError, "got int and NoneType; the id of document 1 is None"),
        (pd.Series([1, None]), TypeError, "got float; the id of document 0 is 1.0"),
        (pd.Series(["a", None], dtype=object), TypeError, "got str and NoneType; the id of document 1 is None"),
        ([b"a", b"b"], TypeError, "got bytes; the id of document 0 is b'a'"),
        ([uuid.UUID(int=1), uuid.UUID(int=2)], TypeError, "got UUID; the id of document 0 is UUID"),
        (
            np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[ns]"),
            TypeError,
            "datetime64; the id of document 0 is",
        ),
        (np.ma.array([1, 2], mask=[0, 1]), ValueError, "ids: has masked entries"),
        (np.array([[1], [2]]), TypeError, "got ndarray"),
        (np.array([1, 1 << 63], dtype=np.uint64), ValueError, "an integer does not fit into 64 bits"),
        ({"a", "b"}, TypeError, "expected a list of ids, got set"),
        (pd.DataFrame({"id": ["a", "b"]}), TypeError, "expected a list of ids, got DataFrame"),
        (["a", "\ud800"], ValueError, "is not valid Unicode"),
        (["u" * 5000, "u" * 5000], mr.DuplicateIdError, "^ids: 'u{79} is given more than once$"),
    ],
)
def test_what_is_no_id_is_refused_by_document(ids, kind, message):
    with pytest.raises(kind, match=message):
        mr.Index.build([DOC, 2 * DOC], "wmd", ids=ids)


def test_ids_of_the_other_kind_are_unknown_and_the_message_says_so():
    of_strings = mr.Index.build([DOC, DOC], ids=["1", "2"])
    of_integers = mr.Index.build([DOC, DOC], ids=[1, 2])
    assert (1 in of_strings, "1" in of_integers, 1.0 in of_integers, True in of_integers) == (False,) * 4
    with pytest.raises(mr.UnknownIdError, match="ids: 1 is not in the index, whose ids are strings"):
        of_strings.remove([1])
    with pytest.raises(mr.UnknownIdError, match="id: '1' is not in the index, whose ids are integers of 64 bits"):
        of_integers.payload("1")
    with pytest.raises(TypeError, match="expected str, the type of ids in this index, got int"):
        of_strings.add([DOC], ids=[3])


def test_ids_cannot_be_changed_under_an_answer():
    hits = mr.Index.build([DOC], ids=["a"]).search(DOC, 1)
    with pytest.raises(ValueError, match="read-only"):
        hits.ids[0] = "b"


def test_what_terminals_obey_is_not_printed():
    hits = mr.Index.build([DOC] * 3, ids=["\x1b[31m", "a\nb", "u" * 5000]).search(DOC, 3)
    assert "\x1b" not in str(hits) + repr(hits)
    assert len(str(hits).splitlines()) == 5
    assert max(map(len, str(hits).splitlines())) < 150
