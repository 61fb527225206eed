"""Points and spans that the tests of the lifted space share."""

import dataclasses
import functools

import numpy as np

from liftless import DenseOperator, MultiStep, Problem, make_instance, oracle
from liftless.lifted import (
    LiftedSubspace,
)

#: Closed form against tensors: instance, order.


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
