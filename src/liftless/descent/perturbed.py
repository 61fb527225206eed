"""Perturbed gradient descent, IPGD (Algorithm 1) and IPGD+ (Algorithm 2)."""

import abc
import math
from typing import Any

import equinox as eqx
import numpy as np

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless.ipgd.adaptive import Adaptive
from liftless.ipgd.rules import Printed, Rule

#: Least γ whose components stay normal doubles in any dimension up to 1e15.
LEAST_GAMMA = 1e-300
#: Local steps when the number is not given.
LOCAL_STEPS = 3000


class Perturbed(eqx.Module):
    """A method of perturbed descent: its rule, and the steps of its local phase.

    A subclass is final, checks its arguments and hands the rule over; :func:`ipgd` runs it.
    """

    @abc.abstractmethod
    def rule(self) -> Rule:
        """Decisions on the way."""

    @abc.abstractmethod
    def local_steps(self) -> int:
        """Longest local phase of plain descent after the return; 0 for none."""


def check_gamma(gamma: Any) -> float:
    """``gamma`` as a radius whose components are normal doubles."""
    number = real_number("gamma", gamma, above=0.0)
    if number < LEAST_GAMMA:
        cure = "Smaller numbers lose digits or vanish; 1e-15 is the paper's."
        raise InvalidInput("gamma", number, f"at least {LEAST_GAMMA:g}", cure)
    return number


def _printed(gamma: Any, eta: Any, G: Any, F: Any, T_escape: Any, returned: str) -> Printed:
    """Check the constants of Algorithm 1 and gather them."""
    looks = T_escape == "curvature"
    if isinstance(T_escape, str) and not looks:
        must = "a number of steps, or 'curvature'"
        raise InvalidInput("T_escape", repr(T_escape), must)
    if returned not in ("z", "x"):
        raise InvalidInput("returned", repr(returned), "'z' (as printed) or 'x'")
    steps = math.nan if looks else float(positive_int("T_escape", T_escape))
    if looks and F is None:
        raise InvalidInput("F", None, "a number where T_escape is 'curvature'")
    # F = None never returns; a NaN comparison is false.
    drop = math.nan if F is None else real_number("F", F, least=0.0)
    return Printed(
        gamma=np.asarray(check_gamma(gamma)),
        eta=np.asarray(real_number("eta", eta, above=0.0)),
        G=np.asarray(real_number("G", G, above=0.0)),
        F=np.asarray(drop),
        T_escape=np.asarray(steps),
        looks=looks,
        returned=returned,
    )


class PerturbedGD(Perturbed):
    """Perturbed gradient descent with a perturbation one can see (Jin et al., 2017).

    Their Algorithms 1 and 2: the loop of Algorithm 1 of the IPGD paper, with a large radius.

    Parameters
    ----------
    gamma, eta, G : float
        Radius, step, and gradient norm below which a perturbation is due.
    F : float or None
        Returns when f falls by less than this within ``T_escape`` steps of a perturbation;
        ``None`` never returns.
    T_escape : int
    """

    printed: Printed

    def __init__(
        self,
        gamma: float = 1e-2,
        *,
        eta: float,
        G: float = 1e-6,
        F: float | None = 1e-10,
        T_escape: int = 50,
    ) -> None:
        self.printed = _printed(gamma, eta, G, F, T_escape, "z")

    @classmethod
    def from_formulas(
        cls,
        *,
        epsilon: float,
        ell: float,
        rho: float,
        delta_f: float,
        chi: float,
        d: int,
        c: float = 1.0,
    ) -> "PerturbedGD":
        """Constants of Jin et al. (2017) for an ε-second-order point, failing with chance χ.

        ``c`` is their small absolute constant; ℓ and ρ are the Lipschitz constants of gradient
        and Hessian.
        """
        epsilon, ell, rho, delta_f, chi, c = _positive(
            epsilon=epsilon, ell=ell, rho=rho, delta_f=delta_f, chi=chi, c=c
        )
        log = math.log(d * ell * delta_f / (c * epsilon**2 * chi))
        weight = 3 * max(log, 4.0)
        return cls(
            math.sqrt(c) / weight**2 * epsilon / ell,
            eta=c / ell,
            G=math.sqrt(c) / weight**2 * epsilon,
            F=c / weight**3 * math.sqrt(epsilon**3 / rho),
            T_escape=math.ceil(weight / c**2 * ell / math.sqrt(rho * epsilon)),
        )

    def rule(self) -> Rule:
        """Algorithm 1's loop."""
        return self.printed

    def local_steps(self) -> int:
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
        Gradient norm below which a perturbation is due; decrease below which it returns.
    T_escape : int or "curvature"
        Steps after a perturbation.  With "curvature" they follow from γ, η, F and the least
        curvature at the perturbed point.
    returned : {"z", "x"}
        The point before the last perturbation, line 9 as printed, or the present one.  After a
        start at a stationary point, z is that start itself: a local phase cannot leave it.
    """

    printed: Printed

    def __init__(
        self,
        gamma: float = 1e-15,
        *,
        eta: float,
        G: float = 1e-7,
        F: float = 1e-10,
        T_escape: int | str = 50,
        returned: str = "z",
    ) -> None:
        self.printed = _printed(gamma, eta, G, F, T_escape, returned)

    @classmethod
    def from_formulas(
        cls,
        gamma: float = 1e-15,
        *,
        epsilon: float,
        eta: float,
        d: int,
        rho: float,
        delta_f: float,
        chi: float,
        C: float = 1.0,
        returned: str = "z",
    ) -> "IPGD":
        """F, G and T_escape by line 1 of Algorithm 1 (see :func:`algorithm_constants`)."""
        F, G, T = algorithm_constants(
            gamma=gamma, epsilon=epsilon, eta=eta, d=d, rho=rho, delta_f=delta_f, chi=chi, C=C
        )
        return cls(gamma, eta=eta, G=G, F=F, T_escape=math.ceil(T), returned=returned)

    def rule(self) -> Rule:
        """Algorithm 1's loop."""
        return self.printed

    def local_steps(self) -> int:
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
        The rule of :class:`~liftless.ipgd.adaptive.Adaptive`, which takes step, tolerances and
        escape time from the curvature; or Algorithm 1 with the constants below.
    eta, G, F, T_escape, returned
        As for :class:`IPGD`, in mode "paper" only; there ``eta`` must be given.
    local_steps : int
        T′.  The printed loop t = 0, 1, …, T′ has T′ + 1 steps, and all are made; the adaptive
        rule makes at most T′ and ends at ‖∇f‖ <= 1e-14 H0.

    Raises
    ------
    InvalidInput
        A constant out of range, or given in a mode that does not use it.
    """

    kept: Rule
    steps: int = eqx.field(static=True)

    def __init__(
        self,
        gamma: float = 1e-15,
        *,
        mode: str = "adaptive",
        eta: float | None = None,
        G: float | None = None,
        F: float | None = None,
        T_escape: int | str | None = None,
        returned: str | None = None,
        local_steps: int = LOCAL_STEPS,
    ) -> None:
        if mode not in ("adaptive", "paper"):
            raise InvalidInput("mode", repr(mode), "'adaptive' or 'paper'")
        steps = positive_int("local_steps", local_steps, least=0)
        given = {"eta": eta, "G": G, "F": F, "T_escape": T_escape, "returned": returned}
        if mode == "adaptive":
            for name, value in given.items():
                if value is not None:
                    cure = "Pass mode='paper' to set it."
                    raise InvalidInput(name, describe(value), "left out in mode 'adaptive'", cure)
            self.kept, self.steps = Adaptive(check_gamma(gamma)), steps
            return
        if eta is None:
            cure = "The paper's steps are 0.1, 0.02 and 0.01, by problem; pass one."
            raise InvalidInput("eta", None, "a step size in mode 'paper'", cure)
        self.kept = _printed(
            gamma,
            eta,
            1e-7 if G is None else G,
            1e-10 if F is None else F,
            50 if T_escape is None else T_escape,
            "z" if returned is None else returned,
        )
        self.steps = steps + 1

    def rule(self) -> Rule:
        """Rule of the first phase."""
        return self.kept

    def local_steps(self) -> int:
        """Longest local phase."""
        return self.steps


def algorithm_constants(
    *,
    gamma: float,
    epsilon: float,
    eta: float,
    d: int,
    rho: float,
    delta_f: float,
    chi: float,
    C: float = 1.0,
) -> tuple[float, float, float]:
    """F, G and T_escape of line 1 of Algorithm 1.

    Parameters
    ----------
    gamma, epsilon, eta : float
        Radius, tolerance and step.
    d : int
        Dimension.
    rho, delta_f, chi : float
        Lipschitz constant of the Hessian, f(x0) − min f, chance of failure.
    C : float
        The printed "sufficiently large constant".

    Returns
    -------
    F, G, T_escape : float
        T_escape as printed, not rounded.

    Raises
    ------
    InvalidInput
        If γ >= 1, or the second logarithm is so negative that no time is left.
    """
    gamma = check_gamma(gamma)
    epsilon, eta, rho, delta_f, chi, C = _positive(
        epsilon=epsilon, eta=eta, rho=rho, delta_f=delta_f, chi=chi, C=C
    )
    if gamma >= 1:
        raise InvalidInput("gamma", gamma, "below 1: the formulas use log(1/γ)")
    noise = -math.log(gamma)
    rest = math.log(rho * positive_int("d", d) * delta_f / (chi * epsilon))
    if noise + rest <= 0 or noise**3 + rest**3 <= 0:
        must = "small enough that log(1/γ) + log(ρ d Δ_f / (χ ε)) > 0"
        raise InvalidInput("epsilon", epsilon, must)
    F = epsilon**1.5 / (C * math.sqrt(rho) * (noise**3 + rest**3))
    G = epsilon / (C * noise**2)
    return F, G, C / (eta * math.sqrt(rho * epsilon)) * (noise + rest)


def _positive(**numbers: Any) -> tuple[float, ...]:
    return tuple(real_number(name, value, above=0.0) for name, value in numbers.items())
