"""Statements of the local-search paper that no experiment judges, by small computations."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize


def gaussian(m, n, seed):
    A = np.random.default_rng(seed).standard_normal((m, n, n))
    return (A + A.swapaxes(1, 2)) / 2


def rank_one_constant(A, starts, rng):
    """δ_1 of the mean of ⟨A_i, X⟩², by ascent and descent of ⟨A_i, uu'⟩² from several starts."""
    m, n = A.shape[:2]
    best = 0.0
    for sign in (1.0, -1.0):
        u = rng.standard_normal((starts, n))
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        for _ in range(40):
            y = np.einsum("mij,ki,kj->km", A, u, u)
            H = sign * np.einsum("km,mij,kj->ki", y, A, u) / m
            u = u + 0.3 * H
            u /= np.linalg.norm(u, axis=1, keepdims=True)
        y = np.einsum("mij,ki,kj->km", A, u, u)
        best = max(best, np.abs((y**2).mean(axis=1) - 1).max())
    return best


def test_gaussian_isometry_scales():
    """δ_1 √(m/n) stays within a factor while n and m grow."""
    rng, found = np.random.default_rng(0), []
    for n, m in ((5, 200), (10, 400), (10, 1600), (20, 800)):
        found.append(rank_one_constant(gaussian(m, n, n), 4, rng) * math.sqrt(m / n))
    assert 1 < min(found) <= max(found) < 4
    assert max(found) / min(found) < 1.8


def test_isometry_of_twice_the_rank_identifies():
    """Equal measurements of two matrices of rank r are those of a difference of rank 2r."""
    A = gaussian(60, 3, 0)
    rows = np.stack(
        [A[:, i, j] * (1 if i == j else 2**0.5) for i in range(3) for j in range(i + 1)]
    )
    gains = np.linalg.eigvalsh(rows @ rows.T / 60)
    assert gains[0] > 0  # δ < 1 after scaling: nothing but zero measures zero
    # An operator that sees the diagonal alone has δ_2 = 1 and cannot tell two of rank one apart.
    X, Y = np.ones((2, 2)), np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert np.array_equal(np.diag(X), np.diag(Y))


def test_rank_deficient_minimum_is_global():
    """At X = [z, 0] with a slack N, Nz = 0: second order exactly where N >= 0, and then global."""
    rng = np.random.default_rng(0)
    z = np.array([1.0, 0.5, -0.3])
    basis = np.linalg.svd(z[:, None])[0][:, 1:]
    kinds = set()
    for _ in range(30):
        low, high = np.sort(rng.uniform(-0.4, 1.0, 2))
        N = basis @ np.diag([low, high]) @ basis.T
        target = np.outer(z, z) - N  # f(M) = ½ ‖M − target‖² has the gradient N at zz'
        X = np.stack([z, np.zeros(3)], 1)

        def f(U, target=target):
            return 0.5 * np.sum((U @ U.T - target) ** 2)

        D = np.outer(basis[:, 0], [0.0, 1.0])  # an empty column: the curvature is that of N alone
        bend = (f(X + 1e-4 * D) - f(X)) / 1e-8
        assert bend == pytest.approx(low, abs=1e-6)
        best = 0.5 * np.sum(np.minimum(np.linalg.eigvalsh(target), 0) ** 2)
        assert (abs(f(X) - best) < 1e-9) == (low >= 0)
        kinds.add(low >= 0)
    assert kinds == {True, False}


def recovered(A, truth, start):
    """Whether descent from a start ends within 1e-2 of the truth."""
    y = np.einsum("mij,i,j->m", A, truth, truth)

    def value(x):
        AX = A @ x
        e = AX @ x - y
        return e @ e / len(y), 4 * (e @ AX) / len(y)

    end = minimize(value, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    gap = np.outer(end.x, end.x) - np.outer(truth, truth)
    return np.linalg.norm(gap) <= 1e-2


def test_svd_starts_are_better():
    """Figure 1: n = 30, r = 1, m = 1.4 n, where the paper sees no difference."""
    n, m, trials = 30, 42, 40
    wins = {"random": 0, "svd": 0}
    for seed in range(trials):
        A = gaussian(m, n, 1000 + seed)
        rng = np.random.default_rng(seed)
        truth = rng.standard_normal(n)
        truth /= np.linalg.norm(truth)
        y = np.einsum("mij,i,j->m", A, truth, truth)
        values, vectors = np.linalg.eigh(np.einsum("m,mij->ij", y, A) / m)
        svd = vectors[:, -1] * values[-1] ** 0.5
        start = rng.standard_normal(n)
        wins["random"] += int(recovered(A, truth, start / np.linalg.norm(start)))
        wins["svd"] += int(recovered(A, truth, svd))
    rates = {name: count / trials for name, count in wins.items()}
    spread = math.sqrt(sum(p * (1 - p) / trials for p in rates.values()))
    assert rates["svd"] - rates["random"] > 2.6 * spread


def cubic_step(g, H, weight):
    """Minimiser of g's + s'Hs/2 + weight |s|³/6, by the secular equation."""
    values, V = np.linalg.eigh(H)
    along = V.T @ g
    low = max(0.0, -2 * values[0] / weight)
    high = low + 10 + np.linalg.norm(g)
    for _ in range(100):
        size = (low + high) / 2
        s = -along / (values + weight * size / 2 + 1e-300)
        low, high = (size, high) if np.linalg.norm(s) > size else (low, size)
    if np.linalg.norm(s) < 0.99 * high:  # the hard case: on along the lowest eigenvector
        s[0] += np.sqrt(high**2 - np.linalg.norm(s) ** 2)
    return V @ s


@pytest.mark.parametrize("kept", [(), (0,), (1,)])
def test_cubic_newton_leaves_the_saddles(kept):
    """From a strict saddle of Theorem 3.2, δ = 0, cubically regularised steps reach the truth."""
    truth = np.diag([2.0, 1.0, 0.0])
    U = np.zeros((3, 2))
    for k in kept:
        U[k, k] = truth[k, k] ** 0.5
    for _ in range(60):
        gap = U @ U.T - truth
        units = np.eye(6).reshape(6, 3, 2)
        bends = [(U @ Z.T + Z @ U.T) @ U + gap @ Z for Z in units]
        H = 4 * np.stack([b.ravel() for b in bends])
        U = U + cubic_step(4 * (gap @ U).ravel(), (H + H.T) / 2, 60.0).reshape(3, 2)
    assert np.linalg.norm(U @ U.T - truth) < 1e-8
