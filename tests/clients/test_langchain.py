"""LangChain: the compressors CohereRerank and InfinityRerank. None of them sends a request without documents.

JinaRerank of langchain-community has the address of Jina in its module, and no option for another.
"""

import pytest

from conftest import QUERY, TEXTS

pytest.importorskip("langchain_core", reason="LangChain is not installed in this environment")

from langchain_core.documents import Document

DOCUMENTS = [Document(text, metadata={"place": place}) for place, text in enumerate(TEXTS)]


def of_cohere(url, token, most):
    library = pytest.importorskip("langchain_cohere", reason="langchain-cohere is not installed in this environment")
    return library.CohereRerank(model="any", base_url=url, cohere_api_key=token, top_n=most)


def of_infinity(url, token, most):
    library = pytest.importorskip("infinity_client", reason="infinity-client is not installed in this environment")
    compressors = pytest.importorskip("langchain_community.document_compressors")
    # It takes no AuthenticatedClient.
    client = library.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})
    return compressors.InfinityRerank(client=client, model="any", top_n=most)


@pytest.mark.parametrize("kind", [of_cohere, of_infinity])
@pytest.mark.parametrize("most", [None, 2])
def test_documents_are_ranked(url, token, ranked_as, kind, most):
    found = kind(url, token, most).compress_documents(DOCUMENTS, QUERY)
    ranked_as([(one.metadata["place"], one.metadata["relevance_score"]) for one in found], most)
    assert [one.page_content for one in found] == [TEXTS[one.metadata["place"]] for one in found]


def test_errors_say_what_was_wrong(url):
    with pytest.raises(Exception, match="expected the token of this service"):
        of_cohere(url, "wrong", 2).compress_documents(DOCUMENTS, QUERY)
