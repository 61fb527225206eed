"""Temperatures of Langevin methods and of simulated annealing, as functions of the step."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from liftless._checks import describe, is_traced, real_number
from liftless._errors import InvalidInput
from liftless._types import AnyArray, Scalar


class Schedule(eqx.Module):
    """A temperature T_k for step k = 0, 1, 2, …; a subclass is final."""

    @abc.abstractmethod
    def __call__(self, k: Scalar) -> Float[AnyArray, ""]:
        """T_k; traceable."""


class Constant(Schedule):
    """T_k = T.

    Parameters
    ----------
    temperature : float
        T >= 0, in units of h.
    """

    temperature: Scalar

    def __init__(self, temperature: Scalar) -> None:
        self.temperature = real_number("temperature", temperature, least=0.0)

    def __call__(self, k: Scalar) -> Float[AnyArray, ""]:
        """T, whatever the step."""
        del k
        return jnp.asarray(self.temperature)


class Geometric(Schedule):
    """T_k = T ratioᵏ, the schedule of practice (Nikolaev and Jacobson, 2010).

    Parameters
    ----------
    temperature : float
        T >= 0.
    ratio : float
        In (0, 1].
    """

    temperature: Scalar
    ratio: Scalar

    def __init__(self, temperature: Scalar, ratio: Scalar = 0.995) -> None:
        self.temperature = real_number("temperature", temperature, least=0.0)
        self.ratio = real_number("ratio", ratio, above=0.0)
        if not is_traced(self.ratio) and self.ratio > 1:
            raise InvalidInput("ratio", self.ratio, "a number > 0 and <= 1", "Temperatures fall.")

    def __call__(self, k: Scalar) -> Float[AnyArray, ""]:
        """T ratioᵏ."""
        return jnp.asarray(self.temperature) * self.ratio**k


class Logarithmic(Schedule):
    """T_k = T / ln(e + k), which falls slowly enough for convergence in infinite time.

    Parameters
    ----------
    temperature : float
        T >= 0; the guarantee needs T at least the depth of the deepest spurious basin (Hajek,
        1988).
    """

    temperature: Scalar

    def __init__(self, temperature: Scalar) -> None:
        self.temperature = real_number("temperature", temperature, least=0.0)

    def __call__(self, k: Scalar) -> Float[AnyArray, ""]:
        """T / ln(e + k)."""
        return jnp.asarray(self.temperature) / jnp.log(jnp.e + k)


def as_schedule(temperature: Any) -> Schedule:
    """Return a schedule as it is, and a number as a constant one."""
    if isinstance(temperature, Schedule):
        return temperature
    if isinstance(temperature, (bool, str)) or temperature is None:
        must = "a number >= 0 or a Schedule"
        raise InvalidInput("temperature", describe(temperature), must, "Pass Geometric(0.1), say.")
    return Constant(temperature)
