"""Engines find candidates as the page says, and the order that these get is that of brute force."""

import numpy as np
import postgresql
import pytest
from recipes import recipes, run

import moverank as mr
from moverank.data import demo_queries

PAGE = "candidates-from-another-engine.md"
#: Headings, by the module that a recipe needs.
TRIED = {"Qdrant": "qdrant_client", "LanceDB": "lancedb", "PostgreSQL with pgvector": "psycopg"}
NOT_TRIED = ["OpenSearch", "Elasticsearch", "Vespa"]
QUERIES = [one.text for one in demo_queries()][:4]
MEASURE = mr.wrd.replace(capacity=4)


@pytest.fixture(scope="module")
def server():
    """Variables that lead to PostgreSQL."""
    folder = postgresql.programs()
    if folder is None:
        pytest.skip("no PostgreSQL with pgvector: neither pgserver is installed, nor Debian's postgresql-NN-pgvector")
    with postgresql.running(folder) as variables:
        yield variables


@pytest.fixture(scope="module", params=TRIED)
def engine(request, tmp_path_factory):
    """Names that the recipe of an engine makes."""
    pytest.importorskip(TRIED[request.param], reason=f"{request.param} is not installed in this environment")
    variables = request.getfixturevalue("server") if request.param.startswith("PostgreSQL") else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("engine"))
        for name, value in variables.items():
            patch.setenv(name, value)
        names = run(PAGE, request.param, run(PAGE, "The pattern", {}))
        yield names
        for name in ("client", "database"):
            if name in names:
                names[name].close()


def distances_of(names, query):
    """Distance of every document, each computed by itself."""
    encoder = names["index"].encoder
    tokens = encoder.encode([query]).sequences[0]
    return {id: MEASURE(tokens, encoder.encode([text]).sequences[0]) for id, text in names["texts"].items()}


def standardised(scores):
    array = np.array(scores, dtype=np.float64)
    return (array - array.mean()) / array.std()


@pytest.mark.parametrize("query", QUERIES)
def test_candidates_are_the_nearest_by_cosine(engine, query):
    own = engine["index"].encoder.encode([query]).sequences[0].mean(axis=0, dtype=np.float64)
    vectors = engine["vectors"].astype(np.float64)
    cosines = vectors @ own / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(own))
    found = engine["candidates"](query, 30)
    assert [score for _, score in found] == pytest.approx(np.sort(cosines)[::-1][:30].tolist(), abs=1e-6)
    by_id = dict(zip(engine["texts"], cosines.tolist(), strict=True))
    assert [by_id[id] for id, _ in found] == pytest.approx([score for _, score in found], abs=1e-6)
    assert len(dict(found)) == 30


@pytest.mark.parametrize("query", QUERIES[:2])
def test_all_documents_as_candidates_give_the_order_of_an_exact_search(engine, query):
    count = len(engine["texts"])
    hits = engine["reranked"](query, engine["candidates"](query, count), k=count, fusion=1)
    assert hits.certificate.exact
    exact = engine["index"].search(query, count, candidates=None)
    assert exact.certificate.exact
    assert [hit.id for hit in hits] == [hit.id for hit in exact]
    expected = distances_of(engine, query)
    assert [hit.distance for hit in hits] == pytest.approx(sorted(expected.values()), abs=1e-6)
    assert [expected[hit.id] for hit in hits] == pytest.approx([hit.distance for hit in hits], abs=1e-6)


@pytest.mark.parametrize("fusion", [0, 0.15, 0.5, 1])
def test_candidates_are_in_the_order_of_both_scores(engine, fusion):
    query, found = QUERIES[0], engine["candidates"](QUERIES[0], 40)
    distances = distances_of(engine, query)
    similarities = [1 - distances[id] for id, _ in found]
    both = (1 - fusion) * standardised([score for _, score in found]) + fusion * standardised(similarities)
    expected = [found[place][0] for place in np.argsort(-both, kind="stable")]
    hits = engine["reranked"](query, found, k=40, fusion=fusion)
    assert [hit.id for hit in hits] == expected
    assert [hit.similarity for hit in hits] == pytest.approx([1 - distances[id] for id in expected], abs=1e-6)
    if fusion < 1:
        assert {hit.id: hit.lexical for hit in hits} == dict(found)
    moves = hits[0].explain()
    assert sum(pair.contribution for pair in moves.pairs) == pytest.approx(hits[0].distance, abs=1e-6)


def test_what_the_page_runs_is_the_best_claim_first(engine):
    assert engine["hits"][0].id == 13282296
    assert all(hit.id in engine["texts"] for hit in engine["hits"])


def test_documents_that_only_the_engine_has_are_left_out(engine):
    index, query = engine["index"], QUERIES[0]
    found = engine["candidates"](query, 5)
    gone = found[0][0]
    index.remove([gone])
    try:
        assert [id for id, _ in engine["candidates"](query, 5)] == [id for id, _ in found]
        with pytest.raises(mr.errors.UnknownIdError, match=str(gone)):
            index.rerank(query, [id for id, _ in found])
        assert {hit.id for hit in engine["reranked"](query, found)} == {id for id, _ in found[1:]}
        assert engine["reranked"](query, found[:1]) == []
    finally:
        index.add([engine["texts"][gone]], ids=[gone])


@pytest.mark.parametrize("engine", ["LanceDB", "PostgreSQL with pgvector"], indirect=True)
def test_candidates_by_terms_have_a_term_of_the_query(engine):
    found = engine["candidates_by_terms"]("hypoglycemia dementia", 400)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    named = {id for id, text in engine["texts"].items() if {"hypoglycemia", "dementia"} & words_of(text)}
    assert named <= set(dict(found))
    assert all("hypoglyc" in engine["texts"][id].lower() or "dement" in engine["texts"][id].lower() for id, _ in found)
    assert engine["hits_by_terms"][0].id == 13282296


def words_of(text):
    return {word.strip(".,;:()") for word in text.lower().split()}


@pytest.mark.parametrize("heading", ["Deadlines", "Many queries"])
def test_the_rest_of_the_page_runs_with_each_engine(engine, heading):
    names = run(PAGE, heading, dict(engine))
    if heading == "Deadlines":
        assert len(names["hits"]) == 10
        found = engine["candidates"](QUERIES[0])
        late = engine["reranked"](QUERIES[0], found, timeout=1e-6)
        assert len(late) == 10
        assert {hit.id: hit.lexical for hit in late}.items() <= dict(found).items()
        assert "as time was over" in str(late.certificate)
        assert late.stats.timed_out
    else:
        one_by_one = [engine["reranked"](own, engine["candidates"](own)) for own in names["queries"]]
        assert [[hit.id for hit in hits] for hits in names["answers"]] == [[hit.id for hit in h] for h in one_by_one]


@pytest.mark.parametrize("heading", NOT_TRIED)
def test_recipes_that_are_not_tried_are_python_at_least(heading):
    for code in recipes(PAGE, heading):
        compile(code, heading, "exec")
