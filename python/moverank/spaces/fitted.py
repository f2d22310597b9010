"""The measure that a space was learnt for, which its file may keep beside the steps. Reading it needs no torch."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.fields import Fields
from moverank._support.files import UNREADABLE
from moverank.measures.measure import Measure
from moverank.measures.storing import measure_from_json, measure_to_json

#: The array of the file that holds it.
ENTRY = "measure"


def measure_entry(measure: Measure) -> NDArray[np.uint8]:
    """Return the array that keeps a measure in the file of a space."""
    return np.frombuffer(json.dumps(measure_to_json(measure), allow_nan=False).encode(), dtype=np.uint8)


def measure_of_entry(entry: NDArray[Any]) -> Measure:
    """Read such an array; ValueError if it is something else."""
    return measure_from_json(Fields(json.loads(entry.tobytes()), ENTRY))


def measure_learnt_with(path: str | os.PathLike[str]) -> Measure | None:
    """The measure that the file of a space keeps, None if it keeps none; ValueError if it cannot be read."""
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as archive:
            return measure_of_entry(archive[ENTRY]) if ENTRY in archive.files else None
    except UNREADABLE as error:
        raise ValueError(f"{os.fspath(path)}: is not a space of moverank: {error}") from None
