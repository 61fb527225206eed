"""The question free of every scale, as plain arrays: what the detectors for small problems ask.

With D = diag(length of each row of X) a matrix M = X Xᵀ and measurements A_i are, for what fits,
the same as D⁻¹ M D⁻¹ and D A_i D / ‖D A_i D‖: rows of length one and sensing matrices of norm one.
Row weights that are not zero drop out, and so does how the A_i are stored.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._precision import entry
from liftless._types import AnyArray
from liftless.operators import SensingOperator
from liftless.problem import Problem
from liftless.space import Space

Factor = Float[np.ndarray, "n r"]

#: Most numbers of all A_i as dense matrices, for which the rest is a matter of milliseconds.
HELD = 2e5
#: Rows below this size, relative to the largest, are nothing; more is decided before
#: (:mod:`liftless.identify.rows`).
NOTHING = 1e-14
#: An entry of a scaled measurement that differs by less than this is the same.
SAME_FIT = 1e-9


@dataclass(frozen=True)
class Question:
    """Scaled sensing matrices and the factor they are asked about.

    Attributes
    ----------
    space : Space
    A : array of shape (m, n, n)
        D A_i D of norm one, of the measurements of nonzero weight that are not zero.
    X : array of shape (n, r)
        D⁻¹ X.
    lengths : array of shape (n,)
        The diagonal of D.
    norms : array of shape (m,)
        ‖D A_i D‖ as they were.
    kept : array of shape (m,)
        Indices of these measurements in the problem.
    """

    space: Space
    A: Float[np.ndarray, "m n n"]
    X: Factor
    lengths: Float[np.ndarray, " n"]
    norms: Float[np.ndarray, " m"]
    kept: Int[np.ndarray, " m"]

    @functools.cached_property
    def b(self) -> Float[np.ndarray, " m"]:
        """The measurements of X."""
        return measured(self.A, self.X)

    @functools.cached_property
    def blend(self) -> tuple[Float[np.ndarray, "n n"], float, float]:
        """A sum of all A_i with random weights, its measurement of X, and Σ |weights|."""
        w = np.random.default_rng(0).standard_normal(len(self.A))
        whole = np.tensordot(w, self.A, 1)
        return whole, float(w @ self.b), float(np.abs(w).sum())

    @functools.cached_property
    def level(self) -> float:
        """Measurements that differ by less are the same."""
        return SAME_FIT * max(1.0, float(np.sum(self.X**2)))

    def may_fit(self, Y: Float[np.ndarray, "k n r"]) -> Bool[np.ndarray, " k"]:
        """Which scaled factors fit the sum of all A_i: what fits each does.

        It refuses most at an m-th of the work.
        """
        whole, known, weight = self.blend
        values = np.sum((whole @ Y) * Y, axis=(-2, -1))
        return np.abs(values - known) <= weight * self.level

    def fits(self, Y: Factor) -> bool:
        """Whether a scaled factor has the measurements of X, to round-off."""
        if not self.may_fit(Y[None])[0]:
            return False
        return bool(np.all(np.abs(measured(self.A, Y) - self.b) <= self.level))

    def apart(self, Y: Factor) -> float:
        """Distance of the matrices of a scaled factor and of X, relative to the size of X's."""
        return self.space.distance(Y, self.X) / self.space.size(self.X)


def measured(A: Float[np.ndarray, "m n n"], X: Float[np.ndarray, "n r"]) -> np.ndarray:
    """⟨A_i, X Xᵀ⟩."""
    return A.reshape(len(A), -1) @ (X @ X.T).ravel()


def row_lengths(space: Space, X: Factor) -> Float[np.ndarray, " n"]:
    """Length of each row of X, for a complex line that of both its rows together."""
    lines = space.line_of(np.arange(space.n))
    squares = np.bincount(lines, np.sum(X * X, axis=1), minlength=space.lines)
    return np.sqrt(squares)[lines]


def live_rows(space: Space, X: Factor) -> np.ndarray:
    """Which rows of X are not zero."""
    length = row_lengths(space, X)
    return length > NOTHING * length.max()


def scales(space: Space, X: Factor) -> Float[np.ndarray, " n"]:
    """Lengths of the rows of X; the median of the others for a row that is nothing."""
    length = row_lengths(space, X)
    live = length > NOTHING * length.max()
    return np.where(live, length, np.median(length[live]) if live.any() else 1.0)


@entry
def operator_jacobian(operator: SensingOperator, X: AnyArray) -> AnyArray:
    """2 A_i X."""
    return operator.jacobian(X)


@entry
def operator_measures(operator: SensingOperator, X: AnyArray) -> AnyArray:
    """A(X Xᵀ)."""
    return operator.measure(X, X)


@entry
def measures_and_squares(operator: SensingOperator, X: AnyArray) -> tuple[AnyArray, AnyArray]:
    """A(X Xᵀ), and ‖A_i‖²; in one go, since each entry into compiled code costs as much."""
    return operator.measure(X, X), operator.squares()


def matrices(operator: SensingOperator) -> Float[np.ndarray, "m n n"]:
    """All A_i, from the derivative at the identity."""
    return np.asarray(operator_jacobian(operator, np.eye(operator.n))) / 2


def question(problem: Problem, X: Factor) -> Question | None:
    """Pose the question for a problem and a factor; None where the A_i are too many numbers."""
    n, space = problem.n, problem.operator.space
    if float(problem.m) * n * n > HELD:
        return None
    used = np.flatnonzero(np.asarray(problem.weights) != 0)
    A = matrices(problem.operator)[used]
    lengths = scales(space, X)
    A = (A + A.transpose(0, 2, 1)) / 2 * lengths[:, None] * lengths[None, :]
    norms = np.sqrt(np.sum(A * A, axis=(1, 2)))
    kept = norms > 0
    A, norms, used = A[kept], norms[kept], used[kept]
    return Question(space, A / norms[:, None, None], X / lengths[:, None], lengths, norms, used)
