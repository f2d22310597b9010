"""AdaX, an optimiser that remembers all gradients: as an example of one that is not in torch.

    m_t = β₁ m_{t−1} + (1 − β₁) g_t
    v_t = (1 + β₂) v_{t−1} + β₂ g_t²
    v̂_t = v_t / ((1 + β₂)^t − 1)
    θ_t = θ_{t−1} − α m_t / (√v̂_t + ε)

Weight decay λ is decoupled, as in AdaX-W: θ shrinks by α λ θ beside the step. v weighs every past gradient alike at
first and early ones more later, so steps become smaller where gradients once were large. Li, Zhang, Wang, Luo, "AdaX:
Adaptive Gradient Descent with Exponential Long Term Memory", arXiv 2004.09740, 2020.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class AdaX(torch.optim.Optimizer):
    """See above; `betas` are β₁ and β₂, and the defaults are those of the paper."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.005,
        betas: tuple[float, float] = (0.9, 1e-4),
        eps: float = 1e-12,
        weight_decay: float = 0.0,
    ) -> None:
        if not (lr >= 0 and eps >= 0 and weight_decay >= 0 and 0 <= betas[0] < 1 and 0 < betas[1] < 1):
            raise ValueError(f"out of range: lr={lr}, betas={betas}, eps={eps}, weight_decay={weight_decay}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update all parameters that have gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        if gradient is None or gradient.is_sparse:
            raise RuntimeError("AdaX needs dense gradients; torch.optim.SparseAdam takes sparse ones")
        state = self.state[parameter]
        if not state:
            state["t"] = 0
            state["m"], state["v"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["t"] += 1
        first, second = group["betas"]
        state["m"].mul_(first).add_(gradient, alpha=1 - first)
        state["v"].mul_(1 + second).addcmul_(gradient, gradient, value=second)
        # expm1 and log1p: (1 + β₂)^t − 1 loses digits where β₂ t is small.
        memory = math.expm1(state["t"] * math.log1p(second))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.addcdiv_(state["m"], (state["v"] / memory).sqrt_().add_(group["eps"]), value=-group["lr"])
