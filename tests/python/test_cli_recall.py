"""``moverank recall`` measures what `Index.recall` does, for texts, and says which it leaves out."""

import io
import json
import sys

import pytest

import moverank as mr
from moverank.cli import main
from moverank.data import demo_documents, demo_queries
from moverank.encoders import WordVectors

DOCS, QUERIES = demo_documents()[:200], demo_queries()
ENCODER = WordVectors.default()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with an index of bags, one of tokens, and queries."""
    monkeypatch.chdir(tmp_path)
    rows = [{"id": d.id, "title": d.title, "text": d.text, "year": 1990 + n} for n, d in enumerate(DOCS)]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "queries.tsv").write_text("".join(f"{q.id}\t{q.text}\n" for q in QUERIES))
    assert main(["index", "bags", "docs.jsonl", "--quiet"]) == 0
    assert main(["index", "tokens", "docs.jsonl", "--quiet", "--dtype", "float32"]) == 0
    return tmp_path


def shares(report):
    return [(one["candidates"], one["shares"]) for one in report["at"]]


@pytest.mark.parametrize("kind", ["bags", "tokens"])
def test_it_is_what_the_index_measures(folder, capsys, kind):
    capsys.readouterr()
    options = ["-k", "5", "--candidates", "50", "--candidates", "10", "--threads", "1", "--where", "year > 2000"]
    assert main(["recall", kind, "--queries", "queries.tsv", *options, "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    queries = ENCODER.encode([query.text for query in QUERIES]).sequences
    with mr.Index.open(kind) as index:
        found = index.recall(queries, 5, candidates=[10, 50], where="year > 2000", query_ids=[q.id for q in QUERIES])
    assert shares(report) == shares(found.to_dict())
    assert list(report) == [*found.to_dict(), "lost", "left_out"]
    assert (report["documents"], report["query_ids"]) == (189, [query.id for query in QUERIES])
    assert (report["num_threads"], report["left_out"]) == (1, [])
    dropped = sum(ENCODER.encode([query.text for query in QUERIES]).dropped)
    assert report["lost"]["query_dropped"] == dropped > 0
    assert f"{dropped} words of queries" in err


def test_options_of_cells_are_those_of_the_measurement(folder, capsys):
    with mr.Index.open("tokens") as index:
        docs = [index._snapshot.document(position)[0] for position in range(len(index))]
        encoder = index._snapshot.encoder
    mr.Index.build(docs, "wrd", prefilter=mr.TokenCells(64, probes=1, ranked=1), encoder=encoder).save("cells")
    measured = {}
    for name, options in {"own": [], "other": ["--probes", "64", "--ranked", "200"]}.items():
        capsys.readouterr()
        assert main(["recall", "cells", "--queries", "queries.tsv", "--candidates", "30", "--json", *options]) == 0
        measured[name] = json.loads(capsys.readouterr().out)["at"][0]["recall"]
    assert measured["own"] < measured["other"]
    for options, message in [
        (["cells", "--probes", "0"], "probes must be at least 1, got 0"),
        (["bags", "--ranked", "9"], "--ranked: for the prefilter by tokens, but the index has the prefilter None"),
    ]:
        assert main(["recall", *options, "--queries", "queries.tsv"]) == 2
        assert message in capsys.readouterr().err


def test_the_table_is_that_of_the_result(folder, capsys):
    capsys.readouterr()
    assert main(["recall", "tokens", "--queries", "queries.tsv"]) == 0
    out, _ = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "recall of the true top 10 by wrd(capacity=4): 8 queries, 200 documents"
    assert [line.split()[0] for line in lines[2:6]] == ["30", "100", "200", "exact"]
    assert lines[-1] == "reduced to the number of documents: 300, 1000 candidates"


def test_queries_are_moved_into_the_space_of_the_index(folder, capsys):
    texts = [d.text for d in DOCS]
    space = mr.fit(ENCODER, texts, ["whitening", "idf"])
    docs = space.over(ENCODER).encode(texts).sequences
    index = mr.Index.build(docs, "wrd", space=space, encoder=ENCODER)
    index.save("spaced")
    capsys.readouterr()
    assert main(["recall", "spaced", "--queries", "queries.tsv", "--json"]) == 0
    queries = space.over(ENCODER).encode([query.text for query in QUERIES]).sequences
    assert shares(json.loads(capsys.readouterr().out)) == shares(index.recall(queries).to_dict())


def test_queries_without_a_known_word_are_left_out_and_counted(folder, capsys, monkeypatch):
    lines = [{"key": "q1", "words": "heart disease"}, {"key": "q2", "words": "zzqqx"}, {"key": "q3", "words": ""}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
    capsys.readouterr()
    assert main(["recall", "bags", "--queries", "-", "--id", "key", "--text", "words", "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["query_ids"] == ["q1"]
    assert [one["reason"] for one in report["left_out"]] == ["without text", "without a known word"]
    assert "1 without text" in err
    assert "1 without a known word" in err


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--queries", "none.tsv"], "none.tsv"),
        (["--queries", "unknown.txt"], "no query has a word with a vector"),
        (["--queries", "queries.tsv", "-k", "0"], "-k must be at least 1, got 0"),
        (["--queries", "queries.tsv", "--candidates", "3"], "candidates must be at least k = 10, got 3"),
        (["--queries", "queries.tsv", "--where", "year > 9999"], "there are no documents that satisfy the condition"),
        (["--queries", "queries.tsv", "--where", "yaer > 9999"], "no payload has a field 'yaer'"),
        (["--queries", "queries.tsv", "--measure", "wmd"], "the index was built for wrd(capacity=4)"),
        (["--queries", "queries.tsv", "--vectors", "vectors.txt"], "--any-encoder accepts it anyway"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(folder, capsys, options, fault):
    (folder / "unknown.txt").write_text("zzqqx\n")
    (folder / "vectors.txt").write_text("heart 1 0\ndisease 0 1\n")
    capsys.readouterr()
    assert main(["recall", "tokens", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert fault in err


def test_an_index_without_a_prefilter_is_refused(folder, capsys):
    assert main(["index", "bare", "docs.jsonl", "--quiet", "--prefilter", "none"]) == 0
    capsys.readouterr()
    assert main(["recall", "bare", "--queries", "queries.tsv"]) == 2
    assert "this index was built without one" in capsys.readouterr().err


def test_an_index_without_documents_is_refused(folder, capsys):
    with mr.TextIndex.open("bags", writable=True) as index:
        index.remove(list(index))
    capsys.readouterr()
    assert main(["recall", "bags", "--queries", "queries.tsv"]) == 2
    assert "there are no documents to search" in capsys.readouterr().err
