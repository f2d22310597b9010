"""Transport problems and sequences as hypothesis strategies, hard cases first."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st


@dataclass
class Problem:
    cost: np.ndarray
    a: np.ndarray
    b: np.ndarray


def _mass(rng, n, kind):
    if kind == "uniform":
        w = np.ones(n)
    elif kind == "tiny":
        w = 10.0 ** rng.uniform(-12, 0, n)
    else:
        w = rng.random(n) + 1e-3
        if kind == "zeros":
            w[rng.random(n) < 0.4] = 0
            w[rng.integers(n)] = 1
    return w / w.sum()


@st.composite
def transport_problems(draw, largest=24):
    """Ties, zero and tiny masses, repeated rows, single rows and columns, negative and wide-ranging costs."""
    n, m = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["real", "ties", "constant", "points", "wide", "negative", "repeated"]))
    if kind == "ties":
        cost = rng.integers(0, 4, (n, m)).astype(float)
    elif kind == "constant":
        cost = np.full((n, m), 2.5)
    elif kind == "points":
        cost = np.linalg.norm(rng.normal(size=(n, 1, 3)) - rng.normal(size=(1, m, 3)), axis=2)
    elif kind == "wide":
        cost = 10.0 ** rng.uniform(-30, 30, (n, m))
    elif kind == "negative":
        cost = rng.normal(size=(n, m))
    elif kind == "repeated":
        cost = rng.random((max(1, n // 3), m))[rng.integers(max(1, n // 3), size=n)]
    else:
        cost = rng.random((n, m))
    masses = st.sampled_from(["random", "uniform", "zeros", "tiny"])
    return Problem(cost.astype(np.float32), _mass(rng, n, draw(masses)), _mass(rng, m, draw(masses)))


@st.composite
def sequences(draw, dim, longest=8):
    """One sequence of normally distributed tokens, some repeated."""
    n = draw(st.integers(1, longest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.normal(size=(n, dim)).astype(np.float32)
    return x[rng.integers(n, size=n)] if draw(st.booleans()) else x
