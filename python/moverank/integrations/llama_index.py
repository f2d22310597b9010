"""LlamaIndex: a node postprocessor that reranks, and a retriever. ``pip install 'moverank[llama-index]'``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import numpy as np

from moverank._support.optional import optional
from moverank._support.validate import whole_number
from moverank.index.parts.filters import Condition
from moverank.integrations._retrieval import created, fields_of, require_search, retrieved
from moverank.integrations._scores import objects, scored
from moverank.ranking import Reranker
from moverank.ranking.fusion import Fusing
from moverank.text_index import TextHit, TextIndex

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
    """Find nodes by the meaning of their words, and by the words themselves.

    Parameters
    ----------
    index : TextIndex
        The index. Payloads made by this class contain whole nodes; of others, the fields become a node's metadata.
    similarity_top_k : int, default 10
        Number of nodes to return.
    where : str, tuple of str and a sequence, or callable, optional
        Return only nodes whose metadata satisfy this condition, as in `TextIndex.search`.
    candidates : int or None, default 100
        Texts that terms and tokens propose each; None compares all.
    fusion : Fusion, ReciprocalRanks or float, optional
        Weight of the similarity beside lexical scores, as in `TextIndex.search`.
    min_similarity, min_probability : float, optional
        Leave out nodes below, as in `TextIndex.search`. The answer may then be empty.
    **options
        Options of LlamaIndex's `BaseRetriever`, such as `callback_manager` and `object_map`.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it.

    Notes
    -----
    Nodes are in the order of the index's scores, in which terms have a part. ``NodeWithScore.score`` is the similarity,
    from 0 to 1 under the default measure. It means the same for every query, so that a `SimilarityPostprocessor` can
    cut by it; where terms have a part in the order, it need not decrease.

    If the index cuts documents into passages, a node has the text of the one that is nearest to the query, and
    ``start_char_idx`` and ``end_char_idx`` say where it is in the node's source.

    A query without a known word is answered by its terms, and finds nothing if the index has none. ``aretrieve``
    searches in another thread.

    Examples
    --------
    >>> from llama_index.core.schema import TextNode
    >>> nodes = [TextNode(text="Stocks fell."), TextNode(text="A cat sat on a mat.", metadata={"year": 2024})]
    >>> retriever = MoverankRetriever.from_nodes(nodes, similarity_top_k=1, lexical=None)
    >>> found = retriever.retrieve("where is my cat?")[0]
    >>> found.text, found.metadata, found.node_id == nodes[1].node_id
    ('A cat sat on a mat.', {'year': 2024}, True)
    """

    def __init__(
        self,
        index: TextIndex,
        *,
        similarity_top_k: int = 10,
        where: Condition | None = None,
        candidates: int | None = 100,
        fusion: Fusing | float | None = None,
        min_similarity: float = -np.inf,
        min_probability: float = 0.0,
        **options: Any,
    ) -> None:
        whole_number(similarity_top_k, "similarity_top_k", least=1)
        self._options: dict[str, Any] = {
            "k": similarity_top_k,
            "where": where,
            "candidates": candidates,
            "fusion": fusion,
            "min_similarity": min_similarity,
            "min_probability": min_probability,
        }
        require_search(index, **self._options)
        self._index = index
        super().__init__(**options)

    @classmethod
    def from_nodes(cls, nodes: Iterable[BaseNode], *, unknown: str = "raise", **options: Any) -> MoverankRetriever:
        """Make an index of nodes, and a retriever for it.

        Parameters
        ----------
        nodes, unknown
            As in `insert_nodes`.
        **options
            Arguments of the retriever, such as `similarity_top_k`, and options of `TextIndex.create`: `path` for a
            folder, where the index can be opened again, `encoder`, `measure`, `passages`, `lexical` and others. By
            default terms are those of English, which needs ``pip install 'moverank[lexical]'``; ``lexical=None`` does
            without terms.

        Returns
        -------
        MoverankRetriever

        Raises
        ------
        ImportError
            If `lexical` is not None, and tantivy is not installed.
        IndexExistsError
            If the folder is not empty.
        NoTokensError
            If a node has no word with a vector, unless `unknown` is "skip".
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        given = objects(nodes, BaseNode, "nodes")
        with created(options) as (index, others):
            retriever = cls(index, **others)
            retriever.insert_nodes(given, unknown=unknown)
        return retriever

    @property
    def index(self) -> TextIndex:
        """The index that is searched."""
        return self._index

    def insert_nodes(self, nodes: Iterable[BaseNode], *, unknown: str = "raise") -> None:
        """Add nodes to the index, in place of those with the same ids. In a folder they are durable.

        Parameters
        ----------
        nodes : iterable of BaseNode
            The nodes. What is compared is their text with the metadata that LlamaIndex adds for embeddings; if the
            index cuts it into passages, the text alone. Metadata must be JSON values; conditions can use them.
        unknown : {"raise", "skip"}, default "raise"
            A node of which no word has a vector is an error, or is left out.

        Raises
        ------
        DuplicateIdError, NoTokensError, ReadOnlyIndexError, TypeError, ValueError
            As in `TextIndex.upsert`.
        """
        given = objects(nodes, BaseNode, "nodes")
        mode = MetadataMode.EMBED if self._index.passages is None else MetadataMode.NONE
        texts = [node.get_content(metadata_mode=mode) for node in given]
        own = [node.get_content(metadata_mode=MetadataMode.NONE) for node in given]
        self._index.upsert(
            texts,
            [node.node_id for node in given],
            # A text that the index keeps as it is need not be kept twice.
            payloads=[node_to_metadata_dict(n, remove_text=a == b) for n, a, b in zip(given, texts, own, strict=True)],
            unknown=unknown,
        )

    def delete_nodes(self, node_ids: Iterable[str]) -> None:
        """Remove nodes from the index.

        Raises
        ------
        UnknownIdError
            If a node is not in the index; none is removed.
        DuplicateIdError, ReadOnlyIndexError, TypeError, ValueError
            As in `TextIndex.remove`.
        """
        self._index.remove(node_ids)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = retrieved(self._index, query_bundle.query_str, **self._options)
        return [NodeWithScore(node=_node(hit), score=hit.similarity) for hit in found]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


def _node(hit: TextHit) -> BaseNode:
    """The node that was indexed, or a new one for a document that was none."""
    fields, text = fields_of(hit.payload), hit.text or ""
    if _NODE not in fields:
        node: BaseNode = TextNode(id_=str(hit.id), text=text, metadata=fields)
    else:
        node = metadata_dict_to_node(fields)
        # Kept with its text, its content is what was compared; kept without, what was compared is its content.
        if node.get_content(metadata_mode=MetadataMode.EMBED) != text:
            node.set_content(text)
    if hit.passage is not None and isinstance(node, TextNode):
        begin, end = hit.passage
        first = node.start_char_idx or 0
        node.start_char_idx, node.end_char_idx = first + begin, first + end
    return node
