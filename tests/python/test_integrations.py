"""Each framework's own objects and runners, with ours inside."""

import asyncio
import json
import sys

import numpy as np
import pytest

import moverank as mr
from moverank.ranking import Reranker

#: The frameworks warn of their own old ways.
pytestmark = pytest.mark.filterwarnings("ignore")

QUERY = "where is the cat"
TEXTS = ["Stocks fell sharply on Tuesday.", "The cat sat on the mat.", "A dog barked at the moon.", "zzzqqq"]
RANKING = Reranker().rank(QUERY, TEXTS)


def needs(module, extra):
    return pytest.importorskip(module, reason=f"{module} is not installed: pip install moverank[{extra}]")


def test_langchain_compresses_documents():
    needs("langchain_core", "langchain")
    from langchain_core.documents import Document

    from moverank.integrations.langchain import MoverankCompressor

    given = [Document(page_content=text, metadata={"n": n}) for n, text in enumerate(TEXTS)]
    compressor = MoverankCompressor(top_n=2)
    found = compressor.compress_documents(given, QUERY)
    assert [d.metadata["n"] for d in found] == RANKING.doc_ids[:2]
    assert [d.metadata["relevance_score"] for d in found] == pytest.approx(RANKING.scores[:2])
    assert given[1].metadata == {"n": 1}
    assert asyncio.run(compressor.acompress_documents(given, QUERY)) == found
    assert compressor.compress_documents([], QUERY) == []
    with pytest.raises(ValueError, match=r"where\n\s+Extra inputs are not permitted"):
        MoverankCompressor(where=lambda payload: True)  # frameworks filter before they rerank
    assert compressor.compress_documents((document for document in given), QUERY) == found
    for wrong, message in (
        (TEXTS, "Document objects, got str at position 0"),
        ("a text", "a list of Document objects, got str"),
    ):
        with pytest.raises(TypeError, match=f"documents: expected {message}"):
            compressor.compress_documents(wrong, QUERY)
    wmd = MoverankCompressor(reranker=Reranker(measure="wmd"))
    assert len(wmd.compress_documents(given, QUERY)) == 4
    with pytest.raises(ValueError, match="top_n"):
        MoverankCompressor(top_n=0)


def test_llama_index_postprocesses_nodes():
    needs("llama_index.core", "llama-index")
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    from moverank.integrations.llama_index import MoverankRerank

    nodes = [NodeWithScore(node=TextNode(text=text, id_=str(n)), score=0.5) for n, text in enumerate(TEXTS)]
    rerank = MoverankRerank(top_n=3, keep_retrieval_score=True)
    found = rerank.postprocess_nodes(nodes, query_str=QUERY)
    assert [int(node.node.node_id) for node in found] == RANKING.doc_ids[:3]
    assert [node.score for node in found] == pytest.approx(RANKING.scores[:3])
    assert found[0].node.metadata["retrieval_score"] == 0.5
    assert asyncio.run(rerank.apostprocess_nodes(nodes, QueryBundle(QUERY)))[0].node.node_id == found[0].node.node_id
    assert rerank.postprocess_nodes([], query_str=QUERY) == []
    assert len(rerank.postprocess_nodes((node for node in nodes), query_str=QUERY)) == 3
    with pytest.raises(TypeError, match="nodes: expected NodeWithScore objects, got str at position 0"):
        rerank.postprocess_nodes(TEXTS, query_str=QUERY)
    with pytest.raises(ValueError, match="reranking needs a query"):
        rerank.postprocess_nodes(nodes)


def test_haystack_runs_a_pipeline():
    needs("haystack", "haystack")
    from haystack import Document, Pipeline

    from moverank.integrations.haystack import MoverankRanker

    pipeline = Pipeline()
    pipeline.add_component("ranker", MoverankRanker(top_k=2))
    documents = [Document(content=text, meta={"n": n}) for n, text in enumerate(TEXTS)]
    found = pipeline.run({"ranker": {"query": QUERY, "documents": documents}})["ranker"]["documents"]
    assert [d.meta["n"] for d in found] == RANKING.doc_ids[:2]
    assert [d.score for d in found] == pytest.approx(RANKING.scores[:2])
    assert documents[1].score is None
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["moverank.integrations.haystack"])
    data = {"ranker": {"query": QUERY, "documents": documents, "top_k": 1}}
    assert again.run(data)["ranker"]["documents"] == found[:1]
    assert MoverankRanker().run(QUERY, [])["documents"] == []
    assert MoverankRanker(top_k=2).run(QUERY, (document for document in documents))["documents"] == found
    with pytest.raises(TypeError, match="documents: expected Document objects, got str at position 0"):
        MoverankRanker().run(QUERY, TEXTS)
    with pytest.raises(ValueError, match="has no text"):
        MoverankRanker().run(QUERY, [Document(meta={"n": 1})])
    with pytest.raises(ValueError, match="cannot be written to a file"):
        MoverankRanker(reranker=Reranker()).to_dict()
    with pytest.raises(ValueError, match="top_k must be at least 1, got 0"):
        MoverankRanker(top_k=0)
    with pytest.raises(TypeError, match="top_k must be an integer, got 'two'"):
        MoverankRanker(top_k="two")
    with pytest.raises(ValueError, match="measure: expected none with a reranker"):
        MoverankRanker(measure="wmd", reranker=Reranker())


def test_pyterrier_transforms_results():
    pt = needs("pyterrier", "pyterrier")
    pd = needs("pandas", "pyterrier")
    from moverank.integrations.pyterrier import MoverankTransformer

    rows = [
        {"qid": qid, "query": query, "docno": str(n), "text": text, "score": float(-n), "rank": n}
        for qid, query in (("1", QUERY), ("2", "the stock market"))
        for n, text in enumerate(TEXTS)
    ]
    frame = pd.DataFrame(rows)
    found = MoverankTransformer().transform(frame)
    first = found[found["qid"] == "1"]
    assert first["docno"].tolist() == [str(n) for n in RANKING.doc_ids]
    assert first["rank"].tolist() == [0, 1, 2, 3]
    assert first["score"].tolist() == pytest.approx([*RANKING.scores[:3], -1.0])
    assert found[found["qid"] == "2"]["docno"].iloc[0] == "0"
    cut = (pt.Transformer.from_df(frame, uniform=True) >> MoverankTransformer()) % 1
    assert cut(frame[["qid", "query"]])["docno"].tolist() == ["1", "0"]
    fused = MoverankTransformer(Reranker(fusion=0.0)).transform(frame)
    assert fused["docno"].tolist() == [str(n) for n in range(4)] * 2
    assert len(MoverankTransformer().transform(frame.iloc[:0])) == 0
    with pytest.raises(ValueError, match="the columns text are missing"):
        MoverankTransformer().transform(frame.drop(columns="text"))


def test_rerankers_ranks():
    library = needs("rerankers", "rerankers")
    from moverank.integrations.rerankers import MoverankRanker

    ranker = MoverankRanker()
    results = ranker.rank(QUERY, TEXTS, doc_ids=["a", "b", "c", "d"])
    assert [r.doc_id for r in results] == ["abcd"[n] for n in RANKING.doc_ids]
    assert [r.rank for r in results] == [1, 2, 3, 4]
    assert results.get_score_by_docid("b") == pytest.approx(RANKING.scores[0])
    documents = [library.Document(text, doc_id=n) for n, text in enumerate(TEXTS)]
    assert ranker.rank(QUERY, documents).top_k(1)[0].doc_id == 1
    assert ranker.score(QUERY, TEXTS[1]) == pytest.approx(RANKING.scores[0])
    assert asyncio.run(ranker.rank_async(QUERY, TEXTS)).top_k(1)[0].doc_id == 1


def test_rerankers_takes_all_that_the_library_passes():
    library = needs("rerankers", "rerankers")
    from moverank.integrations.rerankers import MoverankRanker

    ranker = MoverankRanker()
    given = [library.Document("dog"), library.Document("cat", metadata={"n": 1})]
    assert [r.doc_id for r in ranker.rank("cat", given, doc_ids=["a", "b"])] == ["b", "a"]
    assert [d.doc_id for d in given] == [None, None]
    assert [r.n for r in ranker.rank("cat", given[1:])] == [1]
    assert [r.n for r in ranker.rank("cat", ["dog", "cat"], metadata=[{"n": 1}, {"n": 2}])] == [2, 1]
    assert [r.doc_id for r in ranker.rank("cat", given)] == [1, 0]
    for names in (np.arange(2), np.array(["a", "b"])):
        found = ranker.rank("cat", ["dog", "cat"], doc_ids=names)
        assert [type(r.doc_id) for r in found] == [type(names.tolist()[0])] * 2
        assert [r.doc_id for r in found] == names.tolist()[::-1]
    assert ranker.rank("cat", []).results == []
    assert ranker.rank("cat", "cat")[0].doc_id == 0
    assert ranker.score("cat", "zzzqqq") == -1.0
    with pytest.raises(ValueError, match="doc_ids: expected 2, one per document, got 1"):
        ranker.rank("cat", ["dog", "cat"], doc_ids=["a"])
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"id": ["a", "b"], "text": ["dog", "cat"]}, index=[1, 0])
    assert [r.doc_id for r in ranker.rank("cat", frame.text, frame.id)] == ["b", "a"]


@pytest.mark.parametrize("measure", [None, "wmd", "maxsim"])
def test_frameworks_get_finite_scores_and_their_order(measure):
    from moverank.integrations._scores import scored

    ranker = Reranker(measure=measure)
    for query, order in ((QUERY, ranker.rank(QUERY, TEXTS).doc_ids), ("zzxqy", [0, 1, 2, 3])):
        found = scored(ranker, query, TEXTS)
        assert [place for place, _ in found] == order
        scores = [score for _, score in found]
        json.dumps(scores, allow_nan=False)
        assert scores == sorted(scores, reverse=True)
    assert scored(ranker, QUERY, []) == []


def test_scikit_learn_finds_neighbours():
    needs("sklearn", "sklearn")
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline

    from moverank.integrations.sklearn import TransportNeighbors, pairwise_distances

    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = [rng.normal(size=(rng.integers(2, 6), 5)) + 2 * label for label in y]
    dense = pairwise_distances(X, metric="wmd")
    np.testing.assert_allclose(dense, [mr.distances(x, X, "wmd") for x in X], atol=1e-6)
    exact = KNeighborsClassifier(3, metric="precomputed").fit(dense[:30, :30], y[:30])
    model = make_pipeline(TransportNeighbors(3, "wmd"), KNeighborsClassifier(3, metric="precomputed"))
    model.fit(X[:30], y[:30])
    np.testing.assert_array_equal(model.predict(X[30:]), exact.predict(dense[30:, :30]))
    assert model.score(X[30:], y[30:]) > 0.9

    graph = TransportNeighbors(2, "wmd").fit_transform(X)
    assert graph.shape == (40, 40)
    assert (np.diff(graph.indptr) == 3).all()
    row = graph[7].toarray().ravel()
    np.testing.assert_allclose(np.sort(row[row > 0]), np.sort(dense[7])[1:3], atol=1e-6)
    search = GridSearchCV(model, {"transportneighbors__measure": ["wmd", "wrd"]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.7
    distances, places = TransportNeighbors(4, "wmd").fit(X).kneighbors(X[:2])
    np.testing.assert_allclose(distances, np.sort(dense[:2], axis=1)[:, :4], atol=1e-6)
    assert places[:, 0].tolist() == [0, 1]
    assert clone(TransportNeighbors(4)).get_params() == {
        "n_neighbors": 4, "measure": None, "num_threads": None, "costs": None
    }  # fmt: skip
    with pytest.raises(NotFittedError):
        TransportNeighbors().transform(X)


def test_scikit_learn_loses_no_weights():
    needs("sklearn", "sklearn")
    from moverank.integrations.sklearn import TransportNeighbors, pairwise_distances

    rng = np.random.default_rng(8)
    bags = mr.Bags(rng.normal(size=(9, 4)) * np.arange(1, 10)[:, None], [rng.integers(9, size=6) for _ in range(12)])
    for measure in (mr.wmd, mr.wrd, mr.wrd.replace(capacity=2)):
        sequences = bags.to_sequences(measure.weighting)
        expected = mr.pairwise(sequences, measure=measure)
        assert not np.allclose(expected, mr.pairwise([x.tokens for x in sequences], measure=measure), atol=1e-3)
        for X in (bags, list(bags), sequences, list(sequences)):
            np.testing.assert_allclose(pairwise_distances(X, metric=measure), expected, atol=1e-6)
            found, _ = TransportNeighbors(2, measure).fit(X).kneighbors(X)
            np.testing.assert_allclose(found, np.sort(expected, axis=1)[:, :2], atol=1e-6)
    # Unless it is said, word rotator's distance, also of what counts weigh.
    found, _ = TransportNeighbors(2).fit(bags).kneighbors(bags)
    expected = mr.pairwise(bags, measure="wrd")
    np.testing.assert_allclose(found, np.sort(expected, axis=1)[:, :2], atol=1e-6)


def test_scikit_learn_takes_tables_of_distances():
    needs("sklearn", "sklearn")
    from sklearn.cluster import DBSCAN
    from sklearn.metrics import silhouette_score

    rng = np.random.default_rng(4)
    docs = mr.Sequences([rng.normal(size=(rng.integers(1, 9), 5)) for _ in range(12)])
    divergence = mr.wmd.replace(problem=mr.Sinkhorn(0.1, relative=False, debiased=True))
    for measure in (mr.wmd, mr.wrd, divergence):
        table = mr.pairwise(docs, measure=measure)
        assert -1 <= silhouette_score(table, np.arange(12) % 3, metric="precomputed") <= 1
        assert len(DBSCAN(metric="precomputed").fit(table).labels_) == 12


def test_estimators_of_scikit_learn_take_histograms():
    needs("sklearn", "sklearn")
    from scipy import sparse
    from sklearn.base import clone
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline

    from moverank.integrations.sklearn import TransportNeighbors, pairwise_distances

    rng = np.random.default_rng(5)
    p = sparse.csr_matrix(rng.integers(0, 4, (30, 8)) + np.eye(30, 8, dtype=int) + (np.arange(8) == 7))
    places = rng.normal(size=8)
    costs = np.abs(np.subtract.outer(places, places))
    distances = mr.pairwise(p, costs=costs)
    np.testing.assert_array_equal(pairwise_distances(p, costs=costs), distances)
    neighbors = clone(TransportNeighbors(3, costs=costs)).fit(p)
    np.testing.assert_allclose(neighbors.kneighbors(p)[0], np.sort(distances, axis=1)[:, :3], atol=1e-12)
    labels = np.arange(30) % 3
    model = make_pipeline(TransportNeighbors(1, costs=costs), KNeighborsClassifier(1, metric="precomputed"))
    np.testing.assert_array_equal(model.fit(p, labels).predict(p), labels)


def test_gensim_agrees():
    keyed = needs("gensim.models", "gensim").KeyedVectors
    theirs = needs("gensim.similarities", "gensim").WmdSimilarity
    pytest.importorskip("ot")
    from moverank.integrations.gensim import WmdSimilarity, wmdistance

    rng = np.random.default_rng(4)
    words = [f"w{n}" for n in range(50)]
    vectors = keyed(12)
    vectors.add_vectors(words, rng.normal(size=(50, 12)).astype(np.float32))
    corpus = [list(rng.choice([*words, "unknown"], size=rng.integers(1, 12))) for _ in range(30)] + [["unknown"]]
    queries = [corpus[3], ["w1", "w1", "w2"], ["unknown"], ["w7", "unknown"]]
    for query in queries:
        for document in corpus:
            for norm in (True, False):
                expected = vectors.wmdistance(query, document, norm=norm)
                assert wmdistance(vectors, query, document, norm=norm) == pytest.approx(expected, abs=2e-6)
    for num_best in (None, 5):
        ours, reference = WmdSimilarity(corpus, vectors, num_best), theirs(corpus, vectors, num_best)
        assert len(ours) == len(reference)
        for query in queries:
            if num_best is None:
                np.testing.assert_allclose(ours[query], reference[query], atol=2e-6)
            else:
                found, expected = ours[query], reference[query]
                np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=2e-6)
                of = theirs(corpus, vectors)[query]  # equal ones may come in any order
                np.testing.assert_allclose([s for _, s in found], [of[p] for p, _ in found], atol=2e-6)
        for several in (queries[:2], queries[:1], [queries[2]]):
            batch, expected = ours[several], reference[several]
            if num_best is None:
                assert batch.shape == expected.shape
                np.testing.assert_allclose(batch, expected, atol=2e-6)
            else:
                assert np.shape(batch)[:1] == np.shape(expected)[:1]
        both = ours[queries[:2]]
        assert len(both) == 2
        assert list(both[0]) == list(ours[queries[0]])
    np.testing.assert_allclose(ours.get_similarities(queries[:2]), reference.get_similarities(queries[:2]), atol=2e-6)
    assert len(list(ours)) == 31


def test_gensim_models_streams_and_files_are_taken(tmp_path):
    models = needs("gensim.models", "gensim")
    from moverank.integrations.gensim import WmdSimilarity, wmdistance

    corpus = [["human", "interface"], ["trees"], ["graph", "trees"], ["human"]]
    model = models.Word2Vec(corpus, vector_size=8, min_count=1, seed=1, workers=1)
    plain = WmdSimilarity(corpus, model.wv)
    expected = list(plain[["trees"]])
    assert wmdistance(model, ["trees"], ["human"]) == wmdistance(model.wv, ["trees"], ["human"])
    pd = pytest.importorskip("pandas")
    for index in (WmdSimilarity(corpus, model), WmdSimilarity((d for d in corpus), model.wv),
                  WmdSimilarity(pd.Series(corpus, index=[3, 2, 1, 0]), model)):  # fmt: skip
        assert list(index[["trees"]]) == expected
        assert len(list(index)) == len(index) == 4
        assert list(index[pd.Series(["trees"], index=[5])]) == expected
        assert [list(one) for one in index[(("trees",), ["trees"])]] == [expected] * 2
    plain.save(tmp_path / "index")
    assert list(WmdSimilarity.load(tmp_path / "index")[["trees"]]) == expected
    with pytest.raises(TypeError, match="corpus: document 0: expected a list of words, got one string"):
        WmdSimilarity(["a text"], model)


def test_gensim_words_without_a_direction_stay_where_they_are():
    keyed = needs("gensim.models", "gensim").KeyedVectors
    from moverank.integrations.gensim import WmdSimilarity, wmdistance

    vectors = keyed(4)
    vectors.add_vectors(["a", "#"], np.array([[1, 2, 3, 4], [0, 0, 0, 0]], dtype=np.float32))
    assert wmdistance(vectors, ["a"], ["#", "a"]) == pytest.approx(0.5)
    assert wmdistance(vectors, ["#"], ["#"]) == 0.0
    assert list(WmdSimilarity([["a"], ["#"]], vectors)[["a"]]) == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize("seed", range(8))
def test_pot_agrees(seed):
    ot = pytest.importorskip("ot")
    from moverank.integrations.pot import emd, emd2

    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 30, size=2)
    a, b = rng.random(n), rng.random(m)
    if seed % 2:
        a[rng.random(n) < 0.2] = 0.0
        a[0] = 1.0
    b *= a.sum() / b.sum()
    cost = rng.random((n, m))
    expected = ot.emd2(a, b, cost)
    assert emd2(a, b, cost) == pytest.approx(expected, rel=1e-9)
    plan, log = emd(a, b, cost, log=True)
    assert (plan * cost).sum() == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(plan.sum(axis=1), a, atol=1e-9)
    np.testing.assert_allclose(plan.sum(axis=0), b, atol=1e-9)
    assert set(log) == set(ot.emd(a, b, cost, log=True)[1])
    assert (log["u"][:, None] + log["v"][None, :] <= cost + 1e-9).all()
    assert log["u"] @ a + log["v"] @ b == pytest.approx(expected, rel=1e-9)
    value, said = emd2(a, b, cost, return_matrix=True)
    assert value == said["cost"] == pytest.approx(expected, rel=1e-9)
    np.testing.assert_array_equal(said["G"], plan)
    several = np.stack([b, b[::-1]], axis=1)
    assert emd2(a, several, cost) == pytest.approx(ot.emd2(a, several, cost), rel=1e-9)
    assert emd2([], [], cost) == pytest.approx(ot.emd2([], [], cost), rel=1e-9)


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array"])
def test_sparse_pot_agrees(kind):
    ot, sparse = pytest.importorskip("ot"), pytest.importorskip("scipy.sparse")
    from moverank.integrations.pot import emd, emd2, partial_wasserstein2

    rng = np.random.default_rng(3)
    prices = np.where(rng.random((7, 9)) < 0.6, rng.random((7, 9)), 0.0)
    stored, cost = sparse.coo_array(prices), getattr(sparse, kind)(prices)
    a, b = 3 * rng.dirichlet(np.ones(7)), 3 * rng.dirichlet(np.ones(9))
    assert emd2(a, b, cost) == pytest.approx(ot.emd2(a, b, stored), rel=1e-9)
    (plan, log), (expected, other) = emd(a, b, cost, log=True), ot.emd(a, b, stored, log=True)
    assert isinstance(plan, type(expected))
    np.testing.assert_allclose(plan.toarray(), expected.toarray(), atol=1e-12)
    assert log.keys() == other.keys()
    assert log["u"] @ a + log["v"] @ b == pytest.approx(log["cost"], rel=1e-9)
    np.testing.assert_array_equal(emd2(a, b, cost, return_matrix=True)[1]["G"].toarray(), plan.toarray())
    closed = np.where(prices > 0, prices, 1e3)
    value, said = partial_wasserstein2(a, b, cost, m=1.5, log=True)
    assert value == pytest.approx(ot.partial.partial_wasserstein2(a, b, closed, m=1.5), rel=1e-9)
    assert said["T"].sum() == pytest.approx(1.5)
    with pytest.raises(mr.InfeasibleError, match="cost: forbids every plan"):
        emd2([], [], sparse.coo_array(([1.0], ([0], [0])), shape=(2, 2)))


def test_partial_pot_agrees():
    ot = pytest.importorskip("ot")
    from moverank.integrations.pot import partial_wasserstein, partial_wasserstein2

    rng = np.random.default_rng(0)
    for a, b in ((5 * rng.dirichlet(np.ones(4)), 2 * rng.dirichlet(np.ones(5))), (rng.random(4), 3 * rng.random(5))):
        cost = rng.random((4, 5))
        expected = ot.partial.partial_wasserstein2(a, b, cost, m=0.75)
        value, said = partial_wasserstein2(a, b, cost, m=0.75, log=True)
        assert value == said["partial_w_dist"] == pytest.approx(expected, rel=1e-9)
        np.testing.assert_array_equal(said["T"], partial_wasserstein(a, b, cost, m=0.75))
        assert partial_wasserstein(a, b, cost).sum() == pytest.approx(min(a.sum(), b.sum()))
    with pytest.raises(ValueError, match="more than can move"):
        partial_wasserstein([1.0], [1.0], [[1.0]], m=2)


def test_pot_refusals_are_clear():
    from moverank.integrations.pot import emd, emd2

    with pytest.raises(ValueError, match=r"same total, got 1\.0 and 2\.0"):
        emd([1.0], [2.0], [[1.0]])
    assert emd2([1.0], [2.0], [[3.0]], check_marginals=False) == 3.0
    with pytest.raises(NotImplementedError, match="potentials_init: the solver has no warm start"):
        emd([1.0], [1.0], [[1.0]], potentials_init=([0.0], [0.0]))
    with pytest.raises(ValueError, match="negative"):
        emd2([-1.0, 2.0], [1.0], [[1.0], [2.0]])


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("langchain", "langchain_core", "langchain"),
        ("llama_index", "llama_index.core", "llama-index"),
        ("haystack", "haystack", "haystack"),
        ("pyterrier", "pyterrier", "pyterrier"),
        ("rerankers", "rerankers", "rerankers"),
        ("sklearn", "sklearn.base", "sklearn"),
    ],
)
def test_a_framework_that_is_not_installed_is_named_with_its_extra(module, library, extra, monkeypatch):
    monkeypatch.delitem(sys.modules, f"moverank.integrations.{module}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"is not installed: pip install 'moverank\[{extra}\]'"):
        __import__(f"moverank.integrations.{module}")
