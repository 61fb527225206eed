"""Tables without noise: completed to round-off, at the rank that learning the noise has shown."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from liftless.start.belief import Completion, complete_entries, extend, peel
from liftless.start.belief.complete import Schedule
from liftless.start.belief.observed import digits_of, holds
from liftless.start.belief.peel import priors_of
from liftless.tables.effects import no_effects
from liftless.tables.fit import MANY, PLAIN, Fits, Model, problem_of
from liftless.tables.table import Table

#: Noise relative to the entries below which they are taken for exact, to be confirmed.
EXACT = 1e-3
#: Multiplications, of entries by the square of the unknowns, up to which the last digits are found
#: by dense least squares; steps of it.
DENSE, STEPS = 1e9, 12
#: Change of the noise over three sweeps up to which it rests.
RESTS = 0.03


@dataclass(frozen=True)
class Shown:
    """What a fit of the largest rank shows.

    Attributes
    ----------
    exact : Model or None
        The completed table, where its entries are exact.
    rank : int or None
        Rank at which the spectrum has a gap.
    """

    exact: Model | None
    rank: int | None


def shown_by(fits: Fits, additive: bool, most: int) -> Shown:
    """Learn noise and sizes of the components; complete the table where there is no noise.

    Components that the data do not carry shrink.  Entries without noise are completed at the rank
    that is left, without effects, which are two components more.  Of many entries no more is asked
    than whether they have noise.
    """
    table, most = fits.table, min(most, fits.most)
    if not np.any(table.y[fits.kept]):
        return Shown(None, None)
    many = table.y.size > MANY
    fit = fits.fit(most, additive, until=_noisy if many else None)
    low = fits.model(fit).low
    if low is None:
        return Shown(None, None)
    shown = low.rank if low.rank < most and not many else None
    size = float(np.sqrt(np.mean(table.y**2)))
    if additive or not fit.sigma <= EXACT * size:
        return Shown(None, shown)
    for rank in dict.fromkeys((low.rank, most)):
        # Among gross errors no fit is exact; without any, the one near by is.
        done = _near_by(table, low, rank) if fits.robust else completed(fits, low, rank)
        if done is not None:
            return Shown(Model(no_effects(table), done, rank, 0.0), shown)
    return Shown(None, shown)


def _noisy(levels: list[float]) -> bool:
    """Whether the noise levels of the sweeps so far have come to rest well above round-off."""
    last = levels[-3:]
    return len(levels) > 4 and min(last) > PLAIN and max(last) < (1 + RESTS) * min(last)


def completed(fits: Fits, near: Completion, rank: int) -> Completion | None:
    """Completion of a rank that fits all entries to round-off, or None."""
    done = _near_by(fits.table, near, rank)
    if done is not None:
        return done
    problem = problem_of(fits.table, fits.table.y, rank)
    done = complete_entries(problem, fits.seed, progress=fits.progress)
    return done if done.end == "exact" else None


def _near_by(table: Table, near: Completion, rank: int) -> Completion | None:
    """Least squares on the core from a completion near by; None where that does not fit."""
    space = near.space
    rows, cols = table.i, table.j + (0 if table.symmetric else table.shape[0])
    core, order = peel(rows, cols, space.n, rank)
    if not holds(core, space, rank):
        return None
    inside = np.flatnonzero(core[rows] & core[cols])
    X = space.truncate(near.X, rank)
    place = np.cumsum(core) - 1
    i, j, y = place[rows[inside]], place[cols[inside]], table.y[inside]
    if y.size * float(X[core].size) ** 2 > DENSE:
        return None
    size = float(np.sqrt(np.mean(table.y**2)))
    goal = max(Schedule().exact, digits_of(problem_of(table, table.y, rank))) * size
    found, misfit = gauss_newton(X[core], i, j, y, 0.01 * goal)
    if not misfit < goal:
        return None
    X = np.zeros((space.n, rank))
    X[core] = found
    prior = priors_of(X, core, space.sides)
    X, known, _ = extend(X, core, order, table.y, prior, space.sides[0].stop)
    return Completion(
        X=X,
        end="exact",
        misfit=misfit / size,
        sigma=0.0,
        known=known,
        cov=None,
        components=near.components[:rank],
        sweeps=near.sweeps,
        swept=near.swept,
        applications=near.applications,
        failed=near.failed,
        space=space,
        history=(),
    )


def gauss_newton(
    X: Float[np.ndarray, "n r"],
    i: Int[np.ndarray, " m"],
    j: Int[np.ndarray, " m"],
    y: Float[np.ndarray, " m"],
    goal: float,
) -> tuple[Float[np.ndarray, "n r"], float]:
    """Fit y_k = ⟨x_i, x_j⟩ from a point near by; the best factor and the rms of its misfit.

    Every step is the least change that solves the linearised equations, so that the gauge stays.
    """
    n, r = X.shape
    best, least = X, float(np.sqrt(np.mean((y - np.sum(X[i] * X[j], axis=1)) ** 2)))
    at = np.arange(y.size)
    for _ in range(STEPS):
        J = np.zeros((y.size, n, r))
        np.add.at(J, (at, i), X[j])
        np.add.at(J, (at, j), X[i])
        left = y - np.sum(X[i] * X[j], axis=1)
        step = np.linalg.lstsq(J.reshape(y.size, n * r), left, rcond=1e-12)[0]
        X = X + step.reshape(n, r)
        misfit = float(np.sqrt(np.mean((y - np.sum(X[i] * X[j], axis=1)) ** 2)))
        if not misfit < least:
            break
        best, least = X, misfit
        if misfit < goal:
            break
    return best, least
