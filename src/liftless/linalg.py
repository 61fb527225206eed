"""Extreme eigenpairs, dense and matrix-free, and the distance of two matrices."""

import contextlib
import contextvars
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from liftless.cost import dense_eigen

#: Called before every product of a matrix-free eigenproblem, and with the work of a dense one.
_TICK: contextvars.ContextVar[Callable[..., None] | None] = contextvars.ContextVar(
    "tick", default=None
)


class OutOfTime(Exception):
    """What :func:`ticking`'s function raises to end an eigenproblem, for want of time or budget."""


@contextlib.contextmanager
def ticking(tick: Callable[..., None]) -> Iterator[None]:
    """Call a function before every product of the eigenproblems inside; it may raise.

    Before a dense one that is booked where it is solved it is called with its multiply-adds.
    """
    token = _TICK.set(tick)
    try:
        yield
    finally:
        _TICK.reset(token)


def book(work: float | int) -> None:
    """Tell whoever keeps the books of a dense eigenproblem; it may raise :class:`OutOfTime`."""
    tick = _TICK.get()
    if tick is not None:
        tick(work)


def fix_signs(vectors: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Flip columns so that the entry of largest magnitude of each is positive."""
    rows = np.argmax(np.abs(vectors), axis=0)
    signs = np.sign(vectors[rows, np.arange(vectors.shape[1])])
    return vectors * np.where(signs == 0, 1.0, signs)


def classical_scaling(D: Float[np.ndarray, "n n"], k: int) -> Float[np.ndarray, "n k"]:
    """Places of k coordinates from all distances (Torgerson 1952), the longest axis first."""
    from scipy.linalg import eigh

    n, B = len(D), -0.5 * D**2
    B = B - B.mean(axis=0) - B.mean(axis=1)[:, None] + B.mean()
    most = min(k, n)
    values, vectors = eigh(B, subset_by_index=[n - most, n - 1])
    X = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.pad(X[:, ::-1], ((0, 0), (0, k - most)))


def start_vector(n: int) -> Float[np.ndarray, " n"]:
    """Return the fixed start of every Lanczos run, so that results do not depend on chance."""
    return np.random.default_rng(0).standard_normal(n)


def extreme_eigenpairs(
    product: Callable[[np.ndarray], np.ndarray],
    n: int,
    k: int,
    which: str = "lowest",
    accuracy: float = 0.0,
    dtype: type = np.float64,
) -> tuple[Float[np.ndarray, " k"], Num[np.ndarray, "n k"]]:
    """Lowest or highest eigenpairs of a symmetric (Hermitian) operator, by its action on columns.

    Parameters
    ----------
    product : callable
        Maps an array of shape (n, c) to one of the same shape.
    n, k : int
        Order of the operator and number of eigenpairs; ``k`` is cut to ``n``.
    which : {"lowest", "highest"}
        Which end of the spectrum; the eigenvalues are returned from that end inwards.
    accuracy : float
        Relative accuracy of the eigenvalues that Lanczos stops at; 0 for machine precision.
    dtype : {float, complex}
        Of the columns.

    Returns
    -------
    values : array of shape (k,)
    vectors : array of shape (n, k)
        Orthonormal; real ones with the entry of largest magnitude of each positive.

    Notes
    -----
    Dense (LAPACK) where that is quick (:func:`liftless.cost.dense_eigen`) or nearly all pairs are
    asked for; above it ARPACK's implicitly restarted Lanczos with a fixed start vector.
    """
    k = min(k, n)
    if dense_eigen(n) or 2 * k >= n - 1:
        matrix = product(np.eye(n, dtype=dtype))
        values, vectors = np.linalg.eigh((matrix + matrix.conj().T) / 2)
    else:
        values, vectors = _lanczos(product, n, k, which, accuracy, dtype)
    order = np.argsort(values, kind="stable")
    order = order[:k] if which == "lowest" else order[::-1][:k]
    vectors = vectors[:, order]
    return values[order], vectors if dtype is np.complex128 else fix_signs(vectors)


def _lanczos(
    product: Callable, n: int, k: int, which: str, accuracy: float, dtype: type
) -> tuple[np.ndarray, np.ndarray]:
    # SciPy is imported where it is used: the command line starts faster without it.
    from scipy.sparse.linalg import LinearOperator, eigsh

    tick = _TICK.get()

    def times(w: np.ndarray) -> np.ndarray:
        if tick is not None:
            tick()
        return product(w.reshape(n, 1)).ravel()

    operator: Any = LinearOperator(  # pyright: ignore[reportCallIssue]
        (n, n),
        matvec=times,  # pyright: ignore[reportCallIssue]
        dtype=dtype,  # pyright: ignore[reportCallIssue]
    )
    # Over the complex numbers ARPACK knows no algebraic order of the ends but the real parts.
    end = "SA" if which == "lowest" else "LA"
    subspace = min(n - 1, max(2 * k + 1, 20) if accuracy else max(4 * k + 1, 40))
    v0 = start_vector(n).astype(dtype)
    found: Any = eigsh(
        operator,
        k=k,
        which=end,
        v0=v0,
        ncv=subspace,
        maxiter=100 * n,
        tol=accuracy,  # pyright: ignore[reportArgumentType]
    )
    return found


def matrix_distance(X: Num[np.ndarray, "n r"], Z: Num[np.ndarray, "n s"]) -> float:
    """‖X X* − Z Z*‖_F without forming an n × n matrix, from [X Z] = Q R.

    The columns of Q are orthonormal, so the norm is that of the small core R diag(±1) R*.
    """
    R = np.asarray(np.linalg.qr(np.concatenate([X, Z], axis=1), mode="r"))
    signs = np.r_[np.ones(X.shape[1]), -np.ones(Z.shape[1])]
    return float(np.linalg.norm((R * signs) @ R.conj().T))


def least_singular(lengths: np.ndarray, ratios: np.ndarray) -> float:
    """Least singular value that the steps of conjugate gradients have met.

    They are Lanczos steps: lengths α and ratios β give the tridiagonal matrix with 1/α_k +
    β_{k−1}/α_{k−1} on the diagonal and √β_k/α_k beside it, whose least eigenvalue is σ².
    """
    from scipy.linalg import eigvalsh_tridiagonal

    taken = np.isfinite(lengths) & np.isfinite(ratios)
    a, b = lengths[taken], ratios[taken]
    if a.size < 2:
        return math.sqrt(1 / a[0]) if a.size else math.inf
    diagonal = 1 / a + np.r_[0.0, b[:-1] / a[:-1]]
    values = eigvalsh_tridiagonal(diagonal, np.sqrt(b[:-1]) / a[:-1])
    return math.sqrt(max(float(values[0]), 0.0))
