"""Retrievers of frameworks over a text index: their own objects and runners, and their own tests if they have any."""

import asyncio
import copy
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import CallableEncoder
from moverank.errors import DuplicateIdError, IndexExistsError, NoTokensError, ReadOnlyIndexError, UnknownIdError

pytest.importorskip("tantivy", reason="tantivy is not installed: pip install moverank[lexical]")

#: The frameworks warn of their own old ways.
pytestmark = pytest.mark.filterwarnings("ignore")

QUERY = "where is the cat"
TEXTS = ["Stocks fell sharply on Tuesday.", "The cat sat on the mat.", "A dog barked at the moon."]
YEARS = [2022, 2023, 2024]
LONG = "Stocks fell sharply on Tuesday. The cat sat on the mat. A dog barked at the moon."


def made(**options):
    index = mr.TextIndex.create(**options)
    index.add(TEXTS, ["a", "b", "c"], payloads=[{"year": year} for year in YEARS])
    return index


INDEX, WITHOUT_TERMS = made(), made(lexical=None)


def needs(module, extra):
    return pytest.importorskip(module, reason=f"{module} is not installed: pip install moverank[{extra}]")


def letters(texts):
    """A vector per letter, with which every text has tokens."""
    table = np.random.default_rng(3).normal(size=(128, 8))
    return [(list(text), table[[ord(letter) % 128 for letter in text]]) for text in texts]


@pytest.fixture
def langchain():
    needs("langchain_core", "langchain")
    from moverank.integrations import langchain

    return langchain


@pytest.fixture
def llama_index():
    needs("llama_index.core", "llama-index")
    from moverank.integrations import llama_index

    return llama_index


# ---- LangChain -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [INDEX, WITHOUT_TERMS], ids=["terms", "no terms"])
def test_langchain_finds_what_the_index_finds(langchain, index):
    retriever = langchain.MoverankRetriever(index=index)
    found, hits = retriever.invoke(QUERY), index.search(QUERY)
    assert [d.id for d in found] == hits.ids
    assert [d.page_content for d in found] == [hit.text for hit in hits]
    assert [d.metadata["relevance_score"] for d in found] == [hit.similarity for hit in hits]
    assert [d.metadata["year"] for d in found] == [hit.payload["year"] for hit in hits]
    if index.lexical is None:
        assert set(found[0].metadata) == {"year", "relevance_score"}
    else:
        assert set(found[0].metadata) == {"year", "relevance_score", "fused_score"}
        assert [d.metadata["fused_score"] for d in found] == [hit.score for hit in hits]
    assert index.payload("b") == {"year": 2023}
    assert asyncio.run(retriever.ainvoke(QUERY)) == found
    assert asyncio.run(retriever.ainvoke(QUERY, k=1)) == found[:1]
    assert retriever.batch([QUERY, QUERY], k=2) == [found[:2]] * 2
    assert retriever.bind(k=1).invoke(QUERY) == found[:1]
    assert retriever.invoke("zzzqqq") == []


def test_langchain_finds_by_terms_what_has_no_vector(langchain):
    retriever = langchain.MoverankRetriever.from_texts([*TEXTS, "The zzzqqq sat."])
    (found,) = retriever.invoke("zzzqqq")
    assert (found.page_content, found.metadata["relevance_score"]) == ("The zzzqqq sat.", 0.0)
    assert found.metadata["fused_score"] > 0
    assert retriever.invoke("zzzqqq", min_similarity=0.1) == []


def test_langchain_passes_options_on(langchain):
    make = langchain.MoverankRetriever
    of_2024 = make(index=INDEX, k=2, where=("year >= ?", [2024]))
    assert [d.id for d in of_2024.invoke(QUERY)] == ["c"]
    assert {d.id for d in of_2024.invoke(QUERY, where=lambda payload: payload["year"] < 2024)} == {"a", "b"}
    assert [d.id for d in of_2024.invoke(QUERY, where=None)] == INDEX.search(QUERY, 2).ids
    for options in (
        {"k": 2, "candidates": 1},
        {"candidates": None},
        {"fusion": 0.1},
        {"fusion": mr.ranking.ReciprocalRanks()},
        {"fusion": 1, "min_similarity": 0.5},
    ):
        hits = INDEX.search(QUERY, **options)
        for found in (make(index=INDEX, **options).invoke(QUERY), make(index=INDEX).invoke(QUERY, **options)):
            assert [d.id for d in found] == hits.ids
            assert [d.metadata["relevance_score"] for d in found] == [hit.similarity for hit in hits]
            assert ("fused_score" in found[0].metadata) is (options.get("fusion") != 1)
    assert 0 < len(make(index=INDEX, min_similarity=0.5).invoke(QUERY)) < len(TEXTS)
    assert make(index=INDEX).invoke(QUERY, num_threads=1, timeout=9.0) == make(index=INDEX).invoke(QUERY)


def test_langchain_refuses_options_with_a_reason(langchain):
    make = langchain.MoverankRetriever
    for wrong, message in (
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"candidates": 0}, "candidates must be at least 1, got 0"),
        ({"min_similarity": np.nan}, "min_similarity must be finite"),
        ({"min_probability": 0.5}, "min_probability: the index is not calibrated"),
        ({"where": "year >"}, "where"),
        ({"where": 3}, "where"),
        ({"fusion": 2.0}, "2.0"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            make(index=INDEX, **wrong)
        with pytest.raises((TypeError, ValueError), match=message):
            make(index=INDEX).invoke(QUERY, **wrong)
    with pytest.raises(ValueError, match="fusion: expected none or 1"):
        make(index=WITHOUT_TERMS, fusion=0.5)
    with pytest.raises(TypeError, match="top_k"):
        make(index=INDEX).invoke(QUERY, top_k=3)
    for wrong in ({"top_k": 1}, {"text_field": "text"}, {"index": TEXTS}, {"index": INDEX.index}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            make(**{"index": INDEX, **wrong})
    with pytest.raises(ValueError, match="index: expected one that keeps its texts"):
        make(index=mr.TextIndex.create(store_texts=False))


def test_langchain_makes_an_index_of_documents(langchain):
    from langchain_core.documents import Document

    given = [
        Document(id=name, page_content=text, metadata={"year": year, "tags": ["x", {"y": None}]})
        for name, text, year in zip("abc", TEXTS, YEARS, strict=True)
    ]
    retriever = langchain.MoverankRetriever.from_documents(iter(given), k=2)
    found = retriever.invoke(QUERY)
    assert [d.id for d in found] == INDEX.search(QUERY, 2).ids
    assert found[0].metadata.pop("relevance_score") == INDEX.search(QUERY)[0].similarity
    assert found[0].metadata.pop("fused_score") == INDEX.search(QUERY)[0].score
    assert found[0] == given[1]
    assert given[1].metadata == {"year": 2023, "tags": ["x", {"y": None}]}
    assert [d.id for d in retriever.invoke(QUERY, where="tags->>0 = 'x'")] == [d.id for d in found]

    encoder = CallableEncoder(letters, name="letters")
    nameless = [Document(page_content=text) for text in TEXTS]
    retriever = langchain.MoverankRetriever.from_documents(
        nameless, encoder=encoder, measure="wmd", prefilter="HNSW4", dtype="float32", lexical=None, k=1, tags=["ours"]
    )
    assert (retriever.index.measure, retriever.tags) == (mr.wmd, ["ours"])
    assert [(d.id, d.metadata) for d in retriever.invoke(TEXTS[2])] == [("2", {"relevance_score": pytest.approx(1)})]
    assert retriever.invoke(TEXTS[0], candidates=1)[0].page_content == TEXTS[0]

    some = langchain.MoverankRetriever.from_documents([given[0], Document(page_content="A cat.")], lexical=None)
    assert "a" in some.index
    assert len(some.index) == 2
    assert langchain.MoverankRetriever.from_documents([]).invoke(QUERY) == []


def test_langchain_makes_an_index_of_texts(langchain):
    make = langchain.MoverankRetriever.from_texts
    retriever = make(iter(TEXTS), [{"year": year} for year in YEARS], ids=["a", "b", "c"])
    assert retriever.invoke(QUERY) == langchain.MoverankRetriever(index=INDEX).invoke(QUERY)
    assert list(make(TEXTS, lexical=None).index) == [0, 1, 2]
    with pytest.raises(ValueError, match="metadatas: expected 3, one per text, got 1"):
        make(TEXTS, [{}])
    with pytest.raises(ValueError, match="ids: expected 3, one per text, got 1"):
        make(TEXTS, ids=["a"])
    with pytest.raises(TypeError, match="texts: expected a list of strings, got str"):
        make("text")


def test_langchain_finds_passages(langchain):
    retriever = langchain.MoverankRetriever.from_texts([LONG], [{"passage": "theirs"}], passages=mr.Passages(6, 0), k=1)
    (found,), (hit,) = retriever.invoke(QUERY), retriever.index.search(QUERY, 1)
    assert found.page_content == hit.text
    assert "cat" in hit.text != LONG
    begin, end = found.metadata["passage"]
    assert (begin, end) == hit.passage
    assert LONG[begin:end] == found.page_content


def test_langchain_returns_any_payload_and_a_probability(langchain):
    index = mr.TextIndex.create(lexical=None)
    index.add(TEXTS, payloads=[["x"], None, {"year": 1}])
    found = {d.id: d.metadata for d in langchain.MoverankRetriever(index=index).invoke(QUERY)}
    assert [set(found[id]) for id in "012"] == [
        {"payload", "relevance_score"},
        {"relevance_score"},
        {"year", "relevance_score"},
    ]
    needs("sklearn", "sklearn")
    index.calibrate([QUERY, "a dog and the moon"], [[1], [2]])
    hits = index.search(QUERY)
    sure = langchain.MoverankRetriever(index=index, min_probability=hits[0].probability)
    assert [d.metadata["probability"] for d in sure.invoke(QUERY)] == [hits[0].probability]


def test_langchain_keeps_an_index_in_a_folder(langchain, tmp_path):
    make = langchain.MoverankRetriever.from_texts
    with pytest.raises(NoTokensError):
        make(["zzzqqq"], path=tmp_path / "broken")
    mr.TextIndex.open(tmp_path / "broken", writable=True).close()  # it was left without a lock
    retriever = make(TEXTS, path=tmp_path / "index", ids=["a", "b", "c"])
    found = retriever.invoke(QUERY)
    with mr.TextIndex.open(tmp_path / "index") as opened:
        assert langchain.MoverankRetriever(index=opened).invoke(QUERY) == found
    with pytest.raises(IndexExistsError):
        make(TEXTS, path=tmp_path / "index")
    retriever.index.add(["My cat is here."], ["new"])
    assert "new" in {d.id for d in retriever.invoke(QUERY, k=2)}
    retriever.index.close()


def test_langchain_copies_and_pickles_retrievers(langchain):
    retriever = langchain.MoverankRetriever(index=INDEX, k=2, where="year > 2022", fusion=0.4)
    found = retriever.invoke(QUERY)
    copies = [copy.copy(retriever), copy.deepcopy(retriever), pickle.loads(pickle.dumps(retriever))]
    for other in (*copies, retriever.model_copy(), retriever.with_config(tags=["x"])):
        assert other.invoke(QUERY) == found
    assert retriever.model_copy(update={"k": 1}).invoke(QUERY) == found[:1]


def test_langchain_refuses_documents_with_a_reason(langchain):
    from langchain_core.documents import Document

    build = langchain.MoverankRetriever.from_documents
    some = [Document(id="x", page_content="zzzqqq"), Document(id="y", page_content="cat", metadata={"text": "dog"})]
    with pytest.raises(NoTokensError, match=r"text 0 \(id 'x'\) has no word with a vector"):
        build(some)
    (kept,) = build(some, unknown="skip").invoke("cat")
    assert (kept.id, kept.page_content, kept.metadata["text"]) == ("y", "cat", "dog")
    with pytest.raises(DuplicateIdError, match="'y'"):
        build([some[1], some[1]])
    with pytest.raises(TypeError, match="documents: expected Document objects, got str at position 0"):
        build(TEXTS)
    with pytest.raises(ValueError, match="nprobe"):
        build(some[1:], nprobe=3)
    with pytest.raises(ValueError, match="unknown must be"):
        build(some, unknown="keep")
    with pytest.raises(ValueError, match="k must be at least 1"):
        build(some, k=0)  # before texts are encoded
    with pytest.raises(TypeError, match="JSON"):
        build([Document(page_content="cat", metadata={"of": object()})])


#: LangChain's tests, as the project of a retriever and a vector store has to write them.
STANDARD = """
import numpy as np
import pytest
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests

import moverank as mr
from moverank.integrations.langchain import MoverankRetriever, MoverankVectorStore

INDEX = mr.TextIndex.create()
INDEX.add(["Stocks fell.", "The cat sat.", "A dog barked.", "A cat and a dog"])

def letters(texts):
    table = np.random.default_rng(3).normal(size=(128, 8))
    return [(list(text), table[[ord(letter) for letter in text]]) for text in texts]

class TestRetriever(RetrieversIntegrationTests):
    retriever_constructor = MoverankRetriever
    retriever_constructor_params = {"index": INDEX}
    retriever_query_example = "cat"

class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture(params=[None, "english"])
    def vectorstore(self, request):
        encoder = mr.encoders.CallableEncoder(letters, name="letters")
        return MoverankVectorStore(mr.TextIndex.create(encoder=encoder, lexical=request.param))
"""


@pytest.mark.slow(reason="a process")
def test_langchains_own_tests_pass(langchain, tmp_path):
    pytest.importorskip("langchain_tests", reason="langchain_tests is not installed: pip install langchain-tests")
    (tmp_path / "test_ours.py").write_text(STANDARD)
    # In a process of its own, as they need plugins of pytest with which our own settings do not agree.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-o",
        "asyncio_mode=auto",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert re.search(r"^[5-9][0-9] passed", ran.stdout, flags=re.MULTILINE), ran.stdout


# ---- LangChain's vector store --------------------------------------------------------------------------------------


def test_a_vector_store_finds_what_the_index_finds(langchain):
    store = langchain.MoverankVectorStore(INDEX)
    hits = INDEX.search(QUERY, 2)
    found = store.similarity_search(QUERY, 2)
    assert [(d.id, d.page_content, d.metadata) for d in found] == [(hit.id, hit.text, hit.payload) for hit in hits]
    assert len(store.similarity_search(QUERY)) == 3
    scored = [(document, hit.similarity) for document, hit in zip(found, hits, strict=True)]
    assert store.similarity_search_with_score(QUERY, k=2) == scored
    assert store.similarity_search_with_relevance_scores(QUERY, k=2) == scored
    assert asyncio.run(store.asimilarity_search_with_relevance_scores(QUERY, k=2)) == scored
    assert store.similarity_search("zzzqqq") == []
    for options in ({"where": "year > 2022"}, {"fusion": 0.1, "candidates": None}, {"min_similarity": 0.5}):
        ids = INDEX.search(QUERY, **options).ids
        assert [d.id for d in store.similarity_search(QUERY, 10, **options)] == ids
        retriever = store.as_retriever(search_kwargs={"k": 10, **options})
        assert [d.id for d in retriever.invoke(QUERY)] == [d.id for d in asyncio.run(retriever.ainvoke(QUERY))] == ids
    sure = store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.5})
    assert [d.id for d in sure.invoke(QUERY)] == INDEX.search(QUERY, min_similarity=0.5).ids
    assert [d.id for d in pickle.loads(pickle.dumps(store)).similarity_search(QUERY, 2)] == hits.ids
    with pytest.raises(ValueError, match="k must be at least 1"):
        store.similarity_search(QUERY, 0)
    with pytest.raises(TypeError, match="filter"):
        store.similarity_search(QUERY, filter={"year": 2023})
    with pytest.raises(TypeError, match="index: expected a TextIndex, got Index"):
        langchain.MoverankVectorStore(INDEX.index)


def test_a_vector_store_is_made_of_texts_or_documents(langchain, tmp_path):
    from langchain_core.documents import Document

    make = langchain.MoverankVectorStore
    store = make.from_texts(TEXTS, CallableEncoder(letters, name="letters"), ids=["a", "b", "c"], lexical=None)
    assert store.similarity_search(TEXTS[2], 1)[0].id == "c"
    documents = [Document(id="a", page_content=TEXTS[0], metadata={"year": 1}), Document(page_content=TEXTS[1])]
    store = make.from_documents(iter(documents), path=tmp_path / "index", passages=mr.Passages(6, 0))
    (other,) = set(store.index) - {"a"}
    assert [d.id for d in store.similarity_search(QUERY, 2)] == [other, "a"]
    assert store.similarity_search(QUERY, 1)[0].metadata == {"passage": [0, len(TEXTS[1])]}
    assert store.get_by_ids([other, "a"]) == [documents[1].model_copy(update={"id": other}), documents[0]]
    later = asyncio.run(make.afrom_texts(TEXTS, None, [{"year": year} for year in YEARS], ids=["a", "b", "c"]))
    assert later.similarity_search_with_score(QUERY) == make(INDEX).similarity_search_with_score(QUERY)
    with pytest.raises(IndexExistsError):
        make.from_texts(TEXTS, path=tmp_path / "index")
    with pytest.raises(TypeError, match="nprobe"):
        make.from_texts(TEXTS, nprobe=3)
    with pytest.raises(ValueError, match="metadatas: expected 3"):
        make.from_texts(TEXTS, metadatas=[{}])
    with pytest.raises(NoTokensError):
        make.from_texts(["zzzqqq"])
    store.index.close()
    with mr.TextIndex.open(tmp_path / "index") as opened, pytest.raises(ReadOnlyIndexError):
        make(opened).delete(["a"])


def test_a_vector_store_changes_with_its_documents(langchain):
    from langchain_core.documents import Document

    store = langchain.MoverankVectorStore(mr.TextIndex.create())
    first, second = store.add_texts(TEXTS[:2], [{"year": 1}, {"year": 2}])
    assert {first, second} == set(store.index)
    assert store.add_documents([Document(id=first, page_content=TEXTS[2])], batch_size=1) == [first]
    assert store.get_by_ids([second, "absent", first]) == [
        Document(id=second, page_content=TEXTS[1], metadata={"year": 2}),
        Document(id=first, page_content=TEXTS[2]),
    ]
    more = [Document(id=str(n), page_content=f"number {n}") for n in range(5)]
    assert store.add_documents(more, ids=[*"vwxyz"], batch_size=2) == [*"vwxyz"]
    assert store.add_documents([Document(page_content="zzzqqq"), more[0]], unknown="skip") == ["0"]
    assert store.delete(["v", "v", "absent", second]) is True
    assert set(store.index) == {first, "0", *"wxyz"}
    store.delete()
    assert len(store.index) == 0
    assert store.similarity_search(QUERY) == []
    store.delete()
    for wrong, error, message in (
        ({"ids": ["a"]}, ValueError, "ids: expected 5, one per document, got 1"),
        ({"ids": ["a"] * 5}, DuplicateIdError, "'a'"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"unknown": "keep"}, ValueError, "unknown"),
        ({"overwrite": True}, TypeError, "overwrite"),
    ):
        with pytest.raises(error, match=message):
            store.add_documents(more, **wrong)
    with pytest.raises(TypeError, match="documents: expected Document objects, got str"):
        store.add_documents(TEXTS)
    assert len(store.index) == 0


def test_a_vector_store_takes_an_index_whose_ids_are_integers(langchain):
    from langchain_core.documents import Document

    index = mr.TextIndex.create(lexical=None)
    index.add(TEXTS[:2], [7, -1])
    store = langchain.MoverankVectorStore(index)
    assert store.add_texts([TEXTS[2]]) == ["8"]
    assert store.add_texts(["My cat."], ids=["7"]) == ["7"]
    assert [d.page_content for d in store.get_by_ids(["7", "-1", "07", "x", "8", "9" * 5000])] == [
        "My cat.",
        TEXTS[1],
        TEXTS[2],
    ]
    store.delete(["-1", "07", "x"])
    assert list(index) == [8, 7]
    with pytest.raises(TypeError, match="ids: expected int, the type of ids in this index, got str"):
        store.add_documents([Document(id="x", page_content="cat")])


def test_langchains_own_index_keeps_a_vector_store_in_step(langchain):
    from langchain_core.documents import Document
    from langchain_core.indexing import InMemoryRecordManager, index

    store = langchain.MoverankVectorStore(mr.TextIndex.create())
    records = InMemoryRecordManager("moverank")
    records.create_schema()

    def step(*texts):
        documents = [Document(page_content=text, metadata={"source": text}) for text in texts]
        done = index(documents, records, store, cleanup="full", batch_size=2, key_encoder="sha256")
        return done["num_added"], done["num_skipped"], done["num_deleted"]

    assert step(*TEXTS) == (3, 0, 0)
    assert step(TEXTS[0], TEXTS[1], "A new cat.") == (1, 2, 1)
    assert {store.index.text(id) for id in store.index} == {TEXTS[0], TEXTS[1], "A new cat."}


# ---- LlamaIndex ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [INDEX, WITHOUT_TERMS], ids=["terms", "no terms"])
def test_llama_index_finds_what_the_index_finds(llama_index, index):
    from llama_index.core.postprocessor import SimilarityPostprocessor
    from llama_index.core.schema import NodeWithScore, QueryBundle

    retriever = llama_index.MoverankRetriever(index)
    found, hits = retriever.retrieve(QUERY), index.search(QUERY)
    assert all(isinstance(node, NodeWithScore) for node in found)
    assert [node.node_id for node in found] == hits.ids
    assert [node.text for node in found] == [hit.text for hit in hits]
    assert [node.score for node in found] == [hit.similarity for hit in hits]
    assert [node.metadata for node in found] == [{"year": hit.payload["year"]} for hit in hits]
    assert retriever.retrieve(QueryBundle(QUERY)) == found
    assert asyncio.run(retriever.aretrieve(QUERY)) == found
    assert retriever.retrieve("zzzqqq") == []
    assert retriever.index is index
    kept = SimilarityPostprocessor(similarity_cutoff=0.5).postprocess_nodes(found)
    assert [node.node_id for node in kept] == index.search(QUERY, min_similarity=0.5).ids


def test_llama_index_passes_options_on(llama_index):
    make = llama_index.MoverankRetriever
    assert [node.node_id for node in make(INDEX, where="year > 2023").retrieve(QUERY)] == ["c"]
    for options in (
        {"k": 2, "candidates": 1},
        {"candidates": None, "fusion": 0.1},
        {"fusion": mr.ranking.ReciprocalRanks()},
        {"min_similarity": 0.5},
    ):
        ours = {"similarity_top_k" if name == "k" else name: value for name, value in options.items()}
        found = make(INDEX, **ours, verbose=True).retrieve(QUERY)
        assert [node.node_id for node in found] == INDEX.search(QUERY, **options).ids
    for wrong, message in (
        ({"similarity_top_k": 0}, "similarity_top_k must be at least 1, got 0"),
        ({"candidates": 0}, "candidates must be at least 1, got 0"),
        ({"min_similarity": np.nan}, "min_similarity must be finite"),
        ({"min_probability": 0.5}, "min_probability: the index is not calibrated"),
        ({"where": "year >"}, "where"),
        ({"fusion": 2.0}, "2.0"),
        ({"top_n": 3}, "top_n"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            make(INDEX, **wrong)
    for wrong in (TEXTS, INDEX.index):
        with pytest.raises(TypeError, match=f"index: expected a TextIndex, got {type(wrong).__name__}"):
            make(wrong)
    with pytest.raises(ValueError, match="index: expected one that keeps its texts"):
        make(mr.TextIndex.create(store_texts=False))


def test_llama_index_gets_its_nodes_back(llama_index, tmp_path):
    from llama_index.core.schema import IndexNode, NodeRelationship, RelatedNodeInfo, TextNode

    nodes = [
        TextNode(id_=name, text=text, metadata={"year": year}, excluded_embed_metadata_keys=["year"])
        for name, text, year in zip("abc", TEXTS, YEARS, strict=True)
    ]
    nodes[1].relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="whole")
    first = llama_index.MoverankRetriever.from_nodes(
        iter(nodes), similarity_top_k=2, num_threads=1, path=tmp_path / "index"
    )
    opened = llama_index.MoverankRetriever(mr.TextIndex.open(tmp_path / "index"), similarity_top_k=2)
    hits = INDEX.search(QUERY, 2)
    for retriever in (first, opened):
        found = retriever.retrieve(QUERY)
        assert [(node.node_id, node.score) for node in found] == [(hit.id, hit.similarity) for hit in hits]
        assert found[0].node == nodes[1]
        assert found[0].node.ref_doc_id == "whole"
    years = llama_index.MoverankRetriever(first.index, where="year = 2024")
    assert [node.node_id for node in years.retrieve(QUERY)] == ["c"]

    # Metadata that embeddings see are compared too, and nodes that stand for another object lead to it.
    titled = [TextNode(text="It sat.", metadata={"title": "cat"}), TextNode(text="It sat.", metadata={"title": "tax"})]
    for lexical in (None, "english"):
        retriever = llama_index.MoverankRetriever.from_nodes(titled, lexical=lexical)
        assert retriever.retrieve("cat")[0].node == titled[0]
    bare = TextNode(text="", metadata={"title": "cat"})
    assert llama_index.MoverankRetriever.from_nodes([bare]).retrieve("cat")[0].node == bare
    leads = IndexNode(text="cats", index_id="of cats", obj=None)
    retriever = llama_index.MoverankRetriever.from_nodes([leads])
    retriever.object_map["of cats"] = TextNode(text="All about cats.")
    assert retriever.retrieve("cat")[0].text == "All about cats."


def test_llama_index_finds_passages(llama_index):
    from llama_index.core.schema import TextNode

    node = TextNode(id_="x", text=LONG, metadata={"title": "zzzqqq"}, start_char_idx=100, end_char_idx=100 + len(LONG))
    retriever = llama_index.MoverankRetriever.from_nodes([node], passages=mr.Passages(6, 0))
    (found,) = retriever.retrieve(QUERY)
    text = retriever.index.search(QUERY)[0].text
    assert "cat" in text != LONG
    assert (found.node_id, found.text, found.metadata) == ("x", text, node.metadata)
    begin, end = found.node.start_char_idx, found.node.end_char_idx
    assert LONG[begin - 100 : end - 100] == found.text
    plain = mr.TextIndex.create(passages=mr.Passages(6, 0))
    plain.add([LONG], ["x"])
    (found,) = llama_index.MoverankRetriever(plain).retrieve(QUERY)
    assert LONG[found.node.start_char_idx : found.node.end_char_idx] == found.text == text


def test_llama_index_inserts_and_deletes_nodes(llama_index):
    from llama_index.core.schema import TextNode

    retriever = llama_index.MoverankRetriever(mr.TextIndex.create())
    assert retriever.retrieve("cat") == []
    retriever.insert_nodes([TextNode(id_="x", text="A dog barked."), TextNode(id_="y", text="Stocks fell.")])
    retriever.insert_nodes(iter([TextNode(id_="x", text="A cat sat.", metadata={"year": 2024})]))
    assert len(retriever.index) == 2
    found = retriever.retrieve("cat")[0]
    assert (found.text, found.metadata) == ("A cat sat.", {"year": 2024})
    retriever.delete_nodes(["x"])
    assert [node.node_id for node in retriever.retrieve("cat")] == ["y"]
    with pytest.raises(UnknownIdError, match="'x'"):
        retriever.delete_nodes(["x"])
    with pytest.raises(DuplicateIdError):
        retriever.insert_nodes([TextNode(id_="z", text="cat"), TextNode(id_="z", text="dog")])


def test_llama_index_refuses_nodes_with_a_reason(llama_index):
    from llama_index.core.schema import TextNode

    build = llama_index.MoverankRetriever.from_nodes
    some = [TextNode(id_="x", text="zzzqqq"), TextNode(id_="y", text="cat", metadata={"text": "dog"})]
    with pytest.raises(NoTokensError, match=r"text 0 \(id 'x'\) has no word with a vector"):
        build(some)
    (kept,) = build(some, unknown="skip").retrieve("cat")
    assert kept.node == some[1]
    with pytest.raises(ValueError, match="similarity_top_k must be at least 1"):
        build(some, similarity_top_k=0)  # before texts are encoded
    with pytest.raises(TypeError, match="nprobe"):
        build(some, nprobe=3)
    with pytest.raises(TypeError, match="nodes: expected BaseNode objects, got str at position 0"):
        build(TEXTS)


def test_what_terms_need_is_named_with_what_does_without(langchain, llama_index, monkeypatch):
    from llama_index.core.schema import TextNode

    monkeypatch.setitem(sys.modules, "tantivy", None)
    message = r"tantivy is not installed: pip install 'moverank\[lexical\]', or search without terms: lexical=None"
    with pytest.raises(ImportError, match=message):
        langchain.MoverankRetriever.from_texts(TEXTS)
    with pytest.raises(ImportError, match=message):
        llama_index.MoverankRetriever.from_nodes([TextNode(text="cat")])
    assert langchain.MoverankRetriever.from_texts(TEXTS, lexical=None).invoke(QUERY)


def test_langchain_store_takes_as_many_ids_as_texts(langchain):
    store = langchain.MoverankVectorStore(mr.TextIndex.create(lexical=None))
    for wrong in ({"ids": ["q"]}, {"metadatas": [{}]}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected 2, one per text, got 1"):
            store.add_texts(["king", "queen"], **wrong)
    assert len(store.add_texts(["king", "queen"])) == 2
    assert store.add_texts(["a cat"], [{"n": 1}], ids=["c"]) == ["c"]
    assert store.get_by_ids(["c"])[0].metadata["n"] == 1
