"""The loop: steps, held-out figures, early stopping, checkpoints."""

from __future__ import annotations

import copy
import io
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from moverank._support.files import UNREADABLE, write_whole
from moverank.encoders.digests import digest
from moverank.learning.batches import Indices
from moverank.learning.identity import told_of
from moverank.learning.model import Model
from moverank.learning.options import Training

CHECKPOINT = "moverank training 1"


@dataclass(frozen=True, eq=False)
class Epoch:
    """One pass over the examples.

    Attributes
    ----------
    number : int
        From 1; 0 is where training starts.
    loss : float
        Mean over the steps; NaN at the start.
    held_out : float
        The figure that chooses, larger is better: nDCG@10, share of triples in order, accuracy, or correlation.
    seconds : float
        What the pass took, with its figure.
    """

    number: int
    loss: float
    held_out: float
    seconds: float

    def __eq__(self, other: object) -> bool:
        # Not by value: the loss of a start is NaN, which would make it differ from its own copy.
        return repr(self) == repr(other) if isinstance(other, Epoch) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))

    def __str__(self) -> str:
        loss = "before training" if self.number == 0 else f"loss {self.loss:.4f}"
        return f"epoch {self.number}: {loss}, held out {self.held_out:.4f}, {self.seconds:.1f} s"


class Objective(Protocol):
    """What is trained for: examples in, losses and held-out figures out."""

    def batches(self, rng: np.random.Generator) -> list[Indices]:
        """One epoch's batches of examples."""
        ...

    def loss(self, model: Model, batch: Indices, rng: np.random.Generator) -> Tensor:
        """Loss of a batch, with the penalty."""
        ...

    def held_out(self, model: Model) -> float:
        """Figure on what is held out."""
        ...


def train(
    model: Model,
    objective: Objective,
    training: Training,
    *,
    identity: str,
    progress: Callable[[Epoch], object] | None,
) -> tuple[Epoch, ...]:
    """Train a model in place; afterwards it is in its best state, which may be the start."""
    optimizers = _optimizers(model, training)
    identity = digest([identity.encode(), told_of(optimizers, training).encode()])
    history: list[Epoch] = []
    start = copy.deepcopy(model.state_dict())
    best = start
    stored = None if training.checkpoint is None else _read(Path(training.checkpoint), identity)
    if stored is not None:
        model.load_state_dict(stored["model"])
        best = stored["best"]
        history = [Epoch(**epoch) for epoch in stored["history"]]
        if len(history) - 1 > training.epochs:
            raise ValueError(
                f"checkpoint: {os.fspath(Path(str(training.checkpoint)))} is of {len(history) - 1} epochs, more than "
                f"epochs={training.epochs}"
            )
        for optimizer, state in zip(optimizers, stored["optimizers"], strict=True):
            optimizer.load_state_dict(state)
    else:
        began = time.perf_counter()
        history.append(Epoch(0, float("nan"), objective.held_out(model), time.perf_counter() - began))
        _tell(progress, history[-1])
    while optimizers and len(history) <= training.epochs and not _is_over(history, training.patience):
        began = time.perf_counter()
        rng = np.random.default_rng([training.seed, len(history)])
        losses = [_step(model, objective, batch, rng, optimizers) for batch in objective.batches(rng)]
        arrived = copy.deepcopy(model.state_dict())
        model.load_state_dict(_between(start, arrived, training.share))
        figure = objective.held_out(model)
        history.append(Epoch(len(history), float(np.mean(losses)), figure, time.perf_counter() - began))
        if best_of(history) is history[-1]:
            best = copy.deepcopy(model.state_dict())
        model.load_state_dict(arrived)
        if training.checkpoint is not None:
            _write(Path(training.checkpoint), identity, model, best, optimizers, history)
        _tell(progress, history[-1])
    model.load_state_dict(best)
    return tuple(history)


def best_of(history: list[Epoch] | tuple[Epoch, ...]) -> Epoch:
    """The epoch of the largest figure; of equal ones the first."""
    return max(history, key=lambda epoch: (epoch.held_out, -epoch.number))


def _between(start: dict[str, Tensor], end: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Parameters a share of the way from one state to another."""
    return end if share == 1.0 else {name: torch.lerp(start[name], value, share) for name, value in end.items()}


def _is_over(history: list[Epoch], patience: int) -> bool:
    return history[-1].number - best_of(history).number >= patience


def _step(model: Model, objective: Objective, batch: Indices, rng: np.random.Generator, optimizers: list[Any]) -> float:
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss = objective.loss(model, batch, rng)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    value = float(loss.detach())
    if not np.isfinite(value):
        raise FloatingPointError(f"the loss is not finite ({value}): lower the learning rates")
    return value


def _optimizers(model: Model, training: Training) -> list[Any]:
    """The optimiser of all parameters, and the lazy one of the numbers of tokens if there is one."""
    groups: list[dict[str, Any]] = []
    lazy: list[dict[str, Any]] = []
    if model.weights is not None:
        options = model.weights.options
        rate = {"lr": options.learning_rate}
        if options.features:
            groups.append({"params": [model.weights.coefficients], **rate})
        if options.identity:
            of_table = groups if training.lazy_optimizer is None else lazy
            of_table.append({"params": list(model.weights.table.parameters()), **rate})
    if model.projection is not None:
        own = [parameter for parameter in model.projection.parameters() if parameter.requires_grad]
        if own:
            groups.append({"params": own, "lr": model.projection.options.learning_rate})
    made = []
    if groups:
        made.append((training.optimizer or torch.optim.Adam)(groups))
    if lazy and training.lazy_optimizer is not None:
        made.append(training.lazy_optimizer(lazy))
    for optimizer in made:
        missing = [name for name in ("step", "zero_grad", "state_dict") if not hasattr(optimizer, name)]
        if missing:
            raise TypeError(f"optimizer: expected an optimiser of torch, got {type(optimizer).__name__}")
    return made


def _tell(progress: Callable[[Epoch], object] | None, epoch: Epoch) -> None:
    if progress is not None:
        progress(epoch)


def _write(
    path: Path, identity: str, model: Model, best: dict[str, Any], optimizers: list[Any], history: list[Epoch]
) -> None:
    file = io.BytesIO()
    state = {
        "format": CHECKPOINT,
        "identity": identity,
        "model": model.state_dict(),
        "best": best,
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "history": [asdict(epoch) for epoch in history],
    }
    torch.save(state, file)
    write_whole(path, file.getvalue())


def _read(path: Path, identity: str) -> dict[str, Any] | None:
    """A checkpoint, if there is one. Reading it never executes code."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(path.read_bytes()), weights_only=True)
        stored, known = state["format"], state["identity"]
    except (*UNREADABLE, LookupError, RuntimeError, UnpicklingError) as error:
        raise ValueError(f"checkpoint: {os.fspath(path)} is not a checkpoint of moverank: {error!s:.200}") from None
    if stored != CHECKPOINT or known != identity:
        raise ValueError(
            f"checkpoint: {os.fspath(path)} is of other examples, options or optimisers; give another path"
        )
    return state
