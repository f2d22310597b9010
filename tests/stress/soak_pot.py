"""Compare the public API with POT and HiGHS on random problems, each a function of its seed.

    PYTHONPATH=tests/python python tests/stress/soak_pot.py [--from 0] [--count 20000] [--state FILE]
    PYTHONPATH=tests/python python tests/stress/soak_pot.py --seed 17          one again, described

Exact values, balanced, with capacities and of a fraction; Sinkhorn's values, plans and intervals, balanced and with a
price of marginals; distances between sequences and searches. With --state a run that was stopped goes on. Ends with 1
if anything differs by more than the peer's own tolerance. `soak` (README.md) tries a hundred times as many, and harder
ones, against proofs and an oracle of its own; this one owes nothing to the same authors.
"""

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import ot

import moverank as mr
import reference

#: What HiGHS and POT are asked for, relative to the largest cost.
HIGHS = 1e-9
POT = 1e-9
#: Sinkhorn's iterations of either side are stopped at this error of the marginals.
MARGINAL_ERROR = 1e-9


class Disagreement(Exception):
    """What a problem found."""


def require(holds, *said):
    if not holds:
        raise Disagreement(" ".join(str(word) for word in said))


def near(found, expected, tolerance, *said):
    require(abs(found - expected) <= tolerance, *said, f"{found!r} is not {expected!r} to {tolerance:.1e}")


# ---- problems --------------------------------------------------------------------------------------------------------


def draw_mass(rng, n):
    kind = rng.choice(["uniform", "real", "whole", "zeros", "tiny", "powers", "point"])
    if kind == "uniform":
        mass = np.ones(n)
    elif kind == "whole":
        mass = rng.integers(1, 4, n).astype(float)
    elif kind == "tiny":
        mass = 10.0 ** rng.uniform(-12, 0, n)
    elif kind == "powers":
        mass = 2.0 ** -rng.integers(0, 30, n)
    else:
        mass = rng.random(n) + 1e-3
        if kind == "zeros":
            mass[rng.random(n) < 0.4] = 0
            mass[rng.integers(n)] = 1
        elif kind == "point":
            mass[:] = 0
            mass[rng.integers(n)] = 1
    return mass / mass.sum()


def draw_cost(rng, n, m):
    kind = rng.choice(["real", "ties", "constant", "points", "wide", "negative", "repeated", "blocks", "near ties"])
    if kind == "ties":
        cost = rng.integers(0, 4, (n, m)).astype(float)
    elif kind == "constant":
        cost = np.full((n, m), rng.choice([0.0, 1 / 3, 2.5, -1.0]))
    elif kind == "points":
        points = rng.integers(0, 4, (n + m, 2)) if rng.random() < 0.5 else rng.normal(size=(n + m, 2))
        cost = np.linalg.norm(points[:n, None] - points[None, n:], axis=2)
    elif kind == "wide":
        cost = 10.0 ** rng.uniform(-6, 0, (n, m))
    elif kind == "negative":
        cost = -1 - rng.random((n, m))
    elif kind == "repeated":
        cost = rng.random((max(1, n // 3), m))[rng.integers(max(1, n // 3), size=n)]
    elif kind == "blocks":
        cost = np.where(np.arange(n)[:, None] % 3 == np.arange(m)[None] % 3, 0.0, 1.0)
    elif kind == "near ties":
        cost = 1 + 2.0 ** -rng.integers(10, 50) * rng.integers(-2, 3, (n, m))
    else:
        cost = rng.uniform(-1, 1, (n, m))
    return (cost * 2.0 ** rng.integers(-20, 21)).astype(rng.choice([np.float32, np.float64])), kind


class Problem:
    """A cost matrix with masses."""

    def __init__(self, rng, largest):
        n, m = rng.integers(1, largest + 1, 2)
        self.cost, self.kind = draw_cost(rng, n, m)
        self.a, self.b = draw_mass(rng, n), draw_mass(rng, m)
        self.largest = float(np.abs(self.cost).max())

    def __str__(self):
        return f"{self.kind} {self.cost.dtype} {self.cost.shape[0]} x {self.cost.shape[1]}"

    @property
    def scaled(self):
        """Costs of size 1, as peers have tolerances of their own."""
        return self.cost.astype(float) / (self.largest or 1.0)


# ---- what is compared ------------------------------------------------------------------------------------------------


def check_highs(rng):
    """Exact values with capacities and fractions."""
    problem = Problem(rng, 10)
    capacity = rng.choice([1.0, 1.0, 1 + 1e-9, 1.5, 4.0, 1e6, np.inf])
    fraction = rng.choice([1.0, 1.0, 0.5, 0.999, 0.01])
    yield f"exact, {problem.kind}", f"{problem}, capacity {capacity}, fraction {fraction}"
    found = mr.transport(problem.cost, problem.a, problem.b, capacity=capacity, fraction=fraction)
    require(found.status == "optimal" and found.gap <= 1e-10 * problem.largest + 1e-300, "not proved:", found)
    truth = reference.linear_program(problem.scaled, problem.a, problem.b, capacity, fraction, HIGHS)
    near(spoiled("value", found.value), truth * problem.largest, 20 * HIGHS * problem.largest, "value")
    near((found.plan * problem.cost).sum(), found.value, 1e-12 * problem.largest, "cost of the plan")


def check_pot(rng):
    """Balanced values of larger problems, and batches of these."""
    problem = Problem(rng, 80)
    yield f"exact, {problem.kind}", str(problem)
    found = mr.transport(problem.cost, problem.a, problem.b)
    truth = reference.pot_exact(problem.scaled, problem.a, problem.b) * problem.largest
    near(spoiled("value", found.value), truth, POT * problem.largest, "value")
    batch = mr.transport_batch(np.stack([problem.cost, problem.cost[::-1]]), problem.a, problem.b, num_threads=2)
    require(batch.values[0] == found.value and batch.lower[0] == found.lower, "another value in a batch:", batch)


def check_partial(rng):
    """A fraction of the mass, by POT."""
    problem = Problem(rng, 40)
    fraction = float(rng.choice([0.1, 0.5, 0.9]))
    yield f"partial, {problem.kind}", f"{problem}, fraction {fraction}"
    cost = problem.scaled - min(problem.scaled.min(), 0.0)  # POT wants costs of 0 at least
    found = mr.transport(cost, problem.a, problem.b, fraction=fraction)
    truth = (ot.partial.partial_wasserstein(problem.a, problem.b, cost, m=fraction) * cost).sum()
    near(spoiled("value", found.value), truth, 1e-7, "value")


def entropy(plan, a, b):
    """KL(plan | a b^T)."""
    product = np.outer(a, b)
    moved = plan > 0
    return (plan[moved] * np.log(plan[moved] / product[moved])).sum() - plan.sum() + product.sum()


def check_sinkhorn(rng):
    """Entropic values and plans by POT, in the log domain, and the interval around the exact value."""
    problem = Problem(rng, 24)
    a, b = problem.a + 1e-6, problem.b + 1e-6
    a, b = a / a.sum(), b / b.sum()
    epsilon = float(10 ** rng.uniform(-1.3, 1))
    yield f"entropic, {problem.kind}", f"{problem}, epsilon {epsilon}"
    cost = problem.scaled
    ours = mr.Sinkhorn(epsilon, relative=False, tolerance=MARGINAL_ERROR, max_iterations=100_000)
    found = mr.transport(cost, a, b, epsilon=ours)
    require(found.converged, "not converged")
    plan = ot.sinkhorn(a, b, cost, epsilon, method="sinkhorn_log", numItermax=20_000, stopThr=MARGINAL_ERROR / 10)
    if np.abs(plan.sum(axis=0) - b).sum() + np.abs(plan.sum(axis=1) - a).sum() > 10 * MARGINAL_ERROR:
        return  # POT is not done
    value = (plan * cost).sum() + epsilon * entropy(plan, a, b)
    near(spoiled("value", found.value), value, 1e-6, "value")
    require(np.abs(found.plan - plan).sum() <= 1e-4, "another plan, by", np.abs(found.plan - plan).sum())
    exact = reference.pot_exact(cost, a, b)
    width = spoiled("interval", 1.0)
    require(found.lower <= exact + POT and exact * width <= found.upper + POT, "no interval around", exact, found)


def check_unbalanced(rng):
    """Prices of marginals, by POT."""
    problem = Problem(rng, 16)
    a, b = problem.a + 1e-6, problem.b + 1e-6
    a, b = a / a.sum(), b / b.sum()
    epsilon, penalty = float(10 ** rng.uniform(-1, 0)), float(10 ** rng.uniform(-0.5, 1))
    yield f"unbalanced, {problem.kind}", f"{problem}, epsilon {epsilon}, marginals at {penalty}"
    cost = np.abs(problem.scaled)
    ours = mr.Sinkhorn(
        epsilon, relative=False, tolerance=MARGINAL_ERROR, max_iterations=100_000, marginal_penalty=penalty
    )
    found = mr.transport(cost, a, b, epsilon=ours)
    plan = ot.unbalanced.sinkhorn_unbalanced(
        a, b, cost, epsilon, penalty, method="sinkhorn_stabilized", reg_type="kl", numItermax=50_000, stopThr=1e-12
    )
    price = sum(
        penalty * ((s := plan.sum(axis=axis)) * np.log(s / mass) - s + mass).sum() for axis, mass in ((1, a), (0, b))
    )
    value = (plan * cost).sum() + epsilon * entropy(plan, a, b) + price
    near(spoiled("value", found.value), value, 1e-5 * (1 + penalty), "value")
    # The same plan without its entropy is no better than the optimum.
    require(found.lower <= value - epsilon * entropy(plan, a, b) + 1e-9, "the interval begins above a plan", found)


def draw_documents(rng, n_documents, dim):
    few = rng.normal(size=(5, dim))
    documents = []
    for _ in range(n_documents):
        n = rng.integers(1, 9)
        kind = rng.integers(3)
        tokens = rng.normal(size=(n, dim)) if kind == 0 else few[rng.integers(5, size=n)]
        documents.append((tokens + (1e-4 * rng.normal(size=(n, dim)) if kind == 2 else 0)).astype(np.float32))
    return documents


def check_documents(rng):
    """Distances from vectors, and a search, against POT and HiGHS over costs in float64."""
    dim = int(rng.choice([1, 3, 16, 40]))
    documents = draw_documents(rng, 25, dim)
    measure = mr.Measure(
        str(rng.choice(["cosine", "euclidean", "sqeuclidean", "dot"])),
        str(rng.choice(["uniform", "norm"])),
        capacity=float(rng.choice([1.0, 1.0, 2.5, np.inf])),
    )
    yield f"documents, {measure.ground}", f"{measure}, dimension {dim}"
    query, documents = documents[0], documents[1:]
    found = mr.distances(query, mr.Sequences(documents), measure)
    truth = np.array([reference.distance(measure, query, document) for document in documents])
    longest = max(float(np.linalg.norm(tokens, axis=1).max()) for tokens in [query, *documents])
    size = {"cosine": 1.0, "euclidean": longest}.get(measure.ground, longest**2)
    # Costs are rounded to float32; HiGHS is exact to its tolerance.
    tolerance = (4e-6 + (0 if measure.capacity in (1, np.inf) else 1e-6)) * size
    for s, (ours, theirs) in enumerate(zip(found, truth, strict=True)):
        near(spoiled("distance", ours), theirs, tolerance, f"document {s}")
    k = int(rng.integers(1, 8))
    hits = mr.Index.build(documents, measure).search(query, k)
    order = np.argsort(found, kind="stable")[:k]
    require(np.array_equal(hits.distances, found[order]), "a search finds", hits.distances, "not", found[order])
    require(hits.certificate.exact, "not proved", hits.certificate)


CHECKS = [check_highs, check_highs, check_pot, check_partial, check_sinkhorn, check_unbalanced, check_documents]

# ---- planted flaws ---------------------------------------------------------------------------------------------------

FLAWS = {"value": 1e-4, "distance": 1e-4, "interval": 2.0}
planted = None


def spoiled(flaw, value):
    """A result, off by a relative amount where that flaw is planted."""
    return value * (1 + FLAWS[flaw]) if flaw == planted else value


# ---- the soak --------------------------------------------------------------------------------------------------------


def check(seed):
    """Its sort, its description, and what was found, or None."""
    rng = np.random.default_rng(seed)
    steps = CHECKS[rng.integers(len(CHECKS))](rng)
    sort, description = next(steps)
    try:
        next(steps, None)
    except Disagreement as found:
        return sort, description, str(found)
    except Exception as error:
        return sort, description, repr(error)
    return sort, description, None


def save(path, state):
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(state))
    fresh.replace(path)


def soak(first, count, path, seconds_between_words=10.0):
    """Check seeds first to first + count; what was done so far, also where it is interrupted."""
    state = {"first": first, "count": count, "next": first, "seconds": 0.0, "sorts": {}, "found": []}
    if path is not None and path.exists():
        state = json.loads(path.read_text())
        if (state["first"], state["count"]) != (first, count):
            raise SystemExit(f"{path} is of seeds {state['first']} to {state['first'] + state['count'] - 1}")
    sorts = Counter(state["sorts"])
    before, started = state["seconds"], time.monotonic()
    said = started
    try:
        for seed in range(state["next"], first + count):
            sort, description, found = check(seed)
            sorts[sort] += 1
            if found is not None:
                state["found"].append(f"seed {seed} ({description}): {found}")
                print(state["found"][-1], file=sys.stderr, flush=True)
            state |= {"next": seed + 1, "sorts": dict(sorts), "seconds": before + time.monotonic() - started}
            if time.monotonic() - said > seconds_between_words:
                said = time.monotonic()
                print(f"{seed + 1 - first} of {count}, {len(state['found'])} found", flush=True)
                if path is not None:
                    save(path, state)
    except KeyboardInterrupt:
        print("stopped; the same command goes on" if path is not None else "stopped")
    if path is not None:
        save(path, state)
    return state


def main():
    global planted
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--state", type=Path, help="go on from there, and keep it up to date")
    parser.add_argument("--plant", choices=sorted(FLAWS), help="spoil results: this has to be found")
    options = parser.parse_args()
    planted = options.plant
    warnings.filterwarnings("ignore", module="ot")  # POT warns where it has not converged
    if options.seed is not None:
        sort, description, found = check(options.seed)
        print(f"seed {options.seed}: {sort}: {description}: {found or 'agrees'}")
        return int(found is not None)
    state = soak(options.first, options.count, options.state)
    for sort, problems in sorted(state["sorts"].items()):
        print(f"{problems:9}  {sort}")
    done = state["next"] - state["first"]
    print(f"seeds {state['first']} to {state['next'] - 1}: {len(state['found'])} found; {state['seconds']:.0f} s")
    return int(bool(state["found"]) or done < state["count"])


if __name__ == "__main__":
    sys.exit(main())
