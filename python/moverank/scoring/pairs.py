"""Generated texts against references: a transport F-measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import as_list, read_only, require_callable, text_list, thread_count
from moverank._support.warn import warn
from moverank.alignment.lost import Lost
from moverank.encoders.encoded import Encoder, require_texts, shorten
from moverank.errors import UnscoredWarning
from moverank.measures.measure import Measure
from moverank.scoring.baseline import ScoreBaseline, rescaled
from moverank.scoring.compare import Compared, EncodedOnce, Weighed
from moverank.scoring.scores import Scores
from moverank.scoring.setup import DEFAULT_MEASURE, Idf, Reasons, Setup
from moverank.spaces.space import Space


def score(
    candidates: Iterable[str],
    references: Iterable[str | Sequence[str]],
    *,
    encoder: Encoder | None = None,
    measure: str | Measure = DEFAULT_MEASURE,
    idf: Idf = False,
    baseline: ScoreBaseline | None = None,
    space: Space | None = None,
    num_threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Scores:
    """Score generated texts by how cheaply their tokens move into those of references, and the reverse.

    Precision is the similarity of the candidate moved into the reference: all of the candidate's mass has to move, and
    reference token j takes at most κ b_j, with κ the measure's capacity. Recall is the reverse, and f1 their harmonic
    mean (where one of them is not above 0, the lower one). Similarity is 1 − cost under cosine costs. A token's mass is
    what the encoder or else the measure gives it, times its IDF weight.

    Under cosine costs and uniform weighting, κ = ∞ sends each token to its nearest: precision, recall and f1 are those
    of BERTScore [1]_, greedy matching with or without IDF. κ = 1 is balanced transport as in MoverScore [2]_, where
    precision, recall and f1 are one number. Values between keep a token from being the match of too many others.

    Parameters
    ----------
    candidates : sequence of str
        Generated texts.
    references : sequence of str, or of sequences of str
        What each should say: one text, or several, of which the one of highest f1 counts. (bert-score takes the maxima
        of precision, recall and f1 one by one, so they may be of different references.)
    encoder : Encoder, optional
        Turns both sides into vectors, as documents; by default the English word vectors of the package, a fast
        and coarse choice. For tokens in context use `OnnxEncoder` or `SentenceTransformerEncoder`.
    measure : str or Measure
        What compares; by default `moverank.scoring.DEFAULT_MEASURE`.
    idf : bool or TokenWeights, default False
        True weighs tokens by their rarity in the references, −ln((1 + N_t) / (1 + N)) for a token in N_t of N, as
        bert-score does. Where references are few, give weights that `score_idf` fitted to more texts, or any of
        your own.
    baseline : ScoreBaseline, optional
        Rescale each score x to (x − b) / (1 − b), with b the mean of random pairs; see `score_baseline`. The order
        does not change.
    space : Space, optional
        Moves encoded texts before they are compared; see `fit`. Weights that it gives are multiplied with those of
        `idf`.
    num_threads : int, optional
        Threads of the transport; all cores by default. Scores do not depend on it.
    progress : callable, optional
        Called from time to time with the number of texts encoded so far and of all distinct texts.

    Returns
    -------
    Scores
        A pair of which one side has no token that the encoder knows scores 0 (before rescaling), and `Scores.scored`
        says so.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it, and the pair.
    EncoderMismatchError, MeasureMismatchError
        If the baseline was fitted for another encoder or measure; a ValueError if for other weights.

    Warns
    -----
    UnscoredWarning
        If pairs could not be compared; the message counts them and shows the first.

    References
    ----------
    .. [1] Zhang, Kishore, Wu, Weinberger, Artzi, "BERTScore: Evaluating Text Generation with BERT", ICLR 2020.
    .. [2] Zhao, Peyrard, Liu, Gao, Meyer, Eger, "MoverScore: Text Generation Evaluating with Contextualized Embeddings
       and Earth Mover Distance", EMNLP 2019.

    Examples
    --------
    >>> from moverank.scoring import score
    >>> scores = score(["A man sings.", "Rain fell."], ["A man performs a song.", "Shares fell."])
    >>> bool(scores.f1[0] > scores.f1[1])
    True
    >>> print(scores.explain(0))
    query token     document token  mass %     cost  contribution
    sings        -> song             56.94   0.2842       0.16184
    man          -> man              38.26   0.0000       0.00000
    a            -> a                 4.80   0.0000       0.00000
    distance                        100.00                0.16184
    """
    setup = Setup.of(encoder, measure, idf, space)
    generated = require_texts(candidates, "candidate")
    if not generated:
        raise ValueError("candidates: expected at least one, got none")
    given = _references(references, len(generated))
    thread_count(num_threads)
    if progress is not None:
        require_callable(progress, "progress")
    if baseline is not None:
        if not isinstance(baseline, ScoreBaseline):
            raise TypeError(f"baseline: expected a ScoreBaseline, got {type(baseline).__name__}")
        baseline._require(setup.encoder, setup.measure, setup.idf)

    flat = [reference for own in given for reference in own]
    counts = np.array([len(own) for own in given])
    encoded = EncodedOnce(setup.encoder, [*generated, *flat], progress)
    weights = setup.weights(encoded, flat)
    repeated = [candidate for candidate, own in zip(generated, given, strict=True) for _ in own]
    weighed = encoded.weighed(setup.measure, weights)
    found = weighed.compare(repeated, flat, num_threads)
    chosen, best = _best(found, counts)
    precision, recall, f1 = found.precision[chosen], found.recall[chosen], found.f1[chosen]
    if baseline is not None:
        means = baseline.precision, baseline.recall, baseline.f1
        precision, recall, f1 = (rescaled(*of) for of in zip((precision, recall, f1), means, strict=True))
    scored = found.scored[chosen]
    if not scored.all():
        _tell(generated, given, scored, weighed)
    return Scores(
        read_only(precision),
        read_only(recall),
        read_only(f1),
        read_only(best),
        read_only(scored),
        tuple(generated),
        given,
        setup.measure,
        weights,
        baseline,
        _lost(encoded, generated, [flat[k] for k in chosen.tolist()]),
        Reasons(setup.encoder, setup.measure, weights),
    )


def _references(references: Any, count: int) -> tuple[tuple[str, ...], ...]:
    """The references of each candidate, at least one."""
    if isinstance(references, str):
        raise TypeError("references: expected a list of texts, got one string")
    listed = as_list(references, "references", "texts, or of lists of texts")
    if len(listed) != count:
        one_each = f"{count}, one per candidate (a text, or a list of them)"
        raise ValueError(f"references: expected {one_each}, got {len(listed)}")
    several = [k for k, own in enumerate(listed) if _is_list(own)]
    for k in several:
        listed[k] = tuple(text_list(listed[k], f"references[{k}]", "reference", "texts"))
        if not listed[k]:
            raise ValueError(f"references[{k}]: expected at least one text, got none")
    if not several:
        return tuple((text,) for text in text_list(listed, "references", "reference", "texts"))
    single = {k for k in range(count) if not isinstance(listed[k], tuple)}
    checked = text_list([listed[k] if k in single else "" for k in range(count)], "references", "reference", "texts")
    return tuple((checked[k],) if k in single else listed[k] for k in range(count))


def _is_list(value: Any) -> bool:
    """Whether a candidate has a list of references; what is neither that nor a text is refused as a text."""
    single = isinstance(value, (str, bytes, dict)) or getattr(value, "shape", None) == ()
    return isinstance(value, Iterable) and not single


def _best(found: Compared, counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The best reference of each candidate: among all references, and among its own. Equal ones: the first."""
    ends = np.cumsum(counts)
    starts = ends - counts
    # One that could not be compared is the best only if none could be.
    f1 = np.where(found.scored, found.f1, -np.inf)
    highest = np.repeat(np.maximum.reduceat(f1, starts), counts)
    places = np.where(f1 == highest, np.arange(len(f1)), len(f1))
    chosen: NDArray[np.int64] = np.minimum.reduceat(places, starts)
    return chosen, chosen - starts


def _tell(
    candidates: list[str], references: Sequence[Sequence[str]], scored: NDArray[np.bool_], weighed: Weighed
) -> None:
    first = int(np.argmin(scored))
    if candidates[first] in weighed.place:
        whose, text = "reference", references[first][0]
    else:
        whose, text = "candidate", candidates[first]
    warn(
        f"{int((~scored).sum())} of {len(scored)} pairs score 0, as one side has no token that the encoder knows; the "
        f"first is pair {first}, whose {whose} is {shorten(text)!r}",
        UnscoredWarning,
    )


def _lost(encoded: EncodedOnce, candidates: Iterable[str], references: Iterable[str]) -> Lost:
    left, right = ([encoded.lost(text) for text in texts] for texts in (candidates, references))
    dropped, other_dropped, cut, other_cut = (sum(one[k] for one in side) for k in (0, 1) for side in (left, right))
    return Lost(dropped, other_dropped, cut, other_cut)
