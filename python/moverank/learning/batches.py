"""Ragged mini-batches on the core: distances of chosen pairs of two batches, which torch differentiates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from moverank import _core
from moverank._support.validate import thread_count
from moverank.measures.measure import Measure, naming, prepare
from moverank.vectors.sequences import Sequences

Indices = NDArray[np.int64]
#: Types in which the core takes tokens and mass of both sides.
KINDS = (torch.float32, torch.float64) * 2


@dataclass(frozen=True, eq=False)
class Ragged:
    """Texts as tensors: tokens (T, d), their mass (T,), and the offsets of texts (N + 1,)."""

    tokens: Tensor
    mass: Tensor
    offsets: Indices


def rows_of(offsets: Indices, texts: Indices) -> tuple[Indices, Indices]:
    """Rows of the tokens of some texts, one after the other, and the offsets of these texts among them."""
    begins, lengths = offsets[texts], offsets[texts + 1] - offsets[texts]
    own = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(own[-1]) - np.repeat(own[:-1] - begins, lengths), own


def pair_distances(
    x: Ragged, y: Ragged, left: Indices, right: Indices, measure: Measure, *, num_threads: int | None
) -> Tensor:
    """Distances of ``x[left[p]]`` to ``y[right[p]]``, shape (P,). A text may be in any number of pairs."""
    values: Tensor = _Pairs.apply(
        measure, num_threads, left, right, x.offsets, y.offsets, x.tokens, x.mass, y.tokens, y.mass
    )
    return values


def two_sided(
    x: Ragged, y: Ragged, left: Indices, right: Indices, measure: Measure, *, num_threads: int | None
) -> Tensor:
    """The mean of both directions where the measure gives them different values."""
    there = pair_distances(x, y, left, right, measure, num_threads=num_threads)
    if measure.is_symmetric:
        return there
    return (there + pair_distances(y, x, right, left, measure, num_threads=num_threads)) / 2.0


class _Pairs(torch.autograd.Function):
    """Values of pairs, and derivatives summed per text, each computed in one call of the core."""

    @staticmethod
    def forward(
        ctx: Any,
        measure: Measure,
        num_threads: int | None,
        left: Indices,
        right: Indices,
        x_offsets: Indices,
        y_offsets: Indices,
        *tensors: Tensor,
    ) -> Tensor:
        x, a, y, b = (t.detach().to("cpu", kind).contiguous().numpy() for t, kind in zip(tensors, KINDS, strict=True))
        ctx.threads = thread_count(num_threads)
        sides = (x, x_offsets, a), (y, y_offsets, b)
        with naming("a batch", "a batch"):
            queries, documents = (prepare(Sequences.from_flat(*side), measure) for side in sides)
        ctx.plans = _core.PairPlans(queries, documents, left, right, ctx.threads)
        ctx.totals = [np.repeat(np.add.reduceat(mass, offsets[:-1]), np.diff(offsets)) for _, offsets, mass in sides]
        ctx.like = [(t.dtype, t.device) for t in tensors]
        return torch.from_numpy(ctx.plans.values).to(tensors[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        upstream = grad.detach().to("cpu", torch.float64).contiguous().numpy()
        gradients: list[Tensor | None] = []
        for side, total in enumerate(ctx.totals):
            of_tokens, of_mass = ctx.needs_input_grad[6 + 2 * side : 8 + 2 * side]
            found: list[Any] = [None, None]
            if of_tokens or of_mass:
                found = list(ctx.plans.derivatives(upstream, side == 0, of_tokens, ctx.threads))
                found[1] = found[1] / total if of_mass else None
            for own, (kind, device) in zip(found, ctx.like[2 * side : 2 * side + 2], strict=True):
                gradients.append(None if own is None else torch.from_numpy(own).to(device, kind))
        return None, None, None, None, None, None, *gradients
