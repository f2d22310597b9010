"""Cohere's SDK, versions 5 and 7: `Client` (v1) and `ClientV2`, with `base_url`."""

import asyncio

import pytest

from conftest import QUERY, TEXTS

cohere = pytest.importorskip("cohere", reason="cohere is not installed in this environment")

CLIENTS = pytest.mark.parametrize("kind", [cohere.Client, cohere.ClientV2])
MODEL = "rerank-v3.5"


@CLIENTS
@pytest.mark.parametrize("most", [None, 2])
def test_texts_are_ranked(url, token, ranked_as, kind, most):
    client = kind(api_key=token, base_url=url)
    found = client.rerank(model=MODEL, query=QUERY, documents=TEXTS, top_n=most)
    ranked_as([(one.index, one.relevance_score) for one in found.results], most)
    assert found.id
    assert found.meta.billed_units.search_units == 1


def test_documents_come_back_if_they_are_wanted(url, token, ranked_as):
    """In v1, where they may be objects with fields to rank by; v2 has neither."""
    client = cohere.Client(api_key=token, base_url=url)
    objects = [{"text": "", "body": text} for text in TEXTS]
    for documents, options in (
        (TEXTS, {}),
        ([{"text": text} for text in TEXTS], {}),
        (objects, {"rank_fields": ["body"]}),
    ):
        found = client.rerank(model=MODEL, query=QUERY, documents=documents, return_documents=True, **options)
        ranked_as([(one.index, one.relevance_score) for one in found.results])
        assert [one.document.text for one in found.results] == [TEXTS[one.index] for one in found.results]
    found = client.rerank(model=MODEL, query=QUERY, documents=TEXTS)
    assert all(one.document is None for one in found.results)


def test_requests_run_side_by_side(url, token, ranked_as):
    async def ask():
        client = cohere.AsyncClientV2(api_key=token, base_url=url)
        return await asyncio.gather(
            *(client.rerank(model=MODEL, query=QUERY, documents=TEXTS, max_tokens_per_doc=512) for _ in range(16))
        )

    for found in asyncio.run(ask()):
        ranked_as([(one.index, one.relevance_score) for one in found.results])


@CLIENTS
def test_errors_are_those_of_cohere(url, token, kind):
    with pytest.raises(cohere.UnauthorizedError, match="expected the token of this service") as found:
        kind(api_key="wrong", base_url=url).rerank(model=MODEL, query=QUERY, documents=TEXTS)
    assert found.value.status_code == 401
    client = kind(api_key=token, base_url=url)
    with pytest.raises(cohere.BadRequestError, match="expected at least one document") as found:
        client.rerank(model=MODEL, query=QUERY, documents=[])
    assert found.value.body["message"] == "expected at least one document"
    with pytest.raises(cohere.UnprocessableEntityError, match="top_n"):
        client.rerank(model=MODEL, query=QUERY, documents=TEXTS, top_n=-1)
