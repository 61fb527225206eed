"""The quantities a lifted problem would reveal at a point, computed without lifting."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless._checks import positive_int
from liftless._errors import InvalidInput
from liftless._precision import double, entry
from liftless._types import AnyArray
from liftless.certificate import slack_eigenpairs
from liftless.linalg import fix_signs
from liftless.problem import Problem

#: A singular value below this fraction of the largest counts as zero.
ZERO_SINGULAR = 1e-10
#: An eigenvalue of the slack above this fraction of the most negative one may be round-off.
ROUND_OFF = 1e-3


@dataclass(frozen=True)
class Oracle:
    """Eigenpair of the slack, singular triple of X̂, and what they measure (section 3, paper 002).

    Attributes
    ----------
    lambda_n, u_n : float, array of shape (n,)
        Eigenpair of ∇f(X̂ X̂ᵀ): the lowest, or the k-th lowest on request.
    sigma, v, q : float, array of shape (n,), array of shape (r,)
        Singular triple of X̂: the smallest nonzero one, or any.
    A_P, A_Q : arrays of shape (m,)
        Weighted measurements of P = u vᵀ + v uᵀ and Q = u uᵀ.
    EX : array of shape (n, r)
        E X̂ with E = A*A(P), matrix-free.
    """

    lambda_n: float
    u_n: Float[np.ndarray, " n"]
    sigma: float
    v: Float[np.ndarray, " n"]
    q: Float[np.ndarray, " r"]
    A_P: Float[np.ndarray, " m"]
    A_Q: Float[np.ndarray, " m"]
    EX: Float[np.ndarray, "n r"]

    @property
    def beta_direction(self) -> Float[np.ndarray, "n r"]:
        """U qᵀ, the direction of the b-term."""
        return np.outer(self.u_n, self.q)

    @property
    def gamma_direction(self) -> Float[np.ndarray, "n r"]:
        """E X̂, the direction of the c-term."""
        return self.EX

    @property
    def E_Q(self) -> float:
        """⟨E, u uᵀ⟩ = ⟨A(P), A(Q)⟩."""
        return float(self.A_P @ self.A_Q)


@entry
def _images(
    problem: Problem, X: AnyArray, u: AnyArray, v: AnyArray
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Weighted A(P), A(Q), and E X; the loss's curvature weighs the rows beside the data's own."""
    y = problem.operator.measure(X, X)
    bend = problem.omega * problem.loss.second(y, problem.b)
    root = bend**0.5
    a_p = 2 * problem.operator.measure(u, v)
    a_q = problem.operator.measure(u, u)
    return root * a_p, root * a_q, problem.operator.backproject(bend * a_p, X)


def singular_triples(
    X: Float[np.ndarray, "n r"],
) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, " k"], Float[np.ndarray, "r k"]]:
    """Nonzero singular triples (V, sigma, Q) of X, largest first; columns of V signed."""
    V, s, Qt = np.linalg.svd(X, full_matrices=False)
    k = int(np.count_nonzero(s > ZERO_SINGULAR * max(s[0], np.finfo(float).tiny)))
    signed = fix_signs(V[:, :k])
    # The factor of a triple may change sign only together with its partner.
    flips = np.sign(np.sum(signed * V[:, :k], axis=0))
    return signed, s[:k], Qt[:k].T * flips


@double
def oracle(
    problem: Problem, X: Float[np.ndarray, "n r"], *, pair: int = 1, triple: int | None = None
) -> Oracle:
    """Oracle quantities at ``X``.

    Parameters
    ----------
    problem : Problem
    X : array of shape (n, r)
        A first-order point other than zero.
    pair : int
        Which eigenpair of the slack: 1 for the lowest, k for the k-th lowest.
    triple : int, optional
        Which singular triple of X, 1 for the largest; the smallest nonzero one by default.

    Returns
    -------
    Oracle

    Raises
    ------
    InvalidInput
        If ``X`` is zero, or there is no such pair or triple.
    """
    pair = positive_int("pair", pair, most=problem.n)
    if not np.any(X):
        raise InvalidInput("X", "zero", "a factor with a nonzero singular value")
    triples = singular_triples(np.asarray(X, np.float64))
    count = triples[1].size
    j = count if triple is None else positive_int("triple", triple, most=count)
    values, vectors = slack_eigenpairs(problem, X, pair)
    return _oracle(problem, X, (values[pair - 1], vectors[:, pair - 1]), triples, j - 1)


def oracles(
    problem: Problem, X: Float[np.ndarray, "n r"], pairs: int, accuracy: float = 0.0
) -> Iterator[Oracle]:
    """Oracle quantities at ``X`` for its lowest eigenpairs, negative ones, and every triple.

    The lowest eigenpair comes first, and with each the smallest triple.  ``accuracy`` is that of
    Lanczos, 0 for machine precision; an eigenvalue below 1e-3 of the lowest counts as zero, as
    those of the columns of X are.
    """
    triples = singular_triples(np.asarray(X, np.float64))
    values, vectors = slack_eigenpairs(problem, X, min(pairs, problem.n), accuracy=accuracy)
    for i in range(int(np.sum(values < min(ROUND_OFF * values[0], 0.0)))):
        for j in reversed(range(triples[1].size)):
            yield _oracle(problem, X, (values[i], vectors[:, i]), triples, j)


def _oracle(
    problem: Problem,
    X: np.ndarray,
    eigenpair: tuple[float | np.floating, np.ndarray],
    triples: tuple[np.ndarray, np.ndarray, np.ndarray],
    j: int,
) -> Oracle:
    (value, u), (V, sigma, Q) = eigenpair, triples
    a_p, a_q, EX = map(np.asarray, _images(problem, X, u[:, None], V[:, j][:, None]))
    return Oracle(
        lambda_n=float(value),
        u_n=u,
        sigma=float(sigma[j]),
        v=V[:, j],
        q=Q[:, j],
        A_P=a_p,
        A_Q=a_q,
        EX=EX,
    )
