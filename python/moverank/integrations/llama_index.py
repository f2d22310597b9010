"""LlamaIndex: a node postprocessor that reranks, and a retriever. ``pip install 'moverank[llama-index]'``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from moverank._support.optional import optional
from moverank.encoders import Encoder
from moverank.index.index import Index
from moverank.index.parts.filters import Condition
from moverank.integrations._retrieval import Retrieved, indexed, payload_of, require_counts, retrieved
from moverank.integrations._scores import objects, scored
from moverank.measures.measure import Measure
from moverank.ranking import Reranker

optional("llama_index.core", "llama-index")

from llama_index.core.base.base_retriever import BaseRetriever  # noqa: E402 - checked first, to name the extra
from llama_index.core.bridge.pydantic import Field, PrivateAttr  # noqa: E402
from llama_index.core.postprocessor.types import BaseNodePostprocessor  # noqa: E402
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle, TextNode  # noqa: E402
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict  # noqa: E402

#: Field of a payload in which LlamaIndex keeps a node.
_NODE = "_node_content"


class MoverankRerank(BaseNodePostprocessor):
    """Keep the nodes nearest to the query, the best first.

    Parameters
    ----------
    reranker : Reranker, optional
        The reranker to use; one with the bundled word vectors by default.
    top_n : int, default 5
        Number of nodes to keep.
    keep_retrieval_score : bool, default False
        Store the retriever's score in the node's metadata as "retrieval_score".

    Notes
    -----
    Scores are always finite. A node without a known word comes last with the lowest possible score. If the query has no
    known word, nodes keep their order.
    """

    top_n: int = Field(default=5, ge=1, description="Number of nodes to keep.")
    keep_retrieval_score: bool = Field(default=False, description="Store the retriever's score in the metadata.")
    _reranker: Reranker = PrivateAttr()

    def __init__(self, reranker: Reranker | None = None, top_n: int = 5, keep_retrieval_score: bool = False) -> None:
        super().__init__(top_n=top_n, keep_retrieval_score=keep_retrieval_score)
        self._reranker = Reranker() if reranker is None else reranker

    @classmethod
    def class_name(cls) -> str:
        """Name of the class in LlamaIndex."""
        return "MoverankRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise ValueError("query_bundle: reranking needs a query")
        listed = objects(nodes, NodeWithScore, "nodes")
        texts = [node.node.get_content(metadata_mode=MetadataMode.EMBED) for node in listed]
        kept = []
        for place, score in scored(self._reranker, query_bundle.query_str, texts, top_k=self.top_n):
            given = listed[place]
            if self.keep_retrieval_score:
                given.node.metadata["retrieval_score"] = given.score
            kept.append(NodeWithScore(node=given.node, score=score))
        return kept


class MoverankRetriever(BaseRetriever):
    """Find the nodes of an index that are nearest to a text.

    Parameters
    ----------
    index : Index
        The index. The payload of each document is its text, or an object that contains it; see `text_field`. Payloads
        made by `from_nodes` contain the whole node.
    reranker : Reranker, optional
        Encodes queries with the encoder of the index; by default with the bundled word vectors.
    similarity_top_k : int, default 10
        Number of nodes to return.
    candidates : int, optional
        Maximum number of documents to examine, as in `Index.search`; by default the answer is exact.
    where : str, tuple of str and a sequence, or callable, optional
        Search only documents whose payload satisfies this condition, as in `Index.search`.
    text_field : str, default "text"
        Field of payloads that contains the text; other fields become the node's metadata.
    **options
        Options of LlamaIndex's `BaseRetriever`, such as `callback_manager` and `object_map`.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it.

    Notes
    -----
    The score of a node is the measure's similarity. A query without a known word finds nothing. ``aretrieve`` searches
    in another thread.

    Examples
    --------
    >>> from llama_index.core.schema import TextNode
    >>> nodes = [TextNode(text="Stocks fell."), TextNode(text="A cat sat on a mat.", metadata={"year": 2024})]
    >>> retriever = MoverankRetriever.from_nodes(nodes, similarity_top_k=1)
    >>> found = retriever.retrieve("where is my cat?")[0]
    >>> found.text, found.metadata, found.node_id == nodes[1].node_id
    ('A cat sat on a mat.', {'year': 2024}, True)
    """

    def __init__(
        self,
        index: Index,
        reranker: Reranker | None = None,
        *,
        similarity_top_k: int = 10,
        candidates: int | None = None,
        where: Condition | None = None,
        text_field: str = "text",
        **options: Any,
    ) -> None:
        if not isinstance(index, Index):
            raise TypeError(f"index: expected a moverank Index, got {type(index).__name__}")
        self._index = index
        self._reranker = Reranker() if reranker is None else reranker
        self._k = require_counts(similarity_top_k, candidates, "similarity_top_k")
        self._candidates = candidates
        self._where = where
        self._text_field = text_field
        super().__init__(**options)

    @classmethod
    def from_nodes(
        cls,
        nodes: Iterable[BaseNode],
        encoder: Encoder | None = None,
        *,
        measure: str | Measure | None = None,
        similarity_top_k: int = 10,
        candidates: int | None = None,
        where: Condition | None = None,
        text_field: str = "text",
        skip_empty: bool = False,
        **options: Any,
    ) -> MoverankRetriever:
        """Build an index of nodes in memory, and a retriever for it.

        Parameters
        ----------
        nodes : iterable of BaseNode
            The nodes. Their text is compared with the metadata that LlamaIndex adds for embeddings. Metadata must be
            JSON values; conditions can use them.
        encoder : Encoder, optional
            Turns texts into vectors; the bundled word vectors by default.
        measure : str or Measure, optional
            The distance to search by; WRD with capacity 4 by default, as for `Reranker`.
        similarity_top_k, candidates, where, text_field
            Arguments of the retriever.
        skip_empty : bool, default False
            Leave out nodes without a token, which cannot be found, instead of raising an error.
        **options
            Options of `Index.build`, such as `prefilter` and `dtype`.

        Returns
        -------
        MoverankRetriever
            Its `index` can be saved; open it later with ``MoverankRetriever(Index.open(path), reranker)``.

        Raises
        ------
        NoTokensError
            If a node has no token, unless `skip_empty`.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        require_counts(similarity_top_k, candidates, "similarity_top_k")
        given = objects(nodes, BaseNode, "nodes")
        payloads = [
            payload_of(
                node.get_content(metadata_mode=MetadataMode.NONE),
                node_to_metadata_dict(node, remove_text=True),
                text_field,
                f"nodes: node {node.node_id!r}",
            )
            for node in given
        ]
        texts = [node.get_content(metadata_mode=MetadataMode.EMBED) for node in given]
        ids = [node.node_id for node in given]
        index, reranker = indexed(texts, payloads, ids, encoder, measure, skip_empty=skip_empty, options=options)
        counts: dict[str, Any] = {"similarity_top_k": similarity_top_k, "candidates": candidates}
        return cls(index, reranker, where=where, text_field=text_field, **counts)

    @property
    def index(self) -> Index:
        """The index that is searched."""
        return self._index

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = retrieved(
            self._reranker,
            self._index,
            query_bundle.query_str,
            k=self._k,
            candidates=self._candidates,
            where=self._where,
            text_field=self._text_field,
        )
        return [NodeWithScore(node=_node(one), score=one.score) for one in found]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


def _node(found: Retrieved) -> BaseNode:
    """The node that was indexed, or a new one for a document that was none."""
    if _NODE in found.fields:
        return metadata_dict_to_node(found.fields, text=found.text)
    return TextNode(id_=str(found.id), text=found.text, metadata=found.fields)
