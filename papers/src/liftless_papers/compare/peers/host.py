"""Values and derivatives for optimisers that run on the host, each application counted."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.problem import Problem
from liftless_papers.compare.peers.base import STUCK, Effort

Factor = Float[np.ndarray, "n r"]

#: Points whose measurements are remembered: the iterate and the trial, with room to spare.
REMEMBERED = 4


class Enough(Exception):
    """The data are fitted, the point is stuck, or the budget or the time is spent."""


class Evaluations:
    """h relative to its value at zero, its gradient and Hessian products, counted and remembered.

    Each raises :class:`Enough` when a further evaluation is of no use, so that an optimiser of
    another library keeps to the budget and stops by the same rules as every peer.  The value
    costs one application, the gradient another, a Hessian product three.
    """

    def __init__(self, effort: Effort) -> None:
        self.effort = effort
        self.known: dict[bytes, dict[str, Any]] = {}

    def _at(self, X: Factor) -> dict[str, Any]:
        """Return what is known at X, its value included."""
        key = X.tobytes()
        if key not in self.known:
            self._spend(1)
            if len(self.known) >= REMEMBERED:
                del self.known[next(iter(self.known))]
            y, objective, excess = value(self.effort.problem, X)
            excess = float(excess)
            self.known[key] = {"y": y, "excess": excess}
            fitted = excess <= self.effort.goal
            self.effort.offer(X, float(objective), fitted=fitted)
            if fitted:
                raise Enough
        return self.known[key]

    def _spend(self, cost: int) -> None:
        effort = self.effort
        if effort.account.left < cost:
            raise Enough
        effort.account.charge(cost)

    def value(self, X: Factor) -> float:
        """h(X) − its least conceivable value, over the same at zero."""
        return self._at(X)["excess"] / self.effort.full

    def gradient(self, X: Factor) -> Factor:
        """Gradient of :meth:`value`; raises :class:`Enough` at a stationary point."""
        known = self._at(X)
        if "gradient" not in known:
            self._spend(1)
            g = np.asarray(_gradient(self.effort.problem, known["y"], X))
            length = max(np.linalg.norm(X), self.effort.size / 2)
            if np.linalg.norm(g) * length <= STUCK * known["excess"]:
                raise Enough
            known["gradient"] = g / self.effort.full
        return known["gradient"]

    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """Hessian of :meth:`value` applied to D."""
        known = self._at(X)
        self._spend(3)
        product = _hessian_product(self.effort.problem, known["y"], X, D)
        return np.asarray(product) / self.effort.full


@jax.jit
def value(problem: Problem, X: AnyArray) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Measurements of X, the objective there, and its excess over the least conceivable."""
    y = problem.operator.measure(X, X)
    return y, problem.value_at(y, X), problem.excess_at(y, X)


@jax.jit
def _gradient(problem: Problem, y: AnyArray, X: AnyArray) -> AnyArray:
    return problem.gradient_at(y, X)


@jax.jit
def _hessian_product(problem: Problem, y: AnyArray, X: AnyArray, D: AnyArray) -> AnyArray:
    bend = problem.omega * problem.loss.second(y, problem.b) * 2 * problem.operator.measure(X, D)
    data = problem.operator.backproject(problem.pull(y), D)
    data = 2 * (data + problem.operator.backproject(bend, X))
    return sum((g.hessian_product(X, D) for g in problem.regularisers), jnp.asarray(data))
