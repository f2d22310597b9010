"""Haystack: CohereRanker, JinaRanker, HuggingFaceTEIRanker and VLLMRanker, each in a pipeline."""

import pytest

from conftest import QUERY, TEXTS

pytest.importorskip("haystack", reason="Haystack is not installed in this environment")

from haystack import Document, Pipeline
from haystack.utils import Secret
from haystack_integrations.components.rankers.cohere import CohereRanker
from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker, TruncationDirection
from haystack_integrations.components.rankers.jina import JinaRanker
from haystack_integrations.components.rankers.vllm import VLLMRanker

DOCUMENTS = [Document(id=str(place), content=text) for place, text in enumerate(TEXTS)]


def ranker(kind, url, token, **options):
    secret = Secret.from_token(token)
    if kind is CohereRanker:
        return CohereRanker(api_base_url=url, api_key=secret, **options)
    if kind is JinaRanker:
        return JinaRanker(base_url=f"{url}/v1/rerank", api_key=secret, **options)
    if kind is VLLMRanker:
        return VLLMRanker(model="any", api_base_url=f"{url}/v1", api_key=secret, **options)
    return HuggingFaceTEIRanker(url=url, token=secret, **options)


KINDS = pytest.mark.parametrize("kind", [CohereRanker, JinaRanker, HuggingFaceTEIRanker, VLLMRanker])


@KINDS
@pytest.mark.parametrize("most", [10, 2])
def test_documents_are_ranked(url, token, ranked_as, kind, most):
    pipeline = Pipeline()
    pipeline.add_component("ranker", ranker(kind, url, token, top_k=most))
    found = pipeline.run({"ranker": {"query": QUERY, "documents": DOCUMENTS}})["ranker"]["documents"]
    ranked_as([(int(one.id), one.score) for one in found], most)
    assert [one.content for one in found] == [TEXTS[int(one.id)] for one in found]


@KINDS
def test_no_documents_are_no_request(kind):
    if kind is CohereRanker:
        pytest.skip("CohereRanker asks for them")
    assert ranker(kind, "http://127.0.0.1:1", "any").run(query=QUERY, documents=[])["documents"] == []


def test_texts_are_truncated_at_their_end(url, token, ranked_as):
    own = ranker(HuggingFaceTEIRanker, url, token)
    found = own.run(query=QUERY, documents=DOCUMENTS, truncation_direction=TruncationDirection.RIGHT)["documents"]
    ranked_as([(int(one.id), one.score) for one in found])
    with pytest.raises(RuntimeError, match="expected 'right', got 'Left'"):
        own.run(query=QUERY, documents=DOCUMENTS, truncation_direction=TruncationDirection.LEFT)


@KINDS
def test_errors_say_what_was_wrong(url, kind):
    with pytest.raises(Exception, match="expected the token of this service"):
        ranker(kind, url, "wrong").run(query=QUERY, documents=DOCUMENTS)


def test_cohere_is_told_of_no_documents(url, token):
    with pytest.raises(Exception, match="expected at least one document"):
        ranker(CohereRanker, url, token).run(query=QUERY, documents=[])
