"""Mean, and effects of rows and columns: what a table has before any matrix of low rank.

y ≈ μ + a_i + b_j with a ~ 𝒩(0, τ_a²), b ~ 𝒩(0, τ_b²) and noise σ²/w²; the variances are learned by
expectation and maximisation (Dempster, Laird, Rubin 1977), the two sides in turn, so that a line of
few entries stays near the mean as far as the others say.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from liftless.losses import EFFICIENT, QUARTILE
from liftless.tables.table import Table

#: Most rounds, and the change of a variance, relative, that ends them.
ROUNDS, SETTLED = 40, 1e-3
#: Fits of effects with entries weighted anew by the misfit of the last.
ROBUST = 6


@dataclass(frozen=True)
class Effects:
    """Additive part of a table.

    Attributes
    ----------
    mean : float
    of_rows, of_cols : arrays of shapes (n1,) and (n2,)
        Both the same where the table is symmetric.
    spread_rows, spread_cols : arrays of the same shapes
        Posterior variances.
    prior : tuple of float
        τ_a² and τ_b².
    """

    mean: float
    of_rows: Float[np.ndarray, " n1"]
    of_cols: Float[np.ndarray, " n2"]
    spread_rows: Float[np.ndarray, " n1"]
    spread_cols: Float[np.ndarray, " n2"]
    prior: tuple[float, float]

    def at(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """μ + a_i + b_j; a position of −1 is a line without an effect."""
        a = np.where(i < 0, 0.0, self.of_rows[i])
        return self.mean + a + np.where(j < 0, 0.0, self.of_cols[j])

    def variance(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Variance of that, of both effects apart."""
        a = np.where(i < 0, self.prior[0], self.spread_rows[i])
        return a + np.where(j < 0, self.prior[1], self.spread_cols[j])


def no_effects(table: Table) -> Effects:
    """Nothing but the matrix."""
    n1, n2 = table.shape
    zeros = np.zeros(n1), np.zeros(n2)
    return Effects(0.0, *zeros, *zeros, (0.0, 0.0))


def effects(table: Table, y: Float[np.ndarray, " m"]) -> Effects:
    """Fit effects to values at the table's positions."""
    n1, n2 = table.shape
    precision = table.weights**2 / np.mean(table.weights**2)
    ends = [(table.i, n1), (table.j, n2)]
    if table.symmetric:
        # One effect a line: an entry off the diagonal is one of both.
        both = np.r_[table.i, table.j], n1
        ends = [both]
    twice = np.r_[precision, precision]
    mean = float(np.average(y, weights=precision))
    sides = [np.zeros(n) for _, n in ends]
    spreads = [np.zeros(n) for _, n in ends]
    total = float(np.average((y - mean) ** 2, weights=precision))
    if total <= (1e-15 * mean) ** 2:
        # All values are one: the mean is all there is.
        flat = np.zeros(n1), np.zeros(n2)
        return Effects(mean, *flat, *flat, (0.0, 0.0))
    priors, noise = [total / 4] * len(ends), total / 2
    for _ in range(ROUNDS):
        before = [*priors, noise]
        for k, (line, n) in enumerate(ends):
            weight = twice if table.symmetric else precision
            left = y - mean - _sum(sides, table, without=k)
            left = np.r_[left, left] if table.symmetric else left
            if table.symmetric:
                left = left - np.r_[sides[0][table.j], sides[0][table.i]]
            data = np.bincount(line, weight, n) / noise
            spreads[k] = 1 / (1 / max(priors[k], 1e-300) + data)
            fresh = spreads[k] * np.bincount(line, weight * left, n) / noise
            # All lines of a symmetric table move at once: by half, or they swing about the mean.
            sides[k] = (sides[k] + fresh) / 2 if table.symmetric else fresh
            seen = data > 0
            priors[k] = float(np.mean(sides[k][seen] ** 2 + spreads[k][seen]))
        mean += float(np.average(y - mean - _sum(sides, table), weights=precision))
        left = y - mean - _sum(sides, table)
        extra = _spread(spreads, table)
        noise = max(float(np.average(left**2 + extra, weights=precision)), 1e-12 * total + 1e-300)
        if np.allclose(before, [*priors, noise], rtol=SETTLED, atol=0):
            break
    return Effects(
        mean, sides[0], sides[-1], spreads[0], spreads[-1], (float(priors[0]), float(priors[-1]))
    )


def robust_effects(table: Table) -> Effects:
    """Fit effects to a table with gross errors, by Huber's weights.

    Iteratively reweighted (Huber 1964; Holland and Welsch 1977): an entry whose misfit is z times
    the scale, which is read off the median of the absolute misfits, has the weight min(1, 1.345/z).
    """
    off = np.abs(table.y - np.median(table.y))
    found = no_effects(table)
    for _ in range(ROBUST):
        z = table.weights * off
        size = float(np.median(z)) / QUARTILE
        if size == 0:
            size = float(np.mean(z)) or 1.0
        share = np.minimum(1.0, EFFICIENT * size / np.maximum(z, 1e-300))
        part = replace(table, weights=table.weights * np.sqrt(share))
        found = effects(part, table.y)
        off = np.abs(table.y - found.at(table.i, table.j))
    return found


def _sum(sides: list[np.ndarray], table: Table, without: int | None = None) -> np.ndarray:
    """Sum of the effects at the entries, of one side left out."""
    if table.symmetric:
        return np.zeros(table.y.size) if without == 0 else sides[0][table.i] + sides[0][table.j]
    pairs = enumerate(zip(sides, (table.i, table.j), strict=True))
    parts = [side[line] for k, (side, line) in pairs if k != without]
    return np.sum(parts, axis=0)


def _spread(spreads: list[np.ndarray], table: Table) -> np.ndarray:
    return spreads[0][table.i] + spreads[-1][table.j]
