"""`moverank score` and `score-baseline`: line n belongs to line n, none is dropped; numbers are those of `mr.score`."""

import gzip
import io
import json
import math
import re
import sys
import warnings

import numpy as np
import pytest

import moverank as mr
from moverank.cli import main
from moverank.encoders import WordVectors

CANDIDATES = ["A man sings on the street.", "", "The dog is sleeping.", "zzzqqq", "Shares rose."]
REFERENCES = ["A man performs a song outside.", "It rained.", "A dog is asleep.", "A cat.", ""]
OTHERS = ["Someone sings in a street.", "Rain fell.", "", "The cat sat.", "Shares rose."]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, texts in (("c.txt", CANDIDATES), ("r.txt", REFERENCES), ("o.txt", OTHERS)):
        (tmp_path / name).write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return tmp_path


def expected(references, candidates=CANDIDATES, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mr.UnscoredWarning)
        return mr.score(candidates, references, **options)


def run(capsys, *arguments, status=0):
    assert main([str(argument) for argument in arguments]) == status
    return capsys.readouterr()


def scored(capsys, *arguments):
    """The report of `score --json`."""
    return json.loads(run(capsys, "score", *arguments, "--json").out)


def same(report, scores):
    report = dict(report)
    assert report.pop("encoder") == WordVectors.default().identity.as_json()
    return report == scores.to_dict()


def feed(monkeypatch, octets):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets), encoding="utf-8"))


# ---- files -----------------------------------------------------------------------------------------------------------


def test_lines_are_scored_as_by_python_empty_ones_included(capsys):
    report = scored(capsys, "c.txt", "r.txt")
    assert same(report, expected(REFERENCES))
    assert [pair["candidate"] for pair in report["pairs"]] == CANDIDATES
    assert [pair["scored"] for pair in report["pairs"]] == [True, False, True, False, False]
    assert report["mean"]["f1"] == pytest.approx(sum(pair["f1"] for pair in report["pairs"]) / 5)


def test_several_files_are_several_references(capsys):
    report = scored(capsys, "c.txt", "r.txt", "o.txt")
    assert same(report, expected(list(zip(REFERENCES, OTHERS, strict=True))))
    assert [pair["best"] for pair in report["pairs"]] == [1, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "rows",
    [
        [{"candidate": c, "references": [r, o]} for c, r, o in zip(CANDIDATES, REFERENCES, OTHERS, strict=True)],
        [{"prediction": c, "targets": [r, o]} for c, r, o in zip(CANDIDATES, REFERENCES, OTHERS, strict=True)],
    ],
)
@pytest.mark.parametrize("layout", ["lines", "array", "indented", "standard input"])
def test_one_file_of_json_has_both(rows, layout, folder, capsys, monkeypatch):
    path = folder / "pairs.jsonl"
    path.write_text(json.dumps(rows) if layout == "array" else "\n\n".join(map(json.dumps, rows)))
    if layout == "indented":
        path.write_text("\n".join(json.dumps(row, indent=1) for row in rows))
        path = path.rename(folder / "pairs.json")
    if layout == "standard input":
        feed(monkeypatch, path.read_bytes())
        path = "-"
    assert same(scored(capsys, path), expected(list(zip(REFERENCES, OTHERS, strict=True))))


@pytest.mark.parametrize("suffix", ["tsv", "txt"])
def test_one_table_has_both(suffix, folder, capsys):
    rows = ["\t".join(row) for row in zip(CANDIDATES, map(str, range(5)), REFERENCES, OTHERS, strict=True)]
    path = folder / f"pairs.{suffix}"
    path.write_text("\n".join(["hypothesis\tn\treference\tother", *rows]) + "\n")
    assert same(scored(capsys, path), expected(REFERENCES))
    both = scored(capsys, path, "--candidate", "hypothesis", "--reference", "other", "--reference", "reference")
    assert same(both, expected(list(zip(OTHERS, REFERENCES, strict=True))))


def test_rows_of_a_table_may_have_nothing_but_tabs(folder, capsys):
    (folder / "t").write_text("candidate\treference\na cat\ta cat\n\t\na dog\ta dog\n")
    report = scored(capsys, "t")
    assert [pair["candidate"] for pair in report["pairs"]] == ["a cat", "", "a dog"]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_end_as_on_any_system(ends, folder, capsys):
    (folder / "c.txt").write_bytes(ends.join([*CANDIDATES, ""]).encode())
    assert same(scored(capsys, "c.txt", "r.txt"), expected(REFERENCES))


@pytest.mark.parametrize("given", [["--encoding", "latin-1"], []])
def test_files_may_be_compressed_and_in_another_encoding(given, folder, capsys):
    texts = ["a café", "", "naïve"]
    (folder / "c").write_bytes(gzip.compress("\n".join(texts).encode("latin-1" if given else "utf-16")))
    (folder / "r").write_text("a café\nx\nnaïve", encoding="latin-1" if given else "utf-8-sig")
    report = scored(capsys, "c", "r", *given)
    assert [pair["candidate"] for pair in report["pairs"]] == texts
    assert report["pairs"][0]["references"] == ["a café"]


def test_names_of_languages_are_no_formats(folder, capsys):
    for name in ("sys.ps", "ref.tex", "sys.md", "ref.csv"):
        (folder / name).write_text("a cat, a dog\na bird\n")
    assert len(scored(capsys, "sys.ps", "ref.tex")["pairs"]) == 2
    assert len(scored(capsys, "sys.md", "ref.csv")["pairs"]) == 2


def test_candidates_come_from_standard_input(capsys, monkeypatch):
    feed(monkeypatch, "\n".join(CANDIDATES).encode())
    assert same(scored(capsys, "-", "r.txt"), expected(REFERENCES))
    assert "only one of the inputs" in run(capsys, "score", "-", "-", status=2).err


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"c": "a\nb\n", "r": "a\n"}, "c has 2 lines, but r has 1 line; line n of the one belongs to line n"),
        ({"c": "a\nb\n", "r": "a\nb\n\n \n"}, r"c has 2 lines, but r has 4 lines \(the last 2 empty\)"),
        ({"c": "a\n\n", "r": "a\n"}, r"c has 2 lines \(the last 1 empty\), but r has 1 line;"),
        ({"c": "a", "r": "b", "s": "a\nb"}, "c has 1 line, but s has 2 lines"),
        ({"c": "", "r": ""}, "c: no lines in it"),
        ({"c": "a", "r": ""}, "r: no lines in it"),
        ({"c": "a\n\x00", "r": "a\na"}, "c: is binary"),
        ({"c": "a\n\udcff\n", "r": "a\na"}, "c:2: not UTF-8 text"),
        ({"c": '{"text": "a"}\n', "r": "a"}, "c: expected a text per line, got one JSON object per line"),
        ({"c": "a", "r": "d1\ta cat\n"}, "r: expected a text per line, got tab-separated columns"),
        ({"c": "<html>a</html>", "r": "a"}, "c: expected a text per line, got an HTML page"),
        ({"c": "a", "none": None}, "none: No such file"),
        ({"c": "a cat\na dog\n"}, "c:1: expected objects of JSON, or a first line that names columns.*as well"),
        ({"c": ""}, "c:1: expected objects of JSON"),
        ({"c": "candidate\treference\na\n"}, "c:2: expected 2 columns, as in the first line, got 1"),
        ({"c": "candidate\treference\ta\ta\n"}, "c:1: two columns have the same name"),
        ({"c": "candidate\treference\n"}, "c: no pairs in it"),
        ({"c": "candidate\tanswer\na\tb\n"}, "c:1: expected objects of JSON.*'candidate', 'reference'"),
        ({"c.jsonl": '"a"\n'}, "c.jsonl:1: expected an object with a candidate and its references"),
        ({"c": '{"candidate": "a"}\n'}, "c:1: has no field 'references' for references; its fields are 'candidate'"),
        ({"c": '{"reference": "a"}\n'}, "c:1: has no field 'candidate' for the candidate"),
        ({"c": '{"candidate": null, "reference": "a"}\n'}, "c:1: candidate: expected a text, empty if.*got null"),
        ({"c": '{"candidate": 3, "reference": "a"}\n'}, "c:1: candidate: expected a text, empty if.*got int"),
        ({"c": '{"candidate": "a", "reference": null}\n'}, "c:1: reference: expected a text or a list.*got null"),
        ({"c": '{"candidate": "a", "references": ["a", 3]}\n'}, "c:1: references: expected a text or a list.*got int"),
        ({"c": '{"candidate": "a", "references": []}\n'}, "c:1: references: expected at least one reference, got none"),
        ({"c": '{"candidate": "\\ud800", "reference": "a"}\n'}, "c:1: .*surrogate"),
        ({"c.json": '[{"candidate": "a", "reference": "a"}, 3]'}, "c.json, element 2: expected an object"),
        ({"c.csv": "candidate,reference\na,b\n"}, "c.csv: comma-separated values cannot be read"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(files, said, folder, capsys):
    for name, content in files.items():
        if content is not None:
            (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    out, err = run(capsys, "score", *files, status=2)
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(said, err), err


# ---- measures, weights, baselines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "measure"),
    [
        ([], mr.scoring.DEFAULT_MEASURE),
        (["--capacity", "1"], mr.wrd),
        (["--measure", "wmd"], mr.wmd),
        (["--weighting", "uniform", "--capacity", "inf"], mr.Measure("cosine", "uniform", capacity=math.inf)),
        (["--measure", "wmd", "--weighting", "norm", "--threads", "1"], mr.Measure("euclidean", "norm")),
    ],
)
def test_options_name_the_measure(options, measure, capsys):
    assert same(scored(capsys, "c.txt", "r.txt", *options), expected(REFERENCES, measure=measure))


def test_weights_are_those_of_the_references_or_of_other_texts(folder, capsys):
    assert same(scored(capsys, "c.txt", "r.txt", "--idf"), expected(REFERENCES, idf=True))
    texts = ["a cat", "a dog", "a man sings"]
    (folder / "more.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    report = scored(capsys, "c.txt", "r.txt", "--idf-from", "more.jsonl")
    assert same(report, expected(REFERENCES, idf=mr.score_idf(texts)))
    assert (
        "--idf and --idf-from" in run(capsys, "score", "c.txt", "r.txt", "--idf", "--idf-from", "r.txt", status=2).err
    )
    (folder / "unknown").write_text("zzzqqq\n")
    err = run(capsys, "score", "c.txt", "r.txt", "--idf-from", "unknown", status=2).err
    assert "--idf-from: no text has a word with a vector; the included vectors are English" in err
    (folder / "one").write_text("a cat\n")
    assert "idf: every token is in all of the texts" in run(capsys, "score", "one", "one", "--idf", status=2).err


TEXTS = ["A cat sat.", "Shares fell on Monday.", "He plays the guitar.", "A dog ran.", "It rained."]


def test_a_baseline_is_fitted_once_and_used_again(folder, capsys):
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in [*TEXTS, ""]))
    options = ["--measure", "wmd", "--weighting", "norm", "--capacity", "2", "--idf-from", "o.txt"]
    made = ["score-baseline", "texts.jsonl", "-o", "b.json", "--pairs", "50", "--seed", "3", *options]
    out, err = run(capsys, *made, "--json")
    assert "left out: 1 without text (texts.jsonl:6)" in err
    measure = mr.Measure("euclidean", "norm", capacity=2)
    idf = mr.score_idf([text for text in OTHERS if text])
    baseline = mr.score_baseline(TEXTS, measure=measure, idf=idf, pairs=50, seed=3)
    assert json.loads(out) == {
        **baseline.to_dict(), "left_out": [{"reason": "without text", "count": 1, "first": "texts.jsonl:6"}],
    }  # fmt: skip
    assert mr.ScoreBaseline.load("b.json") == baseline
    report = scored(capsys, "c.txt", "r.txt", "--baseline", "b.json", *options)
    assert same(report, expected(REFERENCES, measure=measure, idf=idf, baseline=baseline))
    assert report["pairs"][1]["f1"] == pytest.approx(-baseline.f1 / (1 - baseline.f1))


def test_a_baseline_of_another_kind_is_refused(folder, capsys):
    run(capsys, "score-baseline", "r.txt", "-o", "b.json", "--pairs", "9")
    (folder / "v.txt").write_text("a 1 0\ndog 0 1\n")
    for options, said in (
        (["--capacity", "2"], "baseline: was fitted for wrd(capacity=4), but the scores are by wrd(capacity=2)"),
        (["--idf"], "baseline: was fitted with idf=False, but the scores have idf=True"),
        (["--vectors", "v.txt"], "they differ in"),
    ):
        assert said in run(capsys, "score", "c.txt", "r.txt", "--baseline", "b.json", *options, status=2).err
    assert "c.txt: is not a baseline" in run(capsys, "score", "c.txt", "r.txt", "--baseline", "c.txt", status=2).err
    assert "none: No such file" in run(capsys, "score", "c.txt", "r.txt", "--baseline", "none", status=2).err


def test_a_baseline_is_not_written_over_a_file_by_mistake(folder, capsys):
    before = (folder / "c.txt").read_bytes()
    assert "c.txt: exists already; --overwrite" in run(capsys, "score-baseline", "r.txt", "-o", "c.txt", status=2).err
    assert (folder / "c.txt").read_bytes() == before
    out, _ = run(capsys, "score-baseline", "r.txt", "-o", "c.txt", "--overwrite", "--pairs", "9")
    baseline = mr.ScoreBaseline.load(folder / "c.txt")
    assert out.splitlines() == [
        f"precision  {baseline.precision:.5f}", f"recall     {baseline.recall:.5f}", f"f1         {baseline.f1:.5f}",
        "pairs      9", "by wrd(capacity=4), of 4 texts, kept in c.txt",
    ]  # fmt: skip
    assert "none/b: its folder does not exist" in run(capsys, "score-baseline", "r.txt", "-o", "none/b", status=2).err
    assert "cannot go to standard output" in run(capsys, "score-baseline", "r.txt", "-o", "-", status=2).err
    (folder / "unknown").write_text("zzzqqq\nqqqzzz\n")
    err = run(capsys, "score-baseline", "unknown", "-o", "b", status=2).err
    assert "no pair of two different texts that both have a token was drawn; the included vectors are English" in err
    assert "--pairs must be at least 1, got 0" in run(capsys, "score-baseline", "r.txt", "-o", "b", "--pairs", "0",
                                                      status=2).err  # fmt: skip
    assert not (folder / "b").exists()


# ---- what is printed -------------------------------------------------------------------------------------------------


def test_means_are_printed_and_what_was_not_compared_is_said(capsys):
    scores = expected(REFERENCES)
    out, err = run(capsys, "score", "c.txt", "r.txt")
    assert out.splitlines()[:4] == [
        *(f"{name:<9}  {value:.5f}" for name, value in scores.mean._asdict().items()), "pairs      5",
    ]  # fmt: skip
    assert out.splitlines()[-1] == "by wrd(capacity=4)"
    assert err == (
        "moverank: 3 of 5 pairs score 0, as one side has no word with a vector (the first: pair 1, c.txt:2)\n"
    )


def test_a_line_per_pair_and_reasons(folder, capsys):
    scores = expected(REFERENCES)
    out = run(capsys, "score", "c.txt", "r.txt", "--per-pair", "--explain", "2", "--explain", "1").out
    assert out.startswith(scores.table() + "\nby wrd(capacity=4)\n")
    assert scores.explain(2).table() in out
    assert scores.explain(2, "recall").table() in out
    assert out.endswith("\npair 1 was not compared: one side has no word with a vector\n")
    report = scored(capsys, "c.txt", "r.txt", "--explain", "2", "--explain", "1")
    ways = {of: scores.explain(2, of).to_dict() for of in ("precision", "recall")}
    assert report["explained"] == [{"pair": 2, **ways}, {"pair": 1}]
    for pair in (5, -1):
        err = run(capsys, "score", "c.txt", "r.txt", "--explain", pair, status=2).err
        assert f"--explain: expected the number of a pair, from 0 to 4, got {pair}" in err


def test_a_system_that_said_nothing_scores_nothing(folder, capsys):
    (folder / "empty").write_text("\n" * 5)
    out, err = run(capsys, "score", "empty", "r.txt")
    assert out.startswith("precision  0.00000\nrecall     0.00000\nf1         0.00000\npairs      5\n")
    assert "5 of 5 pairs score 0" in err
    (folder / "unknown").write_text("zzzqqq\n" * 5)
    out, err = run(capsys, "score", "unknown", "r.txt", status=2)
    assert out == ""
    assert "unknown:1: no pair has a word with a vector on both sides; the included vectors are English" in err


def test_what_the_numbers_depend_on_is_printed(capsys):
    run(capsys, "score-baseline", "r.txt", "-o", "b.json", "--pairs", "9", "--idf", "--threads", "1", "--quiet")
    out = run(capsys, "score", "c.txt", "r.txt", "--idf", "--baseline", "b.json").out
    assert out.splitlines()[-1] == "by wrd(capacity=4), weights by IDF in the references, rescaled by b.json"


# ---- bert-score, by its definition -----------------------------------------------------------------------------------


def test_greedy_matching_with_idf_is_bert_score(folder, capsys):
    """From files to numbers, without any code of the package but its vectors."""
    candidates = ["a man sings on the street", "the dog plays", "shares rose"]
    references = ["a man performs a song", "a dog sat", "the shares fell"]
    for name, texts in (("c", candidates), ("r", references)):
        (folder / name).write_text("\n".join(texts))
    encoder = WordVectors.default()
    words = {word for text in (*candidates, *references) for word in text.split()}
    rows = {word: np.asarray(encoder.encode([word]).sequences[0], np.float64)[0] for word in words}
    rows = {word: row / np.linalg.norm(row) for word, row in rows.items()}
    counts = {word: sum(word in text.split() for text in references) for word in words}
    weight = {word: math.log((len(references) + 1) / (count + 1)) for word, count in counts.items()}
    report = scored(capsys, "c", "r", "--weighting", "uniform", "--capacity", "inf", "--idf")
    for pair, candidate, reference in zip(report["pairs"], candidates, references, strict=True):
        x, y = candidate.split(), reference.split()
        similar = np.array([[rows[one] @ rows[other] for other in y] for one in x])
        precision = np.average(similar.max(axis=1), weights=[weight[word] for word in x])
        recall = np.average(similar.max(axis=0), weights=[weight[word] for word in y])
        assert pair["precision"] == pytest.approx(precision, abs=1e-6)
        assert pair["recall"] == pytest.approx(recall, abs=1e-6)
        assert pair["f1"] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-6)
