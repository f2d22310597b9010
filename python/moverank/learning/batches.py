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
from moverank.measures.measure import Measure

Indices = NDArray[np.int64]


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
    """Values and derivatives of pairs, computed in one call of the core."""

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
        x, a, y, b = (t.detach().to("cpu", torch.float64).contiguous().numpy() for t in tensors)
        sides = []
        for tokens, mass, offsets, chosen in ((x, a, x_offsets, left), (y, b, y_offsets, right)):
            rows, own = rows_of(offsets, chosen)
            sides.append((tokens[rows], own, mass[rows]))
        found = _core.gradients(*sides[0], *sides[1], measure._spec, thread_count(num_threads))
        ctx.found = (found.by_query, found.by_query_weights, found.by_document, found.by_document_weights)
        ctx.of = (left, sides[0][1], x_offsets), (right, sides[1][1], y_offsets)
        ctx.kinds = [(t.dtype, t.device) for t in tensors]
        return torch.from_numpy(found.value).to(tensors[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        upstream = grad.detach().to("cpu", torch.float64).numpy()
        gradients: list[Tensor | None] = []
        for place, found in enumerate(ctx.found):
            if not ctx.needs_input_grad[6 + place]:
                gradients.append(None)
                continue
            chosen, own, offsets = ctx.of[place // 2]
            total = np.zeros((int(offsets[-1]), *found.shape[1:]))
            # In the order of pairs, so that sums do not depend on threads.
            for p, text in enumerate(chosen.tolist()):
                total[offsets[text] : offsets[text + 1]] += upstream[p] * found[own[p] : own[p + 1]]
            dtype, device = ctx.kinds[place]
            gradients.append(torch.from_numpy(total).to(device, dtype))
        return None, None, None, None, None, None, *gradients
