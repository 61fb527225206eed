"""Trajectories of IPGD+ on the seven problems, with rate, residual and distance at every step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from liftless import OfProblem
from liftless._precision import entry
from liftless._types import AnyArray, Scalar
from liftless.descent import Descended, IPGDPlus, ipgd_batch
from liftless.instances.ipgd import IpgdProblem, make_ipgd_problem
from liftless.problem import Problem
from liftless.space import Rectangular
from liftless_papers.experiments.base import Row
from liftless_papers.ipgd.deviation import Deviation, Growth, deviation_along, residual_growth
from liftless_papers.ipgd.region import (
    RectangularRegion,
    Region,
    SparseRegion,
    SymmetricRegion,
    split,
)

#: Problems of Figure 4, in its order, and their names in words.
MATRICES = {
    "ms-sym": "sensing, symmetric",
    "ms-rect": "sensing, asymmetric",
    "mc-sym": "completion, symmetric",
    "mc-rect": "completion, asymmetric",
    "onebit-sym": "1-bit, symmetric",
    "onebit-rect": "1-bit, asymmetric",
}
#: Radius of the paper, and one at which the residual of the 1-bit problems is not round-off.
GAMMA, VISIBLE = 1e-15, 1e-10
#: Points of a curve in the rows.
SHOWN = 160


@dataclass(frozen=True)
class Course:
    """One run from zero, from its first perturbation on.

    Attributes
    ----------
    made : IpgdProblem
    run : Descended
    gamma : float
    t : array of shape (T,)
        Iterations, each once: the point after a perturbation where there was one.
    path : array of shape (T, n, r')
    eta : array of shape (T,)
        Step from each point; the last repeats the one before.
    deviation : Deviation
    distance : array of shape (T,)
        Distance to the solutions in the region.
    growth : Growth
        Of the residual by gradient steps, against the cumulative rate; what perturbations after
        the first add at once is taken out, as (126) does not count it.
    """

    made: IpgdProblem
    run: Descended
    gamma: float
    t: Int[np.ndarray, " T"]
    path: Float[np.ndarray, "T n r"]
    eta: Float[np.ndarray, " T"]
    deviation: Deviation
    distance: Float[np.ndarray, " T"]
    growth: Growth

    @property
    def mismatch(self) -> float:
        """|distance / residual − 1| at the end."""
        return abs(float(self.distance[-1] / self.deviation.residual[-1]) - 1)


def region_of(made: IpgdProblem) -> Region:
    """Return the implicit region of section 7 for one of the problems."""
    if made.name == "sparse":
        return SparseRegion.of(made.truth)
    space = made.problem.operator.space
    if isinstance(space, Rectangular):
        return RectangularRegion(made.rank, space.n1)
    return SymmetricRegion(made.rank)


def courses(
    name: str, seeds: Sequence[int], gamma: float = GAMMA, **sizes: int | float
) -> tuple[Course, ...]:
    """Run the adaptive rule from zero on draws of one problem, every iterate kept.

    Parameters
    ----------
    name : str
        A key of ``liftless.instances.PROBLEMS``.
    seeds : sequence of int
        Of the problem, and of the perturbations.
    gamma : float
    **sizes
        Of the problem, as in ``make_ipgd_problem``.
    """
    drawn = [make_ipgd_problem(name, seed, **sizes) for seed in seeds]
    starts = np.zeros((len(drawn), drawn[0].problem.n, drawn[0].problem.rank))
    runs = ipgd_batch(
        [OfProblem(made.problem, made.scale) for made in drawn],
        starts,
        IPGDPlus(gamma),
        seeds=list(seeds),
        record_every=1,
    )
    # Not in threads: an eigendecomposition of a batch waits for workers of the pool it runs on, so
    # that two at once can wait for each other without end.  One alone uses every core.
    return tuple(_course(made, run, gamma) for made, run in zip(drawn, runs, strict=True))


def _course(made: IpgdProblem, run: Descended, gamma: float) -> Course:
    region = region_of(made)
    t, path, eta = unbroken(run)
    deviation = deviation_along(made.problem, region, path, scale=made.scale)
    distance = distances(region, path, made.truth)
    plain = replace(deviation, residual=deviation.residual / _jumps(region, run, t))
    growth = residual_growth(plain, eta, start=0)
    return Course(made, run, gamma, t, path, eta, deviation, distance, growth)


def unbroken(
    run: Descended,
) -> tuple[Int[np.ndarray, " T"], Float[np.ndarray, "T ..."], Float[np.ndarray, " T"]]:
    """Iterations, points and steps of a run recorded at every iteration.

    A perturbation adds a second row of its iteration, which replaces the first.  The step is the
    first one halved a whole number of times, which the length of the move tells.
    """
    h = run.history
    last = np.r_[h["t"][1:] != h["t"][:-1], True]
    last[: int(np.argmax(h["perturbed"]))] = False
    t, path, slope = h["t"][last], h["x"][last], h["gradient_norm"][last]
    moved = np.linalg.norm((path[1:] - path[:-1]).reshape(t.size - 1, -1), axis=1)
    before = h["perturbed"][last][1:]
    # After a perturbation the recorded gradient is that of the perturbed point, and the next
    # move is plain; a move onto a perturbed point is longer by it, which rounding ignores.
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = moved / slope[:-1]
    eta[before | ~np.isfinite(eta) | (moved < 1e-9)] = np.nan
    eta = run.step * 2.0 ** np.round(np.log2(eta / run.step))
    # Steps only ever shrink; moves too short to tell take the step of their neighbours.
    eta = np.fmax.accumulate(np.r_[eta, run.step][::-1])[::-1]
    return t, path, eta


def _jumps(region: Region, run: Descended, t: Int[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """Factor by which the perturbations after the first have changed the residual up to t."""
    factor, h = np.ones(t.size), run.history
    for k in np.flatnonzero(h["perturbed"])[1:]:
        before, after = (np.linalg.norm(split(region, h["x"][i])[1]) for i in (k - 1, k))
        factor[t >= h["t"][k]] *= after / before
    return factor


@entry
def _distances(region: Region, path: AnyArray, Z: AnyArray) -> Float[AnyArray, " T"]:
    return jax.vmap(lambda X: region.distance(X, jnp.asarray(Z)))(jnp.asarray(path))


def distances(
    region: Region, path: Float[np.ndarray, "T n r"], truth: Float[np.ndarray, "n s"]
) -> Float[np.ndarray, " T"]:
    """Distance to the solutions in the region at every point of a path."""
    return np.asarray(_distances(region, path, truth))


def thinned(length: int, most: int = SHOWN) -> Int[np.ndarray, " k"]:
    """Indices of at most ``most`` equally spaced points out of ``length``, with both ends."""
    return np.unique(np.linspace(0, length - 1, min(most, length)).round().astype(int))


def course_rows(course: Course, most: int = SHOWN) -> list[Row]:
    """Rows of one course: iteration, rate, cumulative rate, growth, residual and distance."""
    pick = thinned(course.t.size, most)
    d, g = course.deviation, course.growth
    return [
        {
            "problem": course.made.name,
            "gamma": course.gamma,
            "seed": course.run.seed,
            "t": int(course.t[k]),
            "rate": float(d.rate[k]),
            "eta_rate": float(course.eta[k] * d.rate[k]),
            "cumulative": float(g.cumulative[k]),
            "growth": float(g.log_growth[k]),
            "half": float(g.cumulative[k]) / 2,
            "third": float(g.cumulative[k]) / 3,
            "residual": float(d.residual[k]),
            "signal": float(d.signal[k]),
            "distance": float(course.distance[k]),
        }
        for k in pick
    ]


def summary(course: Course) -> Row:
    """Numbers of one course: slope, bound, totals, final residual and distance."""
    g = course.growth
    return {
        "problem": course.made.name,
        "gamma": course.gamma,
        "seed": course.run.seed,
        "certified": course.run.certified,
        "iterations": course.run.iterations,
        "slope": g.slope,
        "first_order_slope": g.first_order_slope,
        "excess": g.excess,
        "total": float(g.cumulative[-1]),
        "growth": float(g.log_growth[-1]),
        "factor": float(np.exp(np.max(g.log_growth))),
        "residual": float(course.deviation.residual[-1]),
        "distance": float(course.distance[-1]),
        "mismatch": course.mismatch,
        "positive": float(np.max(course.eta * course.deviation.rate)),
    }


# -- plain descent on small problems --------------------------------------------------------------


@entry
def _gradient_paths(
    problem: Problem, starts: AnyArray, eta: Scalar, length: AnyArray
) -> tuple[AnyArray, AnyArray]:
    """``length`` carries the number of steps in its shape, which is static."""

    def step(X: AnyArray, _: AnyArray) -> tuple[AnyArray, tuple[AnyArray, AnyArray]]:
        return X - eta * problem.gradient(X), (X, problem.objective(X))

    def run(X: AnyArray) -> tuple[AnyArray, AnyArray]:
        return jax.lax.scan(step, X, length)[1]

    return jax.vmap(run)(jnp.asarray(starts))


def gradient_paths(
    problem: Problem, starts: Float[np.ndarray, "k n r"], eta: float, steps: int
) -> tuple[Float[np.ndarray, "k T n r"], Float[np.ndarray, "k T"]]:
    """Iterates of gradient descent from several starts, and the objective at each.

    Parameters
    ----------
    problem : Problem
    starts : array of shape (k, n, r)
    eta : float
    steps : int

    Returns
    -------
    paths : array of shape (k, steps + 1, n, r)
    values : array of shape (k, steps + 1)
    """
    paths, values = _gradient_paths(problem, starts, eta, np.zeros(steps + 1))
    return np.asarray(paths), np.asarray(values)


@entry
def _hessians(problem: Problem, points: AnyArray) -> Float[AnyArray, "T d d"]:
    points = jnp.asarray(points)
    units = jnp.eye(points[0].size).reshape(-1, *points.shape[1:])

    def at(X: AnyArray) -> AnyArray:
        return jax.vmap(lambda D: problem.hessian_product(X, D).ravel())(units)

    return jax.lax.map(at, points)


def hessians(problem: Problem, points: Float[np.ndarray, "T n r"]) -> Float[np.ndarray, "T d d"]:
    """Whole Hessian at every point, for small problems."""
    H = np.asarray(_hessians(problem, points))
    return (H + H.swapaxes(1, 2)) / 2


def uniform_ball(rng: np.random.Generator, count: int, n: int, r: int) -> np.ndarray:
    """Draws from the unit ball, of shape (count, n, r)."""
    D = rng.standard_normal((count, n, r))
    D /= np.linalg.norm(D, axis=(1, 2), keepdims=True)
    return D * rng.random((count, 1, 1)) ** (1 / (n * r))


def escape_plane(
    problem: Problem, z: Float[np.ndarray, "n r"]
) -> tuple[Float[np.ndarray, "n r"], Float[np.ndarray, "n r"], float, float]:
    """Direction of most negative curvature at a saddle z of low rank, and one that deviates.

    Both annihilate the rows of z.  There the Hessian acts from the left, as one symmetric matrix
    S: v = u₁ eᵀ along its lowest eigenvector keeps the rank at rank z + 1, and w = u₂ e'ᵀ along
    the second lowest and another column adds one more.

    Returns
    -------
    v, w : arrays of shape (n, r)
        Unit vectors.
    along_v, along_w : float
        Curvatures.
    """
    S = np.asarray(problem.slack(z, np.eye(problem.n))) * 2
    values, vectors = np.linalg.eigh((S + S.T) / 2)
    free = np.linalg.svd(z)[2][::-1]
    v, w = np.outer(vectors[:, 0], free[0]), np.outer(vectors[:, 1], free[1])
    return v, w, float(values[0]), float(values[1])
