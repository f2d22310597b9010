"""`fit`: examples in, a space out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moverank import presets
from moverank._support.validate import as_list, one_of, require_callable, thread_count
from moverank.encoders.digests import digest
from moverank.encoders.encoded import Encoder, require_encoder
from moverank.learning.checks import (
    first_stage_scores,
    require_capacities,
    require_derivatives,
    require_folder,
    require_used,
)
from moverank.learning.choices import fusion_of, with_capacity
from moverank.learning.classes import Classes
from moverank.learning.examples import Given, Texts, classes, held_out_places, judged, of_triples, scores_of, split
from moverank.learning.learned import Learned
from moverank.learning.model import Model
from moverank.learning.options import Training
from moverank.learning.projection import Projection, ProjectionModel, principal_axes
from moverank.learning.rankings import Rankings
from moverank.learning.scored_pairs import ScoredPairs
from moverank.learning.sides import Side, Vocabulary
from moverank.learning.token_weights import TokenWeighting, WeightModel
from moverank.learning.training import Epoch, best_of, train
from moverank.measures.measure import Measure, require_vectors
from moverank.spaces.space import Space
from moverank.vectors.encoder_identity import EncoderIdentity

LEARNABLE = ("weights", "projection", "capacity", "fusion")

Progress = Callable[[Epoch], object]


def fit(
    queries: Texts | None = None,
    documents: Texts | None = None,
    judgements: Mapping[Any, Any] | Iterable[tuple[Any, Any, float]] | None = None,
    *,
    triples: Iterable[tuple[Any, Any, Any]] | None = None,
    labels: Sequence[Any] | None = None,
    pairs: Sequence[float] | None = None,
    encoder: Encoder,
    measure: str | Measure | None = None,
    learn: Collection[str] = ("weights", "projection"),
    weights: TokenWeighting | None = None,
    projection: Projection | None = None,
    training: Training | None = None,
    start: Space | None = None,
    first_stage: Mapping[Any, Mapping[Any, float]] | None = None,
    held_out: Collection[Any] | None = None,
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> Learned:
    """Learn from examples how tokens weigh and where they lie, so that near texts are those that should be near.

    Examples are one of four kinds: `judgements` of documents for queries, `triples`, `labels` of the documents, or
    scores of `pairs`. A share of them is held out, and what is returned is the state that was best on it, of those
    after each epoch and the one before the first.

    That first state compares texts as the untrained recipe does, which is `measure` in the space `start`, as long as
    all dimensions and tokens are kept: the result is then at least as good on the held-out examples. A projection to
    fewer dimensions starts at principal axes instead, and `keep` below 1 with fewer tokens. That costs something from
    the outset, and the result may be worse than the recipe: `Learned.recipe` is the recipe's figure, and
    `Learned.is_worse` says so.

    Parameters
    ----------
    queries : mapping of ids to str, or sequence of str, optional
        Queries; of pairs, the left texts. In a sequence, ids are places. Not with `labels`.
    documents : mapping of ids to str, or sequence of str
        Documents; of pairs, the right texts; with `labels`, the texts.
    judgements : mapping, or iterable of (query id, document id, grade), optional
        Per query id, a mapping of document ids to grades, or a list or set of relevant ids. Grades above 0 are
        relevant; a document that has two different ones for a query is an error. Other documents that are near a query
        are taken to be irrelevant.
    triples : iterable of (query id, document id, document id), optional
        A query, a document that should be near, and one that should be far.
    labels : sequence of str or int, optional
        The class of each document.
    pairs : sequence of float, optional
        How alike query p and document p are; more is more alike.
    encoder : Encoder
        The encoder of the texts. It is not changed.
    measure : str or Measure, optional
        What compares; by default that of the preset for the kind of examples. Relaxed measures ("rwmd") and `Sinkhorn`
        whose epsilon is relative have no derivatives here and are refused.
    learn : collection of {"weights", "projection", "capacity", "fusion"}, default ("weights", "projection")
        What to learn. Capacity and fusion are chosen on the held-out examples after training: capacity from 1, 2, 4, 8,
        inf and the measure's own, which stays if no other is better.
    weights : TokenWeighting, optional
        How token weights are learnt.
    projection : Projection, optional
        How the projection is learnt.
    training : Training, optional
        Loss, batches, optimisers, seed, stopping, checkpoints.
    start : Space, optional
        A space to start from; its steps come first in the result.
    first_stage : mapping, optional
        For "fusion": per query id, scores of documents by id, finite, such as those of BM25.
    held_out : collection of ids, optional
        Queries that choose and are not trained on, in place of a random share; with `labels`, documents. Hold queries
        out together if they share relevant documents and those that you will search for do not.
    num_threads : int, optional
        Threads to use; all cores by default. The result depends on the seed and may depend on this number.
    progress : callable, optional
        Called with each `Epoch`, the start included.

    Returns
    -------
    Learned

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or applies to other examples, no example is left, or a checkpoint is of other
        examples, options or optimisers, or of more epochs.
    OSError
        If a checkpoint cannot be written; where its folder does not exist, before training.
    FloatingPointError
        If the loss stops being finite.

    References
    ----------
    .. [1] Huang, Guo, Kusner, Sun, Sha, Weinberger, "Supervised Word Mover's Distance", NIPS 2016.

    Examples
    --------
    >>> from moverank.encoders import WordVectors
    >>> from moverank.learning import Training, fit
    >>> documents = ["a cat sat", "a dog ran", "the cat ran", "the dog sat"]
    >>> learned = fit(
    ...     ["cat", "dog", "sat", "ran"],
    ...     documents,
    ...     {0: [0, 2], 1: [1, 3], 2: [0, 3], 3: [1, 2]},
    ...     encoder=WordVectors.default(),
    ...     learn={"weights"},
    ...     training=Training(epochs=1, held_out=0.25),
    ... )
    >>> learned.figure
    'nDCG@10'
    """
    wanted = _wanted(learn, triples is not None or judgements is not None, first_stage)
    kind = _kind({"judgements": judgements, "triples": triples, "labels": labels, "pairs": pairs}, queries, documents)
    require_encoder(encoder)
    chosen = _measure(measure, kind, encoder)
    own_weights = _of(weights, TokenWeighting, "weights") if "weights" in wanted else None
    own_projection = _of(projection, Projection, "projection") if "projection" in wanted else None
    for name, given, own in (("weights", weights, own_weights), ("projection", projection, own_projection)):
        if given is not None and own is None:
            raise ValueError(f"{name}: is given, but {name!r} is not in learn")
    how = _of(training, Training, "training")
    if start is not None and not isinstance(start, Space):
        raise TypeError(f"start: expected a Space, got {type(start).__name__}")
    if progress is not None:
        require_callable(progress, "progress")
    thread_count(num_threads)
    require_derivatives(chosen)
    if "capacity" in wanted:
        require_capacities(chosen)
    require_used(how, kind, own_weights)
    require_folder(how.checkpoint)
    right = Given([] if documents is None else documents, "documents", encoder, start, as_queries=False)
    left = right
    if queries is not None:
        left = Given(queries, "queries", encoder, start, as_queries=kind != "pairs")
    by_norm = chosen._mass.needs_vectors
    least_texts = 1 if own_weights is None else own_weights.least_texts
    vocabulary = Vocabulary.of([right.encoded] if left is right else [right.encoded, left.encoded], least_texts)
    documents_side = vocabulary.side(right.encoded, by_norm=by_norm)
    queries_side = documents_side if left is right else vocabulary.side(left.encoded, by_norm=by_norm)
    sides = queries_side, documents_side
    apart = held_out_places(held_out, left)
    with _surroundings(num_threads):
        model = _model(own_weights, own_projection, vocabulary, documents_side, chosen, how)
        examples: Rankings | Classes | ScoredPairs
        if labels is not None:
            examples = _classes(labels, right, documents_side, apart, chosen, how, num_threads)
        elif pairs is not None:
            examples = _pairs(pairs, left, right, sides, apart, chosen, how, num_threads)
        else:
            examples = _rankings(judgements, triples, left, right, sides, apart, chosen, how, num_threads)
        first_scores = None
        if first_stage is not None:
            first_scores = first_stage_scores(first_stage, left, right, examples.held)
        examples.prepare(model)
        identity = _identity(
            encoder,
            chosen,
            start,
            (own_weights, own_projection, how),
            sides,
            [*examples.content(), examples.held.tobytes()],
        )
        history = train(model, examples, how, identity=identity, progress=progress)
        recipe = history[0].held_out if model.starts_as_recipe else examples.recipe()
        after = best_of(history).held_out
        if "capacity" in wanted:
            chosen, after = with_capacity(examples, model, chosen, after)
        fusion = None
        if first_scores is not None and isinstance(examples, Rankings):
            fusion = fusion_of(examples, model, chosen, first_scores)
    learnt = model.steps(vocabulary, by_norm=by_norm, has_weights=right.encoded.sequences.weights is not None)
    steps = learnt if start is None else (*start.steps, *learnt)
    held = examples.left_places[examples.held] if isinstance(examples, ScoredPairs) else examples.held
    names = tuple(left.ids[place] for place in held.tolist())
    return Learned(Space(steps), chosen, fusion, examples.figure, history, names, recipe, after)


def _wanted(learn: Any, is_ranking: bool, first_stage: Any) -> set[str]:
    listed = list(learn) if isinstance(learn, (set, frozenset)) else as_list(learn, "learn", "names")
    wanted = {one_of(name, "learn", LEARNABLE) for name in listed}
    if not wanted:
        raise ValueError(f"learn: expected at least one of {', '.join(map(repr, LEARNABLE))}")
    if ("fusion" in wanted) != (first_stage is not None):
        raise ValueError("first_stage: goes with 'fusion' in learn; give both or neither")
    if first_stage is not None:
        if not is_ranking:
            raise ValueError("first_stage: applies to judgements and triples only")
        if not isinstance(first_stage, Mapping):
            raise TypeError(f"first_stage: expected a mapping of query ids, got {type(first_stage).__name__}")
    return wanted


def _kind(given: dict[str, Any], queries: Any, documents: Any) -> str:
    found = [name for name, value in given.items() if value is not None]
    if len(found) != 1:
        told = "none" if not found else " and ".join(found)
        raise ValueError(f"expected one of {', '.join(given)}, got {told}")
    if documents is None:
        raise ValueError("documents: expected texts, got None")
    if (queries is None) != (found[0] == "labels"):
        raise ValueError(f"queries: {'go not with labels' if queries is not None else f'are needed with {found[0]}'}")
    return found[0]


def _measure(measure: str | Measure | None, kind: str, encoder: Encoder) -> Measure:
    if measure is not None:
        chosen = Measure.of(measure)
    elif kind == "labels":
        chosen = presets.CLASSIFICATION_BY_WORDS.measure
    else:
        chosen = (presets.pairs if kind == "pairs" else presets.retrieval)(encoder).measure
    require_vectors(chosen)
    return chosen


def _of(value: Any, kind: type[Any], name: str) -> Any:
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise TypeError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")
    return value


def _model(
    weights: TokenWeighting | None,
    projection: Projection | None,
    vocabulary: Vocabulary,
    documents: Side,
    measure: Measure,
    training: Training,
) -> Model:
    of_weights = of_projection = None
    if weights is not None:
        of_weights = WeightModel(weights, len(vocabulary.names), sparse=training.lazy_optimizer is not None)
    if projection is not None:
        of_projection = ProjectionModel(projection, principal_axes(documents.vectors, projection.dim, measure))
    return Model(of_weights, of_projection)


def _classes(
    labels: Sequence[Any],
    texts: Given,
    side: Side,
    apart: list[int] | None,
    measure: Measure,
    training: Training,
    num_threads: int | None,
) -> Classes:
    numbers = classes(labels, texts)
    trained, held = split(range(len(numbers)), apart, training.held_out, training.seed, "labels")
    return Classes(side, numbers, trained, held, measure, training, num_threads)


def _rankings(
    judgements: Any,
    triples: Any,
    left: Given,
    right: Given,
    sides: tuple[Side, Side],
    apart: list[int] | None,
    measure: Measure,
    training: Training,
    num_threads: int | None,
) -> Rankings:
    others: list[list[int]] | None = None
    if triples is None:
        relevant = judged(judgements, left, right)
    else:
        relevant, others = of_triples(triples, left, right)
    used = [q for q, own in enumerate(relevant) if own]
    trained, held = split(used, apart, training.held_out, training.seed, "judgements" if triples is None else "triples")
    return Rankings(*sides, relevant, others, trained, held, measure, training, num_threads)


def _pairs(
    pairs: Sequence[float],
    left: Given,
    right: Given,
    sides: tuple[Side, Side],
    apart: list[int] | None,
    measure: Measure,
    training: Training,
    num_threads: int | None,
) -> ScoredPairs:
    if left.count != right.count:
        raise ValueError(f"pairs: expected as many queries as documents, got {left.count} and {right.count}")
    scores = scores_of(pairs, left.count)
    both = sorted(set(left.encoded.kept) & set(right.encoded.kept))
    left_places, right_places = (np.searchsorted(given.encoded.kept, both) for given in (left, right))
    own = None if apart is None else np.flatnonzero(np.isin(left_places, apart)).tolist()
    trained, held = split(range(len(both)), own, training.held_out, training.seed, "pairs")
    if len(set(scores[both].tolist())) == 1:
        raise ValueError("pairs: all scores are equal, which no distance can agree with")
    if len(set(scores[both][held].tolist())) == 1:
        advice = (
            "" if apart is not None else "; hold others out, by held_out= or the seed, or a larger share of Training"
        )
        raise ValueError(f"held_out: expected pairs of different scores, got {len(held)} of one score{advice}")
    return ScoredPairs(
        *sides, left_places, right_places, _standard(scores[both]), trained, held, measure, training, num_threads
    )


def _standard(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of mean 0 and deviation 1, which no correlation can tell from others, and which float32 can hold."""
    own = scores / np.abs(scores).max()
    own = own - own.mean()
    own = own / np.abs(own).max()
    standard: NDArray[np.float64] = own / own.std()
    return standard


def _identity(
    encoder: Encoder,
    measure: Measure,
    start: Space | None,
    options: tuple[TokenWeighting | None, Projection | None, Training],
    sides: tuple[Side, Side],
    content: list[bytes],
) -> str:
    """A digest of all that training depends on, but for the optimisers and how long it may take."""
    weights, projection, training = options
    told = replace(training, checkpoint=None, epochs=0, optimizer=None, lazy_optimizer=None)
    known = repr((EncoderIdentity.of(encoder), measure, weights, projection, told)).encode()
    pieces: list[Any] = [known, b"" if start is None else start.to_bytes()]
    for side in sides:
        pieces += [getattr(side, own.name) for own in fields(side) if own.name not in ("vectors", "words")]
        pieces.append(side.vectors.sum(axis=1))
    return digest([*pieces, *content])


@contextmanager
def _surroundings(num_threads: int | None) -> Any:
    """Let torch use as many threads as we do, and compute derivatives whatever the caller does, while this lasts."""
    before = torch.get_num_threads()
    try:
        if num_threads is not None:
            torch.set_num_threads(num_threads)
        with torch.inference_mode(mode=False), torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(before)
