"""own-wide: second-order points of low rank of a convex loss are global, without an isometry."""

import numpy as np
import pytest
from scipy.optimize import least_squares

N, RANK, WEIGHT = 4, 2, 0.3
EXACTLY = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}


def convex(seed, n1, n2):
    """Gradient of Σ softplus(⟨A_i, M⟩) − α_i⟨A_i, M⟩ with few A_i, far from an isometry."""
    rng = np.random.default_rng(seed)
    A, alpha = rng.standard_normal((5, n1, n2)), rng.uniform(0.1, 0.9, 5)
    if n1 == n2:
        A = A + A.swapaxes(1, 2)

    def slope(M):
        y = np.einsum("ijk,jk->i", A, M)
        return np.einsum("i,ijk->jk", 1 / (1 + np.exp(-y)) - alpha, A)

    return slope


@pytest.mark.parametrize("seed", range(4))
def test_one_factor(seed):
    """At stationary points of rank <= r the curvature along a new column is 2 uᵀGu."""
    slope, rng, kinds = convex(seed, N, N), np.random.default_rng(seed), set()

    def first(x):
        X = x.reshape(N, RANK)
        return (slope(X @ X.T) @ X).ravel()

    for _ in range(6):
        end = least_squares(first, rng.standard_normal(N * RANK), **EXACTLY)
        if np.abs(end.fun).max() > 1e-10 or np.abs(end.x).max() > 50:
            continue
        X = end.x.reshape(N, RANK)
        G = slope(X @ X.T)
        low = np.linalg.eigvalsh(G)[0]
        kinds.add(bool(low < -1e-6))
        # Convexity: L(M) − L(XXᵀ) >= ⟨G, M⟩ for M >= 0, which is >= 0 exactly where G >= 0.
        M = rng.standard_normal((N, N))
        assert np.sum(G * (M @ M.T - X @ X.T)) >= min(low, 0) * np.sum(M**2) - 1e-9
    assert kinds  # some search arrived


@pytest.mark.parametrize("seed", range(4))
def test_two_factors(seed):
    """Stationary points are balanced; with G ≠ 0 the curvature along a new column is −2σ_1."""
    slope, rng = convex(seed, N, N - 1), np.random.default_rng(seed)

    def first(x):
        X, Y = x[: N * RANK].reshape(N, RANK), x[N * RANK :].reshape(N - 1, RANK)
        G, B = slope(X @ Y.T), X.T @ X - Y.T @ Y
        return np.r_[(G @ Y + 4 * WEIGHT * X @ B).ravel(), (G.T @ X - 4 * WEIGHT * Y @ B).ravel()]

    seen = 0
    for k in range(8):
        size = 0.0 if k == 0 else 1.0  # zero is one of them
        start = size * rng.standard_normal((2 * N - 1) * RANK)
        end = least_squares(first, start, **EXACTLY)
        if np.abs(end.fun).max() > 1e-9:
            continue
        seen += 1
        X, Y = end.x[: N * RANK].reshape(N, RANK), end.x[N * RANK :].reshape(N - 1, RANK)
        assert np.abs(X.T @ X - Y.T @ Y).max() < 1e-3
        G = slope(X @ Y.T)
        U, s, Vt = np.linalg.svd(G)
        if s[0] < 1e-4:
            continue
        W = np.pad(X, ((0, 0), (0, 1))), np.pad(Y, ((0, 0), (0, 1)))
        D = np.zeros_like(W[0]), np.zeros_like(W[1])
        D[0][:, -1], D[1][:, -1] = U[:, 0], -Vt[0]

        def gradient(t, W=W, D=D):
            P, Q = W[0] + t * D[0], W[1] + t * D[1]
            B = P.T @ P - Q.T @ Q
            G = slope(P @ Q.T)
            return G @ Q + 4 * WEIGHT * P @ B, G.T @ P - 4 * WEIGHT * Q @ B

        up, down = gradient(1e-5), gradient(-1e-5)
        bend = sum(np.sum(d * (p - m)) for d, p, m in zip(D, up, down, strict=True)) / 2e-5
        assert bend == pytest.approx(-2 * s[0], rel=1e-3)
    assert seen > 1


def test_sparse_pairs():
    """Where u_i = v_i = 0 the Hessian of L(u∘v) is [[0, g], [g, 0]], with eigenvalues ±g."""
    for g in (-1.5, 0.0, 0.7):
        assert np.linalg.eigvalsh([[0, g], [g, 0]]) == pytest.approx([-abs(g), abs(g)])


def test_one_point_convexity_is_more_than_regularity():
    """⟨g, e⟩ >= μ|e|² and |g| <= L|e| give (15) with α = μ, β = L²/μ, even for the worst g."""
    mu, L = 0.3, 2.0
    for cosine in np.linspace(mu / L, 1, 50):  # |e| = 1, g at this angle, as long as it may be
        size = L
        assert size * cosine >= mu - 1e-12
        assert size * cosine >= mu / 2 + size**2 * mu / (2 * L**2) - 1e-12


def test_a_ring_is_regular_and_not_convex():
    """¼(|x|² − 1)²: the solutions are connected; along them the curvature is zero."""
    for size in (0.6, 0.9, 1.3):
        slope, e = (size**2 - 1) * size, size - 1
        assert slope * e >= 0.5 * e**2 / 2 + slope**2 / (2 * 8)
        across = size**2 - 1  # the Hessian's eigenvalue along the ring
        assert (across < 0) == (size < 1)


@pytest.mark.parametrize("columns", [1, 3])
def test_a_column_too_many_flattens_the_whole_space(columns):
    """¼‖XXᵀ − zzᵀ‖²: at [z, t u] the gradient is t³ and the Hessian is not negative."""
    z, u = np.eye(4)[0], np.eye(4)[1]
    for t in (0.1, 0.01):
        X = np.zeros((4, 1 + columns))
        X[:, 0], X[:, 1] = z, t * u
        gap = X @ X.T - np.outer(z, z)
        assert np.linalg.norm(gap @ X) == pytest.approx(t**3)
        units = np.eye(X.size).reshape(-1, *X.shape)
        bends = [gap @ E + (X @ E.T + E @ X.T) @ X for E in units]
        H = np.stack([b.ravel() for b in bends])
        assert np.linalg.eigvalsh((H + H.T) / 2)[0] >= -1e-12
    # In 𝓜, of rank one, the gradient at the distance t is about 2t along z and t across.
    x = z + 0.01 * u
    assert np.linalg.norm((np.outer(x, x) - np.outer(z, z)) @ x) > 0.009
