"""Results of a `TextIndex`: documents for a query, the best first, each with its text and an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any, overload

from moverank._support.plain import finite
from moverank._support.wording import on_one_line, printable
from moverank.alignment.alignment import Alignment
from moverank.alignment.sampling import Noise
from moverank.index.search.hits import Certificate, SearchStats, hit_dict
from moverank.measures.measure import Measure
from moverank.ranking.results import Reasons, explained


@dataclass(frozen=True)
class TextHit:
    """One document of the answer.

    Attributes
    ----------
    rank : int
        Place in the answer, from 0.
    id : int or str
        Id of the document.
    score : float
        What hits are ordered by, larger is better. With lexical retrieval it is the sum of two scores that are
        standardised over the candidates of one query, and means nothing for another query; without, the similarity.
    similarity : float
        How much of the query's meaning the text has, from 0 to 1: under WRD the mean cosine between each token of the
        query and the tokens of the text that its mass moves to, or 0 if that is below. It means the same for every
        query. (Under Euclidean costs 1 / (1 + distance); under "dot" and "maxsim" the mean inner product, which has
        no bounds.)
    distance : float
        The measure's value; infinite if the query has no token with a vector.
    lexical : float or None
        BM25 score of the text, 0 if it shares no term with the query; None without lexical retrieval.
    probability : float or None
        How often hits with such a score were relevant, if the index has been calibrated for such searches, see
        `TextIndex.calibrate`.
    text : str or None
        The text, or the passage that is nearest to the query; None if the index keeps no texts.
    passage : (int, int) or None
        Begin and end of the passage in the document, in characters, if documents are cut into passages.
    payload : JSON value
        Payload of the document; None if it has none.
    """

    rank: int
    id: int | str
    score: float
    similarity: float
    distance: float
    lexical: float | None
    probability: float | None
    text: str | None = field(repr=False)
    passage: tuple[int, int] | None = None
    payload: Any = field(default=None, repr=False)
    #: Given at construction, and no field: it is not part of the value, but `dataclasses.replace` passes it on.
    _reasons: InitVar[Reasons | None] = None

    def __post_init__(self, _reasons: Reasons | None) -> None:
        object.__setattr__(self, "_reasons", _reasons)

    def explain(
        self, *, samples: int | None = None, temperature: float | None = None, seed: int | None = None
    ) -> Alignment:
        """Which word of the query moved where in the text, and at what cost; contributions sum to the distance.

        Parameters
        ----------
        samples, temperature, seed : optional
            With `samples`, also say how sure each move is, in `Alignment.uncertainty`; see `align`.

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed, or the query has no token with a vector: then only its terms were compared.
        """
        noise = Noise.of(samples, temperature, seed)
        reasons: Reasons | None = vars(self)["_reasons"]
        if reasons is None:
            raise ValueError(f"document {self.id!r} was found by its terms alone: no word of the query has a vector")
        return explained(reasons, noise)

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values, in the same shape as `Hit.to_dict`, and with the other scores.

        Parameters
        ----------
        contents : bool, default True
            Include "text" and "payload".
        """
        document = (self.text, self.payload) if contents else None
        scores = {"similarity": self.similarity, "lexical": self.lexical, "probability": self.probability}
        return hit_dict(self.rank, self.id, self.score, self.distance, self.passage, document) | {
            name: None if score is None else finite(score) for name, score in scores.items()
        }


@dataclass(frozen=True, repr=False, eq=False)
class TextHits(Sequence[TextHit]):
    """Documents for a query, the best first: a sequence of `TextHit`.

    Attributes
    ----------
    query : str or None
        The query; None if vectors were searched for.
    hits : tuple of TextHit
        The documents.
    measure : Measure
        What texts were compared by.
    certificate : Certificate
        What is proved about the answer: about these hits, however many candidates were compared. In an index of
        passages it counts passages that were not solved, and documents that are certain. Where lexical scores have a
        part in the order, nothing is proved about documents that were no candidates.
    stats : SearchStats
        Work of the search by the measure.
    seconds : mapping of float
        Time by stage: "encode", "lexical", "transport", "fuse".
    comparable : bool
        Whether a word of the query has a vector. If not, only terms were compared.
    dropped : int
        Words of the query without a vector.
    left_out : int
        By how many the hits are fewer than asked for, as other candidates are below `min_similarity` or
        `min_probability`.
    """

    query: str | None
    hits: tuple[TextHit, ...]
    measure: Measure
    certificate: Certificate
    stats: SearchStats
    seconds: Mapping[str, float]
    comparable: bool = True
    dropped: int = 0
    left_out: int = 0

    @property
    def ids(self) -> list[int | str]:
        """Ids, the best first."""
        return [hit.id for hit in self.hits]

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values: finite numbers or None, ids as strings, nothing of NumPy.

        Parameters
        ----------
        contents : bool, default True
            Include text and payload of each document.
        """
        return {
            "query": self.query,
            "measure": self.measure.name,
            "hits": [hit.to_dict(contents=contents) for hit in self.hits],
            "certificate": self.certificate.to_dict(),
            "stats": self.stats.to_dict(),
            "seconds": dict(self.seconds),
            "comparable": self.comparable,
            "dropped": self.dropped,
            "left_out": self.left_out,
        }

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, key: int) -> TextHit: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[TextHit, ...]: ...
    def __getitem__(self, key: int | slice) -> TextHit | tuple[TextHit, ...]:
        return self.hits[key]

    def __iter__(self) -> Iterator[TextHit]:
        return iter(self.hits)

    def __repr__(self) -> str:
        best = f", best {self[0].id!r} at {self[0].score:.4g}" if self.hits else ""
        return f"TextHits({len(self)} documents{best})"

    def __str__(self) -> str:
        if not self.hits:
            why = ": no candidate is as good as requested" if self.left_out else ""
            return f"no document{why}\n{self.certificate}"
        names = [printable(str(hit.id)) for hit in self]
        width = max([*map(len, names), len("id")])
        lines = [f"{'rank':>4}  {'id':<{width}}  {'score':>7}  {'similarity':>10}  text"]
        for name, hit in zip(names, self, strict=True):
            shown = on_one_line(hit.text or "", max(20, 76 - width))
            lines.append(f"{hit.rank + 1:>4}  {name:<{width}}  {hit.score:>7.3f}  {hit.similarity:>10.3f}  {shown}")
        return "\n".join([*lines, str(self.certificate)])


@dataclass(frozen=True)
class Added:
    """What became of texts that were added.

    Attributes
    ----------
    ids : list of int or of str
        Ids of the documents that are in the index now, in the order of the texts.
    skipped : list of int or of str
        Ids of texts that were left out, as no word of theirs has a vector.
    dropped : int
        Words without a vector, in all other texts.
    cut : int
        Tokens beyond the encoder's limit.
    """

    ids: list[int | str] = field(repr=False)
    skipped: list[int | str] = field(repr=False)
    dropped: int = 0
    cut: int = 0

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} left out" if self.skipped else ""
        cut = f", {self.cut} tokens cut off" if self.cut else ""
        return f"Added({len(self.ids)} documents{skipped}, {self.dropped} words without a vector{cut})"
