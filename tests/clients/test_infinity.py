"""Infinity's client, generated from Infinity's description: what its models do not know, it refuses or drops."""

import pytest

from conftest import QUERY, TEXTS

pytest.importorskip("infinity_client", reason="infinity-client is not installed in this environment")

import infinity_client as library
from infinity_client.api.default import health, rerank
from infinity_client.models import HTTPValidationError, RerankInput


def test_texts_are_ranked(url, token, ranked_as):
    client = library.AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
    found = rerank.sync(client=client, body=RerankInput(query=QUERY, documents=TEXTS, model="any"))
    ranked_as([(one.index, one.relevance_score) for one in found.results])
    assert found.usage.total_tokens > 0
    found = rerank.sync(client=client, body=RerankInput(query=QUERY, documents=TEXTS, model="any", top_n=2))
    ranked_as([(one.index, one.relevance_score) for one in found.results], 2)


def test_errors_are_those_of_infinity(url, token):
    body = RerankInput(query=QUERY, documents=TEXTS, model="any")
    wrong = library.AuthenticatedClient(base_url=url, token="wrong", raise_on_unexpected_status=True)
    with pytest.raises(library.errors.UnexpectedStatus, match="expected the token of this service"):
        rerank.sync(client=wrong, body=body)
    client = library.AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
    with pytest.raises(library.errors.UnexpectedStatus, match="expected at least one document"):
        rerank.sync(client=client, body=RerankInput(query=QUERY, documents=[]))
    found = rerank.sync(client=client, body=RerankInput(query=QUERY, documents=TEXTS, top_n=-1))
    assert isinstance(found, HTTPValidationError)
    assert found.detail[0].loc == ["body", "top_n"]


def test_the_service_lives(url, token):
    client = library.AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
    assert health.sync_detailed(client=client).status_code == 200
