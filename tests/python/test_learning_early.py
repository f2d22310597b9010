"""What would make a fit fail is told before it trains, by the name of the argument; what does not apply is refused."""

import functools
import math
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import moverank as mr
from moverank.spaces.weights import TokenWeights
from test_learning import encoder, examples, fitted, parameters  # noqa: F401  fixtures

torch = pytest.importorskip("torch", reason="torch is not installed: pip install moverank[torch]")
learning = pytest.importorskip("moverank.learning")

from moverank.learning.token_weights import WeightModel  # noqa: E402

NOTHING = learning.Training(epochs=0)
ONCE = learning.Training(epochs=1, batch=8)


def refused(encoder, examples, kind, message, **how):  # noqa: F811
    """Refused before the first figure is known."""
    seen = []
    with pytest.raises(kind, match=message):
        fitted(encoder, examples, progress=seen.append, **how)
    assert seen == []


# ---- before training -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [{"debiased": True}, {"marginal_penalty": 1.0}], ids=str)
def test_a_capacity_that_the_measure_cannot_have(encoder, examples, own):  # noqa: F811
    measure = mr.wrd.replace(problem=mr.Sinkhorn(0.1, relative=False, **own))
    message = f"^learn: 'capacity' chooses from 1, 2, 4, 8, inf, and this measure cannot: {next(iter(own))} needs"
    refused(encoder, examples, ValueError, message, measure=measure, learn={"weights", "capacity"})


@pytest.mark.parametrize(
    ("score", "kind", "message"),
    [
        (math.nan, ValueError, "^first_stage: the score of 3 for 1 is not finite"),
        (math.inf, ValueError, "^first_stage: the score of 3 for 1 is not finite"),
        ("a", TypeError, "^first_stage: the score of 3 for 1 must be a real number, got 'a'"),
        (None, TypeError, "^first_stage: the score of 3 for 1 must be a real number, got None"),
    ],
)
def test_scores_of_a_first_stage(encoder, examples, score, kind, message):  # noqa: F811
    scores = {q: dict.fromkeys(range(90), 1.0) for q in range(60)}
    scores[1][3] = score  # of a query that trains, or is held out: wherever it stands
    refused(encoder, examples, kind, message, learn={"weights", "fusion"}, first_stage=scores)


def test_a_checkpoint_that_cannot_be_written(encoder, examples, tmp_path):  # noqa: F811
    for path, kind, message in (
        (tmp_path / "no" / "state", FileNotFoundError, "checkpoint: its folder does not exist"),
        (tmp_path, IsADirectoryError, "checkpoint: is a folder"),
    ):
        refused(encoder, examples, kind, message, training=learning.Training(epochs=1, checkpoint=path))


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (mr.rwmd, "^measure: the relaxed problem has no derivatives"),
        (mr.wrd.replace(problem="sinkhorn"), "^measure: derivatives need an epsilon in units of the cost"),
    ],
    ids=["relaxed", "relative"],
)
def test_a_measure_without_derivatives(encoder, examples, measure, message):  # noqa: F811
    class Unused:
        identity = encoder.identity

        def encode(self, texts, *, skip_empty=False):
            raise AssertionError("texts were encoded for nothing")

    refused(Unused(), examples, ValueError, message, measure=measure)


# ---- options that do not apply ---------------------------------------------------------------------------------------

ALL = {"neighbours": 3, "depth": 7, "candidates": 7, "negatives": 2, "loss": "margin", "temperature": 2.0}


@pytest.mark.parametrize(
    ("kind", "unused"),
    [
        ("judgements", {"neighbours"}),
        ("triples", {"neighbours", "depth", "candidates"}),
        ("labels", {"candidates", "loss"}),
        ("pairs", set(ALL)),
    ],
)
def test_options_of_other_examples(encoder, kind, unused):  # noqa: F811
    queries, documents = ["t0w0", "t1w0", "t2w0", "t3w0"], ["t0w1", "t1w1", "t2w1", "t3w1"]
    given = {"judgements": {q: [q] for q in range(4)}, "triples": [(q, q, 3 - q) for q in range(4)],
             "labels": [0, 1, 0, 1], "pairs": [1.0, 2.0, 3.0, 4.0]}  # fmt: skip
    own = {"documents": documents, "encoder": encoder, kind: given[kind]}
    own |= {} if kind == "labels" else {"queries": queries}
    for name, value in ALL.items():
        training = learning.Training(epochs=0, held_out=0.5, **{name: value})
        if name in unused:
            with pytest.raises(ValueError, match=f"^training: {name} is given, but {kind} do not use it"):
                learning.fit(**own, training=training)
        else:
            learning.fit(**own, training=training)


def test_a_margin_without_its_loss_and_a_temperature_with_it():
    with pytest.raises(ValueError, match=r"^margin is given, but loss 'contrastive' has none"):
        learning.Training(margin=3.0)
    with pytest.raises(ValueError, match=r"^temperature is given, but loss 'margin' has none"):
        learning.Training(loss="margin", temperature=3.0)


@pytest.mark.parametrize("how", [{"learn": ["projection"]}, {"weights": learning.TokenWeighting(identity=False)}])
def test_a_lazy_optimizer_with_nothing_left_to_it(encoder, examples, how):  # noqa: F811
    training = learning.Training(lazy_optimizer=torch.optim.SparseAdam)
    refused(encoder, examples, ValueError, "^training: lazy_optimizer is given, but no", training=training, **how)


# ---- values at the ends of numbers -----------------------------------------------------------------------------------


def test_options_that_leave_the_numbers():
    with pytest.raises(ValueError, match=r"^temperature must be at least 1e-06, got 1e-300"):
        learning.TokenWeighting(temperature=1e-300)
    with pytest.raises(ValueError, match=r"^learning_rate must be at most 1e\+06, got 1e\+30"):
        learning.TokenWeighting(learning_rate=1e30)


@pytest.mark.parametrize(
    "weights",
    [
        learning.TokenWeighting(learning_rate=1e5),
        learning.TokenWeighting(learning_rate=1e6, identity=False),
        learning.TokenWeighting(temperature=1e-6),
        learning.TokenWeighting("gumbel", temperature=1e-6, keep=0.5),
        learning.TokenWeighting("sparsemax", temperature=1e-6),
    ],
)
def test_options_near_the_ends_of_numbers_work(encoder, examples, weights):  # noqa: F811
    found = fitted(encoder, examples, learn={"weights"}, weights=weights, training=learning.Training(epochs=3, batch=8))
    mass = found.space(encoder.encode(examples[1])).sequences.weights
    assert np.isfinite(mass).all()


def test_numbers_of_tokens_beyond_what_exp_can_hold_are_kept_as_its_ends():
    model = WeightModel(learning.TokenWeighting(), 2, sparse=False)
    with torch.no_grad():
        model.table.weight[1:, 0] = torch.tensor([1e5, -1e5])
    step = model.step(["a", "b"], TokenWeights({}), by_norm=False)
    assert step.identity.table == {"a": math.exp(700), "b": math.exp(-700)}


def test_large_grades_and_scores_count_by_their_proportions(encoder, examples, tmp_path):  # noqa: F811
    queries, documents, judgements, _ = examples
    graded = {q: {d: 1.0 + d % 2 for d in own} for q, own in judgements.items()}
    huge = {q: {d: grade * 8e307 for d, grade in own.items()} for q, own in graded.items()}
    scores = {q: {d: float(d in own) for d in range(90)} for q, own in judgements.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other = (
            fitted(encoder, (queries, documents, own, None), learn={"weights", "fusion"}, first_stage=scores,
                   training=ONCE)
            for own in (graded, huge)
        )  # fmt: skip
    assert [e.held_out for e in other.history] == pytest.approx([e.held_out for e in one.history])
    assert other.fusion == one.fusion
    other.save(tmp_path / "learned.npz")
    assert repr(learning.Learned.load(tmp_path / "learned.npz")) == repr(other)


@pytest.mark.parametrize("scale", [1e-300, 1e300, 1e306])
def test_the_unit_of_scores_does_not_count(encoder, examples, scale):  # noqa: F811
    queries, documents = examples[:2]
    given = {"encoder": encoder, "learn": {"weights"}, "training": ONCE, "num_threads": 1}
    one, other = (
        learning.fit(queries[:20], documents[:20], pairs=[unit * p for p in range(1, 21)], **given)
        for unit in (1.0, scale)
    )
    assert [e.held_out for e in other.history] == pytest.approx([e.held_out for e in one.history], abs=1e-6)
    assert other.history[1].loss == pytest.approx(one.history[1].loss, abs=1e-5)


def test_scores_that_say_nothing_are_refused(encoder, examples):  # noqa: F811
    queries, documents = examples[:2]
    with pytest.raises(ValueError, match=r"^pairs: all scores are equal"):
        learning.fit(queries[:20], documents[:20], pairs=[0.1] * 20, encoder=encoder)
    with pytest.raises(ValueError, match=r"^held_out: expected pairs of different scores, got 2 of one score$"):
        learning.fit(queries[:4], documents[:4], pairs=[1, 1, 2, 3], held_out=[0, 1], encoder=encoder)
    with pytest.raises(
        ValueError, match=r"^held_out: .* got 1 of one score; hold others out, by held_out= or the seed"
    ):
        learning.fit(queries[:4], documents[:4], pairs=[1, 1, 2, 3], encoder=encoder)


def test_two_texts_of_two_classes_train_without_a_warning(encoder):  # noqa: F811
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learning.fit(documents=["t0w0", "t1w0"], labels=[0, 1], encoder=encoder, training=ONCE)


# ---- what examples come as -------------------------------------------------------------------------------------------


def test_tables_series_and_sets_are_taken(encoder, examples):  # noqa: F811
    pandas = pytest.importorskip("pandas")
    queries, documents, judgements, topics = examples
    rows = [(q, d, 1) for q, own in judgements.items() for d in own]
    expected = fitted(encoder, examples, training=ONCE)
    for own in (
        pandas.DataFrame(rows).to_numpy(),
        pandas.DataFrame(rows).astype({2: float}).to_numpy(),
        np.array(rows),
        torch.tensor(rows),
        [np.array(row) for row in rows],
        {q: set(own) for q, own in judgements.items()},
        {q: frozenset(own) for q, own in judgements.items()},
    ):
        found = fitted(encoder, (queries, documents, own, None), training=ONCE)
        assert parameters(found) == parameters(expected)
    for kind in (np.array, pandas.Series, lambda own: pandas.Series(own, index=range(100, 100 + len(own)))):
        found = fitted(encoder, (kind(queries), kind(documents), judgements, None), training=ONCE)
        assert parameters(found) == parameters(expected)
        learning.fit(documents=kind(documents), labels=kind(topics.tolist()), encoder=encoder, training=NOTHING)
    triples = [(q, judgements[q][0], next(d for d in range(90) if d not in judgements[q])) for q in range(60)]
    how = {"encoder": encoder, "training": NOTHING}
    expected = learning.fit(queries, documents, triples=triples, **how)
    for own in (np.array(triples), torch.tensor(triples)):
        assert learning.fit(queries, documents, triples=own, **how).history[0].held_out == expected.before
    with pytest.raises(ValueError, match=r"^triples: expected rows of 3, got \[0, 0\]"):
        learning.fit(queries, documents, triples=np.array([(0, 0)]), **how)


def test_two_grades_of_one_document_are_told(encoder, examples):  # noqa: F811
    rows = [(0, 3, 1), (1, 2, 1), (0, 3, 0)]
    with pytest.raises(ValueError, match=r"^judgements: 3 has two grades for 0, 1 and 0"):
        learning.fit(*examples[:2], rows, encoder=encoder)
    learning.fit(*examples[:2], [*rows[:2], (0, 3, 1.0), (1, 4, 0)], encoder=encoder, training=NOTHING)


# ---- the state of torch, hashes --------------------------------------------------------------------------------------


def test_what_torch_is_set_to_changes_nothing(encoder, examples):  # noqa: F811
    how = {"training": learning.Training(epochs=2, batch=8), "weights": learning.TokenWeighting("gumbel", keep=0.8)}
    expected = parameters(fitted(encoder, examples, **how))
    with torch.no_grad():
        assert parameters(fitted(encoder, examples, **how)) == expected
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert parameters(fitted(encoder, examples, **how)) == expected
    before = torch.get_default_dtype()
    try:
        for kind in (torch.float64, torch.float16):
            torch.set_default_dtype(kind)
            assert parameters(fitted(encoder, examples, **how)) == expected
            assert torch.get_default_dtype() == kind
    finally:
        torch.set_default_dtype(before)


def test_bytes_do_not_depend_on_hashes():
    code = """
import hashlib
from moverank.encoders import WordVectors
from moverank.learning import Training, fit
texts = ["a cat sat on the mat", "a dog ran after the ball", "birds sang in the old tree"]
found = fit(texts, texts, {0: [0], 1: [1], 2: [2]}, encoder=WordVectors.default(), training=Training(epochs=1),
            num_threads=1)
print(hashlib.sha256(found.space.to_bytes()).hexdigest())
"""
    digests = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                       env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(digests) == 1


# ---- checkpoints -----------------------------------------------------------------------------------------------------

ADAM, SGD = torch.optim.Adam, torch.optim.SGD


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (functools.partial(ADAM, betas=(0.5, 0.5)), functools.partial(SGD, momentum=0.9)),
        (functools.partial(ADAM, betas=(0.5, 0.5)), functools.partial(ADAM, betas=(0.5, 0.6))),
        (lambda groups: ADAM(groups, eps=1e-8), lambda groups: ADAM(groups, eps=1e-3)),
    ],
    ids=["others", "partial", "defaults"],
)
def test_checkpoints_tell_optimisers_apart(encoder, examples, tmp_path, first, second):  # noqa: F811
    def training(own):
        return learning.Training(epochs=1, batch=8, optimizer=own, checkpoint=tmp_path / "state")

    fitted(encoder, examples, training=training(first))
    again = fitted(encoder, examples, training=training(first))
    assert len(again.history) == 2
    with pytest.raises(ValueError, match="is of other examples, options or optimisers"):
        fitted(encoder, examples, training=training(second))


def test_a_checkpoint_of_more_epochs_is_refused(encoder, examples, tmp_path):  # noqa: F811
    def training(epochs):
        return learning.Training(epochs=epochs, batch=8, checkpoint=tmp_path / "state")

    fitted(encoder, examples, training=training(1))
    with pytest.raises(ValueError, match=r"^checkpoint: .*state is of 1 epochs, more than epochs=0"):
        fitted(encoder, examples, training=training(0))
