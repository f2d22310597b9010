"""LlamaIndex: a node postprocessor that reranks. ``pip install 'moverank[llama-index]'``."""

from __future__ import annotations

from moverank._support.optional import optional
from moverank.integrations._scores import objects, scored
from moverank.ranking import Reranker

optional("llama_index.core", "llama-index")

from llama_index.core.bridge.pydantic import Field, PrivateAttr  # noqa: E402 - checked first, to name the extra
from llama_index.core.postprocessor.types import BaseNodePostprocessor  # noqa: E402
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle  # noqa: E402


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
