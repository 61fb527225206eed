"""Deviation rate: how fast gradient descent leaves an implicit region, or returns to it.

Definition 5 of the IPGD paper, with the printed equations (9) and (10).  The prose beside them
has the two words exchanged: r_+ comes from the *negative* curvature and makes the residual grow.
To first order log ‖x⊥‖ changes by η (r_- + r_+) in a step; r = r_- + 3 r_+ is what the bound of
Proposition 4 needs, and where r_- is small the growth is a third of η r, equation (127).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, factor, positive_int, real_array, real_number
from liftless._errors import InvalidInput
from liftless._precision import entry
from liftless._types import AnyArray, Scalar
from liftless.problem import Problem
from liftless_papers.ipgd.region import Region
from liftless_papers.ipgd.spectra import STEPS, lanczos_spectrum

Rates = Float[np.ndarray, "*t"]


@dataclass(frozen=True)
class Deviation:
    """Deviation rate at one point (scalars) or at every point of a trajectory, shape (T,).

    Attributes
    ----------
    negative : array
        r_-(x) <= 0, equation (9): minus the curvature of the positive part of ∇²f(x#) along x⊥.
    positive : array
        r_+(x) >= 0, equation (10): the same of the negative part.
    residual, signal : array
        ‖x⊥‖ and ‖x#‖.
    """

    negative: Rates
    positive: Rates
    residual: Rates
    signal: Rates

    @property
    def rate(self) -> Rates:
        """The rate r = r_- + 3 r_+ of Definition 5."""
        return np.asarray(self.negative + 3 * self.positive)

    @property
    def first_order(self) -> Rates:
        """r_- + r_+ = −⟨x⊥, ∇²f(x#) x⊥⟩ / ‖x⊥‖², the growth of log ‖x⊥‖ a unit of η."""
        return np.asarray(self.negative + self.positive)


def deviation_rate(
    problem: Problem, region: Region, X: Any, *, scale: float = 1.0, steps: int | None = None
) -> Deviation:
    """Deviation rate of ``scale`` times the objective at one point.

    Parameters
    ----------
    problem : Problem
    region : Region
    X : array of shape (n, r)
    scale : float
        Positive factor of the objective, for a loss scaled otherwise than the problem's.
    steps : int, optional
        Use this many Lanczos steps on Hessian products instead of the region's own formula.

    Returns
    -------
    Deviation

    Raises
    ------
    InvalidInput
        ``X`` not a finite (n, r) array, or a region whose formula does not hold for the problem.
    """
    X = factor("X", X, problem.n)
    many = deviation_along(problem, region, X[None], scale=scale, steps=steps)
    return Deviation(*(np.asarray(v[0]) for v in _fields(many)))


def deviation_along(
    problem: Problem, region: Region, path: Any, *, scale: float = 1.0, steps: int | None = None
) -> Deviation:
    """Deviation rate at every point of a trajectory, in one compiled call.

    Parameters
    ----------
    problem, region, scale, steps
        See :func:`deviation_rate`.
    path : array of shape (T, n, r)

    Returns
    -------
    Deviation
        With arrays of shape (T,).
    """
    path = real_array("path", path, 3)
    if path.shape[0] < 1 or path.shape[1] != problem.n or path.shape[2] < 1:
        raise InvalidInput("path", describe(path), f"of shape (T, {problem.n}, r) with T, r >= 1")
    scale = real_number("scale", scale, above=0.0)
    if steps is None:
        region.check(problem)
        return Deviation(*_along(problem, region, path, scale))
    positive_int("steps", steps)
    return Deviation(*_along_lanczos(problem, region, path, scale, np.zeros(steps)))


def _fields(d: Deviation) -> tuple[Rates, Rates, Rates, Rates]:
    return d.negative, d.positive, d.residual, d.signal


@entry
def _along(problem: Problem, region: Region, path: AnyArray, scale: Scalar) -> Any:
    def at(X: AnyArray) -> Any:
        signal, residual, size = _unit_residual(region, X)
        spectrum = region.spectrum(problem, signal, residual)
        return _rates(spectrum, signal, size, scale)

    return jax.vmap(at)(jnp.asarray(path))


@entry
def _along_lanczos(
    problem: Problem, region: Region, path: AnyArray, scale: Scalar, length: AnyArray
) -> Any:
    """``length`` carries the number of steps in its shape, which is static."""

    def at(X: AnyArray) -> Any:
        signal, residual, size = _unit_residual(region, X)
        spectrum = lanczos_spectrum(
            lambda D: problem.hessian_product(signal, D), residual, length.shape[0]
        )
        return _rates(spectrum, signal, size, scale)

    return jax.vmap(at)(jnp.asarray(path))


def _unit_residual(region: Region, X: AnyArray) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Signal, residual of norm one and its norm; by the largest entry first, as it may be tiny."""
    signal, residual = region.parts(X)
    largest = jnp.max(jnp.abs(residual))
    scaled = residual / jnp.where(largest > 0, largest, 1.0)
    size = jnp.linalg.norm(scaled)
    return signal, scaled / jnp.where(largest > 0, size, 1.0), largest * size


def _rates(spectrum: Any, signal: AnyArray, size: AnyArray, scale: Scalar) -> Any:
    values, weights = spectrum
    negative = -scale * jnp.sum(jnp.maximum(values, 0.0) * weights)
    positive = -scale * jnp.sum(jnp.minimum(values, 0.0) * weights)
    return negative, positive, size, jnp.linalg.norm(signal)


# -- growth of the residual -----------------------------------------------------------------------


@dataclass(frozen=True)
class Growth:
    """Growth of the residual against the cumulative deviation rate, equations (126) and (127).

    Attributes
    ----------
    start : int
        First point of the trajectory that counts, its residual not being zero.
    cumulative : array of shape (T − start,)
        η r̄_t = Σ_{s<t} η_s r(x_s).
    first_order : array of shape (T − start,)
        Σ_{s<t} η_s (r_- + r_+)(x_s), the growth to first order in η.
    remainder : array of shape (T − start,)
        ½ ρ Σ_{s<t} η_s ‖x_s⊥‖; zero unless ρ was given.
    log_growth : array of shape (T − start,)
        log(‖x_t⊥‖ / ‖x_0⊥‖).
    slope, first_order_slope : float
        Least-squares slope through the origin of ``log_growth`` on ``cumulative`` and on
        ``first_order``, at equally spaced points.
    """

    start: int
    cumulative: Float[np.ndarray, " t"]
    first_order: Float[np.ndarray, " t"]
    remainder: Float[np.ndarray, " t"]
    log_growth: Float[np.ndarray, " t"]
    slope: float
    first_order_slope: float

    @property
    def excess(self) -> float:
        """Largest log growth above the bound (126): at most round-off where it holds."""
        return float(np.max(self.log_growth - self.cumulative / 2 - self.remainder))


def residual_growth(
    deviation: Deviation, eta: Any, *, rho: float = 0.0, start: int | None = None, points: int = 20
) -> Growth:
    """Compare the growth of the residual with the cumulative deviation rate.

    Parameters
    ----------
    deviation : Deviation
        Along a trajectory of plain gradient steps.
    eta : float or array of shape (T,)
        Step size, of each step where it changed.
    rho : float
        Hessian-Lipschitz constant ρ, for the last term of (126); it is tiny with the residual.
    start : int, optional
        Where to start; by default at the first residual that is not zero.
    points : int
        Points of the fit, equally spaced over the trajectory (20 in Figure 6).

    Returns
    -------
    Growth

    Raises
    ------
    InvalidInput
        No point with a residual, a residual that returns to zero, or a start out of range.
    """
    size = real_array("deviation", deviation.residual, 1)
    eta = np.broadcast_to(np.asarray(eta, np.float64), size.shape)
    rho = real_number("rho", rho, least=0.0)
    if start is None:
        start = int(np.argmax(size > 0))
    start = positive_int("start", start, least=0, most=max(size.size - 2, 0))
    size = size[start:]
    if size.size < 2 or np.any(size <= 0):
        was = "a trajectory whose residual is zero at a point"
        cure = "Start after the first perturbation, and stop before the residual underflows."
        raise InvalidInput("deviation", was, "positive residuals from the start on", cure)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.concatenate([[0.0], np.cumsum(values)])

    step = eta[start:-1]
    cumulative = summed(step * deviation.rate[start:-1])
    first = summed(step * deviation.first_order[start:-1])
    growth = np.log(size) - np.log(size[0])
    chosen = np.unique(np.linspace(0, size.size - 1, positive_int("points", points) + 1).round())
    chosen = chosen.astype(int)[1:]
    return Growth(
        start=start,
        cumulative=cumulative,
        first_order=first,
        remainder=rho / 2 * summed(step * size[:-1]),
        log_growth=growth,
        slope=_slope(cumulative[chosen], growth[chosen]),
        first_order_slope=_slope(first[chosen], growth[chosen]),
    )


def step_excess(deviation: Deviation, eta: float, rho: float, start: int = 0) -> float:
    """Largest ‖x_{t+1}⊥‖ / ((1 + ½ η r + ½ η ρ ‖x_t⊥‖) ‖x_t⊥‖) − 1, the bound of Proposition 4.

    Parameters
    ----------
    deviation : Deviation
        Along a trajectory of gradient steps of the fixed size ``eta`` <= 1/L.
    eta, rho : float
        Step size, and Hessian-Lipschitz constant.
    start : int
        First point that counts.

    Returns
    -------
    float
        At most 0 (to round-off) where the proposition holds.
    """
    size, rate = deviation.residual[start:], deviation.rate[start:]
    bound = (1 + eta / 2 * rate[:-1] + eta * rho / 2 * size[:-1]) * size[:-1]
    return float(np.max(size[1:] / bound - 1))


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    square = float(x @ x)
    return float(x @ y) / square if square > 0 else float("nan")


__all__ = [
    "STEPS",
    "Deviation",
    "Growth",
    "deviation_along",
    "deviation_rate",
    "residual_growth",
    "step_excess",
]
