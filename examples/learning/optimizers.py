"""One fit by several optimisers: those of torch, Lookahead, AdaX, and lazy updates of token numbers.

    pip install 'moverank[torch]' pytorch-optimizer
    python examples/learning/optimizers.py

Texts are made: each is of one topic, and says so by one word among twelve that say nothing. Weights have to find
out which are which.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import moverank as mr
from moverank.learning import TokenWeighting, Training, fit

sys.path.append(str(Path(__file__).parent))
from adax import AdaX

TOPICS = [
    "doctor nurse hospital medicine patient surgery",
    "bank money loan credit interest shares",
    "goal football match team player coach",
    "guitar piano song concert singer music",
]
FILLERS = (
    "about after again before during every first however later might other perhaps really several under "
    "morning city people street window river paper train story table water house road letter garden"
)


def texts(count: int, seed: int) -> tuple[list[str], list[int]]:
    """Texts and their topics."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(len(TOPICS), size=count)
    made = []
    for topic in topics:
        words = [rng.choice(TOPICS[topic].split()), *rng.choice(FILLERS.split(), 12, replace=False)]
        made.append(" ".join(rng.permutation(words)))
    return made, topics.tolist()


def lookahead(groups: list[dict[str, Any]]) -> Any:
    """Slow weights that follow Adam's. Zhang, Lucas, Hinton, Ba, "Lookahead Optimizer", NeurIPS 2019."""
    from pytorch_optimizer import Lookahead

    return Lookahead(torch.optim.Adam(groups), k=5, alpha=0.5)


def adafactor(groups: list[dict[str, Any]]) -> Any:
    """AdaFactor steps in proportion to the size of parameters, at least its second eps: scores start at 0."""
    return torch.optim.Adafactor(groups, eps=(None, 1.0))


OPTIMIZERS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "Adam": torch.optim.Adam,
    "AdaFactor": adafactor,
    "Lookahead of Adam": lookahead,
    "AdaX": AdaX,
}


def main(epochs: int = 8) -> dict[str, tuple[float, float]]:
    """Print and return what each reaches: held-out accuracy, untrained and trained."""
    documents, labels = texts(240, seed=0)
    found: dict[str, tuple[float, float]] = {}
    plans = {name: {"optimizer": make} for name, make in OPTIMIZERS.items()}
    plans["Adam, lazy for tokens"] = {"lazy_optimizer": torch.optim.SparseAdam}
    for name, plan in plans.items():
        began = time.perf_counter()
        learned = fit(
            documents=documents,
            labels=labels,
            encoder=mr.encoders.WordVectors.default(),
            learn={"weights"},
            weights=TokenWeighting(learning_rate=0.05),
            training=Training(epochs=epochs, patience=epochs, **plan),
            num_threads=1,
        )
        found[name] = learned.before, learned.after
        print(f"{name:<22} {learned.before:.3f} to {learned.after:.3f}  {time.perf_counter() - began:.1f} s")
    return found


if __name__ == "__main__":
    main()
