"""Commands over an index: the road is Reranker's, and what was built is what is searched."""

import json

import numpy as np
import pytest

import moverank as mr
from moverank.cli import main
from moverank.data import demo_documents, demo_queries
from moverank.encoders import WordVectors

DOCS = demo_documents()[:30]
QUERY = demo_queries()[0]
ENCODER = WordVectors.default()


def rows(path, objects):
    path.write_text("".join(json.dumps(row) + "\n" for row in objects), encoding="utf-8")
    return str(path)


@pytest.fixture
def docs(tmp_path):
    return rows(tmp_path / "docs.jsonl", [
        {"docno": d.id, "title": d.title, "contents": d.text, "year": 1990 + n, "lang": "en" if n % 2 else "de"}
        for n, d in enumerate(DOCS)
    ])  # fmt: skip


@pytest.fixture
def index(tmp_path, docs):
    assert main(["index", str(tmp_path / "index"), docs, "--quiet"]) == 0
    return str(tmp_path / "index")


def answer(capsys, *arguments):
    capsys.readouterr()
    assert main(list(arguments)) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments):
    capsys.readouterr()
    assert main(list(arguments)) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("moverank: error: ")
    assert error.count("\n") == 1
    return error


def hits_of(ranking):
    return [(d.doc_id, pytest.approx(d.distance, abs=1e-6)) for d in ranking]


def shown_hits(report):
    return [(hit["id"], hit["distance"]) for hit in report["hits"]]


def test_an_index_and_its_texts_give_the_same_answer_as_the_reranker(index, docs, capsys):
    ranking = mr.Reranker().rank(QUERY.text, [f"{d.title} {d.text}" for d in DOCS], doc_ids=[d.id for d in DOCS])
    for source in (["--index", index], ["--docs", docs]):
        report = answer(capsys, "search", QUERY.text, *source, "-k", "30", "--json", "--explain")
        assert shown_hits(report) == hits_of(ranking)
        assert report["hits"][0]["payload"]["title"] == next(d.title for d in DOCS if d.id == report["hits"][0]["id"])
        moves = report["alignment_of_best"]["moves"]
        moved = sum(move["contribution"] for move in moves)
        assert moved == pytest.approx(report["hits"][0]["distance"], abs=1e-6)
        assert {move["source_token"] for move in moves} <= set(ENCODER.encode([QUERY.text]).tokens[0])


def test_queries_are_moved_into_the_space_of_an_index(tmp_path, capsys):
    texts = [d.text for d in DOCS]
    space = mr.fit(ENCODER, texts, ["whitening", "idf"])
    batch = mr.readers.Batch(space.over(ENCODER).encode(texts).sequences, [d.id for d in DOCS], texts)
    mr.Index.build_on_disk(tmp_path / "i", [batch], "wrd", space=space, encoder=ENCODER).close()
    with mr.Index.open(tmp_path / "i") as index:
        ranking = mr.Reranker(ENCODER).rank(QUERY.text, index, top_k=5)
    report = answer(capsys, "search", QUERY.text, "--index", str(tmp_path / "i"), "-k", "5", "--json")
    assert shown_hits(report) == hits_of(ranking)
    assert report["hits"][0]["text"] == next(d.text for d in DOCS if d.id == report["hits"][0]["id"])
    more = rows(tmp_path / "more.jsonl", [{"id": "new", "text": QUERY.text}])
    assert main(["add", str(tmp_path / "i"), more]) == 0
    best = answer(capsys, "search", QUERY.text, "--index", str(tmp_path / "i"), "-k", "1", "--json")["hits"][0]
    assert (best["id"], best["distance"]) == ("new", pytest.approx(0, abs=1e-6))


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ([], None),
        (["--measure", "wrd"], None),
        (["--capacity", "4"], None),
        (["--measure", "wrd", "--capacity", "4"], None),
        (["--measure", "wmd"], "--measure wmd: the index was built for wrd(capacity=4)"),
        (["--capacity", "2"], "--capacity 2.0: the index was built for wrd(capacity=4)"),
        (["--measure", "maxsim"], "--measure maxsim: the index was built for"),
        (["--measure", "nonsense"], "unknown measure 'nonsense'"),
        (["--capacity", "nan"], "capacity must be at least 1"),
    ],
)
def test_what_is_said_of_the_measure_has_to_be_so(index, tmp_path, options, refused, capsys):
    run = tmp_path / "run.trec"
    run.write_text(f"q Q0 {DOCS[0].id} 1 2 x\n")
    queries = rows(tmp_path / "queries.jsonl", [{"_id": "q", "text": QUERY.text}])
    for command in (
        ["search", QUERY.text, "--index", index],
        ["explain", QUERY.text, DOCS[0].id, "--index", index],
        ["rerank", str(run), "--queries", queries, "--index", index],
    ):
        if refused is None:
            assert main([*command, *options]) == 0
        else:
            assert refused in refusal(capsys, *command, *options)


def test_another_encoder_is_refused_unless_that_is_wanted(index, tmp_path, capsys):
    words = sorted({word for d in DOCS for word in ENCODER.encode([d.text]).tokens[0]})
    vectors = np.random.default_rng(0).normal(size=(len(words), 128))
    other = tmp_path / "other.txt"
    other.write_text("".join(f"{w} {' '.join(f'{x:.3f}' for x in v)}\n" for w, v in zip(words, vectors, strict=True)))
    run = tmp_path / "run.trec"
    run.write_text(f"q Q0 {DOCS[0].id} 1 2 x\n")
    queries = rows(tmp_path / "queries.jsonl", [{"_id": "q", "text": DOCS[0].text}])
    more = rows(tmp_path / "more.jsonl", [{"id": "new", "text": DOCS[0].text}])
    for command in (
        ["search", DOCS[0].text, "--index", index],
        ["explain", DOCS[0].text, DOCS[0].id, "--index", index],
        ["rerank", str(run), "--queries", queries, "--index", index],
        ["add", index, more],
    ):
        assert "the index was built with WordVectors" in refusal(capsys, *command, "--vectors", str(other))
        status = main([*command, "--vectors", str(other), "--any-encoder"])
        error = capsys.readouterr().err
        assert "encoder" not in error
        # Words of another table have no place in the index's.
        assert (status, "table" in error) == ((2, True) if command[0] == "add" else (0, False))


def test_an_index_that_does_not_know_its_encoder_is_told_of(tmp_path, capsys):
    mr.Index.build(ENCODER.encode(["a cat"]).sequences, payloads=["a cat"]).save(tmp_path / "i")
    assert main(["search", "cat", "--index", str(tmp_path / "i")]) == 0
    assert "encoder" in capsys.readouterr().err


def test_conditions_choose_documents(index, capsys):
    report = answer(capsys, "search", "cells", "--index", index, "-k", "30", "--json", "--where",
                    "year < 1996 AND lang = 'de'")  # fmt: skip
    assert {hit["id"] for hit in report["hits"]} == {DOCS[n].id for n in (0, 2, 4)}
    assert report["stats"]["documents"] == 3
    assert "yeer" in refusal(capsys, "search", "cells", "--index", index, "--where", "yeer < 1996")
    assert "is not a valid condition" in refusal(capsys, "search", "cells", "--index", index, "--where", "year <")


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], {"year": 1990, "lang": "de"}), (["--payload", "*"], {"year": 1990, "lang": "de"}),
     (["--payload", "year"], {"year": 1990}),
     (["--payload", "lang", "--payload", "year"], {"year": 1990, "lang": "de"})],
)  # fmt: skip
def test_fields_become_payloads(tmp_path, docs, options, expected):
    assert main(["index", str(tmp_path / "i"), docs, *options]) == 0
    with mr.Index.open(tmp_path / "i") as index:
        payload = index.payload(DOCS[0].id)
    assert payload == {**expected, "title": DOCS[0].title, "text": f"{DOCS[0].title} {DOCS[0].text}"}


def test_a_field_that_no_document_has_is_refused(tmp_path, docs, capsys):
    error = refusal(capsys, "index", str(tmp_path / "i"), docs, "--payload", "yeer")
    assert (
        "--payload: none of the first 30 documents has a field 'yeer'; they have 'lang', 'text', 'title', 'year'"
        in error
    )


def test_tokens_are_kept_beside_those_of_another_type(tmp_path, docs, capsys):
    assert "--rescore: keeps the tokens as well as those of a --dtype" in refusal(
        capsys, "index", str(tmp_path / "i"), docs, "--rescore"
    )


def test_documents_are_added_replaced_and_removed(index, tmp_path, capsys):
    more = tmp_path / "more.txt"
    more.write_text("a cat on a mat\nzzqqx\n")
    capsys.readouterr()
    assert main(["add", index, str(more)]) == 0
    out, error = capsys.readouterr()
    assert out == f"{index}: 1 added, 0 replaced, 31 documents\n"
    assert error == f"moverank: left out: 1 without a known word ({more}:2)\n"
    added = answer(capsys, "add", index, str(more), "--replace", "--json")
    unknown = {"reason": "without a known word", "count": 1, "first": f"{more}:2"}
    assert added == {"path": index, "added": 0, "replaced": 1, "documents": 31, "left_out": [unknown]}
    built = answer(capsys, "index", str(tmp_path / "other"), str(more), "--json")
    assert (built["documents"], built["left_out"]) == (1, [unknown])
    assert answer(capsys, "search", "cat sofa", "--index", index, "-k", "1", "--json")["hits"][0]["id"] == "more.txt:1"
    assert "is already in the index" in refusal(capsys, "add", index, str(more))
    changed = rows(tmp_path / "changed.jsonl", [{"id": "more.txt:1", "text": "a dog"}, {"id": "z", "text": "a bird"}])
    assert main(["add", index, changed, "--replace"]) == 0
    assert capsys.readouterr().out == f"{index}: 1 added, 1 replaced, 32 documents\n"
    assert answer(capsys, "search", "dog", "--index", index, "-k", "1", "--json")["hits"][0]["text"] == "a dog"
    assert main(["remove", index, "more.txt:1", "z", "--compact"]) == 0
    assert capsys.readouterr().out == f"{index}: 2 removed, 30 documents\n"
    assert "'z' is not in the index" in refusal(capsys, "remove", index, DOCS[0].id, "z")
    with mr.Index.open(index) as now:
        assert DOCS[0].id in now


def test_numbers_that_are_ids_are_numbers(tmp_path, capsys):
    mr.Index.build(ENCODER.encode(["a cat", "a dog"]).sequences, payloads=["a cat", "a dog"], encoder=ENCODER).save(
        tmp_path / "i"
    )
    path = str(tmp_path / "i")
    assert main(["explain", "cat", "1", "--index", path]) == 0
    assert "dog" in capsys.readouterr().out
    assert "'x' is not an id of this index, whose ids are whole numbers" in refusal(capsys, "remove", path, "x")
    assert main(["remove", path, "1"]) == 0


def test_an_index_is_replaced_once_the_new_one_is_whole(index, tmp_path, docs, capsys):
    one = rows(tmp_path / "one.jsonl", [{"id": "only", "text": "a cat"}])
    assert "there is already an index" in refusal(capsys, "index", index, one)
    assert "--resume" in refusal(capsys, "index", index, one, "--overwrite", "--resume")
    strange = rows(tmp_path / "strange.jsonl", [{"id": "s", "text": "zzqqx"}])
    assert "no document has a word with a vector" in refusal(capsys, "index", index, strange, "--overwrite")
    with mr.Index.open(index) as old:
        assert len(old) == 30
    assert main(["index", index, one, "--overwrite"]) == 0
    with mr.Index.open(index) as new:
        assert new.ids.tolist() == ["only"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["docs.jsonl", "index", "one.jsonl", "strange.jsonl"]
    assert main(["index", str(tmp_path / "fresh"), one, "--overwrite"]) == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    refusal(capsys, "index", str(tmp_path / "other"), one, "--overwrite")
    assert (tmp_path / "other" / "file").read_text() == "mine"


def test_a_run_is_reranked_over_an_index_as_over_texts(index, docs, tmp_path, capsys):
    run, queries = tmp_path / "run.trec", tmp_path / "queries.tsv"
    run.write_text("".join(f"7 Q0 {d.id} {n} {-n} bm25\n" for n, d in enumerate(DOCS[:12])))
    queries.write_text(f"7\t{QUERY.text}\n1\tsomething else\n")
    for options in ([], ["--depth", "4"], ["--fusion", "0.5"], ["-k", "3"]):
        common = ["rerank", str(run), "--queries", str(queries), *options]
        capsys.readouterr()
        assert main([*common, "--index", index]) == 0
        over_index = capsys.readouterr().out
        assert main([*common, "--docs", docs]) == 0
        over_texts = capsys.readouterr().out
        assert [line.split()[:4] for line in over_index.splitlines()] == [
            line.split()[:4] for line in over_texts.splitlines()
        ]


def test_words_with_one_vector_each_are_kept_as_bags(index, docs, tmp_path, capsys):
    assert main(["index", str(tmp_path / "tokens"), docs, "--prefilter", "Flat"]) == 0
    answers = []
    for path, of_bags in ((index, True), (str(tmp_path / "tokens"), False)):
        with mr.Index.open(path) as opened:
            assert opened.is_of_bags is of_bags
        report = answer(capsys, "search", QUERY.text, "--index", path, "-k", "30", "--json", "--explain")
        moves = [(m["source_token"], m["target_token"], m["mass"]) for m in report["alignment_of_best"]["moves"]]
        totals = {}
        for source, target, mass in moves:
            totals[source, target] = totals.get((source, target), 0) + mass
        answers.append((shown_hits(report), totals))
    (bags, moved), (tokens, moved_tokens) = answers
    assert bags == [(name, pytest.approx(distance, abs=1e-6)) for name, distance in tokens]
    assert moved == pytest.approx(moved_tokens, abs=1e-6)


def test_advice_is_about_options(index, tmp_path, docs, capsys, monkeypatch):
    assert "there is already an index; --overwrite replaces it, or use" in refusal(capsys, "index", index, docs)
    assert "is already in the index; --replace replaces documents" in refusal(capsys, "add", index, docs)

    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1)  # each batch is kept at once
    errors = []

    def batches():
        for name in ("a", "b"):
            yield mr.readers.Batch(ENCODER.encode(["a cat"]).sequences, [name])
        errors.append(refusal(capsys, "search", "cat", "--index", str(tmp_path / "begun")))

    mr.Index.build_on_disk(tmp_path / "begun", batches(), "wrd").close()
    assert errors[0].endswith("batches are written; moverank index --resume resumes it\n")
