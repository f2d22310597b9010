"""What all that searches several indexes has in common, whatever is in them."""

from __future__ import annotations

from functools import partial
from typing import Any, Generic, TypeVar

from moverank.index.parts.ids import is_id
from moverank.measures.measure import Measure
from moverank.sharding.shards import Shards

S = TypeVar("S", bound=Shards)
Own = TypeVar("Own", bound="Sharded[Any]")


class Sharded(Generic[S]):
    """Several indexes that are searched as one."""

    _shards: S

    @property
    def measure(self) -> Measure:
        """What documents are compared by."""
        return self._shards.infos[0].measure

    @property
    def sizes(self) -> list[int]:
        """Number of documents of each shard, when it was last heard of."""
        return self._shards.sizes

    def __len__(self) -> int:
        """Number of documents."""
        return sum(self.sizes)

    def __contains__(self, id: object) -> bool:
        kind = self._shards.ids
        return bool(kind) and is_id(id, kind) and bool(self._shards.owners([id])[0] >= 0)

    def refresh(self) -> None:
        """Let every replica load the latest state of its folder, all at the same time.

        Searches go on meanwhile, in the states from before.

        Raises
        ------
        ShardFailedError
            If no replica of a shard can be reached.
        """
        self._shards.refresh()

    def close(self) -> None:
        """Release all replicas. Indexes that were given to `of` stay open.

        What hits bring from shards (`payload`, `text`, `alignment`) is fetched when it is first looked at, or pickled:
        that has to be done before.
        """
        self._shards.close()

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy calls the same replicas if they are elsewhere; those of this process are opened anew.
        shards, options = self._shards.arguments()
        return partial(type(self), **options, **self._own_options()), (shards,)

    def _own_options(self) -> dict[str, Any]:
        """Options of the constructor besides those of all."""
        return {}
