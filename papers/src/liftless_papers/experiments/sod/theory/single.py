"""Statements about the single-step escape: propositions 4.1 and 4.2."""

import math

import numpy as np

from liftless.escape import oracle
from liftless.instances import Instance, make_instance
from liftless.problem import Problem
from liftless_papers.experiments.base import Row, truth_claim
from liftless_papers.experiments.sod.theory.cases import dense, descended, hessian
from liftless_papers.experiments.sod.theory.lift import Parts, Site


def rank_one(sites: list[Site]) -> Parts:
    """Proposition 4.1: the two projections that it matches, and the whole distance."""
    rows: list[Row] = []
    rho = 0.1
    for site in sites:
        c, order = site.case, site.order
        b, v = c.o.beta_direction, np.outer(c.o.v, c.o.q)
        X = c.X + rho ** (1 / order) * b

        def power(U: np.ndarray, V: np.ndarray, order: int = order) -> float:
            return float(np.sum(U * V)) ** order

        along_b = power(X, b) - power(c.X, b) - rho
        along_v = power(X, v) - power(c.X, v) - rho * power(b, v)
        # ‖vec(X̌)^l − a − ρ b‖², opened up: every inner product is a power.
        square = power(X, X) + power(c.X, c.X) + rho**2 + 2 * rho * power(c.X, b)
        square -= 2 * power(X, c.X) + 2 * rho * power(X, b)
        rows.append(
            {"label": site.label, "along_b": abs(along_b) / rho, "rho": rho}
            | {"along_v": abs(along_v) / c.o.sigma**order}
            | {"distance": math.sqrt(max(square, 0.0)) / rho}
        )
    worst = max(max(row["along_b"], row["along_v"]) for row in rows)
    least = min(row["distance"] for row in rows)
    claim = truth_claim(
        "Prop. 4.1, Remark 4.1",
        "X + rho^(1/l) u_n q' matches w_escape on both directions of R",
        worst <= 1e-10,
        measured=worst,
        expected=0.0,
        tolerance=1e-10,
        note=(
            "On R alone. In the whole space its lift is at least "
            f"{least:.2f} rho from w_escape: the approximation says nothing off R."
        ),
    )
    return rows, [claim]


def escape_inequality(seed: int, problems: int) -> Parts:
    """Proposition 4.2: is (4.4) necessary, is it sufficient?  At critical points of every kind."""
    rows: list[Row] = []
    for k in range(problems):
        instance = make_instance("gaussian", n=3, rank=1, m=4, seed=1000 * seed + k)
        for X in _critical_points(instance):
            rows += _inequality_row(instance.problem, X, "gaussian")
    # A rank-one factor at the second eigenvector of a rank-two truth: a saddle far outside.
    wide = make_instance("gaussian", n=3, rank=1, m=60, seed=seed).problem
    Z = np.diag([math.sqrt(3.0), 1.0, 0.0])[:, :2]
    two = Problem(wide.operator, np.asarray(wide.measurements(Z)), 1)
    A, b = dense(two)
    rows += _inequality_row(two, _newton(A, b, np.array([[0.0], [1.0], [0.0]])), "rank-two truth")
    falls, promised, broken = (sum(r[key] for r in rows) for key in ("falls", "promised", "broken"))
    missed = sum(row["missed"] for row in rows)
    claim = truth_claim(
        "Prop. 4.2, (4.4)",
        "the inequality is necessary for h to fall along u_n q'",
        missed == 0,
        changed=broken == 0 and promised > 0,
        measured=missed,
        expected=0,
        note=(
            f"{len(rows)} critical points, 1 + delta the largest ||A(M)||^2/||M||^2: of {falls} "
            f"amplitudes at which h falls, {missed} do not satisfy it. Change: it is sufficient; "
            f"of {promised} that satisfy it, h rises at {broken}."
        ),
    )
    return rows, [claim]


def _critical_points(instance: Instance) -> list[np.ndarray]:
    """Points that descent and Newton's method reach from a few starts, without the optimum."""
    A, b = dense(instance.problem)
    found = [descended(instance, start) for start in range(1, 4)]
    rng = np.random.default_rng(instance.seed)
    found += [_newton(A, b, rng.standard_normal((3, 1))) for _ in range(6)]
    return [X for X in found if _stationary(A, b, X)]


def _gradient(A: np.ndarray, b: np.ndarray, X: np.ndarray) -> np.ndarray:
    miss = np.einsum("ijk,jk->i", A, X @ X.T) - b
    return 2 * np.einsum("i,ijk->jk", miss, A) @ X


def _newton(A: np.ndarray, b: np.ndarray, X: np.ndarray) -> np.ndarray:
    for _ in range(40):
        X = X - (np.linalg.pinv(hessian(A, b, X)) @ _gradient(A, b, X).ravel()).reshape(X.shape)
    return X


def _stationary(A: np.ndarray, b: np.ndarray, X: np.ndarray) -> bool:
    """Whether X is a stationary point, neither zero nor a perfect fit."""
    miss = np.einsum("ijk,jk->i", A, X @ X.T) - b
    size = float(np.linalg.norm(X))
    good = bool(np.linalg.norm(_gradient(A, b, X)) < 1e-9 * np.linalg.norm(b))
    return good and size > 1e-3 and float(miss @ miss) > 1e-6 * float(b @ b)


def _inequality_row(problem: Problem, X: np.ndarray, kind: str) -> list[Row]:
    o = oracle(problem, X)
    if o.lambda_n >= 0:
        return []
    A, _ = dense(problem)
    n = problem.n
    i, j = np.triu_indices(n)
    flat = A[:, i, j] * np.where(i == j, 1.0, math.sqrt(2.0))
    upper = float(np.linalg.norm(flat, 2) ** 2)
    s = np.linspace(-3.0, 3.0, 401) * float(np.linalg.norm(X))
    s = s[np.abs(s) > 1e-9]
    c = np.asarray(problem.along(X, o.beta_direction))
    change = s**2 * (c[2] + s * (c[3] + s * c[4]))
    left = upper * s**2 + 2 * o.sigma * o.E_Q * s + 2 * o.sigma**2 * upper + 2 * o.lambda_n
    falls, promised = change < 0, left < 0
    return [
        {
            "kind": kind,
            "lambda_n": o.lambda_n,
            "falls": int(falls.sum()),
            "promised": int(promised.sum()),
            "missed": int((falls & ~promised).sum()),
            "broken": int((~falls & promised).sum()),
        }
    ]
