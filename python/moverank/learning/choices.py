"""What held-out examples choose after training: the capacity, and the weight beside a first stage."""

from __future__ import annotations

from moverank.learning.batches import Indices
from moverank.learning.checks import CAPACITIES
from moverank.learning.classes import Classes
from moverank.learning.model import Model
from moverank.learning.rankings import Rankings
from moverank.learning.scored_pairs import ScoredPairs
from moverank.measures.measure import Measure
from moverank.ranking.fusion import Fusion


def with_capacity(
    examples: Rankings | Classes | ScoredPairs, model: Model, measure: Measure, own: float
) -> tuple[Measure, float]:
    """The capacity that is best on held-out examples, with its figure; the measure's own unless another is better."""
    best = measure
    for capacity in CAPACITIES:
        if capacity == measure.capacity:
            continue
        changed = measure.replace(capacity=capacity)
        figure = examples.held_out(model, changed)
        if figure > own:
            best, own = changed, figure
    return best, own


def fusion_of(
    examples: Rankings, model: Model, measure: Measure, first_stage: dict[int, tuple[Indices, list[float]]]
) -> Fusion:
    """The weight that is best beside the scores of a first stage."""
    first, similarities, relevance = [], [], []
    for query, (places, scores) in first_stage.items():
        first.append(scores)
        similarities.append(examples.similarities(model, query, places, measure))
        # nDCG depends on the proportions of grades alone: none is then so large that sums of them overflow.
        largest = max(examples.relevant[query].values())
        relevance.append([examples.relevant[query].get(d, 0.0) / largest for d in places.tolist()])
    return Fusion.fit(first, similarities, relevance)
