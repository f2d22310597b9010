"""LiteLLM: the providers whose `api_base` can be ours, each with the path that it appends.

It asks for documents unless told not to. Its provider of Infinity takes one that comes back for a string, as Infinity
sends it, where all other clients want an object, so that it must be told. Hugging Face's provider speaks TEI's dialect.
"""

import asyncio

import pytest

from conftest import QUERY, TEXTS

litellm = pytest.importorskip("litellm", reason="litellm is not installed in this environment")

PROVIDERS = ["cohere", "jina_ai", "infinity", "hosted_vllm", "huggingface"]


def ask(provider, url, token, documents=TEXTS, **options):
    if provider == "infinity":
        options["return_documents"] = False
    return litellm.rerank(
        model=f"{provider}/any", query=QUERY, documents=documents, api_base=url, api_key=token, **options
    )


def pairs(found):
    return [(one["index"], one["relevance_score"]) for one in found.results]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("most", [None, 2])
def test_texts_are_ranked(url, token, ranked_as, provider, most):
    found = ask(provider, url, token, top_n=most)
    ranked_as(pairs(found), most)
    assert found.id
    assert found.meta


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("path", ["/v1", "/rerank", "/v1/rerank", "/v2/rerank"])
def test_addresses_with_a_path_are_taken(url, token, ranked_as, provider, path):
    if provider == "cohere" and path != "/v2/rerank":
        pytest.skip("LiteLLM appends v2/rerank to what does not end in it")
    ranked_as(pairs(ask(provider, url + path, token)))


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "infinity"])
def test_documents_come_back_if_they_are_wanted(url, token, provider):
    found = ask(provider, url, token, return_documents=True)
    assert [one["document"]["text"] for one in found.results] == [TEXTS[one["index"]] for one in found.results]


def test_requests_run_side_by_side(url, token, ranked_as):
    async def all_at_once():
        asked = {"query": QUERY, "documents": TEXTS, "api_base": url, "api_key": token}
        return await asyncio.gather(
            *(litellm.arerank(model=f"{name}/any", return_documents=False, **asked) for name in PROVIDERS)
        )

    for found in asyncio.run(all_at_once()):
        ranked_as(pairs(found))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_errors_are_those_of_litellm(url, token, provider):
    with pytest.raises(litellm.AuthenticationError, match="expected the token of this service"):
        ask(provider, url, "wrong")
    with pytest.raises(litellm.BadRequestError, match="expected at least one document"):
        ask(provider, url, token, documents=[])
