"""Searches that are split over several indexes: seeds of each, and one cutoff and one set of potentials for all."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr

MEASURES = ["wrd", "wmd", "maxsim", "rwmd", mr.wrd.replace(capacity=4), mr.wmd.replace(fraction=0.5),
            mr.wmd.replace(problem=mr.Sinkhorn(0.2))]  # fmt: skip
RNG = np.random.default_rng(3)
DOCS = [RNG.normal(size=(RNG.integers(1, 7), 6)).astype(np.float32) for _ in range(160)]
#: Each document twice, so that there are ties everywhere.
TWICE = [doc for doc in DOCS[:60] for _ in range(2)]


def halves(docs, measure, **options):
    """Every other document in one index, the rest in another, and all in a third."""
    ids = [range(0, len(docs), 2), range(1, len(docs), 2), range(len(docs))]
    return [mr.Index.build([docs[i] for i in own], measure, ids=own, **options) for own in ids]


def two_waves(indexes, query, k, *, again=(), **options):
    """Search in two waves; indexes in `again` continue what they did not begin."""
    seeds = [index.seed(query, k, **options) for index in indexes]
    known = np.sort(np.concatenate([own.distances for own in seeds]))
    cutoff = None if len(known) < k else known[k - 1]
    total = sum(own.count for own in seeds)
    potentials = sum(own.count * own.potentials for own in seeds if own.count) / total if total else None
    found = []
    for place, (index, own) in enumerate(zip(indexes, seeds, strict=True)):
        rest = {name: value for name, value in options.items() if name != "count"}
        if place in again:
            found.append(index.search(query, k, cutoff=cutoff, potentials=potentials, **rest))
        else:
            found.append(own.search(cutoff=cutoff, potentials=potentials))
    ids, distances = (np.concatenate([getattr(hits, name) for hits in found]) for name in ("ids", "distances"))
    order = np.lexsort((ids, distances))[:k]
    return found, ids[order], distances[order]


@pytest.mark.parametrize("measure", MEASURES, ids=str)
@pytest.mark.parametrize("prefilter", [None, "Flat", "tokens"])
@pytest.mark.parametrize("docs", [DOCS, TWICE], ids=["different", "ties"])
def test_two_waves_find_what_one_search_finds(measure, prefilter, docs):
    *parts, whole = halves(docs, measure, prefilter=prefilter)
    for k in (1, 7, 500):
        for query in (DOCS[3], RNG.normal(size=(4, 6))):
            expected = whole.search(query, k)
            for again in ((), (1,), (0, 1)):
                found, ids, distances = two_waves(parts, query, k, again=again, count=5)
                np.testing.assert_array_equal(ids, expected.ids)
                np.testing.assert_array_equal(distances, expected.distances)
                assert all(hits.certificate.exact for hits in found)


@pytest.mark.parametrize("measure", ["wrd", "wmd", mr.wrd.replace(capacity=4), mr.wmd.replace(fraction=0.5)], ids=str)
def test_bags_in_two_waves(measure):
    vectors = RNG.normal(size=(50, 6)).astype(np.float32)
    bags = [RNG.integers(0, 50, size=RNG.integers(1, 8)) for _ in range(120)]
    batch = lambda own: mr.Bags(vectors, [bags[i] for i in own])  # noqa: E731
    parts = [mr.Index.build(batch(own), measure, ids=own) for own in (range(0, 120, 2), range(1, 120, 2))]
    whole = mr.Index.build(batch(range(120)), measure)
    for again in ((), (0, 1)):
        found, ids, distances = two_waves(parts, vectors[:4], 9, again=again)
        expected = whole.search(vectors[:4], 9)
        np.testing.assert_array_equal(ids, expected.ids)
        np.testing.assert_array_equal(distances, expected.distances)
        assert all(hits.certificate.exact for hits in found)


@given(st.integers(1, 30), st.integers(1, 60), st.lists(st.integers(0, 159), max_size=40, unique=True), st.booleans())
def test_conditions_and_subsets(k, count, chosen, has_timeout):
    options = {"timeout": 600.0} if has_timeout else {}
    payloads = [{"odd": i % 3} for i in range(160)]
    ids = [range(0, 160, 2), range(1, 160, 2), range(160)]
    built = [mr.Index.build([DOCS[i] for i in own], "wrd", ids=own, payloads=[payloads[i] for i in own]) for own in ids]
    *parts, whole = built
    expected = whole.search(DOCS[9], k, where="odd = 1", **options)
    _, found, _ = two_waves(parts, DOCS[9], k, count=count, where="odd = 1", **options)
    np.testing.assert_array_equal(found, expected.ids)
    subsets = [[i for i in chosen if i in own] for own in ids]
    if all(subsets[:2]):
        seeds = [index.seed(DOCS[9], k, subset=own) for index, own in zip(parts, subsets, strict=False)]
        cutoff = np.sort(np.concatenate([own.distances for own in seeds]))[:k][-1]
        hits = [own.search(cutoff=cutoff if len(chosen) >= k else None) for own in seeds]
        merged = sorted(pair for own in hits for pair in zip(own.distances, own.ids, strict=True))[:k]
        assert [id for _, id in merged] == whole.search(DOCS[9], k, subset=chosen).ids.tolist()


def test_a_cutoff_leaves_out_what_is_farther_and_proves_it():
    index = mr.Index.build(DOCS, "wrd")
    all_hits = index.search(DOCS[5], 160)
    for place in (0, 3, 80):
        cutoff = float(all_hits.distances[place])
        hits = index.search(DOCS[5], 20, cutoff=cutoff)
        wanted = all_hits.ids[all_hits.distances <= cutoff][:20]
        np.testing.assert_array_equal(hits.ids, wanted)
        assert hits.certificate.exact
        assert hits.certificate.certain == len(hits)
    none = index.search(DOCS[5], 5, cutoff=-1.0)
    assert len(none) == 0
    assert none.certificate.exact
    assert "above the radius" in str(none.certificate)
    assert index.search(DOCS[5], 5, cutoff=np.inf).ids.tolist() == all_hits.ids[:5].tolist()


def test_potentials_of_others_save_work_and_prove_as_much():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 16))
    docs = [centres[rng.integers(0, 40, 12)] + 0.3 * rng.normal(size=(12, 16)) for _ in range(1200)]
    index = mr.Index.build(docs, "wrd", prefilter=None)
    seeds = index.seed(docs[0], 10)
    alone = seeds.search()
    cutoff = float(alone.distances[-1])
    again = index.search(docs[0], 10, cutoff=cutoff, potentials=seeds.potentials)
    np.testing.assert_array_equal(again.ids, alone.ids)
    assert again.stats.exact_solves <= alone.stats.exact_solves
    assert again.stats.rungs[0].seen == 0
    # Any prices are valid, if useless.
    odd = index.search(docs[0], 10, potentials=1e6 * rng.normal(size=12))
    np.testing.assert_array_equal(odd.ids, alone.ids)


def test_seeds_are_plain_values():
    index = mr.Index.build(DOCS, "wrd", ids=[f"d{i}" for i in range(160)])
    seeds = index.seed(DOCS[0], 3, count=8)
    assert seeds.count == 8
    assert seeds.ids[0] == "d0"
    assert repr(seeds).startswith(f"Seeds({len(seeds.ids)} of 8 solved, best 'd0' at ")
    assert (np.diff(seeds.distances) >= 0).all()
    assert len(seeds.potentials) == len(DOCS[0])
    copy = pickle.loads(pickle.dumps(seeds))
    np.testing.assert_array_equal(copy.potentials, seeds.potentials)
    with pytest.raises(ValueError, match="a copy"):
        copy.search()
    expected = index.search(DOCS[0], 3)
    assert seeds.search().ids.tolist() == expected.ids.tolist()
    with pytest.raises(ValueError, match="continued already"):
        seeds.search()
    empty = index.seed(DOCS[0], 3, subset=[])
    assert (len(empty.ids), empty.count, len(empty.potentials)) == (0, 0, 0)
    assert len(empty.search()) == 0


def test_a_search_that_has_begun_reads_the_state_it_began_with():
    index = mr.Index.build(DOCS[:50], "wrd")
    seeds = index.seed(DOCS[0], 3)
    index.remove([0])
    assert seeds.search().ids[0] == 0
    assert index.search(DOCS[0], 3).ids[0] != 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cutoff": float("nan")}, ValueError, "cutoff must be a number"),
        ({"cutoff": "near"}, TypeError, "cutoff"),
        ({"potentials": [1.0]}, ValueError, r"potentials: expected \d+, one per distinct token"),
        ({"potentials": [np.inf] * 6}, ValueError, "potentials: expected finite"),
        ({"potentials": [[1.0]]}, ValueError, "potentials: expected an array of shape"),
        ({"potentials": ["a"]}, TypeError, "potentials: expected real numbers"),
    ],
)
def test_bad_arguments(options, error, message):
    index = mr.Index.build(DOCS, "wrd")
    with pytest.raises(error, match=message):
        index.search(np.eye(6), 3, **options)
    with pytest.raises(error, match=message):
        index.seed(np.eye(6), 3).search(**options)
    smooth = mr.Index.build(DOCS, mr.wmd.replace(problem=mr.Sinkhorn(0.2)))
    with pytest.raises(ValueError, match="expected none under this measure"):
        smooth.search(np.eye(6), 3, potentials=np.ones(6))
    with pytest.raises(ValueError, match="count"):
        index.seed(np.eye(6), 3, count=0)
