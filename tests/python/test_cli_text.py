"""The commands about texts, end to end: files in, files and standard output out, errors in one line."""

import io
import json
import sys

import numpy as np
import pytest

import moverank as mr
from moverank.cli import main
from moverank.data import demo_documents, demo_queries
from moverank.encoders import WordVectors
from tiny_models import save_model, save_tokenizer

DOCS = demo_documents()[:40]
QUERIES = demo_queries()[:3]


@pytest.fixture
def files(tmp_path):
    def write(name, rows):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    docs = write("docs.jsonl", [{"_id": d.id, "title": d.title, "text": d.text} for d in DOCS])
    queries = write("queries.jsonl", [{"_id": q.id, "text": q.text} for q in QUERIES])
    run = tmp_path / "run.trec"
    lines = [f"{q.id} Q0 {d.id} {r} {40 - r} bm25" for q in QUERIES for r, d in enumerate(DOCS)]
    run.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"docs": docs, "queries": queries, "run": str(run)}


def expected_order(query):
    encoder = WordVectors.default()
    docs = encoder.encode([f"{d.title} {d.text}" for d in DOCS]).sequences
    values = mr.distances(encoder.encode([query]).sequences, docs, mr.wrd.replace(capacity=4))
    return [DOCS[p].id for p in np.argsort(values, kind="stable")]


def feed(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))


def test_a_trec_run_is_reranked(files, capsys):
    arguments = ["--queries", files["queries"], "--docs", files["docs"], "-k", "5", "--tag", "ours"]
    assert main(["rerank", files["run"], *arguments]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    for query in QUERIES:
        own = [row for row in rows if row[0] == query.id]
        assert [row[2] for row in own] == expected_order(query.text)[:5]
        assert [row[3] for row in own] == ["1", "2", "3", "4", "5"]
        scores = [float(row[4]) for row in own]
        assert scores == sorted(scores, reverse=True)
        assert own[0][5] == "ours"


def test_a_run_may_be_cut_fused_and_cut_into_passages(files, capsys):
    arguments = ["--queries", files["queries"], "--docs", files["docs"], "--depth", "4"]
    assert main(["rerank", files["run"], *arguments]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    first = {d.id for d in DOCS[:4]}
    assert {row[2] for row in rows} == first
    assert main(["rerank", files["run"], *arguments, "--fusion", "0"]) == 0
    fused = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[2] for row in fused[:4]] == [d.id for d in DOCS[:4]]
    assert main(["rerank", files["run"], *arguments, "--passages", "30"]) == 0
    cut = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[4] for row in cut] != [row[4] for row in rows]


def test_json_lines_are_reranked_from_standard_input(capsys, monkeypatch):
    request = {"id": "q", "query": "a cat", "documents": ["stock market", {"id": "x", "text": "the cat sat"}, "zzzqqq"]}
    feed(monkeypatch, json.dumps(request) + "\n")
    assert main(["rerank", "-", "--measure", "wmd"]) == 0
    (answer,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert answer["id"] == "q"
    assert [result["id"] for result in answer["hits"]] == ["x", "0", "2"]
    assert answer["hits"][-1] == {"rank": 2, "id": "2", "score": None, "distance": None, "passage": None}
    assert answer["certificate"]["exact"] is True


def test_the_output_of_rerank_can_be_scored(files, tmp_path, capsys):
    pytest.importorskip("ir_measures")
    assert main(["rerank", files["run"], "--queries", files["queries"], "--docs", files["docs"]]) == 0
    run, qrels = tmp_path / "ours.trec", tmp_path / "qrels.tsv"
    run.write_text(capsys.readouterr().out)
    best = {q.id: expected_order(q.text)[0] for q in QUERIES}
    qrels.write_text("query-id\tcorpus-id\tscore\n" + "".join(f"{q}\t{d}\t1\n" for q, d in best.items()))
    assert main(["eval", "--qrels", str(qrels), "--run", str(run), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {"queries": 3, "nDCG@10": 1.0, "AP": 1.0, "RR@10": 1.0, "R@100": 1.0}
    trec = tmp_path / "qrels.trec"
    trec.write_text("".join(f"{q.id} 0 {expected_order(q.text)[1]} 1\n" for q in QUERIES))
    assert main(["eval", "--qrels", str(trec), "--run", str(run), "-m", "RR@10"]) == 0
    assert capsys.readouterr().out.splitlines() == ["queries  3", "RR@10    0.5000"]


def test_sentence_pairs_are_scored(tmp_path, capsys):
    scipy = pytest.importorskip("scipy.stats")
    pairs = [
        (5.0, "a cat sat", "a cat sat"),
        (3.0, "a cat sat", "the dog sat"),
        (3.0, "he plays guitar", "he plays music"),
        (0.5, "shares fell", "a bird sings"),
        (1.0, "zzzqqq", "a bird"),
    ]
    path = tmp_path / "sts.tsv"
    path.write_text("score\tsentence1\tsentence2\n" + "".join("\t".join(map(str, row)) + "\n" for row in pairs))
    assert main(["eval", "--sts", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    encoder = WordVectors.default()
    values = [1 - mr.wrd(encoder.encode([x]).sequences[0], encoder.encode([y]).sequences[0]) for _, x, y in pairs[:4]]
    gold = [score for score, *_ in pairs[:4]]
    assert (report["pairs"], report["skipped"]) == (4, 1)
    assert report["Pearson"] == pytest.approx(scipy.pearsonr(values, gold)[0])
    assert report["Spearman"] == pytest.approx(scipy.spearmanr(values, gold)[0])


def test_explanations_are_printed_and_drawn(tmp_path, capsys, monkeypatch):
    page = tmp_path / "out.html"
    assert main(["explain", "a man plays", "someone is playing", "--html", str(page)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["query", "token", "document", "token", "mass", "%", "cost", "contribution"]
    assert 'data-token="plays"' in page.read_text(encoding="utf-8")
    feed(monkeypatch, "someone is playing")
    assert main(["explain", "a man plays", "-", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["measure"] == "wrd"
    assert sum(move["contribution"] for move in report["moves"]) == pytest.approx(report["value"], abs=1e-9)
    pytest.importorskip("matplotlib")
    pictures = tmp_path / "heat.png", tmp_path / "flow.svg"
    assert main(["explain", "a man", "a dog", "--heatmap", str(pictures[0]), "--flow", str(pictures[1])]) == 0
    assert pictures[0].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in pictures[1].read_text()


def test_explanations_say_how_sure_moves_are(capsys):
    texts = "a man plays the guitar", "someone is playing an instrument"
    assert main(["explain", *texts, "--samples", "20", "--temperature", "0.3", "--seed", "4"]) == 0
    shown = capsys.readouterr().out
    encoded = WordVectors.default().encode(texts)
    sampled = {"samples": 20, "temperature": 0.3, "seed": 4}
    expected = mr.align(encoded.sequences[0], encoded.sequences[1], "wrd", **sampled).named(*encoded.tokens)
    assert shown == f"{expected}\n"
    assert main(["explain", *texts, "--samples", "20", "--temperature", "0.3", "--seed", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["uncertainty"]
    assert (found["samples"], found["temperature"], found["seed"]) == (20, 0.3, 4)
    assert found["values"] == pytest.approx(expected.uncertainty.values.tolist(), abs=1e-6)


def test_texts_are_indexed_and_searched(files, tmp_path, capsys):
    path = str(tmp_path / "index")
    assert main(["index", path, files["docs"], "--dtype", "float16"]) == 0
    alone = ["--fusion", "1", "--candidates", "all"]
    assert main(["search", QUERIES[0].text, "--index", path, "-k", "3", "--json", "--explain", *alone]) == 0
    report = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert [hit["id"] for hit in report["hits"]] == expected_order(QUERIES[0].text)[:3]
    assert report["hits"][0]["payload"]["title"] == next(d.title for d in DOCS if d.id == report["hits"][0]["id"])
    total = sum(move["contribution"] for move in report["alignment_of_best"]["moves"])
    assert total == pytest.approx(report["hits"][0]["distance"], abs=1e-9)


def test_what_was_not_found_or_kept_cannot_be_explained(files, tmp_path, capsys):
    path = str(tmp_path / "index")
    encoder = WordVectors.default()
    mr.Index.build(encoder.bags(["a cat"]), ids=["bare"], encoder=encoder).save(path)
    (tmp_path / "texts").write_text("a cat\n")
    assert main(["index", str(tmp_path / "unkept"), str(tmp_path / "texts"), "--no-texts"]) == 0
    for folder, name in ((path, "bare"), (str(tmp_path / "unkept"), "1")):
        assert main(["search", "cat", "--index", folder, "--explain"]) == 2
        assert f"--explain: the index holds no text of document {name!r}" in capsys.readouterr().err
        assert main(["explain", "cat", name, "--index", folder]) == 2
        assert f"the index holds no text of document {name!r}" in capsys.readouterr().err
        assert main(["remove", folder, name]) == 0
        assert main(["search", "cat", "--index", folder, "--explain"]) == 0
    assert "no document\n" in capsys.readouterr().out


def test_other_encoders_can_be_chosen(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("cat 1 0\ndog 0.9 0.1\nsat 0 1\n")
    assert main(["explain", "cat sat", "dog", "--vectors", str(words), "--measure", "wmd"]) == 0
    assert "dog" in capsys.readouterr().out
    model, tokenizer = save_model(tmp_path), save_tokenizer(tmp_path)
    assert main(["explain", "cat played", "dog", "--model", str(model), "--tokenizer", str(tokenizer)]) == 0
    assert "played" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rerank", "RUN"], "RUN:1: not JSON"),
        (["rerank", "RUN", "--queries", "QUERIES"], "--queries and --docs go together"),
        (["rerank", "RUN", "--queries", "DOCS", "--docs", "DOCS"], "is not among the queries"),
        (["rerank", "RUN", "--queries", "QUERIES", "--docs", "QUERIES"], "is not among the documents"),
        (["rerank", "QUERIES", "--queries", "QUERIES", "--docs", "DOCS"], "expected six columns of a TREC run"),
        (["rerank", "QUERIES"], "QUERIES:1: expected a JSON object with a query, a text, and documents"),
        (["rerank", "RUN", "-k", "0"], "-k must be at least 1, got 0"),
        (["rerank", "RUN", "--depth", "0"], "--depth must be at least 1, got 0"),
        (["rerank", "RUN", "--queries", "QUERIES", "--docs", "DOCS", "--fusion", "2"], "weight must be from 0 to 1"),
        (["rerank", "none.trec"], "none.trec: No such file"),
        (["eval", "--qrels", "RUN"], "--qrels needs either a --run, or an --index with --queries"),
        (["eval"], "give either --qrels and --run or --index, or --sts"),
        (["eval", "--sts", "DOCS"], "DOCS:2: expected a score, sentence1 and sentence2"),
        (["eval", "--qrels", "RUN", "--run", "RUN"], "expected query, (0,) document and relevance"),
        (["rerank", "EMPTY"], "EMPTY: no queries in it"),
        (["rerank", "EMPTY", "--queries", "QUERIES", "--docs", "DOCS"], "EMPTY: no rankings in it"),
        (["rerank", "TWICE", "--queries", "QUERIES", "--docs", "DOCS"], "TWICE:2: document 'D0' is listed twice for"),
        (["rerank", "WORDS", "--queries", "QUERIES", "--docs", "DOCS"], "WORDS:1: score 'high' is not a finite number"),
        (["eval", "--qrels", "EMPTY", "--run", "RUN"], "EMPTY: no judgements in it"),
        (["eval", "--qrels", "JUDGED", "--run", "WORDS"], "WORDS:1: score 'high' is not a finite number"),
        (["eval", "--qrels", "JUDGED", "--run", "RUN"], "no query of the run is judged"),
        (["eval", "--qrels", "JUDGED", "--run", "RUN", "-m", "nDGC"], "--metric: "),
        (["eval", "--sts", "EMPTY"], "EMPTY: no pairs in it"),
        (["eval", "--sts", "PAIRS"], "PAIRS: fewer than two pairs can be compared"),
        (["eval", "--sts", "PAIRS", "--vectors", "STRANGE"], "PAIRS: texts: no text has a word with a vector"),
        (["explain", "-", "-"], "only one of the inputs can come from standard input"),
        (["explain", "zzzqqq", "a"], "query: no word of 'zzzqqq' has a vector; the included vectors are English"),
        (["explain", "a", "zzzqqq"], "document: no word of 'zzzqqq' has a vector"),
        (["explain", "猫在沙发上", "a"], "--vectors of Chinese words and --segmenter jieba cut Chinese into words"),
        (["explain", "zzqq", "a", "--vectors", "STRANGE"], "; --keep-case looks words up as they are written"),
        (["explain", "แมว", "a", "--vectors", "STRANGE"], "; --segmenter pythainlp cuts Thai into words"),
        (["explain", "a", "b", "--html", "no/such/folder.html"], "No such file"),
        (["explain", "a", "b", "--vectors", "DOCS", "--model", "RUN"], "--vectors and --model: give one of them"),
        (["explain", "a", "b", "--model", "RUN"], "--model and --tokenizer go together"),
        (["explain", "a", "b", "--vectors", "none"], "none"),
        (["explain", "a", "b", "--seed", "0"], "--seed: applies only to --samples"),
        (["explain", "a", "b", "--temperature", "0"], "--temperature: applies only to --samples"),
        (["explain", "a", "b", "--samples", "0"], "--samples must be at least 1, got 0"),
        (["explain", "a", "b", "--samples", "2", "--temperature", "-1"], "--temperature must be at least 0 and finite"),
        (["search", "a", "--index", "none"], "none"),
    ],
)
def test_errors_are_one_line(files, tmp_path, arguments, message, capsys):
    written = {
        "empty": "",
        "twice": f"{QUERIES[0].id} Q0 {DOCS[0].id} 1 2.0 x\n" * 2,
        "words": f"{QUERIES[0].id} Q0 {DOCS[0].id} 1 high x\n",
        "judged": "q 0 d 1\n",
        "pairs": "score\tsentence1\tsentence2\n1\ta cat\ta dog\n2\tzzqq\tzzqq\n",
        "strange": "grok 1 0\n",
    }
    for name, text in written.items():
        files[name] = str(tmp_path / name)
        (tmp_path / name).write_text(text)
    message = message.replace("D0", DOCS[0].id)
    names = {name.upper(): path for name, path in files.items()}
    assert main([names.get(argument, argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    for name, path in names.items():
        message = message.replace(name, path)
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"query": "a", "documents": [3]}, "a document is neither a text nor an object"),
        ({"query": "a", "documents": [{"id": "x"}]}, "has no field 'text' for the text; its fields are 'id'"),
        ({"query": "a", "documents": [{"text": "b", "score": "high"}]}, "score 'high' is not a finite number"),
        ({"query": "a", "documents": ["b"]}, "--fusion: document '0' of query '1' has no score"),
        (
            {"query": "zzzqqq", "documents": [{"text": "b", "score": 1}]},
            "1 of 1 queries have no word with a vector and keep the first stage's order: '1'",
        ),
        (
            {"query": "a", "documents": [{"id": "x", "text": "b", "score": 1}] * 2},
            "'x' is given more than once",
        ),
        ([], "expected a JSON object with a query"),
    ],
)
def test_json_lines_that_will_not_do(request_, message, capsys, monkeypatch):
    feed(monkeypatch, json.dumps(request_))
    assert main(["rerank", "-", "--fusion", "0.5"]) == 2
    assert message in capsys.readouterr().err


def test_the_extra_of_eval_is_named(files, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    assert main(["eval", "--qrels", files["run"], "--run", files["run"]]) == 2
    assert "pip install 'moverank[eval]'" in capsys.readouterr().err


def test_texts_without_spaces_are_cut_into_words(tmp_path, capsys):
    pytest.importorskip("jieba")
    words, docs = tmp_path / "words.txt", tmp_path / "docs.txt"
    words.write_text("猫 1 0\n沙发 0.9 0.1\n股票 0 1\n", encoding="utf-8")
    docs.write_text("猫在沙发上\n股票下跌\n", encoding="utf-8")
    arguments = ["search", "沙发上的猫", "--docs", str(docs), "--vectors", str(words), "-k", "1", "--json"]
    assert main(arguments) == 2
    assert "--segmenter jieba" in capsys.readouterr().err
    assert main([*arguments, "--segmenter", "jieba"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"][0]["id"] == "1"


def test_words_are_looked_up_as_they_are_written_on_request(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("Paris 1 0\nparis 0 1\n")
    arguments = ["explain", "Paris", "paris", "--vectors", str(words), "--measure", "wmd", "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["value"] == 0
    assert (
        main(["explain", "Paris", "paris", "--vectors", str(words), "--measure", "wmd", "--json", "--keep-case"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["value"] == pytest.approx(2**0.5)


def test_what_a_transformer_does_not_see_is_told(tmp_path, capsys):
    docs, requests = tmp_path / "docs.txt", tmp_path / "requests.jsonl"
    docs.write_text("the cat played and the dog played\na dog\n")
    requests.write_text(json.dumps({"query": "cat", "documents": docs.read_text().splitlines()}) + "\n")
    encoder = ["--model", str(save_model(tmp_path)), "--tokenizer", str(save_tokenizer(tmp_path)), "--max-length", "4"]
    pairs = tmp_path / "sts.tsv"
    pairs.write_text("1\tthe cat\tthe cat played\n2\tdog\tdog sat\n")
    commands = (
        (["search", "cat", "--docs", str(docs)], "0 tokens of the query, 7 of documents"),
        (["rerank", str(requests)], "0 tokens of queries, 7 of documents"),
        (["index", str(tmp_path / "i"), str(docs)], "7 tokens of documents"),
        (["add", str(tmp_path / "i"), str(docs)], "7 tokens of documents"),
        (["explain", "the cat sat", "the cat played", "--json"], "1 tokens of the query, 2 of the document"),
        (["eval", "--sts", str(pairs)], "2 tokens of sentences"),
    )
    for command, lost in commands:
        assert main([*command, *encoder]) == 0
        assert capsys.readouterr().err == f"moverank: cut off by the encoder: {lost}\n"
    (name,) = mr.Index.open(tmp_path / "i").ids[:1]
    assert main(["explain", "the cat sat", name, "--index", str(tmp_path / "i"), *encoder]) == 0
    shown, error = capsys.readouterr()
    assert shown.splitlines()[-1] == "cut off by the encoder: 1 tokens of the query, 7 of the document"
    assert not error


def test_words_without_a_vector_are_told(tmp_path, capsys):
    docs = tmp_path / "docs.txt"
    docs.write_text("zzqqx in bats\nstock markets\n")
    assert main(["search", "a virus yyqqx", "--docs", str(docs), "--json"]) == 0
    shown, error = capsys.readouterr()
    assert error == "moverank: without a vector or mass: 1 words of the query, 1 of documents\n"
    assert json.loads(shown)["lost"] == {"query_dropped": 1, "dropped": 1, "query_cut": 0, "cut": 0}
    assert main(["explain", "a virus yyqqx", "zzqqx in bats"]) == 0
    lost = "without a vector or mass: 1 words of the query, 1 of the document"
    assert capsys.readouterr().out.splitlines()[-1] == lost
    page = tmp_path / "page.html"
    assert main(["explain", "a virus yyqqx", "zzqqx in bats", "--html", str(page)]) == 0
    assert lost in page.read_text(encoding="utf-8")


def test_pictures_that_cannot_be_drawn_stop_before_anything_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = tmp_path / "page.html"
    assert main(["explain", "a cat", "a dog", "--html", str(page), "--flow", str(tmp_path / "flow.svg")]) == 2
    assert capsys.readouterr() == ("", "moverank: error: matplotlib is not installed: pip install 'moverank[plot]'\n")
    assert not page.exists()
