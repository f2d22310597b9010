"""Texts from files: every layout that people have, recognised by content; what is left out is counted."""

import bz2
import gzip
import io
import json
import lzma
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moverank.errors import TextFormatError
from moverank.readers.texts import STDIN, Fields, TextFiles, read_lines, read_text
from moverank.readers.texts.html import text_of_page
from moverank.readers.texts.json_values import values_in

ROWS = [{"_id": "d1", "title": "Cats", "text": "A cat sat.", "year": 2020}, {"_id": "d2", "text": "Shares fell."}]
WANTED = [("d1", "Cats A cat sat."), ("d2", "Shares fell.")]


def found(*paths, **options):
    return [(document.id, document.content) for document in TextFiles(list(paths), **options)]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


JSON_LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.JSONL", "a.json", "a.txt", "a", "a.jl", "a.log"])
def test_json_lines_are_recognised_whatever_they_are_called(tmp_path, name):
    assert found(write(tmp_path / name, JSON_LINES)) == WANTED


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a"])
def test_arrays_of_json_are_recognised(tmp_path, name, indent):
    assert found(write(tmp_path / name, json.dumps(ROWS, indent=indent))) == WANTED


def test_objects_over_several_lines_are_read(tmp_path):
    assert found(write(tmp_path / "a.json", "\n".join(json.dumps(row, indent=1) for row in ROWS))) == WANTED


def test_strings_of_json_are_texts(tmp_path):
    assert found(write(tmp_path / "a.json", '["a cat", "a dog"]')) == [("1", "a cat"), ("2", "a dog")]
    assert found(write(tmp_path / "a.jsonl", '"a cat"\n"a dog"\n')) == [("1", "a cat"), ("2", "a dog")]


@pytest.mark.parametrize("name", ["q.tsv", "q.TSV", "q.txt", "q"])
def test_two_columns_are_id_and_text(tmp_path, name):
    path = write(tmp_path / name, "7\tshares fell\n1\ta cat on a sofa\n")
    files = TextFiles(path)
    assert [(document.id, document.content) for document in files] == [("7", "shares fell"), ("1", "a cat on a sofa")]
    assert len(files.notes) == (0 if name.lower().endswith(".tsv") else 1)


def test_lines_with_tabs_here_and_there_stay_lines(tmp_path):
    assert found(write(tmp_path / "a.txt", "a\tb\nno tab\n")) == [("1", "a\tb"), ("2", "no tab")]
    assert found(write(tmp_path / "b.txt", "two words\ttext\nmore words\ttext\n"))[0][0] == "1"


def test_columns_may_have_names(tmp_path):
    path = write(tmp_path / "psgs.tsv", "id\ttext\ttitle\tyear\n4\tA cat.\tCats\t2020\n")
    (document,) = TextFiles(path)
    assert (document.id, document.content, document.fields) == ("4", "Cats A cat.", {"year": "2020"})
    path = write(tmp_path / "named.tsv", "key\tabstract\n4\tA cat.\n")
    assert found(path, fields=Fields("key", "abstract")) == [("4", "A cat.")]


@pytest.mark.parametrize("name", ["a.txt", "a"])
def test_columns_may_have_names_whatever_the_file_is_called(tmp_path, name):
    path = write(tmp_path / name, "id\ttitle\ttext\nd 4\tCats\tA cat.\nd 5\t\tA dog.\n")
    files = TextFiles(path)
    assert [(document.id, document.content) for document in files] == [("d 4", "Cats A cat."), ("d 5", "A dog.")]
    assert files.notes == [f"{path}: read as tab-separated columns"]
    path = write(tmp_path / name, "key\twords\tyear\nd 4\tA cat.\t1\n")
    assert found(path, fields=Fields("key", "words")) == [("d 4", "A cat.")]


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("id,text\n1,a cat\n", Fields()),
        ("text,id\na cat,1\n", Fields()),
        ("text,id\ra cat,1\r", Fields()),
        ('"id";"Title";"Text"\r\n1;"a";"b"\r\n', Fields()),
        ("\ufeffid, text\n1, a cat\n", Fields()),
        (",docno,Article Name,contents\n0,1,x,a cat\n", Fields()),
        ("label,text\n1,a cat\n", Fields()),
        ("id,text\n", Fields()),
        ("key,words,year\n1,a cat,3\n", Fields("key", "words")),
        ("words,year\na cat,3\n", Fields(text="words")),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a", "a.csv", "a.log"])
def test_commas_between_columns_are_refused_whatever_the_file_is_called(tmp_path, content, fields, name):
    with pytest.raises(TextFormatError, match=r"comma-separated values cannot be read; convert it to JSON lines"):
        found(write(tmp_path / name, content), fields=fields)


@pytest.mark.parametrize(
    "content",
    [
        "Text, contents, and body\nof the work, as it were\n",
        "body, mind and soul\nare one, they say\n",
        "mind,body,soul\nleg,arm\n",
        "Title, text\nno comma here\n",
        "Here is the text, with an id\nand more, much more\n",
        "A question, a query\n",
        "text\nid\n",
        "1,a cat\n2,a dog\n",
    ],
)
def test_sentences_with_commas_stay_lines(tmp_path, content):
    lines = content.splitlines()
    assert found(write(tmp_path / "a.txt", content)) == [(str(n), line) for n, line in enumerate(lines, start=1)]


@pytest.mark.parametrize("fields", [Fields("nope"), Fields(text="nope"), Fields("nope", "nope")])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "a cat\n"),
        ("a.md", "a cat\n"),
        ("a.html", "<p>a cat</p>"),
        ("a", "<html><p>a cat</p>"),
        ("a.json", '["a cat"]'),
        ("a.jsonl", '"a cat"\n'),
        ("a.jsonl", '{"id": "x", "text": "a cat"}\n'),
        ("a.tsv", "x\ta cat\n"),
        ("a.txt", "x\ta cat\ny\ta dog\n"),
        ("a.tsv", "id\ttext\nx\ta cat\n"),
        ("folder/a.txt", "a cat\n"),
    ],
)
def test_fields_that_are_asked_for_have_to_be_there(tmp_path, name, content, fields):
    path = write(tmp_path / name, content)
    what = "id" if fields.id else "text"
    with pytest.raises(TextFormatError, match=rf"(has no field|names no column) 'nope' for the {what}"):
        found(path.parent if name.startswith("folder") else path, fields=fields)


def test_a_first_line_of_data_is_not_taken_for_names(tmp_path):
    path = write(tmp_path / "a.tsv", "d1\tthe cat sat\nd2\ta dog\n")
    with pytest.raises(TextFormatError, match=r"a.tsv:1: the first line names no column 'key' for the id; it has"
                       r" 'd1', 'the cat sat'$"):  # fmt: skip
        found(path, fields=Fields("key"))


def test_texts_that_are_empty_may_be_kept(tmp_path):
    path = write(tmp_path / "a.txt", "d1\tthe cat sat\nd2\t\nd3\t \n")
    assert found(path) == [("d1", "the cat sat")]
    files = TextFiles(path, keep_empty=True)
    assert [(document.id, document.content) for document in files] == [("d1", "the cat sat"), ("d2", ""), ("d3", "")]
    assert not files.left_out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1\ta\n2\n", r"x.tsv:2: expected an id, a tab and a text.* got 1 column$"),
        ("1\thttp\tA title\tA body\n", r"x.tsv:1: expected an id, a tab and a text.* got 4 columns$"),
        ("id\ttext\n1\ta\tb\n", r"x.tsv:2: expected 2 columns, as in the first line, got 3"),
        ("id\ttext\ttext\n1\ta\tb\n", r"x.tsv:1: two columns have the same name"),
        ("\ta\n", r"x.tsv:1: the id, before the tab, is empty"),
    ],
)
def test_other_columns_are_refused(tmp_path, content, message):
    with pytest.raises(TextFormatError, match=message):
        found(write(tmp_path / "x.tsv", content))


def _zstandard(data):
    return pytest.importorskip("zstandard").ZstdCompressor().compress(data)


@pytest.mark.slow(reason="packs large files")
@pytest.mark.parametrize(("end", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress),
                                           (".zst", _zstandard), ("", gzip.compress)])  # fmt: skip
def test_packed_files_are_unpacked(tmp_path, end, pack):
    packed = pack(JSON_LINES.encode())
    assert found(write(tmp_path / f"corpus.jsonl{end}", packed)) == WANTED
    assert [line for _, line in read_lines(tmp_path / f"corpus.jsonl{end}")] == JSON_LINES.splitlines()
    long = pack(b"\n".join(b"%d a cat" % n for n in range(50_000)))
    assert sum(1 for _ in TextFiles(write(tmp_path / f"long.txt{end}", long))) == 50_000
    with pytest.raises(TextFormatError, match=r"is damaged or cut off|\d+:\d+: not|is binary"):
        found(write(tmp_path / f"cut.txt{end}", long[: len(long) // 2]))


def test_several_members_of_gzip_are_one_file(tmp_path):
    both = b"".join(gzip.compress((json.dumps(row) + "\n").encode()) for row in ROWS)
    assert found(write(tmp_path / "a.jsonl.gz", both)) == WANTED


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_marks_of_unicode_are_obeyed(tmp_path, encoding):
    text = "\ufeff" * (encoding == "utf-16-le") + "caf\u00e9\r\n\u732b\r\n"
    assert found(write(tmp_path / "a.txt", text.encode(encoding))) == [("1", "café"), ("2", "猫")]


def test_ends_of_lines_are_those_of_any_system(tmp_path):
    assert found(write(tmp_path / "a.txt", "a cat\r\n\r\na dog\r\n")) == [("1", "a cat"), ("3", "a dog")]
    assert found(write(tmp_path / "b.txt", "a cat\ra dog\r")) == [("1", "a cat"), ("2", "a dog")]
    row = json.dumps({"text": "a\u2028b\u0085c"}, ensure_ascii=False)
    assert found(write(tmp_path / "c.jsonl", row)) == [("1", "a\u2028b\u0085c")]


def test_an_encoding_may_be_given(tmp_path):
    path = write(tmp_path / "a.txt", "a cat\ncaf\u00e9\n".encode("latin-1"))
    with pytest.raises(TextFormatError, match=r"a\.txt:2: not UTF-8 text"):
        found(path)
    assert found(path, encoding="latin-1") == [("1", "a cat"), ("2", "café")]
    assert read_text(path, encoding="cp1252") == "a cat\ncafé\n"
    for unknown in ("klingon", "rot13", "hex"):
        with pytest.raises(
            ValueError, match=f"encoding: expected the name of a text encoding of Python, got '{unknown}'"
        ):
            found(path, encoding=unknown)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"MZ\x00\x01\x02", "is binary, not text"),
        ("a.txt", b"a cat\n" * 20000 + b"\x00\n", r"a\.txt:20001: has a NUL byte"),
        ("a.pdf", b"%PDF-1.7 ...", "is a PDF, not text"),
        ("a.docx", b"PK\x03\x04abc", "is a zip archive"),
        ("a.csv", b"id,text\n1,a\n", "comma-separated values cannot be read"),
        ("a.txt", b"", "has no documents"),
        ("a.txt", b"\n \n", "has no documents"),
        ("a.jsonl", b"plain words\n", r"a\.jsonl:1: not JSON: expected an object"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "b"\n', r"a\.jsonl:2: not JSON"),
        ("a.jsonl", b'{"text": "a", \n{"text": "b"}\n', r"a\.jsonl:1: not JSON"),
        ("a.jsonl", b"[1]\n", r"a\.jsonl, element 1: expected a JSON object"),
        ("a.json", b'[{"text": "a"}\n{"text": "b"}]', r"a\.json:2: not JSON: expected ','"),
        ("a.json", b'[{"text": "a"},\n{"text": "b"}', r"a\.json:2: the array is not closed"),
        ("a.json", b'[{"text": "a"}] x', r"a\.json:1: there is more text after the end"),
        ("a.json", b'[{"text": "a"},\n\n{"text": nope}]', r"a\.json:3: not JSON"),
        ("a.json", b'{"text": \n"a", "n": NaN}', r"a\.json:1: not JSON: NaN is not a JSON value"),
        ("a.jsonl", b'{"text": "a", "n": Infinity}', r"Infinity is not a JSON value"),
        (
            "a.jsonl",
            b'{"words": "a", "key": 3}\n',
            r"a\.jsonl:1: has no field 'text' for the text; its fields are 'words', 'key'",
        ),
        ("a.jsonl", b'{"text": 3}\n', r"a\.jsonl:1: text: expected a string, got int"),
        ("a.jsonl", b'{"text": "a", "id": 1.5}\n', r"a\.jsonl:1: id: expected a string or a whole number, got float"),
        ("a.jsonl", b'{"text": "a", "id": ""}\n', r"a\.jsonl:1: id is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, name, content, message):
    with pytest.raises(TextFormatError, match=message):
        found(write(tmp_path / name, content))


def test_texts_that_are_empty_are_counted_and_titles_are_texts(tmp_path):
    path = write(tmp_path / "c.jsonl", '{"_id":"a","title":"Bats","text":""}\n{"_id":"b","title":"","text":" "}\n'
                                       '{"_id":"c","title":null,"text":"cat"}\n{"_id":"d","text":null}\n')  # fmt: skip
    files = TextFiles(path)
    assert [(document.id, document.content) for document in files] == [("a", "Bats"), ("c", "cat")]
    assert files.left_out.counts == {"without text": 2}
    assert str(files.left_out) == f"2 without text (the first: {path}:2)"
    assert files.left_out.as_json() == [{"reason": "without text", "count": 2, "first": f"{path}:2"}]


def test_fields_may_be_named_and_the_others_are_kept(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"docno": "d9", "abstract": "a cat", "year": 2020, "id": 4}\n')
    (document,) = TextFiles(path, fields=Fields("docno", "abstract"))
    assert (document.id, document.content, document.fields) == ("d9", "a cat", {"year": 2020, "id": 4})
    with pytest.raises(TextFormatError, match=r"x\.jsonl:1: has no field 'key' for the id; its fields are 'docno'"):
        found(path, fields=Fields("key", "abstract"))


def test_ids_of_several_files_are_kept_apart(tmp_path):
    a, b = write(tmp_path / "a.txt", "cat\nshares\n"), write(tmp_path / "b.txt", "dog\n")
    assert [name for name, _ in found(a)] == ["1", "2"]
    assert [name for name, _ in found(a, b)] == ["a.txt:1", "a.txt:2", "b.txt:1"]
    assert [name for name, _ in found(a, prefixed=True)] == ["a.txt:1", "a.txt:2"]
    same = write(tmp_path / "c" / "a.txt", "bird\n")
    assert [name for name, _ in found(a, same)] == [f"{a}:1", f"{a}:2", f"{same}:1"]
    rows = write(tmp_path / "rows.jsonl", JSON_LINES)
    assert [name for name, _ in found(a, rows)] == ["a.txt:1", "a.txt:2", "d1", "d2"]
    notes = [write(tmp_path / "notes" / f"{n}.md", f"# {n}\ncat\n") for n in (1, 2)]
    assert [name for name, _ in found(*notes)] == [name for name, _ in found(tmp_path / "notes")] == ["1.md", "2.md"]
    assert [name for name, _ in found(tmp_path / "notes", a)][:2] == ["notes/1.md", "notes/2.md"]
    with pytest.raises(ValueError, match="is given twice"):
        found(a, a)


def test_a_folder_is_one_document_per_file_and_the_rest_is_counted(tmp_path):
    write(tmp_path / "a.txt", "a cat\non two lines")
    write(tmp_path / "sub" / "b.md", "# Dogs")
    write(tmp_path / "sub" / "c.rst", "Birds\n=====")
    write(tmp_path / "d.html", "<html><head><title>T</title><style>p{}</style></head><body><p>Seen</p></body></html>")
    write(tmp_path / "e.txt.gz", gzip.compress(b"packed"))
    write(tmp_path / "latin.txt", "caf\u00e9".encode("latin-1"))
    write(tmp_path / "binary.txt", b"\x00\x01")
    write(tmp_path / "picture.png", b"\x89PNG")
    write(tmp_path / "empty.txt", "")
    write(tmp_path / ".git" / "config.txt", "hidden")
    write(tmp_path / "package.json", "{}")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    files = TextFiles(tmp_path)
    assert {document.id: document.content for document in files} == {
        "a.txt": "a cat\non two lines", "sub/b.md": "# Dogs", "sub/c.rst": "Birds\n=====", "d.html": "T Seen",
        "e.txt.gz": "packed",
    }  # fmt: skip
    assert files.left_out.counts == {
        "not readable as text": 2, "not named like a text (.png)": 1, "without text": 1, "hidden": 1,
        "data, which must be given by its own path (.json)": 1, "folder already read through another link": 1,
        "broken link": 1, "not a file": 1,
    }  # fmt: skip


def test_folders_of_data_are_read_as_data(tmp_path):
    write(tmp_path / "beir" / "corpus.jsonl", JSON_LINES)
    write(tmp_path / "beir" / "queries.jsonl", '{"_id": "q", "text": "cat"}\n')
    write(tmp_path / "beir" / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\n")
    assert found(tmp_path / "beir") == WANTED
    assert found(tmp_path / "beir", part="queries") == [("q", "cat")]
    for n, line in enumerate(JSON_LINES.splitlines()):
        write(tmp_path / "shards" / f"{n}.jsonl.gz", gzip.compress(line.encode()))
    assert found(tmp_path / "shards") == WANTED
    with pytest.raises(TextFormatError, match=r"has no queries\.jsonl"):
        found(tmp_path / "shards", part="queries")
    (tmp_path / "none").mkdir()
    with pytest.raises(TextFormatError, match=r"none: has no \.txt, .* files$"):
        found(tmp_path / "none")


def test_names_that_are_not_utf8_become_ids_with_escapes(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    try:
        Path(os.fsdecode(name)).write_text("coffee")
    except OSError:
        pytest.skip("this file system takes no such names")
    assert found(tmp_path) == [("caf\\xe9.txt", "coffee")]


def test_standard_input_is_any_of_these(monkeypatch):
    for content, expected in (
        (JSON_LINES.encode(), WANTED),
        (gzip.compress(JSON_LINES.encode()), WANTED),
        (json.dumps(ROWS).encode(), WANTED),
        (b"7\ta cat\n", [("7", "a cat")]),
        (b"a cat\na dog\n", [("1", "a cat"), ("2", "a dog")]),
    ):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert found(STDIN) == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a cat"\n')))
    with pytest.raises(TextFormatError, match="standard input:1: not JSON"):
        found(STDIN)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(TextFormatError, match="standard input: is closed"):
        found(STDIN)


@pytest.mark.slow(reason="counts the memory of large files")
def test_long_files_are_read_a_piece_at_a_time(tmp_path):
    import tracemalloc

    text = "cat " * 500
    rows = ",\n".join(json.dumps({"id": n, "text": text}) for n in range(10_000))
    for path in (write(tmp_path / "a.json", f"[{rows}]"), write(tmp_path / "a.jsonl", rows.replace(",\n", "\n"))):
        tracemalloc.start()
        assert sum(1 for _ in TextFiles(path)) == 10_000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3_000_000 < path.stat().st_size


def test_lines_without_end_are_refused(tmp_path, monkeypatch):
    for module in ("lines", "json_values"):
        monkeypatch.setattr(f"moverank.readers.texts.{module}.MOST_BYTES", 1000)
    path = write(tmp_path / "a.txt", "cat\n" + "x" * 1000)
    with pytest.raises(TextFormatError, match=r"a\.txt:2: the line has 0 MiB or more"):
        found(path)
    with pytest.raises(TextFormatError, match="or more, too much for one document"):
        read_text(path)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.text(), JSON_VALUES, max_size=4), max_size=6), st.integers(1, 40), st.data())
def test_arrays_in_pieces_are_what_json_says(values, chunk, data):
    indent = data.draw(st.sampled_from([None, 1]))
    text = json.dumps(values, indent=indent, ensure_ascii=data.draw(st.booleans()))
    lines = ((n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moverank.readers.texts.json_values._CHUNK", chunk)
        assert [value for _, value in values_in(lines, "x")] == values


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>one<p>two", ("", "one two")),
        ("<head><title>T &amp; U</title><script>var a = '<p>';</script><p>text", ("T & U", "text")),
        ("<b>bo</b>ld", ("", "bold")),
        ("<svg><title>no</title></svg>x", ("", "x")),
        ("a<!-- b -->c &lt;d&gt; &eacute;", ("", "ac <d> é")),
        ("<noscript>no</noscript></noscript>x", ("", "x")),
    ],
)
def test_pages_are_what_readers_see(page, expected):
    assert text_of_page(page) == expected


def test_pages_may_declare_their_encoding(tmp_path):
    page = '<meta charset="iso-8859-1"><p>café'
    assert found(write(tmp_path / "a.html", page.encode("latin-1"))) == [("a.html", "café")]
    odd = write(tmp_path / "b.html", b'<meta charset="rot13"><p>cat')
    assert found(odd) == [("b.html", "cat")]
