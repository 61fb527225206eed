"""Conformance of an operator, and how far it is from an isometry on low-rank matrices."""

from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jaxtyping import Float

from liftless._checks import positive_int
from liftless._precision import double
from liftless._types import AnyArray
from liftless.linalg import extreme_eigenpairs
from liftless.operators.base import SensingOperator, backproject, measure

#: Largest order for which all symmetric matrices are searched exactly.
FULL_LIMIT = 40


@dataclass(frozen=True)
class DotTest:
    """Outcome of :func:`dot_test`: relative errors of the operator's defining identities.

    Attributes
    ----------
    adjoint : float
        |⟨y, measure(U, V)⟩ − ⟨backproject(y, V), U⟩|.
    symmetry, bilinearity : float
        Of ``measure(U, V)`` against ``measure(V, U)`` and against its sum over two summands.
    matrix, jacobian : float
        Of the dense forms against the products.
    passed : bool
        Whether every error is below the tolerance.
    """

    adjoint: float
    symmetry: float
    bilinearity: float
    matrix: float
    jacobian: float
    passed: bool


@double
def dot_test(
    operator: SensingOperator, *, rank: int = 2, seed: int = 0, tolerance: float = 1e-10
) -> DotTest:
    """Check a (user's own) operator against its definition on random factors.

    Parameters
    ----------
    operator : SensingOperator
    rank : int
        Width of the random factors.
    seed : int
        Seed of ``numpy.random.default_rng``.
    tolerance : float
        Allowed relative error; use 1e-5 for float32 storage.

    Returns
    -------
    DotTest
        A failed identity shows as a large error, never as an exception.
    """
    rank = positive_int("rank", rank)
    rng = np.random.default_rng(seed)
    n, m = operator.n, operator.m
    U, V, W = rng.standard_normal((3, n, rank))
    y = rng.standard_normal(m)
    uv = measure(operator, U, V)
    projected = backproject(operator, y, V)
    dense = np.asarray(jax.jit(type(operator).matrix)(operator, y))
    rows = np.asarray(jax.jit(type(operator).jacobian)(operator, U))
    errors = {
        "adjoint": _relative(y @ uv, np.sum(projected * U), _size(y) * _size(uv)),
        "symmetry": _relative(uv, measure(operator, V, U)),
        "bilinearity": _relative(measure(operator, U + 2 * W, V), uv + 2 * measure(operator, W, V)),
        "matrix": _relative(dense @ V, projected),
        "jacobian": _relative(np.einsum("mnr,nr->m", rows, V), 2 * uv),
    }
    return DotTest(**errors, passed=all(e <= tolerance for e in errors.values()))


def _size(a: AnyArray | float) -> float:
    return float(np.linalg.norm(np.asarray(a)))


def _relative(a: AnyArray | float, b: AnyArray | float, scale: float | None = None) -> float:
    """Return the difference relative to ``scale``: NaN where a value is NaN, so that it fails."""
    scale = max(_size(a), _size(b)) if scale is None else scale
    difference = _size(np.asarray(a) - np.asarray(b))
    if scale == 0:
        return 0.0 if difference == 0 else float("inf")
    return difference / scale


@dataclass(frozen=True)
class RipEstimate:
    """Bounds on the restricted isometry constant δ_p of an operator.

    Attributes
    ----------
    rank : int
        p.
    low, high : float
        Smallest and largest ‖A(M)‖²/‖M‖_F² *found* over rank-p matrices.
    delta_lower : float
        max(high − 1, 1 − low): a lower bound on δ_p, since the quotients are attained.
    delta_upper : float or None
        The same over *all* symmetric matrices, exact (an eigenproblem): a certified upper bound
        on δ_p for every p.  None above n = 40.
    scaled_lower, scaled_upper : float, float or None
        The same after the best rescaling of A: (high − low)/(high + low).
    certified : bool
        Whether ``delta_upper`` was computed.
    """

    rank: int
    low: float
    high: float
    delta_lower: float
    delta_upper: float | None
    scaled_lower: float
    scaled_upper: float | None
    certified: bool


@double
def rip_estimate(
    operator: SensingOperator,
    rank: int,
    *,
    starts: int = 8,
    iterations: int = 200,
    seed: int = 0,
) -> RipEstimate:
    """Estimate the restricted isometry constant δ_p, p = ``rank`` (definition 1.1).

    A lower bound comes from a power-like ascent over matrices of rank p, M ← P_p(A*A M) for the
    largest quotient and M ← P_p(c M − A*A M) for the smallest; it is only as good as the ascent.
    For n up to 40 the exact extremes over all symmetric matrices give a certified upper bound.

    Parameters
    ----------
    operator : SensingOperator
    rank : int
        1 <= rank <= n.
    starts, iterations : int
        Random starts of the ascent, and its longest run.
    seed : int
        Seed of the starts.

    Returns
    -------
    RipEstimate
        It says which number is which kind of bound.
    """
    rank = positive_int("rank", rank, most=operator.n)
    starts, iterations = positive_int("starts", starts), positive_int("iterations", iterations)
    full = _full_extremes(operator) if operator.n <= FULL_LIMIT else None
    shift = full[1] if full else _largest_quotient(operator)
    rng = np.random.default_rng(seed)
    lows, highs = [], []
    for _ in range(starts):
        Q = np.linalg.qr(rng.standard_normal((operator.n, rank)))[0]
        s = rng.standard_normal(rank)
        highs.append(_ascend(operator, Q, s, 0.0, iterations))
        lows.append(_ascend(operator, Q, s, shift, iterations))
    low, high = min(lows), max(highs)
    return RipEstimate(
        rank=rank,
        low=low,
        high=high,
        delta_lower=max(high - 1, 1 - low),
        delta_upper=max(full[1] - 1, 1 - full[0]) if full else None,
        scaled_lower=(high - low) / (high + low),
        scaled_upper=(full[1] - full[0]) / (full[1] + full[0]) if full else None,
        certified=full is not None,
    )


def _full_extremes(operator: SensingOperator) -> tuple[float, float]:
    """Least and largest ‖A(M)‖²/‖M‖² over symmetric M, from the matrix of A itself."""
    n = operator.n
    i, j = np.triu_indices(n)
    scale = np.where(i == j, 1.0, np.sqrt(2.0))
    eye = np.eye(n)
    columns = jax.vmap(lambda u, v: operator.measure(u[:, None], v[:, None]))(eye[i], eye[j])
    values = np.linalg.svd(np.asarray(columns) * scale[:, None], compute_uv=False) ** 2
    least = float(values[-1]) if operator.m >= i.size else 0.0
    return least, float(values[0])


def _quotient(operator: SensingOperator, Q: np.ndarray, s: np.ndarray) -> tuple[float, np.ndarray]:
    y = np.asarray(measure(operator, Q * s, Q))
    return float(y @ y / (s @ s)), y


def _ascend(
    operator: SensingOperator, Q: np.ndarray, s: np.ndarray, shift: float, iterations: int
) -> float:
    """Follow M ← P_p(A*A M), or M ← P_p(shift·M − A*A M), to a fixed point."""
    sign = -1.0 if shift > 0 else 1.0
    s = s / np.linalg.norm(s)
    quotient, y = _quotient(operator, Q, s)
    for _ in range(iterations):
        previous = quotient
        product = partial(_move, operator, Q, s, sign * y, shift)
        Q, s = _largest_in_magnitude(product, operator.n, s.size)
        s = s / np.linalg.norm(s)
        quotient, y = _quotient(operator, Q, s)
        if abs(quotient - previous) <= 1e-12 * max(abs(quotient), 1e-300):
            break
    return quotient


def _move(
    operator: SensingOperator,
    Q: np.ndarray,
    s: np.ndarray,
    y: np.ndarray,
    shift: float,
    W: np.ndarray,
) -> np.ndarray:
    """(A*(y) + shift·M) W for M = Q diag(s) Qᵀ."""
    return np.asarray(backproject(operator, y, W)) + shift * (Q * s) @ (Q.T @ W)


def _largest_in_magnitude(product, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k eigenpairs of largest magnitude: the best rank-k approximation."""
    low, low_vectors = extreme_eigenpairs(product, n, k, "lowest")
    high, high_vectors = extreme_eigenpairs(product, n, k, "highest")
    values = np.r_[low, high]
    vectors = np.c_[low_vectors, high_vectors]
    if 2 * k > n:  # the two ends overlap: take the whole spectrum from one call
        values, vectors = extreme_eigenpairs(product, n, n, "lowest")
    order = np.argsort(-np.abs(values), kind="stable")[:k]
    return vectors[:, order], values[order]


def _largest_quotient(operator: SensingOperator) -> float:
    """‖A‖² over all symmetric matrices, by power iteration on dense matrices."""
    # Not the identity: an operator of traceless matrices maps that to zero.
    M: Float[np.ndarray, "n n"] = np.random.default_rng(0).standard_normal((operator.n,) * 2)
    M = M + M.T
    value = 0.0
    for _ in range(100):
        M = M / np.linalg.norm(M)
        y = measure(operator, M, np.eye(operator.n))
        value = float(y @ y)
        M = np.asarray(backproject(operator, y, np.eye(operator.n)))
    return value
