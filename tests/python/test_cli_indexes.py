"""Commands over an index of texts: the road is TextIndex's, and what was built is what is searched."""

import json

import numpy as np
import pytest

import moverank as mr
from moverank.cli import main
from moverank.data import demo_documents, demo_queries
from moverank.encoders import WordVectors

#: Transport alone, of all documents: then answers are the reranker's.
ALONE = ["--fusion", "1", "--candidates", "all"]
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
    for source in (["--index", index, *ALONE], ["--docs", docs]):
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
    mr.Index.build_on_disk(tmp_path / "vectors", [batch], "wrd", space=space, encoder=ENCODER).close()
    with mr.Index.open(tmp_path / "vectors") as index:
        ranking = mr.Reranker(ENCODER).rank(QUERY.text, index, top_k=5)
    with mr.TextIndex.create(tmp_path / "texts", measure="wrd", space=space, dtype="float32") as index:
        index.add(texts, ids=[d.id for d in DOCS])
    for folder, alone in (("vectors", []), ("texts", ALONE)):
        report = answer(capsys, "search", QUERY.text, "--index", str(tmp_path / folder), "-k", "5", "--json", *alone)
        assert shown_hits(report) == hits_of(ranking)
        assert report["hits"][0]["text"] == next(d.text for d in DOCS if d.id == report["hits"][0]["id"])
    more = rows(tmp_path / "more.jsonl", [{"id": "new", "text": QUERY.text}])
    assert "is an index of vectors without texts" in refusal(capsys, "add", str(tmp_path / "vectors"), more)
    assert main(["add", str(tmp_path / "texts"), more]) == 0
    best = answer(capsys, "search", QUERY.text, "--index", str(tmp_path / "texts"), "-k", "1", "--json")["hits"][0]
    assert (best["id"], best["distance"]) == ("new", pytest.approx(0, abs=1e-6))


def test_terms_and_tokens_are_both_searched(index, capsys):
    with mr.TextIndex.open(index) as opened:
        assert opened.lexical == "english"
        hits = opened.search(
            "cells of the immune system", 5, candidates=7, fusion=0.4, min_similarity=0.1, where="lang = 'en'"
        )
    report = answer(
        capsys, "search", "cells of the immune system", "--index", index, "-k", "5", "--json", "--candidates", "7",
        "--fusion", "0.4", "--min-similarity", "0.1", "--where", "lang = 'en'",
    )  # fmt: skip
    assert {**report, "seconds": None, "stats": None} == {**hits.to_dict(), "seconds": None, "stats": None}
    assert main(["search", "cells of the immune system", "--index", index]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["rank", "score", "similarity", "terms", "id", "document"]
    assert "candidates, by terms or by tokens" in out
    assert main(["search", "cells of the immune system", "--index", index, "--min-similarity", "1.1"]) == 0
    assert capsys.readouterr().out.startswith("no document: no candidate is as good as requested\n")
    for candidates in ("0", "-1", "some", "²"):
        error = refusal(capsys, "search", "cells", "--index", index, "--candidates", candidates)
        assert "--candidates: expected a whole number of at least 1, or 'all'" in error


def test_texts_can_be_indexed_by_tokens_alone_in_passages_and_without_texts(tmp_path, docs, capsys):
    path = str(tmp_path / "i")
    assert main(["index", path, docs, "--lexical", "none", "--passages", "40"]) == 0
    with mr.TextIndex.open(path) as index:
        assert (index.lexical, index.passages, len(index)) == (None, mr.Passages(40, 13), 30)
        assert len(index.index) > 30
        hits = index.search(QUERY.text, 3)
    report = answer(capsys, "search", QUERY.text, "--index", path, "-k", "3", "--json")
    assert [(hit["id"], tuple(hit["passage"])) for hit in report["hits"]] == [(hit.id, hit.passage) for hit in hits]
    assert main(["explain", QUERY.text, hits[0].id, "--index", path]) == 0
    assert main(["search", QUERY.text, "--index", path]) == 0
    assert "terms" not in capsys.readouterr().out.splitlines()[0]
    assert "fusion: expected none or 1" in refusal(capsys, "search", "cat", "--index", path, "--fusion", "0.5")


def test_without_a_lexical_library_texts_are_found_by_tokens_and_that_is_said(tmp_path, docs, capsys, monkeypatch):
    monkeypatch.setattr("moverank.cli.index.find_spec", lambda name: None)
    assert main(["index", str(tmp_path / "i"), docs]) == 0
    assert "pip install 'moverank[lexical]'" in capsys.readouterr().err
    assert main(["index", str(tmp_path / "j"), docs, "--lexical", "none"]) == 0
    assert "lexical" not in capsys.readouterr().err
    for name in "ij":
        with mr.TextIndex.open(tmp_path / name) as index:
            assert index.lexical is None


def test_a_build_is_resumed(tmp_path, docs, capsys, monkeypatch):
    monkeypatch.setattr("moverank.cli.texts.TEXTS_AT_ONCE", 7)
    path, done = str(tmp_path / "i"), []

    def add(self, *texts, **options):
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt
        return whole(self, *texts, **options)

    whole = mr.TextIndex.add
    with monkeypatch.context() as patch:
        patch.setattr(mr.TextIndex, "add", add)
        assert main(["index", path, docs, "--quiet"]) == 130
    with mr.TextIndex.open(path) as index:
        assert len(index) == 14
    for options in (["--lexical", "words"], ["--measure", "wmd"], ["--dtype", "int8"], ["--pool", "2"],
                    ["--passages", "9"], ["--no-texts"], ["--prefilter", "Flat"]):  # fmt: skip
        assert f"begun with another {options[0]}" in refusal(capsys, "index", path, docs, "--resume", *options)
    assert main(["index", path, docs, "--resume"]) == 0
    assert main(["index", path, docs, "--resume"]) == 0
    assert main(["index", str(tmp_path / "whole"), docs, "--resume"]) == 0  # begins, if there is nothing
    with mr.TextIndex.open(path) as index, mr.TextIndex.open(tmp_path / "whole") as other:
        assert list(index) == list(other) == [d.id for d in DOCS]
        assert [index.payload(name) for name in index] == [other.payload(name) for name in index]
        assert index.search(QUERY.text, 5).ids == other.search(QUERY.text, 5).ids
    changed = rows(tmp_path / "changed.jsonl", [{"id": DOCS[0].id, "text": "something else"}])
    error = refusal(capsys, "index", path, changed, "--resume")
    assert f"changed.jsonl:1: document {DOCS[0].id!r} has another text than in the index" in error


def test_vectors_and_texts_are_not_mixed(tmp_path, docs, capsys):
    np.save(tmp_path / "v.npy", np.ones((1, 2, 4)))
    error = refusal(capsys, "index", str(tmp_path / "i"), docs, str(tmp_path / "v.npy"))
    assert "an index has the one or the other" in error
    assert not (tmp_path / "i").exists()


def test_an_index_of_which_no_text_can_be_encoded_is_not_left_behind(tmp_path, capsys):
    strange = rows(tmp_path / "strange.jsonl", [{"id": "s", "text": "zzqqx"}])
    assert "no document has a word with a vector" in refusal(capsys, "index", str(tmp_path / "i"), strange)
    assert not (tmp_path / "i").exists()


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
        ["recall", index, "--queries", queries, "-k", "1"],
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
    with mr.TextIndex.open(tmp_path / "i") as index:
        assert index.payload(DOCS[0].id) == {**expected, "title": DOCS[0].title}
        assert index.text(DOCS[0].id) == f"{DOCS[0].title} {DOCS[0].text}"


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
    with mr.TextIndex.open(index) as now:
        assert DOCS[0].id in now
        now.verify()


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
        report = answer(capsys, "search", QUERY.text, "--index", path, "-k", "30", "--json", "--explain", *ALONE)
        moves = [(m["source_token"], m["target_token"], m["mass"]) for m in report["alignment_of_best"]["moves"]]
        totals = {}
        for source, target, mass in moves:
            totals[source, target] = totals.get((source, target), 0) + mass
        answers.append((shown_hits(report), totals))
    (bags, moved), (tokens, moved_tokens) = answers
    # Tokens of texts are stored as float16.
    assert [name for name, _ in bags] == [name for name, _ in tokens]
    assert [distance for _, distance in bags] == pytest.approx([distance for _, distance in tokens], abs=1e-3)
    assert moved == pytest.approx(moved_tokens, abs=1e-3)


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


def test_a_resumed_build_deletes_nothing(tmp_path, capsys):
    one = rows(tmp_path / "one.jsonl", [{"id": "a", "text": "a cat"}])
    strange = rows(tmp_path / "strange.jsonl", [{"id": "s", "text": "zzqqx"}])
    path = tmp_path / "i"
    assert main(["index", str(path), one]) == 0
    assert main(["remove", str(path), "a"]) == 0
    (path / "notes").write_text("mine")
    assert "no document has a word" in refusal(capsys, "index", str(path), strange, "--resume")
    assert (path / "notes").read_text() == "mine"


def test_an_id_given_twice_is_an_error_however_far_apart(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("moverank.cli.texts.TEXTS_AT_ONCE", 2)
    names = ["a", "b", "c", "a"]
    docs = rows(tmp_path / "twice.jsonl", [{"id": name, "text": "a cat"} for name in names])
    for command in (["index", str(tmp_path / "i"), docs], ["index", str(tmp_path / "i"), docs, "--resume"]):
        assert "twice.jsonl:4: id 'a' is given to more than one document" in refusal(capsys, *command)
    assert "id 'a' is given" in refusal(capsys, "add", str(tmp_path / "i"), docs, "--replace")
