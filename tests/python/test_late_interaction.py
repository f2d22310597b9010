"""ColBERT-type models from ONNX files: which tokens reach the model, and whose vectors are kept."""

import json
import pickle

import numpy as np
import onnx
import pytest

from moverank.encoders import LateInteraction, OnnxEncoder
from moverank.errors import NoTokensError
from tiny_models import PIECES, tokenizer

#: The pieces of other tests, then what models of this kind need besides.
ALL = [*PIECES, "[MASK]", "[unused0]", "[unused1]", "[Q] ", "[D] "]
ID = {piece: place for place, piece in enumerate(ALL)}


def save_tokenizer(folder, added=("[MASK]", "[unused0]", "[unused1]", "[Q] ", "[D] ")):
    made = tokenizer()
    made.add_tokens(list(added))
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def save_model(folder, inputs=("input_ids", "attention_mask", "token_type_ids")):
    """The vector of a token is what reaches the model: its id, whether it is attended to, and its type."""
    helper, kind = onnx.helper, onnx.TensorProto
    nodes = []
    for name in inputs:
        nodes.append(helper.make_node("Cast", [name], [f"{name} cast"], to=kind.FLOAT))
        nodes.append(helper.make_node("Unsqueeze", [f"{name} cast", "last"], [f"{name} row"]))
    nodes.append(helper.make_node("Concat", [f"{name} row" for name in inputs], ["last_hidden_state"], axis=2))
    graph = helper.make_graph(
        nodes,
        "echo",
        [helper.make_tensor_value_info(name, kind.INT64, ["texts", "tokens"]) for name in inputs],
        [helper.make_tensor_value_info("last_hidden_state", kind.FLOAT, ["texts", "tokens", len(inputs)])],
        [onnx.numpy_helper.from_array(np.array([2]), "last")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    return folder / "model.onnx"


@pytest.fixture
def files(tmp_path):
    return save_model(tmp_path), save_tokenizer(tmp_path)


def raw(**changes):
    return LateInteraction(**{"query_length": 10, "document_length": 9, "normalize": False, **changes})


def seen(encoded, text=0):
    """Pieces of a text as the model saw them, and to which of them others attend."""
    ids, attended = encoded.sequences[text].tokens[:, :2].astype(int).T.tolist()
    pieces = [ALL[i] for i in ids]
    assert encoded.tokens[text] == pieces
    return pieces, attended


QUERY = ["[CLS]", "[Q] ", "the", "cat", "sat", ".", "[SEP]"]


def test_queries_are_marked_and_extended_by_mask_tokens(files):
    encoder = OnnxEncoder(*files, late_interaction=raw())
    pieces, attended = seen(encoder.encode_queries(["The cat sat."]))
    # The tokens that PyLate sends: cut and padded to the query length less one, then the marker after [CLS].
    assert pieces == [*QUERY, "[MASK]", "[MASK]", "[MASK]"]
    assert attended == [1] * 7 + [0] * 3
    encoder = OnnxEncoder(*files, late_interaction=raw(attend_to_expansion=True))
    assert seen(encoder.encode_queries(["The cat sat."])) == ([*QUERY, "[MASK]", "[MASK]", "[MASK]"], [1] * 10)
    encoder = OnnxEncoder(*files, late_interaction=raw(query_expansion=False, attend_to_expansion=True))
    assert seen(encoder.encode_queries(["The cat sat."])) == (QUERY, [1] * 7)


def test_long_texts_are_cut_so_that_the_marker_fits(files):
    encoder = OnnxEncoder(*files, late_interaction=raw(query_length=6, document_length=7))
    encoded = encoder.encode_queries(["the cat sat mat dog", "dog"])
    assert seen(encoded)[0] == ["[CLS]", "[Q] ", "the", "cat", "sat", "[SEP]"]
    assert seen(encoded, 1)[0] == ["[CLS]", "[Q] ", "dog", "[SEP]", "[MASK]", "[MASK]"]
    assert encoded.cut == [2, 0]
    encoded = encoder.encode(["the cat sat mat dog", "dog"])
    assert seen(encoded)[0] == ["[CLS]", "[D] ", "the", "cat", "sat", "mat", "[SEP]"]
    assert seen(encoded, 1)[0] == ["[CLS]", "[D] ", "dog", "[SEP]"]
    assert (encoded.cut, encoder.max_length) == ([1, 0], 7)
    shorter = OnnxEncoder(*files, late_interaction=raw(), max_length=5)
    assert seen(shorter.encode_queries(["the cat sat"]))[0] == ["[CLS]", "[Q] ", "the", "cat", "[SEP]"]
    assert shorter.max_length == 5
    for options, message in (
        ({"late_interaction": raw(query_length=3)}, "query_length must be at least 4, special tokens included, got 3"),
        ({"late_interaction": raw(document_length=3)}, "document_length must be at least 4"),
        ({"late_interaction": raw(), "max_length": 3}, "max_length must be at least 4, got 3"),
    ):
        with pytest.raises(ValueError, match=message):
            OnnxEncoder(*files, **options)


def test_punctuation_is_read_and_left_out_of_documents(files):
    encoder = OnnxEncoder(*files, late_interaction=raw())
    assert seen(encoder.encode(["The cat, sat."]))[0] == ["[CLS]", "[D] ", "the", "cat", "sat", "[SEP]"]
    whole = OnnxEncoder(*files, late_interaction=raw(skiplist=()))
    assert seen(whole.encode(["The cat, sat."]))[0] == ["[CLS]", "[D] ", "the", "cat", ",", "sat", ".", "[SEP]"]
    other = OnnxEncoder(*files, late_interaction=raw(skiplist=["the", "of"]))
    assert seen(other.encode(["The cat, sat."]))[0] == ["[CLS]", "[D] ", "cat", ",", "sat", ".", "[SEP]"]
    assert "." in seen(encoder.encode_queries(["."]))[0]  # but not of queries


def test_vectors_have_length_one_unless_they_are_wanted_as_they_are(files):
    late = LateInteraction(query_length=10, document_length=9)
    encoder = OnnxEncoder(*files, late_interaction=late)
    for encode in (encoder.encode, encoder.encode_queries):
        vectors = encode(["the cat sat"]).sequences[0].tokens
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        assert vectors.dtype == np.float32
    plain = OnnxEncoder(*files, late_interaction=raw()).encode(["the cat sat"]).sequences[0].tokens
    np.testing.assert_allclose(
        encoder.encode(["the cat sat"]).sequences[0].tokens,
        plain / np.linalg.norm(plain, axis=1, keepdims=True),
        rtol=1e-6,
    )


def test_prefixes_special_tokens_and_prompts_can_be_chosen(files):
    encoder = OnnxEncoder(*files, late_interaction=raw(query_prefix="", document_prefix="[unused1]"))
    assert seen(encoder.encode_queries(["cat"]))[0] == ["[CLS]", "cat", "[SEP]", *["[MASK]"] * 7]
    assert seen(encoder.encode(["cat"]))[0] == ["[CLS]", "[unused1]", "cat", "[SEP]"]
    words = OnnxEncoder(*files, late_interaction=raw(), special_tokens=False)
    assert seen(words.encode_queries(["the cat sat"]))[0] == ["the", "cat", "sat"]
    assert seen(words.encode(["the cat sat."]))[0] == ["the", "cat", "sat"]
    with pytest.raises(NoTokensError, match="text 0 has no token"):
        words.encode(["."])
    prompted = OnnxEncoder(*files, late_interaction=raw(), query_prompt="the ")
    assert seen(prompted.encode_queries(["cat"]))[0][:5] == ["[CLS]", "[Q] ", "the", "cat", "[SEP]"]
    merged = OnnxEncoder(*files, late_interaction=raw(), subwords="mean").encode_queries(["cat played"])
    assert merged.tokens[0] == ["[CLS]", "[Q] ", "cat", "played", "[SEP]", *["[MASK]"] * 4]


def test_batches_of_any_size_give_the_same(files):
    texts = ["the cat sat", "dog", "the mat, the mat", "cat . sat"]
    one, all_ = (OnnxEncoder(*files, late_interaction=raw(), batch_size=size) for size in (1, 8))
    for encode in ("encode", "encode_queries"):
        first, second = getattr(one, encode)(texts), getattr(all_, encode)(texts)
        assert first.tokens == second.tokens
        np.testing.assert_array_equal(first.sequences.tokens, second.sequences.tokens)


PYLATE = {
    "prompts": {},
    "default_prompt_name": None,
    "similarity_fn_name": "MaxSim",
    "query_prefix": "[Q] ",
    "document_prefix": "[D] ",
    "query_length": 8,
    "document_length": 9,
    "attend_to_expansion_tokens": True,
    "skiplist_words": ["the"],
    "do_query_expansion": True,
}


def test_files_of_pylate_state_it(tmp_path, files):
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(PYLATE))
    # PyLate leaves here whichever length it used last, which is not the limit of the other side.
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 7}))
    encoder = OnnxEncoder(*files)
    assert encoder._late == LateInteraction(
        query_length=8, document_length=9, attend_to_expansion=True, skiplist=["the"]
    )
    assert encoder.encode_queries(["cat"]).tokens == [["[CLS]", "[Q] ", "cat", "[SEP]", *["[MASK]"] * 4]]
    assert encoder.encode(["the cat."]).tokens == [["[CLS]", "[D] ", "cat", ".", "[SEP]"]]
    assert encoder.max_length == 9
    plain = OnnxEncoder(*files, late_interaction=False)
    assert plain.encode_queries(["the cat."]).tokens == [["the", "cat", "."]]
    assert plain.max_length == 7
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"query_length": None, "prompts": {}}))
    assert OnnxEncoder(*files)._late is None
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"do_query_expansion": False}))
    assert OnnxEncoder(*files)._late == LateInteraction(query_expansion=False)
    for wrong, message in (
        ({"query_length": "long"}, "query_length must be an integer, got 'long'; give late_interaction"),
        ({"skiplist_words": "the"}, "skiplist: expected a list of tokens, got one string; give late_interaction"),
        ({"query_prefix": "[query]"}, r"query_prefix: '\[query\]' is not a token of the tokenizer"),
    ):
        (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({**PYLATE, **wrong}))
        with pytest.raises(ValueError, match=message):
            OnnxEncoder(*files)


def test_files_of_colbert_state_it(tmp_path, files):
    metadata = {
        "query_token_id": "[unused0]", "doc_token_id": "[unused1]", "query_token": "[Q]", "doc_token": "[D]",
        "query_maxlen": 6, "doc_maxlen": 220, "attend_to_mask_tokens": False, "mask_punctuation": True, "dim": 128,
    }  # fmt: skip
    (tmp_path / "artifact.metadata").write_text(json.dumps(metadata))
    encoder = OnnxEncoder(*files)
    assert encoder.encode_queries(["cat"]).tokens == [["[CLS]", "[unused0]", "cat", "[SEP]", "[MASK]", "[MASK]"]]
    assert encoder.encode(["the cat."]).tokens == [["[CLS]", "[unused1]", "the", "cat", "[SEP]"]]
    assert encoder.max_length == 220
    (tmp_path / "artifact.metadata").write_text(json.dumps({"mask_punctuation": False}))
    assert OnnxEncoder(*files)._late == LateInteraction("[unused0]", "[unused1]", skiplist=())
    (tmp_path / "artifact.metadata").write_text("{")
    with pytest.raises(ValueError, match=r"artifact.metadata: is not JSON"):
        OnnxEncoder(*files)


def test_the_mask_token_is_that_of_the_tokenizer(tmp_path):
    files = save_model(tmp_path), save_tokenizer(tmp_path, ["<m>", "[Q] ", "[D] "])

    def extension(**changes):
        return (
            OnnxEncoder(*files, late_interaction=raw(query_length=5, **changes)).encode_queries(["cat"]).tokens[0][4:]
        )

    with pytest.raises(ValueError, match=r"mask_token: .*tokenizer.json and the files beside it state none"):
        extension()
    with pytest.raises(ValueError, match=r"mask_token: '\[MASK\]' is not a token of the tokenizer"):
        extension(mask_token="[MASK]")
    assert extension(mask_token="<m>") == ["<m>"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "[SEP]"}))
    assert extension() == ["[SEP]"]
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "[SEP]", "mask_token": {"content": "<m>"}})
    )
    assert extension() == ["<m>"]


def test_models_without_a_mask_of_attention_attend_to_everything(tmp_path):
    files = save_model(tmp_path, ["input_ids", "token_type_ids"]), save_tokenizer(tmp_path)
    with pytest.raises(ValueError, match="has no input attention_mask, which query expansion needs"):
        OnnxEncoder(*files, late_interaction=raw())
    for late in (raw(attend_to_expansion=True), raw(query_expansion=False)):
        assert OnnxEncoder(*files, late_interaction=late).encode_queries(["cat"]).tokens[0][:3] == [
            "[CLS]",
            "[Q] ",
            "cat",
        ]


def test_identities_tell_models_apart_and_copies_are_equal(files):
    plain = OnnxEncoder(*files)
    made = {
        "plain": plain,
        "late": OnnxEncoder(*files, late_interaction=raw()),
        "skips": OnnxEncoder(*files, late_interaction=raw(skiplist=["the"] * 1000)),
        "normalised": OnnxEncoder(*files, late_interaction=raw(normalize=True)),
    }
    for name, encoder in made.items():
        copy = pickle.loads(pickle.dumps(encoder))
        assert copy.identity == encoder.identity
        assert copy.encode_queries(["the cat"]).tokens == encoder.encode_queries(["the cat"]).tokens
        assert [other for other in made if made[other].identity == encoder.identity] == [name]
    assert "query_prefix" not in plain.identity.options
    with pytest.raises(TypeError, match="late_interaction: expected a LateInteraction or False, got True"):
        OnnxEncoder(*files, late_interaction=True)
