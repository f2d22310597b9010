"""Whether chains have forgotten where they began, and how many independent sentences they are worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def split_r_hat(values: NDArray[np.float64]) -> float:
    """Gelman and Rubin's statistic over the halves of several chains.

    It compares the spread of all halves with that within them: 1 if they cannot be told apart, more if they are at
    different places. Usual limits are 1.1 and 1.01.

    Parameters
    ----------
    values : ndarray of float64, shape (steps, chains)
        Something measured along each chain.

    References
    ----------
    .. [1] Gelman, Rubin, "Inference from Iterative Simulation Using Multiple Sequences", 1992.
    .. [2] Vehtari, Gelman, Simpson, Carpenter, Bürkner, "Rank-normalization, folding, and localization: An improved
       R-hat for assessing convergence of MCMC", Bayesian Analysis 16(2), 2021.
    """
    halves = _halves(values)
    within, total = _variances(halves)
    if within == 0:
        return 1.0 if total == 0 else float("inf")
    return float(np.sqrt(total / within))


def effective_sample_size(values: NDArray[np.float64]) -> float:
    """How many independent draws have a mean as precise as that of these chains.

    The autocorrelation at each lag combines all chains, so that chains at different places count as correlated; the sum
    ends where Geyer's sums of two neighbours are no longer positive, and these sums may not grow.

    Parameters
    ----------
    values : ndarray of float64, shape (steps, chains)
        Something measured along each chain.

    References
    ----------
    .. [1] Geyer, "Practical Markov Chain Monte Carlo", 1992.
    .. [2] Vehtari and others, as in `split_r_hat`.
    """
    halves = _halves(values)
    n, chains = halves.shape
    within, total = _variances(halves)
    if total == 0:
        return float(n * chains)
    covariance = _autocovariances(halves).mean(axis=1)
    correlation = 1.0 - (within - covariance * n / (n - 1)) / total
    correlation[0] = 1.0
    pairs = correlation[: n - n % 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    pairs = np.minimum.accumulate(pairs[: ends[0]] if len(ends) else pairs)
    time = max(-1.0 + 2.0 * float(pairs.sum()), 1.0 / np.log10(n * chains))
    return float(n * chains / time)


def told(name: str, values: NDArray[np.float64]) -> str:
    """Both in words."""
    hat, size = split_r_hat(values), effective_sample_size(values)
    return f"{name}: R-hat {hat:.2f}, effective sample size {size:.0f} of {values.size}"


def _halves(values: NDArray[np.float64]) -> NDArray[np.float64]:
    half = len(values) // 2
    if half < 4:
        raise ValueError(f"values: expected at least 8 steps, got {len(values)}")
    return np.hstack([values[:half], values[-half:]])


def _variances(chains: NDArray[np.float64]) -> tuple[float, float]:
    """Mean variance within chains, and an estimate of the variance of all that chains would visit."""
    n = len(chains)
    within = float(chains.var(axis=0, ddof=1).mean())
    return within, within * (n - 1) / n + float(chains.mean(axis=0).var(ddof=1))


def _autocovariances(chains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocovariance of each chain at each lag, shape (n, chains), by FFT."""
    n = len(chains)
    centred = chains - chains.mean(axis=0)
    spectrum = np.fft.rfft(centred, 2 * n, axis=0)
    found: NDArray[np.float64] = np.fft.irfft(spectrum * spectrum.conj(), axis=0)[:n] / n
    return found
