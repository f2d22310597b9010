"""What encoding lost of a query and its documents: it has no part in an answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lost:
    """Words and tokens that were not compared.

    Attributes
    ----------
    query_dropped, dropped : int
        Words of the query, and of documents, that have no vector, or no mass under the measure.
    query_cut, cut : int
        Tokens of the query, and of documents, that the encoder did not see, because texts exceed its limit.

    Examples
    --------
    >>> print("; ".join(Lost(query_dropped=1).lines()))
    without a vector or mass: 1 words of the query, 0 of documents
    """

    query_dropped: int = 0
    dropped: int = 0
    query_cut: int = 0
    cut: int = 0

    def __add__(self, other: Lost) -> Lost:
        return Lost(
            self.query_dropped + other.query_dropped,
            self.dropped + other.dropped,
            self.query_cut + other.query_cut,
            self.cut + other.cut,
        )

    def to_dict(self) -> dict[str, int]:
        """Convert to JSON values, with a key for each attribute."""
        return {name: getattr(self, name) for name in ("query_dropped", "dropped", "query_cut", "cut")}

    def lines(self, query: str | None = "the query", documents: str = "documents") -> list[str]:
        """Describe it, one line per kind; no line if nothing was lost. Without a query, only documents are counted."""
        said = []
        if self.query_dropped or self.dropped:
            said.append(
                f"without a vector or mass: {_counts('words', self.query_dropped, query, self.dropped, documents)}"
            )
        if self.query_cut or self.cut:
            said.append(f"cut off by the encoder: {_counts('tokens', self.query_cut, query, self.cut, documents)}")
        return said


def _counts(what: str, of_query: int, query: str | None, of_documents: int, documents: str) -> str:
    if query is None:
        return f"{of_documents} {what} of {documents}"
    return f"{of_query} {what} of {query}, {of_documents} of {documents}"
