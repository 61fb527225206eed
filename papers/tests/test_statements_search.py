"""Counterexamples looked for by optimisation: each "for all" as a quotient that ascent makes large.

A statement holds where its left side is at most its right side.  Every line is the quotient of the
two as a function of free numbers, climbed from several starts; the bound is that no climb exceeds
one.  A search that finds the known counterexample of a false lemma shows that it can.
"""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

N, RANK = 4, 2
PAIRS = N * (N + 1) // 2
IU = np.triu_indices(N)
SCALE = np.where(IU[0] == IU[1], 1.0, math.sqrt(2.0))


def climbed(quotient, size, starts=4, seed=0, steps=2000):
    """Largest quotient that Nelder and Mead's search came by."""
    rng, best = np.random.default_rng(seed), -math.inf

    def down(x):
        nonlocal best
        value = quotient(x)
        if np.isfinite(value):
            best = max(best, value)
            return -value
        return 1e9

    for _ in range(starts):
        x = rng.standard_normal(size)
        for _ in range(2):  # again from where it ended, with a new simplex
            end = minimize(
                down, x, method="Nelder-Mead", options={"maxfev": steps, "adaptive": True}
            )
            x = end.x
    return best


def vec(M):
    return ((M + M.T) / 2)[IU] * SCALE


def mat(v):
    M = np.zeros((N, N))
    M[IU] = v / SCALE
    return M + np.triu(M, 1).T


def worst_gains(delta, a, b):
    """A*A of constant δ that errs most from a to b: I + δ K, K the reflection of a onto b."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    n = a - b
    K = np.eye(PAIRS) - 2 * np.outer(n, n) / (n @ n) if n @ n > 1e-20 else np.eye(PAIRS)
    return np.eye(PAIRS) + delta * K


def low(x, r=RANK):
    return x[: N * r].reshape(N, r)


# -- 003 -------------------------------------------------------------------------------------------

DELTA = 0.19


def lemma_4_1(x):
    """|⟨A(X), A(Y)⟩ − ⟨X, Y⟩| <= δ ‖X‖ ‖Y‖, with the worst operator for X and Y."""
    X, Y = low(x, 1), low(x[N:], 1)
    a, b = vec(X @ X.T), vec(Y @ Y.T - 0.3 * X @ Y.T)
    G = worst_gains(DELTA, a, b)
    return abs(a @ G @ b - a @ b) / (DELTA * np.linalg.norm(a) * np.linalg.norm(b))


def theorem_4_1(x):
    """Second order implies UUᵀ = X*: the distance at points that are nearly of second order.

    The operator is free; the quotient is distance over what first and second order fail by.
    """
    U, Z = low(x), low(x[N * RANK :])
    gap = U @ U.T - Z @ Z.T
    size = np.linalg.norm(gap)
    if size < 0.1 * np.linalg.norm(Z @ Z.T):
        return -1.0
    # The operator that makes the gap's gradient point most away from itself.
    target = vec(mat(x[2 * N * RANK : 2 * N * RANK + PAIRS]))
    G = worst_gains(DELTA, vec(gap), target)
    S = mat(G @ vec(gap))
    first = np.linalg.norm(S @ U) / size / np.linalg.norm(U)
    J = np.stack([vec(E @ U.T + U @ E.T) for E in np.eye(N * RANK).reshape(-1, N, RANK)])
    H = J @ G @ J.T / 2 + np.kron(S, np.eye(RANK))
    second = max(0.0, -np.linalg.eigvalsh(H)[0]) / np.linalg.norm(Z @ Z.T)
    return 0.02 / (first + second)


# -- 004 -------------------------------------------------------------------------------------------


def cut(X):
    U, s, Vt = np.linalg.svd(X)
    return (U[:, :RANK] * s[:RANK]) @ Vt[:RANK]


def lemma_16(x):
    X, Y = x[: N * N].reshape(N, N), x[N * N :].reshape(N, N)
    left = np.linalg.norm(X + Y - cut(X + Y))
    return left / (np.linalg.norm(X - cut(X)) + np.linalg.norm(Y))


def lemma_22(x):
    """‖(A*A − I)(M)‖ <= δ ‖M‖_* for M of rank r, with the operator worst for M and a direction."""
    X, Y = low(x), low(x[N * RANK :])
    M = X @ X.T - Y @ Y.T
    u = x[-N:]
    G = worst_gains(DELTA, vec(M), vec(np.outer(u, u)))
    error = mat((G - np.eye(PAIRS)) @ vec(M))
    return np.linalg.norm(error, 2) / (DELTA * np.linalg.norm(M, "nuc"))


def lemma_25(x):
    """‖P_U − P_V‖ <= min_O ‖U − VO‖ <= √2 ‖P_U − P_V‖, the worse of the two."""
    U, V = (np.linalg.qr(part.reshape(N, RANK))[0] for part in np.split(x, 2))
    P = np.linalg.norm(U @ U.T - V @ V.T, 2)
    L, _, Rt = np.linalg.svd(V.T @ U)
    D = np.linalg.norm(U - V @ L @ Rt, 2)
    return max(P / D, D / (math.sqrt(2) * P)) if P > 1e-3 else -1.0


def lemma_26(x):
    """‖P_X − P_Y‖ <= ‖(X − Y) X⁺‖, where the ranks are not equal (it is false there)."""
    X, Y = np.outer(x[:N], x[N : 2 * N]), x[2 * N :].reshape(N, N)
    P = np.linalg.norm(X @ np.linalg.pinv(X) - Y @ np.linalg.pinv(Y), 2)
    return P / np.linalg.norm((X - Y) @ np.linalg.pinv(X), 2)


def lemma_27(x):
    A, B = x[: N * N].reshape(N, N), x[N * N :].reshape(N, N)
    a, b = np.linalg.inv(A), np.linalg.inv(B)
    right = np.linalg.norm(a, 2) * np.linalg.norm(b, 2) * np.linalg.norm(A - B, 2)
    return np.linalg.norm(a - b, 2) / right


TRUTH = np.diag([2.0, 1.0, 0.0, 0.0])
ROOT = TRUTH**0.5
LOWEST, TOP = 1.0, 2.0


def sensed(x, X, delta):
    """Gradient matrix S and A*A for the operator worst from the gap to a free direction."""
    gap = vec(X @ X.T - TRUTH)
    G = worst_gains(delta, gap, vec(mat(x[-PAIRS:])))
    return mat(G @ gap), G


def distance(X):
    s = np.linalg.svd(ROOT[:, :RANK].T @ X, compute_uv=False)
    return math.sqrt(max(0.0, np.sum(X**2) + np.trace(TRUTH) - 2 * np.sum(s)))


def strict_saddle(x):
    """Proposition 28 and Lemma 29, δ = 1/10: one over max{‖g‖/ε_g, −λ/ε_H}, far from the truth."""
    X = low(x)
    S, _ = sensed(x, X, 0.1)
    if distance(X) < LOWEST**0.5 / 8 or np.linalg.norm(X, 2) > 2 * TOP**0.5:
        return -1.0
    slope = np.linalg.norm(S @ X) / (LOWEST**1.5 / 160)
    return 1 / max(slope, -np.linalg.eigvalsh(S)[0] / (LOWEST / 5))


def exact_saddle(x):
    """Lemma 29 with r columns: dist <= 20‖g‖/σ_r wherever λ_min > −σ_r/5."""
    X = low(x)
    S, G = sensed(x, X, 0.1)
    J = np.stack([vec(E @ X.T + X @ E.T) for E in np.eye(N * RANK).reshape(-1, N, RANK)])
    bottom = np.linalg.eigvalsh(J @ G @ J.T / 2 + np.kron(S, np.eye(RANK)))[0]
    if bottom < -LOWEST / 5:
        return -1.0 + bottom
    return distance(X) * LOWEST / (20 * np.linalg.norm(S @ X))


def regularity(x):
    """Proposition 28: (15) with σ_r/2, 425σ_1/64 within √σ_r/4; right over left."""
    X = ROOT[:, :RANK] + 0.1 * low(x)
    L, _, Rt = np.linalg.svd(ROOT[:, :RANK].T @ X)
    e = X - ROOT[:, :RANK] @ L @ Rt
    if np.linalg.norm(e) > LOWEST**0.5 / 4:
        return -np.linalg.norm(e)
    S, _ = sensed(x, X, 0.1)
    g = S @ X
    right = LOWEST / 4 * np.sum(e**2) + np.sum(g**2) * 32 / (425 * TOP)
    return right / max(np.sum(g * e), 1e-12)


def deviation(x):
    """Proposition 30: r_- + 3 r_+ over 45 σ_1 r κ δ, residual and operator free, δ = 1/(10 r)."""
    delta = 1 / (10 * RANK)
    X = low(x)
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    s = np.minimum(s, 2 * TOP**0.5)
    angle = np.linalg.norm(U[RANK:], 2)
    if angle > min(1.0, 4 * math.sqrt(RANK) * TOP / LOWEST * delta):
        return -1.0
    X = (U * s) @ Vt
    S, _ = sensed(x, X, delta)
    u = x[N * RANK : N * RANK + N]
    u = u - U @ (U.T @ u)
    u /= np.linalg.norm(u)
    values, V = np.linalg.eigh(S)
    weight = (V.T @ u) ** 2
    rate = -(np.maximum(values, 0) @ weight) - 3 * (np.minimum(values, 0) @ weight)
    return rate / (45 * TOP * RANK * TOP / LOWEST * delta)


# -- 002 -------------------------------------------------------------------------------------------


def efs(x):
    """EFS at second-order points: any A on span{P/√2, Q}, any λ that second order allows."""
    B = x[:4].reshape(2, 2)
    gram = B @ B.T
    top = np.linalg.eigvalsh(gram)[-1]
    margin = gram[0, 0] / top / (1 + math.exp(-x[4]))
    return margin + gram[0, 1] ** 2 / top**2


def window(x):
    """D² over (1+δ)/(1−δ) σ_r² Tr M* at second-order points of a family that holds (1.1)."""
    a, c, d = 1 / (1 + np.exp(-x))
    t2 = a / (a * a + d * d)
    lam, pp = t2 * a - 1, 4 * c * c
    gain = np.r_[np.linalg.eigvalsh([[1.0, a], [a, a * a + d * d]]), 2 * c * c]
    delta = max(1 - gain.min(), gain.max() - 1)
    if delta > 0.999 or 2 * lam + t2 * pp < 0:
        return -1.0
    return (1 + t2 * t2) / ((1 + delta) / (1 - delta) * t2)


HOLDING = [
    (lemma_4_1, 2 * N),
    (theorem_4_1, 2 * N * RANK + PAIRS),
    (lemma_16, 2 * N * N),
    (lemma_22, 2 * N * RANK + N),
    (lemma_25, 2 * N * RANK),
    (lemma_27, 2 * N * N),
    (strict_saddle, N * RANK + PAIRS),
    (exact_saddle, N * RANK + PAIRS),
    (regularity, N * RANK + PAIRS),
    (deviation, N * RANK + N + PAIRS),
    (efs, 5),
    (window, 3),
]


@pytest.mark.slow
@pytest.mark.parametrize(("quotient", "size"), HOLDING, ids=lambda x: getattr(x, "__name__", ""))
def test_no_search_finds_a_counterexample(quotient, size):
    assert 0 < climbed(quotient, size) <= 1 + 1e-9


def test_the_search_finds_one_where_there_is():
    assert climbed(lemma_26, 2 * N + N * N, starts=1, steps=500) > 1.5
