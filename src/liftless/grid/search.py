"""Fits of a grid's voltages: from a start, and from a start of two columns truncated to one."""

import math
from dataclasses import dataclass

import numpy as np

from liftless.descent.sparse_levenberg import sparse_levenberg
from liftless.grid.model import Model, Voltages
from liftless.space import Hermitian

# What these do is measured by benchmarks/grid_choices.py (seeds from 6000, normal and uniform
# starts, case57 to case300): all draws are found with any of the values that are named, and no
# wrong state is called a success.

#: Steps of a fit of one column, of which 30 and 120 do the same, and of two: from uniform angles on
#: case300 10, 20, 40 and 80 take 2.1, .65, .85 and 1.2 seconds in all.
STEPS, WIDE = 60, 40
#: Random second columns that are tried from a start, and random angles after that: any split of
#: twelve does the same, and so do three and three.
KICKS, RESTARTS = 6, 6
#: Sizes of the second column: .25, .5, 1 and 2 alone differ by a fifth in seconds.
SIZES = (0.5, 1.0)
#: Relative gain below which a fit of two columns is at its end: it is a start of the next.  1e-3 to
#: 1e-7 take the same steps.
COARSE = 1e-5
#: Deviation of the random angles, radians: .1 to 3 do the same, since few draws come to them.
SPREAD = 0.5
#: χ² a reading at which a fit is exact.
ROUND_OFF = 1e-16
#: Difference of two states that are one, per unit (1e-6 to 1e-2 do the same); and ends at the best
#: one after which it is taken for the best, whatever its χ²: with a gross error none has a small
#: one.  2, 3, 4 and 6 take .55, .71, .81 and 1.6 seconds on case118; the third is caution.
SAME, AGREE = 1e-4, 3


@dataclass(frozen=True)
class Solution:
    """End of a fit: voltages, ½ χ², steps, and what it began with."""

    v: Voltages
    objective: float
    steps: int
    status: str
    origin: str


def descended(model: Model, v: Voltages, origin: str, steps: int = STEPS) -> Solution:
    """Fit from given voltages."""
    exact = max(1e-26, ROUND_OFF * model.fit.rows.m / _zero(model))
    end = sparse_levenberg(model.fit, model.packed(v[:, None]), steps=steps, exact=exact)
    return Solution(model.voltages(end.X), end.objective, end.steps, end.status, origin)


def _zero(model: Model) -> float:
    """χ² of a network without voltage."""
    return max(float(np.sum((model.fit.w * model.fit.b) ** 2)), np.finfo(float).tiny)


def widened(
    model: Model, v: Voltages, rng: np.random.Generator, size: float, enough: float
) -> Solution:
    """Fit of two columns, the second random, truncated over the complex numbers, then of one.

    That of two columns ends where its ½ χ² is ``enough``.
    """
    n = v.size
    kick = size * (rng.standard_normal(n) + 1j * rng.standard_normal(n)) / np.sqrt(2)
    X = model.packed(np.stack([v, kick], axis=1))
    exact = max(1e-26, 2 * enough / _zero(model))
    end = sparse_levenberg(model.wide, X, steps=WIDE, tolerance=COARSE, exact=exact)
    space = Hermitian(model.order)
    z = space.complex(space.truncate(end.X, 1))[:, 0]
    if model.turned:
        z = z * np.conj(z[n]) / max(abs(z[n]), 1e-12)
        z = z[:n]
    found = descended(model, z, "two columns")
    return Solution(found.v, found.objective, found.steps + end.steps, found.status, found.origin)


def search(
    model: Model, start: Voltages, enough: float, seed: int, tries: int = KICKS + RESTARTS
) -> tuple[list[Solution], int]:
    """Different ends, best first, and all steps: from the start, then from wider ones.

    Parameters
    ----------
    model : Model
    start : complex array of shape (n,)
    enough : float
        ½ χ² at which the search ends.
    seed : int
    tries : int
        Starts of two columns at most; the share of ``KICKS`` of them begins at ``start``, the rest
        at random angles about those of it.
    """
    rng = np.random.default_rng([seed, 47])
    found = [descended(model, start, "the start")]
    steps, kicks = found[0].steps, math.ceil(tries * KICKS / (KICKS + RESTARTS))
    for k in range(tries):
        agreed = sum(np.abs(one.v - found[0].v).max() <= SAME for one in found)
        if found[0].objective <= enough or agreed >= AGREE:
            break
        v = start
        if k >= kicks:
            v = np.exp(1j * (np.angle(start) + SPREAD * rng.standard_normal(start.size)))
        one = widened(model, v, rng, SIZES[k % len(SIZES)], enough)
        steps += one.steps
        found.append(one)
        found.sort(key=lambda s: s.objective)
    return _different(found), steps


def _different(found: list[Solution]) -> list[Solution]:
    out: list[Solution] = []
    for one in found:
        if all(np.abs(one.v - other.v).max() > SAME for other in out):
            out.append(one)
    return out
