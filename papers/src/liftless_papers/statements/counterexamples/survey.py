"""Survey of strict spurious minima: (5.17) is met by none, EFS > 1 by none, and yet h may fall.

Gaussian ensemble (4.7) with n = 3, r = 1; each start has its own operator.
"""

import numpy as np

from liftless_papers.statements.counterexamples import show


def minima(starts: int, m: int, seed: int) -> tuple[np.ndarray, ...]:
    """A (k, m, n, n), Z and X (k, n) of strict spurious minima found from that many starts."""
    rng, n = np.random.default_rng(seed), 3
    raw = rng.standard_normal((starts, m, n, n)) * (0.5 / m) ** 0.5
    A = (raw + raw.swapaxes(2, 3)) / 2**0.5
    Z, X = (rng.standard_normal((starts, n)) for _ in range(2))
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    values, gradient, e = np.zeros((starts, n)), Z, np.zeros((starts, m))
    for _ in range(80):  # Newton's method with the Hessian's absolute value, and short steps
        AX = np.einsum("kijl,kl->kij", A, X)
        e = np.einsum("kij,kj->ki", AX, X) - np.einsum("kijl,kj,kl->ki", A, Z, Z)
        gradient = 2 * np.einsum("ki,kij->kj", e, AX)
        H = 2 * np.einsum("ki,kijl->kjl", e, A) + 4 * np.einsum("kij,kil->kjl", AX, AX)
        values, V = np.linalg.eigh(H)
        g = np.einsum("kji,kj->ki", V, gradient) / np.maximum(np.abs(values), 1e-3)
        step = np.einsum("kji,ki->kj", V, g)
        size = np.linalg.norm(step, axis=1, keepdims=True)
        X = X - step * np.minimum(1.0, 0.2 / np.maximum(size, 1e-300))
    strict = values[:, 0] > 1e-5 * values[:, -1]
    far = np.sum(e**2, axis=1) > 1e-6
    kept = strict & far & (np.linalg.norm(gradient, axis=1) < 1e-10)
    return A[kept], Z[kept], X[kept]


def measured(A: np.ndarray, Z: np.ndarray, X: np.ndarray) -> dict[str, np.ndarray]:
    """What the proofs bound by one, and the exact score, at every minimum."""

    def sense(U: np.ndarray, V: np.ndarray) -> np.ndarray:
        return np.einsum("kijl,kj,kl->ki", A, U, V)

    e = sense(X, X) - sense(Z, Z)
    values, vectors = np.linalg.eigh(np.einsum("ki,kijl->kjl", e, A))
    u, lam, sigma2 = vectors[:, :, 0], values[:, 0], np.sum(X**2, axis=1)
    P, Q = 2 * sense(u, X / sigma2[:, None] ** 0.5), sense(u, u)
    pp, qq, pq = (np.sum(a * b, axis=1) for a, b in ((P, P), (Q, Q), (P, Q)))
    # 1 + δ is no less than the largest gain on span{P, Q}, and EFS falls with δ.
    gram = np.stack([np.stack([pp / 2, pq / 2**0.5], -1), np.stack([pq / 2**0.5, qq], -1)], -2)
    gain = np.linalg.eigvalsh(gram)[:, -1]
    size = np.sum(e**2, axis=1)
    return {
        "‖A(E)‖²/(−λ Tr M*)": size / (-lam * np.sum(Z**2, axis=1)),
        "−2λ/(σ²‖A(P)‖²)": -2 * lam / (sigma2 * pp),
        "EFS": -lam / (sigma2 * gain) + pq**2 / (2 * gain**2),
        "exact score": -2 * lam / (sigma2 * pp) + pq**2 / (pp * qq),
    }


def numbers(starts: int = 4000) -> dict[str, float]:
    """Largest values over all minima, and at how many the exact score says that h falls."""
    parts = [measured(*minima(starts // 2, m, seed)) for seed, m in enumerate((4, 6))]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    score = found["exact score"]
    counts = {"minima": float(score.size), "of them with exact score > 1": float(sum(score > 1))}
    return counts | {f"largest {name}": float(values.max()) for name, values in found.items()}


if __name__ == "__main__":
    show(numbers())
