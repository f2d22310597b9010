"""Optimal transport over fractions: successive shortest paths, with no rounding anywhere. For small problems."""

from fractions import Fraction

import numpy as np


def exact_optimum(cost, a, b):
    """Optimum of masses divided by their totals; None where no plan exists.

    Also what is paid with costs' sizes, and how far the optimum moves, at the most and as a share, when each mass moves
    by a share of itself: masses times potentials, about their median.
    """
    prices = [[None if c == np.inf else Fraction(float(c)) for c in row] for row in cost]
    left, wanted = (_shares(side) for side in (a, b))
    masses = left + wanted
    n, m = len(left), len(wanted)
    flow = {}
    while any(left):
        distance = [Fraction(0) if mass else None for mass in left] + [None] * m
        before = [None] * (n + m)
        changed = True
        while changed:
            changed = False
            for i, j, price, back in _arcs(prices, flow, n):
                start, end = (n + j, i) if back else (i, n + j)
                if distance[start] is None:
                    continue
                through = distance[start] + price
                if distance[end] is None or through < distance[end]:
                    distance[end], before[end] = through, start
                    changed = True
        ends = [j for j in range(m) if wanted[j] and distance[n + j] is not None]
        if not ends:
            return None
        path = [n + min(ends, key=lambda j: distance[n + j])]
        end = path[0] - n
        while before[path[-1]] is not None:
            path.append(before[path[-1]])
        steps = list(zip(path[:0:-1], path[-2::-1], strict=True))
        pushed = min([left[path[-1]], wanted[end]] + [flow[v, u - n] for u, v in steps if u >= n])
        for u, v in steps:
            edge, sign = ((u, v - n), 1) if u < n else ((v, u - n), -1)
            flow[edge] = flow.get(edge, Fraction(0)) + sign * pushed
        left[path[-1]] -= pushed
        wanted[end] -= pushed
    paid = [(moved * prices[i][j]) for (i, j), moved in flow.items()]
    return sum(paid), sum(map(abs, paid)), _worth(masses, _potentials(prices, flow, n, m))


def _potentials(prices, flow, n, m):
    """Shortest ways to each node, from whichever node is best; of nodes with mass they are an optimum's potentials."""
    found = [Fraction(0)] * (n + m)
    changed = True
    while changed:
        changed = False
        for i, j, price, back in _arcs(prices, flow, n):
            start, end = (n + j, i) if back else (i, n + j)
            if found[start] + price < found[end]:
                found[end] = found[start] + price
                changed = True
    return found


def _worth(masses, potentials):
    """Of all potentials that differ by a constant, the least sum of masses times sizes."""
    half, passed = sum(masses) / 2, Fraction(0)
    for potential, mass in sorted(zip(potentials, masses, strict=True)):
        passed += mass
        if passed >= half:
            median = potential
            break
    return sum(mass * abs(potential - median) for mass, potential in zip(masses, potentials, strict=True))


def _shares(masses):
    exact = [Fraction(float(x)) for x in masses]
    return [x / sum(exact) for x in exact]


def _arcs(prices, flow, n):
    for i in range(n):
        for j, price in enumerate(prices[i]):
            if price is not None:
                yield i, j, price, False
    for (i, j), moved in list(flow.items()):
        if moved:
            yield i, j, -prices[i][j], True
