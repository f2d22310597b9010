"""Measures: oracles, axioms, invariances, and their behaviour as values."""

import pickle

import numpy as np
import pytest
from hypothesis import given

import moverank as mr
from reference import distance
from strategies import sequences

MEASURES = [
    mr.wmd,
    mr.wrd,
    mr.rwmd,
    mr.maxsim,
    mr.wrd.replace(capacity=4),
    mr.wmd.replace(capacity=1.5),
    mr.wrd.replace(problem="relaxed", capacity=2),
    mr.Measure("sqeuclidean", "norm"),
    mr.Measure("dot", "norm"),
]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@given(x=sequences(dim=7), y=sequences(dim=7))
def test_distance_equals_the_float64_oracle(measure, x, y):
    assert measure(x, y) == pytest.approx(distance(measure, x, y), abs=3e-6, rel=3e-6)


@given(x=sequences(dim=5), y=sequences(dim=5), z=sequences(dim=5))
def test_wmd_is_a_metric(x, y, z):
    xy = mr.wmd(x, y)
    assert xy >= 0
    assert mr.wmd(x, x) == pytest.approx(0, abs=1e-6)
    assert mr.wmd(y, x) == pytest.approx(xy, abs=1e-6)
    assert mr.wmd(x, z) <= xy + mr.wmd(y, z) + 1e-5


@given(x=sequences(dim=5), y=sequences(dim=5), z=sequences(dim=5))
def test_the_root_of_twice_wrd_is_a_metric(x, y, z):
    def root(p, q):
        return np.sqrt(2 * mr.wrd(p, q))

    assert root(x, z) <= root(x, y) + root(y, z) + 1e-3


@given(x=sequences(dim=5), y=sequences(dim=5))
def test_balanced_measures_are_symmetric(x, y):
    for measure in (mr.wmd, mr.wrd, mr.rwmd, mr.Measure("dot", "norm")):
        assert measure(y, x) == pytest.approx(measure(x, y), rel=1e-12, abs=1e-12)


def test_wrd_itself_breaks_the_triangle_inequality():
    east, north_east, north = ([[1.0, 0.0]], [[1.0, 1.0]], [[0.0, 1.0]])
    assert mr.wrd(east, north) > mr.wrd(east, north_east) + mr.wrd(north_east, north)


@given(x=sequences(dim=6), y=sequences(dim=6))
def test_wrd_ignores_a_common_rotation_and_the_scale_of_a_sequence(x, y):
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    value = mr.wrd(x, y)
    assert mr.wrd(x @ rotation, y @ rotation) == pytest.approx(value, abs=3e-6)
    assert mr.wrd(37.5 * x, y) == pytest.approx(value, abs=1e-6)


@given(x=sequences(dim=6), y=sequences(dim=6))
def test_wmd_ignores_a_common_rotation_and_translation(x, y):
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))
    assert mr.wmd(x @ rotation + 3, y @ rotation + 3) == pytest.approx(mr.wmd(x, y), abs=1e-5)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
@given(x=sequences(dim=4), y=sequences(dim=4))
def test_order_split_and_zero_mass_of_tokens_do_not_matter(measure, x, y):
    a, b = np.linspace(1, 2, len(x)), np.linspace(2, 1, len(y))
    value = measure(x, y, a, b)
    assert measure(x[::-1], y[::-1], a[::-1], b[::-1]) == pytest.approx(value, abs=1e-6)
    split_x, split_a = np.vstack([x, x[:1]]), np.append(a, 0.4 * a[0])
    split_a[0] *= 0.6
    assert measure(split_x, y, split_a, b) == pytest.approx(value, abs=1e-6)
    ghost = np.full((1, 4), 0.01, dtype=np.float32)
    with_ghosts = measure(np.vstack([ghost, x]), np.vstack([y, ghost]), np.append(0, a), np.append(b, 0))
    assert with_ghosts == pytest.approx(value, abs=1e-6)


@given(x=sequences(dim=4), y=sequences(dim=4))
def test_relaxations_bound_and_capacity_meets_them(x, y):
    assert -1e-9 <= mr.rwmd(x, y) <= mr.wmd(x, y) + 1e-9
    one_sided = mr.rwmd.replace(capacity=np.inf)(x, y)
    assert mr.wmd.replace(capacity=np.inf)(x, y) == pytest.approx(one_sided, abs=1e-12)
    values = [mr.wmd(x, y, capacity=c) for c in (1, 2, 5, np.inf)]
    assert values == sorted(values, reverse=True) or np.diff(values).max() < 1e-9


def test_maxsim_is_the_mean_best_inner_product():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(5, 9)), rng.normal(size=(7, 9))
    value = mr.maxsim(x, y)
    assert mr.maxsim.similarity(value) == pytest.approx((x @ y.T).max(axis=1).mean(), abs=1e-5)


def test_single_tokens_cost_what_their_ground_cost_says():
    assert mr.wmd([[0.0, 0.0]], [[3.0, 4.0]]) == 5.0
    assert mr.Measure("sqeuclidean", "uniform")([[0.0, 0.0]], [[3.0, 4.0]]) == 25.0
    assert mr.wrd([[1.0, 0.0]], [[0.0, 2.0]]) == 1.0
    assert mr.maxsim([[1.0, 2.0]], [[3.0, 4.0]]) == -11.0


def test_given_weights_take_precedence_over_the_weighting():
    x, y = np.array([[1.0, 0.0], [0.0, 5.0]]), np.array([[1.0, 0.0]])
    assert mr.wrd(x, y) == pytest.approx(5 / 6, abs=1e-6)
    assert mr.wrd(x, y, [3, 1]) == pytest.approx(1 / 4, abs=1e-6)


def test_measures_are_values():
    assert mr.wrd.replace(capacity=4) == mr.Measure(ground="cosine", weighting="norm", capacity=4)
    assert len({mr.wmd, mr.Measure("euclidean", "uniform"), mr.wrd}) == 2
    assert pickle.loads(pickle.dumps(mr.maxsim)) == mr.maxsim
    assert mr.Measure.of("wmd") is mr.wmd
    assert mr.Measure.of(mr.wrd) is mr.wrd
    assert mr.wrd.name == "wrd"
    assert mr.wrd.replace(capacity=4).name == "wrd(capacity=4)"
    assert mr.Measure("dot", "norm").name == repr(mr.Measure("dot", "norm"))


def test_similarity_falls_as_distance_rises():
    distances = np.array([0.0, 0.5, 2.0])
    for measure in MEASURES:
        assert (np.diff(measure.similarity(distances)) < 0).all()
    assert mr.wrd.similarity(0.25) == 0.75
    assert mr.wmd.similarity(0.0) == 1.0


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda: mr.Measure.of("emmd"),
            ValueError,
            "known are 'wmd', 'wrd', 'maxsim', 'rwmd', and 'emd' where costs= ",
        ),
        (lambda: mr.Measure.of(3), TypeError, "measure must be a name or a Measure, got 3"),
        (lambda: mr.Measure(ground="manhattan"), ValueError, "ground must be one of 'cosine', 'euclidean'"),
        (lambda: mr.Measure(weighting="idf"), ValueError, "weighting must be one of"),
        (lambda: mr.Measure(problem="fast"), ValueError, "problem must be one of"),
        (lambda: mr.Measure(ground=None), TypeError, "ground must be one of 'cosine', .*, 'given', got None"),
        (lambda: mr.Measure(weighting=1), TypeError, "weighting must be one of 'uniform', 'norm', 'given', got 1"),
        (
            lambda: mr.Measure(problem=1),
            TypeError,
            "problem must be one of 'exact', 'relaxed', 'sinkhorn', or a Sinkhorn, got 1",
        ),
        (lambda: mr.Measure(capacity="4"), TypeError, "capacity must be a real number, got '4'"),
        (lambda: mr.Measure(capacity=10**400), ValueError, "capacity must be a number that float64 can hold"),
        (lambda: mr.Measure(fraction="all"), TypeError, "fraction must be a real number, got 'all'"),
        (lambda: mr.Measure(fraction=2), ValueError, "fraction must be above 0 and at most 1, got 2"),
        (lambda: mr.Measure(fraction=np.inf), ValueError, "fraction must be above 0 and at most 1, got inf"),
        (lambda: mr.Measure(ground="given"), ValueError, "^ground: 'given' has no vectors.*weighting='uniform'"),
        (lambda: mr.Measure(capacity=0.9), ValueError, "capacity must be at least 1, got 0.9"),
        (lambda: mr.Measure(capacity=True), TypeError, "capacity must be a real number"),
    ],
)
def test_bad_measures_are_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_measures_without_a_short_name_are_named_in_full():
    for problem in (mr.Sinkhorn(debiased=True), mr.Sinkhorn(marginal_penalty=1.0)):
        measure = mr.wmd.replace(problem=problem)
        assert measure.name == repr(measure)
        assert repr(mr.Index.build([np.eye(2)], measure).search(np.eye(2))).startswith("Hits(1 by Measure(")
