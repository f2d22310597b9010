"""A linear map of tokens to be trained, which starts at their principal axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from moverank._support.validate import positive_number, real_number, whole_number
from moverank.measures.measure import Measure
from moverank.spaces.statistics import Moments
from moverank.spaces.steps import Affine

#: Tokens whose moments are added at a time.
CHUNK = 1 << 16


@dataclass(frozen=True)
class Projection:
    """How vectors are mapped: x ↦ x A diag(s), with A of shape (d, dim).

    It starts at A = identity if all dimensions are kept, else at the first principal axes of the documents' tokens, and
    at s = 1.

    Parameters
    ----------
    dim : int, optional
        Dimensions to keep; all by default.
    linear : bool, default True
        Learn A.
    diagonal : bool, default False
        Learn s, a scale per dimension.
    learning_rate : float, default 0.0003
        For the optimiser.
    strength : float, default 0.01
        How strongly A and s are pulled to where they start.
    """

    dim: int | None = None
    linear: bool = True
    diagonal: bool = False
    learning_rate: float = 3e-4
    strength: float = 0.01

    def __post_init__(self) -> None:
        if self.dim is not None:
            whole_number(self.dim, "dim", least=1)
        for name in ("linear", "diagonal"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        positive_number(self.learning_rate, "learning_rate")
        if not 0.0 <= real_number(self.strength, "strength") < math.inf:
            raise ValueError(f"strength must be finite and at least 0, got {self.strength!r}")


class ProjectionModel(nn.Module):
    """The map; what is not learnt is a constant."""

    start: Tensor

    def __init__(self, options: Projection, start: NDArray[np.float64]) -> None:
        super().__init__()
        self.options = options
        matrix = torch.from_numpy(start).to(torch.float32)
        self.register_buffer("start", matrix, persistent=False)
        self.matrix = nn.Parameter(matrix.clone(), requires_grad=options.linear)
        self.scale = nn.Parameter(torch.ones(matrix.shape[1], dtype=torch.float32), requires_grad=options.diagonal)

    @property
    def dim(self) -> int:
        """Dimensions after the map."""
        return int(self.matrix.shape[1])

    @property
    def keeps_dimensions(self) -> bool:
        """Whether it starts as the identity."""
        return len(self.matrix) == self.dim

    def whole(self) -> Tensor:
        """A diag(s)."""
        return self.matrix * self.scale

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens of shape (T, d) to (T, dim)."""
        return mapped(tokens, self.whole())

    def penalty(self) -> Tensor:
        """Squared distance from the start."""
        of_matrix = (self.matrix - self.start).square().sum()
        return self.options.strength * (of_matrix + (self.scale - 1.0).square().sum())

    def step(self) -> Affine:
        """What was learnt, as a step of a space."""
        matrix = self.whole().detach().to(torch.float64).numpy().copy()
        return Affine(np.zeros(len(matrix)), matrix, "learnt")


def mapped(tokens: Tensor, matrix: Tensor) -> Tensor:
    """Tokens times a matrix, to be differentiated by the matrix.

    Most tokens of a long text move nothing: their rows of the derivative are zeros, which are left out.
    """
    product: Tensor = _Mapped.apply(tokens, matrix)
    return product


class _Mapped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tokens: Tensor, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(tokens)
        return tokens @ matrix

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        (tokens,) = ctx.saved_tensors
        used = grad.ne(0).any(dim=1).nonzero()[:, 0]
        if len(used) < len(grad):
            tokens, grad = tokens[used], grad[used]
        return None, tokens.T @ grad


def principal_axes(tokens: NDArray[np.float32], dim: int | None, measure: Measure) -> NDArray[np.float64]:
    """Where a projection starts, shape (d, dim): the identity, or axes in decreasing order of variance.

    About the mean if the cost does not depend on the origin; else about the origin, which keeps inner products best.
    """
    own = tokens.shape[1]
    if dim is None or dim == own:
        return np.eye(own)
    if dim > own:
        raise ValueError(f"dim: vectors have {own} dimensions, which cannot be projected to {dim}")
    moments = Moments.none(own)
    for begin in range(0, len(tokens), CHUNK):
        moments.add(tokens[begin : begin + CHUNK])
    of = moments.covariance if measure._cost.translation_invariant else moments.second
    axes: NDArray[np.float64] = np.linalg.eigh((of + of.T) / 2.0)[1][:, ::-1][:, :dim]
    # Eigenvectors have no sign of their own; this one does not depend on the library.
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dim)])
    return np.ascontiguousarray(axes * signs)
