"""What `moverank.learning` takes and gives: wrong arguments are refused by name; values can be copied and printed."""

import copy
import inspect
import math

import numpy as np
import pytest

import moverank as mr
from test_arguments import assert_refused, cases, public
from test_pickling import WAYS, WORDS, assert_comes_back, assert_is_what_dataclasses_are
from wrong_values import COUNT, ENCODER, FINITE, FLAG, HUGE, NAN, PATH, WHOLE

torch = pytest.importorskip("torch", reason="torch is not installed: pip install moverank[torch]")
learning = pytest.importorskip("moverank.learning")

QUERIES, DOCUMENTS = ["cat", "dog", "sat"], ["cat sat", "dog mat", "cat mat"]
JUDGED = {0: [0, 2], 1: [1], 2: [0]}
FIRST = {q: dict.fromkeys(range(3), 1.0) for q in range(3)}
LEARNT = learning.fit(
    QUERIES, DOCUMENTS, JUDGED, encoder=WORDS, learn=["weights", "projection", "fusion"], first_stage=FIRST,
    measure=mr.wrd.replace(capacity=math.inf), training=learning.Training(epochs=2),
)  # fmt: skip
SHARES = {"scores": torch.tensor([1.0, 2.0, 3.0]), "offsets": [0, 1, 3], "temperature": 1.0}
SHARES |= {"straight_through": True, "keep": 0.5}


# ---- values ----------------------------------------------------------------------------------------------------------

EXAMPLES = {
    "Epoch": LEARNT.history,
    "Learned": (LEARNT, learning.fit(documents=DOCUMENTS, labels=["a", "b", "a"], encoder=WORDS, learn=["weights"],
                                     training=learning.Training(epochs=1))),
    "Projection": (learning.Projection(), learning.Projection(3, diagonal=True, strength=0)),
    "TokenWeighting": (learning.TokenWeighting(), learning.TokenWeighting("sparsemax", keep=0.5, features=["norm"])),
    "Training": (
        learning.Training(),
        learning.Training(optimizer=torch.optim.AdamW, lazy_optimizer=torch.optim.SparseAdam, checkpoint="state"),
    ),
}  # fmt: skip
VALUES = [
    pytest.param(value, id=f"{name}-{place}") for name, own in EXAMPLES.items() for place, value in enumerate(own)
]


def test_there_is_an_example_of_everything_public():
    classes = {name for name in learning.__all__ if inspect.isclass(getattr(learning, name))}
    assert classes == set(EXAMPLES)
    for name in set(learning.__all__) - classes:
        assert copy.deepcopy(getattr(learning, name)) is getattr(learning, name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", VALUES)
def test_everything_public_comes_back_as_it_was(value, way):
    assert_comes_back(value, WAYS[way])
    again = WAYS[way](value)
    assert repr(again) == repr(value)
    assert str(again) == str(value)
    if isinstance(value, learning.Learned):
        assert (again.best, again.before, again.after) == (value.best, value.before, value.after)
        assert again.space.to_bytes() == value.space.to_bytes()
        assert (again.measure, again.fusion, again.history) == (value.measure, value.fusion, value.history)
    else:
        assert again == value
        assert hash(again) == hash(value)


@pytest.mark.parametrize("value", VALUES)
def test_public_dataclasses_are_what_dataclasses_are(value):
    assert_is_what_dataclasses_are(value)
    with pytest.raises(AttributeError, match="cannot assign to field"):
        value.strength = 3


def test_values_that_differ_are_told_apart():
    start, first, second = LEARNT.history
    assert math.isnan(start.loss)
    assert start == learning.Epoch(0, math.nan, start.held_out, start.seconds)
    assert len({start, first, second}) == 3
    assert first != learning.Epoch(first.number, first.loss + 1e-9, first.held_out, first.seconds)
    assert first != repr(first)
    assert learning.Training() != learning.Training(seed=1)
    assert learning.Projection(3) != learning.Projection(4)
    assert learning.TokenWeighting() != learning.TokenWeighting(keep=0.5)
    assert learning.TokenWeighting(features=["norm"]) == learning.TokenWeighting(features=("norm",))


def test_what_was_learnt_prints_its_history():
    lines = str(LEARNT).splitlines()
    assert len(lines) == 1 + len(LEARNT.history)
    start = LEARNT.history[0]
    assert lines[0].startswith(f"epoch 0: before training, held out {start.held_out:.4f}, {start.seconds:.1f} s")
    assert lines[2].startswith(f"epoch 2: loss {LEARNT.history[2].loss:.4f}, held out ")
    assert [n for n, line in enumerate(lines) if line.endswith(", kept")] == [LEARNT.best.number]
    assert lines[-1] == repr(LEARNT)
    assert repr(LEARNT).startswith("Learned(Space(LearntWeights(softmax, ")
    assert f"held-out nDCG@10 {LEARNT.before:.4f} to {LEARNT.after:.4f})" in repr(LEARNT)


# ---- arguments -------------------------------------------------------------------------------------------------------


def learnt(**how):
    """A call of `fit` whose arguments go together."""
    return learning.fit(**{"encoder": WORDS, "training": learning.Training(epochs=0), **how})


CALLS = {
    "fit": (
        learning.fit,
        {"queries": QUERIES, "documents": DOCUMENTS, "judgements": JUDGED, "encoder": WORDS, "measure": "wrd",
         "learn": ["weights", "projection", "fusion"], "weights": None, "projection": None, "start": None,
         "training": learning.Training(epochs=0), "first_stage": FIRST, "held_out": [0], "num_threads": 1,
         "progress": lambda epoch: None},
    ),
    "fit of triples": (learnt, {"queries": QUERIES, "documents": DOCUMENTS, "triples": [(0, 0, 1), (1, 1, 0)]}),
    "fit of labels": (learnt, {"documents": DOCUMENTS, "labels": ["a", "b", "a"]}),
    "fit of pairs": (learnt, {"queries": QUERIES, "documents": DOCUMENTS, "pairs": [1.0, 0.5, 0.0],
                                 "training": learning.Training(epochs=0, held_out=0.7)}),
    "Learned.save": (LEARNT.save, {"path": "learned.npz"}),
    "Learned.load": (lambda path: LEARNT.save("learned.npz") or learning.Learned.load(path), {"path": "learned.npz"}),
    "TokenWeighting": (
        learning.TokenWeighting,
        {"simplex": "softmax", "temperature": 1, "keep": 1, "identity": True, "features": ["norm"], "least_texts": 3,
         "learning_rate": 0.1, "strength": 0},
    ),
    "Projection": (
        learning.Projection,
        {"dim": 3, "linear": True, "diagonal": False, "learning_rate": 0.1, "strength": 0},
    ),
    "Training": (
        learning.Training,
        {"epochs": 0, "patience": 1, "held_out": 0.5, "batch": 1, "negatives": 1, "depth": 1, "candidates": 1,
         "loss": "margin", "temperature": None, "margin": None, "share": 0.5, "neighbours": 1, "optimizer": None,
         "lazy_optimizer": None, "seed": 0, "checkpoint": None},
    ),
    "softmax": (learning.softmax, SHARES),
    "gumbel_softmax": (learning.gumbel_softmax, {**SHARES, "rng": np.random.default_rng(0)}),
    "sparsemax": (learning.sparsemax, SHARES),
}  # fmt: skip
STRENGTH = [
    (-1, ValueError, "must be finite and at least 0, got -1"),
    (NAN, ValueError, "must be finite and at least 0, got nan"),
    ("1", TypeError, "must be a real number, got '1'"),
]
CALLABLE = [(3, TypeError, "expected something to call, got int"), ("adam", TypeError, "expected something to call")]
TEXTS = [
    ("cat", TypeError, "expected a list of texts, got one string"),
    (3, TypeError, "expected .*, got int"),
    ([], ValueError, "expected at least one text"),
    (["cat", 3], TypeError, "1 is not a string but int"),
    ({0.5: "cat"}, TypeError, "expected ids that are strings or integers, got 0.5"),
]
WRONG = {
    "fit.queries": TEXTS, "fit.documents": TEXTS, "encoder": ENCODER, "num_threads": COUNT, "path": PATH[:1],
    "judgements": [
        ({9: [0]}, ValueError, "9 is not among queries"),
        ({0: 3}, TypeError, "expected a list of ids of documents, got int"),
        (3, TypeError, "expected a list of .*, got int"),
    ],
    "triples": [((0, 0, 1), ValueError, "expected rows of 3"), (3, TypeError, "expected a list of .*, got int")],
    "labels": [(["a", "b"], ValueError, "expected 3, one per document, got 2"), (3, TypeError, "got int")],
    "pairs": [([1, 2], ValueError, "expected 3 scores"), ([1, NAN, 0], ValueError, "score 1 is not finite")],
    "measure": [("xmd", ValueError, "unknown .*'xmd'"), (3, TypeError, "a name or a Measure, got 3")],
    "learn": [("weights", TypeError, "expected a list of names, got str"), ([], ValueError, "at least one of")],
    "weights": [("softmax", TypeError, "expected TokenWeighting, got str")],
    "projection": [(128, TypeError, "expected Projection, got int")],
    "training": [(3, TypeError, "expected Training, got int")],
    "start": [("whitening", TypeError, "expected a Space, got str")],
    "first_stage": [([1], TypeError, "expected a mapping of query ids, got list")],
    "fit.held_out": [("0", TypeError, "expected a list of ids, got str"), ([7], ValueError, "7 is not among queries")],
    "progress": CALLABLE[:1],
    "simplex": [("hard", ValueError, "must be one of 'softmax', .*got 'hard'"), (3, TypeError, "got 3")],
    "temperature": FINITE, "margin": FINITE, "learning_rate": FINITE, "strength": STRENGTH,
    "keep": [
        (0, ValueError, "must be above 0 and at most 1, got 0"),
        (NAN, ValueError, "must be above 0 and at most 1, got nan"),
        ("1", TypeError, "must be a real number, got '1'"),
    ],
    **{
        f"{name}.keep": [(-0.5, ValueError, "must be from 0 to 1, got -0.5"), ("1", TypeError, "a real number")]
        for name in ("softmax", "gumbel_softmax", "sparsemax")
    },
    "identity": FLAG, "linear": FLAG, "diagonal": FLAG, "straight_through": FLAG,
    "features": [
        ("norm", TypeError, "expected names, got one string"),
        (3, TypeError, "expected a list of names, got int"),
        (["size"], ValueError, "must be one of 'norm'"),
        ({"norm"}, TypeError, "expected a list of names, got set"),
    ],
    "least_texts": COUNT, "dim": COUNT, "patience": COUNT, "batch": COUNT, "negatives": COUNT, "depth": COUNT,
    "candidates": COUNT, "neighbours": COUNT, "epochs": WHOLE, "seed": WHOLE,
    "share": [
        (0, ValueError, "must be above 0 and at most 1, got 0"),
        (1.1, ValueError, "must be above 0 and at most 1, got 1.1"),
        ("half", TypeError, "must be a real number, got 'half'"),
    ],
    "held_out": [
        (0, ValueError, "must be above 0 and below 1, got 0"),
        (NAN, ValueError, "must be above 0 and below 1, got nan"),
        ("1", TypeError, "must be a real number, got '1'"),
    ],
    "loss": [("hinge", ValueError, "must be one of 'contrastive', 'margin'"), (3, TypeError, "got 3")],
    "optimizer": CALLABLE, "lazy_optimizer": CALLABLE,
    "checkpoint": [(3, TypeError, "expected a path, got int"), (b"state", TypeError, "expected a path, got bytes")],
    "scores": [
        ([1.0], TypeError, r"expected a tensor of real numbers of shape \(T,\), got list"),
        (torch.ones(2, 2), TypeError, r"got shape \(2, 2\)"),
    ],
    "offsets": [([0, 2], ValueError, "must start at 0 and end at 3"), ([0, HUGE], (TypeError, ValueError), "integers")],
    "rng": [(3, TypeError, "expected a Generator of NumPy, got int")],
}  # fmt: skip


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


def test_of_every_public_function_every_argument_is_tried():
    made_by_us = {"Epoch", "Learned"}
    inner = {"Training.scale"}
    tried = {}
    for name, (_, arguments) in CALLS.items():
        own = {p for p in arguments if f"{name}.{p}" in WRONG or p in WRONG}
        tried.setdefault(name.partition(" ")[0], set()).update(own)
    for name, function in public(learning):
        if name not in made_by_us | inner:
            parameters = set(inspect.signature(function).parameters) - {"self", "cls"}
            assert parameters - tried.get(name, set()) == set(), name
