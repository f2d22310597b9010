"""Indexes of texts that are searched by vectors: as by a text with these tokens, and as all documents compared say."""

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import WordVectors

ENCODER = WordVectors.default()
WORDS = ["cat", "dog", "bank", "river", "music", "street", "stock", "market", "rain", "sun", "painter", "roof", "paper"]
QUERY = "music on a street by the river"


def texts(count=300):
    draw = np.random.default_rng(7)
    return [" ".join(draw.choice(WORDS, 9)) for _ in range(count)]


def vectors_of(text):
    return np.asarray(ENCODER.encode([text]).sequences[0])


@pytest.fixture(scope="module", params=[None, mr.Passages(3, 1)], ids=["whole", "passages"])
def passages(request):
    return request.param


@pytest.fixture(scope="module", params=["wrd", "wmd"])
def index(request, passages):
    own = mr.TextIndex.create(encoder=ENCODER, measure=request.param, passages=passages, lexical=None)
    own.add(texts(), payloads=[{"year": n} for n in range(300)])
    return own


def nearest(index, passages, query, weights=None):
    """Distance of each document: that of its nearest passage."""
    own = [[text[a:b] for a, b in passages.spans(text)] if passages else [text] for text in texts()]
    pieces = ENCODER.encode([piece for each in own for piece in each]).sequences
    values = mr.distances(query, pieces, index.measure, weights=weights)
    owner = np.repeat(np.arange(len(own)), [len(each) for each in own])
    return np.array([values[owner == d].min() for d in range(len(own))])


def test_documents_are_found_by_their_nearest_passage(index, passages):
    vectors = vectors_of(QUERY)
    true = nearest(index, passages, vectors)
    hits = index.search_vectors(vectors, 20, candidates=None)
    assert hits.certificate.exact
    assert [hit.distance for hit in hits] == pytest.approx(np.sort(true)[:20].tolist(), abs=1e-5)
    assert [true[hit.id] for hit in hits] == pytest.approx([hit.distance for hit in hits], abs=1e-5)
    assert len(set(hits.ids)) == 20
    for hit in hits[:5]:
        assert hit.lexical is None
        assert hit.probability is None
        begin, end = hit.passage or (0, None)
        assert hit.text == texts()[hit.id][begin:end]
        explained = hit.explain()
        assert explained.value == pytest.approx(hit.distance, abs=1e-5)
        assert list(explained.source_names) == [f"[{n}]" for n in range(len(vectors))]
        assert set(explained.target_names) <= set(hit.text.split())


def test_a_text_and_its_vectors_find_the_same(index):
    vectors = vectors_of(QUERY)
    # On one thread, as what a certificate says of the rest depends on which thread is first.
    for options in ({}, {"candidates": 5}, {"candidates": None}, {"where": "year < 50"}, {"min_similarity": 0.6}):
        found = index.search_vectors(vectors, 12, num_threads=1, **options)
        expected = index.search(QUERY, 12, num_threads=1, **options)
        assert found.ids == expected.ids
        assert [hit.similarity for hit in found] == pytest.approx([hit.similarity for hit in expected])
        assert [hit.passage for hit in found] == [hit.passage for hit in expected]
        assert (found.certificate, found.left_out) == (expected.certificate, expected.left_out)
        assert (found.query, found.to_dict()["query"]) == (None, None)


def test_weights_are_kept(index, passages):
    vectors = vectors_of(QUERY)
    weights = np.arange(len(vectors), dtype=float)
    true = nearest(index, passages, vectors, weights)
    found = index.search_vectors(vectors, 7, weights=weights, candidates=None)
    assert [hit.distance for hit in found] == pytest.approx(np.sort(true)[:7].tolist(), abs=1e-5)
    assert index.search_vectors(mr.Sequences([vectors], weights=[weights]), 7, candidates=None).ids == found.ids
    # A token without mass is not among those that are explained, and the others keep their numbers.
    assert found[0].explain().source_names[0] == "[1]"


def test_vectors_that_cannot_be_compared_are_refused(index):
    with pytest.raises(mr.DimensionError, match=r"dimension 2 and .* dimension 128"):
        index.search_vectors(np.eye(2))
    for wrong, message in (([], "vectors"), ([[np.nan] * 128], "vectors"), ([1.0] * 128, "vectors"),
                           ([[1.0], [1.0, 2.0]], "vectors")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            index.search_vectors(wrong)
    if index.measure.name.startswith("wrd"):  # under which the mass of a vector is its length
        with pytest.raises(mr.NoTokensError, match="vectors: expected at least one that has mass"):
            index.search_vectors(np.zeros((2, 128)))
    with pytest.raises(ValueError, match="weights"):
        index.search_vectors(vectors_of("a cat"), weights=[1.0] * 9)
    with pytest.raises(ValueError, match="k must be"):
        index.search_vectors(vectors_of("a cat"), 0)


def test_terms_have_no_part():
    pytest.importorskip("tantivy", reason="tantivy is not installed")
    index = mr.TextIndex.create(encoder=ENCODER, lexical="english")
    index.add(texts(40))
    found = index.search_vectors(vectors_of(QUERY), 5)
    assert found.ids == index.search(QUERY, 5, fusion=1.0).ids
    assert [hit.lexical for hit in found] == [None] * 5


def test_a_space_is_that_of_the_index():
    space = mr.fit(ENCODER, texts(50), ["centring"])
    index = mr.TextIndex.create(encoder=ENCODER, space=space, lexical=None)
    index.add(texts(50))
    moved = np.asarray(space(ENCODER.encode([QUERY])).sequences[0])
    assert index.search_vectors(moved, 5, candidates=None).ids == index.search(QUERY, 5, candidates=None).ids
