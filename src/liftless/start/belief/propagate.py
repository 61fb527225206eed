"""Belief propagation under way: the sides, their beliefs, and the sweeps."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._memory import aligned, aligned_zeros
from liftless._precision import on_device
from liftless._types import AnyArray
from liftless.space import Space
from liftless.start.belief import host, level
from liftless.start.belief.layout import (
    CHUNK,
    Plan,
    Side,
    one_side,
    rounded,
    say,
    two_sides,
)
from liftless.start.belief.observed import Observed
from liftless.start.belief.sweep import Beliefs, Told, half_sweep, whole_sweep

Factor = Float[np.ndarray, "n r"]

#: Damping of the messages: of two sides, of a symmetric matrix, and after a line failed.
DAMPING, DAMPING_SYMMETRIC, DAMPING_AFTER = 0.2, 0.3, 0.5
#: Size of the first messages, as a share of what the prior has.
SMALL = 0.3
#: Entries from which messages are kept in single precision.
SINGLE = 4_000_000
#: Misfit at which the beliefs have run away.
AWAY = 1e3


def _taken(made: Beliefs) -> Beliefs:
    """Move arrays to the device; they are not used again."""
    return jax.tree.map(lambda part: jax.device_put(part, may_alias=True), made)


class Effects(NamedTuple):
    """Effects that lines begin with, of rows and of columns, or of a symmetric matrix's lines.

    Attributes
    ----------
    of : tuple of arrays of shapes (n1,), (n2,)
    variance : tuple of float
    """

    of: tuple[Float[np.ndarray, " _"], ...]
    variance: tuple[float, ...]


@dataclass(frozen=True)
class Beside:
    """What lines have beside the factor, for tables.

    Attributes
    ----------
    effects : Effects or None
    bound : float or None
        Predicted deviations from which a misfit is a gross error; None for none.
    width : int
        Components that there is room for, so that ranks share compiled code.
    single : bool
        Whether NumPy sweeps in single precision: half the time, for data whose noise is plain.
    """

    effects: Effects | None
    bound: float | None
    width: int
    single: bool = False


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
    sampled : int
        Slots that the noise level is read from, with padding.
    host : bool
        Whether all arrays are NumPy's, and sweeps are made by it.
    """

    sides: tuple[Side, ...]
    plans: tuple[Plan, ...]
    ends: tuple[AnyArray, AnyArray]
    y: AnyArray
    m: int
    sampled: int = 0
    host: bool = False


def graph(seen: Observed, space: Space, chunk: int = CHUNK, *, host: bool = False) -> Graph:
    """Lay the entries out, by the sides of the space; for sweeps by NumPy if ``host``."""
    if len(space.sides) == 1:
        off = seen.rows != seen.cols
        rows, cols, y, spread = seen.rows[off], seen.cols[off], seen.y[off], seen.spread[off]
        sides, plans = one_side(rows, cols, space.n, y, spread, chunk, fine=host)
    else:
        cols = seen.cols - space.sides[-1].start
        rows, y, spread = seen.rows, seen.y, seen.spread
        sides, plans = two_sides(rows, cols, *space.shape, y, spread, chunk, fine=host)
    m = y.size
    padding = (0, 0 if host else rounded(m) - m)
    ends = tuple(
        aligned(np.pad(plan.place[line], padding))
        for plan, line in zip((plans[0], plans[-1]), (rows, cols), strict=True)
    )
    values = aligned(np.pad(y, padding))
    if not host:
        sides, ends, values = on_device((sides, ends, values))
    return Graph(sides, plans, ends, values, m, host=host)


class Propagation:
    """Beliefs about the lines of a matrix, and the sweeps that improve them.

    Parameters
    ----------
    of : Graph
    rank, seed : int
        Width of the factor, and seed of the first messages.
    damping : float, optional
    beside : Beside, optional
        What lines have beside the factor; effect and constant come first then.
    """

    def __init__(
        self,
        of: Graph,
        rank: int,
        seed: int,
        damping: float | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.graph, self.rank, self.beside = of, rank, beside
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
            self._silent(plan, rng if k == len(of.plans) - 1 else None, k)
            for k, plan in enumerate(of.plans)
        ]
        self._samples: list[level.Sample] | None = None
        self._asked: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def _silent(self, plan: Plan, rng: np.random.Generator | None, k: int) -> Beliefs:
        """Beliefs before the first sweep: a random mean for those that speak first."""
        r, first = self.rank, self.first
        width = r if self.beside is None else first + self.beside.width
        prior = np.zeros((width, width))
        prior[first : first + r, first : first + r] = np.eye(r) / math.sqrt(r)
        centre = None
        # The largest arrays by far: single precision is enough to resolve a component of 1e-4.
        heavy = self.graph.m >= SINGLE and not self.graph.host
        kind = np.float32 if heavy or self.single else np.float64
        mean = np.zeros((plan.places, width))
        out = aligned_zeros((plan.slots, width + 2), kind)
        out[:, width + 1] = np.trace(prior @ prior)
        effects = None if self.beside is None else self.beside.effects
        if effects is not None:
            centre = np.zeros(width)
            prior[0, 0] = effects.variance[k]
            mean[plan.place, 0], mean[plan.place, 1] = effects.of[k], 1.0
        if rng is not None:
            drawn = rng.standard_normal((plan.place.size, r)) * (SMALL / r**0.25)
            mean[plan.place, first : first + r] = drawn
            say(plan, mean, out)
        cov = np.broadcast_to(prior, (plan.places, width, width)).copy()
        if self.single:
            mean, cov = mean.astype(kind), cov.astype(kind)
        made = Beliefs(mean, cov, out, prior, prior.copy(), centre)
        return made if self.graph.host else _taken(made)

    @property
    def single(self) -> bool:
        """Whether NumPy sweeps in single precision."""
        return self.graph.host and self.beside is not None and self.beside.single

    def refine(self) -> None:
        """Go on in double precision."""
        assert self.beside is not None
        self.beside = replace(self.beside, single=False)
        self.beliefs = [_double(b) for b in self.beliefs]

    @property
    def first(self) -> int:
        """Where the components begin among a line's numbers."""
        return 0 if self.beside is None or self.beside.effects is None else 2

    @property
    def bound(self) -> float | None:
        """Predicted deviations from which a misfit is a gross error; None for none."""
        return None if self.beside is None else self.beside.bound

    # -- sweeps -------------------------------------------------------------------------------

    def sweep(self, *, learn: bool = False) -> float:
        """One sweep over all sides; the misfit of the means, infinite where they ran away."""
        early = self.sweeps == 0
        bad = 0.0
        bound = None if self.bound is None else np.asarray(self.bound)
        for k, side in enumerate(self.graph.sides):
            if not early:
                self.noise = self._estimate(k) if learn else 0.0
            told = Told(
                np.asarray(self.noise),
                np.asarray(0.0 if early else self.damping),
                np.asarray(early and k == 0),
                np.asarray(early),
                bound,
            )
            if self.graph.host:
                other = self.beliefs[0] if self.symmetric else self.beliefs[1 - k]
                self.beliefs[k], lost = host.half_sweep(side, self.beliefs[k], other, told)
            elif self.symmetric:
                self.beliefs[0], lost = whole_sweep(side, self.beliefs[0], told)
            else:
                self.beliefs[k], lost = half_sweep(side, self.beliefs[k], self.beliefs[1 - k], told)
            bad += lost
        self.sweeps += 1
        self.misfit = self._misfit()
        if float(bad) > 0:
            self.failed += 1
            self.damping = DAMPING_AFTER
        if not self.misfit < AWAY:
            self.misfit = math.inf
        return self.misfit

    def _misfit(self) -> float:
        of, own, other = self.graph, self.beliefs[0], self.beliefs[-1]
        middle = self.bound is not None
        if not of.host:
            m = np.asarray(float(of.m))
            return float(level.misfit(of.ends, of.y, m, own, other, middle=middle))
        if self._asked is None:
            self._asked = level.asked(of.ends, of.y, of.m)
        return level.misfit_host(*self._asked, own, other, middle=middle)

    def _estimate(self, k: int) -> float:
        if self._samples is None:
            self._samples = [
                level.sampled(side, plan, host=self.graph.host, least=self.graph.sampled)
                for side, plan in zip(self.graph.sides, self.graph.plans, strict=True)
            ]
        other = self.beliefs[0] if self.symmetric else self.beliefs[1 - k]
        given = self.graph.sides[k], self.beliefs[k], other, self._samples[k]
        return float(level.noise_of(np, *given) if self.graph.host else level.noise(*given))

    def with_beliefs(
        self, beliefs: list[Beliefs], *, of: Graph | None = None, rank: int = 0, width: int = 0
    ) -> "Propagation":
        """Return other beliefs, of NumPy, of another graph or more components, to be swept on."""
        twin = object.__new__(Propagation)
        twin.__dict__.update(self.__dict__)
        twin.graph, twin._samples = of or self.graph, None if of else self._samples
        twin._asked = None if of else self._asked
        twin.rank, twin.sweeps, twin.failed = rank or self.rank, 1, 0
        if self.beside is not None:
            twin.beside = replace(self.beside, width=max(width, self.beside.width))
        twin.take(beliefs)
        return twin

    def take(self, beliefs: list[Beliefs]) -> None:
        """Have other beliefs of the same state, of NumPy, in place."""
        self.beliefs = beliefs if self.graph.host else [_taken(one) for one in beliefs]

    def copy(self) -> "Propagation":
        """Return the same state, to be swept on its own."""
        twin = object.__new__(Propagation)
        twin.__dict__.update(self.__dict__)
        # Sweeps take the arrays that they replace.
        same = self.graph.host
        twin.beliefs = list(self.beliefs) if same else jax.tree.map(jnp.array, self.beliefs)
        return twin

    # -- what is believed ---------------------------------------------------------------------

    def weakest(self) -> float:
        """Root mean square of the entries of the weakest component, by the learned priors."""
        return float(self.components()[-1])

    def components(self) -> Float[np.ndarray, " r"]:
        """Root mean square of the entries of each component, largest first."""
        used = slice(self.first, self.first + self.rank)
        A, B = (np.asarray(self.beliefs[k].prior)[used, used] for k in (0, -1))
        if not (np.isfinite(A).all() and np.isfinite(B).all()):
            return np.zeros(self.rank)
        values, Q = np.linalg.eigh(A)
        root = Q * np.sqrt(np.maximum(values, 0.0))[None, :]
        return np.sqrt(np.maximum(np.linalg.eigvalsh(root.T @ B @ root), 0.0))[::-1]

    def factor(self) -> Factor:
        """Posterior means of the lines, in the lines' order."""
        parts = zip(self.beliefs, self.graph.plans, strict=True)
        return np.concatenate([np.asarray(b.mean)[p.place] for b, p in parts]).astype(float)

    def covariances(self) -> Float[np.ndarray, "n r r"]:
        """Posterior covariances of the lines, in the lines' order."""
        parts = zip(self.beliefs, self.graph.plans, strict=True)
        return np.concatenate([np.asarray(b.cov)[p.place] for b, p in parts]).astype(float)


def _double(b: Beliefs) -> Beliefs:
    """The same in double precision."""
    mean, cov, out = (np.asarray(x, float) for x in (b.mean, b.cov, b.out))
    return Beliefs(mean, cov, out, b.prior, b.average, b.centre)
