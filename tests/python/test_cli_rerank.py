"""``moverank rerank`` goes on where a text is empty, a document unknown or an id has spaces, and says so."""

import io
import json
import sys

import pytest

from moverank.cli import main

QUERIES = {"q1": "a cat on a sofa", "q2": "shares fell"}
DOCS = {"d1": "the cat sat on the mat", "d2": "stock markets fell", "d3": "a dog"}


@pytest.fixture
def reranked(tmp_path, capsys, monkeypatch):
    """The columns that come out, and what is told, of a run over documents in a file, or in an index of that file."""
    monkeypatch.chdir(tmp_path)

    def call(*options, queries=QUERIES, docs=DOCS, run=None, index=False, name="docs.tsv"):
        for file, texts in (("queries.tsv", queries), (name, docs)):
            (tmp_path / file).write_text("".join(f"{key}\t{text}\n" for key, text in texts.items()))
        rows = run or [(query, document) for query in queries for document in docs]
        lines = ["\t".join([q, "Q0", d, str(n), f"{-n}", "bm25"]) + "\n" for n, (q, d) in enumerate(rows)]
        (tmp_path / "run").write_text("".join(lines))
        where = ["--docs", name]
        if index:
            assert main(["index", "index", name, "--overwrite", "--quiet"]) == 0
            where = ["--index", "index"]
        capsys.readouterr()
        status = main(["rerank", "run", "--queries", "queries.tsv", *where, *options])
        out, err = capsys.readouterr()
        (tmp_path / "ours").write_text(out)
        return status, [line.split("\t" if "\t" in line else " ") for line in out.splitlines()], err

    return call


def places(rows, query):
    return [row[2] for row in rows if row[0] == query]


@pytest.mark.parametrize("empty", ["", "  ", "zzqqx"])
@pytest.mark.parametrize("name", ["docs.tsv", "docs.txt"])
def test_documents_without_a_known_word_come_last_whether_they_have_a_text_or_not(reranked, empty, name):
    status, rows, err = reranked(docs={"d1": DOCS["d1"], "d2": empty, "d3": DOCS["d3"]}, name=name)
    assert status == 0
    assert places(rows, "q1") == ["d1", "d3", "d2"]
    assert [row[4] for row in rows if row[2] == "d2"] == ["-1e+09"] * 2
    assert "2 candidates have no word with a vector and come last by distance (the first: for query 'q1')" in err
    assert "left out" not in err


def test_queries_without_a_text_keep_the_order_of_the_first_stage(reranked):
    status, rows, err = reranked(queries={"q1": QUERIES["q1"], "q2": ""})
    assert status == 0
    assert places(rows, "q1")[0] == "d1"
    assert [(row[2], row[4]) for row in rows if row[0] == "q2"] == [("d1", "-3"), ("d2", "-4"), ("d3", "-5")]
    assert "1 of 2 queries have no word with a vector and keep the first stage's order: 'q2'" in err


@pytest.mark.parametrize("options", [[], ["-k", "2"], ["--depth", "2"], ["--fusion", "0.5"], ["--fusion", "0"]])
@pytest.mark.parametrize("unknown", ["d1", "d2", "d3"])
def test_an_index_that_lacks_documents_without_a_known_word_gives_the_same_run(reranked, options, unknown):
    docs = {**DOCS, unknown: "zzqqx", "d4": "", "d5": "a bird"}
    status, over_texts, _ = reranked(*options, docs=docs)
    assert status == 0
    status, over_index, err = reranked(*options, docs=docs, index=True)
    assert status == 0
    assert [row[:4] for row in over_index] == [row[:4] for row in over_texts]
    scores = [[float(row[4]) for row in rows] for rows in (over_index, over_texts)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    if "--depth" not in options:
        assert "4 candidates are not in the index and come last by distance (the first: for query 'q1')" in err


def test_an_index_of_other_documents_is_refused(reranked):
    status, rows, err = reranked(run=[("q1", "x"), ("q1", "y")], index=True)
    assert (status, rows) == (2, [])
    assert "run: none of its documents, such as 'x', is in the index" in err


def test_an_index_may_lack_all_that_one_query_names(reranked):
    status, rows, _ = reranked(run=[("q1", "x"), ("q1", "y"), ("q2", "d1"), ("q2", "d2")], index=True)
    assert status == 0
    assert [(row[2], row[4]) for row in rows if row[0] == "q1"] == [("x", "-1e+09"), ("y", "-1e+09")]
    assert places(rows, "q2") == ["d2", "d1"]


def answers(monkeypatch, capsys, *requests):
    text = "".join(json.dumps(request) + "\n" for request in requests)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
    status = main(["rerank", "-"])
    out, err = capsys.readouterr()
    return status, [json.loads(line) for line in out.splitlines()], err


def test_a_query_without_candidates_has_an_empty_result(monkeypatch, capsys):
    none, some = {"query": "cat", "documents": []}, {"query": "cat", "documents": ["a dog", "a cat"]}
    status, (first, second), err = answers(monkeypatch, capsys, none, some)
    assert (status, err) == (0, "")
    assert (first["id"], first["query"], first["hits"]) == ("1", "cat", [])
    assert [result["id"] for result in second["hits"]] == ["1", "0"]
    status, (only,), _ = answers(monkeypatch, capsys, none)
    assert (status, only["hits"]) == (0, [])
    # What has nothing to rank is not a query that could be compared.
    status, found, err = answers(monkeypatch, capsys, none, {"query": "", "documents": ["a dog"]})
    assert (status, len(found)) == (2, 2)
    assert "1 of 2 queries have no word with a vector" in err


@pytest.mark.parametrize("space", [" ", "\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}"])
@pytest.mark.parametrize("index", [False, True])
def test_a_run_whose_ids_have_spaces_can_be_scored(reranked, tmp_path, capsys, index, space):
    pytest.importorskip("ir_measures")
    queries = {f"q{space}one": QUERIES["q1"], f"q{space}two": "zzqqx"}
    docs = {f"San{space}Francisco": DOCS["d1"], "d2": DOCS["d2"]}
    status, rows, _ = reranked(queries=queries, docs=docs, index=index)
    assert status == 0
    assert [len(row) for row in rows] == [6] * 4
    (tmp_path / "qrels").write_text(f"q{space}one\tSan{space}Francisco\t1\nq{space}two\td2\t1\n")
    assert main(["eval", "--qrels", "qrels", "--run", "ours", "-m", "RR@10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"queries": 2, "RR@10": 0.75}


def test_ids_of_a_run_are_not_empty(reranked):
    for row, what in ((("q1", ""), "document"), (("", "d1"), "query")):
        status, _, err = reranked(run=[row])
        assert status == 2
        assert f"run:1: the id of the {what} is empty" in err
