"""LangChain: a document compressor that reranks, a retriever, a vector store. ``pip install 'moverank[langchain]'``."""

from __future__ import annotations

from moverank._support.optional import optional

optional("langchain_core", "langchain")

from moverank.integrations.langchain.compressor import MoverankCompressor  # noqa: E402 - checked first, to name the extra
from moverank.integrations.langchain.retriever import MoverankRetriever  # noqa: E402
from moverank.integrations.langchain.vector_store import MoverankVectorStore  # noqa: E402

__all__ = ["MoverankCompressor", "MoverankRetriever", "MoverankVectorStore"]
