"""Descents of one retrieval, their books, and what noise does to the image found."""

import dataclasses
import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Inexact

from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.carried import CarriedProblem
from liftless.descent import LBFGS, Descent, Stop, descend
from liftless.operators import Orthogonal
from liftless.operators.products import row_products
from liftless.phase.data import Data
from liftless.problem import Problem

Factor = Float[np.ndarray, "n 1"]

#: Pairs that a descent keeps: with three it takes 2 % more steps, with eight 1 % less, and each
#: costs a tenth of a transform of the readings.
MEMORY = 5
#: Most steps of a descent.
STEPS = 600
#: ‖∇h‖ ‖X‖ / h of a point that is stuck, of exact data.
STUCK = 1e-3
#: What the next step of a noisy descent would still gain, about, where it ends, as a share of what
#: noise makes of it: half the unknowns.
GAIN = 5e-4
#: Curvature of h in units of the weights, where data are well fitted: 4 Re² of a unit vector.
CURVATURE = 3.0
#: Iterations of the error estimate at most, and its relative accuracy.
CG_STEPS, CG_ACCURACY = 60, 0.03
#: Second word of its seed.
STREAM = 23


class Books:
    """Transforms that a search may take, has taken, and what it tells on its way.

    Parameters
    ----------
    data : Data
    budget : float
        Transforms.
    callback : callable, optional
    precision : {"float64", "mixed"}
    """

    def __init__(
        self,
        data: Data,
        budget: float,
        callback: Callable[[dict], None] | None = None,
        precision: str = "float64",
    ) -> None:
        self.data, self.budget, self.callback = data, budget, callback
        self.precision = precision
        self.applications = self.rough = self.starts = 0
        self.history: list[dict] = []

    @property
    def ffts(self) -> int:
        """Transforms so far."""
        return self.applications * self.data.transforms

    @property
    def mixed(self) -> bool:
        """Whether the search is in float32, as far as that tells."""
        return self.precision == "mixed"

    @property
    def left(self) -> int:
        """Applications that may still be taken."""
        return max(0, int(self.budget) // self.data.transforms - self.applications)

    @property
    def steps(self) -> int:
        """Most steps that a descent may take."""
        return min(STEPS, max((self.left - 2) // 2, 0))

    def note(self, event: str, applications: int, misfit: float, rough: int = 0) -> None:
        """Book an event, of whose applications some were in float32, and tell it.

        ``StopIteration`` of the callback is passed on.
        """
        self.applications += applications
        self.rough += rough
        row = {"event": event, "ffts": self.ffts, "misfit": float(misfit)}
        self.history.append(row)
        if self.callback is not None:
            self.callback(row)


def problem_of(data: Data, variance: Float[np.ndarray, " m"]) -> Problem:
    """Weighted problem of the readings, of which these are the variances (at one frequency)."""
    weights = np.sqrt(data.known / variance)
    return Problem(data.operator, data.b, 1, weights=weights)


def first_problem(data: Data) -> Problem:
    """Problem of a first descent, before any fit tells the variances."""
    return problem_of(data, data.noise.first(data.intensity, data.mean))


def descended(
    data: Data,
    books: Books,
    problem: Problem,
    X: Factor,
    level: float | None,
    rows: Inexact[np.ndarray, "m 1"] | None = None,
) -> tuple[Factor, Descent]:
    """Descend to round-off or to a stuck point; with ``level`` None as far as noise asks for it.

    ``rows`` are the amplitudes of X, where they are known.
    """
    gradient = STUCK if level is not None else _noisy_gradient(data, problem)
    stop = Stop(0.0 if level is None else level, gradient, books.steps)
    unit, value = 1.0, 1.0
    if books.mixed:
        problem, unit, value = _in_units(data, problem)
    carried = CarriedProblem(problem, data.operator)
    inside = carried.inside(X / np.sqrt(unit))
    known = None if rows is None else rows / float(np.sqrt(unit))
    done = descend(carried, inside, LBFGS(MEMORY), stop, precision=books.precision, data=known)
    found = np.asarray(carried.outside(done.X)) * np.sqrt(unit)
    return found, dataclasses.replace(done, X=found, objective=done.objective * value)


def _noisy_gradient(data: Data, problem: Problem) -> float:
    """:func:`gradient_for` a problem."""
    # CURVATURE is that of weights 1/b; of others it is as many times larger as ω b is than 1.
    return gradient_for(data, CURVATURE * 2 * _full(data, problem) / data.total)


def gradient_for(data: Data, bend: float) -> float:
    """‖∇h‖ ‖X‖ / h at which the next step would gain little of what noise makes of h.

    A step of Newton's gains ½ ‖∇h‖²/curvature: as a share of h ≈ half the readings.
    """
    gain = GAIN * data.unknowns / 2
    return float(np.sqrt(2 * bend * gain * data.total) / max(data.rows / 2, 1.0))


def _full(data: Data, problem: Problem) -> float:
    """H at zero."""
    return float(problem.zero_level(np.zeros((data.operator.n, 1))))


def _in_units(data: Data, problem: Problem) -> tuple[Problem, float, float]:
    """The problem for float32, which holds few powers of ten: readings and h of size one.

    Returns
    -------
    problem : Problem
    unit, value : float
        Of a reading, and of h.
    """
    unit = data.mean
    value = _full(data, problem) / data.b.size or 1.0
    weights = np.asarray(problem.weights) * (unit / np.sqrt(value))
    return Problem(data.operator, data.b / unit, 1, weights=weights), unit, value


class Fitted(eqx.Module):
    """Fit of the readings at an image: amplitudes, intensities at one frequency, and the misfit."""

    P: Inexact[AnyArray, "m 1"]
    intensity: Float[AnyArray, " m"]
    misfit: Float[AnyArray, ""]


@jax.jit
def _fit(
    amplitudes: Orthogonal, X: AnyArray, counts: AnyArray, known: AnyArray, b: AnyArray
) -> Fitted:
    P = amplitudes.rows(X)
    intensity = row_products(P, P) / counts
    w = known * counts**2
    root = jnp.sqrt(jnp.maximum(b / counts, 0.0))
    off = jnp.sum(w * (jnp.sqrt(intensity) - root) ** 2)
    return Fitted(P, intensity, jnp.sqrt(off / jnp.sum(w * root**2)))


@double
def fit_of(data: Data, X: Factor) -> Fitted:
    """Fit at an image; one application."""
    return _fit(data.operator, X, data.counts, data.known, data.b)


@functools.partial(jax.jit, static_argnames=("most",))
def _response(
    carried: CarriedProblem, P: AnyArray, s: AnyArray, most: int
) -> tuple[AnyArray, AnyArray]:
    """U with JᵀΩJ U = JᵀΩ^½ s by conjugate gradients, and the steps that it took."""
    omega = carried.problem.omega

    def pull(y: AnyArray) -> AnyArray:
        return 2 * carried.amplitudes.back(y[:, None] * P) / carried.root[:, None]

    def push(D: AnyArray) -> AnyArray:
        Q = carried.data(D)
        return 2 * row_products(P, Q)

    goal = pull(jnp.sqrt(omega) * s)
    first = jnp.sum(goal * goal)

    def going(at: tuple) -> AnyArray:
        _, _, _, square, k = at
        return (k < most) & (square > CG_ACCURACY**2 * first)

    def step(at: tuple) -> tuple:
        U, p, r, square, k = at
        Ap = pull(omega * push(p))
        alpha = square / jnp.sum(p * Ap)
        U, r = U + alpha * p, r - alpha * Ap
        new = jnp.sum(r * r)
        return U, r + new / square * p, r, new, k + 1

    zero = jnp.zeros_like(goal)
    end = jax.lax.while_loop(going, step, (zero, goal, goal, first, jnp.zeros((), goal.dtype)))
    return end[0], end[4]


@double
def error_of(
    data: Data, problem: Problem, X: Factor, s: Float[np.ndarray, " m"]
) -> tuple[float, int]:
    """Relative change of the image that a change s of the whitened readings makes, to first order.

    Returns
    -------
    error : float
    applications : int
    """
    carried = on_device(CarriedProblem(problem, data.operator))
    P = carried.data(jnp.asarray(carried.inside(X)))
    U, steps = _response(carried, P, jnp.asarray(s), CG_STEPS)
    change = np.asarray(U) / np.asarray(carried.root)[:, None]
    size = float(np.linalg.norm(X))
    return float(np.linalg.norm(change)) / size if size else float("nan"), 2 + 2 * int(steps)


def draw_of(data: Data, seed: int) -> Float[np.ndarray, " m"]:
    """One draw of noise of unit variance."""
    return np.random.default_rng([seed, STREAM]).standard_normal(data.b.size)
