"""Nearest neighbours within and between batches: those of the whole matrix, whatever the sequences are made of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moverank as mr
import moverank.index.neighbours as neighbours_module
from moverank import _core
from moverank.errors import PrecisionWarning
from moverank.index.neighbours import _corpora
from moverank.vectors import words as words_module

EXACT = [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4), mr.wmd.replace(capacity=1.5), mr.wmd.replace(fraction=0.6),
         mr.maxsim, mr.rwmd, mr.Measure("sqeuclidean", "norm"), mr.Measure("dot", "uniform")]  # fmt: skip
ENTROPIC = [mr.wmd.replace(problem=mr.Sinkhorn(0.2, max_iterations=200)),
            mr.wmd.replace(problem=mr.Sinkhorn(0.2, max_iterations=200, debiased=True))]  # fmt: skip


def bags(rng, count, n_words=60, dim=8, longest=9, counted=True):
    vectors = rng.normal(size=(n_words, dim)).astype(np.float32)
    documents = [rng.choice(n_words, rng.integers(1, longest), replace=False) for _ in range(count)]
    offsets = np.cumsum([0, *map(len, documents)])
    counts = rng.integers(1, 4, offsets[-1]).astype(np.float32) if counted else None
    return mr.Bags.from_flat(vectors, np.concatenate(documents).astype(np.uint32), offsets, counts)


def expected(matrix, row, k, radius, itself):
    own = matrix[row].copy()
    if itself:
        own[row] = np.inf
    order = np.lexsort((np.arange(len(own)), own))
    order = order[(own[order] <= radius) & ~(itself & (order == row))]
    return order[:k]


def check(found, matrix, k, radius, *, itself, atol=0.0):
    assert len(found) == len(matrix)
    assert found.n_columns == matrix.shape[1]
    for row, (positions, distances) in enumerate(found):
        np.testing.assert_allclose(distances, matrix[row][positions], rtol=0, atol=atol)
        wanted = expected(matrix, row, k, radius + atol, itself)
        if atol:  # what ties to rounding may come in any order
            np.testing.assert_allclose(distances, matrix[row][wanted], rtol=0, atol=atol)
        else:
            np.testing.assert_array_equal(positions, wanted)


@pytest.mark.parametrize("measure", EXACT, ids=repr)
@pytest.mark.parametrize("counted", [False, True])
def test_neighbours_of_bags_are_those_of_the_matrix_to_the_last_bit(measure, counted):
    rng = np.random.default_rng(1)
    own, other = bags(rng, 130, counted=counted), bags(rng, 90, n_words=40, counted=counted)
    across = mr.pairwise(own, other, measure)
    # One half of a symmetric matrix is solved; the other halves of its pairs differ in the last bit.
    within = mr.pairwise(own, own[:], measure)
    for k in (1, 7, 500):
        check(mr.neighbours(own, measure=measure, k=k), within, k, np.inf, itself=True)
        check(mr.neighbours(own, other, measure, k=k), across, k, np.inf, itself=False)
    radius = float(np.quantile(across, 0.1))
    check(mr.neighbours(own, other, measure, radius=radius), across, None, radius, itself=False)
    check(mr.neighbours(own, other, measure, radius=radius, k=3), across, 3, radius, itself=False)
    few = mr.neighbours(own, other, measure, radius=float(across.min()) - 1.0)
    assert len(few.positions) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(EXACT), st.integers(1, 30), st.booleans())
def test_neighbours_of_any_bags(seed, measure, k, few_words):
    rng = np.random.default_rng(seed)
    own = bags(
        rng, int(rng.integers(1, 60)), n_words=10 if few_words else 300, longest=int(rng.integers(2, 40)) % 10 + 2
    )
    check(mr.neighbours(own, measure=measure, k=k), mr.pairwise(own, own[:], measure), k, np.inf, itself=True)


@pytest.mark.parametrize("measure", EXACT + ENTROPIC, ids=repr)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("way", ["matrix", "blocks", "searches"])
def test_neighbours_of_sequences(monkeypatch, measure, weighted, repeat, way):
    if way == "blocks":
        monkeypatch.setattr(neighbours_module, "PAIRS_AT_ONCE", 100)
    elif way == "searches":
        monkeypatch.setattr(neighbours_module, "_is_quicker_by_matrix", lambda *_: False)
    rng = np.random.default_rng(2)
    words = rng.normal(size=(25 if repeat else 4000, 6)).astype(np.float32)
    texts = [words[rng.choice(len(words), rng.integers(1, 7))] for _ in range(40)]
    weights = [rng.random(len(text)) + [0.1] * len(text) for text in texts] if weighted else None
    own = mr.Sequences(texts, weights=weights)
    matrix = mr.pairwise(own, own[:], measure)
    atol = 2e-6 * float(np.abs(matrix).max()) + 1e-9
    found = mr.neighbours(own, measure=measure, k=5, num_threads=2)
    check(found, matrix, 5, np.inf, itself=True, atol=atol)
    check(mr.neighbours(own, own[:], measure, k=5), matrix, 5, np.inf, itself=False, atol=atol)


def test_equal_texts_are_neighbours_of_each_other_but_not_of_themselves():
    texts = [np.eye(3)[:2]] * 4 + [np.eye(3)[2:]]
    found = mr.neighbours(texts, measure="wmd", k=2)
    assert [positions.tolist() for positions, _ in found] == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]
    same = mr.neighbours(texts, measure="wmd", radius=0.0)
    assert [positions.tolist() for positions, _ in same] == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], []]
    assert repr(same) == "Neighbours(5 rows, 0 to 3 each of 5)"


def test_equal_texts_are_solved_once_per_row_whatever_the_order_of_their_tokens():
    rng = np.random.default_rng(4)
    words = rng.normal(size=(6, 3)).astype(np.float32)
    texts = mr.Sequences([words[rng.permutation([0, 1, 1, 2])] for _ in range(150)] + [words[3:5]] * 50 + [words[5:]])
    corpora = _corpora(texts, texts, mr.wmd)
    *_, solved = _core.neighbours(*corpora, 200, np.inf, True, None, 1)
    assert solved <= 201 * (16 + 3)  # the first 16, which bounds are made of, and one of each kind
    matrix = mr.pairwise(texts, texts[:], "wmd")
    check(mr.neighbours(texts, measure="wmd", k=170), matrix, 170, np.inf, itself=True, atol=1e-6)
    check(mr.neighbours(texts, measure="wmd", radius=0.0), matrix, None, 0.0, itself=True)


def test_counts_tell_bags_of_the_same_words_apart():
    bags = mr.Bags.from_flat(np.eye(2, dtype=np.float32), [0, 1] * 90, np.arange(0, 181, 2), [1, 1, 1, 3, 1, 1] * 30)
    matrix = mr.pairwise(bags, bags[:], "wmd")
    check(mr.neighbours(bags, measure="wmd", k=89), matrix, 89, np.inf, itself=True)


def test_duplicates_under_cosine_costs_are_found_within_rounding():
    rng = np.random.default_rng(5)
    words = rng.normal(size=(50, 20)).astype(np.float32)
    texts = [words[rng.choice(50, 9)] for _ in range(40)]
    found = mr.neighbours(texts + texts, measure="wrd", radius=1e-5)
    assert [positions.tolist() for positions, _ in found] == [[(row + 40) % 80] for row in range(80)]


def test_tokens_without_mass_move_nothing():
    texts = mr.Sequences([[[1.0, 0.0], [9.0, 9.0]], [[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]] * 4,
                         weights=[[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]] * 4)  # fmt: skip
    matrix = mr.pairwise(texts, texts[:], "wmd")
    check(mr.neighbours(texts, measure="wmd", k=5), matrix, 5, np.inf, itself=True, atol=1e-7)


def test_one_row():
    one = mr.Bags.from_flat(np.eye(3, dtype=np.float32), [0, 1], [0, 2])
    assert len(mr.neighbours(one, k=3).positions) == 0
    assert mr.neighbours(one, [np.eye(3)[:2]], k=3).positions.tolist() == [0]


def test_threads_change_nothing_and_progress_is_told():
    rng = np.random.default_rng(3)
    own = bags(rng, 300)
    told = []
    alone = mr.neighbours(own, k=4, num_threads=1, progress=lambda *at: told.append(at))
    assert told[-1] == (300, 300)
    assert sorted(told) == told
    for threads in (2, 5):
        other = mr.neighbours(own, k=4, num_threads=threads)
        for name in ("offsets", "positions", "distances"):
            np.testing.assert_array_equal(getattr(other, name), getattr(alone, name))
    with pytest.raises(ZeroDivisionError):
        mr.neighbours(own, k=4, progress=lambda *_: 1 / 0)


def test_a_sparse_matrix_keeps_zeros_and_clusters():
    pytest.importorskip("scipy")
    texts = [np.eye(4)[:2]] * 3 + [np.eye(4)[2:]] * 2 + [np.eye(4)[1:3]]
    graph = mr.neighbours(texts, measure="wmd", radius=0.1).to_csr()
    assert graph.shape == (6, 6)
    assert graph.nnz == 3 * 2 + 2
    cluster = pytest.importorskip("sklearn.cluster")
    labels = cluster.DBSCAN(eps=0.1, min_samples=2, metric="precomputed").fit(graph).labels_
    assert labels.tolist() == [0, 0, 0, 1, 1, -1]


def test_bad_arguments():
    docs = [np.eye(3)[:2], np.eye(3)[1:]]
    for wrong, error, message in [
        ({}, ValueError, "expected k, radius, or both, got neither"),
        ({"k": 0}, ValueError, "k must be at least 1"),
        ({"k": 1.5}, TypeError, "k"),
        ({"radius": float("nan")}, ValueError, "radius must be a number, got nan"),
        ({"radius": "near"}, TypeError, "radius"),
        ({"k": 1, "measure": "emd"}, ValueError, "costs"),
        ({"k": 1, "progress": 3}, TypeError, "progress"),
        ({"k": 1, "B": [np.eye(4)]}, ValueError, "A.*B|dimension"),
        ({"k": 1, "B": [np.full((1, 3), np.nan)]}, ValueError, "B"),
        ({"k": 1, "measure": "rwmd", "B": [np.full((1, 3), 1e19)]}, ValueError, "^B: sequence 0: token 0 is too long"),
        ({"k": 1, "num_threads": -1}, ValueError, "num_threads"),
    ]:
        with pytest.raises(error, match=message):
            mr.neighbours(docs, **wrong)
    found = mr.neighbours(docs, k=1)
    with pytest.raises(IndexError):
        found[2]
    with pytest.raises(TypeError, match="'slice' object cannot be interpreted as an integer"):
        found[0:1]
    np.testing.assert_array_equal(found[-1][0], found[1][0])


def test_lost_digits_are_told():
    texts = [np.array([[0.0, 0.0]]), np.array([[1e4, 0.0]]), np.array([[1e4 + 1e-3, 0.0]])]
    with pytest.warns(PrecisionWarning, match="may be off"):
        mr.neighbours(texts, measure="wmd", k=1)


@pytest.mark.parametrize("measure", ["wmd", "rwmd"])
def test_lost_digits_are_told_once(measure):
    texts = [np.random.default_rng(seed).normal(size=(3, 2)) * 1e-20 for seed in range(30)]
    with pytest.warns(PrecisionWarning) as told:
        mr.neighbours(texts, measure=measure, k=1)
    assert len(told) == 1


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 5), st.booleans())
def test_distinct_rows(seed, count, dim, collide):
    rows = np.random.default_rng(seed).integers(0, 2, size=(count, dim)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        if collide:
            patch.setattr(words_module, "digests_of", lambda tokens: np.zeros(len(tokens), dtype=np.uint64))
        firsts, places = words_module.distinct_rows(rows)
    np.testing.assert_array_equal(rows[firsts][places], rows)
    different = len({row.tobytes() for row in rows})
    assert len(firsts) == (count if 2 * different > count or (collide and different > 1) else different)
    if len(firsts) < count:
        assert all(not (rows[:first] == rows[first]).all(axis=1).any() for first in firsts)


@pytest.mark.parametrize("measure", [mr.wrd, mr.wrd.replace(capacity=2), mr.wmd, mr.rwmd], ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_words_without_mass_change_no_other_words(measure, seed):
    """A zero vector has no mass under weighting by norm: its word is left out wherever words and masses go together."""
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((25, 3)).astype(np.float32)
    table[rng.random(25) < 0.3] = 0
    table[0] = 1
    documents = [[0, *rng.choice(np.arange(1, 25), size=rng.integers(0, 6), replace=False)] for _ in range(40)]
    rows, columns = mr.Bags(table, documents), mr.Bags(table, documents[::-1])
    expected = np.stack([mr.distances(row, columns, measure) for row in rows])
    for num_threads in (1, 3, 16):
        np.testing.assert_allclose(mr.pairwise(rows, columns, measure, num_threads=num_threads), expected, atol=1e-12)
    found = mr.neighbours(rows, columns, measure, k=5)
    np.testing.assert_allclose(
        found.distances.reshape(-1, 5), np.sort(expected, axis=1, kind="stable")[:, :5], atol=1e-12
    )
