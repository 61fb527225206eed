"""Vector message passing for amplitudes whose map has orthogonal columns: coded diffraction.

The amplitudes p = F x are known by their lengths √b, and lie in the range of F.  Each fact gives a
mean and a variance, and hands to the other one what it adds of its own (the extrinsic message):

    z = √b ρ(2 √b |r|/v) r/|r|,  a = ⟨var z⟩/v,  r₂ = (z − a r)/(1 − a),  v₂ = v a/(1 − a)
    x = F⁺ r₂,  p = F x,  r ← (p − α r₂)/(1 − α),  v ← v₂ α/(1 − α),

with α the share of real unknowns among the real amplitudes; an entry of r has variance v.  What the
amplitudes are told about their own error this way can be far too little, where images are smooth or
masks are few: it then settles at a wrong image.  So the variance is never taken for less than the
misfit of the intensities themselves shows, capped by their mean, which alone would let it vanish at
zero; with that it finds images of 3 masks from random starts where descent and reflections do not.

References
----------
Schniter, Rangan and Fletcher, Vector approximate message passing for the generalized linear model
(2016); Rangan, Schniter and Fletcher (2019).
"""

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Inexact

from liftless._errors import InvalidInput
from liftless._precision import double, on_device, precision_of, single
from liftless._types import AnyArray
from liftless.carried import orthogonal
from liftless.operators import Orthogonal
from liftless.operators.products import row_products
from liftless.problem import Problem
from liftless.start.base import HOPELESS_NEAR, Allowance, Begun, Start
from liftless.start.passing import Numbers, Watch, pass_on
from liftless.start.passing_amplitudes import bessel_ratio
from liftless.start.simple import handed_over, steps_within

#: Applications of a step, and of a random start.
STEP_COST, FIRST_COST = 2, 1
#: Second word of the seed of the images that it begins with.
STREAM = 19
#: Real readings an unknown below which stalls last longer, and steps without a fall by then.
FEW, LONG_PATIENCE = 2.5, 100
#: Damping with few readings and with many, and from how many an unknown on: over twelve images a
#: cell the second takes 12 % fewer steps at 6 and 5 % at 8, as many at 4, a third more at 3.
DAMPING, LIGHT, MANY = 0.85, 0.95, 5.0
#: Bounds of the share a of the variance that the lengths leave.
LEAST, MOST = 1e-6, 0.99
#: Largest concentration: beyond it the direction is known.
SURE = 1e8
#: Least variance relative to the mean intensity.
TINY = 1e-24


@dataclass(frozen=True)
class VectorPassing(Start):
    """Vector approximate message passing (GVAMP) from random images.

    Attributes
    ----------
    damping : float, optional
        Weight in (0, 1] of a step's result against the one before; by default .85, and .95 from
        five real readings a real unknown on.
    ready : float
        Relative misfit of the amplitudes at which a local solve takes over.
    patience : int
        Steps without a fall of the misfit after which another image is begun with; at least 100
        where fewer than 2.5 real readings a real unknown are given.
    steps : int
        Most steps from one image.
    tries : int
        Most images.
    """

    damping: float | None = None
    ready: float = 0.1
    patience: int = 30
    steps: int = 200
    tries: int = 6
    hopeless = HOPELESS_NEAR

    def __str__(self) -> str:
        damping = "" if self.damping is None else f" damping={self.damping:g}"
        return f"vector passing{damping} ready={self.ready:g}"

    def suits(self, problem: Problem) -> bool:
        """Whether the loss is squared alone, and the amplitudes' map has orthogonal columns."""
        return passes_vectors(problem)

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Run until the misfit is small, from several images if need be."""
        precision = allowance.precision
        X, spent, error = vector_start(
            problem, self, seed, allowance.left, allowance, precision=precision
        )
        allowance.rough += spent if precision == "mixed" else 0
        return Begun(X, spent, spent, error)

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """A random image and some steps."""
        del problem, allowance
        return FIRST_COST + 2 * STEP_COST


def passes_vectors(problem: Problem) -> bool:
    """Whether vector message passing is meant for a problem."""
    amplitudes = orthogonal(problem.operator)
    plain = problem.loss.quadratic and not problem.regularisers
    return plain and amplitudes is not None and amplitudes.scrambled()


class State(eqx.Module):
    """Message to the amplitudes with its variance, the estimate so far with its own amplitudes."""

    r: Inexact[AnyArray, "m q"]
    v: Float[AnyArray, ""]
    X: Float[AnyArray, "n r"]
    p: Inexact[AnyArray, "m q"]
    watch: Watch


class Readings(eqx.Module):
    """Lengths of the amplitudes, in units of one frequency, and which are known how often."""

    amplitudes: Orthogonal
    gram: Float[AnyArray, " n"]
    root: Float[AnyArray, " m"]
    used: Float[AnyArray, " m"] | None
    scale: Float[AnyArray, " m"] | None
    mean: Float[AnyArray, ""]

    def of(self, X: Float[AnyArray, "n r"]) -> Inexact[AnyArray, "m r"]:
        """Amplitudes of X."""
        P = self.amplitudes.rows(X)
        return P if self.scale is None else P / self.scale[:, None]

    def nearest(self, P: Inexact[AnyArray, "m r"]) -> Float[AnyArray, "n r"]:
        """Least-squares X of amplitudes."""
        P = P if self.scale is None else P * self.scale[:, None]
        return self.amplitudes.back(P) / self.gram[:, None]

    def average(self, values: Float[AnyArray, " m"], *, known: bool = True) -> Float[AnyArray, ""]:
        """Mean over all frequencies, or over those with a reading."""
        w = jnp.ones_like(values) if self.scale is None else self.scale**2
        w = w * self.used if known and self.used is not None else w
        return jnp.sum(w * values) / jnp.sum(w)


def readings_of(problem: Problem) -> Readings:
    """Readings of a problem; rows of weight zero are not known."""
    amplitudes = orthogonal(problem.operator)
    assert amplitudes is not None
    c = amplitudes.multiplicity()
    scale = None if c is None else np.sqrt(np.asarray(c))
    b = np.maximum(np.asarray(problem.b, float), 0.0)
    root = np.sqrt(b) if scale is None else np.sqrt(b) / scale
    known = np.asarray(problem.weights) > 0
    used = None if known.all() else known.astype(float)
    counted = known if scale is None else known * scale**2
    mean = float(np.sum(counted * root**2) / max(float(np.sum(counted)), 1e-300))
    gram = np.asarray(amplitudes.gram(), float)
    return Readings(amplitudes, gram, root, used, scale, np.asarray(mean))


def _step(given: Readings, share: float, numbers: Numbers, at: State) -> State:
    """One step: two applications."""
    root, r = given.root, at.X.shape[1]
    size = jnp.sqrt(row_products(at.r, at.r))
    q = r * (2 if jnp.iscomplexobj(at.r) else 1)
    kappa = jnp.minimum((2 if q == 2 * r else 1) * root * size / at.v, SURE)
    ratio = bessel_ratio(kappa, q)
    z = (root * ratio / jnp.where(size > 0, size, 1.0))[:, None] * at.r
    spread = root * root * (1 - ratio * ratio) / r
    if given.used is not None:
        missing = given.used == 0
        z, spread = jnp.where(missing[:, None], at.r, z), jnp.where(missing, at.v, spread)
    a = jnp.clip(given.average(spread, known=False) / at.v, LEAST, MOST)
    r2, v2 = (z - a * at.r) / (1 - a), at.v * a / (1 - a)
    X = given.nearest(r2)
    p = given.of(X)
    square = row_products(p, p)
    off = 2 * given.average((jnp.sqrt(square) - root) ** 2)
    # The variance that would make the squares differ as they do, were p Gaussian about the truth.
    whole = given.average(square)
    bent = 2 * given.average((root * root - square) ** 2)
    by_squares = (jnp.sqrt(whole * whole + bent) - whole) / 2
    shown = jnp.minimum(jnp.minimum(off, by_squares), given.mean) / r
    v = jnp.maximum(share * v2, shown) / (1 - share)
    keep = numbers.damping
    message = keep * (p - share * r2) / (1 - share) + (1 - keep) * at.r
    v = (keep * jnp.sqrt(v) + (1 - keep) * jnp.sqrt(at.v)) ** 2
    error = jnp.sqrt(off / jnp.where(given.mean > 0, given.mean, 1.0))
    return State(message, jnp.maximum(v, TINY * given.mean), X, p, at.watch.seen(error))


@jax.jit
def _begin(given: Readings, G: AnyArray) -> State:
    """A random image of the size that the readings have."""
    r = given.of(G)
    level = given.average(row_products(r, r))
    scale = jnp.sqrt(given.mean / jnp.where(level > 0, level, 1.0))
    rank = G.shape[1]
    return State(scale * r, given.mean / rank, scale * G, scale * r, Watch.begin(given.root))


def _in_single(given: Readings) -> tuple[Readings, float]:
    """Readings in float32 with a mean of one, and the size of the image in that unit."""
    unit = math.sqrt(float(given.mean)) or 1.0
    scaled = eqx.tree_at(
        lambda g: (g.root, g.mean), given, (given.root / unit, given.mean / unit**2)
    )
    return single(scaled), unit


@functools.partial(jax.jit, static_argnames=("share",))
def _run(given: Readings, numbers: Numbers, at: State, share: float) -> State:
    return pass_on(lambda s: _step(given, share, numbers, s), at, numbers)


class Found(NamedTuple):
    """What message passing hands over.

    Attributes
    ----------
    X : array of shape (n, r)
        Of the least misfit.
    rows : array of shape (m, r), or None
        Its amplitudes, for a descent to go on from.
    applications : int
    error : float
        Relative misfit of the amplitudes there.
    """

    X: Float[np.ndarray, "n r"]
    rows: Inexact[np.ndarray, "m r"] | None
    applications: int
    error: float


def vector_start(
    problem: Problem,
    plan: VectorPassing,
    seed: int = 0,
    budget: float | int | None = None,
    allowance: Allowance | None = None,
    *,
    precision: str = "float64",
) -> tuple[Float[np.ndarray, "n r"], int, float]:
    """Run vector message passing from random images until its misfit is small.

    Parameters
    ----------
    problem : Problem
        One for which :func:`passes_vectors` holds.  Row weights decide only which rows are used.
    plan : VectorPassing
    seed : int
    budget : float, optional
        Applications after which no further step is taken.
    allowance : Allowance, optional
        Asked between images, and a few times a second, whether to go on.
    precision : {"float64", "mixed"}
        "mixed" runs it in float32, in which its misfit is as good.

    Returns
    -------
    start : array of shape (n, r)
        Of the least misfit.
    applications : int
    error : float
        Relative misfit of the amplitudes there; at most ``plan.ready`` where it converged.
    """
    found = vectors_passed(problem, plan, seed, budget, allowance, precision=precision)
    return found.X, found.applications, found.error


@double
def vectors_passed(
    problem: Problem,
    plan: VectorPassing,
    seed: int = 0,
    budget: float | int | None = None,
    allowance: Allowance | None = None,
    *,
    precision: str = "float64",
) -> Found:
    """:func:`vector_start` with the amplitudes of what it found."""
    if not passes_vectors(problem):
        was = f"{type(problem.operator).__name__} with {problem.loss.name} loss"
        must = "with amplitudes of orthogonal columns, squared loss, no regulariser"
        raise InvalidInput("problem", was, must, "Use MessagePassing or ReweightedTrace.")
    given, unit, kind = readings_of(problem), 1.0, np.float64
    if precision_of(precision) == "mixed":
        (given, unit), kind = _in_single(given), np.float32
    given = on_device(given)
    share = float(given.amplitudes.share)
    known = 1.0 if given.used is None else float(given.average(given.used, known=False))
    patience = max(plan.patience, LONG_PATIENCE) if known / share < FEW else plan.patience
    damping = plan.damping or (LIGHT if known / share >= MANY else DAMPING)
    spent, best = 0, Found(np.zeros((problem.n, problem.rank)), None, 0, math.inf)
    for k in range(plan.tries):
        steps = steps_within(plan.steps, budget, spent + FIRST_COST, STEP_COST)
        if k and (steps <= 1 or (allowance is not None and allowance.over)):
            break
        values = (1.0, damping, 0.0, plan.ready, patience, steps)
        numbers = Numbers(*(np.asarray(v, kind) for v in values))
        rng = np.random.default_rng([seed, STREAM, k])
        G = jnp.asarray(rng.standard_normal((problem.n, problem.rank)), kind)
        end = _run(given, numbers, _begin(given, G), share)
        X, used, error = handed_over(end.X, STEP_COST * int(end.watch.k), end.watch.error)
        spent += FIRST_COST + used
        if error < best.error or k == 0:
            best = Found(unit * np.asarray(X, float), _rows_of(given, end, unit), 0, error)
        if error <= plan.ready:
            break
    return best._replace(applications=spent)


def _rows_of(given: Readings, end: State, unit: float) -> Inexact[np.ndarray, "m r"] | None:
    """Amplitudes of where a run ended, as the operator has them; None should they be no numbers."""
    if not np.isfinite(end.watch.error):
        return None
    rows = np.asarray(end.p) if unit == 1.0 else unit * np.asarray(end.p)
    return rows if given.scale is None else np.asarray(given.scale)[:, None] * rows
