"""The distance of two sequences, and the plan that gives it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from moverank import _core
from moverank.alignment.alignment import Alignment
from moverank.alignment.given import align_given
from moverank.alignment.sampling import Noise, sampled
from moverank.measures.measure import Measure, naming, require_same_dim, require_vectors
from moverank.measures.origin import about_one_origin
from moverank.measures.precision import tell_if_lost
from moverank.vectors.sequences import One, as_query


def align(
    x: One,
    y: One,
    measure: str | Measure | None = None,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    costs: ArrayLike | None = None,
    samples: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
) -> Alignment:
    """Compute the distance of two sequences, and the plan that gives it; on request also how sure its moves are.

    Parameters
    ----------
    x, y : array_like, shape (n, d) and (m, d), or Sequence
        Tokens of the query and of the document, as a measure takes them.
    measure : str or Measure, optional
        What to compute; by default "wrd", or "emd" where costs are given. Under a relaxed problem the plan sends each
        token of the side that gives the bound entirely to its nearest token on the other.
    a, b : array_like, shape (n,) and (m,), optional
        Mass of the tokens, in weights that `x` and `y` carry.
    costs : array_like, shape (K, L), optional
        Cost of moving from each bin of `x` to each bin of `y`, instead of vectors. `x` and `y` are then
        histograms, of shapes (K,) and (L,); the plan is over the bins that hold something, which are its tokens, by
        number or by the names that pandas has for them. (`moverank.transport` gives the plan over all bins.)
    samples : int, optional
        Also solve this many copies of the problem with random noise on the costs, in one batch on all cores, and sum
        their plans up in `Alignment.uncertainty`: which moves are made whatever the noise, and which have a rival that
        costs about the same. Value and plan of the alignment are those without noise.
    temperature : float, default 0.1
        Scale of the noise of the samples in units of the median cost; 0 adds none.
    seed : int, default 0
        What the noise is drawn from: equal seeds give equal samples.

    Returns
    -------
    Alignment
        The contributions of its moves add up to the distance.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it.

    Warns
    -----
    PrecisionWarning
        If tokens came in float64 and the distance is not much larger than the digits that float32 lost.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> print(align(x, x[::-1], "wmd").named(["moon", "sun"], ["sun", "moon"]))
    query token     document token  mass %     cost  contribution
    moon         -> moon             50.00   0.0000       0.00000
    sun          -> sun              50.00   0.0000       0.00000
    distance                        100.00                0.00000
    """
    noise = Noise.of(samples, temperature, seed)
    if costs is not None:
        if a is not None or b is not None:
            raise ValueError("a, b: histograms contain their mass; give only x and y")
        return align_given(x, y, costs, measure, noise)
    chosen = Measure.of("wrd" if measure is None else measure)
    require_vectors(chosen)
    query = as_query(x, a, "x", "a", chosen.weighting)
    document = as_query(y, b, "y", "b", chosen.weighting)
    require_same_dim(query.dim, document.dim, "x", "y")
    query, document = about_one_origin(chosen, query, document)
    with naming("x", "y", batch=False):
        solution = _core.align(query.tokens, query.weights, document.tokens, document.weights, chosen._spec)
    tell_if_lost(np.array([solution.value]), chosen, query, document)
    cost = solution.cost.astype(np.float32, copy=False)
    return sampled(Alignment(solution.value, solution.plan, cost, solution.a, solution.b), chosen, noise)
