"""Points of matrix sensing where the propositions of section 6 of the IPGD paper are tried."""

import numpy as np
from jaxtyping import Float

from liftless.descent import Stop, descend
from liftless.linalg import extreme_eigenpairs
from liftless.problem import Problem
from liftless_papers.ipgd.constants import SensingConstants
from liftless_papers.ipgd.sensing import Truth


def sample_region(
    constants: SensingConstants,
    truth: Truth,
    rng: np.random.Generator,
    *,
    extreme: bool = True,
) -> Float[np.ndarray, "n q"]:
    """Return a random point of the region (78), an array of shape (n, r').

    Parameters
    ----------
    constants : SensingConstants
    truth : array of shape (n, r)
    rng : numpy.random.Generator
    extreme : bool
        Put the largest angle and the norm at their bounds.
    """
    c, (n, r) = constants, truth.shape
    V = np.linalg.svd(truth, full_matrices=False)[0]
    W = rng.standard_normal((n, r))
    W = np.linalg.qr(W - V @ (V.T @ W))[0][:, :r]
    most = min(c.angle_bound, 1.0)
    sines = most * rng.random(r)
    if extreme:
        sines[rng.integers(r)] = most
    # A rotation within V* decides which of its directions is tilted the most.
    mix = np.linalg.qr(rng.standard_normal((r, r)))[0] if rng.random() < 0.5 else np.eye(r)
    if 2 * r > n:
        sines[:] = 0.0
    U = (V @ mix) * np.sqrt(1 - sines**2) + W * sines
    sizes = c.norm_bound * rng.random(r) ** 0.5
    if extreme:
        sizes[rng.integers(r)] = c.norm_bound
    if rng.random() < 0.25:
        sizes[:] = c.norm_bound
    right = np.linalg.qr(rng.standard_normal((c.search_rank, r)))[0]
    turn = np.linalg.qr(rng.standard_normal((r, r)))[0] if rng.random() < 0.5 else np.eye(r)
    return (U @ turn * sizes) @ right.T


def random_residual(X: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Random Z of the given norm with XᵀZ = 0 and Z Xᵀ = 0."""
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    keep = s > 1e-12 * max(float(s[0]), 1e-300)
    U, Vt = U[:, keep], Vt[keep]
    Z = rng.standard_normal(X.shape)
    Z = Z - U @ (U.T @ Z)
    Z = Z - (Z @ Vt.T) @ Vt
    norm = float(np.linalg.norm(Z))
    return Z * (size / norm) if norm > 0 else Z


def outside_angle(truth: Truth, X: Float[np.ndarray, "n q"]) -> float:
    """‖P_{V*⊥} P_X‖, the sine of the largest angle between the columns of X and those of M*."""
    V = np.linalg.svd(truth, full_matrices=False)[0]
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    U = U[:, s > 1e-10 * max(float(s[0]), 1e-300)]
    return float(np.linalg.norm(U - V @ (V.T @ U), 2)) if U.size else 0.0


def worst_residual(problem: Problem, X: np.ndarray, size: float) -> np.ndarray:
    """Residual of the given norm along the lowest eigenvector of ∇f outside the columns of X."""
    U, s, Vt = np.linalg.svd(X)
    rank = int(np.sum(s > 1e-12 * s[0]))
    outside, free = U[:, rank:], Vt[rank:]
    if free.shape[0] < 1:
        return np.zeros_like(X)
    S = outside.T @ np.asarray(problem.slack(X, outside))
    _, w = extreme_eigenpairs(lambda W: S @ W, S.shape[0], 1)
    return size * np.outer(outside @ w[:, 0], free[0])


def saddle_points(problem: Problem, truth: Truth) -> tuple[Float[np.ndarray, "n q"], ...]:
    """Return the saddle points of (MS) of rank 0, …, r − 1 near the truncations of M*.

    A minimum over k columns, padded by zero columns, is a stationary point of the whole problem.
    """
    U, s, _ = np.linalg.svd(truth, full_matrices=False)
    found = [np.zeros((truth.shape[0], problem.rank))]
    for k in range(1, truth.shape[1]):
        X = np.zeros_like(found[0])
        stop = Stop(gradient=1e-11)
        X[:, :k] = descend(problem.with_rank(k), U[:, :k] * s[:k], None, stop).X
        found.append(X)
    return tuple(found)


def between(saddle: np.ndarray, truth: Truth, rng: np.random.Generator) -> np.ndarray:
    """Return a point of rank r near the segment from a saddle to a solution, at all scales."""
    r = truth.shape[1]
    U, s, _ = np.linalg.svd(truth, full_matrices=False)
    near = 10.0 ** rng.uniform(-4, 0)
    near = near if rng.random() < 0.7 else 1 - near
    goal = np.pad(U * s, ((0, 0), (0, saddle.shape[1] - r)))
    noise = float(s[-1]) * 10.0 ** rng.uniform(-6, -1) * rng.standard_normal(goal.shape)
    left, sizes, right = np.linalg.svd(goal + near * (saddle - goal) + noise, full_matrices=False)
    return (left[:, :r] * sizes[:r]) @ right[:r]


def direction_away(truth: Truth, k: int, rng: np.random.Generator) -> np.ndarray:
    """Unit step away from the truth: random, one triple of M*, or out of its column space."""
    U, _, Vt = np.linalg.svd(truth, full_matrices=False)
    i = int(rng.integers(truth.shape[1]))
    if k % 4 == 0:
        step = rng.standard_normal(truth.shape)
    elif k % 4 == 1:
        step = rng.choice([-1.0, 1.0]) * np.outer(U[:, i], Vt[i])
    else:
        w = rng.standard_normal(truth.shape[0])
        w = w - U @ (U.T @ w)
        step = np.outer(w / np.linalg.norm(w), Vt[i])
        if k % 4 == 3:
            step = step + rng.standard_normal() * np.outer(U[:, i], Vt[i])
    return step / np.linalg.norm(step)
