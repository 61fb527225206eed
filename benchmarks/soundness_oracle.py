"""Whether another matrix fits, by means of its own: for tiny problems, in plain NumPy.

Nothing here comes from the package.  A counterexample is checked by its measurements; a curve by
the rank of the Jacobian against the dimension of the fibre; and else other fits are looked for by
Levenberg–Marquardt from many starts, and for rank one from every pattern of signs.
"""

import itertools

import numpy as np

#: Starts, and steps from each.
STARTS, STEPS = 150, 100


def matrix(X, split):
    """X Xᵀ, or U Vᵀ of a stacked factor."""
    return X @ X.T if split is None else X[:split] @ X[split:].T


def residuals(A, b, X):
    """⟨A_i, X Xᵀ⟩ − b_i for many X."""
    k, n, _ = X.shape
    return (X @ np.swapaxes(X, 1, 2)).reshape(k, n * n) @ A.reshape(-1, n * n).T - b


def normalised(A, Z):
    """Matrices that are not zero, in units in which every row of Z has length one."""
    length = np.linalg.norm(Z, axis=1)
    unit = np.where(length > 1e-9 * length.max(), length, np.median(length[length > 0]))
    A = A * unit[:, None] * unit[None, :]
    size = np.sqrt(np.sum(A * A, axis=(1, 2)))
    kept = size > 0
    return A[kept] / size[kept, None, None], Z / unit[:, None]


def fits(A, Z, other, split):
    """Whether ``other`` has the measurements of Z and another matrix, in scaled units."""
    length = np.linalg.norm(Z, axis=1)
    unit = np.where(length > 1e-9 * length.max(), length, np.median(length[length > 0]))
    B, Y = normalised(A, Z)
    W = other / unit[:, None]
    b = np.einsum("mij,ij->m", B, Y @ Y.T)
    off = np.abs(np.einsum("mij,ij->m", B, W @ W.T) - b).max()
    M, N = matrix(Y, split), matrix(W, split)
    # A recovered matrix and its counterexample are as exact as the recovery.
    return off <= 1e-7 * np.linalg.norm(M) and np.linalg.norm(M - N) > 1e-5 * np.linalg.norm(M)


def curve(A, Z, split):
    """Whether the Jacobian at Z has a lower rank than the dimension of the matrices near Z."""
    B, Y = normalised(A, Z)
    J = 2 * (B @ Y).reshape(len(B), -1)
    n, r = Y.shape
    dof = n * r - r * (r - 1) // 2 if split is None else n * r - r * r
    s = np.linalg.svd(J, compute_uv=False)
    return int(np.sum(s > 1e-9 * s[0])) < dof


def linear(A, Z, split):
    """Whether the measurements span all matrices of the space."""
    B, _ = normalised(A, Z)
    n = A.shape[1]
    dimension = n * (n + 1) // 2 if split is None else split * (n - split)
    s = np.linalg.svd(B.reshape(len(B), -1), compute_uv=False)
    return int(np.sum(s > 1e-9 * s[0])) == dimension


def other_fit(A, Z, split, seed=0):
    """Another factor that fits, or None; and how many starts ended at the matrix of Z."""
    B, Y = without_zeros(*normalised(A, Z))
    b = np.einsum("mij,ij->m", B, Y @ Y.T)
    ends = descended(B, b, _starts(Y, np.random.default_rng([seed, 77])))
    left = np.linalg.norm(residuals(B, b, ends), axis=1)
    M = matrix(Y, split)
    back = 0
    for X in ends[left <= 1e-10 * np.linalg.norm(b)]:
        away = np.linalg.norm(matrix(X, split) - M) / np.linalg.norm(M)
        if away > 1e-3:
            return X, back
        back += 1
    return None, back


def without_zeros(A, Y):
    """The problem on what the zero readings of semidefinite A_i leave, if there are any.

    Such a reading is the square of A_i^½ X: fitted to 1e-10 it leaves 1e-5 of X open, which is no
    other matrix.
    """
    b = np.einsum("mij,ij->m", A, Y @ Y.T)
    lowest = np.linalg.eigvalsh(A)[:, 0]
    zero = (np.abs(b) <= 1e-14 * np.sum(Y * Y)) & (lowest >= -1e-12)
    if not zero.any():
        return A, Y
    values, vectors = np.linalg.eigh(A[zero].sum(axis=0))
    N = vectors[:, values <= 1e-11 * values[-1]]
    return N.T @ A[~zero] @ N, N.T @ Y


def _starts(Y, g):
    n, r = Y.shape
    starts = [g.standard_normal((n, r)) * np.exp(0.7 * g.standard_normal()) for _ in range(STARTS)]
    if r == 1:
        for signs in itertools.islice(itertools.product((1.0, -1.0), repeat=n - 1), 128):
            image = Y * np.r_[1.0, signs][:, None]
            starts.append(image * (1 + 0.3 * g.standard_normal((n, 1))))
    return np.array(starts)


def descended(A, b, X):
    """Gauss–Newton steps with a damping in proportion to the residual, all starts at once."""
    ends, at = X.copy(), np.arange(len(X))
    off = residuals(A, b, X)
    for step in range(STEPS):
        level = np.sum(off * off, axis=1)
        n, r = X.shape[1:]
        J = 2 * (A.reshape(-1, n) @ X).reshape(len(X), len(b), n * r)
        # The damping of Yamashita and Fukushima: quadratic convergence, and small far steps.
        normal = np.swapaxes(J, 1, 2) @ J
        slope = (off[:, None, :] @ J)[:, 0]
        size = np.linalg.norm(slope, axis=1)
        normal += (np.minimum(level, np.sqrt(level)) + 1e-12)[:, None, None] * np.eye(n * r)
        move = np.linalg.solve(normal, -slope[:, :, None]).reshape(X.shape)
        best, lowest, here = X, level, off
        for length in (1.0, 0.4, 0.1, 0.01):
            left = residuals(A, b, X + length * move)
            value = np.sum(left**2, axis=1)
            lower = value < lowest
            best = np.where(lower[:, None, None], X + length * move, best)
            here = np.where(lower[:, None], left, here)
            lowest = np.where(lower, value, lowest)
        X, off = best, here
        ends[at] = X
        # Fitted, or at a spurious point.
        stuck = (step > 10) & (size * np.linalg.norm(X, axis=(1, 2)) < 1e-3 * level)
        going = (lowest > 1e-28 * np.sum(b * b)) & ~stuck & (lowest < level)
        at, X, off = at[going], X[going], off[going]
        if not at.size:
            break
    return ends
