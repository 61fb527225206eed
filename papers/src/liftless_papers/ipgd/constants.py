"""Constants of over-parameterised matrix sensing in closed form: section 6 of the IPGD paper.

The objective is (MS), f(X) = ¼ ‖A(X Xᵀ − M*)‖² with an operator scaled so that ‖A(M)‖² is about
‖M‖_F²; M* has rank r, largest and smallest nonzero eigenvalue σ_1 and σ_r, and the factor X is
n × r' with r' >= r.  The implicit region (78) is the set of X of rank <= r with ‖X‖ <= 2 √σ_1 and
‖P_{V*⊥} P_X‖ <= 4 √r κ δ.

Statements with an O(·) in the paper take its constant as an argument ``C``.
:mod:`liftless_papers.ipgd.checks` measures each of them.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_array, real_number
from liftless._errors import InvalidInput

#: The two readings of a constant: as printed, and as it can be derived.
MODES = ("paper", "exact")


@dataclass(frozen=True)
class SensingConstants:
    """What section 6 derives from the spectrum of M*, the sizes and the isometry constant.

    Parameters
    ----------
    sigma_1, sigma_r : float
        Largest and smallest nonzero eigenvalue of M*.
    n, rank, search_rank : int
        Order n, rank r of M* and columns r' of the factor.
    delta : float
        Restricted isometry constant δ.

    Raises
    ------
    InvalidInput
        σ_r > σ_1, a value that is not positive, or r > r'.
    """

    sigma_1: float
    sigma_r: float
    n: int
    rank: int
    search_rank: int
    delta: float = 0.0

    def __post_init__(self) -> None:
        real_number("sigma_r", self.sigma_r, above=0.0)
        if self.sigma_1 < self.sigma_r:
            raise InvalidInput("sigma_1", self.sigma_1, f"at least sigma_r = {self.sigma_r:g}")
        positive_int("n", self.n)
        positive_int("rank", self.rank, most=self.n)
        positive_int("search_rank", self.search_rank, least=self.rank)
        real_number("delta", self.delta, least=0.0)

    @classmethod
    def of(cls, truth: Any, search_rank: int, delta: float = 0.0) -> "SensingConstants":
        """Constants for M* = Z Zᵀ.

        Parameters
        ----------
        truth : array of shape (n, r)
            Z, of full column rank.
        search_rank : int
        delta : float
        """
        Z: Float[np.ndarray, "n r"] = real_array("truth", truth, 2)
        s = np.linalg.svd(Z, compute_uv=False) ** 2
        if s.size < Z.shape[1] or s[-1] <= 1e-14 * s[0]:
            must = "of full column rank"
            raise InvalidInput("truth", describe(Z), must, "Drop its dependent columns.")
        return cls(float(s[0]), float(s[-1]), Z.shape[0], Z.shape[1], search_rank, delta)

    # -- the implicit region (78) -----------------------------------------------------------------

    @property
    def kappa(self) -> float:
        """Condition number κ = σ_1 / σ_r."""
        return self.sigma_1 / self.sigma_r

    @property
    def norm_bound(self) -> float:
        """Bound 2 √σ_1 on ‖X‖ in (78)."""
        return 2 * math.sqrt(self.sigma_1)

    @property
    def angle_bound(self) -> float:
        """Bound 4 √r κ δ on ‖P_{V*⊥} P_X‖ in (78); from 1 on it says nothing."""
        return 4 * math.sqrt(self.rank) * self.kappa * self.delta

    @property
    def dimension(self) -> int:
        """Number of variables d = n r'."""
        return self.n * self.search_rank

    # -- Propositions 23, 24 ----------------------------------------------------------------------

    @property
    def L(self) -> float:
        """Gradient-Lipschitz constant 15 σ_1 of Proposition 23."""
        return 15 * self.sigma_1

    @property
    def rho(self) -> float:
        """Hessian-Lipschitz constant 15 √σ_1 of Proposition 23, in the spectral norm.

        Display (82) of its proof has the Frobenius norm of the Hessians, for which it is false.
        """
        return 15 * math.sqrt(self.sigma_1)

    @property
    def tau(self) -> float:
        """Width τ = √(σ_1 / n) / 10 of the neighbourhood of Proposition 23 (its d is n here)."""
        return math.sqrt(self.sigma_1 / self.n) / 10

    @property
    def closure_step(self) -> float:
        """Longest step 1/(10 σ_1) for which Proposition 24 states closure under gradient steps."""
        return 1 / (10 * self.sigma_1)

    def sharp_L(self) -> float:
        """Derived bound (12 + 8 δ + 4 √r δ) σ_1 on ‖∇²f‖ over the region itself.

        ⟨A*A(XZᵀ + ZXᵀ) X, Z⟩ = ½ ‖A(XZᵀ + ZXᵀ)‖² <= 2 (1 + δ) ‖X‖² ‖Z‖², and the other term
        is at most ‖X Xᵀ − M*‖ + δ ‖X Xᵀ − M*‖_F.  The printed proof bounds the first term through
        Lemma 22 and loses a factor √r on the way; the printed 15 σ_1 holds all the same.
        """
        return (12 + 8 * self.delta + 4 * math.sqrt(self.rank) * self.delta) * self.sigma_1

    # -- Propositions 28, 30 ----------------------------------------------------------------------

    @property
    def strict_saddle(self) -> tuple[float, float, float]:
        """(ε_g, ε_H, ε_𝓜) = (σ_r^{3/2}/160, σ_r/5, √σ_r/8), Proposition 28."""
        return self.sigma_r**1.5 / 160, self.sigma_r / 5, math.sqrt(self.sigma_r) / 8

    def strict_saddle_at(self, gradient: float) -> tuple[float, float, float]:
        """(ε, σ_r/5, 20 ε/σ_r) of Lemma 29, for a gradient norm ε."""
        return gradient, self.sigma_r / 5, 20 * gradient / self.sigma_r

    @property
    def regularity(self) -> tuple[float, float, float]:
        """(α, β, ζ) = (σ_r/2, 425 σ_1/64, √σ_r/4), Proposition 28."""
        return self.sigma_r / 2, 425 * self.sigma_1 / 64, math.sqrt(self.sigma_r) / 4

    def deviation_bound(self, mode: str = "paper") -> float:
        """Bound on the τ-deviation rate R(τ), Proposition 30.

        Parameters
        ----------
        mode : {"paper", "exact"}
            "paper" is 45 σ_1 r κ δ.  Its proof writes 3 √r κ δ where (78) has 4 (the sum would be
            48), and takes the negative part of a matrix for monotone, which it is not.  "exact"
            is 12 (1 + √2) √r κ δ σ_1, from ⟨x, B_+ x⟩ <= ½ (⟨x, B x⟩ + ‖B x‖) for a unit vector x:
            with B = A*A(M* − X#X#ᵀ) and x orthogonal to X#, ‖B x‖ is at most σ_1 sin θ plus
            √(2r) δ ‖M* − X#X#ᵀ‖.  It is smaller, so the printed bound holds.
        """
        if mode not in MODES:
            raise InvalidInput("mode", describe(mode), "'paper' or 'exact'")
        scale = self.sigma_1 * self.kappa * self.delta
        if mode == "paper":
            return 45 * self.rank * scale
        return 12 * (1 + math.sqrt(2)) * math.sqrt(self.rank) * scale

    # -- Theorems 8, 31 ---------------------------------------------------------------------------

    @property
    def step(self) -> float:
        """Step size 1/(10 max{α, β, L}) = 1/(150 σ_1) of Theorem 8, in the proof of Theorem 31."""
        alpha, beta, _ = self.regularity
        return 1 / (10 * max(alpha, beta, self.L))

    @property
    def gap(self) -> float:
        """Bound Δ_f <= r σ_1² / 2 on f(0) − min f, in the proof of Theorem 31."""
        return self.rank * self.sigma_1**2 / 2

    @property
    def threshold(self) -> float:
        """Accuracy ε̄ = ¼ min{ε_g, ε_H²/ρ} = σ_r²/(1500 √σ_1), Proposition 6."""
        gradient, curvature, _ = self.strict_saddle
        return min(gradient, curvature**2 / self.rho) / 4

    def perturbation_radius(self, epsilon: float, chi: float, C: float = 1.0) -> float:
        """Largest γ of Theorem 31.

        C min{ε/(r κ³ σ_1), √σ_r/(r² κ^{6.5})} log⁻⁷(σ_1 d/(χ ε)).

        Parameters
        ----------
        epsilon : float
            The distance reached is ε/(15 σ_1).
        chi : float
            Probability of failure.
        C : float
            The constant of the O(·).
        """
        r, kappa = self.rank, self.kappa
        first = epsilon / (r * kappa**3 * self.sigma_1)
        second = math.sqrt(self.sigma_r) / (r**2 * kappa**6.5)
        argument = self.sigma_1 * self.dimension / (_chance(chi) * epsilon)
        return C * min(first, second) / _log("epsilon", argument) ** 7

    def iterations(
        self, epsilon: float, gamma: float, chi: float, eta: float | None = None, C: float = 1.0
    ) -> float:
        """T of Theorem 31, with its local phase.

        C (r κ³/(η σ_r) (log⁴(1/γ) + log⁴(σ_1 d/χ)) + κ log(σ_1/ε)).

        Parameters
        ----------
        epsilon, chi, C
            See :meth:`perturbation_radius`.
        gamma : float
            Perturbation radius.
        eta : float, optional
            Step size; :attr:`step` by default.
        """
        eta = self.step if eta is None else eta
        first = self.rank * self.kappa**3 / (eta * self.sigma_r) * self._logs(gamma, chi)
        return C * (first + self.local_iterations(epsilon))

    def local_iterations(self, epsilon: float, C: float = 1.0) -> float:
        """T' = C κ log(σ_1/ε) of Theorem 31, gradient steps of the local phase."""
        return C * self.kappa * _log("epsilon", self.sigma_1 / epsilon)

    def isometry_needed(self, gamma: float, chi: float, C: float = 1.0) -> float:
        """δ of Theorem 31: C/(r² κ⁵ (log⁴(1/γ) + log⁴(σ_1 d/χ)))."""
        return C / (self.rank**2 * self.kappa**5 * self._logs(gamma, chi))

    def _logs(self, gamma: float, chi: float) -> float:
        gamma = real_number("gamma", gamma, above=0.0)
        second = math.log(self.sigma_1 * self.dimension / _chance(chi))
        return _log("gamma", 1 / gamma) ** 4 + second**4


def _chance(chi: float) -> float:
    value = real_number("chi", chi, above=0.0)
    if value >= 1:
        raise InvalidInput("chi", value, "a probability > 0 and < 1")
    return value


def _log(argument: str, value: float) -> float:
    """Logarithm of what a bound takes for large."""
    if not value > 1:
        raise InvalidInput(argument, f"so large that a logarithm of {value:g} arises", "smaller")
    return math.log(value)
