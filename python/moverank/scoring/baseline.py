"""What random pairs of texts score: the zero of a rescaled score."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.files import write_whole
from moverank._support.validate import real_number, require_callable, thread_count, whole_number
from moverank._support.wording import printable
from moverank.encoders.digests import digest
from moverank.encoders.encoded import Encoder, require_texts
from moverank.errors import EncoderMismatchError, MeasureMismatchError, NoTokensError
from moverank.measures.measure import Measure
from moverank.scoring.compare import Compared, EncodedOnce
from moverank.scoring.setup import DEFAULT_MEASURE, Idf, Setup
from moverank.scoring.storing import LARGEST, from_bytes, to_bytes
from moverank.spaces.space import Space
from moverank.spaces.weights import TokenWeights
from moverank.vectors.encoder_identity import EncoderIdentity

#: How a baseline remembers weights that are fitted to the texts themselves.
OF_REFERENCES = "references"

_DIGEST = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class ScoreBaseline:
    """Mean scores of random pairs of texts, and what they were computed with. Made by `score_baseline`.

    Attributes
    ----------
    precision, recall, f1 : float
        Means b: a score x becomes (x − b) / (1 − b), so that random pairs score 0 on average and equal texts 1.
    pairs : int
        Pairs that the means are of.
    encoder : EncoderIdentity
        What encoded the texts, the space included. `score` refuses others, as far as it can tell them apart: an encoder
        of your own needs an `identity`.
    measure : Measure
        What compared them.
    idf : str or None
        "references" for weights by the frequency in the texts themselves, a digest of weights that were given, None for
        no weights.
    """

    precision: float
    recall: float
    f1: float
    pairs: int
    encoder: EncoderIdentity
    measure: Measure
    idf: str | None

    def __post_init__(self) -> None:
        for name in ("precision", "recall", "f1"):
            mean = real_number(getattr(self, name), name)
            if not -math.inf < mean < 1:
                raise ValueError(f"{name}: expected a finite number below 1, got {mean:g}")
            object.__setattr__(self, name, mean)
        object.__setattr__(self, "pairs", whole_number(self.pairs, "pairs", least=1))
        for name, kind in (("encoder", EncoderIdentity), ("measure", Measure)):
            if not isinstance(getattr(self, name), kind):
                raise TypeError(f"{name}: expected {kind.__name__}, got {type(getattr(self, name)).__name__}")
        idf: Any = self.idf
        if idf is not None and not (isinstance(idf, str) and (idf == OF_REFERENCES or _DIGEST.fullmatch(idf))):
            raise ValueError(f"idf: expected {OF_REFERENCES!r}, a digest or None, got {idf!r:.40}")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a JSON file, for `load`.

        A file that is there is replaced as a whole, so that a reader finds the old baseline or the new one.

        Parameters
        ----------
        path : path
            Where to write it.

        Raises
        ------
        OSError
            If it cannot be written; a file that was there is as it was.
        """
        write_whole(Path(path), to_bytes({field.name: getattr(self, field.name) for field in fields(self)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ScoreBaseline:
        """Read a file written by `save`: a baseline equal to the one that was saved.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        ScoreBaseline

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is not such a file, is damaged, or was written in a version of the format that is not known here.
        """
        with Path(path).open("rb") as file:
            octets = file.read(LARGEST + 1)
        try:
            return cls(**from_bytes(octets))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None

    def _require(self, encoder: Encoder, measure: Measure, idf: Idf) -> None:
        """Refuse scores of another kind.

        Raises
        ------
        EncoderMismatchError, MeasureMismatchError, ValueError
            If encoder, measure or weights are not those that the baseline was fitted for.
        """
        given = EncoderIdentity.of(encoder)
        differences = self.encoder.differences(given)
        if differences:
            raise EncoderMismatchError(
                f"baseline: was fitted with the encoder {self.encoder}, given is {given}; they differ in "
                f"{', '.join(map(printable, differences))}"
            )
        if measure != self.measure:
            raise MeasureMismatchError(
                f"baseline: was fitted for {self.measure.name}, but the scores are by {measure.name}"
            )
        named = weights_named(idf)
        if named != self.idf:
            raise ValueError(f"baseline: was fitted with {_said(self.idf)}, but the scores have {_said(named)}")

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values: the three means, "pairs", "encoder", "measure" (its name) and "idf"."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "pairs": self.pairs,
            "encoder": self.encoder.as_json(),
            "measure": self.measure.name,
            "idf": self.idf,
        }


def score_baseline(
    texts: Iterable[str],
    *,
    encoder: Encoder | None = None,
    measure: str | Measure = DEFAULT_MEASURE,
    idf: Idf = False,
    space: Space | None = None,
    pairs: int = 10_000,
    seed: int = 0,
    num_threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> ScoreBaseline:
    """Mean scores of random pairs of texts, by which `score` rescales.

    Parameters
    ----------
    texts : sequence of str
        Many texts of the kind that is scored, such as references of a training set. Repeats are drawn once.
    encoder, measure, idf, space, num_threads
        As they will be passed to `score`, which refuses others.
    pairs : int, default 10000
        Number of pairs to draw, each of two different texts.
    seed : int, default 0
        Seed of the draws: equal texts in equal order give equal baselines.
    progress : callable, optional
        Called from time to time with the number of texts encoded so far and of all texts to encode.

    Returns
    -------
    ScoreBaseline

    Raises
    ------
    NoTokensError
        If fewer than two different texts have a token.
    TypeError, ValueError
        If an argument is malformed; or if random pairs score 1 or more, as similarities by inner products of long
        vectors can, so that nothing can be rescaled.

    References
    ----------
    .. [1] Zhang, Kishore, Wu, Weinberger, Artzi, "BERTScore", ICLR 2020, section 3 (baseline rescaling).

    Examples
    --------
    >>> texts = ["A cat sat on a mat.", "Stocks fell on Monday.", "He plays the guitar."]
    >>> baseline = score_baseline(texts, pairs=100)
    >>> 0 < baseline.f1 < 0.5
    True
    """
    setup = Setup.of(encoder, measure, idf, space)
    listed = require_texts(texts)
    whole_number(pairs, "pairs", least=1)
    whole_number(seed, "seed", least=0)
    thread_count(num_threads)
    if progress is not None:
        require_callable(progress, "progress")
    distinct = list(dict.fromkeys(listed))
    if len(distinct) < 2:
        raise NoTokensError(f"texts: expected at least two different ones, got {len(distinct)}")
    rng = np.random.default_rng(seed)
    first = rng.integers(len(distinct), size=pairs)
    second = (first + 1 + rng.integers(len(distinct) - 1, size=pairs)) % len(distinct)
    left, right = ([distinct[t] for t in drawn.tolist()] for drawn in (first, second))
    # All of them only where frequencies are needed.
    encoded = EncodedOnce(setup.encoder, listed if setup.idf is True else [*left, *right], progress)
    weights = setup.weights(encoded, listed)
    found = encoded.weighed(setup.measure, weights).compare(left, right, num_threads)
    if not found.scored.any():
        raise NoTokensError("texts: no pair of two different texts that both have a token was drawn")
    means = _means(found)
    for name, mean in zip(("precision", "recall", "f1"), means, strict=True):
        if not mean < 1:
            raise ValueError(
                f"measure: the mean {name} of random pairs is {mean:g}, not below 1; nothing can be rescaled"
            )
    identity = EncoderIdentity.of(setup.encoder)
    return ScoreBaseline(*means, int(found.scored.sum()), identity, setup.measure, weights_named(setup.idf))


def rescaled(scores: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Scores on a scale whose 0 is a mean."""
    return (scores - mean) / (1 - mean)


def weights_named(idf: Idf) -> str | None:
    """How a baseline remembers weights."""
    if isinstance(idf, TokenWeights):
        lines = [f"{token}\0{weight!r}\n" for token, weight in sorted(idf.table.items())]
        return digest([f"{idf.unseen!r}\n".encode(), *(line.encode("utf-8", "surrogatepass") for line in lines)])
    return OF_REFERENCES if idf else None


def _said(idf: str | None) -> str:
    if idf is None:
        return "idf=False"
    return "idf=True" if idf == OF_REFERENCES else f"weights {idf[:8]}"


def _means(found: Compared) -> tuple[float, float, float]:
    precision, recall, f1 = (float(one[found.scored].mean()) for one in (found.precision, found.recall, found.f1))
    return precision, recall, f1
