"""Spaces in files: plain arrays and a JSON text. Reading them never executes code."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.files import UNREADABLE
from moverank._support.validate import fraction_number, one_of, positive_number
from moverank.spaces.learnt import FEATURES, LearntWeights
from moverank.spaces.simplex import KINDS
from moverank.spaces.steps import Affine, ScaledBy, Step, UnitNorm, WeighedBy
from moverank.spaces.weights import TokenWeights

FORMAT, VERSION = "moverank space", 1

#: Most bytes of a space when unpacked: far more than weights of a million tokens and matrices of 4096 dimensions need.
LARGEST = 1 << 30


def to_bytes(steps: Sequence[Step]) -> bytes:
    """Serialise the steps of a space."""
    arrays: dict[str, NDArray[Any]] = {}
    described = [_described(step, f"{place}.", arrays) for place, step in enumerate(steps)]
    text = json.dumps({"format": FORMAT, "version": VERSION, "steps": described})
    arrays["space"] = np.frombuffer(text.encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _described(step: Step, prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    if isinstance(step, Affine):
        arrays[prefix + "shift"], arrays[prefix + "matrix"] = step.shift, step.matrix
        return {"kind": "affine", "name": step.name}
    if isinstance(step, UnitNorm):
        return {"kind": "unit norm"}
    if isinstance(step, ScaledBy):
        return {"kind": "scaled", "weights": _described_weights(step.weights, prefix, arrays)}
    if isinstance(step, WeighedBy):
        weights = None if step.weights is None else _described_weights(step.weights, prefix, arrays)
        return {"kind": "weighed", "weights": weights, "by_norm": step.by_norm}
    if isinstance(step, LearntWeights):
        arrays[prefix + "coefficients"] = step.coefficients
        return {
            "kind": "learnt weights",
            "identity": _described_weights(step.identity, prefix + "identity.", arrays),
            "rarity": _described_weights(step.rarity, prefix + "rarity.", arrays),
            "shares": step.kind,
            "temperature": step.temperature,
            "keep": step.keep,
            "by_norm": step.by_norm,
        }
    raise TypeError(f"steps: only steps of moverank.spaces can be saved, got {step!r}")


def _described_weights(weights: TokenWeights, prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    tokens = json.dumps(list(weights.table)).encode()
    arrays[prefix + "tokens"] = np.frombuffer(tokens, dtype=np.uint8)
    arrays[prefix + "weights"] = np.array(list(weights.table.values()))
    return {"name": weights.name, "unseen": weights.unseen}


def from_bytes(octets: bytes) -> tuple[Step, ...]:
    """Read steps written by `to_bytes`; ValueError for any other bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > LARGEST:
                raise ValueError(f"unpacks to more than {LARGEST} bytes")
        with np.load(io.BytesIO(octets), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        text = json.loads(arrays["space"].tobytes())
        if text["format"] != FORMAT:
            raise ValueError(f"expected the format {FORMAT!r}, got {text['format']!r}")
        if text["version"] != VERSION:
            raise ValueError(f"its format has version {text['version']}, this moverank reads version {VERSION}")
        return tuple(_step(entry, f"{place}.", arrays) for place, entry in enumerate(text["steps"]))
    except UNREADABLE as error:
        raise ValueError(f"is not a space of moverank: {error}") from None


def _step(entry: dict[str, Any], prefix: str, arrays: dict[str, NDArray[Any]]) -> Step:
    kind = entry["kind"]
    if kind == "affine":
        shift, matrix = arrays[prefix + "shift"], arrays[prefix + "matrix"]
        fits = shift.ndim == 1 and matrix.ndim == 2 and len(shift) == len(matrix)
        if not fits or not (np.isfinite(shift).all() and np.isfinite(matrix).all()):
            raise ValueError("the shapes of a shift and its matrix do not match, or a number is not finite")
        return Affine(shift, matrix, str(entry["name"]))
    if kind == "unit norm":
        return UnitNorm()
    if kind == "scaled":
        return ScaledBy(_weights(entry["weights"], prefix, arrays))
    if kind == "weighed":
        weights = None if entry["weights"] is None else _weights(entry["weights"], prefix, arrays)
        return WeighedBy(weights, bool(entry["by_norm"]))
    if kind == "learnt weights":
        return _learnt(entry, prefix, arrays)
    raise ValueError(f"unknown step {kind!r}")


def _learnt(entry: dict[str, Any], prefix: str, arrays: dict[str, NDArray[Any]]) -> LearntWeights:
    coefficients = arrays[prefix + "coefficients"]
    is_sound = coefficients.dtype == np.float64 and coefficients.shape == (len(FEATURES),)
    if not is_sound or not np.isfinite(coefficients).all():
        raise ValueError("the coefficients of learnt weights are not three finite numbers")
    return LearntWeights(
        _weights(entry["identity"], prefix + "identity.", arrays),
        _weights(entry["rarity"], prefix + "rarity.", arrays),
        coefficients,
        one_of(entry["shares"], "shares", KINDS),
        positive_number(entry["temperature"], "temperature"),
        fraction_number(entry["keep"], "keep"),
        bool(entry["by_norm"]),
    )


def _weights(entry: dict[str, Any], prefix: str, arrays: dict[str, NDArray[Any]]) -> TokenWeights:
    tokens = json.loads(arrays[prefix + "tokens"].tobytes())
    table = dict(zip(tokens, arrays[prefix + "weights"].tolist(), strict=True))
    return TokenWeights(table, float(entry["unseen"]), name=str(entry["name"]))
