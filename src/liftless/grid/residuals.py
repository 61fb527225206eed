"""What readings say of a state: residuals in units of their own deviations, what is open."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from liftless.descent.sparse_levenberg import sparse_levenberg
from liftless.grid.model import Model, Voltages
from liftless.grid.network import Grid
from liftless.grid.search import Solution
from liftless.identify.sparse_null import Information, null_directions

#: Share of a reading's variance in its residual below which it is critical: an error shows by the
#: root of it, one of 4000 deviations by four.  Shares have no gap that would tell (a random part of
#: the readings has some of every size).  At a redundancy of 1.6 noise alone loses a reading in .017
#: of 300 draws of case57; with 1e-9 in .037, with 1e-4 in .010 (chance would in .01).
CRITICAL = 1e-6
#: Share below which it is computed without cancellation, and columns of a block of solves.
NEAR, BLOCK = 1e-3, 256
#: Steps of the last fit, of the readings themselves.
LAST = 30


def sharpened(grid: Grid, model: Model, found: Solution) -> tuple[Voltages, int]:
    """Voltages that fit the magnitudes and angles themselves, not their rows; and steps."""
    v, steps = found.v, 0
    if found.status != "exact" and np.any(model.rows.roots | model.rows.angles):
        for _ in range(2 if model.turned else 1):  # the weights of angles are of the fit before
            X = model.packed(v[:, None])
            end = sparse_levenberg(model.sharp(v), X, steps=LAST, damping=1e-8)
            v, steps = model.voltages(end.X), steps + end.steps
    if model.turned:
        # Rows of angles are as well fitted by −v.
        along = model.along(v)
        v = -v if 2 * np.sum(along < 0) > along.size else v
    if np.isin(grid.anchors, model.anchors).all():
        return v, steps
    read = ~np.isin(np.arange(grid.anchors.size), grid.islands[model.anchors])
    return np.where(read[grid.islands], v, grid.turned(v)), steps


class Seen(NamedTuple):
    """What the readings say of a state.

    Attributes
    ----------
    model : Model
    v : complex array of shape (n,)
    residual : array of shape (m,)
        In units of the readings' deviations, magnitudes as themselves.
    null : array of shape (N, d)
        Directions that no reading sees.
    told : Information
    normalised : array of shape (m,)
        |residual| in units of its own deviation, NaN where critical.
    critical : boolean array of shape (m,)
    undone : float
        χ² that a Gauss–Newton step from here would take away: no linear function of the state is
        further from its least-squares value, as that step has it, than the root, in its own σ.
    """

    model: Model
    v: Voltages
    residual: Float[np.ndarray, " m"]
    null: Float[np.ndarray, "N d"]
    told: Information
    normalised: Float[np.ndarray, " m"]
    critical: Bool[np.ndarray, " m"]
    undone: float


def seen_at(model: Model, v: Voltages) -> Seen:
    """A residual has the share 1 − h of its reading's variance, with h the leverage: see Seen."""
    fit, X = model.sharp(v), model.packed(v[:, None])
    residual, J = fit.residual(fit.rows.values(X)), fit.jacobian(X)
    # What is open does not depend on deviations: very small ones would hide what the others see.
    null = null_directions(_unit_rows(J))
    told = Information(J, null)
    left = left_in(J, told)
    critical = left <= CRITICAL
    size = np.where(critical, np.nan, np.abs(residual) / np.sqrt(np.where(critical, 1, left)))
    step = J @ told.solve((J.T @ residual)[:, None])[:, 0]
    return Seen(model, v, residual, null, told, size, critical, float(step @ step))


def _unit_rows(J: Any) -> Any:
    """Rows of a sparse matrix, each of norm one."""
    from scipy.sparse import diags_array

    norms = np.sqrt(np.asarray(J.multiply(J).sum(axis=1)).ravel())
    return diags_array(1 / np.where(norms > 0, norms, 1.0)) @ J


def left_in(J: Any, told: Information) -> Float[np.ndarray, " m"]:
    """1 − h of the rows: ‖e_k − J x‖² for the best x where the difference would be round-off.

    An error of x is squared in it.
    """
    left = 1 - told.leverages()
    near = np.flatnonzero(left < NEAR)
    for first in range(0, near.size, BLOCK):
        at = near[first : first + BLOCK]
        rest = -(J @ told.solve(J[at].T.toarray()))
        rest[at, np.arange(at.size)] += 1
        left[at] = np.sum(rest * rest, axis=0)
    return left
