"""Every argument of every public function: what it cannot be is refused by an error that names it and says what came.

`CALLS` has one sound call of each function, `WRONG` what an argument of some name can never be. A public function that
is is not in the tables, or a parameter of which they do not say what is wrong, fails a test. `test_learning_values` has
the same for what needs torch.
"""

import inspect
import re

import pytest

import moverank as mr
from moverank import encoders, presets, ranking, readers, scoring, spaces
from sound_calls import CALLS
from wrong_values import SAID, WRONG


def cases(calls, wrong):
    """Each wrong value of each argument of each call."""
    return [
        pytest.param(name, parameter, *case, id=f"{name}-{parameter}-{place}")
        for name, (_, arguments) in calls.items()
        for parameter in arguments
        for place, case in enumerate(wrong.get(f"{name}.{parameter}", wrong.get(parameter, [])))
    ]


def assert_refused(sound, parameter, value, kind, fault):
    """A sound call refuses a wrong value in place of its own, by the name of the argument."""
    call, arguments = sound
    with pytest.raises(kind, match=fault) as refused:
        call(**{**arguments, parameter: value})
    assert re.search(rf"\b({SAID.get(parameter, parameter)})\b", str(refused.value))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "parameter", "value", "kind", "fault"), cases(CALLS, WRONG))
def test_what_an_argument_cannot_be_is_refused_by_name(name, parameter, value, kind, fault):
    assert_refused(CALLS[name], parameter, value, kind, fault)


@pytest.mark.parametrize("name", CALLS)
def test_the_calls_are_sound_without_the_fault(name):
    call, arguments = CALLS[name]
    call(**arguments)


# ---- nothing is left out ---------------------------------------------------------------------------------------------

#: What calls return, and what only says what others have to look like: nobody has to make one.
MADE_BY_US = {
    "Alignment", "Bag", "Certificate", "CertifiedDistances", "EncoderCheck", "Gradients", "Hit", "Hits", "Index",
    "Neighbours",
    "PooledTokens", "Preset", "Ranking", "RankedDocument", "Recall", "RecallAt", "Rung", "SearchStats", "SinkhornBatch",
    "SinkhornResult", "TokenMove", "TransportBatch", "TransportResult", "UncertainMove", "Uncertainty",
    "Verified", "DocumentEncoder", "EncodedTexts",
    "Encoder", "QueryEncoder", "Recipe", "Step", "Space", "Statistics", "MeanScore", "ScoreBaseline", "Scores",
    "TextIndex",
}  # fmt: skip
#: Tested where their libraries or files are.
ELSEWHERE = {
    "Calibration.fit", "TextIndex.calibrate",
    "OnnxEncoder", "OnnxEncoder.encode", "OnnxEncoder.encode_queries", "SentenceTransformerEncoder", "read_arrow",
    "read_npy", "read_safetensors", "Space.load", "Space.save", "WordVectors.save",
}  # fmt: skip
#: Methods of steps and recipes, which give each other what they have to; and what hands all to a constructor.
INNER = {"apply", "fit", "add", "of", "idf", "idf_of_bert_score", "sif", "replace", "similarity", "spans", "text"}
#: True or false by whatever is given, or called when there is something to tell.
FREE = {
    "self", "cls", "progress", "mmap", "writable", "overwrite", "rescore", "resume", "skip_empty", "ax", "page",
    "lower_case", "by_norm", "check_encoder", "contents",
}  # fmt: skip


def public(*modules):
    """Public functions, constructors and methods that take something, by name."""
    for module in modules:
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing):
                yield name, thing
            if not inspect.isclass(thing) or issubclass(thing, BaseException):
                continue
            if name not in MADE_BY_US:
                yield name, thing.__init__
            if getattr(thing, "_is_protocol", False):
                continue
            for own, method in vars(thing).items():
                function = getattr(method, "__func__", method)
                if inspect.isfunction(function) and (own in ("__call__", "__getitem__", "__add__") or own[0] != "_"):
                    yield f"{name}.{own}", function


PUBLIC = {
    name: set(inspect.signature(function).parameters) - FREE
    for name, function in public(mr, encoders, presets, ranking, scoring, spaces, readers)
    if name not in ELSEWHERE and (name in CALLS or name.rpartition(".")[2] not in INNER)
}


#: Arguments whose errors are those of what they are given to: paths, words of a text, options of readers.
PASSED_ON = {
    "WordVectors.load": {"path", "tokenize"},
    "Words.__call__": {"text"},
    "TextIndex.create": {"path"},
    "encode_documents": {"encoder"},
    "encode_queries": {"encoder"},
    "TokenWeights": {"name"},
    "read": {"options"},
    "Hits.__getitem__": {"key"},
    "Neighbours.__getitem__": {"row"},
    "Sequence.__getitem__": {"key"},
    "Bag.__getitem__": {"key"},
    "EncodedTexts.__getitem__": {"place"},
    "EncodedTexts.to_sequences": {"weighting"},
    "Ranking.__getitem__": {"key"},
}


@pytest.mark.parametrize("name", [name for name, parameters in PUBLIC.items() if parameters])
def test_of_every_public_function_every_argument_is_tried(name):
    _, arguments = CALLS.get(name, (None, {}))
    tried = {p for p in arguments if f"{name}.{p}" in WRONG or p in WRONG}
    assert PUBLIC[name] - tried == PASSED_ON.get(name, set())
