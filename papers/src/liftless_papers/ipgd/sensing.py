"""Matrix sensing as section 6 of the IPGD paper poses it, with an isometry constant to choose.

A set of N Gaussian matrices acts on symmetric matrices only through ‖A(M)‖, that is through the
triangular factor of its QR decomposition.  Bartlett's decomposition draws that factor directly,
so any N costs the same p = n(n+1)/2 rows, and constants as small as the theorems ask for can be
had.
"""

import math

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_array, real_number
from liftless._errors import InvalidInput
from liftless.operators import DenseOperator, measure, rip_estimate
from liftless.problem import Problem

Truth = Float[np.ndarray, "n r"]


def gaussian_sensing(
    n: int, spectrum: tuple[float, ...], measurements: int, search_rank: int, seed: int = 0
) -> tuple[Problem, Truth]:
    """(MS) with N Gaussian measurements of a random M* of given spectrum.

    Parameters
    ----------
    n : int
        Order.
    spectrum : tuple of float
        Nonzero eigenvalues of M*.
    measurements : int
        N, at least n(n+1)/2.  The constant δ over all matrices is about 2 √(n(n+1)/(2N)).
    search_rank : int
        Columns r' of the factor.
    seed : int

    Returns
    -------
    problem : Problem
        Its objective is f(X) = ¼ ‖A(X Xᵀ − M*)‖² with E ‖A(M)‖² = ‖M‖_F².
    truth : array of shape (n, r)
        V* Σ*^{1/2}.
    """
    n = positive_int("n", n)
    values = real_array("spectrum", spectrum, 1)
    if not 1 <= values.size <= n or values.min() <= 0:
        raise InvalidInput("spectrum", describe(values), f"1 to {n} numbers > 0")
    p = n * (n + 1) // 2
    measurements = positive_int("measurements", measurements, least=p)
    rng = np.random.default_rng(positive_int("seed", seed, least=0))
    truth = np.linalg.qr(rng.standard_normal((n, values.size)))[0] * np.sqrt(values)
    R = np.triu(rng.standard_normal((p, p)), 1)
    R[np.diag_indices(p)] = np.sqrt(rng.chisquare(measurements - np.arange(p)))
    return isometric_sensing(R / math.sqrt(measurements), truth, search_rank), truth


def isometric_sensing(rows: Float[np.ndarray, "m p"], truth: Truth, search_rank: int) -> Problem:
    """(MS) for an operator given in orthonormal coordinates of the symmetric matrices.

    Parameters
    ----------
    rows : array of shape (m, n(n+1)/2)
        A(M) = rows @ (upper triangle of M, the entries off the diagonal times √2).
    truth : array of shape (n, r)
        Factor of M*.
    search_rank : int
    """
    i, j = np.triu_indices(truth.shape[0])
    operator = DenseOperator(rows * np.where(i == j, 1.0, math.sqrt(2.0)), truth.shape[0])
    b = np.asarray(measure(operator, truth, truth))
    weights = np.full(operator.m, math.sqrt(0.5))
    return Problem(operator, b, search_rank, weights=weights)


def isometry_constant(problem: Problem) -> float:
    """Least δ with (1 − δ) ‖M‖² <= ‖A(M)‖² <= (1 + δ) ‖M‖² for *every* symmetric M, n <= 40.

    It bounds the restricted constant of every rank.
    """
    estimate = rip_estimate(problem.operator, 1, starts=1, iterations=1)
    if estimate.delta_upper is None:
        raise InvalidInput("problem", f"of order {problem.n}", "of order at most 40")
    return estimate.delta_upper


def coordinates(M: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " p"]:
    """Orthonormal coordinates of the symmetric part of a matrix."""
    i, j = np.triu_indices(M.shape[0])
    return ((M + M.T) / 2)[i, j] * np.where(i == j, 1.0, math.sqrt(2.0))


def swapping_sensing(
    first: Float[np.ndarray, "n n"],
    second: Float[np.ndarray, "n n"],
    delta: float,
    truth: Truth,
    search_rank: int,
) -> Problem:
    """(MS) with A*A = I + δ K, where K is the reflection that takes ``first`` to ``second``.

    Both symmetric matrices are scaled to norm one.  K has norm one, so δ is the isometry constant
    of every rank: an operator that satisfies a theorem's hypothesis and errs where it hurts.

    Parameters
    ----------
    first, second : arrays of shape (n, n)
        Symmetric.
    delta : float
        0 <= δ < 1.
    truth, search_rank
        See :func:`isometric_sensing`.
    """
    delta = real_number("delta", delta, least=0.0)
    a, b = coordinates(first), coordinates(second)
    normal = a / np.linalg.norm(a) - b / np.linalg.norm(b)
    size = float(normal @ normal)
    K = np.eye(a.size) - (2 / size * np.outer(normal, normal) if size > 0 else 0.0)
    values, vectors = np.linalg.eigh(np.eye(a.size) + delta * K)
    return isometric_sensing((vectors * np.sqrt(values)) @ vectors.T, truth, search_rank)


def closure_counterexample(
    n: int = 6, kappa: float = 10.0, angle: float = 0.95
) -> tuple[Problem, Truth, float, Float[np.ndarray, "n q"]]:
    """Return an instance within the hypothesis of Proposition 24 and a point that leaves 𝓜.

    M* = diag(1, 1/κ), X = 2 [v_1, u] with u tilted out of v_2 by the full angle that (78) allows,
    and A*A = I + δ K, where K takes Δ = M* − X Xᵀ to the direction that tilts u further.  The step
    pulls the angle back at the rate σ_r s (1 − s²), and K pushes it by δ ‖Δ‖_F √((1 − s²)/2),
    which is more once s = 4 √2 κ δ exceeds about 0.8.  The printed chain of inequalities (103)
    adds −η √r σ_1 δ and +2 η √r σ_1 δ and cannot end where it does.

    Parameters
    ----------
    n : int
        Order, at least 3.
    kappa : float
        Condition number; δ = angle/(4 √2 κ) must be at most 1/(10 √2).
    angle : float
        s, the bound 4 √r κ δ itself.

    Returns
    -------
    problem, truth, delta, X
    """
    truth = np.zeros((n, 2))
    truth[0, 0], truth[1, 1] = 1.0, 1 / math.sqrt(kappa)
    delta = angle / (4 * math.sqrt(2) * kappa)
    u, across = np.zeros(n), np.zeros(n)
    u[1:3] = math.sqrt(1 - angle**2), angle
    across[1:3] = -angle, math.sqrt(1 - angle**2)
    X = np.zeros((n, 3))
    X[0, 0], X[:, 1] = 2.0, 2 * u
    gap = truth @ truth.T - X @ X.T
    problem = swapping_sensing(gap, np.outer(across, u) + np.outer(u, across), delta, truth, 3)
    return problem, truth, delta, X
