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
from moverank.spaces.fitted import ENTRY, measure_entry, measure_of_entry
from moverank.spaces.space import Space

FORMAT, VERSION = "moverank learned", 2


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
        Each epoch, where training starts first.
    held_out : tuple
        Ids of the queries that were held out; of pairs, those of the left texts; of classes, those of the documents.
        Of texts in a list, ids are places.
    recipe : float
        The held-out figure of the untrained recipe: the given measure in the space to start from, with nothing learnt
        and nothing cut. It ranks its own candidates.
    after : float
        The held-out figure of what was learnt: of the epoch that was kept, by `measure`, without `fusion`.
    """

    space: Space
    measure: Measure
    fusion: Fusion | None
    figure: str
    history: tuple[Epoch, ...]
    held_out: tuple[int | str, ...]
    recipe: float
    after: float

    @property
    def best(self) -> Epoch:
        """The epoch that was kept."""
        return best_of(self.history)

    @property
    def before(self) -> float:
        """The held-out figure where training starts: that of the recipe, unless fewer dimensions or tokens are kept."""
        return self.history[0].held_out

    @property
    def is_worse(self) -> bool:
        """Whether the recipe, without anything learnt, is better on the held-out examples."""
        return self.after < self.recipe

    @property
    def capacity(self) -> float:
        """κ of the measure."""
        return self.measure.capacity

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it into an .npz file, which `Space.load` reads, too, as a space.

        `moverank index --space` takes the measure from it as well.
        """
        text = {
            "format": FORMAT,
            "version": VERSION,
            "fusion": None if self.fusion is None else self.fusion.weight,
            "figure": self.figure,
            "history": [_plain(epoch) for epoch in self.history],
            "held_out": list(self.held_out),
            "recipe": self.recipe,
            "after": self.after,
        }
        with np.load(io.BytesIO(self.space.to_bytes()), allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
        arrays["learned"] = np.frombuffer(json.dumps(text, allow_nan=False).encode(), dtype=np.uint8)
        arrays[ENTRY] = measure_entry(self.measure)
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
                measure = measure_of_entry(archive[ENTRY])
            if (text["format"], text["version"]) != (FORMAT, VERSION):
                raise ValueError(f"expected {FORMAT!r} of version {VERSION}")
            fusion = None if text["fusion"] is None else Fusion(text["fusion"])
            history = tuple(Epoch(**{**own, "loss": _number(own["loss"])}) for own in text["history"])
            if not history:
                raise ValueError("has no history")
            figures = float(text["recipe"]), float(text["after"])
            return cls(space, measure, fusion, str(text["figure"]), history, tuple(text["held_out"]), *figures)
        except UNREADABLE as error:
            raise ValueError(f"{os.fspath(path)}: is not what moverank.learning saves: {error}") from None

    def __repr__(self) -> str:
        fusion = "" if self.fusion is None else f", fusion={self.fusion.weight:g}"
        found = f"{self.before:.4f} to {self.after:.4f}"
        if self.before != self.recipe:
            found += f", the recipe {self.recipe:.4f}{', which is better' if self.is_worse else ''}"
        return f"Learned({self.space!r}, {self.measure.name}{fusion}, held-out {self.figure} {found})"

    def __str__(self) -> str:
        kept = self.best
        return "\n".join([*(f"{epoch}{', kept' if epoch is kept else ''}" for epoch in self.history), repr(self)])


def _plain(value: Epoch) -> dict[str, Any]:
    """Fields for JSON, which has neither NaN nor infinity."""
    own = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in own.items()}


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
