"""Documents with fewer tokens: which are grouped, what stands for a group, and that no mass is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

import moverank as mr

GROUNDS = ["cosine", "euclidean", "sqeuclidean", "dot"]


def measure_of(ground, weighting="uniform"):
    return mr.Measure(ground, weighting)


def points(ground, tokens):
    """What is clustered: the tokens, or their directions."""
    x = np.asarray(tokens, dtype=np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True) if ground == "cosine" else x


def partition(groups):
    """Groups as sets of positions, whatever their numbers are."""
    groups = np.asarray(groups)
    return {frozenset(np.flatnonzero(groups == g).tolist()) for g in np.unique(groups)}


@st.composite
def documents(draw, dim=4, longest=12, weighted=None):
    """A batch of documents, some with equal tokens, and weights, some of them zero, or none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = draw(st.lists(st.integers(1, longest), min_size=1, max_size=5))
    docs = [rng.normal(size=(n, dim)).astype(np.float32) for n in lengths]
    docs = [x[rng.integers(len(x), size=len(x))] if draw(st.booleans()) else x for x in docs]
    if not (draw(st.booleans()) if weighted is None else weighted):
        return mr.Sequences(docs)
    weights = [rng.random(n) * 10.0 ** rng.integers(-6, 6, n) * (rng.random(n) < 0.8) for n in lengths]
    for own in weights:
        own[0] += 1e-3
    return mr.Sequences(docs, weights)


# ---- which tokens are grouped ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ground", GROUNDS)
@given(n=st.integers(2, 40), dim=st.integers(1, 9), kept=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_groups_are_those_of_scipy(ground, n, dim, kept, seed):
    if ground == "cosine":
        dim += 1  # in one dimension all directions are ties
    tokens = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    count = max(int(np.ceil(kept * n)), 1)
    found = mr.pool_tokens([tokens], n / count, measure_of(ground))
    expected = fcluster(linkage(points(ground, tokens), "ward"), len(found.documents.tokens), "maxclust")
    assert partition(found.pooled_into) == partition(expected)


@given(seed=st.integers(0, 2**32 - 1), ground=st.sampled_from(GROUNDS), factor=st.sampled_from([1.5, 2, 3, 7]))
def test_mass_counts_like_tokens_that_are_repeated(seed, ground, factor):
    """SciPy has no weights, but can be given a token several times; it merges equal ones first."""
    rng = np.random.default_rng(seed)
    tokens = rng.normal(size=(rng.integers(2, 15), 3)).astype(np.float32)
    counts = rng.integers(1, 5, len(tokens))
    found = mr.pool_tokens(mr.Sequences([tokens], [counts]), factor, measure_of(ground))
    repeated = np.repeat(np.arange(len(tokens)), counts)
    merges = linkage(points(ground, tokens)[repeated], "ward")
    expected = fcluster(merges, len(found.documents.tokens), "maxclust")
    assert partition(found.pooled_into) == partition(expected[np.cumsum(counts) - 1])


def test_documents_beyond_the_table_are_grouped_alike():
    tokens = np.random.default_rng(0).normal(size=(4100, 2)).astype(np.float32)
    found = mr.pool_tokens([tokens[:4096], tokens], 40, measure_of("sqeuclidean"))
    for s, own in enumerate((tokens[:4096], tokens)):
        count = len(found.documents[s])
        assert count == 103
        run = found.pooled_into[found.offsets[s] : found.offsets[s + 1]]
        assert partition(run) == partition(fcluster(linkage(own.astype(np.float64), "ward"), count, "maxclust"))


def test_groups_are_numbered_by_their_first_token():
    tokens = np.array([[0.0], [9.0], [0.1], [5.0], [9.1], [5.1]])
    found = mr.pool_tokens([tokens], 2, "wmd")
    assert found.pooled_into.tolist() == [0, 1, 0, 2, 1, 2]
    assert [own.tolist() for own in found.members(0)] == [[0, 2], [1, 4], [3, 5]]
    assert found.members(-1)[0].tolist() == [0, 2]
    with pytest.raises(IndexError):
        found.members(1)


@pytest.mark.parametrize("measure", ["wmd", "wrd", "maxsim"])
def test_the_number_of_threads_changes_nothing(measure):
    rng = np.random.default_rng(3)
    docs = mr.Sequences([rng.normal(size=(rng.integers(1, 60), 8)) for _ in range(40)])
    one = mr.pool_tokens(docs, 2.5, measure, num_threads=1)
    for threads in (2, 3, None):
        other = mr.pool_tokens(docs, 2.5, measure, num_threads=threads)
        np.testing.assert_array_equal(other.pooled_into, one.pooled_into)
        np.testing.assert_array_equal(other.documents.tokens, one.documents.tokens)
        np.testing.assert_array_equal(other.documents.weights, one.documents.weights)


def test_what_a_document_becomes_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(4)
    docs = mr.Sequences([rng.normal(size=(n, 5)) for n in (30, 1, 17)])
    whole = mr.pool_tokens(docs, 3, "wrd").documents
    for s in range(3):
        np.testing.assert_array_equal(mr.pool_tokens(docs[s : s + 1], 3, "wrd").documents.tokens, whole[s].tokens)


# ---- what stands for a group -----------------------------------------------------------------------------------------


@given(docs=documents(), factor=st.floats(1, 20), ground=st.sampled_from(GROUNDS))
def test_no_mass_is_lost(docs, factor, ground):
    for weighting in ("uniform", "norm"):
        found = mr.pool_tokens(docs, factor, measure_of(ground, weighting))
        for s in range(len(docs)):
            mass = docs[s].mass(weighting) / docs[s].mass(weighting).sum()
            assert len(found.documents[s]) == np.ceil(np.count_nonzero(mass) / factor)
            own = found.pooled_into[found.offsets[s] : found.offsets[s + 1]]
            np.testing.assert_array_equal(own < 0, mass == 0)
            for g, members in enumerate(found.members(s)):
                np.testing.assert_array_equal(members, np.flatnonzero(own == g))
                np.testing.assert_allclose(found.documents.weights_of(s)[g], mass[members].sum(), rtol=1e-12)


@given(docs=documents(), factor=st.floats(1, 20), ground=st.sampled_from(GROUNDS))
def test_vectors_are_weighted_means(docs, factor, ground):
    found = mr.pool_tokens(docs, factor, measure_of(ground))
    for s in range(len(docs)):
        mass, tokens = docs[s].mass("uniform"), docs[s].tokens.astype(np.float64)
        for g, members in enumerate(found.members(s)):
            share = mass[members] / mass[members].sum()
            mean = share @ points(ground, tokens[members])
            if ground in ("cosine", "dot"):
                length = np.linalg.norm(mean)
                if length < 1e-3:
                    continue  # members nearly cancel, and rounding decides on the direction
                mean *= share @ np.linalg.norm(tokens[members], axis=1) / length
            np.testing.assert_allclose(found.documents[s].tokens[g], mean, rtol=1e-5, atol=1e-5)


def test_under_wrd_a_group_has_the_direction_of_the_sum_of_its_tokens():
    tokens = np.random.default_rng(5).normal(size=(20, 6)) + 1
    found = mr.pool_tokens([tokens], 5, "wrd")
    for g, members in enumerate(found.members(0)):
        total = tokens[members].sum(axis=0)
        cosine = found.documents[0].tokens[g] @ total / np.linalg.norm(found.documents[0].tokens[g])
        assert cosine == pytest.approx(np.linalg.norm(total), rel=1e-6)


@given(docs=documents(), factor=st.sampled_from([1, 1.5, 2, 5, 1e300]))
def test_the_document_moves_onto_its_pooled_form_at_the_price_of_the_means(docs, factor):
    measure = measure_of("sqeuclidean")
    found = mr.pool_tokens(docs, factor, measure)
    for s in range(len(docs)):
        mass = docs[s].mass("uniform") / docs[s].mass("uniform").sum()
        own = found.pooled_into[found.offsets[s] : found.offsets[s + 1]]
        spread = ((docs[s].tokens - found.documents[s].tokens[own]) ** 2).sum(axis=1)
        assert measure(docs[s], found.documents[s]) <= mass @ spread + 1e-5


@pytest.mark.parametrize("measure", ["wmd", "wrd", mr.maxsim, mr.wrd.replace(capacity=4), "rwmd"])
def test_equal_tokens_are_pooled_without_loss(measure):
    rng = np.random.default_rng(6)
    tokens = rng.normal(size=(6, 5)).astype(np.float32)
    doc, query = mr.Sequences([tokens[[0, 1, 2, 2, 1, 0]]]), tokens[3:]
    found = mr.pool_tokens(doc, 2, measure)
    np.testing.assert_array_equal(found.documents.tokens, tokens[:3])
    expected = mr.distances(query, doc, measure)
    np.testing.assert_allclose(mr.distances(query, found.documents, measure), expected, rtol=1e-6)


@pytest.mark.parametrize("measure", ["wmd", "wrd", "maxsim"])
def test_a_factor_of_one_changes_nothing(measure):
    rng = np.random.default_rng(7)
    docs = mr.Sequences([rng.normal(size=(n, 4)) for n in (1, 5, 9)])
    found = mr.pool_tokens(docs, 1, measure)
    np.testing.assert_array_equal(found.documents.tokens, docs.tokens)
    assert found.pooled_into.tolist() == [*range(1), *range(5), *range(9)]
    query = rng.normal(size=(3, 4))
    np.testing.assert_array_equal(mr.distances(query, found.documents, measure), mr.distances(query, docs, measure))


# ---- odd input -------------------------------------------------------------------------------------------------------


def test_a_factor_beyond_the_length_leaves_one_token():
    docs = [[[1.0, 2.0]], [[1.0, 0.0], [3.0, 4.0]]]
    found = mr.pool_tokens(docs, 1e308, "wmd")
    assert found.documents.lengths.tolist() == [1, 1]
    np.testing.assert_array_equal(found.documents.tokens, [[1, 2], [2, 2]])


@pytest.mark.parametrize("sizes", [(1.0, 1.0), (1.0, 3.0), (1e-38, 1e-38), (3e38, 3e38)])
def test_directions_that_cancel_leave_the_heaviest_token(sizes):
    tokens = np.array([[sizes[0], 0], [-sizes[1], 0]], dtype=np.float32)
    for weights, heaviest in ((None, 0), ([1, 1], 0), ([1, 1 + 1e-14], 1)):
        docs = mr.Sequences([tokens], None if weights is None else [weights])
        found = mr.pool_tokens(docs, 2, measure_of("cosine")).documents
        np.testing.assert_array_equal(found.tokens, tokens[heaviest : heaviest + 1])


@pytest.mark.parametrize("size", [1e-45, 3e38])
def test_vectors_of_any_size_have_a_direction_afterwards(size):
    tokens = (size * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])).astype(np.float32)
    found = mr.pool_tokens([tokens], 3, "wrd").documents
    assert np.isfinite(found.tokens).all()
    assert found.tokens.any()
    assert mr.wrd(found[0], tokens) < 0.5


def test_zero_vectors_may_have_mass_under_inner_products():
    tokens = [[0.0, 0.0], [0.0, 0.0], [3.0, 0.0], [5.0, 0.0]]
    found = mr.pool_tokens([tokens], 2, measure_of("dot")).documents
    np.testing.assert_array_equal(found.tokens, [[0, 0], [4, 0]])
    opposite = mr.pool_tokens([[[1.0, 0.0], [-1.0, 0.0]]], 2, measure_of("dot")).documents
    np.testing.assert_array_equal(opposite.tokens, [[1, 0]])


@pytest.mark.parametrize("measure", ["maxsim", measure_of("dot"), "wrd"])
def test_unit_vectors_stay_unit_vectors(measure):
    tokens = np.random.default_rng(10).normal(size=(30, 5))
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    found = mr.pool_tokens([tokens], 4, measure).documents
    np.testing.assert_allclose(np.linalg.norm(found.tokens, axis=1), 1, rtol=1e-6)


def test_zero_vectors_without_mass_are_left_out():
    tokens = [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    found = mr.pool_tokens([tokens], 2, "wrd")
    assert found.pooled_into.tolist() == [-1, 0, -1, 0]
    assert found.members(0)[0].tolist() == [1, 3]
    weighted = mr.Sequences([tokens], [[0, 1, 0, 1]])
    assert mr.pool_tokens(weighted, 1, measure_of("cosine")).pooled_into.tolist() == [-1, 0, -1, 1]
    with pytest.raises(ValueError, match="docs: sequence 1: token 0 is a zero vector, which has no direction"):
        mr.pool_tokens([[[1.0, 0.0]], tokens], 2, measure_of("cosine"))


def test_masses_of_very_different_sizes_are_kept_apart():
    weights = np.array([1e-300, 1e-300, 1.0, 1e-12])
    docs = mr.Sequences([[[0.0], [2.0], [10.0], [10.5]]], [weights])
    found = mr.pool_tokens(docs, 4 / 3, "wmd")
    assert found.pooled_into.tolist() == [0, 0, 1, 2]
    np.testing.assert_array_equal(found.documents.tokens, [[1], [10], [10.5]])
    np.testing.assert_allclose(found.documents.weights, [2e-300, 1, 1e-12], rtol=1e-9)
    # What has hardly any mass is grouped with anything, before what has some.
    assert mr.pool_tokens(docs, 2, "wmd").pooled_into.tolist() == [0, 0, 0, 1]


def test_tokens_count_the_same_where_nothing_limits_what_they_take():
    docs = mr.Sequences([[[0.0], [2.0], [10.0], [10.5]]], [[1e-9, 1e-9, 1.0, 3.0]])
    unlimited = mr.wmd.replace(capacity=np.inf)
    found = mr.pool_tokens(docs, 2, unlimited)
    assert found.pooled_into.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(found.documents.tokens, [[1], [10.25]])
    np.testing.assert_allclose(found.documents.weights, [5e-10, 1], rtol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8"])
def test_documents_keep_their_type(dtype):
    rng = np.random.default_rng(8)
    docs = mr.Sequences([rng.normal(size=(n, 16)) for n in (1, 8, 20)])
    compact = docs.astype(dtype)
    found = mr.pool_tokens(compact, 2, "wrd")
    assert found.documents.dtype == dtype
    wide = mr.Sequences([one.tokens for one in compact])
    expected = mr.pool_tokens(wide, 2, "wrd")
    np.testing.assert_array_equal(found.pooled_into, expected.pooled_into)
    for one, other in zip(found.documents, expected.documents, strict=True):
        np.testing.assert_allclose(one.tokens, other.tokens, atol=0.02 * abs(other.tokens).max())


def test_digits_beyond_float32_are_kept_far_from_the_origin():
    rng = np.random.default_rng(9)
    near = rng.normal(size=(12, 2))
    docs = mr.Sequences([near + 1e9])
    found = mr.pool_tokens(docs, 3, "wmd")
    expected = mr.pool_tokens([near], 3, "wmd")
    np.testing.assert_array_equal(found.pooled_into, expected.pooled_into)
    np.testing.assert_allclose(found.documents[0].tokens - 1e9, expected.documents[0].tokens, atol=1e-6)
    by_norm = mr.pool_tokens(docs, 3, measure_of("euclidean", "norm"))  # norms are about the origin of the tokens
    np.testing.assert_allclose(by_norm.documents.weights, [len(own) / 12 for own in by_norm.members(0)], rtol=1e-6)


def test_elements_and_encoded_texts_are_documents_too():
    words = mr.encoders.WordVectors(["cat", "dog", "sun"], [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    texts = words.encode(["cat dog sun", "sun"])
    found = mr.pool_tokens(texts, 2, "wrd")
    assert found.pooled_into.tolist() == [0, 0, 1, 0]
    again = mr.pool_tokens(list(texts), 2, "wrd")
    np.testing.assert_array_equal(again.documents.tokens, found.documents.tokens)


def test_what_shares_its_vectors_is_refused():
    bags = mr.Bags(np.eye(3), [[0, 1], [2]])
    with pytest.raises(
        TypeError, match=r"docs: expected sequences of vectors, got Bags; docs.to_sequences\(weighting\)"
    ):
        mr.pool_tokens(bags, 2)
    assert mr.pool_tokens(bags.to_sequences("norm"), 2, "wrd").documents.lengths.tolist() == [1, 1]
    with pytest.raises(TypeError, match=r"^docs: expected sequences of vectors, got Histograms$"):
        mr.pool_tokens(mr.Histograms([[1.0, 0.0]]), 2)
    with pytest.raises(ValueError, match="given"):
        mr.pool_tokens([np.eye(2)], 2, "emd")


@pytest.mark.parametrize("factor", [0.99, 0, -2, float("nan"), float("inf")])
def test_factors_that_make_no_sense_are_refused(factor):
    with pytest.raises(ValueError, match="factor must be a finite number of at least 1"):
        mr.pool_tokens([np.eye(2)], factor)


# ---- the core refuses what does not fit ------------------------------------------------------------------------------


def test_groups_that_do_not_fit_are_refused():
    from moverank.measures.measure import prepare

    prepared = prepare(mr.Sequences([np.eye(3), np.eye(3)[:1]]), mr.wmd)
    sound = np.array([0, 1, 2]), np.array([0, 0, 0, 0], dtype=np.int32)
    assert prepared.group_means(*sound, 1).shape == (2, 3)
    for offsets, groups, said in (
        ([0, 1], sound[1], "one offset per document"),
        ([0, 1, 10**12], sound[1], "offsets"),
        ([0, 3, 2], sound[1], "offsets"),
        (sound[0], [0, 0, 0], "one group per token"),
        (sound[0], [0, 0, 1, 0], "in a group of their document"),
        (sound[0], [0, 0, 0, -1], "a token with mass in every group"),
    ):
        with pytest.raises(ValueError, match=said):
            prepared.group_means(np.array(offsets), np.array(groups, dtype=np.int32), 1)
    with pytest.raises(ValueError, match="finite factor of at least 1"):
        prepared.groups(0.5, 1)
