"""Convex relaxations over all positive semidefinite matrices, then truncation and descent."""

import abc
import math
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless._precision import entry
from liftless._types import AnyArray
from liftless.operators import SensingOperator
from liftless.problem import Problem
from liftless_papers.compare.peers.base import Effort, Peer, load

#: Options of each conic solver: Clarabel's own; more accuracy for SCS than its own.
OPTIONS: dict[str, dict[str, Any]] = {
    "CLARABEL": {},
    "SCS": {"eps_abs": 1e-6, "eps_rel": 1e-6, "max_iters": 20000},
}
#: Their names for a limit on the seconds.
TIME_LIMIT = {"CLARABEL": "time_limit", "SCS": "time_limit_secs"}


class Relaxation(Peer):
    """Solve a convex problem in the whole matrix by a conic solver, truncate, and refine.

    One solve, no restarts.  The solver's iterations work on its own factorisations and are no
    applications of A: the solve counts as 0 of them, the refinement as usual, so that only the
    seconds compare.  Row weights are kept; another loss or a regulariser is refused.
    """

    needs: ClassVar[str | None] = "peers"
    most_n: ClassVar[int | None] = 40
    solver: ClassVar[str]

    @abc.abstractmethod
    def pose(self, cp: Any, M: Any, residual: Any, radius: float) -> Any:
        """The convex problem in cvxpy's variable ``M``.

        ``residual`` is the weighted A(M) − b, and ``radius`` the norm it may have.
        """

    def accept(self, problem: Problem) -> None:
        """Squared loss without regularisers only."""
        if problem.loss.name != "squared":
            must, cure = "squared for a convex peer", "Use a method on factors."
            raise InvalidInput("loss", problem.loss.name, must, cure)
        if problem.regularisers:
            kinds = ", ".join(type(g).__name__ for g in problem.regularisers)
            raise InvalidInput("regularisers", kinds, "empty for a convex peer", "Drop them.")

    def search(self, effort: Effort) -> str:
        """One conic solve, truncated and refined."""
        effort.starts = 1
        M, status = self._relax(effort)
        if M is None:
            return f"{self.solver} found no matrix: {status}."
        values, vectors = np.linalg.eigh((M + M.T) / 2)
        whole = vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0.0))
        # Over the right field: of the real form of a complex matrix every eigenvalue comes twice.
        X = effort.original.space.truncate(whole, effort.problem.rank)
        if not effort.over and np.any(X):
            effort.local(X)
        return "" if effort.fitted else f"{self.solver}: {status}; the refinement ended above it."

    def _relax(self, effort: Effort) -> tuple[Float[np.ndarray, "n n"] | None, str]:
        """Return the matrix, or None, and the solver's status."""
        cp = load(self.name, "cvxpy")
        problem, n = effort.original, effort.problem.n
        weights = np.asarray(problem.weights)
        rows = np.asarray(_matrices(problem.operator)).reshape(problem.m, n * n)
        rows, b = weights[:, None] * rows, weights * np.asarray(problem.b)
        # Units in which the rows and the data have size one: the solvers' tolerances are absolute.
        row, size = float(np.linalg.norm(rows, axis=1).max()), float(np.linalg.norm(b))
        M = cp.Variable((n, n), PSD=True)
        residual = (rows / row) @ cp.vec(M, order="C") - b / size
        radius = math.sqrt(2 * effort.goal) / size if effort.goal > 1e-12 * effort.full else 0.0
        posed = self.pose(cp, M, residual, radius)
        options = dict(OPTIONS[self.solver])
        if effort.seconds < math.inf:
            options[TIME_LIMIT[self.solver]] = max(effort.seconds - effort.account.elapsed, 1e-3)
        with warnings.catch_warnings():
            # An inaccurate solution is refined all the same, and its status reported.
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            try:
                posed.solve(solver=self.solver, **options)
            except cp.error.SolverError as error:
                return None, str(error).partition(".")[0]
        value = M.value
        known = value is not None and bool(np.isfinite(value).all())
        return (np.asarray(value) * (size / row) if known else None), str(posed.status)


class Trace(Relaxation):
    """min tr M subject to A(M) = b (within the noise level, if there is one), M ⪰ 0.

    Notes
    -----
    Recht, Fazel and Parrilo (2010), eq. (1.2), on the cone; PhaseLift for rank-one measurements.
    """

    def pose(self, cp: Any, M: Any, residual: Any, radius: float) -> Any:
        """Least trace that fits."""
        fits = cp.norm(residual) <= radius if radius > 0 else residual == 0
        return cp.Problem(cp.Minimize(cp.trace(M)), [fits])


class LeastSquares(Relaxation):
    """min ‖A(M) − b‖² subject to M ⪰ 0: the relaxation without a penalty."""

    def pose(self, cp: Any, M: Any, residual: Any, radius: float) -> Any:
        """Least squares; the radius plays no part."""
        del M, radius
        return cp.Problem(cp.Minimize(cp.sum_squares(residual)))


@final
@dataclass(frozen=True)
class TraceClarabel(Trace):
    """Trace minimisation by Clarabel, an interior-point method."""

    name: ClassVar[str] = "trace-clarabel"
    title: ClassVar[str] = "trace minimisation (Clarabel), truncated and refined"
    packages: ClassVar[tuple[str, ...]] = ("cvxpy", "clarabel")
    solver: ClassVar[str] = "CLARABEL"


@final
@dataclass(frozen=True)
class TraceScs(Trace):
    """Trace minimisation by SCS, a splitting method."""

    name: ClassVar[str] = "trace-scs"
    title: ClassVar[str] = "trace minimisation (SCS), truncated and refined"
    packages: ClassVar[tuple[str, ...]] = ("cvxpy", "scs")
    solver: ClassVar[str] = "SCS"


@final
@dataclass(frozen=True)
class LeastSquaresClarabel(LeastSquares):
    """Semidefinite least squares by Clarabel, an interior-point method."""

    name: ClassVar[str] = "psd-clarabel"
    title: ClassVar[str] = "semidefinite least squares (Clarabel), truncated and refined"
    packages: ClassVar[tuple[str, ...]] = ("cvxpy", "clarabel")
    solver: ClassVar[str] = "CLARABEL"


@final
@dataclass(frozen=True)
class LeastSquaresScs(LeastSquares):
    """Semidefinite least squares by SCS, a splitting method."""

    name: ClassVar[str] = "psd-scs"
    title: ClassVar[str] = "semidefinite least squares (SCS), truncated and refined"
    packages: ClassVar[tuple[str, ...]] = ("cvxpy", "scs")
    solver: ClassVar[str] = "SCS"


@entry
def _matrices(operator: SensingOperator) -> Float[AnyArray, "m n n"]:
    """Every sensing matrix, dense."""
    return jax.vmap(operator.matrix)(jnp.eye(operator.m))
