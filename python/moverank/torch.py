"""Distances that torch can differentiate: ``pip install moverank[torch]``.

The core computes values and derivatives in float64 on the CPU, whatever the tensors are; the result has the
dtype and device of the first argument. Nothing else in the package imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeAlias

try:
    import torch
except ImportError as error:
    raise ImportError("moverank.torch needs torch: pip install moverank[torch]") from error

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from moverank._support.arrays import plain_array
from moverank._support.validate import capacity_number, fraction_number, weights_array
from moverank.measures.gradients import double_array, one_sequence, ragged_gradients, require_measurable
from moverank.measures.measure import Measure, require_same_dim
from moverank.measures.measure import wmd as wmd_measure
from moverank.measures.measure import wrd as wrd_measure
from moverank.measures.precision import tell_if_below
from moverank.solvers.sinkhorn import Sinkhorn
from moverank.solvers.transport import transport as solve_transport
from moverank.vectors.padded import warn_if_padded
from moverank.vectors.rounding import longest
from moverank.vectors.sequences import BatchSource, OneSource, Sequence, Sequences

__all__ = ["distance", "sinkhorn", "transport", "wmd", "wrd"]


#: One sequence, shape (n, d), or any number of them: of one length, shape (B, n, d), or of any lengths. Sequences of
#: moverank carry their weights.
Tokens: TypeAlias = "Tensor | Sequence | Sequences | OneSource | BatchSource | Iterable[Tensor | Sequence | OneSource]"
Weights: TypeAlias = "Tensor | Iterable[Tensor]"


def distance(
    x: Tokens,
    y: Tokens,
    measure: str | Measure = "wrd",
    a: Weights | None = None,
    b: Weights | None = None,
    *,
    num_threads: int | None = None,
) -> Tensor:
    """Distances that backpropagate to tokens and weights.

    First derivatives only: a gradient made with ``create_graph=True`` is a constant.

    Parameters
    ----------
    x, y : Tensor of shape (n, d), Tensor of shape (B, n, d), or sequence of tensors of shape (n, d)
        Queries and documents. Two batches are pairs, ``x[k]`` with ``y[k]``; one tensor of shape (n, d) against a batch
        is one query against many documents, or the reverse. `Sequence` and `Sequences` are accepted as well, as
        constants, with their weights. Mark padding by weights of 0.
    measure : str or Measure, default "wrd"
        What to compute; a `Sinkhorn` problem needs ``relative=False``.
    a, b : Tensor of shape (n,), Tensor of shape (B, n), or sequence of tensors of shape (n,), optional
        Weights, in the form of `x` and `y`; they replace those that `x` and `y` carry.
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
    chosen = Measure.of(measure)
    queries, query_weights, one_query, query_is_rounded = _side(x, a, "x", "a", chosen)
    documents, document_weights, one_document, document_is_rounded = _side(y, b, "y", "b", chosen)
    n_pairs = len(documents) if one_query else len(queries)
    if one_query:
        queries, query_weights = queries * n_pairs, query_weights and query_weights * n_pairs
    if one_document:
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
    if chosen._cost.translation_invariant and (query_is_rounded or document_is_rounded):
        reach = sum(max(longest(_numpy(t, name)) for t in side) for side, name in ((queries, "x"), (documents, "y")))
        tell_if_below(_numpy(values, "distance"), chosen, reach)
    return values[0] if one_query and one_document else values


def wmd(x: Tokens, y: Tokens, a: Weights | None = None, b: Weights | None = None, **options: Any) -> Tensor:
    """Word Mover's Distance; `options` are fields of the measure, such as ``capacity`` or ``fraction``.

    See `distance` for arguments, result and errors.
    """
    return distance(x, y, wmd_measure.replace(**options), a, b)


def wrd(x: Tokens, y: Tokens, a: Weights | None = None, b: Weights | None = None, **options: Any) -> Tensor:
    """Word Rotator's Distance; `options` are fields of the measure, such as ``capacity`` or ``fraction``.

    See `distance` for arguments, result and errors.
    """
    return distance(x, y, wrd_measure.replace(**options), a, b)


def sinkhorn(
    x: Tokens,
    y: Tokens,
    a: Weights | None = None,
    b: Weights | None = None,
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
    """Values and derivatives of pairs of sequences in flat arrays."""

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
        queries, query_weights = _checked(x, a, query_lengths, ("x", "a"), measure)
        documents, document_weights = _checked(y, b, document_lengths, ("y", "b"), measure)
        require_same_dim(queries[0].shape[1], documents[0].shape[1], "x", "y")
        found = ragged_gradients(
            queries,
            query_weights,
            documents,
            document_weights,
            measure,
            num_threads=num_threads,
        )
        each = found.by_query, found.by_document, found.by_query_weights, found.by_document_weights
        ctx.gradients = [None if gradient is None else torch.from_numpy(gradient) for gradient in each]
        ctx.lengths = query_lengths, document_lengths
        ctx.inputs = [None if t is None else (t.dtype, t.device) for t in (x, y, a, b)]
        return torch.from_numpy(found.value).to(x)

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


def _side(
    value: Tokens, weights: Weights | None, name: str, weights_name: str, measure: Measure
) -> tuple[list[Tensor], list[Tensor] | None, bool, bool]:
    """Sequences of one argument, their weights, whether it is one or a batch, and whether some lost digits before."""
    if isinstance(value, BatchSource):
        value = value.to_sequences(measure.weighting)
    one = isinstance(value, (Sequence, OneSource)) or (isinstance(value, Tensor) and value.ndim != 3)
    if not one and (isinstance(value, (str, np.ndarray)) or not isinstance(value, Iterable)):
        raise TypeError(f"{name}: expected tensors, got {type(value).__name__}")
    parts: list[Any] = [value] if one else list(value)  # type: ignore[arg-type]
    names = [name] if one else [f"{name}[{k}]" for k in range(len(parts))]
    tensors, own, is_rounded = [], [], False
    for part, where in zip(parts, names, strict=True):
        tokens, mass, lost_digits = _tensor(part, where, measure)
        tensors.append(tokens)
        own.append(mass)
        is_rounded |= lost_digits
    if (
        weights is None
        and not (measure._mass.needs_vectors or measure._mass.needs_weights)
        and all(isinstance(part, Tensor) for part in parts)
        and not one
    ):
        warn_if_padded([plain_array(part, where) for part, where in zip(parts, names, strict=True)])
    if weights is not None:
        return tensors, _weights_list(weights, weights_name, tensors, one), one, is_rounded
    given = [mass for mass in own if mass is not None]
    if given and len(given) < len(own):
        bare = next(k for k, mass in enumerate(own) if mass is None)
        raise ValueError(f"{names[bare]}: has no weights and others have some; give weights to all of them or to none")
    if not given and own and measure._mass.needs_weights:
        raise ValueError(f"{weights_name}: weighting 'given' needs weights")
    return tensors, given or None, one, is_rounded


def _tensor(value: Any, name: str, measure: Measure) -> tuple[Tensor, Tensor | None, bool]:
    """One sequence's tokens, its weights if it carries any, and whether it lost digits when it was made."""
    if isinstance(value, (Sequence, OneSource)):
        one, is_rounded = one_sequence(value, None, name, name, measure)
        tokens, mass = torch.from_numpy(one.tokens.copy()), one.weights
        return tokens, None if mass is None else torch.from_numpy(mass.copy()), is_rounded
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected tensors, got {type(value).__name__}")
    if value.ndim != 2:
        raise ValueError(f"{name}: expected a tensor of shape (n, d), got shape {tuple(value.shape)}")
    return value, None, False


def _weights_list(value: Weights, name: str, tokens: list[Tensor], one: bool) -> list[Tensor]:
    if isinstance(value, (str, np.ndarray)) or not isinstance(value, Iterable):
        raise TypeError(f"{name}: expected tensors, got {type(value).__name__}")
    tensors = [value] if one and isinstance(value, Tensor) else list(value)
    if len(tensors) != len(tokens):
        raise ValueError(f"{name}: expected weights for {len(tokens)} sequences, got {len(tensors)}")
    for k, (weights, sequence) in enumerate(zip(tensors, tokens, strict=True)):
        if not isinstance(weights, Tensor):
            raise TypeError(f"{name}: expected tensors, got {type(weights).__name__}")
        if weights.shape != sequence.shape[:1]:
            raise ValueError(f"{name}[{k}]: expected shape ({len(sequence)},), got {tuple(weights.shape)}")
    return tensors


def _numpy(tensor: Tensor, name: str) -> NDArray[np.float64]:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")
    if not tensor.dtype.is_floating_point:
        raise TypeError(f"{name}: expected a tensor of real numbers, got {tensor.dtype}")
    array: NDArray[np.float64] = tensor.detach().to("cpu", torch.float64).contiguous().numpy()
    return array


def _checked(
    tokens: Tensor, weights: Tensor | None, lengths: list[int], names: tuple[str, str], measure: Measure
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64] | None]:
    """Tokens and weights of all sequences of one side in float64."""
    cuts = np.cumsum(lengths)[:-1]
    mass = None if weights is None else _numpy(weights, names[1])
    pieces = np.split(_numpy(tokens, names[0]), cuts)
    masses = [None] * len(pieces) if mass is None else np.split(mass, cuts)
    for k, (piece, own) in enumerate(zip(pieces, masses, strict=True)):
        if own is not None:
            weights_array(own, f"{names[1]}[{k}]", len(piece))
        require_measurable(double_array(piece, f"{names[0]}[{k}]"), own, f"{names[0]}[{k}]", names[1], measure)
    return pieces, mass
