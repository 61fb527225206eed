"""Constants of perturbed descent by the formulas of the theorems."""

import math
from typing import Any

from liftless._checks import positive_int, real_number
from liftless._errors import InvalidInput
from liftless.descent import IPGD, PerturbedGD
from liftless.descent.perturbed import check_gamma


def ipgd_by_formulas(
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
) -> IPGD:
    """IPGD with F, G and T_escape by line 1 of Algorithm 1 (see :func:`algorithm_constants`)."""
    F, G, T = algorithm_constants(
        gamma=gamma, epsilon=epsilon, eta=eta, d=d, rho=rho, delta_f=delta_f, chi=chi, C=C
    )
    return IPGD(gamma, eta=eta, G=G, F=F, T_escape=math.ceil(T), returned=returned)


def perturbed_by_formulas(
    *,
    epsilon: float,
    ell: float,
    rho: float,
    delta_f: float,
    chi: float,
    d: int,
    c: float = 1.0,
) -> PerturbedGD:
    """Perturbed descent with the constants of Jin et al. (2017).

    For an ε-second-order point, failing with chance χ.  ``c`` is their small absolute constant; ℓ
    and ρ are the Lipschitz constants of gradient and Hessian.
    """
    epsilon, ell, rho, delta_f, chi, c = _positive(
        epsilon=epsilon, ell=ell, rho=rho, delta_f=delta_f, chi=chi, c=c
    )
    log = math.log(d * ell * delta_f / (c * epsilon**2 * chi))
    weight = 3 * max(log, 4.0)
    return PerturbedGD(
        math.sqrt(c) / weight**2 * epsilon / ell,
        eta=c / ell,
        G=math.sqrt(c) / weight**2 * epsilon,
        F=c / weight**3 * math.sqrt(epsilon**3 / rho),
        T_escape=math.ceil(weight / c**2 * ell / math.sqrt(rho * epsilon)),
    )


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
