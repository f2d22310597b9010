"""Errors that belong to no larger subject: what each door says of input that it cannot take."""

import bz2
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import moverank as mr
import tiny_models
from moverank import encoders
from moverank.cli import main
from moverank.errors import TextFormatError
from moverank.readers.texts import TextFiles, opening
from moverank.readers.texts.lines import read_lines, read_text

DOCS = [np.eye(3), np.eye(3)[:2]]


def index_of_words(folder, payloads=None):
    encoder = encoders.WordVectors.default()
    index = mr.Index.build(
        encoder.encode(["a cat", "a dog"]).sequences, ids=["a", "b"], payloads=payloads, encoder=encoder
    )
    index.save(folder / "index")
    return str(folder / "index")


def refused(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_the_command_line_adds_no_vectors(tmp_path, capsys):
    np.save(tmp_path / "tokens.npy", np.ones((2, 3, 4)))
    told = refused(capsys, "add", index_of_words(tmp_path), tmp_path / "tokens.npy")
    assert told.endswith("tokens.npy: holds vectors; moverank.Index.add takes such")


def test_an_index_without_texts_explains_none(tmp_path, capsys):
    told = refused(capsys, "explain", "a cat", "b", "--index", index_of_words(tmp_path, [{"n": 1}, {"n": 2}]))
    assert told == "moverank: error: the index holds no text of document 'b'"


def test_candidates_to_rerank_are_of_one_place_and_queries_have_ids_of_their_own(tmp_path, capsys):
    (tmp_path / "run").write_text("q Q0 a 1 1.0 t\n")
    (tmp_path / "q.tsv").write_text("q\tcat\n")
    both = ("--queries", tmp_path / "q.tsv", "--docs", tmp_path / "q.tsv", "--index", tmp_path)
    assert "--docs and --index: give one of them" in refused(capsys, "rerank", tmp_path / "run", *both)
    request = json.dumps({"id": "q", "query": "cat", "documents": ["a dog"]}) + "\n"
    (tmp_path / "twice.jsonl").write_text(request * 2)
    told = refused(capsys, "rerank", tmp_path / "twice.jsonl")
    assert told.endswith("twice.jsonl:2: id 'q' is given to more than one query")


def test_a_transformer_that_fails_says_on_how_many_tokens(tmp_path):
    encoder = encoders.OnnxEncoder(tiny_models.save_model(tmp_path), tiny_models.save_tokenizer(tmp_path))

    class Session:
        def run(self, outputs, feed):
            raise RuntimeError("no more positions")

    encoder._session = Session()
    with pytest.raises(ValueError, match=r"failed on texts of \d+ tokens; .*pass it as max_length: no more positions"):
        encoder.encode(["the cat"])


def test_prompts_in_files_are_strings(tmp_path):
    model, tokenizer = tiny_models.save_model(tmp_path), tiny_models.save_tokenizer(tmp_path)
    (tmp_path / "config_sentence_transformers.json").write_text('{"prompts": {"query": 3}}')
    with pytest.raises(ValueError, match="prompts are not strings; give query_prompt and document_prompt"):
        encoders.OnnxEncoder(model, tokenizer)


def test_histograms_and_costs():
    with pytest.raises(ValueError, match=r"histograms: expected histograms of shape \(N, K\), got shape \(3,\)"):
        mr.Histograms(sparse.coo_array(np.array([1.0, 2.0, 0.0])))
    with pytest.raises(ValueError, match="measure: wmd computes its costs from vectors, but costs are given"):
        mr.Index.build([[1.0, 2.0]], "wmd", costs=1 - np.eye(2))


def test_payloads():
    frame = pd.DataFrame({"n": [1]})

    class Table:
        columns = ("n",)

    with pytest.raises(TypeError, match="payloads: expected a list of JSON values or a data frame, got Table"):
        mr.Index.build(DOCS, payloads=Table())
    with pytest.raises(TypeError, match="expected a JSON value, got DataFrame; pass one of its rows"):
        mr.Index.build(DOCS, payloads=[frame, frame])
    with pytest.raises(ValueError, match="has two fields 'n'"):
        mr.Index.build(DOCS, payloads=[pd.Series([1, 2], index=["n", "n"]), None])


def test_elements():
    element = mr.Sequence(np.eye(2, dtype=np.float32))
    once = mr.Bags(np.eye(3), [[0, 1], [2]])
    for ask in (element.mass, once[0].mass, lambda weighting: once.weights_of(0, weighting)):
        with pytest.raises(ValueError, match=r"^weighting 'given' needs weights$"):
            ask("given")
    assert mr.Bags(np.eye(3), [[0, 1], [2, 2]])[0].mass("given").tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="tokens are float32: as float64 they must be copied"):
        element.__array__(np.float64, copy=False)


def test_text_files_are_some():
    with pytest.raises(ValueError, match="paths: expected at least one, got none"):
        TextFiles([])


def test_files_that_turn_out_to_be_no_text(tmp_path):
    (tmp_path / "late.md").write_bytes(b"a" * opening.HEAD * 2 + b"\0")
    with pytest.raises(TextFormatError, match=r"late\.md: is binary, not text"):
        read_text(tmp_path / "late.md")
    (tmp_path / "odd.txt").write_bytes("a\nb".encode("utf-16") + b"\x00")
    with pytest.raises(TextFormatError, match=r"odd\.txt:\d: not utf-16 text at or shortly after this line"):
        list(read_lines(tmp_path / "odd.txt"))


def test_packed_files_that_are_damaged(tmp_path):
    packed = bytearray(bz2.compress(b"a cat\n" * 9999))
    packed[20] ^= 255
    (tmp_path / "a.txt.bz2").write_bytes(packed)
    with pytest.raises(TextFormatError, match=r"a\.txt\.bz2: is damaged or cut off"):
        read_text(tmp_path / "a.txt.bz2")
    packed = bytearray(pytest.importorskip("zstandard").compress(b"a cat\n" * 9999))
    packed[6] ^= 255
    (tmp_path / "a.txt.zst").write_bytes(packed)
    with pytest.raises(TextFormatError, match=r"a\.txt\.zst: is damaged or cut off"):
        read_text(tmp_path / "a.txt.zst")


def test_zstandard_is_an_extra(tmp_path, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(opening, "import_module", absent)
    (tmp_path / "a.zst").write_bytes(b"\x28\xb5\x2f\xfd rest")
    with pytest.raises(TextFormatError, match=r"is compressed by Zstandard: pip install 'moverank\[zstd\]'"):
        read_text(tmp_path / "a.zst")


def test_a_pickle_of_something_else_is_no_shim(tmp_path):
    pytest.importorskip("gensim", reason="gensim is not installed")
    from moverank.integrations.gensim import WmdSimilarity

    (tmp_path / "other").write_bytes(pickle.dumps([1]))
    with pytest.raises(TypeError, match="other: expected a pickled WmdSimilarity, got list"):
        WmdSimilarity.load(tmp_path / "other")


def test_rerankers_of_texts_take_no_pictures():
    library = pytest.importorskip("rerankers", reason="rerankers is not installed")
    from moverank.integrations.rerankers import MoverankRanker

    with pytest.raises(ValueError, match="docs: document 0: expected text, got image"):
        MoverankRanker().rank("cat", [library.Document(document_type="image", base64="aaaa")])


def test_torch_takes_tensors():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    import moverank.torch

    x = torch.eye(2)
    with pytest.raises(TypeError, match="expected tensors, got ndarray"):
        moverank.torch.wmd(np.eye(2), x)
    with pytest.raises(TypeError, match="expected tensors, got list"):
        moverank.torch.wmd([x, x], [x, x], [[1.0, 2.0], [1.0, 2.0]])
