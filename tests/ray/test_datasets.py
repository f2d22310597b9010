"""What a cluster computes of a dataset is what one process computes."""

import numpy as np
import pyarrow as pa
import pytest
import ray
import ray.data
import ray.exceptions

import moverank as mr
import moverank.ray as mrr
from moverank.encoders import OnnxEncoder
from moverank.index import tiles
from moverank.ray.reranking import Rerank
from moverank.ray.scoring import Score
from moverank.ray.workers import made, sent, threads_of

rng = np.random.default_rng(0)
VOCABULARY = [f"w{n}" for n in range(200)]
ENCODER = mr.encoders.WordVectors(VOCABULARY, rng.normal(size=(200, 12)))


def texts(count, length=6):
    return [" ".join(rng.choice(VOCABULARY, size=length)) for _ in range(count)]


def dataset(rows, blocks=3):
    return ray.data.from_items(rows, override_num_blocks=blocks)


def test_scores(cluster):
    candidates, references = [*texts(59), "zzz"], list(zip(texts(60), texts(60), strict=True))
    rows = [{"candidate": c, "reference": list(r)} for c, r in zip(candidates, references, strict=True)]
    idf = mr.scoring.score_idf([text for own in references for text in own], encoder=ENCODER)
    found = mrr.score(dataset(rows), encoder=ENCODER, idf=idf, batch_size=25, concurrency=1).take_all()
    with pytest.warns(mr.UnscoredWarning):
        expected = mr.score(candidates, references, encoder=ENCODER, idf=idf)
    for name in ("precision", "recall", "f1", "scored"):
        assert [row[name] for row in found] == getattr(expected, name).tolist()
    assert [row["candidate"] for row in found] == candidates


def test_rankings(cluster):
    rows = [
        {"query": query, "texts": texts(9), "names": [f"d{n}" for n in range(9)], "first": rng.normal(size=9).tolist()}
        for query in [*texts(11, 3), "zzz"]
    ]
    options = {"encoder": ENCODER, "measure": mr.wmd, "fusion": 0.7}
    reranked = mrr.rerank(
        dataset(rows), candidates="texts", ids="names", scores="first", top_k=4, concurrency=1, **options
    )
    plain = mr.Reranker(**options)
    for row, own in zip(reranked.take_all(), rows, strict=True):
        expected = plain.rank(
            own["query"], own["texts"], top_k=4, doc_ids=own["names"], scores=own["first"], unknown="keep"
        )
        assert row["ranking"] == [{"id": d.doc_id, "score": d.score, "distance": d.distance} for d in expected]


def stored(path, docs, ids, measure="wrd", **options):
    mr.Index.build(docs, measure, ids=ids, encoder=ENCODER, **options).save(path)
    return path


def test_nearest_pairs_of_two_indexes(cluster, tmp_path):
    left = ENCODER.encode(texts(50)).sequences
    right = ENCODER.encode(texts(80)).sequences
    a = stored(tmp_path / "a", left, [f"a{n}" for n in range(50)], dtype="float16")
    b = stored(tmp_path / "b", right, list(range(80)))
    found = mrr.pairwise(a, b, k=3, batch_size=20, concurrency=1).take_all()
    matrix = mr.pairwise(left.astype("float16"), right, "wrd")
    order = np.argsort(matrix, axis=1, kind="stable")[:, :3]
    assert [(row["query"], row["id"]) for row in found] == [(f"a{n}", d) for n in range(50) for d in order[n].tolist()]
    assert np.allclose([row["distance"] for row in found], np.take_along_axis(matrix, order, 1).ravel(), atol=1e-6)


def test_pairs_within_a_radius_of_one_index_of_texts(cluster, tmp_path):
    given = texts(60)
    given[31] = given[7]
    with mr.TextIndex.create(tmp_path / "index", encoder=ENCODER, lexical=None) as index:
        index.add(given, [f"d{n}" for n in range(60)])
        index.remove(["d3"])
    found = mrr.pairwise(tmp_path / "index", radius=0.4, batch_size=30, concurrency=1).take_all()
    kept = [n for n in range(60) if n != 3]
    bags = ENCODER.bags([given[n] for n in kept])
    matrix = mr.pairwise(bags, bags, mr.Reranker(ENCODER)._measure or mr.presets.retrieval(ENCODER).measure)
    expected = {(f"d{kept[i]}", f"d{kept[j]}") for i, j in np.argwhere(matrix <= 0.4) if i != j}
    assert {(row["query"], row["id"]) for row in found} == expected
    assert ("d7", "d31") in expected


# ---- without a cluster -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 4, None])
@pytest.mark.parametrize("within", [False, True])
def test_blocks_of_an_index_give_the_same_pairs(tmp_path, monkeypatch, k, within):
    docs = [1e3 + own for own in ([rng.normal(size=(4, 6)) for _ in range(20)])]
    docs[11] = docs[2]
    index = mr.Index.build(docs, "wmd", prefilter="Flat")
    other = mr.Index.build([1e3 + rng.normal(size=(3, 6)) for _ in range(15)], "wmd", prefilter="tokens")
    monkeypatch.setattr("moverank.index.changes.first_of_tail", lambda parts, *given: len(parts) - 1)
    for _ in range(2):
        index.add([1e3 + rng.normal(size=(5, 6)) for _ in range(10)])
    index.remove([5, 25])
    rows, columns = (index if within else other)._snapshot, index._snapshot
    radius = np.inf if k is not None else 3.0
    whole = tiles.Tile(rows, columns, k, radius, 1).pairs(np.arange(len(rows)))
    monkeypatch.setattr(tiles, "TILE_BYTES", 1)
    assert len(tiles._blocks(columns)) == 3
    parts = tiles.Tile(rows, columns, k, radius, 2).pairs(np.arange(len(rows)))
    assert whole[:2] == parts[:2]
    assert np.array_equal(whole[2], parts[2])
    for position in rows.positions[:4].tolist():
        name = rows.ids_at(np.array([position])).tolist()[0]
        tokens, mass = rows.document(position)
        given = tokens.astype(np.float64) + np.array(rows.setup.origin)
        hits = index.search(given, 40, weights=mass)
        near = [(id, d) for id, d in zip(hits.ids.tolist(), hits.distances.tolist(), strict=True)
                if d <= radius and not (within and id == name)]  # fmt: skip
        assert [id for query, id in zip(*whole[:2], strict=True) if query == name] == [id for id, _ in near][:k]


def test_indexes_that_cannot_be_compared(tmp_path):
    base = mr.Index.build([np.eye(3)], "wmd")._snapshot
    for docs, options, error, message in [
        ([np.eye(3)], {"measure": "wrd"}, mr.MeasureMismatchError, "of one measure, got wmd and wrd"),
        ([np.eye(4)], {"measure": "wmd"}, ValueError, "of one dimension, got 3 and 4"),
        ([[1.0, 0.0]], {"costs": np.eye(2)}, mr.MeasureMismatchError, "of one measure"),
    ]:
        with pytest.raises(error, match=message):
            tiles.require_comparable(base, mr.Index.build(docs, **options)._snapshot)


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"query": ["w1"]}, ValueError, "column 'candidates': is not in the dataset"),
        ({"query": [None], "candidates": [["w1"]]}, ValueError, "column 'query': row 0 of the batch is null"),
        (
            {"query": ["w1"], "candidates": ["w2"]},
            TypeError,
            "column 'candidates': expected lists of texts, got string",
        ),
        ({"query": ["w1"], "candidates": [[1]]}, TypeError, "expected lists of texts, got list<item: int64>"),
        (
            {"query": ["w1", "w2"], "candidates": [["w1"], ["w2", None]]},
            ValueError,
            "row 1 of the batch has a null at 1",
        ),
        ({"query": ["w1"], "candidates": [["w1"]], "ids": [[1, 2]]}, ValueError, "'ids': row 0 .* 2 values for 1 cand"),
        ({"query": ["w1"], "candidates": [["w1", "w2"]], "ids": [[1, 1]]}, mr.DuplicateIdError, "row 0 .*query 'w1'"),
        (
            {"query": ["w1"], "candidates": [["w1"]], "ranking": [1]},
            ValueError,
            "'ranking': the dataset already has one",
        ),
    ],
)
def test_bad_candidates_are_named(columns, error, message):
    names = {
        "query": "query", "candidates": "candidates", "ids": "ids" if "ids" in columns else None, "scores": None,
        "ranking": "ranking",
    }  # fmt: skip
    with pytest.raises(error, match=message):
        Rerank(ENCODER, names, None, {}, 1)(pa.table(columns))


def test_no_candidates_and_no_rows():
    names = {"query": "query", "candidates": "texts", "ids": None, "scores": None, "ranking": "ranking"}
    given = pa.array([[], ["w1"]], pa.list_(pa.string()))
    found = Rerank(ENCODER, names, None, {}, 1)(pa.table({"query": ["w1", "w2"], "texts": given}))
    assert [len(own) for own in found.column("ranking").to_pylist()] == [0, 1]
    assert Rerank(ENCODER, names, None, {}, 1)(pa.table({})).num_rows == 0


def test_bad_pairs_are_named():
    options = {"measure": mr.wmd, "idf": False, "baseline": None, "space": None}
    for columns, error, message in [
        ({"candidate": ["w1"]}, ValueError, "column 'reference': is not in the dataset"),
        (
            {"candidate": ["w1"], "reference": [[]]},
            TypeError,
            "column 'reference': expected lists of texts, got list<item: null>",
        ),
        (
            {"candidate": ["w1"], "reference": ["w1"], "f1": [0.0]},
            ValueError,
            "column 'f1': the dataset already has one",
        ),
    ]:
        with pytest.raises(error, match=message):
            Score(ENCODER, "candidate", "reference", options, 1)(pa.table(columns))


def test_arguments_are_refused_before_anything_starts(cluster):
    one = ray.data.from_items([{"text": "w1"}])
    for call, error, message in [
        (lambda: mrr.encode([1]), TypeError, "dataset: expected a ray.data.Dataset, got list"),
        (lambda: mrr.encode(one, encoder=3), TypeError, "encoder: expected an object with a method encode, got int"),
        (lambda: mrr.encode(one, unknown="skip"), ValueError, "unknown must be one of 'raise', 'keep'"),
        (lambda: mrr.encode(one, batch_size=0), ValueError, "batch_size must be at least 1"),
        (lambda: mrr.encode(one, num_cpus=0), ValueError, "num_cpus must be above 0"),
        (lambda: mrr.encode(one, concurrency=(1,)), ValueError, "concurrency: expected a number or a pair"),
        (lambda: mrr.encode(one, concurrency=0), ValueError, "concurrency must be at least 1"),
        (lambda: mrr.score(one, idf=True), TypeError, "idf: expected TokenWeights, as score_idf fits them"),
        (lambda: mrr.rerank(one, fusion=0.5), ValueError, "scores: expected the name of a column with fusion"),
        (lambda: mrr.rerank(one, top_k=0), ValueError, "top_k must be at least 1"),
        (lambda: mrr.pairwise("x"), ValueError, "expected k, radius, or both, got neither"),
        (lambda: mrr.pairwise("x", k=0), ValueError, "k must be at least 1"),
        (lambda: mrr.pairwise("x", radius=float("nan")), ValueError, "radius must be a number, got nan"),
        (lambda: mrr.pairwise("no-such-index", k=1), mr.IndexNotFoundError, "does not exist"),
    ]:
        with pytest.raises(error, match=message):
            call()


def test_an_actor_uses_as_many_threads_as_it_has_cpus(tmp_path):
    assert [threads_of(count) for count in (0.25, 1, 4)] == [1, 1, 4]
    assert Score(ENCODER, "a", "b", {}, 3)._options["num_threads"] == 3
    assert Rerank(ENCODER, {}, None, {}, 3)._ranker._num_threads == 3
    assert sent(ENCODER, 2) is ENCODER
    assert made(lambda: ENCODER) is ENCODER
    assert OnnxEncoder is not None
