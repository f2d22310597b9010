"""Slow, independent oracles: linear programs, POT, closed forms. Nothing here uses the package."""

import numpy as np
import ot
from scipy.optimize import linprog


def linear_program(cost, a, b, capacity=1.0, fraction=1.0, tolerance=1e-7):
    """Value of the transport problem by HiGHS on float64."""
    cost = np.asarray(cost, dtype=np.float64)
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    limits = np.minimum(min(capacity, 1e300) * b, 2.0)  # infinity times no mass is no mass
    if fraction < 1:
        met = {"A_eq": np.ones((1, n * m)), "b_eq": [fraction]}
        kept = {"A_ub": np.vstack([rows, columns]), "b_ub": np.concatenate([a, limits])}
    elif capacity == 1:
        # What the last column gets follows, but for rounding, by which HiGHS may call the whole infeasible.
        met, kept = {"A_eq": np.vstack([rows, columns[:-1]]), "b_eq": np.concatenate([a, b[:-1]])}, {}
    else:
        met, kept = {"A_eq": rows, "b_eq": a}, {"A_ub": columns, "b_ub": limits}
    options = {"primal_feasibility_tolerance": tolerance, "dual_feasibility_tolerance": tolerance}
    solved = linprog(cost.ravel(), **met, **kept, method="highs", options=options)
    assert solved.status == 0, solved.message
    return solved.fun


def pot_exact(cost, a, b):
    """Value of the balanced problem by POT on float64."""
    cost = np.asarray(cost, dtype=np.float64)
    least = cost.min()  # POT takes a 1 x 1 problem of negative cost for infeasible
    return ot.emd2(a, b * (a.sum() / b.sum()), cost - least) + least


def ground_cost(ground, x, y):
    """Cost matrix in float64."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if ground == "dot":
        return -x @ y.T
    if ground == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        y = y / np.linalg.norm(y, axis=1, keepdims=True)
        return 1 - x @ y.T
    squared = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    return squared if ground == "sqeuclidean" else np.sqrt(squared)


def mass(weighting, x):
    """Normalised mass in float64."""
    w = np.linalg.norm(np.asarray(x, dtype=np.float64), axis=1) if weighting == "norm" else np.ones(len(x))
    return w / w.sum()


def distance(measure, x, y):
    """Value of a measure between two sequences, in float64 throughout."""
    cost = ground_cost(measure.ground, x, y)
    a, b = mass(measure.weighting, x), mass(measure.weighting, y)
    query_side = a @ cost.min(axis=1)
    if np.isinf(measure.capacity):
        return query_side
    if measure.problem == "relaxed":
        return max(query_side, b @ cost.min(axis=0)) if measure.capacity == 1 else query_side
    return pot_exact(cost, a, b) if measure.capacity == 1 else linear_program(cost, a, b, measure.capacity)
