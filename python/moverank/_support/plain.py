"""Values as JSON has them: finite numbers or null, ids as strings."""

from __future__ import annotations

import math
from typing import Any


def finite(value: float) -> float | None:
    """The number as a plain float; None if it is infinite or NaN, which JSON does not have."""
    return float(value) if math.isfinite(value) else None


def plain_id(value: Any) -> str:
    """An id as a string: many readers of JSON round whole numbers beyond 2^53."""
    return str(value)
