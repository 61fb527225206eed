"""Regularisers of the factor; each is a polynomial of degree at most four along a line."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_array, real_number
from liftless._errors import InvalidInput
from liftless._types import AnyArray

Factor = Float[AnyArray, "n r"]


class Regulariser(eqx.Module):
    """A nonnegative function of the factor, invariant under X ↦ X Q or not."""

    @abc.abstractmethod
    def value(self, X: Factor) -> Float[AnyArray, ""]:
        """Value at X."""

    @abc.abstractmethod
    def gradient(self, X: Factor) -> Factor:
        """Gradient at X."""

    @abc.abstractmethod
    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """Hessian at X applied to D."""

    @abc.abstractmethod
    def along(self, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
        """Coefficients of s ↦ value(X + s D), constant term first."""

    def trace_weight(self) -> Float[AnyArray, ""] | float:
        """Largest known μ with value(X) >= ½ μ tr(X Xᵀ) for every X."""
        return 0.0

    def of_matrix(self) -> bool:
        """Whether the value *is* ½ μ tr(X Xᵀ), a convex function of the matrix."""
        return False


class Ridge(Regulariser):
    """½ Σ weight_ij X_ij², with one weight, one a column, or one an entry.

    A single weight μ is the trace penalty ½ μ tr(X Xᵀ).

    Parameters
    ----------
    weight : float or array of shape (r,) or (n, r)
        Nonnegative.

    Raises
    ------
    InvalidInput
        A negative or non-finite weight.
    """

    weight: Float[AnyArray, "..."]

    def __init__(self, weight: Any) -> None:
        array = real_array("weight", weight, min(np.ndim(weight), 2))
        if array.size < 1 or array.min() < 0:
            raise InvalidInput("weight", describe(weight), "finite and >= 0")
        self.weight = array

    def _scale(self, X: Factor) -> Factor:
        return jnp.broadcast_to(jnp.asarray(self.weight), X.shape)

    def value(self, X: Factor) -> Float[AnyArray, ""]:
        """½ Σ weight X²."""
        return jnp.sum(self._scale(X) * X * X) / 2

    def gradient(self, X: Factor) -> Factor:
        """Weight times X, elementwise."""
        return self._scale(X) * X

    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """Weight times D, elementwise."""
        return self._scale(X) * D

    def along(self, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
        """Return the coefficients of a quadratic."""
        w = self._scale(X)
        zero = jnp.zeros((), jnp.result_type(X))
        return jnp.stack(
            [jnp.sum(w * X * X) / 2, jnp.sum(w * X * D), jnp.sum(w * D * D) / 2, zero, zero]
        )

    def trace_weight(self) -> Float[AnyArray, ""] | float:
        """Return the smallest weight."""
        return jnp.min(jnp.asarray(self.weight))

    def of_matrix(self) -> bool:
        """Whether all weights agree."""
        return bool(np.ptp(np.asarray(self.weight)) == 0)


class Balance(Regulariser):
    """¼ weight ‖UᵀU − VᵀV‖_F² of a stacked factor X = [U; V], U its first ``split`` rows.

    It takes away the freedom U → U c, V → V / c of a rectangular factorisation U Vᵀ.

    Parameters
    ----------
    split : int
        Rows of U.
    weight : float
        Nonnegative.
    """

    weight: Float[AnyArray, ""]
    split: int = eqx.field(static=True)

    def __init__(self, split: int, weight: float = 1.0) -> None:
        self.split = positive_int("split", split)
        self.weight = np.asarray(real_number("weight", weight, least=0.0))

    def _gap(self, X: Factor, Y: Factor) -> Float[AnyArray, "r r"]:
        """Symmetric bilinear form behind UᵀU − VᵀV."""
        X, Y = jnp.asarray(X), jnp.asarray(Y)
        top = X[: self.split].T @ Y[: self.split]
        gap = top - X[self.split :].T @ Y[self.split :]
        return (gap + gap.T) / 2

    def _signed(self, X: Factor) -> Factor:
        sign = jnp.where(jnp.arange(X.shape[0]) < self.split, 1.0, -1.0)
        return sign[:, None].astype(jnp.result_type(X)) * X

    def value(self, X: Factor) -> Float[AnyArray, ""]:
        """¼ weight ‖UᵀU − VᵀV‖²."""
        return self.weight * jnp.sum(self._gap(X, X) ** 2) / 4

    def gradient(self, X: Factor) -> Factor:
        """Weight times [U; −V] (UᵀU − VᵀV)."""
        return self.weight * self._signed(X) @ self._gap(X, X)

    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """Return the derivative of the gradient along D."""
        turned = self._signed(D) @ self._gap(X, X) + 2 * self._signed(X) @ self._gap(X, D)
        return self.weight * turned

    def along(self, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
        """Return the quartic of ¼ weight ‖g0 + s g1 + s² g2‖²."""
        g0, g1, g2 = self._gap(X, X), 2 * self._gap(X, D), self._gap(D, D)
        terms = [
            jnp.sum(g0 * g0),
            2 * jnp.sum(g0 * g1),
            jnp.sum(g1 * g1) + 2 * jnp.sum(g0 * g2),
            2 * jnp.sum(g1 * g2),
            jnp.sum(g2 * g2),
        ]
        return self.weight * jnp.stack(terms) / 4
