"""What training makes small, from distances in torch: ranking, classification, agreement with scores.

Distances of one row are those of one text to its candidates; `valid` marks the places of ragged rows that are used.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def contrastive(distances: Tensor, positive: Tensor, valid: Tensor, *, temperature: float) -> Tensor:
    """Mean of −ln (Σ_positive exp(−d / τ) / Σ_all exp(−d / τ)) over rows.

    Parameters
    ----------
    distances : Tensor of shape (B, C)
        Distances of each row's text to its candidates.
    positive : Tensor of bool, shape (B, C)
        Which candidates are relevant, at least one per row.
    valid : Tensor of bool, shape (B, C)
        Which places hold a candidate.
    temperature : float
        τ, in units of the distance.

    Returns
    -------
    Tensor of shape ()

    References
    ----------
    .. [1] van den Oord, Li, Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018.
    """
    logits = (-distances / temperature).masked_fill(~valid, -math.inf)
    of_all = torch.logsumexp(logits, dim=1)
    of_positive = torch.logsumexp(logits.masked_fill(~positive, -math.inf), dim=1)
    return (of_all - of_positive).mean()


def neighbourhood(distances: Tensor, same: Tensor, valid: Tensor, *, temperature: float) -> Tensor:
    """Mean of −ln of the probability that a neighbour drawn by exp(−d / τ) has the text's own class.

    See `contrastive` for arguments; rows without a candidate of their own class are left out.

    References
    ----------
    .. [1] Goldberger, Hinton, Roweis, Salakhutdinov, "Neighbourhood Components Analysis", NIPS 2004.
    .. [2] Huang, Guo, Kusner, Sun, Sha, Weinberger, "Supervised Word Mover's Distance", NIPS 2016.
    """
    has_own = (same & valid).any(dim=1)
    if not bool(has_own.any()):
        return distances.sum() * 0.0
    return contrastive(distances[has_own], (same & valid)[has_own], valid[has_own], temperature=temperature)


def margin(distances: Tensor, positive: Tensor, valid: Tensor, *, margin: float) -> Tensor:
    """Mean of max(0, margin + d⁺ − d⁻) over all pairs of a positive and another candidate of one row.

    See `contrastive` for arguments; `margin` is in units of the distance.
    """
    gaps = margin + distances[:, :, None] - distances[:, None, :]
    is_pair = (positive & valid)[:, :, None] & (~positive & valid)[:, None, :]
    return torch.relu(gaps[is_pair]).mean() if bool(is_pair.any()) else distances.sum() * 0.0


def correlation(distances: Tensor, scores: Tensor) -> Tensor:
    """1 + Pearson's correlation of distances with scores: 0 if the nearest are scored highest, in proportion.

    Parameters
    ----------
    distances, scores : Tensor of shape (B,)
        Distances of pairs, and what people scored them.

    Returns
    -------
    Tensor of shape ()
    """
    x, y = distances - distances.mean(), scores - scores.mean()
    # The smallest number that a square root has a derivative at: batches may be of equal scores.
    size = torch.sqrt((x * x).sum() * (y * y).sum() + torch.finfo(x.dtype).tiny)
    return 1.0 + (x * y).sum() / size
