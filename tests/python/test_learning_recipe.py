"""What a result says of the recipe that nothing was learnt for, and of a capacity that held-out examples chose."""

import json

import numpy as np
import pytest

import moverank as mr
from moverank.spaces import Space
from moverank.spaces.fitted import measure_learnt_with
from test_learning import WRD, encoder, examples, fitted  # noqa: F401  fixtures

learning = pytest.importorskip("moverank.learning")

NOTHING = learning.Training(epochs=0)


def recipe_of(encoder, examples, held_out, measure):  # noqa: F811
    """nDCG@10 over all documents, without a model and without an index."""
    queries, documents = (encoder.encode(own).sequences for own in examples[:2])
    found = []
    for q in held_out:
        ranked = np.argsort(mr.distances(queries[q], documents, measure), kind="stable")[:10]
        gains = np.isin(ranked, examples[2][q]) / np.log2(np.arange(2, 12))
        ideal = (1 / np.log2(np.arange(2, 12)))[: len(examples[2][q])]
        found.append(gains.sum() / ideal.sum())
    return np.mean(found)


@pytest.mark.parametrize(
    "how",
    [
        {"learn": ["projection"], "projection": learning.Projection(dim=1)},
        {"learn": ["weights"], "weights": learning.TokenWeighting(keep=0.01)},
    ],
    ids=["fewer dimensions", "fewer tokens"],
)
def test_a_start_that_is_cut_is_not_taken_for_the_recipe(encoder, examples, how, tmp_path):  # noqa: F811
    found = fitted(encoder, examples, training=NOTHING, **how)
    assert found.recipe == pytest.approx(recipe_of(encoder, examples, found.held_out, WRD), abs=0.01)
    assert found.before == found.after < found.recipe - 0.1
    assert found.is_worse
    assert str(found).endswith(f", the recipe {found.recipe:.4f}, which is better)")
    found.save(tmp_path / "learned.npz")
    again = learning.Learned.load(tmp_path / "learned.npz")
    assert (again.recipe, again.after, again.is_worse) == (found.recipe, found.after, True)


def test_where_nothing_is_cut_training_starts_as_the_recipe(encoder, examples):  # noqa: F811
    found = fitted(encoder, examples, training=learning.Training(epochs=1, batch=8))
    assert found.recipe == found.before
    assert found.recipe == pytest.approx(recipe_of(encoder, examples, found.held_out, WRD), abs=0.01)
    assert not found.is_worse
    assert "recipe" not in repr(found)


@pytest.mark.parametrize("kind", ["labels", "triples", "pairs"])
def test_the_recipe_of_other_examples_is_told_too(encoder, examples, kind):  # noqa: F811
    queries, documents, judgements, topics = examples
    given = {"queries": queries[:30], "documents": documents[:30], "encoder": encoder, "measure": WRD}
    given |= {"training": NOTHING, "learn": ["projection"], "num_threads": 1}
    if kind == "labels":
        del given["queries"]
        given |= {
            "documents": documents,
            "labels": topics.tolist(),
            "training": learning.Training(epochs=0, neighbours=1),
        }
    elif kind == "triples":
        own = {q: [d for d in judgements[q] if d < 30] for q in range(30)}
        given["triples"] = [(q, own[q][0], next(d for d in range(30) if d not in own[q])) for q in range(30) if own[q]]
    else:
        given["pairs"] = [float(q in judgements and q in judgements[q]) + q / 100 for q in range(30)]
    whole = learning.fit(**given)
    cut = learning.fit(**given, projection=learning.Projection(dim=1))
    assert whole.before == whole.recipe == pytest.approx(cut.recipe, abs=1e-6)
    assert cut.before != cut.recipe


def test_what_a_chosen_capacity_gains_is_shown(encoder, examples, tmp_path):  # noqa: F811
    found = fitted(encoder, examples, learn=["capacity"], measure=mr.wrd.replace(capacity=8), training=NOTHING)
    assert found.capacity != 8, "or there is nothing to see"
    assert found.after > found.before == found.recipe
    given = fitted(encoder, examples, learn=["weights"], measure=found.measure, training=NOTHING)
    by_hand = recipe_of(encoder, examples, found.held_out, found.measure)
    assert found.after == pytest.approx(by_hand, abs=0.02)
    assert given.held_out == found.held_out
    found.save(tmp_path / "learned.npz")
    assert measure_learnt_with(tmp_path / "learned.npz") == found.measure == learning.Learned.load(
        tmp_path / "learned.npz"
    ).measure  # fmt: skip


def test_a_space_that_was_learnt_for_no_measure_has_none(encoder, examples, tmp_path):  # noqa: F811
    mr.fit(encoder, examples[1], ["idf"]).save(tmp_path / "space.npz")
    assert measure_learnt_with(tmp_path / "space.npz") is None
    (tmp_path / "other").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"other: is not a space of moverank"):
        measure_learnt_with(tmp_path / "other")
    with np.load(tmp_path / "space.npz") as found:
        arrays = dict(found)
    arrays["measure"] = np.frombuffer(json.dumps({"ground": "cosine"}).encode(), np.uint8)
    np.savez(tmp_path / "space.npz", **arrays)
    with pytest.raises(ValueError, match=r"space\.npz: .*measure: 'weighting' is missing"):
        measure_learnt_with(tmp_path / "space.npz")
    assert Space.load(tmp_path / "space.npz").steps
