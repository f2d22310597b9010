"""LlamaIndex: the postprocessors CohereRerank, JinaRerank and TextEmbeddingInference.

None of them sends a request without documents.
"""

import pytest

from conftest import QUERY, TEXTS

pytest.importorskip("llama_index.core", reason="LlamaIndex is not installed in this environment")

import cohere
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.cohere_rerank import CohereRerank
from llama_index.postprocessor.jinaai_rerank import JinaRerank
from llama_index.postprocessor.tei_rerank import TextEmbeddingInference


def cohere_rerank(url, token, most):
    return CohereRerank(top_n=most, base_url=url, api_key=token, max_retries=1)


def jina_rerank(url, token, most):
    return JinaRerank(top_n=most, base_url=f"{url}/v1", api_key=token)


def tei_rerank(url, token, most):
    return TextEmbeddingInference(top_n=most, base_url=url, auth_token=f"Bearer {token}")


def nodes():
    return [
        NodeWithScore(node=TextNode(id_=str(place), text=text), score=1 - place) for place, text in enumerate(TEXTS)
    ]


@pytest.mark.parametrize("kind", [cohere_rerank, jina_rerank, tei_rerank])
@pytest.mark.parametrize("most", [len(TEXTS), 2])
def test_nodes_are_ranked(url, token, ranked_as, kind, most):
    found = kind(url, token, most).postprocess_nodes(nodes(), query_str=QUERY)
    ranked_as([(int(one.node_id), one.score) for one in found], most)
    assert [one.text for one in found] == [TEXTS[int(one.node_id)] for one in found]


def test_errors_say_what_was_wrong(url):
    with pytest.raises(cohere.UnauthorizedError, match="expected the token of this service"):
        cohere_rerank(url, "wrong", 2).postprocess_nodes(nodes(), query_str=QUERY)
    with pytest.raises(RuntimeError, match="expected the token of this service"):
        jina_rerank(url, "wrong", 2).postprocess_nodes(nodes(), query_str=QUERY)
    # It takes whatever comes for scores, and asserts that there are as many as nodes.
    with pytest.raises(AssertionError):
        tei_rerank(url, "wrong", 2).postprocess_nodes(nodes(), query_str=QUERY)
