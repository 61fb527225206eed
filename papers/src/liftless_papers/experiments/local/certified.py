"""Gaussian sensing with a certified restricted isometry constant, and its local minima."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless.descent import LBFGS, Stop, descend
from liftless.instances.local_search import sphere_init, triangular_factor
from liftless.operators import DenseOperator
from liftless.problem import Problem
from liftless_papers.experiments.local.points import Small, padded

#: Columns of every descent: zero columns stay zero, and one width is compiled.
WIDTH = 3


@dataclass(frozen=True)
class Sensing:
    """Unsymmetrised Gaussian matrices A_i, m of them in law, and what they are on all matrices.

    Attributes
    ----------
    A : array of shape (n², n, n)
        Rows with the Gram matrix of the m measurements.
    m : int
    delta : float
        Largest |‖A(X)‖²/(m ‖X‖²) − 1| over *all* n × n matrices X: an upper bound on every δ_p.
    delta_symmetric : float
        The same over symmetric ones.
    """

    A: Float[np.ndarray, "q n n"]
    m: int
    delta: float
    delta_symmetric: float

    @property
    def symmetric(self) -> Float[np.ndarray, "q n n"]:
        """Symmetric parts of the A_i, all that U Uᵀ sees."""
        return (self.A + self.A.transpose(0, 2, 1)) / 2

    def small(self, M: Float[np.ndarray, "n n"], w: Float[np.ndarray, " q"] | None = None) -> Small:
        """½‖A(U Uᵀ) − A(M) − w‖²; the paper's f is twice that."""
        b = np.einsum("ijk,jk->i", self.A, M)
        return Small(self.symmetric, b if w is None else b + w)


def draw_sensing(rng: np.random.Generator, m: int, n: int) -> Sensing:
    """Sample the Gram matrix of ``m`` >= n² measurements exactly, and certify δ by eigenvalues."""
    R = triangular_factor(rng, m, n * n)
    i, j = np.triu_indices(n)
    # An orthonormal basis of the symmetric matrices.
    basis = np.zeros((n * n, i.size))
    scale = np.where(i == j, 0.5, np.sqrt(0.5))
    basis[i * n + j, np.arange(i.size)] += scale
    basis[j * n + i, np.arange(i.size)] += scale
    return Sensing(R.reshape(-1, n, n), m, _spread(R, m), _spread(R @ basis, m))


def _spread(rows: Float[np.ndarray, "q k"], m: int) -> float:
    values = np.linalg.svd(rows, compute_uv=False) ** 2 / m
    return float(max(values[0] - 1, 1 - values[-1]))


def minima(
    problems: list[Small], r: int, rng: np.random.Generator, size: float
) -> list[Float[np.ndarray, "n r"]]:
    """One second-order point of each problem: descent from a random start, then Newton's method.

    Parameters
    ----------
    problems : list of Small
        Of one shape.
    r : int
        Columns of the factor.
    rng : numpy.random.Generator
    size : float
        ‖U‖_F of the starts.
    """
    found = []
    stop = Stop(objective=0.0, gradient=1e-7, max_iterations=500)
    for small in problems:
        start = padded(sphere_init(rng, (small.A.shape[1], r), size), max(r, WIDTH))
        problem = Problem(DenseOperator.from_matrices(small.A), small.b, WIDTH)
        found.append(small.stationary(descend(problem, start, LBFGS(), stop).X[:, :r]))
    return found
