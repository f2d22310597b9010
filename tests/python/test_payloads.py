"""Payloads come back as they were given, and SQLite chooses by them as Python would."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal

import cancellation
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank import IndexFormatError
from moverank.index.parts import where as conditions
from moverank.index.parts.ids import make_ids
from moverank.index.parts.payloads import payload_arrays, payload_at, texts_at
from moverank.index.parts.where import Where

DOCS = [np.eye(3)[:2], np.eye(3)[1:], np.eye(3)]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("aZ.$\"' é[", max_size=3), inner, max_size=4),
)


@given(st.lists(VALUES, max_size=9))
def test_payloads_come_back(values):
    arrays = payload_arrays(values, len(values))
    assert [payload_at(arrays, n) for n in range(len(values))] == values
    assert bool(arrays) == any(value is not None for value in values)
    if arrays:
        everything = Where.of("payload IS NULL OR payload IS NOT NULL").matching(arrays, len(values))
        assert everything.tolist() == list(range(len(values)))


DOCUMENTS = [
    None if n % 7 == 0 else {"n": n, "name": f"d{n}", "half": n / 2, "odd": n % 2 == 1, "tags": ["a", "b"][: n % 3]}
    for n in range(100)
]


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("n >= 50", lambda d: d["n"] >= 50),
        ("n BETWEEN 3 AND 9 OR name = 'd20'", lambda d: 3 <= d["n"] <= 9 or d["name"] == "d20"),
        ("odd", lambda d: d["odd"]),
        ("NOT odd AND half < 10.5", lambda d: not d["odd"] and d["half"] < 10.5),
        ("name LIKE 'd1%'", lambda d: d["name"].startswith("d1")),
        ("payload ->> '$.tags[0]' = 'a'", lambda d: d["tags"][:1] == ["a"]),
        ("json_array_length(tags) = 2", lambda d: len(d["tags"]) == 2),
        ("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = 'b')", lambda d: "b" in d["tags"]),
        (("n IN (?, ?) OR name = ?", [3, 4, "d5"]), lambda d: d["n"] in (3, 4) or d["name"] == "d5"),
        (("n < ?", (np.int64(9),)), lambda d: d["n"] < 9),
        ("n = 3 -- a comment", lambda d: d["n"] == 3),
        ("missing IS NULL AND n < 5", lambda d: d["n"] < 5),
    ],
)
@pytest.mark.parametrize("at_once", [1, 7, 4096])
def test_conditions_choose_as_python_does(where, holds, at_once, monkeypatch):
    monkeypatch.setattr(conditions, "DOCUMENTS_AT_ONCE", at_once)
    arrays = payload_arrays(DOCUMENTS, 100)
    expected = [n for n, document in enumerate(DOCUMENTS) if document is not None and holds(document)]
    assert Where.of(where).matching(arrays, 100).tolist() == expected


def test_documents_without_payloads_have_no_fields():
    arrays = payload_arrays(DOCUMENTS, 100)
    assert Where.of("payload IS NULL").matching(arrays, 100).tolist() == list(range(0, 100, 7))
    assert Where.of("n IS NULL").matching({}, 5).tolist() == [0, 1, 2, 3, 4]
    assert Where.of("n = 1").matching({}, 5).tolist() == []


def test_any_name_can_be_a_field():
    names = ["we ird", "apo'strophe", "do.t", "ünï", "select", "$", "[0]"]
    arrays = payload_arrays([{name: 1} for name in names], len(names))
    for place, name in enumerate(names):
        quoted = f"`{name}`" if "]" in name else f"[{name}]"
        assert Where.of(f"{quoted} = 1").matching(arrays, len(names)).tolist() == [place], name


HIDDEN_NAMES = ["rowid", "oid", "_rowid_", "#", "#bare", "#place", "#payload", "#texts", "key", "value", "type", "id"]


@pytest.mark.parametrize("name", [*HIDDEN_NAMES, "RowId", "OID"])
def test_names_that_sqlite_may_know_are_fields_all_the_same(name):
    arrays = payload_arrays([{name: 7}, {"other": 1}, None], 3)
    for where, expected in [("= 7", [0]), ("IS NULL", [1, 2]), ("IS NOT NULL", [0]), ("= 0", [])]:
        condition = Where.of(f"[{name}] {where}")
        assert condition.fields == (name,)
        assert condition.matching(arrays, 3).tolist() == expected, where
    index = mr.Index.build(DOCS, payloads=[{"other": 1}] * 3)
    with pytest.raises(mr.UnknownFieldError, match="no payload has a field"):
        index.search(DOCS[0], k=1, where=f"[{name}] = 7")


@pytest.mark.parametrize("name", ["#texts", "#fields", "##texts", "##fields"])
def test_the_tables_of_the_query_are_out_of_reach(name):
    with pytest.raises(ValueError, match="no such table"):
        Where.of(f"EXISTS (SELECT 1 FROM [{name}])")


def test_fields_that_sqlite_would_take_for_one():
    arrays = payload_arrays([{"S": 1, "s": 2}, {"S": 2, "s": 1}], 2)
    with pytest.raises(ValueError, match="names 'S' and 's', which SQLite does not distinguish"):
        Where.of("S = 1 AND s = 2")
    assert Where.of("S = 1").matching(arrays, 2).tolist() == [0]
    assert Where.of("s = 1 AND 'S' <> 'T' -- S").matching(arrays, 2).tolist() == [1]
    dated = payload_arrays([{"Date": "2021-05-06"}], 1)
    assert Where.of("Date > date('2020-01-01')").matching(dated, 1).tolist() == [0]


@pytest.mark.parametrize(
    ("where", "values", "expected"),
    [
        ("n = ?1", [1], [1]),
        ("n = ?1 OR n = ?1 + 1", [1], [1, 2]),
        ("n = ?2 AND n <> ?1", [0, 2], [2]),
        ("n = ? OR n = ?", [0, 2], [0, 2]),
    ],
)
def test_placeholders_are_the_callers_own(where, values, expected):
    arrays = payload_arrays([{"n": n} for n in range(3)], 3)
    assert Where.of((where, values)).matching(arrays, 3).tolist() == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("?1 IS NOT NULL", "uses 1, and there are 0"),
        (("n = ?3", ["a"]), "uses 3, and there are 1"),
        (("n = ?", ["a", "b"]), "uses 1, and there are 2"),
        (("n = :x", ["a"]), r"has ':x': use \? or \?1"),
        (("n = @x OR n = ':y'", ["a"]), "has '@x'"),
    ],
)
def test_placeholders_are_counted_as_written(where, message):
    with pytest.raises(ValueError, match=f"^where: .*{message}"):
        Where.of(where)


def test_texts_with_nul_are_refused_where_they_are_read():
    arrays = payload_arrays([{"s": "a", "n": 0}, {"s": "a\0b", "n": 1}, {"t": ["\0"], "n": 2}, {"u": {"\0": 1}}], 4)
    arrays |= make_ids(["d0", "d1", "d2", "d3"], 4).arrays()
    for where in ("s = 'a'", "length(s) = 3", "s LIKE 'a%' AND n < 9"):
        with pytest.raises(ValueError, match=r"where: field 's' of document 'd1' has a NUL character.*'a.x00b'"):
            Where.of(where).matching(arrays, 4)
    for where, field in (("json_array_length(t) = 1", "t"), ("u IS NOT NULL", "u")):
        with pytest.raises(ValueError, match=f"where: field '{field}' of document 'd[23]' has a NUL character"):
            Where.of(where).matching(arrays, 4)
    with pytest.raises(ValueError, match="where: payload of document 'd1' has a NUL character"):
        Where.of("payload ->> '$.s' = 'a'").matching(arrays, 4)
    assert Where.of("n >= 1").matching(arrays, 4).tolist() == [1, 2]
    assert Where.of("payload IS NOT NULL AND n = 1").matching(arrays, 4).tolist() == [1]
    escaped = payload_arrays([{"s": "\\u0000"}], 1)
    assert Where.of("length(s) = 6").matching(escaped, 1).tolist() == [0]
    with pytest.raises(ValueError, match="where: a value has a NUL character"):
        Where.of(("s = ?", ["a\0"]))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("year >", "syntax error"),
        ("", "syntax error"),
        ("1) UNION SELECT 1, 2 --", "syntax error"),
        ("1; DROP TABLE x", "syntax error"),
        ("year = 1 /*", "incomplete"),
        ("year = ?", "bindings"),
        (("year = ?", [1, 2]), "bindings"),
        ("load_extension('x')", "not authorized"),
        ("zeroblob(1000000000)", "not authorized"),
        ("1 IN (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c)", "not authorized"),
        ("1 IN (SELECT 1 FROM pragma_table_info('x'))", "not authorized|no such"),
        ("foo(1)", "no such function"),
        ("x.y = 1", "no such column"),
        ('[quo"te] = 1', "no such column"),
        ("[back\\slash] = 1", "no such column"),
        (("n = ?", [2**80]), "large"),
        (" + ".join(f"f{n}" for n in range(200)), "no such column"),
    ],
)
def test_what_is_no_condition(where, message):
    with pytest.raises(ValueError, match=f"(?s)^where: .* is not a valid condition: .*({message})"):
        Where.of(where)


@pytest.mark.parametrize("where", [3, None, ("a",), ("a = ?", "text"), ("a = ?", 3), ("a = ?", [object()]), ["a"]])
def test_conditions_of_another_type(where):
    with pytest.raises(TypeError, match=r"^where: "):
        Where.of(where)


def test_double_quotes_are_refused_where_they_would_be_texts():
    with pytest.raises(ValueError, match="put strings in single quotes"):
        Where.of('name = "d3"')
    assert Where.of("name = 'a\"b'").fields == ("name",)
    assert Where.of("""name = 'it''s' -- "quoted" """).fields == ("name",)


def test_conditions_that_fail_halfway():
    arrays = payload_arrays([{"a": "{"}], 1)
    with pytest.raises(ValueError, match=r"where: .* cannot be evaluated: malformed JSON"):
        Where.of("json_extract(a, '$.b') = 1").matching(arrays, 1)
    arrays = payload_arrays([{"n": -(2**63)}], 1)
    with pytest.raises(ValueError, match=r"where: 'abs\(n\) = 1' cannot be evaluated: integer overflow"):
        Where.of("abs(n) = 1").matching(arrays, 1)


@pytest.mark.parametrize(
    ("given_payloads", "kind", "message"),
    [
        ("text", TypeError, "expected a list of JSON values, got str"),
        ({"a": 1}, TypeError, "expected a list of JSON values, got dict"),
        (3, TypeError, "expected a list"),
        ([1, 2], ValueError, "payloads: expected 1, one per document, got 2"),
        ([object()], TypeError, "document 0: expected a JSON value, got object"),
        ([{"a": [{1: 2}]}], TypeError, r"document 0: field 'a\[0\]': expected strings as names of fields, got 1"),
        ([float("nan")], ValueError, "document 0: is "),
        (["\ud800"], ValueError, "document 0: .* is not valid Unicode"),
        ([np.complex64(1)], TypeError, "document 0: expected a JSON value, got complex64"),
        ([{"a": [{"b": Decimal("0.1")}]}], TypeError, r"document 0: field 'a\[0\].b': .*got Decimal; pass float"),
        (
            [{"x": float("nan")}],
            ValueError,
            "document 0: field 'x': is missing .nan.; pass None for null",
        ),
        (
            [{"x": np.array([1, np.inf])}],
            ValueError,
            r"document 0: field 'x\[1\]': is inf, which JSON cannot",
        ),
        ([{"x": np.datetime64("NaT")}], ValueError, "document 0: field 'x': is missing"),
        ([{"x": timedelta(1)}], TypeError, "document 0: field 'x': expected a JSON value, got timedelta"),
    ],
)
def test_what_is_no_payload(given_payloads, kind, message):
    with pytest.raises(kind, match=message):
        payload_arrays(given_payloads, 1)


def test_payloads_that_lead_into_themselves():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested more than 500 levels deep"):
        payload_arrays([endless], 1)


def test_damaged_texts():
    for text in (b'{"a": ', b"\xff\xfe", b"1,2", b'"a"]', b"[" * 5000):
        arrays = {
            "payload_offsets": np.array([0, len(text), len(text) + 1]),
            "payload_text": np.frombuffer(text + b"1", np.uint8),
            **make_ids(["d0", "d1"], 2).arrays(),
        }
        with pytest.raises(IndexFormatError, match="payload of document 'd0': is not JSON"):
            payload_at(arrays, 0)
        if text != b"1,2":  # which is two of an array; verify tells
            with pytest.raises(IndexFormatError):
                Where.of("a = 1").matching(arrays, 2)


def test_many_threads_ask_at_once():
    arrays = payload_arrays(DOCUMENTS, 100)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: Where.of(("n < ?", [n])).matching(arrays, 100).tolist(), range(100)))
    assert found == [[k for k in range(n) if k % 7] for n in range(100)]


def test_ctrl_c_stops_a_long_condition():
    arrays = payload_arrays([{"a": n} for n in range(4000)], 4000)
    ten = json.dumps(list(range(10)))
    crossed = ", ".join(f"json_each('{ten}') t{n}" for n in range(6))
    where = Where.of(f"(SELECT count(*) FROM {crossed} WHERE t0.value + a > 3) > 0")
    with cancellation.Interrupter() as interrupter:
        overrun = interrupter.overrun(lambda: where.matching(arrays, 4000), 0.3)
    assert overrun is not None
    assert overrun < 20  # all of it would take an hour


# ---- conditions that are no function of payloads, and fields that there are not --------------------------------------


@pytest.mark.parametrize(
    ("expression", "lasting"),
    [
        ("n > 1", True),
        ("upper(n) LIKE 'A%' AND round(n) = abs(n)", True),
        ("n < julianday('now')", False),
        ("n < JulianDay('now')", False),
        ("n < datetime(n)", False),
        ("n < strftime('%s', 'now')", False),
        ("n < current_timestamp", False),
        ("n < CURRENT_DATE", False),
        ("random() > 0", False),
        ("changes() = 0", False),
        ("EXISTS (SELECT 1 WHERE n < unixepoch('now'))", False),
    ],
)
def test_what_depends_on_the_time_or_on_chance_is_not_kept(expression, lasting):
    assert Where.of(expression).lasting is lasting


def test_a_condition_on_chance_is_asked_anew():
    index = mr.Index.build([np.eye(3)] * 200, payloads=[{"n": n} for n in range(200)])
    answers = {tuple(sorted(index.search(np.eye(3), 200, where="random() % 2 = 0").ids.tolist())) for _ in range(4)}
    assert len(answers) == 4


def test_a_field_that_no_payload_has_is_an_error_that_names_those_there_are():
    payloads = [None, "text", {"year": 1990, "author": {"name": "Ann"}}, {"Größe": 3, "it's": 1}]
    index = mr.Index.build([np.eye(3)] * 4, payloads=payloads)
    for where, message in (
        (
            "yaer = 1990",
            "no payload has a field 'yaer'; similar fields: 'year'; known fields: 'Größe', 'author', \"it's\", 'year'",
        ),
        ("YEAR = 1990", "'YEAR'; similar fields: 'year'"),
        ("name = 'Ann'", "no payload has a field 'name'; known fields:"),
        ("year = 1990 OR colour = 'red'", "'colour'"),
        ("absent IS NULL", "'absent'"),
    ):
        for call in (
            lambda where=where: index.search(np.eye(3), where=where),
            lambda where=where: index.range_search(np.eye(3), 1.0, where=where),
            lambda where=where: index.search_batch([np.eye(3)], where=where),
        ):
            with pytest.raises(mr.UnknownFieldError, match=message):
                call()
    for where, ids in (
        ("year = 1990", [2]),
        ("year IS NULL", [0, 1, 3]),
        ("NOT (year < 0)", [2]),
        ("[Größe] = 3", [3]),
        ("[it's] = 1", [3]),
        ("payload ->> '$.author.name' = 'Ann'", [2]),
    ):
        assert sorted(index.search(np.eye(3), where=where).ids.tolist()) == ids


def test_a_field_may_be_in_a_part_that_was_added():
    index = mr.Index.build([np.eye(3)])
    with pytest.raises(mr.UnknownFieldError, match="'n'; no payload has fields"):
        index.search(np.eye(3), where="n = 1")
    index.add([np.eye(3)], payloads=[{"n": 1}])
    assert index.search(np.eye(3), where="n = 1").ids.tolist() == [1]


def test_any_text_is_above_any_number():
    index = mr.Index.build([np.eye(3)] * 2, payloads=[{"y": "1990"}, {"y": 2021}])
    assert len(index.search(np.eye(3), where="y >= 2020")) == 2
    assert index.search(np.eye(3), where="CAST(y AS INTEGER) >= 2020").ids.tolist() == [1]


def test_numbers_of_numpy_and_times_become_json():
    about = {
        "count": np.int64(3), "share": np.float32(0.5), "known": np.bool_(True), "name": np.str_("x"),
        "vector": np.arange(3), "table": np.eye(2), "names": np.array(["a", "b"], dtype=object),
        "at": datetime(2024, 5, 6, 7, 8, 9), "day": date(2024, 5, 6), "since": np.datetime64("2024-05"), "none": None,
    }  # fmt: skip
    index = mr.Index.build(DOCS[:1], "wmd", payloads=[about])
    assert index.payload(0) == {
        "count": 3, "share": 0.5, "known": True, "name": "x",
        "vector": [0, 1, 2], "table": [[1, 0], [0, 1]], "names": ["a", "b"],
        "at": "2024-05-06T07:08:09", "day": "2024-05-06", "since": "2024-05", "none": None,
    }  # fmt: skip
    assert index.search(DOCS[0], where=("day = ?", (date(2024, 5, 6),))).ids.tolist() == [0]
    assert not len(index.search(DOCS[0], where=("count > ?", (np.int64(3),))))


def test_rows_of_data_frames_are_payloads():
    pd = pytest.importorskip("pandas")
    when = pd.to_datetime(["2024-01-02 00:00", "2023-01-02 03:04", None])
    frame = pd.DataFrame({"n": [1, 2, 3], "when": when, "share": [0.5, np.nan, 1.5], "lang": ["en", None, "de"]})
    frame = frame.iloc[[2, 0, 1]]
    expected = [
        {"n": 3, "when": None, "share": 1.5, "lang": "de"},
        {"n": 1, "when": "2024-01-02T00:00:00", "share": 0.5, "lang": "en"},
        {"n": 2, "when": "2023-01-02T03:04:00", "share": None, "lang": None},
    ]
    for rows in (frame, [frame.iloc[s] for s in range(3)]):
        index = mr.Index.build(DOCS[:3], "wmd", payloads=rows)
        assert [index.payload(s) for s in range(3)] == expected
        found = index.search(DOCS[0], where=("[when] > ?", (pd.Timestamp("2024-01-01"),)))
        assert found.ids.tolist() == [1]
    assert mr.readers.Batch(DOCS[:3], payloads=frame).payloads[1]["n"] == 1
    assert mr.Index.build(DOCS[:3], "wmd", payloads=frame["n"]).payload(0) == 3
    with pytest.raises(ValueError, match="payloads: expected 2, one per document, got 3"):
        mr.Index.build(DOCS[:2], "wmd", payloads=frame)
    with pytest.raises(TypeError, match="document 0: expected strings as names of fields, got 0"):
        mr.Index.build(DOCS[:3], "wmd", payloads=pd.DataFrame([[1], [2], [3]]))
    with pytest.raises(ValueError, match="columns have different names"):
        mr.Index.build(DOCS[:3], "wmd", payloads=pd.DataFrame([[1, 2]] * 3, columns=["a", "a"]))
    with pytest.raises(TypeError, match="document 1: field 'x': expected a JSON value, got Timedelta"):
        mr.Index.build(DOCS[:2], "wmd", payloads=pd.DataFrame({"x": pd.to_timedelta([None, "1s"])}))


def test_rows_of_arrow_tables_are_payloads():
    pa = pytest.importorskip("pyarrow")
    index = mr.Index.build(DOCS[:2], "wmd", payloads=pa.table({"a": [1, 2], "b": ["x", None]}))
    assert [index.payload(s) for s in range(2)] == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def test_a_function_of_a_payload_chooses_documents():
    docs = mr.Sequences([np.eye(3)[[n % 3]] for n in range(9)])
    index = mr.Index.build(docs, payloads=[None if n == 4 else {"n": n} for n in range(9)])
    index.add(docs[:2], ids=[20, 21], payloads=[{"n": 0}, {"n": 100}])
    seen = []

    def is_even(payload):
        seen.append(payload)
        return payload is not None and np.int64(payload["n"]) % 2 == 0

    assert sorted(index.search(docs[0], 20, where=is_even).ids.tolist()) == [0, 2, 6, 8, 20, 21]
    assert seen == [index.payload(i) for i in index.ids]
    assert index.search(docs[0], 20, where=is_even, subset=[1, 2, 4, 21]).ids.tolist() == [2, 21]
    assert len(index.range_search(docs[0], 0.1, where=is_even)) == 3
    assert [len(hits) for hits in index.search_batch(docs[:2], 3, where=is_even)] == [3, 3]
    with pytest.raises(TypeError, match=r"where: expected .* True or False, got None for document 0, payload {'n': 0}"):
        index.search(docs[0], 2, where=lambda payload: None)

    async def is_odd(payload):
        return True

    with pytest.raises(TypeError, match=r"where: .* got a coroutine function"):
        index.search(docs[0], 2, where=is_odd)
    # Neither removed documents nor those outside a subset are looked at.
    index.remove([4, 20])
    assert index.search(docs[0], 3, where=lambda payload: payload["n"] == 100).ids.tolist() == [21]
    seen.clear()
    index.search(docs[0], 3, where=is_even, subset=[7, 21, 1])
    assert seen == [{"n": 1}, {"n": 7}, {"n": 100}]


class Own(Exception):
    """An error that needs two arguments, so that nobody else can make it."""

    def __init__(self, first, second):
        super().__init__(first, second)


@pytest.mark.parametrize("ids", [[7, 3, 5], ["g", "c", "e"]])
def test_what_a_function_raises_comes_through_with_the_document(ids):
    index = mr.Index.build(DOCS[:2], "wmd", ids=ids[:2], payloads=[{"n": 0}, {"n": 1}])
    index.add(DOCS[2:], ids=ids[2:], payloads=[{"n": 2}])
    raised = Own("a", "b")

    def fails(payload):
        if payload["n"] == 2:
            raise raised
        return True

    for search in (
        lambda: index.search(DOCS[0], 2, where=fails),
        lambda: index.range_search(DOCS[0], 1.0, where=fails),
        lambda: index.search_batch(DOCS, 2, where=fails),
    ):
        with pytest.raises(Own) as caught:
            search()
        assert caught.value is raised
        assert raised.__notes__.pop() == f"where: raised by the function of a payload, for document {ids[2]!r}"
        assert not raised.__notes__
    with pytest.raises(KeyError, match="year") as missing:
        index.search(DOCS[0], 2, where=lambda payload: payload["year"] > 2000)
    assert missing.value.__notes__ == [f"where: raised by the function of a payload, for document {ids[0]!r}"]


def test_ctrl_c_in_a_function_comes_through():
    index = mr.Index.build(DOCS, "wmd", payloads=[{"n": n} for n in range(3)])

    def stopped(payload):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        index.search(DOCS[0], 2, where=stopped)
    assert not hasattr(caught.value, "__notes__")

    def endless(payload):
        while payload is not None:
            pass
        return True

    with cancellation.Interrupter() as interrupter:
        assert interrupter.overrun(lambda: index.search(DOCS[0], 2, where=endless), 0.3) is not None
    assert len(index.search(DOCS[0], 2, where=lambda payload: payload["n"] > 1)) == 1


@pytest.mark.parametrize("at_once", [1, 3, 4096])
def test_a_condition_on_chance_reads_only_the_documents_of_the_subset(at_once, monkeypatch):
    monkeypatch.setattr(conditions, "DOCUMENTS_AT_ONCE", at_once)
    read = []

    def recorded(arrays, places):
        read.extend(places.tolist())
        return texts_at(arrays, places)

    monkeypatch.setattr(conditions, "texts_at", recorded)
    payloads = [None if n % 5 == 0 else {"n": n} for n in range(40)]
    index = mr.Index.build([np.eye(3)] * 40, payloads=payloads)
    index.add([np.eye(3)] * 2, ids=[40, 41], payloads=[{"n": 40}, None])
    where = "random() IS NOT NULL AND (n > 6 OR n IS NULL)"
    chosen = [0, 3, 4, 7, 8, 15, 33, 40]
    assert sorted(index.search(np.eye(3), 50, where=where, subset=chosen).ids.tolist()) == [0, 7, 8, 15, 33, 40]
    assert read == [0, 3, 4, 7, 8, 15, 33, 0]
    read.clear()
    everything = index.search(np.eye(3), 50, where=where).ids.tolist()
    assert sorted(everything) == [n for n in range(42) if n > 6 or n % 5 == 0]
    assert read == [*range(40), 0, 1]


@pytest.mark.parametrize(
    ("options", "documents"),
    [
        ({}, "documents"),
        ({"subset": [0, 1]}, "documents of the subset"),
        ({"where": "n >= 0"}, "documents that satisfy the condition"),
        ({"where": lambda payload: True, "subset": [0, 1]}, "documents of the subset that satisfy the condition"),
    ],
)
def test_certificates_name_the_documents_that_were_searched(options, documents):
    index = mr.Index.build(DOCS, "wmd", payloads=[{"n": n} for n in range(3)])
    for found in (index.search(DOCS[0], 1, **options), index.range_search(DOCS[0], 9.0, **options)):
        assert f" of {found.stats.documents} {documents} " in str(found.certificate).replace("all", "0 of")


def test_an_empty_answer_speaks_of_what_was_given():
    index = mr.Index.build(DOCS, "wmd", payloads=[{"n": n} for n in range(3)])
    for options, documents in (
        ({"where": "n > 9"}, "documents that satisfy the condition"),
        ({"where": lambda payload: False}, "documents that satisfy the condition"),
        ({"where": "n > 1", "subset": [0]}, "documents of the subset that satisfy the condition"),
        ({"subset": []}, "documents of the subset"),
    ):
        hits = index.search(DOCS[0], 3, **options)
        assert (len(hits), hits.certificate.exact) == (0, True)
        assert str(hits).splitlines()[-1] == f"exact: there are no {documents}"


def test_a_condition_that_takes_too_long_ends_with_the_search():
    index = mr.Index.build([np.eye(2)] * 3, payloads=[{"n": n} for n in range(3)])
    rows = "json_each('[1,2,3,4,5,6,7,8,9,0]')"
    endless = f"(SELECT count(*) FROM {', '.join(f'{rows} t{n}' for n in range(12))}) > n"
    with pytest.raises(TimeoutError, match="was not evaluated in time"):
        index.search(np.eye(2), 1, where=endless, timeout=0.05)
    assert index.search(np.eye(2), 1, where="n > 1", timeout=5).ids.tolist() == [2]
