"""Soft-impute: the nuclear norm by soft-thresholded singular value decompositions."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
from jaxtyping import Float
from scipy.sparse import linalg

from liftless.cost import eigen_work
from liftless_papers.compare.peers.base import Effort
from liftless_papers.compare.peers.entries import Data, EntriesPeer, Values

#: SciPy's own types fit neither its operators of two functions nor its tolerances.
_sparse: Any = linalg

#: Smaller side up to which a decomposition is dense; above, the leading part by Lanczos.
DENSE = 300
#: Applications of an iteration, A of the present matrix; its decomposition is charged as work.
STEP_COST = 1
LEAST = 10


class Decomposed(NamedTuple):
    """U diag(s) Vᵀ."""

    U: Float[np.ndarray, "n1 k"]
    s: Float[np.ndarray, " k"]
    V: Float[np.ndarray, "n2 k"]


@final
@dataclass(frozen=True)
class SoftImpute(EntriesPeer):
    """Soft-impute along a path of λ with warm starts, then truncation and local descent.

    At each λ it iterates Z ← S_λ(P(Y) + P⊥(Z)), where P keeps the observed entries and S_λ lowers
    every singular value by λ, down to zero: the minimiser of ½ ‖P(Y − Z)‖² + λ ‖Z‖_*.  Since it is
    shrunk, no λ fits exact data; the last decomposition is truncated to the rank, not shrunk, and
    descended from.

    Parameters
    ----------
    path : int
        Values of λ, from the largest singular value of P(Y) down by a factor of ``span``.
    span : float
    tolerance : float
        ‖ΔZ‖²/‖Z‖² at which the next λ is taken.
    most : int
        Most iterations at one λ.
    wide : int
        Singular values kept, in multiples of the rank.

    Notes
    -----
    Mazumder, Hastie and Tibshirani, Spectral regularization algorithms for learning large
    incomplete matrices, JMLR 11 (2010), algorithm 1.  Weights of the entries, at most one after
    scaling, keep each step a majorisation.  Of a symmetric matrix the entries are mirrored, so that
    every Z is symmetric; its positive part is taken.
    """

    name: ClassVar[str] = "soft-impute"
    title: ClassVar[str] = "soft-impute (Mazumder, Hastie and Tibshirani 2010), then descent"
    compiles: ClassVar[bool] = True

    path: int = 20
    span: float = 1e3
    tolerance: float = 1e-5
    most: int = 50
    wide: int = 3

    def search(self, effort: Effort) -> str:
        """Path, truncation, one local solve."""
        data = Data.of(effort)
        effort.starts += 1
        k = min(self.wide * data.rank, min(data.shape) - 1) or 1
        Z = decompose(data.matrix(data.y), None, k)
        highest = float(Z.s[0])
        Z = thresholded(Z, highest)
        for level in np.geomspace(highest, highest / self.span, self.path)[1:]:
            for _ in range(self.most):
                if effort.account.left < LEAST:
                    break
                effort.account.charge(STEP_COST, work=_work(data, k))
                full = decompose(data.matrix(residual(data, Z)), Z, k)
                new = thresholded(full, float(level))
                change, Z = _change(Z, new), new
                if change < self.tolerance:
                    break
        filled = decompose(data.matrix(residual(data, Z)), Z, k)
        data.last_digits(effort, _factor(data, filled))
        return "" if effort.fitted else "It ended after its path and one local solve."


def residual(data: Data, Z: Decomposed) -> Values:
    """Observed entries less those of ``Z``, weighted so that no weight is above one."""
    a, b = data.rows, data.cols - data.parts[1].start
    left = data.y - np.einsum("ek,k,ek->e", Z.U[a], Z.s, Z.V[b])
    square = data.weights**2
    return left * square / square.max()


def decompose(sparse: Any, Z: Decomposed | None, k: int) -> Decomposed:
    """Leading ``k`` singular triples of ``sparse`` + Z."""
    low = None if Z is None or Z.s.size == 0 else Z
    if min(sparse.shape) <= DENSE:
        whole = sparse.toarray() + (0 if low is None else (low.U * low.s) @ low.V.T)
        U, s, Vt = np.linalg.svd(whole, full_matrices=False)
        return Decomposed(U[:, :k], s[:k], Vt[:k].T)

    def forward(x: np.ndarray) -> np.ndarray:
        x = x.reshape(-1)
        return sparse @ x + (0 if low is None else low.U @ (low.s * (low.V.T @ x)))

    def back(x: np.ndarray) -> np.ndarray:
        x = x.reshape(-1)
        return sparse.T @ x + (0 if low is None else low.V @ (low.s * (low.U.T @ x)))

    operator = _sparse.LinearOperator(sparse.shape, matvec=forward, rmatvec=back, dtype=float)
    first = np.random.default_rng(0).standard_normal(min(sparse.shape))
    U, s, Vt = _sparse.svds(operator, k=k, tol=1e-6, v0=first)
    order = np.argsort(-s)
    return Decomposed(U[:, order], s[order], Vt[order].T)


def thresholded(Z: Decomposed, level: float) -> Decomposed:
    """S_λ: every singular value lowered by ``level``, those below dropped."""
    kept = Z.s > level
    return Decomposed(Z.U[:, kept], Z.s[kept] - level, Z.V[:, kept])


def _change(old: Decomposed, new: Decomposed) -> float:
    """‖ΔZ‖² / ‖Z‖², without the matrices."""
    both = float(np.sum(old.s**2) + np.sum(new.s**2))
    cross = np.sum((old.U.T @ new.U) * (old.V.T @ new.V) * np.outer(old.s, new.s))
    return (both - 2 * float(cross)) / max(float(np.sum(old.s**2)), 1e-30)


def _factor(data: Data, Z: Decomposed) -> Float[np.ndarray, "n r"]:
    """Balanced factor of rank r of a decomposition."""
    r = data.rank
    U, s, V = Z.U[:, :r], Z.s[:r], Z.V[:, :r]
    if U.shape[1] < r:
        more = r - U.shape[1]
        U, V = (np.pad(part, ((0, 0), (0, more))) for part in (U, V))
        s = np.pad(s, (0, more))
    if not data.mirrored:
        return np.concatenate([U * np.sqrt(s), V * np.sqrt(s)])
    return V * np.sqrt(np.where(np.sum(U * V, axis=0) > 0, s, 0.0))


def _work(data: Data, k: int) -> float:
    """Multiply-adds of one decomposition."""
    least, most = sorted(data.shape)
    if least <= DENSE:
        return eigen_work(least) * most / least
    # Some thirty steps of Lanczos a triple would be generous; ARPACK takes about two and a half.
    return 5.0 * k * (data.y.size + k * (least + most))
