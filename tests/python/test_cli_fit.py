"""``moverank fit``: from judgements to an index that ranks better on what was held out, and what it refuses."""

import json

import numpy as np
import pytest

import moverank as mr
from moverank.cli import main
from moverank.encoders import WordVectors
from moverank.spaces import Space

pytest.importorskip("torch", reason="torch is not installed: pip install moverank[torch]")
pytest.importorskip("ir_measures", reason="ir_measures is not installed: pip install moverank[eval]")

TOPICS, NOISE = 5, 10


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Texts of topics among words of much norm that say nothing."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(TOPICS, 8))
    rows = {f"t{t}w{n}": topics[t] + 0.3 * rng.normal(size=8) for t in range(TOPICS) for n in range(3)}
    rows |= {f"noise{n}": 3 * rng.normal(size=8) for n in range(NOISE)}
    with (tmp_path / "vectors.txt").open("w") as file:
        file.writelines(f"{word} {' '.join(f'{x:.4f}' for x in row)}\n" for word, row in rows.items())
    topic_of = {}

    def made(name):
        topic_of[name] = int(rng.integers(TOPICS))
        own = [f"t{topic_of[name]}w{n}" for n in rng.integers(3, size=2)]
        return " ".join(rng.permutation([*own, *(f"noise{n}" for n in rng.integers(NOISE, size=4))]))

    with (tmp_path / "docs.jsonl").open("w") as file:
        file.writelines(json.dumps({"id": f"d{n}", "text": made(f"d{n}")}) + "\n" for n in range(60))
    with (tmp_path / "queries.tsv").open("w") as file:
        file.writelines(f"q{n}\t{made(f'q{n}')}\n" for n in range(50))
    with (tmp_path / "qrels").open("w") as file:
        file.writelines(
            f"q{q} 0 d{d} {int(topic_of[f'q{q}'] == topic_of[f'd{d}'])}\n" for q in range(50) for d in range(60)
        )
    return tmp_path


FIT = ["fit", "--queries", "queries.tsv", "--qrels", "qrels", "-o", "learned.npz", "--threads", "1", "--epochs", "6"]


@pytest.mark.parametrize("given", ["texts", "index"])
def test_an_index_in_the_space_ranks_better_on_queries_that_were_held_out(files, given, capsys):
    vectors = ["--vectors", "vectors.txt"]
    indexed = ["--lexical", "none", "--prefilter", "none", "--quiet"]
    assert main(["index", "before", "docs.jsonl", *vectors, *indexed]) == 0
    source = ["--docs", "docs.jsonl", *vectors] if given == "texts" else ["--index", "before"]
    capsys.readouterr()
    assert main([*FIT, *source, "--learn", "weights", "--save-held-out", "held", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["held_out_queries"] == 10
    assert report["after"] > report["before"] + 0.02
    assert main(["index", "after", "docs.jsonl", "--space", "learned.npz", *vectors, *indexed]) == 0
    capsys.readouterr()
    found = []
    for index in ("before", "after"):
        asked = ["--index", index, "--queries", "queries.tsv", "--candidates", "all", "-m", "nDCG@10"]
        assert main(["eval", "--qrels", "held", *asked, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert [own["queries"] for own in found] == [10, 10]
    # Tokens of an index are float16, and equal distances have an order of their own.
    assert [own["nDCG@10"] for own in found] == pytest.approx([report["before"], report["after"]], abs=0.02)


def test_what_was_learnt_is_told_and_kept(files, capsys):
    plain = [*FIT, "--docs", "docs.jsonl", "--vectors", "vectors.txt", "--dim", "5", "--epochs", "1"]
    assert main(plain) == 0
    first, *_, second = capsys.readouterr().out.splitlines()
    assert first.startswith("nDCG@10 of 10 queries held out: 0.")
    assert "Affine(learnt, 8 to 5)" in second
    assert second.endswith("wrd(capacity=4), kept in learned.npz")
    assert "8 to 5" in repr(Space.load("learned.npz"))
    assert main(plain) == 2
    assert "learned.npz: exists already; --overwrite replaces it" in capsys.readouterr().err
    assert main([*plain, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("fitted", "indexed", "measure", "told"),
    [
        (["--measure", "wrd", "--capacity", "1", "--learn", "capacity"], [], None, "which learned.npz was learnt for"),
        (["--measure", "wmd", "--learn", "weights"], [], "wmd", "the measure is wmd, which learned.npz was learnt for"),
        (["--measure", "wmd"], ["--capacity", "2"], "wmd(capacity=2)", "learned.npz was learnt for wmd"),
        (["--measure", "wmd"], ["--measure", "wrd"], "wrd(capacity=4)", "learned.npz was learnt for wmd"),
    ],
)
def test_an_index_takes_the_measure_that_was_learnt(files, fitted, indexed, measure, told, capsys):
    vectors = ["--vectors", "vectors.txt"]
    assert main([*FIT, "--docs", "docs.jsonl", *vectors, "--epochs", "1", *fitted, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    if measure is None:
        assert report["capacity"] != 1, "or there is nothing to see"
        assert report["after"] > report["before"]
        measure = report["measure"]
    index = ["index", "i", "docs.jsonl", "--space", "learned.npz", "--lexical", "none", "--prefilter", "none"]
    assert main([*index, *vectors, "--quiet", *indexed]) == 0
    assert told in capsys.readouterr().err
    assert main(["info", "i", "--json"]) == 0
    with mr.TextIndex.open("i", encoder=WordVectors.load("vectors.txt")) as opened:
        assert opened.measure.name == measure


def test_what_is_worse_than_the_recipe_is_said(files, capsys):
    asked = [*FIT, "--docs", "docs.jsonl", "--vectors", "vectors.txt", "--dim", "1", "--learn", "projection"]
    assert main([*asked, "--epochs", "1"]) == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert " untrained, 0." in first
    assert " with fewer dimensions, 0." in first
    assert second == "what was learnt is worse for them than the untrained recipe"
    assert main([*asked, "--epochs", "1", "--overwrite", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["recipe"] > report["after"]


@pytest.mark.parametrize("option", ["--save-held-out", "--checkpoint"])
@pytest.mark.parametrize(
    ("path", "fault"), [("no/x", "no/x: its folder does not exist"), ("made", "made: is a folder")]
)
def test_a_file_that_cannot_be_written_is_told_before_training(files, option, path, fault, capsys):
    (files / "made").mkdir()
    assert main([*FIT, "--docs", "docs.jsonl", "--vectors", "vectors.txt", option, path]) == 2
    assert fault in capsys.readouterr().err
    assert not (files / "learned.npz").exists()


def test_a_build_resumes_in_its_space_only(files, capsys):
    index = [
        "index",
        "i",
        "--prefilter",
        "none",
        "docs.jsonl",
        "--vectors",
        "vectors.txt",
        "--lexical",
        "none",
        "--quiet",
    ]
    assert main([*FIT, "--docs", "docs.jsonl", "--vectors", "vectors.txt", "--epochs", "1"]) == 0
    assert main([*index, "--space", "learned.npz"]) == 0
    assert main([*index, "--space", "learned.npz", "--resume"]) == 0
    capsys.readouterr()
    space = Space.load("learned.npz")
    Space(space.steps[:1]).save("other.npz")
    assert main([*index, "--space", "other.npz", "--resume"]) == 2
    assert "--resume: the index was begun with another --space: Space(" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ([], "give either --docs or --index"),
        (["--docs", "docs.jsonl", "--index", "i"], "give either --docs or --index"),
        (["--docs", "docs.jsonl", "--learn", "weights", "--dim", "4"], "--dim: applies to a projection"),
        (["--docs", "docs.jsonl", "--epochs", "0"], "--epochs must be at least 1, got 0"),
        (["--docs", "docs.jsonl", "--qrels", "other"], "queries.tsv: none of its queries is judged in other"),
        (["--docs", "docs.jsonl", "--qrels", "none"], "none: none of the documents that it calls relevant is there"),
        (["--docs", "docs.jsonl", "--vectors", "vectors.txt", "--qrels", "one"], "expected examples of at least two"),
        (["--docs", "docs.jsonl", "-o", "folder/learned.npz"], "its folder does not exist"),
        (["--docs", "docs.jsonl"], "no text has"),  # of the words of the package's vectors
        (["--docs", "docs.jsonl", "--vectors", "vectors.txt", "--dim", "9"], "dim: vectors have 8 dimensions"),
        (["--docs", "docs.jsonl", "--vectors", "vectors.txt", "--checkpoint", "qrels"], "is not a checkpoint"),
    ],
)
def test_what_is_wrong_is_said(files, options, fault, capsys):
    (files / "other").write_text("x 0 d1 1\n")
    (files / "none").write_text("q1 0 d1 0\nq2 0 x 1\n")
    (files / "one").write_text("q1 0 d1 1\n")
    assert main([*FIT, *options]) == 2
    error = capsys.readouterr().err
    assert fault in error
    assert error.count("\n") == 1


def test_without_torch_the_extra_is_named(files, monkeypatch, capsys):
    import sys

    for name in [name for name in sys.modules if name.startswith("moverank.learning")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delattr("moverank.learning", raising=False)
    assert main([*FIT, "--docs", "docs.jsonl"]) == 2
    assert "torch is not installed: pip install 'moverank[torch]'" in capsys.readouterr().err
