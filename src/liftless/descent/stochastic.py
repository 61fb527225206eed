"""Methods that add chance to descent: sampled measurements, added noise, annealing.

Every random number comes from the seed and the bits of the start, so that a run repeats itself,
alone or in a batch.  Columns that are zero at the start get no noise, so that zero columns stay
zero and padding changes nothing.
"""

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import positive_int, real_number, traced_whole
from liftless._fields import number
from liftless._types import AnyArray, Scalar, Whole
from liftless.descent.base import Factor, Method, Point
from liftless.descent.sampling import cost_of, estimate
from liftless.descent.schedule import Schedule, as_schedule
from liftless.descent.stream import Stream, check_seed
from liftless.objective import Data, Objective


class Chance(eqx.Module):
    """State of a random method: its stream and the number of steps so far."""

    stream: Stream
    steps: Float[AnyArray, ""]


def begin(seed: Whole, point: Point) -> Chance:
    """State before the first step."""
    return Chance(Stream.begin(seed, point.X), jnp.zeros((), jnp.result_type(point.X)))


#: (X, ĝ, a draw of N(0, I), number of the step) ↦ the next X.
Move = Callable[[Factor, Factor, Factor, Float[AnyArray, ""]], Factor]

#: Annealing: X, what it carries, h less its least value, and the state.
Place = tuple[Factor, Data, Float[AnyArray, ""], Chance]


def walk(
    objective: Objective,
    point: Point,
    state: Chance,
    every: Whole,
    batch: int | None,
    move: Move,
) -> tuple[Point, Chance]:
    """Take ``every`` steps X ← move(X, ĝ, N(0, I), number of the step) and evaluate their end.

    A step costs the applications of ĝ, and the end two; the whole gradient at the first point is
    known, so that without a batch every step costs two and no more.
    """

    def one(X: Factor, state: Chance, known: Factor | None = None) -> tuple[Factor, Chance]:
        key, stream = state.stream.next()
        draw, rest = jax.random.split(key)
        gradient = estimate(objective, X, batch, draw) if known is None else known
        normal = stream.normal(rest, X)
        return move(X, gradient, normal, state.steps), Chance(stream, state.steps + 1)

    first, at = 0, (point.X, state)
    if batch is None:
        first, at = 1, one(point.X, state, point.gradient)
    count = jnp.asarray(every).astype(jnp.int32)
    X, state = jax.lax.fori_loop(first, count, lambda _, at: one(*at), at)
    cost = cost_of(objective, batch) * (every - first)
    return Point.at(objective, X, applications=point.applications + cost), state


def check_batch(batch: int | None) -> int | None:
    """Return a number of measurements, or None for all."""
    return None if batch is None else positive_int("batch", batch)


class SGD(Method[Chance]):
    """Stochastic gradient descent: X ← X − step_k ĝ + noise·N(0, I), ĝ from a few measurements.

    ĝ is m/batch times the sum over ``batch`` measurements drawn uniformly with replacement: an
    unbiased estimate of eq. (1.2) of the SOD paper.

    Parameters
    ----------
    step : float
        > 0.
    batch : int, optional
        Measurements a step; None for all of them.
    decay : float
        step_k = step / (1 + decay k), k the number of steps so far.
    noise : float
        Standard deviation of normal noise added to every entry at every step.
    every : int
        Steps an iteration: the stop rule, which needs the whole gradient, looks this often.
    seed : int
    """

    step: Scalar
    batch: int | None = eqx.field(static=True)
    decay: Scalar
    noise: Scalar
    every: Whole = number()
    seed: Whole = number(np.uint32)

    def __init__(
        self,
        step: Scalar = 0.01,
        batch: int | None = 1,
        *,
        decay: Scalar = 0.0,
        noise: Scalar = 0.0,
        every: Whole = 1,
        seed: Whole = 0,
    ) -> None:
        self.step = real_number("step", step, above=0.0)
        self.batch = check_batch(batch)
        self.decay = real_number("decay", decay, least=0.0)
        self.noise = real_number("noise", noise, least=0.0)
        self.every, self.seed = traced_whole("every", every), check_seed(seed)

    @property
    def step_size(self) -> Scalar:
        """The step, by its old name."""
        return self.step

    def init(self, objective: Objective, point: Point) -> Chance:
        """Return the stream of this start."""
        cost_of(objective, self.batch)
        return begin(self.seed, point)

    def advance(self, objective: Objective, point: Point, state: Chance) -> tuple[Point, Chance]:
        """Take ``every`` steps; 2 batch/m applications each where rows are cheap, and two."""

        def move(X: Factor, g: Factor, z: Factor, k: Float[AnyArray, ""]) -> Factor:
            X = X - self.step / (1 + self.decay * k) * g
            return X + self.noise * z

        return walk(objective, point, state, self.every, self.batch, move)


class SGLD(Method[Chance]):
    """Langevin dynamics: X ← X − step ĝ + √(2 step T_k)·N(0, I).

    With a constant temperature and a batch it is stochastic gradient Langevin dynamics (Welling
    and Teh, 2011), whose law tends to exp(−h/T) for small steps; with a falling one it is
    simulated annealing in its Langevin form, the noise of diminishing variance of Section 2.1 of
    the SOD paper.

    Parameters
    ----------
    step : float
        > 0.
    temperature : float or Schedule
        T, in units of h.
    batch : int, optional
        Measurements a step; None for all of them.
    every : int
        Steps an iteration; the stop rule looks this often.
    seed : int
    """

    step: Scalar
    temperature: Schedule
    batch: int | None = eqx.field(static=True)
    every: Whole = number()
    seed: Whole = number(np.uint32)

    def __init__(
        self,
        step: Scalar = 0.01,
        temperature: Scalar | Schedule = 0.01,
        batch: int | None = None,
        *,
        every: Whole = 1,
        seed: Whole = 0,
    ) -> None:
        self.step = real_number("step", step, above=0.0)
        self.temperature = as_schedule(temperature)
        self.batch = check_batch(batch)
        self.every, self.seed = traced_whole("every", every), check_seed(seed)

    @property
    def step_size(self) -> Scalar:
        """The step, by its old name."""
        return self.step

    def init(self, objective: Objective, point: Point) -> Chance:
        """Return the stream of this start."""
        cost_of(objective, self.batch)
        return begin(self.seed, point)

    def advance(self, objective: Objective, point: Point, state: Chance) -> tuple[Point, Chance]:
        """Take ``every`` steps; two applications each, or with a batch as :class:`SGD`."""

        def move(X: Factor, g: Factor, z: Factor, k: Float[AnyArray, ""]) -> Factor:
            size = jnp.sqrt(2 * self.step * self.temperature(k))
            return X - self.step * g + size * z

        return walk(objective, point, state, self.every, self.batch, move)


class SimulatedAnnealing(Method[Chance]):
    """Simulated annealing as its source has it: propose, and accept uphill moves with chance.

    X + width·N(0, I) is accepted with probability min(1, exp(−(h(new) − h(X))/T_k)), the
    Metropolis rule (Nikolaev and Jacobson, 2010, which the SOD paper cites).

    Parameters
    ----------
    width : float
        Standard deviation of a proposal's entries, > 0.
    temperature : float or Schedule
        T_k, in units of h; a number stays constant.
    every : int
        Proposals an iteration; the stop rule looks this often.
    seed : int
    """

    waits: ClassVar[bool] = True
    width: Scalar
    temperature: Schedule
    every: Whole = number()
    seed: Whole = number(np.uint32)

    def __init__(
        self,
        width: Scalar = 0.1,
        temperature: Scalar | Schedule = 0.1,
        *,
        every: Whole = 50,
        seed: Whole = 0,
    ) -> None:
        self.width = real_number("width", width, above=0.0)
        self.temperature = as_schedule(temperature)
        self.every, self.seed = traced_whole("every", every), check_seed(seed)

    def init(self, objective: Objective, point: Point) -> Chance:
        """Return the stream of this start."""
        del objective
        return begin(self.seed, point)

    def advance(self, objective: Objective, point: Point, state: Chance) -> tuple[Point, Chance]:
        """Make ``every`` proposals; one application each, and one for the gradient."""

        def one(_: AnyArray, at: Place) -> Place:
            X, y, h, state = at
            key, stream = state.stream.next()
            move, toss = jax.random.split(key)
            there = X + self.width * stream.normal(move, X)
            y_there = objective.data(there)
            h_there = objective.excess_at(y_there, there)
            # log(1 - u) with u in [0, 1): finite, so that T = 0 refuses every uphill move.
            chance = jnp.log1p(-jax.random.uniform(toss, (), X.dtype))
            accept = h_there - h <= -self.temperature(state.steps) * chance
            kept = jax.tree.map(
                lambda new, old: jnp.where(accept, new, old), (there, y_there, h_there), (X, y, h)
            )
            return *kept, Chance(stream, state.steps + 1)

        begin_at = (point.X, point.y, point.excess, state)
        count = jnp.asarray(self.every).astype(jnp.int32)
        X, y, _, state = jax.lax.fori_loop(0, count, one, begin_at)
        cost = point.applications + objective.data_cost * self.every
        return Point.at(objective, X, y, cost), state
