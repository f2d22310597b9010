"""The compiled core takes no caller at its word: arrays that do not fit each other are refused before they are read."""

import numpy as np
import pytest

import moverank as mr
from moverank import _core

X = np.eye(3, dtype=np.float32)
CUTS = np.array([0, 1, 3])
EVEN = np.array([1.0, 0.5, 0.5])
ONES = np.ones(3, dtype=np.float32)
WMD, WRD = mr.wmd._spec, mr.wrd._spec
ENTROPY = mr.Sinkhorn()._spec
CODES = np.eye(3, dtype=np.int8)
PACKED = np.zeros((3, 3), dtype=np.uint8)
NANS = np.full_like(X, np.nan)
WORDS = np.array([0, 1, 2], dtype=np.uint32)
TABLE = 1 - np.eye(3, 4)


def floats(tokens=X):
    return _core.StoredTokens("float32", tokens.shape[1], tokens, None)


def stored(dtype="float32", dim=3, components=X, scales=None):
    return _core.StoredTokens(dtype, dim, components, scales)


def distances(query=X, query_weights=None, offsets=CUTS, weights=None):
    return _core.distances(query, query_weights, floats(), offsets, weights, WMD, 1)


def sequences(measure=WMD, tokens=X, mass=EVEN, inverse_norms=None):
    return _core.PreparedSequences.from_arrays(floats(tokens), CUTS, mass, inverse_norms, 1.0, measure)


def query(tokens=X, weights=None, measure=WMD):
    return _core.Query(tokens, weights, measure)


def unseeded(part, measure=WMD):
    return _core.QueryBounds(_core.Corpus([part]), query(measure=measure), 1)


def seeded(part, measure=WMD):
    found = unseeded(part, measure)
    found.seed(np.arange(2), 1)
    return found


def search(asked=None, **changed):
    goal = {"k": 1, "radius": np.inf, "slack": 0.0, "positions": None, "budget": None, "timeout": None}
    goal |= {"source": None, "source_gives_seeds": True, "stop": None, "num_threads": 1, "n_seeds": None}
    return _core.Search(_core.Corpus([sequences()]), asked or query(), **(goal | changed)).finish(np.inf, None)


def bags(counts=None, totals=(1.0, 2.0), measure=WMD):
    part = _core.PreparedBags.from_arrays(X, WORDS, CUTS, counts, np.array(totals), 0, measure)
    _core.QueryBounds(_core.BagCorpus([part]), query(), 1).seed(np.arange(2), 1)


def given(costs, counts=None):
    return _core.PreparedBags.of_costs(costs, WORDS, CUTS, counts, mr.emd._spec, WORDS[:0])


def bag_distances(asked):
    corpus = _core.BagCorpus([_core.PreparedBags(X, WORDS, CUTS, None, WMD, WORDS[:0])])
    return _core.bag_distances(asked, corpus, 1)


def gradients(offsets):
    tokens = X.astype(np.float64)
    return _core.gradients(tokens, CUTS, None, tokens, offsets, None, WMD, 1)


def codes(**changed):
    arrays = {"interleaved": np.zeros((3, 4), np.int8), "scales": ONES, "inverse_norms": None, "squares": ONES}
    arrays |= {"rho": np.zeros(2), "largest_norm": 1.0}
    sequences().take_int8_codes(*{**arrays, **changed}.values())


def packed_codes(rho):
    sequences().take_codes(stored("int4", 3, np.zeros((3, 2), np.uint8), ONES), None, rho, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _core.weights_fault(np.ones((2, 2))), "expected a one-dimensional array, got 2 dimensions"),
        (lambda: distances(query=ONES), "expected a two-dimensional array, got 1 dimension"),
        (
            lambda: _core.transport_batch(EVEN, None, None, EVEN, EVEN, False, 1),
            "expected a three-dimensional array, got 1 dimension",
        ),
        (lambda: distances(query_weights=np.ones(2)), "expected one weight per token"),
        (lambda: distances(weights=np.ones(4)), "expected one weight per token"),
        (lambda: floats(np.asfortranarray(X)), "expected tokens as a two-dimensional array in C order"),
        (lambda: stored(components=X.astype(np.float64)), "expected float32 tokens, got float64"),
        (lambda: stored("int4", 5), "expected int4 tokens, got float32"),
        (lambda: stored("int1"), "there is no type of tokens with the name 'int1'"),
        (lambda: stored(dim=2), "expected rows of 8 bytes, got 12"),
        (lambda: stored("int4", 7, PACKED, ONES), "expected rows of 4 bytes, got 3"),
        (lambda: stored("int2", 8, PACKED, ONES), "expected rows of 2 bytes, got 3"),
        (lambda: stored("int8", 3, CODES), "expected scales for int8, int4 and int2 tokens, and only for these"),
        (lambda: stored("int4", 5, PACKED), "expected scales for int8, int4 and int2 tokens, and only for these"),
        (lambda: stored(scales=ONES), "expected scales for int8, int4 and int2 tokens, and only for these"),
        (lambda: stored("int8", 3, CODES, ONES[:2]), "expected one scale per token"),
        (lambda: _core.packed(X, "int8"), "expected a type of packed codes"),
        (lambda: distances(offsets=np.array([0, 4])), "offsets must start at 0 and end at the number of tokens"),
        (lambda: distances(offsets=np.array([0, 2, 1, 3])), "offsets must not decrease"),
        (lambda: distances(query=X[:, :2].copy()), "query has dimension 2, the documents have dimension 3"),
        (lambda: gradients(np.array([0, 3])), "expected as many queries as documents"),
        (lambda: _core.transport(X, np.ones(2), None, 1, 1), "a does not match the shape of the cost"),
        (lambda: _core.Measure("cos", "norm", 1, 1, "exact", ENTROPY), "ground must be one of .*got 'cos'"),
        (lambda: _core.Measure("dot", "norm", 0.5, 1, "exact", ENTROPY), "capacity must be at least 1, got 0"),
        (lambda: _core.Measure("dot", "norm", 1, 2, "exact", ENTROPY), "fraction must be above 0 and at most 1"),
        (lambda: _core.Sinkhorn(0, True, 1, 1, 1, False), "epsilon, tolerance and marginal_penalty must be positive"),
        (lambda: sequences(mass=EVEN[:2]), "expected one weight per token|expected one mass per token"),
        (
            lambda: sequences(measure=WRD),
            "expected one mass per token, and one inverse norm per token under the cosine ground cost",
        ),
        (lambda: seeded(sequences(mass=EVEN * 3)), "the mass of a document is not 1"),
        (lambda: seeded(sequences(tokens=NANS)), "a cost is not finite"),
        (
            lambda: seeded(sequences(measure=mr.maxsim._spec, tokens=NANS), mr.maxsim._spec),
            "a distance is not a number",
        ),
        (lambda: unseeded(sequences(tokens=NANS)).lower_bounds(np.array([1]), 1), "a bound is not a number"),
        (lambda: codes(rho=np.zeros(3)), "arrays of codes do not match the number of codes"),
        (lambda: codes(squares=ONES[:1]), "arrays of codes do not match the number of codes"),
        (lambda: codes(interleaved=np.zeros((2, 4), np.int8)), "arrays of codes do not match the number of codes"),
        (lambda: codes(interleaved=CODES), "expected int8 codes in rows of 4 bytes"),
        (lambda: codes(interleaved=np.zeros((3, 4), np.uint8)), "expected int8 codes in rows of 4 bytes"),
        (lambda: codes(interleaved=np.zeros(12, np.int8)), "expected int8 codes in rows of 4 bytes"),
        (lambda: codes(scales=ONES[:2]), "expected one code per token"),
        (lambda: packed_codes(np.zeros(3)), "arrays of codes do not match the number of codes"),
        (lambda: seeded(sequences()).lower_bounds(np.array([2]), 1), "a position lies outside the corpus"),
        (lambda: search(positions=np.array([1, 1])), "positions must rise"),
        (lambda: search(positions=np.array([1, 2])), "a position lies outside the corpus"),
        (lambda: search(budget=1), "a budget needs a source of candidates"),
        (lambda: search(query(np.eye(2, dtype=np.float32))), "query has dimension 2, the documents have dimension 3"),
        (lambda: search(query(measure=WRD)), "the query was prepared for another measure than the documents"),
        (lambda: search(_core.Query.of_words(WORDS, None, 3, mr.emd._spec)), "expected a query of tokens"),
        (lambda: seeded(sequences()).by_name("another", np.array([0]), 1), "there is no bound of this name"),
        (lambda: sequences().code_arrays, "these sequences have no codes"),
        (
            lambda: _core.PreparedBags(X, WORDS, CUTS, ONES[:1], WMD, WORDS[:0]),
            "expected one count per word",
        ),
        (lambda: bags(counts=ONES * np.float32(np.nan)), "the mass of a word is not a positive number"),
        (lambda: bags(counts=ONES * 0), "a bag has no mass"),
        (lambda: bags(totals=(1.0, 2.0, 3.0)), "expected one count per word and one total per bag"),
        (lambda: given(np.asfortranarray(TABLE)), "expected costs as a two-dimensional array in C order"),
        (lambda: given(TABLE.astype(int)), "expected costs in float32 or float64"),
        (lambda: given(TABLE, counts=np.full(3, 1e308)), "total mass exceeds the range of float64"),
        (
            lambda: bag_distances(_core.Query.of_words(WORDS, None, 3, mr.emd._spec)),
            "expected a query of tokens, because documents have vectors",
        ),
        (lambda: bag_distances(query(measure=WRD)), "the query was prepared for another measure than the documents"),
        (
            lambda: _core.transport_batch(np.zeros((1, 2, 2)), None, None, EVEN, EVEN, False, 1),
            "expected one capacity and one fraction per problem",
        ),
    ],
)
def test_arrays_that_do_not_fit(call, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        call()


def test_parts_that_are_searched_as_one_are_alike():
    coded = _core.PreparedSequences(floats(), CUTS, None, WMD)
    coded.add_codes(stored("int8", 3, CODES, ONES))
    wider = _core.PreparedSequences(floats(np.eye(4, dtype=np.float32)), np.array([0, 4]), None, WMD)
    for parts, message in (
        ([], "expected at least one collection"),
        ([sequences(), wider], "collections of different dimensions cannot be searched as one"),
        ([sequences(), _core.PreparedSequences(floats(), CUTS, None, WRD)], "prepared for different measures cannot"),
        ([coded, sequences()], "expected codes for every collection"),
    ):
        with pytest.raises(ValueError, match=message):
            _core.Corpus(parts)
    one = _core.PreparedBags(X, WORDS, CUTS, None, WMD, WORDS[:0])
    with pytest.raises(ValueError, match="the words of a collection must be numbered from the end of those before it"):
        _core.BagCorpus([one, one])


def test_codes_fit_the_tokens_that_they_are_of():
    prepared = _core.PreparedSequences(floats(), CUTS, None, WMD)
    with pytest.raises(ValueError, match="expected one code per token"):
        prepared.add_codes(stored("int8", 3, CODES[:2], ONES[:2]))
    squared = _core.PreparedSequences(floats(), CUTS, None, mr.Measure("sqeuclidean", "uniform")._spec)
    with pytest.raises(ValueError, match="codes give no bound under the squared Euclidean ground cost"):
        squared.add_codes(stored("int8", 3, CODES, ONES))
