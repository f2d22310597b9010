"""Shares that sum to one within each text, which torch differentiates: softmax, Gumbel-softmax, sparsemax.

All share one interface, over ragged segments: scores of all tokens in one tensor, and the offsets of texts in it. A
temperature near 0 leaves the token of the largest score, a large one makes shares equal. Values are those of
`moverank.spaces.simplex`, which a fitted space uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from moverank._support.validate import offsets_array, positive_number, real_number
from moverank.spaces.simplex import largest, shares, spread


def softmax(
    scores: Tensor,
    offsets: ArrayLike,
    *,
    temperature: float = 1.0,
    straight_through: bool = False,
    keep: float = 0.0,
) -> Tensor:
    """exp(s_t / τ) / Σ exp(s / τ), within each text.

    Parameters
    ----------
    scores : Tensor of shape (T,)
        A score per token.
    offsets : array_like of int, shape (N + 1,)
        Text s has the tokens ``offsets[s]:offsets[s + 1]``, at least one.
    temperature : float, default 1.0
        τ.
    straight_through : bool, default False
        Return shares of the selected tokens only, which sum to 1, but pass derivatives on as if all were selected.
    keep : float, default 0.0
        The share of a text's tokens that `straight_through` selects, those of the largest shares; at least one.

    Returns
    -------
    Tensor of shape (T,)

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it.
    """
    return _selected("softmax", scores, offsets, temperature, straight_through, keep)


def gumbel_softmax(
    scores: Tensor,
    offsets: ArrayLike,
    *,
    temperature: float = 1.0,
    straight_through: bool = False,
    keep: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Softmax of scores with Gumbel noise: the largest is a random choice, in proportion to exp(s).

    See `softmax` for arguments, result and errors; `rng` draws the noise, as in training; without it there is none.

    References
    ----------
    .. [1] Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017.
    """
    _require_scores(scores)
    if rng is not None:
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng: expected a Generator of NumPy, got {type(rng).__name__}")
        scores = scores + torch.from_numpy(rng.gumbel(size=tuple(scores.shape))).to(scores)
    return _selected("softmax", scores, offsets, temperature, straight_through, keep)


def sparsemax(
    scores: Tensor,
    offsets: ArrayLike,
    *,
    temperature: float = 1.0,
    straight_through: bool = False,
    keep: float = 0.0,
) -> Tensor:
    """The point of the simplex nearest to s / τ, within each text: low scores get exactly 0.

    See `softmax` for arguments, result and errors.

    References
    ----------
    .. [1] Martins, Astudillo, "From Softmax to Sparsemax", ICML 2016.
    """
    return _selected("sparsemax", scores, offsets, temperature, straight_through, keep)


#: The functions by name.
SIMPLEX: dict[str, Callable[..., Tensor]] = {"softmax": softmax, "gumbel": gumbel_softmax, "sparsemax": sparsemax}


def _selected(
    kind: str, scores: Tensor, offsets: ArrayLike, temperature: float, straight_through: bool, keep: float
) -> Tensor:
    _require_scores(scores)
    cuts = offsets_array(offsets, len(scores), "text", "tokens")
    positive_number(temperature, "temperature")
    if not 0.0 <= real_number(keep, "keep") <= 1.0:
        raise ValueError(f"keep must be from 0 to 1, got {keep!r}")
    if not isinstance(straight_through, bool):
        raise TypeError(f"straight_through must be True or False, got {straight_through!r}")
    soft: Tensor = _Shares.apply(scores / temperature, cuts, kind)
    if not straight_through:
        return soft
    values = soft.detach().to("cpu", torch.float64).numpy()
    hard = np.where(largest(values, cuts, keep), values, 0.0)
    hard /= spread(np.add.reduceat(hard, cuts[:-1]), cuts)
    return through(soft, torch.from_numpy(hard).to(soft))


def _require_scores(scores: Any) -> None:
    if not isinstance(scores, Tensor) or scores.ndim != 1 or not scores.dtype.is_floating_point:
        raise TypeError(f"scores: expected a tensor of real numbers of shape (T,), got {_described(scores)}")


def through(soft: Tensor, hard: Tensor) -> Tensor:
    """The value of `hard` with the derivatives of `soft`."""
    return hard.detach() + (soft - soft.detach())


def _described(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


class _Shares(torch.autograd.Function):
    """Shares in float64, returned in the type of the scores."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, offsets: NDArray[np.int64], kind: str) -> Tensor:
        found = shares(kind, scores.detach().to("cpu", torch.float64).numpy(), offsets)
        ctx.found, ctx.offsets, ctx.kind = found, offsets, kind
        return torch.from_numpy(found).to(scores)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        found, offsets = ctx.found, ctx.offsets
        upstream = grad.detach().to("cpu", torch.float64).numpy()
        # Softmax: p (g - <p, g>). Sparsemax: g minus its mean, on the support.
        within = found if ctx.kind == "softmax" else (found > 0).astype(np.float64)
        total = np.add.reduceat(within, offsets[:-1])
        mean = np.add.reduceat(within * upstream, offsets[:-1]) / total
        return torch.from_numpy(within * (upstream - spread(mean, offsets))).to(grad), None, None
