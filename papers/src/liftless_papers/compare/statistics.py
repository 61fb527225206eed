"""Rates, means and ratios with their intervals, and performance profiles; NumPy alone."""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int

#: Coverage of every interval.
LEVEL = 0.95
#: Resamples of a bootstrap.
RESAMPLES = 2000

Values = Float[np.ndarray, " k"]
Interval = tuple[float, float]


def wilson(successes: int, trials: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval for a rate.

    Parameters
    ----------
    successes, trials : int
        0 <= successes <= trials; without a trial the interval is (0, 1).
    level : float
        Coverage, in (0, 1).

    Returns
    -------
    low, high : float

    Notes
    -----
    Wilson (1927), the interval of the rates p with |p̂ − p| <= z √(p(1 − p)/N); no continuity
    correction.
    """
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate, square = successes / trials, z * z / trials
    centre = (rate + square / 2) / (1 + square)
    spread = math.sqrt(square * (rate * (1 - rate) + square / 4)) / (1 + square)
    # At the ends the bound is exact in exact arithmetic.
    low = 0.0 if successes == 0 else max(0.0, centre - spread)
    high = 1.0 if successes == trials else min(1.0, centre + spread)
    return low, high


def difference(first: tuple[int, int], second: tuple[int, int], level: float = LEVEL) -> Interval:
    """Interval for the difference of two rates, first less second.

    Parameters
    ----------
    first, second : (successes, trials)
    level : float

    Returns
    -------
    low, high : float

    Notes
    -----
    Newcombe (1998), method 10: the two Wilson intervals combined.  For two samples that share
    their instances it is the wider, hence the cautious one, when their outcomes go together.
    """
    (one, n), (two, k) = first, second
    if n == 0 or k == 0:
        return -1.0, 1.0
    p, q = one / n, two / k
    (low_p, high_p), (low_q, high_q) = wilson(one, n, level), wilson(two, k, level)
    low = p - q - math.hypot(p - low_p, high_q - q)
    return low, p - q + math.hypot(high_p - p, q - low_q)


def bootstrap(
    statistic: Callable[..., Values],
    *samples: Values,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """Percentile bootstrap interval of a statistic of one sample or of several paired ones.

    Parameters
    ----------
    statistic : callable
        Maps arrays of shape (resamples, k), one a sample, to one of shape (resamples,).
    *samples : arrays of shape (k,)
        Paired: one draw of indices serves all of them.
    seed : int
        Of the draws.
    level : float
    resamples : int

    Returns
    -------
    low, high : float
        NaN for empty samples.

    Notes
    -----
    Efron and Tibshirani (1993), section 13.3.
    """
    count = samples[0].size
    if count == 0:
        return math.nan, math.nan
    drawn = np.random.default_rng(seed).integers(0, count, (resamples, count))
    found = statistic(*(sample[drawn] for sample in samples))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_interval(values: Values, seed: int = 0, level: float = LEVEL) -> Interval:
    """Bootstrap interval of the mean."""
    return bootstrap(lambda x: np.mean(x, axis=1), values, seed=seed, level=level)


def ratio_interval(
    first: Values, second: Values, seed: int = 0, level: float = LEVEL
) -> tuple[float, float, float]:
    """Ratio of the means of two paired samples, with its bootstrap interval.

    Parameters
    ----------
    first, second : arrays of shape (k,)
        One entry a trial, the same trials in the same order; positive.
    seed : int
    level : float

    Returns
    -------
    ratio, low, high : float
        mean(first)/mean(second); NaN for empty samples, and where a sum of the second is zero.
    """
    if first.size == 0:
        return math.nan, math.nan, math.nan

    def ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        above, below = np.sum(x, axis=-1), np.sum(y, axis=-1)
        return np.where(below != 0, above / np.where(below != 0, below, 1.0), math.nan)

    low, high = bootstrap(ratio, first, second, seed=seed, level=level)
    return float(ratio(first, second)), low, high


def profile(costs: Float[np.ndarray, "s p"]) -> tuple[Values, Float[np.ndarray, "s k"]]:
    """Performance profiles of Dolan and Moré.

    Parameters
    ----------
    costs : array of shape (s, p)
        Positive cost of s solvers on p problems; infinite or NaN where one has failed.

    Returns
    -------
    tau : array of shape (k,)
        Every ratio to the best at which some profile rises, from 1 upwards.
    shares : array of shape (s, k)
        ρ_s(τ): the share of all problems that solver s solves at a cost of at most τ times the
        least.  A problem that no solver solves counts as unsolved by all.

    Notes
    -----
    Dolan and Moré (2002), eq. (2.1).
    """
    costs = np.where(np.isfinite(costs), costs, np.inf)
    if costs.shape[1] == 0:
        return np.ones(1), np.zeros((costs.shape[0], 1))
    best = np.min(costs, axis=0)
    solved = np.isfinite(best)
    ratios = np.full_like(costs, np.inf)
    ratios[:, solved] = costs[:, solved] / best[solved]
    tau = np.unique(np.append(ratios[np.isfinite(ratios)], 1.0))
    ordered = np.sort(ratios, axis=1)
    below = np.stack([np.searchsorted(row, tau, side="right") for row in ordered])
    return tau, below / costs.shape[1]


def thinned(tau: Values, most: int) -> Int[np.ndarray, " i"]:
    """Indices of at most ``most`` breakpoints, even in the logarithm, first and last among them."""
    if tau.size <= most:
        return np.arange(tau.size)
    wanted = np.geomspace(tau[0], tau[-1], most)
    kept = np.unique(np.searchsorted(tau, wanted * (1 + 1e-12), side="right") - 1)
    return np.unique(np.r_[0, np.clip(kept, 0, tau.size - 1), tau.size - 1])
