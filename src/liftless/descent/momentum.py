"""Nesterov's accelerated gradient."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, is_traced, real_number
from liftless._errors import InvalidInput
from liftless._fields import number
from liftless._types import AnyArray, Flag, Scalar
from liftless.descent.base import Factor, Method, Point
from liftless.objective import Objective


class Ahead(eqx.Module):
    """Last gradient step, and the t_k of the 1983 weights."""

    X: Factor
    t: Float[AnyArray, ""]


class Nesterov(Method[Ahead]):
    """X_{k+1} = Y_k − step ∇h(Y_k), Y_{k+1} = X_{k+1} + β_k (X_{k+1} − X_k).

    The point that the loop sees is the look-ahead point Y_k: one gradient a step, and where the
    run converges the two are one.

    Parameters
    ----------
    step : float
        > 0.
    momentum : float, optional
        A fixed β in [0, 1).  By default β_k = (t_k − 1)/t_{k+1}, t_{k+1} = (1 + √(1 + 4t_k²))/2.
    restart : bool
        Drop the momentum where it points uphill, ⟨∇h(Y_k), X_{k+1} − X_k⟩ > 0.

    References
    ----------
    Nesterov (1983); O'Donoghue and Candès, Adaptive restart for accelerated gradient schemes
    (2015).
    """

    step: Scalar
    # NaN stands for the weights of 1983, so that either kind runs the same program.
    momentum: Scalar | None = number(absent=np.nan)
    restart: Flag = number(bool)

    def __init__(
        self, step: Scalar = 0.01, momentum: Scalar | None = None, *, restart: bool = False
    ) -> None:
        self.step = real_number("step", step, above=0.0)
        self.momentum = None if momentum is None else fraction("momentum", momentum)
        if not isinstance(restart, (bool, np.bool_)):
            raise InvalidInput("restart", describe(restart), "True or False")
        self.restart = bool(restart)

    @property
    def step_size(self) -> Scalar:
        """The step, by its old name."""
        return self.step

    def init(self, objective: Objective, point: Point) -> Ahead:
        """Return no momentum."""
        del objective
        return Ahead(jnp.asarray(point.X), jnp.ones((), jnp.result_type(point.X)))

    def advance(self, objective: Objective, point: Point, state: Ahead) -> tuple[Point, Ahead]:
        """One step; two applications."""
        X = point.X - self.step * point.gradient
        change = X - state.X
        uphill = jnp.asarray(self.restart) & (jnp.sum(point.gradient * change) > 0)
        t = jnp.where(uphill, 1.0, state.t)
        t_next = (1 + jnp.sqrt(1 + 4 * t * t)) / 2
        fixed = jnp.asarray(jnp.nan if self.momentum is None else self.momentum, X.dtype)
        beta = jnp.where(jnp.isnan(fixed), (t - 1) / t_next, fixed)
        ahead = X + jnp.where(uphill, 0.0, beta) * change
        return Point.at(objective, ahead, applications=point.applications), Ahead(X, t_next)


def fraction(argument: str, value: Any) -> Any:
    """``value`` as a float in [0, 1); traced, as it is."""
    share = real_number(argument, value, least=0.0)
    if not is_traced(share) and share >= 1:
        raise InvalidInput(argument, share, "a number >= 0 and < 1")
    return share
