"""Lexical scores of a part of a collection: those that its texts have in the whole, by BM25's definition."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tantivy")

from moverank.text_index.lexical import Lexical
from moverank.text_index.lexical_part import LexicalPart, best_of_parts
from moverank.text_index.term_statistics import TermStatistics

WORDS = [f"w{n}" for n in range(12)]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join), min_size=1, max_size=25)


def bm25(texts, query):
    """BM25 as in the paper, of texts of fewer than 40 words, whose length tantivy keeps as it is."""
    counts = {id: Counter(text.split()) for id, text in texts.items()}
    mean = sum(own.total() for own in counts.values()) / len(counts)
    scores = {}
    for id, own in counts.items():
        score = 0.0
        for term in dict.fromkeys(query.split()):
            having = sum(term in other for other in counts.values())
            idf = np.log(1 + (len(counts) - having + 0.5) / (having + 0.5))
            score += idf * own[term] * 2.2 / (own[term] + 1.2 * (0.25 + 0.75 * own.total() / mean))
        if score > 0:
            scores[id] = score
    return scores


def parts_of(texts, cuts):
    """A lexical index per part, and the statistics of all of them for a query."""
    items = list(texts.items())
    bounds = [0, *sorted(cuts), len(items)]
    return [Lexical("words").changed(items[a:b], []) for a, b in pairwise(bounds) if a < b]


def whole_of(parts, query):
    return sum((part.statistics(query) for part in parts[1:]), parts[0].statistics(query))


def best_of(parts, query, limit, keep=None):
    """The best texts of all parts with their scores in the whole, and how many were asked for in all."""
    statistics = whole_of(parts, query)
    ratios = {s: statistics.mean_length / part.statistics(query).mean_length for s, part in enumerate(parts)}
    asked = []

    def ask(counts):
        asked.extend(counts.values())
        return {s: LexicalPart(parts[s], statistics).search(query, count, keep) for s, count in counts.items()}

    owners = best_of_parts(ask, ratios, limit)
    scores = {id: LexicalPart(parts[s], statistics).scores(query, [id])[0] for id, s in owners.items()}
    return dict(sorted(scores.items(), key=lambda own: (-own[1], own[0]))[:limit]), asked


@given(TEXTS, st.lists(st.integers(0, 25), max_size=3), st.integers(1, 30))
def test_parts_score_as_the_definition_does_for_the_whole(texts, cuts, limit):
    named = {f"d{n:02}": text for n, text in enumerate(texts)}
    parts = parts_of(named, [min(cut, len(named)) for cut in cuts])
    query = "w0 w3 w3 w7 w11 unheard"
    expected = bm25(named, query)
    statistics = whole_of(parts, query)
    found, _ = best_of(parts, query, limit)
    best = sorted(expected.values(), reverse=True)[:limit]
    assert list(found.values()) == pytest.approx(best, rel=1e-5)
    assert all(score == pytest.approx(expected[id], rel=1e-5) for id, score in found.items())
    for part in parts:
        own = list(part.ids())
        scores = LexicalPart(part, statistics).scores(query, own)
        assert scores.tolist() == pytest.approx([expected.get(id, 0.0) for id in own], rel=1e-5)


def test_parts_of_short_and_of_long_texts_give_the_best_of_the_whole():
    # By its own mean, each part would count lengths otherwise.
    rng = np.random.default_rng(3)
    short = {f"s{n:03}": " ".join(rng.choice(WORDS, rng.integers(1, 6))) for n in range(200)}
    long = {f"t{n:03}": " ".join(rng.choice(WORDS, rng.integers(10, 39))) for n in range(200)}
    parts = [Lexical("words").changed(own.items(), []) for own in (short, long)]
    for query in ("w1 w2", "w3 w4 w5 w6"):
        expected = bm25({**short, **long}, query)
        for limit in (1, 20, 150, 400):
            found, asked = best_of(parts, query, limit)
            assert list(found.values()) == pytest.approx(sorted(expected.values(), reverse=True)[:limit], rel=1e-6)
            assert set(asked) >= {limit}
    # Lengths count so differently that parts have to name more texts than are wanted.
    assert max(best_of(parts, "w1 w2", 20)[1]) > 20


def test_parts_that_are_alike_name_no_more_than_are_wanted():
    rng = np.random.default_rng(4)
    texts = {f"d{n:03}": " ".join(rng.choice(WORDS, 20)) for n in range(300)}
    parts = parts_of(texts, [100, 200])
    found, asked = best_of(parts, "w1 w2 w3", 10)
    assert asked == [10, 10, 10]
    assert list(found.values()) == pytest.approx(sorted(bm25(texts, "w1 w2 w3").values(), reverse=True)[:10])


def test_a_part_that_does_not_answer_is_missing():
    texts = {f"d{n:02}": f"w1 {'w2 ' * n}" for n in range(20)}
    parts = parts_of(texts, [10])
    statistics = whole_of(parts, "w1")
    owners = best_of_parts(
        lambda counts: {1: LexicalPart(parts[1], statistics).search("w1", counts[1])} if 1 in counts else {},
        {0: 1.0, 1: 1.0},
        5,
    )
    assert set(owners.values()) == {1}


def test_removed_texts_count_in_a_part_as_they_do_in_one_index():
    texts = [(f"d{n}", f"w{n % 5} w{n % 3} " + "w9 " * (n % 7)) for n in range(60)]
    gone = [f"d{n}" for n in range(20)]
    whole = Lexical("words").changed(texts, []).changed([], gone)
    parts = [Lexical("words").changed(texts[s::2], []).changed([], [id for id, _ in texts[s::2] if id in gone])
             for s in range(2)]  # fmt: skip
    statistics = whole_of(parts, "w1 w9")
    assert statistics.n_texts == whole.statistics("w1 w9").n_texts
    assert best_of(parts, "w1 w9", 100)[0] == pytest.approx(whole.search("w1 w9", 100), rel=1e-5)


def test_a_part_without_texts_knows_nothing():
    empty = Lexical("words")
    assert empty.statistics("w1") == TermStatistics(0, 0.0, {})
    gone = Lexical("words").changed([("a", "w1 w2")], []).changed([], ["a"])
    assert gone.statistics("w1") == TermStatistics(0, 0.0, {})
    other = Lexical("words").changed([("b", "w1")], [])
    statistics = gone.statistics("w1") + other.statistics("w1")
    assert LexicalPart(gone, statistics).search("w1", 5) == {}
    assert LexicalPart(gone, statistics).scores("w1", ["a"]).tolist() == [0.0]


def test_only_texts_that_are_kept_are_found():
    texts = {f"d{n:02}": f"w1 {'w2 ' * n}" for n in range(30)}
    parts = parts_of(texts, [15])
    even = lambda ids: [int(id[1:]) % 2 == 0 for id in ids]  # noqa: E731
    assert list(best_of(parts, "w1", 5, even)[0]) == ["d00", "d02", "d04", "d06", "d08"]
