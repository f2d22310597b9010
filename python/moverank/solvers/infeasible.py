"""The error for problems whose forbidden entries leave no plan."""

from __future__ import annotations

from typing import Any, NoReturn

from numpy.typing import NDArray

from moverank import _core
from moverank.errors import InfeasibleError


def refuse_infeasible(
    matrix: NDArray[Any],
    masses: tuple[NDArray[Any] | None, NDArray[Any] | None],
    limits: tuple[float, float],
    swapped: bool,
    name: str,
) -> NoReturn:
    """Solve once more, to find out what is stuck."""
    raise InfeasibleError(why_infeasible(_core.transport(matrix, *masses, *limits), swapped, name))


def why_infeasible(
    solution: _core.TransportSolution | _core.SparseSolution,
    swapped: bool,
    name: str,
    kinds: tuple[str, str] = ("sources", "targets"),
    numbers: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> str:
    """How much is stuck, and where; `numbers` are those of rows and columns if these do not count from 0."""
    said = f"{name}: forbids every plan: a share of {solution.unmoved:.6g} of the mass cannot move where cost is finite"
    sources, targets = solution.stuck_sources, solution.reached_targets
    if not sources:
        return said
    if numbers is not None:
        sources, targets = [int(numbers[0][s]) for s in sources], [int(numbers[1][t]) for t in targets]
    stuck, reached = kinds[::-1] if swapped else kinds
    few = f"and may only reach {reached} {_shortened(targets)}" if targets else f"and may reach no {reached[:-1]}"
    return f"{said}; {stuck} {_shortened(sources)} have more than that {few}"


def _shortened(places: list[int]) -> str:
    shown = ", ".join(map(str, places[:10]))
    return f"[{shown}, ... {len(places)} in all]" if len(places) > 10 else f"[{shown}]"
