"""Readings of zero that are linear constraints on X.

Where A_i ⪰ 0 and ⟨A_i, X Xᵀ⟩ = 0 follows A_i X = 0, while the derivative 2 A_i X of the reading
vanishes: to first order it says nothing, and a fit to 1e-10 leaves A_i X at 1e-5.  So the
constraint is eliminated: X = N Y for a basis N of what all such A_i map to zero, and the question
is asked of Y.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from liftless._precision import entry
from liftless._types import AnyArray
from liftless.cost import dense_eigen
from liftless.descent import LevenbergMarquardt, Stop, descend
from liftless.identify.fit import LOOKED_AT, Fit
from liftless.identify.restricted import Restricted
from liftless.operators import SensingOperator, matrix
from liftless.problem import Problem
from liftless.space import Hermitian, Space, Symmetric

Factor = Float[np.ndarray, "n r"]

#: A reading below this fraction of ‖A_i‖ ‖M‖ is zero; one that is given must be below the second.
SMALL, GIVEN = 1e-9, 1e-14
#: An eigenvalue of an A_i of norm one above minus this is nonnegative; one of their sum below the
#: second is zero; the share of X outside of the null space is at most the third.
NONNEGATIVE, FLAT, OUTSIDE = 1e-12, 1e-11, 1e-3
#: Descent on the null space: ‖∇h‖ ‖X‖ / h, and steps.
GRADIENT, STEPS = 1e-10, 40


@dataclass(frozen=True)
class Forced:
    """What the zero readings leave.

    Attributes
    ----------
    problem : Problem
        On the null space, the zero readings of weight zero.
    basis : array of shape (n, k)
        N.
    Y : array of shape (k, r)
        Nᵀ X.
    count : int
        Zero readings.
    outside : float
        ‖X − N Nᵀ X‖ / ‖X‖.
    """

    problem: Problem
    basis: Float[np.ndarray, "n k"]
    Y: Float[np.ndarray, "k r"]
    count: int
    outside: float


@entry
def _matrix_of(operator: SensingOperator, rows: AnyArray) -> AnyArray:
    import jax

    return jax.lax.map(operator.matrix, rows)


def _signs(problem: Problem, rows: np.ndarray) -> np.ndarray:
    """1 where an A_i is positive semidefinite, −1 where negative, 0 else."""
    operator = problem.operator
    if float(rows.size) * problem.n**2 > LOOKED_AT or not dense_eigen(problem.n):
        # Squared lengths are positive semidefinite without a look.
        return np.full(rows.size, float(operator.amplitudes() is not None))
    units = np.zeros((rows.size, problem.m))
    units[np.arange(rows.size), rows] = 1.0
    values = np.linalg.eigvalsh(np.asarray(_matrix_of(operator, units)))
    size = np.abs(values).max(axis=1)
    up, down = values[:, 0] >= -NONNEGATIVE * size, values[:, -1] <= NONNEGATIVE * size
    return np.where(size > 0, np.where(up, 1.0, np.where(down, -1.0, 0.0)), 0.0)


def zero_readings(fit: Fit, fitted: bool) -> Bool[np.ndarray, " m"] | None:
    """Which used readings are zero, or None if there is none."""
    if not fit.problem.space.semidefinite:
        return None
    y, norms = np.abs(fit.y), fit.norms
    if norms is None:
        middle = float(np.median(y[fit.used])) if fit.used.any() else 0.0
        norms = np.full(y.size, middle)
    size = norms * float(np.sum(fit.X**2))
    zero = fit.used & (y <= SMALL * size) & (norms > 0)
    if fitted and zero.any():
        zero &= _given(fit, size)
    return zero if zero.any() else None


def _given(fit: Fit, size: np.ndarray) -> np.ndarray:
    """Which data are zero but for round-off: on the scale of the rows that they are about."""
    if fit.q is not None:
        size = size.copy()
        size[fit.q.kept] = np.minimum(size[fit.q.kept], fit.q.norms)
    return np.abs(fit.b) <= GIVEN * size


def forced(fit: Fit, *, fitted: bool = False) -> Forced | None:
    """Eliminate the zero readings of semidefinite A_i; None where there are none to eliminate.

    Parameters
    ----------
    fit : Fit
    fitted : bool
        Whether X fits b, so that b says which readings are zero; else the readings of X do.

    Returns
    -------
    Forced or None
    """
    problem, X = fit.problem, fit.X
    zero = zero_readings(fit, fitted)
    if zero is None or not dense_eigen(problem.n):
        return None
    rows = np.flatnonzero(zero)
    signs = _signs(problem, rows)
    rows, signs = rows[signs != 0], signs[signs != 0]
    if not rows.size:
        return None
    y = np.zeros(problem.m)
    y[rows] = signs
    whole = np.asarray(matrix(problem.operator, y))
    basis = _null_space(problem.operator.space, whole)
    if basis is None or basis.shape[1] == problem.n:
        return None
    Y = basis.T @ X
    outside = float(np.linalg.norm(X - basis @ Y) / np.linalg.norm(X))
    if outside > OUTSIDE:
        return None
    weights = np.array(problem.weights, float)
    weights[rows] = 0.0
    if not weights.any():
        return None
    return Forced(reduced(problem, basis, weights), basis, Y, rows.size, outside)


def eliminated(fit: Fit) -> Fit:
    """Return a fit that obeys the zero readings to round-off, found on their null space.

    The same object is returned where there are no such readings, or the loss is not quadratic, or
    nothing better is found.
    """
    problem, X = fit.problem, fit.X
    zeros = forced(fit, fitted=True) if problem.loss.quadratic else None
    if zeros is None or problem.regularisers or zeros.problem.rank < X.shape[1]:
        return fit
    done = descend(zeros.problem, zeros.Y, LevenbergMarquardt(), Stop(None, GRADIENT, STEPS))
    image = zeros.basis @ done.X
    lower = float(problem.objective(image)) <= float(problem.objective(X))
    return Fit(problem, image) if lower else fit


def reduced(problem: Problem, basis: Float[np.ndarray, "n k"], weights: np.ndarray) -> Problem:
    """Return the problem on the matrices N Y Yᵀ Nᵀ."""
    space = problem.operator.space
    k = basis.shape[1]
    smaller = Hermitian(k // 2) if isinstance(space, Hermitian) else Symmetric(k)
    operator = Restricted(problem.operator, basis, smaller)
    rank = min(problem.rank, smaller.most_columns)
    return Problem(operator, problem.b, rank, weights=weights, loss=problem.loss)


def _null_space(space: Space, whole: Float[np.ndarray, "n n"]) -> np.ndarray | None:
    """Orthonormal basis of the null space of a semidefinite matrix, axes as axes.

    So rows keep their meaning.
    """
    if isinstance(space, Hermitian):
        left = whole[:, : space.order]
        joined = left[: space.order] + 1j * left[space.order :]
        values, vectors = np.linalg.eigh(joined)
        Z = vectors[:, values <= FLAT * values[-1]]
        if not Z.shape[1]:
            return None
        return np.block([[np.real(Z), -np.imag(Z)], [np.imag(Z), np.real(Z)]])
    values, vectors = np.linalg.eigh(whole)
    flat = vectors[:, values <= FLAT * values[-1]]
    share = np.sum(flat * flat, axis=1)
    axes = np.flatnonzero(share > 1 - 1e-12)
    mixed = np.flatnonzero((share <= 1 - 1e-12) & (share > 1e-12))
    basis = np.zeros((len(whole), flat.shape[1]))
    basis[axes, np.arange(axes.size)] = 1.0
    if mixed.size:
        inner, where = np.linalg.eigh(whole[np.ix_(mixed, mixed)])
        rest = where[:, inner <= FLAT * values[-1]]
        if axes.size + rest.shape[1] != flat.shape[1]:
            return flat
        basis[mixed, axes.size :] = rest
    return basis if flat.shape[1] else None
