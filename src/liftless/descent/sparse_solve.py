"""The linear systems of a sparse least-squares fit: a factorisation, or LSMR, by their cost."""

import abc
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless.operators.sparse_rows import SparseRows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: What a vanishing diagonal is raised to, relative to the largest, so that damping holds the
#: entries that no measurement sees.
SCALE = 1e-8
#: Ridge on every entry, relative to the largest diagonal: along the gauge the fit is flat.
RIDGE = 1e-14
#: Iterations of LSMR that a step is reckoned with.
ITERATIONS = 150
#: Operations of an element of a sparse product for one of a factorisation, about.
SPARSE = 4.0
#: Operations of an elimination that are counted at most, an entry of J: counting them takes as long
#: as ten solutions by LSMR, about.
LOOK = 600
#: Accuracy of LSMR, and its most iterations.
ACCURACY, MOST = 1e-10, 1000


class Solver(abc.ABC):
    """Of damped steps: (JᵀJ + diag ρ + μ D) d = −(Jᵀ residual + bent), D the diagonal of JᵀJ."""

    name: str

    @property
    def over(self) -> bool:
        """Whether it has spent what it may, so that no other step is made."""
        return False

    @abc.abstractmethod
    def step(
        self,
        J: "csr_array",
        residual: Float[np.ndarray, " m"],
        ridge: Float[np.ndarray, " f"],
        bent: Float[np.ndarray, " f"],
        mu: float,
    ) -> Float[np.ndarray, " f"]:
        """Return d."""


class Direct(Solver):
    """SuperLU of the normal equations in symmetric mode, its ordering found once."""

    name = "direct"

    def __init__(self) -> None:
        self.order: Int[np.ndarray, " f"] | None = None

    def step(
        self,
        J: "csr_array",
        residual: Float[np.ndarray, " m"],
        ridge: Float[np.ndarray, " f"],
        bent: Float[np.ndarray, " f"],
        mu: float,
    ) -> Float[np.ndarray, " f"]:
        """See :meth:`Solver.step`."""
        from scipy.sparse import csc_array, diags_array

        G = J.T @ J
        diagonal = G.diagonal()
        top = max(float(np.max(diagonal, initial=0.0)), np.finfo(float).tiny)
        damped = ridge + mu * np.maximum(diagonal, SCALE * top) + RIDGE * top
        solve = self.factor(csc_array(G + diags_array(damped)))
        return -solve(J.T @ residual + bent)

    def factor(self, G: Any) -> Any:
        """Return the function that solves with G, symmetric and positive definite."""
        if self.order is None or self.order.size != G.shape[0]:
            lu = factorised(G)
            self.order = np.argsort(lu.perm_c)
            return lu.solve
        order = self.order
        lu = factorised(G[order][:, order], "NATURAL")

        def solve(b: np.ndarray) -> np.ndarray:
            out = np.empty_like(b)
            out[order] = lu.solve(b[order])
            return out

        return solve


def factorised(G: Any, ordering: str = "MMD_AT_PLUS_A") -> Any:
    """SuperLU of a positive definite matrix: its own pattern ordered, and no pivoting."""
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    symmetric: dict[str, Any] = {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    return splu(csc_array(G), permc_spec=ordering, **symmetric)


class Iterative(Solver):
    """LSMR on J with the Cholesky factors of the blocks of JᵀJ of the rows of X as preconditioner.

    Parameters
    ----------
    width : int
        Columns of X.

    Attributes
    ----------
    iterations : int
        Of all steps so far.
    """

    name = "LSMR"

    def __init__(self, width: int) -> None:
        self.width, self.iterations = width, 0

    def accuracies(self, system: Any, residual: Float[np.ndarray, " m"]) -> tuple[float, float]:
        """``atol`` and ``btol`` of LSMR for the whitened system."""
        del system, residual  # they are the same for all
        return ACCURACY, ACCURACY

    @property
    def most(self) -> int:
        """Most iterations of the next step."""
        return MOST

    def step(
        self,
        J: "csr_array",
        residual: Float[np.ndarray, " m"],
        ridge: Float[np.ndarray, " f"],
        bent: Float[np.ndarray, " f"],
        mu: float,
    ) -> Float[np.ndarray, " f"]:
        """See :meth:`Solver.step`; the damping is in units of the blocks."""
        from scipy.sparse import csr_array, diags_array, vstack
        from scipy.sparse.linalg import LinearOperator, lsmr

        if np.any(ridge):
            root = np.sqrt(ridge)
            J = csr_array(vstack([J, diags_array(root)]))
            residual = np.r_[residual, np.where(root > 0, bent / np.where(root > 0, root, 1), 0.0)]
        half = self._half(J)
        shape = (-1, self.width)

        def unknowns(z: np.ndarray) -> np.ndarray:
            return np.einsum("nba,nb->na", half, z.reshape(shape)).ravel()

        def whitened(g: np.ndarray) -> np.ndarray:
            return np.einsum("nab,nb->na", half, g.reshape(shape)).ravel()

        system: Any = LinearOperator(  # pyright: ignore[reportCallIssue]
            J.shape,
            matvec=lambda z: J @ unknowns(z),  # pyright: ignore[reportCallIssue]
            rmatvec=lambda y: whitened(J.T @ y),  # pyright: ignore[reportCallIssue]
            dtype=np.float64,  # pyright: ignore[reportCallIssue]
        )
        atol, btol = self.accuracies(system, residual)
        damp = np.sqrt(mu)
        found = lsmr(system, -residual, damp=damp, atol=atol, btol=btol, maxiter=self.most)
        self.iterations += int(found[2])
        return unknowns(np.asarray(found[0]))

    def _half(self, J: Any) -> Float[np.ndarray, "n r r"]:
        """Inverse Cholesky factors of the blocks."""
        r = self.width
        n = J.shape[1] // r
        blocks = np.zeros((n, r, r))
        columns = J.tocsc()
        for a in range(r):
            for b in range(a + 1):
                both = columns[:, a::r].multiply(columns[:, b::r]).sum(axis=0)
                blocks[:, a, b] = blocks[:, b, a] = np.asarray(both).ravel()
        trace = np.trace(blocks, axis1=1, axis2=2)
        floor = max(SCALE * float(trace.max(initial=0.0)), np.finfo(float).tiny)
        blocks += (1e-12 * trace + floor * (trace <= floor))[:, None, None] * np.eye(r)
        return np.linalg.inv(np.linalg.cholesky(blocks))


def solver_for(
    rows: SparseRows, width: int, free: Bool[np.ndarray, " n"] | None = None, basis: Any = None
) -> Solver:
    """Return the solver that takes fewer operations for a fit of X with ``width`` columns.

    ``free`` and ``basis`` are those of the fit.

    A factorisation takes at most f b² for a half-bandwidth b in the reverse Cuthill–McKee order of
    the rows; where that is too much the elimination by minimum degree is counted, as far as it is
    the cheaper one.  LSMR takes four operations a nonzero of J and iteration.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    touched, size = rows.touched, rows.n
    seen = csr_array(
        (np.ones(touched.size, np.float32), touched, rows.indptr), shape=(rows.m, size)
    )
    if basis is not None:
        ones = np.ones(basis.nnz, np.float32)
        seen = seen @ csr_array((ones, basis.indices, basis.indptr), shape=basis.shape)
    graph: Any = csr_array(seen.T @ seen)
    if free is not None:
        graph = graph[free][:, free]
    order = np.argsort(reverse_cuthill_mckee(graph, symmetric_mode=True))
    i, j = graph.nonzero()
    reach = np.zeros(graph.shape[0], int)
    np.maximum.at(reach, i, np.abs(order[i] - order[j]))
    iterative = SPARSE * SPARSE * 2.0 * ITERATIONS * touched.size * width
    most = iterative / float(width) ** 3
    counted = min(most, float(LOOK * touched.size * width))
    if float(np.sum(reach.astype(float) ** 2)) <= most or _eliminated(graph, counted):
        return Direct()
    return Iterative(width)


def _eliminated(graph: Any, most: float) -> bool:
    """Whether elimination by minimum degree takes at most so many operations; no longer counted."""
    near = [set(graph.indices[a:b].tolist()) for a, b in pairwise(graph.indptr.tolist())]
    heap = []
    for k, those in enumerate(near):
        those.discard(k)
        heap.append((len(those), k))
    heapify(heap)
    left, count = len(near), 0.0
    while left:
        degree, k = heappop(heap)
        those = near[k]
        if degree != len(those) or k in those:
            continue  # an entry from before its neighbours went, or it has gone itself
        if degree + 1 == left:
            # What is left is full.
            return count + left * (left + 1) * (2 * left + 1) / 6 <= most
        count += (degree + 1.0) ** 2
        if count > most:
            return False
        for other in those:
            near[other] |= those
            near[other] -= {other, k}
            heappush(heap, (len(near[other]), other))
        near[k] = {k}
        left -= 1
    return True
