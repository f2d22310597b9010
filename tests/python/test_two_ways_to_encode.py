"""Encoders that take queries in one way and documents in another: each side in its own, on every road."""

import json

import numpy as np
import pytest

import moverank as mr
from moverank.cli import main
from moverank.encoders import CallableEncoder, OnnxEncoder, SentenceTransformerEncoder, WordVectors
from moverank.encoders.encoded import EncodedText, gathered
from tiny_models import save_model, save_tokenizer

WORDS = ("cat", "dog", "sat", "mat")
TEXTS = ["dog mat", "cat sat", "sat mat dog"]
#: Queries live in the first axes, documents have them reversed: only a query taken as one meets its own words.
TABLE = np.eye(4)


class TwoWays:
    """For neither side `encode` gives what can be compared."""

    def _encode(self, texts, table, skip_empty):
        tokens = [[word for word in text.split() if word in WORDS] for text in texts]
        rows = [[WORDS.index(word) for word in own] for own in tokens]
        vectors = [EncodedText(own, table[places]) for own, places in zip(tokens, rows, strict=True)]
        return gathered(texts, vectors, skip_empty=skip_empty)

    def encode(self, texts, *, skip_empty=False, progress=None):
        return self._encode(texts, np.roll(TABLE, 1, axis=1), skip_empty)

    def encode_documents(self, texts, *, skip_empty=False, progress=None):
        return self._encode(texts, TABLE, skip_empty)

    def encode_queries(self, texts, *, skip_empty=False, progress=None):
        return self._encode(texts, TABLE * 2, skip_empty)


def of_functions():
    def way(table):
        return lambda texts: [(text.split(), table[[WORDS.index(word) for word in text.split()]]) for text in texts]

    mirrored = TABLE[::-1]
    return CallableEncoder(way(TABLE @ mirrored), lambda texts: [(t, v @ mirrored) for t, v in way(TABLE)(texts)])


@pytest.mark.parametrize("encoder", [TwoWays(), of_functions()], ids=["methods", "functions"])
@pytest.mark.parametrize("space", [False, True])
def test_rerankers_and_indexes_take_each_side_in_its_way(encoder, space):
    ours = mr.fit(encoder, TEXTS, ["unit-norm"]) if space else None
    ranking = mr.Reranker(encoder if ours is None else ours.over(encoder), "wrd").rank("cat sat", TEXTS)
    assert ranking.doc_ids[0] == 1
    assert ranking[0].distance == pytest.approx(0, abs=1e-6)
    assert ranking[0].explain().value == pytest.approx(0, abs=1e-6)
    documents = mr.encoders.encode_documents(encoder if ours is None else ours.over(encoder), TEXTS)
    index = mr.Index.build(documents.sequences, "wrd", payloads=TEXTS, space=ours)
    hits = mr.Reranker(encoder).rank("cat sat", index)
    assert [hit.distance for hit in hits] == pytest.approx([hit.distance for hit in ranking], abs=1e-6)
    assert hits[0].explain().target_tokens == ("cat", "sat")


def test_a_space_is_learnt_from_documents():
    centre = mr.fit(TwoWays(), TEXTS, ["centring"])
    expected = mr.fit(CallableEncoder(lambda texts: [TABLE[[WORDS.index(w) for w in t.split()]] for t in texts]),
                      TEXTS, ["centring"])  # fmt: skip
    np.testing.assert_array_equal(centre.steps[0].shift, expected.steps[0].shift)


def test_words_that_are_encoded_in_two_ways_are_no_bags():
    class Mine(WordVectors):
        def encode_documents(self, texts, *, skip_empty=False, progress=None):
            return super().encode([text + " mat" for text in texts], skip_empty=skip_empty)

    ranking = mr.Reranker(Mine(list(WORDS), TABLE), "wrd").rank("cat", ["cat", "dog"])
    assert ranking[0].explain().target_tokens == ("cat", "mat")


def langchain(ranker, query, texts):
    documents = pytest.importorskip("langchain_core.documents", reason="langchain is not installed")
    from moverank.integrations.langchain import MoverankCompressor

    given = [documents.Document(page_content=text) for text in texts]
    found = MoverankCompressor(reranker=ranker).compress_documents(given, query)
    return [(document.page_content, document.metadata["relevance_score"]) for document in found]


def llama_index(ranker, query, texts):
    schema = pytest.importorskip("llama_index.core.schema", reason="llama-index is not installed")
    from moverank.integrations.llama_index import MoverankRerank

    nodes = [schema.NodeWithScore(node=schema.TextNode(text=text)) for text in texts]
    found = MoverankRerank(ranker).postprocess_nodes(nodes, query_str=query)
    return [(node.node.get_content(), node.score) for node in found]


def haystack(ranker, query, texts):
    library = pytest.importorskip("haystack", reason="haystack is not installed")
    from moverank.integrations.haystack import MoverankRanker

    found = MoverankRanker(reranker=ranker).run(query, [library.Document(content=text) for text in texts])
    return [(document.content, document.score) for document in found["documents"]]


def rerankers(ranker, query, texts):
    pytest.importorskip("rerankers", reason="rerankers is not installed")
    from moverank.integrations.rerankers import MoverankRanker

    return [(result.text, result.score) for result in MoverankRanker(ranker).rank(query, texts)]


@pytest.mark.filterwarnings("ignore")  # the libraries warn of their own old ways
@pytest.mark.parametrize("framework", [langchain, llama_index, haystack, rerankers])
def test_frameworks_take_each_side_in_its_way(framework):
    found = framework(mr.Reranker(TwoWays(), "wrd"), "cat sat", TEXTS)
    assert found[0] == ("cat sat", pytest.approx(1, abs=1e-6))


@pytest.fixture
def asymmetric(tmp_path):
    """A transformer whose files say what stands before queries and documents."""
    files = save_model(tmp_path), save_tokenizer(tmp_path)
    stated = {"prompts": {"query": "the mat. ", "passage": "dog "}, "default_prompt_name": None}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(stated))
    return files


@pytest.mark.parametrize("subwords", ["keep", "mean"])
def test_a_transformer_sees_the_prompts_that_its_files_state(asymmetric, subwords):
    encoder = OnnxEncoder(*asymmetric, subwords=subwords)
    bare = OnnxEncoder(*asymmetric, subwords=subwords, query_prompt="", document_prompt="")
    for ours, prompt, skipped in ((encoder.encode, "dog ", 1), (encoder.encode_queries, "the mat. ", 3)):
        found, whole = ours(["cat played"]), bare.encode([prompt + "cat played"])
        assert found.tokens[0] == whole.tokens[0][skipped:] == bare.encode(["cat played"]).tokens[0]
        np.testing.assert_allclose(found.sequences[0], np.asarray(whole.sequences[0])[skipped:], atol=1e-6)
    assert encoder.identity.options["query_prompt"] == "the mat. "
    assert encoder.identity != bare.identity
    assert OnnxEncoder(*asymmetric, query_prompt="cat ").encode_queries(["dog"]).tokens == [["dog"]]
    with pytest.raises(TypeError, match="document_prompt: expected a string, got int"):
        OnnxEncoder(*asymmetric, document_prompt=3)
    with pytest.raises(ValueError, match="text 0 has no token"):
        encoder.encode([" "])


def test_commands_take_each_side_in_its_way(asymmetric, tmp_path, capsys):
    model, tokenizer = map(str, asymmetric)
    docs = tmp_path / "docs.txt"
    docs.write_text("the cat sat\nthe dog played\n")
    texts = docs.read_text().splitlines()
    encoder = OnnxEncoder(model, tokenizer, subwords="mean")
    expected = [hit.distance for hit in mr.Reranker(encoder).rank("a mat", texts)]
    options = ["--model", model, "--tokenizer", tokenizer]
    assert main(["index", str(tmp_path / "i"), str(docs), *options]) == 0
    capsys.readouterr()
    index = ["--index", str(tmp_path / "i"), "--fusion", "1"]
    for where in (["--docs", str(docs), *options], [*index, *options], index):
        assert main(["search", "a mat", *where, "--json"]) == 0
        hits = json.loads(capsys.readouterr().out)["hits"]
        # An index of texts keeps the tokens of a transformer as float16.
        assert [hit["distance"] for hit in hits] == pytest.approx(expected, abs=1e-4 if "--index" in where else 1e-6)
    assert main(["search", "a mat", "--index", str(tmp_path / "i"), *options, "--query-prompt", "cat"]) == 2
    assert "they differ in query_prompt" in capsys.readouterr().err
    assert main(["search", "a mat", "--docs", str(docs), "--query-prompt", "cat"]) == 2
    assert "--query-prompt: applies to a transformer" in capsys.readouterr().err


def test_models_of_another_library_are_told_how_they_go_in():
    made = type("SentenceTransformer", (), {"encode": lambda self, texts: []})()
    for use in (mr.Reranker, lambda model: mr.fit(model, ["a"], ["idf"])):
        with pytest.raises(
            TypeError, match=r"is a SentenceTransformer .*encoders\.SentenceTransformerEncoder\(model\)"
        ):
            use(made)
    assert repr(SentenceTransformerEncoder(made)) == "SentenceTransformerEncoder(SentenceTransformer)"
