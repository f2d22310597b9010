"""Several indexes that are searched as one, wherever they are: exactly, and with one certificate.

Read `shard` first, which says what one index does; then `sharded_index`, and `waves`, which ask all of them; `merging`
makes one answer of theirs, and `calls` copes with those that fail or are slow. `text_shard`, `text_corpus` and
`sharded_text_index` are the same for texts.
"""

from __future__ import annotations

from moverank.sharding.fingerprint import Fingerprint
from moverank.sharding.hits import ShardedHits
from moverank.sharding.merging import Failure, ShardReport
from moverank.sharding.rebalancing import rebalance
from moverank.sharding.shard import Shard
from moverank.sharding.sharded_index import ShardedIndex
from moverank.sharding.sharded_text_index import ShardedTextHits, ShardedTextIndex
from moverank.sharding.splitting import split
from moverank.sharding.text_shard import TextShard

__all__ = [
    "Failure", "Fingerprint", "Shard", "ShardReport", "ShardedHits", "ShardedIndex", "ShardedTextHits",
    "ShardedTextIndex", "TextShard", "rebalance", "split",
]  # fmt: skip
