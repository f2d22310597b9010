"""Distances that torch can differentiate: ``pip install moverank[torch]``.

Values and derivatives come from the core, in float64 and on the CPU, whatever the tensors are; what is returned has the
dtype and device of the first argument. Nothing else in the package imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

try:
    import torch
except ImportError as error:
    raise ImportError("moverank.torch needs torch: pip install moverank[torch]") from error

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from moverank._validate import capacity_number, fraction_number, weights_array
from moverank.gradients import double_tokens, ragged_gradients
from moverank.measures import Measure, measure, require_same_dim
from moverank.measures import wmd as wmd_measure
from moverank.measures import wrd as wrd_measure
from moverank.sinkhorn import Sinkhorn
from moverank.transport import transport as solve_transport

__all__ = ["distance", "sinkhorn", "transport", "wmd", "wrd"]

_by_name = measure

#: One sequence, shape (n, d), or any number of them, each of its own length.
Tokens: TypeAlias = "Tensor | Sequence[Tensor]"


def distance(
    x: Tokens,
    y: Tokens,
    measure: str | Measure = "wrd",
    a: Tokens | None = None,
    b: Tokens | None = None,
    *,
    num_threads: int | None = None,
) -> Tensor:
    """Distances that backpropagate to tokens and weights.

    Parameters
    ----------
    x, y : Tensor of shape (n, d), or sequence of such tensors
        Queries and documents. Two sequences of tensors are pairs; one tensor against a sequence of them is one query
        against many documents, or the other way round.
    measure : str or Measure, default "wrd"
        What to compute; a `Sinkhorn` problem needs ``relative=False``.
    a, b : Tensor of shape (n,), or sequence of such tensors, optional
        Weights, in the form of `x` and `y`.
    num_threads : int, optional
        Threads to use; all cores by default.

    Returns
    -------
    Tensor
        Of shape () for a pair, (N,) for N of them.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it, and the sequence.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[0.0], [3.0]], requires_grad=True)
    >>> distance(x, torch.tensor([[1.0], [5.0]]), "wmd").backward()
    >>> x.grad
    tensor([[-0.5000],
            [-0.5000]])
    """
    chosen = _by_name(measure)
    queries, documents = _as_list(x, "x"), _as_list(y, "y")
    query_weights, document_weights = _weights_list(a, "a", queries), _weights_list(b, "b", documents)
    for weights, name in ((query_weights, "a"), (document_weights, "b")):
        if weights is None and chosen.weighting == "given":
            raise ValueError(f"{name}: weighting 'given' needs weights")
    n_pairs = len(documents) if isinstance(x, Tensor) else len(queries)
    if isinstance(x, Tensor):
        queries, query_weights = queries * n_pairs, query_weights and query_weights * n_pairs
    if isinstance(y, Tensor):
        documents, document_weights = documents * n_pairs, document_weights and document_weights * n_pairs
    if len(queries) != len(documents):
        raise ValueError(f"expected as many queries as documents, got {len(queries)} and {len(documents)}")
    if n_pairs == 0:
        return torch.zeros(0)
    values: Tensor = _Distances.apply(
        chosen,
        num_threads,
        [len(t) for t in queries],
        [len(t) for t in documents],
        torch.cat(list(queries)),
        torch.cat(list(documents)),
        None if query_weights is None else torch.cat(list(query_weights)),
        None if document_weights is None else torch.cat(list(document_weights)),
    )
    return values[0] if isinstance(x, Tensor) and isinstance(y, Tensor) else values


def wmd(x: Tokens, y: Tokens, a: Tokens | None = None, b: Tokens | None = None, **options: Any) -> Tensor:
    """Word Mover's Distance; `options` are fields of the measure, such as ``capacity`` or ``fraction``.

    See `distance` for arguments, result and errors.
    """
    return distance(x, y, wmd_measure.replace(**options), a, b)


def wrd(x: Tokens, y: Tokens, a: Tokens | None = None, b: Tokens | None = None, **options: Any) -> Tensor:
    """Word Rotator's Distance; `options` are fields of the measure, such as ``capacity`` or ``fraction``.

    See `distance` for arguments, result and errors.
    """
    return distance(x, y, wrd_measure.replace(**options), a, b)


def sinkhorn(
    x: Tokens,
    y: Tokens,
    a: Tokens | None = None,
    b: Tokens | None = None,
    *,
    epsilon: float,
    ground: str = "euclidean",
    weighting: str = "uniform",
    tolerance: float = 1e-6,
    max_iterations: int = 10_000,
    marginal_penalty: float = math.inf,
    debiased: bool = False,
    capacity: float = 1.0,
    fraction: float = 1.0,
) -> Tensor:
    """Entropic transport between sequences; with `debiased` the Sinkhorn divergence.

    See `distance` for `x`, `y`, `a`, `b`, the result and errors, and `Measure` and `Sinkhorn` for the rest. `epsilon`
    is in units of the cost.
    """
    problem = Sinkhorn(epsilon, False, tolerance, max_iterations, marginal_penalty, debiased)
    return distance(x, y, Measure(ground, weighting, capacity, problem, fraction), a, b)


def transport(
    cost: Tensor,
    a: Tensor | None = None,
    b: Tensor | None = None,
    *,
    capacity: float = 1.0,
    fraction: float = 1.0,
    epsilon: float | Sinkhorn | None = None,
) -> Tensor:
    """Value of a transport problem, differentiable with respect to the cost matrix and both weights.

    Parameters
    ----------
    cost : Tensor of shape (n, m)
        Costs.
    a, b : Tensor of shape (n,) and (m,), optional
        Weights, normalised to total 1; uniform if omitted.
    capacity, fraction, epsilon
        As in `moverank.transport`; a `Sinkhorn` needs ``relative=False``.

    Returns
    -------
    Tensor
        Of shape ().

    Raises
    ------
    TypeError, ValueError
        As `moverank.transport`.
    """
    if isinstance(epsilon, Sinkhorn) and epsilon.relative:
        raise ValueError("derivatives need an epsilon in units of the cost: relative=False")
    value: Tensor = _Transport.apply(capacity_number(capacity), fraction_number(fraction), epsilon, cost, a, b)
    return value


class _Distances(torch.autograd.Function):
    """Values and derivatives of pairs of sequences that lie one below the other."""

    @staticmethod
    def forward(
        ctx: Any,
        measure: Measure,
        num_threads: int | None,
        query_lengths: list[int],
        document_lengths: list[int],
        x: Tensor,
        y: Tensor,
        a: Tensor | None,
        b: Tensor | None,
    ) -> Tensor:
        queries = _checked(x, query_lengths, "x", measure)
        documents = _checked(y, document_lengths, "y", measure)
        require_same_dim(queries[0].shape[1], documents[0].shape[1], "x", "y")
        values, *found = ragged_gradients(
            queries,
            _checked_weights(a, query_lengths, "a"),
            documents,
            _checked_weights(b, document_lengths, "b"),
            measure,
            num_threads=num_threads,
        )
        dx, da, dy, db = (None if g is None else torch.from_numpy(g) for g in found)
        ctx.gradients = dx, dy, da, db
        ctx.lengths = query_lengths, document_lengths
        ctx.inputs = [None if t is None else (t.dtype, t.device) for t in (x, y, a, b)]
        return torch.from_numpy(values).to(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        upstream = grad.detach().to("cpu", torch.float64)
        per_query, per_document = (torch.repeat_interleave(upstream, torch.tensor(n)) for n in ctx.lengths)
        scales = per_query[:, None], per_document[:, None], per_query, per_document
        gradients = [
            None if g is None else (g * scale).to(kind[1], kind[0])
            for g, scale, kind in zip(ctx.gradients, scales, ctx.inputs, strict=True)
        ]
        return None, None, None, None, *gradients


class _Transport(torch.autograd.Function):
    """Value of one problem; its derivatives are the plan and the potentials."""

    @staticmethod
    def forward(
        ctx: Any,
        capacity: float,
        fraction: float,
        epsilon: float | Sinkhorn | None,
        cost: Tensor,
        a: Tensor | None,
        b: Tensor | None,
    ) -> Tensor:
        matrix = _numpy(cost, "cost")
        weights = [None if w is None else _numpy(w, name) for w, name in ((a, "a"), (b, "b"))]
        solved: Any = solve_transport(matrix, *weights, capacity=capacity, fraction=fraction, epsilon=epsilon)
        penalty = epsilon.marginal_penalty if isinstance(epsilon, Sinkhorn) else math.inf
        gradients: list[Tensor | None] = [torch.from_numpy(solved.plan)]
        for axis, (given, potentials, limit) in enumerate(
            zip(weights, solved.potentials, (1.0, capacity), strict=True)
        ):
            if given is None:
                gradients.append(None)
                continue
            mass = given / given.sum()
            marginal = solved.plan.sum(axis=1 - axis)
            worth = potentials if math.isinf(penalty) else -penalty * np.expm1(-potentials / penalty)
            worth = np.where(worth == 0, 0.0, worth * (limit if np.isfinite(limit) else 1.0))
            if epsilon is not None:  # the plan is made relative to a b^T
                excess = np.divide(marginal, mass, out=np.ones_like(mass), where=mass > 0) - 1.0
                worth = worth - solved.epsilon * excess
            gradients.append(torch.from_numpy((worth - mass @ worth) / given.sum()))
        ctx.gradients = gradients
        ctx.inputs = [None if t is None else (t.dtype, t.device) for t in (cost, a, b)]
        return torch.tensor(solved.value, dtype=cost.dtype, device=cost.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        upstream = grad.detach().to("cpu", torch.float64)
        gradients = [
            None if g is None else (g * upstream).to(kind[1], kind[0])
            for g, kind in zip(ctx.gradients, ctx.inputs, strict=True)
        ]
        return None, None, None, *gradients


def _as_list(value: Tokens, name: str) -> list[Tensor]:
    tensors = [value] if isinstance(value, Tensor) else list(value)
    for k, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected tensors, got {type(tensor).__name__}")
        if tensor.ndim != 2:
            where = name if isinstance(value, Tensor) else f"{name}[{k}]"
            raise ValueError(f"{where}: expected a tensor of shape (n, d), got shape {tuple(tensor.shape)}")
    return tensors


def _weights_list(value: Tokens | None, name: str, tokens: list[Tensor]) -> list[Tensor] | None:
    if value is None:
        return None
    tensors = [value] if isinstance(value, Tensor) else list(value)
    if len(tensors) != len(tokens):
        raise ValueError(f"{name}: expected weights for {len(tokens)} sequences, got {len(tensors)}")
    for k, (weights, sequence) in enumerate(zip(tensors, tokens, strict=True)):
        if weights.shape != sequence.shape[:1]:
            raise ValueError(f"{name}[{k}]: expected shape ({len(sequence)},), got {tuple(weights.shape)}")
    return tensors


def _numpy(tensor: Tensor, name: str) -> NDArray[np.float64]:
    if not tensor.dtype.is_floating_point:
        raise TypeError(f"{name}: expected a tensor of real numbers, got {tensor.dtype}")
    array: NDArray[np.float64] = tensor.detach().to("cpu", torch.float64).contiguous().numpy()
    return array


def _checked(tokens: Tensor, lengths: list[int], name: str, measure: Measure) -> list[NDArray[np.float64]]:
    pieces = np.split(_numpy(tokens, name), np.cumsum(lengths)[:-1])
    return [double_tokens(piece, f"{name}[{k}]", measure) for k, piece in enumerate(pieces)]


def _checked_weights(weights: Tensor | None, lengths: list[int], name: str) -> NDArray[np.float64] | None:
    if weights is None:
        return None
    array = _numpy(weights, name)
    for k, piece in enumerate(np.split(array, np.cumsum(lengths)[:-1])):
        weights_array(piece, f"{name}[{k}]", len(piece))
    return array
