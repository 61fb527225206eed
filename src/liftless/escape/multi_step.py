"""The multi-step escape in closed form, as printed (Section 5 of the SOD paper).

Everything here is ``mode="paper"``: the printed formula (5.8) and what the paper derives from it,
evaluated in logarithms so that no order ``l`` and no number of steps ``t`` loses digits. The rate
``1 - eta lambda_n^l`` in it is not the true one of lifted gradient descent, because
``(XX')^{(x)l} - (ZZ')^{(x)l}`` is not ``(XX' - ZZ')^{(x)l}``; the corrected rate belongs to
``mode="exact"`` and is not in this module.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from liftless._errors import InvalidInput

# A number of steps (float in, float out) or an array of them (array in, array out).
Steps = TypeVar("Steps", float, NDArray[np.float64])
# NumPy turns arrays without axes into scalars as it computes.
_Values = NDArray[np.float64] | float

_Rule = tuple[Callable[[float], bool], str, str]
_POSITIVE: _Rule = (lambda x: x > 0, "positive and finite", "")
_FRACTION: _Rule = (lambda x: 0 < x < 1, "strictly between 0 and 1", "Try 0.1.")
_RULES: dict[str, _Rule] = {
    "lambda_n": (lambda x: x < 0, "negative and finite", "Otherwise X X' is a global optimum."),
    "norm_EX": (lambda x: x >= 0, "zero or positive, and finite", ""),
    "delta": (lambda x: 0 <= x < 1, "at least 0 and below 1", ""),
    "rho": _FRACTION,
    "eta": _FRACTION,
}
# Below this logarithm x, log1p(exp(x)) and expm1(exp(x)) equal exp(x) to the last bit.
_NEGLIGIBLE = -40.0
_SUBNORMAL = -700.0  # below this, exp(x) nears the subnormals and loses digits


@dataclass(frozen=True, slots=True)
class Interval:
    """An open interval of step counts, empty when its ends are not in order.

    The ends are kept as computed, also when the interval is empty or ``lower`` is negative (the
    paper intersects with ``t > 0``).
    """

    lower: float
    upper: float

    @classmethod
    def nothing(cls) -> "Interval":
        """Return an empty interval that has no meaningful ends."""
        return cls(math.inf, math.inf)

    @property
    def empty(self) -> bool:
        """Whether no real number lies inside."""
        return self.lower >= self.upper

    def __contains__(self, t: float) -> bool:
        """Whether ``lower < t < upper``."""
        return self.lower < t < self.upper


@dataclass(frozen=True, slots=True)
class MultiStep:
    """The three coefficients of the simulated lifted descent, and when each term leads.

    After ``t`` truncated projected gradient steps on the lifted objective, started at
    ``vec(X)^{(x)l} + rho vec(u_n q_r')^{(x)l}``, the iterate is, equation (5.8),
    ``alpha a + beta b + gamma c`` with ``a = vec(X)^{(x)l}``, ``b = vec(u_n q_r')^{(x)l}``,
    ``c = vec(E X)^{(x)l}`` and ``E = A*A(u_n v_r' + v_r u_n')``. Step counts ``t`` are real, finite
    and not negative; a float gives a float, an array an array.

    Attributes
    ----------
    lambda_n : float
        Smallest eigenvalue of the gradient of f at ``X X'``; negative.
    sigma : float
        Singular value of the triple ``(sigma_r, v_r, q_r)`` of X that is used.
    norm_X, norm_EX : float
        Frobenius norms of the local minimum X and of ``E X``. The latter may be zero: the c-term
        then vanishes.
    order : int
        Order ``l`` of the lifting; odd, at least 3.
    rho, eta : float
        Length of the lifted escape step (3.1), and step size of the simulated descent; in (0, 1).
    """

    lambda_n: float
    sigma: float
    norm_X: float
    norm_EX: float
    order: int
    rho: float
    eta: float

    def __post_init__(self) -> None:
        """Check every field."""
        _check(lambda_n=self.lambda_n, sigma=self.sigma, norm_X=self.norm_X, norm_EX=self.norm_EX)
        _check(rho=self.rho, eta=self.eta)
        is_integer = isinstance(self.order, int | np.integer) and not isinstance(self.order, bool)
        if not is_integer or self.order < 3 or self.order % 2 == 0:
            raise InvalidInput("order", self.order, "an odd integer, at least 3", "Try order=5.")

    @property
    def log_rate(self) -> float:
        """Logarithm of the rate ``1 - eta lambda_n^l``; zero once it underflows."""
        return float(np.logaddexp(0.0, self._log_growth()))

    @property
    def log_K(self) -> float:
        """Logarithm of ``K = 2^{l-1} (-lambda_n)^l / (sigma^l ||E X||^l)``, the number in (5.12).

        K is the limit of b-term over c-term, and infinite when ``E X = 0``.
        """
        if self.norm_EX == 0:
            return math.inf
        log_ratio = math.log(-self.lambda_n) - math.log(self.sigma) - math.log(self.norm_EX)
        return (self.order - 1) * math.log(2) + self.order * log_ratio

    @property
    def rho_min(self) -> float:
        """Least ``rho`` for which `u_beta` is not empty: ``||X||^l (1 - K)``, equation (5.13)."""
        if self.log_K == 0:
            return 0.0
        # log|1 - K| without forming K, which may overflow or cancel against 1.
        size = self.log_K if self.log_K > 40 else math.log(abs(math.expm1(self.log_K)))
        return math.copysign(float(_exp(self.order * math.log(self.norm_X) + size)), -self.log_K)

    @property
    def u_beta(self) -> Interval:
        """Step counts for which the b-term leads, equation (U_beta), its ends as computed.

        The right end is infinite when ``K >= 1``: the b-term then stays above the c-term.
        """
        head = self.order * math.log(self.norm_X) - math.log(self.rho)
        lower = 0.0 if head == 0 else math.copysign(self._over_rate(math.log(abs(head))), head)
        upper = math.inf if self.log_K >= 0 else self._over_rate(_log_minus_log1m(self.log_K))
        return Interval(lower, upper)

    @property
    def u_gamma(self) -> Interval:
        """Step counts for which the c-term leads, equation (U_gamma); empty when ``K >= 1``."""
        if self.log_K >= 0:
            return Interval.nothing()
        over_a = _log_softplus(self.log_K + self.order * math.log(self.norm_X) - math.log(self.rho))
        return Interval(self._over_rate(max(over_a, _log_minus_log1m(self.log_K))), math.inf)

    def log_beta(self, t: Steps) -> Steps:
        """Logarithm of the beta-type amplitude ``rho^{1/l} (1 - eta lambda_n^l)^{t/l}``, (5.15)."""
        return _like(t, (math.log(self.rho) + self._exponent(_steps(t))) / self.order)

    def beta(self, t: Steps) -> Steps:
        """Coefficient of ``u_n q_r'`` in the beta-type escape point (5.15); inf on overflow."""
        return _like(t, _exp(self.log_beta(t)))

    def log_gamma(self, t: Steps) -> Steps:
        """Logarithm of the size of the gamma-type amplitude; minus infinity at ``t = 0``.

        The size is ``(1/2) (2 eta rho)^{1/l} [sum_{tau<t} (1 - eta lambda_n^l)^tau]^{1/l} sigma``,
        equation (5.16); the sum is read as ``((1 - eta lambda_n^l)^t - 1) / (-eta lambda_n^l)``,
        so ``t`` need not be an integer.
        """
        root = (math.log(2 * self.eta) + math.log(self.rho) + self._log_sum(_steps(t))) / self.order
        return _like(t, math.log(self.sigma) - math.log(2) + root)

    def gamma(self, t: Steps) -> Steps:
        """Coefficient of ``E X`` in the gamma-type escape point (5.16): negative, or minus zero."""
        return _like(t, -_exp(self.log_gamma(t)))

    def log_terms(self, t: Steps) -> tuple[Steps, Steps, Steps]:
        """Logarithms of the Frobenius norms of the a-, b- and c-term of (5.8)."""
        steps = _steps(t)
        a_term = np.full(steps.shape, self.order * math.log(self.norm_X))
        b_term = self.order * self.log_beta(steps)
        if self.norm_EX == 0:
            c_term = np.full(steps.shape, -math.inf)
        else:
            c_term = self.order * (self.log_gamma(steps) + math.log(self.norm_EX))
        return _like(t, a_term), _like(t, b_term), _like(t, c_term)

    def _log_growth(self) -> float:
        """Logarithm of ``-eta lambda_n^l``, the rate less one."""
        return math.log(self.eta) + self.order * math.log(-self.lambda_n)

    def _over_rate(self, log_value: float) -> float:
        """Return ``exp(log_value) / log_rate``, also where both parts underflow."""
        return float(_exp(log_value - _log_softplus(self._log_growth())))

    def _exponent(self, t: NDArray[np.float64]) -> _Values:
        """Return ``t log_rate``, the logarithm of the rate's power."""
        with np.errstate(divide="ignore", over="ignore", under="ignore"):
            if self._log_growth() < _SUBNORMAL:
                return np.exp(np.log(t) + _log_softplus(self._log_growth()))
            return t * self.log_rate

    def _log_sum(self, t: NDArray[np.float64]) -> _Values:
        """Return the logarithm of ``sum_{tau<t} rate^tau = expm1(t log_rate) / (rate - 1)``."""
        power = self._exponent(t)
        with np.errstate(divide="ignore", under="ignore"):
            tiny = np.log(t) + _log_softplus(self._log_growth())
            middle = np.log(np.expm1(np.clip(power, 1e-300, 40.0)))
            large = power + np.log1p(-np.exp(-np.maximum(power, 1.0)))
        log_expm1 = np.where(tiny < _NEGLIGIBLE, tiny, np.where(power < 40, middle, large))
        return log_expm1 - self._log_growth()


def dominance_order(
    lambda_n: float, sigma: float, norm_X: float, m: int, delta: float, xi: float
) -> float:
    """Right side of the sufficient condition (5.14) on the order: ``l > 1 / log2(Xi-bar)``.

    Here ``Xi-bar = sqrt(2) (-lambda_n) / (sqrt(m (1 + delta)) ||X|| xi sigma)``, with ``m`` the
    number of measurements, ``delta`` the restricted isometry constant in [0, 1) and ``xi`` the
    largest spectral norm among the sensing matrices (Lemma A.8). Infinite when ``Xi-bar = 1`` to
    rounding; negative, and then empty of meaning, when ``Xi-bar < 1``. All three examples of the
    paper are of one of these two kinds.
    """
    _check(lambda_n=lambda_n, sigma=sigma, norm_X=norm_X, m=m, delta=delta, xi=xi)
    log_xi_bar = math.log2(-lambda_n) - math.log2(norm_X) - math.log2(sigma) - math.log2(xi)
    log_xi_bar += 0.5 * (1 - math.log2(m) - math.log2(1 + delta))
    return _inverse(log_xi_bar)


def distance_window(sigma: float, trace: float, delta: float) -> tuple[float, float]:
    """Range (5.17) that the paper requires of ``||X X' - M*||_F^2``, as (low, high).

    ``low = (1 + delta) / (1 - delta) sigma^2 trace`` and ``high = 2 low``, with ``sigma`` the
    smallest nonzero singular value of X, ``trace`` the trace of the true matrix M* and ``delta``
    the restricted isometry constant in [0, 1).
    """
    _check(sigma=sigma, trace=trace, delta=delta)
    low = (1 + delta) / (1 - delta) * sigma * sigma * trace
    return low, 2 * low


def distance_order(distance_squared: float, sigma: float, trace: float, delta: float) -> float:
    """Right side of the condition (5.18) on the order ``l``.

    It is ``1 / (1 - log2(2 (1 + delta) sigma^2 trace / ((1 - delta) distance_squared)))``, with
    ``distance_squared = ||X X' - M*||_F^2`` and the rest as in `distance_window`. A negative value
    means a distance below the window, and the condition says nothing; at the lower end it is inf.
    """
    _check(distance_squared=distance_squared, sigma=sigma, trace=trace, delta=delta)
    log_low = math.log2((1 + delta) / (1 - delta)) + 2 * math.log2(sigma) + math.log2(trace)
    return _inverse(math.log2(distance_squared) - log_low)


def _inverse(x: float) -> float:
    """Return ``1 / x``, infinite where x, a sum of a few logarithms, is nothing but rounding."""
    return math.inf if abs(x) < 1e-14 else 1 / x


def _check(**values: Any) -> None:
    """Raise InvalidInput for the first value that is not a finite number its rule accepts."""
    for name, value in values.items():
        accepts, must_be, cure = _RULES.get(name, _POSITIVE)
        try:
            usable = math.isfinite(value) and accepts(value)
        except (TypeError, ValueError):
            usable = False
        if not usable:
            raise InvalidInput(name, repr(value), must_be, cure)


def _steps(t: _Values) -> NDArray[np.float64]:
    steps = np.asarray(t, dtype=np.float64)
    if not bool(np.all((steps >= 0) & np.isfinite(steps))):
        raise InvalidInput("t", t, "finite and not negative")
    return steps


def _like(t: Steps, value: _Values) -> Steps:
    """Return ``value`` as the caller gave ``t``: an array or a float."""
    if isinstance(t, np.ndarray):
        return np.asarray(value)
    return float(value)


def _exp(x: _Values) -> _Values:
    # Overflow is an answer here, not an accident.
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(np.asarray(x))


def _log_softplus(x: float) -> float:
    """Return ``log(log(1 + exp(x)))``."""
    return x if x < _NEGLIGIBLE else math.log(float(np.logaddexp(0.0, x)))


def _log_minus_log1m(log_k: float) -> float:
    """Return ``log(-log(1 - k))`` for ``log_k < 0``; neither small k nor k near 1 loses digits."""
    if log_k < _NEGLIGIBLE:
        return log_k
    if log_k < -math.log(2):
        return math.log(-math.log1p(-math.exp(log_k)))
    return math.log(-math.log(-math.expm1(log_k)))
