"""Cases small enough for explicit matrices and tensors, with the point each is looked at from."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from liftless.escape import Oracle, oracle
from liftless.instances import Instance, make_instance
from liftless.operators.base import matrix
from liftless.problem import Problem

Matrix = Float[np.ndarray, "n n"]

#: Gaussian instances (4.7) and the start of a descent that ends at a spurious minimum of them.
#: That of "gaussian" is one of the rare minima whose exact score exceeds 1.
GAUSSIAN: dict[str, tuple[dict[str, int], int]] = {
    "gaussian": ({"n": 3, "rank": 1, "m": 6, "seed": 240}, 2),
    "gaussian, r = 2": ({"n": 3, "rank": 2, "m": 6, "seed": 48}, 2),
}

#: Steps of Newton's method after the descent; it is quadratic, so that few are needed.
POLISH = 6
#: A curvature within this fraction of the largest counts as none.
FLAT = 1e-9


@dataclass(frozen=True)
class Case:
    """A problem with explicit matrices, at a stationary point that is not optimal.

    Attributes
    ----------
    name, kind : str
        As rows name it; "saddle" where the Hessian has a negative eigenvalue, else "spurious".
    instance : Instance
    A : array of shape (m, n, n)
    b : array of shape (m,)
    X, Z : arrays of shape (n, r)
        The stationary point and the truth.
    o : Oracle
        Taken at ``X``.
    """

    name: str
    kind: str
    instance: Instance
    A: Float[np.ndarray, "m n n"]
    b: Float[np.ndarray, " m"]
    X: Float[np.ndarray, "n r"]
    Z: Float[np.ndarray, "n r"]
    o: Oracle

    @property
    def problem(self) -> Problem:
        """The problem itself."""
        return self.instance.problem

    @property
    def P(self) -> Matrix:
        """U vᵀ + v uᵀ."""
        return np.outer(self.o.u_n, self.o.v) + np.outer(self.o.v, self.o.u_n)

    @property
    def Q(self) -> Matrix:
        """U uᵀ."""
        return np.outer(self.o.u_n, self.o.u_n)

    @property
    def E(self) -> Matrix:
        """A*A(P), formed."""
        return self.star(self.P)

    def sense(self, M: Matrix) -> Float[np.ndarray, " m"]:
        """A(M), for any square M."""
        return np.einsum("ijk,jk->i", self.A, M)

    def star(self, M: Matrix) -> Matrix:
        """A*A(M)."""
        return np.einsum("i,ijk->jk", self.sense(M), self.A)

    def objective(self, X: Float[np.ndarray, "n r"]) -> float:
        """h(X)."""
        return float(np.sum((self.sense(X @ X.T) - self.b) ** 2) / 2)


def case(name: str, **parameters: float | int) -> Case:
    """Build "basic", "real-world", "pmc", or one of :data:`GAUSSIAN`."""
    if name in GAUSSIAN:
        given, start = GAUSSIAN[name]
        instance = make_instance("gaussian", **given)
        return _at(name, instance, descended(instance, start))
    instance = make_instance(name, **parameters)
    shown = ", ".join(f"{k} = {v}" for k, v in parameters.items())
    return _at(f"{name}, {shown}" if shown else name, instance, instance.points[0].X)


def random_case(seed: int, n: int = 5, rank: int = 1, m: int = 6) -> Case:
    """Return a Gaussian case of a seed: the first spurious point its starts lead to."""
    for k in range(200):
        instance = make_instance("gaussian", n=n, rank=rank, m=m, seed=1000 * seed + k)
        # Not the instance's own seed, whose first draw is the truth.
        X = descended(instance, k + 1)
        A, b = dense(instance.problem)
        miss = np.einsum("ijk,jk->i", A, X @ X.T) - b
        if np.sum(miss**2) > 1e-6 * np.sum(b**2) and np.linalg.matrix_rank(X) == rank:
            return _at(f"gaussian, seed {1000 * seed + k}", instance, X)
    raise RuntimeError(f"no spurious point for seed {seed} in 200 instances")


def dense(problem: Problem) -> tuple[Float[np.ndarray, "m n n"], Float[np.ndarray, " m"]]:
    """Weighted sensing matrices and measurements, formed."""
    weights = np.asarray(problem.weights, np.float64)
    A = np.stack([np.asarray(matrix(problem.operator, y)) for y in np.diag(weights)])
    return A, weights * np.asarray(problem.b)


def descended(instance: Instance, start: int) -> Float[np.ndarray, "n r"]:
    """Stationary point that descent from N(0, 1) of seed ``start`` ends at, to round-off."""
    A, b = dense(instance.problem)
    shape = (instance.problem.n, instance.problem.rank)

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        X = x.reshape(shape)
        miss = np.einsum("ijk,jk->i", A, X @ X.T) - b
        return float(miss @ miss / 2), 2 * (np.einsum("i,ijk->jk", miss, A) @ X).ravel()

    x = np.random.default_rng(start).standard_normal(shape).ravel()
    x = np.asarray(minimize(value, x, jac=True, method="BFGS", options={"gtol": 1e-9}).x)
    for _ in range(POLISH):
        # Turning the columns changes nothing: those directions have no curvature.
        inverse = np.linalg.pinv(hessian(A, b, x.reshape(shape)), rcond=1e-7, hermitian=True)
        x = x - inverse @ value(x)[1]
    return x.reshape(shape)


def hessian(
    A: Float[np.ndarray, "m n n"], b: Float[np.ndarray, " m"], X: Float[np.ndarray, "n r"]
) -> Float[np.ndarray, "d d"]:
    """Hessian of h at X, rows of X one after the other."""
    slack = np.einsum("i,ijk->jk", np.einsum("ijk,jk->i", A, X @ X.T) - b, A)
    J = 2 * np.einsum("ijk,kr->ijr", A, X).reshape(b.size, -1)
    return 2 * np.kron(slack, np.eye(X.shape[1])) + J.T @ J


def _at(name: str, instance: Instance, X: Float[np.ndarray, "n r"]) -> Case:
    assert instance.truth is not None
    A, b = dense(instance.problem)
    curvatures = np.linalg.eigvalsh(hessian(A, b, X))
    kind = "saddle" if curvatures[0] < -FLAT * curvatures[-1] else "spurious"
    return Case(name, kind, instance, A, b, X, instance.truth, oracle(instance.problem, X))
