"""Work of many documents, and searches of many indexes, on a Ray cluster: ``pip install 'moverank[ray]'``.

Start Ray first: `ray.init`. Most functions take a Ray Dataset and return one, lazily. They call what one process calls:
`TextIndex`, `Index`, `Reranker`, `score` and `ShardedIndex`. This package does not start a cluster, and leaves
resources, retries and progress to Ray.
"""

from moverank.ray.building import build, build_vectors
from moverank.ray.encoding import encode
from moverank.ray.pairing import pairwise
from moverank.ray.reranking import rerank
from moverank.ray.scoring import score
from moverank.ray.serving import service
from moverank.ray.sharded import sharded_index, sharded_text_index
from moverank.ray.storage import download, upload

__all__ = [
    "build",
    "build_vectors",
    "download",
    "encode",
    "pairwise",
    "rerank",
    "score",
    "service",
    "sharded_index",
    "sharded_text_index",
    "upload",
]
