"""Points, spans and explicit tensors that the tests of the lifted space share."""

import dataclasses
import functools
import string

import numpy as np

from liftless import DenseOperator, MultiStep, Problem, make_instance, oracle
from liftless.lifted import LiftedSubspace


@functools.cache
def point(name):
    """A problem and a point of it; "r2" is a random point of a Gaussian problem of rank two."""
    if name == "basic beside":
        return _basic_beside()
    if name == "r2":
        problem = make_instance("gaussian", n=3, rank=2, m=6, seed=3).problem
        return problem, np.random.default_rng(5).standard_normal((3, 2)) / 2
    instance = make_instance(name)
    return instance.problem, instance.points[0].X


def _basic_beside():
    """The basic example beside a third coordinate, which is right and weighs more."""
    A = np.zeros((4, 3, 3))
    A[0, [0, 1], [0, 1]] = 1.0, 0.5
    A[1, [0, 1], [1, 0]] = A[2, 1, 1] = 0.75**0.5
    A[3, 2, 2] = 4.0
    problem = Problem(DenseOperator.from_matrices(A), [1.0, 0.0, 0.0, 4.0], rank=2)
    return problem, np.array([[0.0, 0.0], [0.5**0.5, 0.0], [0.0, 1.0]])


def span(name, order, turned=False):
    """The subspace and the oracle; ``turned`` takes the other sign of u_n."""
    problem, X = point(name)
    o = oracle(problem, X)
    if turned:
        o = dataclasses.replace(o, u_n=-o.u_n, A_P=-o.A_P, EX=-o.EX)
    return LiftedSubspace.at(problem, X, order, o=o), o


def closed_form(name, order, rho, eta, turned=False):
    subspace, o = span(name, order, turned)
    size_x, size_c = float(subspace.norms[0]), float(subspace.norms[2])
    return subspace, o, MultiStep(o.lambda_n, o.sigma, size_x, size_c, order, rho, eta)


class Tensors:
    """The lifted problem with every tensor written out; w has shape (n r,) * l."""

    def __init__(self, problem, order):
        units = np.eye(problem.m)
        A = [np.asarray(problem.operator.matrix(y)) for y in units]
        self.A, self.l = np.stack(A) * np.asarray(problem.weights)[:, None, None], order
        self.b = self.power(np.asarray(problem.weights) * np.asarray(problem.b))
        self.n = problem.n

    def power(self, x):
        return functools.reduce(np.multiply.outer, [x] * self.l)

    def rows(self, w):
        """W as a matrix: rows j_1 … j_l, columns the indices of the columns of X."""
        q, r = self.l, w.shape[0] // self.n
        modes = w.reshape((self.n, r) * q).transpose(*range(0, 2 * q, 2), *range(1, 2 * q, 2))
        return modes.reshape(self.n**q, r**q)

    def residual(self, w):
        W = self.rows(w)
        M, letters = (W @ W.T).reshape((self.n,) * (2 * self.l)), string.ascii_letters
        for q in range(self.l):
            # Contract the first row index and the first column index left; append the result.
            rest = letters[: M.ndim]
            first, second = rest[0], rest[self.l - q]
            kept = rest.replace(first, "").replace(second, "")
            M = np.einsum(f"{rest},Z{first}{second}->{kept}Z", M, self.A)
        return M - self.b

    def objective(self, w):
        return float(np.sum(self.residual(w) ** 2))

    def printed_gradient(self, w):
        p, r, R = self.l, w.shape[0] // self.n, self.residual(w)
        for _ in range(p):
            R = np.tensordot(R, self.A, axes=(0, 0))
        S = R.transpose(*range(0, 2 * p, 2), *range(1, 2 * p, 2)).reshape(self.n**p, -1)
        G = (S @ self.rows(w)).reshape((self.n,) * p + (r,) * p)
        order = [k for q in range(p) for k in (q, p + q)]
        return G.transpose(*order).reshape((self.n * r,) * p)


def unit_tensors(tensors, subspace):
    """Unit basis tensors as columns."""
    flat = [tensors.power(D.ravel()).ravel() for D in subspace.directions]
    return np.stack([t / np.linalg.norm(t) for t in flat], axis=1)
