"""PyLate's shapes without PyLate: embeddings as its encoders return them, and results as its indexes do."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import moverank as mr
from moverank.errors import (
    DimensionError,
    DuplicateIdError,
    IndexExistsError,
    IndexLockedError,
    MeasureMismatchError,
    UnknownIdError,
)
from moverank.integrations.pylate import indexes, rank, retrieve

rng = np.random.default_rng(0)


def unit(*shape):
    made = rng.normal(size=shape).astype(np.float32)
    return made / np.linalg.norm(made, axis=-1, keepdims=True)


#: What ``models.ColBERT.encode`` returns: documents of different lengths, queries expanded to one length.
DOCUMENTS = [unit(n, 16) for n in rng.integers(3, 20, size=50)]
QUERIES = [unit(32, 16) for _ in range(4)]
NAMES = [f"doc{n}" for n in range(50)]


def best(query, documents, names, k):
    """The sum of maximum similarities, by its definition."""
    scores = [float((query.astype(np.float64) @ document.T.astype(np.float64)).max(axis=1).sum())
              for document in documents]  # fmt: skip
    order = sorted(range(len(scores)), key=lambda place: -scores[place])[:k]
    return [{"id": names[place], "score": pytest.approx(scores[place], abs=1e-4)} for place in order]


EXPECTED = [best(query, DOCUMENTS, NAMES, 5) for query in QUERIES]


@pytest.fixture
def index(tmp_path):
    made = indexes.Moverank(index_folder=str(tmp_path / "indexes"), index_name="colbert", override=True)
    return made.add_documents(documents_ids=NAMES, documents_embeddings=DOCUMENTS)


def test_answers_are_sums_of_maximum_similarities(index):
    found = index(QUERIES, k=5)
    assert found == EXPECTED
    assert [type(value) for value in found[0][0].values()] == [str, float]
    assert retrieve.ColBERT(index=index).retrieve(queries_embeddings=QUERIES, k=5, device="cpu") == found
    assert index(queries_embeddings=QUERIES[:1], k=100) == [best(QUERIES[0], DOCUMENTS, NAMES, 50)]
    assert len(index(QUERIES)[0]) == 10
    assert index([], k=5) == []
    assert index.is_end_to_end_index


def shapes():
    """The same queries in every shape that encoders return."""
    yield "array of three dimensions", np.stack(QUERIES)
    yield "tuple", tuple(QUERIES)
    yield "lists of numbers", [query.tolist() for query in QUERIES]
    yield "float64", [query.astype(np.float64) for query in QUERIES]
    torch = pytest.importorskip("torch")
    yield "tensors", [torch.tensor(query, requires_grad=True) for query in QUERIES]
    yield "tensor of three dimensions", torch.tensor(np.stack(QUERIES))


def test_embeddings_come_in_every_shape_that_encoders_return(index):
    for name, queries in shapes():
        assert index(queries, k=5) == EXPECTED, name
    assert index(QUERIES[2], k=5) == EXPECTED[2:3]  # of one text
    again = indexes.Moverank(index._path.parent, "shapes")
    again.add_documents("one", DOCUMENTS[0])
    again.add_documents(["two", "three"], np.stack([DOCUMENTS[1][:3], DOCUMENTS[2][:3]]))
    again.add_documents(np.array(["four"]), [DOCUMENTS[3].astype(np.float16)])
    assert len(again) == 4
    three = [DOCUMENTS[0], DOCUMENTS[1][:3], DOCUMENTS[2][:3], DOCUMENTS[3].astype(np.float16)]
    assert again(QUERIES, k=4) == [best(query, three, ["one", "two", "three", "four"], 4) for query in QUERIES]


def test_tensors_in_half_precision_are_taken(tmp_path):
    torch = pytest.importorskip("torch")
    for dtype in (torch.float16, torch.bfloat16):
        made = indexes.Moverank(tmp_path, str(dtype))
        made.add_documents(NAMES, [torch.tensor(document).to(dtype) for document in DOCUMENTS])
        rounded = [torch.tensor(document).to(dtype).float().numpy() for document in DOCUMENTS]
        assert made(QUERIES, k=5) == [best(query, rounded, NAMES, 5) for query in QUERIES]


def test_a_subset_is_one_list_or_one_per_query(index):
    some = ["doc3", "doc4", "doc3", "absent"]
    kept = [DOCUMENTS[3], DOCUMENTS[4]]
    assert index(QUERIES, 5, subset=some) == [best(query, kept, ["doc3", "doc4"], 5) for query in QUERIES]
    each = [["doc3", "doc4"], [], ("doc9",), np.array(["absent"])]
    found = retrieve.ColBERT(index).retrieve(QUERIES, k=1, subset=each)
    assert found == [
        best(QUERIES[0], kept, ["doc3", "doc4"], 1),
        [],
        best(QUERIES[2], DOCUMENTS[9:10], ["doc9"], 1),
        [],
    ]
    assert index(QUERIES, subset=[]) == [[]] * 4
    with pytest.raises(ValueError, match="subset: expected 4 lists, one per query, got 1"):
        index(QUERIES, subset=[["doc3"]])
    with pytest.raises(TypeError, match="subset: expected a list of ids, or lists of ids, got str"):
        index(QUERIES, subset="doc3")


def test_documents_are_changed_in_the_folder(index):
    folder = index._path.parent
    other = indexes.Moverank(folder, "colbert")
    assert other(QUERIES, k=5) == EXPECTED
    assert index.remove_documents(NAMES[:10]) is index
    assert len(other) == 40
    assert other(QUERIES, k=5) == [best(query, DOCUMENTS[10:], NAMES[10:], 5) for query in QUERIES]
    assert index.update_documents(["doc10", "doc0"], DOCUMENTS[:2]) is index
    now = [DOCUMENTS[1], DOCUMENTS[0], *DOCUMENTS[11:]]
    expected = [best(query, now, ["doc0", *NAMES[10:]], 5) for query in QUERIES]
    assert index(QUERIES, k=5) == other(QUERIES, k=5) == expected
    assert pickle.loads(pickle.dumps(other))(QUERIES, k=5) == expected
    other.remove_documents("doc0").add_documents("doc0", DOCUMENTS[7])
    assert {"id": "doc0", "score": pytest.approx(32, abs=1e-4)} == index(np.resize(DOCUMENTS[7], (32, 16)), k=1)[0][0]
    with pytest.raises(DuplicateIdError, match="doc0"):
        index.add_documents(["new", "doc0"], DOCUMENTS[:2])
    with pytest.raises(UnknownIdError, match="absent"):
        index.remove_documents(["doc0", "absent"])
    assert len(index) == 41
    with mr.Index.open(index._path, writable=True), pytest.raises(IndexLockedError):
        index.remove_documents(["doc0"])
    index.remove_documents([*NAMES[10:], "doc0"])
    with pytest.raises(ValueError, match="the index is empty; add documents first"):
        index(QUERIES)
    assert index.add_documents(NAMES, DOCUMENTS)(QUERIES, k=5) == EXPECTED


def test_override_replaces_an_index_and_nothing_else(index):
    folder = index._path.parent
    fresh = indexes.Moverank(folder, "colbert", override=True)
    assert len(fresh) == 0
    with pytest.raises(ValueError, match="the index is empty"):
        fresh(QUERIES)
    assert index(QUERIES, k=5) == EXPECTED
    assert fresh.add_documents([], []) is fresh
    fresh.add_documents(["only"], DOCUMENTS[:1])
    assert fresh.add_documents(["another"], DOCUMENTS[1:2])(QUERIES[:1])[0][0].keys() == {"id", "score"}
    assert len(fresh) == len(indexes.Moverank(folder, "colbert")) == 2
    (folder / "foreign").mkdir()
    (folder / "foreign" / "documents_ids_to_plaid_ids.pkl").write_bytes(b"")
    for override in (False, True):
        with pytest.raises(IndexExistsError, match=r"foreign: contains something other than an index of moverank"):
            indexes.Moverank(folder, "foreign", override)
    assert [path.name for path in (folder / "foreign").iterdir()] == ["documents_ids_to_plaid_ids.pkl"]


def test_integers_are_ids_too(tmp_path):
    made = indexes.Moverank(tmp_path, "integers").add_documents(range(50), DOCUMENTS)
    found = made(QUERIES, k=5)
    assert found == [best(query, DOCUMENTS, list(range(50)), 5) for query in QUERIES]
    assert type(found[0][0]["id"]) is int
    with pytest.raises(TypeError, match="ids"):
        made.add_documents(["fifty"], DOCUMENTS[:1])


@pytest.mark.parametrize(
    "measure",
    [mr.maxsim.replace(capacity=4), mr.maxsim.replace(ground="cosine"), mr.wrd, mr.wrd.replace(capacity=4), mr.wmd],
    ids=lambda measure: measure.name,
)
def test_other_measures_rank_and_keep_their_scale(tmp_path, measure):
    made = indexes.Moverank(tmp_path, "other", measure=measure).add_documents(NAMES, DOCUMENTS)
    tokens = 32 if measure.weighting == "uniform" and measure.ground != "euclidean" else 1
    for query, found in zip(QUERIES, made(QUERIES, k=50), strict=True):
        scores = tokens * measure.similarity(mr.distances(query, DOCUMENTS, measure))
        assert [one["score"] for one in found] == pytest.approx(np.sort(scores)[::-1], abs=1e-4)
        assert [NAMES.index(one["id"]) for one in found[:3]] == np.argsort(-scores)[:3].tolist()
    with pytest.raises(MeasureMismatchError, match="maxsim"):
        indexes.Moverank(tmp_path, "other")
    assert len(indexes.Moverank(tmp_path, "other", override=True)) == 0


def test_options_reach_the_index(tmp_path):
    made = indexes.Moverank(tmp_path, "options", candidates=20, prefilter="HNSW4", dtype="int8", num_threads=1)
    made.add_documents(NAMES, DOCUMENTS)
    assert len(made(QUERIES, k=20)[0]) == 20
    with pytest.raises(ValueError, match="candidates must be at least k = 21, got 20"):
        made(QUERIES, k=21)
    exact = indexes.Moverank(tmp_path, "options")
    scores = [[one["score"] for one in found] for found in exact(QUERIES, k=5)]
    assert scores == [[pytest.approx(one["score"].expected, abs=0.3) for one in found] for found in EXPECTED]
    with pytest.raises(ValueError, match="candidates: need a prefilter"):
        indexes.Moverank(tmp_path, "none", candidates=20, prefilter=None).add_documents(NAMES, DOCUMENTS)(QUERIES)
    for wrong, error, message in (
        ({"nbits": 4}, TypeError, "nbits: unknown option; known are prefilter, dtype and rescore"),
        ({"candidates": 0}, ValueError, "candidates must be at least 1, got 0"),
        ({"measure": "plaid"}, ValueError, "unknown measure 'plaid'"),
        ({"num_threads": 0}, ValueError, "num_threads must be at least 1"),
    ):
        with pytest.raises(error, match=message):
            indexes.Moverank(tmp_path, "wrong", **wrong)
    assert not (tmp_path / "wrong").exists()


def test_malformed_embeddings_are_named(index):
    for call, error, message in (
        (lambda: index.add_documents(["a"], DOCUMENTS[:2]), ValueError, "documents_ids: expected 2, one per document"),
        (lambda: index.add_documents("abc", DOCUMENTS[:3]), ValueError, "documents_ids: expected 3, one per document"),
        (lambda: index.add_documents(["a"], [unit(3, 8)]), DimensionError, "8"),
        (lambda: index.add_documents(["a"], [unit(1, 3, 16)]), ValueError, "documents_embeddings: .*shape"),
        (lambda: index.add_documents(["a"], {"token_embeddings": DOCUMENTS[:1]}), TypeError, "embeddings: .*got dict"),
        (lambda: index.add_documents(["a"], ["a text"]), TypeError, "documents_embeddings: "),
        (lambda: index(QUERIES, k=0), ValueError, "k must be at least 1, got 0"),
        (lambda: index([unit(3, 8)]), DimensionError, "8"),
        (lambda: index([np.full((3, 16), np.nan)]), ValueError, "queries_embeddings: "),
        (lambda: retrieve.ColBERT(index=mr.Index.build(DOCUMENTS)), TypeError, "expected an indexes.Moverank"),
    ):
        with pytest.raises(error, match=message):
            call()
    assert len(index) == 50


def test_given_documents_are_reranked():
    groups = [list(range(q, 50, 7)) for q in range(4)]
    found = rank.rerank(
        documents_ids=[[NAMES[place] for place in group] for group in groups],
        queries_embeddings=QUERIES,
        documents_embeddings=[[DOCUMENTS[place] for place in group] for group in groups],
        device="cpu",
    )
    assert found == [
        best(query, [DOCUMENTS[place] for place in group], [NAMES[place] for place in group], 50)
        for query, group in zip(QUERIES, groups, strict=True)
    ]
    assert rank.rerank([], [], []) == []
    assert rank.rerank([[]], QUERIES[:1], [[]]) == [[]]
    assert rank.rerank([[1, 0]], QUERIES[0], [DOCUMENTS[:2]], measure="wmd")[0][0]["score"] < 1
    for arguments, message in (
        (([[1]], QUERIES, [DOCUMENTS[:1]] * 4), "documents_ids: expected 4 lists, one per query, got 1"),
        (([[1]] * 4, QUERIES, [DOCUMENTS[:1]]), "documents_embeddings: expected 4 lists, one per query, got 1"),
        (([[1]], QUERIES[0], [DOCUMENTS[:2]]), "documents_ids 0: expected 2 ids, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            rank.rerank(*arguments)


def test_neither_pylate_nor_torch_is_imported(tmp_path):
    program = """
        import sys
        import numpy as np
        sys.modules.update(dict.fromkeys(["pylate", "torch", "sentence_transformers"]))
        from moverank.integrations.pylate import indexes, retrieve
        index = indexes.Moverank(sys.argv[1]).add_documents(["a"], [np.eye(3)])
        assert retrieve.ColBERT(index).retrieve([np.eye(3)[:2]]) == [[{"id": "a", "score": 2.0}]]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], check=True)
