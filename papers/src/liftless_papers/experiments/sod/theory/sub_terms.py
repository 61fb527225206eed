"""The 18 sub-terms of the lifted gradient at a truncated point, in explicit tensors (Table 3)."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from jaxtyping import Float

from liftless.escape import MultiStep
from liftless.lifted.explicit import ExplicitLift
from liftless_papers.experiments.sod.theory.cases import Case, Matrix

Tensor = Float[np.ndarray, "..."]

#: Below this fraction of the product of its factors' norms, a sub-term counts as zero.
VANISHING = 1e-12
#: Group of the second factor and index within it -> name, for the first factors a, b, c.
NAMES = {
    "0": ("0", "H_1^1", "H_1^2"),
    "beta": ("H_2^1", "H_2^3", "H_2^5"),
    "beta^2": ("H_2^2", "H_2^4", "H_2^6"),
    "gamma": ("H_3^1", "H_3^3", "H_3^5"),
    "gamma^2": ("H_3^2", "H_3^4", "H_3^6"),
    "beta gamma": ("H_4^1", "H_4^2", "H_4^3"),
}


@dataclass(frozen=True)
class SubTerm:
    """One sub-term at w = a + beta b + gamma c.

    Attributes
    ----------
    name : str
    explicit : array of shape (n r,) * l
        The contraction of Table 3.
    printed, corrected : arrays of shape (n r,) * l
        Its simplified form as the paper gives it, and the one that holds.
    size : float
        Product of the norms of the two factors of the contraction.
    """

    name: str
    explicit: Tensor
    printed: Tensor
    corrected: Tensor
    size: float

    def off(self, form: Tensor) -> float:
        """Deviation of a form from the explicit tensor, relative to the latter."""
        scale = max(float(np.linalg.norm(self.explicit)), VANISHING * self.size)
        return float(np.linalg.norm(form - self.explicit)) / scale


@dataclass(frozen=True)
class Coefficients:
    """Coefficients beta and gamma of (5.8) after t steps; that of a is 1."""

    beta: float
    gamma: float


def coefficients(c: Case, order: int, rho: float, eta: float, t: int) -> Coefficients:
    """Coefficients as printed in Prop. 5.2."""
    size, pull = float(np.linalg.norm(c.X)), float(np.linalg.norm(c.o.EX))
    form = MultiStep(c.o.lambda_n, c.o.sigma, size, pull, order, rho, eta)
    beta = float(np.exp(order * form.log_beta(float(t))))
    return Coefficients(beta, -float(np.exp(order * form.log_gamma(float(t)))))


def kron_power(M: Matrix, order: int) -> Float[np.ndarray, "N N"]:
    """M^{(x) l} as a matrix over the first and the second indices."""
    return reduce(np.kron, [M] * order)


def sub_terms(c: Case, lift: ExplicitLift, w: Coefficients) -> list[SubTerm]:
    """All 18 sub-terms, in the order of :data:`NAMES`."""
    first = list(
        zip(
            (1.0, w.beta, w.gamma),
            (c.X, c.o.beta_direction, c.o.gamma_direction),
            strict=True,
        )
    )
    found: list[SubTerm] = []
    for group, names in NAMES.items():
        coefficient, parts = _second(c, w, group, lift.order)
        powers = [kron_power(M, lift.order) for M in parts]
        M = coefficient * (powers[0] - powers[1] if group == "0" else sum(powers))
        size = abs(coefficient) * max(float(np.linalg.norm(K)) for K in powers)
        for name, (scale, D) in zip(names, first, strict=True):
            factor = scale * lift.lift(D)
            forms = _forms(c, lift, group, parts, D)
            found.append(
                SubTerm(
                    name,
                    lift.pairing(factor, M),
                    scale * coefficient * forms[0],
                    scale * coefficient * forms[1],
                    float(np.linalg.norm(factor)) * size,
                )
            )
    return found


def _second(c: Case, w: Coefficients, group: str, order: int) -> tuple[float, list[Matrix]]:
    """Second factor of a group: its coefficient, and the matrices whose powers are added.

    Those of group "0" are subtracted.
    """
    u, v, E, X2 = c.o.u_n, c.o.v, c.E, c.X @ c.X.T
    s = c.o.sigma**order
    second: dict[str, tuple[float, list[Matrix]]] = {
        "0": (1.0, [X2, c.Z @ c.Z.T]),
        "beta": (w.beta * s, [np.outer(v, u), np.outer(u, v)]),
        "beta^2": (w.beta**2, [np.outer(u, u)]),
        "gamma": (w.gamma, [X2 @ E, E @ X2]),
        "gamma^2": (w.gamma**2, [E @ X2 @ E]),
        "beta gamma": (w.beta * w.gamma * s, [np.outer(u, v) @ E, E @ np.outer(v, u)]),
    }
    return second[group]


def _forms(
    c: Case, lift: ExplicitLift, group: str, parts: list[Matrix], D: Float[np.ndarray, "n r"]
) -> tuple[Tensor, Tensor]:
    """Printed and corrected simplified form, without the coefficients."""
    if group == "0":
        # The paper takes the power of the difference; it is the difference of the powers.
        printed = lift.lift(c.star(parts[0] - parts[1]) @ D)
        return printed, lift.lift(c.star(parts[0]) @ D) - lift.lift(c.star(parts[1]) @ D)
    # A sees the symmetric part alone: each of two transposes gives half of the sum's image.
    form = lift.lift(c.star(sum(parts, np.zeros_like(parts[0]))) @ D)
    form = form / 2 ** (lift.order - 1) if len(parts) == 2 else form
    return form, form
