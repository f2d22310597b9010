"""Retrievers of frameworks over an index: each framework's own objects and runners, and its own tests if it has any."""

import asyncio
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import CallableEncoder, WordVectors
from moverank.errors import EncoderMismatchError, NoTokensError
from moverank.ranking import DEFAULT_MEASURE, Reranker

#: The frameworks warn of their own old ways.
pytestmark = pytest.mark.filterwarnings("ignore")

QUERY = "where is the cat"
TEXTS = ["Stocks fell sharply on Tuesday.", "The cat sat on the mat.", "A dog barked at the moon."]
YEARS = [2022, 2023, 2024]
ENCODER = WordVectors.default()
INDEX = mr.Index.build(
    ENCODER.bags(TEXTS),
    DEFAULT_MEASURE,
    ids=["a", "b", "c"],
    payloads=[{"text": text, "year": year} for text, year in zip(TEXTS, YEARS, strict=True)],
    encoder=ENCODER,
)
HITS = INDEX.search(ENCODER.bags([QUERY]), 3)


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


def test_langchain_finds_what_the_index_finds(langchain):
    retriever = langchain.MoverankRetriever(index=INDEX)
    found = retriever.invoke(QUERY)
    assert [d.id for d in found] == HITS.ids.tolist()
    assert [d.page_content for d in found] == [hit.payload["text"] for hit in HITS]
    assert [d.metadata["relevance_score"] for d in found] == pytest.approx(HITS.similarities)
    assert [d.metadata["year"] for d in found] == [hit.payload["year"] for hit in HITS]
    assert set(found[0].metadata) == {"year", "relevance_score"}
    assert INDEX.payload("b") == {"text": TEXTS[1], "year": 2023}
    assert asyncio.run(retriever.ainvoke(QUERY)) == found
    assert asyncio.run(retriever.ainvoke(QUERY, k=1)) == found[:1]
    assert retriever.batch([QUERY, QUERY], k=2) == [found[:2]] * 2
    assert retriever.bind(k=1).invoke(QUERY) == found[:1]
    assert retriever.invoke("zzzqqq") == []


def test_langchain_passes_options_on(langchain):
    of_2024 = langchain.MoverankRetriever(index=INDEX, k=2, where=("year >= ?", [2024]))
    assert [d.id for d in of_2024.invoke(QUERY)] == ["c"]
    assert {d.id for d in of_2024.invoke(QUERY, where=lambda payload: payload["year"] < 2024)} == {"a", "b"}
    retriever = langchain.MoverankRetriever(index=INDEX, k=2, candidates=2)
    assert [d.id for d in retriever.invoke(QUERY)] == HITS.ids.tolist()[:2]
    for options, message in (
        ({"k": 3}, "candidates must be at least k = 3, got 2"),
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"candidates": 1}, "candidates must be at least k = 2, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            retriever.invoke(QUERY, **options)
    with pytest.raises(TypeError, match="top_k"):
        retriever.invoke(QUERY, top_k=3)
    for wrong in ({"k": 0}, {"candidates": 0}, {"top_k": 1}, {"index": TEXTS}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            langchain.MoverankRetriever(**{"index": INDEX, **wrong})
    other = Reranker(WordVectors(["cat"], np.eye(1, ENCODER.dim)))
    with pytest.raises(EncoderMismatchError):
        langchain.MoverankRetriever(index=INDEX, reranker=other).invoke(QUERY)


def test_langchain_builds_an_index_of_documents(langchain):
    from langchain_core.documents import Document

    given = [
        Document(id=name, page_content=text, metadata={"year": year, "tags": ["x", {"y": None}]})
        for name, text, year in zip("abc", TEXTS, YEARS, strict=True)
    ]
    retriever = langchain.MoverankRetriever.from_documents(iter(given), k=2)
    found = retriever.invoke(QUERY)
    assert retriever.index.is_of_bags
    assert [d.id for d in found] == HITS.ids.tolist()[:2]
    score = found[0].metadata.pop("relevance_score")
    assert score == pytest.approx(HITS.similarities[0], abs=1e-6)
    assert found[0] == given[1]
    assert given[1].metadata == {"year": 2023, "tags": ["x", {"y": None}]}

    encoder = CallableEncoder(letters, name="letters")
    nameless = [Document(page_content=text) for text in TEXTS]
    retriever = langchain.MoverankRetriever.from_documents(nameless, encoder, measure="wmd", prefilter="HNSW4", k=1)
    assert retriever.index.measure == mr.wmd
    assert [(d.id, d.metadata) for d in retriever.invoke(TEXTS[2])] == [("2", {"relevance_score": pytest.approx(1)})]
    assert retriever.invoke(TEXTS[0], candidates=1)[0].page_content == TEXTS[0]


def test_langchain_refuses_documents_with_a_reason(langchain):
    from langchain_core.documents import Document

    build = langchain.MoverankRetriever.from_documents
    with pytest.raises(ValueError, match="documents: 1 of 2 have an id; give ids to all or to none"):
        build([Document(id="a", page_content="cat"), Document(page_content="dog")])
    with pytest.raises(ValueError, match=r"document 0: its metadata has a field 'text'.*give another text_field"):
        build([Document(page_content="cat", metadata={"text": "dog"})])
    other = build([Document(page_content="cat", metadata={"text": "dog"})], text_field="content").invoke("cat")[0]
    assert (other.page_content, other.metadata["text"]) == ("cat", "dog")
    some = [Document(id="x", page_content="zzzqqq"), Document(id="y", page_content="cat")]
    with pytest.raises(NoTokensError, match="text 0 has no"):
        build(some)
    assert [d.id for d in build(some, skip_empty=True).invoke("cat")] == ["y"]
    with pytest.raises(NoTokensError, match="no text"):
        build([])
    with pytest.raises(TypeError, match="documents: expected Document objects, got str at position 0"):
        build(TEXTS)
    with pytest.raises(TypeError, match="nprobe"):
        build(some[1:], nprobe=3)
    with pytest.raises(ValueError, match="candidates must be at least k = 10, got 3"):
        build(some, candidates=3)
    for payloads in (None, [{"title": "x"}], [{"text": 1}]):
        index = mr.Index.build(ENCODER.bags(["cat"]), ids=["only"], payloads=payloads)
        with pytest.raises(ValueError, match="index: document 'only' has no text in its payload"):
            langchain.MoverankRetriever(index=index).invoke("cat")
    index = mr.Index.build(ENCODER.bags(["cat"]), payloads=["a text alone"])
    assert langchain.MoverankRetriever(index=index).invoke("cat")[0].page_content == "a text alone"


#: LangChain's tests, as a retriever's own project has to write them.
STANDARD = """
from langchain_tests.integration_tests import RetrieversIntegrationTests

import moverank as mr
from moverank.integrations.langchain import MoverankRetriever

ENCODER = mr.encoders.WordVectors.default()
TEXTS = ["Stocks fell.", "The cat sat.", "A dog barked.", "A cat and a dog"]

class TestOurs(RetrieversIntegrationTests):
    retriever_constructor = MoverankRetriever
    retriever_constructor_params = {"index": mr.Index.build(ENCODER.bags(TEXTS), payloads=TEXTS, encoder=ENCODER)}
    retriever_query_example = "cat"
"""


@pytest.mark.slow(reason="a process")
def test_langchains_own_tests_of_retrievers_pass(langchain, tmp_path):
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
    assert re.search(r"^[5-9] passed", ran.stdout, flags=re.MULTILINE), ran.stdout


def test_llama_index_finds_what_the_index_finds(llama_index):
    from llama_index.core.schema import NodeWithScore, QueryBundle

    retriever = llama_index.MoverankRetriever(INDEX)
    found = retriever.retrieve(QUERY)
    assert all(isinstance(node, NodeWithScore) for node in found)
    assert [node.node_id for node in found] == HITS.ids.tolist()
    assert [node.text for node in found] == [hit.payload["text"] for hit in HITS]
    assert [node.score for node in found] == pytest.approx(HITS.similarities)
    assert [node.metadata for node in found] == [{"year": hit.payload["year"]} for hit in HITS]
    assert retriever.retrieve(QueryBundle(QUERY)) == found
    assert asyncio.run(retriever.aretrieve(QUERY)) == found
    assert retriever.retrieve("zzzqqq") == []
    assert retriever.index is INDEX


def test_llama_index_passes_options_on(llama_index):
    make = llama_index.MoverankRetriever
    assert [node.node_id for node in make(INDEX, where="year > 2023").retrieve(QUERY)] == ["c"]
    few = make(INDEX, Reranker(), similarity_top_k=2, candidates=2, verbose=True)
    assert [node.node_id for node in few.retrieve(QUERY)] == HITS.ids.tolist()[:2]
    with pytest.raises(ValueError, match="similarity_top_k must be at least 1, got 0"):
        make(INDEX, similarity_top_k=0)
    with pytest.raises(ValueError, match="candidates must be at least similarity_top_k = 10, got 2"):
        make(INDEX, candidates=2)
    with pytest.raises(TypeError, match="index: expected a moverank Index, got list"):
        make(TEXTS)
    with pytest.raises(TypeError, match="top_n"):
        make(INDEX, top_n=3)


def test_llama_index_gets_its_nodes_back(llama_index, tmp_path):
    from llama_index.core.schema import IndexNode, NodeRelationship, RelatedNodeInfo, TextNode

    nodes = [
        TextNode(id_=name, text=text, metadata={"year": year}, excluded_embed_metadata_keys=["year"])
        for name, text, year in zip("abc", TEXTS, YEARS, strict=True)
    ]
    nodes[1].relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="whole")
    made = llama_index.MoverankRetriever.from_nodes(iter(nodes), similarity_top_k=2, num_threads=1)
    made.index.save(tmp_path / "index")
    opened = llama_index.MoverankRetriever(mr.Index.open(tmp_path / "index"), similarity_top_k=2)
    for retriever in (made, opened):
        found = retriever.retrieve(QUERY)
        assert [node.node_id for node in found] == HITS.ids.tolist()[:2]
        assert found[0].node == nodes[1]
        assert found[0].node.ref_doc_id == "whole"
        assert found[0].score == pytest.approx(HITS.similarities[0], abs=1e-3)
    years = llama_index.MoverankRetriever(made.index, where="year = 2024")
    assert [node.node_id for node in years.retrieve(QUERY)] == ["c"]

    # Metadata that embeddings see are compared too, and nodes that stand for another object lead to it.
    titled = [TextNode(text="It sat.", metadata={"title": "cat"}), TextNode(text="It sat.", metadata={"title": "tax"})]
    assert llama_index.MoverankRetriever.from_nodes(titled).retrieve("cat")[0].node == titled[0]
    leads = IndexNode(text="cats", index_id="of cats", obj=None)
    retriever = llama_index.MoverankRetriever.from_nodes([leads])
    retriever.object_map["of cats"] = TextNode(text="All about cats.")
    assert retriever.retrieve("cat")[0].text == "All about cats."


def test_llama_index_refuses_nodes_with_a_reason(llama_index):
    from llama_index.core.schema import TextNode

    build = llama_index.MoverankRetriever.from_nodes
    some = [TextNode(id_="x", text="zzzqqq"), TextNode(id_="y", text="cat")]
    with pytest.raises(NoTokensError, match="text 0 has no"):
        build(some)
    assert [node.node_id for node in build(some, skip_empty=True).retrieve("cat")] == ["y"]
    known = TextNode(id_="z", text="cat", metadata={"text": "dog"})
    with pytest.raises(ValueError, match=r"nodes: node 'z': its metadata has a field 'text'"):
        build([known])
    assert build([known], text_field="content").retrieve("cat")[0].node == known
    with pytest.raises(ValueError, match="similarity_top_k must be at least 1"):
        build(some, similarity_top_k=0)
    with pytest.raises(TypeError, match="nodes: expected BaseNode objects, got str at position 0"):
        build(TEXTS)


def test_candidates_of_a_ranking_are_a_budget():
    encoder = CallableEncoder(letters, name="letters")
    texts = [f"text number {n}" for n in range(40)]
    index = mr.Index.build(encoder.encode(texts).sequences, "wrd", payloads=texts, encoder=encoder)
    ranker = Reranker(encoder)
    ranking = ranker.rank("text number 7", index, top_k=2, candidates=5)
    hits = index.search(encoder.encode_queries(["text number 7"]).sequences, 2, candidates=5)
    assert ranking.doc_ids == hits.ids.tolist()
    assert (ranking.stats.exact_solves, ranking.certificate) == (hits.stats.exact_solves, hits.certificate)
    assert ranker.rank("text number 7", index, top_k=2).certificate.exact
    with pytest.raises(ValueError, match="candidates: applies to an index, but these documents are texts"):
        ranker.rank("text", texts, candidates=5)
    with pytest.raises(ValueError, match="candidates: cannot be combined with doc_ids"):
        ranker.rank("text", index, doc_ids=[1], candidates=5)
    with pytest.raises(TypeError, match="candidates must be an integer"):
        ranker.rank("text", index, candidates=5.0)
