"""A transformer small enough to be made by a test, with a tokenizer that cuts words into pieces."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "play", "##ing", "##ed", "sat", "mat", ",", "dog", "."]
TABLE = np.random.default_rng(7).normal(size=(len(PIECES), 6)).astype(np.float32)


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", PIECES.index("[CLS]")), ("[SEP]", PIECES.index("[SEP]"))]
    )
    made.enable_padding(length=128, pad_id=0)  # as exported files often are: the encoder has to undo it
    made.enable_truncation(64)
    return made


def save_tokenizer(folder: Path) -> Path:
    path = folder / "tokenizer.json"
    tokenizer().save(str(path))
    return path


def save_model(
    folder: Path, *, inputs=("input_ids", "attention_mask", "token_type_ids"), outputs=2, name="last_hidden_state"
) -> Path:
    """Each token's vector is its row of TABLE plus the mean of the rows of all tokens that are not padding."""
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"]) for name in inputs]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["rows"])]
    if "attention_mask" in inputs:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
            helper.make_node("Mul", ["rows", "mask3"], ["kept"]),
            helper.make_node("ReduceSum", ["kept", "middle"], ["sum"], keepdims=1),
            helper.make_node("ReduceSum", ["mask3", "middle"], ["count"], keepdims=1),
            helper.make_node("Div", ["sum", "count"], ["mean"]),
            helper.make_node("Add", ["rows", "mean"], [name]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["rows"], [name]))
    found = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["texts", "tokens", 6])]
    if outputs > 1:
        nodes.append(helper.make_node("ReduceSum", [name, "middle"], ["pooled"], keepdims=0))
        found.append(helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["texts", 6]))
    if outputs > 2:
        found.append(helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["texts", "tokens", 6]))
    constants = [
        numpy_helper.from_array(TABLE, "table"),
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "middle"),
    ]
    graph = helper.make_graph(nodes, "tiny", ids, found, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "model.onnx"
    onnx.save(model, str(path))
    return path


def vectors_of(texts):
    """What a function that makes vectors of texts may look like: one vector a letter."""
    return [(list(text), TABLE[[ord(letter) % len(TABLE) for letter in text]]) for text in texts]


class SentenceTransformer:
    """A model by its name; nothing in it runs."""
