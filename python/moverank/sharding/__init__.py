"""Several indexes that are searched as one, wherever they are: exactly, and with one certificate.

Read `shard` first, which says what one index does; then `sharded_index`, which asks all of them; `merging` makes one
answer of theirs, and `calls` copes with those that fail or are slow.
"""

from __future__ import annotations

from moverank.sharding.fingerprint import Fingerprint
from moverank.sharding.hits import ShardedHits
from moverank.sharding.merging import Failure, ShardReport
from moverank.sharding.rebalancing import rebalance
from moverank.sharding.shard import Shard
from moverank.sharding.sharded_index import ShardedIndex
from moverank.sharding.splitting import split

__all__ = ["Failure", "Fingerprint", "Shard", "ShardReport", "ShardedHits", "ShardedIndex", "rebalance", "split"]
