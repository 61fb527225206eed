"""Stationary points for explicit tensors, and Algorithm 1 on them, step by step."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from liftless import Problem, make_instance, oracle
from liftless.operators import matrix

#: A spurious minimum of the Gaussian instance, to the last digit.
AT_RANK_TWO = np.array(
    [
        [-0.10314461531048554, -1.3741541276875047],
        [-0.029496800516811455, -1.4054476375268805],
        [0.4678690447433322, 0.9385138932294009],
    ]
)
POINTS = {
    "basic": ("basic", {}),
    "real-world": ("real-world", {}),
    "pmc": ("pmc", {"n": 3, "eps": 0.3}),
    "gaussian, r = 2": ("gaussian", {"n": 3, "rank": 2, "m": 6, "seed": 48}),
}


@dataclass(frozen=True)
class Point:
    """A problem at a spurious minimum X, with its truth, its oracle and its A_i."""

    problem: Problem
    X: np.ndarray
    Z: np.ndarray
    o: Any
    A: np.ndarray

    @property
    def b(self):
        return self.problem.b

    def sense(self, M):
        return np.einsum("ijk,jk->i", self.A, M)


@cache
def point(name):
    kind, sizes = POINTS[name]
    made = make_instance(kind, **sizes)
    X = AT_RANK_TWO if name == "gaussian, r = 2" else made.points[0].X
    A = np.stack([matrix(made.problem.operator, e) for e in np.eye(made.problem.m)])
    return Point(made.problem, X, made.truth, oracle(made.problem, X), A)


@dataclass(frozen=True)
class ExplicitPath:
    """Row t is the point after t steps: its weights in the unit basis, and its value."""

    W: np.ndarray
    objective: np.ndarray
    dropped: np.ndarray  # norm of what the truncation took away


def unit_basis(lift, at):
    basis = lift.basis(at.X, at.o)
    norms = np.linalg.norm(basis.reshape(3, -1), axis=1)
    return basis / norms.reshape(3, *[1] * lift.order), norms


def explicit_path(lift, at, rho, step, steps, truncated=None):
    """Projected descent on the span of a, b, c by the printed gradient, from w_escape (3.1).

    With ``truncated``, the weights that Algorithm 1 puts in place of the projected ones at every t.
    """
    unit, norms = unit_basis(lift, at)
    C = unit.reshape(3, -1).T
    # b and c may be parallel.
    pseudo = np.linalg.pinv(C, rcond=1e-4)
    W, dropped = [norms * [1.0, rho, 0.0]], [0.0]
    values = [lift.objective((C @ W[0]).reshape(lift.shape))]
    for t in range(1, steps + 1):
        w = (C @ W[-1]).reshape(lift.shape)
        projected = pseudo @ (w - step * lift.printed_gradient(w)).ravel()
        W.append(projected if truncated is None else truncated[t])
        dropped.append(float(np.linalg.norm(C @ (projected - W[-1]))))
        values.append(lift.objective((C @ W[-1]).reshape(lift.shape)))
    return ExplicitPath(np.array(W), np.array(values), np.array(dropped))
