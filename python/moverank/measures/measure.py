"""A measure: ground cost, weighting, capacity and problem, as one value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from moverank import _core
from moverank._support.validate import capacity_number, fraction_number, one_of
from moverank.errors import DimensionError
from moverank.measures.origin import about_one_origin
from moverank.measures.precision import tell_if_lost
from moverank.solvers.sinkhorn import Sinkhorn, require_compatible
from moverank.vectors.sequences import One, Sequences, as_query
from moverank.vectors.weighting import WEIGHTINGS

Number = TypeVar("Number", float, np.ndarray[Any, np.dtype[np.float64]])

#: Facts about each ground cost, by name.
GROUNDS = {cost.name: cost for cost in _core.ground_costs()}
PROBLEMS = ("exact", "relaxed", "sinkhorn")


@dataclass(frozen=True)
class Measure:
    """A distance between sequences of vectors, defined by optimal transport.

    With cost matrix ``C[i, j] = c(x_i, y_j)``, query mass `a`, document mass `b` and capacity κ::

        T(a, b, C) = min <C, P>   subject to   P 1 = a,   P^T 1 <= κ b,   P >= 0

    with equality at κ = 1, which is balanced transport. Values fall as κ grows; at κ = ∞ each query token goes entirely
    to its cheapest document token. Measures are values (equal ones compare equal) and can be called.

    Parameters
    ----------
    ground : {"cosine", "euclidean", "sqeuclidean", "dot", "given"}
        Ground cost between tokens: 1 − cos, ``|x − y|``, ``|x − y|²``, or −⟨x, y⟩; or "given": a table of costs between
        bins is passed as ``costs=`` to every call, and histograms over these bins are compared.
    weighting : {"uniform", "norm", "given"}
        How a sequence without weights gets its mass: equal for all tokens, in proportion to ``|x|``, or not at
        all. Weights that come with a sequence always take precedence. Mass is normalised to total 1 in float64.
    capacity : float, default 1.0
        κ ≥ 1: document token j takes at most κ b_j. 1 explains the whole document (sentence pairs); 4 to 8 suits a
        short query against a long document; ``inf`` leaves the document free.
    problem : {"exact", "relaxed", "sinkhorn"} or Sinkhorn, default "exact"
        The optimum itself; its one-sided relaxation, a much cheaper lower bound (RWMD); or the optimum with an
        entropy term. ``"sinkhorn"`` stands for ``Sinkhorn()``.
    fraction : float, default 1.0
        Share of the query's mass that has to move, in (0, 1]: partial transport. The distance is the cost of that part.

    Raises
    ------
    TypeError, ValueError
        If a field has the wrong type or an unknown value; the known ones are listed.

    References
    ----------
    .. [1] Kusner, Sun, Kolkin, Weinberger, "From Word Embeddings To Document Distances", ICML 2015 (WMD, RWMD).
    .. [2] Yokoi, Takahashi, Akama, Suzuki, Inui, "Word Rotator's Distance", EMNLP 2020 (WRD).
    .. [3] Khattab, Zaharia, "ColBERT", SIGIR 2020 (MaxSim).

    Examples
    --------
    >>> import numpy as np
    >>> wrd = Measure(ground="cosine", weighting="norm")
    >>> x, y = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    >>> round(wrd(x, y), 6)
    0.333333
    >>> wrd.replace(capacity=4)
    Measure(ground='cosine', weighting='norm', capacity=4.0, problem='exact', fraction=1.0)
    """

    ground: str = "cosine"
    weighting: str = "norm"
    capacity: float = 1.0
    problem: str | Sinkhorn = "exact"
    fraction: float = 1.0

    def __post_init__(self) -> None:
        try:
            ground = one_of(self.ground, "ground", GROUNDS)
        except ValueError as error:
            raise ValueError(f"{error}; for other costs use ground 'given', and costs= with each call") from None
        weighting = one_of(self.weighting, "weighting", WEIGHTINGS)
        problem: Any = self.problem
        if not isinstance(problem, Sinkhorn):
            problem = one_of(problem, "problem", PROBLEMS, "a Sinkhorn")
            problem = Sinkhorn() if problem == "sinkhorn" else problem
        checked = {"ground": ground, "weighting": weighting, "problem": problem}
        checked |= {"capacity": capacity_number(self.capacity), "fraction": fraction_number(self.fraction)}
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        sinkhorn = self._sinkhorn
        require_compatible(sinkhorn, self.capacity, self.fraction)
        if self._cost.is_given and self._mass.needs_vectors:
            # The weighting may be the default, which the user has not written.
            raise ValueError(
                f"ground: 'given' has no vectors, which weighting {weighting!r} needs; use weighting='uniform' with it"
            )
        if self._cost.is_given and sinkhorn.debiased:
            raise ValueError("problem: a debiased one needs costs within each side, which ground 'given' does not have")
        # Made here, so that whatever the core refuses is refused now.
        self._spec  # noqa: B018

    def __call__(
        self,
        x: One,
        y: One,
        a: ArrayLike | None = None,
        b: ArrayLike | None = None,
        *,
        capacity: float | None = None,
        costs: ArrayLike | None = None,
    ) -> float:
        """Distance of two sequences, in units of the ground cost.

        Parameters
        ----------
        x, y : array_like, shape (n, d) and (m, d), or Sequence
            Tokens of the query and of the document, with their weights if it is a `Sequence`, a `Bag`, an encoded text,
            or a batch that has one of these; converted to float32, under Euclidean and squared Euclidean costs
            about an origin amid them where they lie far from 0.
        a, b : array_like, shape (n,) and (m,), optional
            Their mass, in any unit: each is normalised to total 1 in float64, so totals need not agree. It replaces
            weights that `x` and `y` carry.
        capacity : float, optional
            Use this capacity instead of the measure's own.
        costs : array_like, shape (K, L), optional
            Under ground "given" only: cost of moving from each bin of `x` to each bin of `y`. `x` and `y`
            are then histograms, of shapes (K,) and (L,), and need no `a` and `b`.

        Returns
        -------
        float
            Smaller is nearer.

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed; the message names it.

        Warns
        -----
        PrecisionWarning
            If tokens came in float64 and the distance is not much larger than the digits that float32 lost.
        """
        measure = self if capacity is None else self.replace(capacity=capacity)
        if costs is not None:
            from moverank.measures.given import distance_given

            if a is not None or b is not None:
                raise ValueError("a, b: histograms contain their mass; give only x and y")
            return distance_given(x, y, costs, measure)
        require_vectors(measure)
        query = as_query(x, a, "x", "a", measure.weighting)
        document = as_query(y, b, "y", "b", measure.weighting)
        require_same_dim(query.dim, document.dim, "x", "y")
        query, document = about_one_origin(measure, query, document)
        with naming("x", "y", batch=False):
            values = _core.distances(
                query.tokens,
                query.weights,
                document._stored.in_core(),
                document.offsets,
                document.weights,
                measure._spec,
                1,
            )
        tell_if_lost(values, measure, query, document)
        return float(values[0])

    @classmethod
    def of(cls, name: str | Measure) -> Measure:
        """Look a measure up by name; a `Measure` is returned as it is.

        Parameters
        ----------
        name : str or Measure
            "wmd", "wrd", "maxsim", "rwmd", or "emd" where costs are given.

        Returns
        -------
        Measure

        Raises
        ------
        TypeError
            If `name` is neither a string nor a `Measure`.
        ValueError
            If no measure has that name; the message lists those that exist.

        Examples
        --------
        >>> Measure.of("wmd")
        Measure(ground='euclidean', weighting='uniform', capacity=1.0, problem='exact', fraction=1.0)
        """
        if isinstance(name, Measure):
            return name
        if not isinstance(name, str):
            raise TypeError(f"measure must be a name or a Measure, got {name!r}")
        if name not in NAMED:
            of_vectors = ", ".join(repr(known) for known, named in NAMED.items() if not named._cost.is_given)
            raise ValueError(f"unknown measure {name!r}; known are {of_vectors}, and 'emd' where costs= are given")
        return NAMED[name]

    def replace(self, **changes: Any) -> Measure:
        """Copy of the measure with some fields changed."""
        return dataclass_replace(self, **changes)

    @property
    def is_symmetric(self) -> bool:
        """Whether x to y is as far as y to x: if there is no capacity, which gives the sides different roles."""
        return self.capacity == 1.0

    @property
    def is_zero_between_equals(self) -> bool:
        """Whether every sequence is at distance 0 from itself: if tokens are, and the value contains no entropy."""
        no_entropy = not isinstance(self.problem, Sinkhorn) or self.problem.debiased
        return self._cost.is_zero_between_equals and no_entropy

    @property
    def name(self) -> str:
        """Short name where there is one, such as ``wrd`` or ``wrd(capacity=4)``."""
        for name, known in NAMED.items():
            if self == known:
                return name
        for name, known in NAMED.items():
            if known.replace(capacity=self.capacity) == self:
                return f"{name}(capacity={self.capacity:g})"
        return repr(self)

    @property
    def similarity_formula(self) -> str:
        """How `similarity` follows from a distance, in words, such as ``1 - distance``."""
        if self._cost.needs_directions:
            return "1 - distance"
        return "-distance" if self._is_unbounded else "1 / (1 + distance)"

    @property
    def least_similarity(self) -> float:
        """The lowest possible similarity: −1, 0, or −inf if a distance may be any number."""
        return -1.0 if self._cost.needs_directions else -math.inf if self._is_unbounded else 0.0

    @property
    def _is_unbounded(self) -> bool:
        """Whether costs may be any numbers, so that only their order says how near two sequences are."""
        return self._cost.may_be_negative or self._cost.is_given

    def similarity(self, distance: Number) -> Number:
        """Similarity for a distance of this measure: larger is nearer.

        Parameters
        ----------
        distance : float or ndarray of float

        Returns
        -------
        float or ndarray
            1 − d under the cosine ground cost (in [−1, 1]); −d under dot (for `maxsim` the mean over query tokens of
            the largest inner product) and given costs; 1 / (1 + d) under euclidean and sqeuclidean (in (0, 1]).
        """
        if self._cost.needs_directions:
            return 1.0 - distance
        if self._is_unbounded:
            return -distance
        return 1.0 / (1.0 + distance)

    @property
    def _cost(self) -> _core.GroundTraits:
        """Facts about the ground cost."""
        return GROUNDS[self.ground]

    @property
    def _mass(self) -> _core.WeightingTraits:
        """Facts about the weighting."""
        return WEIGHTINGS[self.weighting]

    @property
    def _sinkhorn(self) -> Sinkhorn:
        """The entropic problem; the default one, which the core ignores, if the problem is another."""
        return self.problem if isinstance(self.problem, Sinkhorn) else Sinkhorn()

    @cached_property
    def _spec(self) -> _core.Measure:
        """The same measure as the core knows it."""
        problem = "entropic" if isinstance(self.problem, Sinkhorn) else self.problem
        sinkhorn = self._sinkhorn._spec
        return _core.Measure(self.ground, self.weighting, self.capacity, self.fraction, problem, sinkhorn)

    def __getstate__(self) -> dict[str, Any]:
        # Without the core's object, which cannot be pickled and is made again at the first access.
        return {name: value for name, value in vars(self).items() if name != "_spec"}


wmd = Measure("euclidean", "uniform")
"""Word Mover's Distance: Euclidean cost, equal mass, balanced (Kusner et al., ICML 2015)."""

wrd = Measure("cosine", "norm")
"""Word Rotator's Distance: 1 − cos, mass by vector norm, balanced (Yokoi et al., EMNLP 2020)."""

maxsim = Measure("dot", "uniform", capacity=math.inf)
"""MaxSim as a distance: −(mean over query tokens of the best inner product) (Khattab, Zaharia, SIGIR 2020)."""

rwmd = Measure("euclidean", "uniform", problem="relaxed")
"""Relaxed Word Mover's Distance: the larger one-sided bound on `wmd` (Kusner et al., ICML 2015)."""

emd = Measure("given", "uniform")
"""Earth Mover's Distance between histograms, with given costs between their bins: ``pairwise(p, costs=S)``."""

NAMED = {"wmd": wmd, "wrd": wrd, "maxsim": maxsim, "rwmd": rwmd, "emd": emd}


def require_vectors(measure: Measure) -> None:
    """Refuse a measure of histograms where vectors were given."""
    if measure._cost.is_given:
        raise ValueError(
            f"measure: {measure.name} moves mass between bins whose costs are given; pass costs= and histograms"
        )


def require_same_dim(left: int, right: int, left_name: str, right_name: str) -> None:
    """Raise DimensionError unless both sides have the same dimension."""
    if left != right:
        raise DimensionError(
            f"{left_name} has dimension {left} and {right_name} has dimension {right}; tokens must share one space"
        )


@contextmanager
def naming(
    query: str, documents: str, *, batch: bool = True, id_of: Callable[[int], object] | None = None
) -> Iterator[None]:
    """Turn the core's errors into a ValueError that names the argument, the sequence in it and its id."""
    try:
        yield
    except _core.SequenceError as error:
        fault, index = error.args
        if index < 0:
            where = query
        elif batch:
            where = f"{documents}: sequence {index}"
            if id_of is not None and id_of(index) != index:
                where += f" (id {id_of(index)!r})"
        else:
            where = documents
        raise ValueError(f"{where}: {fault}") from None


def prepare(sequences: Sequences, measure: Measure) -> _core.PreparedSequences:
    """Check a batch against a measure and compute its mass and norms once."""
    return _core.PreparedSequences(sequences._stored.in_core(), sequences.offsets, sequences.weights, measure._spec)
