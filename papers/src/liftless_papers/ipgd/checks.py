"""Measure the propositions of section 6 of the IPGD paper on instances of matrix sensing.

Each ``check_*`` looks for the worst case of one proposition within its hypothesis and returns
what it found beside the printed bound.  A search can refute a statement, not prove it.
Every problem is (MS) in the scaling of :mod:`liftless_papers.ipgd.sensing`.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._precision import entry
from liftless._types import AnyArray
from liftless.certificate import hessian_extremes
from liftless.problem import Problem
from liftless_papers.ipgd.constants import SensingConstants
from liftless_papers.ipgd.deviation import deviation_along
from liftless_papers.ipgd.region import SymmetricRegion, procrustes_distance
from liftless_papers.ipgd.samples import (
    between,
    direction_away,
    outside_angle,
    random_residual,
    saddle_points,
    sample_region,
    worst_residual,
)
from liftless_papers.ipgd.sensing import Truth

#: Steps of the ascent for the third derivative.
ASCENT = 100


@dataclass(frozen=True)
class Measured:
    """A printed bound, and the worst value found.

    Attributes
    ----------
    statement : str
        What was measured.
    measured, bound : float
        Worst value found, and the printed bound.
    upper : bool
        Whether the statement is measured <= bound; else it is measured >= bound.
    hypothesis : bool
        Whether the instance satisfies what the proposition assumes.
    samples : int
        Points tried.
    """

    statement: str
    measured: float
    bound: float
    upper: bool
    hypothesis: bool
    samples: int

    @property
    def holds(self) -> bool:
        """Whether no counterexample was found, to round-off."""
        slack = 1e-9 * max(abs(self.bound), 1e-300)
        gap = self.bound - self.measured
        return gap >= -slack if self.upper else gap <= slack


# -- Proposition 23 -------------------------------------------------------------------------------


def check_lipschitz(
    problem: Problem, truth: Truth, delta: float, *, samples: int = 40, seed: int = 0
) -> tuple[Measured, Measured]:
    """Proposition 23: ‖∇²f‖ <= 15 σ_1 and ‖∇³f‖ <= 15 √σ_1 in the τ-neighbourhood of 𝓜.

    Parameters
    ----------
    problem : Problem
    truth : array of shape (n, r)
    delta : float
        Restricted isometry constant of rank 2r.
    samples : int
        Points; at each the extreme eigenvalues, and an ascent over the third derivative.
    seed : int

    Returns
    -------
    gradient, hessian : Measured
        In units of the printed constants, so that the bound is 1.
    """
    c, rng = SensingConstants.of(truth, problem.rank, delta), np.random.default_rng(seed)
    V = np.linalg.svd(truth, full_matrices=False)[0]
    second, third = 0.0, 0.0
    for k in range(samples):
        X = sample_region(c, truth, rng)
        if k < truth.shape[1]:  # the worst of the population: one direction of M* at full length
            X = np.zeros_like(X)
            X[:, 0] = c.norm_bound * V[:, -1 - k]
        X = X + random_residual(X, c.tau, rng)
        second = max(second, *(abs(v) for v in hessian_extremes(problem, X)))
        start = X + 0.1 * c.norm_bound * rng.standard_normal(X.shape)
        third = max(third, abs(float(_third(problem, X, start))))
    assumed = delta <= 1 / (10 * math.sqrt(c.rank))
    return (
        Measured("Prop. 23: ‖∇²f‖ / 15σ_1", second / c.L, 1.0, True, assumed, samples),
        Measured("Prop. 23: ‖∇³f‖ / 15√σ_1", third / c.rho, 1.0, True, assumed, samples),
    )


@entry
def _third(problem: Problem, X: AnyArray, start: AnyArray) -> AnyArray:
    """Largest ∇³f(X)[Z, Z, Z] over ‖Z‖ = 1 that an ascent finds."""
    X = jnp.asarray(X)
    y = problem.operator.measure(X, X)

    def cubic(Z: AnyArray) -> AnyArray:
        return 6 * problem.line_at(y, X, Z).coefficients()[3]

    def ascend(_: int | AnyArray, Z: AnyArray) -> AnyArray:
        # The shift makes the map an ascent for the symmetric cubic form.
        W = jax.grad(cubic)(Z) + jnp.abs(cubic(Z)) * Z
        return W / jnp.linalg.norm(W)

    first = jnp.asarray(start) / jnp.linalg.norm(start)
    return cubic(jax.lax.fori_loop(0, ASCENT, ascend, first))


# -- Proposition 24 -------------------------------------------------------------------------------


def check_closure(
    problem: Problem,
    truth: Truth,
    delta: float,
    *,
    samples: int = 200,
    seed: int = 0,
    points: tuple[Float[np.ndarray, "n q"], ...] = (),
) -> tuple[Measured, Measured]:
    """Proposition 24: a gradient step of length 1/(10 σ_1) from 𝓜 stays in 𝓜.

    Parameters
    ----------
    problem, truth, delta, samples, seed
        See :func:`check_lipschitz`.
    points : tuple of arrays of shape (n, r')
        Points of 𝓜 to try as well.

    Returns
    -------
    norm, angle : Measured
        Largest ‖X⁺‖ / 2√σ_1, and largest ‖P_{V*⊥} P_{X⁺}‖ beside 4 √r κ δ (from 1 on the
        statement is empty).
    """
    c, rng = SensingConstants.of(truth, problem.rank, delta), np.random.default_rng(seed)
    norm, angle = 0.0, 0.0
    tried = [sample_region(c, truth, rng, extreme=k % 4 > 0) for k in range(samples)]
    for X in (*tried, *points):
        after = X - c.closure_step * np.asarray(problem.gradient(X))
        norm = max(norm, float(np.linalg.norm(after, 2)) / c.norm_bound)
        angle = max(angle, outside_angle(truth, after))
    assumed, count = delta <= 1 / (10 * math.sqrt(c.rank)), len(tried) + len(points)
    return (
        Measured("Prop. 24: ‖X⁺‖ / 2√σ_1", norm, 1.0, True, assumed, count),
        Measured("Prop. 24: ‖P_V⊥ P_X⁺‖", angle, c.angle_bound, True, assumed, count),
    )


# -- Proposition 28 -------------------------------------------------------------------------------


def check_strict_saddle(
    problem: Problem, truth: Truth, delta: float, *, samples: int = 200, seed: int = 0
) -> tuple[Measured, Measured]:
    """Proposition 28, first part: small gradient and little negative curvature mean near 𝒳*.

    Parameters
    ----------
    problem, truth, delta, samples, seed
        See :func:`check_lipschitz`; δ of rank 6r.

    Returns
    -------
    curvature : Measured
        Largest λ_min(∇²f) / (σ_r/5) at the saddle points, which must be <= −1.
    distance : Measured
        Largest distance to 𝒳* over √σ_r/8 among the points of 𝓜 tried with ‖∇f‖ < ε_g and
        λ_min > −ε_H: on segments from the saddles to the solutions, and around both.
    """
    c, rng = SensingConstants.of(truth, problem.rank, delta), np.random.default_rng(seed)
    gradient, curvature, radius = c.strict_saddle
    saddles = saddle_points(problem, truth)
    lowest = max(hessian_extremes(problem, X)[0] for X in saddles)
    far = 0.0
    for k in range(samples):
        X = between(saddles[k % len(saddles)], truth, rng)
        flat = float(np.linalg.norm(problem.gradient(X))) < gradient
        if flat and hessian_extremes(problem, X)[0] > -curvature:
            far = max(far, procrustes_distance(X, truth))
    assumed = delta <= 0.1
    return (
        Measured(
            "Prop. 28: λ_min at saddles / (σ_r/5)",
            lowest / curvature,
            -1.0,
            True,
            assumed,
            len(saddles),
        ),
        Measured("Prop. 28: distance / (√σ_r/8)", far / radius, 1.0, True, assumed, samples),
    )


def check_regularity(
    problem: Problem, truth: Truth, delta: float, *, samples: int = 200, seed: int = 0
) -> Measured:
    """Proposition 28, second part: the regularity inequality (15) within √σ_r/4 of 𝒳*.

    Parameters
    ----------
    problem, truth, delta, samples, seed
        See :func:`check_strict_saddle`.

    Returns
    -------
    Measured
        Least ⟨∇f, X − P(X)⟩ / (½ α ‖X − P(X)‖² + ‖∇f‖²/(2β)), which must be >= 1.
    """
    c, rng = SensingConstants.of(truth, problem.rank, delta), np.random.default_rng(seed)
    least = math.inf
    for k in range(samples):
        step = direction_away(truth, k, rng)
        step *= c.regularity[2] * (1.0 if k % 3 else rng.random())
        right = np.linalg.qr(rng.standard_normal((c.search_rank, c.rank)))[0]
        least = min(least, regularity_ratio(problem, truth, (truth + step) @ right.T, c))
    statement = "Prop. 28: regularity ratio"
    return Measured(statement, least, 1.0, False, delta <= 0.1, samples)


def regularity_ratio(
    problem: Problem, truth: Truth, X: Float[np.ndarray, "n q"], constants: SensingConstants
) -> float:
    """Left over right side of (15) at X, with the printed α and β."""
    P, _, Qt = np.linalg.svd(truth.T @ X, full_matrices=False)
    away, gradient = X - truth @ (P @ Qt), np.asarray(problem.gradient(X))
    alpha, beta, _ = constants.regularity
    right = alpha / 2 * np.sum(away**2) + np.sum(gradient**2) / (2 * beta)
    return float(np.sum(gradient * away) / right) if right > 0 else math.inf


# -- Proposition 30 -------------------------------------------------------------------------------


def check_deviation(
    problem: Problem, truth: Truth, delta: float, *, samples: int = 100, seed: int = 0
) -> Measured:
    """Proposition 30: the deviation rate near 𝓜 is at most 45 σ_1 r κ δ.

    Parameters
    ----------
    problem, truth, delta, samples, seed
        See :func:`check_lipschitz`; δ at most 1/(10 r).

    Returns
    -------
    Measured
        Largest rate, the residual random or in the direction of most negative curvature.
    """
    c, rng = SensingConstants.of(truth, problem.rank, delta), np.random.default_rng(seed)
    path = []
    for k in range(samples):
        X = sample_region(c, truth, rng, extreme=k % 3 > 0)
        if k % 5 == 4:  # almost at the saddle in the origin, with the columns of M*
            X = X * 1e-3
        size = min(c.tau, 0.1 * float(np.linalg.svd(X, compute_uv=False)[c.rank - 1]))
        X = X + (random_residual(X, size, rng) if k % 2 else worst_residual(problem, X, size))
        path.append(X)
    rate = deviation_along(problem, SymmetricRegion(c.rank), np.stack(path)).rate
    assumed = delta <= 1 / (10 * c.rank)
    bound = c.deviation_bound()
    return Measured("Prop. 30: R(τ)", float(np.max(rate)), bound, True, assumed, samples)


# -- Lemmas 25, 26, 27 ----------------------------------------------------------------------------


def projection_ratio(X: Float[np.ndarray, "n q"], Y: Float[np.ndarray, "n q"]) -> float:
    """‖P_X − P_Y‖ over min{‖(X − Y)X†‖, ‖(X − Y)Y†‖}, at most 1 by Lemma 26 (88).

    True for matrices of one rank.  The lemma says "any", which X = 0 refutes: the left side is
    then 1 and the right side 0.
    """
    PX, PY = X @ np.linalg.pinv(X), Y @ np.linalg.pinv(Y)
    sides = [float(np.linalg.norm((X - Y) @ np.linalg.pinv(W), 2)) for W in (X, Y)]
    left, right = float(np.linalg.norm(PX - PY, 2)), min(sides)
    return left / right if right > 0 else (math.inf if left > 0 else 0.0)


def check_lemmas(n: int = 8, r: int = 3, *, samples: int = 100, seed: int = 0) -> list[Measured]:
    """Lemmas 25, 26 (of one rank) and 27, on random matrices.

    Parameters
    ----------
    n, r : int
        Shape of the matrices.
    samples, seed : int
    """
    rng = np.random.default_rng(seed)
    equal, below, above, projection, inverse = 0.0, 0.0, 0.0, 0.0, 0.0
    for _ in range(samples):
        near = 10.0 ** rng.uniform(-3, 1)
        U = np.linalg.qr(rng.standard_normal((n, r)))[0]
        W = np.linalg.qr(U + near * rng.standard_normal((n, r)))[0]
        gap = float(np.linalg.norm(U @ U.T - W @ W.T, 2))
        equal = max(equal, abs(float(np.linalg.norm(W - U @ (U.T @ W), 2)) / gap - 1))
        # The polar factor minimises the Frobenius norm; in the spectral norm it is also optimal.
        P, _, Qt = np.linalg.svd(U.T @ W)
        aligned = float(np.linalg.norm(U @ P @ Qt - W, 2))
        below, above = max(below, gap / aligned), max(above, aligned / (math.sqrt(2) * gap))
        X = rng.standard_normal((n, r))
        projection = max(projection, projection_ratio(X, X + near * rng.standard_normal((n, r))))
        A, B = rng.standard_normal((2, r, r))
        Ai, Bi = np.linalg.inv(A), np.linalg.inv(B)
        sizes = [float(np.linalg.norm(M, 2)) for M in (Ai - Bi, Ai, Bi, A - B)]
        inverse = max(inverse, sizes[0] / (sizes[1] * sizes[2] * sizes[3]))
    named = {
        "Lemma 25: |‖P_U⊥ P_U*‖ / ‖P_U − P_U*‖ − 1|": (equal, 1e-8),
        "Lemma 25: ‖P_U − P_U*‖ / min ‖UR − U*‖": (below, 1.0),
        "Lemma 25: min ‖UR − U*‖ / √2 ‖P_U − P_U*‖": (above, 1.0),
        "Lemma 26, equal ranks": (projection, 1.0),
        "Lemma 27": (inverse, 1.0),
    }
    return [Measured(k, value, most, True, True, samples) for k, (value, most) in named.items()]
