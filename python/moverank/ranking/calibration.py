"""Probabilities from scores: how often hits with such a score were relevant, on judged pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.optional import optional
from moverank._support.validate import one_of, real_array

#: Kinds of curves from scores to probabilities.
METHODS = ("logistic", "isotonic")


@dataclass(frozen=True)
class Calibration:
    """A curve from scores to the probability that a text is relevant, fitted to judged pairs.

    It holds for scores made in the same way in the same collection: the share of texts that are relevant at a score
    depends on the queries and on what there is to find.

    Attributes
    ----------
    method : {"logistic", "isotonic"}
        P = 1 / (1 + exp(−(a · score + b))), or a rising curve of straight lines between points.
    scores, probabilities : tuple of float
        Of an isotonic curve its points, rising; of a logistic one a and b, in `scores`.

    References
    ----------
    .. [1] Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    .. [2] Zadrozny, Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates", KDD 2002.

    Examples
    --------
    >>> Calibration("logistic", (2.0, -1.0))([0.5, 3.0]).round(3).tolist()
    [0.5, 0.993]
    """

    method: Literal["logistic", "isotonic"]
    scores: tuple[float, ...]
    probabilities: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        one_of(self.method, "method", METHODS)
        points = real_array(self.scores, "scores", ndim=1, dtype=np.float64)
        heights = real_array(self.probabilities, "probabilities", ndim=1, dtype=np.float64)
        count = len(points) if self.method == "isotonic" else 0
        if len(heights) != count or not len(points) or (self.method == "logistic" and len(points) != 2):
            raise ValueError("scores: expected two numbers, a and b, or points with as many probabilities")
        if not (np.isfinite(points).all() and ((heights >= 0) & (heights <= 1)).all()):
            raise ValueError("probabilities: expected numbers from 0 to 1, and finite scores")
        if self.method == "isotonic" and ((np.diff(points) < 0).any() or (np.diff(heights) < 0).any()):
            raise ValueError("scores: expected rising points with rising probabilities")

    def __call__(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Probabilities for scores, shape (n,)."""
        given = real_array(scores, "scores", ndim=1, dtype=np.float64)
        if self.method == "isotonic":
            return np.asarray(np.interp(given, self.scores, self.probabilities))
        slope, offset = self.scores
        with np.errstate(over="ignore"):
            found: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(slope * given + offset)))
        return found

    @classmethod
    def fit(cls, scores: ArrayLike, relevant: ArrayLike, *, method: str = "logistic") -> Calibration:
        """Fit a curve, by scikit-learn (``pip install 'moverank[sklearn]'``).

        Parameters
        ----------
        scores : array_like, shape (n,)
            Scores of hits; larger ones are better.
        relevant : array_like of bool or of numbers, shape (n,)
            Whether each is relevant: above 0 means that it is.
        method : {"logistic", "isotonic"}, default "logistic"
            "isotonic" bends as it has to, and needs some thousand hits.

        Raises
        ------
        ImportError
            If scikit-learn is not installed.
        ValueError
            If all hits are relevant, or none is.
        """
        one_of(method, "method", METHODS)
        given = real_array(scores, "scores", ndim=1, dtype=np.float64)
        grades = real_array(relevant, "relevant", ndim=1, dtype=np.float64)
        if len(given) != len(grades):
            raise ValueError(f"relevant: expected {len(given)}, one per score, got {len(grades)}")
        if not np.isfinite(given).all():
            raise ValueError("scores: expected finite numbers")
        right = grades > 0
        if right.all() or not right.any():
            raise ValueError(f"relevant: expected some relevant and some other hits, got {right.sum()} of {len(right)}")
        if method == "isotonic":
            curve = optional("sklearn.isotonic", "sklearn").IsotonicRegression(y_min=0.0, y_max=1.0).fit(given, right)
            return cls("isotonic", tuple(curve.X_thresholds_.tolist()), tuple(curve.y_thresholds_.tolist()))
        model = optional("sklearn.linear_model", "sklearn").LogisticRegression(C=np.inf)
        model.fit(given[:, None], right)
        return cls("logistic", (float(model.coef_[0, 0]), float(model.intercept_[0])))

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON object."""
        return {"method": self.method, "scores": list(self.scores), "probabilities": list(self.probabilities)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """Read what `as_json` made; ValueError for anything else."""
        try:
            return cls(value["method"], tuple(value["scores"]), tuple(value["probabilities"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"value: is not a calibration: {error}") from None
