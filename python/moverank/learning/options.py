"""How `fit` trains."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from moverank._support.validate import one_of, positive_number, real_number, require_callable, whole_number

LOSSES = ("contrastive", "margin")


@dataclass(frozen=True)
class Training:
    """How parameters are found, and when it stops.

    `fit` refuses options that its examples have no use for: triples are not mined, and pairs have only a correlation.

    Parameters
    ----------
    epochs : int, default 20
        Passes over the examples, at most.
    patience : int, default 4
        Stop after this many epochs without a better held-out figure.
    held_out : float, default 0.2
        Share of the queries, texts or pairs that is not trained on, but chooses the epoch, the capacity and the fusion.
    batch : int, default 16
        Queries or texts per step; of pairs, eight times as many.
    negatives : int, default 6
        Candidates per query or text and step, beside those of the others in the batch.
    depth : int, default 50
        Negatives are drawn from this many nearest documents by the untrained distance, found by an index.
    candidates : int, default 100
        Held-out queries rank this many documents, found in the same way.
    loss : {"contrastive", "margin"}, default "contrastive"
        For rankings. Classes are trained by their neighbourhood, pairs by correlation.
    temperature, margin : float, optional
        Of the loss of that name, the contrastive one and that of classes, or the margin; in units of the distance. By
        default the standard deviation of untrained distances in the first batch.
    share : float, default 1.0
        How far the result goes from the untrained start to where training arrives, in (0, 1]: parameters are averaged
        in these shares [1]_. Half of the way keeps most of the gain on the examples' own collection, and loses little
        or nothing on others. Held-out figures are those of the average.
    neighbours : int, default 15
        How many vote for the class of a held-out text.
    optimizer : callable, optional
        Makes an optimiser of torch from parameter groups, each with its "lr"; by default Adam.
    lazy_optimizer : callable, optional
        Makes another one for the numbers of tokens, whose derivatives are then sparse: only tokens in a batch are
        updated. For example `torch.optim.SparseAdam`.
    seed : int, default 0
        Seed of all that is drawn.
    checkpoint : path, optional
        A file that is written after each epoch, and from which a later call with equal arguments resumes, or one with
        more epochs.

    References
    ----------
    .. [1] Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
    """

    epochs: int = 20
    patience: int = 4
    held_out: float = 0.2
    batch: int = 16
    negatives: int = 6
    depth: int = 50
    candidates: int = 100
    loss: str = "contrastive"
    temperature: float | None = None
    margin: float | None = None
    share: float = 1.0
    neighbours: int = 15
    optimizer: Callable[[list[dict[str, Any]]], Any] | None = None
    lazy_optimizer: Callable[[list[dict[str, Any]]], Any] | None = None
    seed: int = 0
    checkpoint: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        for name in ("patience", "batch", "negatives", "depth", "candidates", "neighbours"):
            whole_number(getattr(self, name), name, least=1)
        for name in ("epochs", "seed"):
            whole_number(getattr(self, name), name, least=0)
        if not 0.0 < real_number(self.held_out, "held_out") < 1.0:
            raise ValueError(f"held_out must be above 0 and below 1, got {self.held_out!r}")
        if not 0.0 < real_number(self.share, "share") <= 1.0:
            raise ValueError(f"share must be above 0 and at most 1, got {self.share!r}")
        one_of(self.loss, "loss", LOSSES)
        for name in ("temperature", "margin"):
            if getattr(self, name) is not None:
                positive_number(getattr(self, name), name)
        other = "temperature" if self.loss == "margin" else "margin"
        if getattr(self, other) is not None:
            raise ValueError(f"{other} is given, but loss {self.loss!r} has none")
        for name in ("optimizer", "lazy_optimizer"):
            if getattr(self, name) is not None:
                require_callable(getattr(self, name), name)
        if self.checkpoint is not None:
            try:
                Path(self.checkpoint)  # unlike os.fspath, it refuses bytes
            except TypeError:
                raise TypeError(f"checkpoint: expected a path, got {type(self.checkpoint).__name__}") from None

    def scale(self, distances: Tensor) -> tuple[float, float]:
        """Temperature and margin, for untrained distances such as these."""
        spread = float(distances.std(correction=0)) if len(distances) else 1.0  # of two texts, one may train alone
        spread = spread if spread > 0.0 and math.isfinite(spread) else 1.0
        return (
            spread if self.temperature is None else self.temperature,
            spread if self.margin is None else self.margin,
        )
