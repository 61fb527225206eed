"""Single-step escape X̂ + ρ̂ u qᵀ: the paper's feasibility score, and the exact one without δ."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless._checks import real_number
from liftless._errors import InvalidInput
from liftless._precision import double
from liftless.certificate import Certificate
from liftless.escape.base import Candidate, Escape
from liftless.escape.oracle import Oracle, oracle
from liftless.operators import measure
from liftless.problem import Problem


@dataclass(frozen=True)
class PaperScore:
    """Escape feasibility score with a given RIP constant (definition 4.3, theorem 3.1).

    Attributes
    ----------
    ncm, aic : float
        Negative curvature margin −λ_n / (σ²(1+δ)) and alignment-induced curvature
        ⟨E, u uᵀ⟩² / (2(1+δ)²).
    efs : float
        Their sum; an escape is promised when it exceeds 1 (δ an upper RIP constant: sufficient,
        not necessary as printed in proposition 4.2).
    rho_1, rho_2 : float
        Ends of the amplitude interval (4.6); both NaN unless efs > 1.  It lies left of zero when
        ⟨E, u uᵀ⟩ > 0 (case 1) and right of it otherwise (case 2).
    """

    ncm: float
    aic: float
    rho_1: float
    rho_2: float

    @property
    def efs(self) -> float:
        """NCM + AIC."""
        return self.ncm + self.aic


def paper_score(o: Oracle, delta: float) -> PaperScore:
    """EFS = NCM + AIC and the interval (4.6), for a given RIP constant δ in [0, 1)."""
    delta = real_number("delta", delta, least=0.0)
    if delta >= 1:
        raise InvalidInput("delta", delta, "an RIP constant in [0, 1)")
    ncm = -o.lambda_n / (o.sigma**2 * (1 + delta))
    aic = o.E_Q**2 / (2 * (1 + delta) ** 2)
    efs = ncm + aic
    if efs <= 1:
        return PaperScore(ncm, aic, math.nan, math.nan)
    middle = -o.sigma * o.E_Q / (1 + delta)
    half = o.sigma * math.sqrt(2 * (efs - 1))
    return PaperScore(ncm, aic, middle - half, middle + half)


@dataclass(frozen=True)
class ExactScore:
    """Exact, δ-free condition for descent along u qᵀ from a first-order point.

    h(X̂ + s u qᵀ) − h(X̂) = s² [λ + σ²‖A(P)‖²/2 + s σ⟨A(P), A(Q)⟩ + s²‖A(Q)‖²/2] is negative for
    some s iff the discriminant of the bracket is positive, that is iff

        score = −2λ/(σ²‖A(P)‖²) + ⟨A(P), A(Q)⟩²/(‖A(P)‖²‖A(Q)‖²) > 1.

    Attributes
    ----------
    score : float
    s_1, s_2 : float
        h falls for s strictly between them; NaN unless score > 1.
    amplitude : float
        Minimiser along the line; 0 unless score > 1.
    """

    score: float
    s_1: float
    s_2: float
    amplitude: float


def exact_score(o: Oracle) -> ExactScore:
    """Exact score, its amplitude interval and the minimising amplitude."""
    pp, qq, pq = float(o.A_P @ o.A_P), float(o.A_Q @ o.A_Q), o.E_Q
    c2 = o.lambda_n + o.sigma**2 * pp / 2
    c3, c4 = o.sigma * pq, qq / 2
    if pp == 0 or qq == 0:
        # Nothing is measured along P or Q: descent iff the bracket can be negative at all.
        falls = c2 < 0
        amplitude = math.inf if falls and qq == 0 else 0.0
        return ExactScore(math.inf if falls else 0.0, math.nan, math.nan, amplitude)
    score = -2 * o.lambda_n / (o.sigma**2 * pp) + pq * pq / (pp * qq)
    if score <= 1:
        return ExactScore(score, math.nan, math.nan, 0.0)
    # score − 1 is the discriminant c3² − 4 c2 c4 over σ²‖A(P)‖²‖A(Q)‖².
    root = math.sqrt(max(c3 * c3 - 4 * c2 * c4, 0.0))
    return ExactScore(score, (-c3 - root) / (2 * c4), (-c3 + root) / (2 * c4), _lowest(c2, c3, c4))


def _lowest(c2: float, c3: float, c4: float) -> float:
    """Minimiser of c2 s² + c3 s³ + c4 s⁴ away from 0: the larger root of 4c4 s² + 3c3 s + 2c2."""
    root = math.sqrt(max(9 * c3 * c3 - 32 * c2 * c4, 0.0))
    # The sign of c3 says on which side the bracket is lower; at c3 = 0 both sides agree.
    return (-3 * c3 - math.copysign(root, c3)) / (8 * c4)


@dataclass(frozen=True)
class BestStep:
    """Lowest discriminant of all single steps along u c*, for one eigenvector u of the slack.

    Attributes
    ----------
    score : float
        Of the best right factor c, of length one; h falls along u c* for some amplitude, of some c,
        iff it is above 1.
    amplitude : float
        Minimiser along that direction; 0 unless the score is above 1.
    direction : array of shape (n, r)
        U c*.
    """

    score: float
    amplitude: float
    direction: Float[np.ndarray, "n r"]


@double
def best_step(
    problem: Problem, X: Float[np.ndarray, "n r"], value: float, u: Float[np.ndarray, " n"]
) -> BestStep:
    """Best single step along u c* over every right factor c, not those of singular triples alone.

    Parameters
    ----------
    problem : Problem
        Of the squared loss.
    X : array of shape (n, r)
        A first-order point.
    value, u : float, array of shape (n,)
        Eigenpair of the slack, u of length one.

    Notes
    -----
    With p(c) = 2 A(sym X (u c*)*) = Σ c_j p_j and q = A(u u*), weighted, and ‖c‖ = 1,

        h(X + s u c*) − h(X) = s² [λ + ‖p(c)‖²/2 + s ⟨p(c), q⟩ + s² ‖q‖²/2],

    which is negative for some s iff c'(g g'/‖q‖² − G) c > 2 λ, where G_jk = ⟨p_j, p_k⟩ and
    g_j = ⟨p_j, q⟩: the best c is the leading eigenvector of that matrix.  Of a complex factor c has
    2 r real coordinates, since i u is an eigenvector beside u and measures the same q.
    """
    if not problem.loss.quadratic:
        raise InvalidInput("loss", problem.loss.name, "squared", "Use OracleJump.")
    units = [np.outer(v, row) for v in problem.space.turned(u) for row in np.eye(X.shape[1])]
    w = np.asarray(problem.weights)
    q = w * np.asarray(measure(problem.operator, u[:, None], u[:, None]))
    qq = float(q @ q)
    if qq == 0:
        raise InvalidInput("u", "a direction of which u u* is not measured", "measured")
    p = np.array([2 * w * np.asarray(measure(problem.operator, X, D)) for D in units])
    G, g = p @ p.T, p @ q
    c = np.linalg.eigh(np.outer(g, g) / qq - G)[1][:, -1]
    stiff, c3 = float(c @ G @ c), float(g @ c)
    score = -2 * value / stiff + c3 * c3 / (stiff * qq) if stiff > 0 else math.inf
    amplitude = _lowest(value + stiff / 2, c3, qq / 2) if score > 1 else 0.0
    return BestStep(score, amplitude, np.tensordot(c, np.array(units), axes=1))


@dataclass(frozen=True)
class SingleStep(Escape):
    """Candidate X̂ + s u qᵀ when the score allows it, for every singular triple.

    Of a complex factor, in mode "exact", one for the best right factor (:func:`best_step`).

    Parameters
    ----------
    mode : {"exact", "paper"}
        The exact score with its minimising amplitude; or the paper's, at the middle of its
        interval, for which ``delta`` must be given.
    delta : float, optional
        RIP constant of mode "paper".

    Notes
    -----
    As printed, case 1 of the proof of theorem 3.1 (⟨E, u uᵀ⟩ > 0) steps from −X̂ by a negative ρ̂,
    which is X̂ with the *positive* amplitude −ρ̂: there h rises.  The interval (4.6) itself is
    right for the step from X̂, in both cases; that is what both modes use.
    """

    mode: str = "exact"
    delta: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("exact", "paper"):
            raise InvalidInput("mode", repr(self.mode), "'exact' or 'paper'")
        if self.mode == "paper" and self.delta is None:
            raise InvalidInput("delta", "missing", "the RIP constant for mode 'paper'")

    def candidates(
        self, problem: Problem, X: Float[np.ndarray, "n r"], certificate: Certificate
    ) -> list[Candidate]:
        """One candidate a triple whose score exceeds 1, highest score first."""
        if certificate.lambda_n >= 0 or not np.any(X):
            return []
        if self.mode == "exact" and len(problem.space.turned(certificate.u_n)) > 1:
            return self._complex(problem, X, certificate)
        found: list[tuple[float, Candidate]] = []
        for j in range(np.linalg.matrix_rank(X), 0, -1):
            o = oracle(problem, X, triple=j)
            score, s = self._amplitude(o)
            if score > 1 and s != 0 and math.isfinite(s):
                direction = o.beta_direction
                found.append(
                    (
                        score,
                        Candidate(
                            kind="single",
                            base=X,
                            direction=direction,
                            amplitude=s,
                            objective_before=certificate.objective,
                            objective_at=float(problem.objective(X + s * direction)),
                            note=f"mode={self.mode} triple={j} score={score:.6g}",
                        ),
                    )
                )
        return [c for _, c in sorted(found, key=lambda pair: -pair[0])]

    def _complex(
        self, problem: Problem, X: Float[np.ndarray, "n r"], certificate: Certificate
    ) -> list[Candidate]:
        """Return the best of all right factors: the eigenvector's own phase says nothing."""
        best = best_step(problem, X, certificate.lambda_n, certificate.u_n)
        s = best.amplitude
        if best.score <= 1 or s == 0 or not math.isfinite(s):
            return []
        at, note = float(problem.objective(X + s * best.direction)), f"score={best.score:.6g}"
        before = certificate.objective
        return [Candidate("single", X, best.direction, s, before, at, note=f"mode=exact {note}")]

    def _amplitude(self, o: Oracle) -> tuple[float, float]:
        if self.mode == "exact":
            exact = exact_score(o)
            return exact.score, exact.amplitude
        paper = paper_score(o, self.delta or 0.0)
        return paper.efs, (paper.rho_1 + paper.rho_2) / 2
