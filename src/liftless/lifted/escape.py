"""An escape that simulates the lifted descent and chooses order and number of steps itself."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless.certificate import Certificate
from liftless.escape.base import Candidate, Escape
from liftless.escape.multi_step import Interval, MultiStep
from liftless.escape.oracle import Oracle, oracle
from liftless.escape.scale import best_scale
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]


@dataclass(frozen=True)
class LiftedEscape(Escape):
    """β and γ points of the closed form (5.15), (5.16), lowest h first.

    Two rules choose the number t of simulated steps, at every order:

    - *norm*: t just inside U_γ (or U_β), where the c-term (or the b-term) has just come to lead.
      Where it overtakes the a-term last, ‖X̌‖_F = ‖X̂‖_F.
    - *best*: the t at which h(X̌(t)) is least.  The points of a path are multiples of one
      direction, so this is the exact amplitude; the lowest order whose path reaches it is taken.

    Points that coincide up to 10⁻³ in amplitude are given once.  The β point has rank one and is
    therefore left out for r > 1.

    Parameters
    ----------
    orders : tuple of int
        Orders l to simulate, odd and at least 3.
    rho, eta : float
        Escape step (3.1) and step size of the simulated descent, in (0, 1).

    Notes
    -----
    The paths are mode "paper": :class:`~liftless.escape.MultiStep`.  No step is simulated; each
    candidate costs a few evaluations of h.
    """

    orders: tuple[int, ...] = (3, 5, 7, 9, 11)
    rho: float = 0.1
    eta: float = 0.1

    #: How far inside an interval the number of steps lies, relative to its end.
    INSIDE = 1e-6
    #: Amplitudes closer than this, relative, are one candidate.
    SAME = 1e-3

    def __post_init__(self) -> None:
        if not self.orders:
            raise InvalidInput("orders", "empty", "at least one odd integer >= 3", "Try (3, 5).")
        for order in self.orders:
            MultiStep(-1.0, 1.0, 1.0, 1.0, order, self.rho, self.eta)

    def candidates(self, problem: Problem, X: Factor, certificate: Certificate) -> list[Candidate]:
        """Candidates with the lowest h first; none at a point without a negative λ_n."""
        if certificate.lambda_n >= 0 or not np.any(X):
            return []
        o = oracle(problem, X)
        found: list[Candidate] = []
        for kind, D in self._directions(X, o):
            amplitudes: list[float] = []
            for order, t, s, rule in self._points(problem, X, o, kind, D):
                if not _new(s, amplitudes, self.SAME):
                    continue
                amplitudes.append(s)
                note = f"rule={rule} order={order} rho={self.rho:g} eta={self.eta:g} steps={t:.6g}"
                at = float(problem.objective(s * D))
                zero, before = np.zeros_like(X), certificate.objective
                found.append(Candidate(f"lifted-{kind}", zero, D, s, before, at, note=note))
        return sorted(found, key=lambda c: c.objective_at)

    def _directions(self, X: Factor, o: Oracle) -> Iterator[tuple[str, Factor]]:
        if X.shape[1] == 1:
            yield "beta", o.beta_direction
        if np.any(o.EX):
            yield "gamma", o.gamma_direction

    def _points(
        self, problem: Problem, X: Factor, o: Oracle, kind: str, D: Factor
    ) -> Iterator[tuple[int, float, float, str]]:
        """(order, t, amplitude, rule) of every point on one direction, best rule first."""
        forms = [self._form(X, o, order) for order in sorted(self.orders)]
        best = best_scale(problem, D)
        for form in forms:
            t = steps_to(form, kind, best)
            if t is not None:
                yield form.order, t, _amplitude(form, kind, t), "best"
                break
        for form in forms:
            t = self._inside(form.u_beta if kind == "beta" else form.u_gamma)
            if t is not None:
                yield form.order, t, _amplitude(form, kind, t), "norm"

    def _form(self, X: Factor, o: Oracle, order: int) -> MultiStep:
        size, size_c = float(np.linalg.norm(X)), float(np.linalg.norm(o.EX))
        return MultiStep(o.lambda_n, o.sigma, size, size_c, order, self.rho, self.eta)

    def _inside(self, interval: Interval) -> float | None:
        """Return a number of steps just inside an interval; None where it is empty."""
        t = interval.lower * (1 + self.INSIDE) if interval.lower > 0 else 1.0
        return t if math.isfinite(t) and t in interval else None


def steps_to(form: MultiStep, kind: str, amplitude: float) -> float | None:
    """Least t >= 0 at which a path has an amplitude of this size, by bisection; None if never.

    Both |amplitudes| grow with t: β from ρ^{1/l}, γ from zero.
    """
    if not 0 < amplitude < math.inf:
        return None
    goal = math.log(amplitude)
    log_size = form.log_beta if kind == "beta" else form.log_gamma
    if log_size(0.0) > goal:
        return None
    low, high = -1.0, 0.0  # exponents of ten, widened until they hold the goal
    while log_size(10.0**high) < goal:
        low, high = high, 2 * high + 1
        if high > 300:
            return None
    while log_size(10.0**low) > goal and low > -300:
        low = 2 * low
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if log_size(10.0**middle) < goal else (low, middle)
    return 10.0**high


def _amplitude(form: MultiStep, kind: str, t: float) -> float:
    return form.beta(t) if kind == "beta" else form.gamma(t)


def _new(s: float, known: list[float], tolerance: float) -> bool:
    return math.isfinite(s) and s != 0 and all(abs(s - k) > tolerance * abs(k) for k in known)
