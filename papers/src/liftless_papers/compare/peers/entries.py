"""What the peers for completion share: the entries, their Jacobian, least squares, projections.

They run on the host, in NumPy and SciPy, in units in which the entries have rms one.  Lines are
those of the factor X: of a rectangular matrix U Vᵀ the rows of U, then those of V; of a symmetric
X Xᵀ the rows of X, which then stands for U and V alike.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array, linalg

from liftless._errors import InvalidInput
from liftless.problem import Problem
from liftless.space import Space
from liftless.start.belief import observed
from liftless_papers.compare.peers.base import SPECTRAL_COST, Effort, Peer
from liftless_papers.compare.peers.host import value

Factor = Float[np.ndarray, "n r"]
Values = Float[np.ndarray, " m"]

#: SciPy's own types fit neither its arrays nor its tolerances.
_sparse: Any = linalg

#: Applications of an iteration of LSQR: one of the Jacobian, one of its transpose.
LSQR_COST = 2
#: Work of the one local solve that ends a method which does not reach the last digits itself.
LAST = 6000
#: Size of a matrix's smaller side up to which its singular values come from a dense decomposition.
DENSE = 60


class EntriesPeer(Peer):
    """A peer for observed entries with the squared loss and no regulariser.

    Its LSQR iterations are counted in :attr:`Effort.lsqr` and as two applications each.
    """

    families: ClassVar[tuple[str, ...] | None] = ("completion",)
    compiles: ClassVar[bool] = False

    def accept(self, problem: Problem) -> None:
        """Entries, the squared loss, no regularisers."""
        if problem.operator.entries() is None:
            was = f"of a {type(problem.operator).__name__}"
            raise InvalidInput("problem", was, "of single entries", "Use another method.")
        if problem.loss.name != "squared" or problem.regularisers:
            must = f"squared and without regularisers for {self.name}"
            raise InvalidInput("loss", problem.loss.name, must, "Use a method on factors.")


@dataclass(frozen=True)
class Data:
    """Entries of a problem, each once, in units of their rms.

    Attributes
    ----------
    rows, cols : integer arrays of shape (m,)
        The two lines of each entry.
    y : array of shape (m,)
    weights : array of shape (m,)
        Inverse standard deviation of each entry relative to the mean.
    space : Space
    rank : int
    unit : float
        Rms of the entries.
    """

    rows: Int[np.ndarray, " m"]
    cols: Int[np.ndarray, " m"]
    y: Values
    weights: Values
    space: Space
    rank: int
    unit: float

    @staticmethod
    def of(effort: Effort) -> "Data":
        """Entries of the problem of an effort."""
        problem = effort.original
        seen, rms = observed(problem)
        return Data(
            rows=seen.rows,
            cols=seen.cols,
            y=seen.y,
            weights=1 / np.sqrt(seen.spread),
            space=problem.space,
            rank=problem.rank,
            unit=rms,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix."""
        return self.space.shape

    @property
    def parts(self) -> tuple[slice, slice]:
        """Lines of U and of V; of a symmetric matrix the same."""
        return self.space.sides[0], self.space.sides[-1]

    @property
    def mirrored(self) -> bool:
        """Whether rows and columns are the same lines."""
        return len(self.space.sides) == 1

    @property
    def share(self) -> float:
        """Share of the matrix's entries that are observed."""
        return self.places()[0].size / math.prod(self.shape)

    def places(self) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """Row and column of every observed place, and its entry; mirrored where symmetric."""
        entry = np.arange(self.y.size)
        if not self.mirrored:
            return self.rows, self.cols - self.parts[1].start, entry
        off = np.flatnonzero(self.rows != self.cols)
        i = np.concatenate([self.rows, self.cols[off]])
        j = np.concatenate([self.cols, self.rows[off]])
        return i, j, np.concatenate([entry, off])

    def matrix(self, values: Values) -> Any:
        """Matrix with these values at the observed places and zero elsewhere."""
        i, j, entry = self.places()
        return csr_array((values[entry], (i, j)), shape=self.shape)

    def measure(self, X: Factor) -> Values:
        """Observed entries of a factor's matrix."""
        return np.einsum("ek,ek->e", X[self.rows], X[self.cols])

    def start(self, effort: Effort) -> tuple[Factor, Values]:
        """Leading singular vectors of the matrix with zeros for what is not observed, stacked.

        Returns
        -------
        X : array of shape (n, r)
            Orthonormal columns in each part; of a symmetric matrix its leading eigenvectors.
        s : array of shape (r,)
            Singular values (of a symmetric matrix eigenvalues, none below zero).
        """
        effort.account.charge(SPECTRAL_COST)
        effort.starts += 1
        return self.leading(self.matrix(self.y))

    def leading(self, M: Any) -> tuple[Factor, Values]:
        """Leading singular pairs of a sparse matrix, in this space."""
        r, least = self.rank, min(self.shape)
        if least <= max(DENSE, r + 1):
            U, s, Vt = np.linalg.svd(M.toarray())
            U, s, V = U[:, :r], s[:r], Vt[:r].T
        else:
            first = np.random.default_rng(0).standard_normal(least)
            U, s, Vt = _sparse.svds(M, k=r, tol=1e-12, v0=first)
            U, s, V = U[:, ::-1], s[::-1], Vt[::-1].T
        if not self.mirrored:
            return np.concatenate([U, V]), s
        # A singular pair of opposite signs is an eigenvalue below zero.
        return V, np.where(np.sum(U * V, axis=0) > 0, s, 0.0)

    def projected(self, X: Factor, Y: Factor, old: float) -> Factor:
        """Balanced factor of U_X V_Yᵀ + U_Y V_Xᵀ + old U_X V_Xᵀ, best approximated at rank r.

        Of a symmetric matrix the best positive semidefinite one.
        """
        r, (a, b) = self.rank, self.parts
        eye = np.eye(X.shape[1])
        middle = np.block([[old * eye, eye], [eye, 0 * eye]])
        Q, R = np.linalg.qr(np.hstack([X[a], Y[a]]))
        if self.mirrored:
            values, W = np.linalg.eigh(R @ middle @ R.T)
            return (Q @ W[:, ::-1][:, :r]) * np.sqrt(np.maximum(values[::-1][:r], 0))
        P, S = np.linalg.qr(np.hstack([X[b], Y[b]]))
        U, s, Vt = np.linalg.svd(R @ middle @ S.T)
        root = np.sqrt(s[:r])
        return np.concatenate([(Q @ U[:, :r]) * root, (P @ Vt[:r].T) * root])

    def offer(self, effort: Effort, X: Factor) -> None:
        """Evaluate a factor, one application, and keep it if it is the best."""
        if effort.account.left < 1 or not np.all(np.isfinite(X)):
            return
        effort.account.charge(1)
        X = X * math.sqrt(self.unit)
        _, objective, excess = value(effort.problem, X)
        effort.offer(X, float(objective), fitted=float(excess) <= effort.goal)

    def last_digits(self, effort: Effort, X: Factor) -> None:
        """Evaluate a factor and descend from it, if there is something left to do."""
        self.offer(effort, X)
        if not effort.over:
            with effort.account.within(LAST):
                effort.local(X * math.sqrt(self.unit))


class Jacobian:
    """Derivative of the observed entries in the factor, weighted: a sparse matrix of m × (n r).

    Its pattern is made once; :meth:`at` fills it.
    """

    def __init__(self, data: Data) -> None:
        self.data = data
        m, r = data.y.size, data.rank
        lines = np.stack([data.rows, data.cols], axis=1).astype(np.int64)
        places = lines[:, :, None] * r + np.arange(r)
        self.indices = places.reshape(m, 2 * r).ravel()
        self.ends = np.arange(m + 1, dtype=np.int64) * 2 * r

    def at(self, X: Factor) -> Any:
        """Jacobian at X; the two parts of a diagonal entry share places and add up."""
        d = self.data
        filled = np.stack([X[d.cols], X[d.rows]], axis=1) * d.weights[:, None, None]
        shape = (d.y.size, d.space.n * d.rank)
        return csr_array((filled.ravel(), self.indices, self.ends), shape=shape)


def least_squares(
    effort: Effort, data: Data, J: Any, goal: Values, tolerance: float, most: int
) -> tuple[Factor, float]:
    """Least-norm solution of J x = goal by LSQR from zero, within the budget.

    Returns
    -------
    x : array of shape (n, r)
    left : float
        ‖J x − goal‖.
    """
    most = min(most, int((effort.account.left - 2) / LSQR_COST))
    found = _sparse.lsqr(
        J, data.weights * goal, atol=tolerance, btol=tolerance, iter_lim=max(most, 1)
    )
    effort.lsqr += int(found[2])
    effort.account.charge(1 + LSQR_COST * int(found[2]))
    return found[0].reshape(data.space.n, data.rank), float(found[3])
