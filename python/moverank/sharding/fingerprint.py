"""What indexes must have in common so that distances found in one can be compared with those found in another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.errors import ShardMismatchError
from moverank.index.snapshot import Snapshot


@dataclass(frozen=True)
class Fingerprint:
    """Options of an index on which its distances depend, by name.

    These are the measure, the kind of documents, the dimension, how tokens are stored, their origin, by how much they
    were pooled, the anchors of packed tokens, the table of given costs, the space, the encoder, and whether ids are
    integers. Centroids of cells are not among them: they propose documents, and have no part in a distance. Indexes
    that grow train them anew, each at its own time.

    Parameters
    ----------
    parts : mapping of str to str
        The options as text; long ones as digests.
    """

    parts: Mapping[str, str]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Fingerprint:
        """Take the fingerprint of a state of an index."""
        setup = snapshot.setup
        names = ("kind", "dim", "dtype", "codes", "ids", "pool", "sources", "targets", "origin")
        parts = {"measure": repr(setup.measure)} | {name: repr(getattr(setup, name)) for name in names}
        if setup.anchors is not None:
            parts["anchors"] = setup.anchors.digest
        if setup.kind == "bins" and snapshot.parts:
            parts["costs"] = _digest(snapshot.parts[0].arrays["costs"])
        if snapshot.space is not None:
            parts["space"] = hashlib.blake2b(snapshot.space.octets, digest_size=16).hexdigest()
        if snapshot.encoder is not None:
            parts["encoder"] = repr(snapshot.encoder.as_json())
        return cls(parts)

    def differences(self, other: Fingerprint) -> tuple[str, ...]:
        """Names of the options that differ, or that only one of them has."""
        names = sorted({*self.parts, *other.parts})
        return tuple(name for name in names if self.parts.get(name) != other.parts.get(name))

    def require_comparable(self, other: Fingerprint, own_name: str, other_name: str) -> None:
        """Refuse an index whose distances cannot be compared with those of this one; errors as in `require`.

        Anchors of packed tokens may differ. They decide how tokens are rounded as they are stored, which each index
        does by itself, and distances are those of stored tokens.
        """
        mine, theirs = (Fingerprint({k: v for k, v in one.parts.items() if k != "anchors"}) for one in (self, other))
        mine.require(theirs, own_name, other_name)

    def require(self, other: Fingerprint, own_name: str, other_name: str) -> None:
        """Refuse another index.

        Raises
        ------
        ShardMismatchError
            If an option differs; the message names both indexes and the first such option.
        """
        differing = self.differences(other)
        if differing:
            name = differing[0]
            own, theirs = (one.parts.get(name, "none") for one in (self, other))
            more = f" (and {', '.join(differing[1:])})" if differing[1:] else ""
            raise ShardMismatchError(
                f"{other_name} has {name} {theirs:.80}, but {own_name} has {own:.80}{more}: they cannot be searched as "
                "one"
            )


def _digest(array: NDArray[Any]) -> str:
    octets = np.ascontiguousarray(array).tobytes()
    return hashlib.blake2b(octets, digest_size=16).hexdigest()
