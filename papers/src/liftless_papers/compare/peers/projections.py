"""Projections between the lengths that were measured and the amplitudes that some X has."""

import abc
from dataclasses import dataclass
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless._precision import on_device
from liftless._types import AnyArray
from liftless.carried import carried_problem, orthogonal
from liftless.descent import LBFGS, Stop, descend
from liftless.problem import Problem
from liftless_papers.compare.peers.base import Effort, Peer

#: Families of cells whose measurements are squared lengths of complex amplitudes.
FAMILIES = ("complex", "coded", "state")
#: Applications of a step: the adjoint and the map.
STEP_COST = 2
#: Steps between two looks at the misfit.
LOOK = 10
#: β of hybrid input-output.
FEEDBACK = 0.9
#: Share of the mean that is added to a measurement for its weight.
FLOOR = 0.1


class AmplitudePeer(Peer):
    """What works on amplitudes F X, of which the squared row lengths are measured."""

    families: ClassVar[tuple[str, ...] | None] = FAMILIES

    def accept(self, problem: Problem) -> None:
        """Squared loss of measurements that are squared lengths, without regularisers."""
        if problem.operator.amplitudes() is None:
            was, must = type(problem.operator).__name__, "of squared lengths (amplitudes)"
            raise InvalidInput("operator", was, must, "Use restarts.")
        if problem.loss.name != "squared" or problem.regularisers:
            raise InvalidInput("problem", problem.loss.name, "squared, without regularisers")


@jax.jit
def _rows(amplitudes: Any, X: AnyArray) -> AnyArray:
    return amplitudes.rows(X)


@jax.jit
def _back(amplitudes: Any, P: AnyArray) -> AnyArray:
    return amplitudes.back(P)


class Range:
    """The map F of a problem with its pseudo-inverse; the columns of F are orthogonal or dense."""

    def __init__(self, problem: Problem) -> None:
        self.amplitudes: Any = on_device(problem.operator.amplitudes())
        self.root = np.sqrt(np.maximum(np.asarray(problem.b), 0.0))
        self.norm = float(np.linalg.norm(self.root))
        nice = orthogonal(problem.operator)
        self.gram = None if nice is None else np.asarray(nice.gram())[:, None]
        self.R = self.Q = None
        if self.gram is not None:
            self.curvature = float(np.mean(self.gram))
        else:
            F = np.asarray(self.amplitudes.rows(jnp.eye(problem.n)))
            real = np.concatenate([np.real(F), np.imag(F)])
            self.curvature = float(np.sum(real**2)) / problem.n
            self.Q, self.R = np.linalg.qr(real)

    def rows(self, X: Float[np.ndarray, "n r"]) -> np.ndarray:
        """Amplitudes of X."""
        return np.asarray(_rows(self.amplitudes, jnp.asarray(X)))

    def back(self, P: np.ndarray) -> Float[np.ndarray, "n r"]:
        """Adjoint of :meth:`rows`."""
        return np.asarray(_back(self.amplitudes, jnp.asarray(P)))

    def nearest(self, P: np.ndarray) -> Float[np.ndarray, "n r"]:
        """Least-squares X of amplitudes."""
        if self.gram is not None:
            return self.back(P) / self.gram
        assert self.Q is not None
        assert self.R is not None
        return np.linalg.solve(self.R, self.Q.T @ np.concatenate([np.real(P), np.imag(P)]))

    def lengths(self, P: np.ndarray) -> np.ndarray:
        """Nearest amplitudes of the measured lengths."""
        size = np.linalg.norm(P, axis=1)
        return (self.root / np.where(size > 0, size, 1.0))[:, None] * P

    def misfit(self, P: np.ndarray) -> float:
        """Relative misfit of the lengths."""
        return float(np.linalg.norm(np.linalg.norm(P, axis=1) - self.root)) / self.norm


class Projections(AmplitudePeer):
    """Iterate projections from random X until the lengths fit, or a local solve takes over."""

    #: Relative misfit at which a local solve takes over; None where it never does.
    hand_over: ClassVar[float | None] = None

    @abc.abstractmethod
    def step(self, P: np.ndarray, shape: Range, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The next amplitudes, and those of the measured lengths on the way."""

    def search(self, effort: Effort) -> str:
        """One random start for the whole budget; another only after a failed local solve."""
        shape = Range(effort.original)
        goal = 1e-11 if self.hand_over is None else self.hand_over
        while not effort.over:
            X = effort.start(spectral=False)
            P, k = shape.rows(X), 0
            while effort.account.left > 2 * STEP_COST:
                P, near = self.step(P, shape, k)
                effort.account.charge(STEP_COST)
                k += 1
                if k % LOOK == 0 or effort.account.left <= 2 * STEP_COST:
                    X = shape.nearest(near)
                    effort.account.charge(STEP_COST)
                    if shape.misfit(shape.rows(X)) <= goal:
                        break
            if self.hand_over is not None:
                weighted(effort, X)
            else:
                effort.evaluate(X)
                if not effort.fitted:
                    return "The projections ended short of the goal."
        return ""


def weighted(effort: Effort, X: Float[np.ndarray, "n r"]) -> None:
    """L-BFGS on the residuals over the roots of the measurements, then to the goal."""
    problem = effort.original
    b = np.maximum(np.asarray(problem.b), 0.0)
    heavy = Problem(
        problem.operator, b, problem.rank, weights=1 / np.sqrt(b + FLOOR * float(np.mean(b)))
    )
    carried = carried_problem(heavy)
    aim, begin, price = (heavy, X, 4) if carried is None else (carried, carried.inside(X), 2)
    steps = effort.account.steps(price, problem.rank)
    done = descend(aim, begin, LBFGS(), Stop(1e-21, 1e-6, steps))
    effort.account.charge(done.applications)
    effort.evaluate(np.asarray(done.X if carried is None else carried.outside(done.X)))


class Relaxed(Projections):
    """Relaxed averaged alternating reflections, y ← β/2 (R_S R_M + I) y + (1 − β) P_M y.

    Notes
    -----
    Luke, Relaxed averaged alternating reflections for diffraction imaging (2005).
    """

    beta: ClassVar[float]

    def step(self, P: np.ndarray, shape: Range, k: int) -> tuple[np.ndarray, np.ndarray]:
        """One relaxed reflection."""
        del k
        near = shape.lengths(P)
        R = 2 * near - P
        S = shape.rows(shape.nearest(R))
        return self.beta * (S - R / 2 + P / 2) + (1 - self.beta) * near, near


@final
@dataclass(frozen=True)
class RelaxedNine(Relaxed):
    """β = 0.9."""

    name: ClassVar[str] = "raar-0.9"
    title: ClassVar[str] = "relaxed averaged alternating reflections, β = 0.9"
    beta: ClassVar[float] = 0.9


@final
@dataclass(frozen=True)
class RelaxedMost(Relaxed):
    """β = 0.97."""

    name: ClassVar[str] = "raar-0.97"
    title: ClassVar[str] = "relaxed averaged alternating reflections, β = 0.97"
    beta: ClassVar[float] = 0.97


@final
@dataclass(frozen=True)
class HybridInputOutput(Projections):
    """Hybrid input-output with β = 0.9, 80 steps, then error reduction, 20, again and again.

    Notes
    -----
    Fienup, Phase retrieval algorithms: a comparison (1982); the range takes the place of the
    support.
    """

    name: ClassVar[str] = "hio-er"
    title: ClassVar[str] = "hybrid input-output and error reduction"

    def step(self, P: np.ndarray, shape: Range, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Feedback off the range, or none."""
        near = shape.lengths(P)
        if k % 100 >= 80:
            return shape.rows(shape.nearest(near)), near
        # P_S y_M + (1 − P_S)(y − β y_M), by one projection.
        inside = shape.rows(shape.nearest((1 + FEEDBACK) * near - P))
        return P - FEEDBACK * near + inside, near


@final
@dataclass(frozen=True)
class ReflectedThenDescent(Relaxed):
    """Douglas–Rachford reflections until a misfit of 0.1, then weighted L-BFGS.

    Notes
    -----
    Fannjiang and Zhang, Fixed point analysis of Douglas–Rachford splitting for ptychography and
    phase retrieval (2020), for the first part.
    """

    name: ClassVar[str] = "dr-lbfgs"
    title: ClassVar[str] = "Douglas–Rachford, then weighted L-BFGS"
    beta: ClassVar[float] = 1.0
    hand_over: ClassVar[float | None] = 0.1


@final
@dataclass(frozen=True)
class SpectralWeighted(AmplitudePeer):
    """Spectral start, then weighted L-BFGS; later starts are Gaussian."""

    name: ClassVar[str] = "spectral-lbfgs"
    title: ClassVar[str] = "spectral start, then weighted L-BFGS"

    def search(self, effort: Effort) -> str:
        """Start, descend, start again."""
        while not effort.over:
            weighted(effort, effort.start(spectral=True))
        return ""


@final
@dataclass(frozen=True)
class ReshapedFlow(AmplitudePeer):
    """Reshaped Wirtinger flow: gradient steps on the misfit of the lengths, spectral start.

    Parameters
    ----------
    step : float
        Over the mean of the diagonal of F* F, which is m for the Gaussian rows of the source.

    Notes
    -----
    Zhang, Zhou, Liang and Chi, A nonconvex approach for phase retrieval: reshaped Wirtinger flow
    and incremental algorithms (2017).
    """

    name: ClassVar[str] = "rwf"
    title: ClassVar[str] = "reshaped Wirtinger flow"

    step: float = 0.8

    def search(self, effort: Effort) -> str:
        """One start for the whole budget."""
        shape = Range(effort.original)
        X = effort.start(spectral=True)
        P = shape.rows(X)
        X = X * (shape.norm / max(float(np.linalg.norm(P)), 1e-300))
        scale = self.step / shape.curvature
        k = 0
        while effort.account.left > 2 * STEP_COST:
            P = shape.rows(X)
            if k % LOOK == 0 and shape.misfit(P) <= 1e-11:
                break
            X = X - scale * shape.back(P - shape.lengths(P))
            effort.account.charge(STEP_COST)
            k += 1
        effort.evaluate(X)
        return "" if effort.fitted else "The flow ended short of the goal."
