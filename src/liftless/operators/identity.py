"""The combination of the A_i that comes nearest the identity: what lower bounds are made with."""

import contextlib
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless.cost import CHECK
from liftless.linalg import book

#: Relative accuracy of an iterative fit, and its most steps.  Whether the sum is positive definite
#: is looked at afterwards, and a bound holds for any such sum: near the identity is near enough.
CLOSE, STEPS = 1e-4, 200
#: Least squared pivot, relative to the largest, of normal equations that are solved as they are.
SINGULAR = 1e-12


def nearest_identity(
    rows: Float[np.ndarray, "m p"], scale: Float[np.ndarray, " p"], goal: Float[np.ndarray, " p"]
) -> Float[np.ndarray, " m"]:
    """Least-squares w with Σ w_i row_i · scale ≈ goal.

    Parameters
    ----------
    rows : array of shape (m, p)
        Stored numbers of the A_i.
    scale : array of shape (p,)
        Factors that make the dot product of two rows the Frobenius product of their matrices.
    goal : array of shape (p,)
        The identity in these coordinates.

    Notes
    -----
    By normal equations of the smaller side where they are a matter of a second, and above by LSMR
    (Fong and Saunders, SIAM J. Sci. Comput. 33, 2011), whose products are booked like those of an
    eigenproblem, and end like them for want of time: :class:`liftless.linalg.OutOfTime`.
    """
    m, p = rows.shape
    if float(m) * p * min(m, p) > CHECK:
        return identity_by_products(rows, scale, goal)
    S = rows * scale
    if m <= p:
        return _solved(S @ S.T, S @ goal)
    return S @ _solved(S.T @ S, goal)


def _solved(gram: Float[np.ndarray, "k k"], goal: Float[np.ndarray, " k"]) -> np.ndarray:
    """Solve normal equations, of which some may say the same."""
    from scipy.linalg import cho_solve

    with contextlib.suppress(np.linalg.LinAlgError):
        root = np.linalg.cholesky(gram)
        pivots = np.diag(root) ** 2
        if pivots.min() > SINGULAR * pivots.max():
            return cho_solve((root, True), goal)
    return np.linalg.lstsq(gram, goal, rcond=SINGULAR)[0]


def identity_by_products(
    rows: Any,
    scale: Float[np.ndarray, " p"],
    goal: Float[np.ndarray, " p"],
    *,
    close: float = CLOSE,
    steps: int = STEPS,
) -> Float[np.ndarray, " m"]:
    """:func:`nearest_identity` by LSMR, for rows that are many, or sparse.

    Parameters
    ----------
    rows : array or SciPy sparse array of shape (m, p)
    scale, goal : arrays of shape (p,)
    close : float
        Relative accuracy.
    steps : int
        Most steps, of two products each.
    """
    from scipy.sparse.linalg import LinearOperator, lsmr

    m, p = rows.shape

    # The scale goes to the vectors, so that the rows are never copied.
    def summed(w: np.ndarray) -> np.ndarray:
        book(0)
        return (w.ravel().astype(rows.dtype) @ rows) * scale

    def measured(v: np.ndarray) -> np.ndarray:
        return rows @ (v.ravel() * scale).astype(rows.dtype)

    S: Any = LinearOperator(  # pyright: ignore[reportCallIssue]
        (p, m),
        matvec=summed,  # pyright: ignore[reportCallIssue]
        rmatvec=measured,  # pyright: ignore[reportCallIssue]
        dtype=np.float64,  # pyright: ignore[reportCallIssue]
    )
    return np.asarray(lsmr(S, goal, atol=close, btol=close, conlim=0, maxiter=steps)[0])
