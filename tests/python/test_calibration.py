"""Probabilities of hits: fitted by scikit-learn on judged pairs, and kept with an index."""

import json

import numpy as np
import pytest

import moverank as mr
from moverank.ranking import Calibration

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install moverank[sklearn]")
pytest.importorskip("tantivy", reason="tantivy is not installed: pip install moverank[lexical]")


@pytest.mark.parametrize("method", ["logistic", "isotonic"])
def test_curves_are_those_of_scikit_learn(method):
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    scores = rng.normal(size=400)
    relevant = rng.random(400) < 1 / (1 + np.exp(1 - 2 * scores))
    curve = Calibration.fit(scores, relevant, method=method)
    tried = np.linspace(-4, 4, 90)
    if method == "logistic":
        model = LogisticRegression(C=np.inf).fit(scores[:, None], relevant)
        expected = model.predict_proba(tried[:, None])[:, 1]
        assert curve.scores == pytest.approx((2.0, -1.0), abs=0.6)
    else:
        expected = IsotonicRegression(out_of_bounds="clip").fit(scores, relevant).predict(tried)
    np.testing.assert_allclose(curve(tried), expected, atol=1e-9)
    assert (np.diff(curve(tried)) >= 0).all()
    assert Calibration.from_json(json.loads(json.dumps(curve.as_json()))) == curve


@pytest.mark.parametrize(
    ("arguments", "kind", "fault"),
    [
        (([1, 2], [0, 1], "platt"), ValueError, "method must be one of 'logistic', 'isotonic', got 'platt'"),
        (([1, np.nan], [0, 1], "logistic"), ValueError, "scores: expected finite numbers"),
        (([1], [0, 1], "logistic"), ValueError, "relevant: expected 1, one per score, got 2"),
        (([1, 2], [1, 1], "logistic"), ValueError, "relevant: expected some relevant and some other hits, got 2 of 2"),
        ((["a", "b"], [1, 0], "logistic"), TypeError, "scores: expected"),
    ],
)
def test_what_cannot_be_fitted_is_refused(arguments, kind, fault):
    with pytest.raises(kind, match=fault):
        Calibration.fit(*arguments[:2], method=arguments[2])


def test_judgements_that_do_not_fit_are_refused():
    index = mr.TextIndex.create(lexical=None)
    index.add(["a cat", "a dog"], ["a", "b"])
    for relevant, kind, fault in (
        (3, TypeError, "relevant: expected a list of lists of ids, got int"),
        (["a"], TypeError, "relevant: expected a list of ids for query 0, got 'a'"),
        ([["a"], ["a"]], ValueError, "relevant: expected 1, one list of ids per query, got 2"),
        ([[]], ValueError, "relevant: expected some relevant and some other hits, got 0 of 2"),
    ):
        with pytest.raises(kind, match=fault):
            index.calibrate(["cat"], relevant)
    assert index.search("cat")[0].probability is None


def test_probabilities_are_shares_of_what_was_relevant(tmp_path):
    rng = np.random.default_rng(0)
    words = ["cat", "dog", "bird", "fish", "horse", "cow", "tree", "river", "stone", "road", "bank", "money"]
    texts = [" ".join(rng.choice(words, size=5)) for _ in range(300)]
    queries = [" ".join(rng.choice(words, size=2, replace=False)) for _ in range(150)]
    relevant = [[n for n, text in enumerate(texts) if set(query.split()) <= set(text.split())] for query in queries]
    with mr.TextIndex.create(tmp_path / "notes") as index:
        index.add(texts)
        assert index.search(queries[0])[0].probability is None
        with pytest.raises(ValueError, match="min_probability: the index is not calibrated for such searches"):
            index.search(queries[0], min_probability=0.5)
        for method in ("isotonic", "logistic"):
            curve = index.calibrate(queries[:100], relevant[:100], k=60, method=method)
            assert curve.method == method
            hits = [hit for query in queries[100:] for hit in index.search(query, 60)]
            right = np.array([hit.id in relevant[100 + n // 60] for n, hit in enumerate(hits)])
            given = np.array([hit.probability for hit in hits])
            assert abs(given.mean() - right.mean()) < 0.1
            assert ((given - right) ** 2).mean() < right.mean() * (1 - right.mean())  # better than always the mean
            assert given.tolist() == pytest.approx(curve([hit.score for hit in hits]).tolist())
        assert index.search(queries[0], candidates=50)[0].probability is None  # other scores
        assert index.search(queries[0], fusion=0.5)[0].probability is None
        some = index.search(queries[0], 20, min_probability=0.5)
        assert all(hit.probability >= 0.5 for hit in some)
        assert len(some) + some.left_out == 20
        index.add(["a cat"])
    with mr.TextIndex.open(tmp_path / "notes") as index:  # kept through changes, and with the index
        assert index.search(queries[0], 1)[0].probability == pytest.approx(
            float(curve([index.search(queries[0], 1)[0].score])[0])
        )
