"""Colours of costs, the same in every view: blue is near, orange is far, distinct to colour-blind readers too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEAR, BETWEEN, FAR = (31, 111, 180), (185, 181, 173), (213, 94, 0)


def of_costs(costs: NDArray[np.floating], low: float, high: float) -> NDArray[np.int64]:
    """Red, green and blue, 0 to 255, of costs between a lowest and a highest; shape (…, 3)."""
    place = np.clip((costs - low) / (high - low), 0, 1) if high > low else np.zeros(costs.shape)
    near, between, far = (np.array(colour, dtype=np.float64) for colour in (NEAR, BETWEEN, FAR))
    up = np.clip(2 * place, 0, 1)[..., None]
    on = np.clip(2 * place - 1, 0, 1)[..., None]
    return np.rint(near + up * (between - near) + on * (far - between)).astype(np.int64)
