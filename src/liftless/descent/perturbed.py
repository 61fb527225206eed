"""Perturbed gradient descent, IPGD (Algorithm 1) and IPGD+ (Algorithm 2)."""

import abc
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from liftless._checks import describe, is_traced, real_number, traced_whole
from liftless._errors import InvalidInput
from liftless._fields import number
from liftless._types import AnyArray, Scalar, Whole
from liftless.descent import journey as of
from liftless.descent.adaptive import Adaptive
from liftless.descent.base import Method, Point
from liftless.descent.curvature import directions
from liftless.descent.journey import Journey
from liftless.descent.rules import Printed, Rule
from liftless.descent.stop import (
    CONFIRMED,
    DIVERGED,
    FITTED,
    LIMITED,
    RETURNED,
    RUNNING,
    STALLED,
    STATIONARY,
)
from liftless.objective import Objective

#: Least γ whose components stay normal doubles in any dimension up to 1e15.
LEAST_GAMMA = 1e-300
#: Local steps when the number is not given.
LOCAL_STEPS = 3000
#: The word for a T_escape that follows from the curvature.
CURVATURE = "curvature"
#: Largest seed.
MOST_SEED = 2**63 - 1


class Perturbed(Method[Journey]):
    """A method of perturbed descent: its rule, and the steps of its local phase.

    A subclass is final; it checks its arguments and hands the rule over.  A step is a step of
    plain descent, or a look at which the point is perturbed or the first phase returns; the
    run ends by the rule.

    Notes
    -----
    A stationary start, such as zero, is a start like any other.  The perturbation of radius γ is
    uniform in a ball of *all* entries of X, zero columns too, save where the rule is ``relative``.
    """

    seed: eqx.AbstractVar[Whole]

    @abc.abstractmethod
    def rule(self) -> Rule:
        """Decisions on the way."""

    @abc.abstractmethod
    def longest_local(self) -> Any:
        """Longest local phase of plain descent after the return; 0 for none."""

    @property
    def alone(self) -> bool:
        """A batch would solve the eigenproblem of a look at every step."""
        return self.rule().looks

    def init(self, objective: Objective, point: Point) -> Journey:
        """Measure the curvature at the start, which sets the scale."""
        pool, longest = directions(np.size(point.X)), (np.inf, self.longest_local())
        return of.begin(objective, self.rule(), self.seed, longest, pool, point)

    def advance(self, objective: Objective, point: Point, state: Journey) -> tuple[Point, Journey]:
        """One step, or a look; two applications, and with the curvature those of its products."""
        pool = directions(np.size(point.X))
        step = functools.partial(of.step, objective, self.rule())
        look = functools.partial(of.look, objective, self.rule(), pool)
        return jax.lax.cond(of.waiting(state.walk), look, step, point, state)

    def status(self, code: AnyArray, state: Journey) -> AnyArray:
        """Status by the rule's own end; a stationary point is none where G is absolute."""
        rule, phase = self.rule(), state.walk.phase
        ended = jnp.full_like(code, RUNNING)
        end = CONFIRMED if rule.certifies else RETURNED
        for there, status in (
            (of.RETURNED, end),
            (of.LIMIT, LIMITED),
            (of.STALLED, STALLED),
            (of.UNSTABLE, DIVERGED),
        ):
            ended = jnp.where(phase == there, status, ended)
        kept = (code == FITTED) | (code == DIVERGED)
        kept = kept | (rule.relative & ((code == STATIONARY) | (code == STALLED)))
        return jnp.where(kept, code, ended)


def check_gamma(gamma: Any) -> Any:
    """``gamma`` as a radius whose components are normal doubles."""
    radius = real_number("gamma", gamma, above=0.0)
    if not is_traced(radius) and radius < LEAST_GAMMA:
        cure = "Smaller numbers lose digits or vanish; 1e-15 is the paper's."
        raise InvalidInput("gamma", radius, f"at least {LEAST_GAMMA:g}", cure)
    return radius


def check_seed(seed: Any) -> Any:
    """``seed`` as a whole number of 63 bits."""
    return traced_whole("seed", seed, least=0, most=MOST_SEED)


def _check_steps(T_escape: Any, F: Any) -> Any:
    """T_escape as a number of steps, or the word for what follows from the curvature."""
    if isinstance(T_escape, str):
        if T_escape != CURVATURE:
            must = f"a number of steps, or {CURVATURE!r}"
            raise InvalidInput("T_escape", repr(T_escape), must)
        if F is None:
            raise InvalidInput("F", None, f"a number where T_escape is {CURVATURE!r}")
        return T_escape
    return traced_whole("T_escape", T_escape)


def _check_returned(returned: Any) -> str:
    if returned not in ("z", "x"):
        raise InvalidInput("returned", repr(returned), "'z' (as printed) or 'x'")
    return returned


def _looks(T_escape: Any) -> bool:
    """Whether T_escape follows from the curvature: the word for it is None in compiled code."""
    return T_escape is None or isinstance(T_escape, str)


class PerturbedGD(Perturbed):
    """Perturbed gradient descent with a perturbation one can see (Jin et al., 2017).

    Their Algorithms 1 and 2: X ← X − η ∇f(X), and X ← X + ξ, ξ uniform in a ball, where the
    gradient is small and at least ``T_escape`` steps have passed since the last one.

    Parameters
    ----------
    gamma, eta, G : float
        Radius, step, and gradient norm below which a perturbation is due.
    F : float or None
        Returns when f falls by less than this within ``T_escape`` steps of a perturbation;
        ``None`` never returns.
    T_escape : int
    relative : bool
        A gradient is small where ‖∇f‖ ‖X‖ <= G (f − its least value), free of the scale of f and
        of X, so that a run about to fit the data is left alone.  Then stacked starts get streams
        of their own, and each the same as alone; columns that are zero at a perturbation stay
        zero and change nothing else; and the stop rule's gradient tolerance ends a run too.
    seed : int

    Notes
    -----
    Jin, Ge, Netrapalli, Kakade and Jordan (2017), How to Escape Saddle Points Efficiently.  The
    loop is that of Algorithm 1 of the IPGD paper, with a large radius.
    """

    gamma: Scalar = number()
    eta: Scalar = number()
    G: Scalar = number()
    F: Scalar | None = number(absent=np.nan)
    T_escape: Whole = number()
    relative: bool = eqx.field(static=True, kw_only=True)
    seed: Whole = number(np.int64)

    def __init__(
        self,
        gamma: Scalar = 1e-2,
        *,
        eta: Scalar,
        G: Scalar = 1e-6,
        F: Scalar | None = 1e-10,
        T_escape: Whole = 50,
        relative: bool = False,
        seed: Whole = 0,
    ) -> None:
        self.gamma = check_gamma(gamma)
        self.eta = real_number("eta", eta, above=0.0)
        self.G = real_number("G", G, above=0.0)
        self.F = None if F is None else real_number("F", F, least=0.0)
        self.T_escape = traced_whole("T_escape", T_escape)
        if not isinstance(relative, bool):
            raise InvalidInput("relative", describe(relative), "True or False")
        self.relative, self.seed = relative, check_seed(seed)

    def rule(self) -> Rule:
        """Algorithm 1's loop."""
        kinds = {"looks": False, "relative": self.relative, "returned": "z"}
        return Printed(self.gamma, self.eta, self.G, self.F, self.T_escape, **kinds)

    def longest_local(self) -> Any:
        """No local phase."""
        return 0


class IPGD(Perturbed):
    """Infinitesimally perturbed gradient descent, Algorithm 1 of the IPGD paper.

    Parameters
    ----------
    gamma : float
        Radius of the perturbation, 1e-15 in the paper's experiments.
    eta : float
        Step size, below 2 over the largest curvature on the way.
    G, F : float
        Gradient norm below which a perturbation is due; decrease below which it returns (None:
        never).
    T_escape : int or "curvature"
        Steps after a perturbation.  With "curvature" they follow from γ, η, F and the least
        curvature at the perturbed point.
    returned : {"z", "x"}
        The point before the last perturbation, line 9 as printed, or the present one.  After a
        start at a stationary point, z is that start itself: a local phase cannot leave it.
    seed : int
        Of the perturbations, the only randomness.
    """

    gamma: Scalar = number()
    eta: Scalar = number()
    G: Scalar = number()
    F: Scalar | None = number(absent=np.nan)
    T_escape: Whole | str | None = number(words={CURVATURE: None})
    returned: str = eqx.field(static=True, kw_only=True)
    seed: Whole = number(np.int64)

    def __init__(
        self,
        gamma: Scalar = 1e-15,
        *,
        eta: Scalar,
        G: Scalar = 1e-7,
        F: Scalar | None = 1e-10,
        T_escape: Whole | str = 50,
        returned: str = "z",
        seed: Whole = 0,
    ) -> None:
        self.gamma = check_gamma(gamma)
        self.eta = real_number("eta", eta, above=0.0)
        self.G = real_number("G", G, above=0.0)
        self.F = None if F is None else real_number("F", F, least=0.0)
        self.T_escape = _check_steps(T_escape, F)
        self.returned, self.seed = _check_returned(returned), check_seed(seed)

    def rule(self) -> Rule:
        """Algorithm 1's loop."""
        looks = _looks(self.T_escape)
        T: Any = None if looks else self.T_escape
        numbers: tuple[Any, ...] = (self.gamma, self.eta, self.G, self.F)
        named: Any = self.returned
        return Printed(*numbers, T, looks=looks, returned=named)  # pyright: ignore[reportCallIssue]

    def longest_local(self) -> Any:
        """No local phase."""
        return 0


class IPGDPlus(Perturbed):
    """IPGD and then plain descent, Algorithm 2 of the IPGD paper.

    Parameters
    ----------
    gamma : float
        Radius of the perturbation; the answer leaves the low-dimensional region by about this
        much times its growth on the way.
    mode : {"adaptive", "paper"}
        The rule of :class:`~liftless.descent.adaptive.Adaptive`, which takes step, tolerances and
        escape time from the curvature; or Algorithm 1 with the constants below.
    eta, G, F, T_escape, returned
        As for :class:`IPGD`, in mode "paper" only; there ``eta`` must be given.
    local_steps : int
        T′.  The printed loop t = 0, 1, …, T′ has T′ + 1 steps, and all are made; the adaptive
        rule makes at most T′ and ends at ‖∇f‖ <= 1e-14 H0.
    seed : int
        Of the perturbations, the only randomness.

    Raises
    ------
    InvalidInput
        A constant out of range, or given in a mode that does not use it.
    """

    gamma: Scalar = number()
    mode: str = eqx.field(static=True, kw_only=True)
    eta: Scalar | None = number()
    G: Scalar | None = number()
    F: Scalar | None = number()
    T_escape: Whole | str | None = number(words={CURVATURE: None})
    returned: str | None = eqx.field(static=True, kw_only=True)
    local_steps: Whole = number()
    seed: Whole = number(np.int64)

    def __init__(
        self,
        gamma: Scalar = 1e-15,
        *,
        mode: str = "adaptive",
        eta: Scalar | None = None,
        G: Scalar | None = None,
        F: Scalar | None = None,
        T_escape: Whole | str | None = None,
        returned: str | None = None,
        local_steps: Whole = LOCAL_STEPS,
        seed: Whole = 0,
    ) -> None:
        if mode not in ("adaptive", "paper"):
            raise InvalidInput("mode", repr(mode), "'adaptive' or 'paper'")
        self.gamma, self.mode, self.seed = check_gamma(gamma), mode, check_seed(seed)
        self.local_steps = traced_whole("local_steps", local_steps, least=0)
        given = {"eta": eta, "G": G, "F": F, "T_escape": T_escape, "returned": returned}
        if mode == "adaptive":
            for name, value in given.items():
                if value is not None:
                    cure = "Pass mode='paper' to set it."
                    raise InvalidInput(name, describe(value), "left out in mode 'adaptive'", cure)
            self.eta = self.G = self.F = self.T_escape = self.returned = None
            return
        if eta is None:
            cure = "The paper's steps are 0.1, 0.02 and 0.01, by problem; pass one."
            raise InvalidInput("eta", None, "a step size in mode 'paper'", cure)
        usual = {"G": 1e-7, "F": 1e-10, "T_escape": 50, "returned": "z"}
        full = given | {name: v for name, v in usual.items() if given[name] is None}
        first = IPGD(gamma, **full)
        self.eta, self.G, self.F, self.T_escape = first.eta, first.G, first.F, first.T_escape
        self.returned = first.returned

    def rule(self) -> Rule:
        """Rule of the first phase."""
        if self.mode == "adaptive":
            return Adaptive(self.gamma)
        looks = _looks(self.T_escape)
        T: Any = None if looks else self.T_escape
        numbers: tuple[Any, ...] = (self.gamma, self.eta, self.G, self.F)
        named: Any = self.returned
        return Printed(*numbers, T, looks=looks, returned=named)  # pyright: ignore[reportCallIssue]

    def longest_local(self) -> Any:
        """Longest local phase."""
        return self.local_steps + (self.mode == "paper")
