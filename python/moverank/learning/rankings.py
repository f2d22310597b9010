"""Training for rankings: judged documents, or triples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moverank.learning import losses
from moverank.learning.batches import Indices, pair_distances
from moverank.learning.mining import near_index, nearest
from moverank.learning.model import Model
from moverank.learning.options import Training
from moverank.learning.sides import Side
from moverank.measures.distances import distances
from moverank.measures.measure import Measure

#: The cutoff of the held-out figure.
CUTOFF = 10


@dataclass(eq=False)
class Rankings:
    """Queries with relevant documents, and, from triples, with documents that are not.

    Attributes
    ----------
    relevant : list of dict of int to float
        Per query, the grades of its relevant documents.
    others : list of list of int, or None
        Per query, documents that triples call negative.
    trained, held : ndarray of int64
        Queries to train on, and to choose by.
    """

    queries: Side
    documents: Side
    relevant: list[dict[int, float]]
    others: list[list[int]] | None
    trained: Indices
    held: Indices
    measure: Measure
    training: Training
    num_threads: int | None
    negatives: dict[int, Indices] = field(default_factory=dict)
    ranked: dict[int, Indices] = field(default_factory=dict)
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def figure(self) -> str:
        """What is measured on held-out examples."""
        return "nDCG@10" if self.others is None else "share in order"

    def content(self) -> list[bytes]:
        """What tells these examples from others."""
        return [repr([sorted(own.items()) for own in self.relevant]).encode(), repr(self.others).encode()]

    def prepare(self, model: Model) -> None:
        """Mine with the untrained model, and measure the spread of its distances."""
        if self.others is None:
            self._mine(model)
        else:
            self.negatives = {q: np.array(self.others[q], dtype=np.int64) for q in self.trained.tolist()}
        first = self.batches(np.random.default_rng([self.training.seed, 0]))[0]
        with torch.no_grad():
            _, found, _, valid = self._distances(model, first, np.random.default_rng(self.training.seed))
        self.scale = self.training.scale(found[valid])

    def _mine(self, model: Model) -> None:
        near = self._near(model, {"trained": self.training.depth, "held": self.training.candidates})
        self.negatives = {q: own[~np.isin(own, list(self.relevant[q]))] for q, own in near["trained"].items()}
        self.ranked = near["held"]

    def _near(self, model: Model, depths: dict[str, int]) -> dict[str, dict[int, Indices]]:
        """The nearest documents of each query that trains, or is held out, as many as `depths` says."""
        index = near_index(model.sequences(self.documents), self.measure, num_threads=self.num_threads)
        found = {}
        for name, depth in depths.items():
            queries: Indices = getattr(self, name)
            near = nearest(model.sequences(self.queries, queries), index, depth, num_threads=self.num_threads)
            found[name] = dict(zip(queries.tolist(), near, strict=True))
        return found

    def recipe(self) -> float:
        """The figure of the recipe, without a model, over the documents that are near without it."""
        untouched = Model(None, None)
        if self.others is not None:
            return self.held_out(untouched)
        near = self._near(untouched, {"held": self.training.candidates})["held"]
        return replace(self, ranked=near).held_out(untouched)

    def batches(self, rng: np.random.Generator) -> list[Indices]:
        """Queries in random order, some at a time."""
        order = rng.permutation(self.trained)
        return np.split(order, np.arange(self.training.batch, len(order), self.training.batch))

    def loss(self, model: Model, batch: Indices, rng: np.random.Generator) -> Tensor:
        """Each query has one of its relevant documents, some near ones, and those of the other queries."""
        documents, found, positive, valid = self._distances(model, batch, rng)
        temperature, margin = self.scale
        if self.training.loss == "margin":
            value = losses.margin(found, positive, valid, margin=margin)
        else:
            value = losses.contrastive(found, positive, valid, temperature=temperature)
        return value + model.penalty([(self.queries, batch), (self.documents, documents)])

    def _distances(
        self, model: Model, batch: Indices, rng: np.random.Generator
    ) -> tuple[Indices, Tensor, Tensor, Tensor]:
        """Documents of a batch, distances (B, C) of its queries to candidates, which are relevant, which are there."""
        own = [int(rng.choice(sorted(self.relevant[q]))) for q in batch.tolist()]
        rows: list[list[int]] = []
        for q, positive in zip(batch.tolist(), own, strict=True):
            near = self.negatives[q]
            drawn = rng.choice(near, min(self.training.negatives, len(near)), replace=False).tolist()
            others = [d for d in own if d not in self.relevant[q]]
            rows.append(list(dict.fromkeys([positive, *drawn, *others])))
        documents = np.unique(np.concatenate([np.array(row, dtype=np.int64) for row in rows]))
        places, valid = padded([np.searchsorted(documents, row) for row in rows])
        left = np.repeat(np.arange(len(batch)), valid.sum(axis=1))
        values = pair_distances(
            model(self.queries, batch, rng),
            model(self.documents, documents, rng),
            left,
            places[valid],
            self.measure,
            num_threads=self.num_threads,
        )
        is_there = torch.from_numpy(valid)
        found = torch.zeros(valid.shape, dtype=values.dtype).masked_scatter(is_there, values)
        positive_places = torch.zeros(valid.shape, dtype=torch.bool)
        positive_places[:, 0] = True
        return documents, found, positive_places, is_there

    def held_out(self, model: Model, measure: Measure | None = None) -> float:
        """Mean nDCG@10 of the held-out queries over the documents that were near untrained; of triples, their order."""
        chosen = self.measure if measure is None else measure
        if self.others is not None:
            return self._in_order(model, chosen)
        # Moved once, though many queries share them.
        union = np.unique(np.concatenate([self.ranked[q] for q in self.held.tolist()]))
        documents, queries = model.sequences(self.documents, union), model.sequences(self.queries, self.held)
        values = []
        for query, q in zip(queries, self.held.tolist(), strict=True):
            own = documents[np.searchsorted(union, self.ranked[q])]
            found = distances(query, own, chosen, num_threads=self.num_threads)
            values.append(ndcg(self.ranked[q][np.argsort(found, kind="stable")], self.relevant[q]))
        return float(np.mean(values))

    def similarities(self, model: Model, query: int, documents: Indices, measure: Measure) -> NDArray[np.float64]:
        """Minus the distances of one query to some documents."""
        one = model.sequences(self.queries, np.array([query]))[0]
        return -distances(one, model.sequences(self.documents, documents), measure, num_threads=self.num_threads)

    def _in_order(self, model: Model, measure: Measure) -> float:
        right, count = 0, 0
        for q in self.held.tolist():
            positive, negative = sorted(self.relevant[q]), self._others(q)
            found = self.similarities(model, q, np.array([*positive, *negative], dtype=np.int64), measure)
            above = found[: len(positive), None] > found[None, len(positive) :]
            right, count = right + int(above.sum()), count + above.size
        return right / count

    def _others(self, query: int) -> Sequence[int]:
        return [] if self.others is None else self.others[query]


def padded(rows: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows of different lengths as one array, and which places of it are used."""
    lengths = np.array([len(row) for row in rows])
    valid = np.arange(lengths.max()) < lengths[:, None]
    places = np.zeros(valid.shape, dtype=np.int64)
    places[valid] = np.concatenate(rows)
    return places, valid


def ndcg(ranked: Indices, relevant: dict[int, float]) -> float:
    """nDCG@10 by linear gains of documents in the order of a ranking, against all that are relevant."""
    gains = np.array([relevant.get(d, 0.0) for d in ranked[:CUTOFF].tolist()])
    ideal = np.sort(np.array(list(relevant.values())))[::-1][:CUTOFF]
    # Only proportions count: of the largest grade, sums cannot overflow.
    gains, ideal = gains / ideal[0], ideal / ideal[0]
    discounts = 1.0 / np.log2(np.arange(2, CUTOFF + 2))
    return float(gains @ discounts[: len(gains)] / (ideal @ discounts[: len(ideal)]))
