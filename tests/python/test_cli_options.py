"""Every option of every command, with every kind of input: it is used, or it is refused."""

import argparse
import json

import pytest

import moverank as mr
from moverank.cli import build_parser, main
from moverank.encoders import WordVectors
from tiny_models import save_model, save_tokenizer

#: A value for each option that is to be given, and options that it cannot do without.
VALUES = {
    "-k": "1", "--measure": "wrd", "--capacity": "4", "--threads": "1", "--json": None, "--explain": None,
    "--where": "year > 0", "--id": "key", "--text": "words", "--encoding": "latin-1", "--vectors": "VECTORS",
    "--model": "MODEL", "--tokenizer": "TOKENIZER", "--subwords": "first", "--max-length": "9", "--any-encoder": None,
    "--docs": "DOCS", "--index": "INDEX", "--queries": "QUERIES", "--depth": "1", "--fusion": "0.5", "--passages": "3",
    "--tag": "x", "--quiet": None, "--overwrite": None, "--dtype": "float16", "--rescore": None, "--prefilter": "none",
    "--tokens": "vectors", "--weights": "mass", "--dim": "4", "--payload": "year", "--resume": None, "--html": "OUT",
    "--heatmap": "PICTURE", "--flow": "PICTURE", "--replace": None, "--compact": None, "--segmenter": "jieba",
    "--keep-case": None, "--query-prompt": "cat: ", "--document-prompt": "dog: ", "--candidates": "10", "--pool": "2",
    "--probes": "9", "--ranked": "9", "--lexical": "words", "--no-texts": None, "--min-similarity": "0.1",
    "--save-run": "OUT", "--metric": "RR@10", "--weighting": "uniform", "--idf": None, "--idf-from": "REFERENCES",
    "--baseline": "BASELINE", "--per-pair": None, "--candidate": "words", "--reference": "key", "--pairs": "9",
    "--seed": "1", "--output": "OUT", "--learn": "projection", "--epochs": "1", "--save-held-out": "OUT",
    "--share": "0.5", "--checkpoint": "STATE", "--space": "SPACE", "--samples": "3", "--temperature": "0.2",
}  # fmt: skip
#: Of a transformer; of these, --model and --tokenizer go together, the others need them.
TRANSFORMER = {"--model", "--tokenizer", "--subwords", "--max-length", "--query-prompt", "--document-prompt"}
#: Where a command takes another kind of value.
OF_COMMANDS = {"score": {"--explain": "0"}}
SOURCES = {"--docs", "--index", "--queries", "--qrels", "--run", "--sts", "--output"}
#: Of a search of an index, and of the building of one of texts.
OF_SEARCH = {"--candidates", "--fusion", "--min-similarity"}
OF_INDEXED = {"--lexical", "--passages", "--no-texts", "--space"}
#: Of word vectors that are given.
OF_VECTORS = {"--segmenter", "--keep-case"}
ENCODING = {"--vectors", *TRANSFORMER, *OF_VECTORS}
TEXTS = {"--id", "--text", "--encoding"}

#: Of numbers, which may be 0.
NUMBERS = {
    "-k", "--threads", "--passages", "--dim", "--max-length", "--probes", "--ranked", "--capacity", "--fusion",
    "--min-similarity",
}  # fmt: skip

#: What an option cannot do without.
WITH = {"--rescore": ["--dtype", "int8"], "--temperature": ["--samples", "3"]}
#: The same, of an option that other commands have, too.
WITH_OF_COMMANDS = {"explain": {"--seed": ["--samples", "3"]}}

#: Per kind of input, the command and what is refused with it.
KINDS = {
    "search texts": (["search", "cat", "--docs", "DOCS"], {"--where", "--any-encoder", *OF_SEARCH}),
    "search an index of vectors": (["search", "cat", "--index", "BARE"], {"--fusion", "--min-similarity", *TEXTS}),
    "search an index of texts": (["search", "cat", "--index", "INDEX"], TEXTS),
    "recall": (["recall", "INDEX", "--queries", "DOCS"], {"--probes", "--ranked"}),  # an index without cells
    "explain texts": (["explain", "cat", "a dog"], {"--any-encoder"}),
    "explain a document": (["explain", "cat", "d1", "--index", "INDEX"], set()),
    "explain a document of an index of vectors": (["explain", "cat", "d1", "--index", "BARE"], set()),
    "rerank JSON lines": (["rerank", "REQUESTS"], {"--tag", "--any-encoder", "--encoding"}),
    "rerank a run": (["rerank", "RUN", "--queries", "QUERIES", "--docs", "DOCS"], {"--any-encoder"}),
    "rerank a run over an index": (
        ["rerank", "RUN", "--queries", "QUERIES", "--index", "INDEX"], {"--id", "--text", "--passages"}
    ),
    "rerank a run over an index of vectors": (
        ["rerank", "RUN", "--queries", "QUERIES", "--index", "BARE"], {"--id", "--text", "--passages"}
    ),
    "index texts": (["index", "NEW", "DOCS"], {"--tokens", "--weights", "--dim"}),
    "index columns": (["index", "NEW", "ARROW"], {"--text", "--encoding", *OF_INDEXED, *ENCODING}),
    "index vectors": (
        ["index", "NEW", "NPY"],
        {"--payload", "--tokens", "--weights", "--dim", *OF_INDEXED, *TEXTS, *ENCODING},
    ),
    "eval a run": (
        ["eval", "--qrels", "QRELS", "--run", "RUN"],
        {"--measure", "--capacity", "-k", "--candidates", "--fusion", "--save-run", "--threads", "--any-encoder",
         *ENCODING},
    ),
    "eval an index": (["eval", "--qrels", "QRELS", "--index", "INDEX", "--queries", "QUERIES"], set()),
    "eval pairs": (
        ["eval", "--sts", "STS"],
        {"--metric", "-k", "--candidates", "--fusion", "--save-run", "--threads", "--any-encoder"},
    ),
    "add texts": (["add", "INDEX", "DOCS", "--replace"], set()),
    "remove": (["remove", "INDEX", "d1"], set()),
    "demo": (["demo"], set()),
    "score lines": (
        ["score", "CANDIDATES", "REFERENCES", "REFERENCES"], {"--candidate", "--reference", "--query-prompt"}
    ),
    "score pairs": (["score", "PAIRS", "--candidate", "words", "--reference", "other"], {"--query-prompt"}),
    "fit texts": (
        ["fit", "--docs", "DOCS", "--queries", "QUERIES", "--qrels", "QRELS", "--output", "LEARNED"], {"--any-encoder"}
    ),
    "fit an index": (
        ["fit", "--index", "INDEX", "--queries", "QUERIES", "--qrels", "QRELS", "--output", "LEARNED"], TEXTS
    ),
    "score a baseline": (["score-baseline", "DOCS", "--output", "NEW"], {"--query-prompt"}),
}  # fmt: skip


def options_of(command):
    (commands,) = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return [
        a.option_strings[-1]
        for a in commands.choices[command]._actions
        if a.option_strings[-1:] not in ([], ["--help"])
    ]


def cases():
    for kind, (command, refused) in KINDS.items():
        for option in options_of(command[0]):
            if option not in SOURCES:
                yield pytest.param(command, option, option in refused, id=f"{kind} {option}")


@pytest.fixture
def paths(tmp_path):
    key = [{"key": "d1", "words": "a cat", "year": 1}, {"key": "d2", "words": "a dog", "year": 2}]
    plain = [{"id": f"d{n}", "text": text, "year": n} for n, text in enumerate(("a bird", "a cat", "a dog"))]
    both = [{**a, **b} for a, b in zip(key, plain[1:], strict=True)]
    (tmp_path / "both.jsonl").write_text("".join(json.dumps(row) + "\n" for row in both))
    (tmp_path / "vectors.txt").write_text("cat 1 0\ndog 0.9 0.1\nbird 0 1\na 0.5 0.5\n")
    encoder = WordVectors.default()
    index = mr.Index.build(
        encoder.encode([row["text"] for row in plain]).sequences, mr.wrd.replace(capacity=4),
        ids=[row["id"] for row in plain], payloads=plain, encoder=encoder,
    )  # fmt: skip
    index.save(tmp_path / "bare")
    with mr.TextIndex.create(tmp_path / "index") as texts:
        texts.add([row["text"] for row in plain], ids=[row["id"] for row in plain], payloads=plain)
    (tmp_path / "qrels").write_text("q 0 d1 1\nr 0 d2 1\n")
    (tmp_path / "sts.tsv").write_text("5\ta cat\ta dog\n1\ta cat\ta bird\n")
    (tmp_path / "run.trec").write_text("q Q0 d1 1 2 x\nq Q0 d2 2 1 x\n")
    (tmp_path / "queries.tsv").write_text("q\tcat\nr\tdog\n")
    request = {"query": "cat", "documents": [{**row, "score": 1} for row in both]}
    (tmp_path / "requests.jsonl").write_text(json.dumps(request) + "\n")
    (tmp_path / "candidates.txt").write_text("a cat\na dog\n")
    (tmp_path / "references.txt").write_text("a dog\na bird\n")
    pairs = [{**row, "key": "a cat", "other": ["a bird", "a dog"]} for row in key]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))
    mr.fit(encoder, ["a cat", "a dog"], ["idf"]).save(tmp_path / "space.npz")
    mr.score_baseline(["a dog", "a bird"], pairs=3).save(tmp_path / "baseline.json")
    return {
        "DOCS": "both.jsonl", "VECTORS": "vectors.txt", "INDEX": "index", "BARE": "bare", "RUN": "run.trec",
        "REQUESTS": "requests.jsonl", "NEW": "new", "OUT": "out.html", "PICTURE": "out.png",
        "CANDIDATES": "candidates.txt", "REFERENCES": "references.txt", "PAIRS": "pairs.jsonl",
        "BASELINE": "baseline.json", "QUERIES": "queries.tsv", "QRELS": "qrels", "STS": "sts.tsv",
        "SPACE": "space.npz", "LEARNED": "learned.npz", "STATE": "state.pt",
    }  # fmt: skip


def test_the_table_knows_every_option():
    known = {option for command, _ in KINDS.values() for option in options_of(command[0])}
    assert known == set(VALUES) | (SOURCES - set(VALUES))


@pytest.mark.parametrize(("command", "option", "refused"), list(cases()))
def test_every_option_is_used_or_refused(command, option, refused, paths, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "ARROW" in command or "NPY" in command:
        columns(paths)
    arguments = [*command, option]
    value = OF_COMMANDS.get(command[0], {}).get(option, VALUES[option])
    if option in TRANSFORMER:
        paths["MODEL"], paths["TOKENIZER"] = str(save_model(tmp_path)), str(save_tokenizer(tmp_path))
        others = {"--model", "--tokenizer"} - {option}
        arguments = [*arguments, *([value] if value else [])]
        for other in sorted(others):
            arguments += [other, VALUES[other]]
    elif value is not None:
        arguments.append(value)
    arguments += WITH.get(option, WITH_OF_COMMANDS.get(command[0], {}).get(option, []))
    if command[0] == "fit":
        pytest.importorskip("torch")
    if option in OF_VECTORS:
        arguments += ["--vectors", "VECTORS"]
    if option == "--segmenter":
        pytest.importorskip("jieba")
    if option in ENCODING and {"INDEX", "BARE"} & {*command}:
        # The index was built by another encoder and dimension, which is refused for that.
        refused = True
    if option in ("--heatmap", "--flow"):
        pytest.importorskip("matplotlib")
    status = main([paths.get(argument, argument) for argument in arguments])
    error = capsys.readouterr().err
    if refused:
        assert status == 2
        assert error.count("\n") == 1
        assert option in error or option in ENCODING
    else:
        assert (status, error) == (0, "")


def zeros():
    """Options of numbers, where they do not apply."""
    for case in cases():
        command, option, refused = case.values
        if refused and option in NUMBERS:
            yield pytest.param(command, option, id=case.id)


@pytest.mark.parametrize(("command", "option"), list(zeros()))
def test_zero_is_a_value_too(command, option, paths, tmp_path, capsys, monkeypatch):
    """An option that does not apply is refused for that, whatever its value."""
    monkeypatch.chdir(tmp_path)
    if "ARROW" in command or "NPY" in command:
        columns(paths)
    if command[0] == "fit":
        pytest.importorskip("torch")
    assert main([paths.get(argument, argument) for argument in [*command, option, "0"]]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert option in error


@pytest.mark.parametrize(
    ("command", "option"),
    [("search cat --docs DOCS", "--measure"), ("index NEW ARROW", "--id"), ("index NEW ARROW", "--tokens")],
)
def test_an_empty_name_is_no_default(command, option, paths, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns(paths)
    assert main([paths.get(argument, argument) for argument in [*command.split(), option, ""]]) == 2
    assert "''" in capsys.readouterr().err


def columns(paths):
    import numpy as np

    rng = np.random.default_rng(0)
    np.save("vectors.npy", rng.normal(size=(3, 2, 4)))
    paths["NPY"] = "vectors.npy"
    pa, feather = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.feather")
    nested = [rng.normal(size=(2, 4)).tolist() for _ in range(3)]
    table = {"id": ["a", "b", "c"], "key": ["x", "y", "z"], "tokens": nested, "vectors": nested, "year": [1, 2, 3]}
    feather.write_feather(pa.table({**table, "mass": [[1.0, 2.0]] * 3}), "docs.feather", compression="uncompressed")
    paths["ARROW"] = "docs.feather"


@pytest.mark.parametrize("command", ["search cat --docs DOCS", "explain cat dog", "index NEW DOCS"])
@pytest.mark.parametrize(
    "option", [["--subwords", "mean"], ["--max-length", "9"], ["--tokenizer", "TOKENIZER"], ["--keep-case"],
               ["--segmenter", "jieba"], ["--query-prompt", "cat"], ["--document-prompt", ""]],
)  # fmt: skip
def test_options_of_an_encoder_want_it(command, option, paths, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([paths.get(argument, argument) for argument in [*command.split(), *option]]) == 2
    assert ("--vectors" if option[0] in OF_VECTORS else "--model") in capsys.readouterr().err


@pytest.mark.parametrize("docs", ["lines.txt", "folder", "bare.tsv", "page.html"])
@pytest.mark.parametrize(
    "command",
    [
        "search cat --docs DOCS",
        "index NEW DOCS",
        "add INDEX DOCS",
        "rerank RUN --queries QUERIES --docs DOCS",
        "score-baseline DOCS -o NEW",
    ],
)
@pytest.mark.parametrize("option", ["--id", "--text"])
def test_fields_of_texts_that_have_none_are_refused(command, docs, option, paths, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("lines.txt", "bare.tsv", "page.html", "folder/a.txt"):
        (tmp_path / name).write_text("d1\ta cat\n" if name == "bare.tsv" else "a cat\n")
    paths["DOCS"] = docs
    assert main([*(paths.get(argument, argument) for argument in command.split()), option, "nope"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"'nope' for the {option[2:]}" in err
    assert err.count("\n") == 1


def test_texts_of_json_lines_have_no_fields(paths, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requests.jsonl").write_text(json.dumps({"query": "cat", "documents": ["a cat"]}) + "\n")
    assert main(["rerank", "requests.jsonl", "--text", "nope"]) == 2
    assert "requests.jsonl:1: has no field 'nope' for the text: it is read as a text" in capsys.readouterr().err
