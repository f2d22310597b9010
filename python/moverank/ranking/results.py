"""Results of a reranker: documents in order, each with an explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import InitVar, dataclass, field, replace
from typing import Any, Protocol, overload

import numpy as np

from moverank import _core
from moverank._support.wording import on_one_line, printable
from moverank.alignment.align import align
from moverank.alignment.alignment import Alignment
from moverank.alignment.lost import Lost
from moverank.alignment.sampling import Noise, sampled
from moverank.encoders.encoded import EncodedText, Encoder
from moverank.index.search.hits import Certificate, Hit, SearchStats, hit_dict
from moverank.measures.measure import Measure
from moverank.spaces.space import Space

#: How much the distance of a text may differ from that of its bag, which is summed in another order.
_ROUNDING = 1e-5


class Reasons(Protocol):
    """How a ranked document was compared."""

    @property
    def measure(self) -> Measure:
        """What compared it."""
        ...

    def alignment(self) -> Alignment:
        """The plan that gives the distance, with named tokens."""
        ...


def explained(reasons: Reasons, noise: Noise | None) -> Alignment:
    """The alignment, and how sure its moves are if there is noise."""
    return sampled(reasons.alignment(), reasons.measure, noise)


@dataclass(frozen=True, eq=False)
class Compared:
    """A query and a text, as encoded, and the measure that compared them."""

    query: EncodedText
    text: EncodedText
    measure: Measure

    def alignment(self) -> Alignment:
        """Solve once more, for the plan."""
        found = align(self.query.vectors, self.text.vectors, self.measure, self.query.weights, self.text.weights)
        lost = Lost(self.query.dropped, self.text.dropped, self.query.cut, self.text.cut)
        return replace(found.named(self.query.tokens, self.text.tokens), lost=lost)


@dataclass(frozen=True, eq=False)
class ComparedText:
    """A query and one of several texts, whose tokens are looked up for its alignment."""

    query: EncodedText
    texts: Callable[[int], EncodedText]
    place: int
    measure: Measure

    def alignment(self) -> Alignment:
        """Solve once more, for the plan."""
        return self._alone().alignment()

    def _alone(self) -> Compared:
        return Compared(self.query, self.texts(self.place), self.measure)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the one text: the others, or a table of all words, may be large."""
        return _same, (self._alone(),)


def _same(reasons: Compared) -> Compared:
    return reasons


@dataclass(frozen=True, eq=False)
class ComparedHit:
    """A query and a document of an index, which holds vectors, and perhaps the text; tokens are those of the text."""

    query: EncodedText
    hit: Hit
    text: str | None
    encoder: Encoder
    of_bags: bool
    measure: Measure
    space: Space | None

    def alignment(self) -> Alignment:
        """Plan of the hit; tokens have numbers for names unless the text is known to be the indexed one."""
        found = self.hit.alignment
        tokens = found.target_names
        lost = Lost(query_dropped=self.query.dropped, query_cut=self.query.cut)
        if self.text is not None:
            encoded = self.encoder.encode([self.text], skip_empty=False)
            moved = encoded if self.space is None else self.space(encoded)  # which may have fewer tokens
            if self.of_bags:
                text = moved.text(0)
                again = Compared(self.query, text, self.measure).alignment()
                # The words of a bag are not in the order of the text, so the text itself is compared.
                if abs(again.value - found.value) <= _ROUNDING * max(1.0, abs(found.value)):
                    return again
            elif len(moved.tokens[0]) == (len(tokens) if found.pooled_into is None else len(found.pooled_into)):
                tokens = moved.tokens[0]
                lost = replace(lost, dropped=encoded.dropped[0], cut=encoded.cut[0])
        return replace(found.named(self.query.tokens, tokens), lost=lost)


@dataclass(frozen=True)
class RankedDocument:
    """One document of a ranking.

    Attributes
    ----------
    rank : int
        Position in the ranking, from 0.
    doc_id : int or str
        Id of the document.
    score : float
        The score it is ranked by, larger is better: the measure's similarity, or the fused score.
    distance : float
        The measure's value; infinite for a text without a token, which comes last.
    text : str or None
        The text; None if the index holds none.
    passage : tuple of int, optional
        Begin and end of its nearest passage in the text, if it was cut into passages.
    payload : JSON value, optional
        Payload that the index keeps with the document.
    """

    rank: int
    doc_id: Any
    score: float
    distance: float
    text: str | None = field(repr=False)
    passage: tuple[int, int] | None = None
    payload: Any = field(default=None, repr=False)
    #: Given at construction, and no field: it is not part of the value, but `dataclasses.replace` passes it on.
    _reasons: InitVar[Reasons | None] = None

    def __post_init__(self, _reasons: Reasons | None) -> None:
        object.__setattr__(self, "_reasons", _reasons)

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values, in the same shape as `Hit.to_dict`.

        Parameters
        ----------
        contents : bool, default True
            Include "text" and "payload".

        Returns
        -------
        dict
            "rank" (from 0), "id" (a string), "score", "distance", "passage" (begin and end, or None), "text",
            "payload". Infinite numbers are None.
        """
        document = (self.text, self.payload) if contents else None
        return hit_dict(self.rank, self.doc_id, self.score, self.distance, self.passage, document)

    def explain(
        self, *, samples: int | None = None, temperature: float | None = None, seed: int | None = None
    ) -> Alignment:
        """Which token of the query moved where, and at what cost; its contributions sum to the distance.

        Parameters
        ----------
        samples, temperature, seed : optional
            With `samples`, also say how sure each move is, in `Alignment.uncertainty`; see `align`.

        Returns
        -------
        Alignment
            With named tokens, to print, draw, or show as HTML. `Alignment.lost` counts what was not compared.

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed, or the document has no token.
        """
        noise = Noise.of(samples, temperature, seed)
        reasons: Reasons | None = vars(self)["_reasons"]
        if reasons is None:
            raise ValueError(f"document {self.doc_id!r} has no token, or the query has none: nothing moved")
        return explained(reasons, noise)


@dataclass(frozen=True)
class Found:
    """Result of comparing a query with documents, before first-stage scores are added."""

    documents: list[RankedDocument]
    certificate: Certificate
    stats: SearchStats
    skipped: int = 0
    dropped: int = 0
    cut: int = 0
    tokens: int = 0

    def late(self, count: int, total: int) -> Found:
        """The same, of `total` documents or passages of which this many were not encoded in time."""
        unsolved = self.certificate.unsolved + count
        statement = f"not exact: {unsolved} of {total} were not reached in time, and nothing is known of them"
        certificate = Certificate(False, -np.inf, unsolved, 0, np.inf, statement)
        return replace(self, certificate=certificate, stats=replace(self.stats, timed_out=True))

    @classmethod
    def uncompared(cls, documents: list[RankedDocument], count: int) -> Found:
        """Documents, out of `count`, none of which has a token."""
        none = np.zeros(0)
        proved = _core.certify(none, bound=np.inf, unsolved=0, k=0, radius=np.inf)
        certificate = Certificate.of(proved, none, count, "documents")
        return cls(documents, certificate, SearchStats(0, (), 0, 0.0, False))

    @classmethod
    def for_no_query(cls, documents: list[RankedDocument], count: int) -> Found:
        """Documents, out of `count`, in the order given, because the query has no token."""
        statement = "not compared: the query has no token; documents are in the order given"
        certificate = Certificate(False, -np.inf, count, 0, np.inf, statement)
        return cls(documents, certificate, SearchStats(0, (), 0, 0.0, False))


@dataclass(frozen=True, repr=False, eq=False)
class Ranking(Sequence[RankedDocument]):
    """Documents for a query, the best first.

    Attributes
    ----------
    query : str
        The query.
    documents : tuple of RankedDocument
        The documents; the ranking is a sequence of them, too.
    measure : Measure
        The measure that was computed.
    certificate : Certificate
        What is proved about the order by distance.
    stats : SearchStats
        Work of the comparison.
    skipped : int
        Documents without a token, which are not compared; those that are returned come last, at distance infinity.
    comparable : bool
        Whether the query has a token. If not, nothing was compared and documents are in the order given.
    dropped, query_dropped : int
        Words of all documents, and of the query, that have no vector, or no mass under the measure. 0 for documents of
        an index, which were encoded before.
    cut, query_cut : int
        Tokens of all documents, and of the query, that the encoder did not see, because texts exceed its limit. 0
        for documents of an index.
    tokens : int
        Tokens of all documents that were encoded; 0 for documents of an index.
    """

    query: str
    documents: tuple[RankedDocument, ...]
    measure: Measure
    certificate: Certificate
    stats: SearchStats
    skipped: int = 0
    comparable: bool = True
    dropped: int = 0
    query_dropped: int = 0
    cut: int = 0
    query_cut: int = 0
    tokens: int = 0

    @property
    def lost(self) -> Lost:
        """What encoding lost, of the query and of all documents."""
        return Lost(self.query_dropped, self.dropped, self.query_cut, self.cut)

    @property
    def doc_ids(self) -> list[Any]:
        """Ids, the best first."""
        return [document.doc_id for document in self.documents]

    @property
    def scores(self) -> list[float]:
        """Scores, the highest first."""
        return [document.score for document in self.documents]

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values: finite numbers or None, ids as strings, nothing of NumPy.

        Parameters
        ----------
        contents : bool, default True
            Include text and payload of each document.

        Returns
        -------
        dict
            "query", "measure" (its name), "hits" (of each, `RankedDocument.to_dict`), "certificate", "stats",
            "skipped", "comparable" and "lost". Keys that `Hits.to_dict` has mean the same there.
        """
        return {
            "query": self.query,
            "measure": self.measure.name,
            "hits": [document.to_dict(contents=contents) for document in self],
            "certificate": self.certificate.to_dict(),
            "stats": self.stats.to_dict(),
            "skipped": self.skipped,
            "comparable": self.comparable,
            "lost": self.lost.to_dict(),
        }

    def __len__(self) -> int:
        return len(self.documents)

    @overload
    def __getitem__(self, key: int) -> RankedDocument: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[RankedDocument, ...]: ...
    def __getitem__(self, key: int | slice) -> RankedDocument | tuple[RankedDocument, ...]:
        return self.documents[key]

    def __iter__(self) -> Iterator[RankedDocument]:
        return iter(self.documents)

    def __repr__(self) -> str:
        if not self.comparable:
            return f"Ranking({len(self)} documents in the order given: the query has no token)"
        best = f", best {self[0].doc_id!r} at {self[0].score:.6g}" if len(self) else ""
        left_out = f", {self.skipped} without a token" if self.skipped else ""
        cut = self.cut + self.query_cut
        left_out += f", {cut} tokens cut off" if cut else ""
        return f"Ranking({len(self)} documents by {self.measure.name}{best}{left_out})"

    def __str__(self) -> str:
        names = [printable(str(document.doc_id)) for document in self]
        width = max([*map(len, names), len("id")])
        lines = [f"{'rank':>4}  {'id':<{width}}  {'score':>9}  {'distance':>9}  text"]
        for name, document in zip(names, self, strict=True):
            shown = on_one_line(document.text or "", max(20, 76 - width))
            lines.append(
                f"{document.rank + 1:>4}  {name:<{width}}  {document.score:>9.5f}  {document.distance:>9.5f}  {shown}"
            )
        if self.skipped:
            lines.append(f"{self.skipped} without a token, not compared")
        lines += self.lost.lines()
        lines.append(str(self.certificate))
        return "\n".join(lines)


def in_order(documents: Sequence[RankedDocument], top_k: int | None) -> tuple[RankedDocument, ...]:
    """The best documents, ranked by score; equal ones keep their order."""
    order = np.argsort([-document.score for document in documents], kind="stable")[:top_k]
    best = (documents[place] for place in order.tolist())
    return tuple(one if one.rank == rank else replace(one, rank=rank) for rank, one in enumerate(best))
