"""`fit`: examples in, a space out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch

from moverank import presets
from moverank._support.validate import as_list, one_of, require_callable, thread_count
from moverank.encoders.digests import digest
from moverank.encoders.encoded import Encoder, require_encoder
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
from moverank.ranking.fusion import Fusion
from moverank.spaces.space import Space
from moverank.vectors.encoder_identity import EncoderIdentity

LEARNABLE = ("weights", "projection", "capacity", "fusion")

#: Capacities that held-out examples choose from, beside the measure's own.
CAPACITIES = (1.0, 2.0, 4.0, 8.0, float("inf"))

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
    scores of `pairs`. A share of them is held out. Training starts as the untrained recipe, `start` and `measure`, and
    what is returned is the state that was best on held-out examples; that may be the start.

    Parameters
    ----------
    queries : mapping of ids to str, or sequence of str, optional
        Queries; of pairs, the left texts. In a sequence, ids are places. Not with `labels`.
    documents : mapping of ids to str, or sequence of str
        Documents; of pairs, the right texts; with `labels`, the texts.
    judgements : mapping, or iterable of (query id, document id, grade), optional
        Per query id, a mapping of document ids to grades, or a list of relevant ids. Grades above 0 are relevant.
        Other documents that are near a query are taken to be irrelevant.
    triples : iterable of (query id, document id, document id), optional
        A query, a document that should be near, and one that should be far.
    labels : sequence of str or int, optional
        The class of each document.
    pairs : sequence of float, optional
        How alike query p and document p are; more is more alike.
    encoder : Encoder
        The encoder of the texts. It is not changed.
    measure : str or Measure, optional
        What compares; by default that of the preset for the kind of examples.
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
        For "fusion": per query id, scores of documents by id, such as those of BM25.
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
        If an argument is malformed, no example is left, or a checkpoint is of other examples or options.
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
    right = Given(documents or {}, "documents", encoder, start, as_queries=False)
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
    with _threads(num_threads):
        model = _model(own_weights, own_projection, vocabulary, documents_side, chosen, how)
        examples: Rankings | Classes | ScoredPairs
        if labels is not None:
            examples = _classes(labels, right, documents_side, apart, chosen, how, num_threads)
        elif pairs is not None:
            examples = _pairs(pairs, left, right, sides, apart, chosen, how, num_threads)
        else:
            examples = _rankings(judgements, triples, left, right, sides, apart, chosen, how, num_threads)
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
        if "capacity" in wanted:
            chosen = _with_capacity(examples, model, chosen, best_of(history).held_out)
        fusion = None
        if first_stage is not None and isinstance(examples, Rankings):
            fusion = _fusion(examples, model, chosen, first_stage, left, right)
    learnt = model.steps(vocabulary, by_norm=by_norm, has_weights=right.encoded.sequences.weights is not None)
    steps = learnt if start is None else (*start.steps, *learnt)
    held = examples.left_places[examples.held] if isinstance(examples, ScoredPairs) else examples.held
    names = tuple(left.ids[place] for place in held.tolist())
    return Learned(Space(steps), chosen, fusion, examples.figure, history, names)


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
    return ScoredPairs(*sides, left_places, right_places, scores[both], trained, held, measure, training, num_threads)


def _with_capacity(examples: Rankings | Classes | ScoredPairs, model: Model, measure: Measure, own: float) -> Measure:
    """The capacity that is best on held-out examples; the measure's own unless another one is better."""
    best = measure
    for capacity in CAPACITIES:
        if capacity == measure.capacity:
            continue
        changed = measure.replace(capacity=capacity)
        figure = examples.held_out(model, changed)
        if figure > own:
            best, own = changed, figure
    return best


def _fusion(
    examples: Rankings,
    model: Model,
    measure: Measure,
    first_stage: Mapping[Any, Mapping[Any, float]],
    queries: Given,
    documents: Given,
) -> Fusion:
    first, similarities, relevance = [], [], []
    for name, scores in first_stage.items():
        query = queries.place(name, "first_stage")
        if query is None or query not in examples.held:
            continue
        if not isinstance(scores, Mapping):
            raise TypeError(f"first_stage: expected a mapping of document ids to scores for {name!r:.80}")
        found = [(documents.place(d, "first_stage"), score) for d, score in scores.items()]
        there = [(place, float(score)) for place, score in found if place is not None]
        if there:
            places = np.array([place for place, _ in there], dtype=np.int64)
            first.append([score for _, score in there])
            similarities.append(examples.similarities(model, query, places, measure))
            relevance.append([examples.relevant[query].get(d, 0.0) for d in places.tolist()])
    if not first:
        raise ValueError("first_stage: has scores for none of the held-out queries")
    return Fusion.fit(first, similarities, relevance)


def _identity(
    encoder: Encoder,
    measure: Measure,
    start: Space | None,
    options: tuple[TokenWeighting | None, Projection | None, Training],
    sides: tuple[Side, Side],
    content: list[bytes],
) -> str:
    """A digest of all that training depends on, but for how long it may take."""
    weights, projection, training = options
    told = replace(training, checkpoint=None, epochs=0, optimizer=None, lazy_optimizer=None)
    makers = [getattr(own, "__qualname__", type(own).__name__) for own in (training.optimizer, training.lazy_optimizer)]
    known = repr((EncoderIdentity.of(encoder), measure, weights, projection, told, makers)).encode()
    pieces: list[Any] = [known, b"" if start is None else start.to_bytes()]
    for side in sides:
        pieces += [getattr(side, own.name) for own in fields(side) if own.name not in ("vectors", "words")]
        pieces.append(side.vectors.sum(axis=1))
    return digest([*pieces, *content])


@contextmanager
def _threads(num_threads: int | None) -> Any:
    """Let torch use as many threads as we do, while this lasts."""
    if num_threads is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
