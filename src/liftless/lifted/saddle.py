"""Curvature at the lifted point, and how small the steps must be (proposition 5.3)."""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import factor, positive_int, real_number
from liftless._errors import InvalidInput
from liftless.escape.oracle import Oracle, oracle
from liftless.lifted.descent import rate
from liftless.lifted.subspace import LiftedSubspace, _mode, _supported
from liftless.operators import backproject
from liftless.problem import Problem

#: Curvature above minus this fraction of the largest counts as not negative.
FLAT = 1e-9
#: Largest (n r)^l for which the whole Hessian is formed.
HESSIAN_LIMIT = 3000
#: Points on a segment at which the Hessian is looked at, for L.
SEGMENT = 33


@dataclass(frozen=True)
class Saddle:
    """Curvature of h^l at vec(X̂)^{⊗l}, true scaling (no ½, not the quarter of Lemma A.1).

    Attributes
    ----------
    order : int
    p, m : float
        ⟨A(X̂X̂ᵀ), A(Q)⟩ and ⟨b, A(Q)⟩ with Q = u_n u_nᵀ; p − m = λ_n.
    omega : float
        ω_l = p^l − m^l.
    stiff : float
        σ_r² ‖A(P)‖²/4 with P = u_n v_rᵀ + v_r u_nᵀ.
    along_b : float
        Curvature 4 ω_l + 8 stiff^l along b = vec(u_n q_rᵀ)^{⊗l}.
    along_b_printed : float
        The same with λ_n^l where ω_l belongs, as the SOD paper's H_3 has it.
    least : float
        Least curvature over span{a, b, c}.
    direction : array of shape (k,)
        Weights of the unit tensor that has it.
    is_saddle : bool
        Whether the span has a direction of negative curvature, beyond round-off, at any order:
        ``least`` itself may underflow.  The whole space may have one where the span has none:
        False proves nothing.
    """

    order: int
    p: float
    m: float
    omega: float
    stiff: float
    along_b: float
    along_b_printed: float
    least: float
    direction: Float[np.ndarray, " k"]
    is_saddle: bool


def strict_saddle(problem: Problem, X: Any, order: int, *, o: Oracle | None = None) -> Saddle:
    """Curvature of the lifted objective at the lift of a first-order point.

    Parameters
    ----------
    problem : Problem
    X : array of shape (n, r)
        A first-order point.
    order : int
        Order l, odd or even.
    o : Oracle, optional

    Notes
    -----
    Along b the lift is a strict saddle iff m^l − p^l > 2 stiff^l.  The SOD paper takes it for one
    whenever l is odd and large enough; where stiff > m it is none along b at any order.
    """
    o = oracle(problem, X) if o is None else o
    subspace = LiftedSubspace.at(problem, X, order, o=o)
    p, m, omega = rate(subspace)
    stiff = o.sigma**2 * float(o.A_P @ o.A_P) / 4
    a = subspace.start()
    values, vectors = subspace.curvature(a)
    return Saddle(
        order=subspace.order,
        p=p,
        m=m,
        omega=omega,
        stiff=stiff,
        along_b=4 * omega + 8 * stiff**subspace.order,
        along_b_printed=4 * (p - m) ** subspace.order + 8 * stiff**subspace.order,
        least=float(values[0]),
        direction=vectors[:, 0],
        is_saddle=_indefinite(subspace),
    )


def _indefinite(subspace: LiftedSubspace) -> bool:
    """Whether the Hessian at the first direction's lift has a negative curvature in the span.

    Its entries 4(p_ij^l − m_ij^l) + 8 s_ij^l are divided by the sizes of the diagonal's terms
    before the power is taken.  That keeps the signs of the eigenvalues, and a direction whose
    terms are small at order l is not round-off beside one whose terms are large.
    """
    size, y = subspace.norms[0], subspace.products
    p = size**2 * (y @ y[0, 0])
    m = y @ subspace.b
    s = size**2 * (y[0] @ y[0].T)
    sizes = np.abs([p.diagonal(), m.diagonal(), s.diagonal()]).max(axis=0)
    live = sizes > 0
    root = np.sqrt(np.outer(sizes, sizes))[np.ix_(live, live)]
    p, m, s = ((M[np.ix_(live, live)] / root) ** subspace.order for M in (p, m, s))
    values = np.linalg.eigvalsh(4 * (p - m) + 8 * s)
    return bool(values[0] < -FLAT * np.abs(values).max())


def saddle_along_b(p: float, m: float, stiff: float, order: int) -> bool:
    """Whether m^l − p^l > 2 stiff^l, at any order (nothing underflows)."""
    order = positive_int("order", order)
    size = max(abs(p), abs(m), abs(stiff))
    if size == 0:
        return False
    return (m / size) ** order - (p / size) ** order > 2 * (stiff / size) ** order


def lifted_hessian(problem: Problem, X: Any, order: int) -> Float[np.ndarray, "d d"]:
    """Whole Hessian of h^l at vec(X)^{⊗l}, true scaling, without a derivative being taken.

    With y = A(XXᵀ), K(·) = A*(·) ⊗ I_r and the rows vec(A_i X) of B it is

        4 [K(y)^{⊗l} − K(b)^{⊗l}] + 8 (BᵀB)^{⊗l},

    in the order of the entries of X row by row.

    Parameters
    ----------
    problem : Problem
    X : array of shape (n, r)
        Any point.
    order : int
        With (n r)^l at most :data:`HESSIAN_LIMIT`.
    """
    _supported(problem)
    X, order = factor("X", X, problem.n), positive_int("order", order)
    if X.size**order > HESSIAN_LIMIT:
        raise InvalidInput("order", order, f"such that (n r)^l <= {HESSIAN_LIMIT}")
    y, b = np.asarray(problem.measurements(X)), np.asarray(problem.b)
    eye = np.eye(problem.n)
    omega = np.asarray(problem.omega)
    K = [np.kron(backproject(problem.operator, omega * z, eye), np.eye(X.shape[1])) for z in (y, b)]
    rows = np.stack([backproject(problem.operator, e, X).ravel() for e in np.eye(problem.m)])
    inner = rows.T @ (omega[:, None] * rows)
    powers = [reduce(np.kron, [M] * order) for M in (*K, inner)]
    return 4 * (powers[0] - powers[1]) + 8 * powers[2]


# -- step bounds -------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepBounds:
    """The quantities of proposition 5.3 at one truncated step, and the bounds (5.10).

    Attributes
    ----------
    Delta : float
        Sufficient decrease (1/η − L/2) ‖w⁺ − w̃‖² of the exact step, (B.2).
    G : float
        Norm of the projected gradient at w⁺.  (The paper writes the whole gradient; only its
        part in the span meets the truncation.)
    C : float
        ‖w̃⁺ − w⁺‖ over ρ² at the first step, over (ρ + η)ρη later: the least constant with which
        the printed bound on the truncation is true at this step.
    L : float
        Largest size of an eigenvalue of the projected Hessian at :data:`SEGMENT` points of either
        segment, w̃ to w⁺ and w⁺ to w̃⁺.  h^l has no global L: it is a quartic.
    rho_max, eta_max : float
        The bounds (5.10), η_max = min(η̂, 2/L); both 0 where Delta is not positive.
    decrease : float
        h^l(w̃⁺) − h^l(w̃) as it is.
    """

    Delta: float
    G: float
    C: float
    L: float
    rho_max: float
    eta_max: float
    decrease: float


def truncated_step(
    subspace: LiftedSubspace, W: Float[np.ndarray, " k"], eta: float
) -> Float[np.ndarray, " k"]:
    """Weights after one step as printed: β ← (1 − ηλ_n^l) β, γ ← γ − η σ_r^l β / 2^{l−1}."""
    if subspace.size != 3:
        raise InvalidInput("subspace", f"of {subspace.size} directions", "the span of a, b and c")
    p, m, _ = rate(subspace)
    order = subspace.order
    b = W[1] * (1 - eta * (p - m) ** order)
    if subspace.norms[2] == 0:
        return np.array([W[0], b, W[2]])
    # ⟨E X̂, u qᵀ⟩ = σ‖A(P)‖²/2, and A(sym(X̂ q uᵀ)) = σ A(P)/2: their quotient gives σ.
    half = subspace.products[0, 1] * subspace.norms[0]
    sigma = 2 * float(half @ half) / float(np.sum(subspace.directions[1] * subspace.directions[2]))
    lead = order * math.log(sigma * subspace.norms[2]) - (order - 1) * math.log(2)
    return np.array([W[0], b, W[2] - eta * W[1] * math.exp(lead)])


def step_bounds(
    subspace: LiftedSubspace,
    W: Float[np.ndarray, " k"],
    eta: float,
    rho: float,
    mode: str = "paper",
) -> StepBounds:
    """Evaluate proposition 5.3 at the truncated iterate W.

    Parameters
    ----------
    subspace : LiftedSubspace
        Span{a, b, c} of (5.1).
    W : array of shape (3,)
        Weights of w̃; no c-term means the first step.
    eta, rho : float
    mode : {"paper", "exact"}
        "paper" takes h^l/4 with the gradient printed in Lemma A.1, which belongs to it; "exact"
        takes h^l with its own gradient.
    """
    eta, rho = real_number("eta", eta, above=0.0), real_number("rho", rho, above=0.0)
    unit = _mode(mode)
    exact = W - eta * subspace.gradient(W, mode)
    cut = truncated_step(subspace, W, eta * unit)
    metric = subspace.gram()

    def size(w: np.ndarray) -> float:
        return math.sqrt(max(float(w @ metric @ w), 0.0))

    L = max(_largest(subspace, W, exact, mode), _largest(subspace, exact, cut, mode))
    Delta = (1 / eta - L / 2) * size(exact - W) ** 2
    G = size(subspace.gradient(exact, mode))
    C = size(cut - exact) / (rho * rho if W[2] == 0 else (rho + eta) * rho * eta)
    rho_max, eta_hat = _bounds(Delta, C * G)
    eta_max = min(eta_hat, 2 / L) if L > 0 else eta_hat
    decrease = subspace.difference(cut, W) * unit / 4
    return StepBounds(Delta, G, C, L, rho_max, eta_max, decrease)


def _largest(subspace: LiftedSubspace, start: np.ndarray, end: np.ndarray, mode: str) -> float:
    """Largest size of an eigenvalue of the projected Hessian on a segment."""
    points = (start + s * (end - start) for s in np.linspace(0.0, 1.0, SEGMENT))
    return float(max(np.abs(subspace.curvature(W, mode)[0]).max() for W in points))


def _bounds(Delta: float, CG: float) -> tuple[float, float]:
    """√(Δ/(C G)) and η̂ of (5.10)."""
    if Delta <= 0:
        return 0.0, 0.0
    if CG == 0:
        return math.inf, math.inf
    root = math.sqrt(CG * Delta)
    # (−Δ + √(Δ² + 4 root Δ)) / (2 root), without the difference.
    return math.sqrt(Delta / CG), 2 * Delta / (Delta + math.sqrt(Delta * Delta + 4 * root * Delta))
