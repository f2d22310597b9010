"""What `fit` found: a space, with the capacity and the fusion that go with it."""

from __future__ import annotations

import io
import json
import math
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from moverank._support.files import UNREADABLE, write_whole
from moverank.learning.training import Epoch, best_of
from moverank.measures.measure import Measure
from moverank.ranking.fusion import Fusion
from moverank.solvers.sinkhorn import Sinkhorn
from moverank.spaces.space import Space

FORMAT, VERSION = "moverank learned", 1


@dataclass(frozen=True, eq=False)
class Learned:
    """A space that was learnt from examples. Made by `moverank.learning.fit`.

    Attributes
    ----------
    space : Space
        Applied to queries and documents, for ``space=`` of `TextIndex.create`, `Index.build` and `score`.
    measure : Measure
        What to compare by in the space: the given measure, with the capacity that held-out examples chose if that was
        to be learnt.
    fusion : Fusion or None
        Weight beside a first stage, if that was to be learnt.
    figure : str
        What was measured on held-out examples.
    history : tuple of Epoch
        Each epoch, the untrained start first.
    held_out : tuple
        Ids of the queries that were held out; of classes and pairs, places of the texts.
    """

    space: Space
    measure: Measure
    fusion: Fusion | None
    figure: str
    history: tuple[Epoch, ...]
    held_out: tuple[int | str, ...] = ()

    @property
    def best(self) -> Epoch:
        """The epoch that was kept."""
        return best_of(self.history)

    @property
    def before(self) -> float:
        """The held-out figure of the untrained start."""
        return self.history[0].held_out

    @property
    def after(self) -> float:
        """The held-out figure of the epoch that was kept, by the given capacity."""
        return self.best.held_out

    @property
    def capacity(self) -> float:
        """κ of the measure."""
        return self.measure.capacity

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it into an .npz file, which `Space.load` reads, too, as a space."""
        text = {
            "format": FORMAT,
            "version": VERSION,
            "measure": _plain(self.measure) | {"problem": _problem(self.measure)},
            "fusion": None if self.fusion is None else self.fusion.weight,
            "figure": self.figure,
            "history": [_plain(epoch) for epoch in self.history],
            "held_out": list(self.held_out),
        }
        with np.load(io.BytesIO(self.space.to_bytes()), allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
        arrays["learned"] = np.frombuffer(json.dumps(text, allow_nan=False).encode(), dtype=np.uint8)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        write_whole(Path(path), file.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Learned:
        """Read a file written by `save`; ValueError if it is not such a file."""
        octets = Path(path).read_bytes()
        try:
            space = Space.from_bytes(octets)
            with np.load(io.BytesIO(octets), allow_pickle=False) as archive:
                text = json.loads(archive["learned"].tobytes())
            if (text["format"], text["version"]) != (FORMAT, VERSION):
                raise ValueError(f"expected {FORMAT!r} of version {VERSION}")
            known = text["measure"]
            if isinstance(known["problem"], dict):
                known = {**known, "problem": Sinkhorn(**_numbers(known["problem"]))}
            fusion = None if text["fusion"] is None else Fusion(text["fusion"])
            history = tuple(Epoch(**{**own, "loss": _number(own["loss"])}) for own in text["history"])
            if not history:
                raise ValueError("has no history")
            held_out = tuple(text["held_out"])
            return cls(space, Measure(**_numbers(known)), fusion, str(text["figure"]), history, held_out)
        except UNREADABLE as error:
            raise ValueError(f"{os.fspath(path)}: is not what moverank.learning saves: {error}") from None

    def __repr__(self) -> str:
        fusion = "" if self.fusion is None else f", fusion={self.fusion.weight:g}"
        return (
            f"Learned({self.space!r}, {self.measure.name}{fusion}, held-out {self.figure} "
            f"{self.before:.4f} to {self.after:.4f})"
        )

    def __str__(self) -> str:
        kept = self.best
        return "\n".join([*(f"{epoch}{', kept' if epoch is kept else ''}" for epoch in self.history), repr(self)])


def _problem(measure: Measure) -> Any:
    return _plain(measure.problem) if isinstance(measure.problem, Sinkhorn) else measure.problem


def _plain(value: Epoch | Measure | Sinkhorn) -> dict[str, Any]:
    """Fields for JSON, which has neither NaN nor infinity."""
    own = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in own.items()}


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    return {name: math.inf if value is None else value for name, value in values.items()}
