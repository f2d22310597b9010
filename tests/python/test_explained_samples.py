"""How sure the moves of hits and rankings are: what `align` says of the same vectors, masses and seed."""

import pickle
import re

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import WordVectors
from moverank.sharding import ShardedIndex, ShardedTextIndex, split
from moverank.text_index import TextHit

RNG = np.random.default_rng(4)
ASKED = {"samples": 6, "temperature": 0.4, "seed": 3}
DOCS = mr.Sequences([RNG.normal(size=(RNG.integers(2, 7), 5)) for _ in range(40)])
MASSES = [RNG.random(len(doc)) + 0.1 for doc in DOCS]
QUERY = RNG.normal(size=(3, 5))
MEASURES = [
    "wrd", "rwmd", "maxsim", mr.wrd.replace(capacity=4), mr.wmd.replace(fraction=0.5),
    mr.wmd.replace(problem=mr.Sinkhorn(0.2)), mr.wmd.replace(problem="relaxed", capacity=3),
]  # fmt: skip


def same(found, expected, *, atol=0.0):
    """One alignment as the other, with the samples; the digits of a cost may depend on how it was summed."""
    assert [*found.source_names] == [*expected.source_names]
    assert [*found.target_names] == [*expected.target_names]
    np.testing.assert_allclose(found.plan, expected.plan, atol=atol)
    mine, other = found.uncertainty, expected.uncertainty
    assert (mine.samples, mine.temperature, mine.seed) == tuple(ASKED.values())
    assert mine.noise == pytest.approx(other.noise, rel=1e-12 + atol)
    for name in ("mean", "deviation", "frequency", "entropy", "disagreement", "values"):
        np.testing.assert_allclose(getattr(mine, name), getattr(other, name), atol=atol, err_msg=name)


def each_way(hits):
    """Hits, copies of them, and copies of each."""
    yield from hits
    yield from pickle.loads(pickle.dumps(hits))
    for hit in hits:
        yield pickle.loads(pickle.dumps(hit))


# ---- hits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_hits_are_sampled_by_the_measure_of_their_search(measure):
    hits = mr.Index.build(DOCS, measure).search(QUERY, 4)
    for hit in each_way(hits):
        same(hit.explain(**ASKED), mr.align(QUERY, DOCS[hit.id], measure, **ASKED))
    hits = mr.rerank(QUERY, DOCS, 4, measure, ids=range(len(DOCS)))
    for hit in each_way(hits):
        same(hit.explain(**ASKED), mr.align(QUERY, DOCS[hit.id], measure, **ASKED))


@pytest.mark.parametrize("dtype", ["float32", "int8", "int4"])
def test_weights_and_types_of_an_index_are_those_of_its_samples(dtype, tmp_path):
    weighted = mr.Sequences(list(DOCS), MASSES).astype(dtype)
    mr.Index.build(weighted, "wmd").save(tmp_path / "index")
    with mr.Index.open(tmp_path / "index") as index:
        for hit in each_way(index.search(QUERY, 4, weights=[1, 2, 3])):
            expected = mr.align(QUERY, weighted[hit.id], "wmd", a=[1, 2, 3], b=MASSES[hit.id], **ASKED)
            same(hit.explain(**ASKED), expected)


def test_hits_of_bags():
    bags = mr.Bags(RNG.normal(size=(12, 5)), [RNG.integers(12, size=4).tolist() for _ in range(20)])
    for hit in each_way(mr.Index.build(bags, "wmd").search(QUERY, 4)):
        same(hit.explain(**ASKED), mr.align(QUERY, bags[hit.id], "wmd", **ASKED), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hits_of_histograms(dtype):
    costs, contents = (RNG.random((4, 9)) + 0.1).astype(dtype), RNG.random((20, 9)) * (RNG.random((20, 9)) < 0.5)
    contents[:, 0] += 0.1
    query, measure = np.array([1.0, 0.0, 2.0, 1.0]), mr.emd.replace(capacity=2)
    for hit in each_way(mr.Index.build(contents, measure, costs=costs).search(query, 3)):
        same(hit.explain(**ASKED), mr.align(query, contents[hit.id], measure, costs=costs, **ASKED))


def test_hits_of_pooled_documents():
    pooled = mr.pool_tokens(DOCS, 2, "wrd").documents
    for hit in each_way(mr.Index.build(DOCS, "wrd", pool=2).search(QUERY, 4)):
        found, expected = hit.explain(**ASKED), mr.align(QUERY, pooled[hit.id], "wrd", **ASKED)
        assert found.pooled_into is not None
        same(found, expected.named(hit.alignment.source_names, hit.alignment.target_names))


def test_hits_of_shards():
    parts = [mr.Index.build(DOCS[s::3], "wmd", ids=range(s, len(DOCS), 3)) for s in range(3)]
    hits = ShardedIndex.of(parts).search(QUERY, 6)
    assert len(set(hits.owners)) > 1
    for hit in each_way(hits):
        same(hit.explain(**ASKED), mr.align(QUERY, DOCS[hit.id], "wmd", **ASKED))


def test_without_samples_it_is_the_alignment():
    hit = mr.Index.build(DOCS).search(QUERY, 1)[0]
    assert hit.explain() is hit.alignment
    assert hit.alignment.uncertainty is None
    hit.explain(**ASKED)
    assert hit.alignment.uncertainty is None  # as it was


# ---- rankings, hits of texts, scores ---------------------------------------------------------------------------------

NAMES = ["cat", "dog", "bird", "sun", "moon", "star", "sings", "rises"]
WORDS = WordVectors(NAMES, RNG.normal(size=(8, 5)))
TEXTS = ["the sun rises and a bird sings", "a star and the moon", "a dog, a cat and a star", "cat and bird"]
ASKING = "moon dog sings"
SPACE = mr.fit(WORDS, TEXTS, ["centring", "sif"])


def by_hand(text, measure, space=None, query=ASKING):
    query, text = (WORDS.encode([one]) if space is None else space(WORDS.encode([one])) for one in (query, text))
    weights = [None if one.sequences.weights is None else one.sequences.weights_of(0) for one in (query, text)]
    found = mr.align(query.sequences[0], text.sequences[0], measure, *weights, **ASKED)
    return found.named(query.tokens[0], text.tokens[0])


def shown(document):
    """The text that was compared: of a ranking the passage is a part of it, of a hit it is the text."""
    if isinstance(document, TextHit) or document.passage is None:
        return document.text
    return document.text[slice(*document.passage)]


@pytest.mark.parametrize("measure", ["wrd", mr.wrd.replace(capacity=4), mr.wmd.replace(problem="sinkhorn")], ids=str)
@pytest.mark.parametrize("passages", [None, mr.Passages(3, 1)])
def test_ranked_texts_are_sampled_with_their_tokens(measure, passages):
    ranking = mr.Reranker(WORDS, measure, passages=passages).rank(ASKING, TEXTS)
    for document in each_way(ranking):
        same(document.explain(**ASKED), by_hand(shown(document), measure))


@pytest.mark.parametrize(
    ("documents", "space"),
    [(WORDS.encode(TEXTS), None), (SPACE(WORDS.encode(TEXTS)), SPACE), (WORDS.bags(TEXTS), None)],
    ids=["sequences", "in a space", "bags"],
)
def test_ranked_documents_of_an_index_are_sampled(documents, space):
    index = mr.Index.build(documents, "wmd", payloads=TEXTS, space=space)
    for document in each_way(mr.Reranker(WORDS).rank(ASKING, index)):
        same(document.explain(**ASKED), by_hand(document.text, "wmd", space), atol=1e-6)


@pytest.mark.parametrize("space", [None, SPACE])
@pytest.mark.parametrize("passages", [None, mr.Passages(3, 1)])
def test_hits_of_texts_are_sampled_with_their_words(passages, space, tmp_path):
    options = {"encoder": WORDS, "measure": "wmd", "space": space, "lexical": None, "dtype": "float32"}
    with mr.TextIndex.create(tmp_path / "index", passages=passages, **options) as index:
        index.add(TEXTS, ids=["a", "b", "c", "d"])
        hits = index.search(ASKING, 3)
        for hit in each_way(hits.hits):
            same(hit.explain(**ASKED), by_hand(shown(hit), "wmd", space), atol=1e-6)
        split(index, [tmp_path / "0", tmp_path / "1"])
    with ShardedTextIndex.open([tmp_path / "0", tmp_path / "1"], encoder=WORDS) as sharded:
        again = sharded.search(ASKING, 3)
        for hit in each_way(again.hits):
            same(hit.explain(**ASKED), by_hand(shown(hit), "wmd", space), atol=1e-6)


def test_both_directions_of_scores_are_sampled():
    measure = mr.wrd.replace(capacity=2)
    scores = mr.score(["cat sings"], [[TEXTS[0], "a star"]], encoder=WORDS, measure=measure)
    reference = scores.best_references[0]
    same(scores.explain(0, **ASKED), by_hand(reference, measure, query="cat sings"))
    same(scores.explain(0, "recall", **ASKED), by_hand("cat sings", measure, query=reference))


# ---- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 0},
        {"temperature": 0.0},
        {"samples": 0},
        {"samples": 2.5},
        {"samples": 2, "temperature": -1.0},
        {"samples": 2, "temperature": 1e300},
        {"samples": 2, "seed": "a"},
    ],
    ids=str,
)
def test_errors_are_those_of_align(options):
    with pytest.raises((TypeError, ValueError)) as expected:
        mr.align(np.eye(2), np.eye(2) + 1, "wmd", **options)
    index = mr.TextIndex.create(encoder=WORDS, lexical=None)
    index.add(TEXTS)
    said = re.sub(r"times the median cost.*", "times the median cost", str(expected.value))
    for explain in (
        mr.Index.build(DOCS).search(QUERY, 1)[0].explain,
        mr.Reranker(WORDS).rank(ASKING, TEXTS)[0].explain,
        index.search(ASKING, 1)[0].explain,
        lambda **asked: mr.score(["cat"], [["dog"]], encoder=WORDS).explain(0, **asked),
    ):
        with pytest.raises(expected.type, match=rf"^{re.escape(said)}"):
            explain(**options)


def test_what_was_not_compared_still_says_so():
    ranking = mr.Reranker(WORDS).rank(ASKING, ["cat", "unknown"])
    with pytest.raises(ValueError, match="document 1 has no token"):
        ranking[-1].explain(samples=3)
