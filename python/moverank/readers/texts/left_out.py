"""Counts of texts and files that were skipped while reading, by reason, with the first example of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class LeftOut:
    """Texts and files that were skipped while reading.

    Attributes
    ----------
    counts : dict of str to int
        Number of skipped items, by reason.
    first : dict of str to str
        Location of the first skipped item, by reason.

    Examples
    --------
    >>> left_out = LeftOut()
    >>> left_out.add("without text", "docs.jsonl:7")
    >>> left_out.add("without text", "docs.jsonl:9")
    >>> str(left_out)
    '2 without text (the first: docs.jsonl:7)'
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, where: str) -> None:
        """Count one skipped item."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.first.setdefault(reason, where)

    def __len__(self) -> int:
        return sum(self.counts.values())

    def __str__(self) -> str:
        return ", ".join(
            f"{count} {reason} ({'the first: ' if count > 1 else ''}{self.first[reason]})"
            for reason, count in self.counts.items()
        )

    def as_json(self) -> list[dict[str, Any]]:
        """Return one object per reason."""
        return [
            {"reason": reason, "count": count, "first": self.first[reason]} for reason, count in self.counts.items()
        ]
