"""Which shard a new document goes to."""

from __future__ import annotations

from hashlib import blake2b


def shard_of(id: int | str, count: int) -> int:
    """The shard, of so many: by a digest of the id, so that it is the same in every process and version."""
    octets = str(id).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(octets, digest_size=8).digest(), "little") % count
