"""Belief propagation under way: the sides, their beliefs, and the sweeps."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._memory import aligned, aligned_zeros
from liftless._precision import on_device
from liftless._types import AnyArray
from liftless.operators.lines import gathered_products
from liftless.space import Space
from liftless.start.belief.layout import CHUNK, Plan, Side, one_side, rounded, two_sides
from liftless.start.belief.observed import Observed
from liftless.start.belief.sweep import Beliefs, Told, half_sweep, whole_sweep

Factor = Float[np.ndarray, "n r"]

#: Damping of the messages: of two sides, of a symmetric matrix, and after a line failed.
DAMPING, DAMPING_SYMMETRIC, DAMPING_AFTER = 0.2, 0.3, 0.5
#: Size of the first messages, as a share of what the prior has.
SMALL = 0.3
#: Messages from which the noise level is estimated; their median is within a percent.
SAMPLE = 1 << 16
#: Median of a squared standard Gaussian.
MEDIAN = 0.4549364231195724
#: Entries from which messages are kept in single precision.
SINGLE = 4_000_000
#: Misfit at which the beliefs have run away.
AWAY = 1e3


def _taken(array: np.ndarray) -> AnyArray:
    """Move an array to the device; it is not used again."""
    return jax.device_put(array, may_alias=True)


class _Sample(NamedTuple):
    slots: AnyArray
    places: AnyArray


@dataclass
class Graph:
    """A factor graph laid out, on the device.

    Attributes
    ----------
    sides : tuple of Side
        Rows and columns, or the lines of a symmetric matrix.
    plans : tuple of Plan
    ends : tuple of two integer arrays
        Place of the lines of every entry, padded.
    y : array
        Values of the entries, padded.
    m : int
        Number of entries.
    """

    sides: tuple[Side, ...]
    plans: tuple[Plan, ...]
    ends: tuple[AnyArray, AnyArray]
    y: AnyArray
    m: int


def graph(seen: Observed, space: Space, chunk: int = CHUNK) -> Graph:
    """Lay the entries out, by the sides of the space."""
    if len(space.sides) == 1:
        off = seen.rows != seen.cols
        rows, cols, y, spread = seen.rows[off], seen.cols[off], seen.y[off], seen.spread[off]
        sides, plans = one_side(rows, cols, space.n, y, spread, chunk)
    else:
        cols = seen.cols - space.sides[-1].start
        rows, y, spread = seen.rows, seen.y, seen.spread
        sides, plans = two_sides(rows, cols, *space.shape, y, spread, chunk)
    m = y.size
    padding = (0, rounded(m) - m)
    ends = tuple(
        aligned(np.pad(plan.place[line], padding))
        for plan, line in zip((plans[0], plans[-1]), (rows, cols), strict=True)
    )
    values = aligned(np.pad(y, padding))
    sides, ends, values = on_device((sides, ends, values))
    return Graph(sides, plans, ends, values, m)


@jax.jit
def _misfit(ends: tuple, y: AnyArray, m: AnyArray, U: AnyArray, V: AnyArray) -> AnyArray:
    """Root mean square of what the means leave of the entries; padding is taken out again."""
    i, j = ends
    error = jnp.where(jnp.arange(y.shape[0]) < m, y - gathered_products(i, j, U, V), 0.0)
    return jnp.sqrt(jnp.sum(error * error) / m)


@jax.jit
def _noise(side: Side, own: Beliefs, other: Beliefs, sample: _Sample) -> AnyArray:
    """σ² that makes the median of the squared misfit what its predicted variance says."""
    r = own.prior.shape[0]
    source = side.source[sample.slots]
    told, old = other.out[source], own.out[sample.slots]
    scale = jnp.maximum(jnp.sum(own.average * other.average), 1e-300)
    trace = jnp.sum(own.cov[sample.places] * other.average[None], axis=(1, 2))
    foreseen = told[:, r] + trace * told[:, r + 1] / scale + old[:, r]
    miss = (side.y[sample.slots] - jnp.sum(old[:, :r] * told[:, :r], axis=1)) ** 2
    spread = side.spread if side.spread.shape[0] == 1 else side.spread[sample.slots]
    spread = jnp.median(spread)
    return jnp.maximum(0.0, jnp.median(miss) / MEDIAN - jnp.median(foreseen)) / spread


class Propagation:
    """Beliefs about the lines of a matrix, and the sweeps that improve them.

    Parameters
    ----------
    of : Graph
    rank, seed : int
        Width of the factor, and seed of the first messages.
    damping : float, optional
    """

    def __init__(self, of: Graph, rank: int, seed: int, damping: float | None = None) -> None:
        self.graph, self.rank = of, rank
        self.symmetric = len(of.sides) == 1
        usual = DAMPING_SYMMETRIC if self.symmetric else DAMPING
        self.damping = usual if damping is None else damping
        self.noise = 0.0
        self.sweeps = 0
        self.failed = 0
        self.misfit = math.inf
        rng = np.random.default_rng(seed)
        # The last side speaks first; a symmetric matrix has but one.
        self.beliefs = [
            self._silent(plan, rng if k == len(of.plans) - 1 else None)
            for k, plan in enumerate(of.plans)
        ]
        self._samples: list[_Sample] | None = None

    def _silent(self, plan: Plan, rng: np.random.Generator | None) -> Beliefs:
        """Beliefs before the first sweep: a random mean for those that speak first."""
        r, prior = self.rank, np.eye(self.rank) / math.sqrt(self.rank)
        mean = np.zeros((plan.places, r))
        # The largest arrays by far: single precision is enough to resolve a component of 1e-4.
        kind = np.float32 if self.graph.m >= SINGLE else np.float64
        out = aligned_zeros((plan.slots, r + 2), kind)
        if rng is not None:
            drawn = rng.standard_normal((plan.place.size, r)) * (SMALL / r**0.25)
            mean[plan.place] = drawn
            for bucket in plan.buckets:
                stop = min((b.line for b in plan.buckets if b.line > bucket.line), default=None)
                rows = mean[bucket.line : stop, None]
                slots = out[bucket.slot : bucket.slot + len(rows) * bucket.width]
                slots.reshape(len(rows), bucket.width, r + 2)[:, :, :r] = rows
        out[:, r + 1] = np.trace(prior @ prior)
        cov = np.broadcast_to(prior, (plan.places, r, r)).copy()
        made = Beliefs(mean, cov, out, prior, prior.copy())
        return jax.tree.map(_taken, made)

    # -- sweeps -------------------------------------------------------------------------------

    def sweep(self, *, learn: bool = False) -> float:
        """One sweep over all sides; the misfit of the means, infinite where they ran away."""
        early = self.sweeps == 0
        bad = 0.0
        for k, side in enumerate(self.graph.sides):
            if not early:
                self.noise = float(self._estimate(k)) if learn else 0.0
            told = Told(
                np.asarray(self.noise),
                np.asarray(0.0 if early else self.damping),
                np.asarray(early and k == 0),
                np.asarray(early),
            )
            if self.symmetric:
                self.beliefs[0], lost = whole_sweep(side, self.beliefs[0], told)
            else:
                self.beliefs[k], lost = half_sweep(side, self.beliefs[k], self.beliefs[1 - k], told)
            bad += lost
        self.sweeps += 1
        self.misfit = float(self._misfit())
        if float(bad) > 0:
            self.failed += 1
            self.damping = DAMPING_AFTER
        if not self.misfit < AWAY:
            self.misfit = math.inf
        return self.misfit

    def _misfit(self) -> AnyArray:
        of = self.graph
        U, V = self.beliefs[0].mean, self.beliefs[-1].mean
        return _misfit(of.ends, of.y, np.asarray(float(of.m)), U, V)

    def _estimate(self, k: int) -> AnyArray:
        if self._samples is None:
            self._samples = [
                _sampled(side, plan)
                for side, plan in zip(self.graph.sides, self.graph.plans, strict=True)
            ]
        other = self.beliefs[0] if self.symmetric else self.beliefs[1 - k]
        return _noise(self.graph.sides[k], self.beliefs[k], other, self._samples[k])

    def copy(self) -> "Propagation":
        """Return the same state, to be swept on its own."""
        twin = object.__new__(Propagation)
        twin.__dict__.update(self.__dict__)
        # Sweeps take the arrays that they replace.
        twin.beliefs = jax.tree.map(jnp.array, self.beliefs)
        return twin

    # -- what is believed ---------------------------------------------------------------------

    def weakest(self) -> float:
        """Root mean square of the entries of the weakest component, by the learned priors."""
        return float(self.components()[-1])

    def components(self) -> Float[np.ndarray, " r"]:
        """Root mean square of the entries of each component, largest first."""
        A, B = (np.asarray(self.beliefs[k].prior) for k in (0, -1))
        if not (np.isfinite(A).all() and np.isfinite(B).all()):
            return np.zeros(self.rank)
        values, Q = np.linalg.eigh(A)
        root = Q * np.sqrt(np.maximum(values, 0.0))[None, :]
        return np.sqrt(np.maximum(np.linalg.eigvalsh(root.T @ B @ root), 0.0))[::-1]

    def factor(self) -> Factor:
        """Posterior means of the lines, in the lines' order."""
        parts = zip(self.beliefs, self.graph.plans, strict=True)
        return np.concatenate([np.asarray(b.mean)[p.place] for b, p in parts])

    def covariances(self) -> Float[np.ndarray, "n r r"]:
        """Posterior covariances of the lines, in the lines' order."""
        parts = zip(self.beliefs, self.graph.plans, strict=True)
        return np.concatenate([np.asarray(b.cov)[p.place] for b, p in parts])


def _sampled(side: Side, plan: Plan) -> _Sample:
    """Slots that the noise level is read from, always the same, with the places of their lines."""
    filled = np.flatnonzero(np.asarray(side.source) >= 0)
    if filled.size > SAMPLE:
        filled = np.sort(np.random.default_rng(0).choice(filled, SAMPLE, replace=False))
    starts = np.array([b.slot for b in plan.buckets])
    of = np.searchsorted(starts, filled, side="right") - 1
    width = np.array([b.width for b in plan.buckets])[of]
    first = np.array([b.line for b in plan.buckets])[of]
    places = first + (filled - starts[of]) // width
    # Sizes of few digits, so that like problems share compiled code; the last ones count twice.
    more = rounded(filled.size) - filled.size
    at: Any = on_device((np.r_[filled, filled[:more]], np.r_[places, places[:more]]))
    return _Sample(*at)
