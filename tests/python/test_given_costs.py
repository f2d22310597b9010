"""Ground costs that are given: histograms over bins, against POT and against what vectors would give."""

import pickle

import numpy as np
import ot
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import moverank as mr


def histograms(rng, count, n_bins):
    """Some with one bin, some with all, in units of their own."""
    p = rng.integers(1, 50, (count, n_bins)) * (rng.random((count, n_bins)) < rng.uniform(0.1, 1.0, (count, 1)))
    p[np.arange(count), rng.integers(n_bins, size=count)] += 1
    return p * rng.uniform(1e-3, 1e3, (count, 1))


def table(rng, n_sources, n_targets, dtype=np.float64):
    return (rng.normal(size=(n_sources, n_targets)) * 10.0 ** rng.integers(-3, 4)).astype(dtype)


def metric(rng, n_bins, dtype=np.float64):
    """Symmetric to the last bit, with a zero diagonal."""
    points = rng.normal(size=(n_bins, 3))
    costs = np.abs(points[:, None] - points[None]).sum(axis=2).astype(dtype)
    return costs


def by_pot(p, q, costs):
    costs = np.ascontiguousarray(costs, dtype=np.float64)
    least = costs.min()  # POT calls some problems of negative costs infeasible
    return least + np.array([[ot.emd2(x / x.sum(), y / y.sum(), costs - least) for y in q] for x in p])


@given(
    seed=st.integers(0, 10**6),
    n_sources=st.integers(1, 20),
    n_targets=st.integers(1, 20),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_distances_are_those_of_pot(seed, n_sources, n_targets, dtype):
    rng = np.random.default_rng(seed)
    p, q, costs = histograms(rng, 5, n_sources), histograms(rng, 4, n_targets), table(rng, n_sources, n_targets, dtype)
    expected = by_pot(p, q, costs)
    tolerance = 1e-11 * np.abs(costs).max()
    np.testing.assert_allclose(mr.pairwise(p, q, costs=costs), expected, atol=tolerance)
    np.testing.assert_allclose(mr.distances(p[0], q, costs=costs), expected[0], atol=tolerance)
    assert abs(mr.emd(p[0], q[0], costs=costs) - expected[0, 0]) <= tolerance
    certified = mr.certified_distances(p[1], q, costs=costs)
    assert (certified.lower <= expected[1] + tolerance).all()
    assert (expected[1] - tolerance <= certified.upper).all()
    assert (certified.upper - certified.lower <= tolerance).all()
    alignment = mr.align(p[2], q[3], costs=costs)
    assert abs(alignment.value - expected[2, 3]) <= tolerance
    assert abs(sum(move.contribution for move in alignment.pairs) - alignment.value) <= tolerance


@given(seed=st.integers(0, 10**6), threads=st.sampled_from([1, 2, 16]))
def test_a_symmetric_table_gives_a_symmetric_matrix_with_zeros_on_its_diagonal(seed, threads):
    rng = np.random.default_rng(seed)
    p, costs = histograms(rng, 7, 9), metric(rng, 9)
    for measure in ("emd", mr.emd.replace(fraction=0.5), mr.emd.replace(problem="relaxed")):
        found = mr.pairwise(p, measure=measure, costs=costs, num_threads=threads)
        assert np.array_equal(found, found.T)
        assert not found.diagonal().any()
        assert (found >= 0).all()
        np.testing.assert_allclose(found, mr.pairwise(p, p, measure, costs=costs), atol=1e-12 * costs.max())


def test_progress_is_told_of_half_the_pairs():
    rng = np.random.default_rng(0)
    told = []
    mr.pairwise(histograms(rng, 9, 6), costs=metric(rng, 6), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (45, 45)


def test_a_table_that_is_not_symmetric_is_solved_both_ways():
    rng = np.random.default_rng(1)
    p, costs = histograms(rng, 6, 8), table(rng, 8, 8)
    found = mr.pairwise(p, costs=costs)
    np.testing.assert_allclose(found, by_pot(p, p, costs), atol=1e-11 * np.abs(costs).max())
    assert not np.allclose(found, found.T)
    # Staying is not free, so the diagonal is what POT says, and may be negative.
    assert (found.diagonal() < 0).any()


def test_differences_below_float32_count_if_costs_came_in_float64():
    costs = 1.0 + 1e-11 * np.arange(12.0).reshape(3, 4)
    p = np.eye(3)
    np.testing.assert_array_equal(mr.pairwise(p, np.eye(4), costs=costs), costs)
    assert (mr.pairwise(p, np.eye(4), costs=costs.astype(np.float32)) == 1.0).all()


def test_mass_counts_in_float64():
    costs = np.array([[0.0, 1.0], [1.0, 0.0]])
    p = [[1.0, 1e-12], [1.0, 0.0]]
    assert mr.pairwise(p, costs=costs)[0, 1] == pytest.approx(1e-12, rel=1e-3)


@pytest.mark.parametrize(
    "measure",
    [
        mr.emd.replace(capacity=2.5),
        mr.emd.replace(capacity=np.inf),
        mr.emd.replace(fraction=0.3),
        mr.emd.replace(problem="relaxed"),
        mr.emd.replace(problem=mr.Sinkhorn(epsilon=0.3, tolerance=1e-9)),
        mr.Measure("given", "given"),
    ],
    ids=lambda m: m.name,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_measure_is_that_of_vectors_with_such_costs(measure, dtype):
    rng = np.random.default_rng(7)
    points = rng.normal(size=(9, 3)).astype(np.float32)
    costs = np.array([[mr.wmd(x[None], y[None]) for y in points] for x in points], dtype=dtype)
    p = histograms(rng, 8, 9)
    sequences = mr.Sequences([points[x > 0] for x in p], [x[x > 0] for x in p])
    expected = mr.pairwise(sequences, measure=measure.replace(ground="euclidean"))
    found = mr.pairwise(p, p, measure, costs=costs)
    np.testing.assert_allclose(found, expected, atol=2e-7)
    for s in range(8):
        assert mr.align(p[0], p[s], measure, costs=costs).value == pytest.approx(
            mr.align(sequences[0:1], sequences[s : s + 1], measure.replace(ground="euclidean")).value, abs=2e-7
        )


def test_histograms_are_the_same_whatever_holds_them():
    rng = np.random.default_rng(3)
    p, costs = histograms(rng, 6, 5), metric(rng, 5)
    expected = mr.pairwise(p, costs=costs)
    entries = sparse.coo_matrix(p)
    twice = sparse.csr_matrix(  # unsorted, with entries that add up and one that is zero
        (
            np.concatenate([entries.data / 2, entries.data / 2, [0.0]]),
            (np.concatenate([entries.row, entries.row, [0]]), np.concatenate([entries.col, entries.col, [1]])),
        ),
        shape=p.shape,
    )
    held = mr.Histograms(p)
    for given_as in (
        p.tolist(),
        sparse.csr_matrix(p),
        sparse.csc_array(p),
        twice,
        pd.DataFrame(p),
        pd.DataFrame(p, index=list("fedcba"), columns=list("abcde")),
        held,
        pickle.loads(pickle.dumps(held)),
        np.asfortranarray(p),
    ):
        np.testing.assert_allclose(mr.pairwise(given_as, costs=costs), expected, rtol=1e-14)
        np.testing.assert_allclose(mr.pairwise(p[:2], given_as, costs=costs), expected[:2], rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(held.toarray(), p)
    np.testing.assert_array_equal(held[2:4].toarray(), p[2:4])
    np.testing.assert_array_equal(held[-1].toarray(), p[-1:])
    assert [len(one) for one in held] == [1] * 6
    whole = rng.integers(0, 4, size=(4, 5)) + np.eye(4, 5, dtype=int)
    bags = mr.Bags(rng.normal(size=(5, 2)), [np.repeat(np.arange(5), row) for row in whole])
    np.testing.assert_allclose(mr.pairwise(bags, costs=costs), mr.pairwise(whole, costs=costs), rtol=1e-14)
    for one in (p[0], p[:1], pd.Series(p[0]), sparse.csr_matrix(p[:1]), held[0], p[0].tolist()):
        np.testing.assert_allclose(mr.distances(one, p, costs=costs), expected[0], rtol=1e-14, atol=1e-15)


def test_names_of_bins_have_to_agree_and_stand_in_alignments():
    p = pd.DataFrame([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], columns=["T", "B", "NK"])
    costs = pd.DataFrame(1.0 - np.eye(3), index=p.columns, columns=p.columns)
    assert mr.pairwise(p, costs=costs)[0, 1] == 1.0
    alignment = mr.align(p.loc[0], p.loc[1], costs=costs)
    assert (alignment.source_tokens, alignment.target_tokens) == (("T", "B"), ("NK",))
    assert mr.align([0, 1, 0], [0, 0, 1], costs=1 - np.eye(3)).source_tokens == ("[1]",)
    reordered = p[["B", "T", "NK"]]
    with pytest.raises(ValueError, match="A: bin 0 is called 'B', but 'T' in costs"):
        mr.pairwise(reordered, costs=costs)
    with pytest.raises(ValueError, match="x: bin 0 is called 'B'"):
        mr.align(reordered.loc[0], p.loc[1], costs=costs)
    # A table without names does not say what its bins are, but the two sides do.
    for call in (
        lambda: mr.pairwise(p, reordered, costs=costs.to_numpy()),
        lambda: mr.paired_distances(p, reordered, costs=costs.to_numpy()),
        lambda: mr.distances(p.loc[0], reordered, costs=costs.to_numpy()),
        lambda: mr.align(p.loc[0], reordered.loc[1], costs=costs.to_numpy()),
        lambda: mr.transport(costs, p.loc[0], reordered.loc[1]),
    ):
        with pytest.raises(ValueError, match=r"bin 0 is called 'B', but 'T' in (A|x|query|the columns of cost)"):
            call()
    others = p.set_axis(["x", "y", "z"], axis=1)  # clusters of another data set
    assert mr.pairwise(p, others, costs=costs.to_numpy())[0, 1] == 1.0


SQUARE = np.ones((3, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mr.pairwise(np.ones((2, 4)), costs=SQUARE), mr.DimensionError, "A has 4 bins, but costs have 3 rows"),
        (
            lambda: mr.pairwise(np.ones((2, 3)), np.ones((2, 2)), costs=SQUARE),
            mr.DimensionError,
            "B has 2 bins, but costs have 3 columns",
        ),
        (lambda: mr.pairwise(np.ones((2, 3)), costs=np.ones((3, 4))), ValueError, "must be square, got 3 rows and 4"),
        (lambda: mr.pairwise([[1, 0], [0, 0]], costs=np.eye(2)), ValueError, "A: histogram 1: all bins are zero"),
        (lambda: mr.pairwise([[1, -1]], costs=np.eye(2)), ValueError, "A: histogram 0: bin 1 is negative"),
        (lambda: mr.pairwise([[1, np.nan]], costs=np.eye(2)), ValueError, "A: histogram 0: bin 1 is not finite"),
        (
            lambda: mr.pairwise(sparse.csr_matrix([[1, 0.0], [1, -2]]), costs=np.eye(2)),
            ValueError,
            "A: histogram 1: bin 1 is negative",
        ),
        (lambda: mr.pairwise(sparse.csr_matrix((2, 2)), costs=np.eye(2)), ValueError, "histogram 0: all bins are zero"),
        (lambda: mr.pairwise(np.ones(3), costs=SQUARE), ValueError, r"expected histograms of shape \(N, K\)"),
        (lambda: mr.pairwise(np.ones((0, 3)), costs=SQUARE), ValueError, "A: expected at least one histogram"),
        (lambda: mr.pairwise([["a", "b"]], costs=np.eye(2)), TypeError, "A: "),
        (
            lambda: mr.pairwise([[1, 1]], costs=[[0, np.nan], [1, 0]]),
            ValueError,
            r"costs: entry \(0, 1\) is NaN; use np.inf to forbid a move",
        ),
        (lambda: mr.pairwise([[1, 1]], costs=[[0, 1], [-np.inf, 0]]), ValueError, r"entry \(1, 0\) is -inf, below"),
        (lambda: mr.pairwise([[1, 1]], costs=[[0, 1], [-1e39, 0]]), ValueError, r"entry \(1, 0\) is -1e\+39, below"),
        (
            lambda: mr.paired_distances(np.ones((2, 3)), np.ones((1, 3)), costs=SQUARE),
            ValueError,
            "as many histograms in A as in B, got 2 and 1",
        ),
        (
            lambda: mr.align([1, 1, 0], [0, 1, 1], costs=[[0, 1, 2], [np.inf, np.inf, np.inf], [1, 1, 1]]),
            mr.InfeasibleError,
            r"costs: forbids every plan: a share of 0.5 .* source bins \[1\] .* may reach no target bin",
        ),
        (lambda: mr.pairwise([[1, 1]], costs=[1, 2]), ValueError, r"costs: expected a table of shape \(K, L\)"),
        (lambda: mr.pairwise([[1, 1]], costs=np.eye(2) * 1j), TypeError, "costs: expected real numbers"),
        (lambda: mr.pairwise(np.ones((2, 3)), measure="wmd", costs=SQUARE), ValueError, "wmd computes its costs from"),
        (lambda: mr.pairwise(np.ones((2, 3)), SQUARE), ValueError, "histograms need costs="),
        (lambda: mr.pairwise([np.ones((2, 3))], measure="emd"), ValueError, "pass costs= and histograms"),
        (lambda: mr.distances(np.ones((2, 3)), [np.ones((2, 3))], "emd"), ValueError, "pass costs= and histograms"),
        (lambda: mr.align(np.ones((2, 3)), np.ones((2, 3)), "emd"), ValueError, "pass costs= and histograms"),
        (lambda: mr.emd(np.ones((2, 3)), np.ones((2, 3))), ValueError, "pass costs= and histograms"),
        (lambda: mr.wmd([1, 1], [1, 1], costs=np.eye(2)), ValueError, "computes its costs from vectors"),
        (lambda: mr.distances([1, 1], [[1, 1]], costs=np.eye(2), weights=[1, 1]), ValueError, "weights: a histogram"),
        (lambda: mr.emd([1, 1], [1, 1], a=[1, 1], costs=np.eye(2)), ValueError, "a, b: histograms"),
        (lambda: mr.align([1, 1], [1, 1], b=[1, 1], costs=np.eye(2)), ValueError, "a, b: histograms"),
        (
            lambda: mr.distances([[1, 1], [1, 0]], [[1, 1]], costs=np.eye(2)),
            ValueError,
            "query: expected one histogram",
        ),
        (
            lambda: mr.Measure("given", "norm"),
            ValueError,
            "ground: 'given' has no vectors",
        ),
        (
            lambda: mr.emd.replace(problem=mr.Sinkhorn(debiased=True)),
            ValueError,
            "a debiased one needs costs within each side",
        ),
        (lambda: mr.Measure("precomputed", "given"), ValueError, "for other costs use ground 'given'"),
        (lambda: mr.gradients(np.ones((2, 3)), np.ones((2, 3)), "emd"), ValueError, "given costs"),
    ],
)
def test_what_does_not_go_together_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()
