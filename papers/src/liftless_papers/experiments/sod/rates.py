"""Success rates with their intervals."""

import math
from typing import Any

#: Quantile of the normal law for intervals of 95 %.
Z95 = 1.959963984540054


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a success probability (Wilson 1927); (0, 1) without trials.

    Parameters
    ----------
    successes, trials : int
        0 <= successes <= trials.

    Returns
    -------
    tuple of float
        Ends of the interval; they contain the rate, also at 0 and at 1.
    """
    if trials == 0:
        return 0.0, 1.0
    rate, square = successes / trials, Z95 * Z95
    middle = (rate + square / (2 * trials)) / (1 + square / trials)
    spread = rate * (1 - rate) / trials + square / (4 * trials * trials)
    half = Z95 / (1 + square / trials) * math.sqrt(spread)
    # Round-off must not put the rate outside its own interval.
    return max(0.0, min(middle - half, rate)), min(1.0, max(middle + half, rate))


def rate_columns(successes: int, trials: int) -> dict[str, Any]:
    """Return a rate as columns of a row: count, trials, rate (NaN without trials), low, high."""
    low, high = wilson(successes, trials)
    rate = successes / trials if trials else math.nan
    return {"count": successes, "trials": trials, "rate": rate, "low": low, "high": high}
