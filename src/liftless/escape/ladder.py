"""Escapes made of moves: the ladder (the default), the leading pair, and the paper's multi-step."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless.certificate import Certificate
from liftless.cost import affordable_width
from liftless.escape import moves
from liftless.escape.base import Candidate, Escape
from liftless.escape.multi_step import MultiStep
from liftless.escape.oracle import Oracle, oracle, oracles
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: Lowest eigenpairs of the slack for which the ladder tries the γ move; where all A_i are positive
#: semidefinite γ led to a fit at none of 44 tries after the other rungs, whichever the pair.
EIGENPAIRS = 3


def _leaves(X: Factor, certificate: Certificate) -> bool:
    """Whether there is anything to leave: negative curvature in the matrix, and a nonzero X."""
    return certificate.lambda_n < 0 and bool(np.any(X))


@dataclass(frozen=True)
class Ladder(Escape):
    """Every move with its exact amplitude, cheapest local solve for its chance first.

    Order: a fresh over-parameterised factor from the negative part of the slack; two more columns,
    truncated early, where all A_i are positive semidefinite; a swap of each singular triple for
    u_n (for r = 1 the β move); the γ move, at (u_n, q_r) for such measurements and for the three
    lowest eigenpairs and every triple for others, from whose minima the two columns led nowhere
    (``docs/escapes.md``).

    Parameters
    ----------
    budget : float
        Work of which one descent in a wide factor may take half: it bounds the width.
    """

    budget: float | int = 6000

    def candidates(
        self, problem: Problem, X: Factor, certificate: Certificate
    ) -> Iterator[Candidate]:
        """Candidates one by one, each computed only when it is asked for."""
        if not _leaves(X, certificate):
            return
        width = affordable_width(problem, self.budget)
        # Squared amplitudes: every A_i is some a_i a_iᵀ, or a sum of such.
        semidefinite = problem.operator.amplitudes() is not None
        if width > problem.rank:
            yield from moves.replace(problem, X, certificate, width)
            if semidefinite:
                yield from moves.lift(problem, X, certificate)
        yield from moves.swap(problem, X, certificate, certificate.u_n)
        if semidefinite:
            yield from moves.gamma(problem, X, certificate, oracle(problem, X))
            return
        for o in oracles(problem, X, EIGENPAIRS, accuracy=moves.ROUGH):
            yield from moves.gamma(problem, X, certificate, o)


@dataclass(frozen=True)
class OracleJump(Escape):
    """The SOD paper's pair of moves with exact amplitude: β (a swap for r > 1) and γ.

    No lifting order, step size or number of steps enters: the directions u_n q_rᵀ and E X̂ are the
    paper's, the amplitude is the exact minimiser of h along them.
    """

    def candidates(self, problem: Problem, X: Factor, certificate: Certificate) -> list[Candidate]:
        """Candidates with the lowest h first."""
        if not _leaves(X, certificate):
            return []
        o = oracle(problem, X)
        if X.shape[1] == 1:
            found = moves.beta(problem, X, certificate, o)
        else:
            found = moves.swap(problem, X, certificate, o.u_n)
        found = found + moves.gamma(problem, X, certificate, o)
        return sorted(found, key=lambda c: c.objective_at)


@dataclass(frozen=True)
class MultiStepEscape(Escape):
    """The multi-step escape in the paper's closed form (theorem 5.5, mode "paper").

    Parameters
    ----------
    order : int
        Lifting order l, odd and >= 3.
    rho, eta : float
        Escape step (3.1) and step size of the simulated lifted descent, in (0, 1).
    steps : float, optional
        Number t of simulated steps.  By default just inside U_γ, where ‖X̌‖_F = ‖X̂‖_F or the
        c-term has just overtaken the b-term; just inside U_β where U_γ is empty.
    """

    order: int = 5
    rho: float = 0.1
    eta: float = 0.1
    steps: float | None = None

    #: How far inside an interval the automatic number of steps lies, relative to its end.
    INSIDE = 1e-6

    def __post_init__(self) -> None:
        # The closed form checks order, rho and eta; the other numbers here are any valid ones.
        MultiStep(-1.0, 1.0, 1.0, 1.0, self.order, self.rho, self.eta)
        if self.steps is not None and not 0 < self.steps < math.inf:
            raise InvalidInput("steps", self.steps, "a finite number > 0, or left out")

    def closed_form(self, X: Factor, o: Oracle) -> MultiStep:
        """Return the coefficients' closed form at a point."""
        return MultiStep(
            o.lambda_n,
            o.sigma,
            float(np.linalg.norm(X)),
            float(np.linalg.norm(o.EX)),
            self.order,
            self.rho,
            self.eta,
        )

    def candidates(
        self, problem: Problem, X: Factor, certificate: Certificate
    ) -> Iterable[Candidate]:
        """Return the point of the leading term; none where the a-term leads (t in neither set)."""
        if not _leaves(X, certificate):
            return []
        o = oracle(problem, X)
        form = self.closed_form(X, o)
        t = self._automatic(form) if self.steps is None else float(self.steps)
        zero = np.zeros_like(X)
        if t in form.u_beta:
            kind, D, s = "beta", o.beta_direction, float(form.beta(t))
        elif t in form.u_gamma:
            kind, D, s = "gamma", o.gamma_direction, float(form.gamma(t))
        else:
            return []
        if not math.isfinite(s):
            return []
        at = float(problem.objective(s * D))
        note = f"mode=paper order={self.order} rho={self.rho:g} eta={self.eta:g} steps={t:g}"
        return [Candidate(f"multi-{kind}", zero, D, s, certificate.objective, at, note=note)]

    def _automatic(self, form: MultiStep) -> float:
        start = form.u_beta.lower if form.u_gamma.empty else form.u_gamma.lower
        return start * (1 + self.INSIDE) if start > 0 else 1.0
